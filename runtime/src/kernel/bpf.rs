//! The `bpf(2)` calls that aya 0.14 has no public function for: loading instructions that we specialised ourselves, reading
//! maps by batches, and a program's statistics. Attaching is in [`super::links`].

use std::ffi::CStr;
use std::io;
use std::mem::zeroed;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, OwnedFd};

use aya_obj::generated::{
    bpf_attach_type, bpf_attr, bpf_btf_info, bpf_cmd, bpf_insn, bpf_map_type, bpf_prog_info, bpf_prog_type,
};

pub(super) fn bpf(command: bpf_cmd, attr: &mut bpf_attr) -> io::Result<i64> {
    // SAFETY: the attribute is the kernel's union, wholly initialised; pointers in it are the callers' to keep alive.
    let result = unsafe { libc::syscall(libc::SYS_bpf, command, attr as *mut bpf_attr, size_of::<bpf_attr>()) };
    if result < 0 { Err(io::Error::last_os_error()) } else { Ok(result) }
}

pub(super) fn attr() -> bpf_attr {
    // SAFETY: a union of plain numbers.
    unsafe { zeroed() }
}

pub(super) fn owned(fd: i64) -> OwnedFd {
    // SAFETY: the kernel has just given the descriptor to us.
    unsafe { OwnedFd::from_raw_fd(fd as i32) }
}

/// What happens to an entry that is there, in [`update`].
#[derive(Clone, Copy)]
pub enum Existing {
    /// It is replaced.
    Replace = 0,
    /// It stays, and the call fails with `EEXIST`.
    Keep = 1,
}

/// Writes an entry of a map.
///
/// # Errors
/// `E2BIG` if the map is full, and as `bpf(2)`.
pub fn update(map: BorrowedFd<'_>, key: &[u8], value: &[u8], existing: Existing) -> io::Result<()> {
    let mut attr = attr();
    // SAFETY: plain fields of the union.
    let elem = unsafe { &mut attr.__bindgen_anon_2 };
    elem.map_fd = map.as_raw_fd() as u32;
    elem.key = key.as_ptr() as u64;
    elem.__bindgen_anon_1.value = value.as_ptr() as u64;
    elem.flags = existing as u64;
    bpf(bpf_cmd::BPF_MAP_UPDATE_ELEM, &mut attr).map(drop)
}

/// Reads the value under a key into `value`, which has the size that the kernel copies out: for per-CPU maps that is
/// the value's size for each possible CPU. Gives whether there is an entry.
///
/// # Errors
/// As `bpf(2)`.
pub fn lookup(map: BorrowedFd<'_>, key: &[u8], value: &mut [u8]) -> io::Result<bool> {
    let mut attr = attr();
    // SAFETY: as in `update`.
    let elem = unsafe { &mut attr.__bindgen_anon_2 };
    elem.map_fd = map.as_raw_fd() as u32;
    elem.key = key.as_ptr() as u64;
    elem.__bindgen_anon_1.value = value.as_mut_ptr() as u64;
    found(bpf(bpf_cmd::BPF_MAP_LOOKUP_ELEM, &mut attr))
}

/// Deletes an entry; gives whether there was one.
///
/// # Errors
/// As `bpf(2)`.
pub fn delete(map: BorrowedFd<'_>, key: &[u8]) -> io::Result<bool> {
    let mut attr = attr();
    // SAFETY: as in `update`.
    let elem = unsafe { &mut attr.__bindgen_anon_2 };
    elem.map_fd = map.as_raw_fd() as u32;
    elem.key = key.as_ptr() as u64;
    found(bpf(bpf_cmd::BPF_MAP_DELETE_ELEM, &mut attr))
}

fn found(result: io::Result<i64>) -> io::Result<bool> {
    match result {
        Ok(_) => Ok(true),
        Err(error) if error.raw_os_error() == Some(libc::ENOENT) => Ok(false),
        Err(error) => Err(error),
    }
}

