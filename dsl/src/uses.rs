//! What a clause uses that costs something to find out: asked before its probes are resolved.

use crate::ast::{Block, Clause, Expr, ExprKind, Script, StatementKind, TypeRef, Unary};
use crate::builtins::Builtin;
use crate::functions::Row;

/// What a clause uses.
#[derive(Clone, Debug, Default)]
pub struct Uses {
    /// `args`: the fields of its probes.
    pub args: bool,
    /// The fields that it names.
    pub fields: Vec<String>,
    /// `nargs`: how many there are.
    pub nargs: bool,
    /// `args` as a whole, so that all fields count.
    pub whole: bool,
    /// The kernel's stack, or the context as it lies: what depends on how the probe is attached.
    pub way: bool,
}

impl Uses {
    /// Looks a clause through.
    #[must_use]
    pub fn of(clause: &Clause) -> Uses {
        let mut uses = Uses::default();
        let (mut named, mut mentioned) = (0, 0);
        let is_args = |expr: &Expr| matches!(&expr.kind, ExprKind::Ident(name) if name == "args");
        let mut look = |expr: &Expr| match &expr.kind {
            ExprKind::Member(object, member) if is_args(object) => {
                uses.fields.push(member.text.clone());
                named += 1;
            }
            ExprKind::Ident(name) if name == "nargs" => uses.nargs = true,
            ExprKind::Ident(name) if matches!(name.as_str(), "kstack" | "ctx") => uses.way = true,
            ExprKind::Call(name, _) if name.text == "kstack" => uses.way = true,
            _ if is_args(expr) => mentioned += 1,
            _ => {}
        };
        clause.predicate.iter().for_each(|predicate| each(predicate, &mut look));
        each_in(&clause.body, &mut look);
        uses.args = mentioned > 0;
        uses.whole = mentioned > named;
        uses
    }
}

/// Calls back for each expression in a block.
pub fn each_in(block: &Block, look: &mut impl FnMut(&Expr)) {
    for statement in block {
        match &statement.kind {
            StatementKind::Expr(one) | StatementKind::Discard(one) => each(one, look),
            StatementKind::Assign { target: left, value: right, .. } => {
                each(left, look);
                each(right, look);
            }
            StatementKind::Let { value, ty, .. } => {
                value.iter().for_each(|value| each(value, look));
                ty.iter().for_each(|ty| each_type(ty, look));
            }
            StatementKind::If { condition, then, otherwise } => {
                each(condition, look);
                each_in(then, look);
                each_in(otherwise, look);
            }
            StatementKind::While { condition: head, body } | StatementKind::Unroll { count: head, body } => {
                each(head, look);
                each_in(body, look);
            }
            StatementKind::For { from, to, body, .. } => {
                each(from, look);
                each(to, look);
                each_in(body, look);
            }
            StatementKind::Each { body, .. } | StatementKind::Block(body) => each_in(body, look),
            StatementKind::Return(value) => value.iter().for_each(|value| each(value, look)),
            StatementKind::Emit { fields, .. } => fields.iter().for_each(|field| each(&field.value, look)),
            StatementKind::Break | StatementKind::Continue => {}
        }
    }
}

fn each_type(ty: &TypeRef, look: &mut impl FnMut(&Expr)) {
    if let TypeRef::Of(value) = ty {
        each(value, look);
    }
}

/// Calls back for an expression and each in it.
pub fn each(expr: &Expr, look: &mut impl FnMut(&Expr)) {
    look(expr);
    match &expr.kind {
        ExprKind::Map(_, many) | ExprKind::Call(_, many) | ExprKind::Tuple(many) => {
            many.iter().for_each(|one| each(one, look))
        }
        ExprKind::Record(fields) => fields.iter().for_each(|(_, one)| each(one, look)),
        ExprKind::Member(one, _)
        | ExprKind::Position(one, _)
        | ExprKind::Unary(_, one)
        | ExprKind::Step { target: one, .. } => {
            each(one, look);
        }
        ExprKind::Cast(ty, one) => {
            each_type(ty, look);
            each(one, look);
        }
        ExprKind::SizeOf(ty) | ExprKind::OffsetOf(ty, _) => each_type(ty, look),
        ExprKind::Index(left, right) | ExprKind::Binary(_, left, right) => {
            each(left, look);
            each(right, look);
        }
        ExprKind::Ternary(condition, then, otherwise) => {
            [condition, then, otherwise].into_iter().for_each(|one| each(one, look));
        }
        ExprKind::Block(statements, value) => {
            each_in(statements, look);
            each(value, look);
        }
        ExprKind::Int(_) | ExprKind::Str(_) | ExprKind::Ident(_) | ExprKind::Var(_) => {}
        ExprKind::Parameter(_) | ExprKind::ParameterCount => {}
    }
}

/// Whether a script can make use of the kernel's own types: it names one, follows a pointer, or has a name that no table
/// knows, which may be one of an enum.
#[must_use]
pub fn needs_types(script: &Script) -> bool {
    if !script.types.is_empty() {
        return true;
    }
    let mut needed = false;
    let mut look = |expr: &Expr| {
        needed |= match &expr.kind {
            ExprKind::Cast(..) | ExprKind::SizeOf(_) | ExprKind::OffsetOf(..) => true,
            ExprKind::Unary(Unary::Deref | Unary::Address, _) | ExprKind::Index(..) => true,
            ExprKind::Member(object, _) => !matches!(&object.kind, ExprKind::Ident(name) if name == "args"),
            ExprKind::Ident(name) => {
                Builtin::named(name).is_none()
                    && crate::check::argument_number(name).is_none()
                    && crate::constants::find(name).is_none()
                    && !matches!(name.as_str(), "args" | "ctx" | "kstack" | "ustack" | "true" | "false")
            }
            ExprKind::Call(name, _) => Row::named(&name.text).is_some_and(|row| row.function.reads_a_task()),
            _ => false,
        };
    };
    script.only.iter().for_each(|only| each(only, &mut look));
    for clause in &script.clauses {
        clause.predicate.iter().for_each(|predicate| each(predicate, &mut look));
        each_in(&clause.body, &mut look);
    }
    needed
}
