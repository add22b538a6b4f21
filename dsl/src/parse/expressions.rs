//! Expressions: terms, and the operators between them by C's precedences.

use std::sync::LazyLock;

use pest::iterators::Pair;
use pest::pratt_parser::{Assoc, Op, PrattParser};

use crate::ast::{Binary, Expr, ExprKind, StatementKind, TypeRef, Unary};
use crate::ctypes::declare::{Specifier, TypeName};
use crate::diagnostic::Diagnostic;
use crate::limits::{MAX_NESTING, MAX_OPERATORS};
use crate::source::Span;

use super::{Builder, Rule, brackets};

/// C's precedences, lowest first; all operators are left-associative.
static PRECEDENCE: LazyLock<PrattParser<Rule>> = LazyLock::new(|| {
    let left = |rule| Op::infix(rule, Assoc::Left);
    PrattParser::new()
        .op(left(Rule::or))
        .op(left(Rule::and))
        .op(left(Rule::bit_or))
        .op(left(Rule::bit_xor))
        .op(left(Rule::bit_and))
        .op(left(Rule::eq) | left(Rule::ne))
        .op(left(Rule::lt) | left(Rule::le) | left(Rule::gt) | left(Rule::ge))
        .op(left(Rule::shl) | left(Rule::shr))
        .op(left(Rule::add) | left(Rule::sub))
        .op(left(Rule::mul) | left(Rule::div) | left(Rule::rem))
});

/// The operator that is written so.
pub fn binary(symbol: &str) -> Option<Binary> {
    Binary::ALL.into_iter().find(|operator| operator.symbol() == symbol)
}

