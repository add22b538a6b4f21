//! What goes into a record: the arguments of `printf`, `print` and `emit`.

use scope_common::record::HEADER;

use crate::ast::{self, ExprKind as Ast};
use crate::checked::{Access, Action, Argument, Expr, ExprKind, Purpose, Slot, Statement};
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
    pub fn add(&mut self, value: Expr) -> Slot {
        // A text that the kernel reads from memory has an unknown length: it lies behind the other values.
        let apart = is_apart(&value);
        let slot = Slot { offset: HEADER + self.length, ty: value.ty.clone(), apart };
        self.length += if apart { 8 } else { value.ty.size() };
        self.values.push(value);
        slot
    }

    /// Adds a value that has to lie as one of this type does.
    pub fn add_as(&mut self, value: Expr, ty: Type) -> Slot {
        let slot = Slot { offset: HEADER + self.length, ty: ty.clone(), apart: false };
        self.length += ty.size();
        let span = value.span;
        let kind = if ty.is_word() { value.kind } else { ExprKind::As(Box::new(value)) };
        self.values.push(Expr { kind, ty, span });
        slot
    }
}

/// Whether a value of a record lies behind the others, since only the run knows how long it is.
#[must_use]
pub fn is_apart(value: &Expr) -> bool {
    matches!(value.kind, ExprKind::Str { .. } | ExprKind::Access(Access::DataLocation(_)))
}

/// How long a record with these values is, without the texts that lie behind them.
#[must_use]
pub fn length(values: &[Expr]) -> usize {
    HEADER + values.iter().map(|value| if is_apart(value) { 8 } else { value.ty.size() }).sum::<usize>()
}

/// A number of things, in words.
pub fn counted(number: usize, thing: &str) -> String {
    if number == 1 { format!("1 {thing}") } else { format!("{number} {thing}s") }
}

/// How many values stand somewhere, in words.
fn follow(number: usize) -> String {
    match number {
        0 => "no value stands".to_owned(),
        1 => "1 value stands".to_owned(),
        _ => format!("{number} values stand"),
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
                let title =
                    format!("`{}` takes {}, not {}", name.text, counted(function.arity, "argument"), arguments.len());
                let error = Diagnostic::error("E0311", expr.span, title, "").also(function.name.span, "defined here");
                self.error(error);
                return None;
            }
            let arguments = arguments.iter().map(|argument| self.argument(argument, record));
            // All are checked before the first failure counts, so that each error is reported.
            let arguments = arguments.collect::<Vec<_>>().into_iter().collect::<Option<Vec<_>>>()?;
            return Some(Argument::Call(name.text.clone(), arguments));
        }
        let value = self.value(expr)?;
        Some(Argument::Slot(record.add(value)))
    }

    /// `printf` and all that prints by a format.
    pub(super) fn printf(&mut self, arguments: &[ast::Expr], purpose: Purpose, span: Span) -> Option<Statement> {
        let (format, values) = arguments.split_first().expect("the arity is checked");
        let text = self.literal_bytes(format)?;
        let mut record = Record::default();
        let checked = values.iter().map(|value| self.argument(value, &mut record)).collect::<Vec<_>>();
        let pieces = match printf::parse(&text) {
            Ok(pieces) => pieces,
            Err((at, problem)) => {
                let shown = String::from_utf8_lossy(&text[at..]);
                let shown = shown.split_inclusive(char::is_alphabetic).next().unwrap_or_default();
                let title = format!("`{}` in the format means nothing", shown.escape_debug());
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
            let title = format!(
                "the format has {}, but {} behind it",
                counted(specs.len(), "conversion"),
                follow(values.len())
            );
            self.error(Diagnostic::error("E0359", span, title, "").also(format.span, "the format"));
            return None;
        }
        let mut fits = true;
        for ((spec, value), argument) in specs.iter().zip(values).zip(&checked) {
            if let Some(Argument::Slot(slot)) = argument {
                fits &= self.conversion(spec, &slot.ty, value.span);
            }
        }
        let arguments = checked.into_iter().collect::<Option<Vec<_>>>()?;
        fits.then(|| self.output(Action::Printf { pieces, arguments, purpose, span }, record.values))
    }

    /// Checks that a value can be printed by a conversion.
    fn conversion(&mut self, spec: &Spec, ty: &Type, span: Span) -> bool {
        let number = ty.is_number() || matches!(ty, Type::Named(_) | Type::Time(_) | Type::Mac);
        let (fits, advice) = match spec.conversion {
            'r' => (
                matches!(ty, Type::Buffer { .. } | Type::Text { .. } | Type::Memory(_)),
                "`buf(pointer, n)` gives the bytes at an address",
            ),
            's' => match ty {
                Type::Pointer { .. } => (false, "`str(...)` reads the text at an address"),
                Type::Int { .. } => (false, "`%d` prints an integer"),
                _ => (true, ""),
            },
            'g' => (number, "allocation flags are an integer"),
            _ => (
                number && !matches!(ty, Type::Named(crate::types::Named::Probe | crate::types::Named::Function)),
                "`%s` prints it",
            ),
        };
        if !fits {
            let shown = if spec.conversion == 'g' { "gr".to_owned() } else { spec.conversion.to_string() };
            let title = format!("`%{shown}` can't print {}", ty.describe());
            let error = Diagnostic::error("E0313", span, title, format!("this is {}", ty.describe()));
            self.error(error.help(advice));
        }
        fits
    }
}
