//! A plan in the making: ops, jumps whose target is not known yet, constant data, frame memory, map slots.

use scope_common::arith::Alu;
use scope_common::plan::{Builtin, Code, Op, STACK_FRAME};

use crate::program::Plan;

/// Registers below this are for intermediate values, those from it on for variables.
pub const FIRST_VARIABLE: u8 = 10;
/// The register that a spilled operand is brought back to.
pub const SPILL: u8 = FIRST_VARIABLE - 1;

/// A place in a plan that jumps go to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Label(usize);

/// The state of the frame, to which it can be set back.
#[derive(Clone, Copy)]
pub struct Mark {
    stack: usize,
    scratch: usize,
}

/// A plan in the making.
#[derive(Default)]
pub struct Builder {
    ops: Vec<Op>,
    data: Vec<u8>,
    labels: Vec<Option<usize>>,
    /// The ops whose target is a label.
    jumps: Vec<(usize, Label)>,
    slots: Vec<usize>,
    stack: usize,
    scratch: usize,
    deepest: usize,
    variables: u8,
}

impl Builder {
    /// Adds an op.
    pub fn op(&mut self, code: Code, dst: u8, a: u8, b: u8, off: u32, imm: u64) {
        self.ops.push(Op::new(code, dst, a, b, off, imm));
    }

    /// How many ops there are so far.
    pub fn len(&self) -> usize {
        self.ops.len()
    }

    /// The ops so far; targets of jumps are not in them yet.
    pub fn ops(&self) -> &[Op] {
        &self.ops
    }

    /// Whether an op jumps to a place that is already known: one that is not leads out of what is built so far.
    pub fn jumps_inside(&self, op: usize) -> bool {
        self.jumps.iter().any(|(at, label)| *at == op && self.labels[label.0].is_some())
    }

    /// Makes a label that is placed later.
    pub fn label(&mut self) -> Label {
        self.labels.push(None);
        Label(self.labels.len() - 1)
    }

    /// Places a label here.
    pub fn place(&mut self, label: Label) {
        self.labels[label.0] = Some(self.ops.len());
    }

    /// Goes to a label.
    pub fn jump(&mut self, label: Label) {
        self.jumps.push((self.ops.len(), label));
        self.op(Code::Jump, 0, 0, 0, 0, 0);
    }

    /// Goes to a label if a comparison holds; `left` is a register or a builtin.
    pub fn jump_if(&mut self, alu: Alu, left: u8, right: Operand, label: Label) {
        self.jumps.push((self.ops.len(), label));
        let (b, imm) = right.encode();
        self.op(Code::JumpIf, alu as u8, left, b, 0, imm);
    }

    /// Computes `dst = left op right`.
    pub fn alu(&mut self, alu: Alu, dst: u8, left: u8, right: Operand) {
        let (b, imm) = right.encode();
        self.op(Code::Alu, dst, left, b, alu as u32, imm);
    }

    /// Gives a register a value.
    pub fn set(&mut self, dst: u8, value: u64) {
        self.alu(Alu::Mov, dst, Op::NONE, Operand::Imm(value));
    }

    /// Reads a builtin of the machine.
    pub fn get(&mut self, dst: u8, builtin: Builtin) {
        self.alu(Alu::Mov, dst, Op::NONE, Operand::Builtin(builtin));
    }

    /// Stores a value in the frame.
    pub fn store(&mut self, off: u32, value: Operand) {
        let (b, imm) = value.encode();
        self.op(Code::Store, 0, 0, b, off, imm);
    }

    /// Stores a number in the frame.
    pub fn store_imm(&mut self, off: u32, value: u64) {
        self.store(off, Operand::Imm(value));
    }

    /// Zeroes a part of the frame.
    pub fn zero(&mut self, off: u32, len: usize) {
        match len {
            0 => {}
            8 => self.store_imm(off, 0),
            _ => self.op(Code::Zero, 0, 0, 0, off, len as u64),
        }
    }

    /// Finds a map's entry; goes to the label if there is none.
    pub fn find(&mut self, slot: u8, swapped: bool, key: u32, otherwise: Label) {
        self.jumps.push((self.ops.len(), otherwise));
        self.op(Code::Find, 0, slot, swapped.into(), key, 0);
    }

    /// Opens a map's entry; where that fails, counts the loss and goes to the label.
    pub fn open(&mut self, slot: u8, swapped: bool, key: u32, loss: u32, counted: u8, otherwise: Label) {
        self.jumps.push((self.ops.len(), otherwise));
        self.op(Code::Open, counted, slot, swapped.into(), key, u64::from(loss) << 32);
    }

