//! Why a probe can't be attached, in words: what the kernel's error number means for a site of this kind.

use std::io;

use scope_dsl::probes::Site;
use scope_dsl::probes::perf::{Event, HARDWARE, Rate};

/// What is the matter, and what would help; `None` where the error says all that is known.
#[must_use]
pub fn reason(site: &Site, error: &io::Error) -> Option<&'static str> {
    match (site, error.raw_os_error()?) {
        (_, libc::EPERM | libc::EACCES) => Some(
            "the kernel did not allow it: it takes CAP_PERFMON, or /proc/sys/kernel/perf_event_paranoid forbids it",
        ),
        (Site::Perf { event, .. }, libc::ENOENT | libc::EOPNOTSUPP) if event.kind == HARDWARE => Some(
            "this machine has no counters of its own for it, as most virtual machines have none: `software` and `profile` work",
        ),
        (Site::Perf { event: Event { rate: Rate::Hertz(_), .. }, .. }, libc::EINVAL) => Some(
            "the kernel samples no more often than /proc/sys/kernel/perf_event_max_sample_rate says: ask for less, or raise it",
        ),
        (Site::Watchpoint { .. } | Site::Uprobe { .. }, libc::ESRCH | libc::ENOENT) => Some("the process has ended"),
        (Site::Watchpoint { .. }, libc::ENOSPC) => {
            Some("all of the processor's debug registers are taken: x86 has four, and a debugger may hold some")
        }
        (Site::Watchpoint { .. }, libc::EINVAL) => Some("the processor can't watch this address in this way"),
        (Site::Tracepoint { .. }, libc::E2BIG) => {
            Some("the kernel runs no more than 64 programs at a tracepoint: several clauses can be one, with `if`")
        }
        (Site::RawTracepoint { .. }, libc::EINVAL) => {
            Some("the script reads an argument that the tracepoint does not have: `scope -lv 'rt:NAME'` lists them")
        }
        (_, libc::EMFILE) => Some("too many open files: `ulimit -n 65536` allows more"),
        _ => None,
    }
}
