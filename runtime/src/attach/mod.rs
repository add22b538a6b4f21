//! Loaded programs to their sites: each kind of site is attached in its own way.

mod kprobe;
mod reason;
mod uprobe;

use std::io;
use std::os::fd::{BorrowedFd, OwnedFd};

use scope_dsl::probes::Site;
use scope_dsl::probes::perf::{Event, Rate};

use crate::kernel::bpf::{self, PerfLink};
use crate::kernel::perf;
use crate::kernel::tracefs::Tracefs;
pub use reason::reason;

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
}

/// What came of attaching a program to a site.
#[derive(Debug, Default)]
pub struct Attachment {
    /// What keeps it attached.
    pub links: Vec<Link>,
    /// The numbers of the probes, among several, that could not be set.
    pub left_out: Vec<usize>,
}

/// Attaches a program to a site.
///
/// # Errors
/// What the kernel says where it refuses.
pub fn attach(program: BorrowedFd<'_>, site: &Site, tracefs: Option<&Tracefs>) -> io::Result<Attachment> {
    let link = match site {
        Site::RawSyscalls { exit, .. } | Site::SyscallSet { exit, .. } => {
            Link::RawTracepoint(bpf::attach_raw_tracepoint(program, raw_syscalls(*exit))?)
        }
        Site::RawTracepoint { name, .. } => Link::RawTracepoint(bpf::attach_raw_tracepoint(program, name)?),
        Site::Tracepoint { category, name, probe, .. } => {
            let id = tracefs.and_then(|tracefs| tracefs.id(category, name));
            let event = perf::tracepoint(id.ok_or_else(|| io::Error::other("tracefs does not tell its id"))?)?;
            Link::Perf(vec![bpf::attach_perf_event(program, event, *probe as u64)?])
        }
        Site::Uprobe { path, targets, exit, .. } => return uprobe::attach(program, path, targets, *exit),
        Site::Kprobe { targets, exit } => return kprobe::attach(program, targets, *exit),
        Site::Traced { .. } => Link::Traced(bpf::attach_traced(program)?),
        Site::Perf { probe, event } => {
            let cpus = aya::util::online_cpus().map_err(|(_, error)| error)?;
            let attached = cpus.into_iter().map(|cpu| {
                let opened = perf::sampled(*event, cpu)?;
                bpf::attach_perf_event(program, opened, *probe as u64)
            });
            Link::Perf(attached.collect::<io::Result<Vec<_>>>()?)
        }
        Site::Begin { .. } | Site::End { .. } | Site::Interval { .. } | Site::Signal { .. } => {
            unreachable!("userspace clauses are not attached")
        }
    };
    Ok(Attachment { links: vec![link], left_out: Vec::new() })
}

fn raw_syscalls(exit: bool) -> &'static str {
    if exit { "sys_exit" } else { "sys_enter" }
}

/// How a clause is attached, in words.
#[must_use]
pub fn way(site: &Site) -> String {
    match site {
        Site::Begin { .. } => "in userspace, at the beginning".to_owned(),
        Site::End { .. } => "in userspace, at the end".to_owned(),
        Site::Interval { nanos, .. } => format!("in userspace, every {} ms", *nanos as f64 / 1e6),
        Site::Signal { .. } => "in userspace, when the signal comes".to_owned(),
        Site::Tracepoint { category, name, .. } => format!("at the tracepoint {category}:{name}"),
        Site::RawSyscalls { exit, .. } => {
            format!("at the raw tracepoint {}, which is cheaper than the plain one", raw_syscalls(*exit))
        }
        Site::SyscallSet { exit, members } => {
            format!("at the raw tracepoint {}, for {} system call tracepoints", raw_syscalls(*exit), members.len())
        }
        Site::RawTracepoint { name, .. } => format!("at the raw tracepoint {name}"),
        Site::Kprobe { targets, exit } => {
            let end = if *exit { "the end" } else { "the beginning" };
            match targets.len() {
                1 => format!("at {end} of a function of the kernel, by a kprobe"),
                several => format!("at {end} of {several} functions of the kernel, by one system call"),
            }
        }
        Site::Traced { function, exit, .. } => {
            format!(
                "at the {} of {function}, by a trampoline, which is cheaper than a kprobe",
                if *exit { "end" } else { "beginning" }
            )
        }
        Site::Uprobe { path, targets, arguments: Some(_), .. } => match targets.len() {
            1 => format!("at a static probe of {path}"),
            several => {
                format!("at {several} places of static probes of {path}, with one system call where the kernel can")
            }
        },
        Site::Uprobe { path, targets, exit, .. } => {
            let end = if *exit { "the end" } else { "the beginning" };
            match targets.len() {
                1 => format!("at {end} of a function of {path}"),
                several => {
                    format!("at {end} of {several} functions of {path}, with one system call where the kernel can")
                }
            }
        }
        Site::Perf { event: Event { rate: Rate::Hertz(rate), .. }, .. } => {
            format!("at a perf event of each CPU, {rate} times a second")
        }
        Site::Perf { event: Event { rate: Rate::Period(period), .. }, .. } => {
            format!("at a perf event of each CPU, each time it has counted {period}")
        }
    }
}
