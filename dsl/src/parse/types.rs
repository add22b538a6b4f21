//! The types of C: declared, and named.

use pest::iterators::Pair;

use crate::ast::{Expr, ExprKind, TypeRef};
use crate::ctypes::declare::{
    Attributes, EnumDecl, EnumeratorDecl, ForwardDecl, MemberDecl, Specifier, StructDecl, TypeName, TypedefDecl,
};
use crate::diagnostic::Diagnostic;
use crate::source::Span;

use super::{Builder, Rule};

impl Builder<'_> {
    pub(super) fn structure(&mut self, pair: Pair<'_, Rule>) -> StructDecl {
        let span = self.span(&pair);
        let (mut name, mut union, mut members) = (None, false, Vec::new());
        let mut attributes = Attributes::default();
        for part in pair.into_inner() {
            match part.as_rule() {
                Rule::aggregate_keyword => union = part.as_str().starts_with("union"),
                Rule::identifier => name = Some(self.name(&part)),
                Rule::attributes => self.attributes(part, &mut attributes),
                _ => {
                    for line in part.into_inner() {
                        members.extend(self.members(line));
                    }
                }
            }
        }
        StructDecl { name, union, members, attributes, span }
    }

    /// `struct name;`
    pub(super) fn forward(&self, pair: Pair<'_, Rule>) -> ForwardDecl {
        let mut parts = pair.into_inner();
        let union = parts.next().is_some_and(|keyword| keyword.as_str().starts_with("union"));
        let name = self.name(&parts.next().expect("a forward declaration has a name"));
        ForwardDecl { name, union }
    }

    /// `__attribute__((packed, aligned(8)))`
    fn attributes(&mut self, pair: Pair<'_, Rule>, attributes: &mut Attributes) {
        for item in pair.into_inner().flat_map(Pair::into_inner) {
            let span = self.span(&item);
            let mut parts = item.into_inner();
            let name = parts.next().expect("an attribute has a name").as_str().trim_end().to_owned();
            let argument = parts.next().map(|argument| self.expr(argument));
            match (name.trim_matches('_'), argument) {
                ("packed", None) => attributes.packed = true,
                ("aligned", argument) => {
                    // Without a number it is the most that any type of the machine needs.
                    attributes.aligned = argument.or(Some(Expr { kind: ExprKind::Int(16), span }));
                }
                // They say nothing of where members lie.
                ("preserve_access_index" | "unused" | "deprecated" | "may_alias" | "designated_init", _) => {}
                _ => {
                    let title = format!("the attribute `{name}` is not known");
                    let error = Diagnostic::error("E0115", span, title, "expected `packed` or `aligned(n)`");
                    self.errors.push(error.help("leave it out if it does not change where members lie"));
                }
            }
        }
    }

    /// The members that one line declares.
    fn members(&mut self, line: Pair<'_, Rule>) -> Vec<MemberDecl> {
        let span = self.span(&line);
        let mut parts = line.into_inner().filter(|part| part.as_rule() != Rule::qualifier);
        let first = parts.next().expect("a member has a type");
        let named = self.span(&first);
        let mut specifier = self.specifier(first);
        let mut members = Vec::new();
        for part in parts {
            members.push(self.member(&specifier, named, part));
            // It is declared once, for the first of them.
            specifier = by_name(specifier);
        }
        if members.is_empty() {
            let ty = TypeName { specifier, constant: false, pointers: 0, arrays: Vec::new(), named, span };
            members.push(MemberDecl { name: None, ty, bits: None, attributes: Attributes::default(), span });
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
            attributes: Attributes::default(),
            span,
        };
        for part in pair.into_inner() {
            match part.as_rule() {
                Rule::function_pointer => {
                    // What it returns does not matter, and neither does what it takes.
                    member.ty.specifier = Specifier::Function;
                    self.declarator(part, &mut member);
                }
                _ => self.declared(part, &mut member),
            }
        }
        member
    }

    fn declarator(&mut self, pair: Pair<'_, Rule>, member: &mut MemberDecl) {
        for part in pair.into_inner() {
            self.declared(part, member);
        }
    }

    /// One part of a declarator: stars, a name, brackets, a width, attributes.
    fn declared(&mut self, part: Pair<'_, Rule>, member: &mut MemberDecl) {
        match part.as_rule() {
            Rule::stars | Rule::some_stars => member.ty.pointers = stars(&part),
            Rule::identifier => member.name = Some(self.name(&part)),
            Rule::length => {
                let length = part.into_inner().next().map(|length| self.expr(length));
                member.ty.arrays.push(length);
            }
            Rule::width => {
                let width = part.into_inner().next().expect("a width is a number");
                member.bits = Some(self.expr(width));
            }
            Rule::attributes => self.attributes(part, &mut member.attributes),
            _ => {}
        }
    }

    /// The brackets of a type's name: a number, or the name of one.
    fn extent(&mut self, pair: Pair<'_, Rule>) -> Option<Expr> {
        let length = pair.into_inner().next()?;
        let span = self.span(&length);
        let kind = match length.as_rule() {
            Rule::identifier => ExprKind::Ident(self.name(&length).text),
            _ => ExprKind::Int(self.number(&length)),
        };
        Some(Expr { kind, span })
    }

    /// `struct name`, words, or a struct that is declared in place.
    fn specifier(&mut self, pair: Pair<'_, Rule>) -> Specifier {
        match pair.as_rule() {
            Rule::inline_aggregate => return Specifier::Body(Box::new(self.structure(pair))),
            Rule::inline_enumeration => return Specifier::Values(Box::new(self.enumeration(pair))),
            _ => {}
        }
        let mut parts = pair.into_inner().peekable();
        if parts.peek().is_some_and(|part| part.as_rule() == Rule::tag) {
            let tag = parts.next().map(|part| part.as_str().to_owned()).unwrap_or_default();
            let name = parts.next().map(|part| part.as_str().to_owned()).unwrap_or_default();
            return tagged(&tag, name);
        }
        let words = parts.map(|part| part.as_str().to_owned()).filter(|word| !is_qualifier(word)).collect::<Vec<_>>();
        Specifier::Words(words.join(" "))
    }

    pub(super) fn enumeration(&mut self, pair: Pair<'_, Rule>) -> EnumDecl {
        let span = self.span(&pair);
        let (mut name, mut values) = (None, Vec::new());
        for part in pair.into_inner() {
            match part.as_rule() {
                Rule::identifier => name = Some(self.name(&part)),
                Rule::enumerators => values = part.into_inner().map(|one| self.enumerator(one)).collect(),
                _ => {}
            }
        }
        EnumDecl { name, values, span }
    }

    fn enumerator(&mut self, pair: Pair<'_, Rule>) -> EnumeratorDecl {
        let mut parts = pair.into_inner();
        let name = self.name(&parts.next().expect("a value of an enum has a name"));
        EnumeratorDecl { name, value: parts.next().map(|value| self.expr(value)) }
    }

    /// `typedef type name, *name;`
    pub(super) fn aliases(&mut self, pair: Pair<'_, Rule>) -> Vec<TypedefDecl> {
        let span = self.span(&pair);
        let Some(line) = pair.into_inner().nth(1) else { return Vec::new() };
        let mut aliases = Vec::<TypedefDecl>::new();
        for MemberDecl { name, mut ty, attributes, span: at, .. } in self.members(line) {
            if attributes.packed || attributes.aligned.is_some() {
                let title = "a name can't be given to a type with attributes";
                let error = Diagnostic::error("E0115", at, title, "they would be those of the name");
                let help = "put them behind the braces: `typedef struct { ... } __attribute__((packed)) name;`";
                self.errors.push(error.help(help));
            }
            let Some(name) = name else {
                let title = "this type is given no name";
                self.errors.push(Diagnostic::error("E0113", span, title, "expected `typedef TYPE NAME;`"));
                continue;
            };
            // What has no name but the one that it is given here is declared once all the same.
            let unnamed = match &ty.specifier {
                Specifier::Body(body) => body.name.is_none(),
                Specifier::Values(values) => values.name.is_none(),
                _ => false,
            };
            if let Some(first) = aliases.first()
                && unnamed
                && first.ty.pointers == 0
                && first.ty.arrays.is_empty()
            {
                ty.specifier = Specifier::Words(first.name.text.clone());
            }
            aliases.push(TypedefDecl { name, ty, span });
        }
        aliases
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

/// What a declaration in place is called, if it has a name.
fn by_name(specifier: Specifier) -> Specifier {
    match specifier {
        Specifier::Body(body) => match (body.name.clone(), body.union) {
            (Some(name), false) => Specifier::Struct(name.text),
            (Some(name), true) => Specifier::Union(name.text),
            (None, _) => Specifier::Body(body),
        },
        Specifier::Values(values) => match values.name.clone() {
            Some(name) => Specifier::Enum(name.text),
            None => Specifier::Values(values),
        },
        other => other,
    }
}

fn tagged(tag: &str, name: String) -> Specifier {
    match tag {
        "struct" => Specifier::Struct(name),
        "union" => Specifier::Union(name),
        _ => Specifier::Enum(name),
    }
}

/// Words that say nothing of how a value lies; the latter are the kernel's own.
fn is_qualifier(word: &str) -> bool {
    matches!(
        word,
        "const" | "volatile" | "restrict" | "__restrict" | "__user" | "__rcu" | "__percpu" | "__iomem" | "__kernel"
    )
}

fn stars(pair: &Pair<'_, Rule>) -> u32 {
    pair.as_str().bytes().filter(|byte| *byte == b'*').count() as u32
}
