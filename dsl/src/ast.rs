//! A script as it was written: the parser's output.

use crate::ctypes::declare::{Declaration as TypeDeclaration, TypeName};
use crate::source::Span;

/// A whole script.
#[derive(Clone, Debug, Default)]
pub struct Script {
    /// The rhai functions, in source order.
    pub functions: Vec<Function>,
    /// The other scripts that it takes in, by name.
    pub imports: Vec<Name>,
    /// The settings of its `config` blocks.
    pub settings: Vec<Setting>,
    /// The types that it declares.
    pub types: Vec<TypeDeclaration>,
    /// The macros, in source order.
    pub macros: Vec<Macro>,
    /// The map declarations, in source order.
    pub declarations: Vec<Declaration>,
    /// The clauses, in source order.
    pub clauses: Vec<Clause>,
    /// A predicate that all clauses of the kernel have besides their own.
    pub only: Option<Expr>,
}

/// A rhai function: `fn name(a, b) { ... }`.
#[derive(Clone, Debug)]
pub struct Function {
    /// Its name.
    pub name: Name,
    /// How many parameters it has.
    pub arity: usize,
    /// All of it, from `fn` to the closing brace.
    pub span: Span,
}

/// `name = value` in a `config` block.
#[derive(Clone, Debug)]
pub struct Setting {
    /// What is set.
    pub name: Name,
    /// Its value, a string without its quotes.
    pub value: Name,
}

/// A macro: `macro name($a, @b, c) { ... }`, or `#define NAME value`.
#[derive(Clone, Debug)]
pub struct Macro {
    /// Its name.
    pub name: Name,
    /// Its parameters as they are written: `$a` takes a scratch variable, `@b` a map, `c` any value.
    pub parameters: Vec<Name>,
    /// Whether it is called with parentheses.
    pub called: bool,
    /// What it does; its value is that of its last expression.
    pub body: Vec<Statement>,
}

/// A map's kind and size: `let @name = kind(entries);`.
#[derive(Clone, Debug)]
pub struct Declaration {
    /// The map, with the at sign.
    pub map: Name,
    /// The kind of map.
    pub kind: Name,
    /// How many entries it holds at most, and where that stands.
    pub entries: Option<(u64, Span)>,
}

/// A name and where it stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Name {
    /// The name.
    pub text: String,
    /// Its place.
    pub span: Span,
}

/// Attach points, a predicate and what to do.
#[derive(Clone, Debug)]
pub struct Clause {
    /// Where it is attached.
    pub points: Vec<Name>,
    /// When it runs.
    pub predicate: Option<Expr>,
    /// What it does.
    pub body: Block,
    /// Whether it sees all events, whomever the others are to watch: it is one of scope's own.
    pub of_all: bool,
    /// All of it.
    pub span: Span,
}

/// Statements in order.
pub type Block = Vec<Statement>;

/// A statement and where it stands.
#[derive(Clone, Debug)]
pub struct Statement {
    /// What it is.
    pub kind: StatementKind,
    /// Its place.
    pub span: Span,
}

/// The kinds of statement.
#[derive(Clone, Debug)]
pub enum StatementKind {
    /// An expression, for what it does.
    Expr(Expr),
    /// `target = value`, or with an operator `target += value`.
    Assign {
        /// A map or a scratch variable.
        target: Expr,
        /// The operator of a compound assignment.
        operator: Option<Binary>,
        /// The right side.
        value: Expr,
    },
    /// `let $name: type = value`.
    Let {
        /// The variable, with the dollar.
        name: Name,
        /// Its type, if one is given.
        ty: Option<TypeRef>,
        /// Its first value, if one is given.
        value: Option<Expr>,
    },
    /// `_ = value`: computed and dropped.
    Discard(Expr),
    /// `if (condition) { ... } else { ... }`.
    If {
        /// The condition.
        condition: Expr,
        /// What happens if it is not zero.
        then: Block,
        /// What happens if it is zero.
        otherwise: Block,
    },
    /// `while (condition) { ... }`.
    While {
        /// As long as this is not zero.
        condition: Expr,
        /// What happens again and again.
        body: Block,
    },
    /// `for ($i : from..to) { ... }`: up to the end, without it.
    For {
        /// The variable, with the dollar.
        variable: Name,
        /// Its first value.
        from: Expr,
        /// Where it ends.
        to: Expr,
        /// What happens for each value.
        body: Block,
    },
    /// `for ($kv : @map) { ... }`.
    Each {
        /// The variable, with the dollar: a tuple of key and value.
        variable: Name,
        /// The map.
        map: Name,
        /// What happens for each entry.
        body: Block,
    },
    /// `unroll (n) { ... }`.
    Unroll {
        /// How often.
        count: Expr,
        /// What happens.
        body: Block,
    },
    /// `{ ... }`.
    Block(Block),
    /// `break`.
    Break,
    /// `continue`.
    Continue,
    /// `return`: ends the clause.
    Return(Option<Expr>),
    /// `emit name { field, name: value; further }`.
    Emit {
        /// What the record is called.
        name: Name,
        /// Its fields.
        fields: Vec<EmitField>,
    },
}

