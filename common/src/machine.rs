//! The register machine: one loop over a plan's ops, generic over the [`Host`] it runs on.
//!
//! The kernel program instantiates it with BPF helpers, the runtime with ordinary memory and the map system calls,
//! so a clause means the same wherever it runs. In the kernel the plan is a frozen constant: the verifier follows
//! only the arms below that the plan takes and deletes the rest.
//!
//! The machine checks nothing: that registers are written before they are read, that offsets lie inside the frame
//! and that jumps stay inside the plan is proven before, by `dsl`'s plan verifier, and once more by the kernel's.

use crate::arith::{Alu, alu, alu_straight, blind, less, ones_if, opaque};
use crate::plan::{Builtin, Code, EXACT, Loss, Op, Series};

/// What a plan runs on: registers, a frame of memory, a context, maps, and somewhere to send records.
///
/// All offsets and sizes are in bytes; every multi-byte number is in the machine's own byte order.
pub trait Host {
    /// Goes to an op of the plan.
    fn jump(&mut self, op: u32);
    /// Goes to the op behind the current one.
    fn advance(&mut self);
    /// Reads the first word of the current op.
    fn word(&self) -> u64;
    /// Reads the immediate of the current op.
    fn imm(&self) -> u64;
    /// Reads entry `index` of the table of `entries` 32-bit numbers at `off` of the plan's data.
    fn table(&self, off: u32, entries: u64, index: u64) -> u64;
    /// Reads a register.
    fn reg(&self, index: u8) -> u64;
    /// Writes a register.
    fn set_reg(&mut self, index: u8, value: u64);
    /// Reads the builtin with this code.
    fn builtin(&mut self, builtin: u8) -> u64;
    /// Reads the context's word of 4 or 8 bytes at `off`.
    fn context(&self, off: u32, bytes: u8, pointer: bool) -> u64;
    /// Reads a number of `bytes` bytes; 0 if it can't be read.
    fn peek(&mut self, from: Source, bytes: u8) -> u64;
    /// Reads a word of the frame.
    fn load(&self, off: u32) -> u64;
    /// Writes a word of the frame.
    fn store(&mut self, off: u32, value: u64);
    /// Zeroes words of the frame.
    fn zero(&mut self, off: u32, len: u32);
    /// Copies words of the value under the cursor to the frame.
    fn value_out(&mut self, to: u32, from: u32, len: u32);
    /// Copies words of the frame to the value under the cursor.
    fn value_in(&mut self, to: u32, from: u32, len: u32);
    /// Copies words inside the frame.
    fn copy(&mut self, to: u32, from: u32, len: u32);
    /// Copies words from the plan's data to the frame.
    fn constant(&mut self, to: u32, from: u32, len: u32);
    /// Writes the current task's name to the frame, 16 bytes.
    fn comm(&mut self, off: u32);
    /// Reads a string to the frame; gives its length without the NUL.
    fn string(&mut self, off: u64, from: Source, room: Room) -> u64;
    /// Points the value cursor at an existing entry; says whether there is one.
    fn find(&mut self, slot: u8, swapped: bool, key: u32) -> bool;
    /// Points the value cursor at an entry, made if need be; says whether there is one now. A new one is counted for
    /// `counted`, a map's number plus 1.
    fn open(&mut self, slot: u8, swapped: bool, key: u32, counted: u8) -> bool;
    /// Deletes an entry; says whether there was one. It is counted as in [`Host::open`].
    fn delete(&mut self, slot: u8, key: u32, counted: u8) -> bool;
    /// Joins words of the values that the CPUs have under a key: see [`Code::Gather`].
    fn gather(&mut self, slot: u8, key: u32, off: u32, cpus: u32, join: u8) -> u64;
    /// Counts the entries of a map.
    fn entries(&mut self, slot: u8, map: u64) -> u64;
    /// Reads a word of the value under the cursor.
    fn value(&self, off: u64) -> u64;
    /// Writes a word of the value under the cursor.
    fn set_value(&mut self, off: u64, value: u64);
    /// Adds to a word of the value under the cursor.
    fn add_value(&mut self, off: u64, value: u64, atomic: bool);
    /// Adds a 128-bit number, given by its halves, to two words of the value under the cursor.
    fn add_wide(&mut self, off: u64, low: u64, high: u64, atomic: bool);
    /// Reads bytes to the frame; says how many: all or none.
    fn read(&mut self, off: u32, from: Source, len: u64, max: u32) -> u64;
    /// Finds a text in another, both in the frame; gives its place or -1.
    fn search(&mut self, text: u32, size: u32, part: u32, part_size: u32) -> u64;
    /// Keeps a stack: see [`Code::Stack`].
    fn stack(&mut self, off: u32, frames: u32, user: bool, skipped: u8, own: u32);
    /// Sends a signal to the current process, or to the current thread only.
    fn signal(&mut self, number: u64, thread: bool);
    /// Counts the rounds of the loop of a nesting from 0 again.
    fn enter(&mut self, nesting: u8);
    /// Counts a round of the loop of a nesting; says whether that was fewer than `rounds`.
    fn again(&mut self, nesting: u8, rounds: u64) -> bool;
    /// Writes bytes of the frame to the current process's memory.
    fn write(&mut self, off: u32, address: u64, len: u32);
    /// Begins to go through a map.
    fn each(&mut self, slot: u8, nesting: u8);
    /// Lays the next entry in the frame; says whether there is one.
    fn next(&mut self, nesting: u8, off: u32) -> bool;
    /// A quantile of a histogram.
    fn quantile(&mut self, slot: u8, key: u32, of: u64) -> u64;
    /// Sends the record of `len` bytes at `off` of the frame.
    fn emit(&mut self, off: u32, len: u64);
    /// Counts a loss, by its [`Loss`] code.
    fn lose(&mut self, loss: u32);
}