/// Reads a hash map by batches, all entries that it holds, and deletes them on the way if `take`.
///
/// `value_size` is what the kernel copies out for one entry, `most` an upper bound of the entries. Gives the keys and
/// the values, each laid end to end.
///
/// # Errors
/// As `bpf(2)`.
pub fn read_all(
    map: BorrowedFd<'_>,
    key_size: usize,
    value_size: usize,
    most: usize,
    take: bool,
) -> io::Result<(Vec<u8>, Vec<u8>)> {
    let command = if take { bpf_cmd::BPF_MAP_LOOKUP_AND_DELETE_BATCH } else { bpf_cmd::BPF_MAP_LOOKUP_BATCH };
    let (mut keys, mut values) = (Vec::new(), Vec::new());
    let mut cursor = vec![0u8; key_size.max(8)];
    let mut next = vec![0u8; key_size.max(8)];
    let mut first = true;
    let mut step = most.clamp(1, 512);
    loop {
        let (have_keys, have_values) = (keys.len(), values.len());
        keys.resize(have_keys + step * key_size, 0);
        values.resize(have_values + step * value_size, 0);
        let mut attr = attr();
        // SAFETY: as in `update`.
        let batch = unsafe { &mut attr.batch };
        batch.in_batch = if first { 0 } else { cursor.as_ptr() as u64 };
        batch.out_batch = next.as_mut_ptr() as u64;
        batch.keys = keys[have_keys..].as_mut_ptr() as u64;
        batch.values = values[have_values..].as_mut_ptr() as u64;
        batch.count = step as u32;
        batch.map_fd = map.as_raw_fd() as u32;
        let result = bpf(command, &mut attr);
        // SAFETY: the kernel has written the count of entries.
        let count = unsafe { attr.batch.count } as usize;
        let (count, done) = match result {
            Ok(_) => (count, false),
            Err(error) if error.raw_os_error() == Some(libc::ENOENT) => (count, true),
            // A hash bucket holds more entries than there is room for: the same step again, with more.
            Err(error) if error.raw_os_error() == Some(libc::ENOSPC) => {
                keys.truncate(have_keys);
                values.truncate(have_values);
                step *= 2;
                continue;
            }
            Err(error) => return Err(error),
        };
        keys.truncate(have_keys + count * key_size);
        values.truncate(have_values + count * value_size);
        if done {
            return Ok((keys, values));
        }
        std::mem::swap(&mut cursor, &mut next);
        first = false;
    }
}

/// Makes a map's content read-only for userspace; with `BPF_F_RDONLY_PROG` it is then a constant for the verifier.
///
/// # Errors
/// As `bpf(2)`.
pub fn freeze(map: BorrowedFd<'_>) -> io::Result<()> {
    let mut attr = attr();
    attr.__bindgen_anon_2.map_fd = map.as_raw_fd() as u32;
    bpf(bpf_cmd::BPF_MAP_FREEZE, &mut attr).map(drop)
}

/// Makes a map of maps with one entry, and an array to lie in it.
///
/// # Errors
/// As `bpf(2)`.
pub fn create_array_of_maps() -> io::Result<(OwnedFd, OwnedFd)> {
    let inner = create(bpf_map_type::BPF_MAP_TYPE_ARRAY, 0)?;
    let outer = create(bpf_map_type::BPF_MAP_TYPE_ARRAY_OF_MAPS, inner.as_raw_fd() as u32)?;
    Ok((outer, inner))
}

fn create(kind: bpf_map_type, inner: u32) -> io::Result<OwnedFd> {
    let mut attr = attr();
    // SAFETY: as in `update`.
    let create = unsafe { &mut attr.__bindgen_anon_1 };
    create.map_type = kind as u32;
    create.key_size = 4;
    create.value_size = 4;
    create.max_entries = 1;
    create.inner_map_fd = inner;
    bpf(bpf_cmd::BPF_MAP_CREATE, &mut attr).map(owned)
}

/// A function of the kernel that a program is loaded for.
#[derive(Debug)]
pub struct Function {
    /// Its number in the type information.
    pub id: u32,
    /// The type information of its module, if it is not the kernel's own.
    pub module: Option<OwnedFd>,
}

/// Finds the type information of a module among all that the kernel holds.
///
/// # Errors
/// `ENOENT` if it holds none, and as `bpf(2)`.
pub fn module_types(module: &str) -> io::Result<OwnedFd> {
    let mut id = 0;
    loop {
        let mut next = attr();
        next.__bindgen_anon_6.__bindgen_anon_1.start_id = id;
        bpf(bpf_cmd::BPF_BTF_GET_NEXT_ID, &mut next)?;
        // SAFETY: the kernel has written the next number.
        id = unsafe { next.__bindgen_anon_6.next_id };
        let mut by_id = attr();
        by_id.__bindgen_anon_6.__bindgen_anon_1.btf_id = id;
        let types = match bpf(bpf_cmd::BPF_BTF_GET_FD_BY_ID, &mut by_id) {
            Ok(fd) => owned(fd),
            // It has just gone.
            Err(error) if error.raw_os_error() == Some(libc::ENOENT) => continue,
            Err(error) => return Err(error),
        };
        let mut name = [0u8; 64];
        // SAFETY: a struct of plain numbers.
        let mut info: bpf_btf_info = unsafe { zeroed() };
        info.name = name.as_mut_ptr() as u64;
        info.name_len = name.len() as u32;
        ask(types.as_fd(), &mut info)?;
        let len = name.iter().position(|byte| *byte == 0).unwrap_or(name.len());
        if info.kernel_btf == 1 && &name[..len] == module.as_bytes() {
            return Ok(types);
        }
    }
}

