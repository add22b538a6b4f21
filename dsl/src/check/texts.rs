//! Functions on texts and bytes.

use scope_common::plan::MAX_STRING;

use crate::ast;
use crate::checked::{Access, Expr, ExprKind, Field, Limit};
use crate::diagnostic::Diagnostic;
use crate::source::Span;
use crate::types::{Space, Type};

use super::Checker;
use super::operators::int;

impl Checker<'_> {
    /// `str(pointer, n)`.
    pub(super) fn str(&mut self, arguments: &[ast::Expr], span: Span) -> Option<Expr> {
        if let ast::ExprKind::Parameter(number) = arguments[0].kind {
            let text = self.parameter_text(number).into();
            return Some(Expr::text(text, span));
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
                kind @ ExprKind::Str { .. } => Some(Expr { kind, span, ty: address.ty }),
                kind => {
                    let text = Expr { kind, span, ty: address.ty };
                    let Some(length) = arguments.get(1) else { return Some(text) };
                    let bytes = self.known_length((max, limit), length.span)?;
                    Some(Self::first_bytes(text, bytes, span))
                }
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

    /// The first bytes of a text that lies in no memory.
    fn first_bytes(text: Expr, bytes: usize, span: Span) -> Expr {
        match (text.kind, text.ty) {
            (ExprKind::Text(mut known), _) => {
                known.truncate(bytes);
                Expr::text(known, span)
            }
            (kind, Type::Text { size, own }) if bytes < size => {
                let ty = Type::Text { size: (bytes + 1).next_multiple_of(8), own };
                let field = Field { size: bytes as u32, ..Field::word(0) };
                Self::part(Expr { kind, ty: Type::Text { size, own }, span: text.span }, field, ty, span)
            }
            (kind, ty) => Expr { kind, ty, span },
        }
    }

    /// How many bytes of a text that lies in no memory are wanted.
    fn known_length(&mut self, (max, limit): (usize, Limit), place: Span) -> Option<usize> {
        if matches!(limit, Limit::Of(_)) {
            let title = "how much of this text is wanted must be known when the script is compiled";
            let error = Diagnostic::error("E0361", place, title, "known only when the script runs");
            self.error(error.help("of a text at an address, `str(pointer, n)` takes as much as the run says"));
            return None;
        }
        // Without the NUL.
        Some(max - 1)
    }

    /// A number or pointer as an address of some memory.
    pub(super) fn address(&mut self, value: Expr) -> Option<Expr> {
        let space = match value.ty {
            Type::Pointer { space, .. } => space,
            _ => self.default_space(),
        };
        if self.reads_in_vain(space) {
            self.not_in_userspace("there is no process to read from", value.span);
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
        if let ast::ExprKind::Str(bytes) = &arguments[0].kind {
            return self.buf_of_literal(bytes.clone(), arguments.get(1), span);
        }
        let value = self.expr(&arguments[0])?;
        let whole = match &value.kind {
            ExprKind::Copy { bytes, .. } => Some(*bytes),
            ExprKind::Str { max, .. } => Some(value.characters().unwrap_or(*max)),
            ExprKind::Access(Access::Chars { .. }) => None,
            _ if matches!(value.ty, Type::Text { .. }) => return self.buf_of_text(value, arguments.get(1), span),
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

    /// Bytes that the script wrote, whatever they are.
    fn buf_of_literal(&mut self, mut bytes: Vec<u8>, len: Option<&ast::Expr>, span: Span) -> Option<Expr> {
        if let Some(len) = len {
            let length = self.length(Some(len))?;
            bytes.resize(self.known_length(length, len.span)?, 0);
        }
        let mut words = vec![int(bytes.len() as u64, Type::UNSIGNED, span)];
        for chunk in bytes.chunks(8) {
            let mut word = [0; 8];
            word[..chunk.len()].copy_from_slice(chunk);
            words.push(int(u64::from_ne_bytes(word), Type::UNSIGNED, span));
        }
        Some(Expr { kind: ExprKind::Tuple(words), ty: Type::buffer(bytes.len()), span })
    }

    /// The bytes of a text that lies in no memory: those before its NUL, or so many as are wanted.
    fn buf_of_text(&mut self, text: Expr, len: Option<&ast::Expr>, span: Span) -> Option<Expr> {
        let mut before = Vec::new();
        let (count, most, text) = match (len, &text.kind) {
            (Some(len), _) => {
                let length = self.length(Some(len))?;
                let bytes = self.known_length(length, len.span)?;
                (int(bytes as u64, Type::UNSIGNED, span), bytes, text)
            }
            (None, ExprKind::Text(known)) => return self.buf_of_literal(known.clone(), None, span),
            (None, _) => {
                let text = self.once(text, &mut before);
                let count = Expr { kind: ExprKind::Length(Box::new(text.clone())), ty: Type::UNSIGNED, span };
                (count, text.ty.size(), text)
            }
        };
        // Behind its NUL are zeroes.
        let field = Field { size: most.min(text.ty.size()) as u32, ..Field::word(0) };
        let bytes = Self::part(text, field, Type::Text { size: most.next_multiple_of(8), own: false }, span);
        let value = Expr { kind: ExprKind::Tuple(vec![count, bytes]), ty: Type::buffer(most), span };
        Some(Self::after(before, value, span))
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