/// Where memory is read from.
#[derive(Clone, Copy)]
pub struct Source {
    /// The address.
    pub address: u64,
    /// Whose memory, a [`Space`](crate::plan::Space).
    pub space: u8,
    /// The failure that is counted if it can't be read; 0 for none.
    pub failure: u32,
}

/// How much of a string is read.
#[derive(Clone, Copy)]
pub struct Room {
    /// Bytes at most, with the NUL.
    pub max: u32,
    /// No bit is set of its length that is not set here.
    pub mask: u64,
    /// Bytes that are wanted at most, without the NUL.
    pub limit: Option<u64>,
}

/// Where a step goes on.
#[derive(PartialEq)]
enum Next {
    /// At the op behind, which is the host's current one now.
    Behind,
    /// At the op of a jump, which is the host's current one now.
    Elsewhere,
    /// Nowhere: the plan has ended.
    End,
}

/// Runs the host's plan to its end, from the op that the host is at.
#[inline(always)]
pub fn run<H: Host>(host: &mut H) {
    // The first steps stand apart from the loop: the verifier knows which op each of them is and leaves nothing of the
    // choice between ops. More of them would cost more time to load than they save.
    macro_rules! apart {
        ($($step:literal)*) => { 'apart: { $(
            match step::<H, false>(host) {
                Next::Behind => {}
                Next::Elsewhere => break 'apart,
                Next::End => return,
            }
            let _ = $step;
        )* } };
    }
    apart!(0 1 2);
    // No bound is needed: but for loops, which count their rounds, jumps of a plan go forward, and its last op ends it.
    // The kernel's verifier sees that as it follows them.
    while step::<H, true>(host) != Next::End {}
}

/// The bytes of the context that the first steps read: there is code for each place. The arguments of a raw tracepoint and
/// of most system calls lie in it.
const NEAR: u32 = 64;

