//! Operators: what they take, what they give, and what is computed at once.

use scope_common::arith::{Alu, alu as compute};

use crate::ast::{self, Binary, Unary};
use crate::builtins::Builtin;
use crate::checked::{Expr, ExprKind, Statement};
use crate::diagnostic::Diagnostic;
use crate::lints;
use crate::source::Span;
use crate::types::{Named, Type};

use super::Checker;

/// A number that is known.
pub fn int(value: u64, ty: Type, span: Span) -> Expr {
    Expr { kind: ExprKind::Int(value), ty, span }
}

/// Builds an operation, computed at once if both sides are known.
pub fn alu(operation: Alu, left: Expr, right: Expr, ty: Type, span: Span) -> Expr {
    if let (ExprKind::Int(left), ExprKind::Int(right)) = (&left.kind, &right.kind) {
        return int(compute(operation as u8, *left, *right), ty, span);
    }
    Expr { kind: ExprKind::Alu(operation, Box::new(left), Box::new(right)), ty, span }
}

impl Checker<'_> {
    pub(super) fn unary(&mut self, operator: Unary, value: &ast::Expr, span: Span) -> Option<Expr> {
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
                let ty = if value.ty.is_signed() { Type::SIGNED } else { Type::UNSIGNED };
                Some(alu(Alu::Xor, value, int(u64::MAX, Type::UNSIGNED, span), ty, span))
            }
            Unary::Deref => self.dereference(value, span),
            Unary::Address => self.address_of(value, span),
        }
    }

    /// `&value`: of what lies in memory.
    fn address_of(&mut self, value: &ast::Expr, span: Span) -> Option<Expr> {
        let value = self.expr(value)?;
        let types = self.given.types;
        let found = match value.kind {
            ExprKind::Peek(peek) if peek.field.bits.is_none() => {
                let to = match &value.ty {
                    Type::Int { bits, signed } => Some(types.int(u32::from(*bits) / 8, *signed)),
                    _ => None,
                };
                Some((*peek.address, peek.field.offset, to, peek.space))
            }
            ExprKind::Copy { address, offset, space, .. } => match &value.ty {
                Type::Memory(memory) => Some((*address, offset, Some(memory.id), space)),
                _ => None,
            },
            ExprKind::Str { address, .. } => {
                let space = if let Type::Pointer { space, .. } = address.ty { space } else { self.default_space() };
                Some((*address, 0, Some(types.char()), space))
            }
            _ => None,
        };
        let Some((address, offset, to, space)) = found else {
            let error =
                Diagnostic::error("E0337", span, "this has no address", "it lies in no memory that a script can name");
            self.error(
                error.help("`&` works on what is read through a pointer; maps and scratch variables have no address"),
            );
            return None;
        };
        let address = super::memory::offset_by(address, offset);
        let ty = Type::Pointer { to, space };
        Some(Expr { kind: ExprKind::As(Box::new(address)), ty, span })
    }

    pub(super) fn negate(&mut self, value: Expr, span: Span) -> Expr {
        alu(Alu::Sub, int(0, Type::SIGNED, span), value, Type::SIGNED, span)
    }

    pub(super) fn ternary(
        &mut self,
        condition: &ast::Expr,
        then: &ast::Expr,
        otherwise: &ast::Expr,
        span: Span,
    ) -> Option<Expr> {
        let literal = lints::only_literals(condition);
        let condition = self.condition(condition);
        // As with `if`, what the kind of a value or an option leaves out need not have a meaning.
        if let Some(Expr { kind: ExprKind::Int(known), .. }) = condition
            && !literal
        {
            return self.expr(if known != 0 { then } else { otherwise });
        }
        let (then, otherwise) = (self.expr(then), self.expr(otherwise));
        let (condition, then, otherwise) = (condition?, then?, otherwise?);
        if !then.ty.agrees(&otherwise.ty) {
            let error = Diagnostic::error("E0330", span, "both branches must be of one kind", "");
            let describe = |expr: &Expr| (expr.span, format!("this is {}", expr.ty.describe()));
            let ((then, first), (otherwise, second)) = (describe(&then), describe(&otherwise));
            self.error(error.also(then, first).also(otherwise, second));
            return None;
        }
        let ty = then.ty.join(&otherwise.ty);
        if let ExprKind::Int(known) = condition.kind {
            return Some(Expr { ty, ..if known != 0 { then } else { otherwise } });
        }
        Some(Expr { kind: ExprKind::Choose(Box::new(condition), Box::new(then), Box::new(otherwise)), ty, span })
    }

    pub(super) fn binary(&mut self, operator: Binary, left: &ast::Expr, right: &ast::Expr, span: Span) -> Option<Expr> {
        if matches!(operator, Binary::And | Binary::Or) {
            let (left, right) = (self.condition(left), self.condition(right));
            return Some(logic(operator, left?, right?, span));
        }
        let (left, right) = (self.expr(left), self.expr(right));
        self.operation(operator, left?, right?, span)
    }

    /// An operator on two values.
    pub(super) fn operation(&mut self, operator: Binary, left: Expr, right: Expr, span: Span) -> Option<Expr> {
        if is_symbol(&left.ty) && is_symbol(&right.ty) {
            // What is shown of both may be one function, though they are two addresses in it.
            self.mismatch(operator, &left, &right, span);
            return None;
        }
        if !left.ty.is_word() && left.ty.agrees(&right.ty) {
            return self.compare_areas(operator, left, right, span);
        }
        let (left, right) = match (self.named(&left, &right), self.named(&right, &left)) {
            (Some(right), _) => (left, right),
            (_, Some(left)) => (left, right),
            _ => (left, right),
        };
        if !left.ty.is_number() || !right.ty.is_number() {
            // Numbers that are shown by a name are compared as what they are.
            let alike = left.ty == right.ty || left.ty.is_number() || right.ty.is_number();
            // What is shown of a time is not what would be compared.
            let alike = alike && !matches!((&left.ty, &right.ty), (Type::Time(_), _) | (_, Type::Time(_)));
            if operator.compares() && left.ty.is_word() && right.ty.is_word() && alike {
                return Some(alu(operation(operator, false), left, right, Type::SIGNED, span));
            }
            self.mismatch(operator, &left, &right, span);
            return None;
        }
        let signed = signed_together(&left, &right);
        match (operator, &left.ty, &right.ty) {
            (Binary::Add | Binary::Sub, Type::Pointer { .. }, Type::Int { .. } | Type::Bool) => {
                return Some(self.pointer_sum(left, right, operator == Binary::Sub, span));
            }
            (Binary::Add, Type::Int { .. } | Type::Bool, Type::Pointer { .. }) => {
                return Some(self.pointer_sum(right, left, false, span));
            }
            _ => {}
        }
        self.warn_of_division(operator, &right);
        let ty = if operator.compares() { Type::SIGNED } else { Type::Int { bits: 64, signed } };
        let by_sign = if operator == Binary::Shr { left.ty.is_signed() } else { signed };
        if operator.compares() {
            self.warn_of_constant(operator, &left, &right, span);
        }
        Some(alu(operation(operator, by_sign), left, right, ty, span))
    }

    /// A literal text as the number of the probe or function that it is the name of, if the other value is one; as none that
    /// there is, if it is not the name of any.
    fn named(&self, other: &Expr, text: &Expr) -> Option<Expr> {
        let ExprKind::Text(text_bytes) = &text.kind else { return None };
        let wanted = |name: &str| name.as_bytes() == text_bytes.as_slice();
        let names = &self.given.probes.names;
        let number = match other.ty {
            Type::Named(Named::Probe) => names.iter().position(|name| wanted(&name.shown)),
            Type::Named(Named::Function) => {
                names.iter().find(|name| wanted(name.function_name())).map(|name| name.function)
            }
            _ => return None,
        };
        Some(int(number.map_or(u64::MAX, |number| number as u64), other.ty.clone(), text.span))
    }

    fn mismatch(&mut self, operator: Binary, left: &Expr, right: &Expr, span: Span) {
        let title =
            format!("`{}` can't be used on {} and {}", operator.symbol(), left.ty.describe(), right.ty.describe());
        let error = Diagnostic::error("E0331", span, title, "");
        let error = error.also(left.span, format!("this is {}", left.ty.describe()));
        let error = error.also(right.span, format!("this is {}", right.ty.describe()));
        let error = match (&left.ty, &right.ty) {
            (Type::Text { .. }, ty) | (ty, Type::Text { .. }) if matches!(ty, Type::Pointer { .. }) => {
                error.help("`str(pointer)` reads the text at an address")
            }
            (Type::Text { .. }, ty) | (ty, Type::Text { .. }) if ty.is_number() && operator.compares() => {
                match (&left.kind, &right.kind) {
                    (ExprKind::Text(_), _) | (_, ExprKind::Text(_)) => {
                        error.help("a number is written without quotes: `pid == 1`")
                    }
                    (ExprKind::Int(number), _) | (_, ExprKind::Int(number)) => {
                        error.help(format!("a text is written in quotes: `\"{}\"`", *number as i64))
                    }
                    _ => error,
                }
            }
            (left, right) if is_symbol(left) && is_symbol(right) => {
                error.help("userspace finds the name when it prints it: compare the addresses")
            }
            (Type::Time(_), _) | (_, Type::Time(_)) => {
                error.help("userspace makes the text when it prints it: compare the nanoseconds")
            }
            _ => error,
        };
        self.error(error);
    }

    fn compare_areas(&mut self, operator: Binary, left: Expr, right: Expr, span: Span) -> Option<Expr> {
        if !matches!(operator, Binary::Eq | Binary::Ne) {
            let title = format!("`{}` can't be used on {}", operator.symbol(), left.ty.describe());
            self.error(Diagnostic::error("E0331", span, title, "it can be compared by `==` and `!=`"));
            return None;
        }
        for (literal, other) in [(&left, &right), (&right, &left)] {
            let ExprKind::Text(text) = &literal.kind else { continue };
            let most = match &other.kind {
                ExprKind::Builtin(Builtin::Comm) => 15,
                ExprKind::Str { max, .. } => max - 1,
                _ => continue,
            };
            if text.len() > most {
                let title = "this comparison is always false";
                let label = format!("{} bytes, but the other side has {most} at most", text.len());
                self.errors.push(Diagnostic::warning("W0001", literal.span, title, label));
            }
        }
        let same = match (&left.kind, &right.kind) {
            (ExprKind::Text(left), ExprKind::Text(right)) => int(u64::from(left == right), Type::SIGNED, span),
            _ => Expr { kind: ExprKind::Same(Box::new(left), Box::new(right)), ty: Type::SIGNED, span },
        };
        Some(if operator == Binary::Eq { same } else { not(same, span) })
    }

    fn warn_of_division(&mut self, operator: Binary, right: &Expr) {
        if matches!(operator, Binary::Div | Binary::Rem) && matches!(right.kind, ExprKind::Int(0)) {
            let result = if operator == Binary::Div { "the result is 0" } else { "the result is the left side" };
            let warning = Diagnostic::warning("W0003", right.span, "division by zero", result);
            self.errors.push(warning);
        }
    }

    /// A comparison whose outcome the types alone decide.
    fn warn_of_constant(&mut self, operator: Binary, left: &Expr, right: &Expr, span: Span) {
        let ((value, ExprKind::Int(number)) | (ExprKind::Int(number), value)) = (&left.kind, &right.kind) else {
            return;
        };
        let flipped = matches!(left.kind, ExprKind::Int(_));
        if matches!(value, ExprKind::Int(_)) {
            return;
        }
        let (other, literal) = if flipped { (right, left) } else { (left, right) };
        let (least, most) = match &other.ty {
            Type::Bool => (0, 1),
            Type::Int { bits, signed: false } if *bits < 64 => (0i128, (1i128 << bits) - 1),
            Type::Int { bits, signed: true } if *bits < 64 => (-(1i128 << (bits - 1)), (1i128 << (bits - 1)) - 1),
            _ => return,
        };
        let number = if literal.ty.is_signed() { i128::from(*number as i64) } else { i128::from(*number) };
        let operator = if flipped { mirrored(operator) } else { operator };
        let always = match operator {
            Binary::Eq if number < least || number > most => Some(false),
            Binary::Ne if number < least || number > most => Some(true),
            Binary::Lt if number <= least => Some(false),
            Binary::Lt if number > most => Some(true),
            Binary::Le if number < least => Some(false),
            Binary::Le if number >= most => Some(true),
            Binary::Gt if number >= most => Some(false),
            Binary::Gt if number < least => Some(true),
            Binary::Ge if number > most => Some(false),
            Binary::Ge if number <= least => Some(true),
            _ => None,
        };
        if let Some(always) = always {
            let title = format!("this comparison is always {always}");
            let label = format!("the other side is from {least} to {most}");
            self.errors.push(Diagnostic::warning("W0001", span, title, label).also(literal.span, "this"));
        }
    }

    /// `++`, `--` where the value counts too.
    pub(super) fn step(&mut self, target: &ast::Expr, up: bool, before: bool, span: Span) -> Option<Expr> {
        if before {
            let change = self.stepped(target, up, span)?;
            let value = self.expr(target)?;
            return Some(Expr { span, ty: value.ty.clone(), kind: ExprKind::After(vec![change], Box::new(value)) });
        }
        let old = match target.kind {
            ast::ExprKind::Map(..) => self.expr(target).or_else(|| {
                // A map that nothing else writes has no type before its first step.
                Some(int(0, Type::SIGNED, span))
            })?,
            _ => self.expr(target)?,
        };
        let (keep, kept) = self.keep(old);
        let change = self.stepped(target, up, span)?;
        Some(Expr { ty: kept.ty.clone(), span, kind: ExprKind::After(vec![keep, change], Box::new(kept)) })
    }

    /// `++`, `--` as a statement.
    pub(super) fn stepped(&mut self, target: &ast::Expr, up: bool, span: Span) -> Option<Statement> {
        let one = ast::Expr { kind: ast::ExprKind::Int(1), span };
        let operator = if up { Binary::Add } else { Binary::Sub };
        let ast::ExprKind::Var(name) = &target.kind else { return self.assign(target, Some(operator), &one) };
        let value = self.binary(operator, target, &one, target.span.to(span))?;
        self.step_variable(name, value, target.span)
    }

    /// A value behind statements.
    pub(super) fn after(statements: Vec<Statement>, value: Expr, span: Span) -> Expr {
        if statements.is_empty() {
            return Expr { span, ..value };
        }
        Expr { ty: value.ty.clone(), span, kind: ExprKind::After(statements, Box::new(value)) }
    }
}

