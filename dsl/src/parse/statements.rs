//! Blocks and statements.

use pest::iterators::Pair;

use crate::ast::{Block, EmitField, Expr, Statement, StatementKind};

use super::expressions::binary;
use super::{Builder, Rule};

impl Builder<'_> {
    pub(super) fn block(&mut self, pair: Pair<'_, Rule>) -> Block {
        pair.into_inner().map(|statement| self.statement(statement)).collect()
    }

    fn statement(&mut self, pair: Pair<'_, Rule>) -> Statement {
        let span = self.span(&pair);
        let kind = match pair.as_rule() {
            Rule::if_statement => return self.if_statement(pair),
            Rule::while_statement => {
                let (condition, body) = self.headed(pair);
                StatementKind::While { condition, body }
            }
            Rule::unroll_statement => {
                let (count, body) = self.headed(pair);
                StatementKind::Unroll { count, body }
            }
            Rule::for_statement => self.for_statement(pair),
            Rule::block => StatementKind::Block(self.block(pair)),
            Rule::emit_statement => self.emit_statement(pair),
            Rule::let_statement => self.let_statement(pair),
            Rule::return_statement => StatementKind::Return(pair.into_inner().nth(1).map(|value| self.expr(value))),
            Rule::loop_exit if pair.as_str() == "break" => StatementKind::Break,
            Rule::loop_exit => StatementKind::Continue,
            Rule::discard => StatementKind::Discard(self.only(pair)),
            Rule::assignment => {
                let mut parts = pair.into_inner();
                let target = parts.next().expect("an assignment has a target");
                let target = self.primary(target);
                let operator = parts.next().expect("an assignment has an operator");
                let operator = binary(operator.as_str().strip_suffix('=').unwrap_or_default());
                let value = self.expr(parts.next().expect("an assignment has a value"));
                StatementKind::Assign { target, operator, value }
            }
            _ => StatementKind::Expr(self.expr(pair)),
        };
        Statement { kind, span }
    }

    fn only(&mut self, pair: Pair<'_, Rule>) -> Expr {
        self.expr(pair.into_inner().next().expect("it holds an expression"))
    }

    /// The expression and the block behind a keyword.
    fn headed(&mut self, pair: Pair<'_, Rule>) -> (Expr, Block) {
        let mut parts = pair.into_inner().skip(1);
        let head = self.expr(bare(parts.next().expect("there is an expression")));
        (head, self.block(parts.next().expect("there is a block")))
    }

    fn if_statement(&mut self, pair: Pair<'_, Rule>) -> Statement {
        let span = self.span(&pair);
        let mut parts =
            pair.into_inner().filter(|part| !matches!(part.as_rule(), Rule::if_keyword | Rule::else_keyword));
        let condition = self.expr(bare(parts.next().expect("an if has a condition")));
        let then = self.block(parts.next().expect("an if has a block"));
        let otherwise = match parts.next() {
            None => Vec::new(),
            Some(part) if part.as_rule() == Rule::if_statement => vec![self.if_statement(part)],
            Some(part) => self.block(part),
        };
        Statement { kind: StatementKind::If { condition, then, otherwise }, span }
    }

    fn for_statement(&mut self, pair: Pair<'_, Rule>) -> StatementKind {
        let mut parts = pair.into_inner().skip(1);
        let head = parts.next().expect("a for has a head");
        let body = self.block(parts.next().expect("a for has a block"));
        let mut head = head.into_inner();
        let variable = self.name(&head.next().expect("a for has a variable"));
        let over = head.nth(1).expect("a for goes over something, behind a colon");
        if over.as_rule() == Rule::map_name {
            return StatementKind::Each { variable, map: self.name(&over), body };
        }
        let mut ends = over.into_inner().map(|end| self.expr(end));
        let mut end = || ends.next().expect("a range has two ends");
        let (from, to) = (end(), end());
        StatementKind::For { variable, from, to, body }
    }

    fn let_statement(&mut self, pair: Pair<'_, Rule>) -> StatementKind {
        let mut parts = pair.into_inner().skip(1);
        let name = self.name(&parts.next().expect("a let has a variable"));
        let (mut ty, mut value) = (None, None);
        for part in parts {
            match part.as_rule() {
                Rule::type_name => ty = Some(self.type_name(part)),
                _ => value = Some(self.only(part)),
            }
        }
        StatementKind::Let { name, ty, value }
    }

    fn emit_statement(&mut self, pair: Pair<'_, Rule>) -> StatementKind {
        let mut parts = pair.into_inner().skip(1);
        let record = self.name(&parts.next().expect("an emit has a name"));
        let mut column = true;
        let mut fields = Vec::new();
        for field in parts {
            if field.as_rule() == Rule::emit_more {
                column = false;
                continue;
            }
            let mut parts = field.into_inner();
            let first = parts.next().expect("a field has a value");
            fields.push(if first.as_rule() == Rule::identifier {
                let value = self.expr(parts.next().expect("a named field has a value"));
                EmitField { name: Some(self.name(&first)), value, column }
            } else {
                EmitField { name: None, value: self.expr(first), column }
            });
        }
        StatementKind::Emit { name: record, fields }
    }
}

/// An expression without the brackets around the whole of it: behind a keyword they are no part of it.
fn bare(expr: Pair<'_, Rule>) -> Pair<'_, Rule> {
    let inner = only(expr.clone(), Rule::term).and_then(|term| only(term, Rule::parentheses));
    inner.and_then(|inner| only(inner, Rule::expr)).unwrap_or(expr)
}

/// What a pair holds, if it holds nothing but a pair of one rule.
fn only(pair: Pair<'_, Rule>, rule: Rule) -> Option<Pair<'_, Rule>> {
    let mut parts = pair.into_inner();
    parts.next().filter(|part| part.as_rule() == rule && parts.next().is_none())
}
