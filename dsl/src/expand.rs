//! Macros, put in the place of their calls: a script without them is what the later stages see.
//!
//! A macro is hygienic: its own scratch variables have names that no script can write. A parameter `$a` stands for the
//! variable of the call, `@b` for its map, `c` for its value, which is computed once.

use std::collections::HashMap;

use crate::ast::{Block, EmitField, Expr, ExprKind, Macro, Name, Script, Statement, StatementKind, TypeRef};
use crate::diagnostic::{Diagnostic, Diagnostics};
use crate::source::Span;

/// How deep macros call macros.
const MAX_DEPTH: usize = 16;
/// How many calls of macros a script may come to.
const MAX_CALLS: usize = 10_000;

/// Expands the macros of a script.
pub fn expand(script: &mut Script, found: &mut Diagnostics) {
    let mut macros = HashMap::new();
    for definition in std::mem::take(&mut script.macros) {
        let name = definition.name.clone();
        if definition.called && crate::functions::Row::named(&name.text).is_some() {
            let title = format!("`{}` is a function of the language", name.text);
            found.push(Diagnostic::error("E0301", name.span, title, "choose another name"));
        } else if let Some(first) = macros.insert(name.text.clone(), definition) {
            let error =
                Diagnostic::error("E0301", name.span, format!("there are two macros `{}`", name.text), "the second");
            found.push(error.also(first.name.span, "the first"));
        }
    }
    if macros.is_empty() {
        return;
    }
    let mut expander = Expander { macros: &macros, found, calls: 0, frames: Vec::new() };
    for declaration in &mut script.types {
        declaration.numbers(&mut |number| expander.expr(number));
    }
    for clause in &mut script.clauses {
        if let Some(predicate) = &mut clause.predicate {
            expander.expr(predicate);
        }
        expander.block(&mut clause.body);
    }
}

/// What a macro's names stand for, in one call.
struct Frame {
    name: String,
    /// Parameters and local variables.
    bound: HashMap<String, ExprKind>,
    /// The number of the call, which makes the names of its variables its own.
    call: usize,
}

struct Expander<'a> {
    macros: &'a HashMap<String, Macro>,
    found: &'a mut Diagnostics,
    calls: usize,
    frames: Vec<Frame>,
}

