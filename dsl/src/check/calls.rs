//! Calls inside expressions, and what all calls have in common.

use std::ops::RangeInclusive;

use scope_common::plan::MAX_STRING;

use crate::ast::{self, Name};
use crate::checked::{Expr, ExprKind};
use crate::diagnostic::Diagnostic;
use crate::functions::{Function, Role, Row, TABLE};
use crate::limits::DEFAULT_STRING;
use crate::source::Span;
use crate::types::{Space, Type};

use super::Checker;

impl Checker<'_> {
    pub(super) fn unknown_function(&mut self, name: &Name) {
        if self.functions.contains_key(&name.text) {
            let title = format!("`{}` is a function of the user stage", name.text);
            let label = "it can't be called here";
            let error = Diagnostic::error("E0314", name.span, title, label);
            self.error(error.help("call it as an argument of `printf`, `print` or a field of `emit`: it runs when the record is printed"));
            return;
        }
        let names = TABLE.iter().map(|row| row.name).chain(self.functions.keys().map(String::as_str));
        let error = Diagnostic::error("E0315", name.span, format!("unknown function `{}`", name.text), "no such function");
        let error = error.suggest(&name.text, names);
        self.error(error);
    }

    pub(super) fn arity(&mut self, row: &Row, given: usize, span: Span) -> Option<()> {
        let (least, most) = row.arity;
        if (least..=most).contains(&given) {
            return Some(());
        }
        let title = format!("`{}` does not take {given} arguments", row.name);
        self.error(Diagnostic::error("E0311", span, title, format!("expected `{}`", row.signature)));
        None
    }

    /// Checks that an argument is a number known when the script is compiled.
    pub(super) fn constant(&mut self, expr: &ast::Expr, range: RangeInclusive<u64>) -> Option<u64> {
        let value = self.expr(expr)?;
        match value.kind {
            ExprKind::Int(value) if range.contains(&value) => Some(value),
            _ => {
                let label = format!("expected a literal from {} to {}", range.start(), range.end());
                self.error(Diagnostic::error("E0316", expr.span, "not such a number", label));
                None
            }
        }
    }

    pub(super) fn call(&mut self, name: &Name, arguments: &[ast::Expr], span: Span) -> Option<Expr> {
        let Some(row) = Row::named(&name.text) else {
            self.unknown_function(name);
            return None;
        };
        self.arity(row, arguments.len(), span)?;
        match (row.role, row.function) {
            (Role::Value, Function::Str) => self.str(arguments, span),
            (Role::Value, _) => {
                let number = self.number(&arguments[0])?;
                Some(Expr { kind: ExprKind::As(Box::new(number)), ty: Type::Syscall, span })
            }
            (Role::Aggregation, _) => {
                let title = format!("`{}` is no value", row.name);
                self.error(Diagnostic::error("E0307", span, title, format!("expected `{}`", row.signature)));
                None
            }
            (Role::Action, _) => {
                let title = format!("`{}` has no value", row.name);
                self.error(Diagnostic::error("E0307", span, title, "it can only stand as a statement"));
                None
            }
        }
    }

    fn str(&mut self, arguments: &[ast::Expr], span: Span) -> Option<Expr> {
        let max = match arguments.get(1) {
            Some(max) => self.constant(max, 1..=MAX_STRING as u64)? as usize,
            None => DEFAULT_STRING,
        };
        if let ast::ExprKind::Var(name) = &arguments[0].kind
            && let Some(text) = self.parameter(name)
        {
            let text = ast::Expr { kind: ast::ExprKind::Str(text.to_owned()), span };
            return self.expr(&text);
        }
        let address = self.expr(&arguments[0])?;
        match address.ty {
            // The text of a field or the name of a task is no address: it is there already.
            Type::Text { .. } => Some(address),
            Type::Int { .. } | Type::Pointer(_) if self.in_userspace() => {
                let title = "there is no process to read from";
                let label = "BEGIN, END and interval run in scope itself";
                self.error(Diagnostic::error("E0317", span, title, label));
                None
            }
            Type::Int { .. } => {
                let address = Expr { ty: Type::Pointer(Space::User), ..address };
                Some(Expr { kind: ExprKind::Str { address: Box::new(address), max }, ty: Type::text(max), span })
            }
            Type::Pointer(_) => Some(Expr { kind: ExprKind::Str { address: Box::new(address), max }, ty: Type::text(max), span }),
            _ => {
                let label = format!("this is {}", address.ty.describe());
                self.error(Diagnostic::error("E0318", address.span, "not an address", label));
                None
            }
        }
    }
}
