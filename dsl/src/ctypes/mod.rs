//! The types of C, as scripts meet them: those that the kernel describes (BTF) and those that a script declares.

mod base;
pub mod btf;
pub mod declare;
#[doc(hidden)]
pub mod fixture;
mod layout;
mod names;
mod spell;

use std::cell::RefCell;
use std::collections::{HashMap, HashSet};
use std::rc::Rc;

pub use base::{base, is_keyword};
use btf::{Btf, Entry};

/// How far types are followed that stand for others, or hold others: no real type is nested so deep, and a BTF that
/// can't be trusted may run in circles.
const MAX_DEPTH: usize = 64;

/// A type. BTF's numbers come first, those of declared and derived types after.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct TypeId(u32);

/// What a type is, whatever names and qualifiers it goes by.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CType {
    /// No value.
    Void,
    /// A number.
    Int {
        /// Bytes.
        size: u32,
        /// Whether it has a sign.
        signed: bool,
    },
    /// A truth value of one byte.
    Bool,
    /// Plain `char`; `signed char` and `unsigned char` are numbers.
    Char {
        /// Whether it has a sign: in the kernel it has none since Linux 6.2.
        signed: bool,
    },
    /// A floating point number.
    Float {
        /// Bytes.
        size: u32,
    },
    /// An enum.
    Enum {
        /// Its name, empty if it has none.
        name: String,
        /// Bytes.
        size: u32,
        /// Whether its values have a sign.
        signed: bool,
    },
    /// An address of a type.
    Pointer(TypeId),
    /// So many of a type in a row.
    Array(TypeId, u32),
    /// A struct or union.
    Struct {
        /// Its name, empty if it has none.
        name: String,
        /// Whether it is a union.
        union: bool,
        /// Bytes.
        size: u32,
    },
    /// Code.
    Function,
    /// A struct or union of which only the name is known.
    Incomplete {
        /// Its name.
        name: String,
    },
}

/// A member of a struct or union.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Member {
    /// Its name, empty for an anonymous struct or union.
    pub name: String,
    /// Its type.
    pub ty: TypeId,
    /// Where it begins.
    pub bit_offset: u32,
    /// How wide it is, if it is a bit field.
    pub bits: Option<u32>,
}

/// A function's parameters and what it returns.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Signature {
    /// The names and types of the parameters.
    pub parameters: Vec<(String, TypeId)>,
    /// Whether more may follow.
    pub variadic: bool,
    /// What it returns.
    pub returns: TypeId,
}

/// The kinds of things that have names of their own.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Named {
    /// `struct name`
    Struct,
    /// `union name`
    Union,
    /// `enum name`
    Enum,
    /// `name`, a type
    Typedef,
    /// `name`, a function of the kernel
    Function,
}

/// All types that a script can name. It only grows: a [`TypeId`] stays what it is.
#[derive(Debug)]
pub struct Types {
    btf: Option<Btf>,
    arena: RefCell<Arena>,
    found: RefCell<Found>,
}

/// The types that BTF doesn't have, and their names.
#[derive(Debug, Default)]
struct Arena {
    nodes: Vec<Node>,
    derived: HashMap<Derived, TypeId>,
    names: HashMap<(Named, String), TypeId>,
    enumerators: HashMap<String, (TypeId, i64)>,
}

/// What was looked up in BTF before: each look-up goes through all of it.
#[derive(Debug, Default)]
struct Found {
    names: HashMap<(Named, String), Option<TypeId>>,
    /// Whether the names of all functions are among them.
    all_functions: bool,
    enumerators: HashMap<String, Option<(TypeId, i64)>>,
    aligns: HashMap<TypeId, u32>,
}

/// A type outside of BTF.
#[derive(Clone, Debug)]
enum Node {
    Derived(Derived),
    Typedef { name: String, target: TypeId },
    Struct { name: String, union: bool, body: Option<Body> },
    Enum { name: String, size: u32, signed: bool, values: Rc<[(String, i64)]> },
}

