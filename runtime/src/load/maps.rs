//! The kernel maps of a trace: those of the script, and those that every program has.

use std::os::fd::{AsFd, AsRawFd, BorrowedFd, RawFd};

use aya::maps::{MapData, MapError};
use aya_obj::generated::bpf_map_type;
use scope_common::plan::{COUNTERS, Code, STACK_WORK};
use scope_dsl::probes::Site;
use scope_dsl::program::{Kind, Map, Program};

use crate::kernel::{bpf, process};

/// Bytes of the ring buffer that records go through, a power of two.
///
/// At 3 million records a second of 40 bytes, 4 MiB last 29 ms; the reader is woken at a quarter.
pub const RING_SIZE: u32 = 4 << 20;
/// Not to make all entries beforehand: they come one by one, from per-CPU caches that the kernel refills by an interrupt.
/// Per-CPU values of thousands of entries would cost milliseconds at the start, and on a large machine hundreds of
/// megabytes. But where interrupts are off, as at the scheduler's tracepoints, or many new keys with values of more than a
/// few words come at once, the caches run dry and entries are lost.
const BPF_F_NO_PREALLOC: u32 = 1;
/// Bytes of a value on one CPU above which the caches run dry.
pub const LARGE_VALUE: usize = 64;
/// Bytes, on all CPUs together, up to which a per-CPU map is made beforehand.
const PREALLOCATED: usize = 256 << 20;
/// Stacks that a trace can tell apart: of a kilobyte each.
const STACKS: u32 = 16 << 10;
/// Read-only for programs: with a frozen content, a constant for the verifier.
pub const BPF_F_RDONLY_PROG: u32 = 1 << 7;

/// All kernel maps that the programs of a trace share.
pub struct KernelMaps {
    /// For each map of the script its kernel maps: none if it stays in memory, two if it is swapped.
    pub of_script: Vec<Vec<MapData>>,
    /// Counters of what was lost.
    pub losses: MapData,
    /// Which half of the swapped maps is written.
    pub epoch: Option<MapData>,
    /// A value of zeroes.
    pub zeroes: Option<MapData>,
    /// A word that is always 0: see `scope_common::arith::blind`.
    pub nothing: MapData,
    /// The stacks that were met, by their numbers.
    pub stacks: Option<MapData>,
    /// The ring buffer, if the kernel sends records; the reader has it.
    ring: Option<RawFd>,
}

impl KernelMaps {
    /// Makes the maps that a program needs, and the ring buffer for its reader.
    ///
    /// # Errors
    /// If the kernel refuses one.
    pub fn create(program: &Program) -> Result<(KernelMaps, Option<MapData>), MapError> {
        let mut of_script = Vec::new();
        // System calls begin and end with interrupts on.
        let interrupts_off = program.clauses.iter().any(|clause| match &clause.site {
            Site::Tracepoint { category, .. } => category != "syscalls",
            Site::Watchpoint { .. } => true,
            Site::Perf { .. } | Site::RawTracepoint { .. } | Site::Kprobe { .. } | Site::Traced { .. } => true,
            _ => false,
        });
        for (name, map) in &program.maps {
            let halves = match (map.storage.in_kernel, map.storage.swapped) {
                (false, _) => 0,
                (true, false) => 1,
                (true, true) => 2,
            };
            let made = (0..halves).map(|_| create_for(name, map, interrupts_off));
            of_script.push(made.collect::<Result<Vec<_>, _>>()?);
        }
        let kernel = || program.maps.values().map(|map| map.storage).filter(|storage| storage.in_kernel);
        let array = |name, size, flags| create(name, bpf_map_type::BPF_MAP_TYPE_ARRAY, 4, size, 1, flags);
        let epoch = kernel().any(|storage| storage.swapped).then(|| array("epoch", 8, 0)).transpose()?;
        // Arrays need none, but until the verifier knows that an array's entry is there, it wants one of that size.
        let largest = kernel().map(|storage| storage.value_size).max();
        let zeroes = largest.map(|size| array("zeroes", size as u32, 0)).transpose()?;
        let losses = array("losses", 8 * COUNTERS as u32, 0)?;
        let nothing = array("nothing", 8, 0)?;
        let ops = || program.clauses.iter().flat_map(|clause| &clause.plan.ops);
        let stacks = ops().any(|op| op.code() == Code::Stack as u8).then(|| {
            let flags = if interrupts_off { 0 } else { BPF_F_NO_PREALLOC };
            create("stacks", bpf_map_type::BPF_MAP_TYPE_HASH, 8, STACK_WORK as u32, STACKS, flags)
        });
        let stacks = stacks.transpose()?;
        let ring = program.sends_records();
        let ring =
            ring.then(|| create("records", bpf_map_type::BPF_MAP_TYPE_RINGBUF, 0, 0, RING_SIZE, 0)).transpose()?;
        let ring_fd = ring.as_ref().map(|ring| ring.fd().as_fd().as_raw_fd());
        Ok((KernelMaps { of_script, losses, epoch, zeroes, nothing, stacks, ring: ring_fd }, ring))
    }

