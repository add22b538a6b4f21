//! Expressions that fit a register.

use scope_common::arith::Alu;
use scope_common::plan::{Builtin as Get, Code, Op};
use scope_common::value::{BEST, COUNT, TOTAL};

use crate::builtins::Builtin;
use crate::checked::{Aggregation, Expr, ExprKind, Field, Peek, Place, Value};
use crate::source::Span;
use crate::types::Type;

use super::builder::{Operand, SPILL};
use super::{Lowerer, Variable};

/// From this register on a value waits in the frame while anything but a leaf is computed: what is computed may need
/// registers of its own behind the first.
const LAST_FREE: u8 = 4;

impl Lowerer<'_> {
    /// Computes an expression into register `dst`; registers above it are free to use.
    pub(super) fn word(&mut self, expr: &Expr, dst: u8) {
        match &expr.kind {
            ExprKind::Int(value) => self.builder.set(dst, *value),
            ExprKind::Builtin(builtin) => self.builtin(*builtin, dst),
            ExprKind::Variable(number) => match self.variables[*number] {
                Variable::Register(register) => self.builder.alu(Alu::Mov, dst, Op::NONE, Operand::Register(register)),
                Variable::Frame(off) => self.builder.op(Code::Load, dst, 0, 0, off, 0),
                Variable::Area(..) => unreachable!("an area is no word"),
            },
            ExprKind::Map(place) => self.map_word(place, dst),
            ExprKind::Access(access) => self.access(access, dst),
            ExprKind::As(inner) => self.word(inner, dst),
            ExprKind::Alu(alu, left, right) => self.operation(*alu, left, right, dst),
            ExprKind::Not(_) | ExprKind::Same(..) | ExprKind::And(..) | ExprKind::Or(..) => self.truth(expr, dst),
            ExprKind::Choose(condition, then, otherwise) => {
                let (no, done) = (self.builder.label(), self.builder.label());
                self.branch(condition, false, no, dst);
                self.word(then, dst);
                self.builder.jump(done);
                self.builder.place(no);
                self.word(otherwise, dst);
                self.builder.place(done);
            }
            ExprKind::Peek(peek) => self.peek(peek, expr.span, dst),
            ExprKind::Part { whole, field } => {
                let mark = self.builder.mark();
                let off = self.whole(whole, dst);
                self.load_field(off, field, dst);
                self.builder.release(mark);
            }
            ExprKind::Compare { left, right, len } => self.compare(left, right, *len, dst),
            ExprKind::Search(text, part) => self.search(text, part, dst),
            ExprKind::Length(text) => {
                let mark = self.builder.mark();
                let off = self.area(text, &text.ty, dst);
                self.builder.op(Code::Length, dst, 0, 0, off, text.ty.size() as u64);
                self.builder.release(mark);
            }
            ExprKind::HasKey(place) => self.has_key(place, dst),
            ExprKind::Delete(place) => self.delete(place, dst),
            ExprKind::Count(map) => {
                let (slot, _) = self.slot(*map);
                self.builder.op(Code::Entries, dst, slot, 0, 0, *map as u64);
            }
            ExprKind::Depth(stack) => {
                let mark = self.builder.mark();
                let off = self.area(stack, &stack.ty, dst);
                self.builder.op(Code::Load, dst, 0, 0, off + 8, 0);
                self.builder.alu(Alu::ShrU, dst, dst, Operand::Imm(32));
                self.builder.release(mark);
            }
            ExprKind::Quantile(place, of) => {
                let mark = self.builder.mark();
                let key = self.key(place, dst);
                let (slot, _) = self.slot(place.map);
                self.builder.op(Code::Quantile, dst, slot, 0, key, (*of).into());
                self.builder.release(mark);
            }
            ExprKind::After(statements, value) => {
                self.within(dst, statements);
                self.word(value, dst);
            }
            ExprKind::Text(_)
            | ExprKind::Str { .. }
            | ExprKind::Buf { .. }
            | ExprKind::Copy { .. }
            | ExprKind::Stack { .. } => {
                unreachable!("an area is no word: {expr:?}")
            }
            ExprKind::Tuple(_) => {
                // The bytes of an array seen as a number.
                let mark = self.builder.mark();
                let off = self.area(expr, &Type::SIGNED, dst);
                self.builder.op(Code::Load, dst, 0, 0, off, 0);
                self.builder.release(mark);
            }
        }
    }

    /// Gives an operand: a literal, a builtin or a variable's register as it is, anything else computed into `scratch`.
    pub(super) fn operand(&mut self, expr: &Expr, scratch: u8) -> Operand {
        match &expr.kind {
            ExprKind::Int(value) => Operand::Imm(*value),
            ExprKind::Builtin(builtin) if direct(*builtin).is_some() => {
                Operand::Register(direct(*builtin).expect("just asked"))
            }
            ExprKind::As(inner) => self.operand(inner, scratch),
            ExprKind::Variable(number) if matches!(self.variables[*number], Variable::Register(_)) => {
                let Variable::Register(register) = self.variables[*number] else { unreachable!() };
                Operand::Register(register)
            }
            _ => {
                self.word(expr, scratch);
                Operand::Register(scratch)
            }
        }
    }

    fn operation(&mut self, alu: Alu, left: &Expr, right: &Expr, dst: u8) {
        let (left, right) = self.operands(left, right, dst);
        self.builder.alu(alu, dst, left, right);
    }

    /// Computes both sides of an operation, using `dst` and the registers above; where those run short, the left side
    /// waits in the frame.
    pub(super) fn operands(&mut self, left: &Expr, right: &Expr, dst: u8) -> (u8, Operand) {
        let left_register = match self.operand(left, dst) {
            Operand::Register(register) => {
                // A variable that the right side changes is read before.
                if register != dst && right.changes() {
                    self.builder.alu(Alu::Mov, dst, Op::NONE, Operand::Register(register));
                    dst
                } else {
                    register
                }
            }
            Operand::Builtin(builtin) => Op::builtin(builtin),
            Operand::Imm(value) => {
                self.builder.set(dst, value);
                dst
            }
        };
        if left_register != dst {
            return (left_register, self.operand(right, dst));
        }
        if dst < LAST_FREE || self.is_leaf(right) {
            return (dst, self.operand(right, dst + 1));
        }
        let mark = self.builder.mark();
        let off = self.builder.keep(8, false);
        self.builder.store(off, Operand::Register(dst));
        let right = self.operand(right, dst);
        self.builder.op(Code::Load, SPILL, 0, 0, off, 0);
        self.builder.release(mark);
        (SPILL, right)
    }

    /// Whether a value needs one register at most.
    fn is_leaf(&self, expr: &Expr) -> bool {
        match &expr.kind {
            ExprKind::Int(_) | ExprKind::Variable(_) => true,
            ExprKind::Builtin(_) => expr.ty.is_word(),
            ExprKind::As(inner) => self.is_leaf(inner),
            _ => false,
        }
    }

    fn peek(&mut self, peek: &Peek, span: Span, dst: u8) {
        let Field { offset, size, signed, bits } = peek.field;
        self.word(&peek.address, dst);
        let failure = self.failure(span, peek.space as u64, false);
        self.builder.op(Code::Peek, dst, dst, size as u8, offset, peek.space as u64 | failure);
        self.shape(dst, size, signed, bits);
    }

    /// Loads a number that lies in the frame, wherever its bytes begin.
    fn load_field(&mut self, off: u32, field: &Field, dst: u8) {
        let at = off + field.offset;
        let (word, shift) = (at & !7, (at & 7) * 8);
        self.builder.op(Code::Load, dst, 0, 0, word, 0);
        if shift > 0 {
            self.builder.alu(Alu::ShrU, dst, dst, Operand::Imm(shift.into()));
            if shift + field.size * 8 > 64 {
                self.builder.op(Code::Load, dst + 1, 0, 0, word + 8, 0);
                self.builder.alu(Alu::Shl, dst + 1, dst + 1, Operand::Imm((64 - shift).into()));
                self.builder.alu(Alu::Or, dst, dst, Operand::Register(dst + 1));
            }
        }
        if field.size < 8 && field.bits.is_none() && !field.signed {
            self.builder.alu(Alu::And, dst, dst, Operand::Imm((1 << (field.size * 8)) - 1));
        }
        self.shape(dst, field.size, field.signed, field.bits);
    }

    /// Cuts a bit field out of a number, or extends the sign of one.
    fn shape(&mut self, dst: u8, size: u32, signed: bool, bits: Option<(u32, u32)>) {
        match bits {
            None => self.extend(dst, size, signed),
            Some((start, width)) => {
                // To the top, then back: that drops what lies above and below.
                self.builder.alu(Alu::Shl, dst, dst, Operand::Imm((64 - start - width).into()));
                let back = if signed { Alu::ShrS } else { Alu::ShrU };
                self.builder.alu(back, dst, dst, Operand::Imm((64 - width).into()));
            }
        }
    }

    fn search(&mut self, text: &Expr, part: &Expr, dst: u8) {
        let mark = self.builder.mark();
        let (size, part_size) = (text.ty.size(), part.ty.size());
        // The machine reads behind the text by as much as it looks for.
        let off = self.builder.keep(size + part_size + 8, true);
        self.lay(text, &text.ty, off, dst);
        self.builder.zero(off + size as u32, part_size + 8);
        let wanted = self.builder.keep(2 * part_size, true);
        self.lay(part, &part.ty, wanted, dst);
        let imm = u64::from(wanted) | (size as u64) << 32 | (part_size as u64) << 48;
        self.builder.op(Code::Search, dst, 0, 0, off, imm);
        self.builder.release(mark);
    }

    fn has_key(&mut self, place: &Place, dst: u8) {
        let mark = self.builder.mark();
        let key = self.key(place, dst);
        let (slot, swapped) = self.slot(place.map);
        let none = self.builder.label();
        self.builder.set(dst, 0);
        self.builder.find(slot, swapped, key, none);
        match self.set_word(place.map).filter(|_| !self.site.in_userspace()) {
            // An array's entry is always there; whether it was set stands in its last word.
            Some(set) => self.builder.op(Code::ValueLoad, dst, 0, 0, set, 0),
            None => self.builder.set(dst, 1),
        }
        self.builder.place(none);
        self.builder.release(mark);
    }

    fn delete(&mut self, place: &Place, dst: u8) {
        let mark = self.builder.mark();
        let key = self.key(place, dst);
        let (slot, swapped) = self.slot(place.map);
        // Userspace deletes an array's entry like any other.
        match self.set_word(place.map).filter(|_| !self.site.in_userspace()) {
            None => {
                let counted = self.counted(place.map);
                self.builder.op(Code::Delete, dst, slot, counted, key, 0);
            }
            Some(set) => {
                let none = self.builder.label();
                self.builder.set(dst, 0);
                self.builder.find(slot, swapped, key, none);
                self.builder.op(Code::ValueLoad, dst, 0, 0, set, 0);
                for off in (0..=set).step_by(8) {
                    self.builder.op(Code::ValueStore, 0, 0, Op::IMM, off, 0);
                }
                self.builder.place(none);
            }
        }
        self.builder.release(mark);
    }

    fn truth(&mut self, expr: &Expr, dst: u8) {
        let (no, done) = (self.builder.label(), self.builder.label());
        self.branch(expr, false, no, dst);
        self.builder.set(dst, 1);
        self.builder.jump(done);
        self.builder.place(no);
        self.builder.set(dst, 0);
        self.builder.place(done);
    }

    fn builtin(&mut self, builtin: Builtin, dst: u8) {
        match builtin {
            Builtin::Elapsed => {
                let now = Op::builtin(Get::Nsecs);
                self.builder.alu(Alu::Sub, dst, now, Operand::Imm(self.options.start));
            }
            Builtin::Cpid => self.builder.set(dst, self.options.cpid.unwrap_or(0).into()),
            Builtin::Probe => self.probe(dst),
            Builtin::Func => self.function(dst),
            Builtin::Nargs => self.set_nargs(dst),
            _ => {
                let operand = direct(builtin).expect("all others are the machine's own, or texts");
                self.builder.alu(Alu::Mov, dst, Op::NONE, Operand::Register(operand));
            }
        }
    }

    /// Reads a map's entry; 0 if there is none.
    fn map_word(&mut self, place: &Place, dst: u8) {
        let mark = self.builder.mark();
        let key = self.key(place, dst);
        let (slot, swapped) = self.slot(place.map);
        let map = &self.maps[place.map];
        let divided = |signed: bool| if signed { Alu::DivS } else { Alu::DivU };
        match map.value {
            // The parts lie on the CPUs.
            Value::Gathered { kind, signed } if !self.site.in_userspace() => {
                let cpus = u64::from(self.options.cpus) << 32;
                let mut gather = |dst: u8, join: Alu, off: u32| {
                    self.builder.op(Code::Gather, dst, slot, join as u8, key, u64::from(off) | cpus);
                };
                match kind {
                    Aggregation::Min => gather(dst, if signed { Alu::LtS } else { Alu::LtU }, BEST),
                    Aggregation::Max => gather(dst, if signed { Alu::GtS } else { Alu::GtU }, BEST),
                    Aggregation::Avg | Aggregation::Stats => {
                        gather(dst, Alu::Add, TOTAL);
                        gather(SPILL, Alu::Add, COUNT);
                        self.builder.alu(divided(signed), dst, dst, Operand::Register(SPILL));
                    }
                    _ => gather(dst, Alu::Add, TOTAL),
                }
            }
            Value::Gathered { kind, signed } => {
                let none = self.builder.label();
                self.builder.set(dst, 0);
                self.builder.find(slot, swapped, key, none);
                self.builder.op(Code::ValueLoad, dst, 0, 0, TOTAL, 0);
                if matches!(kind, Aggregation::Avg | Aggregation::Stats) {
                    self.builder.op(Code::ValueLoad, SPILL, 0, 0, COUNT, 0);
                    self.builder.alu(divided(signed), dst, dst, Operand::Register(SPILL));
                }
                self.builder.place(none);
            }
            Value::Plain(_) => {
                let none = self.builder.label();
                self.builder.set(dst, 0);
                self.builder.find(slot, swapped, key, none);
                self.builder.op(Code::ValueLoad, dst, 0, 0, TOTAL, 0);
                self.builder.place(none);
            }
        }
        self.builder.release(mark);
    }

    /// The slot of a map, and whether it is swapped.
    pub(super) fn slot(&mut self, map: usize) -> (u8, bool) {
        // Userspace finds both halves behind one slot.
        let swapped = self.maps[map].storage.swapped && !self.site.in_userspace();
        (self.builder.slot(map, swapped), swapped)
    }

    /// Lays a map's key in the frame, using `first` and the registers above; gives its offset.
    pub(super) fn key(&mut self, place: &Place, first: u8) -> u32 {
        let types = &self.maps[place.map].key;
        if types.is_empty() {
            let off = self.builder.keep(8, false);
            self.builder.store_imm(off, 0);
            return off;
        }
        let types = types.clone();
        let in_scratch = place.key.iter().any(Self::needs_scratch);
        let start = self.builder.keep(types.iter().map(Type::size).sum(), in_scratch);
        let mut off = start;
        for (part, ty) in place.key.iter().zip(&types) {
            let mark = self.builder.mark();
            self.lay(part, ty, off, first);
            self.builder.release(mark);
            off += ty.size() as u32;
        }
        start
    }
}

/// In place of a register: the builtin of the machine that a builtin of the language is, if it is one.
fn direct(builtin: Builtin) -> Option<u8> {
    let get = match builtin {
        Builtin::Ancestor(level) => return Some(Op::ancestor(level)),
        Builtin::Pid => Get::Pid,
        Builtin::Tid => Get::Tid,
        Builtin::Uid => Get::Uid,
        Builtin::Gid => Get::Gid,
        Builtin::Nsecs => Get::Nsecs,
        Builtin::Cpu => Get::Cpu,
        Builtin::Task => Get::Task,
        Builtin::Username => Get::Uid,
        Builtin::Cgroup => Get::Cgroup,
        Builtin::Rand => Get::Rand,
        Builtin::Jiffies => Get::Jiffies,
        Builtin::NsecsMonotonic => Get::Monotonic,
        Builtin::NsecsTai => Get::Tai,
        Builtin::NumaNode => Get::Node,
        _ => return None,
    };
    Some(Op::builtin(get))
}