/// Runs the host's current op; unless `ALL`, only if it is one of those that the first steps run.
#[inline(always)]
fn step<H: Host, const ALL: bool>(host: &mut H) -> Next {
    let op = Op { word: host.word(), imm: 0 };
    let code = op.code();
    if code > Code::LAST_APART as u8 {
        // The loop runs it: what is large, or seldom comes first, is compiled once only.
        return if ALL { rest(host, op) } else { Next::Elsewhere };
    }
    if code == Code::End as u8 {
        return Next::End;
    } else if code == Code::Jump as u8 {
        host.jump(op.off());
        return Next::Elsewhere;
    }
    // In one place for all that have one: to choose between builtins is much code.
    let right = if code <= Code::LAST_WITH_RIGHT as u8 { rhs(host, op) } else { 0 };
    if code <= Code::Alu as u8 {
        let left = if op.a() == Op::NONE { 0 } else { operand(host, op.a()) };
        if code == Code::Alu as u8 {
            host.set_reg(op.dst(), alu_straight(op.off() as u8, left, right));
        } else if alu(op.dst(), blind(left), if op.b() == Op::IMM { right } else { blind(right) }) != 0 {
            if op.off() == Op::TO_END {
                return Next::End;
            }
            host.jump(op.off());
            return Next::Elsewhere;
        }
    } else if code == Code::Store as u8 {
        host.store(op.off(), right);
    } else if code == Code::ValueStore as u8 {
        host.set_value(op.off() as u64, right);
    } else if code == Code::ValueAdd as u8 {
        host.add_value(op.off() as u64, right, op.dst() == 1);
    } else if code == Code::Context as u8 {
        if !ALL && op.off() >= NEAR {
            return Next::Elsewhere;
        }
        // By its bits the compiler sees which places are left; by the comparison it does not.
        let off = if ALL { op.off() } else { opaque(op.off() as u64) as u32 % NEAR };
        let value = host.context(off, op.b(), op.a() == 1);
        host.set_reg(op.dst(), value);
    } else if code == Code::Load as u8 {
        let value = host.load(op.off());
        host.set_reg(op.dst(), value);
    } else if code == Code::Zero as u8 {
        host.zero(op.off(), host.imm() as u32);
    } else if code == Code::Comm as u8 {
        host.comm(op.off());
    } else if code == Code::Open as u8 {
        if !host.open(op.a(), op.b() == 1, op.off(), op.dst()) {
            let imm = host.imm();
            host.lose((imm >> 32) as u32);
            host.jump(imm as u32);
            return Next::Elsewhere;
        }
    } else if code == Code::ValueLoad as u8 {
        let value = host.value(op.off() as u64);
        host.set_reg(op.dst(), value);
    } else {
        return Next::End;
    }
    host.advance();
    Next::Behind
}

/// Reads an operand: a register or a builtin.
#[inline(always)]
fn operand<H: Host>(host: &mut H, operand: u8) -> u64 {
    if operand & Op::BUILTIN != 0 { host.builtin(operand & !Op::BUILTIN) } else { host.reg(operand) }
}

/// Reads the right operand, which may be the immediate.
#[inline(always)]
fn rhs<H: Host>(host: &mut H, op: Op) -> u64 {
    if op.b() == Op::IMM { host.imm() } else { operand(host, op.b()) }
}

