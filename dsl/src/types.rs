//! The types of values, and how values lie in keys, maps, variables and records: in words of 8 bytes.

use std::rc::Rc;

use crate::ctypes::TypeId;
pub use scope_common::plan::Space;

/// The type of a value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Type {
    /// A number, held as 64 bits: one of fewer is extended by its sign or by zeroes.
    Int {
        /// 8, 16, 32 or 64.
        bits: u8,
        /// Whether it has a sign.
        signed: bool,
    },
    /// True or false: 1 or 0.
    Bool,
    /// A text in an area of fixed size, padded with NULs.
    Text {
        /// Bytes of the area, a multiple of 8.
        size: usize,
        /// Whether every such text is the script's own, which goes out as it is; others may hold what steers a terminal.
        own: bool,
    },
    /// Bytes of any value: a word that counts them, then the bytes, padded with zeroes.
    Buffer {
        /// Bytes of the area, a multiple of 8.
        size: usize,
    },
    /// An address.
    Pointer {
        /// What lies there, if that is known.
        to: Option<TypeId>,
        /// Whose memory it is in.
        space: Space,
    },
    /// Values one behind the other.
    Tuple(Rc<[Part]>),
    /// A struct, union or array as it lies in memory.
    Memory(Rc<Memory>),
    /// A number that is shown by its name in C.
    Enum(Rc<Enum>),
    /// A number that is shown by a name which userspace finds.
    Named(Named),
    /// A point in time, in nanoseconds since boot, shown by strftime's format.
    Time(Rc<str>),
    /// A stack: the number under which it is kept, and the process.
    Stack(Stack),
    /// An address in a process's code and the process.
    UserSymbol,
    /// An IP address: its family, then 16 bytes.
    Inet,
    /// A hardware address, in the low 6 bytes.
    Mac,
}

/// A part of a tuple.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Part {
    /// Its name, in a record.
    pub name: Option<String>,
    /// Its type.
    pub ty: Type,
}

/// Something as it lies in memory.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Memory {
    /// Its C type.
    pub id: TypeId,
    /// Bytes that it takes there.
    pub bytes: usize,
    /// What the bytes mean.
    pub layout: Layout,
}

/// What bytes in memory mean.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Layout {
    /// A number.
    Int {
        /// Bytes.
        size: usize,
        /// Whether it has a sign.
        signed: bool,
    },
    /// A truth value of one byte.
    Bool,
    /// An enum.
    Enum(Rc<Enum>),
    /// An address.
    Pointer,
    /// Characters: a text.
    Chars(usize),
    /// The same thing several times.
    Array(Box<Layout>, usize),
    /// A struct or union.
    Struct(Vec<Member>),
    /// Bytes that have no meaning here.
    Opaque(usize),
}

impl Layout {
    /// Bytes that it takes.
    #[must_use]
    pub fn size(&self) -> usize {
        match self {
            Layout::Int { size, .. } | Layout::Chars(size) | Layout::Opaque(size) => *size,
            Layout::Bool => 1,
            Layout::Enum(named) => named.bits as usize / 8,
            Layout::Pointer => 8,
            Layout::Array(inner, count) => inner.size() * count,
            Layout::Struct(members) => {
                members.iter().map(|member| member.bit_offset / 8 + member.layout.size()).max().unwrap_or(0)
            }
        }
    }
}

/// A member of a struct.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Member {
    /// Its name; empty if it has none.
    pub name: String,
    /// Bits from the struct's start.
    pub bit_offset: usize,
    /// Bits that it takes, if it is a bit field.
    pub bits: Option<u32>,
    /// What it is.
    pub layout: Layout,
}

/// An enum: names for numbers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Enum {
    /// Its name in C.
    pub name: String,
    /// 8, 16, 32 or 64.
    pub bits: u8,
    /// Whether its numbers have a sign.
    pub signed: bool,
    /// The names.
    pub values: Vec<(String, i64)>,
}

/// Numbers that userspace has names for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Named {
    /// A system call.
    Syscall,
    /// A probe of the script.
    Probe,
    /// The function that a probe of the script is on, by the number of the probe.
    Function,
    /// A signal.
    Signal,
    /// An error number, shown as its message.
    Errno,
    /// A user.
    User,
    /// An address in the kernel's code.
    KernelSymbol,
    /// A cgroup, shown as its path.
    Cgroup,
}

/// What a stack is and how it is shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stack {
    /// Whether it is the process's, not the kernel's.
    pub user: bool,
    /// How its frames are written.
    pub mode: StackMode,
    /// Frames at most.
    pub depth: u16,
}

/// How the frames of a stack are written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum StackMode {
    /// `function+offset`.
    #[default]
    Bpftrace,
    /// `address function+offset (module)`, as perf does.
    Perf,
    /// The address alone.
    Raw,
    /// The build id and the offset in the file.
    BuildId,
}

impl StackMode {
    /// The modes by their names.
    pub const NAMES: [(&str, StackMode); 4] = [
        ("bpftrace", StackMode::Bpftrace),
        ("perf", StackMode::Perf),
        ("raw", StackMode::Raw),
        ("build_id", StackMode::BuildId),
    ];
}

impl Type {
    /// A number of 64 bits without a sign.
    pub const UNSIGNED: Type = Type::Int { bits: 64, signed: false };
    /// A number of 64 bits with a sign.
    pub const SIGNED: Type = Type::Int { bits: 64, signed: true };

    /// The type of a text of so many bytes at most, the final NUL included.
    ///
    /// The area has room for one byte more: the kernel reads it to tell a text that just fits from one that is cut.
    #[must_use]
    pub fn text(max: usize) -> Type {
        Type::Text { size: (max + 1).next_multiple_of(8), own: false }
    }

