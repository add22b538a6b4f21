//! Functions that do something: most of them in userspace, by a record.

use crate::ast::{self, ExprKind as Ast, Name};
use crate::builtins::Builtin;
use crate::checked::{Action, Argument, EmittedField, Expr, ExprKind, Limit, Purpose, Statement, Value};
use crate::diagnostic::Diagnostic;
use crate::functions::{Function, Row};
use crate::source::Span;
use crate::types::Type;

use super::Checker;
use super::arguments::{Record, length};
use super::operators::{int, not};

/// Texts that `join` prints at most, and bytes of each.
const JOINED: u32 = 20;
const JOINED_BYTES: usize = 128;

impl Checker<'_> {
    pub(super) fn action(&mut self, row: &Row, arguments: &[ast::Expr], span: Span, out: &mut Vec<Statement>) {
        match row.function {
            Function::Printf => out.extend(self.printf(arguments, Purpose::Print, span)),
            Function::Errorf => out.extend(self.printf(arguments, Purpose::Error, span)),
            Function::Warnf => out.extend(self.printf(arguments, Purpose::Warn, span)),
            Function::Debugf => out.extend(self.printf(arguments, Purpose::Debug, span)),
            Function::Cat => out.extend(self.printf(arguments, Purpose::Cat, span)),
            Function::System if self.may_harm("system", "--unsafe", span).is_some() => {
                out.extend(self.printf(arguments, Purpose::System, span));
            }
            Function::Print => self.print(arguments, span, out),
            Function::Join => out.extend(self.join(arguments, span)),
            Function::Clear => out.extend(self.emptied(arguments, true)),
            Function::Zero => out.extend(self.emptied(arguments, false)),
            Function::Time => {
                let format =
                    arguments.first().map_or(Some("%H:%M:%S\n".to_owned()), |format| self.literal_text(format));
                out.extend(format.map(|format| self.output(Action::Time(format), Vec::new())));
            }
            Function::Exit => out.extend(self.exit(arguments, span)),
            Function::Assert => out.extend(self.assert(arguments, span)),
            Function::StaticAssert => self.static_assert(arguments, span),
            Function::Fail => {
                if let Some(message) = self.literal_text(&arguments[0]) {
                    self.error(Diagnostic::error("E0347", span, message, "the script says so"));
                }
            }
            Function::Signal if self.may_harm("signal", "--unsafe", span).is_some() => {
                out.extend(self.signal(&arguments[0], false));
            }
            Function::WriteUser if self.may_harm("write_user", "--unsafe", span).is_some() => {
                out.extend(self.write_user(arguments));
            }
            Function::SignalThread if self.may_harm("signal_thread", "--unsafe", span).is_some() => {
                out.extend(self.signal(&arguments[0], true));
            }
            _ => {}
        }
    }

    /// Refuses what does something to the machine, unless that was asked for.
    fn may_harm(&mut self, what: &str, option: &str, span: Span) -> Option<()> {
        if self.given.context.may_harm {
            return Some(());
        }
        let title = format!("`{what}` does something to the machine");
        let error = Diagnostic::error("E0348", span, title, "not allowed without being asked for");
        self.error(error.help(format!("`scope {option}` allows it")));
        None
    }

    /// `write_user(pointer, value)`: as many bytes as what it points to has, or a text with its NUL.
    fn write_user(&mut self, arguments: &[ast::Expr]) -> Option<Statement> {
        let [pointer, value] = arguments else { return None };
        if self.in_userspace() {
            self.not_in_userspace("there is no process to write to", pointer.span);
            return None;
        }
        let address = self.expr(pointer)?;
        let address = self.address(address)?;
        let place = value.span;
        let value = self.expr(value)?;
        if let ExprKind::Text(text) = &value.kind {
            let bytes = text.len() + 1;
            return Some(Statement::Write { address, value, bytes });
        }
        if matches!(value.ty, Type::Text { .. }) {
            let error = Diagnostic::error("E0318", place, "a text that only the run knows", "its length is not known");
            self.error(error.help("a number can be written, or a text in quotes"));
            return None;
        }
        let size = match address.ty {
            Type::Pointer { to: Some(id), .. } => self.given.types.size_of(id),
            _ => None,
        };
        let value = self.as_number(value)?;
        let bytes = size.map(|size| size as usize).filter(|size| (1..=8).contains(size)).unwrap_or(8);
        Some(Statement::Write { address, value, bytes })
    }

    fn signal(&mut self, argument: &ast::Expr, thread: bool) -> Option<Statement> {
        if self.in_userspace() {
            self.not_in_userspace("there is no process to signal", argument.span);
            return None;
        }
        let value = self.expr(argument)?;
        if let ExprKind::Text(name) = &value.kind {
            let name = String::from_utf8_lossy(name);
            let number = self.given.facts.signal(&name);
            if number.is_none() {
                let error = Diagnostic::error("E0339", argument.span, format!("there is no signal `{name}`"), "");
                self.error(error.help("signals are written \"SIGTERM\" or \"TERM\""));
            }
            let number = int(number?, Type::UNSIGNED, argument.span);
            return Some(Statement::Signal { number, thread });
        }
        let number = self.as_number(value)?;
        if let ExprKind::Int(known) = number.kind
            && !(1..=64).contains(&known)
        {
            self.error(Diagnostic::error(
                "E0316",
                number.span,
                "there is no such signal",
                "expected 1 to 64, or a name",
            ));
            return None;
        }
        Some(Statement::Signal { number, thread })
    }

    fn emptied(&mut self, arguments: &[ast::Expr], clear: bool) -> Option<Statement> {
        let map = self.whole_map(&arguments[0])?;
        let at_end = matches!(self.site(), crate::probes::Site::End { .. });
        self.state.maps.note(map, |usage| usage.cleared |= !at_end);
        Some(self.output(if clear { Action::Clear(map) } else { Action::Zero(map) }, Vec::new()))
    }

    fn exit(&mut self, arguments: &[ast::Expr], span: Span) -> Vec<Statement> {
        let status = match arguments.first() {
            Some(status) => self.number(status),
            None => Some(int(0, Type::SIGNED, span)),
        };
        let Some(status) = status else { return Vec::new() };
        if let ExprKind::Int(known) = status.kind
            && known > 255
        {
            self.error(Diagnostic::error("E0316", status.span, "not an exit status", "expected 0 to 255"));
        }
        let mut record = Record::default();
        let argument = Argument::Slot(record.add(status));
        vec![self.output(Action::Exit(argument), record.values), Statement::Stop]
    }

    fn assert(&mut self, arguments: &[ast::Expr], span: Span) -> Option<Statement> {
        let condition = self.condition(&arguments[0])?;
        let message = match arguments.get(1) {
            Some(message) => self.literal_bytes(message)?,
            None => "the assertion does not hold".into(),
        };
        let pieces = vec![crate::printf::Piece::Text(message)];
        let action = Action::Printf { pieces, arguments: Vec::new(), purpose: Purpose::Assert, span };
        let then = vec![self.output(action, Vec::new()), Statement::Stop];
        Some(Statement::If(not(condition, span), then, Vec::new()))
    }

    fn static_assert(&mut self, arguments: &[ast::Expr], span: Span) {
        let Some(condition) = self.condition(&arguments[0]) else { return };
        let message = match arguments.get(1) {
            Some(message) => self.literal_text(message),
            None => Some("the assertion does not hold".to_owned()),
        };
        let Some(message) = message else { return };
        match condition.kind {
            ExprKind::Int(0) => self.error(Diagnostic::error("E0347", span, message, "the script says so")),
            ExprKind::Int(_) => {}
            _ => {
                let error = Diagnostic::error("E0361", condition.span, "not known when the script is compiled", "");
                self.error(error.help("`assert` is checked when the script runs"));
            }
        }
    }

    /// `print(@map, top, divisor)`, `print(value)`, `print((a, b))`.
    fn print(&mut self, arguments: &[ast::Expr], span: Span, out: &mut Vec<Statement>) {
        if let Ast::Map(_, keys) = &arguments[0].kind
            && keys.is_empty()
        {
            out.extend(self.print_map(arguments));
            return;
        }
        if let Some(extra) = arguments.get(1) {
            let error = Diagnostic::error("E0311", extra.span, "only a whole map takes more arguments", "");
            self.error(error.help("`print(@map, top, divisor)` prints the greatest entries"));
            return;
        }
        if let Ast::Map(name, keys) = &arguments[0].kind
            && let Some(map) = self.state.maps.find(name)
            && matches!(self.state.maps.value(map), Some(Value::Gathered { .. }))
        {
            out.extend(self.print_entry(name, keys, span));
            return;
        }
        let mut record = Record::default();
        let Some(argument) = self.argument(&arguments[0], &mut record) else { return };
        out.push(self.output(Action::Print(argument), record.values));
    }

    fn print_map(&mut self, arguments: &[ast::Expr]) -> Option<Statement> {
        let map = self.whole_map(&arguments[0])?;
        let top = arguments.get(1).map(|top| self.constant(top, 0..=u32::MAX.into()));
        let divisor = arguments.get(2).map(|divisor| self.constant(divisor, 1..=i64::MAX as u64));
        if top == Some(None) || divisor == Some(None) {
            return None;
        }
        // As in bpftrace, a top of 0 means all.
        let top = top.flatten().filter(|top| *top > 0).map(|top| top as usize);
        Some(self.output(Action::PrintMap { map, top, divisor: divisor.flatten() }, Vec::new()))
    }

    /// One entry of a map of aggregations: userspace reads it by its key.
    fn print_entry(&mut self, name: &str, keys: &[ast::Expr], span: Span) -> Option<Statement> {
        let place = self.place(name, keys, span)?;
        self.state.maps.note_read(place.map, span);
        let (types, _) = self.state.maps.entry_types(place.map);
        let mut record = Record::default();
        let mut key = Vec::new();
        for (part, ty) in place.key.into_iter().zip(types) {
            // A text has to lie as it does in the map's keys.
            key.push(record.add_as(part, ty));
        }
        Some(self.output(Action::PrintEntry { map: place.map, key }, record.values))
    }

    /// `join(argv, " ")`: an array of pointers to texts, up to the null.
    fn join(&mut self, arguments: &[ast::Expr], span: Span) -> Option<Statement> {
        let separator = match arguments.get(1) {
            Some(separator) => self.literal_bytes(separator)?,
            None => " ".into(),
        };
        let argv = self.expr(&arguments[0])?;
        let argv = self.address(argv)?;
        let Type::Pointer { space, .. } = argv.ty else { return None };
        let types = self.given.types;
        let text = types.pointer_to(types.char());
        let mut record = Record::default();
        let mut texts = Vec::new();
        let mut before = Vec::new();
        let argv = self.once(argv, &mut before);
        for index in 0..JOINED {
            let pointer = self.read(argv.clone(), index * 8, text, space, span)?;
            let kind = ExprKind::Str { address: Box::new(pointer), max: JOINED_BYTES, limit: Limit::Longest };
            texts.push(record.add(Expr { kind, ty: Type::text(JOINED_BYTES), span }));
        }
        let send = self.output(Action::Join { texts, separator }, record.values);
        let value = int(0, Type::UNSIGNED, span);
        before.push(send);
        Some(Statement::Evaluate(Self::after(before, value, span)))
    }

    pub(super) fn output(&mut self, action: Action, mut values: Vec<Expr>) -> Statement {
        if self.given.config.json_origin {
            self.origins.push(length(&values));
            values.extend(self.origin());
        }
        self.actions.push(action);
        Statement::Output(self.actions.len() - 1, values)
    }

    /// What makes a record: the time, the number of the probe, the process and the CPU.
    fn origin(&mut self) -> Vec<Expr> {
        let wanted = [Builtin::Nsecs, Builtin::Probe, Builtin::Pid, Builtin::Cpu];
        wanted.into_iter().filter_map(|builtin| self.builtin(builtin, Span::default())).collect()
    }

    pub(super) fn emit(&mut self, name: &Name, fields: &[ast::EmitField], span: Span) -> Option<Statement> {
        if fields.is_empty() {
            self.error(Diagnostic::error(
                "E0357",
                span,
                "a record without fields",
                "expected `emit name { field, ... }`",
            ));
            return None;
        }
        let mut record = Record::default();
        let mut named = Vec::<EmittedField>::new();
        let mut whole = true;
        for ast::EmitField { name: label, value, column } in fields {
            let label = match (label, &value.kind) {
                (Some(label), _) => label.clone(),
                (None, Ast::Ident(name)) => Name { text: name.clone(), span: value.span },
                (None, Ast::Member(_, member)) => member.clone(),
                (None, Ast::Var(variable)) => Name { text: variable[1..].to_owned(), span: value.span },
                (None, _) => {
                    let error =
                        Diagnostic::error("E0310", value.span, "this field has no name", "expected `name: value`");
                    self.error(error);
                    whole = false;
                    continue;
                }
            };
            if named.iter().any(|have| have.name == label.text) {
                self.error(Diagnostic::error(
                    "E0356",
                    label.span,
                    format!("two fields `{}`", label.text),
                    "the second",
                ));
                whole = false;
            }
            match self.argument(value, &mut record) {
                Some(value) => named.push(EmittedField { name: label.text, value, column: *column }),
                None => whole = false,
            }
        }
        whole.then(|| self.output(Action::Emit { name: name.text.clone(), fields: named }, record.values))
    }
}
