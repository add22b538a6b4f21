//! What a probe is given in words or registers: `arg0`, `retval`, `reg("ip")`, and `args.name` where the kernel's type
//! information names the arguments.

use scope_common::arith::Alu;

use crate::ast::{self, Name};
use crate::checked::{Access, Expr, ExprKind};
use crate::ctypes::{CType, Named as Tag, Signature, TypeId};
use crate::diagnostic::Diagnostic;
use crate::probes::iter::PREFIX;
use crate::probes::usdt::{Argument, Place};
use crate::probes::{Given, Site};
use crate::registers;
use crate::source::Span;
use crate::types::{Space, Type};

use super::Checker;
use super::operators::{alu, int};

/// The number in the name of a builtin `arg0`, `arg1`, ...
pub(crate) fn argument_number(name: &str) -> Option<u32> {
    let digits = name.strip_prefix("arg")?;
    let plain = digits == "0" || !digits.starts_with('0');
    digits.parse().ok().filter(|_| plain && digits.bytes().all(|byte| byte.is_ascii_digit()))
}

impl Checker<'_> {
    /// `arg0`, `arg1`, ...: an argument as a number.
    pub(super) fn numbered_argument(&mut self, number: u32, span: Span) -> Option<Expr> {
        if let Site::Uprobe { arguments: Some(arguments), .. } = self.site() {
            let found = arguments.get(number as usize).cloned();
            let count = arguments.len();
            return self.static_argument(number, found, count, span);
        }
        let offset = match self.site().given() {
            Given::Words => self.word_count().is_none_or(|count| number < count).then_some(number * 8),
            Given::Registers => registers::ARGUMENTS.get(number as usize).copied(),
            Given::Returned | Given::Other => {
                let title = format!("`arg{number}` is not known here");
                let error = Diagnostic::error("E0323", span, title, "this probe has no numbered arguments");
                let help = match self.site() {
                    Site::Tracepoint { .. } | Site::RawSyscalls { .. } | Site::SyscallSet { .. } => {
                        "`args.NAME` gives a tracepoint's fields, `print(args)` prints all of them"
                    }
                    _ => "rawtracepoint, kprobe and uprobe have them",
                };
                self.error(error.help(help));
                return None;
            }
        };
        let Some(offset) = offset else {
            let count = self.word_count().unwrap_or(registers::ARGUMENTS.len() as u32);
            let title = format!("there is no `arg{number}` here");
            let error = Diagnostic::error("E0323", span, title, format!("this probe has {count}, from `arg0` on"));
            self.error(error);
            return None;
        };
        Some(whole(offset, span))
    }

    /// An argument of a static probe, which is where its author's compiler has put it.
    fn static_argument(
        &mut self,
        number: u32,
        found: Option<Option<Argument>>,
        count: usize,
        span: Span,
    ) -> Option<Expr> {
        let Some(Some(Argument { size, signed, place })) = found else {
            let title = format!("there is no `arg{number}` here");
            let label = match found {
                Some(_) => "it lies where a script can't read it".to_owned(),
                None => format!("this probe has {count}, from `arg0` on"),
            };
            self.error(Diagnostic::error("E0323", span, title, label));
            return None;
        };
        let ty = Type::Int { bits: size as u8 * 8, signed };
        match place {
            Place::Constant(value) => Some(int(value as u64, ty, span)),
            Place::Register(offset) => {
                Some(Expr { kind: ExprKind::Access(Access::Word { offset, size, signed }), ty, span })
            }
            Place::Memory { base, index, displacement } => {
                let sum = |left, right| alu(Alu::Add, left, right, Type::UNSIGNED, span);
                let mut address = sum(whole(base, span), int(displacement as u64, Type::UNSIGNED, span));
                if let Some((index, scale)) = index {
                    let scale = int(scale, Type::UNSIGNED, span);
                    address = sum(address, alu(Alu::Mul, whole(index, span), scale, Type::UNSIGNED, span));
                }
                let id = self.given.types.int(size, signed);
                let address = Expr { ty: Type::pointer(Some(id), Space::User), ..address };
                self.read(address, 0, id, Space::User, span)
            }
        }
    }

    /// How many words the probe is given, if that is known.
    fn word_count(&self) -> Option<u32> {
        match self.site() {
            // A program at a raw tracepoint can read twelve (`MAX_BPF_FUNC_ARGS`, `include/linux/bpf.h`).
            Site::RawTracepoint { .. } | Site::Traced { .. } | Site::Iter { .. } => {
                Some(self.signature().map_or(12, |known| known.parameters.len() as u32))
            }
            _ => None,
        }
    }

    /// `retval`: what the function returned, as a number.
    pub(super) fn returned(&mut self, span: Span) -> Option<Expr> {
        if self.site().given() == Given::Returned {
            return Some(whole(registers::RESULT, span));
        }
        if let (Site::Traced { exit: true, .. }, Some(signature)) = (self.site(), self.signature()) {
            // It lies behind the arguments.
            let name = Name { text: "retval".to_owned(), span };
            return self.typed_word(signature.parameters.len() as u32 * 8, signature.returns, &name, span);
        }
        let error = Diagnostic::error("E0323", span, "`retval` is not known here", "nothing returns at this probe");
        self.error(
            error.help("`kretprobe`, `uretprobe` and `fexit` have it; a system call's is `args.ret` at its exit"),
        );
        None
    }

    /// `reg("ip")`: a register of the CPU.
    pub(super) fn register(&mut self, name: &ast::Expr, span: Span) -> Option<Expr> {
        self.given_registers(span)?;
        let text = self.literal_text(name)?;
        let Some(offset) = registers::offset(&text) else {
            let error = Diagnostic::error("E0336", name.span, format!("there is no register `{text}`"), "");
            let list = registers::names().collect::<Vec<_>>().join(", ");
            self.error(error.suggest(&text, registers::names()).help(format!("registers are {list}")));
            return None;
        };
        Some(whole(offset, span))
    }

    /// Whether there is an object: an iterator's program runs once more when there are no more (`bpf_iter_run_prog`,
    /// `kernel/bpf/bpf_iter.c`). It is the last of the pointers that the program is given.
    pub(super) fn has_object(&mut self, span: Span) -> Option<Expr> {
        let signature = self.signature()?;
        let types = self.given.types;
        let is_pointer = |(_, ty): &(String, TypeId)| matches!(types.get(*ty), CType::Pointer { .. });
        let last = signature.parameters.iter().rposition(is_pointer)?;
        Some(alu(Alu::Ne, whole(last as u32 * 8, span), int(0, Type::UNSIGNED, span), Type::Bool, span))
    }

    /// `ctx`: the address of what the probe is given.
    pub(super) fn context(&mut self, span: Span) -> Option<Expr> {
        let to = match self.site() {
            Site::Iter { function, .. } => {
                let kind = function.strip_prefix(PREFIX).unwrap_or(function);
                self.given.types.named(Tag::Struct, &format!("{PREFIX}_{kind}"))
            }
            site if site.in_userspace() => {
                let error = Diagnostic::error("E0323", span, "`ctx` is not known here", "this probe is given nothing");
                self.error(error.help("BEGIN, END, interval and signals run in scope itself"));
                return None;
            }
            _ => None,
        };
        let ty = Type::pointer(to, Space::Kernel);
        Some(Expr { kind: ExprKind::Access(Access::Address(0)), ty, span })
    }

    /// Says so where the probe is given no registers.
    fn given_registers(&mut self, span: Span) -> Option<()> {
        if matches!(self.site().given(), Given::Registers | Given::Returned) {
            return Some(());
        }
        let error = Diagnostic::error("E0323", span, "registers are not known here", "this probe is not given any");
        self.error(error.help("kprobe, uprobe, profile, software, hardware and watchpoint are given the registers"));
        None
    }

    /// `usermode`: whether the registers are those of the process's own code, by the privilege level in `cs`
    /// (`user_mode`, `arch/x86/include/asm/ptrace.h`).
    pub(super) fn usermode(&mut self, span: Span) -> Option<Expr> {
        self.given_registers(span)?;
        let level =
            alu(Alu::And, whole(registers::offset("cs")?, span), int(3, Type::UNSIGNED, span), Type::UNSIGNED, span);
        Some(alu(Alu::Eq, level, int(3, Type::UNSIGNED, span), Type::Bool, span))
    }

    /// What the kernel's type information says of the probe's arguments.
    pub(super) fn signature(&self) -> Option<Signature> {
        match self.site() {
            Site::RawTracepoint { name, .. } => self.given.types.raw_tracepoint(name),
            site => self.given.types.function(site.kernel_function()?),
        }
    }

    /// `args.name`, where the kernel's type information has the name.
    pub(super) fn typed_argument(&mut self, member: &Name, span: Span) -> Option<Expr> {
        let Some(signature) = self.signature() else {
            let error = Diagnostic::error("E0329", span, "the names of its arguments are not known", "");
            self.error(error.help("this kernel says nothing of them: `arg0`, `arg1`, ... are their numbers"));
            return None;
        };
        let Some(index) = signature.parameters.iter().position(|(name, _)| *name == member.text) else {
            let names = signature.parameters.iter().map(|(name, _)| name.as_str()).collect::<Vec<_>>();
            return self.no_such_field(member, &names);
        };
        let (_, ty) = signature.parameters[index];
        let offset = match self.site().given() {
            Given::Registers => registers::ARGUMENTS.get(index).copied(),
            _ => Some(index as u32 * 8),
        };
        let Some(offset) = offset else {
            let error =
                Diagnostic::error("E0329", member.span, "it lies on the stack", "only six arguments are in registers");
            self.error(error.help("`fentry` gives all of them"));
            return None;
        };
        self.typed_word(offset, ty, member, span)
    }

    fn typed_word(&mut self, offset: u32, id: TypeId, member: &Name, span: Span) -> Option<Expr> {
        let ty = self.type_of(id, Space::Kernel);
        let (size, signed) = match &ty {
            Some(Type::Int { bits, signed }) => (u32::from(*bits) / 8, *signed),
            Some(Type::Enum(named)) => (u32::from(named.bits) / 8, named.signed),
            Some(Type::Bool) => (1, false),
            Some(Type::Pointer { .. }) => (8, false),
            _ => {
                let title = format!("`args.{}` has a type that scripts can't read", member.text);
                self.error(Diagnostic::error("E0327", span, title, self.given.types.describe(id)));
                return None;
            }
        };
        Some(Expr { kind: ExprKind::Access(Access::Word { offset, size, signed }), ty: ty?, span })
    }
}

/// A whole word of the context.
fn whole(offset: u32, span: Span) -> Expr {
    let access = Access::Word { offset, size: 8, signed: false };
    Expr { kind: ExprKind::Access(access), ty: Type::UNSIGNED, span }
}

#[cfg(test)]
mod tests {
    use super::argument_number;

    #[test]
    fn arguments_have_numbers() {
        for (name, number) in [("arg0", Some(0)), ("arg12", Some(12)), ("arg", None), ("arg01", None), ("args", None)] {
            assert_eq!(argument_number(name), number, "{name}");
        }
    }
}
