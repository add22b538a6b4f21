//! A script whose names are resolved and whose types are known: the checker's output.

use indexmap::IndexMap;
use scope_common::arith::Alu;
use scope_common::plan::MAX_STRING;

use crate::builtins::Builtin;
use crate::printf::Piece;
use crate::probes::{ProbeName, Site};
use crate::source::Span;
use crate::types::{Space, Type};

/// A whole script.
#[derive(Debug)]
pub struct Script {
    /// The maps; a map's number is its index.
    pub maps: IndexMap<String, Map>,
    /// The clauses, one for each site of a source clause.
    pub clauses: Vec<Clause>,
    /// What records make userspace do; an action's number is its index.
    pub actions: Vec<Action>,
    /// Where in the record of each action lies what made it: the time, the number of the probe, the process, and the CPU; empty
    /// if that is not wanted.
    pub origins: Vec<usize>,
    /// The names of the probes, by number.
    pub probes: Vec<ProbeName>,
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
    /// Entries at most, if that is said.
    pub entries: Option<u32>,
}

/// What a map's entry holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Value {
    /// A value as it was assigned.
    Plain(Type),
    /// An aggregation; its numbers have a sign or not.
    Gathered {
        /// Which.
        kind: Aggregation,
        /// Whether the numbers have a sign.
        signed: bool,
    },
}

/// The aggregations.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Aggregation {
    /// `count()`.
    Count,
    /// `sum()`, and `++`, `+=` where the kernel does nothing else with the map.
    Sum,
    /// `min()`.
    Min,
    /// `max()`.
    Max,
    /// `avg()`.
    Avg,
    /// `stats()`.
    Stats,
    /// `hist(n, k)`: buckets for each power of two.
    Hist {
        /// Each power of two has `2^k` buckets.
        k: u8,
    },
    /// `quantiles()`: a histogram of which only the quantiles are shown.
    Quantiles,
    /// `lhist(n, min, max, step)`.
    Lhist {
        /// Where the first bucket begins.
        min: i64,
        /// Where the last ends.
        max: i64,
        /// How wide they are.
        step: u64,
    },
    /// `tseries(n, interval, number)`.
    Tseries {
        /// Nanoseconds of one bucket.
        interval: u64,
        /// How many there are.
        number: u32,
        /// What is kept in each.
        by: Series,
    },
}

/// What a bucket of a time series keeps.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Series {
    /// The last value.
    Last,
    /// The average.
    Avg,
    /// The greatest.
    Max,
    /// The least.
    Min,
    /// The sum.
    Sum,
}

impl Series {
    /// The ways by their names.
    pub const NAMES: [(&str, Series); 4] =
        [("avg", Series::Avg), ("max", Series::Max), ("min", Series::Min), ("sum", Series::Sum)];
}

impl Aggregation {
    /// How the script calls it.
    #[must_use]
    pub fn describe(self) -> &'static str {
        match self {
            Aggregation::Count => "count()",
            Aggregation::Sum => "sum()",
            Aggregation::Min => "min()",
            Aggregation::Max => "max()",
            Aggregation::Avg => "avg()",
            Aggregation::Stats => "stats()",
            Aggregation::Hist { .. } => "hist()",
            Aggregation::Quantiles => "quantiles()",
            Aggregation::Lhist { .. } => "lhist()",
            Aggregation::Tseries { .. } => "tseries()",
        }
    }

    /// Whether it can stand for one number.
    #[must_use]
    pub fn is_number(self) -> bool {
        matches!(
            self,
            Aggregation::Count
                | Aggregation::Sum
                | Aggregation::Min
                | Aggregation::Max
                | Aggregation::Avg
                | Aggregation::Stats
        )
    }
}

