//! Text to [`ast::Script`](crate::ast::Script): the pest grammar, operator precedence, literals.

use std::sync::LazyLock;

use pest::Parser;
use pest::iterators::Pair;
use pest::pratt_parser::{Assoc, Op, PrattParser};

use crate::ast::{Binary, Block, Clause, Declaration, EmitField, Expr, ExprKind, Function, Name, Script, Statement, Unary};
use crate::diagnostic::Diagnostic;
use crate::limits::{MAX_NESTING, MAX_SOURCE};
use crate::source::Span;
use crate::{brackets, literal};

#[derive(pest_derive::Parser)]
#[grammar = "grammar.pest"]
struct Grammar;

/// C's precedences, lowest first; all operators are left-associative.
static PRECEDENCE: LazyLock<PrattParser<Rule>> = LazyLock::new(|| {
    let left = |rule| Op::infix(rule, Assoc::Left);
    PrattParser::new()
        .op(left(Rule::or))
        .op(left(Rule::and))
        .op(left(Rule::bit_or))
        .op(left(Rule::bit_xor))
        .op(left(Rule::bit_and))
        .op(left(Rule::eq) | left(Rule::ne))
        .op(left(Rule::lt) | left(Rule::le) | left(Rule::gt) | left(Rule::ge))
        .op(left(Rule::shl) | left(Rule::shr))
        .op(left(Rule::add) | left(Rule::sub))
        .op(left(Rule::mul) | left(Rule::div) | left(Rule::rem))
});

/// Parses a script.
///
/// # Errors
/// What is wrong with its syntax; the parser stops at the first place it can't read.
pub fn parse(text: &str) -> Result<Script, Vec<Diagnostic>> {
    if text.len() > MAX_SOURCE {
        let title = format!("the script has {} bytes; the limit is {MAX_SOURCE}", text.len());
        return Err(vec![Diagnostic::error("E0103", Span::new(0, 0), title, "")]);
    }
    // The parser recurses with the nesting, so the nesting is bounded before it starts.
    let deepest = brackets::deepest(text);
    if deepest.depth > MAX_NESTING {
        let title = format!("brackets nest {} deep; the limit is {MAX_NESTING}", deepest.depth);
        return Err(vec![Diagnostic::error("E0103", deepest.at, title, "the innermost")]);
    }
    let mut pairs = Grammar::parse(Rule::script, text).map_err(|error| vec![syntax_error(text, &error)])?;
    let mut builder = Builder::default();
    let script = builder.script(pairs.next().expect("a parse gives one script"));
    if script.clauses.is_empty() && builder.errors.is_empty() {
        let empty = Diagnostic::error("E0102", Span::new(0, 0), "the script has no clause", "")
            .help("a clause is `PROBE { ACTIONS }`, for example `sys_enter { @[comm] = count(); }`");
        builder.errors.push(empty);
    }
    if builder.errors.is_empty() { Ok(script) } else { Err(builder.errors) }
}

fn span(pair: &Pair<'_, Rule>) -> Span {
    Span::new(pair.as_span().start(), pair.as_span().end())
}

fn name(pair: &Pair<'_, Rule>) -> Name {
    Name { text: pair.as_str().to_owned(), span: span(pair) }
}

#[derive(Default)]
struct Builder {
    errors: Vec<Diagnostic>,
}

impl Builder {
    fn script(&mut self, pair: Pair<'_, Rule>) -> Script {
        let mut script = Script::default();
        for item in pair.into_inner() {
            match item.as_rule() {
                Rule::function => script.functions.push(function(item)),
                Rule::declaration => script.declarations.push(self.declaration(item)),
                Rule::clause => script.clauses.push(self.clause(item)),
                _ => {}
            }
        }
        script
    }

    fn declaration(&mut self, pair: Pair<'_, Rule>) -> Declaration {
        let mut parts = pair.into_inner().skip(1);
        let mut next = || parts.next().expect("a declaration has a map, a kind and a size");
        let (map, kind, size) = (name(&next()), name(&next()), next());
        let entries = self.number(&size);
        Declaration { map, kind, entries: (entries, span(&size)) }
    }

    fn number(&mut self, pair: &Pair<'_, Rule>) -> u64 {
        let text = pair.as_str();
        literal::number(text).unwrap_or_else(|problem| {
            self.errors.push(Diagnostic::error("E0104", span(pair), format!("`{text}` is not a number"), problem));
            0
        })
    }

    fn clause(&mut self, pair: Pair<'_, Rule>) -> Clause {
        let span = span(&pair);
        let mut clause = Clause { points: Vec::new(), predicate: None, body: Vec::new(), span };
        for part in pair.into_inner() {
            match part.as_rule() {
                Rule::attach_points => clause.points = part.into_inner().map(|point| name(&point)).collect(),
                Rule::predicate => clause.predicate = part.into_inner().next().map(|expr| self.expr(expr)),
                _ => clause.body = self.block(part),
            }
        }
        clause
    }

