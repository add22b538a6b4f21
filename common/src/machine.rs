//! The register machine: one loop over a plan's ops, generic over the [`Host`] it runs on.
//!
//! The kernel program instantiates it with BPF helpers, the runtime with ordinary memory and the map system calls,
//! so a clause means the same wherever it runs. In the kernel the plan is a frozen constant: the verifier follows
//! only the arms below that the plan takes and deletes the rest.
//!
//! The machine checks nothing: that registers are written before they are read, that offsets lie inside the frame
//! and that jumps stay inside the plan is proven before, by `dsl`'s plan verifier, and once more by the kernel's.

use crate::arith::{alu, blind, branches};
use crate::plan::{Code, Loss, Op};

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
    fn context(&self, off: u32, bytes: u8) -> u64;
    /// Reads a number of `bytes` bytes at an address; 0 if it can't be read.
    fn peek(&mut self, address: u64, bytes: u8, space: u8) -> u64;
    /// Reads a word of the frame.
    fn load(&self, off: u32) -> u64;
    /// Writes a word of the frame.
    fn store(&mut self, off: u32, value: u64);
    /// Copies words inside the frame.
    fn copy(&mut self, to: u32, from: u32, len: u32);
    /// Copies words from the plan's data to the frame.
    fn constant(&mut self, to: u32, from: u32, len: u32);
    /// Writes the current task's name to the frame, 16 bytes.
    fn comm(&mut self, off: u32);
    /// Reads a string to the frame; gives its length without the NUL.
    fn string(&mut self, off: u64, address: u64, max: u32, space: u8) -> u64;
    /// Points the value cursor at an existing entry; says whether there is one.
    fn find(&mut self, slot: u8, swapped: bool, key: u32) -> bool;
    /// Points the value cursor at an entry, made if need be; says whether there is one now.
    fn open(&mut self, slot: u8, swapped: bool, key: u32) -> bool;
    /// Deletes an entry; says whether there was one.
    fn delete(&mut self, slot: u8, key: u32) -> bool;
    /// Reads a word of the value under the cursor.
    fn value(&self, off: u64) -> u64;
    /// Writes a word of the value under the cursor.
    fn set_value(&mut self, off: u64, value: u64);
    /// Adds to a word of the value under the cursor.
    fn add_value(&mut self, off: u64, value: u64, atomic: bool);
    /// Sends the record of `len` bytes at `off` of the frame.
    fn emit(&mut self, off: u32, len: u64);
    /// Counts a loss, by its [`Loss`] code.
    fn lose(&mut self, loss: u32);
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
            match step(host) {
                Next::Behind => {}
                Next::Elsewhere => break 'apart,
                Next::End => return,
            }
            let _ = $step;
        )* } };
    }
    apart!(0 1 2);
    // No bound is needed: jumps of a plan go forward and its last op ends it, which the kernel's verifier sees as it
    // follows them.
    while step(host) != Next::End {}
}

