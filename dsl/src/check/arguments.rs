//! What goes into a record: the arguments of `printf`, `print` and `emit`.

use scope_common::record::HEADER;

use crate::ast::{self, ExprKind as Ast};
use crate::checked::{Access, Action, Argument, Expr, ExprKind, Slot, Statement};
use crate::diagnostic::Diagnostic;
use crate::functions::Row;
use crate::printf::{self, Piece, Spec};
use crate::source::Span;
use crate::types::Type;

use super::Checker;

/// The values of a record, and how long it is so far.
#[derive(Default)]
pub struct Record {
    pub values: Vec<Expr>,
    length: usize,
}

impl Record {
    fn add(&mut self, value: Expr) -> Slot {
        // A text that the kernel reads from memory has an unknown length: it lies behind the other values.
        let apart = matches!(value.kind, ExprKind::Str { .. } | ExprKind::Access(Access::DataLocation(_)));
        let slot = Slot { offset: HEADER + self.length, ty: value.ty.clone(), apart };
        self.length += if apart { 8 } else { value.ty.size() };
        self.values.push(value);
        slot
    }
}

impl Checker<'_> {
    /// Checks a value that goes into a record; a call of a script's function happens when the record is printed.
    pub(super) fn argument(&mut self, expr: &ast::Expr, record: &mut Record) -> Option<Argument> {
        if let Ast::Call(name, arguments) = &expr.kind
            && Row::named(&name.text).is_none()
        {
            let Some(function) = self.functions.get(&name.text) else {
                self.unknown_function(name);
                return None;
            };
            if function.arity != arguments.len() {
                let title = format!("`{}` takes {} arguments, not {}", name.text, function.arity, arguments.len());
                let error = Diagnostic::error("E0311", expr.span, title, "").also(function.name.span, "defined here");
                self.error(error);
                return None;
            }
            let arguments = arguments.iter().map(|argument| self.argument(argument, record));
            // All are checked before the first failure counts, so that each error is reported.
            let arguments = arguments.collect::<Vec<_>>().into_iter().collect::<Option<Vec<_>>>()?;
            return Some(Argument::Call(name.text.clone(), arguments));
        }
        let value = self.expr(expr)?;
        Some(Argument::Slot(record.add(value)))
    }

    pub(super) fn printf(&mut self, arguments: &[ast::Expr], span: Span) -> Option<Statement> {
        let (format, values) = arguments.split_first().expect("the arity is checked");
        let text = self.literal_text(format)?;
        let mut record = Record::default();
        let checked = values.iter().map(|value| self.argument(value, &mut record)).collect::<Vec<_>>();
        let pieces = match printf::parse(&text) {
            Ok(pieces) => pieces,
            Err((at, problem)) => {
                let end = text[at + 1..].find(char::is_alphabetic).map_or(text.len(), |end| at + end + 2);
                let title = format!("`{}` in the format means nothing", text[at..end].escape_debug());
                let help = format!("conversions are {}, and %% for a percent sign", printf::CONVERSIONS);
                self.error(Diagnostic::error("E0312", format.span, title, problem).help(help));
                return None;
            }
        };
        let specs = pieces.iter().filter_map(|piece| match piece {
            Piece::Value(spec) => Some(spec),
            Piece::Text(_) => None,
        });
        let specs = specs.collect::<Vec<_>>();
        if specs.len() != values.len() {
            let title = format!("the format has {} conversions, but {} values follow", specs.len(), values.len());
            self.error(Diagnostic::error("E0312", span, title, "").also(format.span, "the format"));
            return None;
        }
        let mut fits = true;
        for ((spec, value), argument) in specs.iter().zip(values).zip(&checked) {
            if let Some(Argument::Slot(slot)) = argument {
                fits &= self.conversion(spec, &slot.ty, value.span);
            }
        }
        let arguments = checked.into_iter().collect::<Option<Vec<_>>>()?;
        fits.then(|| self.output(Action::Printf { pieces, arguments }, record.values))
    }

    /// Checks that a value can be printed by a conversion.
    fn conversion(&mut self, spec: &Spec, ty: &Type, span: Span) -> bool {
        let (fits, advice) = match (spec.conversion, ty) {
            ('s', Type::Text { .. } | Type::Syscall | Type::Probe) => (true, ""),
            ('s', Type::Pointer(_)) => (false, "`str(...)` reads the text at an address"),
            ('s', _) => (false, "`%d` prints an integer"),
            (_, Type::Text { .. } | Type::Probe) => (false, "`%s` prints a string"),
            _ => (true, ""),
        };
        if !fits {
            let title = format!("`%{}` can't print {}", spec.conversion, ty.describe());
            let error = Diagnostic::error("E0313", span, title, format!("this is {}", ty.describe()));
            self.error(error.help(advice));
        }
        fits
    }

    pub(super) fn print(&mut self, arguments: &[ast::Expr]) -> Option<Statement> {
        if let Ast::Map(_, keys) = &arguments[0].kind
            && keys.is_empty()
        {
            let map = self.whole_map(&arguments[0])?;
            let top = arguments.get(1).map(|top| self.constant(top, 0..=u32::MAX.into()));
            let divisor = arguments.get(2).map(|divisor| self.constant(divisor, 1..=i64::MAX as u64));
            if top == Some(None) || divisor == Some(None) {
                return None;
            }
            // As in bpftrace, a top of 0 means all.
            let top = top.flatten().filter(|top| *top > 0).map(|top| top as usize);
            return Some(self.output(Action::PrintMap { map, top, divisor: divisor.flatten() }, Vec::new()));
        }
        if let Some(extra) = arguments.get(1) {
            let error = Diagnostic::error("E0311", extra.span, "only a whole map takes more arguments", "");
            self.error(error.help("`print(@map, top, divisor)` prints the greatest entries"));
            return None;
        }
        let mut record = Record::default();
        let argument = self.argument(&arguments[0], &mut record)?;
        Some(self.output(Action::Print(argument), record.values))
    }

    /// Checks that an argument is a string literal.
    pub(super) fn literal_text(&mut self, expr: &ast::Expr) -> Option<String> {
        match &expr.kind {
            Ast::Str(text) => Some(text.clone()),
            _ => {
                self.error(Diagnostic::error("E0312", expr.span, "not a string literal", "expected \"...\""));
                None
            }
        }
    }
}
