//! Memory by the types of C: members, indices, dereferences, casts.

use std::rc::Rc;

use scope_common::arith::Alu;

use crate::ast::{self, Name, TypeRef};
use crate::checked::{Expr, ExprKind, Field, Limit, Peek};
use crate::ctypes::{CType, Member, TypeId};
use crate::diagnostic::Diagnostic;
use crate::probes::Site;
use crate::source::Span;
use crate::types::{self, Enum, Layout, Memory, Part, Space, Type};

use super::Checker;
use super::operators::{alu, int};

/// The largest struct or array that is a value of its own, in bytes.
const LARGEST: u32 = 4096;
/// Elements of a value at most that an index chooses from which only the run knows.
const MOST_CHOICES: u32 = 64;
/// How deep structs nest in one that is shown whole.
const DEEPEST: usize = 8;

impl Checker<'_> {
    /// The C type that a name means.
    pub(super) fn c_type(&mut self, ty: &TypeRef) -> Option<TypeId> {
        match ty {
            TypeRef::Named(name) => match self.given.types.resolve(name) {
                Ok(id) => Some(id),
                Err(error) => {
                    self.error(error);
                    None
                }
            },
            TypeRef::Of(value) => {
                let value = self.typed(value)?;
                let id = self.c_type_of(&value.ty);
                if id.is_none() {
                    let label = format!("this is {}", value.ty.describe());
                    self.error(Diagnostic::error("E0334", value.span, "this has no type of C", label));
                }
                id
            }
        }
    }

    /// The C type that a type of the language has.
    fn c_type_of(&self, ty: &Type) -> Option<TypeId> {
        let types = self.given.types;
        match ty {
            Type::Int { bits, signed } => Some(types.int(u32::from(*bits) / 8, *signed)),
            Type::Bool => Some(types.boolean()),
            Type::Pointer { to, .. } => Some(types.pointer_to(to.unwrap_or_else(|| types.void()))),
            Type::Memory(memory) => Some(memory.id),
            Type::Text { size, .. } => Some(types.array_of(types.char(), *size as u32)),
            _ => None,
        }
    }

    /// The type that a declaration `let $x: type` gives.
    pub(super) fn declared_type(&mut self, ty: &TypeRef) -> Option<Type> {
        if let TypeRef::Of(value) = ty {
            return Some(self.typed(value)?.ty);
        }
        if let TypeRef::Named(name) = ty
            && let crate::ctypes::declare::Specifier::Words(words) = &name.specifier
            && words == "string"
        {
            return Some(self.given.config.text_type());
        }
        let id = self.c_type(ty)?;
        self.type_of(id, self.default_space())
    }

    /// Whose memory an address points into, if nothing else says so.
    pub(super) fn default_space(&self) -> Space {
        match self.site() {
            Site::Tracepoint { category, .. } if category != "syscalls" => Space::Kernel,
            Site::RawTracepoint { .. } | Site::Kprobe { .. } | Site::Traced { .. } | Site::Iter { .. } => Space::Kernel,
            site if site.in_userspace() => Space::Kernel,
            _ => Space::User,
        }
    }

    pub(super) fn enumeration(&mut self, id: TypeId) -> Option<Rc<Enum>> {
        let CType::Enum { name, size, signed } = self.given.types.get(id) else { return None };
        let types = self.given.types;
        let named = self
            .enums
            .entry(id)
            .or_insert_with(|| Rc::new(Enum { name, bits: size as u8 * 8, signed, values: types.enumerators(id) }));
        Some(named.clone())
    }

    /// The type that a value of a C type has in the language; `None` if there is none.
    pub(super) fn type_of(&mut self, id: TypeId, space: Space) -> Option<Type> {
        Some(match self.given.types.get(id) {
            CType::Int { size, signed } => Type::Int { bits: size as u8 * 8, signed },
            CType::Char { signed } => Type::Int { bits: 8, signed },
            CType::Bool => Type::Bool,
            CType::Enum { .. } => Type::Enum(self.enumeration(id)?),
            CType::Pointer(to) => {
                let to = !matches!(self.given.types.get(to), CType::Void);
                Type::Pointer { to: to.then(|| self.pointee(id)).flatten(), space }
            }
            CType::Function => Type::pointer(None, space),
            CType::Array(element, count) if matches!(self.given.types.get(element), CType::Char { .. }) => {
                Type::text(count as usize)
            }
            CType::Array(..) | CType::Struct { .. } => {
                let bytes = self.given.types.size_of(id)?;
                if bytes == 0 || bytes > LARGEST {
                    return None;
                }
                Type::Memory(Rc::new(Memory { id, bytes: bytes as usize, layout: self.layout(id, DEEPEST) }))
            }
            CType::Void | CType::Float { .. } | CType::Incomplete { .. } => return None,
        })
    }

    fn pointee(&self, pointer: TypeId) -> Option<TypeId> {
        match self.given.types.get(pointer) {
            CType::Pointer(to) => Some(to),
            _ => None,
        }
    }

    /// What the bytes of a C type mean.
    fn layout(&mut self, id: TypeId, depth: usize) -> Layout {
        let types = self.given.types;
        match types.get(id) {
            CType::Int { size, signed } => Layout::Int { size: size as usize, signed },
            CType::Char { signed } => Layout::Int { size: 1, signed },
            CType::Bool => Layout::Bool,
            CType::Pointer(_) => Layout::Pointer,
            CType::Enum { size, .. } => self.enumeration(id).map_or(Layout::Opaque(size as usize), Layout::Enum),
            CType::Array(element, count) if matches!(types.get(element), CType::Char { .. }) => {
                Layout::Chars(count as usize)
            }
            CType::Array(element, count) if depth > 0 => {
                Layout::Array(Box::new(self.layout(element, depth - 1)), count as usize)
            }
            CType::Struct { .. } if depth > 0 => {
                let member = |member: Member| types::Member {
                    layout: self.layout(member.ty, depth - 1),
                    name: member.name,
                    bit_offset: member.bit_offset as usize,
                    bits: member.bits,
                };
                Layout::Struct(types.members(id).into_iter().map(member).collect())
            }
            _ => Layout::Opaque(types.size_of(id).unwrap_or(0) as usize),
        }
    }

    /// What lies at an address, by its C type.
    pub(super) fn read(&mut self, address: Expr, offset: u32, id: TypeId, space: Space, span: Span) -> Option<Expr> {
        if self.reads_in_vain(space) {
            self.not_in_userspace("there is no process to read from", span);
            return None;
        }
        let types = self.given.types;
        let Some(ty) = self.type_of(id, space) else {
            let title = format!("`{}` can't be read", types.describe(id));
            let label = match types.get(id) {
                CType::Incomplete { .. } => "nothing but its name is known".to_owned(),
                CType::Struct { size, .. } => format!("it has {size} bytes; the limit is {LARGEST}"),
                CType::Float { .. } => "there are no floating point numbers here".to_owned(),
                _ => "it has no value".to_owned(),
            };
            // A large struct has members all the same, an array without a length elements.
            if let CType::Struct { .. } | CType::Array(..) = types.get(id) {
                let layout = Layout::Opaque(0);
                let ty = Type::Memory(Rc::new(Memory { id, bytes: 0, layout }));
                return Some(Expr {
                    kind: ExprKind::Copy { address: Box::new(address), offset, bytes: 0, space },
                    ty,
                    span,
                });
            }
            let error = Diagnostic::error("E0335", span, title, label);
            self.error(match types.get(id) {
                CType::Float { size } => {
                    let bits = size.min(8) * 8;
                    let read = format!("`*(uint{bits} *)((uint64)POINTER + offsetof(TYPE, MEMBER))`");
                    error.help(format!("its bits are an integer's: declare it as `uint{bits}`, or read {read}"))
                }
                _ => error,
            });
            return None;
        };
        let address = Box::new(address);
        let kind = match &ty {
            Type::Text { .. } => {
                let CType::Array(_, count) = types.get(id) else { return None };
                let address = Box::new(offset_by(*address, offset));
                if count == 0 {
                    // It goes on to its NUL.
                    let max = self.given.config.text_limit();
                    let kind = ExprKind::Str { address, max, limit: Limit::Longest };
                    return Some(Expr { kind, ty: self.given.config.text_type(), span });
                }
                return Some(Expr::of_characters(address, count as usize, span));
            }
            Type::Memory(memory) => ExprKind::Copy { address, offset, bytes: memory.bytes, space },
            _ => {
                let size = types.size_of(id).unwrap_or(8);
                let field = Field { offset, size, signed: ty.is_signed(), bits: None };
                ExprKind::Peek(Peek { address, field, space })
            }
        };
        Some(Expr { kind, ty, span })
    }

    /// `value.name`, `value->name`.
    pub(super) fn member(&mut self, object: &ast::Expr, member: &Name, span: Span) -> Option<Expr> {
        if matches!(&object.kind, ast::ExprKind::Ident(name) if name == "args") {
            return self.argument_field(member, span);
        }
        let object = self.expr(object)?;
        self.member_of(object, member, span)
    }

    pub(super) fn member_of(&mut self, object: Expr, member: &Name, span: Span) -> Option<Expr> {
        let types = self.given.types;
        match object.ty.clone() {
            Type::Pointer { to: Some(id), space } => {
                // A pointer to a pointer is followed as far as need be.
                if let CType::Pointer(_) = types.get(id) {
                    let inner = self.read(object, 0, id, space, span)?;
                    return self.member_of(inner, member, span);
                }
                let (found, field) = self.find_member(id, member, object.span)?;
                self.read_member(object, 0, &found, field, space, span)
            }
            Type::Memory(memory) => {
                let (found, field) = self.find_member(memory.id, member, object.span)?;
                match object.kind {
                    // Only the member is read, not the whole of it.
                    ExprKind::Copy { address, offset, space, .. } => {
                        self.read_member(*address, offset, &found, field, space, span)
                    }
                    _ => {
                        let ty = self.type_of(found.ty, Space::Kernel)?;
                        Some(Self::part(object, field, ty, span))
                    }
                }
            }
            Type::Tuple(parts) => {
                let index = parts.iter().position(|part| part.name.as_deref() == Some(member.text.as_str()));
                let Some(index) = index else {
                    let names = parts.iter().filter_map(|part| part.name.as_deref()).collect::<Vec<_>>();
                    let title = format!("there is no field `{}`", member.text);
                    let error =
                        Diagnostic::error("E0326", member.span, title, "").suggest(&member.text, names.iter().copied());
                    let error = error.also(object.span, format!("this is {}", object.ty.describe()));
                    let list = names.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ");
                    self.error(match names.is_empty() {
                        true => error.help("the parts of a tuple have numbers: `.0` is the first"),
                        false => error.help(format!("its fields are {list}")),
                    });
                    return None;
                };
                Some(Self::tuple_part(object, &parts, index, span))
            }
            Type::Pointer { .. } => {
                let error = Diagnostic::error("E0326", member.span, "it is not known what this points to", "");
                self.error(error.also(object.span, "a pointer").help("cast it: `((struct NAME *)pointer)->member`"));
                None
            }
            ty => {
                let error = Diagnostic::error("E0326", member.span, format!("{} has no fields", ty.describe()), "");
                let error = error.also(object.span, format!("this is {}", ty.describe()));
                self.error(if ty.is_number() {
                    error.help("cast it: `((struct NAME *)address)->member`")
                } else {
                    error
                });
                None
            }
        }
    }

    /// The member of a struct, and where in it.
    pub(super) fn find_member(&mut self, id: TypeId, member: &Name, object: Span) -> Option<(Member, Field)> {
        let types = self.given.types;
        let Some(found) = types.find_member(id, &member.text) else {
            let title = format!("`{}` has no member `{}`", types.describe(id), member.text);
            let error = Diagnostic::error("E0326", member.span, title, "no such member");
            let near = types.similar_member(id, &member.text, 1);
            let error = near.iter().fold(error, |error, near| error.help(format!("did you mean `{near}`?")));
            self.error(error.also(object, format!("this is `{}`", types.describe(id))));
            return None;
        };
        let size = types.size_of(found.ty).unwrap_or(0);
        let signed = match types.get(found.ty) {
            CType::Int { signed, .. } | CType::Char { signed } | CType::Enum { signed, .. } => signed,
            _ => false,
        };
        let field = match found.bits {
            None => Field { offset: found.bit_offset / 8, size, signed, bits: None },
            Some(width) => bit_field(found.bit_offset, width, signed),
        };
        Some((found, field))
    }

    fn read_member(
        &mut self,
        address: Expr,
        base: u32,
        member: &Member,
        field: Field,
        space: Space,
        span: Span,
    ) -> Option<Expr> {
        if member.bits.is_none() {
            return self.read(address, base + field.offset, member.ty, space, span);
        }
        let ty = self.type_of(member.ty, space)?;
        let field = Field { offset: base + field.offset, ..field };
        Some(Expr { kind: ExprKind::Peek(Peek { address: Box::new(address), field, space }), ty, span })
    }

    pub(super) fn part(whole: Expr, field: Field, ty: Type, span: Span) -> Expr {
        Expr { kind: ExprKind::Part { whole: Box::new(whole), field }, ty, span }
    }

    pub(super) fn tuple_part(whole: Expr, parts: &[Part], index: usize, span: Span) -> Expr {
        // A tuple that stands there as it is written needs no detour.
        if let ExprKind::Tuple(values) = &whole.kind {
            return Expr { span, ..values[index].clone() };
        }
        let offset = parts[..index].iter().map(|part| part.ty.size()).sum::<usize>() as u32;
        let ty = parts[index].ty.clone();
        Self::part(whole, Field { size: ty.size() as u32, ..Field::word(offset) }, ty, span)
    }

    /// `*pointer`.
    pub(super) fn dereference(&mut self, value: &ast::Expr, span: Span) -> Option<Expr> {
        let value = self.expr(value)?;
        self.target(value, span)
    }

    fn target(&mut self, value: Expr, span: Span) -> Option<Expr> {
        match value.ty {
            Type::Pointer { to: Some(id), space } => self.read(value, 0, id, space, span),
            // As in bpftrace, what is not known is a word.
            Type::Pointer { to: None, space } => self.read(value, 0, self.given.types.int(8, false), space, span),
            Type::Int { .. } => {
                let space = self.default_space();
                self.read(value, 0, self.given.types.int(8, false), space, span)
            }
            _ => {
                let label = format!("this is {}", value.ty.describe());
                self.error(Diagnostic::error("E0318", value.span, "not an address", label));
                None
            }
        }
    }

    /// `value[index]` of a pointer, an array, a text or a tuple.
    pub(super) fn index(&mut self, object: &ast::Expr, index: &ast::Expr, span: Span) -> Option<Expr> {
        if let Some(found) = self.argument_index(object, index, span) {
            return found;
        }
        let object = self.expr(object)?;
        let types = self.given.types;
        match object.ty.clone() {
            Type::Pointer { .. } => {
                let index = self.number(index)?;
                let address = self.pointer_sum(object, index, false, span);
                self.target(address, span)
            }
            Type::Tuple(parts) => {
                let index = self.constant(index, 0..=parts.len() as u64 - 1)? as usize;
                Some(Self::tuple_part(object, &parts, index, span))
            }
            Type::Memory(memory) if matches!(types.get(memory.id), CType::Array(..)) => {
                let CType::Array(element, count) = types.get(memory.id) else { return None };
                let size = types.size_of(element).unwrap_or(1);
                match object.kind {
                    ExprKind::Copy { address, offset, space, .. } => {
                        let index = self.number(index)?;
                        self.inside(&index, count)?;
                        let index = scaled(index, size);
                        let address = alu(Alu::Add, *address, index, Type::UNSIGNED, span);
                        self.read(address, offset, element, space, span)
                    }
                    _ => {
                        let index = self.number(index)?;
                        self.inside(&index, count)?;
                        let ty = self.type_of(element, Space::Kernel)?;
                        self.element(object, index, (count, size), &ty, span)
                    }
                }
            }
            Type::Text { size, .. } => {
                let ty = Type::Int { bits: 8, signed: true };
                match object.kind {
                    // In memory, any byte of it can be named.
                    ExprKind::Str { ref address, .. }
                        if matches!(address.ty, Type::Pointer { .. } | Type::Int { .. }) =>
                    {
                        let space = match address.ty {
                            Type::Pointer { space, .. } => space,
                            _ => self.default_space(),
                        };
                        let index = self.number(index)?;
                        let address = alu(Alu::Add, (**address).clone(), index, Type::UNSIGNED, span);
                        self.read(address, 0, types.int(1, true), space, span)
                    }
                    _ => {
                        let index = self.number(index)?;
                        self.inside(&index, size as u32)?;
                        self.element(object, index, (size as u32, 1), &ty, span)
                    }
                }
            }
            ty => {
                let label = format!("this is {}", ty.describe());
                self.error(Diagnostic::error("E0369", object.span, "not an array", label));
                None
            }
        }
    }

    /// An element of a value that lies in the frame, where only places that are known can be read: others are chosen from
    /// all that there are. Beyond the end there is nothing.
    fn element(&mut self, object: Expr, index: Expr, (count, size): (u32, u32), ty: &Type, span: Span) -> Option<Expr> {
        let part = |object: Expr, at: u32| {
            let field = Field { offset: at * size, size, signed: ty.is_signed(), bits: None };
            Self::part(object, field, ty.clone(), span)
        };
        if let ExprKind::Int(known) = index.kind {
            return Some(part(object, known as u32));
        }
        if count > MOST_CHOICES {
            let title = format!("an index of {count} elements must be known when the script is compiled");
            let error = Diagnostic::error("E0361", index.span, title, "known only when the script runs");
            self.error(
                error.help(format!(
                    "of up to {MOST_CHOICES} elements, and of what a pointer points to, any can be taken"
                )),
            );
            return None;
        }
        let mut before = Vec::new();
        let (object, index) = (self.once(object, &mut before), self.once(index, &mut before));
        let none = Self::blank(ty, span);
        let value = (0..count).rev().fold(none, |otherwise, at| {
            let here = alu(Alu::Eq, index.clone(), int(at.into(), Type::UNSIGNED, span), Type::SIGNED, span);
            let then = part(object.clone(), at);
            let kind = ExprKind::Choose(Box::new(here), Box::new(then), Box::new(otherwise));
            Expr { kind, ty: ty.clone(), span }
        });
        Some(Self::after(before, value, span))
    }

    /// An index that is known must lie inside.
    fn inside(&mut self, index: &Expr, count: u32) -> Option<()> {
        match index.kind {
            ExprKind::Int(value) if count > 0 && value >= u64::from(count) => {
                let title = format!("the index {value} lies outside the array");
                self.error(Diagnostic::error("E0328", index.span, title, format!("it has {count} elements")));
                None
            }
            _ => Some(()),
        }
    }

    /// A pointer moved by so many of what it points to.
    pub(super) fn pointer_sum(&mut self, pointer: Expr, count: Expr, minus: bool, span: Span) -> Expr {
        let size = match &pointer.ty {
            Type::Pointer { to: Some(id), .. } => self.given.types.size_of(*id).filter(|size| *size > 0).unwrap_or(1),
            _ => 1,
        };
        let ty = pointer.ty.clone();
        alu(if minus { Alu::Sub } else { Alu::Add }, pointer, scaled(count, size), ty, span)
    }

    /// `(type) value`.
    pub(super) fn cast(&mut self, ty: &TypeRef, value: &ast::Expr, span: Span) -> Option<Expr> {
        let value = self.expr(value)?;
        let space = match value.ty {
            Type::Pointer { space, .. } => space,
            _ => self.default_space(),
        };
        if let TypeRef::Of(model) = ty {
            let model = self.typed(model)?;
            return self.converted(value, &model.ty).map(|value| Expr { span, ..value });
        }
        let id = self.c_type(ty)?;
        // An array of no given length takes the length of what is cast.
        let types = self.given.types;
        let id = match types.get(id) {
            CType::Array(element, 0) => {
                let size = types.size_of(element).unwrap_or(1).max(1);
                let bits = match &value.ty {
                    Type::Int { bits, .. } => u32::from(*bits) / 8,
                    Type::Memory(memory) => memory.bytes as u32,
                    _ => 8,
                };
                types.array_of(element, bits / size)
            }
            _ => id,
        };
        let wanted = match types.get(id) {
            CType::Struct { .. } | CType::Incomplete { .. } => {
                let title = format!("nothing can be cast to `{}`", types.describe(id));
                let error = Diagnostic::error("E0336", span, title, "expected a pointer to it");
                self.error(error.help(format!("`*({} *)address` reads one", types.describe(id))));
                return None;
            }
            _ => self.type_of(id, space),
        };
        let Some(wanted) = wanted else {
            self.error(Diagnostic::error(
                "E0336",
                span,
                format!("nothing can be cast to `{}`", types.describe(id)),
                "",
            ));
            return None;
        };
        self.converted(value, &wanted).map(|value| Expr { span, ..value })
    }

    /// A value as another type, as a cast makes it.
    pub(super) fn converted(&mut self, value: Expr, ty: &Type) -> Option<Expr> {
        let span = value.span;
        if value.ty == *ty {
            return Some(value);
        }
        let fits = match (&value.ty, ty) {
            (from, Type::Bool) if from.is_number() => {
                let zero = int(0, Type::UNSIGNED, span);
                return Some(alu(Alu::Ne, value, zero, Type::Bool, span));
            }
            (from, Type::Int { bits, signed }) if from.is_number() || matches!(from, Type::Named(_) | Type::Mac) => {
                return Some(narrowed(value, *bits, *signed));
            }
            (from, Type::Enum(named)) if from.is_number() => {
                let value = narrowed(value, named.bits, named.signed);
                return Some(Expr { kind: ExprKind::As(Box::new(value)), ty: ty.clone(), span });
            }
            (from, Type::Pointer { .. }) if from.is_number() => {
                return Some(Expr { kind: ExprKind::As(Box::new(value)), ty: ty.clone(), span });
            }
            // The bytes of a number, and a number of bytes.
            (Type::Int { bits, .. }, Type::Memory(memory)) if memory.bytes <= usize::from(*bits) / 8 => {
                return Some(Expr { kind: ExprKind::Tuple(vec![value]), ty: ty.clone(), span });
            }
            (Type::Memory(memory), Type::Int { bits, signed }) if memory.bytes <= 8 => {
                let (size, signed, bits) = (memory.bytes as u32, *signed, *bits);
                let whole = Self::part(
                    value,
                    Field { offset: 0, size: size.next_power_of_two(), signed, bits: None },
                    Type::UNSIGNED,
                    span,
                );
                return Some(narrowed(whole, bits, signed));
            }
            (Type::Text { .. }, Type::Text { .. }) | (Type::Buffer { .. }, Type::Buffer { .. }) => true,
            (from, to) => from.agrees(to),
        };
        if fits {
            return Some(value);
        }
        let title = format!("{} can't become {}", value.ty.describe(), ty.describe());
        self.error(Diagnostic::error("E0336", span, title, format!("this is {}", value.ty.describe())));
        None
    }
}

