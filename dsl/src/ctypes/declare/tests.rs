//! Tests of what is wrong with declarations, and of types' names.

use super::*;
use crate::ctypes::fixture;

/// Gives the codes and the texts at the places of what is wrong.
fn problems(text: &str) -> Vec<(&'static str, String)> {
    let types = fixture::types("struct task_struct { int pid; }; enum state { IDLE };");
    let problems = types.declare(&fixture::source(text).declarations).err().unwrap_or_default();
    let place = |problem: &Diagnostic| text[problem.primary.0.start..problem.primary.0.end].to_owned();
    problems.iter().map(|problem| (problem.code, place(problem))).collect()
}

#[test]
fn what_is_wrong_is_said_once_and_at_its_place() {
    let cases: [(&str, &[(&str, &str)]); 31] = [
        ("struct a { int x; foo_t y; };", &[("E0340", "foo_t")]),
        ("struct a { struct foo y; };", &[("E0340", "struct foo")]),
        ("struct a { enum foo y; enum state s; };", &[("E0340", "enum foo")]),
        ("struct a { struct foo *y; struct foo *z; };", &[]),
        ("struct a { struct foo *y; struct foo z; };", &[("E0341", "struct foo z")]),
        ("struct a { struct foo *y; struct foo z[2]; };", &[("E0341", "struct foo z[2]")]),
        ("struct a { struct task_struct t; };", &[]),
        ("struct a { void x; void *y; };", &[("E0341", "void x")]),
        ("struct a { struct b x; }; struct b { int x; };", &[("E0341", "struct b x")]),
        ("struct a { struct b *x; }; struct b { struct a x; };", &[]),
        ("struct a { int x; char x; };", &[("E0342", "x")]),
        (
            "struct a { int x; struct { char y; union { int x; }; }; };",
            &[("E0342", "struct { char y; union { int x; }; }")],
        ),
        ("struct a { int x; struct { char x; } y; };", &[]),
        ("struct a { int x:33; };", &[("E0343", "int x:33")]),
        ("struct a { bool x:2; char y:9; long z:64; };", &[("E0343", "bool x:2"), ("E0343", "char y:9")]),
        ("struct a { int x:0; };", &[("E0343", "int x:0")]),
        ("struct a { float x:3; int *y:3; };", &[("E0343", "float x"), ("E0343", "int *y")]),
        ("struct a { struct a x; };", &[("E0344", "struct a x")]),
        ("struct a { struct a *x; struct a y[3]; };", &[("E0344", "struct a y[3]")]),
        ("struct a { struct { struct a x; } y; };", &[("E0344", "struct a x")]),
        ("struct a { struct b { struct a *x; } y; }; struct c { struct b x; };", &[]),
        ("struct a { int x; }; struct a { int x; };", &[("E0345", "a")]),
        ("struct a { int x; }; struct b { struct a { int x; } y; };", &[("E0345", "a")]),
        ("enum a { X, Y, X };", &[("E0345", "X")]),
        ("enum a { X }; enum b { X };", &[("E0345", "X")]),
        ("typedef int a; typedef int a; typedef long a;", &[("E0345", "a")]),
        ("typedef foo_t a; struct b { a x; };", &[("E0340", "foo_t")]),
        ("struct a { char x[]; int y; };", &[("E0368", "char x[]")]),
        ("union a { int y; char x[]; };", &[("E0368", "char x[]")]),
        ("struct a { char x[9999999999]; };", &[("E0346", "char x[9999999999]")]),
        ("struct a { long x[400000000]; long y; long z[70000000]; };", &[("E0346", "long x[400000000]")]),
    ];
    for (text, expected) in cases {
        let found = problems(text);
        let found = found.iter().map(|(code, place)| (*code, place.as_str())).collect::<Vec<_>>();
        assert_eq!(found, expected, "{text}");
    }
}

fn resolve(types: &Types, text: &str) -> Result<TypeId, Diagnostic> {
    let source = fixture::source(&format!("{text} f(void);"));
    types.resolve(&source.prototypes[0].returns)
}

#[test]
fn names_are_resolved() {
    let types =
        fixture::types("struct task_struct { int pid; }; enum state { IDLE }; typedef int pid_t; typedef long odd;");
    types.declare(&fixture::source("struct own { struct other *x; };").declarations).expect("no errors");
    let names =
        ["int", "unsigned long *", "struct task_struct *", "enum state", "odd", "u32 **", "const char *", "struct own"];
    for name in names.into_iter().chain(["struct other *"]) {
        let found = resolve(&types, name).map(|id| types.describe(id));
        let spelling = if name == "u32 **" { "unsigned int **" } else { name };
        assert_eq!(found.as_deref(), Ok(spelling), "{name}");
    }
    let help = |name| resolve(&types, name).map_err(|error| (error.code, error.title, error.help));
    let wrong = |title: &str, help: &[&str]| {
        let help = help.iter().map(|help| (*help).to_owned()).collect();
        Err(("E0340", format!("unknown type `{title}`"), help))
    };
    assert_eq!(help("task_struct *"), wrong("task_struct", &["did you mean `struct task_struct`?"]));
    assert_eq!(help("struct task_strct *"), wrong("struct task_strct", &["did you mean `struct task_struct`?"]));
    assert_eq!(help("union state *"), wrong("union state", &["did you mean `enum state`?"]));
    assert_eq!(help("struct zzz *"), wrong("struct zzz", &[]));
}
