//! Loaded programs to their sites: each kind of site is attached in its own way.

mod kprobe;
mod reason;
mod uprobe;
mod way;

use std::io;
use std::os::fd::{BorrowedFd, OwnedFd};

use scope_dsl::probes::Site;
use scope_dsl::probes::iter::PREFIX;

use crate::kernel::links::{self, PerfLink};
use crate::kernel::perf::{self, At};
use crate::kernel::process;
use crate::kernel::tracefs::Tracefs;
pub use reason::reason;
pub use way::{Choice, choice, way};

/// What keeps a program attached to a site; dropping it detaches.
#[derive(Debug)]
pub enum Link {
    /// To perf events.
    Perf(Vec<PerfLink>),
    /// To a raw tracepoint.
    RawTracepoint(OwnedFd),
    /// To the function that the program was loaded for.
    Traced(OwnedFd),
    /// To many places at once.
    Multi(OwnedFd),
    /// To an iterator, and the file that goes through its objects when it is read.
    Iterator(OwnedFd, OwnedFd),
}

/// What came of attaching a program to a site.
#[derive(Debug, Default)]
pub struct Attachment {
    /// What keeps it attached.
    pub links: Vec<Link>,
    /// The numbers of the probes, among several, that could not be set.
    pub left_out: Vec<usize>,
}

/// Attaches a program to a site; where the kernel can look for one process itself, to what that does.
///
/// # Errors
/// What the kernel says where it refuses.
pub fn attach(
    program: BorrowedFd<'_>,
    site: &Site,
    tracefs: Option<&Tracefs>,
    pid: Option<u32>,
) -> io::Result<Attachment> {
    let link = match site {
        Site::RawSyscalls { exit, .. } | Site::SyscallSet { exit, .. } => {
            Link::RawTracepoint(links::attach_raw_tracepoint(program, raw_syscalls(*exit))?)
        }
        Site::RawTracepoint { name, .. } => Link::RawTracepoint(links::attach_raw_tracepoint(program, name)?),
        Site::Tracepoint { category, name, probe, .. } => {
            let id = tracefs.and_then(|tracefs| tracefs.id(category, name));
            let event = perf::tracepoint(id.ok_or_else(|| io::Error::other("tracefs does not tell its id"))?)?;
            Link::Perf(vec![links::attach_perf_event(program, event, *probe as u64)?])
        }
        Site::Uprobe { path, targets, exit, .. } => return uprobe::attach(program, path, targets, *exit, pid),
        Site::Kprobe { targets, exit } => return kprobe::attach(program, targets, *exit),
        Site::Traced { .. } | Site::Syscall { .. } => Link::Traced(links::attach_traced(program)?),
        Site::Iter { function, .. } => {
            let kind = function.strip_prefix(PREFIX).unwrap_or_default();
            let through = match pid {
                _ if kind == "cgroup" => links::Through::Cgroups,
                Some(pid) if kind.starts_with("task") => links::Through::Process(pid),
                _ => links::Through::All,
            };
            let (link, file) = links::attach_iterator(program, through)?;
            Link::Iterator(link, file)
        }
        Site::Watchpoint { probe, watched } => {
            let places = match pid {
                Some(pid) => process::threads(pid)?.into_iter().map(At::Thread).collect(),
                None => online_cpus()?.into_iter().map(At::Cpu).collect::<Vec<_>>(),
            };
            let mut attached = Vec::new();
            for place in places {
                match (perf::watchpoint(*watched, place), place) {
                    // The thread has just ended.
                    (Err(error), At::Thread(_)) if error.raw_os_error() == Some(libc::ESRCH) => {}
                    (event, _) => attached.push(links::attach_perf_event(program, event?, *probe as u64)?),
                }
            }
            Link::Perf(attached)
        }
        Site::Perf { probe, event } => {
            let attached = online_cpus()?.into_iter().map(|cpu| {
                let opened = perf::sampled(*event, cpu)?;
                links::attach_perf_event(program, opened, *probe as u64)
            });
            Link::Perf(attached.collect::<io::Result<Vec<_>>>()?)
        }
        Site::Begin { .. } | Site::End { .. } | Site::Interval { .. } | Site::Signal { .. } => {
            unreachable!("userspace clauses are not attached")
        }
    };
    Ok(Attachment { links: vec![link], left_out: Vec::new() })
}

fn online_cpus() -> io::Result<Vec<u32>> {
    aya::util::online_cpus().map_err(|(_, error)| error)
}

fn raw_syscalls(exit: bool) -> &'static str {
    if exit { "sys_exit" } else { "sys_enter" }
}
