//! Statements: writing variables and maps, sending records.

use scope_common::arith::{Alu, LOG2_BUCKETS};
use scope_common::machine::map_full;
use scope_common::plan::{Code, Op};
use scope_common::record::HEADER;
use scope_common::value::{BEST, BUCKETS, COUNT, TOTAL};

use crate::checked::{Access, Expr, ExprKind, Place, Statement, Value};
use crate::types::Type;

use super::builder::{Label, Operand};
use super::{Lowerer, Variable};

impl Lowerer<'_> {
    pub(super) fn statements(&mut self, statements: &[Statement], end: Label) {
        for statement in statements {
            let mark = self.builder.mark();
            self.statement(statement, end);
            self.builder.release(mark);
        }
    }

    fn statement(&mut self, statement: &Statement, end: Label) {
        match statement {
            Statement::SetVariable(number, value) => self.set_variable(*number, value),
            Statement::SetMap(place, value) => self.set_map(place, value),
            Statement::Add(place, amount) => self.add(place, amount),
            Statement::Aggregate(place, value) => self.aggregate(place, value.as_ref()),
            Statement::Delete(place) => self.delete(place),
            Statement::Output(action, values) => self.output(*action, values),
            Statement::Stop => self.builder.jump(end),
            Statement::If(condition, then, otherwise) => {
                let (no, done) = (self.builder.label(), self.builder.label());
                self.branch(condition, false, no, 0);
                self.statements(then, end);
                if !otherwise.is_empty() {
                    self.builder.jump(done);
                }
                self.builder.place(no);
                self.statements(otherwise, end);
                self.builder.place(done);
            }
        }
    }

    fn set_variable(&mut self, number: usize, value: &Expr) {
        match self.variables[number] {
            Variable::Register(register) => {
                let value = self.operand(value, 0);
                self.builder.alu(Alu::Mov, register, Op::NONE, value);
            }
            Variable::Frame(off) => {
                let value = self.operand(value, 0);
                self.builder.store(off, value);
            }
            Variable::Text(off, size) => self.text_into(value, off, size, 0),
        }
    }

    /// Opens a map's entry for writing; gives the label to go to where that fails, which the caller places.
    fn open(&mut self, place: &Place, first: u8) -> Label {
        let key = self.key(place, first);
        let (slot, swapped) = self.slot(place.map);
        let failed = self.builder.label();
        self.builder.open(slot, swapped, key, map_full(place.map), failed);
        failed
    }

    /// Marks a scalar as set: its array has the entry whether or not it was written.
    fn mark_set(&mut self, map: usize) {
        if let Some(off) = self.set_word(map) {
            self.builder.op(Code::ValueStore, 0, 0, Op::IMM, off, 1);
        }
    }

    fn set_word(&self, map: usize) -> Option<u32> {
        let storage = &self.maps[map].storage;
        storage.kind.is_array().then(|| storage.value_size as u32 - 8)
    }

    fn set_map(&mut self, place: &Place, value: &Expr) {
        let Value::Plain(ty) = &self.maps[place.map].value else {
            unreachable!("an aggregation is not assigned")
        };
        if let Type::Text { size } = ty {
            let size = *size;
            let from = self.text(value, size, 0);
            let failed = self.open(place, 0);
            self.builder.op(Code::ValueIn, 0, 0, 0, 0, u64::from(from) | (size as u64) << 32);
            self.mark_set(place.map);
            self.builder.place(failed);
            return;
        }
        let value = self.operand(value, 0);
        let failed = self.open(place, 1);
        let (b, imm) = value.encode();
        self.builder.op(Code::ValueStore, 0, 0, b, TOTAL, imm);
        self.mark_set(place.map);
        self.builder.place(failed);
    }

    /// Whether an addition must be one step: on a value that all CPUs share always; on a CPU's own only if another
    /// program may come between, as an interrupt's does.
    fn atomic(&self, map: usize) -> u8 {
        (!self.maps[map].storage.kind.is_per_cpu() || self.shared[map]).into()
    }

    fn add(&mut self, place: &Place, amount: &Expr) {
        let amount = self.operand(amount, 0);
        let failed = self.open(place, 1);
        self.add_word(place.map, TOTAL, amount);
        self.mark_set(place.map);
        self.builder.place(failed);
    }

    fn add_word(&mut self, map: usize, off: u32, amount: Operand) {
        let (b, imm) = amount.encode();
        self.builder.op(Code::ValueAdd, self.atomic(map), 0, b, off, imm);
    }

    fn aggregate(&mut self, place: &Place, value: Option<&Expr>) {
        let map = place.map;
        let kind = self.maps[map].value.clone();
        let value = value.map_or(Operand::Imm(1), |value| self.operand(value, 0));
        if let Value::Min { .. } | Value::Max { .. } = kind {
            // The op compares registers.
            self.builder.alu(Alu::Mov, 0, Op::NONE, value);
        }
        if kind == Value::Hist {
            let register = match value {
                Operand::Register(register) => register,
                Operand::Builtin(builtin) => Op::builtin(builtin),
                Operand::Imm(number) => {
                    self.builder.set(0, number);
                    0
                }
            };
            self.builder.alu(Alu::Log2, 0, register, Operand::Imm(0));
        }
        let failed = self.open(place, 1);
        match kind {
            Value::Avg { .. } => {
                self.add_word(map, COUNT, Operand::Imm(1));
                self.add_word(map, TOTAL, value);
            }
            Value::Min { signed } => {
                let alu = if signed { Alu::LtS } else { Alu::LtU };
                self.builder.op(Code::ValueBest, alu as u8, 0, 0, BEST, 0);
            }
            Value::Max { signed } => {
                let alu = if signed { Alu::GtS } else { Alu::GtU };
                self.builder.op(Code::ValueBest, alu as u8, 0, 0, BEST, 0);
            }
            Value::Hist => {
                let off = BUCKETS | (LOG2_BUCKETS as u32 - 1) << 16;
                self.builder.op(Code::ValueBump, self.atomic(map), 0, Op::IMM, off, 1);
            }
            _ => self.add_word(map, TOTAL, value),
        }
        self.mark_set(map);
        self.builder.place(failed);
    }

    fn delete(&mut self, place: &Place) {
        let key = self.key(place, 0);
        let (slot, swapped) = self.slot(place.map);
        // Userspace deletes an array's entry like any other.
        let Some(set) = self.set_word(place.map).filter(|_| !self.site.in_userspace()) else {
            self.builder.op(Code::Delete, 0, slot, 0, key, 0);
            return;
        };
        let none = self.builder.label();
        self.builder.find(slot, swapped, key, none);
        for off in (0..=set).step_by(8) {
            self.builder.op(Code::ValueStore, 0, 0, Op::IMM, off, 0);
        }
        self.builder.place(none);
    }

    /// Builds a record and sends it: the action's number, the values, then the texts that were read from memory.
    fn output(&mut self, action: usize, values: &[Expr]) {
        let apart = |value: &Expr| matches!(value.kind, ExprKind::Str { .. } | ExprKind::Access(Access::DataLocation(_)));
        let fixed = |value: &Expr| if apart(value) { 8 } else { value.ty.size() };
        let fixed_len = HEADER + values.iter().map(fixed).sum::<usize>();
        let texts = values.iter().filter(|value| apart(value)).map(|value| value.ty.size()).sum::<usize>();
        let in_scratch = values.iter().any(Self::needs_scratch);
        let record = self.builder.keep(fixed_len + texts, in_scratch);
        self.builder.store_imm(record, action as u64);
        const CURSOR: u8 = 0;
        const FIRST: u8 = 1;
        if texts > 0 {
            self.builder.set(CURSOR, fixed_len as u64);
        }
        let mut off = record + HEADER as u32;
        for value in values {
            if apart(value) {
                let (address, len, place) = (FIRST, FIRST + 1, FIRST + 2);
                let (max, space) = self.read_text(value, address);
                let imm = max as u64 | (space as u64) << 32;
                self.builder.op(Code::Str, len, address, CURSOR, record, imm);
                self.builder.alu(Alu::Shl, place, len, Operand::Imm(32));
                self.builder.alu(Alu::Or, place, place, Operand::Register(CURSOR));
                self.builder.store(off, Operand::Register(place));
                self.builder.alu(Alu::Add, CURSOR, CURSOR, Operand::Register(len));
            } else if value.ty.is_word() {
                let value = self.operand(value, FIRST);
                self.builder.store(off, value);
            } else {
                self.text_into(value, off, value.ty.size(), FIRST);
            }
            off += fixed(value) as u32;
        }
        let len = if texts > 0 { Operand::Register(CURSOR) } else { Operand::Imm(fixed_len as u64) };
        let (b, imm) = len.encode();
        self.builder.op(Code::Emit, 0, 0, b, record, imm);
    }
}
