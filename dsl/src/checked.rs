//! A script whose names are resolved and whose types are known: the checker's output.

use indexmap::IndexMap;
use scope_common::arith::Alu;

use crate::builtins::Builtin;
use crate::printf::Piece;
use crate::resolve::Site;
use crate::source::Span;
use crate::types::Type;

/// A whole script.
#[derive(Debug)]
pub struct Script {
    /// The maps; a map's number is its index.
    pub maps: IndexMap<String, Map>,
    /// The clauses, one for each site of a source clause.
    pub clauses: Vec<Clause>,
    /// What records make userspace do; an action's number is its index.
    pub actions: Vec<Action>,
    /// The names of the probes, by number.
    pub probes: Vec<String>,
}

/// A map: what it holds, and what the script does with it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Map {
    /// The types of its keys; none for a scalar.
    pub key: Vec<Type>,
    /// What an entry holds.
    pub value: Value,
    /// What the clauses do with it.
    pub usage: Usage,
    /// The kind and size that the script asks for.
    pub wish: Option<Wish>,
    /// Where it is written first.
    pub span: Span,
}

/// A declared kind and size.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Wish {
    /// Whether the entries used least recently give way when it is full.
    pub lru: bool,
    /// Entries at most.
    pub entries: u32,
}

/// What a map's entry holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Value {
    /// A value as it was assigned.
    Plain(Type),
    /// `count()`.
    Count,
    /// `sum()`, and `++`, `+=` where the kernel does nothing else with the map.
    Sum {
        /// Whether numbers have a sign.
        signed: bool,
    },
    /// `min()`.
    Min {
        /// Whether numbers have a sign.
        signed: bool,
    },
    /// `max()`.
    Max {
        /// Whether numbers have a sign.
        signed: bool,
    },
    /// `avg()`.
    Avg {
        /// Whether numbers have a sign.
        signed: bool,
    },
    /// `hist()`.
    Hist,
}

impl Value {
    /// How the script calls it.
    #[must_use]
    pub fn describe(&self) -> &'static str {
        match self {
            Value::Plain(ty) => ty.describe(),
            Value::Count => "count()",
            Value::Sum { .. } => "sum()",
            Value::Min { .. } => "min()",
            Value::Max { .. } => "max()",
            Value::Avg { .. } => "avg()",
            Value::Hist => "hist()",
        }
    }

    /// Whether parts of it are gathered apart, on every CPU, and merged when it is read.
    #[must_use]
    pub fn is_aggregation(&self) -> bool {
        !matches!(self, Value::Plain(_))
    }
}

/// What the clauses do with a map.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Usage {
    /// A kernel clause touches it.
    pub in_kernel: bool,
    /// A kernel clause reads it, deletes from it, or assigns it.
    pub kernel_beyond_adding: bool,
    /// A userspace clause assigns it.
    pub assigned_in_userspace: bool,
    /// A clause other than `END` clears or zeroes it.
    pub cleared: bool,
}

/// A clause at one site.
#[derive(Debug)]
pub struct Clause {
    /// The number of the clause in the source.
    pub source: usize,
    /// Where it runs.
    pub site: Site,
    /// When it runs.
    pub predicate: Option<Expr>,
    /// What it does.
    pub body: Vec<Statement>,
    /// The types of its scratch variables, by number.
    pub variables: Vec<Type>,
    /// Where it stands.
    pub span: Span,
}

/// A statement.
#[derive(Debug)]
pub enum Statement {
    /// Gives a scratch variable a value.
    SetVariable(usize, Expr),
    /// Gives a map's entry a value.
    SetMap(Place, Expr),
    /// Adds to a map's entry, in one step.
    Add(Place, Expr),
    /// Feeds a value, if there is one, to an aggregation.
    Aggregate(Place, Option<Expr>),
    /// Removes a map's entry.
    Delete(Place),
    /// Sends a record to an action.
    Output(usize, Vec<Expr>),
    /// Ends the clause.
    Stop,
    /// Does one or the other.
    If(Expr, Vec<Statement>, Vec<Statement>),
}

