//! Types that a script declares: from how they were written to where their members lie.
//!
//! As in C, a type is declared before it is used by value; a pointer may be to one that is declared further down, or
//! nowhere.

mod constant;
mod declarer;
mod numbers;

use super::{CType, Derived, TypeId, Types, base};
use crate::ast::{Expr, Name};
use crate::diagnostic::Diagnostic;
use crate::source::Span;
use declarer::{Declarer, unknown};

/// Something that declares a type.
#[derive(Clone, Debug)]
pub enum Declaration {
    /// `struct name { ... };` or `union name { ... };`
    Struct(StructDecl),
    /// `struct name;` or `union name;`
    Forward(ForwardDecl),
    /// `enum name { ... };`
    Enum(EnumDecl),
    /// `typedef type name;`
    Typedef(TypedefDecl),
}

/// A struct or union with its members.
#[derive(Clone, Debug)]
pub struct StructDecl {
    /// Its name, if it has one.
    pub name: Option<Name>,
    /// Whether it is a union.
    pub union: bool,
    /// Its members, in order.
    pub members: Vec<MemberDecl>,
    /// What is said of how it lies.
    pub attributes: Attributes,
    /// All of it.
    pub span: Span,
}

/// A struct or union of which only the name is given.
#[derive(Clone, Debug)]
pub struct ForwardDecl {
    /// Its name.
    pub name: Name,
    /// Whether it is a union.
    pub union: bool,
}

/// What `__attribute__((...))` says of where something lies.
#[derive(Clone, Debug, Default)]
pub struct Attributes {
    /// Nothing lies between members.
    pub packed: bool,
    /// It begins at a multiple of so many bytes, if it would not anyway.
    pub aligned: Option<Expr>,
}

/// A member of a struct or union.
#[derive(Clone, Debug)]
pub struct MemberDecl {
    /// Its name; none for an anonymous struct or union and for a bit field that only fills.
    pub name: Option<Name>,
    /// Its type.
    pub ty: TypeName,
    /// How wide it is, if it is a bit field.
    pub bits: Option<Expr>,
    /// What is said of how it lies.
    pub attributes: Attributes,
    /// All of it.
    pub span: Span,
}

/// An enum with its values.
#[derive(Clone, Debug)]
pub struct EnumDecl {
    /// Its name, if it has one.
    pub name: Option<Name>,
    /// Its values, in order.
    pub values: Vec<EnumeratorDecl>,
    /// All of it.
    pub span: Span,
}

/// One name of an enum.
#[derive(Clone, Debug)]
pub struct EnumeratorDecl {
    /// The name.
    pub name: Name,
    /// What it stands for, if that is written; it is one more than the one before otherwise.
    pub value: Option<Expr>,
}

/// Another name for a type.
#[derive(Clone, Debug)]
pub struct TypedefDecl {
    /// The name.
    pub name: Name,
    /// The type.
    pub ty: TypeName,
    /// All of it.
    pub span: Span,
}

/// A type as it is written in a declaration, a cast or `sizeof`.
#[derive(Clone, Debug)]
pub struct TypeName {
    /// What stands before the stars.
    pub specifier: Specifier,
    /// Whether that is `const`.
    pub constant: bool,
    /// How many stars there are.
    pub pointers: u32,
    /// What is in the brackets, the outermost first; nothing is in those of a flexible array.
    pub arrays: Vec<Option<Expr>>,
    /// What stands before the stars.
    pub named: Span,
    /// All of it.
    pub span: Span,
}

/// The part of a type's name that names a type.
#[derive(Clone, Debug)]
pub enum Specifier {
    /// A base type or a typedef: `unsigned int`, `u32`, `ktime_t`.
    Words(String),
    /// `struct name`
    Struct(String),
    /// `union name`
    Union(String),
    /// `enum name`
    Enum(String),
    /// A struct or union that is declared in place.
    Body(Box<StructDecl>),
    /// An enum that is declared in place.
    Values(Box<EnumDecl>),
    /// A function, whose address is taken with a star: its parameters don't matter.
    Function,
}

impl Types {
    /// Adds the types that a script declares, in the script's order.
    ///
    /// # Errors
    /// All that is wrong with them; the names are known nevertheless, so that their uses make no further errors.
    pub fn declare(&self, declarations: &[Declaration]) -> Result<(), Vec<Diagnostic>> {
        let mut declarer = Declarer::new(self, true);
        for declaration in declarations {
            match declaration {
                Declaration::Struct(declared) => declarer.register(declared),
                Declaration::Typedef(declared) => declarer.register_in(&declared.ty),
                Declaration::Forward(declared) => declarer.forward(declared),
                Declaration::Enum(_) => {}
            }
        }
        for declaration in declarations {
            match declaration {
                Declaration::Struct(declared) => drop(declarer.structure(declared)),
                Declaration::Enum(declared) => drop(declarer.enumeration(declared)),
                Declaration::Typedef(declared) => declarer.typedef(declared),
                Declaration::Forward(_) => {}
            }
        }
        if declarer.found.0.is_empty() { Ok(()) } else { Err(declarer.found.0) }
    }

    /// Finds the type that a name means.
    ///
    /// # Errors
    /// If there is no such type, be it behind a pointer.
    pub fn resolve(&self, name: &TypeName) -> Result<TypeId, Diagnostic> {
        let mut declarer = Declarer::new(self, false);
        declarer.register_in(name);
        let id = declarer.ty(name, false);
        match (declarer.found.0.into_iter().next(), id) {
            (None, Some(id)) => Ok(id),
            (Some(error), _) => Err(error),
            (None, None) => Err(unknown(self, name)),
        }
    }

    /// Gives the base type that words mean, if they mean one.
    #[must_use]
    pub fn base_type(&self, words: &str) -> Option<TypeId> {
        Some(match base(words)? {
            CType::Void => self.void(),
            CType::Int { size, signed } => self.int(size, signed),
            CType::Bool => self.boolean(),
            CType::Char { signed } => self.derive(Derived::Char { signed }),
            CType::Float { size } => self.derive(Derived::Float { size }),
            _ => return None,
        })
    }
}

#[cfg(test)]
mod tests;
