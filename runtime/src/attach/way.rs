//! How clauses are attached, in words: the way, what else there was, and why not that.

use scope_dsl::probes::Site;
use scope_dsl::probes::iter::PREFIX;
use scope_dsl::probes::perf::{Event, Rate};

use super::raw_syscalls;

/// What else a site could be attached by, and why it is not.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Choice {
    /// The other way.
    pub instead_of: &'static str,
    /// Why the one that was taken is better.
    pub because: &'static str,
}

/// What a site was chosen over; `None` where there is one way only.
#[must_use]
pub fn choice(site: &Site) -> Option<Choice> {
    let (instead_of, because) = match site {
        Site::RawSyscalls { .. } => (
            "a perf event of the tracepoint",
            "no record is made of the arguments, and detaching takes the kernel no grace period of its own",
        ),
        Site::SyscallSet { .. } => (
            "a perf event and a program for each tracepoint",
            "one program is loaded and attached at once, where each event takes the kernel some 50 ms to detach; \
             calls that are not meant are told apart by a table",
        ),
        Site::Syscall { .. } => (
            "a perf event of the tracepoint",
            "a tracepoint of one system call slows all of them down: the kernel takes the slow path for every call",
        ),
        Site::Tracepoint { category, name, .. } if category == "syscalls" => {
            let exit = name.starts_with("sys_exit_");
            let because = match exit {
                true => "what a security policy refuses passes the tracepoint, but not the end of the function",
                false => {
                    "this kernel can't trace its functions, or the script looks at what differs there (`kstack`, `ctx`, all \
                     of `args`), or --no-rewrite was given"
                }
            };
            ("the beginning or end of the call's function in the kernel", because)
        }
        Site::Kprobe { targets, .. } if targets.len() > 1 => {
            ("a perf event for each function", "one system call sets all of them, where the kernel has CONFIG_FPROBE")
        }
        Site::Uprobe { targets, .. } if targets.len() > 1 => {
            ("a perf event for each place", "one system call sets all of them, from Linux 6.6 on")
        }
        Site::Interval { .. } => (
            "a perf event of a CPU's clock",
            "in userspace it reads and clears maps, and prints, without a record on its way",
        ),
        _ => return None,
    };
    Some(Choice { instead_of, because })
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
        Site::Syscall { function, .. } => {
            format!("at the beginning of {function}, by a trampoline: no other system call pays for it")
        }
        Site::Watchpoint { watched, .. } => {
            format!("at {} bytes at {:#x}, by a debug register", watched.len, watched.address)
        }
        Site::Iter { function, .. } => {
            format!("once for each object of {}, when the trace begins", function.trim_start_matches(PREFIX))
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
