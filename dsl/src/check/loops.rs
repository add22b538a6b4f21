//! Loops: each has an end that is known, or one that is set.

use scope_common::arith::Alu;

use crate::ast::{self, Name};
use crate::checked::{Expr, ExprKind, Loop, Statement};
use crate::diagnostic::Diagnostic;
use crate::limits::{LOOP_DEPTH, UNROLL, UNROLLED, USER_ROUNDS};
use crate::source::Span;
use crate::types::{Part, Type};

use super::Checker;
use super::operators::{alu, int};

impl Checker<'_> {
    /// Checks the body of a loop.
    fn loop_body(&mut self, body: &ast::Block, span: Span) -> Vec<Statement> {
        self.clause.scopes.loops += 1;
        if self.clause.scopes.loops > LOOP_DEPTH {
            let title = format!("loops nest more than {LOOP_DEPTH} deep");
            self.error(Diagnostic::error("E0403", span, title, "this one is too deep"));
        }
        let body = self.block(body);
        self.clause.scopes.loops -= 1;
        body
    }

    /// The most rounds that a loop of this clause may have.
    fn most_rounds(&self) -> u64 {
        if self.in_userspace() { USER_ROUNDS } else { crate::lower::KERNEL_ROUNDS }
    }

    pub(super) fn while_loop(&mut self, condition: &ast::Expr, body: &ast::Block, span: Span) -> Option<Statement> {
        let condition = self.condition(condition);
        let body = self.loop_body(body, span);
        let condition = condition?;
        let condition = match condition.kind {
            ExprKind::Int(0) => return Some(Statement::If(condition, Vec::new(), Vec::new())),
            ExprKind::Int(_) if !leaves(&body) => {
                let error = Diagnostic::error(
                    "E0408",
                    condition.span,
                    "this loop never ends",
                    "always true, and nothing leaves it",
                );
                let rounds = if self.in_userspace() { USER_ROUNDS } else { self.given.config.max_loop_rounds.into() };
                let help = format!("a loop is cut after {rounds} rounds; `break` leaves it, `for ($i : 0..10)` counts");
                self.error(error.help(help));
                return None;
            }
            ExprKind::Int(_) => None,
            _ => Some(condition),
        };
        Some(Statement::Loop(Loop { condition, body, step: Vec::new(), rounds: None, span }))
    }

    pub(super) fn for_loop(
        &mut self,
        variable: &Name,
        from: &ast::Expr,
        to: &ast::Expr,
        body: &ast::Block,
        span: Span,
        out: &mut Vec<Statement>,
    ) {
        let (from, to) = (self.number(from), self.number(to));
        let (Some(from), Some(to)) = (from, to) else { return };
        let rounds = match (&from.kind, &to.kind) {
            (ExprKind::Int(from), ExprKind::Int(to)) => Some((*to as i64).saturating_sub(*from as i64).max(0) as u64),
            _ => None,
        };
        let most = self.most_rounds();
        if let Some(rounds) = rounds.filter(|rounds| *rounds > most) {
            let title = format!("this loop has {rounds} rounds; the limit is {most}");
            self.error(Diagnostic::error("E0407", from.span.to(to.span), title, "too many"));
            return;
        }
        // The end is computed once.
        let to = if rounds.is_some() { to } else { self.once(to, out) };
        let done = self.scoped(|checker| {
            let number = checker.loop_variable(variable, Type::SIGNED);
            let start = Statement::SetVariable(number, Expr { ty: Type::SIGNED, ..from });
            let body = checker.loop_body(body, span);
            let value = Expr { kind: ExprKind::Variable(number), ty: Type::SIGNED, span: variable.span };
            let next = alu(Alu::Add, value.clone(), int(1, Type::SIGNED, span), Type::SIGNED, span);
            let step = vec![Statement::SetVariable(number, next)];
            let condition = rounds.is_none().then(|| alu(Alu::LtS, value, to, Type::Bool, span));
            [start, Statement::Loop(Loop { condition, body, step, rounds, span })]
        });
        // No round at all is no loop.
        if rounds != Some(0) {
            out.extend(done);
        }
    }

    /// `for ($kv : @map)`, in userspace.
    pub(super) fn each(&mut self, variable: &Name, map: &Name, body: &ast::Block, span: Span) -> Option<Statement> {
        if !self.in_userspace() {
            let title = "a kernel clause can't go through a map";
            let error = Diagnostic::error("E0366", map.span, title, "its entries change all the while");
            self.error(error.help("do it in an `interval` or `END` clause"));
            return None;
        }
        let place = ast::Expr { kind: ast::ExprKind::Map(map.text.clone(), Vec::new()), span: map.span };
        let number = self.whole_map(&place)?;
        let (key, value) = self.state.maps.entry_types(number);
        let key = match key.as_slice() {
            [] => {
                let error = Diagnostic::error(
                    "E0367",
                    map.span,
                    format!("`{}` has no keys", map.text),
                    "there is nothing to go through",
                );
                // Not known before the pass that sees its keys.
                if self.state.maps.has_key_types(number) {
                    self.error(error);
                }
                Type::SIGNED
            }
            [only] => only.clone(),
            several => Type::Tuple(several.iter().map(|ty| Part { name: None, ty: ty.clone() }).collect()),
        };
        let ty = Type::Tuple([Part { name: None, ty: key }, Part { name: None, ty: value }].into());
        let (variable, body) = self.scoped(|checker| {
            let number = checker.loop_variable(variable, ty);
            (number, checker.loop_body(body, span))
        });
        Some(Statement::Each { map: number, variable, body, span })
    }

    pub(super) fn unroll(&mut self, count: &ast::Expr, body: &ast::Block, span: Span, out: &mut Vec<Statement>) {
        let Some(count) = self.constant(count, 0..=UNROLL) else { return };
        // Each round is checked for itself, so that its variables are its own; errors are said once.
        for _ in 0..count {
            self.clause.unrolled += 1;
            if self.clause.unrolled > UNROLLED {
                // Said once: what is counted from here on is beyond.
                if self.clause.unrolled > UNROLLED + 1 {
                    return;
                }
                let title = format!("the `unroll`s of this clause come to more than {UNROLLED} blocks");
                self.error(Diagnostic::error("E0407", span, title, "the first too many"));
                return;
            }
            out.extend(self.block(body));
        }
    }

    pub(super) fn loop_exit(&mut self, word: &str, statement: Statement, span: Span) -> Option<Statement> {
        if self.clause.scopes.loops > 0 {
            return Some(statement);
        }
        let error =
            Diagnostic::error("E0353", span, format!("`{word}` stands outside a loop"), "there is nothing to leave");
        self.error(if word == "break" { error.help("`return` ends the clause") } else { error });
        None
    }
}

/// Whether statements can leave the loop that they are the body of.
fn leaves(body: &[Statement]) -> bool {
    body.iter().any(|statement| match statement {
        Statement::Break | Statement::Stop => true,
        Statement::If(_, then, otherwise) => leaves(then) || leaves(otherwise),
        // A `break` in there leaves the inner loop; the end of the clause leaves both.
        Statement::Loop(Loop { body, .. }) | Statement::Each { body, .. } => stops(body),
        _ => false,
    })
}

fn stops(body: &[Statement]) -> bool {
    body.iter().any(|statement| match statement {
        Statement::Stop => true,
        Statement::If(_, then, otherwise) => stops(then) || stops(otherwise),
        Statement::Loop(Loop { body, .. }) | Statement::Each { body, .. } => stops(body),
        _ => false,
    })
}
