//! What a script is compiled to: plans, the maps that they share, and what their records make userspace do.

use std::fmt;

use indexmap::IndexMap;
use scope_common::arith::ALUS;
use scope_common::plan::{Builtin, Code, EXACT, Op};

use crate::checked::{Action, Value};
use crate::config::Config;
use crate::probes::{ProbeName, Site};
use crate::source::Span;
use crate::types::Type;

/// A compiled script.
#[derive(Debug)]
pub struct Program {
    /// The clauses, one for each site, in source order.
    pub clauses: Vec<Clause>,
    /// The maps; a map's number is its index.
    pub maps: IndexMap<String, Map>,
    /// What records do; an action's number is its index.
    pub actions: Vec<Action>,
    /// Where in the record of each action lies what made it: the time, the number of the probe, the process, and the CPU; empty
    /// if that is not wanted.
    pub origins: Vec<usize>,
    /// The names of the probes, by number.
    pub probes: Vec<ProbeName>,
    /// The settings.
    pub config: Config,
    /// The places that read memory, if failures are to be told apart: failure `n + 1` of the plans is the one at index `n`.
    pub failures: Vec<Failure>,
}

/// A place that reads memory.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// Where it stands.
    pub span: Span,
    /// The kernel's helper that reads, without `bpf_`.
    pub helper: &'static str,
}

/// A clause at one site.
#[derive(Debug)]
pub struct Clause {
    /// The number of the clause in the source.
    pub source: usize,
    /// Where it runs.
    pub site: Site,
    /// What it does.
    pub plan: Plan,
    /// Where it stands.
    pub span: Span,
}

/// What a clause does, for the machine.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Plan {
    /// The ops; the last is [`Code::End`].
    pub ops: Vec<Op>,
    /// The constant data.
    pub data: Vec<u8>,
    /// Bytes of frame that it uses.
    pub frame: usize,
    /// The number of the map in each slot; a swapped map stands in two.
    pub slots: Vec<usize>,
}

/// A map: what it holds and how it is kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Map {
    /// The types of its key; none for a scalar.
    pub key: Vec<Type>,
    /// What an entry holds.
    pub value: Value,
    /// How it is kept.
    pub storage: Storage,
}

impl Map {
    /// The type of a plain value.
    ///
    /// # Panics
    /// If it holds an aggregation.
    #[must_use]
    pub fn plain(&self) -> &Type {
        match &self.value {
            Value::Plain(ty) => ty,
            Value::Gathered { .. } => panic!("an aggregation is no plain value"),
        }
    }
}

/// How a map is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Storage {
    /// The kind of kernel map.
    pub kind: Kind,
    /// Whether the kernel needs it; a map that only userspace clauses use stays in memory.
    pub in_kernel: bool,
    /// Whether there are two, written in turn: userspace drains the one while the kernel writes the other.
    pub swapped: bool,
    /// Whether the kernel counts its entries.
    pub counted: bool,
    /// Bytes of a key.
    pub key_size: usize,
    /// Bytes of a value, on one CPU.
    pub value_size: usize,
    /// Entries at most.
    pub entries: u32,
}

/// The kinds of kernel map.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A hash map.
    Hash,
    /// A hash map that drops what was used least recently.
    LruHash,
    /// A hash map with a value for each CPU.
    PerCpuHash,
    /// Both.
    LruPerCpuHash,
    /// An array, of one entry.
    Array,
    /// An array with a value for each CPU, of one entry.
    PerCpuArray,
}

impl Kind {
    /// Whether each CPU has a value of its own.
    #[must_use]
    pub fn is_per_cpu(self) -> bool {
        matches!(self, Kind::PerCpuHash | Kind::LruPerCpuHash | Kind::PerCpuArray)
    }

    /// Whether it is an array, whose entry is always there: the last word of its value says whether it was set.
    #[must_use]
    pub fn is_array(self) -> bool {
        matches!(self, Kind::Array | Kind::PerCpuArray)
    }
}

impl Program {
    /// Whether any clause runs in the kernel and sends records.
    #[must_use]
    pub fn sends_records(&self) -> bool {
        let kernel = self.clauses.iter().filter(|clause| !clause.site.in_userspace());
        kernel.flat_map(|clause| &clause.plan.ops).any(|op| op.code() == Code::Emit as u8)
    }

