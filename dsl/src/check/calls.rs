//! Calls inside expressions, and what all calls have in common.

use scope_common::arith::Alu;
use scope_common::plan::Op;

use crate::ast::{self, ExprKind as Ast, Name};
use crate::builtins::Builtin;
use crate::checked::{Expr, ExprKind};
use crate::ctypes::CType;
use crate::diagnostic::Diagnostic;
use crate::functions::{Function, Role, Row, TABLE};
use crate::limits::STACK_DEPTH;
use crate::probes::Site;
use crate::source::Span;
use crate::types::{Named, Space, Stack, StackMode, Type};

use super::Checker;
use super::operators::{alu, int};

/// `AF_INET` and `AF_INET6` (`include/linux/socket.h`).
const INET: u64 = 2;
const INET6: u64 = 10;

impl Checker<'_> {
    pub(super) fn unknown_function(&mut self, name: &Name) {
        if self.functions.contains_key(&name.text) {
            let title = format!("`{}` is a function of the user stage", name.text);
            let label = "it can't be called here";
            let error = Diagnostic::error("E0314", name.span, title, label);
            self.error(error.help(
                "call it as an argument of `printf`, `print` or a field of `emit`: it runs when the record is printed",
            ));
            return;
        }
        if let Some((_, reason, way)) = REFUSED.iter().find(|(refused, ..)| *refused == name.text) {
            let error = Diagnostic::error(
                "E0338",
                name.span,
                format!("`{}` is not there: {reason}", name.text),
                "bpftrace has it",
            );
            self.error(error.help(*way));
            return;
        }
        let names = TABLE.iter().map(|row| row.name).chain(self.functions.keys().map(String::as_str));
        let error =
            Diagnostic::error("E0315", name.span, format!("unknown function `{}`", name.text), "no such function");
        let error = error.suggest(&name.text, names);
        self.error(error);
    }

    pub(super) fn arity(&mut self, row: &Row, given: usize, span: Span) -> Option<()> {
        let (least, most) = row.arity;
        if (least..=most).contains(&given) {
            return Some(());
        }
        let title = format!("`{}` does not take {}", row.name, super::arguments::counted(given, "argument"));
        self.error(Diagnostic::error("E0311", span, title, format!("expected `{}`", row.signature)));
        None
    }

    pub(super) fn call(&mut self, name: &Name, arguments: &[ast::Expr], span: Span) -> Option<Expr> {
        let Some(row) = Row::named(&name.text) else {
            self.unknown_function(name);
            return None;
        };
        self.arity(row, arguments.len(), span)?;
        match row.role {
            Role::Value => self.function(row, arguments, span),
            Role::Aggregation => {
                let title = format!("`{}` is no value", row.name);
                self.error(Diagnostic::error("E0307", span, title, format!("expected `{}`", row.signature)));
                None
            }
            Role::Action => {
                let title = format!("`{}` has no value", row.name);
                self.error(Diagnostic::error("E0351", span, title, "it can only stand as a statement"));
                None
            }
        }
    }

    pub(super) fn function(&mut self, row: &Row, arguments: &[ast::Expr], span: Span) -> Option<Expr> {
        match row.function {
            Function::Str => self.str(arguments, span),
            Function::Buf => self.buf(arguments, span),
            Function::Strncmp => self.compare(arguments, true, span),
            Function::Memcmp => self.compare(arguments, false, span),
            Function::Strstr => self.search(arguments, span),
            Function::Strcontains => {
                let found = self.search(arguments, span)?;
                Some(alu(Alu::GeS, found, int(0, Type::SIGNED, span), Type::Bool, span))
            }
            Function::Strlen => self.strlen(&arguments[0], span),
            Function::Strcap => {
                let text = self.text(&arguments[0])?;
                Some(int(text.ty.size() as u64, Type::UNSIGNED, span))
            }
            Function::Delete => self.delete(arguments, span),
            Function::HasKey => self.has_key(arguments, span),
            Function::Find => self.find(arguments, span),
            Function::Len => self.len(&arguments[0], span),
            Function::Reg => self.register(&arguments[0], span),
            Function::Quantile => self.quantile(arguments, span),
            Function::Getopt => self.getopt(arguments, span),
            Function::IsA => self.is_a(row.name, &arguments[0], span),
            Function::Bswap => self.bswap(&arguments[0], span),
            Function::Kptr => self.in_space(&arguments[0], Space::Kernel, span),
            Function::Uptr => self.in_space(&arguments[0], Space::User, span),
            Function::Nsecs => self.nsecs(arguments.first(), span),
            Function::Pid => self.task_number(Builtin::Pid, "tgid", arguments.first(), span),
            Function::Tid => self.task_number(Builtin::Tid, "pid", arguments.first(), span),
            Function::LeaderTid => self.relative("group_leader", arguments.first(), "pid", span),
            Function::LeaderComm => self.relative("group_leader", arguments.first(), "comm", span),
            Function::Ppid => self.relative("real_parent", arguments.first(), "tgid", span),
            Function::Pcomm => self.relative("real_parent", arguments.first(), "comm", span),
            Function::Kstack | Function::Ustack => self.stack(row.function == Function::Ustack, arguments, span),
            Function::SyscallName => self.shown_as(&arguments[0], Type::Named(Named::Syscall), span),
            Function::SignalName => self.shown_as(&arguments[0], Type::Named(Named::Signal), span),
            Function::Strerror => self.shown_as(&arguments[0], Type::Named(Named::Errno), span),
            Function::Ksym => self.shown_as(&arguments[0], Type::Named(Named::KernelSymbol), span),
            Function::CgroupAncestor => self.cgroup_ancestor(&arguments[0], span),
            Function::CgroupPath => self.shown_as(&arguments[0], Type::Named(Named::Cgroup), span),
            Function::Usym => self.usym(&arguments[0], span),
            Function::Strftime => {
                let format = self.literal_text(&arguments[0])?;
                self.shown_as(&arguments[1], Type::Time(format.into()), span)
            }
            Function::Ntop => self.ntop(arguments, span),
            Function::Pton => self.pton(&arguments[0], span),
            Function::Macaddr => self.macaddr(&arguments[0], span),
            Function::IsErr => {
                let pointer = self.number(&arguments[0])?;
                // The last 4095 addresses (`IS_ERR`, `include/linux/err.h`).
                Some(alu(Alu::GeU, pointer, int(-4095i64 as u64, Type::UNSIGNED, span), Type::Bool, span))
            }
            Function::Kaddr => self.kernel_address(&arguments[0]),
            Function::KfuncExist => {
                let name = self.literal_text(&arguments[0])?;
                let exists = self.given.facts.kernel_address(&name).is_some();
                Some(int(exists.into(), Type::Bool, span))
            }
            Function::PercpuKaddr => self.percpu_address(arguments, span),
            Function::CgroupId => {
                let path = self.literal_text(&arguments[0])?;
                let id = self.given.facts.cgroup_id(&path);
                self.found_fact(id, arguments[0].span, &format!("there is no cgroup at `{path}`"))
            }
            _ => unreachable!("the table's other functions are no values"),
        }
    }

    fn kernel_address(&mut self, name: &ast::Expr) -> Option<Expr> {
        let text = self.literal_text(name)?;
        let address = self.given.facts.kernel_address(&text);
        if address.is_none() {
            let title = format!("the kernel has no symbol `{text}`");
            let error = Diagnostic::error("E0339", name.span, title, "not found on this machine");
            self.error(error.help(
                "/proc/kallsyms lists its symbols; those of variables only if it was built with CONFIG_KALLSYMS_ALL",
            ));
        }
        Some(int(address?, Type::UNSIGNED, name.span))
    }

    /// Where a CPU has its copy of a variable (`per_cpu_ptr`, `include/linux/percpu-defs.h`).
    fn percpu_address(&mut self, arguments: &[ast::Expr], span: Span) -> Option<Expr> {
        let symbol = self.kernel_address(&arguments[0])?;
        let offsets = self.given.facts.kernel_address("__per_cpu_offset");
        let offsets = self.found_fact(offsets, span, "the kernel does not tell where CPUs have their variables")?;
        let cpu = match arguments.get(1) {
            Some(cpu) => self.number(cpu)?,
            None => self.builtin(Builtin::Cpu, span)?,
        };
        let entry = alu(Alu::Mul, cpu, int(8, Type::UNSIGNED, span), Type::UNSIGNED, span);
        let entry = alu(Alu::Add, offsets, entry, Type::pointer(None, Space::Kernel), span);
        let types = self.given.types;
        let offset = self.read(entry, 0, types.pointer_to(types.char()), Space::Kernel, span)?;
        let offset = Expr { ty: Type::UNSIGNED, ..offset };
        Some(alu(Alu::Add, symbol, offset, Type::pointer(None, Space::Kernel), span))
    }

    fn found_fact(&mut self, fact: Option<u64>, span: Span, missing: &str) -> Option<Expr> {
        if fact.is_none() {
            self.error(Diagnostic::error("E0339", span, missing, "not found on this machine"));
        }
        Some(int(fact?, Type::UNSIGNED, span))
    }

    /// A number that is shown by something that userspace makes of it.
    fn shown_as(&mut self, argument: &ast::Expr, ty: Type, span: Span) -> Option<Expr> {
        let number = self.number(argument)?;
        Some(Expr { kind: ExprKind::As(Box::new(number)), ty, span })
    }

    fn bswap(&mut self, argument: &ast::Expr, span: Span) -> Option<Expr> {
        let number = self.number(argument)?;
        let Type::Int { bits, .. } = number.ty else { return None };
        if bits == 8 {
            return Some(number);
        }
        let ty = Type::Int { bits, signed: false };
        Some(alu(Alu::Swap, number, int(u64::from(bits), Type::UNSIGNED, span), ty, span))
    }

    fn in_space(&mut self, argument: &ast::Expr, space: Space, span: Span) -> Option<Expr> {
        let value = self.expr(argument)?;
        let to = match value.ty {
            Type::Pointer { to, .. } => to,
            Type::Int { .. } => None,
            _ => {
                let label = format!("this is {}", value.ty.describe());
                self.error(Diagnostic::error("E0318", value.span, "not an address", label));
                return None;
            }
        };
        Some(Expr { kind: ExprKind::As(Box::new(value)), ty: Type::Pointer { to, space }, span })
    }

    /// A bare name as an argument: `nsecs(boot)`.
    fn keyword<'e>(&mut self, argument: &'e ast::Expr, names: &[&str]) -> Option<&'e str> {
        if let Ast::Ident(name) = &argument.kind
            && names.contains(&name.as_str())
        {
            return Some(name);
        }
        let expected = names.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ");
        self.error(Diagnostic::error(
            "E0362",
            argument.span,
            "not one of the words that can stand here",
            format!("expected {expected}"),
        ));
        None
    }

    fn nsecs(&mut self, clock: Option<&ast::Expr>, span: Span) -> Option<Expr> {
        let clock = match clock {
            Some(clock) => self.keyword(clock, &["boot", "monotonic", "tai", "sw_tai"])?,
            None => "boot",
        };
        let builtin = match clock {
            "monotonic" => Builtin::NsecsMonotonic,
            "tai" | "sw_tai" => Builtin::NsecsTai,
            _ => Builtin::Nsecs,
        };
        Some(Expr { kind: ExprKind::Builtin(builtin), ty: Type::UNSIGNED, span })
    }

    /// `cgroup_ancestor(level)`.
    fn cgroup_ancestor(&mut self, level: &ast::Expr, span: Span) -> Option<Expr> {
        let value = self.number(level)?;
        let level = match value.kind {
            ExprKind::Int(level) if level < Op::LEVELS.into() => level as u8,
            _ => {
                let label = format!("expected a number below {} that is known beforehand", Op::LEVELS);
                self.error(Diagnostic::error("E0361", level.span, "not a level of the tree of cgroups", label));
                return None;
            }
        };
        Some(Expr { kind: ExprKind::Builtin(Builtin::Ancestor(level)), ty: Type::UNSIGNED, span })
    }

    /// `pid(curr_ns)`, `tid(init)`: the number in scope's own namespace of processes, or in the first.
    fn task_number(
        &mut self,
        builtin: Builtin,
        member: &str,
        namespace: Option<&ast::Expr>,
        span: Span,
    ) -> Option<Expr> {
        let namespace = match namespace {
            Some(namespace) => self.keyword(namespace, &["curr_ns", "init"])?,
            None => "init",
        };
        let level = self.given.facts.pid_level();
        if namespace == "init" || level == 0 || self.in_userspace() {
            return Some(Expr { kind: ExprKind::Builtin(builtin), ty: builtin.ty(), span });
        }
        // task->thread_pid->numbers[level].nr, of the group's leader for the process.
        let path: &[&str] = if member == "tgid" { &["group_leader", "thread_pid"] } else { &["thread_pid"] };
        let pid = self.of_task(path, span)?;
        let name = |text: &str| Name { text: text.to_owned(), span };
        let Type::Pointer { to: Some(id), space } = pid.ty else { return None };
        let (numbers, _) = self.find_member(id, &name("numbers"), span)?;
        let CType::Array(element, _) = self.given.types.get(numbers.ty) else { return None };
        let size = self.given.types.size_of(element)?;
        let (nr, field) = self.find_member(element, &name("nr"), span)?;
        let offset = numbers.bit_offset / 8 + level * size + field.offset;
        self.read(pid, offset, nr.ty, space, span)
    }

    /// A member of a relative of a task: of its parent, or of its group's leader.
    fn relative(&mut self, which: &str, task: Option<&ast::Expr>, member: &str, span: Span) -> Option<Expr> {
        let name = |text: &str| Name { text: text.to_owned(), span };
        let relative = match task {
            Some(task) => {
                let task = self.expr(task)?;
                self.member_of(task, &name(which), span)?
            }
            None => self.of_task(&[which], span)?,
        };
        self.member_of(relative, &name(member), span)
    }

    /// The low half of the address of the kernel's function that calls a raw tracepoint's program. The compiler of the
    /// kernel may have made a jump of that call, and then it has no frame.
    fn own_function(&self) -> u32 {
        let name = match self.site() {
            Site::RawSyscalls { exit, .. } | Site::SyscallSet { exit, .. } => {
                if *exit {
                    "sys_exit"
                } else {
                    "sys_enter"
                }
            }
            Site::RawTracepoint { name, .. } => name,
            _ => return 0,
        };
        self.given.facts.kernel_address(&format!("__bpf_trace_{name}")).map_or(0, |address| address as u32)
    }

    /// `kstack(mode, depth)`.
    pub(super) fn stack(&mut self, user: bool, arguments: &[ast::Expr], span: Span) -> Option<Expr> {
        let (mut mode, mut depth) = (self.given.config.stack_mode, STACK_DEPTH);
        for (index, argument) in arguments.iter().enumerate() {
            match &argument.kind {
                Ast::Ident(_) if index == 0 => {
                    let word = self.keyword(argument, &StackMode::NAMES.map(|(name, _)| name))?;
                    mode = StackMode::NAMES.iter().find(|(name, _)| *name == word).map_or(mode, |(_, mode)| *mode);
                    if mode == StackMode::BuildId && !user {
                        let title = "the kernel's stack has no build ids";
                        let error = Diagnostic::error("E0338", argument.span, title, "they belong to files");
                        self.error(error.help("`raw` gives the addresses"));
                        return None;
                    }
                }
                _ => depth = self.constant(argument, 1..=STACK_DEPTH.into())? as u16,
            }
        }
        if self.in_userspace() {
            let name = if user { "ustack" } else { "kstack" };
            self.not_in_userspace(&format!("there is no stack for `{name}` here"), span);
            return None;
        }
        let own = if user { 0 } else { self.own_function() };
        Some(Expr { kind: ExprKind::Stack { own }, ty: Type::Stack(Stack { user, mode, depth }), span })
    }

    /// `usym(address)`: the address with the process, which tells what it means.
    fn usym(&mut self, argument: &ast::Expr, span: Span) -> Option<Expr> {
        let address = self.number(argument)?;
        let pid = Expr { kind: ExprKind::Builtin(Builtin::Pid), ty: Type::UNSIGNED, span };
        Some(Expr { kind: ExprKind::Tuple(vec![address, pid]), ty: Type::UserSymbol, span })
    }

    /// `ntop(family, address)`.
    fn ntop(&mut self, arguments: &[ast::Expr], span: Span) -> Option<Expr> {
        let address = self.value(&arguments[arguments.len() - 1])?;
        let bytes = self.bytes(&address.ty);
        let family = match arguments.len() {
            2 => self.family(&arguments[0])?,
            _ => int(if bytes == 16 { INET6 } else { INET }, Type::UNSIGNED, span),
        };
        let parts = match &address.ty {
            ty if ty.is_number() => {
                let zero = int(0, Type::UNSIGNED, span);
                vec![family, self.as_number(address)?, zero]
            }
            Type::Memory(_) | Type::Text { .. }
                if matches!(bytes, 4 | 8 | 16) && !matches!(address.kind, ExprKind::Text(_)) =>
            {
                let word = |offset| {
                    Self::part(
                        address.clone(),
                        crate::checked::Field { size: bytes.min(8) as u32, ..crate::checked::Field::word(offset) },
                        Type::UNSIGNED,
                        span,
                    )
                };
                let second = if bytes == 16 { word(8) } else { int(0, Type::UNSIGNED, span) };
                vec![family, word(0), second]
            }
            ty => {
                let label = format!("this is {}", ty.describe());
                let error = Diagnostic::error("E0318", address.span, "not an IP address", label);
                self.error(error.help("expected an integer of 4 bytes, or an array of 4 or 16 bytes"));
                return None;
            }
        };
        Some(Expr { kind: ExprKind::Tuple(parts), ty: Type::Inet, span })
    }

    /// The family of an IP address; one that is known must be a family of those.
    fn family(&mut self, argument: &ast::Expr) -> Option<Expr> {
        let family = self.number(argument)?;
        match family.kind {
            ExprKind::Int(known) if known != INET && known != INET6 => {
                let error = Diagnostic::error("E0316", argument.span, "no IP address is of this family", "");
                self.error(error.help("expected `AF_INET` (2) or `AF_INET6` (10)"));
                None
            }
            _ => Some(family),
        }
    }

    /// `pton("address")`: its bytes.
    fn pton(&mut self, argument: &ast::Expr, span: Span) -> Option<Expr> {
        let text = self.literal_text(argument)?;
        let bytes = match text.parse::<std::net::IpAddr>() {
            Ok(std::net::IpAddr::V4(address)) => address.octets().to_vec(),
            Ok(std::net::IpAddr::V6(address)) => address.octets().to_vec(),
            Err(_) => {
                let title = format!("`{text}` is no IP address");
                self.error(Diagnostic::error("E0363", argument.span, title, "expected \"127.0.0.1\" or \"::1\""));
                return None;
            }
        };
        let types = self.given.types;
        let ty = self.type_of(types.array_of(types.int(1, false), bytes.len() as u32), Space::Kernel)?;
        let words = bytes.chunks(8).map(|chunk| {
            let mut word = [0; 8];
            word[..chunk.len()].copy_from_slice(chunk);
            int(u64::from_ne_bytes(word), Type::UNSIGNED, span)
        });
        Some(Expr { kind: ExprKind::Tuple(words.collect()), ty, span })
    }

    /// `macaddr(bytes)`.
    fn macaddr(&mut self, argument: &ast::Expr, span: Span) -> Option<Expr> {
        let value = self.value(argument)?;
        let number = match (&value.ty, self.bytes(&value.ty)) {
            (Type::Memory(_) | Type::Text { .. }, 6..=8) => {
                let field = crate::checked::Field { size: 8, ..crate::checked::Field::word(0) };
                Self::part(value, field, Type::UNSIGNED, span)
            }
            (Type::Int { .. }, _) => value,
            (ty, _) => {
                let error = Diagnostic::error(
                    "E0318",
                    value.span,
                    "not a hardware address",
                    format!("this is {}", ty.describe()),
                );
                self.error(error.help("expected an array of 6 bytes"));
                return None;
            }
        };
        Some(Expr { kind: ExprKind::As(Box::new(number)), ty: Type::Mac, span })
    }
}

/// Functions of bpftrace that are not there: why, and a way round.
const REFUSED: [(&str, &str, &str); 9] = [
    (
        "comm",
        "the name of another task is not looked up",
        "`comm` is the current task's; a map can keep names: `@name[pid] = comm`",
    ),
    ("dw_ustack", "stacks are not unwound by debugging information", "`ustack` goes by frame pointers"),
    (
        "str_concat",
        "texts are not put together in the kernel",
        "`printf(\"%s%s\", a, b)` prints one behind the other; `(a, b)` keeps them",
    ),
    ("skboutput", "packets are not captured", "`tcpdump -w` writes them; `buf(...)` with `printf(\"%r\")` shows bytes"),
    ("override", "it needs a kprobe with error injection", "probes of that kind come with a later version"),
    ("unwatch", "there are no watchpoints yet", "probes of that kind come with a later version"),
    ("uaddr", "it needs probes on user code", "`usym(address)` shows a symbol"),
    (
        "path",
        "the kernel allows it in few kinds of program only",
        "read the names of the dentries: `curtask->fs->pwd.dentry->d_name.name`",
    ),
    (
        "socket_cookie",
        "it needs a socket as the program's context",
        "the address of the `struct sock` tells sockets apart",
    ),
];
