//! Checks every plan before anything runs it: what the machine takes on trust is proven here.
//!
//! A plan that fails is a bug of the lowering, never of a script.

use scope_common::arith::ALUS;
use scope_common::plan::{
    Builtin, Code, EXACT, FAILURES, LOOPS, MAP_SLOTS, MAX_CONTEXT, MAX_DATA, MAX_FRAME, MAX_OPS, MAX_STRING, Op,
    REGISTERS, STACK_FRAME, STACK_FRAMES, STACK_WORK, Series,
};
use scope_common::value::SERIES_WORDS;

use crate::program::{Map, Plan, code};

/// Checks a plan: the ops are known, jumps stay inside and go forward but for loops that count their rounds, registers are
/// written before they are read on every way, memory stays inside the frame, the data and the values, and a value is used
/// only where an entry was found.
///
/// # Errors
/// The op that breaks a rule, and which.
pub fn verify<'a>(plan: &Plan, map_of: impl Fn(usize) -> Option<&'a Map>) -> Result<(), String> {
    if plan.slots.len() > MAP_SLOTS || plan.ops.len() > MAX_OPS || plan.data.len() > MAX_DATA || plan.frame > MAX_FRAME
    {
        return Err("the plan is too large".to_owned());
    }
    // What is known before each op, joined over the ways that lead there. Jumps go forward, so one walk is enough; a
    // loop's way back must bring at least what was known when it began.
    let mut before = vec![None; plan.ops.len()];
    if let Some(first) = before.first_mut() {
        *first = Some(Known::default());
    }
    for (at, op) in plan.ops.iter().enumerate() {
        let Some(known) = before[at].clone() else { continue };
        let mut step = Step { plan, map_of: &map_of, known, op: *op };
        let ways = step.run(at).map_err(|problem| format!("op {at}: {problem}"))?;
        for (target, known) in ways {
            if target <= at && op.code() == Code::Again as u8 {
                let top =
                    before[target].as_ref().ok_or_else(|| format!("op {at}: the loop's beginning is not reached"))?;
                if top.written & !known.written != 0 || top.value > known.value {
                    return Err(format!("op {at}: the loop's way back knows less than its beginning"));
                }
                continue;
            }
            if target <= at || target >= plan.ops.len() {
                return Err(format!("op {at}: it goes to {target}, which is not ahead in the plan"));
            }
            let join = &mut before[target];
            *join = Some(join.take().map_or(known.clone(), |have: Known| have.join(&known)));
        }
    }
    Ok(())
}

/// What is known at a place: the registers that are written, and how large the value under the cursor is.
#[derive(Clone, Debug, Default)]
struct Known {
    written: u16,
    value: usize,
}

impl Known {
    fn join(&self, other: &Known) -> Known {
        Known { written: self.written & other.written, value: self.value.min(other.value) }
    }
}

type Ways = Vec<(usize, Known)>;

struct Step<'p, F> {
    plan: &'p Plan,
    map_of: &'p F,
    known: Known,
    op: Op,
}