    /// Whether a clause that runs in userspace reads the kernel's memory.
    #[must_use]
    pub fn reads_kernel_from_userspace(&self) -> bool {
        let reads = [Code::Peek, Code::Str, Code::Read].map(|code| code as u8);
        let task = Op::builtin(Builtin::Task);
        let userspace = self.clauses.iter().filter(|clause| clause.site.in_userspace());
        userspace.flat_map(|clause| &clause.plan.ops).any(|op| reads.contains(&op.code()) || op.b() == task)
    }
}

impl fmt::Display for Plan {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, op) in self.ops.iter().enumerate() {
            writeln!(out, "{at:4}  {}", Shown(*op))?;
        }
        Ok(())
    }
}

/// An op in a form for people.
struct Shown(Op);

impl fmt::Display for Shown {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let op = self.0;
        let (dst, a, off, imm) = (op.dst(), op.a(), op.off(), op.imm);
        let (lhs, rhs) = (operand(op.a()), if op.b() == Op::IMM { number(imm) } else { operand(op.b()) });
        let alu = |code: u8| ALUS.get(code as usize).map_or("?".to_owned(), |alu| format!("{alu:?}").to_lowercase());
        let slot = if op.b() == 1 { format!("m{a}/m{}", a + 1) } else { format!("m{a}") };
        let (low, high) = (imm as u32, imm >> 32);
        let Some(code) = code(op.code()) else { return write!(out, "? {:#x} {:#x}", op.word, op.imm) };
        match code {
            Code::End => write!(out, "end"),
            Code::Jump => write!(out, "jump      {off}"),
            Code::JumpIf => {
                let target = if off == Op::TO_END { "end".to_owned() } else { off.to_string() };
                write!(out, "jump-if   {} {lhs}, {rhs} -> {target}", alu(dst))
            }
            Code::Alu if off == 0 => write!(out, "move      r{dst} = {rhs}"),
            Code::Alu => write!(out, "{:<9} r{dst} = {lhs}, {rhs}", alu(off as u8)),
            Code::Context => write!(out, "context   r{dst} = [{off}; {}]", op.b()),
            Code::Peek => write!(out, "peek      r{dst} = {}[r{a} + {off}; {}]", space(imm & 0xff), op.b()),
            Code::Table => write!(out, "table     r{dst} = data[{off} + 4 * (r{a} % {imm})]"),
            Code::Load => write!(out, "load      r{dst} = frame[{off}]"),
            Code::Store => write!(out, "store     frame[{off}] = {rhs}"),
            Code::Zero => write!(out, "zero      frame[{off}; {imm}]"),
            Code::Copy => write!(out, "copy      frame[{off}; {high}] = frame[{low}]"),
            Code::Const => write!(out, "const     frame[{off}; {high}] = data[{low}]"),
            Code::Comm => write!(out, "comm      frame[{off}; 16]"),
            Code::Str => {
                let extra = if op.b() == Op::NONE { String::new() } else { format!(" + r{}", op.b()) };
                let limit = match high >> 8 & 0xff {
                    0 => String::new(),
                    EXACT => ", cut".to_owned(),
                    register => format!(", r{} at most", register - 1),
                };
                write!(
                    out,
                    "str       r{dst} = frame[{off}{extra}; {}] <- {}[r{a}]{limit}",
                    low & 0xffff,
                    space(high & 0xff)
                )
            }
            Code::Find => write!(out, "find      {slot}[frame[{off}]] else -> {low}"),
            Code::Open => {
                let counted = if dst > 0 { ", counted" } else { "" };
                write!(out, "open      {slot}[frame[{off}]] else lose {high} -> {low}{counted}")
            }
            Code::Delete => {
                write!(out, "delete    r{dst} = m{a}[frame[{off}]]{}", if op.b() > 0 { ", counted" } else { "" })
            }
            Code::ValueOut => write!(out, "out       frame[{low}; {high}] = value[{off}]"),
            Code::ValueIn => write!(out, "in        value[{off}; {high}] = frame[{low}]"),
            Code::ValueLoad => write!(out, "value     r{dst} = value[{off}]"),
            Code::ValueStore => write!(out, "set       value[{off}] = {rhs}"),
            Code::ValueAdd => write!(out, "add       value[{off}] += {rhs}{}", if dst == 1 { ", atomic" } else { "" }),
            Code::ValueBump => {
                let atomic = if dst == 1 { ", atomic" } else { "" };
                write!(out, "bump      value[{} + 8 * min(r{a}, {})] += {rhs}{atomic}", off & 0xffff, off >> 16)
            }
            Code::ValueBest => write!(out, "best      value[{off}] by {} r{a}", alu(dst)),
            Code::Emit => write!(out, "emit      frame[{off}; {rhs}]"),
            Code::Read => {
                let len = if op.b() == Op::NONE { low.to_string() } else { format!("r{} of {low}", op.b()) };
                write!(out, "read      r{dst} = frame[{off}; {len}] <- {}[r{a}]", space(high & 0xff))
            }
            Code::Compare => write!(out, "compare   r{dst} = frame[{off}; {high}], frame[{low}]"),
            Code::Search => {
                let (size, part) = (imm >> 32 & 0xffff, imm >> 48);
                write!(out, "search    r{dst} = frame[{off}; {size}] for frame[{low}; {part}]")
            }
            Code::Length => write!(out, "length    r{dst} = frame[{off}; {imm}]"),
            Code::Enter => write!(out, "enter     loop {a}"),
            Code::Again => {
                write!(out, "again     loop {a}, {imm} rounds -> {off}{}", if dst == 1 { ", then cut" } else { "" })
            }
            Code::Gather => write!(out, "gather    r{dst} = {} of m{a}[frame[{off}]][{low}], {high} cpus", alu(op.b())),
            Code::Entries => write!(out, "entries   r{dst} = m{a}"),
            Code::Stack => {
                let whose = space(imm >> 16 & 1);
                write!(out, "stack     frame[{off}] = {whose}, {} frames from {}", imm & 0xffff, op.b())
            }
            Code::ValueSquare => write!(out, "square    value[{off}; 16] += r{a} * r{a}"),
            Code::ValueSeries => {
                write!(out, "series    value[{} buckets of {imm} ns] <- r{a}, {}", off & 0xffff, off >> 16)
            }
            Code::Write => write!(out, "write     user[r{a}] = frame[{off}; {imm}]"),
            Code::Signal => write!(out, "signal    r{a}{}", if imm == 1 { " to the thread" } else { "" }),
            Code::Each => write!(out, "each      m{a}, loop {}", op.b()),
            Code::Next => write!(out, "next      frame[{off}], loop {} else -> {low}", op.b()),
            Code::Quantile => write!(out, "quantile  r{dst} = {imm} of m{a}[frame[{off}]]"),
        }
    }
}