    fn block(&mut self, pair: Pair<'_, Rule>) -> Block {
        pair.into_inner().map(|statement| self.statement(statement)).collect()
    }

    fn statement(&mut self, pair: Pair<'_, Rule>) -> Statement {
        match pair.as_rule() {
            Rule::if_statement => self.if_statement(pair),
            Rule::emit_statement => self.emit_statement(pair),
            Rule::assignment | Rule::angle_assignment => {
                let mut parts = pair.into_inner();
                let target = parts.next().expect("an assignment has a target");
                let target = self.primary(target);
                let operator = parts.next().expect("an assignment has an operator");
                let operator = binary(operator.as_str().strip_suffix('=').unwrap_or_default());
                let value = self.expr(parts.next().expect("an assignment has a value"));
                Statement::Assign { target, operator, value }
            }
            _ => Statement::Expr(self.expr(pair)),
        }
    }

    fn if_statement(&mut self, pair: Pair<'_, Rule>) -> Statement {
        let mut parts = pair.into_inner().filter(|part| !matches!(part.as_rule(), Rule::if_keyword | Rule::else_keyword));
        let condition = self.expr(parts.next().expect("an if has a condition"));
        let then = self.block(parts.next().expect("an if has a block"));
        let otherwise = match parts.next() {
            None => Vec::new(),
            Some(part) if part.as_rule() == Rule::if_statement => vec![self.if_statement(part)],
            Some(part) => self.block(part),
        };
        Statement::If { condition, then, otherwise }
    }

    fn emit_statement(&mut self, pair: Pair<'_, Rule>) -> Statement {
        let span = span(&pair);
        let mut parts = pair.into_inner().skip(1);
        let record = name(&parts.next().expect("an emit has a name"));
        let mut column = true;
        let mut fields = Vec::new();
        for field in parts {
            if field.as_rule() == Rule::emit_more {
                column = false;
                continue;
            }
            let mut parts = field.into_inner();
            let first = parts.next().expect("a field has a value");
            fields.push(if first.as_rule() == Rule::identifier {
                let value = self.expr(parts.next().expect("a named field has a value"));
                EmitField { name: Some(name(&first)), value, column }
            } else {
                EmitField { name: None, value: self.expr(first), column }
            });
        }
        Statement::Emit { name: record, fields, span }
    }

    fn expr(&mut self, pair: Pair<'_, Rule>) -> Expr {
        let whole = span(&pair);
        let (flat, branches): (Vec<_>, Vec<_>) =
            pair.into_inner().partition(|part| !matches!(part.as_rule(), Rule::expr | Rule::angle_expr));
        let head = PRECEDENCE
            .map_primary(|term| self.term(term))
            .map_infix(|left, operator, right| {
                let span = left.span.to(right.span);
                let operator = binary(operator.as_str()).expect("the grammar's operators are all known");
                Expr { kind: ExprKind::Binary(operator, Box::new(left), Box::new(right)), span }
            })
            .parse(flat.into_iter());
        let mut branches = branches.into_iter();
        match (branches.next(), branches.next()) {
            (Some(then), Some(otherwise)) => {
                let (then, otherwise) = (self.expr(then), self.expr(otherwise));
                Expr { kind: ExprKind::Ternary(Box::new(head), Box::new(then), Box::new(otherwise)), span: whole }
            }
            _ => head,
        }
    }

    fn term(&mut self, pair: Pair<'_, Rule>) -> Expr {
        let whole = span(&pair);
        let mut prefixes = Vec::new();
        let mut value = None;
        for part in pair.into_inner() {
            match (part.as_rule(), value.take()) {
                (Rule::prefix, _) => prefixes.push(part),
                (Rule::postfix, Some(target)) => value = Some(self.postfix(target, part)),
                _ => value = Some(self.primary(part)),
            }
        }
        let mut value = value.expect("a term has a value");
        if prefixes.len() > MAX_NESTING {
            let title = format!("{} operators in a row; the limit is {MAX_NESTING}", prefixes.len());
            self.errors.push(Diagnostic::error("E0103", whole, title, ""));
            return value;
        }
        for prefix in prefixes.into_iter().rev() {
            let span = Span::new(prefix.as_span().start(), value.span.end);
            let unary = |operator, value| ExprKind::Unary(operator, Box::new(value));
            let kind = match prefix.as_str() {
                "!" => unary(Unary::Not, value),
                "-" => unary(Unary::Neg, value),
                "~" => unary(Unary::Flip, value),
                sign => ExprKind::Step { target: Box::new(value), up: sign == "++", before: true },
            };
            value = Expr { kind, span };
        }
        value
    }