/// Where a bit field lies: in the fewest whole bytes that a load can read, if possible aligned.
fn bit_field(bit_offset: u32, width: u32, signed: bool) -> Field {
    for size in [1u32, 2, 4, 8] {
        let start = bit_offset / (size * 8) * size;
        if bit_offset + width <= (start + size) * 8 {
            return Field { offset: start, size, signed, bits: Some((bit_offset - start * 8, width)) };
        }
    }
    let start = bit_offset / 8;
    Field { offset: start, size: 8, signed, bits: Some((bit_offset - start * 8, width)) }
}

/// A number cut to so many bits.
pub fn narrowed(value: Expr, bits: u8, signed: bool) -> Expr {
    let span = value.span;
    let ty = Type::Int { bits, signed };
    let holds = match &value.ty {
        Type::Int { bits: have, signed: have_sign } => {
            bits == 64 || (*have == bits && *have_sign == signed) || (*have < bits && (!have_sign || signed))
        }
        Type::Bool => true,
        _ => bits == 64,
    };
    match value.kind {
        ExprKind::Int(number) => {
            let number = if bits == 64 { number } else { cut(number, bits, signed) };
            int(number, ty, span)
        }
        _ if holds => Expr { kind: ExprKind::As(Box::new(value)), ty, span },
        _ if signed => alu(Alu::Sext, value, int(u64::from(bits), Type::UNSIGNED, span), ty, span),
        _ => alu(Alu::And, value, int((1 << bits) - 1, Type::UNSIGNED, span), ty, span),
    }
}

fn cut(number: u64, bits: u8, signed: bool) -> u64 {
    if signed { scope_common::arith::alu(Alu::Sext as u8, number, bits.into()) } else { number & ((1 << bits) - 1) }
}

/// So many times a size.
fn scaled(count: Expr, size: u32) -> Expr {
    let span = count.span;
    if size == 1 {
        return count;
    }
    alu(Alu::Mul, count, int(size.into(), Type::UNSIGNED, span), Type::SIGNED, span)
}

/// An address moved by bytes.
pub fn offset_by(address: Expr, offset: u32) -> Expr {
    if offset == 0 {
        return address;
    }
    let (ty, span) = (address.ty.clone(), address.span);
    alu(Alu::Add, address, int(offset.into(), Type::UNSIGNED, span), ty, span)
}
