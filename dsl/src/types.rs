//! The types of values.

pub use scope_common::plan::Space;

/// The type of a value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Type {
    /// A 64-bit number.
    Int {
        /// Whether it has a sign.
        signed: bool,
    },
    /// A text in an area of fixed size, padded with NULs.
    Text {
        /// Bytes of the area, a multiple of 8.
        size: usize,
    },
    /// An address.
    Pointer(Space),
    /// A system call's number, shown as its name.
    Syscall,
    /// A probe's number in the script, shown as its name.
    Probe,
}

impl Type {
    /// A number without a sign.
    pub const UNSIGNED: Type = Type::Int { signed: false };
    /// A number with a sign.
    pub const SIGNED: Type = Type::Int { signed: true };

    /// The type of a text of so many bytes at most, the final NUL included.
    ///
    /// The area has room for one byte more: the kernel reads it to tell a text that just fits from one that is cut.
    #[must_use]
    pub fn text(max: usize) -> Type {
        Type::Text { size: (max + 1).next_multiple_of(8) }
    }

    /// Bytes that a value takes in a key, a map's value or a variable.
    #[must_use]
    pub fn size(&self) -> usize {
        match self {
            Type::Text { size } => *size,
            _ => 8,
        }
    }

    /// Whether a value is held in one register.
    #[must_use]
    pub fn is_word(&self) -> bool {
        !matches!(self, Type::Text { .. })
    }

    /// What people call it.
    #[must_use]
    pub fn describe(&self) -> &'static str {
        match self {
            Type::Int { .. } => "an integer",
            Type::Text { .. } => "a string",
            Type::Pointer(_) => "a pointer",
            Type::Syscall => "a system call's name",
            Type::Probe => "a probe's name",
        }
    }

    /// Whether two types may meet in one place: one map, one key, one comparison.
    #[must_use]
    pub fn agrees(&self, other: &Type) -> bool {
        match (self, other) {
            (Type::Text { .. }, Type::Text { .. }) => true,
            (Type::Int { .. } | Type::Pointer(_), Type::Int { .. } | Type::Pointer(_)) => true,
            _ => self == other,
        }
    }

    /// The type that holds values of both, which agree.
    #[must_use]
    pub fn join(&self, other: &Type) -> Type {
        match (self, other) {
            (Type::Text { size: left }, Type::Text { size: right }) => Type::Text { size: *left.max(right) },
            (Type::Int { signed: left }, Type::Int { signed: right }) => Type::Int { signed: *left || *right },
            _ => self.clone(),
        }
    }
}