impl Value {
    /// How the script calls it.
    #[must_use]
    pub fn describe(&self) -> String {
        match self {
            Value::Plain(ty) => ty.describe(),
            Value::Gathered { kind, .. } => kind.describe().to_owned(),
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
    /// A kernel clause asks how many entries it has.
    pub counted: bool,
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
#[derive(Clone, Debug)]
pub enum Statement {
    /// Gives a scratch variable a value.
    SetVariable(usize, Expr),
    /// Gives a map's entry a value.
    SetMap(Place, Expr),
    /// Adds to a map's entry, in one step.
    Add(Place, Expr),
    /// Feeds a value, if there is one, to an aggregation.
    Aggregate(Place, Option<Expr>),
    /// Computes a value for what that does.
    Evaluate(Expr),
    /// Sends a record to an action.
    Output(usize, Vec<Expr>),
    /// Sends a signal to the current process, or only to its current thread.
    Signal {
        /// The signal's number.
        number: Expr,
        /// Whether only the thread gets it.
        thread: bool,
    },
    /// Writes to the current process's memory.
    Write {
        /// Where to.
        address: Expr,
        /// What: a number, or a text that is known.
        value: Expr,
        /// How many bytes of it.
        bytes: usize,
    },
    /// Ends the clause.
    Stop,
    /// Does one or the other.
    If(Expr, Vec<Statement>, Vec<Statement>),
    /// Does something again and again.
    Loop(Loop),
    /// Does something for each entry of a map.
    Each {
        /// The map.
        map: usize,
        /// The variable that holds key and value.
        variable: usize,
        /// What is done.
        body: Vec<Statement>,
        /// Where it stands.
        span: Span,
    },
    /// Leaves the innermost loop.
    Break,
    /// Goes on with the next round of the innermost loop.
    Continue,
}

/// A loop.
#[derive(Clone, Debug)]
pub struct Loop {
    /// As long as this holds, if there is a condition.
    pub condition: Option<Expr>,
    /// What is done.
    pub body: Vec<Statement>,
    /// What is done behind each round, `continue` or not.
    pub step: Vec<Statement>,
    /// How many rounds there are exactly, if that is known.
    pub rounds: Option<u64>,
    /// Where it stands.
    pub span: Span,
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
    /// A text that is known.
    Text(Vec<u8>),
    /// A builtin.
    Builtin(Builtin),
    /// A scratch variable.
    Variable(usize),
    /// A map's entry, zero or empty if there is none; of an aggregation the number that it stands for.
    Map(Place),
    /// A part of the context.
    Access(Access),
    /// The text at an address.
    Str {
        /// The address.
        address: Box<Expr>,
        /// Bytes at most, the NUL included.
        max: usize,
        /// What ends it before its NUL.
        limit: Limit,
    },
    /// The bytes at an address.
    Buf {
        /// The address.
        address: Box<Expr>,
        /// How many.
        len: Box<Expr>,
        /// Bytes at most.
        max: usize,
    },
    /// A number in memory.
    Peek(Peek),
    /// What lies in memory, as it is.
    Copy {
        /// The address.
        address: Box<Expr>,
        /// Bytes behind it.
        offset: u32,
        /// Bytes.
        bytes: usize,
        /// Whose memory.
        space: Space,
    },
    /// A tuple, or anything else that is its parts one behind the other.
    Tuple(Vec<Expr>),
    /// A part of a larger value.
    Part {
        /// The value.
        whole: Box<Expr>,
        /// What of it.
        field: Field,
    },
    /// A number seen as another type of word.
    As(Box<Expr>),
    /// `!`.
    Not(Box<Expr>),
    /// An operation on two numbers.
    Alu(Alu, Box<Expr>, Box<Expr>),
    /// The order of two values by their first bytes: 0, or below or above it.
    Compare {
        /// The left value.
        left: Box<Expr>,
        /// The right value.
        right: Box<Expr>,
        /// Bytes that count; all if none is given.
        len: Option<usize>,
    },
    /// Whether two values are equal, byte by byte.
    Same(Box<Expr>, Box<Expr>),
    /// Where a text holds another, or -1.
    Search(Box<Expr>, Box<Expr>),
    /// How long a text is.
    Length(Box<Expr>),
    /// `&&`.
    And(Box<Expr>, Box<Expr>),
    /// `||`.
    Or(Box<Expr>, Box<Expr>),
    /// `condition ? then : otherwise`.
    Choose(Box<Expr>, Box<Expr>, Box<Expr>),
    /// Whether a map has a key.
    HasKey(Place),
    /// Removes an entry; whether there was one.
    Delete(Place),
    /// How many entries a map has.
    Count(usize),
    /// A stack, without the frame of the probe's own function, whose address has this low half; 0 if it has none.
    Stack {
        /// The low half of the address.
        own: u32,
    },
    /// How many frames a stack has.
    Depth(Box<Expr>),
    /// A quantile of a histogram, in thousandths of a percent; in userspace.
    Quantile(Place, u32),
    /// Statements, then a value.
    After(Vec<Statement>, Box<Expr>),
}

/// What ends a text before its NUL.
#[derive(Clone, Debug)]
pub enum Limit {
    /// The longest text that there is: one that is longer is cut, which is counted.
    Longest,
    /// So many characters are wanted.
    Exact,
    /// So many characters are wanted as a value of the run says.
    Of(Box<Expr>),
}

impl Expr {
    /// A text that is known.
    #[must_use]
    pub fn text(text: Vec<u8>, span: Span) -> Expr {
        let ty = Type::literal(&text);
        Expr { kind: ExprKind::Text(text), ty, span }
    }

    /// An array of characters that lies at an address: a text, with or without a NUL at its end.
    #[must_use]
    pub fn of_characters(address: Box<Expr>, count: usize, span: Span) -> Expr {
        // The NUL is added.
        let max = (count + 1).min(MAX_STRING);
        Expr { kind: ExprKind::Str { address, max, limit: Limit::Exact }, ty: Type::text(max), span }
    }

    /// How many characters it has, if it is an array of them in memory.
    #[must_use]
    pub fn characters(&self) -> Option<usize> {
        match &self.kind {
            ExprKind::Str { max, limit: Limit::Exact, .. } => Some(max - 1),
            _ => None,
        }
    }

    /// Whether it reads a scratch variable.
    #[must_use]
    pub fn reads(&self, variable: usize) -> bool {
        self.any(&|expr| matches!(expr.kind, ExprKind::Variable(number) if number == variable))
    }

    /// Whether computing it changes anything.
    #[must_use]
    pub fn changes(&self) -> bool {
        self.any(&|expr| matches!(expr.kind, ExprKind::After(..) | ExprKind::Delete(_)))
    }

    /// Whether something holds for it or for any expression in it; those in statements are not looked at.
    fn any(&self, holds: &dyn Fn(&Expr) -> bool) -> bool {
        if holds(self) {
            return true;
        }
        match &self.kind {
            ExprKind::Map(place) | ExprKind::HasKey(place) | ExprKind::Delete(place) | ExprKind::Quantile(place, _) => {
                place.key.iter().any(|part| part.any(holds))
            }
            ExprKind::Str { address, limit, .. } => {
                address.any(holds) || matches!(limit, Limit::Of(limit) if limit.any(holds))
            }
            ExprKind::Buf { address: left, len: right, .. }
            | ExprKind::Alu(_, left, right)
            | ExprKind::Compare { left, right, .. }
            | ExprKind::Same(left, right)
            | ExprKind::Search(left, right)
            | ExprKind::And(left, right)
            | ExprKind::Or(left, right) => left.any(holds) || right.any(holds),
            ExprKind::Peek(Peek { address: one, .. })
            | ExprKind::Copy { address: one, .. }
            | ExprKind::Part { whole: one, .. }
            | ExprKind::As(one)
            | ExprKind::Not(one)
            | ExprKind::Length(one)
            | ExprKind::Depth(one) => one.any(holds),
            ExprKind::Tuple(many) => many.iter().any(|one| one.any(holds)),
            ExprKind::Choose(condition, then, otherwise) => {
                condition.any(holds) || then.any(holds) || otherwise.any(holds)
            }
            // Statements may read whatever they like.
            ExprKind::After(..) => true,
            ExprKind::Int(_) | ExprKind::Text(_) | ExprKind::Builtin(_) | ExprKind::Variable(_) => false,
            ExprKind::Access(_) | ExprKind::Count(_) | ExprKind::Stack { .. } => false,
        }
    }
}

/// A number in memory: which bytes and bits of it.
#[derive(Clone, Debug)]
pub struct Peek {
    /// The address.
    pub address: Box<Expr>,
    /// The number behind it.
    pub field: Field,
    /// Whose memory.
    pub space: Space,
}

/// A number or an area inside a larger value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Field {
    /// Bytes from the start.
    pub offset: u32,
    /// Bytes.
    pub size: u32,
    /// Whether a number has a sign.
    pub signed: bool,
    /// The first bit and how many, of a bit field.
    pub bits: Option<(u32, u32)>,
}

impl Field {
    /// A word of the language.
    #[must_use]
    pub const fn word(offset: u32) -> Field {
        Field { offset, size: 8, signed: false, bits: None }
    }
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
    /// The address of a part of the record.
    Address(u32),
    /// A word of the context, cut to a number of fewer bytes.
    Word {
        /// Bytes from its beginning.
        offset: u32,
        /// Bytes.
        size: u32,
        /// Whether it has a sign.
        signed: bool,
    },
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
        /// What becomes of the text.
        purpose: Purpose,
        /// Where it stands.
        span: Span,
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
    /// Prints one entry of a map of aggregations.
    PrintEntry {
        /// The map.
        map: usize,
        /// The parts of its key.
        key: Vec<Slot>,
    },
    /// Prints texts with a separator between.
    Join {
        /// The texts.
        texts: Vec<Slot>,
        /// What stands between.
        separator: Vec<u8>,
    },
    /// Empties a map.
    Clear(usize),
    /// Sets a map's values to zero.
    Zero(usize),
    /// Prints the time of day, by a format.
    Time(String),
    /// Ends the trace with this status.
    Exit(Argument),
    /// Gives out a structured record.
    Emit {
        /// What it is called.
        name: String,
        /// Its fields.
        fields: Vec<EmittedField>,
    },
}

/// What becomes of a text that was formatted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purpose {
    /// It is printed.
    Print,
    /// It is an error.
    Error,
    /// It is a warning.
    Warn,
    /// It is said with -v only.
    Debug,
    /// It names a file, which is printed.
    Cat,
    /// It is run by the shell.
    System,
    /// It is an error that ends the trace.
    Assert,
}

/// A field of a structured record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EmittedField {
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
