//! Loaded programs attached by `bpf(2)`: what aya 0.14 has no public function for by file descriptor, by cookie, or at all.

use std::ffi::{CStr, CString};
use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::sync::OnceLock;

use aya_obj::generated::{bpf_attach_type, bpf_cmd, bpf_prog_type};
use scope_dsl::probes::function::KernelTarget;
use scope_dsl::probes::uprobe::Target;

use super::bpf::{attr, bpf, instruction, load_program, owned};

/// The part of `bpf(2)`'s attribute that a link is made by.
type LinkCreate = aya_obj::generated::bpf_attr__bindgen_ty_14;

/// Makes a link: what is attached, to which descriptor (0 for none), how, and what the kind of link wants besides.
fn link(
    program: BorrowedFd<'_>,
    target: u32,
    how: bpf_attach_type,
    besides: impl FnOnce(&mut LinkCreate),
) -> io::Result<OwnedFd> {
    let mut attr = attr();
    // SAFETY: plain fields of the union.
    let create = unsafe { &mut attr.link_create };
    create.__bindgen_anon_1.prog_fd = program.as_raw_fd() as u32;
    create.__bindgen_anon_2.target_fd = target;
    create.attach_type = how as u32;
    besides(create);
    bpf(bpf_cmd::BPF_LINK_CREATE, &mut attr).map(owned)
}

/// Attaches a program to a raw tracepoint; it stays attached while the result lives.
///
/// # Errors
/// `ENOENT` if there is no such tracepoint, and as `bpf(2)`.
pub fn attach_raw_tracepoint(program: BorrowedFd<'_>, name: &str) -> io::Result<OwnedFd> {
    let name = CString::new(name)?;
    let mut attr = attr();
    // SAFETY: as in `link`; the name outlives the call.
    let open = unsafe { &mut attr.raw_tracepoint };
    open.name = name.as_ptr() as u64;
    open.prog_fd = program.as_raw_fd() as u32;
    bpf(bpf_cmd::BPF_RAW_TRACEPOINT_OPEN, &mut attr).map(owned)
}

/// What keeps a program attached to a perf event: dropping it detaches.
#[derive(Debug)]
pub struct PerfLink {
    _link: OwnedFd,
    _event: OwnedFd,
}

/// Attaches a program to a perf event, giving a number along that it can ask for.
///
/// # Errors
/// As `bpf(2)`.
pub fn attach_perf_event(program: BorrowedFd<'_>, event: OwnedFd, cookie: u64) -> io::Result<PerfLink> {
    let link = link(program, event.as_raw_fd() as u32, bpf_attach_type::BPF_PERF_EVENT, |create| {
        create.__bindgen_anon_3.perf_event.bpf_cookie = cookie;
    })?;
    Ok(PerfLink { _link: link, _event: event })
}

/// Attaches a program to the function of the kernel that it was loaded for.
///
/// # Errors
/// As `bpf(2)`.
pub fn attach_traced(program: BorrowedFd<'_>) -> io::Result<OwnedFd> {
    let mut attr = attr();
    attr.raw_tracepoint.prog_fd = program.as_raw_fd() as u32;
    bpf(bpf_cmd::BPF_RAW_TRACEPOINT_OPEN, &mut attr).map(owned)
}

/// Attaches a program to many functions of the kernel; each gives its probe's number along.
///
/// # Errors
/// `ESRCH` or `EINVAL` if one of them can't be probed, and as `bpf(2)`.
pub fn attach_kprobes(program: BorrowedFd<'_>, targets: &[KernelTarget], exit: bool) -> io::Result<OwnedFd> {
    const BPF_F_KPROBE_MULTI_RETURN: u32 = 1;
    let names = targets.iter().map(|target| CString::new(target.function.as_str())).collect::<Result<Vec<_>, _>>()?;
    let pointers = names.iter().map(|name| name.as_ptr() as u64).collect::<Vec<_>>();
    let cookies = targets.iter().map(|target| target.cookie).collect::<Vec<_>>();
    link(program, 0, bpf_attach_type::BPF_TRACE_KPROBE_MULTI, |create| {
        // SAFETY: as in `link`; the lists outlive the call.
        let multi = unsafe { &mut create.__bindgen_anon_3.kprobe_multi };
        multi.syms = pointers.as_ptr() as u64;
        multi.cookies = cookies.as_ptr() as u64;
        multi.cnt = targets.len() as u32;
        multi.flags = if exit { BPF_F_KPROBE_MULTI_RETURN } else { 0 };
    })
}

