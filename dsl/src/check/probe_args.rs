//! `args`: what a probe gives its clauses.

use scope_common::arith::Alu;

use crate::ast::{self, ExprKind as Ast, Name};
use crate::checked::{Access, Expr, ExprKind};
use crate::ctypes::{CType, Named as Tag, TypeId};
use crate::diagnostic::Diagnostic;
use crate::fields::{Field, Shape};
use crate::probes::{Given, Site};
use crate::source::Span;
use crate::types::{Part, Space, Type};

use super::Checker;
use super::operators::{alu, int};

impl Checker<'_> {
    /// `args.name`.
    pub(super) fn argument_field(&mut self, member: &Name, span: Span) -> Option<Expr> {
        match self.site().clone() {
            Site::Tracepoint { fields, category, .. } => {
                let Some(field) = fields.iter().find(|field| field.name == member.text) else {
                    return self.unknown_field(member, &fields);
                };
                self.tracepoint_field(field, category == "syscalls", span)
            }
            Site::RawSyscalls { exit, .. } => {
                let (access, ty) = match (member.text.as_str(), exit) {
                    ("id", _) => (Access::SyscallNumber, Type::SIGNED),
                    ("ret", true) => (Access::SyscallResult, Type::SIGNED),
                    ("args", false) => return Some(self.syscall_arguments(span)),
                    _ => {
                        let names: &[&str] = if exit { &["id", "ret"] } else { &["id", "args"] };
                        return self.no_such_field(member, names);
                    }
                };
                Some(Expr { kind: ExprKind::Access(access), ty, span })
            }
            Site::SyscallSet { exit, members } => {
                // The members have what the clause names at the same place: the first stands for all.
                let fields = members.first().map_or(&[][..], |member| &member.fields);
                let Some(first) = fields.iter().find(|field| field.name == member.text) else {
                    return self.unknown_field(member, fields);
                };
                self.set_field(first, exit, span)
            }
            Site::Syscall { member: call, .. } => {
                let Some(field) = call.fields.iter().find(|field| field.name == member.text) else {
                    return self.unknown_field(member, &call.fields);
                };
                self.set_field(field, false, span)
            }
            site if site.is_typed() => self.typed_argument(member, span),
            site => {
                let (label, help) = match site.given() {
                    Given::Registers => {
                        ("nothing names what is there", "`arg0`, `arg1`, ... are a function's arguments")
                    }
                    Given::Returned => ("the arguments are gone", "`retval` is what the function returned"),
                    _ => ("this probe is given nothing", "tracepoints have arguments by name"),
                };
                self.error(Diagnostic::error("E0323", span, "`args` is not known here", label).help(help));
                None
            }
        }
    }

    /// `args` itself: all fields that have a value.
    pub(super) fn all_arguments(&mut self, span: Span) -> Option<Expr> {
        let names = match self.site() {
            Site::Tracepoint { fields, .. } => {
                let readable =
                    fields.iter().filter(|field| field.name != "__syscall_nr" && field.shape != Shape::Other);
                readable.map(|field| field.name.clone()).collect()
            }
            Site::RawSyscalls { exit: true, .. } => vec!["id".to_owned(), "ret".to_owned()],
            Site::RawSyscalls { .. } => vec!["id".to_owned(), "args".to_owned()],
            site if site.is_typed() => {
                let known = self.signature().map(|signature| signature.parameters).unwrap_or_default();
                known.into_iter().map(|(name, _)| name).collect()
            }
            _ => {
                let label = match self.in_userspace() {
                    true => "this probe is given nothing",
                    false => "name a field: `args.field`",
                };
                self.error(Diagnostic::error("E0321", span, "`args` has no value of its own here", label));
                return None;
            }
        };
        if names.is_empty() {
            self.error(Diagnostic::error("E0321", span, "this probe has no arguments", "`args` is empty"));
            return None;
        }
        let (mut values, mut parts) = (Vec::new(), Vec::new());
        for name in names {
            let value = self.argument_field(&Name { text: name.clone(), span }, span)?;
            parts.push(Part { name: Some(name), ty: value.ty.clone() });
            values.push(value);
        }
        Some(Expr { kind: ExprKind::Tuple(values), ty: Type::Tuple(parts.into()), span })
    }

    /// The six words that a system call is given.
    fn syscall_arguments(&mut self, span: Span) -> Expr {
        let argument = |index| {
            let access = Access::SyscallArgument { index, size: 8, signed: false };
            Expr { kind: ExprKind::Access(access), ty: Type::UNSIGNED, span }
        };
        let id = self.given.types.array_of(self.given.types.int(8, false), 6);
        let ty = self.type_of(id, Space::User).unwrap_or(Type::UNSIGNED);
        Expr { kind: ExprKind::Tuple((0..6).map(argument).collect()), ty, span }
    }

    fn tracepoint_field(&mut self, field: &Field, user: bool, span: Span) -> Option<Expr> {
        let space = if user { Space::User } else { Space::Kernel };
        let types = self.given.types;
        let (access, ty) = match field.shape {
            Shape::Number { size, signed } => {
                let ty = self.number_type(field, size, signed);
                (Access::Number { offset: field.offset, size, signed }, ty)
            }
            Shape::Pointer => {
                let to = self.pointed_at(&field.declaration);
                (Access::Number { offset: field.offset, size: 8, signed: false }, Type::Pointer { to, space })
            }
            Shape::Chars { len } => (Access::Chars { offset: field.offset, len }, Type::text(len as usize)),
            Shape::DataLocation => (Access::DataLocation(field.offset), self.given.config.text_type()),
            Shape::LocatedBytes => return Some(self.located_bytes(field.offset, span)),
            Shape::Numbers { size, count, signed } => {
                let id = types.array_of(types.int(size, signed), count);
                let ty = Type::pointer(Some(id), Space::Kernel);
                let address = Expr { kind: ExprKind::Access(Access::Address(field.offset)), ty, span };
                return self.read(address, 0, id, Space::Kernel, span);
            }
            Shape::Other => {
                let title = format!("`args.{}` has a type that scripts can't read", field.name);
                self.error(Diagnostic::error("E0327", span, title, field.declaration.clone()));
                return None;
            }
        };
        Some(Expr { kind: ExprKind::Access(access), ty, span })
    }

    /// The bytes that a word of the record tells of: their offset in its low half, how many there are in its high half
    /// (`include/trace/stages`, `__data_loc`).
    fn located_bytes(&self, offset: u32, span: Span) -> Expr {
        let number = |value| int(value, Type::UNSIGNED, span);
        let place = || {
            let kind = ExprKind::Access(Access::Number { offset, size: 4, signed: false });
            Expr { kind, ty: Type::UNSIGNED, span }
        };
        let start = alu(Alu::And, place(), number(0xffff), Type::UNSIGNED, span);
        let record = Expr { kind: ExprKind::Access(Access::Address(0)), ty: Type::UNSIGNED, span };
        let address = alu(Alu::Add, record, start, Type::pointer(None, Space::Kernel), span);
        let len = alu(Alu::ShrU, place(), number(16), Type::UNSIGNED, span);
        let max = self.given.config.max_strlen.max(1);
        let kind = ExprKind::Buf { address: Box::new(address), len: Box::new(len), max };
        Expr { kind, ty: Type::buffer(max), span }
    }

    /// The type of a number in a record: an enum, where it is declared as one that the kernel describes.
    fn number_type(&mut self, field: &Field, size: u32, signed: bool) -> Type {
        let number = Type::Int { bits: size as u8 * 8, signed };
        let Some(name) = field.declaration.strip_prefix("enum ").and_then(|rest| rest.split_whitespace().next()) else {
            return number;
        };
        let id = self.given.types.named(Tag::Enum, name);
        match id.and_then(|id| self.enumeration(id)) {
            Some(named) if u32::from(named.bits) == size * 8 => Type::Enum(named),
            _ => number,
        }
    }

    /// What a field's pointer points to, by its declaration.
    fn pointed_at(&self, declaration: &str) -> Option<TypeId> {
        let (target, _) = declaration.rsplit_once('*')?;
        let words = target
            .split_whitespace()
            .filter(|word| !matches!(*word, "const" | "volatile" | "__user"))
            .collect::<Vec<_>>();
        let types = self.given.types;
        match words.as_slice() {
            ["struct", name] => types.named(Tag::Struct, name),
            ["union", name] => types.named(Tag::Union, name),
            ["char"] => Some(types.char()),
            ["void"] | [] => None,
            // `const char *const *argv`.
            [.., last] if last.ends_with('*') || last.starts_with('*') => {
                let inner = target.replace("const", " ");
                let stars = inner.bytes().filter(|byte| *byte == b'*').count();
                let base = inner.split('*').next().unwrap_or_default().trim().to_owned();
                let base = types.base_type(&base)?;
                Some((0..stars).fold(base, |id, _| types.pointer_to(id)))
            }
            words => types.base_type(&words.join(" ")).filter(|id| !matches!(types.get(*id), CType::Void)),
        }
    }

    /// A field of a member of a set: it is an argument or the result of the system call.
    fn set_field(&mut self, field: &Field, exit: bool, span: Span) -> Option<Expr> {
        let (size, signed) = match field.shape {
            Shape::Number { size, signed } => (size, signed),
            _ => (8, false),
        };
        let ty = match field.shape {
            Shape::Pointer => Type::Pointer { to: self.pointed_at(&field.declaration), space: Space::User },
            _ => Type::Int { bits: size as u8 * 8, signed },
        };
        let known = |access, ty| Some(Expr { kind: ExprKind::Access(access), ty, span });
        if let (Site::Syscall { member, .. }, "__syscall_nr") = (self.site(), field.name.as_str()) {
            return Some(int(member.number.into(), ty, span));
        }
        if field.name == "__syscall_nr" {
            return known(Access::SyscallNumber, ty);
        }
        if exit {
            return known(Access::SyscallResult, ty);
        }
        // The arguments are words from offset 16 on (`trace_event_raw_sys_enter`, `include/trace/syscall.h`).
        let index = field.offset.checked_sub(16).map(|offset| offset / 8).filter(|index| *index < 6);
        if index.is_none() {
            let title = format!("`args.{}` lies where no argument is", field.name);
            self.error(Diagnostic::error("E0327", span, title, field.declaration.clone()));
        }
        known(Access::SyscallArgument { index: index?, size, signed }, ty)
    }

    /// One number of an array of the probe's own: `args.args[0]`. `None` if it is something else.
    pub(super) fn argument_index(&mut self, object: &ast::Expr, index: &ast::Expr, span: Span) -> Option<Option<Expr>> {
        let Ast::Member(args, member) = &object.kind else { return None };
        if !matches!(&args.kind, Ast::Ident(name) if name == "args") {
            return None;
        }
        let (count, place) = match self.site() {
            Site::RawSyscalls { exit: false, .. } if member.text == "args" => (6, None),
            Site::Tracepoint { fields, .. } => match fields.iter().find(|field| field.name == member.text)?.shape {
                Shape::Numbers { size, count, signed } => {
                    let offset = fields.iter().find(|field| field.name == member.text)?.offset;
                    (count, Some((offset, size, signed)))
                }
                _ => return None,
            },
            _ => return None,
        };
        let value = self.number(index)?;
        let ExprKind::Int(known) = value.kind else {
            // In the record any place can be read like memory; a system call's arguments lie apart.
            let (offset, size, signed) = place?;
            let id = self.given.types.int(size, signed);
            let address = Expr {
                kind: ExprKind::Access(Access::Address(offset)),
                ty: Type::pointer(Some(id), Space::Kernel),
                span,
            };
            let address = self.pointer_sum(address, value, false, span);
            return Some(self.read(address, 0, id, Space::Kernel, span));
        };
        if known >= u64::from(count) {
            let title = format!("the index {known} lies outside the array");
            self.error(Diagnostic::error("E0328", index.span, title, format!("it has {count} elements")));
            return Some(None);
        }
        let index = known as u32;
        let (access, size, signed) = match place {
            None => (Access::SyscallArgument { index, size: 8, signed: false }, 8, false),
            Some((offset, size, signed)) => {
                (Access::Number { offset: offset + index * size, size, signed }, size, signed)
            }
        };
        let ty = Type::Int { bits: size as u8 * 8, signed };
        Some(Some(Expr { kind: ExprKind::Access(access), ty, span }))
    }

    fn unknown_field(&mut self, member: &Name, fields: &[Field]) -> Option<Expr> {
        let names =
            fields.iter().map(|field| field.name.as_str()).filter(|name| *name != "__syscall_nr").collect::<Vec<_>>();
        self.no_such_field(member, &names)
    }

    pub(super) fn no_such_field(&mut self, member: &Name, names: &[&str]) -> Option<Expr> {
        let title = format!("unknown argument `{}`", member.text);
        let label = format!("{} has no such argument", self.probe_name());
        let error = Diagnostic::error("E0329", member.span, title, label).suggest(&member.text, names.iter().copied());
        let list = names.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ");
        self.error(match names {
            [] => error.help("this probe has no arguments"),
            _ => error.help(format!("the arguments are {list}")),
        });
        None
    }

    /// How an error calls the probe, or the first of a set.
    fn probe_name(&self) -> String {
        match self.site() {
            Site::Tracepoint { category, name, .. } => format!("`{category}:{name}`"),
            Site::RawSyscalls { exit, .. } => {
                format!("`raw_syscalls:{}`", if *exit { "sys_exit" } else { "sys_enter" })
            }
            site => format!("`{}`", self.given.probes.names[site.probe()].full),
        }
    }
}
