//! Statements: what a clause does.

use crate::ast::{self, Binary, ExprKind as Ast, StatementKind};
use crate::checked::{Expr, ExprKind, Place, Statement, Value};
use crate::diagnostic::Diagnostic;
use crate::functions::{Role, Row};
use crate::source::Span;
use crate::types::Type;

use super::Checker;

impl Checker<'_> {
    /// Checks the statements of a block, in a scope of its own.
    pub(super) fn block(&mut self, block: &ast::Block) -> Vec<Statement> {
        self.scoped(|checker| {
            let mut out = Vec::new();
            for statement in block {
                checker.statement(statement, &mut out);
            }
            out
        })
    }

    pub(super) fn statement(&mut self, statement: &ast::Statement, out: &mut Vec<Statement>) {
        match &statement.kind {
            StatementKind::Expr(expr) => self.expression_statement(expr, out),
            StatementKind::Assign { target, operator, value } => out.extend(self.assign(target, *operator, value)),
            StatementKind::Let { name, ty, value } => out.extend(self.let_variable(name, ty.as_ref(), value.as_ref())),
            StatementKind::Discard(value) => out.extend(self.expr(value).map(Statement::Evaluate)),
            StatementKind::If { condition, then, otherwise } => {
                let condition = self.condition(condition);
                // What a known condition rules out is checked only for its syntax, so that `fail` can be said there.
                let known = condition.as_ref().and_then(|condition| match condition.kind {
                    ExprKind::Int(value) => Some(value != 0),
                    _ => None,
                });
                match (known, condition) {
                    (Some(true), _) => out.extend(self.block(then)),
                    (Some(false), _) => out.extend(self.block(otherwise)),
                    (None, condition) => {
                        let (then, otherwise) = (self.block(then), self.block(otherwise));
                        out.extend(condition.map(|condition| Statement::If(condition, then, otherwise)));
                    }
                }
            }
            StatementKind::While { condition, body } => out.extend(self.while_loop(condition, body, statement.span)),
            StatementKind::For { variable, from, to, body } => {
                self.for_loop(variable, from, to, body, statement.span, out)
            }
            StatementKind::Each { variable, map, body } => out.extend(self.each(variable, map, body, statement.span)),
            StatementKind::Unroll { count, body } => self.unroll(count, body, statement.span, out),
            StatementKind::Block(body) => out.extend(self.block(body)),
            StatementKind::Break => out.extend(self.loop_exit("break", Statement::Break, statement.span)),
            StatementKind::Continue => out.extend(self.loop_exit("continue", Statement::Continue, statement.span)),
            StatementKind::Return(value) => {
                if let Some(value) = value {
                    out.extend(self.expr(value).map(Statement::Evaluate));
                }
                out.push(Statement::Stop);
            }
            StatementKind::Emit { name, fields } => out.extend(self.emit(name, fields, statement.span)),
        }
    }

    fn expression_statement(&mut self, expr: &ast::Expr, out: &mut Vec<Statement>) {
        match &expr.kind {
            Ast::Call(name, arguments) => self.call_statement(name, arguments, expr.span, out),
            Ast::Step { target, up, .. } => out.extend(self.stepped(target, *up, expr.span)),
            Ast::Block(statements, value) => {
                let inner = self.scoped(|checker| {
                    let mut inner = Vec::new();
                    for statement in statements {
                        checker.statement(statement, &mut inner);
                    }
                    // A block or macro that stands for what it does may end with a value that nobody uses.
                    checker.for_its_effects(value, &mut inner);
                    inner
                });
                out.extend(inner);
            }
            // `condition ? do this : or that`.
            Ast::Ternary(condition, then, otherwise) if acts(then) || acts(otherwise) => {
                let condition = self.condition(condition);
                let (mut yes, mut no) = (Vec::new(), Vec::new());
                self.for_its_effects(then, &mut yes);
                self.for_its_effects(otherwise, &mut no);
                out.extend(condition.map(|condition| Statement::If(condition, yes, no)));
            }
            _ => {
                if self.expr(expr).is_some() {
                    let error = Diagnostic::error(
                        "E0306",
                        expr.span,
                        "this statement does nothing",
                        "a value that nobody uses",
                    );
                    self.error(
                        error.help("assign it (`@name = ...`), print it (`print(...)`), or drop it (`_ = ...`)"),
                    );
                }
            }
        }
    }

    /// An expression whose value, if it has one, is dropped.
    fn for_its_effects(&mut self, expr: &ast::Expr, out: &mut Vec<Statement>) {
        if acts(expr) {
            self.expression_statement(expr, out);
        } else if let Some(value) = self.expr(expr)
            && !matches!(value.kind, ExprKind::Int(_))
        {
            out.push(Statement::Evaluate(value));
        }
    }

    pub(super) fn assign(
        &mut self,
        target: &ast::Expr,
        operator: Option<Binary>,
        value: &ast::Expr,
    ) -> Option<Statement> {
        match &target.kind {
            Ast::Var(name) => {
                let value = match operator {
                    None => self.value(value),
                    Some(operator) => self.binary(operator, target, value, target.span.to(value.span)),
                };
                let Some(value) = value else {
                    self.broken_variable(name);
                    return None;
                };
                self.set_variable(name, value, target.span)
            }
            Ast::Map(name, keys) => {
                let aggregation = match &value.kind {
                    Ast::Call(function, arguments) => Row::named(&function.text)
                        .filter(|row| row.role == Role::Aggregation)
                        .map(|row| (row, arguments)),
                    _ => None,
                };
                let place = self.place(name, keys, target.span)?;
                match (aggregation, operator) {
                    (Some((row, arguments)), None) => self.aggregate(row, place, arguments, value.span),
                    (Some((row, _)), Some(_)) => {
                        let title = format!("`{}` can only be assigned", row.name);
                        self.error(Diagnostic::error(
                            "E0307",
                            value.span,
                            title,
                            format!("expected `{}`", row.signature),
                        ));
                        None
                    }
                    (None, Some(Binary::Add | Binary::Sub)) => {
                        self.add(place, operator == Some(Binary::Sub), value, target.span)
                    }
                    (None, _) => self.set_map(place, target, operator, value),
                }
            }
            _ => {
                self.error(Diagnostic::error(
                    "E0352",
                    target.span,
                    "this can't be changed",
                    "expected a map or a scratch variable",
                ));
                None
            }
        }
    }

    fn set_map(
        &mut self,
        place: Place,
        target: &ast::Expr,
        operator: Option<Binary>,
        value: &ast::Expr,
    ) -> Option<Statement> {
        let value = match operator {
            None => self.value(value)?,
            Some(operator) => self.binary(operator, target, value, target.span.to(value.span))?,
        };
        self.join_value(place.map, Value::Plain(value.ty.clone()), target.span)?;
        let userspace = self.in_userspace();
        self.state.maps.note(place.map, |usage| {
            usage.assigned_in_userspace |= userspace;
            usage.kernel_beyond_adding |= !userspace;
        });
        Some(Statement::SetMap(place, value))
    }

    fn add(&mut self, place: Place, negative: bool, value: &ast::Expr, span: Span) -> Option<Statement> {
        let amount = self.number(value)?;
        let amount = if negative { self.negate(amount, value.span) } else { amount };
        let signed = negative || !matches!(amount.ty, Type::Int { bits: 64, signed: false });
        self.join_value(place.map, Value::Plain(Type::Int { bits: 64, signed }), span)?;
        Some(Statement::Add(place, amount))
    }

    pub(super) fn join_value(&mut self, map: usize, value: Value, span: Span) -> Option<()> {
        match self.state.maps.join_value(map, value, span) {
            Ok(()) => Some(()),
            Err(error) => {
                self.error(error);
                None
            }
        }
    }

    fn call_statement(&mut self, name: &ast::Name, arguments: &[ast::Expr], span: Span, out: &mut Vec<Statement>) {
        let Some(row) = Row::named(&name.text) else {
            self.unknown_function(name);
            return;
        };
        match row.role {
            Role::Action => {
                if self.arity(row, arguments.len(), span).is_some() {
                    self.action(row, arguments, span, out);
                }
            }
            Role::Aggregation => {
                let title = format!("`{}` must be given to a map", row.name);
                let error = Diagnostic::error("E0307", span, title, format!("expected `{}`", row.signature));
                self.error(error);
            }
            Role::Value => {
                let Some(value) = self.call(name, arguments, span) else { return };
                match value.kind {
                    // Those that do something may stand alone.
                    ExprKind::Delete(_) | ExprKind::After(..) => out.push(Statement::Evaluate(value)),
                    _ => {
                        let title = format!("`{}` alone does nothing", row.name);
                        self.error(
                            Diagnostic::error("E0306", span, title, "a value that nobody uses")
                                .help("print it: `print(...)`"),
                        );
                    }
                }
            }
        }
    }

    /// Two values of a record or key are to be computed once: a value that is kept.
    pub(super) fn once(&mut self, value: Expr, out: &mut Vec<Statement>) -> Expr {
        let (keep, kept) = self.keep(value);
        out.push(keep);
        kept
    }
}

/// Whether an expression can stand as a statement.
fn acts(expr: &ast::Expr) -> bool {
    match &expr.kind {
        Ast::Call(name, _) => Row::named(&name.text).is_none_or(|row| row.role != Role::Value),
        Ast::Step { .. } | Ast::Block(..) => true,
        Ast::Ternary(_, then, otherwise) => acts(then) || acts(otherwise),
        _ => false,
    }
}
