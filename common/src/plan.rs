//! The plan: what a clause is compiled to, and the only thing that differs between two loads of the eBPF program.
//!
//! A plan is an array of [`Op`]s and a blob of constant data. It lies in the program's `.rodata`, which the loader
//! writes and freezes before the load, so that every field is a known constant for the kernel's verifier.

/// The format of plans and records that this source defines; the loader refuses an object built for another.
pub const FORMAT: u64 = 7;
/// How many ops a plan holds at most, its [`Code::End`] included.
pub const MAX_OPS: usize = 1024;
/// How many bytes of constant data a plan holds at most.
pub const MAX_DATA: usize = 4096;
/// How many 64-bit registers the machine has.
pub const REGISTERS: usize = 16;
/// How many map slots a plan can name. A map that is swapped takes two, the first of them even.
pub const MAP_SLOTS: usize = 16;
/// How many bytes of a clause's frame lie on the BPF stack; what lies above is in the clause's scratch map.
///
/// The BPF stack has 512 bytes (`MAX_BPF_STACK`, `include/linux/filter.h`): registers, this, and what LLVM spills.
pub const STACK_FRAME: usize = 192;
/// How many bytes a clause's frame has at most.
pub const MAX_FRAME: usize = 16 << 10;
/// How many bytes of a tracepoint's context a plan can read by [`Code::Context`].
pub const MAX_CONTEXT: usize = 512;
/// The longest string a plan can read, the final NUL included.
pub const MAX_STRING: usize = 1024;

