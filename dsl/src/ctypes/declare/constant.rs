//! The numbers of declarations: how long an array is, how wide a bit field, what a name of an enum stands for.

use super::declarer::Declarer;
use crate::ast::{Binary, Expr, ExprKind, TypeRef, Unary};
use crate::builtins::Builtin;
use crate::diagnostic::Diagnostic;

impl Declarer<'_> {
    /// Computes a number, as wide as need be; `None` if it is none that is known now, which an error says.
    pub(super) fn constant(&mut self, expr: &Expr) -> Option<i128> {
        let value = match &expr.kind {
            ExprKind::Int(value) => i128::from(*value),
            ExprKind::Ident(name) => {
                let near = self.values.iter().find(|(have, _)| have == name).map(|(_, value)| *value);
                let constant = || match self.types.declared_enumerator(name) {
                    None => crate::constants::find(name).map(i128::from),
                    Some(_) => None,
                };
                let known =
                    near.or_else(constant).or_else(|| self.types.enumerator(name).map(|(_, value)| value.into()));
                let Some(value) = known else {
                    // A builtin has one that only the run knows.
                    let help = Builtin::named(name).is_none().then(|| format!("`#define {name} 16` gives it a value"));
                    self.found.push(help.into_iter().fold(unknown(expr), Diagnostic::help));
                    return None;
                };
                value
            }
            ExprKind::Unary(operator, value) => {
                let value = self.constant(value)?;
                match operator {
                    Unary::Neg => -value,
                    Unary::Flip => !value,
                    Unary::Not => i128::from(value == 0),
                    Unary::Deref | Unary::Address => return self.no_number(expr),
                }
            }
            ExprKind::Binary(operator, left, right) => {
                let (left, right) = (self.constant(left)?, self.constant(right)?);
                match compute(*operator, left, right) {
                    Some(value) => value,
                    None => return self.no_number(expr),
                }
            }
            ExprKind::Ternary(condition, then, otherwise) => {
                let decided = self.constant(condition)? != 0;
                self.constant(if decided { then } else { otherwise })?
            }
            ExprKind::SizeOf(TypeRef::Named(name)) => {
                let id = self.ty(name, false)?;
                match self.types.size_of(id) {
                    Some(size) => i128::from(size),
                    None => return self.no_number(expr),
                }
            }
            _ => return self.no_number(expr),
        };
        Some(value)
    }

    fn no_number(&mut self, expr: &Expr) -> Option<i128> {
        self.found.push(unknown(expr));
        None
    }
}

fn unknown(expr: &Expr) -> Diagnostic {
    Diagnostic::error("E0361", expr.span, "not known when the script is compiled", "expected a number")
}

/// What C computes; `None` for what has no value, or none that 64 bits come near.
fn compute(operator: Binary, left: i128, right: i128) -> Option<i128> {
    let truth = |holds| Some(i128::from(holds));
    let shift = || u32::try_from(right).ok().filter(|bits| *bits < 64);
    let value = match operator {
        Binary::Or => return truth(left != 0 || right != 0),
        Binary::And => return truth(left != 0 && right != 0),
        Binary::Eq => return truth(left == right),
        Binary::Ne => return truth(left != right),
        Binary::Lt => return truth(left < right),
        Binary::Le => return truth(left <= right),
        Binary::Gt => return truth(left > right),
        Binary::Ge => return truth(left >= right),
        Binary::BitOr => left | right,
        Binary::BitXor => left ^ right,
        Binary::BitAnd => left & right,
        Binary::Shl => left.checked_mul(1 << shift()?)?,
        Binary::Shr => left >> shift()?,
        Binary::Add => left.checked_add(right)?,
        Binary::Sub => left.checked_sub(right)?,
        Binary::Mul => left.checked_mul(right)?,
        Binary::Div => left.checked_div(right)?,
        Binary::Rem => left.checked_rem(right)?,
    };
    // Far beyond what any use takes, and far from where this arithmetic ends.
    (value.unsigned_abs() < 1 << 96).then_some(value)
}
