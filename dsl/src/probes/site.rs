//! The places where a clause really runs.

use std::rc::Rc;

use super::function::KernelTarget;
use super::perf::Event;
use super::uprobe::Target;
use super::usdt::Argument;
use super::watchpoint::Watched;
use crate::fields::Field;

/// Where one plan runs.
#[derive(Clone, Debug)]
pub enum Site {
    /// Once, before anything is attached; in userspace.
    Begin {
        /// The number of the probe.
        probe: usize,
    },
    /// Once, after all is detached; in userspace.
    End {
        /// The number of the probe.
        probe: usize,
    },
    /// Again and again; in userspace.
    Interval {
        /// The number of the probe.
        probe: usize,
        /// The period in nanoseconds.
        nanos: u64,
    },
    /// When a signal comes to scope itself; in userspace.
    Signal {
        /// The number of the probe.
        probe: usize,
        /// The number of the signal.
        signal: u32,
    },
    /// At a tracepoint, with its record as context.
    Tracepoint {
        /// The number of the probe.
        probe: usize,
        /// The subsystem.
        category: String,
        /// The event.
        name: String,
        /// Its fields; empty if the clause uses none.
        fields: Rc<Vec<Field>>,
        /// Whether other tracepoints of the clause may share its program, which asks the kernel for the probe's number.
        shared: bool,
    },
    /// At `raw_syscalls:sys_enter` or `sys_exit`, as a raw tracepoint: the same events, cheaper.
    RawSyscalls {
        /// The number of the probe.
        probe: usize,
        /// Whether it is `sys_exit`.
        exit: bool,
    },
    /// At many `syscalls:sys_enter_*` or `sys_exit_*` tracepoints, as one raw tracepoint that looks the number up.
    SyscallSet {
        /// Whether they are exits.
        exit: bool,
        /// The members.
        members: Rc<Vec<Member>>,
    },
    /// At the kernel's function of a system call, in place of its tracepoint: no other call pays for it.
    Syscall {
        /// The system call and its probe.
        member: Rc<Member>,
        /// The function.
        function: String,
    },
    /// At a raw tracepoint, with the words that it is given as context.
    RawTracepoint {
        /// The number of the probe.
        probe: usize,
        /// The tracepoint.
        name: String,
    },
    /// At functions of the kernel, with the registers as context.
    Kprobe {
        /// Whether it is where they return.
        exit: bool,
        /// The functions, each with a probe of its own: the program asks the kernel which it is.
        targets: Rc<Vec<KernelTarget>>,
    },
    /// At a function of the kernel, with its arguments as words, and behind them, at its end, what it returns.
    Traced {
        /// The number of the probe.
        probe: usize,
        /// Whether it is where it returns.
        exit: bool,
        /// The function, with its module in front if that is said.
        function: String,
        /// The module that it is in, if it is not the kernel's own.
        module: Option<String>,
    },
    /// At functions or static probes of a program or library, with the registers as context.
    Uprobe {
        /// Whether it is where they return.
        exit: bool,
        /// The program or library.
        path: Rc<str>,
        /// The functions, each with a probe of its own: the program asks the kernel which it is.
        targets: Rc<Vec<Target>>,
        /// Of static probes, where their arguments are, as far as that can be known.
        arguments: Option<Rc<[Option<Argument>]>>,
    },
    /// At samples of a perf event, on every CPU; the context begins with the registers.
    Perf {
        /// The number of the probe.
        probe: usize,
        /// The event, and how often it is sampled.
        event: Event,
    },
    /// When memory is accessed, with the registers as context.
    Watchpoint {
        /// The number of the probe.
        probe: usize,
        /// The memory.
        watched: Watched,
    },
    /// Once for each object of a kind, when the trace begins; the context is a word for each part of it.
    Iter {
        /// The number of the probe.
        probe: usize,
        /// The kernel's function that stands for the iterator.
        function: String,
    },
}

/// What is given along where a program is attached at functions: the number of the probe, and that of the first probe on the
/// same function.
#[must_use]
pub fn cookie(probe: usize, function: usize) -> u64 {
    probe as u64 | (function as u64) << FUNCTION_SHIFT
}

/// Where in a cookie the function stands; the number of the probe is below.
pub const FUNCTION_SHIFT: u32 = 32;

/// One system call tracepoint of a set.
#[derive(Clone, Debug)]
pub struct Member {
    /// The number of the system call.
    pub number: u32,
    /// The number of the probe.
    pub probe: usize,
    /// Its fields; empty if the clause uses none.
    pub fields: Vec<Field>,
}