/// Runs one of the other ops.
#[inline(always)]
fn rest<H: Host>(host: &mut H, op: Op) -> Next {
    let code = op.code();
    if code == Code::Peek as u8 {
        let address = host.reg(op.a()).wrapping_add(op.off() as u64);
        let imm = host.imm();
        let from = Source { address, space: imm as u8, failure: (imm >> 48) as u32 };
        let value = host.peek(from, op.b());
        host.set_reg(op.dst(), value);
    } else if code == Code::Table as u8 {
        let value = host.table(op.off(), host.imm(), host.reg(op.a()));
        host.set_reg(op.dst(), value);
    } else if code == Code::Copy as u8 {
        let imm = host.imm();
        host.copy(op.off(), imm as u32, (imm >> 32) as u32);
    } else if code == Code::Const as u8 {
        let imm = host.imm();
        host.constant(op.off(), imm as u32, (imm >> 32) as u32);
    } else if code == Code::Str as u8 {
        let imm = host.imm();
        let extra = if op.b() == Op::NONE { 0 } else { host.reg(op.b()) };
        let limited = imm >> 40 & 0xff;
        let limit = if limited == 0 {
            None
        } else if limited == EXACT {
            Some(u64::MAX)
        } else {
            Some(blind(host.reg(limited as u8 - 1)))
        };
        let (max, mask) = (imm as u32 & 0xffff, imm >> 16 & 0xffff);
        let from = Source { address: host.reg(op.a()), space: (imm >> 32) as u8, failure: (imm >> 48) as u32 };
        let len = host.string(op.off() as u64 + extra, from, Room { max, mask, limit });
        host.set_reg(op.dst(), len);
    } else if code == Code::Find as u8 {
        if !host.find(op.a(), op.b() == 1, op.off()) {
            host.jump(host.imm() as u32);
            return Next::Elsewhere;
        }
    } else if code == Code::Delete as u8 {
        let found = host.delete(op.a(), op.off(), op.b());
        host.set_reg(op.dst(), found as u64);
    } else if code == Code::ValueOut as u8 {
        let imm = host.imm();
        host.value_out(imm as u32, op.off(), (imm >> 32) as u32);
    } else if code == Code::ValueIn as u8 {
        let imm = host.imm();
        host.value_in(op.off(), imm as u32, (imm >> 32) as u32);
    } else if code == Code::ValueBump as u8 {
        let last = (op.off() >> 16) as u64;
        let base = (op.off() & 0xffff) as u64;
        let value = rhs(host, op);
        let mut index = blind(host.reg(op.a()));
        if op.dst() != 1 {
            // By way of memory: to add a number to an address, the verifier wants to know all that it was computed from, and
            // would then tell apart every way to that. Where another program may come between, it has to.
            let work = base + (last + 1) * 8;
            host.set_value(work, index);
            index = host.value(work);
        }
        let index = if index > last { last } else { index };
        host.add_value(base + index * 8, value, op.dst() == 1);
    } else if code == Code::ValueBest as u8 {
        let off = op.off() as u64;
        let candidate = blind(host.reg(op.a()));
        let better = if host.value(off + 8) == 0 { 1 } else { alu(op.dst(), candidate, host.value(off)) };
        if better != 0 {
            host.set_value(off, candidate);
            host.set_value(off + 8, 1);
        }
    } else if code == Code::Emit as u8 {
        let len = rhs(host, op);
        host.emit(op.off(), len);
    } else if code == Code::Read as u8 {
        let imm = host.imm();
        let max = imm as u32;
        let len = if op.b() == Op::NONE { max as u64 } else { blind(host.reg(op.b())) };
        let from = Source { address: host.reg(op.a()), space: (imm >> 32) as u8, failure: (imm >> 48) as u32 };
        let read = host.read(op.off(), from, len, max);
        host.set_reg(op.dst(), read);
    } else if code == Code::Compare as u8 {
        let imm = host.imm();
        let order = compare(host, op.off(), imm as u32, (imm >> 32) as u32);
        host.set_reg(op.dst(), order);
    } else if code == Code::Search as u8 {
        let imm = host.imm();
        let found = host.search(op.off(), (imm >> 32) as u32 & 0xffff, imm as u32, (imm >> 48) as u32);
        host.set_reg(op.dst(), found);
    } else if code == Code::Length as u8 {
        let len = length(host, op.off(), host.imm() as u32);
        host.set_reg(op.dst(), len);
    } else if code == Code::Enter as u8 {
        host.enter(op.a());
    } else if code == Code::Again as u8 {
        if host.again(op.a(), host.imm()) {
            host.jump(op.off());
            return Next::Elsewhere;
        }
        if op.dst() == 1 {
            host.lose(Loss::CutLoop as u32);
        }
    } else if code == Code::Gather as u8 {
        let imm = host.imm();
        let value = host.gather(op.a(), op.off(), imm as u32, (imm >> 32) as u32, op.b());
        host.set_reg(op.dst(), value);
    } else if code == Code::Entries as u8 {
        let entries = host.entries(op.a(), host.imm());
        host.set_reg(op.dst(), entries);
    } else if code == Code::Stack as u8 {
        let imm = host.imm();
        host.stack(op.off(), imm as u32 & 0xffff, imm >> 16 & 1 == 1, op.b(), (imm >> 32) as u32);
    } else if code == Code::ValueSquare as u8 {
        let value = host.reg(op.a());
        let negative = op.dst() == 1 && value >> 63 == 1;
        let (low, high) = square(if negative { value.wrapping_neg() } else { value });
        host.add_wide(op.off() as u64, low, high, op.b() == 1);
    } else if code == Code::ValueSeries as u8 {
        series(host, op, host.imm());
    } else if code == Code::Signal as u8 {
        host.signal(host.reg(op.a()), host.imm() == 1);
    } else if code == Code::Write as u8 {
        host.write(op.off(), host.reg(op.a()), host.imm() as u32);
    } else if code == Code::Each as u8 {
        host.each(op.a(), op.b());
    } else if code == Code::Next as u8 {
        if !host.next(op.b(), op.off()) {
            host.jump(host.imm() as u32);
            return Next::Elsewhere;
        }
    } else if code == Code::Quantile as u8 {
        let value = host.quantile(op.a(), op.off(), host.imm());
        host.set_reg(op.dst(), value);
    } else {
        return Next::End;
    }
    host.advance();
    Next::Behind
}

