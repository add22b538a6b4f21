//! Expressions: values and their types.

use scope_common::arith::{Alu, alu};

use crate::ast::{self, Binary, ExprKind as Ast, Name, Unary};
use crate::builtins::{self, Builtin};
use crate::checked::{Access, Expr, ExprKind, Place, Value};
use crate::diagnostic::Diagnostic;
use crate::fields::{Field, Shape};
use crate::resolve::Site;
use crate::source::Span;
use crate::types::Type;

use super::Checker;

fn int(value: u64, ty: Type, span: Span) -> Expr {
    Expr { kind: ExprKind::Int(value), ty, span }
}

impl Checker<'_> {
    pub(super) fn expr(&mut self, expr: &ast::Expr) -> Option<Expr> {
        let span = expr.span;
        match &expr.kind {
            Ast::Int(value) => Some(int(*value, Type::Int { signed: *value <= i64::MAX as u64 }, span)),
            Ast::Str(text) => {
                let ty = Type::Text { size: (text.len() + 1).next_multiple_of(8) };
                Some(Expr { kind: ExprKind::Text(text.clone()), ty, span })
            }
            Ast::Ident(name) => self.builtin(name, span),
            Ast::Var(name) => self.variable(name, span),
            Ast::Map(name, keys) => self.map_value(name, keys, span),
            Ast::Member(object, member) => self.member(object, member),
            Ast::Index(object, index) => self.index(object, index, span),
            Ast::Call(name, arguments) => self.call(name, arguments, span),
            Ast::Unary(operator, value) => self.unary(*operator, value, span),
            Ast::Binary(operator, left, right) => self.binary(*operator, left, right, span),
            Ast::Ternary(condition, then, otherwise) => self.ternary(condition, then, otherwise, span),
            Ast::Step { .. } => {
                let error = Diagnostic::error("E0319", span, "`++` and `--` can't stand inside an expression", "");
                self.error(error.help("make it a statement of its own"));
                None
            }
        }
    }

    /// Checks an expression that must be a number.
    pub(super) fn number(&mut self, expr: &ast::Expr) -> Option<Expr> {
        let value = self.expr(expr)?;
        match value.ty {
            Type::Int { .. } => Some(value),
            Type::Pointer(_) => Some(Expr { ty: Type::UNSIGNED, ..value }),
            _ => {
                let label = format!("this is {}", value.ty.describe());
                self.error(Diagnostic::error("E0320", expr.span, "not an integer", label));
                None
            }
        }
    }

    /// Checks an expression that decides.
    pub(super) fn condition(&mut self, expr: &ast::Expr) -> Option<Expr> {
        let value = self.expr(expr)?;
        if value.ty.is_word() {
            return Some(value);
        }
        let error = Diagnostic::error("E0320", expr.span, "a string is no condition", "expected an integer or a comparison");
        self.error(error.help("compare it: `comm == \"bash\"`"));
        None
    }

    fn builtin(&mut self, name: &str, span: Span) -> Option<Expr> {
        let builtin = match Builtin::named(name) {
            Some(builtin) => builtin,
            None if name == "args" => {
                let error = Diagnostic::error("E0321", span, "`args` has no value of its own", "name a field: `args.field`");
                let fields = self.field_names();
                self.error(if fields.is_empty() { error } else { error.help(format!("the fields are {fields}")) });
                return None;
            }
            None => {
                let names = builtins::TABLE.iter().map(|row| row.name).chain(["args"]);
                let error = Diagnostic::error("E0322", span, format!("unknown builtin `{name}`"), "no such name");
                let error = error.suggest(name, names);
                let known = builtins::TABLE.iter().map(|row| row.name).collect::<Vec<_>>().join(", ");
                self.error(error.help(format!("builtins are {known}; maps start with `@`, scratch variables with `$`")));
                return None;
            }
        };
        match (builtin, self.site()) {
            (Builtin::Nargs, Site::SyscallSet { .. }) => {}
            (Builtin::Nargs, Site::Tracepoint { category, fields, .. }) if category == "syscalls" => {
                let count = fields.iter().filter(|field| field.name != "__syscall_nr").count();
                return Some(int(count as u64, Type::UNSIGNED, span));
            }
            (Builtin::Nargs, _) => {
                let title = "`nargs` is known at `syscalls:` tracepoints only";
                self.error(Diagnostic::error("E0323", span, title, "not at this probe"));
                return None;
            }
            (Builtin::Probe, Site::Tracepoint { probe, .. } | Site::RawSyscalls { probe, .. }) => {
                return Some(int(*probe as u64, Type::Probe, span));
            }
            (Builtin::Probe, Site::SyscallSet { .. }) => {}
            (Builtin::Probe, _) => {
                self.error(Diagnostic::error("E0323", span, "no probe fires here", "BEGIN, END and interval have none"));
                return None;
            }
            (Builtin::Cpid, _) if !self.context.has_command => {
                let error = Diagnostic::error("E0323", span, "`cpid` needs a command", "no command was started");
                self.error(error.help("start one with `-c 'COMMAND'` or `-- COMMAND ARGUMENTS`"));
                return None;
            }
            _ => {}
        }
        Some(Expr { kind: ExprKind::Builtin(builtin), ty: builtin.ty(), span })
    }

    /// The text of `$1`, `$2`, ...: empty past the last, as in bpftrace. `None` for a variable with a name.
    pub(super) fn parameter(&self, name: &str) -> Option<&str> {
        let number = name.strip_prefix('$')?.parse::<usize>().ok()?;
        let index = number.checked_sub(1);
        Some(index.and_then(|index| self.context.arguments.get(index)).map_or("", String::as_str))
    }

    fn variable(&mut self, name: &str, span: Span) -> Option<Expr> {
        if let Some(text) = self.parameter(name) {
            let (sign, digits) = text.strip_prefix('-').map_or((1, text), |digits| (-1i64, digits));
            let value = if text.is_empty() { Ok(0) } else { crate::literal::number(digits) };
            if let Ok(value) = value {
                let value = (value as i64).wrapping_mul(sign) as u64;
                return Some(int(value, Type::Int { signed: value <= i64::MAX as u64 || sign < 0 }, span));
            }
            let error = Diagnostic::error("E0332", span, format!("`{name}` is no number"), format!("the script was given `{text}`"));
            self.error(error.help(format!("`str({name})` is its text")));
            return None;
        }
        let variables = self.state.variables.get(&self.clause.source);
        if let Some((index, _, ty)) = variables.and_then(|variables| variables.get_full(name))
            && self.clause.assigned.contains(name)
        {
            return Some(Expr { kind: ExprKind::Variable(index), ty: ty.clone(), span });
        }
        let error = Diagnostic::error("E0324", span, format!("`{name}` has no value here"), "not assigned before in this clause");
        let names = self.clause.assigned.iter().map(String::as_str);
        let error = error.suggest(name, names).help("a scratch variable lives in one run of a clause; a map (`@name`) lasts");
        self.error(error);
        None
    }

    /// Checks the place of a map's entry, its key joined with the map's.
    pub(super) fn place(&mut self, name: &str, keys: &[ast::Expr], span: Span) -> Option<Place> {
        let map = self.state.maps.number(name, span);
        let userspace = self.in_userspace();
        self.state.maps.note(map, |usage| usage.in_kernel |= !userspace);
        let key = keys.iter().map(|key| self.expr(key)).collect::<Vec<_>>().into_iter().collect::<Option<Vec<_>>>()?;
        let types = key.iter().map(|key| key.ty.clone()).collect::<Vec<_>>();
        match self.state.maps.join_key(map, &types, span) {
            Ok(_) => Some(Place { map, key }),
            Err(error) => {
                self.error(error);
                None
            }
        }
    }

    fn map_value(&mut self, name: &str, keys: &[ast::Expr], span: Span) -> Option<Expr> {
        let place = self.place(name, keys, span)?;
        let map = place.map;
        let userspace = self.in_userspace();
        self.state.maps.note_read(map, span);
        self.state.maps.note(map, |usage| usage.kernel_beyond_adding |= !userspace);
        let ty = match self.state.maps.value(map) {
            // Not known yet: another pass follows, and if none writes the map, that is said at the end.
            None => Type::UNSIGNED,
            Some(Value::Plain(ty)) => ty.clone(),
            Some(value) if !userspace => {
                let title = format!("`{name}` can't be read here: it is {}", value.describe());
                let error = Diagnostic::error("E0325", span, title, "its parts lie on every CPU");
                self.error(error.help("read it in an `interval` or `END` clause, or keep a number of your own with `@name++`"));
                return None;
            }
            Some(Value::Hist) => {
                self.error(Diagnostic::error("E0325", span, "a histogram is no value", "print it whole: `print(@name)`"));
                return None;
            }
            Some(Value::Count) => Type::UNSIGNED,
            Some(Value::Sum { signed } | Value::Min { signed } | Value::Max { signed } | Value::Avg { signed }) => {
                Type::Int { signed: *signed }
            }
        };
        Some(Expr { kind: ExprKind::Map(place), ty, span })
    }

    fn field_names(&self) -> String {
        let fields: &[Field] = match self.site() {
            Site::Tracepoint { fields, .. } => fields,
            Site::SyscallSet { members, .. } => members.first().map_or(&[], |member| &member.fields),
            Site::RawSyscalls { exit: true, .. } => return "`id`, `ret`".to_owned(),
            Site::RawSyscalls { .. } => return "`id`, `args`".to_owned(),
            _ => &[],
        };
        let names = fields.iter().filter(|field| field.name != "__syscall_nr").map(|field| format!("`{}`", field.name));
        names.collect::<Vec<_>>().join(", ")
    }

    fn member(&mut self, object: &ast::Expr, member: &Name) -> Option<Expr> {
        if !matches!(&object.kind, Ast::Ident(name) if name == "args") {
            let object = self.expr(object)?;
            let title = format!("{} has no fields", object.ty.describe());
            self.error(Diagnostic::error("E0326", member.span, title, "").also(object.span, "this"));
            return None;
        }
        let span = object.span.to(member.span);
        let (access, ty) = match self.site().clone() {
            Site::Tracepoint { fields, category, .. } => {
                let Some(field) = fields.iter().find(|field| field.name == member.text) else {
                    return self.unknown_field(member, &fields);
                };
                self.tracepoint_field(field, category == "syscalls", span)?
            }
            Site::RawSyscalls { exit, .. } => match (member.text.as_str(), exit) {
                ("id", _) => (Access::SyscallNumber, Type::SIGNED),
                ("ret", true) => (Access::SyscallResult, Type::SIGNED),
                ("args", false) => {
                    let error = Diagnostic::error("E0327", span, "`args.args` is an array", "name one of its six: `args.args[0]`");
                    self.error(error);
                    return None;
                }
                _ => {
                    let names: &[&str] = if exit { &["id", "ret"] } else { &["id", "args"] };
                    return self.no_such_field(member, names);
                }
            },
            Site::SyscallSet { exit, members } => {
                // The members have what the clause names at the same place: the first stands for all.
                let fields = members.first().map_or(&[][..], |member| &member.fields);
                let Some(first) = fields.iter().find(|field| field.name == member.text) else {
                    return self.unknown_field(member, fields);
                };
                self.set_field(first, exit, span)?
            }
            _ => {
                let error = Diagnostic::error("E0323", span, "`args` is known at probes only", "BEGIN, END and interval have none");
                self.error(error);
                return None;
            }
        };
        Some(Expr { kind: ExprKind::Access(access), ty, span })
    }

    fn tracepoint_field(&mut self, field: &Field, user: bool, span: Span) -> Option<(Access, Type)> {
        let access = match field.shape {
            Shape::Number { size, signed } => Access::Number { offset: field.offset, size, signed },
            Shape::Pointer => Access::Number { offset: field.offset, size: 8, signed: false },
            Shape::Chars { len } => Access::Chars { offset: field.offset, len },
            Shape::DataLocation => Access::DataLocation(field.offset),
            Shape::Numbers { .. } => {
                let error = Diagnostic::error("E0327", span, format!("`args.{}` is an array", field.name), field.declaration.clone());
                self.error(error.help("name one of its numbers with `[0]`"));
                return None;
            }
            Shape::Other => {
                let title = format!("`args.{}` has a type that scripts can't read", field.name);
                self.error(Diagnostic::error("E0327", span, title, field.declaration.clone()));
                return None;
            }
        };
        let ty = field.ty(user).unwrap_or(Type::UNSIGNED);
        Some((access, ty))
    }

    /// A field of a member of a set: it is an argument or the result of the system call.
    fn set_field(&mut self, field: &Field, exit: bool, span: Span) -> Option<(Access, Type)> {
        let (size, signed) = match field.shape {
            Shape::Number { size, signed } => (size, signed),
            _ => (8, false),
        };
        let ty = field.ty(true).unwrap_or(Type::UNSIGNED);
        if field.name == "__syscall_nr" {
            return Some((Access::SyscallNumber, ty));
        }
        if exit {
            return Some((Access::SyscallResult, ty));
        }
        // The arguments are words from offset 16 on (`trace_event_raw_sys_enter`, `include/trace/syscall.h`).
        let index = field.offset.checked_sub(16).map(|offset| offset / 8).filter(|index| *index < 6);
        if index.is_none() {
            let title = format!("`args.{}` lies where no argument is", field.name);
            self.error(Diagnostic::error("E0327", span, title, field.declaration.clone()));
        }
        Some((Access::SyscallArgument { index: index?, size, signed }, ty))
    }

    fn unknown_field(&mut self, member: &Name, fields: &[Field]) -> Option<Expr> {
        let names = fields.iter().map(|field| field.name.as_str()).filter(|name| *name != "__syscall_nr").collect::<Vec<_>>();
        self.no_such_field(member, &names)
    }

    fn no_such_field(&mut self, member: &Name, names: &[&str]) -> Option<Expr> {
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
            Site::RawSyscalls { exit, .. } => format!("`raw_syscalls:{}`", if *exit { "sys_exit" } else { "sys_enter" }),
            _ => "the probe".to_owned(),
        }
    }

    /// One number of an array: `args.args[0]`.
    fn index(&mut self, object: &ast::Expr, index: &ast::Expr, span: Span) -> Option<Expr> {
        let field = match &object.kind {
            Ast::Member(args, member) if matches!(&args.kind, Ast::Ident(name) if name == "args") => Some(member),
            _ => None,
        };
        let array = field.and_then(|member| match self.site() {
            Site::RawSyscalls { exit: false, .. } if member.text == "args" => Some((6, None)),
            Site::Tracepoint { fields, .. } => {
                let field = fields.iter().find(|field| field.name == member.text)?;
                match field.shape {
                    Shape::Numbers { size, count, signed } => Some((count, Some((field.offset, size, signed)))),
                    _ => None,
                }
            }
            _ => None,
        });
        let Some((count, place)) = array else {
            let object = self.expr(object)?;
            let label = format!("this is {}", object.ty.describe());
            self.error(Diagnostic::error("E0327", object.span, "not an array", label));
            return None;
        };
        let index = self.constant(index, 0..=u64::from(count - 1))? as u32;
        let (access, signed) = match place {
            None => (Access::SyscallArgument { index, size: 8, signed: false }, false),
            Some((offset, size, signed)) => (Access::Number { offset: offset + index * size, size, signed }, signed),
        };
        Some(Expr { kind: ExprKind::Access(access), ty: Type::Int { signed }, span })
    }

    fn unary(&mut self, operator: Unary, value: &ast::Expr, span: Span) -> Option<Expr> {
        match operator {
            Unary::Not => {
                let value = self.condition(value)?;
                if let ExprKind::Int(value) = value.kind {
                    return Some(int(u64::from(value == 0), Type::SIGNED, span));
                }
                Some(Expr { kind: ExprKind::Not(Box::new(value)), ty: Type::SIGNED, span })
            }
            Unary::Neg => {
                let value = self.number(value)?;
                Some(self.negate(value, span))
            }
            Unary::Flip => {
                let value = self.number(value)?;
                let ty = value.ty.clone();
                Some(fold(Alu::Xor, value, int(u64::MAX, Type::UNSIGNED, span), ty, span))
            }
        }
    }

    pub(super) fn negate(&mut self, value: Expr, span: Span) -> Expr {
        fold(Alu::Sub, int(0, Type::SIGNED, span), value, Type::SIGNED, span)
    }

    fn ternary(&mut self, condition: &ast::Expr, then: &ast::Expr, otherwise: &ast::Expr, span: Span) -> Option<Expr> {
        let condition = self.condition(condition);
        let (then, otherwise) = (self.expr(then), self.expr(otherwise));
        let (condition, then, otherwise) = (condition?, then?, otherwise?);
        if !then.ty.agrees(&otherwise.ty) || !then.ty.is_word() {
            let error = Diagnostic::error("E0330", span, "both branches must be integers", "");
            let describe = |expr: &Expr| (expr.span, format!("this is {}", expr.ty.describe()));
            let ((then, first), (otherwise, second)) = (describe(&then), describe(&otherwise));
            self.error(error.also(then, first).also(otherwise, second));
            return None;
        }
        let ty = then.ty.join(&otherwise.ty);
        Some(Expr { kind: ExprKind::Choose(Box::new(condition), Box::new(then), Box::new(otherwise)), ty, span })
    }

    pub(super) fn binary(&mut self, operator: Binary, left: &ast::Expr, right: &ast::Expr, span: Span) -> Option<Expr> {
        if matches!(operator, Binary::And | Binary::Or) {
            let (left, right) = (self.condition(left), self.condition(right));
            let (left, right) = (Box::new(left?), Box::new(right?));
            let kind = if operator == Binary::And { ExprKind::And(left, right) } else { ExprKind::Or(left, right) };
            return Some(Expr { kind, ty: Type::SIGNED, span });
        }
        let (left, right) = (self.expr(left), self.expr(right));
        let (left, right) = (left?, right?);
        if let (Type::Text { .. }, Type::Text { .. }) = (&left.ty, &right.ty) {
            return self.compare_texts(operator, left, right, span);
        }
        let number = |expr: &Expr| matches!(expr.ty, Type::Int { .. } | Type::Pointer(_));
        if !number(&left) || !number(&right) {
            let title = format!("`{}` can't be used on {} and {}", operator.symbol(), left.ty.describe(), right.ty.describe());
            let error = Diagnostic::error("E0331", span, title, "");
            let error = error.also(left.span, format!("this is {}", left.ty.describe()));
            self.error(error.also(right.span, format!("this is {}", right.ty.describe())));
            return None;
        }
        let signed = signed_together(&left, &right);
        let ty = match (&left.ty, &right.ty) {
            _ if comparison(operator) => Type::SIGNED,
            (Type::Pointer(space), _) | (_, Type::Pointer(space)) => Type::Pointer(*space),
            _ => Type::Int { signed },
        };
        let operation = operation(operator, if operator == Binary::Shr { is_signed(&left) } else { signed });
        Some(fold(operation, left, right, ty, span))
    }

    fn compare_texts(&mut self, operator: Binary, left: Expr, right: Expr, span: Span) -> Option<Expr> {
        if !matches!(operator, Binary::Eq | Binary::Ne) {
            let title = format!("`{}` can't be used on strings", operator.symbol());
            self.error(Diagnostic::error("E0331", span, title, "strings can be compared by `==` and `!=`"));
            return None;
        }
        for (literal, other) in [(&left, &right), (&right, &left)] {
            if let (ExprKind::Text(text), ExprKind::Builtin(Builtin::Comm)) = (&literal.kind, &other.kind)
                && text.len() > 15
            {
                let title = "this comparison is always false";
                let label = format!("{} bytes, but the kernel cuts `comm` to 15", text.len());
                self.errors.push(Diagnostic::warning("W0001", literal.span, title, label));
            }
        }
        let same = ExprKind::SameText(Box::new(left), Box::new(right));
        let same = Expr { kind: same, ty: Type::SIGNED, span };
        Some(if operator == Binary::Eq { same } else { Expr { kind: ExprKind::Not(Box::new(same)), ty: Type::SIGNED, span } })
    }
}

