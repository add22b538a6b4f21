use super::{Refused, format};

fn formatted(text: &str) -> String {
    let once = format(text).unwrap_or_else(|refused| panic!("{text}: {refused:?}"));
    assert_eq!(format(&once).as_ref(), Ok(&once), "not the same again: {text}");
    once
}

#[test]
fn statements_stand_on_lines_of_their_own() {
    assert_eq!(formatted("BEGIN{@x=1;;@y[ 1,2 ]=-@x+ ++@z}"), "BEGIN {\n    @x = 1;\n    @y[1, 2] = -@x + ++@z;\n}\n");
    assert_eq!(
        formatted("p /a&&b/ { if(a){b();}else if (c) {d()} else{} }"),
        "p /a && b/ {\n    if (a) {\n        b();\n    } else if (c) {\n        d();\n    } else {}\n}\n"
    );
}

#[test]
fn angles_stay_angles() {
    assert_eq!(
        formatted("p < if ((a > b)) < @=count()> >"),
        "p <\n    if ((a > b)) <\n        @ = count();\n    >\n>\n"
    );
    assert_eq!(formatted("p<>"), "p <>\n");
}

#[test]
fn comments_are_kept_where_they_stand() {
    let text = "// head\n\n\np /* why */ {  // open\n  // own\n  @x = 1 // behind\n ; \n\n  @y = // mid\n 2; /* a */ /* b */\n  // last\n}\n// end";
    assert_eq!(
        formatted(text),
        "// head\n\np /* why */ { // open\n    // own\n    @x = 1; // behind\n\n    @y = // mid\n        2; /* a */ /* b */\n    // last\n}\n// end\n"
    );
}

#[test]
fn what_stands_beside_clauses() {
    let text = "#!/usr/bin/scope\n#define A  1\nimport \"a\"\nconfig={x=1,y=2}\nstruct a{int *x,y [4];struct{char c:3;}z;}\nenum e{A=-1,B}\n\
        typedef struct a a_t;\nlet @m=lruhash( 5 )\nfn f( a ) {  a+1 }\nmacro m($a,b){$a+b}\np{@m[m($x,A)]=( struct a* )f->x[0].0}";
    assert_eq!(
        formatted(text),
        "#!/usr/bin/scope\n#define A  1\nimport \"a\";\nconfig = {\n    x = 1;\n    y = 2;\n}\nstruct a {\n    int *x, y[4];\n    \
         struct {\n        char c : 3;\n    } z;\n};\nenum e {\n    A = -1,\n    B\n};\ntypedef struct a a_t;\nlet @m = lruhash(5);\n\
         fn f( a ) {  a+1 }\nmacro m($a, b) {\n    $a + b\n}\np {\n    @m[m($x, A)] = (struct a *)f->x[0].0;\n}\n"
    );
}

#[test]
fn declarations_of_c_stay_as_c_has_them() {
    let text = "struct later;struct a{int(*f)(int,char*);int:3;char t[2*4];}__attribute__((packed));p{}";
    assert_eq!(
        formatted(text),
        "struct later;\nstruct a {\n    int (*f)(int, char *);\n    int : 3;\n    char t[2 * 4];\n} __attribute__((packed));\np {}\n"
    );
}

#[test]
fn values_of_blocks_keep_their_last_expression_bare() {
    assert_eq!(
        formatted("p { @x = 1 + { $y = 1; $y } }"),
        "p {\n    @x = 1 + {\n        $y = 1;\n        $y\n    };\n}\n"
    );
    assert_eq!(formatted("p { { a() }; -1; }"), "p {\n    {\n        a();\n    }\n    -1;\n}\n");
}

#[test]
fn long_lines_are_broken_behind_commas() {
    let text = format!("p {{ printf(\"%s %s\\n\", {}, {}) }}", "a".repeat(60), "b".repeat(60));
    let expected = format!("p {{\n    printf(\"%s %s\\n\", {},\n        {});\n}}\n", "a".repeat(60), "b".repeat(60));
    assert_eq!(formatted(&text), expected);
}

#[test]
fn signs_that_would_merge_are_kept_apart() {
    assert_eq!(
        formatted("p / *a == - -b/ { @x = a / *b & &c - --$d; }"),
        "p / *a == - -b/ {\n    @x = a / *b & &c - --$d;\n}\n"
    );
}

#[test]
fn a_comment_that_is_not_closed_is_a_division() {
    assert_eq!(formatted("p { @x = a/*b }"), "p {\n    @x = a / *b;\n}\n");
}

#[test]
fn a_file_may_hold_nothing_but_comments() {
    assert_eq!(formatted(""), "");
    assert_eq!(formatted("\r\n\r\n  // é \r\n/* b\n  c */ // d"), "// é\n/* b\n  c */ // d\n");
}

#[test]
fn what_can_not_be_parsed_is_refused() {
    assert!(matches!(format("p {"), Err(Refused::Wrong(found)) if found[0].code == "E0106"));
}

/// Token soup that parses, put together from what the grammar takes; the same on every run.
#[test]
fn soup_survives() {
    let pieces = [
        "p",
        "{",
        "}",
        "<",
        ">",
        "(",
        ")",
        "[",
        "]",
        ";",
        ",",
        "@a",
        "$b",
        "1",
        "\"s\"",
        "if",
        "else",
        "while",
        "for",
        "+",
        "-",
        "*",
        "/",
        "==",
        "->",
        ".",
        "..",
        "?",
        ":",
        "++",
        "--",
        "!",
        "&",
        "=",
        "+=",
        "// c\n",
        "/* d */",
        "\n",
        "\n\n",
        "f",
        "count",
        "emit",
        "let",
        "int",
        "struct",
        "(int *)",
        "return",
        "unroll",
        "macro",
        "fn",
        "config",
        "enum",
        "#define X 1\n",
        "p { ",
        " }",
        "p < ",
        "; }",
        "@a = ",
        "if (1) { ",
        "($i : 0..3)",
        "break",
        "/ 1 /",
    ];
    let mut seed = 0x9e37_79b9_7f4a_7c15_u64;
    let mut next = |bound: usize| {
        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (seed >> 33) as usize % bound
    };
    let mut parsed = 0;
    for _ in 0..15_000 {
        let length = 1 + next(9);
        let inner = (0..length).map(|_| pieces[next(pieces.len())]).collect::<Vec<_>>();
        let separator = [" ", "", "\n"][next(3)];
        let text = match next(3) {
            0 => inner.join(separator),
            1 => format!("p {{ {} }}", inner.join(separator)),
            _ => format!("p < @x = 1; {} >", inner.join(separator)),
        };
        match format(&text) {
            Ok(_) => {
                formatted(&text);
                parsed += 1;
            }
            Err(Refused::Wrong(found)) => assert!(!found.is_empty(), "{text}"),
            Err(Refused::Changed) => panic!("changed: {text:?}"),
        }
    }
    assert!(parsed > 200, "{parsed}");
}
