use crate::ast::{Expr, ExprKind, Script, StatementKind};

use super::parse;

fn script(text: &str) -> Script {
    let parsed = parse(text, 0);
    assert!(parsed.diagnostics.is_empty(), "{text}: {:?}", parsed.diagnostics);
    parsed.script
}

fn shape(text: &str) -> String {
    let script = script(text);
    let StatementKind::Expr(expr) = &script.clauses[0].body[0].kind else { panic!("{text}: not an expression") };
    expr_shape(expr)
}

fn expr_shape(expr: &Expr) -> String {
    match &expr.kind {
        ExprKind::Int(value) => value.to_string(),
        ExprKind::Ident(name) | ExprKind::Var(name) => name.clone(),
        ExprKind::Binary(op, left, right) => format!("({} {} {})", expr_shape(left), op.symbol(), expr_shape(right)),
        ExprKind::Unary(op, value) => format!("{op:?}({})", expr_shape(value)),
        ExprKind::Member(value, name) => format!("{}.{}", expr_shape(value), name.text),
        ExprKind::Position(value, index) => format!("{}.{index}", expr_shape(value)),
        ExprKind::Index(value, index) => format!("{}[{}]", expr_shape(value), expr_shape(index)),
        ExprKind::Ternary(a, b, c) => format!("({} ? {} : {})", expr_shape(a), expr_shape(b), expr_shape(c)),
        ExprKind::Tuple(parts) => format!("({})", parts.iter().map(expr_shape).collect::<Vec<_>>().join(", ")),
        ExprKind::Cast(_, value) => format!("Cast({})", expr_shape(value)),
        ExprKind::Block(statements, value) => format!("{{{}; {}}}", statements.len(), expr_shape(value)),
        other => format!("{other:?}"),
    }
}

#[test]
fn operators_bind_as_in_c() {
    assert_eq!(shape("p { a + b * c == d && e | f }"), "(((a + (b * c)) == d) && (e | f))");
    assert_eq!(shape("p { a - b - c << 2 }"), "(((a - b) - c) << 2)");
    assert_eq!(shape("p { -a.b + !c }"), "(Neg(a.b) + Not(c))");
    assert_eq!(shape("p { a ? b : c ? d : e }"), "(a ? b : (c ? d : e))");
    assert_eq!(shape("p { *a->b[1] }"), "Deref(a.b[1])");
}

#[test]
fn casts_are_told_from_brackets() {
    assert_eq!(shape("p { (uint8)a + 1 }"), "(Cast(a) + 1)");
    assert_eq!(shape("p { (struct foo *)a->b }"), "Cast(a.b)");
    assert_eq!(shape("p { ((sockaddr *)a)->b }"), "Cast(a).b");
    assert_eq!(shape("p { (unsigned long)a }"), "Cast(a)");
    assert_eq!(shape("p { (a) - b }"), "(a - b)");
    assert_eq!(shape("p { (a * b) }"), "(a * b)");
    assert_eq!(shape("p { (int8_t[4])a }"), "Cast(a)");
}

#[test]
fn tuples_and_blocks_are_values() {
    assert_eq!(shape("p { (1, (2, x)).1.0 }"), "(1, (2, x)).1.0");
    assert_eq!(shape("p { 1 + { $x = 1; $x } }"), "(1 + {1; $x})");
    assert!(!parse("p { 1 + { $x = 1; } }", 0).diagnostics.is_empty());
}

#[test]
fn statements_of_every_kind() {
    let text =
        "p { let $a; let $b: uint8 = 1; _ = 5; if a { b } else if (c) { d } else { e } while ($a < 5) { $a++; break; }
        for ($i : 0..10) { continue; } for $kv : @m { print($kv); } unroll(3) { a } return; }";
    let script = script(text);
    let kinds = script.clauses[0].body.iter().map(|statement| match &statement.kind {
        StatementKind::Let { .. } => "let",
        StatementKind::Discard(_) => "discard",
        StatementKind::If { .. } => "if",
        StatementKind::While { .. } => "while",
        StatementKind::For { .. } => "for",
        StatementKind::Each { .. } => "each",
        StatementKind::Unroll { .. } => "unroll",
        StatementKind::Return(_) => "return",
        _ => "other",
    });
    let expected = ["let", "let", "discard", "if", "while", "for", "each", "unroll", "return"];
    assert_eq!(kinds.collect::<Vec<_>>(), expected);
}

#[test]
fn a_predicate_may_divide() {
    let divided = script("p /a / 2 == 1/ { b }");
    assert_eq!(expr_shape(divided.clauses[0].predicate.as_ref().unwrap()), "((a / 2) == 1)");
    let plain = script("p /a/ // why\n < b >");
    assert_eq!(expr_shape(plain.clauses[0].predicate.as_ref().unwrap()), "a");
}

#[test]
fn functions_keep_their_rhai_to_themselves() {
    let script = script("#!/usr/bin/scope\nfn f(n) { if n > \"}\".len() { `}` } else { '}' } } p { 1 }");
    assert_eq!((script.functions[0].name.text.as_str(), script.functions[0].arity), ("f", 1));
}

#[test]
fn what_stands_beside_clauses() {
    let script = script(
        "import \"a.scope\"; config = { max_map_keys = 5; missing_probes = warn }
        struct pair { int left; unsigned right : 3; struct { char c[4]; }; struct pair *next, **list; };
        union u { int a; } enum e { A, B = 5, C = -1 } typedef struct pair pair_t;
        #define LIMIT (1 + 2)\nmacro m($a, @b, c) { c + 1 } let @x = lruhash(5); p { m($a, @x, LIMIT) }",
    );
    assert_eq!((script.imports.len(), script.settings.len(), script.types.len(), script.macros.len()), (1, 2, 4, 2));
}

#[test]
fn directives_for_headers_are_left_out() {
    let text = "#ifndef BPFTRACE_HAVE_BTF\n#include <linux/sched.h>\n#else\n#define A 1\n#endif\np { A }";
    assert_eq!(script(text).macros.len(), 1);
    assert_eq!(parse("#include <a.h>\np { 1 }", 0).diagnostics[0].code, "W0002");
    assert_eq!(parse("#pragma once\np { 1 }", 0).diagnostics[0].code, "E0108");
}

#[test]
fn nothing_that_nests_deep_is_slow_or_fatal() {
    // With the stack that a process has; that of a test's thread is a quarter of it.
    let deep = std::thread::Builder::new().stack_size(8 << 20).spawn(nest_deep).expect("a thread can be started");
    deep.join().expect("nothing panics");
}

fn nest_deep() {
    for (open, close) in
        [("(", ")"), ("{", "}"), ("[", "]"), ("if (1) {", "}"), ("if {", "} {}"), ("!(", ")"), ("a ? ", " : b")]
    {
        for depth in [90, 10_000] {
            let _ = parse(&format!("p {{ {}1{} }}", open.repeat(depth), close.repeat(depth)), 0);
        }
    }
}
