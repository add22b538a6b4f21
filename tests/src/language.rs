//! The reference page of the language: every example on it compiles, and its tables are those of the compiler.

use std::fs;
use std::path::Path;

use scope::cli::render::render;
use scope_dsl::source::{NoImports, Source};
use scope_dsl::{Options, compile, config, functions};
use scope_tests::Recorded;

type Failed = Box<dyn std::error::Error>;

#[test]
fn language() -> Result<(), Failed> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../dsl/LANGUAGE.md");
    let page = fs::read_to_string(&path)?;
    let facts = Recorded::open();
    let blocks = page.split("```scope\n").skip(1).filter_map(|rest| rest.split("```").next());
    let examples = functions::TABLE.iter().map(|row| row.example);
    for script in blocks.chain(examples) {
        let mut source = Source::new("LANGUAGE.md", script);
        let options = Options { cpid: Some(4242), may_harm: true, ..Options::default() };
        let compiled = compile(&mut source, &NoImports, &facts, options);
        if compiled.program.is_none() {
            return Err(format!("{script}\n{}", render(&source, &compiled.diagnostics, false)).into());
        }
    }
    named_tests_are_there(&page)?;
    let mut written = page.clone();
    for (name, table) in [("settings", settings()), ("builtins", builtins()), ("functions", function_table())] {
        let start = format!("<!-- generated: {name} -->\n");
        let (before, rest) = written.split_once(&start).ok_or(format!("no table of {name}"))?;
        let (_, after) = rest.split_once("<!-- end -->").ok_or("a table without an end")?;
        written = format!("{before}{start}{table}<!-- end -->{after}");
    }
    if written == page {
        return Ok(());
    }
    if std::env::var_os("BLESS").is_some() {
        fs::write(&path, written)?;
        return Ok(());
    }
    Err("the tables of dsl/LANGUAGE.md are not those of the compiler; `cargo xtask test --bless` writes them".into())
}

/// Each row that says that something works names tests, and each test that a row names is there.
fn named_tests_are_there(page: &str) -> Result<(), Failed> {
    let tests = Path::new(env!("CARGO_MANIFEST_DIR"));
    let files = fs::read_dir(tests.join("src/live"))?.flatten().map(|entry| fs::read_to_string(entry.path()));
    let live = files.collect::<Result<String, _>>()?;
    let (_, table) = page.split_once("## What of bpftrace's language there is").ok_or("no table of states")?;
    for row in table.lines().filter(|line| line.starts_with("| ")) {
        let words = row.split('`').skip(1).step_by(2);
        let named = words.filter_map(|word| word.split_once('/')).filter(|(kind, _)| KINDS.contains(kind));
        let named = named.collect::<Vec<_>>();
        for (kind, name) in &named {
            let there = match *kind {
                "cases" | "golden" => tests.join(kind).join(format!("{name}.scope")).exists(),
                "peer" => tests.join(kind).join(format!("{name}.bt")).exists(),
                _ => live.contains(&format!("pub fn {name}(")),
            };
            if !there {
                return Err(format!("there is no test `{kind}/{name}`:\n{row}").into());
            }
        }
        if row.contains("| works |") && named.is_empty() {
            return Err(format!("no test shows that it works:\n{row}").into());
        }
    }
    Ok(())
}

/// The kinds of tests that rows name.
const KINDS: [&str; 4] = ["cases", "golden", "live", "peer"];

/// A cell of a table: a bar would end it.
fn cell(text: &str) -> String {
    text.replace('|', "\\|")
}

fn settings() -> String {
    let rows = config::TABLE.iter().filter(|row| !row.summary.starts_with("taken and ignored"));
    let rows = rows.map(|row| format!("| `{}` | {} | {} |\n", row.name, cell(row.values), cell(row.summary)));
    format!("| setting | values | |\n| --- | --- | --- |\n{}", rows.collect::<String>())
}

fn builtins() -> String {
    let rows = scope_dsl::builtins::TABLE.iter().map(|row| (row.name, row.summary)).chain(scope_dsl::builtins::OTHERS);
    let rows = rows.map(|(name, summary)| format!("| `{name}` | {} |\n", cell(summary)));
    format!("| builtin | |\n| --- | --- |\n{}", rows.collect::<String>())
}

fn function_table() -> String {
    let rows = functions::TABLE.iter().map(|row| format!("| `{}` | {} |\n", cell(row.signature), cell(row.summary)));
    format!("| function | |\n| --- | --- |\n{}", rows.collect::<String>())
}

#[test]
fn every_bundled_script_has_a_row() -> Result<(), Failed> {
    let scripts = Path::new(env!("CARGO_MANIFEST_DIR")).join("../stdlib-scripts");
    let page = fs::read_to_string(scripts.join("README.md"))?;
    for path in fs::read_dir(&scripts)?.flatten().map(|entry| entry.path()) {
        let name = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
        let missing = path.extension().is_some_and(|extension| extension == "scope")
            && !page.contains(&format!("\n| `{name}` | "));
        if missing {
            return Err(format!("stdlib-scripts/README.md has no row for `{name}`").into());
        }
    }
    Ok(())
}
