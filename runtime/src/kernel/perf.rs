//! Perf events (`perf_event_open(2)`): what programs at tracepoints, probes and samples are attached to.

use std::ffi::CStr;
use std::fs;
use std::io;
use std::mem::zeroed;
use std::os::fd::{FromRawFd, OwnedFd};

use aya_obj::generated::{perf_event_attr, perf_type_id};
use scope_dsl::probes::perf::{Event, Rate};
use scope_dsl::probes::watchpoint::Watched;

/// Opens the perf event of the tracepoint with this id (tracefs, `events/CATEGORY/NAME/id`).
///
/// Programs on it run on every CPU, whichever CPU the event names: the kernel keeps them in a list of the tracepoint
/// (`perf_event_attach_bpf_prog`, `kernel/trace/bpf_trace.c`).
///
/// # Errors
/// As `perf_event_open(2)`.
pub fn tracepoint(id: u64) -> io::Result<OwnedFd> {
    let mut attr = attr(perf_type_id::PERF_TYPE_TRACEPOINT as u32, id);
    // As libbpf and aya set it; nothing is sampled without a buffer.
    attr.__bindgen_anon_1.sample_period = 1;
    open(&attr, -1, 0)
}

/// Opens a perf event that is sampled on one CPU.
///
/// # Errors
/// As `perf_event_open(2)`: `ENOENT` if the machine can't count such events.
pub fn sampled(event: Event, cpu: u32) -> io::Result<OwnedFd> {
    let mut attr = attr(event.kind, event.config);
    match event.rate {
        Rate::Period(period) => attr.__bindgen_anon_1.sample_period = period,
        Rate::Hertz(frequency) => {
            attr.__bindgen_anon_1.sample_freq = frequency;
            attr.set_freq(1);
        }
    }
    open(&attr, -1, cpu as i32)
}

/// Opens the event of a watchpoint: for one thread and those that it starts, or for a CPU.
///
/// # Errors
/// As `perf_event_open(2)`: `ENOSPC` if all debug registers are taken.
pub fn watchpoint(watched: Watched, at: At) -> io::Result<OwnedFd> {
    let mut attr = attr(perf_type_id::PERF_TYPE_BREAKPOINT as u32, 0);
    attr.bp_type = watched.how;
    attr.__bindgen_anon_3.bp_addr = watched.address;
    attr.__bindgen_anon_4.bp_len = watched.len;
    attr.__bindgen_anon_1.sample_period = 1;
    match at {
        At::Thread(thread) => {
            attr.set_inherit(1);
            open(&attr, thread as libc::pid_t, -1)
        }
        At::Cpu(cpu) => open(&attr, -1, cpu as i32),
    }
}

/// Where an event is counted.
#[derive(Clone, Copy, Debug)]
pub enum At {
    /// In a thread, and in those that it starts from now on.
    Thread(u32),
    /// On a CPU.
    Cpu(u32),
}

fn attr(kind: u32, config: u64) -> perf_event_attr {
    // SAFETY: a struct of plain numbers.
    let zeroed = unsafe { zeroed::<perf_event_attr>() };
    perf_event_attr { type_: kind, size: size_of::<perf_event_attr>() as u32, config, ..zeroed }
}

/// Opens an event of a process on a CPU; -1 stands for any.
fn open(attr: &perf_event_attr, pid: libc::pid_t, cpu: libc::c_int) -> io::Result<OwnedFd> {
    const PERF_FLAG_FD_CLOEXEC: u64 = 8;
    // SAFETY: the attribute has the size that it says.
    let fd = unsafe {
        libc::syscall(libc::SYS_perf_event_open, std::ptr::from_ref(attr), pid, cpu, -1, PERF_FLAG_FD_CLOEXEC)
    };
    if fd < 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: the kernel has just given the descriptor to us.
    Ok(unsafe { OwnedFd::from_raw_fd(fd as i32) })
}

/// Opens the perf event of a place in a program or library, in one process or in whatever process runs it.
///
/// # Errors
/// As `perf_event_open(2)`: `EINVAL` or `EOPNOTSUPP` if the instruction there can't be probed.
pub fn uprobe(path: &CStr, offset: u64, semaphore: u64, exit: bool, pid: Option<u32>) -> io::Result<OwnedFd> {
    let kind = device("uprobe", "type")?.parse::<u32>().map_err(io::Error::other)?;
    let mut config = 0;
    if exit {
        config |= 1 << bit(&device("uprobe", "format/retprobe")?)?;
    }
    if semaphore != 0 {
        config |= semaphore << bit(&device("uprobe", "format/ref_ctr_offset")?)?;
    }
    let mut attr = attr(kind, config);
    attr.__bindgen_anon_3.uprobe_path = path.as_ptr() as u64;
    attr.__bindgen_anon_4.probe_offset = offset;
    match pid {
        // Programs on it run in all threads that share the memory (`__uprobe_perf_filter`, `kernel/trace/trace_uprobe.c`).
        Some(pid) => open(&attr, pid as libc::pid_t, -1),
        None => open(&attr, -1, 0),
    }
}

/// Opens the perf event of a place in the kernel.
///
/// # Errors
/// As `perf_event_open(2)`: `ENOENT` if there is no such function, `EINVAL` if it can't be probed there.
pub fn kprobe(function: &CStr, offset: u64, exit: bool) -> io::Result<OwnedFd> {
    let kind = device("kprobe", "type")?.parse::<u32>().map_err(io::Error::other)?;
    let config = if exit { 1 << bit(&device("kprobe", "format/retprobe")?)? } else { 0 };
    let mut attr = attr(kind, config);
    attr.__bindgen_anon_3.kprobe_func = function.as_ptr() as u64;
    attr.__bindgen_anon_4.probe_offset = offset;
    open(&attr, -1, 0)
}

/// What the kernel says of one of its kinds of events.
fn device(kind: &str, what: &str) -> io::Result<String> {
    let text = fs::read_to_string(format!("/sys/bus/event_source/devices/{kind}/{what}"))?;
    Ok(text.trim().to_owned())
}

/// The first bit of a field in `config`: `config:0`, `config:32-63`.
fn bit(field: &str) -> io::Result<u32> {
    let bits = field.strip_prefix("config:").and_then(|bits| bits.split('-').next());
    bits.and_then(|first| first.parse().ok()).ok_or_else(|| io::Error::other(format!("unreadable field `{field}`")))
}