/// Runs the host's current op.
#[inline(always)]
fn step<H: Host>(host: &mut H) -> Next {
    let op = Op { word: host.word(), imm: 0 };
    let code = op.code();
    // The immediate is fetched only by the arms that use it: a load less for the others.
    macro_rules! imm {
        () => {
            host.imm()
        };
    }
    macro_rules! operand {
        ($operand:expr) => {
            if $operand & Op::BUILTIN != 0 { host.builtin($operand & !Op::BUILTIN) } else { host.reg($operand) }
        };
    }
    macro_rules! rhs {
        () => {
            if op.b() == Op::IMM { imm!() } else { operand!(op.b()) }
        };
    }
    if code == Code::End as u8 {
        return Next::End;
    } else if code == Code::Jump as u8 {
        host.jump(op.off());
        return Next::Elsewhere;
    } else if code == Code::JumpIf as u8 {
        let (left, right) = (blind(operand!(op.a())), rhs!());
        let right = if op.b() == Op::IMM { right } else { blind(right) };
        if alu(op.dst(), left, right) != 0 {
            if op.off() == Op::TO_END {
                return Next::End;
            }
            host.jump(op.off());
            return Next::Elsewhere;
        }
    } else if code == Code::Alu as u8 {
        let right = rhs!();
        let left = if op.a() == Op::NONE { 0 } else { operand!(op.a()) };
        let (left, right) = if branches(op.off() as u8) { (blind(left), blind(right)) } else { (left, right) };
        host.set_reg(op.dst(), alu(op.off() as u8, left, right));
    } else if code == Code::Context as u8 {
        let value = host.context(op.off(), op.b());
        host.set_reg(op.dst(), value);
    } else if code == Code::Peek as u8 {
        let address = host.reg(op.a()).wrapping_add(op.off() as u64);
        let value = host.peek(address, op.b(), imm!() as u8);
        host.set_reg(op.dst(), value);
    } else if code == Code::Table as u8 {
        let value = host.table(op.off(), imm!(), host.reg(op.a()));
        host.set_reg(op.dst(), value);
    } else if code == Code::Load as u8 {
        let value = host.load(op.off());
        host.set_reg(op.dst(), value);
    } else if code == Code::Store as u8 {
        let value = rhs!();
        host.store(op.off(), value);
    } else if code == Code::Zero as u8 {
        let end = op.off() + imm!() as u32;
        let mut at = op.off();
        while at < end {
            host.store(at, 0);
            at += 8;
        }
    } else if code == Code::Copy as u8 {
        let imm = imm!();
        host.copy(op.off(), imm as u32, (imm >> 32) as u32);
    } else if code == Code::Const as u8 {
        let imm = imm!();
        host.constant(op.off(), imm as u32, (imm >> 32) as u32);
    } else if code == Code::Comm as u8 {
        host.comm(op.off());
    } else if code == Code::Str as u8 {
        let imm = imm!();
        let extra = if op.b() == Op::NONE { 0 } else { host.reg(op.b()) };
        let len = host.string(op.off() as u64 + extra, host.reg(op.a()), imm as u32, (imm >> 32) as u8);
        host.set_reg(op.dst(), len);
    } else if code == Code::Find as u8 {
        if !host.find(op.a(), op.b() == 1, op.off()) {
            host.jump(imm!() as u32);
            return Next::Elsewhere;
        }
    } else if code == Code::Open as u8 {
        if !host.open(op.a(), op.b() == 1, op.off()) {
            let imm = imm!();
            host.lose((imm >> 32) as u32);
            host.jump(imm as u32);
            return Next::Elsewhere;
        }
    } else if code == Code::Delete as u8 {
        let found = host.delete(op.a(), op.off());
        host.set_reg(op.dst(), found as u64);
    } else if code == Code::ValueOut as u8 {
        let imm = imm!();
        let (to, len) = (imm as u32, (imm >> 32) as u32);
        let mut at = 0;
        while at < len {
            let value = host.value((op.off() + at) as u64);
            host.store(to + at, value);
            at += 8;
        }
    } else if code == Code::ValueIn as u8 {
        let imm = imm!();
        let (from, len) = (imm as u32, (imm >> 32) as u32);
        let mut at = 0;
        while at < len {
            let value = host.load(from + at);
            host.set_value((op.off() + at) as u64, value);
            at += 8;
        }
    } else if code == Code::ValueLoad as u8 {
        let value = host.value(op.off() as u64);
        host.set_reg(op.dst(), value);
    } else if code == Code::ValueStore as u8 {
        let value = rhs!();
        host.set_value(op.off() as u64, value);
    } else if code == Code::ValueAdd as u8 {
        let value = rhs!();
        host.add_value(op.off() as u64, value, op.dst() == 1);
    } else if code == Code::ValueBump as u8 {
        let last = (op.off() >> 16) as u64;
        let base = (op.off() & 0xffff) as u64;
        let value = rhs!();
        let index = blind(host.reg(op.a()));
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
        let len = rhs!();
        host.emit(op.off(), len);
    } else {
        return Next::End;
    }
    host.advance();
    Next::Behind
}

/// The loss code of a map that is full.
#[must_use]
pub const fn map_full(map: usize) -> u32 {
    Loss::MapFull as u32 + map as u32
}