impl Builder<'_> {
    pub(super) fn expr(&mut self, pair: Pair<'_, Rule>) -> Expr {
        let whole = self.span(&pair);
        let (flat, branches): (Vec<_>, Vec<_>) = pair.into_inner().partition(|part| part.as_rule() != Rule::expr);
        // Later stages recurse with the tree, which is as deep as there are operators in a row.
        let operators = flat.len() / 2 + 1;
        if self.operators + operators > MAX_OPERATORS {
            return self.too_deep(whole);
        }
        self.operators += operators;
        let value = self.operated(flat, branches, whole);
        self.operators -= operators;
        value
    }

    fn too_deep(&mut self, whole: Span) -> Expr {
        let title = format!("more than {MAX_OPERATORS} operators stand in each other");
        let error = Diagnostic::error("E0103", whole, title, "");
        self.errors.push(error.help("a scratch variable can hold a part: `$part = ...;`"));
        Expr { kind: ExprKind::Int(0), span: whole }
    }

    fn operated(&mut self, flat: Vec<Pair<'_, Rule>>, branches: Vec<Pair<'_, Rule>>, whole: Span) -> Expr {
        let head = PRECEDENCE
            .map_primary(|term| self.term(term))
            .map_infix(|left, operator, right| {
                let span = left.span.to(right.span);
                let operator = binary(operator.as_str()).expect("the grammar's operators are all known");
                Expr { kind: ExprKind::Binary(operator, Box::new(left), Box::new(right)), span }
            })
            .parse(flat.into_iter());
        let mut branches = branches.into_iter();
        match (branches.next(), branches.next()) {
            (Some(then), Some(otherwise)) => {
                let (then, otherwise) = (self.expr(then), self.expr(otherwise));
                Expr { kind: ExprKind::Ternary(Box::new(head), Box::new(then), Box::new(otherwise)), span: whole }
            }
            _ => head,
        }
    }

    fn term(&mut self, pair: Pair<'_, Rule>) -> Expr {
        let whole = self.span(&pair);
        let mut prefixes = Vec::new();
        let mut value = None;
        let mut postfixes = 0;
        for part in pair.into_inner() {
            match (part.as_rule(), value.take()) {
                (Rule::prefix, _) => prefixes.push(part),
                (Rule::postfix, Some(target)) => {
                    postfixes += 1;
                    if postfixes + self.operators > MAX_OPERATORS {
                        return self.too_deep(whole);
                    }
                    value = Some(self.postfix(target, part));
                }
                _ => value = Some(self.primary(part)),
            }
        }
        let mut value = value.expect("a term has a value");
        if prefixes.len() > MAX_NESTING {
            let title = format!("{} operators in a row; the limit is {MAX_NESTING}", prefixes.len());
            self.errors.push(Diagnostic::error("E0103", whole, title, ""));
            return value;
        }
        for prefix in prefixes.into_iter().rev() {
            let span = Span::new(self.base + prefix.as_span().start(), value.span.end);
            let unary = |operator, value| ExprKind::Unary(operator, Box::new(value));
            let kind = match prefix.as_str() {
                "!" => unary(Unary::Not, value),
                "-" => unary(Unary::Neg, value),
                "~" => unary(Unary::Flip, value),
                "*" => unary(Unary::Deref, value),
                "&" => unary(Unary::Address, value),
                "++" | "--" => ExprKind::Step { target: Box::new(value), up: prefix.as_str() == "++", before: true },
                _ => {
                    let cast = prefix.into_inner().next().expect("a prefix that is no operator is a cast");
                    let ty = cast.into_inner().next().expect("a cast names a type");
                    ExprKind::Cast(self.type_of(ty), Box::new(value))
                }
            };
            value = Expr { kind, span };
        }
        value
    }

    fn postfix(&mut self, target: Expr, pair: Pair<'_, Rule>) -> Expr {
        let span = target.span.to(self.span(&pair));
        let target = Box::new(target);
        let up = pair.as_str().starts_with("++");
        let kind = match pair.into_inner().next() {
            None => ExprKind::Step { target, up, before: false },
            Some(part) if part.as_rule() == Rule::member => {
                let inner = part.into_inner().next().expect("a member has a name");
                match inner.as_rule() {
                    Rule::position => ExprKind::Position(target, inner.as_str().parse().unwrap_or(usize::MAX)),
                    _ => ExprKind::Member(target, self.name(&inner)),
                }
            }
            Some(part) => {
                let mut indices = part.into_inner().map(|index| self.expr(index)).collect::<Vec<_>>();
                match indices.len() {
                    1 => ExprKind::Index(target, Box::new(indices.remove(0))),
                    _ => {
                        let title = "only a map has several keys";
                        self.errors.push(Diagnostic::error("E0109", span, title, "expected one index"));
                        ExprKind::Index(target, Box::new(indices.remove(0)))
                    }
                }
            }
        };
        Expr { kind, span }
    }

    pub(super) fn primary(&mut self, pair: Pair<'_, Rule>) -> Expr {
        let span = self.span(&pair);
        let text = pair.as_str().trim_end().to_owned();
        let kind = match pair.as_rule() {
            Rule::number => ExprKind::Int(self.number(&pair)),
            Rule::string => ExprKind::Str(self.string(pair)),
            Rule::map => {
                let mut parts = pair.into_inner();
                let map = parts.next().expect("a map has a name").as_str().to_owned();
                ExprKind::Map(map, parts.map(|key| self.expr(key)).collect())
            }
            Rule::parameter if text == "$#" => ExprKind::ParameterCount,
            Rule::parameter => ExprKind::Parameter(text[1..].parse().unwrap_or(usize::MAX)),
            Rule::variable => ExprKind::Var(text),
            Rule::call => {
                let mut parts = pair.into_inner();
                let function = self.name(&parts.next().expect("a call has a name"));
                ExprKind::Call(function, parts.map(|argument| self.expr(argument)).collect())
            }
            Rule::sizeof => {
                let of = pair.into_inner().next().expect("a sizeof names a type or has a value");
                ExprKind::SizeOf(self.type_or_value(of))
            }
            Rule::offsetof => {
                let mut parts = pair.into_inner();
                let of = parts.next().expect("an offsetof names a type or has a value");
                let ty = self.type_or_value(of);
                ExprKind::OffsetOf(ty, parts.map(|field| self.name(&field)).collect())
            }
            Rule::container_of => return self.container_of(pair),
            Rule::identifier => ExprKind::Ident(text),
            Rule::record => {
                let fields = pair.into_inner().map(|field| {
                    let mut parts = field.into_inner();
                    let name = self.name(&parts.next().expect("a field has a name"));
                    (name, self.expr(parts.next().expect("a field has a value")))
                });
                ExprKind::Record(fields.collect())
            }
            Rule::block => return self.block_value(pair),
            _ => return self.parentheses(pair),
        };
        Expr { kind, span }
    }

    /// A type, or a value that stands for its own.
    fn type_or_value(&mut self, pair: Pair<'_, Rule>) -> TypeRef {
        match pair.as_rule() {
            Rule::expr => TypeRef::Of(Box::new(self.expr(pair))),
            Rule::type_name => self.type_name(pair),
            _ => self.type_of(pair),
        }
    }

    /// `container_of(pointer, type, member)`: as in C, `(type *)((char *)pointer - offsetof(type, member))`.
    fn container_of(&mut self, pair: Pair<'_, Rule>) -> Expr {
        let span = self.span(&pair);
        let mut parts = pair.into_inner();
        let mut next = || parts.next().expect("it has a pointer, a type and a member");
        let (pointer, ty) = (next(), next());
        let path = parts.map(|member| self.name(&member)).collect();
        let (pointer, ty) = (self.expr(pointer), self.type_name(ty));
        let at = |kind| Box::new(Expr { kind, span });
        let bytes = TypeName {
            specifier: Specifier::Words("int8".to_owned()),
            constant: false,
            pointers: 1,
            arrays: Vec::new(),
            named: span,
            span,
        };
        let bytes = at(ExprKind::Cast(TypeRef::Named(bytes), Box::new(pointer)));
        let offset = at(ExprKind::OffsetOf(ty.clone(), path));
        let start = at(ExprKind::Binary(Binary::Sub, bytes, offset));
        let ty = match ty {
            TypeRef::Named(name) => TypeRef::Named(TypeName { pointers: name.pointers + 1, ..name }),
            other => other,
        };
        Expr { kind: ExprKind::Cast(ty, start), span }
    }

    /// `(value)`, or a tuple.
    fn parentheses(&mut self, pair: Pair<'_, Rule>) -> Expr {
        let span = self.span(&pair);
        let (parts, commas): (Vec<_>, Vec<_>) = pair.into_inner().partition(|part| part.as_rule() == Rule::expr);
        let mut values = parts.into_iter().map(|part| self.expr(part)).collect::<Vec<_>>();
        match values.len() {
            // The place keeps the parentheses: what is said of the value is said of them too.
            1 if commas.is_empty() => Expr { span, ..values.remove(0) },
            _ => Expr { kind: ExprKind::Tuple(values), span },
        }
    }

    /// `{ ...; value }`: the value is that of the last expression, which no semicolon follows.
    fn block_value(&mut self, pair: Pair<'_, Rule>) -> Expr {
        let span = self.span(&pair);
        let mut statements = self.block(pair);
        let last = statements.pop();
        let value = match last.map(|last| (last.span, last.kind)) {
            Some((at, StatementKind::Expr(value)))
                if !brackets::semicolon(self.text, at.end - self.base, span.end - self.base) =>
            {
                value
            }
            _ => {
                let error =
                    Diagnostic::error("E0110", span, "this block has no value", "it must end with an expression");
                self.errors.push(error.help("no semicolon stands behind the last expression: `{ $x = 1; $x + 1 }`"));
                Expr { kind: ExprKind::Int(0), span }
            }
        };
        Expr { kind: ExprKind::Block(statements, Box::new(value)), span }
    }
}
