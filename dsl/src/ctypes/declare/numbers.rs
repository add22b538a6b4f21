//! The numbers in declarations: each is an expression, in which names may stand that are put in place beforehand.

use super::{Attributes, Declaration, EnumDecl, Specifier, StructDecl, TypeName};
use crate::ast::Expr;

impl Declaration {
    /// Calls back for each expression in a declaration.
    pub fn numbers(&mut self, look: &mut dyn FnMut(&mut Expr)) {
        match self {
            Declaration::Struct(declared) => declared.numbers(look),
            Declaration::Enum(declared) => declared.numbers(look),
            Declaration::Typedef(declared) => declared.ty.numbers(look),
            Declaration::Forward(_) => {}
        }
    }
}

impl StructDecl {
    fn numbers(&mut self, look: &mut dyn FnMut(&mut Expr)) {
        self.attributes.numbers(look);
        for member in &mut self.members {
            member.ty.numbers(look);
            member.bits.iter_mut().for_each(&mut *look);
            member.attributes.numbers(look);
        }
    }
}

impl EnumDecl {
    fn numbers(&mut self, look: &mut dyn FnMut(&mut Expr)) {
        self.values.iter_mut().filter_map(|one| one.value.as_mut()).for_each(look);
    }
}

impl Attributes {
    fn numbers(&mut self, look: &mut dyn FnMut(&mut Expr)) {
        self.aligned.iter_mut().for_each(look);
    }
}

impl TypeName {
    /// Calls back for each expression in a type's name.
    pub fn numbers(&mut self, look: &mut dyn FnMut(&mut Expr)) {
        match &mut self.specifier {
            Specifier::Body(declared) => declared.numbers(look),
            Specifier::Values(declared) => declared.numbers(look),
            _ => {}
        }
        self.arrays.iter_mut().flatten().for_each(look);
    }
}
