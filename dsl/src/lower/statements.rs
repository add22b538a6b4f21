//! Statements: writing variables and maps, sending records.

use scope_common::arith::{Alu, log2_buckets};
use scope_common::machine::map_full;
use scope_common::plan::{Code, Op, Series as By};
use scope_common::record::HEADER;
use scope_common::value::{BEST, BUCKETS, COUNT, GREATEST, LEAST, SQUARES, TOTAL};

use crate::check::{is_apart, length};
use crate::checked::{Aggregation, Expr, Place, Series, Statement, Value};

use super::areas::text_room;
use super::builder::{Label, Operand};
use super::storage::QUANTILES_K;
use super::{Lowerer, Variable};
use crate::types::Type;

impl Lowerer<'_> {
    pub(super) fn statements(&mut self, statements: &[Statement], end: Label) {
        for statement in statements {
            let mark = self.builder.mark();
            self.statement(statement, end);
            self.builder.release(mark);
        }
    }

    /// Runs statements inside an expression, with the registers from `first` on.
    pub(super) fn within(&mut self, first: u8, statements: &[Statement]) {
        let base = std::mem::replace(&mut self.base, first);
        // Nothing inside an expression ends the clause.
        let end = self.builder.label();
        self.statements(statements, end);
        self.builder.place(end);
        self.base = base;
    }

    fn statement(&mut self, statement: &Statement, end: Label) {
        let base = self.base;
        match statement {
            Statement::SetVariable(number, value) => self.set_variable(*number, value),
            Statement::SetMap(place, value) => self.set_map(place, value),
            Statement::Add(place, amount) => self.add(place, amount),
            Statement::Aggregate(place, value) => self.aggregate(place, value.as_ref()),
            Statement::Evaluate(value) => {
                if value.ty.is_word() {
                    self.operand(value, base);
                } else {
                    self.area(value, &value.ty, base);
                }
            }
            Statement::Output(action, values) => self.output(*action, values),
            Statement::Signal { number, thread } => {
                self.word(number, base);
                self.builder.op(Code::Signal, 0, base, 0, 0, u64::from(*thread));
            }
            Statement::Write { address, value, bytes } => {
                let mark = self.builder.mark();
                let off = self.builder.keep(value.ty.size().next_multiple_of(8), false);
                if let Type::Text { .. } = value.ty {
                    self.lay(value, &value.ty, off, base);
                } else {
                    self.word(value, base);
                    self.builder.store(off, Operand::Register(base));
                }
                self.word(address, base);
                self.builder.op(Code::Write, 0, base, 0, off, *bytes as u64);
                self.builder.release(mark);
            }
            Statement::Stop => self.builder.jump(end),
            Statement::If(condition, then, otherwise) => {
                let (no, done) = (self.builder.label(), self.builder.label());
                self.branch(condition, false, no, base);
                self.statements(then, end);
                if !otherwise.is_empty() {
                    self.builder.jump(done);
                }
                self.builder.place(no);
                self.statements(otherwise, end);
                self.builder.place(done);
            }
            Statement::Loop(looped) => self.rounds(looped, end),
            Statement::Each { map, variable, body, .. } => self.each(*map, *variable, body, end),
            Statement::Break | Statement::Continue => {
                let around = *self.loops.last().expect("the checker lets them stand in loops only");
                self.builder.jump(if matches!(statement, Statement::Break) { around.leave } else { around.next });
            }
        }
    }

    fn set_variable(&mut self, number: usize, value: &Expr) {
        let base = self.base;
        match self.variables[number].clone() {
            Variable::Register(register) => {
                let value = self.operand(value, base);
                self.builder.alu(Alu::Mov, register, Op::NONE, value);
            }
            Variable::Frame(off) => {
                let value = self.operand(value, base);
                self.builder.store(off, value);
            }
            // What is laid may be read of the variable itself.
            Variable::Area(off, ty) if value.reads(number) => {
                let from = self.area(value, &ty, base);
                self.builder.op(Code::Copy, 0, 0, 0, off, u64::from(from) | (ty.size() as u64) << 32);
            }
            Variable::Area(off, ty) => self.lay(value, &ty, off, base),
        }
    }

    /// Opens a map's entry for writing; gives the label to go to where that fails, which the caller places.
    fn open(&mut self, place: &Place, first: u8) -> Label {
        let key = self.key(place, first);
        let (slot, swapped) = self.slot(place.map);
        let failed = self.builder.label();
        let counted = self.counted(place.map);
        self.builder.open(slot, swapped, key, map_full(place.map), counted, failed);
        failed
    }

    /// The number plus 1 of a map whose entries are counted in the kernel.
    pub(super) fn counted(&self, map: usize) -> u8 {
        let storage = &self.maps[map].storage;
        if storage.counted { map as u8 + 1 } else { 0 }
    }

    /// Marks a scalar as set: its array has the entry whether or not it was written.
    fn mark_set(&mut self, map: usize) {
        if let Some(off) = self.set_word(map) {
            self.builder.op(Code::ValueStore, 0, 0, Op::IMM, off, 1);
        }
    }

    pub(super) fn set_word(&self, map: usize) -> Option<u32> {
        let storage = &self.maps[map].storage;
        storage.kind.is_array().then(|| storage.value_size as u32 - 8)
    }

    fn set_map(&mut self, place: &Place, value: &Expr) {
        let base = self.base;
        let ty = self.maps[place.map].plain().clone();
        if !ty.is_word() {
            let from = self.area(value, &ty, base);
            let failed = self.open(place, base);
            self.builder.op(Code::ValueIn, 0, 0, 0, 0, u64::from(from) | (ty.size() as u64) << 32);
            self.mark_set(place.map);
            self.builder.place(failed);
            return;
        }
        let value = self.operand(value, base);
        let failed = self.open(place, base + 1);
        let (b, imm) = value.encode();
        self.builder.op(Code::ValueStore, 0, 0, b, TOTAL, imm);
        self.mark_set(place.map);
        self.builder.place(failed);
    }

    /// Whether an addition must be one step: on a value that all CPUs share always; on a CPU's own only if another
    /// program may come between, as an interrupt's does.
    fn atomic(&self, map: usize) -> u8 {
        (!self.maps[map].storage.kind.is_per_cpu() || self.shared[map] || self.site.is_preemptible()).into()
    }

    fn add(&mut self, place: &Place, amount: &Expr) {
        let base = self.base;
        let amount = self.operand(amount, base);
        let failed = self.open(place, base + 1);
        self.add_word(place.map, TOTAL, amount);
        self.mark_set(place.map);
        self.builder.place(failed);
    }

    fn add_word(&mut self, map: usize, off: u32, amount: Operand) {
        let (b, imm) = amount.encode();
        self.builder.op(Code::ValueAdd, self.atomic(map), 0, b, off, imm);
    }

    fn aggregate(&mut self, place: &Place, value: Option<&Expr>) {
        let (map, base) = (place.map, self.base);
        let Value::Gathered { kind, signed } = self.maps[map].value else { unreachable!("a plain value is assigned") };
        let value = value.map_or(Operand::Imm(1), |value| self.operand(value, base));
        let in_register = matches!(
            kind,
            Aggregation::Min
                | Aggregation::Max
                | Aggregation::Stats
                | Aggregation::Lhist { .. }
                | Aggregation::Tseries { .. }
        );
        if in_register {
            self.builder.alu(Alu::Mov, base, Op::NONE, value);
        }
        let value = if in_register { Operand::Register(base) } else { value };
        let k = match kind {
            Aggregation::Hist { k } => Some(u64::from(k)),
            Aggregation::Quantiles => Some(QUANTILES_K),
            _ => None,
        };
        if let Some(k) = k {
            let register = self.register(value, base);
            self.builder.alu(Alu::Log2, base, register, Operand::Imm(k));
        }
        if let Aggregation::Lhist { min, max, step } = kind {
            self.linear_bucket(base, min, max, step, signed);
        }
        let failed = self.open(place, base + 1);
        let bump = |lowerer: &mut Self, buckets: usize| {
            let off = BUCKETS | (buckets as u32 - 1) << 16;
            let atomic = lowerer.atomic(map);
            lowerer.builder.op(Code::ValueBump, atomic, base, Op::IMM, off, 1);
        };
        let best = |lowerer: &mut Self, off: u32, greater: bool| {
            let alu = match (greater, signed) {
                (false, true) => Alu::LtS,
                (false, false) => Alu::LtU,
                (true, true) => Alu::GtS,
                (true, false) => Alu::GtU,
            };
            lowerer.builder.op(Code::ValueBest, alu as u8, base, 0, off, 0);
        };
        match kind {
            Aggregation::Count | Aggregation::Sum => self.add_word(map, TOTAL, value),
            Aggregation::Avg => {
                self.add_word(map, COUNT, Operand::Imm(1));
                self.add_word(map, TOTAL, value);
            }
            Aggregation::Min => best(self, BEST, false),
            Aggregation::Max => best(self, BEST, true),
            Aggregation::Stats => {
                self.add_word(map, COUNT, Operand::Imm(1));
                self.add_word(map, TOTAL, value);
                best(self, LEAST, false);
                best(self, GREATEST, true);
                let atomic = self.atomic(map);
                self.builder.op(Code::ValueSquare, signed.into(), base, atomic, SQUARES, 0);
            }
            Aggregation::Hist { .. } | Aggregation::Quantiles => bump(self, log2_buckets(k.unwrap_or(0))),
            Aggregation::Lhist { min, max, step } => bump(self, super::storage::linear_buckets(min, max, step)),
            Aggregation::Tseries { interval, number, by } => {
                let by = match by {
                    Series::Last => By::Last,
                    Series::Avg => By::Avg,
                    Series::Max => By::Max,
                    Series::Min => By::Min,
                    Series::Sum => By::Sum,
                };
                let off = number | (by as u32) << 16;
                self.builder.op(Code::ValueSeries, signed.into(), base, 0, off, interval);
            }
        }
        self.mark_set(map);
        self.builder.place(failed);
    }

    /// An operand as what stands left of an operation.
    fn register(&mut self, value: Operand, scratch: u8) -> u8 {
        match value {
            Operand::Register(register) => register,
            Operand::Builtin(builtin) => Op::builtin(builtin),
            Operand::Imm(number) => {
                self.builder.set(scratch, number);
                scratch
            }
        }
    }

    /// Turns the number in a register into its bucket: 0 below the least, 1 and so on inside, and one for all above.
    fn linear_bucket(&mut self, register: u8, min: i64, max: i64, step: u64, signed: bool) {
        let (below, above, done) = (self.builder.label(), self.builder.label(), self.builder.label());
        let (less, more) = if signed { (Alu::LtS, Alu::GtS) } else { (Alu::LtU, Alu::GtU) };
        // An unsigned number is below a negative bound never, above it always.
        if signed || min > 0 {
            self.builder.jump_if(less, register, Operand::Imm(min as u64), below);
        }
        let last = super::storage::linear_buckets(min, max, step) as u64 - 1;
        if signed || max >= 0 {
            self.builder.jump_if(more, register, Operand::Imm(max as u64), above);
        }
        if min != 0 {
            self.builder.alu(Alu::Sub, register, register, Operand::Imm(min as u64));
        }
        if step > 1 {
            self.builder.alu(Alu::DivU, register, register, Operand::Imm(step));
        }
        self.builder.alu(Alu::Add, register, register, Operand::Imm(1));
        self.builder.jump(done);
        self.builder.place(below);
        self.builder.set(register, 0);
        self.builder.jump(done);
        self.builder.place(above);
        self.builder.set(register, last);
        self.builder.place(done);
    }

    /// Builds a record and sends it: the action's number, the values, then the texts that were read from memory.
    fn output(&mut self, action: usize, values: &[Expr]) {
        let fixed = |value: &Expr| if is_apart(value) { 8 } else { value.ty.size() };
        let fixed_len = length(values);
        // A type's size is that of an area with a byte to spare.
        let texts =
            values.iter().filter(|value| is_apart(value)).map(|value| text_room(value.ty.size())).sum::<usize>();
        let in_scratch = values.iter().any(Self::needs_scratch);
        let record = self.builder.keep(fixed_len + texts, in_scratch);
        self.builder.store_imm(record, action as u64);
        let (cursor, first) = (self.base, self.base + 1);
        if texts > 0 {
            self.builder.set(cursor, fixed_len as u64);
        }
        let mut off = record + HEADER as u32;
        for value in values {
            let mark = self.builder.mark();
            if is_apart(value) {
                let (address, len, place) = (first, first + 1, first + 2);
                let text = self.read_text(value, address);
                self.read_string(&text, len, address, cursor, record);
                self.builder.alu(Alu::Shl, place, len, Operand::Imm(32));
                self.builder.alu(Alu::Or, place, place, Operand::Register(cursor));
                self.builder.store(off, Operand::Register(place));
                self.builder.alu(Alu::Add, cursor, cursor, Operand::Register(len));
            } else {
                self.lay(value, &value.ty, off, first);
            }
            self.builder.release(mark);
            off += fixed(value) as u32;
        }
        let len = if texts > 0 { Operand::Register(cursor) } else { Operand::Imm(fixed_len as u64) };
        let (b, imm) = len.encode();
        self.builder.op(Code::Emit, 0, 0, b, record, imm);
    }
}