    /// The type of a text that the script holds.
    #[must_use]
    pub fn literal(text: &[u8]) -> Type {
        Type::Text { size: (text.len() + 1).next_multiple_of(8), own: true }
    }

    /// The type of so many bytes at most.
    #[must_use]
    pub fn buffer(max: usize) -> Type {
        Type::Buffer { size: 8 + max.next_multiple_of(8) }
    }

    /// An address in one of the memories.
    #[must_use]
    pub const fn pointer(to: Option<TypeId>, space: Space) -> Type {
        Type::Pointer { to, space }
    }

    /// Bytes that a value takes in a key, a map's value, a variable or a record: a multiple of 8.
    #[must_use]
    pub fn size(&self) -> usize {
        match self {
            Type::Text { size, .. } | Type::Buffer { size } => *size,
            Type::Tuple(parts) => parts.iter().map(|part| part.ty.size()).sum(),
            Type::Memory(memory) => memory.bytes.next_multiple_of(8),
            Type::Stack(_) | Type::UserSymbol => 16,
            Type::Inet => 24,
            _ => 8,
        }
    }

    /// Whether a value is held in one register.
    #[must_use]
    pub fn is_word(&self) -> bool {
        !matches!(
            self,
            Type::Text { .. }
                | Type::Buffer { .. }
                | Type::Tuple(_)
                | Type::Memory(_)
                | Type::Stack(_)
                | Type::UserSymbol
                | Type::Inet
        )
    }

    /// Whether it is a number to calculate with.
    #[must_use]
    pub fn is_number(&self) -> bool {
        matches!(self, Type::Int { .. } | Type::Bool | Type::Pointer { .. } | Type::Enum(_))
    }

    /// Whether a number of this type has a sign.
    #[must_use]
    pub fn is_signed(&self) -> bool {
        match self {
            Type::Int { signed, .. } => *signed,
            Type::Enum(named) => named.signed,
            _ => false,
        }
    }

    /// What people call it.
    #[must_use]
    pub fn describe(&self) -> String {
        let name = match self {
            Type::Int { .. } => "an integer",
            Type::Bool => "a truth value",
            Type::Text { .. } => "a string",
            Type::Buffer { .. } => "a buffer",
            Type::Pointer { .. } => "a pointer",
            Type::Tuple(parts) => {
                let parts = parts.iter().map(|part| part.ty.describe()).collect::<Vec<_>>();
                return format!("a tuple of ({})", parts.join(", "));
            }
            Type::Memory(memory) if matches!(memory.layout, Layout::Array(..) | Layout::Chars(_)) => "an array",
            Type::Memory(_) => "a struct",
            Type::Enum(named) => return format!("an `enum {}`", named.name),
            Type::Named(Named::Syscall) => "a system call's name",
            Type::Named(Named::Probe) => "a probe's name",
            Type::Named(Named::Function) => "a function's name",
            Type::Named(Named::Signal) => "a signal's name",
            Type::Named(Named::Errno) => "an error's message",
            Type::Named(Named::User) => "a user's name",
            Type::Named(Named::KernelSymbol) | Type::UserSymbol => "a symbol",
            Type::Named(Named::Cgroup) => "a cgroup's path",
            Type::Time(_) => "a time",
            Type::Stack(_) => "a stack",
            Type::Inet => "an IP address",
            Type::Mac => "a hardware address",
        };
        name.to_owned()
    }

    /// Whether two types may meet in one place: one map, one key, one comparison.
    #[must_use]
    pub fn agrees(&self, other: &Type) -> bool {
        match (self, other) {
            (Type::Text { .. }, Type::Text { .. }) | (Type::Buffer { .. }, Type::Buffer { .. }) => true,
            (Type::Tuple(left), Type::Tuple(right)) => {
                let agree = |(left, right): (&Part, &Part)| left.ty.agrees(&right.ty) && left.name == right.name;
                left.len() == right.len() && left.iter().zip(right.iter()).all(agree)
            }
            // Each CPU's word is the same to the machine; a pointer may be compared with 0.
            _ if self.is_number() && other.is_number() => match (self, other) {
                (Type::Enum(left), Type::Enum(right)) => left == right,
                _ => true,
            },
            (Type::Stack(left), Type::Stack(right)) => left.user == right.user,
            _ => self == other,
        }
    }

    /// The type that holds values of both, which agree.
    #[must_use]
    pub fn join(&self, other: &Type) -> Type {
        match (self, other) {
            (Type::Text { size: left, own: one }, Type::Text { size: right, own: other }) => {
                Type::Text { size: *left.max(right), own: *one && *other }
            }
            (Type::Buffer { size: left }, Type::Buffer { size: right }) => Type::Buffer { size: *left.max(right) },
            (Type::Int { bits: left_bits, signed: left }, Type::Int { bits: right_bits, signed: right }) => {
                Type::Int { bits: *left_bits.max(right_bits), signed: *left || *right }
            }
            (Type::Tuple(left), Type::Tuple(right)) => {
                let join =
                    |(left, right): (&Part, &Part)| Part { name: left.name.clone(), ty: left.ty.join(&right.ty) };
                Type::Tuple(left.iter().zip(right.iter()).map(join).collect())
            }
            // A literal 0 beside a pointer or an enum is one of them; a truth value beside a number is a number.
            (Type::Bool, Type::Int { .. }) => other.clone(),
            (Type::Int { .. }, Type::Pointer { .. } | Type::Enum(_)) => other.clone(),
            (Type::Pointer { to: left, space }, Type::Pointer { to: right, .. }) if left != right => {
                Type::Pointer { to: None, space: *space }
            }
            _ => self.clone(),
        }
    }
}
