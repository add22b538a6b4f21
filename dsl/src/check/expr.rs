//! Expressions: values and their types.

use crate::ast::{self, ExprKind as Ast};
use crate::checked::{Expr, ExprKind};
use crate::diagnostic::Diagnostic;
use crate::types::{Part, Type};

use super::Checker;
use super::operators::int;

impl Checker<'_> {
    pub(super) fn expr(&mut self, expr: &ast::Expr) -> Option<Expr> {
        let span = expr.span;
        match &expr.kind {
            Ast::Int(value) => Some(int(*value, Type::Int { bits: 64, signed: *value <= i64::MAX as u64 }, span)),
            // As in memory, a text ends at its first NUL.
            Ast::Str(text) => Some(Expr::text(text.iter().copied().take_while(|byte| *byte != 0).collect(), span)),
            Ast::Ident(name) => self.name(name, span),
            Ast::Var(name) => self.variable(name, span),
            Ast::Parameter(number) => self.parameter(*number, span),
            Ast::ParameterCount => Some(int(self.given.context.arguments.len() as u64, Type::SIGNED, span)),
            Ast::Map(name, keys) => self.map_value(name, keys, span),
            Ast::Member(object, member) => self.member(object, member, span),
            Ast::Position(object, index) => self.position(object, *index, span),
            Ast::Index(object, index) => self.index(object, index, span),
            Ast::Call(name, arguments) => self.call(name, arguments, span),
            Ast::Tuple(values) => {
                let values = self.all(values)?;
                let parts = values.iter().map(|value| Part { name: None, ty: value.ty.clone() }).collect();
                Some(Expr { kind: ExprKind::Tuple(values), ty: Type::Tuple(parts), span })
            }
            Ast::Record(fields) => self.record(fields, span),
            Ast::Cast(ty, value) => self.cast(ty, value, span),
            Ast::SizeOf(ty) => self.size_of(ty, span),
            Ast::OffsetOf(ty, path) => self.offset_of(ty, path, span),
            Ast::Block(statements, value) => self.scoped(|checker| {
                let mut before = Vec::new();
                for statement in statements {
                    checker.statement(statement, &mut before);
                }
                let value = checker.expr(value)?;
                Some(Self::after(before, value, span))
            }),
            Ast::Unary(operator, value) => self.unary(*operator, value, span),
            Ast::Binary(operator, left, right) => self.binary(*operator, left, right, span),
            Ast::Ternary(condition, then, otherwise) => self.ternary(condition, then, otherwise, span),
            Ast::Step { target, up, before } => self.step(target, *up, *before, span),
        }
    }

    /// Checks several expressions; all are checked before the first failure counts, so that each error is reported.
    pub(super) fn all(&mut self, exprs: &[ast::Expr]) -> Option<Vec<Expr>> {
        let checked = exprs.iter().map(|expr| self.value(expr)).collect::<Vec<_>>();
        checked.into_iter().collect()
    }

    /// Checks an expression whose value is kept whole: sent, stored, or part of something larger.
    pub(super) fn value(&mut self, expr: &ast::Expr) -> Option<Expr> {
        let value = self.expr(expr)?;
        match &value.ty {
            Type::Memory(memory) if memory.bytes == 0 => {
                let title = format!("`{}` is too large to be a value", self.given.types.describe(memory.id));
                let error = Diagnostic::error("E0335", value.span, title, "expected one of its members, or a pointer");
                self.error(error);
                None
            }
            Type::Tuple(parts) if parts.is_empty() => {
                self.error(Diagnostic::error("E0354", value.span, "an empty tuple is no value", ""));
                None
            }
            _ => Some(value),
        }
    }

    fn record(&mut self, fields: &[(ast::Name, ast::Expr)], span: crate::source::Span) -> Option<Expr> {
        let mut names = Vec::<&str>::new();
        for (name, _) in fields {
            if names.contains(&name.text.as_str()) {
                self.error(Diagnostic::error("E0356", name.span, format!("two fields `{}`", name.text), "the second"));
                return None;
            }
            names.push(&name.text);
        }
        let values = fields.iter().map(|(_, value)| self.value(value)).collect::<Vec<_>>();
        let values = values.into_iter().collect::<Option<Vec<_>>>()?;
        let part = |(value, name): (&Expr, &&str)| Part { name: Some((*name).to_owned()), ty: value.ty.clone() };
        let ty = Type::Tuple(values.iter().zip(&names).map(part).collect());
        Some(Expr { kind: ExprKind::Tuple(values), ty, span })
    }

    fn position(&mut self, object: &ast::Expr, index: usize, span: crate::source::Span) -> Option<Expr> {
        let object = self.expr(object)?;
        let Type::Tuple(parts) = object.ty.clone() else {
            let label = format!("this is {}", object.ty.describe());
            let error = Diagnostic::error("E0326", object.span, format!("`.{index}` needs a tuple"), label);
            let literal = matches!(object.kind, ExprKind::Int(_));
            self.error(if literal {
                error.help("numbers have no fraction: count in a smaller unit, as in `1500ms`")
            } else {
                error
            });
            return None;
        };
        if index >= parts.len() {
            let title = format!("the tuple has no part {index}");
            let label = format!("its parts are 0 to {}", parts.len().saturating_sub(1));
            self.error(Diagnostic::error("E0328", span, title, label));
            return None;
        }
        Some(Self::tuple_part(object, &parts, index, span))
    }

    /// Checks an expression of which only the type is wanted.
    pub(super) fn typed(&mut self, expr: &ast::Expr) -> Option<Expr> {
        let before = std::mem::replace(&mut self.clause.types_only, true);
        let value = self.expr(expr);
        self.clause.types_only = before;
        value
    }

    /// Checks an expression that must be a number.
    pub(super) fn number(&mut self, expr: &ast::Expr) -> Option<Expr> {
        let value = self.expr(expr)?;
        self.as_number(value)
    }

    pub(super) fn as_number(&mut self, value: Expr) -> Option<Expr> {
        match value.ty {
            Type::Int { .. } => Some(value),
            Type::Bool | Type::Pointer { .. } | Type::Enum(_) => {
                let ty = Type::Int { bits: 64, signed: value.ty.is_signed() };
                Some(Expr { ty, ..value })
            }
            _ => {
                let label = format!("this is {}", value.ty.describe());
                self.error(Diagnostic::error("E0320", value.span, "not an integer", label));
                None
            }
        }
    }

    /// Checks an expression that decides.
    pub(super) fn condition(&mut self, expr: &ast::Expr) -> Option<Expr> {
        let value = self.expr(expr)?;
        if value.ty.is_word() {
            return Some(value);
        }
        let title = format!("{} is no condition", value.ty.describe());
        let error = Diagnostic::error("E0320", expr.span, title, "expected an integer or a comparison");
        self.error(error.help("compare it: `comm == \"bash\"`"));
        None
    }
}
