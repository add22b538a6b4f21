//! Statements: what a clause does.

use crate::ast::{self, Binary, ExprKind as Ast, Name};
use crate::checked::{Action, Expr, ExprKind, Field, Place, Statement, Value};
use crate::diagnostic::Diagnostic;
use crate::functions::{Function, Role, Row};
use crate::source::Span;
use crate::types::Type;

use super::Checker;
use super::arguments::Record;

impl Checker<'_> {
    pub(super) fn block(&mut self, block: &ast::Block, out: &mut Vec<Statement>) {
        for statement in block {
            self.statement(statement, out);
        }
    }

    fn statement(&mut self, statement: &ast::Statement, out: &mut Vec<Statement>) {
        match statement {
            ast::Statement::Expr(expr) => self.expression_statement(expr, out),
            ast::Statement::Assign { target, operator, value } => {
                if let Some(statement) = self.assign(target, *operator, value) {
                    out.push(statement);
                }
            }
            ast::Statement::If { condition, then, otherwise } => {
                let condition = self.condition(condition);
                let (mut yes, mut no) = (Vec::new(), Vec::new());
                self.block(then, &mut yes);
                self.block(otherwise, &mut no);
                if let Some(condition) = condition {
                    out.push(Statement::If(condition, yes, no));
                }
            }
            ast::Statement::Emit { name, fields, span } => {
                if let Some(statement) = self.emit(name, fields, *span) {
                    out.push(statement);
                }
            }
        }
    }

    fn expression_statement(&mut self, expr: &ast::Expr, out: &mut Vec<Statement>) {
        match &expr.kind {
            Ast::Call(name, arguments) => self.call_statement(name, arguments, expr.span, out),
            Ast::Step { target, up, .. } => {
                let one = ast::Expr { kind: Ast::Int(1), span: expr.span };
                let operator = if *up { Binary::Add } else { Binary::Sub };
                out.extend(self.assign(target, Some(operator), &one));
            }
            _ => {
                if self.expr(expr).is_some() {
                    let error = Diagnostic::error("E0306", expr.span, "this statement does nothing", "a value that nobody uses");
                    self.error(error.help("assign it (`@name = ...`), or print it: `print(...)`"));
                }
            }
        }
    }

    fn assign(&mut self, target: &ast::Expr, operator: Option<Binary>, value: &ast::Expr) -> Option<Statement> {
        match &target.kind {
            Ast::Var(name) => {
                let value = match operator {
                    None => self.expr(value)?,
                    Some(operator) => self.binary(operator, target, value, target.span.to(value.span))?,
                };
                self.set_variable(name, value, target.span)
            }
            Ast::Map(name, keys) => {
                let aggregation = match &value.kind {
                    Ast::Call(function, arguments) => {
                        Row::named(&function.text).filter(|row| row.role == Role::Aggregation).map(|row| (row, arguments))
                    }
                    _ => None,
                };
                let place = self.place(name, keys, target.span)?;
                match (aggregation, operator) {
                    (Some((row, arguments)), None) => self.aggregate(row, place, arguments, value.span),
                    (Some((row, _)), Some(_)) => {
                        let title = format!("`{}` can only be assigned", row.name);
                        self.error(Diagnostic::error("E0307", value.span, title, format!("expected `{}`", row.signature)));
                        None
                    }
                    (None, Some(Binary::Add | Binary::Sub)) => self.add(place, operator == Some(Binary::Sub), value, target.span),
                    (None, _) => self.set_map(place, target, operator, value),
                }
            }
            _ => {
                self.error(Diagnostic::error("E0307", target.span, "this can't be changed", "expected a map or a scratch variable"));
                None
            }
        }
    }

    fn set_variable(&mut self, name: &str, value: Expr, span: Span) -> Option<Statement> {
        let variables = self.state.variables.entry(self.clause.source).or_default();
        let (index, have) = match variables.get_full_mut(name) {
            Some((index, _, have)) => (index, have),
            None => {
                let (index, _) = variables.insert_full(name.to_owned(), value.ty.clone());
                (index, &mut variables[index])
            }
        };
        if !have.agrees(&value.ty) {
            let title = format!("`{name}` is {}", have.describe());
            let label = format!("here it would become {}", value.ty.describe());
            self.error(Diagnostic::error("E0308", span, title, label).help("use a second variable"));
            return None;
        }
        *have = have.join(&value.ty);
        self.clause.assigned.insert(name.to_owned());
        Some(Statement::SetVariable(index, value))
    }

    fn set_map(
        &mut self,
        place: Place,
        target: &ast::Expr,
        operator: Option<Binary>,
        value: &ast::Expr,
    ) -> Option<Statement> {
        let value = match operator {
            None => self.expr(value)?,
            Some(operator) => self.binary(operator, target, value, target.span.to(value.span))?,
        };
        self.join_value(place.map, Value::Plain(value.ty.clone()), target.span)?;
        let userspace = self.in_userspace();
        self.state.maps.note(place.map, |usage| {
            usage.assigned_in_userspace |= userspace;
            usage.kernel_beyond_adding |= !userspace;
        });
        Some(Statement::SetMap(place, value))
    }

    fn add(&mut self, place: Place, negative: bool, value: &ast::Expr, span: Span) -> Option<Statement> {
        let amount = self.number(value)?;
        let amount = if negative { self.negate(amount, value.span) } else { amount };
        let signed = negative || matches!(amount.ty, Type::Int { signed: true }) && !matches!(amount.kind, ExprKind::Int(_));
        self.join_value(place.map, Value::Plain(Type::Int { signed: signed || matches!(amount.kind, ExprKind::Int(_)) }), span)?;
        Some(Statement::Add(place, amount))
    }

    fn aggregate(&mut self, row: &Row, place: Place, arguments: &[ast::Expr], span: Span) -> Option<Statement> {
        self.arity(row, arguments.len(), span)?;
        let value = match arguments.first() {
            Some(argument) => Some(self.number(argument)?),
            None => None,
        };
        let signed = value.as_ref().is_some_and(|value| matches!(value.ty, Type::Int { signed: true }));
        let kind = match row.function {
            Function::Count => Value::Count,
            Function::Sum => Value::Sum { signed },
            Function::Min => Value::Min { signed },
            Function::Max => Value::Max { signed },
            Function::Avg => Value::Avg { signed },
            _ => Value::Hist,
        };
        self.join_value(place.map, kind, span)?;
        Some(Statement::Aggregate(place, value))
    }

    pub(super) fn join_value(&mut self, map: usize, value: Value, span: Span) -> Option<()> {
        match self.state.maps.join_value(map, value, span) {
            Ok(()) => Some(()),
            Err(error) => {
                self.error(error);
                None
            }
        }
    }

    fn call_statement(&mut self, name: &Name, arguments: &[ast::Expr], span: Span, out: &mut Vec<Statement>) {
        let Some(row) = Row::named(&name.text) else {
            self.unknown_function(name);
            return;
        };
        match row.role {
            Role::Action => {
                if self.arity(row, arguments.len(), span).is_some() {
                    self.action(row, arguments, span, out);
                }
            }
            Role::Aggregation => {
                let title = format!("`{}` must be given to a map", row.name);
                let error = Diagnostic::error("E0307", span, title, format!("expected `{}`", row.signature));
                self.error(error);
            }
            Role::Value => {
                let title = format!("`{}` alone does nothing", row.name);
                self.error(Diagnostic::error("E0306", span, title, "a value that nobody uses").help("print it: `print(...)`"));
            }
        }
    }

    fn action(&mut self, row: &Row, arguments: &[ast::Expr], span: Span, out: &mut Vec<Statement>) {
        let action = match row.function {
            Function::Printf => {
                out.extend(self.printf(arguments, span));
                return;
            }
            Function::Print => {
                out.extend(self.print(arguments));
                return;
            }
            Function::Delete => {
                out.extend(self.delete(arguments));
                return;
            }
            Function::Clear => self.whole_map(&arguments[0]).map(|map| (Some(map), Action::Clear(map))),
            Function::Zero => self.whole_map(&arguments[0]).map(|map| (Some(map), Action::Zero(map))),
            Function::Time => {
                let format = arguments.first().map_or(Some("%H:%M:%S\n".to_owned()), |format| self.literal_text(format));
                format.map(|format| (None, Action::Time(format)))
            }
            _ => {
                let status = arguments.first().map_or(Some(0), |status| self.constant(status, 0..=255));
                status.map(|status| (None, Action::Exit(status as i32)))
            }
        };
        let Some((cleared, action)) = action else { return };
        if let Some(map) = cleared {
            let at_end = matches!(self.site(), crate::resolve::Site::End);
            self.state.maps.note(map, |usage| usage.cleared |= !at_end);
        }
        let ends = matches!(action, Action::Exit(_));
        out.push(self.output(action, Vec::new()));
        if ends {
            out.push(Statement::Stop);
        }
    }

    pub(super) fn output(&mut self, action: Action, values: Vec<Expr>) -> Statement {
        self.actions.push(action);
        Statement::Output(self.actions.len() - 1, values)
    }

    fn delete(&mut self, arguments: &[ast::Expr]) -> Option<Statement> {
        let Ast::Map(name, keys) = &arguments[0].kind else {
            self.error(Diagnostic::error("E0309", arguments[0].span, "not a map", "expected `@name[key]`"));
            return None;
        };
        let keys = match arguments.get(1) {
            Some(key) if keys.is_empty() => std::slice::from_ref(key),
            Some(key) => {
                self.error(Diagnostic::error("E0309", key.span, "the key is given twice", "expected `delete(@name[key])`"));
                return None;
            }
            None => keys,
        };
        let place = self.place(name, keys, arguments[0].span)?;
        let userspace = self.in_userspace();
        self.state.maps.note(place.map, |usage| usage.kernel_beyond_adding |= !userspace);
        self.state.maps.note_read(place.map, arguments[0].span);
        Some(Statement::Delete(place))
    }

    /// Finds the map that a function takes whole.
    pub(super) fn whole_map(&mut self, argument: &ast::Expr) -> Option<usize> {
        match &argument.kind {
            Ast::Map(name, keys) if keys.is_empty() => {
                let map = self.state.maps.number(name, argument.span);
                self.state.maps.note_read(map, argument.span);
                Some(map)
            }
            _ => {
                self.error(Diagnostic::error("E0309", argument.span, "not a whole map", "expected `@name`"));
                None
            }
        }
    }

    fn emit(&mut self, name: &Name, fields: &[ast::EmitField], span: Span) -> Option<Statement> {
        if fields.is_empty() {
            self.error(Diagnostic::error("E0310", span, "a record without fields", "expected `emit name { field, ... }`"));
            return None;
        }
        let mut record = Record::default();
        let mut named = Vec::<Field>::new();
        let mut whole = true;
        for ast::EmitField { name: label, value, column } in fields {
            let label = match (label, &value.kind) {
                (Some(label), _) => label.clone(),
                (None, Ast::Ident(name)) => Name { text: name.clone(), span: value.span },
                (None, Ast::Member(_, member)) => member.clone(),
                (None, Ast::Var(variable)) => Name { text: variable[1..].to_owned(), span: value.span },
                (None, _) => {
                    let error = Diagnostic::error("E0310", value.span, "this field has no name", "expected `name: value`");
                    self.error(error);
                    whole = false;
                    continue;
                }
            };
            if named.iter().any(|have| have.name == label.text) {
                self.error(Diagnostic::error("E0310", label.span, format!("two fields `{}`", label.text), "the second"));
                whole = false;
            }
            match self.argument(value, &mut record) {
                Some(value) => named.push(Field { name: label.text, value, column: *column }),
                None => whole = false,
            }
        }
        whole.then(|| self.output(Action::Emit { name: name.text.clone(), fields: named }, record.values))
    }
}