    /// The descriptor of the ring buffer. Maps that a program does not use are given any descriptor: the verifier
    /// deletes the instructions that name them.
    pub fn ring(&self) -> RawFd {
        self.ring.unwrap_or_else(|| self.any())
    }

    /// The descriptor of an optional map.
    pub fn optional(&self, map: Option<&MapData>) -> RawFd {
        map.map_or_else(|| self.any(), |map| map.fd().as_fd().as_raw_fd())
    }

    fn any(&self) -> RawFd {
        self.losses.fd().as_fd().as_raw_fd()
    }
}

fn create_for(name: &str, map: &Map, interrupts_off: bool) -> Result<MapData, MapError> {
    let storage = map.storage;
    let cpus = process::possible_cpus().unwrap_or(1);
    let wanted = interrupts_off || storage.value_size > LARGE_VALUE;
    let beforehand = wanted && storage.entries as usize * storage.value_size * cpus <= PREALLOCATED;
    let (kind, flags) = match storage.kind {
        Kind::Hash => (bpf_map_type::BPF_MAP_TYPE_HASH, 0),
        Kind::LruHash => (bpf_map_type::BPF_MAP_TYPE_LRU_HASH, 0),
        Kind::PerCpuHash if beforehand => (bpf_map_type::BPF_MAP_TYPE_PERCPU_HASH, 0),
        Kind::PerCpuHash => (bpf_map_type::BPF_MAP_TYPE_PERCPU_HASH, BPF_F_NO_PREALLOC),
        Kind::LruPerCpuHash => (bpf_map_type::BPF_MAP_TYPE_LRU_PERCPU_HASH, 0),
        Kind::Array => (bpf_map_type::BPF_MAP_TYPE_ARRAY, 0),
        Kind::PerCpuArray => (bpf_map_type::BPF_MAP_TYPE_PERCPU_ARRAY, 0),
    };
    create(name, kind, storage.key_size as u32, storage.value_size as u32, storage.entries, flags)
}

/// Makes a map. Its name is cut to what the kernel takes: 15 of letters, digits, `_` and `.`.
pub fn create(
    name: &str,
    kind: bpf_map_type,
    key: u32,
    value: u32,
    entries: u32,
    flags: u32,
) -> Result<MapData, MapError> {
    let name = name.chars().filter(|char| char.is_ascii_alphanumeric() || *char == '_').take(15).collect::<String>();
    MapData::create(aya_obj::Map::new_from_params(kind as u32, key, value, entries, flags), &name, None)
}

/// Makes a frozen array of one entry with this content.
///
/// # Errors
/// If the kernel refuses it.
pub fn constant(name: &str, content: &[u8]) -> Result<MapData, MapError> {
    let map = create(name, bpf_map_type::BPF_MAP_TYPE_ARRAY, 4, content.len() as u32, 1, BPF_F_RDONLY_PROG)?;
    let written = bpf::update(map.fd().as_fd(), &[0; 4], content, bpf::Existing::Replace);
    let frozen = written.and_then(|()| bpf::freeze(map.fd().as_fd()));
    frozen.map_err(MapError::IoError)?;
    Ok(map)
}

/// A map's descriptor.
pub fn fd(map: &MapData) -> BorrowedFd<'_> {
    map.fd().as_fd()
}
