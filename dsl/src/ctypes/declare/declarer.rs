//! Goes through declarations: names become known, members are laid out, and what is wrong is said.

use std::collections::HashMap;

use super::{Attributes, EnumDecl, ForwardDecl, MemberDecl, Specifier, StructDecl, TypeName, TypedefDecl};
use crate::ast::{Expr, Name};
use crate::ctypes::layout::Layout;
use crate::ctypes::{Body, CType, Derived, MAX_DEPTH, Member, Named, Node, TypeId, Types};
use crate::diagnostic::{Diagnostic, Diagnostics};
use crate::source::Span;

/// What is known while declarations are gone through.
pub(super) struct Declarer<'a> {
    pub(super) types: &'a Types,
    pub found: Diagnostics,
    /// Whether a pointer may be to a struct that is declared nowhere.
    forward: bool,
    /// Where the structs and unions are declared that are declared now.
    spans: HashMap<TypeId, Span>,
    /// The structs and unions whose members are being laid out.
    open: Vec<TypeId>,
    /// The values of the enum at hand so far: later ones may be computed of them.
    pub(super) values: Vec<(String, i128)>,
}

impl<'a> Declarer<'a> {
    pub fn new(types: &'a Types, forward: bool) -> Declarer<'a> {
        Declarer {
            types,
            found: Diagnostics::default(),
            forward,
            spans: HashMap::new(),
            open: Vec::new(),
            values: Vec::new(),
        }
    }

    fn error(&mut self, code: &'static str, span: Span, title: impl Into<String>, label: impl Into<String>) {
        self.found.push(Diagnostic::error(code, span, title, label));
    }

    fn known(&self, kind: Named, name: &str) -> Option<TypeId> {
        self.types.arena.borrow().names.get(&(kind, name.to_owned())).copied()
    }

    fn name(&self, kind: Named, name: &str, id: TypeId) {
        self.types.arena.borrow_mut().names.insert((kind, name.to_owned()), id);
    }

    /// Makes the names of a struct and of those in it known, before anything is laid out.
    pub fn register(&mut self, declared: &StructDecl) {
        if let Some(name) = &declared.name {
            let kind = tag_kind(declared.union);
            match self.known(kind, &name.text) {
                Some(id) if self.spans.contains_key(&id) || !self.is_incomplete(id) => {
                    self.twice(kind, name, self.spans.get(&id).copied());
                }
                Some(id) => drop(self.spans.insert(id, name.span)),
                None => {
                    let id =
                        self.types.add(Node::Struct { name: name.text.clone(), union: declared.union, body: None });
                    self.name(kind, &name.text, id);
                    self.spans.insert(id, name.span);
                }
            }
        }
        for member in &declared.members {
            self.register_in(&member.ty);
        }
    }

    /// Makes a name known whose members stand elsewhere, or nowhere.
    pub fn forward(&mut self, declared: &ForwardDecl) {
        let (kind, name) = (tag_kind(declared.union), &declared.name.text);
        if self.types.named(kind, name).is_none() {
            let id = self.types.add(Node::Struct { name: name.clone(), union: declared.union, body: None });
            self.name(kind, name, id);
        }
    }

    pub fn register_in(&mut self, name: &TypeName) {
        if let Specifier::Body(declared) = &name.specifier {
            self.register(declared);
        }
    }

    fn is_incomplete(&self, id: TypeId) -> bool {
        matches!(self.types.get(id), CType::Incomplete { .. })
    }

    fn twice(&mut self, kind: Named, name: &Name, first: Option<Span>) {
        let title = format!("`{}` is declared twice", tagged(kind, &name.text));
        let error = Diagnostic::error("E0345", name.span, title, "declared again");
        self.found.push(match first {
            Some(first) => error.also(first, "first declared here"),
            None => error,
        });
    }

    pub fn structure(&mut self, declared: &StructDecl) -> TypeId {
        let text = declared.name.as_ref().map_or("", |name| &name.text);
        let registered = declared.name.as_ref().and_then(|name| {
            let id = self.known(tag_kind(declared.union), &name.text)?;
            let own = self.spans.get(&id) == Some(&name.span) && self.is_incomplete(id) && !self.open.contains(&id);
            own.then_some(id)
        });
        let node = |body| Node::Struct { name: text.to_owned(), union: declared.union, body };
        let id = registered.unwrap_or_else(|| self.types.add(node(None)));
        self.open.push(id);
        let body = self.body(declared);
        self.open.pop();
        self.types.set(id, node(Some(body)));
        id
    }

    fn body(&mut self, declared: &StructDecl) -> Body {
        let mut layout = Layout::new(declared.union);
        let packed = declared.attributes.packed;
        let mut members = Vec::new();
        let mut names = HashMap::new();
        // The next member's place, at the worst, must be one that 32 bits hold.
        const MOST: u64 = u32::MAX as u64 / 8;
        let mut fits = true;
        for (index, member) in declared.members.iter().enumerate() {
            let last = index + 1 == declared.members.len() && !declared.union;
            let Some(ty) = self.ty(&member.ty, last) else { continue };
            let Some((bit_offset, bits)) = self.place(member, ty, packed, &mut layout) else { continue };
            let (size, _) = layout.size();
            if size > MOST {
                if std::mem::take(&mut fits) {
                    self.error("E0346", member.span, "the type is too large", "it would be larger than 512 MiB");
                }
                layout = Layout::new(declared.union);
                continue;
            }
            let name = member.name.as_ref().map_or("", |name| &name.text);
            let own = match &member.name {
                Some(name) => vec![name.text.clone()],
                None => self.types.named_members(ty).into_iter().map(|member| member.name).collect(),
            };
            let span = member.name.as_ref().map_or(member.span, |name| name.span);
            for name in own {
                if let Some(first) = names.insert(name.clone(), span) {
                    let error =
                        Diagnostic::error("E0342", span, format!("there are two members `{name}`"), "the second");
                    self.found.push(error.also(first, "the first"));
                }
            }
            if member.name.is_some() || bits.is_none() {
                members.push(Member { name: name.to_owned(), ty, bit_offset: bit_offset as u32, bits });
            }
        }
        if let Some(align) = self.aligned(&declared.attributes) {
            layout.align(align);
        }
        let (size, align) = layout.size();
        Body { size: size as u32, align, members: members.into() }
    }

    /// Gives where a member begins, and its width if it is a bit field; `None` if there is no such member.
    fn place(
        &mut self,
        member: &MemberDecl,
        ty: TypeId,
        packed: bool,
        layout: &mut Layout,
    ) -> Option<(u64, Option<u32>)> {
        let packed = packed || member.attributes.packed;
        let aligned = self.aligned(&member.attributes);
        if let Some(width) = &member.bits {
            let (size, width) = self.bit_field(member, ty, width)?;
            if aligned.is_some() {
                let title = "a bit field can't be aligned";
                self.error("E0343", member.span, title, "put a bit field of no width in front: `int : 0;`");
                return None;
            }
            let start = match packed {
                true => layout.packed_bit_field(size, width),
                false => layout.bit_field(size, width, member.name.is_some()),
            };
            // What is read are 8 bytes at most.
            if start % 8 + u64::from(width) > 64 {
                self.error("E0343", member.span, "the bit field lies in more than 8 bytes", "expected fewer bits");
                return None;
            }
            return Some((start, Some(width)));
        }
        if member.name.is_none() && !is_anonymous(&member.ty) {
            return None;
        }
        if !self.complete(ty, member.ty.span) {
            return None;
        }
        // An array of no elements, flexible or not, has the size 0.
        let size = self.types.size_of(ty)?;
        let own = if packed { 1 } else { self.types.align_of(ty) };
        Some((layout.member(size, own.max(aligned.unwrap_or(1))), None))
    }

    /// The alignment that attributes ask for.
    fn aligned(&mut self, attributes: &Attributes) -> Option<u32> {
        let written = attributes.aligned.as_ref()?;
        let number = self.constant(written)?;
        let align = u32::try_from(number).ok().filter(|align| align.is_power_of_two() && *align <= 4096);
        if align.is_none() {
            self.error("E0346", written.span, "nothing can be aligned so", "expected a power of two, 4096 at most");
        }
        align
    }

    /// Gives the bytes of a bit field's type and its width, if they go together.
    fn bit_field(&mut self, member: &MemberDecl, ty: TypeId, width: &Expr) -> Option<(u32, u32)> {
        let width = self.constant(width)?;
        let (size, most) = match self.types.get(ty) {
            CType::Bool => (1, 1),
            CType::Char { .. } => (1, 8),
            CType::Int { size, .. } | CType::Enum { size, .. } if matches!(size, 1 | 2 | 4 | 8) => (size, size * 8),
            _ => {
                let label = format!("this is `{}`", self.types.describe(ty));
                self.error("E0343", member.ty.span, "a bit field is an integer", label);
                return None;
            }
        };
        let title = match u32::try_from(width).ok().filter(|width| *width <= most) {
            Some(0) if member.name.is_some() => "a bit field of no width has no name",
            Some(width) => return Some((size, width)),
            None => "the bit field is wider than its type",
        };
        let bits = if most == 1 { "1 bit".to_owned() } else { format!("{most} bits") };
        let label = format!("`{}` has {bits}", self.types.describe(ty));
        self.error("E0343", member.span, title, label);
        None
    }

    /// Whether there are values of a type, which an error says otherwise.
    fn complete(&mut self, ty: TypeId, span: Span) -> bool {
        let mut ty = ty;
        for _ in 0..MAX_DEPTH {
            match self.types.get(ty) {
                CType::Array(element, _) => ty = element,
                CType::Void => {
                    self.found.push(no_values(span, "`void`").help("a pointer to anything is `void *`"));
                    return false;
                }
                CType::Function => {
                    self.found.push(no_values(span, "a function").help("write a pointer to it"));
                    return false;
                }
                CType::Incomplete { .. } => {
                    let error = self.incomplete(ty, span);
                    self.found.push(error);
                    return false;
                }
                _ => return true,
            }
        }
        self.error("E0346", span, "the type is nested too deeply", "");
        false
    }

    fn incomplete(&self, ty: TypeId, span: Span) -> Diagnostic {
        let (id, what) = (self.types.strip(ty), self.types.describe(ty));
        if self.open.contains(&id) {
            let error =
                Diagnostic::error("E0344", span, format!("`{what}` would hold itself"), "a member of its own type");
            return error.help(format!("hold a pointer: `{what} *`"));
        }
        let error = Diagnostic::error("E0341", span, format!("the members of `{what}` are not known"), "used by value");
        match self.spans.get(&id) {
            Some(declared) => error.also(*declared, "declared only here").help("move the declaration up"),
            None => error.help(format!("declare its members: `{what} {{ ... }};`, or hold a pointer: `{what} *`")),
        }
    }

    /// Finds the type that a name means, or makes it.
    pub fn ty(&mut self, name: &TypeName, last: bool) -> Option<TypeId> {
        let mut id = match &name.specifier {
            Specifier::Words(words) => self.words(words, name)?,
            Specifier::Struct(tag) => self.tag(Named::Struct, tag, name)?,
            Specifier::Union(tag) => self.tag(Named::Union, tag, name)?,
            Specifier::Enum(tag) => self.tag(Named::Enum, tag, name)?,
            Specifier::Body(declared) => self.structure(declared),
            Specifier::Values(declared) => self.enumeration(declared),
            Specifier::Function => self.types.derive(Derived::Function),
        };
        if name.constant {
            id = self.types.derive(Derived::Const(id));
        }
        for _ in 0..name.pointers {
            id = self.types.pointer_to(id);
        }
        if !name.arrays.is_empty() && !self.complete(id, name.span) {
            return None;
        }
        for (depth, count) in name.arrays.iter().enumerate().rev() {
            let count = match count {
                Some(count) => self.constant(count)?,
                None if last && depth == 0 => 0,
                None => {
                    let title = "only the last member of a struct may be an array of any length";
                    self.error("E0368", name.span, title, "how long is it?");
                    return None;
                }
            };
            if count < 0 {
                self.error("E0346", name.span, "the array is of no length", format!("it would have {count} elements"));
                return None;
            }
            let array = u32::try_from(count).ok().map(|count| self.types.array_of(id, count));
            let Some(array) = array.filter(|array| self.types.size_of(*array).is_some()) else {
                self.error("E0346", name.span, "the array is too large", "it would be larger than 4 GiB");
                return None;
            };
            id = array;
        }
        Some(id)
    }

    fn words(&mut self, words: &str, name: &TypeName) -> Option<TypeId> {
        let words = words.trim();
        let id = self.known(Named::Typedef, words).or_else(|| self.types.base_type(words));
        let id = id.or_else(|| self.types.named(Named::Typedef, words));
        if id.is_none() {
            let error = unknown(self.types, name);
            self.found.push(error);
        }
        id
    }

    fn tag(&mut self, kind: Named, tag: &str, name: &TypeName) -> Option<TypeId> {
        if let Some(id) = self.types.named(kind, tag) {
            return Some(id);
        }
        if kind == Named::Enum || name.pointers == 0 || !self.forward {
            let error = unknown(self.types, name);
            self.found.push(error);
            return None;
        }
        let id = self.types.add(Node::Struct { name: tag.to_owned(), union: kind == Named::Union, body: None });
        self.name(kind, tag, id);
        Some(id)
    }

    pub fn enumeration(&mut self, declared: &EnumDecl) -> TypeId {
        self.values.clear();
        let mut next = 0i128;
        for enumerator in &declared.values {
            let name = &enumerator.name;
            let value = match &enumerator.value {
                // What is wrong with it was said; uses of the name have nothing to add.
                Some(written) => self.constant(written).unwrap_or(next),
                None => next,
            };
            if !(i128::from(i64::MIN)..=i128::from(u64::MAX)).contains(&value) {
                self.error("E0346", name.span, "the value is too large", "64 bits don't hold it");
                continue;
            }
            next = value + 1;
            self.values.push((name.text.clone(), value));
        }
        let values = std::mem::take(&mut self.values);
        let least = values.iter().map(|(_, value)| *value).min().unwrap_or(0);
        let most = values.iter().map(|(_, value)| *value).max().unwrap_or(0);
        let (size, signed) = match least < 0 {
            false => (if most <= i128::from(u32::MAX) { 4 } else { 8 }, false),
            true if least >= i128::from(i32::MIN) && most <= i128::from(i32::MAX) => (4, true),
            true => (8, true),
        };
        // Values of 64 bits keep their bits.
        let values = values.into_iter().map(|(name, value)| (name, value as i64)).collect::<Vec<_>>();
        let name = declared.name.as_ref().map_or("", |name| &name.text);
        let id = self.types.add(Node::Enum { name: name.to_owned(), size, signed, values: values.clone().into() });
        if let Some(name) = &declared.name {
            match self.known(Named::Enum, &name.text) {
                Some(_) => self.twice(Named::Enum, name, None),
                None => self.name(Named::Enum, &name.text, id),
            }
        }
        self.name_values(declared, values, id);
        id
    }

    fn name_values(&mut self, declared: &EnumDecl, values: Vec<(String, i64)>, id: TypeId) {
        for (name, value) in values {
            let again = self.types.arena.borrow().enumerators.contains_key(&name);
            if again {
                let span = declared
                    .values
                    .iter()
                    .rfind(|one| one.name.text == name)
                    .map_or(declared.span, |one| one.name.span);
                self.error("E0345", span, format!("`{name}` is declared twice"), "declared again");
                continue;
            }
            self.types.arena.borrow_mut().enumerators.insert(name, (id, value));
        }
    }

    pub fn typedef(&mut self, declared: &TypedefDecl) {
        let name = &declared.name;
        // What is wrong with the type was said; uses of the name have nothing to add.
        let target = self.ty(&declared.ty, false).unwrap_or_else(|| self.types.int(4, true));
        let target = self.types.strip(target);
        match self.known(Named::Typedef, &name.text) {
            Some(id) if self.types.strip(id) == target => {}
            Some(_) => self.twice(Named::Typedef, name, None),
            None => {
                let id = self.types.add(Node::Typedef { name: name.text.clone(), target });
                self.name(Named::Typedef, &name.text, id);
            }
        }
    }
}

fn tag_kind(union: bool) -> Named {
    if union { Named::Union } else { Named::Struct }
}

fn tagged(kind: Named, name: &str) -> String {
    match kind {
        Named::Struct => format!("struct {name}"),
        Named::Union => format!("union {name}"),
        Named::Enum => format!("enum {name}"),
        Named::Typedef | Named::Function => name.to_owned(),
    }
}

/// A struct or union without any name, whose members are those of the one around it.
fn is_anonymous(name: &TypeName) -> bool {
    let body = matches!(&name.specifier, Specifier::Body(declared) if declared.name.is_none());
    body && name.pointers == 0 && name.arrays.is_empty()
}

fn no_values(span: Span, what: &str) -> Diagnostic {
    Diagnostic::error("E0341", span, format!("{what} can't be a member"), "used by value")
}

/// Says that there is no such type, and what may have been meant.
pub(super) fn unknown(types: &Types, name: &TypeName) -> Diagnostic {
    let (kind, text) = match &name.specifier {
        Specifier::Struct(tag) => (Named::Struct, tag.as_str()),
        Specifier::Union(tag) => (Named::Union, tag.as_str()),
        Specifier::Enum(tag) => (Named::Enum, tag.as_str()),
        Specifier::Words(words) => (Named::Typedef, words.trim()),
        Specifier::Body(_) | Specifier::Values(_) | Specifier::Function => (Named::Typedef, ""),
    };
    let error =
        Diagnostic::error("E0340", name.named, format!("unknown type `{}`", tagged(kind, text)), "no such type");
    let others = [Named::Struct, Named::Union, Named::Enum, Named::Typedef].into_iter().filter(|other| *other != kind);
    if let Some(other) = others.into_iter().find(|other| types.named(*other, text).is_some()) {
        return error.help(format!("did you mean `{}`?", tagged(other, text)));
    }
    match types.similar(kind, text, 1).first() {
        Some(near) => error.help(format!("did you mean `{}`?", tagged(kind, near))),
        None => error,
    }
}