/// A field of a structured record.
#[derive(Clone, Debug)]
pub struct EmitField {
    /// Its name, if one is given.
    pub name: Option<Name>,
    /// Its value.
    pub value: Expr,
    /// Whether it is a column of the table; if not, only formats for programs show it.
    pub column: bool,
}

/// An expression and where it stands.
#[derive(Clone, Debug)]
pub struct Expr {
    /// What it is.
    pub kind: ExprKind,
    /// Its place.
    pub span: Span,
}

/// The kinds of expression.
#[derive(Clone, Debug)]
pub enum ExprKind {
    /// A number.
    Int(u64),
    /// A text: bytes, since an escape can make any.
    Str(Vec<u8>),
    /// A bare name: a builtin, an enumerator, a macro.
    Ident(String),
    /// `$name`, with the dollar.
    Var(String),
    /// `$1`, `$2`, ...: what the script was given.
    Parameter(usize),
    /// `$#`: how many there are.
    ParameterCount,
    /// `@name[keys]`, with the at sign.
    Map(String, Vec<Expr>),
    /// `value.name` or `value->name`.
    Member(Box<Expr>, Name),
    /// `value.0`: a part of a tuple.
    Position(Box<Expr>, usize),
    /// `value[index]`.
    Index(Box<Expr>, Box<Expr>),
    /// `name(arguments)`.
    Call(Name, Vec<Expr>),
    /// `(a, b)`.
    Tuple(Vec<Expr>),
    /// `(a = 1, b = 2)`.
    Record(Vec<(Name, Expr)>),
    /// `(type) value`.
    Cast(TypeRef, Box<Expr>),
    /// `sizeof(type)`.
    SizeOf(TypeRef),
    /// `offsetof(type, field.field)`.
    OffsetOf(TypeRef, Vec<Name>),
    /// `{ ...; value }`.
    Block(Block, Box<Expr>),
    /// An operator before its operand.
    Unary(Unary, Box<Expr>),
    /// An operator between its operands.
    Binary(Binary, Box<Expr>, Box<Expr>),
    /// `condition ? then : otherwise`.
    Ternary(Box<Expr>, Box<Expr>, Box<Expr>),
    /// `++`, `--` before or behind a map or a variable.
    Step {
        /// What is changed.
        target: Box<Expr>,
        /// Whether it grows.
        up: bool,
        /// Whether the value is the one after the change.
        before: bool,
    },
}

/// A type as it is written.
#[derive(Clone, Debug)]
pub enum TypeRef {
    /// By its name.
    Named(TypeName),
    /// `typeof(value)`.
    Of(Box<Expr>),
}

/// Operators before an operand.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unary {
    /// `!`
    Not,
    /// `-`
    Neg,
    /// `~`
    Flip,
    /// `*`: what lies at an address.
    Deref,
    /// `&`: the address of it.
    Address,
}

/// Operators between two operands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "each is the operator that its name says")]
pub enum Binary {
    Or,
    And,
    BitOr,
    BitXor,
    BitAnd,
    Eq,
    Ne,
    Lt,
    Le,
    Gt,
    Ge,
    Shl,
    Shr,
    Add,
    Sub,
    Mul,
    Div,
    Rem,
}

impl Binary {
    /// Every operator, the loosest first.
    pub const ALL: [Binary; 18] = [
        Binary::Or,
        Binary::And,
        Binary::BitOr,
        Binary::BitXor,
        Binary::BitAnd,
        Binary::Eq,
        Binary::Ne,
        Binary::Lt,
        Binary::Le,
        Binary::Gt,
        Binary::Ge,
        Binary::Shl,
        Binary::Shr,
        Binary::Add,
        Binary::Sub,
        Binary::Mul,
        Binary::Div,
        Binary::Rem,
    ];

    /// The operator as it is written.
    #[must_use]
    pub const fn symbol(self) -> &'static str {
        match self {
            Binary::Or => "||",
            Binary::And => "&&",
            Binary::BitOr => "|",
            Binary::BitXor => "^",
            Binary::BitAnd => "&",
            Binary::Eq => "==",
            Binary::Ne => "!=",
            Binary::Lt => "<",
            Binary::Le => "<=",
            Binary::Gt => ">",
            Binary::Ge => ">=",
            Binary::Shl => "<<",
            Binary::Shr => ">>",
            Binary::Add => "+",
            Binary::Sub => "-",
            Binary::Mul => "*",
            Binary::Div => "/",
            Binary::Rem => "%",
        }
    }

    /// Whether it compares.
    #[must_use]
    pub const fn compares(self) -> bool {
        matches!(self, Binary::Eq | Binary::Ne | Binary::Lt | Binary::Le | Binary::Gt | Binary::Ge)
    }
}