/// Whether the kernel can attach a program to many of its functions with one system call: if it was built with
/// CONFIG_FPROBE, since 5.18. Asked with a program that does nothing, and no functions.
#[must_use]
pub fn can_attach_kprobes() -> bool {
    static CAN: OnceLock<bool> = OnceLock::new();
    *CAN.get_or_init(|| {
        // `r0 = 0; exit`
        let nothing = [instruction(0xb7, 0, 0, 0, 0), instruction(0x95, 0, 0, 0, 0)];
        let kind = Some(bpf_attach_type::BPF_TRACE_KPROBE_MULTI);
        let loaded = load_program(bpf_prog_type::BPF_PROG_TYPE_KPROBE, kind, None, "scope", &nothing, c"GPL");
        loaded.is_ok_and(|program| {
            let answer = attach_kprobes(program.as_fd(), &[], false).err().and_then(|error| error.raw_os_error());
            answer == Some(libc::EINVAL)
        })
    })
}

/// Attaches a program to many places in a file, in all processes or in one; each gives its probe's number along.
///
/// # Errors
/// `EINVAL` if the kernel can't (before 6.6), and as `bpf(2)`.
pub fn attach_uprobes(
    program: BorrowedFd<'_>,
    path: &CStr,
    targets: &[Target],
    exit: bool,
    pid: Option<u32>,
) -> io::Result<OwnedFd> {
    const BPF_F_UPROBE_MULTI_RETURN: u32 = 1;
    let words = |word: fn(&Target) -> u64| targets.iter().map(word).collect::<Vec<_>>();
    let offsets = words(|target| target.offset);
    let semaphores = words(|target| target.semaphore);
    let cookies = words(|target| target.cookie);
    link(program, 0, bpf_attach_type::BPF_TRACE_UPROBE_MULTI, |create| {
        // SAFETY: as in `link`; the lists outlive the call.
        let multi = unsafe { &mut create.__bindgen_anon_3.uprobe_multi };
        multi.path = path.as_ptr() as u64;
        multi.offsets = offsets.as_ptr() as u64;
        multi.cookies = cookies.as_ptr() as u64;
        if semaphores.iter().any(|semaphore| *semaphore != 0) {
            multi.ref_ctr_offsets = semaphores.as_ptr() as u64;
        }
        multi.cnt = targets.len() as u32;
        multi.flags = if exit { BPF_F_UPROBE_MULTI_RETURN } else { 0 };
        multi.pid = pid.unwrap_or(0);
    })
}

/// What an iterator goes through.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Through {
    /// All that there is.
    All,
    /// The tasks of one process.
    Process(u32),
    /// All cgroups, each before those below it.
    Cgroups,
}

/// Attaches a program to an iterator; gives a file that runs it for each object when it is read.
///
/// # Errors
/// As `bpf(2)`.
pub fn attach_iterator(program: BorrowedFd<'_>, through: Through) -> io::Result<(OwnedFd, OwnedFd)> {
    const BPF_CGROUP_ITER_DESCENDANTS_PRE: u32 = 2;
    // `union bpf_iter_link_info`: for tasks tid, pid, pid_fd; for cgroups an order, a descriptor and an id (6.1 and later).
    let info = match through {
        Through::Process(pid) => [0u32, pid, 0, 0],
        Through::Cgroups => [BPF_CGROUP_ITER_DESCENDANTS_PRE, 0, 0, 0],
        Through::All => [0; 4],
    };
    let link = link(program, 0, bpf_attach_type::BPF_TRACE_ITER, |create| {
        if through != Through::All {
            // SAFETY: as in `link`; the description outlives the call.
            let iter = unsafe { &mut create.__bindgen_anon_3.__bindgen_anon_1 };
            iter.iter_info = info.as_ptr() as u64;
            iter.iter_info_len = size_of_val(&info) as u32;
        }
    })?;
    let mut attr = attr();
    attr.iter_create.link_fd = link.as_raw_fd() as u32;
    let file = bpf(bpf_cmd::BPF_ITER_CREATE, &mut attr).map(owned)?;
    Ok((link, file))
}