fn is_signed(expr: &Expr) -> bool {
    matches!(expr.ty, Type::Int { signed: true })
}

/// Whether two numbers meet as signed ones: C's rule, but a literal that fits takes the other's side.
fn signed_together(left: &Expr, right: &Expr) -> bool {
    let literal = |expr: &Expr| matches!(expr.kind, ExprKind::Int(value) if value <= i64::MAX as u64);
    match (literal(left), literal(right)) {
        (true, false) => is_signed(right),
        (false, true) => is_signed(left),
        _ => is_signed(left) && is_signed(right),
    }
}

fn comparison(operator: Binary) -> bool {
    matches!(operator, Binary::Eq | Binary::Ne | Binary::Lt | Binary::Le | Binary::Gt | Binary::Ge)
}

fn operation(operator: Binary, signed: bool) -> Alu {
    let by_sign = |yes, no| if signed { yes } else { no };
    match operator {
        Binary::BitOr => Alu::Or,
        Binary::BitXor => Alu::Xor,
        Binary::BitAnd => Alu::And,
        Binary::Eq => Alu::Eq,
        Binary::Ne => Alu::Ne,
        Binary::Lt => by_sign(Alu::LtS, Alu::LtU),
        Binary::Le => by_sign(Alu::LeS, Alu::LeU),
        Binary::Gt => by_sign(Alu::GtS, Alu::GtU),
        Binary::Ge => by_sign(Alu::GeS, Alu::GeU),
        Binary::Shl => Alu::Shl,
        Binary::Shr => by_sign(Alu::ShrS, Alu::ShrU),
        Binary::Add => Alu::Add,
        Binary::Sub => Alu::Sub,
        Binary::Mul => Alu::Mul,
        Binary::Div => by_sign(Alu::DivS, Alu::DivU),
        Binary::Rem => by_sign(Alu::RemS, Alu::RemU),
        Binary::And | Binary::Or => unreachable!("they are no operation on words"),
    }
}

/// Builds an operation, computed at once if both sides are known.
fn fold(operation: Alu, left: Expr, right: Expr, ty: Type, span: Span) -> Expr {
    if let (ExprKind::Int(left), ExprKind::Int(right)) = (&left.kind, &right.kind) {
        return int(alu(operation as u8, *left, *right), ty, span);
    }
    Expr { kind: ExprKind::Alu(operation, Box::new(left), Box::new(right)), ty, span }
}
