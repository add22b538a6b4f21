//! What a script hardly means, seen without types: statements that nothing reaches, variables that nothing reads.

use std::collections::{HashMap, HashSet};

use crate::ast::{Block, Expr, ExprKind, Script, Statement, StatementKind};
use crate::diagnostic::{Diagnostic, Diagnostics};
use crate::source::Span;
use crate::uses::{each, each_in};

/// Looks the clauses of a script through.
pub fn look(script: &Script, found: &mut Diagnostics) {
    for clause in &script.clauses {
        unreached(&clause.body, found);
        let mut variables = Variables::default();
        variables.block(&clause.body);
        if let Some(predicate) = &clause.predicate {
            variables.read(predicate);
        }
        variables.unread(found);
    }
}

/// Whether an expression holds nothing but literals.
pub fn only_literals(expr: &Expr) -> bool {
    let mut only = true;
    let truth = |name: &str| matches!(name, "true" | "false");
    each(expr, &mut |part| {
        only &= matches!(
            &part.kind,
            ExprKind::Ident(name) if truth(name)
        ) || matches!(
            part.kind,
            ExprKind::Int(_)
                | ExprKind::Str(_)
                | ExprKind::Unary(..)
                | ExprKind::Binary(..)
                | ExprKind::Ternary(..)
                | ExprKind::Tuple(_)
        );
    });
    only
}

/// Says what stands behind a statement that leaves the block.
fn unreached(block: &Block, found: &mut Diagnostics) {
    for (statement, next) in block.iter().zip(block.iter().skip(1)) {
        if let Some(what) = leaves(statement) {
            let warning = Diagnostic::warning("W0006", next.span, "this is never reached", "");
            found.push(warning.also(statement.span, format!("{what} here")));
            break;
        }
    }
    for statement in block {
        match &statement.kind {
            StatementKind::If { then, otherwise, .. } => {
                unreached(then, found);
                unreached(otherwise, found);
            }
            StatementKind::While { body, .. }
            | StatementKind::For { body, .. }
            | StatementKind::Each { body, .. }
            | StatementKind::Unroll { body, .. }
            | StatementKind::Block(body) => unreached(body, found),
            _ => {}
        }
    }
}

/// What a statement leaves, if it always does.
fn leaves(statement: &Statement) -> Option<&'static str> {
    match &statement.kind {
        StatementKind::Return(_) => Some("the clause ends"),
        StatementKind::Break => Some("the loop is left"),
        StatementKind::Continue => Some("the next round begins"),
        StatementKind::Expr(Expr { kind: ExprKind::Call(name, _), .. }) if name.text == "exit" => {
            Some("the trace ends")
        }
        StatementKind::Block(body) => body.iter().find_map(leaves),
        StatementKind::If { then, otherwise, .. } => {
            let then = then.iter().find_map(leaves)?;
            otherwise.iter().find_map(leaves).filter(|what| *what == then)
        }
        _ => None,
    }
}

/// The scratch variables of a clause, by name.
#[derive(Default)]
struct Variables<'s> {
    /// Where each is first given a value.
    given: HashMap<&'s str, Span>,
    read: HashSet<String>,
}

impl<'s> Variables<'s> {
    fn give(&mut self, name: &'s str, span: Span) {
        self.given.entry(name).or_insert(span);
    }

    fn read(&mut self, expr: &Expr) {
        each(expr, &mut |part| self.note(part));
    }

    fn note(&mut self, part: &Expr) {
        if let ExprKind::Var(name) = &part.kind {
            self.read.insert(name.clone());
        }
    }

    fn block(&mut self, block: &'s Block) {
        for statement in block {
            self.statement(statement);
        }
    }

    fn statement(&mut self, statement: &'s Statement) {
        match &statement.kind {
            StatementKind::Assign { target: Expr { kind: ExprKind::Var(name), span }, value, .. } => {
                self.give(name, *span);
                self.read(value);
            }
            StatementKind::Let { name, value, .. } => {
                self.give(&name.text, name.span);
                // Its type may name another variable.
                each_in(&vec![statement.clone()], &mut |part| self.note(part));
                value.iter().for_each(|value| self.read(value));
            }
            // Counting a variable up is no use of it.
            StatementKind::Expr(Expr { kind: ExprKind::Step { target, .. }, .. })
                if matches!(target.kind, ExprKind::Var(_)) => {}
            StatementKind::If { condition, then, otherwise } => {
                self.read(condition);
                self.block(then);
                self.block(otherwise);
            }
            StatementKind::While { condition: head, body } | StatementKind::Unroll { count: head, body } => {
                self.read(head);
                self.block(body);
            }
            StatementKind::For { from, to, body, .. } => {
                self.read(from);
                self.read(to);
                self.block(body);
            }
            StatementKind::Each { body, .. } | StatementKind::Block(body) => self.block(body),
            _ => each_in(&vec![statement.clone()], &mut |part| self.note(part)),
        }
    }

    fn unread(self, found: &mut Diagnostics) {
        let mut unread = self.given.iter().filter(|(name, _)| !self.read.contains(**name)).collect::<Vec<_>>();
        // A macro's own variables have a dot in their names.
        unread.retain(|(name, _)| !name.starts_with("$_") && !name.contains('.'));
        unread.sort_by_key(|(_, span)| span.start);
        for (name, span) in unread {
            let warning = Diagnostic::warning("W0007", *span, format!("`{name}` is never used"), "nothing reads it");
            let near = self.read.iter().filter(|read| !self.given.contains_key(read.as_str())).map(String::as_str);
            found.push(warning.suggest(name, near).help("`_ = value` drops a value on purpose"));
        }
    }
}