/// What a site's program is given, beside a tracepoint's record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Given {
    /// Arguments, each in a word.
    Words,
    /// The registers, at a function's first instruction or somewhere else.
    Registers,
    /// The registers, where a function has just returned.
    Returned,
    /// Something else, or nothing.
    Other,
}

impl Site {
    /// What its program is given.
    #[must_use]
    pub fn given(&self) -> Given {
        match self {
            Site::RawTracepoint { .. } | Site::Traced { .. } | Site::Iter { .. } => Given::Words,
            Site::Watchpoint { .. } => Given::Registers,
            Site::Perf { .. } | Site::Uprobe { exit: false, .. } | Site::Kprobe { exit: false, .. } => Given::Registers,
            Site::Uprobe { exit: true, .. } | Site::Kprobe { exit: true, .. } => Given::Returned,
            _ => Given::Other,
        }
    }

    /// Whether its program asks the kernel which probe it runs at: it is the same for several.
    #[must_use]
    pub fn asks_for_probe(&self) -> bool {
        matches!(
            self,
            Site::SyscallSet { .. } | Site::Tracepoint { shared: true, .. } | Site::Uprobe { .. } | Site::Kprobe { .. }
        )
    }

    /// Whether a run of its program can be preempted by another on the same CPU.
    #[must_use]
    pub fn is_preemptible(&self) -> bool {
        matches!(self, Site::Uprobe { .. })
    }

    /// The function of the kernel that it is at; of several the first.
    #[must_use]
    pub fn kernel_function(&self) -> Option<&str> {
        let function = match self {
            Site::Kprobe { targets, .. } => &targets.first()?.function,
            Site::Traced { function, .. } | Site::Syscall { function, .. } | Site::Iter { function, .. } => function,
            _ => return None,
        };
        Some(function.rsplit(':').next().unwrap_or(function))
    }

    /// Whether it is at functions.
    #[must_use]
    pub fn is_at_function(&self) -> bool {
        matches!(self, Site::Kprobe { .. } | Site::Traced { .. } | Site::Uprobe { arguments: None, .. })
    }

    /// Whether its arguments have names that the kernel's type information tells.
    #[must_use]
    pub fn is_typed(&self) -> bool {
        matches!(
            self,
            Site::RawTracepoint { .. } | Site::Traced { .. } | Site::Iter { .. } | Site::Kprobe { exit: false, .. }
        )
    }

    /// Whether what its program is given are pointers for the verifier, with which it allows no arithmetic.
    #[must_use]
    pub fn is_given_pointers(&self) -> bool {
        matches!(self, Site::Traced { .. } | Site::Syscall { .. } | Site::Iter { .. })
    }

    /// Whether its program runs in the task that it is about. An iterator's runs in scope itself.
    #[must_use]
    pub fn in_its_task(&self) -> bool {
        !self.in_userspace() && !matches!(self, Site::Iter { .. })
    }

    /// Whether the clause runs in userspace.
    #[must_use]
    pub fn in_userspace(&self) -> bool {
        matches!(self, Site::Begin { .. } | Site::End { .. } | Site::Interval { .. } | Site::Signal { .. })
    }

    /// The number of the probe; of a set's first.
    #[must_use]
    pub fn probe(&self) -> usize {
        match self {
            Site::Begin { probe } | Site::End { probe } => *probe,
            Site::Interval { probe, .. } | Site::Signal { probe, .. } | Site::Perf { probe, .. } => *probe,
            Site::Tracepoint { probe, .. } | Site::RawSyscalls { probe, .. } | Site::RawTracepoint { probe, .. } => {
                *probe
            }
            Site::SyscallSet { members, .. } => members.first().map_or(0, |member| member.probe),
            Site::Uprobe { targets, .. } => targets.first().map_or(0, |target| target.probe),
            Site::Kprobe { targets, .. } => targets.first().map_or(0, |target| target.probe),
            Site::Traced { probe, .. } | Site::Watchpoint { probe, .. } | Site::Iter { probe, .. } => *probe,
            Site::Syscall { member, .. } => member.probe,
        }
    }

    /// How many probes it stands for, as people count them.
    #[must_use]
    pub fn probes(&self) -> usize {
        match self {
            Site::SyscallSet { members, .. } => members.len(),
            Site::Uprobe { targets, .. } => targets.len(),
            Site::Kprobe { targets, .. } => targets.len(),
            _ => 1,
        }
    }
}
