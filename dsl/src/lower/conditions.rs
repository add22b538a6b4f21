//! Conditions: jumps instead of values.

use scope_common::arith::Alu;
use scope_common::plan::{Code, Op};

use crate::checked::{Expr, ExprKind};

use super::Lowerer;
use super::builder::{Label, Operand};

impl Lowerer<'_> {
    /// Goes to a label if an expression is true, or if it is false, by `when`; uses `first` and the registers above.
    pub(super) fn branch(&mut self, expr: &Expr, when: bool, label: Label, first: u8) {
        match &expr.kind {
            ExprKind::Int(value) => {
                if (*value != 0) == when {
                    self.builder.jump(label);
                }
            }
            ExprKind::Not(inner) => self.branch(inner, !when, label, first),
            ExprKind::And(left, right) => self.both(left, right, when, label, first),
            // Not (both not).
            ExprKind::Or(left, right) => self.either(left, right, when, label, first),
            ExprKind::SameText(left, right) if when => {
                let differ = self.builder.label();
                self.branch_unless_same(left, right, differ, first);
                self.builder.jump(label);
                self.builder.place(differ);
            }
            ExprKind::SameText(left, right) => self.branch_unless_same(left, right, label, first),
            ExprKind::Alu(alu, left, right) if alu.is_comparison() => {
                let (left, right) = self.operands(left, right, first);
                let alu = if when { *alu } else { opposite(*alu) };
                self.builder.jump_if(alu, left, right, label);
            }
            _ => {
                let register = match self.operand(expr, first) {
                    Operand::Register(register) => register,
                    Operand::Builtin(builtin) => Op::builtin(builtin),
                    Operand::Imm(_) => unreachable!("literals are handled above"),
                };
                let alu = if when { Alu::Ne } else { Alu::Eq };
                self.builder.jump_if(alu, register, Operand::Imm(0), label);
            }
        }
    }

    fn both(&mut self, left: &Expr, right: &Expr, when: bool, label: Label, first: u8) {
        if when {
            let no = self.builder.label();
            self.branch(left, false, no, first);
            self.branch(right, true, label, first);
            self.builder.place(no);
        } else {
            self.branch(left, false, label, first);
            self.branch(right, false, label, first);
        }
    }

    fn either(&mut self, left: &Expr, right: &Expr, when: bool, label: Label, first: u8) {
        if when {
            self.branch(left, true, label, first);
            self.branch(right, true, label, first);
        } else {
            let yes = self.builder.label();
            self.branch(left, true, yes, first);
            self.branch(right, false, label, first);
            self.builder.place(yes);
        }
    }

    /// Goes to a label if two texts differ.
    fn branch_unless_same(&mut self, left: &Expr, right: &Expr, label: Label, first: u8) {
        match (&left.kind, &right.kind) {
            (ExprKind::Text(left), ExprKind::Text(right)) => {
                if left != right {
                    self.builder.jump(label);
                }
            }
            (ExprKind::Text(literal), _) => self.branch_unless_literal(right, literal, label, first),
            (_, ExprKind::Text(literal)) => self.branch_unless_literal(left, literal, label, first),
            _ => {
                let size = left.ty.size().max(right.ty.size());
                let mark = self.builder.mark();
                let (one, other) = (self.text(left, size, first), self.text(right, size, first));
                for at in (0..size as u32).step_by(8) {
                    self.builder.op(Code::Load, first, 0, 0, one + at, 0);
                    self.builder.op(Code::Load, first + 1, 0, 0, other + at, 0);
                    self.builder.jump_if(Alu::Ne, first, Operand::Register(first + 1), label);
                }
                self.builder.release(mark);
            }
        }
    }

    /// Goes to a label if a text is not this one: words are compared up to the literal's NUL.
    fn branch_unless_literal(&mut self, expr: &Expr, literal: &str, label: Label, first: u8) {
        let size = expr.ty.size();
        if literal.len() >= size {
            self.builder.jump(label);
            return;
        }
        let mark = self.builder.mark();
        let off = self.text(expr, size, first);
        let mut bytes = literal.as_bytes().to_vec();
        bytes.push(0);
        for (at, part) in bytes.chunks(8).enumerate() {
            let mut word = [0; 8];
            word[..part.len()].copy_from_slice(part);
            let mut mask = [0; 8];
            mask[..part.len()].fill(0xff);
            self.builder.op(Code::Load, first, 0, 0, off + at as u32 * 8, 0);
            if part.len() < 8 {
                self.builder.alu(Alu::And, first, first, Operand::Imm(u64::from_ne_bytes(mask)));
            }
            self.builder.jump_if(Alu::Ne, first, Operand::Imm(u64::from_ne_bytes(word)), label);
        }
        self.builder.release(mark);
    }

    /// Lays a text in an area of its own.
    pub(super) fn text(&mut self, expr: &Expr, size: usize, first: u8) -> u32 {
        let off = self.builder.keep(size, Self::needs_scratch(expr));
        self.text_into(expr, off, size, first);
        off
    }
}

/// The comparison that holds exactly if this one does not.
fn opposite(alu: Alu) -> Alu {
    match alu {
        Alu::Eq => Alu::Ne,
        Alu::Ne => Alu::Eq,
        Alu::LtU => Alu::GeU,
        Alu::GeU => Alu::LtU,
        Alu::LeU => Alu::GtU,
        Alu::GtU => Alu::LeU,
        Alu::LtS => Alu::GeS,
        Alu::GeS => Alu::LtS,
        Alu::LeS => Alu::GtS,
        Alu::GtS => Alu::LeS,
        _ => unreachable!("only comparisons have an opposite"),
    }
}
