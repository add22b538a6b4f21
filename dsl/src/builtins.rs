//! The table of builtins: values that every clause has.

use crate::types::Type;

/// A builtin value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Builtin {
    /// The process.
    Pid,
    /// The thread.
    Tid,
    /// The user.
    Uid,
    /// The group.
    Gid,
    /// The time since boot.
    Nsecs,
    /// The time since the trace began.
    Elapsed,
    /// The processor.
    Cpu,
    /// The process's name.
    Comm,
    /// The probe that fired.
    Probe,
    /// How many arguments the system call takes.
    Nargs,
    /// The started command.
    Cpid,
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

/// All builtins, by name. `args` is no value of its own and stands in the checker.
pub const TABLE: [Row; 11] = [
    row("comm", Builtin::Comm, "the name of the current task, 15 bytes at most"),
    row("cpid", Builtin::Cpid, "the process id of the command started by -c or --"),
    row("cpu", Builtin::Cpu, "the number of the CPU"),
    row("elapsed", Builtin::Elapsed, "nanoseconds since the trace began"),
    row("gid", Builtin::Gid, "the group id"),
    row("nargs", Builtin::Nargs, "how many arguments the system call of a `syscalls:` tracepoint takes"),
    row("nsecs", Builtin::Nsecs, "nanoseconds since boot, suspend included"),
    row("pid", Builtin::Pid, "the process id (the kernel's thread group id)"),
    row("probe", Builtin::Probe, "the full name of the probe that fired"),
    row("tid", Builtin::Tid, "the thread id"),
    row("uid", Builtin::Uid, "the user id"),
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
            Builtin::Comm => Type::Text { size: 16 },
            Builtin::Probe => Type::Probe,
            _ => Type::UNSIGNED,
        }
    }
}
