//! Programs as trees of text, so that one that fails can be made smaller.

/// The type of a value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Ty {
    /// A number of any width, or a truth value.
    Int,
    /// A text.
    Text,
    /// Values one behind the other, with names in a record.
    Tuple(Vec<(Option<String>, Ty)>),
}

impl Ty {
    /// The shortest value of a type.
    pub fn simplest(&self) -> String {
        match self {
            Ty::Int => "1".to_owned(),
            Ty::Text => "\"a\"".to_owned(),
            Ty::Tuple(parts) => {
                let value = |(name, ty): &(Option<String>, Ty)| match name {
                    Some(name) => format!("{name} = {}", ty.simplest()),
                    None => ty.simplest(),
                };
                let values = parts.iter().map(value).collect::<Vec<_>>().join(", ");
                if parts.len() == 1 { format!("({values},)") } else { format!("({values})") }
            }
        }
    }
}

/// A part of a statement or expression.
#[derive(Clone, Debug)]
pub enum Part {
    /// Text as it stands.
    Text(String),
    /// An expression.
    Expr(Expr),
    /// Statements in braces.
    Block(Vec<Statement>),
}

/// An expression.
#[derive(Clone, Debug)]
pub struct Expr {
    /// The type of its value.
    pub ty: Ty,
    /// What it is made of.
    pub parts: Vec<Part>,
}

/// A statement: what it is made of.
pub type Statement = Vec<Part>;

/// A program: the body of a clause, and what stands at the top for it.
#[derive(Clone, Debug)]
pub struct Program {
    /// What made it.
    pub seed: u64,
    /// Declarations and macros, each of which may go.
    pub top: Vec<String>,
    /// The body.
    pub body: Vec<Statement>,
}

impl Program {
    /// Its clause, run by a probe.
    pub fn clause(&self, probe: &str) -> String {
        let mut text = self.top.iter().map(|line| format!("{line}\n")).collect::<String>();
        text += probe;
        text += " {\n";
        block(&self.body, 1, &mut text);
        text + "}\n"
    }
}

fn block(statements: &[Statement], indent: usize, out: &mut String) {
    for statement in statements {
        out.push_str(&"  ".repeat(indent));
        parts(statement, indent, out);
        if !matches!(statement.last(), Some(Part::Block(_))) {
            out.push(';');
        }
        out.push('\n');
    }
}

fn parts(of: &[Part], indent: usize, out: &mut String) {
    for part in of {
        match part {
            Part::Text(text) => out.push_str(text),
            Part::Expr(expr) => parts(&expr.parts, indent, out),
            Part::Block(statements) => {
                out.push_str("{\n");
                block(statements, indent + 1, out);
                out.push_str(&"  ".repeat(indent));
                out.push('}');
            }
        }
    }
}

/// Makes a program smaller in the way of this number; `None` if there are fewer ways.
pub fn smaller(program: &Program, way: usize) -> Option<Program> {
    let mut program = program.clone();
    let mut left = way;
    if in_block(&mut program.body, &mut left) {
        return Some(program);
    }
    if left < program.top.len() {
        program.top.remove(left);
        return Some(program);
    }
    None
}

/// Counts `left` down by one; whether it was 0.
fn now(left: &mut usize) -> bool {
    if *left == 0 {
        return true;
    }
    *left -= 1;
    false
}

fn in_block(statements: &mut Vec<Statement>, left: &mut usize) -> bool {
    for index in 0..statements.len() {
        if now(left) {
            statements.remove(index);
            return true;
        }
        let inner = statements[index].iter().find_map(|part| match part {
            Part::Block(inner) => Some(inner.clone()),
            _ => None,
        });
        if let Some(inner) = inner
            && now(left)
        {
            statements.splice(index..=index, inner);
            return true;
        }
    }
    statements.iter_mut().any(|statement| in_parts(statement, left))
}

fn in_parts(of: &mut [Part], left: &mut usize) -> bool {
    of.iter_mut().any(|part| match part {
        Part::Text(_) => false,
        Part::Block(statements) => in_block(statements, left),
        Part::Expr(expr) => in_expr(expr, left),
    })
}

fn in_expr(expr: &mut Expr, left: &mut usize) -> bool {
    let simplest = expr.ty.simplest();
    if matches!(expr.parts.as_slice(), [Part::Text(text)] if *text == simplest) {
        return false;
    }
    if now(left) {
        expr.parts = vec![Part::Text(simplest)];
        return true;
    }
    let mut inner = Vec::new();
    below(&expr.parts, &expr.ty, &mut inner);
    for inner in inner {
        if now(left) {
            *expr = inner;
            return true;
        }
    }
    in_parts(&mut expr.parts, left)
}

/// The expressions of a type directly in others.
fn below(of: &[Part], ty: &Ty, found: &mut Vec<Expr>) {
    for part in of {
        match part {
            Part::Expr(expr) if expr.ty == *ty => found.push(expr.clone()),
            Part::Expr(expr) => below(&expr.parts, ty, found),
            Part::Text(_) | Part::Block(_) => {}
        }
    }
}