impl<'a, F: Fn(usize) -> Option<&'a Map>> Step<'_, F> {
    fn run(&mut self, at: usize) -> Result<Ways, String> {
        let op = self.op;
        let code = code(op.code()).ok_or("its code is unknown")?;
        let (off, imm) = (op.off() as usize, op.imm);
        let (low, high) = (imm as u32 as usize, (imm >> 32) as usize);
        match code {
            Code::End => return Ok(Vec::new()),
            Code::Jump => return Ok(vec![(off, self.known.clone())]),
            Code::JumpIf => {
                self.alu(op.dst())?;
                self.operand(op.a())?;
                self.rhs()?;
                let taken = (op.off() != Op::TO_END).then(|| (off, self.known.clone()));
                return Ok(taken.into_iter().chain([(at + 1, self.known.clone())]).collect());
            }
            Code::Alu => {
                self.alu(off as u8)?;
                if op.a() != Op::NONE {
                    self.operand(op.a())?;
                }
                self.rhs()?;
                self.write(op.dst())?;
            }
            Code::Context => {
                let bytes = usize::from(op.b());
                if !matches!(bytes, 4 | 8) || !off.is_multiple_of(bytes) || off + bytes > MAX_CONTEXT {
                    return Err("the context has no such word".to_owned());
                }
                self.write(op.dst())?;
            }
            Code::Peek => {
                self.read(op.a())?;
                if !matches!(op.b(), 1 | 2 | 4 | 8) || imm & 0xffff_ffff_ffff > 1 || !is_failure(imm) {
                    return Err("no such memory access".to_owned());
                }
                self.write(op.dst())?;
            }
            Code::Table => {
                self.read(op.a())?;
                if !imm.is_power_of_two() || off + imm as usize * 4 > self.plan.data.len() {
                    return Err("the table lies outside the data".to_owned());
                }
                self.write(op.dst())?;
            }
            Code::Load => {
                self.frame(off, 8)?;
                self.write(op.dst())?;
            }
            Code::Store => {
                self.rhs()?;
                self.frame(off, 8)?;
            }
            Code::Zero => self.frame(off, imm as usize)?,
            Code::Copy => {
                self.frame(off, high)?;
                self.frame(low, high)?;
            }
            Code::Const => {
                self.frame(off, high)?;
                if low + high > self.plan.data.len() {
                    return Err("the constant lies outside the data".to_owned());
                }
            }
            Code::Comm => self.frame(off, 16)?,
            Code::Str => {
                self.read(op.a())?;
                if op.b() != Op::NONE {
                    self.read(op.b())?;
                }
                let limit = high >> 8 & 0xff;
                if ![0, EXACT as usize].contains(&limit) {
                    self.read(limit as u8 - 1)?;
                }
                let (max, mask) = (low & 0xffff, low >> 16);
                if max == 0 || max > MAX_STRING || !(mask + 1).is_power_of_two() || mask < max || off < STACK_FRAME {
                    return Err("no such place for a string".to_owned());
                }
                self.frame(off, (max + 1).max(8))?;
                self.write(op.dst())?;
            }
            Code::Find | Code::Open => return self.entry(at, low, off),
            Code::Delete => {
                self.map(op.a(), 0, off)?;
                self.write(op.dst())?;
            }
            Code::ValueOut | Code::ValueIn => {
                self.value(off, high)?;
                self.frame(low, high)?;
            }
            Code::ValueLoad => {
                self.value(off, 8)?;
                self.write(op.dst())?;
            }
            Code::ValueStore | Code::ValueAdd => {
                self.rhs()?;
                self.value(off, 8)?;
            }
            Code::ValueBump => {
                self.read(op.a())?;
                self.rhs()?;
                self.value(off & 0xffff, ((off >> 16) + 2) * 8)?;
            }
            Code::ValueBest => {
                self.alu(op.dst())?;
                self.read(op.a())?;
                self.value(off, 16)?;
            }
            Code::Emit => {
                self.rhs()?;
                self.frame(off, if op.b() == Op::IMM { imm as usize } else { 8 })?;
            }
            Code::Read => {
                self.read(op.a())?;
                if op.b() != Op::NONE {
                    self.read(op.b())?;
                    if off < STACK_FRAME {
                        return Err("bytes of unknown number go to scratch memory only".to_owned());
                    }
                }
                if low == 0 || high & 0xffff > 1 || !is_failure(imm) {
                    return Err("no such memory access".to_owned());
                }
                self.frame(off, low)?;
                self.write(op.dst())?;
            }
            Code::Compare => {
                // Words are read, the last of them whole.
                self.frame(off, high.next_multiple_of(8))?;
                self.frame(low, high.next_multiple_of(8))?;
                self.write(op.dst())?;
            }
            Code::Search => {
                let (size, part) = (high & 0xffff, high >> 16);
                if off < STACK_FRAME || part == 0 {
                    return Err("no such place for a text to be searched".to_owned());
                }
                self.frame(off, size + part)?;
                self.frame(low, 2 * part)?;
                self.write(op.dst())?;
            }
            Code::Length => {
                self.frame(off, imm as usize)?;
                self.write(op.dst())?;
            }
            Code::Enter => self.nesting(op.a())?,
            Code::Again => {
                self.nesting(op.a())?;
                if imm == 0 {
                    return Err("a loop has a round at least".to_owned());
                }
                return Ok(vec![(off, self.known.clone()), (at + 1, self.known.clone())]);
            }
            Code::Gather => {
                self.alu(op.b())?;
                let value = self.map(op.a(), 0, off)?;
                if low + 8 > value || !low.is_multiple_of(8) {
                    return Err("the gathered word lies outside the value".to_owned());
                }
                self.write(op.dst())?;
            }
            Code::Entries => {
                self.slot(op.a())?;
                self.write(op.dst())?;
            }
            Code::Stack => {
                let frames = low & 0xffff;
                if off < STACK_FRAME || frames == 0 || frames > STACK_FRAMES {
                    return Err("no such stack".to_owned());
                }
                self.frame(off, 16 + STACK_WORK)?;
            }
            Code::ValueSquare => {
                self.read(op.a())?;
                self.value(off, 16)?;
            }
            Code::ValueSeries => {
                self.read(op.a())?;
                if off >> 16 > Series::Sum as usize || imm == 0 {
                    return Err("no such time series".to_owned());
                }
                self.value(0, (off & 0xffff) * 8 * SERIES_WORDS)?;
            }
            Code::Signal => self.read(op.a())?,
            Code::Write => {
                self.read(op.a())?;
                self.frame(off, low)?;
            }
            Code::Each => {
                self.slot(op.a())?;
                self.nesting(op.b())?;
            }
            Code::Next => {
                self.nesting(op.b())?;
                self.frame(off, 8)?;
                return Ok(vec![(low, self.known.clone()), (at + 1, self.known.clone())]);
            }
            Code::Quantile => {
                self.map(op.a(), 0, off)?;
                self.write(op.dst())?;
            }
        }
        Ok(vec![(at + 1, self.known.clone())])
    }

    /// The two ways of an access to a map's entry: with a value on, without one elsewhere.
    fn entry(&self, at: usize, elsewhere: usize, key: usize) -> Result<Ways, String> {
        let size = self.map(self.op.a(), self.op.b(), key)?;
        let with = |value| Known { value, ..self.known.clone() };
        Ok(vec![(elsewhere, with(0)), (at + 1, with(size))])
    }

    fn alu(&self, code: u8) -> Result<(), String> {
        ALUS.get(code as usize).map(drop).ok_or("the operation is unknown".to_owned())
    }

    fn read(&self, register: u8) -> Result<(), String> {
        if (register as usize) < REGISTERS && self.known.written >> register & 1 == 1 {
            return Ok(());
        }
        Err(format!("r{register} is read before it is written"))
    }

    fn rhs(&self) -> Result<(), String> {
        if self.op.b() == Op::IMM { Ok(()) } else { self.operand(self.op.b()) }
    }

    fn operand(&self, operand: u8) -> Result<(), String> {
        match operand & !Op::BUILTIN {
            builtin if operand & Op::BUILTIN != 0 && builtin <= Builtin::Cookie as u8 => Ok(()),
            ancestor if operand & Op::BUILTIN != 0 && ancestor & Op::ANCESTOR != 0 => Ok(()),
            _ => self.read(operand),
        }
    }

    fn write(&mut self, register: u8) -> Result<(), String> {
        if register as usize >= REGISTERS {
            return Err(format!("there is no r{register}"));
        }
        self.known.written |= 1 << register;
        Ok(())
    }

    fn frame(&self, off: usize, len: usize) -> Result<(), String> {
        let across = off < STACK_FRAME && off + len > STACK_FRAME;
        if off + len > self.plan.frame || across {
            return Err(format!("frame[{off}; {len}] lies outside the frame of {}", self.plan.frame));
        }
        Ok(())
    }

    fn nesting(&self, nesting: u8) -> Result<(), String> {
        if (nesting as usize) < LOOPS { Ok(()) } else { Err(format!("loops nest {LOOPS} deep")) }
    }

    fn slot(&self, slot: u8) -> Result<&'a Map, String> {
        let map = self.plan.slots.get(slot as usize).copied().and_then(self.map_of);
        map.ok_or_else(|| format!("slot {slot} holds no map"))
    }

    fn map(&self, slot: u8, swapped: u8, key: usize) -> Result<usize, String> {
        let map = self.slot(slot)?;
        if swapped == 1 && self.plan.slots.get(slot as usize + 1) != self.plan.slots.get(slot as usize) {
            return Err(format!("slot {slot} holds no pair"));
        }
        self.frame(key, map.storage.key_size)?;
        Ok(map.storage.value_size)
    }

    fn value(&self, off: usize, len: usize) -> Result<(), String> {
        if off + len > self.known.value {
            return Err(format!("value[{off}; {len}] lies outside the value of {}", self.known.value));
        }
        Ok(())
    }
}