/// A type that is known by what it is made of, so that there is one of each.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Derived {
    Int { size: u32, signed: bool },
    Bool,
    Char { signed: bool },
    Float { size: u32 },
    Pointer(TypeId),
    Array(TypeId, u32),
    Const(TypeId),
    Function,
}

/// What is between the braces of a struct or union, laid out.
#[derive(Clone, Debug)]
struct Body {
    size: u32,
    align: u32,
    members: Rc<[Member]>,
}

impl Types {
    /// Makes the types of a kernel, to which a script may add.
    #[must_use]
    pub fn new(btf: Option<Btf>) -> Types {
        Types { btf, arena: RefCell::default(), found: RefCell::default() }
    }

    /// Says what a type is; typedefs and qualifiers are looked through.
    #[must_use]
    pub fn get(&self, id: TypeId) -> CType {
        let id = self.strip(id);
        match self.node(id) {
            Some(Node::Derived(derived)) => match derived {
                Derived::Int { size, signed } => CType::Int { size, signed },
                Derived::Bool => CType::Bool,
                Derived::Char { signed } => CType::Char { signed },
                Derived::Float { size } => CType::Float { size },
                Derived::Pointer(target) => CType::Pointer(target),
                Derived::Array(element, count) => CType::Array(element, count),
                Derived::Function => CType::Function,
                Derived::Const(_) => CType::Void,
            },
            Some(Node::Struct { name, union, body: Some(body) }) => CType::Struct { name, union, size: body.size },
            Some(Node::Struct { name, body: None, .. }) => CType::Incomplete { name },
            Some(Node::Enum { name, size, signed, .. }) => CType::Enum { name, size, signed },
            Some(Node::Typedef { .. }) => CType::Void,
            None => self.btf.as_ref().map_or(CType::Void, |btf| in_btf(btf, id.0)),
        }
    }

    /// Says how many bytes a type takes; `None` for what has no size, or none that 32 bits hold.
    #[must_use]
    pub fn size_of(&self, id: TypeId) -> Option<u32> {
        let (mut id, mut total) = (id, 1u32);
        for _ in 0..MAX_DEPTH {
            let size = match self.get(id) {
                CType::Array(element, count) => {
                    (id, total) = (element, total.checked_mul(count)?);
                    continue;
                }
                CType::Int { size, .. } | CType::Float { size } => size,
                CType::Enum { size, .. } | CType::Struct { size, .. } => size,
                CType::Bool | CType::Char { .. } => 1,
                CType::Pointer(_) => 8,
                CType::Void | CType::Function | CType::Incomplete { .. } => return None,
            };
            return total.checked_mul(size);
        }
        None
    }

    /// Says at multiples of how many bytes a type lies on x86-64.
    ///
    /// BTF doesn't have it for a struct; it is that of its members, unless they show that the struct is packed.
    #[must_use]
    pub fn align_of(&self, id: TypeId) -> u32 {
        self.align_within(id, MAX_DEPTH)
    }

    fn align_within(&self, id: TypeId, depth: usize) -> u32 {
        let Some(depth) = depth.checked_sub(1) else { return 1 };
        match self.get(id) {
            CType::Int { size, .. } | CType::Float { size } | CType::Enum { size, .. } => match size {
                1 | 2 | 4 | 8 | 16 => size,
                _ => 1,
            },
            CType::Pointer(_) => 8,
            CType::Array(element, _) => self.align_within(element, depth),
            CType::Struct { size, .. } => self.struct_align(self.strip(id), size, depth),
            CType::Bool | CType::Char { .. } | CType::Void | CType::Function | CType::Incomplete { .. } => 1,
        }
    }