/// Asks the kernel about one of its objects.
fn ask<T>(object: BorrowedFd<'_>, info: &mut T) -> io::Result<()> {
    let mut attr = attr();
    // SAFETY: as in `update`.
    let query = unsafe { &mut attr.info };
    query.bpf_fd = object.as_raw_fd() as u32;
    query.info_len = size_of::<T>() as u32;
    query.info = std::ptr::from_mut(info) as u64;
    bpf(bpf_cmd::BPF_OBJ_GET_INFO_BY_FD, &mut attr).map(drop)
}

/// The verifier's refusal of a program, with its log.
#[derive(Debug)]
pub struct Refused {
    /// What the system call returned.
    pub error: io::Error,
    /// The verifier's log, empty if it said nothing.
    pub log: String,
}

/// Loads a program; on refusal loads it again with the log on, so that a load that works pays nothing for it. Where the
/// verifier gave up because it had walked too much, there is nothing more to learn, and the walk takes seconds.
///
/// # Errors
/// The system call's error and the verifier's log.
pub fn load_program(
    kind: bpf_prog_type,
    attach_type: Option<bpf_attach_type>,
    function: Option<&Function>,
    name: &str,
    instructions: &[bpf_insn],
    license: &CStr,
) -> Result<OwnedFd, Refused> {
    let mut attr = attr();
    // SAFETY: as in `update`.
    let load = unsafe { &mut attr.__bindgen_anon_3 };
    load.prog_type = kind as u32;
    if let Some(function) = function {
        load.attach_btf_id = function.id;
        load.__bindgen_anon_1.attach_btf_obj_fd =
            function.module.as_ref().map_or(0, |module| module.as_raw_fd() as u32);
    }
    load.expected_attach_type = attach_type.map_or(0, |attach_type| attach_type as u32);
    load.insn_cnt = instructions.len() as u32;
    load.insns = instructions.as_ptr() as u64;
    load.license = license.as_ptr() as u64;
    for (to, from) in load.prog_name.iter_mut().zip(name.bytes().take(15)) {
        *to = from as _;
    }
    match bpf(bpf_cmd::BPF_PROG_LOAD, &mut attr) {
        Ok(fd) => return Ok(owned(fd)),
        Err(error) if !matches!(error.raw_os_error(), Some(libc::EACCES | libc::EINVAL)) => {
            return Err(Refused { error, log: String::new() });
        }
        Err(_) => {}
    }
    let mut log = vec![0u8; 16 << 20];
    // SAFETY: as above; the buffer outlives the call.
    let load = unsafe { &mut attr.__bindgen_anon_3 };
    load.log_level = 1;
    load.log_size = log.len() as u32;
    load.log_buf = log.as_mut_ptr() as u64;
    match bpf(bpf_cmd::BPF_PROG_LOAD, &mut attr) {
        Ok(fd) => Ok(owned(fd)),
        Err(error) => {
            let end = log.iter().position(|byte| *byte == 0).unwrap_or(log.len());
            Err(Refused { error, log: String::from_utf8_lossy(&log[..end]).into_owned() })
        }
    }
}

/// An instruction (`Documentation/bpf/standardization/instruction-set.rst`).
#[must_use]
pub fn instruction(code: u8, dst: u8, src: u8, off: i16, imm: i32) -> bpf_insn {
    // SAFETY: a struct of plain numbers.
    let mut made = unsafe { zeroed::<bpf_insn>() };
    (made.code, made.off, made.imm) = (code, off, imm);
    made.set_dst_reg(dst);
    made.set_src_reg(src);
    made
}

/// What the kernel says of a loaded program.
#[derive(Clone, Copy, Debug, Default)]
pub struct ProgramInfo {
    /// Instructions that the verifier walked.
    pub verified: u32,
    /// Instructions left after the verifier dropped dead code.
    pub specialised: u32,
    /// Bytes of machine code.
    pub machine_code: u32,
    /// Runs that the kernel skipped because a program was already running on the CPU.
    pub missed: u64,
}

/// Asks the kernel about a loaded program.
///
/// # Errors
/// As `bpf(2)`.
pub fn program_info(program: BorrowedFd<'_>) -> io::Result<ProgramInfo> {
    // SAFETY: a struct of plain numbers.
    let mut info: bpf_prog_info = unsafe { zeroed() };
    ask(program, &mut info)?;
    Ok(ProgramInfo {
        verified: info.verified_insns,
        specialised: info.xlated_prog_len / size_of::<bpf_insn>() as u32,
        machine_code: info.jited_prog_len,
        missed: info.recursion_misses,
    })
}