// The three below have no branches: the verifier walks what follows a branch once more, and they would have one for each
// word or byte.

/// The order of two areas of the frame by their first bytes: 0, 1 or -1.
#[inline(always)]
fn compare<H: Host>(host: &H, left: u32, right: u32, len: u32) -> u64 {
    let (mut order, mut at) = (0, 0);
    while at < len {
        let (mut one, mut other) = (host.load(left + at), host.load(right + at));
        if len - at < 8 {
            // Bytes that do not count are the high ones of a word.
            let counted = u64::MAX >> (64 - 8 * (len - at) as u64);
            one &= counted;
            other &= counted;
        }
        let differ = ones_if(one ^ other);
        // -1 if it is less, else 1.
        let here = 1u64.wrapping_sub(less(one.swap_bytes(), other.swap_bytes()) << 1);
        // The first difference counts.
        order |= here & differ & !ones_if(order);
        at += 8;
    }
    order
}

/// The bytes before the first NUL of an area of the frame; its size if there is none.
#[inline(always)]
#[must_use]
pub fn length<H: Host>(host: &H, off: u32, size: u32) -> u64 {
    const ONES: u64 = 0x0101_0101_0101_0101;
    // While no NUL was met, all ones.
    let (mut len, mut open, mut at) = (0u64, u64::MAX, 0);
    while at < size {
        let word = host.load(off + at);
        // The highest bit of each byte that is zero, and perhaps of some above the first such byte.
        let zeroes = word.wrapping_sub(ONES) & !word & (ONES << 7);
        // The lowest bit of each such byte, then all bits below the first of them; all of them if there is none.
        let lowest = zeroes >> 7;
        let below = (lowest & lowest.wrapping_neg()).wrapping_sub(1);
        // Each whole byte of ones counts 1 in the highest byte of the product.
        let bytes = ((below & ONES).wrapping_mul(ONES)) >> 56;
        len += bytes & open;
        open &= !ones_if(zeroes);
        at += 8;
    }
    len
}

/// The square of a number as 128 bits, low half first; BPF multiplies to 64 bits only.
#[inline(always)]
fn square(value: u64) -> (u64, u64) {
    let (high, low) = (value >> 32, value & 0xffff_ffff);
    let cross = high.wrapping_mul(low);
    let lowest = low.wrapping_mul(low);
    // The cross product counts twice: 33 bits to the left.
    let sum = lowest.wrapping_add(cross << 33);
    let carry = (sum < lowest) as u64;
    (sum, high.wrapping_mul(high).wrapping_add(cross >> 31).wrapping_add(carry))
}

/// Feeds a value to the bucket of a time series that the present belongs to.
#[inline(always)]
fn series<H: Host>(host: &mut H, op: Op, interval: u64) {
    let (number, by, signed) = (op.off() as u64 & 0xffff, (op.off() >> 16) as u8, op.dst() == 1);
    let now = host.builtin(Builtin::Nsecs as u8);
    // 0 is for a bucket that was never used.
    let epoch = alu(Alu::DivU as u8, now, interval).wrapping_add(1);
    let bucket = blind(alu(Alu::RemU as u8, epoch, number));
    if bucket >= number {
        return;
    }
    let off = bucket * 8 * crate::value::SERIES_WORDS as u64;
    let value = blind(host.reg(op.a()));
    let fresh = blind(host.value(off)) != epoch;
    if fresh {
        host.set_value(off, epoch);
        host.set_value(off + 8, 0);
        host.set_value(off + 16, 0);
    }
    if by == Series::Last as u8 {
        host.set_value(off + 8, value);
        host.set_value(off + 16, now);
        return;
    }
    let have = blind(host.value(off + 8));
    let count = host.value(off + 16);
    if by == Series::Avg as u8 || by == Series::Sum as u8 {
        host.set_value(off + 8, have.wrapping_add(value));
    } else {
        let (less, greater) = if signed { (Alu::LtS, Alu::GtS) } else { (Alu::LtU, Alu::GtU) };
        let better = if by == Series::Min as u8 { less } else { greater };
        if blind(count) == 0 || alu(better as u8, value, have) != 0 {
            host.set_value(off + 8, value);
        }
    }
    host.set_value(off + 16, count.wrapping_add(1));
}

/// The loss code of a map that is full.
#[must_use]
pub const fn map_full(map: usize) -> u32 {
    Loss::MapFull as u32 + map as u32
}
