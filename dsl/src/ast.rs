//! A script as it was written: the parser's output.

use crate::source::Span;

/// A whole script.
#[derive(Clone, Debug, Default)]
pub struct Script {
    /// The rhai functions, in source order.
    pub functions: Vec<Function>,
    /// The map declarations, in source order.
    pub declarations: Vec<Declaration>,
    /// The clauses, in source order.
    pub clauses: Vec<Clause>,
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

/// A map's kind and size: `let @name = kind(entries);`.
#[derive(Clone, Debug)]
pub struct Declaration {
    /// The map, with the at sign.
    pub map: Name,
    /// The kind of map.
    pub kind: Name,
    /// How many entries it holds at most, and where that stands.
    pub entries: (u64, Span),
}

/// A name and where it stands.
#[derive(Clone, Debug)]
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
    /// All of it.
    pub span: Span,
}

/// Statements in order.
pub type Block = Vec<Statement>;

/// One statement.
#[derive(Clone, Debug)]
pub enum Statement {
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
    /// `if (condition) { ... } else { ... }`.
    If {
        /// The condition.
        condition: Expr,
        /// What happens if it is not zero.
        then: Block,
        /// What happens if it is zero.
        otherwise: Block,
    },
    /// `emit name { field, name: value; further }`.
    Emit {
        /// What the record is called.
        name: Name,
        /// Its fields.
        fields: Vec<EmitField>,
        /// All of it.
        span: Span,
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
    /// A text.
    Str(String),
    /// A bare name: a builtin.
    Ident(String),
    /// `$name`, with the dollar.
    Var(String),
    /// `@name[keys]`, with the at sign.
    Map(String, Vec<Expr>),
    /// `value.name` or `value->name`.
    Member(Box<Expr>, Name),
    /// `value[index]`.
    Index(Box<Expr>, Box<Expr>),
    /// `name(arguments)`.
    Call(Name, Vec<Expr>),
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

/// Operators before an operand.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unary {
    /// `!`
    Not,
    /// `-`
    Neg,
    /// `~`
    Flip,
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
}