    fn postfix(&mut self, target: Expr, pair: Pair<'_, Rule>) -> Expr {
        let span = target.span.to(span(&pair));
        let target = Box::new(target);
        let sign = pair.as_str();
        let kind = match pair.into_inner().next() {
            None => ExprKind::Step { target, up: sign == "++", before: false },
            Some(part) => {
                let member = part.as_rule() == Rule::member;
                let inner = part.into_inner().next().expect("a postfix names something");
                if member {
                    ExprKind::Member(target, name(&inner))
                } else {
                    ExprKind::Index(target, Box::new(self.expr(inner)))
                }
            }
        };
        Expr { kind, span }
    }

    fn primary(&mut self, pair: Pair<'_, Rule>) -> Expr {
        let whole = span(&pair);
        let text = pair.as_str().to_owned();
        let kind = match pair.as_rule() {
            Rule::number => ExprKind::Int(self.number(&pair)),
            Rule::string => {
                let inner = pair.into_inner().next().expect("a string has a content");
                match literal::string(inner.as_str()) {
                    Ok(value) => ExprKind::Str(value),
                    Err((at, problem)) => {
                        let start = inner.as_span().start() + at;
                        let title = "a string has an escape that means nothing";
                        self.errors.push(
                            Diagnostic::error("E0105", Span::new(start, (start + 2).min(whole.end)), title, problem)
                                .help("escapes are \\n \\t \\r \\0 \\\\ \\\" \\xHH and \\NNN (octal)"),
                        );
                        ExprKind::Str(String::new())
                    }
                }
            }
            Rule::map => {
                let mut parts = pair.into_inner();
                let map = parts.next().expect("a map has a name").as_str().to_owned();
                ExprKind::Map(map, parts.map(|key| self.expr(key)).collect())
            }
            Rule::variable => ExprKind::Var(text),
            Rule::call => {
                let mut parts = pair.into_inner();
                let function = name(&parts.next().expect("a call has a name"));
                ExprKind::Call(function, parts.map(|argument| self.expr(argument)).collect())
            }
            Rule::identifier => ExprKind::Ident(text),
            _ => return self.expr(pair),
        };
        Expr { kind, span: whole }
    }
}

fn function(pair: Pair<'_, Rule>) -> Function {
    let span = span(&pair);
    let mut names = pair.into_inner().filter(|part| part.as_rule() == Rule::identifier).map(|part| name(&part));
    let name = names.next().expect("a function has a name");
    Function { name, arity: names.count(), span }
}

fn binary(symbol: &str) -> Option<Binary> {
    use Binary::{Add, And, BitAnd, BitOr, BitXor, Div, Eq, Ge, Gt, Le, Lt, Mul, Ne, Or, Rem, Shl, Shr, Sub};
    let all = [
        Or, And, BitOr, BitXor, BitAnd, Eq, Ne, Lt, Le, Gt, Ge, Shl, Shr, Add, Sub, Mul, Div, Rem,
    ];
    all.into_iter().find(|operator| operator.symbol() == symbol)
}

/// Turns the parser's refusal into what a person needs: the bracket that is open, or what could stand there.
fn syntax_error(text: &str, error: &pest::error::Error<Rule>) -> Diagnostic {
    let at = match error.location {
        pest::error::InputLocation::Pos(at) | pest::error::InputLocation::Span((at, _)) => at,
    };
    if let Some(problem) = brackets::unbalanced(text) {
        return problem;
    }
    let place = brackets::token_at(text, at);
    let expected = match &error.variant {
        pest::error::ErrorVariant::ParsingError { positives, .. } => expectations(positives),
        pest::error::ErrorVariant::CustomError { message } => vec![message.as_str()],
    };
    let found = match &text[place.start..place.end] {
        "" => "the script ends here".to_owned(),
        token => format!("`{}` can't stand here", token.escape_debug()),
    };
    let label = match expected.as_slice() {
        [] => String::new(),
        names => format!("expected {}", names.join(", ")),
    };
    let diagnostic = Diagnostic::error("E0101", place, found, label);
    match advice(text, at) {
        Some(help) => diagnostic.help(help),
        None => diagnostic,
    }
}