    /// Lays the next entry of a map in the frame; goes to the label if there is none.
    pub fn next(&mut self, nesting: u8, off: u32, otherwise: Label) {
        self.jumps.push((self.ops.len(), otherwise));
        self.op(Code::Next, 0, 0, nesting, off, 0);
    }

    /// Adds constant data; gives its offset. The same data is kept once.
    pub fn constant(&mut self, bytes: &[u8]) -> u32 {
        let len = bytes.len().next_multiple_of(8);
        let same = (0..self.data.len().saturating_sub(len - 1)).step_by(8).find(|at| {
            self.data[*at..*at + bytes.len()] == *bytes
                && self.data[*at + bytes.len()..*at + len].iter().all(|byte| *byte == 0)
        });
        let at = same.unwrap_or(self.data.len());
        if same.is_none() {
            self.data.extend_from_slice(bytes);
            self.data.resize(at + len, 0);
        }
        at as u32
    }

    /// Gives the slot of a map.
    pub fn slot(&mut self, map: usize, swapped: bool) -> u8 {
        if let Some(slot) = self.slots.iter().position(|have| *have == map) {
            return slot as u8;
        }
        if swapped {
            // The first of a pair is even, for no other reason than to be found easily in a plan.
            if self.slots.len() % 2 == 1 {
                self.slots.push(map);
                let odd = self.slots.len() - 1;
                self.slots[odd] = usize::MAX;
            }
            self.slots.push(map);
        }
        self.slots.push(map);
        (self.slots.len() - 1 - usize::from(swapped)) as u8
    }

    /// Takes a register for a variable, if one is left.
    pub fn variable_register(&mut self) -> Option<u8> {
        let register = FIRST_VARIABLE + self.variables;
        ((register as usize) < scope_common::plan::REGISTERS).then(|| {
            self.variables += 1;
            register
        })
    }

    /// Takes frame memory until [`Builder::release`]. On the BPF stack while there is room, unless the kernel has to
    /// write to it at an offset that only the run knows (`in_scratch`).
    pub fn keep(&mut self, len: usize, in_scratch: bool) -> u32 {
        let len = len.next_multiple_of(8);
        let off = if !in_scratch && self.stack + len <= STACK_FRAME {
            self.stack += len;
            self.stack - len
        } else {
            self.scratch += len;
            STACK_FRAME + self.scratch - len
        };
        self.deepest = self.deepest.max(off + len);
        off as u32
    }

    /// Notes what is taken of the frame.
    pub fn mark(&self) -> Mark {
        Mark { stack: self.stack, scratch: self.scratch }
    }

    /// Gives back what was taken since.
    pub fn release(&mut self, mark: Mark) {
        (self.stack, self.scratch) = (mark.stack, mark.scratch);
    }

    /// Ends the plan.
    pub fn end(&mut self) {
        self.op(Code::End, 0, 0, 0, 0, 0);
    }

    /// Puts the targets into the jumps.
    pub fn finish(mut self) -> Plan {
        for (at, label) in self.jumps {
            let target = self.labels[label.0].expect("every label that is jumped to is placed") as u64;
            let to_end = self.ops[target as usize].code() == Code::End as u8;
            let op = &mut self.ops[at];
            match op.code() {
                code if code == Code::Open as u8 || code == Code::Find as u8 || code == Code::Next as u8 => {
                    op.imm |= target
                }
                // To end at once is cheaper than to go and find the end.
                code if code == Code::JumpIf as u8 && to_end => op.word |= u64::from(Op::TO_END) << 32,
                _ => op.word |= target << 32,
            }
        }
        Plan { ops: self.ops, data: self.data, frame: self.deepest, slots: self.slots }
    }
}

/// A right operand.
#[derive(Clone, Copy, Debug)]
pub enum Operand {
    /// A register.
    Register(u8),
    /// A number.
    Imm(u64),
    /// A value that the host knows.
    Builtin(Builtin),
}

impl Operand {
    /// As fields `b` and `imm` of an op.
    pub const fn encode(self) -> (u8, u64) {
        match self {
            Operand::Register(register) => (register, 0),
            Operand::Imm(value) => (Op::IMM, value),
            Operand::Builtin(builtin) => (Op::builtin(builtin), 0),
        }
    }
}
