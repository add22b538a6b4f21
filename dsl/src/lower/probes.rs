//! What stands before a clause's own code, and how its context is read.

use scope_common::arith::Alu;
use scope_common::plan::{Builtin, Code, MAX_CONTEXT, Op, Space};

use crate::checked::Access;
use crate::fields::{Field, Shape, arguments};
use crate::probes::site::FUNCTION_SHIFT;
use crate::probes::{Member, Site};
use crate::registers::{SYSCALL_ARGUMENTS, SYSCALL_NUMBER};

use super::Lowerer;
use super::builder::{Label, Operand};

/// A raw tracepoint's context: words, the tracepoint's own arguments.
const FIRST: u32 = 0;
const SECOND: u32 = 8;

impl Lowerer<'_> {
    /// The filter by process, and the look-up of a system call set.
    pub(super) fn prelude(&mut self, end: Label) {
        if !self.site.in_its_task() {
            return;
        }
        if let Some(pid) = self.options.pid {
            self.builder.jump_if(Alu::Ne, Op::builtin(Builtin::Pid), Operand::Imm(pid.into()), end);
        }
        if let Site::SyscallSet { members, .. } = self.site {
            let members = members.clone();
            self.look_up(&members, end);
        }
    }

    /// Finds the member of the set that this system call is; ends the clause if it is none.
    ///
    /// An entry of the table is 0, or `probe << 8 | nargs << 1 | 1`.
    fn look_up(&mut self, members: &[Member], end: Label) {
        let greatest = members.iter().map(|member| member.number).max().unwrap_or(0);
        let entries = (greatest as usize + 1).next_power_of_two();
        let mut table = vec![0u32; entries];
        for member in members {
            let nargs = arguments(&member.fields) as u32;
            table[member.number as usize] = (member.probe as u32) << 8 | nargs << 1 | 1;
        }
        let bytes = table.iter().flat_map(|entry| entry.to_ne_bytes()).collect::<Vec<_>>();
        let off = self.builder.constant(&bytes);
        self.access(&Access::SyscallNumber, 0);
        self.builder.jump_if(Alu::GeU, 0, Operand::Imm(entries as u64), end);
        let register = self.builder.variable_register().expect("the first variable has a register");
        self.builder.op(Code::Table, register, 0, 0, off, entries as u64);
        self.builder.jump_if(Alu::Eq, register, Operand::Imm(0), end);
        self.member = Some(register);
    }

    /// Ends the clause for a system call by the 32-bit entry, whose numbers mean other calls. It stands behind the
    /// predicate, which is cheaper.
    pub(super) fn compat_check(&mut self, end: Label) {
        if let (Site::SyscallSet { .. }, Some(flag)) = (self.site, self.options.compat) {
            self.builder.get(0, Builtin::Task);
            self.builder.op(Code::Peek, 0, 0, 4, flag.offset, Space::Kernel as u64);
            self.builder.alu(Alu::And, 0, 0, Operand::Imm(flag.mask.into()));
            self.builder.jump_if(Alu::Ne, 0, Operand::Imm(0), end);
        }
    }

    /// How many frames a probe surely has on top of the kernel's stack: where the stack is taken in the program itself, the
    /// program's and that of `bpf_trace_run*` (`kernel/trace/bpf_trace.c`).
    pub(super) fn own_frames(&self) -> u8 {
        match self.site {
            Site::RawSyscalls { .. } | Site::SyscallSet { .. } | Site::RawTracepoint { .. } => 2,
            _ => 0,
        }
    }

    /// The number of the probe: from a set's table, or what was given along when the program was attached.
    pub(super) fn probe(&mut self, dst: u8) {
        match self.member {
            Some(member) => self.builder.alu(Alu::ShrU, dst, member, Operand::Imm(8)),
            None => self.builder.get(dst, Builtin::Cookie),
        }
        if matches!(self.site, Site::Uprobe { .. } | Site::Kprobe { .. }) {
            self.builder.alu(Alu::And, dst, dst, Operand::Imm((1 << FUNCTION_SHIFT) - 1));
        }
    }

    /// The number of the first probe on the same function, which is given along, too.
    pub(super) fn function(&mut self, dst: u8) {
        self.builder.get(dst, Builtin::Cookie);
        self.builder.alu(Alu::ShrU, dst, dst, Operand::Imm(FUNCTION_SHIFT.into()));
    }

    /// The number of arguments, from a set's table.
    pub(super) fn set_nargs(&mut self, dst: u8) {
        let member = self.member.expect("a set has looked its member up");
        self.builder.alu(Alu::ShrU, dst, member, Operand::Imm(1));
        self.builder.alu(Alu::And, dst, dst, Operand::Imm(0x7f));
    }

    /// Reads a number of the context.
    pub(super) fn access(&mut self, access: &Access, dst: u8) {
        let exit = matches!(self.site, Site::RawSyscalls { exit: true, .. } | Site::SyscallSet { exit: true, .. });
        match *access {
            Access::Number { offset, size, signed } => self.record_number(offset, size, signed, dst),
            Access::Word { offset, size, signed } => {
                self.context(dst, offset, 8);
                self.cut(dst, size, signed);
            }
            Access::SyscallNumber if !exit => self.context(dst, SECOND, 8),
            Access::SyscallNumber => {
                self.context(dst, FIRST, 8);
                self.builder.op(Code::Peek, dst, dst, 8, SYSCALL_NUMBER, Space::Kernel as u64);
            }
            Access::SyscallResult => self.context(dst, SECOND, 8),
            Access::SyscallArgument { index, size, signed } => {
                self.context(dst, FIRST, 8);
                self.builder.op(
                    Code::Peek,
                    dst,
                    dst,
                    size as u8,
                    SYSCALL_ARGUMENTS[index as usize],
                    Space::Kernel as u64,
                );
                self.extend(dst, size, signed);
            }
            Access::Address(offset) => {
                self.builder.get(dst, Builtin::ContextAddress);
                if offset > 0 {
                    self.builder.alu(Alu::Add, dst, dst, Operand::Imm(offset.into()));
                }
            }
            Access::Chars { .. } | Access::DataLocation(_) => unreachable!("texts are no words"),
        }
    }

    /// The address of a text in or behind the record.
    pub(super) fn text_address(&mut self, access: &Access, dst: u8) {
        match *access {
            Access::Chars { offset, .. } => {
                self.builder.get(dst, Builtin::ContextAddress);
                self.builder.alu(Alu::Add, dst, dst, Operand::Imm(offset.into()));
            }
            Access::DataLocation(offset) => {
                // The low half is the text's offset from the record's start (`include/trace/stages`, __data_loc).
                self.record_number(offset, 4, false, dst + 1);
                self.builder.alu(Alu::And, dst + 1, dst + 1, Operand::Imm(0xffff));
                self.builder.get(dst, Builtin::ContextAddress);
                self.builder.alu(Alu::Add, dst, dst, Operand::Register(dst + 1));
            }
            _ => unreachable!("numbers have no address"),
        }
    }

    fn context(&mut self, dst: u8, offset: u32, bytes: u8) {
        let pointer = self.site.is_given_pointers();
        self.builder.op(Code::Context, dst, pointer.into(), bytes, offset, 0);
    }

    /// Reads a number of a tracepoint's record, through the words of 8 and 4 bytes that the machine can load.
    fn record_number(&mut self, offset: u32, size: u32, signed: bool, dst: u8) {
        let word = offset & !3;
        let inside = word + 4 <= self.record_end() && offset as usize + 8 <= MAX_CONTEXT;
        match size {
            8 if offset.is_multiple_of(8) && inside => self.context(dst, offset, 8),
            4 if offset.is_multiple_of(4) && inside => {
                self.context(dst, offset, 4);
                self.extend(dst, size, signed);
            }
            1 | 2 if offset.is_multiple_of(size) && inside => {
                self.context(dst, word, 4);
                let shift = (offset - word) * 8;
                if shift > 0 {
                    self.builder.alu(Alu::ShrU, dst, dst, Operand::Imm(shift.into()));
                }
                if signed {
                    self.extend(dst, size, true);
                } else {
                    self.builder.alu(Alu::And, dst, dst, Operand::Imm((1 << (size * 8)) - 1));
                }
            }
            // Where no load fits, the record is read like any memory.
            _ => {
                self.builder.get(dst, Builtin::ContextAddress);
                self.builder.alu(Alu::Add, dst, dst, Operand::Imm(offset.into()));
                self.builder.op(Code::Peek, dst, dst, size as u8, 0, Space::Kernel as u64);
                self.extend(dst, size, signed);
            }
        }
    }

    /// Cuts a word, of which only so many bytes mean anything.
    fn cut(&mut self, dst: u8, size: u32, signed: bool) {
        if size < 8 && signed {
            self.extend(dst, size, true);
        } else if size < 8 {
            self.builder.alu(Alu::And, dst, dst, Operand::Imm((1 << (size * 8)) - 1));
        }
    }

    pub(super) fn extend(&mut self, dst: u8, size: u32, signed: bool) {
        if signed && size < 8 {
            self.builder.alu(Alu::Sext, dst, dst, Operand::Imm(u64::from(size) * 8));
        }
    }

    /// Where the record ends: the kernel refuses to attach a program that loads past its last field.
    fn record_end(&self) -> u32 {
        let Site::Tracepoint { fields, .. } = self.site else { return 0 };
        fields.iter().map(|field| field.offset + bytes(field)).max().unwrap_or(0)
    }
}

/// How many bytes a field takes at least.
fn bytes(field: &Field) -> u32 {
    match field.shape {
        Shape::Number { size, .. } => size,
        Shape::Pointer => 8,
        Shape::Chars { len } => len,
        Shape::DataLocation | Shape::LocatedBytes => 4,
        Shape::Numbers { size, count, .. } => size * count,
        Shape::Other => 0,
    }
}
