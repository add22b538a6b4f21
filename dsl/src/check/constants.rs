//! What is known when a script is compiled: literals, parameters, options, sizes.

use std::ops::RangeInclusive;

use crate::ast::{self, ExprKind as Ast, Name, TypeRef};
use crate::checked::{Expr, ExprKind};
use crate::ctypes::{CType, Named as Tag};
use crate::diagnostic::Diagnostic;
use crate::source::Span;
use crate::types::Type;

use super::operators::int;
use super::{Checker, ScriptOption};

impl Checker<'_> {
    /// Checks that an argument is a number known when the script is compiled.
    pub(super) fn constant(&mut self, expr: &ast::Expr, range: RangeInclusive<u64>) -> Option<u64> {
        let value = self.expr(expr)?;
        match value.kind {
            ExprKind::Int(value) if range.contains(&value) => Some(value),
            ExprKind::Int(value) => {
                let title = format!("{} is out of range here", value as i64);
                let label = format!("expected {} to {}", range.start(), range.end());
                self.error(Diagnostic::error("E0316", expr.span, title, label));
                None
            }
            _ => {
                let label = format!("expected a literal from {} to {}", range.start(), range.end());
                self.error(Diagnostic::error("E0361", expr.span, "not known when the script is compiled", label));
                None
            }
        }
    }

    /// The same for a number with a sign.
    pub(super) fn signed_constant(&mut self, expr: &ast::Expr) -> Option<i64> {
        let value = self.expr(expr)?;
        match value.kind {
            ExprKind::Int(value) => Some(value as i64),
            _ => {
                self.error(Diagnostic::error(
                    "E0361",
                    expr.span,
                    "not known when the script is compiled",
                    "expected a literal",
                ));
                None
            }
        }
    }

    /// Checks that an argument is a string literal, or one of the script's own parameters.
    pub(super) fn literal_bytes(&mut self, expr: &ast::Expr) -> Option<Vec<u8>> {
        if let Ast::Str(bytes) = &expr.kind {
            return Some(bytes.clone());
        }
        match self.expr(expr)?.kind {
            ExprKind::Text(text) => Some(text),
            _ => {
                self.error(Diagnostic::error("E0360", expr.span, "not a string literal", "expected \"...\""));
                None
            }
        }
    }

    /// The same where bytes that are no text make no sense, as in a name.
    pub(super) fn literal_text(&mut self, expr: &ast::Expr) -> Option<String> {
        let text = String::from_utf8(self.literal_bytes(expr)?);
        if text.is_err() {
            self.error(Diagnostic::error("E0360", expr.span, "this string is not UTF-8", "expected a text"));
        }
        text.ok()
    }

    /// The text of `$1`, `$2`, ...: empty past the last, as in bpftrace.
    pub(super) fn parameter_text(&self, number: usize) -> &str {
        if number == 0 {
            return "scope";
        }
        self.given.context.arguments.get(number - 1).map_or("", String::as_str)
    }

    /// `$1`: a number; `str($1)` is its text.
    pub(super) fn parameter(&mut self, number: usize, span: Span) -> Option<Expr> {
        let text = self.parameter_text(number).to_owned();
        if text.is_empty() {
            return Some(int(0, Type::SIGNED, span));
        }
        let value = number_of(&text);
        if value.is_none() {
            let error = Diagnostic::error(
                "E0332",
                span,
                format!("`${number}` is no number"),
                format!("the script was given `{text}`"),
            );
            self.error(error.help(format!("`str(${number})` is its text")));
        }
        value.map(|value| value.into_expr(span))
    }

    /// `getopt("name", default, "what it is")`.
    pub(super) fn getopt(&mut self, arguments: &[ast::Expr], span: Span) -> Option<Expr> {
        let name = self.literal_text(&arguments[0])?;
        let default = match arguments.get(1) {
            Some(default) => self.expr(default)?,
            None => int(0, Type::Bool, span),
        };
        let summary = match arguments.get(2) {
            Some(summary) => self.literal_text(summary)?,
            None => String::new(),
        };
        let written = match &default.kind {
            ExprKind::Int(value) if default.ty == Type::Bool => (if *value != 0 { "true" } else { "false" }).to_owned(),
            ExprKind::Int(value) => (*value as i64).to_string(),
            ExprKind::Text(text) => String::from_utf8_lossy(text).into_owned(),
            _ => {
                self.error(Diagnostic::error(
                    "E0361",
                    default.span,
                    "not known when the script is compiled",
                    "expected a literal",
                ));
                return None;
            }
        };
        let option = ScriptOption { name: name.clone(), default: written, summary };
        if !self.options.iter().any(|have| have.name == name) {
            self.options.push(option);
        }
        let Some(given) = self.given.context.options.get(&name) else { return Some(Expr { span, ..default }) };
        let refused = |what: &str| {
            Diagnostic::error("E0332", span, format!("`--{name}` was given `{given}`"), format!("expected {what}"))
        };
        match (&default.kind, &default.ty) {
            (_, Type::Bool) => match given.as_str() {
                "" | "true" | "1" => Some(int(1, Type::Bool, span)),
                "false" | "0" => Some(int(0, Type::Bool, span)),
                _ => {
                    self.error(refused("true or false"));
                    None
                }
            },
            (ExprKind::Int(_), _) => match number_of(given) {
                Some(value) => Some(value.into_expr(span)),
                None => {
                    self.error(refused(&format!("a number: `--{name}=N`")));
                    None
                }
            },
            // A word behind the option, without `=`, is none of it.
            _ if given.is_empty() => {
                self.error(refused(&format!("a text: `--{name}=TEXT`")));
                None
            }
            _ => Some(Expr::text(given.clone().into(), span)),
        }
    }

    /// `sizeof(type)`, `sizeof(value)`.
    pub(super) fn size_of(&mut self, ty: &TypeRef, span: Span) -> Option<Expr> {
        // A bare name may be that of a type.
        let named = match ty {
            TypeRef::Of(value) => match &value.kind {
                Ast::Ident(name) => self.given.types.named(Tag::Typedef, name),
                _ => None,
            },
            TypeRef::Named(_) => self.c_type(ty),
        };
        let id = match (named, ty) {
            (Some(id), _) => id,
            (None, TypeRef::Named(_)) => return None,
            (None, TypeRef::Of(value)) => {
                let value = self.typed(value)?;
                let bytes = match (&value.kind, value.characters()) {
                    (ExprKind::Text(text), _) => text.len() as u64 + 1,
                    (_, Some(count)) => count as u64,
                    _ => self.bytes(&value.ty),
                };
                return Some(int(bytes, Type::UNSIGNED, span));
            }
        };
        match self.given.types.size_of(id) {
            Some(size) => Some(int(size.into(), Type::UNSIGNED, span)),
            None => {
                let title = format!("`{}` has no size", self.given.types.describe(id));
                self.error(Diagnostic::error("E0335", span, title, ""));
                None
            }
        }
    }

    /// Bytes of a value as C counts them.
    pub(super) fn bytes(&self, ty: &Type) -> u64 {
        match ty {
            Type::Int { bits, .. } => u64::from(*bits) / 8,
            Type::Bool => 1,
            Type::Enum(named) => u64::from(named.bits) / 8,
            Type::Memory(memory) => self.given.types.size_of(memory.id).unwrap_or(0).into(),
            Type::Buffer { size } => *size as u64 - 8,
            ty => ty.size() as u64,
        }
    }

    /// `offsetof(type, field.field)`.
    pub(super) fn offset_of(&mut self, ty: &TypeRef, path: &[Name], span: Span) -> Option<Expr> {
        let mut id = match ty {
            TypeRef::Of(value) => match self.typed(value)?.ty {
                Type::Memory(memory) => memory.id,
                _ => self.c_type(ty)?,
            },
            TypeRef::Named(_) => self.c_type(ty)?,
        };
        let mut offset = 0;
        for member in path {
            if !matches!(self.given.types.get(id), CType::Struct { .. }) {
                let title = format!("`{}` has no members", self.given.types.describe(id));
                self.error(Diagnostic::error("E0326", member.span, title, ""));
                return None;
            }
            let (found, _) = self.find_member(id, member, span)?;
            if found.bits.is_some() {
                self.error(Diagnostic::error("E0337", member.span, "a bit field has no offset in bytes", ""));
                return None;
            }
            offset += found.bit_offset / 8;
            id = found.ty;
        }
        Some(int(offset.into(), Type::UNSIGNED, span))
    }

    /// `is_ptr(value)` and its like.
    pub(super) fn is_a(&mut self, name: &str, argument: &ast::Expr, span: Span) -> Option<Expr> {
        let value = self.typed(argument)?;
        let holds = match (name, &value.ty) {
            ("is_array", Type::Memory(memory)) => matches!(self.given.types.get(memory.id), CType::Array(..)),
            ("is_integer", Type::Int { .. }) | ("is_ptr", Type::Pointer { .. }) => true,
            ("is_str", Type::Text { .. }) | ("is_tuple", Type::Tuple(_)) => true,
            ("is_unsigned_integer", Type::Int { signed, .. }) => !signed,
            ("is_literal", _) => matches!(value.kind, ExprKind::Int(_) | ExprKind::Text(_)),
            _ => false,
        };
        Some(int(holds.into(), Type::Bool, span))
    }
}

/// A number given as a text.
struct Number {
    word: u64,
    signed: bool,
}

impl Number {
    fn into_expr(self, span: Span) -> Expr {
        int(self.word, Type::Int { bits: 64, signed: self.signed }, span)
    }
}

fn number_of(text: &str) -> Option<Number> {
    let (negative, digits) = text.strip_prefix('-').map_or((false, text), |digits| (true, digits));
    let value = crate::parse::literal::number(digits)
        .ok()
        .filter(|_| digits.starts_with(|first: char| first.is_ascii_digit()))?;
    let word = if negative { value.wrapping_neg() } else { value };
    Some(Number { word, signed: negative || value <= i64::MAX as u64 })
}
