//! How types are written in C.

use super::btf::{Entry, Qualifier};
use super::{Derived, MAX_DEPTH, Node, TypeId, Types};

/// The outermost part of a type's spelling.
enum Layer {
    Pointer(TypeId),
    Array(TypeId, u32),
    Qualified(&'static str, TypeId),
    Function(TypeId),
    Word(String),
}

impl Types {
    /// Spells a type as C does: `struct task_struct *`, `char[16]`, `unsigned int`.
    #[must_use]
    pub fn describe(&self, id: TypeId) -> String {
        let mut id = id;
        // C spells from the inside: what was met so far stands around the name that is not there.
        let mut around = String::new();
        let mut before = String::new();
        for _ in 0..MAX_DEPTH {
            id = match self.layer(id) {
                Layer::Pointer(target) => {
                    around.insert(0, '*');
                    if matches!(self.layer(target), Layer::Array(..) | Layer::Function(_)) {
                        around = format!("({around})");
                    }
                    target
                }
                Layer::Array(element, count) => {
                    around.push_str(&format!("[{count}]"));
                    element
                }
                Layer::Function(returns) => {
                    around.push_str("()");
                    returns
                }
                Layer::Qualified(word, target) if matches!(self.layer(target), Layer::Pointer(_)) => {
                    let space = if around.is_empty() || word.is_empty() { "" } else { " " };
                    around = format!("{word}{space}{around}");
                    target
                }
                Layer::Qualified(word, target) => {
                    let space = if word.is_empty() { "" } else { " " };
                    before.push_str(word);
                    before.push_str(space);
                    target
                }
                Layer::Word(word) => {
                    let space = if around.is_empty() || around.starts_with('[') { "" } else { " " };
                    return format!("{before}{word}{space}{around}");
                }
            };
        }
        "a type without end".to_owned()
    }

    fn layer(&self, id: TypeId) -> Layer {
        match self.node(id) {
            Some(Node::Derived(derived)) => match derived {
                Derived::Pointer(target) => Layer::Pointer(target),
                Derived::Array(element, count) => Layer::Array(element, count),
                Derived::Const(target) => Layer::Qualified("const", target),
                Derived::Function => Layer::Function(self.void()),
                Derived::Int { size, signed } => Layer::Word(int(size, signed)),
                Derived::Bool => Layer::Word("bool".to_owned()),
                Derived::Char { .. } => Layer::Word("char".to_owned()),
                Derived::Float { size } => Layer::Word(float(size).to_owned()),
            },
            Some(Node::Typedef { name, .. }) => Layer::Word(name),
            Some(Node::Struct { name, union, .. }) => {
                Layer::Word(tagged(if union { "union" } else { "struct" }, &name))
            }
            Some(Node::Enum { name, .. }) => Layer::Word(tagged("enum", &name)),
            None => self.layer_in_btf(id.0),
        }
    }

    fn layer_in_btf(&self, id: u32) -> Layer {
        let void = || Layer::Word("void".to_owned());
        let Some(btf) = &self.btf else { return void() };
        let name = btf.name(id);
        match btf.entry(id) {
            Some(Entry::Pointer(target)) => Layer::Pointer(TypeId(target)),
            Some(Entry::Array(element, count)) => Layer::Array(TypeId(element), count),
            Some(Entry::Qualified(qualifier, target)) => {
                let word = match qualifier {
                    Qualifier::Const => "const",
                    Qualifier::Volatile => "volatile",
                    Qualifier::Restrict => "restrict",
                    Qualifier::Tag => "",
                };
                Layer::Qualified(word, TypeId(target))
            }
            Some(Entry::Prototype(returns)) => Layer::Function(TypeId(returns)),
            Some(Entry::Function(prototype)) => Layer::Qualified("", TypeId(prototype)),
            Some(Entry::Struct { union: true, .. } | Entry::Forward { union: true }) => {
                Layer::Word(tagged("union", name))
            }
            Some(Entry::Struct { .. } | Entry::Forward { .. }) => Layer::Word(tagged("struct", name)),
            Some(Entry::Enum { .. }) => Layer::Word(tagged("enum", name)),
            Some(Entry::Int { .. } | Entry::Float(_) | Entry::Typedef(_)) => Layer::Word(name.to_owned()),
            Some(Entry::Void | Entry::Other) | None => void(),
        }
    }
}

fn tagged(keyword: &str, name: &str) -> String {
    match name {
        "" => format!("{keyword} {{...}}"),
        _ => format!("{keyword} {name}"),
    }
}

/// Spells an integer; [`super::fixture`] names those of its BTF so too.
pub(super) fn int(size: u32, signed: bool) -> String {
    let word = match size {
        1 if signed => return "signed char".to_owned(),
        1 => "char",
        2 => "short",
        4 => "int",
        8 => "long",
        16 => "__int128",
        _ => return format!("{}int{}_t", if signed { "" } else { "u" }, u64::from(size) * 8),
    };
    format!("{}{word}", if signed { "" } else { "unsigned " })
}

/// Spells a floating point number.
pub(super) fn float(size: u32) -> &'static str {
    match size {
        4 => "float",
        8 => "double",
        _ => "long double",
    }
}
