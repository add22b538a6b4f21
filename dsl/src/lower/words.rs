//! Expressions that fit a register.

use scope_common::arith::Alu;
use scope_common::plan::{Builtin as Get, Code, Op};
use scope_common::value::{BEST, COUNT, TOTAL};

use crate::builtins::Builtin;
use crate::checked::{Expr, ExprKind, Place, Value};

use super::builder::{Operand, SPILL};
use super::{Lowerer, Variable};

impl Lowerer<'_> {
    /// Computes an expression into register `dst`; registers above it are free to use.
    pub(super) fn word(&mut self, expr: &Expr, dst: u8) {
        match &expr.kind {
            ExprKind::Int(value) => self.builder.set(dst, *value),
            ExprKind::Builtin(builtin) => self.builtin(*builtin, dst),
            ExprKind::Variable(number) => match self.variables[*number] {
                Variable::Register(register) => self.builder.alu(Alu::Mov, dst, Op::NONE, Operand::Register(register)),
                Variable::Frame(off) => self.builder.op(Code::Load, dst, 0, 0, off, 0),
                Variable::Text(..) => unreachable!("a text is no word"),
            },
            ExprKind::Map(place) => self.map_word(place, dst),
            ExprKind::Access(access) => self.access(access, dst),
            ExprKind::As(inner) => self.word(inner, dst),
            ExprKind::Alu(alu, left, right) => self.operation(*alu, left, right, dst),
            ExprKind::Not(_) | ExprKind::SameText(..) | ExprKind::And(..) | ExprKind::Or(..) => self.truth(expr, dst),
            ExprKind::Choose(condition, then, otherwise) => {
                let (no, done) = (self.builder.label(), self.builder.label());
                self.branch(condition, false, no, dst);
                self.word(then, dst);
                self.builder.jump(done);
                self.builder.place(no);
                self.word(otherwise, dst);
                self.builder.place(done);
            }
            ExprKind::Text(_) | ExprKind::Str { .. } => unreachable!("a text is no word"),
        }
    }

    /// Gives an operand: a literal, a builtin or a variable's register as it is, anything else computed into `scratch`.
    pub(super) fn operand(&mut self, expr: &Expr, scratch: u8) -> Operand {
        match &expr.kind {
            ExprKind::Int(value) => Operand::Imm(*value),
            ExprKind::Builtin(builtin) if direct(*builtin).is_some() => Operand::Builtin(direct(*builtin).expect("just asked")),
            ExprKind::As(inner) => self.operand(inner, scratch),
            ExprKind::Variable(number) if matches!(self.variables[*number], Variable::Register(_)) => {
                let Variable::Register(register) = self.variables[*number] else { unreachable!() };
                Operand::Register(register)
            }
            _ => {
                self.word(expr, scratch);
                Operand::Register(scratch)
            }
        }
    }

    fn operation(&mut self, alu: Alu, left: &Expr, right: &Expr, dst: u8) {
        let (left, right) = self.operands(left, right, dst);
        self.builder.alu(alu, dst, left, right);
    }

    /// Computes both sides of an operation, using `dst` and the registers above; where those run out, the left side
    /// waits in the frame.
    pub(super) fn operands(&mut self, left: &Expr, right: &Expr, dst: u8) -> (u8, Operand) {
        let left_register = match self.operand(left, dst) {
            Operand::Register(register) => register,
            Operand::Builtin(builtin) => Op::builtin(builtin),
            Operand::Imm(value) => {
                self.builder.set(dst, value);
                dst
            }
        };
        if dst + 1 < SPILL || left_register != dst {
            let free = if left_register == dst { dst + 1 } else { dst };
            let right = self.operand(right, free);
            return (left_register, right);
        }
        let mark = self.builder.mark();
        let off = self.builder.keep(8, false);
        self.builder.store(off, Operand::Register(dst));
        let right = self.operand(right, dst);
        self.builder.op(Code::Load, SPILL, 0, 0, off, 0);
        self.builder.release(mark);
        (SPILL, right)
    }

    fn truth(&mut self, expr: &Expr, dst: u8) {
        let (no, done) = (self.builder.label(), self.builder.label());
        self.branch(expr, false, no, dst);
        self.builder.set(dst, 1);
        self.builder.jump(done);
        self.builder.place(no);
        self.builder.set(dst, 0);
        self.builder.place(done);
    }

    fn builtin(&mut self, builtin: Builtin, dst: u8) {
        match builtin {
            Builtin::Elapsed => {
                let now = Op::builtin(Get::Nsecs);
                self.builder.alu(Alu::Sub, dst, now, Operand::Imm(self.options.start));
            }
            Builtin::Cpid => self.builder.set(dst, self.options.cpid.unwrap_or(0).into()),
            Builtin::Probe => self.set_probe(dst),
            Builtin::Nargs => self.set_nargs(dst),
            _ => self.builder.get(dst, direct(builtin).expect("all others are the machine's own, or texts")),
        }
    }

    /// Reads a map's entry; 0 if there is none.
    fn map_word(&mut self, place: &Place, dst: u8) {
        let mark = self.builder.mark();
        let key = self.key(place, dst);
        let (slot, swapped) = self.slot(place.map);
        let none = self.builder.label();
        self.builder.set(dst, 0);
        self.builder.find(slot, swapped, key, none);
        match &self.maps[place.map].value {
            Value::Avg { signed } => {
                let divide = if *signed { Alu::DivS } else { Alu::DivU };
                self.builder.op(Code::ValueLoad, dst, 0, 0, TOTAL, 0);
                self.builder.op(Code::ValueLoad, SPILL, 0, 0, COUNT, 0);
                self.builder.alu(divide, dst, dst, Operand::Register(SPILL));
            }
            Value::Min { .. } | Value::Max { .. } => self.builder.op(Code::ValueLoad, dst, 0, 0, BEST, 0),
            _ => self.builder.op(Code::ValueLoad, dst, 0, 0, TOTAL, 0),
        }
        self.builder.place(none);
        self.builder.release(mark);
    }

    /// The slot of a map, and whether it is swapped.
    pub(super) fn slot(&mut self, map: usize) -> (u8, bool) {
        // Userspace finds both halves behind one slot.
        let swapped = self.maps[map].storage.swapped && !self.site.in_userspace();
        (self.builder.slot(map, swapped), swapped)
    }

    /// Lays a map's key in the frame, using `first` and the registers above; gives its offset.
    pub(super) fn key(&mut self, place: &Place, first: u8) -> u32 {
        let types = &self.maps[place.map].key;
        if types.is_empty() {
            let off = self.builder.keep(8, false);
            self.builder.store_imm(off, 0);
            return off;
        }
        let in_scratch = place.key.iter().any(Self::needs_scratch);
        let start = self.builder.keep(types.iter().map(crate::types::Type::size).sum(), in_scratch);
        let mut off = start;
        for (part, ty) in place.key.iter().zip(types) {
            if ty.is_word() {
                let value = self.operand(part, first);
                self.builder.store(off, value);
            } else {
                self.text_into(part, off, ty.size(), first);
            }
            off += ty.size() as u32;
        }
        start
    }
}

/// The builtin of the machine that a builtin of the language is, if it is one.
fn direct(builtin: Builtin) -> Option<Get> {
    match builtin {
        Builtin::Pid => Some(Get::Pid),
        Builtin::Tid => Some(Get::Tid),
        Builtin::Uid => Some(Get::Uid),
        Builtin::Gid => Some(Get::Gid),
        Builtin::Nsecs => Some(Get::Nsecs),
        Builtin::Cpu => Some(Get::Cpu),
        _ => None,
    }
}
