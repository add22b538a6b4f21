//! Scripts that are too large, too deep or go round in circles: each is refused with an error or taken, with modest memory.

use std::fs;

use scope_dsl::source::{Importer, NoImports, Source};
use scope_dsl::{Options, compile};
use scope_tests::Recorded;

/// How much more memory all of this may take at most, in KiB.
const MODEST: u64 = 1 << 20;

/// Compiles a script; gives the codes of its errors.
fn compiled(text: String, importer: &dyn Importer) -> Vec<&'static str> {
    let mut source = Source::new("large", text);
    let compiled = compile(&mut source, importer, &Recorded::open(), Options::default());
    let drawn = scope::cli::render::render(&source, &compiled.diagnostics, false);
    assert!(compiled.program.is_some() || !drawn.is_empty(), "refused without a word");
    assert!(drawn.len() < 1 << 20, "the errors have {} bytes", drawn.len());
    let peak = peak();
    assert!(peak < MODEST, "it took {peak} KiB");
    compiled.diagnostics.iter().map(|found| found.code).collect()
}

/// The most memory that this process had, in KiB.
fn peak() -> u64 {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    line.and_then(|line| line.trim().trim_end_matches(" kB").parse().ok()).unwrap_or(0)
}

fn begin(body: &str) -> Vec<&'static str> {
    compiled(format!("BEGIN {{ {body} }}"), &NoImports)
}

/// Something so often.
const MANY: usize = 10_000;

#[test]
fn ten_megabytes() {
    assert!(!compiled("BEGIN { @ = count(); } ".repeat(420_000), &NoImports).is_empty());
    assert!(!compiled("x".repeat(10 << 20), &NoImports).is_empty());
    assert!(!compiled("<".repeat(10 << 20), &NoImports).is_empty());
}

#[test]
fn deep_brackets() {
    for (open, inner, close) in [
        ("(", "1", ")"),
        ("@a[", "1", "]"),
        ("(uint8)(", "1", ")"),
        ("({", "1", "})"),
        ("strlen(", "1", ")"),
        ("(1, ", "1", ")"),
    ] {
        assert!(!begin(&format!("$x = {}{inner}{};", open.repeat(MANY), close.repeat(MANY))).is_empty(), "{open}");
        assert!(!begin(&format!("$x = {}{inner};", open.repeat(MANY))).is_empty(), "{open}");
    }
    assert!(!begin(&format!("{}{}", "{".repeat(MANY), "}".repeat(MANY))).is_empty());
    assert!(!begin(&"}".repeat(MANY)).is_empty());
    assert!(!compiled(format!("BEGIN {}{}", "< ".repeat(MANY), "> ".repeat(MANY)), &NoImports).is_empty());
}

#[test]
fn deep_statements() {
    assert!(!begin(&format!("{}{}", "if (1) { ".repeat(MANY), "}".repeat(MANY))).is_empty());
    assert!(!begin(&format!("{}{}", "while (cpu) { ".repeat(MANY), "}".repeat(MANY))).is_empty());
    assert!(!begin(&format!("{}{}", "unroll (2) { ".repeat(MANY), "}".repeat(MANY))).is_empty());
    // What fails deep inside is tried once, not twice for each block around it.
    for (open, close) in [
        ("{ ", "}"),
        ("if (1) { ", "}"),
        ("while cpu { ", "}"),
        ("$x = ({ ", "})"),
        ("@a[({ ", "})]"),
        ("sizeof((", "))"),
        ("if ({ ", "})"),
        ("@a[@b[", "]]"),
    ] {
        let depth = 90 / close.len();
        let text = format!("BEGIN {{ {}1 = 1{} }}", open.repeat(depth), close.repeat(depth));
        let mut source = Source::new("large", text);
        let found = compile(&mut source, &NoImports, &Recorded::open(), Options::default()).diagnostics;
        assert_eq!(found[0].title, "`=` can't stand here", "{open}");
    }
    // What follows `else` is as deep as what comes before.
    let _ = begin(&format!("if (cpu == 0) {{ }} {}", "else if (cpu == 1) { } ".repeat(MANY)));
}

#[test]
fn repeated_rounds_multiply() {
    assert!(!begin(&format!("{}$x = 1;{}", "unroll (100) { ".repeat(8), "}".repeat(8))).is_empty());
}

#[test]
fn deep_operators() {
    let _ = begin(&format!("$x = {}2;", "1 ? ".repeat(MANY)));
    let _ = begin(&format!("$x = {}2;", "cpu ? 1 : ".repeat(MANY)));
    for prefix in ["-", "!", "~", "*", "&", "(uint8)", "- - ", "++"] {
        assert!(!begin(&format!("$x = {}1;", prefix.repeat(MANY))).is_empty(), "{prefix}");
    }
    for operator in [" + ", " && ", " || ", " == ", " - ", " << "] {
        let _ = begin(&format!("$x = cpu{};", format!("{operator}cpu").repeat(MANY)));
    }
    let _ = begin(&format!("$x = $y{};", ".a".repeat(MANY)));
    let _ = begin(&format!("$x = $y{};", "[0]".repeat(MANY)));
    let _ = begin(&format!("$x = $y{};", "++".repeat(MANY)));
}