/// What an op does. Operands are named as in [`Op`]. `lhs` is the operand `a` and `rhs` the operand `b`: a register, a
/// builtin ([`Op::builtin`]), or for `b` the immediate ([`Op::IMM`]).
#[repr(u8)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Code {
    /// Ends the clause.
    End = 0,
    /// `pc = off`.
    Jump,
    /// `if alu[dst](lhs, rhs) != 0 { pc = off }`; the clause ends if `off` is [`Op::TO_END`].
    JumpIf,
    /// `r[dst] = alu[off](lhs, rhs)`.
    Alu,
    /// `frame[off..][..8] = rhs`.
    Store,
    /// `value[off..][..8] = rhs`.
    ValueStore,
    /// `value[off..][..8] += rhs`; atomically if `dst` is 1.
    ValueAdd,
    /// `r[dst] = ` the context's word at byte `off`, of `b` bytes (8, or 4 zero-extended). If `a` is 1, it may be what the
    /// verifier takes for a pointer, and is made a number.
    Context,
    /// `r[dst] = frame[off..][..8]`.
    Load,
    /// `frame[off..][..imm] = 0`; `imm` is a multiple of 8.
    Zero,
    /// `frame[off..][..16] = ` the current task's name, padded with zeroes.
    Comm,
    /// As [`Code::Find`], but makes an entry of zeroes where there is none. Where that fails, counts the
    /// loss `imm >> 32` and sets `pc = imm as u32`.
    Open,
    /// `r[dst] = value[off..][..8]`.
    ValueLoad,
    /// `r[dst] = ` the number of `b` bytes (1, 2, 4, 8; zero-extended) at address `r[a] + off`, of the memory that
    /// `imm as u8` names (a [`Space`]); 0 if it can't be read, which is counted under the failure `imm >> 48`.
    Peek,
    /// `r[dst] = data[off..][r[a] * 4]`, a 32-bit entry of a table in the plan's data with `imm` entries, a power of
    /// two; an index past the end is wrapped.
    Table,
    /// Copies `imm >> 32` bytes (a multiple of 8) from `frame[imm as u32..]` to `frame[off..]`.
    Copy,
    /// Copies `imm >> 32` bytes (a multiple of 8) from `data[imm as u32..]` to `frame[off..]`.
    Const,
    /// Reads the NUL-ended string at address `r[a]` to `frame[off + r[b]..]` (or `frame[off..]` if `b` is
    /// [`Op::NONE`]), `imm as u16` bytes at most with the NUL, from the [`Space`] `imm >> 32 & 0xff`; `r[dst] = ` its
    /// length without the NUL, which is below `imm >> 16 as u16`, a power of two less 1. A string cut short
    /// is counted as [`Loss::CutString`], unless it is wanted so: if `imm >> 40 as u8` is [`EXACT`], or else not 0, when the
    /// register of that number less 1 holds how many bytes without the NUL are wanted. In place of a string that can't be
    /// read stands [`FAULT`], which is counted under the failure `imm >> 48`.
    Str,
    /// Points the value cursor at the entry of the map in slot `a` under the key at `frame[off..]`; if there is none,
    /// `pc = imm`. If `b` is 1, the slot is `a` or `a + 1` by the epoch.
    Find,
    /// Deletes the entry of the map in slot `a` under the key at `frame[off..]`; `r[dst] = 1` if there was one.
    Delete,
    /// `frame[imm as u32..][..n] = value[off..][..n]` with `n = imm >> 32`, a multiple of 8.
    ValueOut,
    /// `value[off..][..n] = frame[imm as u32..][..n]` with `n = imm >> 32`, a multiple of 8.
    ValueIn,
    /// `value[off as u16 + 8 * i..][..8] += rhs`, `i = min(r[a], off >> 16)`; atomically if `dst` is 1. The word behind the
    /// last of these is for the machine to work in.
    ValueBump,
    /// Keeps in `value[off..][..16]`, a number and whether there is one, the lesser or greater of it and
    /// `r[a]`: the one for which `alu[dst](r[a], number)` holds.
    ValueBest,
    /// Sends the record at `frame[off..]`, `rhs` bytes long.
    Emit,
    /// Reads `imm as u32` bytes at address `r[a]` to `frame[off..]`, or `r[b]` of them if that is less and `b` is a
    /// register, from the [`Space`] `imm >> 32 as u8`; `r[dst] = ` how many were read: all of them or, if they can't be
    /// read, none, and the area keeps what it held, which is counted under the failure `imm >> 48`.
    Read,
    /// `r[dst] = ` the order of `frame[off..]` and `frame[imm as u32..]` by their first `imm >> 32` bytes: 0, 1 or -1.
    Compare,
    /// `r[dst] = ` where the text in `frame[off..]` holds the text in `frame[imm as u32..]`, or -1; their areas have
    /// `imm >> 32 & 0xffff` and `imm >> 48` bytes, and behind each are as many as the latter for the host to work in; those
    /// behind the text are zero.
    Search,
    /// `r[dst] = ` the bytes before the first NUL in `frame[off..][..imm]`; `imm` if there is none.
    Length,
    /// Begins a loop of nesting `a`: it had no round yet.
    Enter,
    /// Ends a round of the loop of nesting `a`: `pc = off`, which lies behind, unless this was its round number `imm`;
    /// then, if `dst` is 1, the loop is cut, which is counted as [`Loss::CutLoop`].
    Again,
    /// `r[dst] = ` the words at byte `imm as u32` of the values that the CPUs have under the key at `frame[off..]` of the
    /// map in slot `a`, joined by `alu[b]`: added, or the one for which the comparison holds, of those that are set.
    /// `imm >> 32` is the number of CPUs.
    Gather,
    /// `r[dst] = ` how many entries the map in slot `a` has, whose number is `imm`.
    Entries,
    /// Keeps the stack under a number: `frame[off..][..16] = ` that number, and `process | frames << 32`; the process is
    /// 0 for the kernel's. `imm as u16` frames at most, of the process if bit 16 of `imm` is set, without the first `b`,
    /// and without the one behind them if it is in the function whose address has the low half `imm >> 32`. The
    /// [`STACK_WORK`] bytes behind are for the host to work in.
    Stack,
    /// Adds the square of `r[a]` to the 128 bits at `value[off..]`; of its magnitude if `dst` is 1.
    ValueSquare,
    /// Feeds `r[a]` to the time series at `value[0..]` of `off as u16` buckets, each for `imm` nanoseconds; `off >> 16` is
    /// a [`Series`]; the values have a sign if `dst` is 1.
    ValueSeries,
    /// Sends signal `r[a]` to the current process; to the current thread only if `imm` is 1.
    Signal,
    /// Begins to go through the map in slot `a`, in the loop of nesting `b`.
    Each,
    /// The next entry in the loop of nesting `b`: `frame[off..] = ` its key, then its value, which for an aggregation is
    /// the number that it stands for; `pc = imm` if there is none.
    Next,
    /// `r[dst] = ` the value below which `imm` thousandths of a percent of the histogram lie that the map in slot `a` has
    /// under the key at `frame[off..]`.
    Quantile,
    /// Writes `frame[off..][..imm]` to the current process's memory at address `r[a]`; counts a [`Loss::Write`] if that
    /// fails.
    Write,
}

