//! Scratch variables: each lives in the block that it is first given a value in, or declared by `let`.

use std::collections::{HashMap, HashSet};

use crate::ast::{self, Name};
use crate::checked::{Expr, ExprKind, Statement};
use crate::diagnostic::Diagnostic;
use crate::source::Span;
use crate::types::Type;

use super::Checker;

/// The variables that can be seen, block by block.
#[derive(Default)]
pub struct Scopes {
    open: Vec<HashMap<String, Known>>,
    /// How many there were so far; each has its number, whatever its name.
    count: usize,
    /// How many loops are open.
    pub loops: usize,
    /// Those whose first value is wrong: what is said of it is enough.
    broken: HashSet<String>,
}

#[derive(Clone)]
struct Known {
    number: usize,
    /// The type that it was declared with.
    declared: Option<Type>,
    /// Where a loop gives it its values, so that nothing else may.
    given_by_loop: Option<Span>,
}

impl Scopes {
    fn find(&self, name: &str) -> Option<Known> {
        self.open.iter().rev().find_map(|scope| scope.get(name)).cloned()
    }
}

impl Checker<'_> {
    /// Does something in a block of its own.
    pub(super) fn scoped<T>(&mut self, work: impl FnOnce(&mut Self) -> T) -> T {
        self.clause.scopes.open.push(HashMap::new());
        let done = work(self);
        self.clause.scopes.open.pop();
        done
    }

    fn variables(&mut self) -> &mut Vec<Option<Type>> {
        self.state.variables.entry(self.clause.source).or_default()
    }

    /// Makes a variable in the innermost block.
    fn declare(&mut self, name: &str, declared: Option<Type>, given_by_loop: Option<Span>) -> usize {
        let number = self.hidden();
        if let Some(scope) = self.clause.scopes.open.last_mut() {
            scope.insert(name.to_owned(), Known { number, declared, given_by_loop });
        }
        number
    }

    /// Makes a variable without a name.
    pub(super) fn hidden(&mut self) -> usize {
        let number = self.clause.scopes.count;
        self.clause.scopes.count += 1;
        let variables = self.variables();
        if variables.len() <= number {
            variables.push(None);
        }
        number
    }

    /// Makes a variable without a name that holds a value.
    pub(super) fn keep(&mut self, value: Expr) -> (Statement, Expr) {
        let number = self.hidden();
        let ty = value.ty.clone();
        let have = &mut self.variables()[number];
        let joined = have.as_ref().map_or_else(|| ty.clone(), |have| have.join(&ty));
        *have = Some(joined.clone());
        let span = value.span;
        (Statement::SetVariable(number, value), Expr { kind: ExprKind::Variable(number), ty: joined, span })
    }

    /// Makes the variable that a loop gives its values.
    pub(super) fn loop_variable(&mut self, name: &Name, ty: Type) -> usize {
        let number = self.declare(&name.text, None, Some(name.span));
        self.variables()[number] = Some(ty);
        number
    }

    /// The variable under a name, where it has a value.
    pub(super) fn variable(&mut self, name: &str, span: Span) -> Option<Expr> {
        let Some(known) = self.clause.scopes.find(name) else {
            if self.clause.scopes.broken.contains(name) {
                return None;
            }
            let error = Diagnostic::error(
                "E0324",
                span,
                format!("`{name}` has no value here"),
                "not assigned before in this clause",
            );
            let names = self.clause.scopes.open.iter().flat_map(HashMap::keys).map(String::as_str).collect::<Vec<_>>();
            let error = error.suggest(name, names);
            self.error(error.help(
                "a scratch variable lives in its block: `let $name;` in front of the block makes it live longer; a map (`@name`) lasts",
            ));
            return None;
        };
        let ty = self.variables()[known.number].clone();
        if ty.is_none() {
            self.unknown += 1;
        }
        let ty = ty.or_else(|| self.guess.then_some(Type::SIGNED))?;
        Some(Expr { kind: ExprKind::Variable(known.number), ty, span })
    }

    /// Notes that a variable should have a value, which is wrong.
    pub(super) fn broken_variable(&mut self, name: &str) {
        self.clause.scopes.broken.insert(name.to_owned());
    }

    /// Gives a variable a value; makes it if there is none of the name.
    pub(super) fn set_variable(&mut self, name: &str, value: Expr, span: Span) -> Option<Statement> {
        let known = self.clause.scopes.find(name);
        if let Some(Known { given_by_loop: Some(given), .. }) = known {
            let error =
                Diagnostic::error("E0333", span, format!("`{name}` belongs to its loop"), "it can't be assigned");
            self.error(error.also(given, "the loop gives it its values").help("use a second variable"));
            return None;
        }
        let (number, declared) = match known {
            Some(known) => (known.number, known.declared),
            None => (self.declare(name, None, None), None),
        };
        let have = self.variables()[number].clone().unwrap_or_else(|| value.ty.clone());
        if !have.agrees(&value.ty) {
            let title = format!("`{name}` is {}", have.describe());
            let label = format!("here it would become {}", value.ty.describe());
            self.error(Diagnostic::error("E0308", span, title, label).help("use a second variable"));
            return None;
        }
        // One that was declared holds what its type does, whatever it is given.
        let value = match declared.filter(Type::is_word) {
            Some(declared) => self.converted(value, &declared)?,
            None => value,
        };
        self.variables()[number] = Some(have.join(&value.ty));
        Some(Statement::SetVariable(number, value))
    }

    /// Changes a variable by one: it stays as wide as it is.
    pub(super) fn step_variable(&mut self, name: &str, value: Expr, span: Span) -> Option<Statement> {
        let value = match self.variable(name, span)?.ty {
            Type::Int { bits, signed } => super::memory::narrowed(value, bits, signed),
            _ => value,
        };
        self.set_variable(name, value, span)
    }

    /// `let $name: type = value`.
    pub(super) fn let_variable(
        &mut self,
        name: &Name,
        ty: Option<&ast::TypeRef>,
        value: Option<&ast::Expr>,
    ) -> Option<Statement> {
        // Both are checked before the first failure counts, so that each error is reported.
        let value = value.map(|value| self.expr(value));
        let declared = ty.map(|ty| self.declared_type(ty));
        if matches!(value, Some(None)) || matches!(declared, Some(None)) {
            self.broken_variable(&name.text);
            return None;
        }
        let (value, declared) = (value.flatten(), declared.flatten());
        let number = self.declare(&name.text, declared.clone(), None);
        let value = match (value, declared) {
            (Some(value), Some(ty)) => self.converted(value, &ty)?,
            (Some(value), None) => value,
            (None, Some(ty)) => Self::blank(&ty, name.span),
            (None, None) => {
                // It starts as nothing of the type that its first value has.
                return Some(self.blank_variable(number, name.span));
            }
        };
        let have = self.variables()[number].clone().unwrap_or_else(|| value.ty.clone());
        self.variables()[number] = Some(have.join(&value.ty));
        Some(Statement::SetVariable(number, value))
    }

    /// Whether there is a variable of this name here.
    pub(super) fn knows_variable(&self, name: &str) -> bool {
        self.clause.scopes.find(name).is_some()
    }

    /// Gives a variable nothing of the type that it has.
    pub(super) fn blank_variable(&mut self, number: usize, span: Span) -> Statement {
        let ty = self.variables()[number].clone().unwrap_or(Type::SIGNED);
        Statement::SetVariable(number, Self::blank(&ty, span))
    }

    /// Nothing of a type: zero, or an empty text.
    pub(super) fn blank(ty: &Type, span: Span) -> Expr {
        let kind = match ty {
            ty if ty.is_word() => ExprKind::Int(0),
            Type::Tuple(parts) => ExprKind::Tuple(parts.iter().map(|part| Self::blank(&part.ty, span)).collect()),
            // An area of zeroes is laid for it.
            _ => ExprKind::Text(Vec::new()),
        };
        Expr { kind, ty: ty.clone(), span }
    }
}