impl Expander<'_> {
    fn block(&mut self, block: &mut Block) {
        for statement in block {
            self.statement(statement);
        }
    }

    /// A variable that a macro's body brings into being.
    fn variable(&self, name: &mut Name) {
        if let Some(frame) = self.frames.last() {
            name.text = match frame.bound.get(&name.text) {
                Some(ExprKind::Var(outer)) => outer.clone(),
                _ => own_name(&name.text, frame.call),
            };
        }
    }

    fn map(&self, name: &mut String) {
        if let Some(ExprKind::Map(outer, _)) = self.frames.last().and_then(|frame| frame.bound.get(name)) {
            name.clone_from(outer);
        }
    }

    fn statement(&mut self, statement: &mut Statement) {
        match &mut statement.kind {
            StatementKind::Expr(expr) | StatementKind::Discard(expr) => self.expr(expr),
            StatementKind::Assign { target, value, .. } => {
                self.expr(target);
                self.expr(value);
            }
            StatementKind::Let { name, ty, value } => {
                self.type_ref(ty.as_mut());
                value.iter_mut().for_each(|value| self.expr(value));
                self.variable(name);
            }
            StatementKind::If { condition, then, otherwise } => {
                self.expr(condition);
                self.block(then);
                self.block(otherwise);
            }
            StatementKind::While { condition: head, body } | StatementKind::Unroll { count: head, body } => {
                self.expr(head);
                self.block(body);
            }
            StatementKind::For { variable, from, to, body } => {
                self.expr(from);
                self.expr(to);
                self.variable(variable);
                self.block(body);
            }
            StatementKind::Each { variable, map, body } => {
                self.map(&mut map.text);
                self.variable(variable);
                self.block(body);
            }
            StatementKind::Block(body) => self.block(body),
            StatementKind::Return(value) => value.iter_mut().for_each(|value| self.expr(value)),
            StatementKind::Emit { fields, .. } => {
                fields.iter_mut().for_each(|EmitField { value, .. }| self.expr(value));
            }
            StatementKind::Break | StatementKind::Continue => {}
        }
    }

    fn type_ref(&mut self, ty: Option<&mut TypeRef>) {
        match ty {
            Some(TypeRef::Of(value)) => self.expr(value),
            Some(TypeRef::Named(name)) => name.numbers(&mut |number| self.expr(number)),
            None => {}
        }
    }

    fn expr(&mut self, expr: &mut Expr) {
        let span = expr.span;
        match &mut expr.kind {
            ExprKind::Ident(name) => {
                if let Some(bound) = self.frames.last().and_then(|frame| frame.bound.get(name)) {
                    expr.kind = bound.clone();
                } else if let Some(definition) = self.macros.get(name.as_str()).filter(|definition| !definition.called)
                {
                    expr.kind = self.call(definition, Vec::new(), span);
                }
            }
            ExprKind::Var(name) => {
                let mut full = Name { text: name.clone(), span };
                self.variable(&mut full);
                *name = full.text;
            }
            ExprKind::Map(name, keys) => {
                self.map(name);
                keys.iter_mut().for_each(|key| self.expr(key));
            }
            ExprKind::Call(name, arguments) => {
                arguments.iter_mut().for_each(|argument| self.expr(argument));
                if let Some(definition) = self.macros.get(&name.text).filter(|definition| definition.called) {
                    let arguments = std::mem::take(arguments);
                    expr.kind = self.call(definition, arguments, span);
                }
            }
            ExprKind::Tuple(many) => many.iter_mut().for_each(|one| self.expr(one)),
            ExprKind::Record(fields) => fields.iter_mut().for_each(|(_, one)| self.expr(one)),
            ExprKind::Member(one, _)
            | ExprKind::Position(one, _)
            | ExprKind::Unary(_, one)
            | ExprKind::Step { target: one, .. } => {
                self.expr(one);
            }
            ExprKind::Cast(ty, one) => {
                self.type_ref(Some(ty));
                self.expr(one);
            }
            ExprKind::SizeOf(ty) | ExprKind::OffsetOf(ty, _) => self.type_ref(Some(ty)),
            ExprKind::Index(left, right) | ExprKind::Binary(_, left, right) => {
                self.expr(left);
                self.expr(right);
            }
            ExprKind::Ternary(condition, then, otherwise) => {
                [condition, then, otherwise].into_iter().for_each(|one| self.expr(one));
            }
            ExprKind::Block(statements, value) => {
                self.block(statements);
                self.expr(value);
            }
            ExprKind::Int(_) | ExprKind::Str(_) | ExprKind::Parameter(_) | ExprKind::ParameterCount => {}
        }
    }

    /// The block that stands in place of a call.
    fn call(&mut self, definition: &Macro, arguments: Vec<Expr>, span: Span) -> ExprKind {
        let name = &definition.name.text;
        let nothing = Expr { kind: ExprKind::Int(0), span };
        // What stands in place of a call that was refused: nothing more is to be said of it.
        let refused = ExprKind::Block(Vec::new(), Box::new(nothing.clone()));
        if arguments.len() != definition.parameters.len() {
            let takes = crate::check::counted(definition.parameters.len(), "argument");
            let title = format!("`{name}` takes {takes}, not {}", arguments.len());
            let error = Diagnostic::error("E0311", span, title, "");
            self.found.push(error.also(definition.name.span, "defined here"));
            return refused;
        }
        self.calls += 1;
        if self.frames.iter().any(|frame| frame.name == *name) {
            let error =
                Diagnostic::error("E0111", span, format!("the macro `{name}` calls itself"), "expanded without end");
            self.found.push(
                error.also(definition.name.span, "defined here").help("loops are written `for ($i : 0..10) { ... }`"),
            );
            return refused;
        }
        let too_much = match (self.frames.len() >= MAX_DEPTH, self.calls > MAX_CALLS) {
            (true, _) => Some(format!("macros call macros more than {MAX_DEPTH} deep")),
            // Said once: what is counted from here on is beyond.
            (_, true) if self.calls > MAX_CALLS + 1 => return refused,
            (_, true) => Some(format!("the script's macros come to more than {MAX_CALLS} calls")),
            _ => None,
        };
        if let Some(title) = too_much {
            let error = Diagnostic::error("E0410", span, title, format!("the call of `{name}` is one too many"));
            self.found.push(
                error.help("each call stands for all that the macro holds; loops are `for ($i : 0..10) { ... }`"),
            );
            return refused;
        }
        let call = self.calls;
        let mut bound = HashMap::new();
        let mut statements = Vec::new();
        for (parameter, argument) in definition.parameters.iter().zip(arguments) {
            let fits = match parameter.text.chars().next() {
                Some('$') => matches!(argument.kind, ExprKind::Var(_)),
                Some('@') => matches!(&argument.kind, ExprKind::Map(_, keys) if keys.is_empty()),
                _ => true,
            };
            if !fits {
                let what = if parameter.text.starts_with('$') { "a scratch variable" } else { "a map" };
                let title = format!("`{name}` needs {what} for `{}`", parameter.text);
                let error = Diagnostic::error("E0358", argument.span, title, format!("expected {what}"));
                self.found.push(error.also(parameter.span, "the parameter"));
                return refused;
            }
            let as_it_is = parameter.text.starts_with(['$', '@']) || is_plain(&argument);
            let value = match as_it_is {
                true => argument.kind,
                false => {
                    let variable = own_name(&format!("${}", parameter.text), call);
                    let name = Name { text: variable.clone(), span: argument.span };
                    let span = argument.span;
                    statements
                        .push(Statement { kind: StatementKind::Let { name, ty: None, value: Some(argument) }, span });
                    ExprKind::Var(variable)
                }
            };
            bound.insert(parameter.text.clone(), value);
        }
        let mut body = definition.body.clone();
        self.frames.push(Frame { name: name.clone(), bound, call });
        self.block(&mut body);
        self.frames.pop();
        let value = match body.pop() {
            Some(Statement { kind: StatementKind::Expr(value), .. }) => value,
            last => {
                body.extend(last);
                nothing
            }
        };
        statements.extend(body);
        if statements.is_empty() { value.kind } else { ExprKind::Block(statements, Box::new(value)) }
    }
}

/// Whether it makes no difference how often a value is computed.
fn is_plain(expr: &Expr) -> bool {
    match &expr.kind {
        ExprKind::Int(_) | ExprKind::Str(_) | ExprKind::Var(_) | ExprKind::Ident(_) | ExprKind::Parameter(_) => true,
        ExprKind::Map(_, keys) => keys.is_empty(),
        ExprKind::Member(object, _) => is_plain(object),
        _ => false,
    }
}

/// The name of a macro's own variable: no script can write a name with a dot.
fn own_name(name: &str, call: usize) -> String {
    format!("{name}.{call}")
}