impl Code {
    /// The last of the codes that the machine's first steps run, each of which has code of its own.
    pub const LAST_APART: Code = Code::ValueLoad;
    /// The last of those with a right operand; only [`Code::End`] and [`Code::Jump`] before it have none.
    pub const LAST_WITH_RIGHT: Code = Code::ValueAdd;
}

/// What a time series keeps of the values of one interval.
#[repr(u8)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Series {
    /// The last.
    Last = 0,
    /// Their average.
    Avg,
    /// The greatest.
    Max,
    /// The least.
    Min,
    /// Their sum.
    Sum,
}

/// A value that the host knows.
#[repr(u8)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Builtin {
    /// The process id: the kernel's thread group id.
    Pid = 0,
    /// The thread id.
    Tid,
    /// The user id.
    Uid,
    /// The group id.
    Gid,
    /// Nanoseconds since boot, suspend included.
    Nsecs,
    /// The number of the CPU.
    Cpu,
    /// The address of the context.
    ContextAddress,
    /// The address of the current `task_struct`.
    Task,
    /// The id of the current cgroup, of version 2.
    Cgroup,
    /// A random number of 32 bits.
    Rand,
    /// The kernel's ticks since boot.
    Jiffies,
    /// Nanoseconds since boot, suspend not included.
    Monotonic,
    /// Nanoseconds of international atomic time.
    Tai,
    /// The number of the NUMA node.
    Node,
    /// What was given along when the program was attached: the number of the probe.
    Cookie,
}

/// Whose memory an address points into.
#[repr(u8)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Space {
    /// The kernel's.
    Kernel = 0,
    /// The current process's.
    User = 1,
}

/// What can be lost, counted in the kernel: the index into the loss counters.
#[repr(u32)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Loss {
    /// Records that found the ring buffer full.
    Record = 0,
    /// Strings that were longer than their limit.
    CutString = 1,
    /// Loops that had more rounds than they may.
    CutLoop = 2,
    /// Stacks that found no room.
    Stack = 3,
    /// Writes to a process's memory that failed.
    Write = 4,
    /// Events that found all scratch memory of their CPU taken.
    Busy = 5,
    /// Entries that found map 0 full; those of map `n` have this code plus `n`.
    MapFull = 6,
}

/// How many maps a script has at most: each has its own loss counter.
pub const MAX_MAPS: usize = 64;
/// How many loss counters there are.
pub const LOSSES: usize = Loss::MapFull as usize + MAX_MAPS;
/// How many places of a script are told apart where memory could not be read. Failure 0 is not counted; the others have
/// counters from [`FAILED`] on, and from [`REASONS`] on what the kernel said at last, a negative error number.
pub const FAILURES: usize = 128;
/// The counter of failure 1.
pub const FAILED: usize = LOSSES + MAX_MAPS;
/// What the kernel said of failure 1.
pub const REASONS: usize = FAILED + FAILURES;
/// How many counters there are: those of losses, then for each map that of its entries, then those of failures.
pub const COUNTERS: usize = REASONS + FAILURES;

/// Frames of a stack at most.
pub const STACK_FRAMES: usize = 127;
/// Bytes that [`Code::Stack`] works in: the number of frames, then the frames. They are the value of a kept stack.
pub const STACK_WORK: usize = 8 + 8 * STACK_FRAMES;
/// How deep loops nest.
pub const LOOPS: usize = 3;

/// How many scratch memories each CPU has for a program that can be preempted by itself. Which of them are taken is a bit
/// each of a word behind the first.
pub const SCRATCHES: u32 = 4;