    fn struct_align(&self, id: TypeId, size: u32, depth: usize) -> u32 {
        if let Some(Node::Struct { body: Some(body), .. }) = self.node(id) {
            return body.align;
        }
        if let Some(align) = self.found.borrow().aligns.get(&id) {
            return *align;
        }
        // Known beforehand, so that a struct that holds itself comes to an end.
        self.found.borrow_mut().aligns.insert(id, 1);
        let mut align = 1;
        let mut packed = false;
        for member in self.btf.iter().flat_map(|btf| btf.members(id.0)) {
            let own = self.align_within(TypeId(member.ty), depth);
            packed |= member.bits.is_none() && !member.bit_offset.is_multiple_of(own * 8);
            align = align.max(own);
        }
        if packed || !size.is_multiple_of(align) {
            align = 1;
        }
        self.found.borrow_mut().aligns.insert(id, align);
        align
    }

    /// Gives the members of a struct or union in order; none of any other type.
    #[must_use]
    pub fn members(&self, id: TypeId) -> Vec<Member> {
        let id = self.strip(id);
        if let Some(node) = self.node(id) {
            return match node {
                Node::Struct { body: Some(body), .. } => body.members.to_vec(),
                _ => Vec::new(),
            };
        }
        let members = self.btf.iter().flat_map(|btf| btf.members(id.0));
        let own = |member: btf::BtfMember<'_>| Member {
            name: member.name.to_owned(),
            ty: TypeId(member.ty),
            bit_offset: member.bit_offset,
            bits: member.bits,
        };
        members.map(own).collect()
    }

    /// Finds a member of a struct or union, or of an anonymous one inside; its offset is from the outer one's start.
    #[must_use]
    pub fn find_member(&self, id: TypeId, name: &str) -> Option<Member> {
        self.named_members(id).into_iter().find(|member| member.name == name)
    }

    /// Gives the members that have names, those of anonymous structs and unions inside among them.
    #[must_use]
    pub fn named_members(&self, id: TypeId) -> Vec<Member> {
        let mut found = Vec::new();
        self.gather_members(id, 0, &mut HashSet::new(), &mut found);
        found
    }

    /// A type that was seen before has no new names: leaving it out bounds the work by the size of the BTF.
    fn gather_members(&self, id: TypeId, start: u32, seen: &mut HashSet<TypeId>, found: &mut Vec<Member>) {
        let id = self.strip(id);
        if seen.len() > MAX_DEPTH * 16 || !seen.insert(id) {
            return;
        }
        for member in self.members(id) {
            let Some(bit_offset) = start.checked_add(member.bit_offset) else { continue };
            match member.name.is_empty() {
                true => self.gather_members(member.ty, bit_offset, seen, found),
                false => found.push(Member { bit_offset, ..member }),
            }
        }
    }

    /// Gives the names and values of an enum in order; none of any other type.
    #[must_use]
    pub fn enumerators(&self, id: TypeId) -> Vec<(String, i64)> {
        let id = self.strip(id);
        match self.node(id) {
            Some(Node::Enum { values, .. }) => values.to_vec(),
            Some(_) => Vec::new(),
            None => {
                let values = self.btf.iter().flat_map(|btf| btf.enumerators(id.0));
                values.map(|(name, value)| (name.to_owned(), value)).collect()
            }
        }
    }

    /// Gives the type that a pointer points to or an array is made of.
    #[must_use]
    pub fn element(&self, id: TypeId) -> Option<TypeId> {
        match self.get(id) {
            CType::Pointer(element) | CType::Array(element, _) => Some(element),
            _ => None,
        }
    }

    /// Gives the type of no value.
    #[must_use]
    pub fn void(&self) -> TypeId {
        TypeId(0)
    }

    /// Gives plain `char`, as it is outside of the kernel.
    #[must_use]
    pub fn char(&self) -> TypeId {
        self.derive(Derived::Char { signed: true })
    }

    /// Gives `bool`.
    #[must_use]
    pub fn boolean(&self) -> TypeId {
        self.derive(Derived::Bool)
    }

    /// Gives the integer of so many bytes.
    #[must_use]
    pub fn int(&self, size: u32, signed: bool) -> TypeId {
        self.derive(Derived::Int { size, signed })
    }

    /// Gives the type of a type's address.
    #[must_use]
    pub fn pointer_to(&self, id: TypeId) -> TypeId {
        self.derive(Derived::Pointer(id))
    }

    /// Gives the type of so many of a type in a row.
    #[must_use]
    pub fn array_of(&self, id: TypeId, count: u32) -> TypeId {
        self.derive(Derived::Array(id, count))
    }

    fn derive(&self, derived: Derived) -> TypeId {
        if let Some(id) = self.arena.borrow().derived.get(&derived) {
            return *id;
        }
        let id = self.add(Node::Derived(derived));
        self.arena.borrow_mut().derived.insert(derived, id);
        id
    }

    fn add(&self, node: Node) -> TypeId {
        let mut arena = self.arena.borrow_mut();
        let id = TypeId(self.first() + arena.nodes.len() as u32);
        arena.nodes.push(node);
        id
    }

    /// The first number that isn't BTF's; `void` is always.
    fn first(&self) -> u32 {
        self.btf.as_ref().map_or(1, Btf::count)
    }

    fn node(&self, id: TypeId) -> Option<Node> {
        let index = id.0.checked_sub(self.first())?;
        self.arena.borrow().nodes.get(index as usize).cloned()
    }

    fn set(&self, id: TypeId, node: Node) {
        let Some(index) = id.0.checked_sub(self.first()) else { return };
        if let Some(place) = self.arena.borrow_mut().nodes.get_mut(index as usize) {
            *place = node;
        }
    }

    /// Goes from names to what they stand for; `void` if that has no end.
    fn strip(&self, id: TypeId) -> TypeId {
        let mut id = id;
        for _ in 0..MAX_DEPTH {
            match self.alias(id) {
                Some(target) => id = target,
                None => return id,
            }
        }
        self.void()
    }

    fn alias(&self, id: TypeId) -> Option<TypeId> {
        match self.node(id) {
            Some(Node::Typedef { target, .. } | Node::Derived(Derived::Const(target))) => Some(target),
            Some(_) => None,
            None => match self.btf.as_ref()?.entry(id.0)? {
                Entry::Typedef(target) | Entry::Qualified(_, target) => Some(TypeId(target)),
                // Elsewhere there may be all of it.
                Entry::Forward { union } => {
                    let kind = if union { Named::Union } else { Named::Struct };
                    self.named(kind, self.btf.as_ref()?.name(id.0))
                }
                _ => None,
            },
        }
    }
}