/// Whether the immediate of an op that reads memory names a failure that there is, or none.
fn is_failure(imm: u64) -> bool {
    imm >> 48 <= FAILURES as u64
}

#[cfg(test)]
mod tests {
    use scope_common::arith::Alu;

    use super::*;

    fn check(ops: &[Op]) -> Result<(), String> {
        verify(&Plan { ops: ops.to_vec(), frame: 64, ..Plan::default() }, |_| None)
    }

    const END: Op = Op::new(Code::End, 0, 0, 0, 0, 0);

    #[test]
    fn registers_are_written_before_they_are_read() {
        let get = Op::new(Code::Alu, 1, Op::NONE, Op::IMM, 0, 7);
        let store = Op::new(Code::Store, 0, 0, 1, 0, 0);
        assert_eq!(check(&[get, store, END]), Ok(()));
        assert!(check(&[store, END]).unwrap_err().contains("r1 is read"));
        // On one way only.
        let skip = Op::new(Code::JumpIf, Alu::Eq as u8, 0, Op::IMM, 3, 0);
        let zero = Op::new(Code::Alu, 0, Op::NONE, Op::builtin(Builtin::Pid), 0, 0);
        assert!(check(&[zero, skip, get, store, END]).unwrap_err().contains("op 3: r1 is read"));
    }

    #[test]
    fn jumps_go_ahead_and_memory_stays_inside() {
        assert!(check(&[Op::new(Code::Jump, 0, 0, 0, 0, 0), END]).is_err());
        assert!(check(&[Op::new(Code::Jump, 0, 0, 0, 9, 0), END]).is_err());
        assert!(check(&[Op::new(Code::Zero, 0, 0, 0, 8, 64), END]).is_err());
        assert!(check(&[Op::new(Code::ValueLoad, 0, 0, 0, 0, 0), END]).is_err());
        assert!(check(&[Op::new(Code::Find, 0, 0, 0, 0, 0), END]).is_err());
        assert_eq!(check(&[Op::new(Code::Zero, 0, 0, 0, 0, 64), END]), Ok(()));
    }
}