/// In place of the register with a string's limit: as many bytes as there is room for are wanted.
pub const EXACT: u64 = 0xff;

/// What stands in place of a string that could not be read, padded to a whole word.
pub const FAULT: [u8; 8] = *b"<fault>\0";

/// One step of a plan: an operation code, three small operands, an offset and a 64-bit immediate.
///
/// The first five lie in one word, because the verifier follows one load and shifts of a constant more cheaply than
/// five loads, and so does the CPU.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Op {
    /// `code | dst << 8 | a << 16 | b << 24 | off << 32`.
    pub word: u64,
    /// The immediate operand.
    pub imm: u64,
}

impl Op {
    /// In place of register `b`: the right operand is `imm`.
    pub const IMM: u8 = 0xff;
    /// In place of a register: none.
    pub const NONE: u8 = 0xfe;
    /// In place of a target: the clause ends.
    pub const TO_END: u32 = 0xffff;
    /// Set in an operand that is a builtin.
    pub const BUILTIN: u8 = 0x80;

    /// Set beside it, in one that is an ancestor of the current cgroup; the rest is its level, which is below
    /// [`Op::LEVELS`].
    pub const ANCESTOR: u8 = 0x40;
    /// How many levels of ancestors there are: those above would look like [`Op::IMM`] and [`Op::NONE`].
    pub const LEVELS: u8 = 0x3e;

    /// In place of a register: the id of the current cgroup's ancestor at a level of the hierarchy, where the root has 0;
    /// the cgroup's own at its own level, 0 above.
    #[must_use]
    pub const fn ancestor(level: u8) -> u8 {
        Op::BUILTIN | Op::ANCESTOR | level
    }

    /// In place of a register: a builtin.
    #[must_use]
    pub const fn builtin(builtin: Builtin) -> u8 {
        Op::BUILTIN | builtin as u8
    }

    /// Makes an op of its five operands.
    #[must_use]
    pub const fn new(code: Code, dst: u8, a: u8, b: u8, off: u32, imm: u64) -> Op {
        let word = code as u64 | (dst as u64) << 8 | (a as u64) << 16 | (b as u64) << 24 | (off as u64) << 32;
        Op { word, imm }
    }

    /// The code, as a number.
    #[inline(always)]
    #[must_use]
    pub const fn code(self) -> u8 {
        self.word as u8
    }

    /// The destination register or small operand.
    #[inline(always)]
    #[must_use]
    pub const fn dst(self) -> u8 {
        (self.word >> 8) as u8
    }

    /// The first source register or small operand.
    #[inline(always)]
    #[must_use]
    pub const fn a(self) -> u8 {
        (self.word >> 16) as u8
    }

    /// The second source register or small operand.
    #[inline(always)]
    #[must_use]
    pub const fn b(self) -> u8 {
        (self.word >> 24) as u8
    }

    /// The offset.
    #[inline(always)]
    #[must_use]
    pub const fn off(self) -> u32 {
        (self.word >> 32) as u32
    }
}

/// The bytes of a plan as they lie in the program's `.rodata`.
#[repr(C, align(8))]
#[derive(Clone, Copy)]
pub struct Image {
    /// [`FORMAT`].
    pub format: u64,
    /// How many bytes of the frame lie above [`STACK_FRAME`], in the scratch map; 0 if the plan needs none.
    pub scratch: u64,
    /// The reader of the ring buffer is woken each time another so many bytes wait in it; a power of two.
    pub watermark: u64,
    /// Whether the program can be preempted by itself: then it claims one of [`SCRATCHES`] scratch memories for its run.
    pub claims: u64,
    /// The ops; those after the last are [`Code::End`].
    pub ops: [Op; MAX_OPS],
    /// The constant data.
    pub data: [u8; MAX_DATA],
}

impl Image {
    /// The plan that does nothing.
    pub const EMPTY: Image = Image {
        format: FORMAT,
        scratch: 0,
        watermark: 1 << 20,
        claims: 0,
        ops: [Op::new(Code::End, 0, 0, 0, 0, 0); MAX_OPS],
        data: [0; MAX_DATA],
    };
}