/// What a type of BTF is that is no other name of another.
fn in_btf(btf: &Btf, id: u32) -> CType {
    let name = || btf.name(id).to_owned();
    match btf.entry(id) {
        Some(Entry::Int { size: 1, encoding, .. }) if encoding.boolean => CType::Bool,
        Some(Entry::Int { size: 1, encoding, .. }) if btf.name(id) == "char" => CType::Char { signed: encoding.signed },
        Some(Entry::Int { size, encoding, .. }) => CType::Int { size, signed: encoding.signed },
        Some(Entry::Float(size)) => CType::Float { size },
        Some(Entry::Pointer(target)) => CType::Pointer(TypeId(target)),
        Some(Entry::Array(element, count)) => CType::Array(TypeId(element), count),
        Some(Entry::Struct { union, size }) => CType::Struct { name: name(), union, size },
        Some(Entry::Forward { .. }) => CType::Incomplete { name: name() },
        Some(Entry::Enum { size, signed }) => CType::Enum { name: name(), size, signed },
        Some(Entry::Function(_) | Entry::Prototype(_)) => CType::Function,
        Some(Entry::Void | Entry::Other | Entry::Typedef(_) | Entry::Qualified(..)) | None => CType::Void,
    }
}

#[cfg(test)]
mod tests;
