//! What a clause uses that costs something to find out: asked before its probes are resolved.

use crate::ast::{Block, Clause, Expr, ExprKind, Statement};

/// What a clause uses.
#[derive(Clone, Debug, Default)]
pub struct Uses {
    /// `args`: the fields of its probes.
    pub args: bool,
    /// The fields that it names.
    pub fields: Vec<String>,
    /// `nargs`: how many there are.
    pub nargs: bool,
}

impl Uses {
    /// Looks a clause through.
    #[must_use]
    pub fn of(clause: &Clause) -> Uses {
        let mut uses = Uses::default();
        if let Some(predicate) = &clause.predicate {
            uses.expr(predicate);
        }
        uses.block(&clause.body);
        uses
    }

    fn block(&mut self, block: &Block) {
        for statement in block {
            match statement {
                Statement::Expr(expr) => self.expr(expr),
                Statement::Assign { target, value, .. } => {
                    self.expr(target);
                    self.expr(value);
                }
                Statement::If { condition, then, otherwise } => {
                    self.expr(condition);
                    self.block(then);
                    self.block(otherwise);
                }
                Statement::Emit { fields, .. } => fields.iter().for_each(|field| self.expr(&field.value)),
            }
        }
    }

    fn expr(&mut self, expr: &Expr) {
        match &expr.kind {
            ExprKind::Ident(name) => {
                self.args |= name == "args";
                self.nargs |= name == "nargs";
            }
            ExprKind::Int(_) | ExprKind::Str(_) | ExprKind::Var(_) => {}
            ExprKind::Map(_, many) | ExprKind::Call(_, many) => many.iter().for_each(|expr| self.expr(expr)),
            ExprKind::Member(object, member) => {
                self.fields.push(member.text.clone());
                self.expr(object);
            }
            ExprKind::Unary(_, one) | ExprKind::Step { target: one, .. } => self.expr(one),
            ExprKind::Index(left, right) | ExprKind::Binary(_, left, right) => {
                self.expr(left);
                self.expr(right);
            }
            ExprKind::Ternary(condition, then, otherwise) => {
                [condition, then, otherwise].into_iter().for_each(|expr| self.expr(expr));
            }
        }
    }
}
