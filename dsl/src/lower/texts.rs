//! Texts: laid in the frame, padded with NULs to the size of their area.

use scope_common::plan::{Code, Op, Space};

use crate::builtins::Builtin;
use crate::checked::{Access, Expr, ExprKind};
use crate::limits::DEFAULT_STRING;
use crate::types::Type;

use super::{Lowerer, Variable};

impl Lowerer<'_> {
    /// Whether the kernel reads this text from memory, which it does to scratch memory only.
    pub(super) fn needs_scratch(expr: &Expr) -> bool {
        matches!(
            expr.kind,
            ExprKind::Str { .. } | ExprKind::Access(Access::Chars { .. } | Access::DataLocation(_))
        )
    }

    /// Lays a text at `off` of the frame, in an area of `size` bytes, using `first` and the registers above.
    pub(super) fn text_into(&mut self, expr: &Expr, off: u32, size: usize, first: u8) {
        let pair = |from: u32, len: usize| u64::from(from) | (len as u64) << 32;
        match &expr.kind {
            ExprKind::Text(text) => {
                let mut bytes = text.as_bytes()[..text.len().min(size - 1)].to_vec();
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
            ExprKind::Builtin(Builtin::Comm) => {
                self.builder.op(Code::Comm, 0, 0, 0, off, 0);
                self.pad(off, 16, size);
            }
            ExprKind::Variable(number) => {
                let Variable::Text(from, have) = self.variables[*number] else { unreachable!("a word is no text") };
                let len = have.min(size);
                self.builder.op(Code::Copy, 0, 0, 0, off, pair(from, len));
                self.pad(off, len, size);
            }
            ExprKind::Map(place) => {
                let mark = self.builder.mark();
                let key = self.key(place, first);
                let (slot, swapped) = self.slot(place.map);
                let (none, done) = (self.builder.label(), self.builder.label());
                let len = self.maps[place.map].value_text_size().min(size);
                self.builder.find(slot, swapped, key, none);
                self.builder.op(Code::ValueOut, 0, 0, 0, 0, pair(off, len));
                self.pad(off, len, size);
                self.builder.jump(done);
                self.builder.place(none);
                self.builder.zero(off, size);
                self.builder.place(done);
                self.builder.release(mark);
            }
            _ => {
                self.builder.zero(off, size);
                let (max, space) = self.read_text(expr, first);
                let imm = max as u64 | (space as u64) << 32;
                self.builder.op(Code::Str, first + 1, first, Op::NONE, off, imm);
            }
        }
    }

    /// Computes the address of a text in memory into `dst`; gives how many bytes to read at most and whose they are.
    pub(super) fn read_text(&mut self, expr: &Expr, dst: u8) -> (usize, Space) {
        match &expr.kind {
            ExprKind::Str { address, max } => {
                self.word(address, dst);
                let space = if address.ty == Type::Pointer(Space::User) { Space::User } else { Space::Kernel };
                (*max, space)
            }
            ExprKind::Access(access) => {
                self.text_address(access, dst);
                let max = if let Access::Chars { len, .. } = access { *len as usize } else { DEFAULT_STRING };
                (max, Space::Kernel)
            }
            _ => unreachable!("other texts are not read from memory"),
        }
    }

    fn pad(&mut self, off: u32, have: usize, size: usize) {
        if have < size {
            self.builder.zero(off + have as u32, size - have);
        }
    }
}

impl crate::program::Map {
    fn value_text_size(&self) -> usize {
        match &self.value {
            crate::checked::Value::Plain(ty) => ty.size(),
            _ => 8,
        }
    }
}
