//! The table of builtins: values that every clause has, or that some probes give it.

use crate::types::{Named, Type};

/// A builtin value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "each is the builtin of its name; the table says what it is")]
pub enum Builtin {
    /// The ancestor of the current cgroup at a level.
    Ancestor(u8),
    Cgroup,
    Comm,
    Cpid,
    Cpu,
    Elapsed,
    Func,
    Gid,
    HasCpid,
    Jiffies,
    Nargs,
    Ncpus,
    Nsecs,
    NsecsMonotonic,
    NsecsTai,
    NumaNode,
    Pid,
    Probe,
    ProbeType,
    Rand,
    Retval,
    Task,
    Tid,
    Uid,
    Usermode,
    Username,
}

/// A row of the table.
pub struct Row {
    /// How it is written.
    pub name: &'static str,
    /// What it is.
    pub builtin: Builtin,
    /// For people, one line.
    pub summary: &'static str,
}

const fn row(name: &'static str, builtin: Builtin, summary: &'static str) -> Row {
    Row { name, builtin, summary }
}

/// All builtins, by name. `args`, `kstack` and `ustack` take more than a row can say and stand in the checker.
pub const TABLE: [Row; 23] = [
    row("cgroup", Builtin::Cgroup, "the id of the task's cgroup (version 2)"),
    row("comm", Builtin::Comm, "the name of the current task, 15 bytes at most"),
    row("cpid", Builtin::Cpid, "the process id of the command started by -c or --"),
    row("cpu", Builtin::Cpu, "the number of the CPU"),
    row("curtask", Builtin::Task, "the current task, a pointer to `struct task_struct` of the kernel"),
    row("elapsed", Builtin::Elapsed, "nanoseconds since the trace began"),
    row("func", Builtin::Func, "the name of the function that the probe is on"),
    row("gid", Builtin::Gid, "the group id"),
    row("has_cpid", Builtin::HasCpid, "whether a command was started by -c or --"),
    row("jiffies", Builtin::Jiffies, "the kernel's ticks since boot"),
    row("nargs", Builtin::Nargs, "how many arguments the system call of a `syscalls:` tracepoint takes"),
    row("ncpus", Builtin::Ncpus, "how many CPUs the machine can have"),
    row("nsecs", Builtin::Nsecs, "nanoseconds since boot, suspend included"),
    row("numaid", Builtin::NumaNode, "the number of the NUMA node"),
    row("pid", Builtin::Pid, "the process id (the kernel's thread group id)"),
    row("probe", Builtin::Probe, "the full name of the probe that fired"),
    row("probetype", Builtin::ProbeType, "the kind of the probe, as `tracepoint`"),
    row("rand", Builtin::Rand, "a random number of 32 bits"),
    row("retval", Builtin::Retval, "what the function returned, at kretprobe, uretprobe and fexit"),
    row("tid", Builtin::Tid, "the thread id"),
    row("uid", Builtin::Uid, "the user id"),
    row(
        "usermode",
        Builtin::Usermode,
        "whether the CPU ran the process's own code, where the probe is given registers",
    ),
    row("username", Builtin::Username, "the name of the user"),
];

/// The builtins that stand beside the table.
pub const OTHERS: [(&str, &str); 5] = [
    ("arg0", "the first argument, a number; `arg1`, `arg2`, ... are the others"),
    ("args", "the arguments of the probe: `args.name`, or all of them by `print(args)`"),
    ("ctx", "the address of what the probe is given; at `iter` a pointer to a struct of the kernel, as `ctx->task`"),
    ("kstack", "the stack of the kernel; `kstack(mode, depth)` chooses how it is shown and how deep it goes"),
    ("ustack", "the stack of the process; `ustack(mode, depth)` chooses how it is shown and how deep it goes"),
];

impl Builtin {
    /// Finds a builtin by its name.
    #[must_use]
    pub fn named(name: &str) -> Option<Builtin> {
        TABLE.iter().find(|row| row.name == name).map(|row| row.builtin)
    }

    /// The type of its value.
    #[must_use]
    pub fn ty(self) -> Type {
        match self {
            Builtin::Comm => Type::Text { size: 16, own: false },
            Builtin::Probe => Type::Named(Named::Probe),
            Builtin::Func => Type::Named(Named::Function),
            Builtin::Username => Type::Named(Named::User),
            Builtin::HasCpid | Builtin::Usermode => Type::Bool,
            Builtin::Pid | Builtin::Tid | Builtin::Uid | Builtin::Gid | Builtin::Cpu | Builtin::Rand => {
                Type::Int { bits: 32, signed: false }
            }
            _ => Type::UNSIGNED,
        }
    }
}
