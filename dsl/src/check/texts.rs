//! Functions on texts and bytes.

use scope_common::plan::MAX_STRING;

use crate::ast;
use crate::checked::{Access, Expr, ExprKind, Limit};
use crate::diagnostic::Diagnostic;
use crate::source::Span;
use crate::types::{Space, Type};

use super::Checker;
use super::operators::int;

impl Checker<'_> {
    /// `str(pointer, n)`.
    pub(super) fn str(&mut self, arguments: &[ast::Expr], span: Span) -> Option<Expr> {
        if let ast::ExprKind::Parameter(number) = arguments[0].kind {
            let text = self.parameter_text(number).to_owned();
            return self.expr(&ast::Expr { kind: ast::ExprKind::Str(text), span });
        }
        let (max, limit) = self.length(arguments.get(1))?;
        let address = self.expr(&arguments[0])?;
        match address.ty {
            // The text of a field or the name of a task is no address: it is there already.
            Type::Text { .. } => match address.kind {
                // A shorter length holds; a longer one than the text has says nothing.
                ExprKind::Str { address, max: have, .. }
                    if arguments.len() > 1 && (max < have || matches!(limit, Limit::Of(_))) =>
                {
                    let max = max.min(have);
                    Some(Expr { kind: ExprKind::Str { address, max, limit }, ty: Type::text(max), span })
                }
                _ => Some(Expr { span, ..address }),
            },
            Type::Int { .. } | Type::Pointer { .. } => {
                let address = self.address(address)?;
                let ty = if matches!(limit, Limit::Longest) { self.given.config.text_type() } else { Type::text(max) };
                Some(Expr { kind: ExprKind::Str { address: Box::new(address), max, limit }, ty, span })
            }
            // An array of bytes that lies in memory.
            Type::Memory(ref memory) if matches!(address.kind, ExprKind::Copy { .. }) => {
                let max = if arguments.len() > 1 { max } else { memory.bytes.min(MAX_STRING) };
                let ExprKind::Copy { address, offset, space, .. } = address.kind else { return None };
                let address = super::memory::offset_by(*address, offset);
                let address = Expr { ty: Type::pointer(None, space), ..address };
                Some(Expr { kind: ExprKind::Str { address: Box::new(address), max, limit }, ty: Type::text(max), span })
            }
            _ => {
                let label = format!("this is {}", address.ty.describe());
                self.error(Diagnostic::error("E0318", address.span, "not an address", label));
                None
            }
        }
    }

    /// A number or pointer as an address of some memory.
    pub(super) fn address(&mut self, value: Expr) -> Option<Expr> {
        let space = match value.ty {
            Type::Pointer { space, .. } => space,
            _ => self.default_space(),
        };
        if self.reads_in_vain(space) {
            let title = "there is no process to read from";
            let label = "BEGIN, END and interval run in scope itself";
            self.error(Diagnostic::error("E0317", value.span, title, label));
            return None;
        }
        match value.ty {
            Type::Pointer { .. } => Some(value),
            _ => {
                let value = self.as_number(value)?;
                Some(Expr { ty: Type::pointer(None, space), ..value })
            }
        }
    }

    /// How many bytes are read at most, and how many if only the run knows.
    fn length(&mut self, argument: Option<&ast::Expr>) -> Option<(usize, Limit)> {
        let most = self.given.config.max_strlen;
        let Some(argument) = argument else { return Some((self.given.config.text_limit(), Limit::Longest)) };
        let length = self.number(argument)?;
        match length.kind {
            ExprKind::Int(length) if (1..=MAX_STRING as u64).contains(&length) => {
                // The NUL is added.
                Some((MAX_STRING.min(length as usize + 1), Limit::Exact))
            }
            ExprKind::Int(_) => {
                let label = format!("expected 1 to {MAX_STRING}");
                self.error(Diagnostic::error("E0316", argument.span, "strings have no such length", label));
                None
            }
            _ => Some((most, Limit::Of(Box::new(length)))),
        }
    }

    /// `buf(pointer, n)`.
    pub(super) fn buf(&mut self, arguments: &[ast::Expr], span: Span) -> Option<Expr> {
        let value = self.expr(&arguments[0])?;
        let whole = match &value.kind {
            ExprKind::Copy { bytes, .. } => Some(*bytes),
            ExprKind::Str { max, .. } => Some(value.characters().unwrap_or(*max)),
            _ => None,
        };
        let (len, max) = match (arguments.get(1), whole) {
            (Some(len), _) => {
                let len = self.number(len)?;
                let max = match len.kind {
                    ExprKind::Int(known) if (1..=MAX_STRING as u64).contains(&known) => known as usize,
                    ExprKind::Int(_) => {
                        let label = format!("expected 1 to {MAX_STRING}");
                        self.error(Diagnostic::error("E0316", len.span, "buffers have no such length", label));
                        return None;
                    }
                    _ => self.given.config.max_strlen.max(1),
                };
                (len, max)
            }
            (None, Some(bytes)) if (1..=MAX_STRING).contains(&bytes) => {
                (int(bytes as u64, Type::UNSIGNED, span), bytes)
            }
            _ => {
                let error = Diagnostic::error(
                    "E0311",
                    span,
                    "`buf` needs to know how many bytes",
                    "expected `buf(pointer, n)`",
                );
                self.error(error);
                return None;
            }
        };
        let address = match value.kind {
            ExprKind::Copy { address, offset, space, .. } => {
                let address = super::memory::offset_by(*address, offset);
                Expr { ty: Type::pointer(None, space), ..address }
            }
            ExprKind::Str { address, .. } => *address,
            ExprKind::Access(Access::Chars { offset, .. }) => {
                let ty = Type::pointer(None, Space::Kernel);
                Expr { kind: ExprKind::Access(Access::Address(offset)), ty, span }
            }
            _ => self.address(value)?,
        };
        let kind = ExprKind::Buf { address: Box::new(address), len: Box::new(len), max };
        Some(Expr { kind, ty: Type::buffer(max), span })
    }

    /// An argument that must be a text.
    pub(super) fn text(&mut self, argument: &ast::Expr) -> Option<Expr> {
        let value = self.expr(argument)?;
        if let Type::Text { .. } = value.ty {
            return Some(value);
        }
        let error = Diagnostic::error("E0318", value.span, "not a string", format!("this is {}", value.ty.describe()));
        let pointer = matches!(value.ty, Type::Pointer { .. });
        self.error(if pointer { error.help("`str(pointer)` reads the text at an address") } else { error });
        None
    }

    /// `strncmp(a, b, n)` and `memcmp(a, b, n)`.
    pub(super) fn compare(&mut self, arguments: &[ast::Expr], texts: bool, span: Span) -> Option<Expr> {
        let (left, right) = match texts {
            true => (self.text(&arguments[0]), self.text(&arguments[1])),
            false => (self.value(&arguments[0]), self.value(&arguments[1])),
        };
        let len = self.constant(&arguments[2], 1..=MAX_STRING as u64)? as usize;
        let (left, right) = (left?, right?);
        if left.ty.is_word() || right.ty.is_word() || !(left.ty.agrees(&right.ty)) {
            let title = format!("{} can't be compared with {} so", left.ty.describe(), right.ty.describe());
            self.error(Diagnostic::error("E0331", span, title, "expected two strings, buffers or arrays"));
            return None;
        }
        let kind = ExprKind::Compare { left: Box::new(left), right: Box::new(right), len: Some(len) };
        let order = Expr { kind, ty: Type::SIGNED, span };
        if !texts {
            return Some(order);
        }
        let differ =
            super::operators::alu(scope_common::arith::Alu::Ne, order, int(0, Type::SIGNED, span), Type::SIGNED, span);
        Some(differ)
    }

    /// `strstr(text, part)`.
    pub(super) fn search(&mut self, arguments: &[ast::Expr], span: Span) -> Option<Expr> {
        let (text, part) = (self.text(&arguments[0]), self.text(&arguments[1]));
        let (text, part) = (text?, part?);
        const LONGEST: usize = 64;
        if part.ty.size() > LONGEST + 8 {
            let title = "the text to look for is too long";
            let label = format!("it has up to {} bytes; the limit is {LONGEST}", part.ty.size() - 1);
            self.error(
                Diagnostic::error("E0364", part.span, title, label)
                    .help(format!("`str(pointer, {LONGEST})` reads a shorter one")),
            );
            return None;
        }
        Some(Expr { kind: ExprKind::Search(Box::new(text), Box::new(part)), ty: Type::SIGNED, span })
    }

    pub(super) fn strlen(&mut self, argument: &ast::Expr, span: Span) -> Option<Expr> {
        let text = self.text(argument)?;
        if let ExprKind::Text(known) = &text.kind {
            return Some(int(known.len() as u64, Type::UNSIGNED, span));
        }
        Some(Expr { kind: ExprKind::Length(Box::new(text)), ty: Type::UNSIGNED, span })
    }
}
