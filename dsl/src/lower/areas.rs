//! Values that fit no register: laid in the frame, padded with zeroes to the size of their type.

use scope_common::arith::Alu;
use scope_common::plan::{Code, EXACT, Op, STACK_WORK, Space};

use crate::builtins::Builtin;
use crate::checked::{Access, Expr, ExprKind, Limit};
use crate::types::{Part, Type};

use super::builder::Operand;
use super::{Lowerer, Variable};

const fn pair(from: u32, len: usize) -> u64 {
    from as u64 | (len as u64) << 32
}

/// Whose memory an address points into.
fn space_of(address: &Expr) -> Space {
    match address.ty {
        Type::Pointer { space, .. } => space,
        _ => Space::User,
    }
}

impl Lowerer<'_> {
    /// Whether the kernel writes this to the frame at an offset or of a length that only the run knows, which it does in
    /// scratch memory only; or whether it is read at offsets that are not aligned.
    pub(super) fn needs_scratch(expr: &Expr) -> bool {
        match &expr.kind {
            ExprKind::Str { .. } | ExprKind::Buf { .. } | ExprKind::Copy { .. } | ExprKind::Stack { .. } => true,
            ExprKind::Access(Access::Chars { .. } | Access::DataLocation(_)) => true,
            ExprKind::Tuple(values) => values.iter().any(Self::needs_scratch),
            ExprKind::As(inner) | ExprKind::After(_, inner) => Self::needs_scratch(inner),
            ExprKind::Choose(_, then, otherwise) => Self::needs_scratch(then) || Self::needs_scratch(otherwise),
            ExprKind::Part { .. } => !expr.ty.is_word(),
            _ => false,
        }
    }

    /// Lays a value in an area of its own.
    pub(super) fn area(&mut self, expr: &Expr, ty: &Type, first: u8) -> u32 {
        let off = self.builder.keep(ty.size(), Self::needs_scratch(expr));
        self.lay(expr, ty, off, first);
        off
    }

    /// Lays a value at `off` of the frame as one of a type, using `first` and the registers above.
    pub(super) fn lay(&mut self, expr: &Expr, ty: &Type, off: u32, first: u8) {
        if ty.is_word() {
            let value = self.operand(expr, first);
            self.builder.store(off, value);
            return;
        }
        let size = ty.size();
        match &expr.kind {
            ExprKind::As(inner) => self.lay(inner, ty, off, first),
            ExprKind::After(statements, value) => {
                self.within(first, statements);
                self.lay(value, ty, off, first);
            }
            ExprKind::Choose(condition, then, otherwise) => {
                let (no, done) = (self.builder.label(), self.builder.label());
                self.branch(condition, false, no, first);
                self.lay(then, ty, off, first);
                self.builder.jump(done);
                self.builder.place(no);
                self.lay(otherwise, ty, off, first);
                self.builder.place(done);
            }
            ExprKind::Tuple(values) => self.lay_tuple(values, ty, off, first),
            ExprKind::Text(text) => self.lay_text(text, off, size),
            ExprKind::Builtin(Builtin::Comm) => {
                self.builder.op(Code::Comm, 0, 0, 0, off, 0);
                self.pad(off, 16, size);
            }
            ExprKind::Variable(number) => {
                let Variable::Area(from, have) = self.variables[*number].clone() else {
                    unreachable!("a word is no area")
                };
                self.copy_as(from, &have, off, ty);
            }
            ExprKind::Map(place) => {
                let mark = self.builder.mark();
                let have = self.maps[place.map].plain().clone();
                let key = self.key(place, first);
                let (slot, swapped) = self.slot(place.map);
                let (none, done) = (self.builder.label(), self.builder.label());
                // The value has to have its whole size to be read; in a wider area it is padded.
                let same = have.size() == size || matches!((&have, ty), (Type::Text { .. }, Type::Text { .. }));
                let to = if same { off } else { self.builder.keep(have.size(), false) };
                let len = have.size().min(size.max(if same { 0 } else { have.size() }));
                self.builder.find(slot, swapped, key, none);
                self.builder.op(Code::ValueOut, 0, 0, 0, 0, pair(to, len));
                if same {
                    self.pad(off, len, size);
                } else {
                    self.copy_as(to, &have, off, ty);
                }
                self.builder.jump(done);
                self.builder.place(none);
                self.builder.zero(off, size);
                self.builder.place(done);
                self.builder.release(mark);
            }
            ExprKind::Part { whole, field } => {
                let mark = self.builder.mark();
                let from = self.whole(whole, first);
                let bytes = (field.size as usize).min(expr.ty.size()).min(size);
                self.copy_bytes(from + field.offset, off, bytes, first);
                self.pad(off, bytes.next_multiple_of(8), size);
                self.builder.release(mark);
            }
            ExprKind::Copy { address, offset, bytes, space } => {
                self.builder.zero(off, size);
                self.word(address, first);
                if *offset > 0 {
                    self.builder.alu(Alu::Add, first, first, Operand::Imm((*offset).into()));
                }
                let failure = self.failure(expr.span, *space as u64, false);
                let imm = *bytes as u64 | (*space as u64) << 32 | failure;
                self.builder.op(Code::Read, first + 1, first, Op::NONE, off, imm);
            }
            ExprKind::Buf { address, len, max } => {
                let failure = self.failure(expr.span, space_of(address) as u64, false);
                self.lay_buffer(address, len, *max as u64 | failure, off, size, first);
            }
            ExprKind::Stack { own } => {
                let Type::Stack(stack) = &expr.ty else { unreachable!("a stack has the type of one") };
                let mark = self.builder.mark();
                let work = self.builder.keep(16 + STACK_WORK, true);
                let imm = u64::from(stack.depth) | u64::from(stack.user) << 16 | u64::from(*own) << 32;
                let skipped = if stack.user { 0 } else { self.own_frames() };
                self.builder.op(Code::Stack, 0, 0, skipped, work, imm);
                self.builder.op(Code::Copy, 0, 0, 0, off, pair(work, 16));
                self.builder.release(mark);
            }
            _ => {
                self.builder.zero(off, size);
                let text = self.read_text(expr, first);
                self.read_string(&text, first + 1, first, Op::NONE, off);
            }
        }
    }

    fn lay_tuple(&mut self, values: &[Expr], ty: &Type, off: u32, first: u8) {
        let mut at = off;
        match ty {
            Type::Tuple(parts) => {
                for (value, part) in values.iter().zip(parts.iter()) {
                    let mark = self.builder.mark();
                    self.lay(value, &part.ty, at, first);
                    self.builder.release(mark);
                    at += part.ty.size() as u32;
                }
            }
            _ => {
                for value in values {
                    let mark = self.builder.mark();
                    self.lay(value, &value.ty, at, first);
                    self.builder.release(mark);
                    at += value.ty.size() as u32;
                }
                self.pad(off, (at - off) as usize, ty.size());
            }
        }
    }

    fn lay_text(&mut self, text: &[u8], off: u32, size: usize) {
        let mut bytes = text[..text.len().min(size - 1)].to_vec();
        if bytes.is_empty() {
            self.builder.zero(off, size);
            return;
        }
        bytes.resize((bytes.len() + 1).next_multiple_of(8), 0);
        if bytes.len() <= 16 {
            for (at, word) in bytes.chunks_exact(8).enumerate() {
                let word = u64::from_ne_bytes(word.try_into().expect("a chunk has 8 bytes"));
                self.builder.store_imm(off + at as u32 * 8, word);
            }
        } else {
            let from = self.builder.constant(&bytes);
            self.builder.op(Code::Const, 0, 0, 0, off, pair(from, bytes.len()));
        }
        self.pad(off, bytes.len(), size);
    }

    /// A word that counts, then the bytes: so many at most as the low half of `max` says, which names the failure, too.
    fn lay_buffer(&mut self, address: &Expr, len: &Expr, max: u64, off: u32, size: usize, first: u8) {
        self.builder.zero(off, size);
        self.word(address, first);
        let imm = max | (space_of(address) as u64) << 32;
        let known = matches!(len.kind, crate::checked::ExprKind::Int(_));
        let len = match known {
            true => Op::NONE,
            false => {
                self.word(len, first + 1);
                first + 1
            }
        };
        self.builder.op(Code::Read, first + 2, first, len, off + 8, imm);
        self.builder.store(off, Operand::Register(first + 2));
    }

    /// Copies a value inside the frame as one of another type that agrees with its own.
    fn copy_as(&mut self, from: u32, have: &Type, to: u32, ty: &Type) {
        if let (Type::Tuple(have), Type::Tuple(parts)) = (have, ty)
            && have != parts
        {
            let (mut from, mut to) = (from, to);
            for (Part { ty: have, .. }, Part { ty, .. }) in have.iter().zip(parts.iter()) {
                self.copy_as(from, have, to, ty);
                from += have.size() as u32;
                to += ty.size() as u32;
            }
            return;
        }
        let len = have.size().min(ty.size());
        self.builder.op(Code::Copy, 0, 0, 0, to, pair(from, len));
        self.pad(to, len, ty.size());
    }

    /// Copies bytes inside the frame, from any place to an aligned one; what is left of the last word becomes zero.
    fn copy_bytes(&mut self, from: u32, to: u32, bytes: usize, first: u8) {
        let words = bytes.next_multiple_of(8);
        self.builder.op(Code::Copy, 0, 0, 0, to, pair(from, words));
        if !bytes.is_multiple_of(8) {
            let last = to + words as u32 - 8;
            self.builder.op(Code::Load, first, 0, 0, last, 0);
            self.builder.alu(Alu::And, first, first, Operand::Imm((1 << (bytes % 8 * 8)) - 1));
            self.builder.store(last, Operand::Register(first));
        }
    }

    /// Where a value lies that a part is taken of: a variable where it is, anything else in scratch memory, with a word
    /// behind it so that any part can be read by words.
    pub(super) fn whole(&mut self, whole: &Expr, first: u8) -> u32 {
        if let ExprKind::Variable(number) = &whole.kind
            && let Variable::Area(off, _) = &self.variables[*number]
        {
            return *off;
        }
        if whole.ty.is_word() {
            let off = self.builder.keep(16, true);
            let value = self.operand(whole, first);
            self.builder.store(off, value);
            return off;
        }
        let off = self.builder.keep(whole.ty.size() + 8, true);
        self.lay(whole, &whole.ty, off, first);
        off
    }

    /// Computes the address of a text in memory into `dst`, and a limit of its length that only the run knows into the
    /// register behind.
    pub(super) fn read_text(&mut self, expr: &Expr, dst: u8) -> Text {
        match &expr.kind {
            ExprKind::Str { address, max, limit } => {
                let space = space_of(address);
                let limit = if let Limit::Of(limit) = limit {
                    let mark = self.builder.mark();
                    self.word(limit, dst);
                    let kept = self.builder.keep(8, false);
                    self.builder.store(kept, Operand::Register(dst));
                    self.word(address, dst);
                    self.builder.op(Code::Load, dst + 1, 0, 0, kept, 0);
                    self.builder.release(mark);
                    u64::from(dst) + 2
                } else {
                    self.word(address, dst);
                    if matches!(limit, Limit::Exact) { EXACT } else { 0 }
                };
                Text { max: *max, space, limit, failure: self.failure(expr.span, space as u64, true) }
            }
            ExprKind::Access(access) => {
                self.text_address(access, dst);
                let max = if let Access::Chars { len, .. } = access { *len as usize } else { self.config.text_limit() };
                Text {
                    max,
                    space: Space::Kernel,
                    limit: 0,
                    failure: self.failure(expr.span, Space::Kernel as u64, true),
                }
            }
            ExprKind::As(inner) => self.read_text(inner, dst),
            _ => unreachable!("other texts are not read from memory: {expr:?}"),
        }
    }

    /// Reads a text whose address is in a register to `off` of the frame, behind what register `behind` says.
    pub(super) fn read_string(&mut self, text: &Text, len: u8, address: u8, behind: u8, off: u32) {
        let imm =
            text.max as u64 | (text_room(text.max) as u64 - 1) << 16 | (text.space as u64) << 32 | text.limit << 40;
        let imm = imm | text.failure;
        self.builder.op(Code::Str, len, address, behind, off, imm);
    }

    pub(super) fn pad(&mut self, off: u32, have: usize, size: usize) {
        if have < size {
            self.builder.zero(off + have as u32, size - have);
        }
    }
}

/// The bytes that a text of so many at most may seem to take: a power of two, by which its length is masked, so that the
/// kernel's verifier knows a bound of it.
pub const fn text_room(max: usize) -> usize {
    (max + 1).next_power_of_two()
}

/// A text in memory that is about to be read.
pub struct Text {
    /// Bytes at most, the NUL included.
    pub max: usize,
    /// Whose memory.
    pub space: Space,
    /// The limit of its length, as [`Code::Str`] has it.
    pub limit: u64,
    /// The failure that is counted if it can't be read, as it stands in the immediate.
    pub failure: u64,
}