/// `!`.
pub fn not(value: Expr, span: Span) -> Expr {
    match value.kind {
        ExprKind::Int(number) => int(u64::from(number == 0), Type::SIGNED, span),
        _ => Expr { kind: ExprKind::Not(Box::new(value)), ty: Type::SIGNED, span },
    }
}

/// `&&`, `||`; a side that is known decides at once.
fn logic(operator: Binary, left: Expr, right: Expr, span: Span) -> Expr {
    let and = operator == Binary::And;
    let truth = |value: Expr| match value.kind {
        ExprKind::Int(number) => int(u64::from(number != 0), Type::SIGNED, span),
        _ => alu(Alu::Ne, value, int(0, Type::UNSIGNED, span), Type::SIGNED, span),
    };
    if let ExprKind::Int(known) = left.kind {
        return if (known != 0) == and { truth(right) } else { int(u64::from(!and), Type::SIGNED, span) };
    }
    if let ExprKind::Int(known) = right.kind
        && (known != 0) == and
    {
        return truth(left);
    }
    let (left, right) = (Box::new(left), Box::new(right));
    let kind = if and { ExprKind::And(left, right) } else { ExprKind::Or(left, right) };
    Expr { kind, ty: Type::SIGNED, span }
}

/// Whether a value is an address that is shown as the function around it.
fn is_symbol(ty: &Type) -> bool {
    matches!(ty, Type::UserSymbol | Type::Named(Named::KernelSymbol))
}

/// Whether two numbers meet as signed ones: as 64-bit numbers of C, which hold all that fewer bits can.
fn signed_together(left: &Expr, right: &Expr) -> bool {
    let fits = |expr: &Expr| match &expr.ty {
        Type::Int { bits, signed } => *signed || *bits < 64,
        Type::Enum(named) => named.signed || named.bits < 64,
        ty => *ty == Type::Bool,
    };
    fits(left) && fits(right)
}

const fn mirrored(operator: Binary) -> Binary {
    match operator {
        Binary::Lt => Binary::Gt,
        Binary::Le => Binary::Ge,
        Binary::Gt => Binary::Lt,
        Binary::Ge => Binary::Le,
        other => other,
    }
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
