//! The types of C: declared, and named.

use pest::iterators::Pair;

use crate::ast::{Binary, Expr, ExprKind, TypeRef};
use crate::ctypes::declare::{EnumDecl, EnumeratorDecl, MemberDecl, Specifier, StructDecl, TypeName, TypedefDecl};
use crate::diagnostic::Diagnostic;
use crate::source::Span;

use super::{Builder, Rule};

impl Builder<'_> {
    pub(super) fn structure(&mut self, pair: Pair<'_, Rule>) -> StructDecl {
        let span = self.span(&pair);
        let (mut name, mut union, mut packed, mut members) = (None, false, false, Vec::new());
        for part in pair.into_inner() {
            match part.as_rule() {
                Rule::aggregate_keyword => union = part.as_str().starts_with("union"),
                Rule::identifier => name = Some(self.name(&part)),
                Rule::packed => packed = true,
                _ => {
                    for line in part.into_inner() {
                        members.extend(self.members(line));
                    }
                }
            }
        }
        StructDecl { name, union, packed, members, span }
    }

    /// The members that one line declares.
    fn members(&mut self, line: Pair<'_, Rule>) -> Vec<MemberDecl> {
        let span = self.span(&line);
        let mut parts = line.into_inner();
        let first = parts.next().expect("a member has a type");
        let named = self.span(&first);
        let specifier = self.specifier(first);
        let mut members = parts.map(|part| self.member(&specifier, named, part)).collect::<Vec<_>>();
        if members.is_empty() {
            let ty = TypeName { specifier, constant: false, pointers: 0, arrays: Vec::new(), named, span };
            members.push(MemberDecl { name: None, ty, bits: None, span });
        }
        members
    }

    fn member(&mut self, specifier: &Specifier, named: Span, pair: Pair<'_, Rule>) -> MemberDecl {
        let span = self.span(&pair);
        let mut member = MemberDecl {
            name: None,
            ty: TypeName {
                specifier: specifier.clone(),
                constant: false,
                pointers: 0,
                arrays: Vec::new(),
                named,
                span,
            },
            bits: None,
            span,
        };
        for part in pair.into_inner() {
            match part.as_rule() {
                Rule::stars => member.ty.pointers = stars(&part),
                Rule::identifier => member.name = Some(self.name(&part)),
                Rule::length => member.ty.arrays.push(self.length(part)),
                Rule::function_pointer => {
                    member.ty.specifier = Specifier::Function;
                    for part in part.into_inner() {
                        match part.as_rule() {
                            Rule::some_stars => member.ty.pointers = stars(&part),
                            Rule::identifier => member.name = Some(self.name(&part)),
                            _ => member.ty.arrays.push(self.length(part)),
                        }
                    }
                }
                _ => {
                    let width = part.into_inner().next().expect("a width is a number");
                    member.bits = Some(self.number(&width));
                }
            }
        }
        member
    }

    /// How many elements an array has: a number, or what is computed of numbers and of names that `#define` gave them.
    fn length(&mut self, pair: Pair<'_, Rule>) -> Option<u64> {
        let expr = self.expr(pair.into_inner().next()?);
        let known = self.known(&expr);
        if known.is_none() {
            let error =
                Diagnostic::error("E0361", expr.span, "not known when the script is compiled", "expected a number");
            self.errors.push(error.help("`#define NAME 16` in front of it gives a number a name"));
        }
        Some(known.unwrap_or(1))
    }

    /// The number that an expression is, as far as that is seen without types.
    pub(super) fn known(&self, expr: &Expr) -> Option<u64> {
        match &expr.kind {
            ExprKind::Int(number) => Some(*number),
            ExprKind::Ident(name) => self.constants.get(name).copied(),
            ExprKind::Binary(operator, left, right) => {
                let (left, right) = (self.known(left)?, self.known(right)?);
                match operator {
                    Binary::Add => left.checked_add(right),
                    Binary::Sub => left.checked_sub(right),
                    Binary::Mul => left.checked_mul(right),
                    Binary::Div => left.checked_div(right),
                    Binary::Shl => u32::try_from(right).ok().and_then(|right| left.checked_shl(right)),
                    _ => None,
                }
            }
            _ => None,
        }
    }

    fn extent(&mut self, pair: Pair<'_, Rule>) -> Option<u64> {
        pair.into_inner().next().map(|number| self.number(&number))
    }

    /// `struct name`, words, or a struct that is declared in place.
    fn specifier(&mut self, pair: Pair<'_, Rule>) -> Specifier {
        if pair.as_rule() == Rule::inline_aggregate {
            return Specifier::Body(Box::new(self.structure(pair)));
        }
        let mut parts = pair.into_inner().peekable();
        if parts.peek().is_some_and(|part| part.as_rule() == Rule::tag) {
            let tag = parts.next().map(|part| part.as_str().to_owned()).unwrap_or_default();
            let name = parts.next().map(|part| part.as_str().to_owned()).unwrap_or_default();
            return tagged(&tag, name);
        }
        let words = parts.map(|part| part.as_str().to_owned()).filter(|word| word != "const").collect::<Vec<_>>();
        Specifier::Words(words.join(" "))
    }

    pub(super) fn enumeration(&mut self, pair: Pair<'_, Rule>) -> EnumDecl {
        let span = self.span(&pair);
        let (mut name, mut values) = (None, Vec::new());
        for part in pair.into_inner() {
            match part.as_rule() {
                Rule::identifier => name = Some(self.name(&part)),
                Rule::enumerator => values.push(self.enumerator(part)),
                _ => {}
            }
        }
        EnumDecl { name, values, span }
    }

    fn enumerator(&mut self, pair: Pair<'_, Rule>) -> EnumeratorDecl {
        let mut parts = pair.into_inner();
        let name = self.name(&parts.next().expect("a value of an enum has a name"));
        let mut sign = 1;
        let mut value = None;
        for part in parts {
            match part.as_rule() {
                Rule::minus => sign = -1,
                _ => value = Some(i128::from(self.number(&part))),
            }
        }
        EnumeratorDecl { name, value: value.map(|value| value * sign) }
    }

    /// `typedef type name;`
    pub(super) fn alias(&mut self, pair: Pair<'_, Rule>) -> Option<TypedefDecl> {
        let span = self.span(&pair);
        let line = pair.into_inner().nth(1)?;
        let member = self.members(line).into_iter().next()?;
        match member.name {
            Some(name) => Some(TypedefDecl { name, ty: member.ty, span }),
            None => {
                self.errors.push(Diagnostic::error(
                    "E0113",
                    span,
                    "this type is given no name",
                    "expected `typedef TYPE NAME;`",
                ));
                None
            }
        }
    }

    /// The type that a `type_name` holds.
    pub(super) fn type_name(&mut self, pair: Pair<'_, Rule>) -> TypeRef {
        let inner = pair.into_inner().next().expect("a type name is one of the kinds of type");
        self.type_of(inner)
    }

    /// One of the kinds of type.
    pub(super) fn type_of(&mut self, pair: Pair<'_, Rule>) -> TypeRef {
        let span = self.span(&pair);
        if pair.as_rule() == Rule::type_of {
            let value = pair.into_inner().next().expect("a typeof has an expression");
            return TypeRef::Of(Box::new(self.expr(value)));
        }
        TypeRef::Named(self.named_type(pair, span))
    }

    fn named_type(&mut self, pair: Pair<'_, Rule>, span: Span) -> TypeName {
        let (mut tag, mut words, mut pointers, mut arrays) = (None, Vec::new(), 0, Vec::new());
        for part in pair.into_inner() {
            match part.as_rule() {
                Rule::tag => tag = Some(part.as_str().to_owned()),
                Rule::stars | Rule::some_stars => pointers = stars(&part),
                Rule::extent => arrays.push(self.extent(part)),
                _ => words.push(part.as_str().to_owned()),
            }
        }
        let words = words.join(" ");
        let specifier = match tag {
            Some(tag) => tagged(&tag, words),
            None => Specifier::Words(words),
        };
        TypeName { specifier, constant: false, pointers, arrays, named: span, span }
    }
}

fn tagged(tag: &str, name: String) -> Specifier {
    match tag {
        "struct" => Specifier::Struct(name),
        "union" => Specifier::Union(name),
        _ => Specifier::Enum(name),
    }
}

fn stars(pair: &Pair<'_, Rule>) -> u32 {
    pair.as_str().bytes().filter(|byte| *byte == b'*').count() as u32
}
