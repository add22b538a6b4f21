//! The kernel's memory, read from userspace: by a small program that the kernel is asked to run at once
//! (`BPF_PROG_TEST_RUN` on a raw tracepoint's program, Linux 5.10). It runs in the task that asks, so that task is the
//! current one.

use std::io;
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::sync::OnceLock;

use aya::maps::{MapData, MapError};
use aya_obj::generated::{BPF_PSEUDO_MAP_VALUE, bpf_cmd, bpf_insn, bpf_map_type, bpf_prog_type};

use super::bpf::{self, Refused, instruction as op};

/// Bytes that one run reads at most.
const CHUNK: usize = 1024;

/// The program, and the map that it writes what it read to: a result, then the bytes.
pub struct Reader {
    program: OwnedFd,
    map: MapData,
}

/// Loads the program, once.
///
/// # Errors
/// What the kernel says where it refuses it.
pub fn reader() -> io::Result<&'static Reader> {
    static READER: OnceLock<Result<Reader, i32>> = OnceLock::new();
    let code = |error: io::Error| error.raw_os_error().unwrap_or(libc::EINVAL);
    READER.get_or_init(|| Reader::load().map_err(code)).as_ref().map_err(|code| io::Error::from_raw_os_error(*code))
}

impl Reader {
    fn load() -> io::Result<Reader> {
        let kind = bpf_map_type::BPF_MAP_TYPE_ARRAY as u32;
        let described = aya_obj::Map::new_from_params(kind, 4, (8 + CHUNK) as u32, 1, 0);
        let map = MapData::create(described, "memory", None).map_err(|error| match error {
            MapError::CreateError { io_error, .. } => io_error,
            error => io::Error::other(error),
        })?;
        let instructions = instructions(map.fd().as_fd().as_raw_fd());
        let kind = bpf_prog_type::BPF_PROG_TYPE_RAW_TRACEPOINT;
        let loaded = bpf::load_program(kind, None, None, "scope", &instructions, c"GPL");
        Ok(Reader { program: loaded.map_err(|Refused { error, .. }| error)?, map })
    }

    /// Reads memory of the kernel; gives whether all of it could be read.
    #[must_use]
    pub fn read(&self, address: u64, into: &mut [u8]) -> bool {
        let mut at = address;
        into.chunks_mut(CHUNK - 1).all(|part| {
            let read = self.run(at, part.len() as u64).filter(|value| value[..8] == [0; 8]);
            at = at.wrapping_add(part.len() as u64);
            read.map(|value| part.copy_from_slice(&value[8..8 + part.len()])).is_some()
        })
    }

    /// The address of the current task's `task_struct`, 0 if the kernel does not tell.
    #[must_use]
    pub fn task(&self) -> u64 {
        let value = self.run(0, 0);
        value.and_then(|value| value[..8].try_into().ok()).map_or(0, u64::from_ne_bytes)
    }

    /// Runs the program on two words; gives what it wrote.
    fn run(&self, address: u64, len: u64) -> Option<[u8; 8 + CHUNK]> {
        let context = [address, len];
        let mut attr = bpf::attr();
        // SAFETY: plain fields of the union; the context outlives the call.
        let test = unsafe { &mut attr.test };
        test.prog_fd = self.program.as_raw_fd() as u32;
        test.ctx_in = context.as_ptr() as u64;
        test.ctx_size_in = size_of_val(&context) as u32;
        bpf::bpf(bpf_cmd::BPF_PROG_TEST_RUN, &mut attr).ok()?;
        let mut value = [0; 8 + CHUNK];
        bpf::lookup(self.map.fd().as_fd(), &[0; 4], &mut value).ok()?;
        Some(value)
    }
}

/// Given an address and a length, reads that; given no length, finds the current task.
fn instructions(map: i32) -> Vec<bpf_insn> {
    const PROBE_READ_KERNEL: i32 = 113;
    const GET_CURRENT_TASK: i32 = 35;
    vec![
        op(0x79, 6, 1, 0, 0),                            // r6 = *(u64 *)(r1 + 0)
        op(0x79, 7, 1, 8, 0),                            // r7 = *(u64 *)(r1 + 8)
        op(0x18, 8, BPF_PSEUDO_MAP_VALUE as u8, 0, map), // r8 = the map's value
        op(0x00, 0, 0, 0, 0),
        op(0x57, 7, 0, 0, CHUNK as i32 - 1), // r7 &= 1023
        op(0x15, 7, 0, 6, 0),                // if r7 == 0 goto +6
        op(0xbf, 1, 8, 0, 0),                // r1 = r8
        op(0x07, 1, 0, 0, 8),                // r1 += 8
        op(0xbf, 2, 7, 0, 0),                // r2 = r7
        op(0xbf, 3, 6, 0, 0),                // r3 = r6
        op(0x85, 0, 0, 0, PROBE_READ_KERNEL),
        op(0x05, 0, 0, 1, 0), // goto +1
        op(0x85, 0, 0, 0, GET_CURRENT_TASK),
        op(0x7b, 8, 0, 0, 0), // *(u64 *)(r8 + 0) = r0
        op(0xb7, 0, 0, 0, 0), // r0 = 0
        op(0x95, 0, 0, 0, 0), // exit
    ]
}
