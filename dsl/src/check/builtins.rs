//! Bare names: builtins, enumerators, constants.

use crate::builtins::{self, Builtin};
use crate::checked::{Expr, ExprKind};
use crate::constants;
use crate::ctypes::Named as Tag;
use crate::diagnostic::Diagnostic;
use crate::fields;
use crate::functions::{Role, Row};
use crate::probes::Site;
use crate::source::Span;
use crate::types::{Space, Type};

use super::Checker;
use super::operators::int;

impl Checker<'_> {
    /// What a bare name means.
    pub(super) fn name(&mut self, name: &str, span: Span) -> Option<Expr> {
        match name {
            "args" => return self.all_arguments(span),
            "ctx" => return self.context(span),
            "kstack" | "ustack" => return self.stack(name == "ustack", &[], span),
            "true" | "false" => return Some(int((name == "true").into(), Type::Bool, span)),
            _ => {}
        }
        if let Some(number) = super::words::argument_number(name) {
            return self.numbered_argument(number, span);
        }
        if let Some(builtin) = Builtin::named(name) {
            return self.builtin(builtin, span);
        }
        // In front of the kernel's enums, so that it is the same whether they are looked up or not.
        let declared = self.given.types.declared_enumerator(name);
        if let Some(value) = constants::find(name).filter(|_| declared.is_none()) {
            return Some(int(value as u64, Type::SIGNED, span));
        }
        if let Some((id, value)) = self.given.types.enumerator(name) {
            let ty = self.enumeration(id).map_or(Type::SIGNED, Type::Enum);
            return Some(int(value as u64, ty, span));
        }
        if let Some(row) = Row::named(name).filter(|row| row.role == Role::Value && row.arity.0 == 0) {
            // What needs no argument needs no parentheses.
            return self.function(row, &[], span);
        }
        let names = builtins::TABLE.iter().map(|row| row.name).chain(builtins::OTHERS.map(|(name, _)| name));
        let error = Diagnostic::error("E0322", span, format!("unknown builtin `{name}`"), "no such name");
        let error = error.suggest(name, names.clone().chain(constants::names()));
        let call = Row::named(name).map(|row| format!("`{}` is a function: `{}`", row.name, row.signature));
        let known = names.collect::<Vec<_>>().join(", ");
        let constant = name.len() > 1 && name.bytes().all(|byte| matches!(byte, b'A'..=b'Z' | b'0'..=b'9' | b'_'));
        self.error(match call {
            Some(call) => error.help(call),
            None if constant => error
                .help(format!("this constant of a C header is not known: `#define {name} VALUE` in front makes it so")),
            None => error.help(format!("builtins are {known}; maps start with `@`, scratch variables with `$`")),
        });
        None
    }

    pub(super) fn builtin(&mut self, builtin: Builtin, span: Span) -> Option<Expr> {
        match (builtin, self.site()) {
            (Builtin::Nargs, Site::SyscallSet { .. }) => {}
            (Builtin::Nargs, Site::Tracepoint { category, fields, .. }) if category == "syscalls" => {
                return Some(int(fields::arguments(fields) as u64, Type::UNSIGNED, span));
            }
            (Builtin::Nargs, Site::Syscall { member, .. }) => {
                return Some(int(fields::arguments(&member.fields) as u64, Type::UNSIGNED, span));
            }
            (Builtin::Nargs, _) => {
                let title = "`nargs` is known at `syscalls:` tracepoints only";
                self.error(Diagnostic::error("E0323", span, title, "not at this probe"));
                return None;
            }
            (Builtin::Func, site) if !site.is_at_function() => {
                let error =
                    Diagnostic::error("E0323", span, "`func` is not known here", "this probe is on no function");
                self.error(error.help("`probe` is the name of the probe"));
                return None;
            }
            (Builtin::Probe | Builtin::Func, site) if site.asks_for_probe() => {}
            (Builtin::Retval, _) => return self.returned(span),
            (Builtin::Usermode, _) => return self.usermode(span),
            (Builtin::Probe, site) => return Some(int(site.probe() as u64, builtin.ty(), span)),
            (Builtin::Func, site) => {
                let function = self.given.probes.names[site.probe()].function;
                return Some(int(function as u64, builtin.ty(), span));
            }
            (Builtin::ProbeType, site) => {
                let probe = &self.given.probes.names[site.probe()].full;
                return Some(Expr::text(probe.split(':').next().unwrap_or_default().into(), span));
            }
            (Builtin::Cpid, _) if !self.given.context.has_command => {
                let error = Diagnostic::error("E0365", span, "`cpid` needs a command", "no command was started");
                self.error(error.help("start one with `-c 'COMMAND'` or `-- COMMAND ARGUMENTS`"));
                return None;
            }
            (Builtin::HasCpid, _) => return Some(int(self.given.context.has_command.into(), Type::Bool, span)),
            (Builtin::Ncpus, _) => return Some(int(self.given.facts.cpus().into(), Type::UNSIGNED, span)),
            (Builtin::Task, _) => {
                let ty = Type::Pointer { to: self.given.types.named(Tag::Struct, "task_struct"), space: Space::Kernel };
                return Some(Expr { kind: ExprKind::Builtin(builtin), ty, span });
            }
            _ => {}
        }
        Some(Expr { kind: ExprKind::Builtin(builtin), ty: builtin.ty(), span })
    }

    /// A member of the current task, through pointers: `curtask->a->b`.
    pub(super) fn of_task(&mut self, path: &[&str], span: Span) -> Option<Expr> {
        let mut value = self.builtin(Builtin::Task, span)?;
        for member in path {
            let member = crate::ast::Name { text: (*member).to_owned(), span };
            value = self.member_of(value, &member, span)?;
        }
        Some(value)
    }
}