/// The names of what the grammar would have taken, without repetition, the broadest only.
fn expectations(rules: &[Rule]) -> Vec<&'static str> {
    let mut names = Vec::new();
    for rule in rules {
        let name = match rule {
            Rule::clause | Rule::attach_points | Rule::attach_point => "a probe",
            Rule::function => "a function",
            Rule::declaration => continue,
            Rule::block => "a block",
            Rule::predicate => "a /predicate/",
            Rule::function_body => "the function's body",
            Rule::expr | Rule::angle_expr | Rule::term | Rule::prefix => "an expression",
            Rule::number | Rule::string | Rule::map | Rule::variable | Rule::call | Rule::identifier => "a value",
            Rule::if_statement | Rule::emit_statement | Rule::assignment | Rule::angle_assignment => "a statement",
            Rule::postfix | Rule::member | Rule::index => continue,
            Rule::assign_op => "`=`",
            Rule::emit_field | Rule::emit_more => "a field",
            Rule::EOI => "the end",
            _ => "an operator",
        };
        if !names.contains(&name) {
            names.push(name);
        }
    }
    if names.contains(&"an expression") {
        names.retain(|name| *name != "a value");
    }
    if names.contains(&"an operator") {
        names.retain(|name| *name != "`=`");
        names.push("`;`");
    }
    names
}

/// Says what is often meant at such a place.
fn advice(text: &str, at: usize) -> Option<&'static str> {
    let rest = text[at..].trim_start();
    let before = text[..at].trim_end();
    if rest.starts_with('=') && !rest.starts_with("==") {
        return Some("only a map (`@name`) or a scratch variable (`$name`) can be assigned; `==` compares");
    }
    // Outside all blocks, behind one that a `>` closed: perhaps earlier than it was meant.
    let closed = before.rfind('>').filter(|end| !before[..*end].ends_with('-'));
    if brackets::outside_braces(text, at) && closed.is_some_and(|end| !before[end..].contains(['{', '}']) && before.contains('<')) {
        return Some("in a `<` block a bare `>` closes the block: put a greater-than in parentheses, `(a > b)`");
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shape(text: &str) -> String {
        let script = parse(text).unwrap_or_else(|errors| panic!("{text}: {errors:?}"));
        let Statement::Expr(expr) = &script.clauses[0].body[0] else { panic!("{text}: not an expression") };
        expr_shape(expr)
    }

    fn expr_shape(expr: &Expr) -> String {
        match &expr.kind {
            ExprKind::Int(value) => value.to_string(),
            ExprKind::Ident(name) | ExprKind::Var(name) => name.clone(),
            ExprKind::Binary(op, left, right) => format!("({} {} {})", expr_shape(left), op.symbol(), expr_shape(right)),
            ExprKind::Unary(op, value) => format!("{op:?}({})", expr_shape(value)),
            ExprKind::Member(value, name) => format!("{}.{}", expr_shape(value), name.text),
            ExprKind::Ternary(a, b, c) => format!("({} ? {} : {})", expr_shape(a), expr_shape(b), expr_shape(c)),
            other => format!("{other:?}"),
        }
    }

    #[test]
    fn operators_bind_as_in_c() {
        assert_eq!(shape("p { a + b * c == d && e | f }"), "(((a + (b * c)) == d) && (e | f))");
        assert_eq!(shape("p { a - b - c << 2 }"), "(((a - b) - c) << 2)");
        assert_eq!(shape("p { -a.b + !c }"), "(Neg(a.b) + Not(c))");
        assert_eq!(shape("p { a ? b : c ? d : e }"), "(a ? b : (c ? d : e))");
    }

    #[test]
    fn a_bare_greater_than_closes_an_angle_block() {
        assert_eq!(shape("p < (a > b) >"), "(a > b)");
        assert_eq!(shape("p < a >= b >"), "(a >= b)");
        assert_eq!(shape("p < a >> b >"), "(a >> b)");
        assert_eq!(shape("p < a->b >"), "a.b");
        assert_eq!(shape("p < a < b >"), "(a < b)");
        assert_eq!(parse("a < @=count()> b { @=count() }").unwrap().clauses.len(), 2);
        assert_eq!(parse("a < if (x > 1) < y; > else { z > 2 } > b <>").unwrap().clauses.len(), 2);
    }

    #[test]
    fn a_predicate_may_divide() {
        let script = parse("p /a / 2 == 1/ { b }").unwrap();
        assert_eq!(expr_shape(script.clauses[0].predicate.as_ref().unwrap()), "((a / 2) == 1)");
        let script = parse("p /a/ // why\n < b >").unwrap();
        assert_eq!(expr_shape(script.clauses[0].predicate.as_ref().unwrap()), "a");
    }

    #[test]
    fn functions_keep_their_rhai_to_themselves() {
        let script = parse("#!/usr/bin/scope\nfn f(n) { if n > \"}\".len() { `}` } else { '}' } } p { 1 }").unwrap();
        assert_eq!((script.functions[0].name.text.as_str(), script.functions[0].arity), ("f", 1));
    }
}