const BUILTINS: [&str; 15] = [
    "pid",
    "tid",
    "uid",
    "gid",
    "nsecs",
    "cpu",
    "context",
    "task",
    "cgroup",
    "rand",
    "jiffies",
    "monotonic",
    "tai",
    "node",
    "cookie",
];

/// A register or a builtin.
fn operand(operand: u8) -> String {
    if operand & Op::BUILTIN == 0 {
        return format!("r{operand}");
    }
    if operand & Op::ANCESTOR != 0 {
        return format!("ancestor{}", operand & !(Op::BUILTIN | Op::ANCESTOR));
    }
    BUILTINS.get((operand & !Op::BUILTIN) as usize).map_or("?".to_owned(), |name| (*name).to_owned())
}

fn space(space: u64) -> &'static str {
    if space == 1 { "user" } else { "kernel" }
}

fn number(value: u64) -> String {
    if value > 0xffff_ffff { format!("{value:#x}") } else { value.to_string() }
}

/// The code with this number.
#[must_use]
pub fn code(number: u8) -> Option<Code> {
    const CODES: [Code; 41] = [
        Code::End,
        Code::Jump,
        Code::JumpIf,
        Code::Alu,
        Code::Store,
        Code::ValueStore,
        Code::ValueAdd,
        Code::Context,
        Code::Load,
        Code::Zero,
        Code::Comm,
        Code::Open,
        Code::ValueLoad,
        Code::Peek,
        Code::Table,
        Code::Copy,
        Code::Const,
        Code::Str,
        Code::Find,
        Code::Delete,
        Code::ValueOut,
        Code::ValueIn,
        Code::ValueBump,
        Code::ValueBest,
        Code::Emit,
        Code::Read,
        Code::Compare,
        Code::Search,
        Code::Length,
        Code::Enter,
        Code::Again,
        Code::Gather,
        Code::Entries,
        Code::Stack,
        Code::ValueSquare,
        Code::ValueSeries,
        Code::Signal,
        Code::Each,
        Code::Next,
        Code::Quantile,
        Code::Write,
    ];
    CODES.get(number as usize).copied()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_code_has_its_number() {
        for number in 0..=u8::MAX {
            if let Some(code) = code(number) {
                assert_eq!(code as u8, number);
            }
        }
        assert_eq!(code(Code::Write as u8), Some(Code::Write));
        assert_eq!(code(Code::Write as u8 + 1), None);
    }
}
