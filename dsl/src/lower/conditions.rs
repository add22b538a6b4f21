//! Conditions: jumps instead of values.

use scope_common::arith::Alu;
use scope_common::plan::{Code, Op};

use crate::checked::{Expr, ExprKind};
use crate::types::Type;

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
            ExprKind::Same(left, right) if when => {
                let differ = self.builder.label();
                self.branch_unless_same(left, right, differ, first);
                self.builder.jump(label);
                self.builder.place(differ);
            }
            ExprKind::Same(left, right) => self.branch_unless_same(left, right, label, first),
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

    /// Goes to a label if two areas differ.
    fn branch_unless_same(&mut self, left: &Expr, right: &Expr, label: Label, first: u8) {
        /// Up to so many bytes of a literal, its words are compared one by one: cheaper than to lay it first.
        const SHORT: usize = 32;
        match (&left.kind, &right.kind) {
            (ExprKind::Text(literal), _) if literal.len() < SHORT => {
                self.branch_unless_literal(right, literal, label, first)
            }
            (_, ExprKind::Text(literal)) if literal.len() < SHORT => {
                self.branch_unless_literal(left, literal, label, first)
            }
            _ => {
                self.compare(left, right, None, first);
                self.builder.jump_if(Alu::Ne, first, Operand::Imm(0), label);
            }
        }
    }

    /// Computes the order of two areas into `dst`, of their first `len` bytes if that is given.
    pub(super) fn compare(&mut self, left: &Expr, right: &Expr, len: Option<usize>, dst: u8) {
        let ty = left.ty.join(&right.ty);
        let mark = self.builder.mark();
        let (one, other) = (self.area(left, &ty, dst), self.area(right, &ty, dst));
        // A buffer's bytes stand behind their number.
        let (skip, most) = match (&ty, len) {
            (Type::Buffer { size }, Some(_)) => (8, size - 8),
            _ => (0, ty.size()),
        };
        let len = len.unwrap_or(most).min(most);
        let imm = u64::from(other + skip) | (len as u64) << 32;
        self.builder.op(Code::Compare, dst, 0, 0, one + skip, imm);
        self.builder.release(mark);
    }

    /// Goes to a label if a text is not this one: words are compared up to the literal's NUL.
    fn branch_unless_literal(&mut self, expr: &Expr, literal: &[u8], label: Label, first: u8) {
        let size = expr.ty.size();
        if literal.len() >= size {
            self.builder.jump(label);
            return;
        }
        let mark = self.builder.mark();
        let off = self.area(expr, &expr.ty, first);
        let mut bytes = literal.to_vec();
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