#[test]
fn long_literals_comments_and_names() {
    let long = "a".repeat(1 << 20);
    let _ = begin(&format!("printf(\"{long}\");"));
    let _ = begin(&format!("print(\"{long}\");"));
    let _ = begin(&format!("@[\"{long}\"] = \"{long}\" == \"b\";"));
    let _ = begin(&format!("print(\"{long}"));
    assert_eq!(begin(&format!("/* {long} */ print(1);")), Vec::<&str>::new());
    assert_eq!(begin(&format!("print(1); // {long}\n")), Vec::<&str>::new());
    let _ = begin(&format!("/* {long}"));
    let _ = begin(&format!("${long} = 1; print(${long});"));
    let _ = begin(&format!("@{long} = 1;"));
    let _ = begin(&format!("{long}();"));
    let _ = begin(&format!("$x = {long};"));
    let _ = begin(&format!("$x = {};", "9".repeat(1 << 20)));
    let _ = begin(&format!("emit {long} {{ {long}: 1 }};"));
    let _ = compiled(format!("{long} {{ }}"), &NoImports);
    let _ = compiled(format!("tracepoint:{long}:{} {{ }}", "*?".repeat(1 << 18)), &NoImports);
    let _ = compiled(format!("config = {{ {long} = 1 }} BEGIN {{ }}"), &NoImports);
    let _ = compiled(format!("macro {long}() {{ 1 }} BEGIN {{ print({long}()); }}"), &NoImports);
    let _ = compiled(format!("struct {long} {{ int {long}; }} BEGIN {{ print(sizeof(struct {long})); }}"), &NoImports);
}

#[test]
fn many_of_everything() {
    let _ = compiled("BEGIN { }\n".repeat(2_000), &NoImports);
    let _ = compiled("BEGIN { print(1); }\n".repeat(2_000), &NoImports);
    let _ = compiled("sys_enter { @ = count(); }\n".repeat(2_000), &NoImports);
    let _ = begin(&"$x = 1; ".repeat(2_000));
    let _ = begin(&"print(1); ".repeat(2_000));
    let _ = begin(&"$x = y; ".repeat(2_000));
    let _ = begin(&(0..2_000).map(|number| format!("$v{number} = 1;")).collect::<String>());
    let _ = begin(&(0..2_000).map(|number| format!("@m{number} = 1;")).collect::<String>());
    let _ = compiled(
        (0..2_000).map(|number| format!("macro m{number}() {{ 1 }}\n")).collect::<String>() + "BEGIN { }",
        &NoImports,
    );
    let _ = compiled(
        (0..2_000).map(|number| format!("struct s{number} {{ int a; }}\n")).collect::<String>() + "BEGIN { }",
        &NoImports,
    );
    let _ = compiled(format!("{} {{ @ = count(); }}", vec!["sys_enter"; 2_000].join(", ")), &NoImports);
    let _ = begin(&format!("printf(\"{}\"{});", "%d ".repeat(5_000), ", 1".repeat(5_000)));
    let _ = begin(&format!("@[{}] = 1;", vec!["1"; 2_000].join(", ")));
    let _ = begin(&format!("$x = ({});", vec!["1"; 2_000].join(", ")));
}

#[test]
fn macros_that_call_macros() {
    assert!(compiled("macro a() { a() } BEGIN { print(a()); }".to_owned(), &NoImports).contains(&"E0111"));
    assert!(
        compiled("macro a() { b() } macro b() { a() } BEGIN { print(a()); }".to_owned(), &NoImports).contains(&"E0111")
    );
    // Each is twice the one before.
    for depth in [14, 30, 200] {
        let macros = (1..depth)
            .map(|number| format!("macro m{number}(x) {{ m{}(x) + m{}(x) }}\n", number - 1, number - 1))
            .collect::<String>();
        let _ = compiled(format!("macro m0(x) {{ x + 1 }}\n{macros}BEGIN {{ print(m{}(1)); }}", depth - 1), &NoImports);
    }
    // Each argument stands in its body many times.
    let wide = vec!["x"; 100].join(" + ");
    let macros =
        (1..15).map(|number| format!("macro m{number}(x) {{ m{}({wide}) }}\n", number - 1)).collect::<String>();
    let _ = compiled(format!("macro m0(x) {{ x }}\n{macros}BEGIN {{ print(m14(1)); }}"), &NoImports);
}

/// Gives a script that imports itself, or ever new ones.
struct Circle {
    ever_new: bool,
}

impl Importer for Circle {
    fn import(&self, name: &str, _: &str) -> Result<(String, String), String> {
        let next = if self.ever_new { format!("{name}x") } else { name.to_owned() };
        Ok((name.to_owned(), format!("import \"{next}\";\nBEGIN {{ print(1); }}\n")))
    }
}

#[test]
fn imports_in_a_circle() {
    let import = "import \"a\"; import \"b\"; import \"a\"; BEGIN { }".to_owned();
    assert_eq!(compiled(import.clone(), &Circle { ever_new: false }), Vec::<&str>::new());
    assert!(!compiled(import, &Circle { ever_new: true }).is_empty());
    let many = (0..20_000).map(|number| format!("import \"{number}\";\n")).collect::<String>();
    let _ = compiled(format!("{many} BEGIN {{ }}"), &Circle { ever_new: false });
}