/// An entry of a map.
#[derive(Clone, Debug)]
pub struct Place {
    /// The number of the map.
    pub map: usize,
    /// The key.
    pub key: Vec<Expr>,
}

/// An expression with its type.
#[derive(Clone, Debug)]
pub struct Expr {
    /// What it is.
    pub kind: ExprKind,
    /// Its type.
    pub ty: Type,
    /// Where it stands.
    pub span: Span,
}

/// The kinds of expression.
#[derive(Clone, Debug)]
pub enum ExprKind {
    /// A number.
    Int(u64),
    /// A text.
    Text(String),
    /// A builtin.
    Builtin(Builtin),
    /// A scratch variable.
    Variable(usize),
    /// A map's entry, zero or empty if there is none.
    Map(Place),
    /// A part of the context.
    Access(Access),
    /// The text at an address.
    Str {
        /// The address.
        address: Box<Expr>,
        /// Bytes at most, the NUL included.
        max: usize,
    },
    /// A number seen as another type of word.
    As(Box<Expr>),
    /// `!`.
    Not(Box<Expr>),
    /// An operation on two numbers.
    Alu(Alu, Box<Expr>, Box<Expr>),
    /// Whether two texts are equal.
    SameText(Box<Expr>, Box<Expr>),
    /// `&&`.
    And(Box<Expr>, Box<Expr>),
    /// `||`.
    Or(Box<Expr>, Box<Expr>),
    /// `condition ? then : otherwise`.
    Choose(Box<Expr>, Box<Expr>, Box<Expr>),
}

/// A part of the context: where it lies there.
#[derive(Clone, Debug)]
pub enum Access {
    /// A number in a tracepoint's record.
    Number {
        /// Bytes from the record's start.
        offset: u32,
        /// Bytes.
        size: u32,
        /// Whether it has a sign.
        signed: bool,
    },
    /// A text in a tracepoint's record.
    Chars {
        /// Bytes from the record's start.
        offset: u32,
        /// Bytes.
        len: u32,
    },
    /// A text behind a tracepoint's record; the word that says where lies at this offset.
    DataLocation(u32),
    /// The system call's number, at a raw tracepoint.
    SyscallNumber,
    /// The system call's result, at a raw tracepoint.
    SyscallResult,
    /// An argument of the system call, at a raw tracepoint.
    SyscallArgument {
        /// Which, from 0.
        index: u32,
        /// Bytes.
        size: u32,
        /// Whether it has a sign.
        signed: bool,
    },
}

/// What userspace does with a record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Action {
    /// Prints by a format.
    Printf {
        /// The format.
        pieces: Vec<Piece>,
        /// The values.
        arguments: Vec<Argument>,
    },
    /// Prints values.
    Print(Argument),
    /// Prints a map.
    PrintMap {
        /// The map.
        map: usize,
        /// Only so many entries, the greatest.
        top: Option<usize>,
        /// Values are divided by this.
        divisor: Option<u64>,
    },
    /// Empties a map.
    Clear(usize),
    /// Sets a map's values to zero.
    Zero(usize),
    /// Prints the time of day, by a format.
    Time(String),
    /// Ends the trace with this status.
    Exit(i32),
    /// Gives out a structured record.
    Emit {
        /// What it is called.
        name: String,
        /// Its fields.
        fields: Vec<Field>,
    },
}

/// A field of a structured record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Field {
    /// Its name.
    pub name: String,
    /// Its value.
    pub value: Argument,
    /// Whether it is a column of the table.
    pub column: bool,
}

/// A value of an action: out of the record, or computed of such by a rhai function.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Argument {
    /// A value of the record.
    Slot(Slot),
    /// A call of a function of the script.
    Call(String, Vec<Argument>),
}

/// Where a value lies in a record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Slot {
    /// Bytes from the record's start.
    pub offset: usize,
    /// What it is.
    pub ty: Type,
    /// Whether a text lies elsewhere in the record and this is the word that says where.
    pub apart: bool,
}
