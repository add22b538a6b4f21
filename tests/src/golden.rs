//! Golden tests: each script under `golden/` beside what it gives, the diagnostics as they are drawn and the plans.
//!
//! They are compiled for a kernel that was recorded under `kernel/`. With `BLESS=1` (`cargo xtask test --bless`) what is
//! seen becomes what is expected.

use std::fmt::Write as _;
use std::fs;
use std::path::Path;
use std::process::ExitCode;

use libtest_mimic::{Arguments, Failed, Trial};
use scope::cli::render::render;
use scope_dsl::facts::KernelFacts;
use scope_dsl::source::{NoImports, Source};
use scope_dsl::{Options, compile};
use scope_tests::Recorded;

fn main() -> ExitCode {
    let own = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut scripts = fs::read_dir(own.join("golden")).expect("golden scripts").flatten().map(|entry| entry.path()).collect::<Vec<_>>();
    scripts.retain(|path| path.extension().is_some_and(|extension| extension == "scope"));
    scripts.extend(fs::read_dir(own.join("../stdlib-scripts")).expect("bundled scripts").flatten().map(|entry| entry.path()));
    scripts.retain(|path| path.extension().is_some_and(|extension| extension == "scope"));
    scripts.sort();
    let trials = scripts.into_iter().map(|path| {
        let name = path.file_stem().expect("a script has a name").to_string_lossy().into_owned();
        Trial::test(name, move || compare(&path))
    });
    libtest_mimic::run(&Arguments::from_args(), trials.collect()).exit_code()
}

fn compare(script: &Path) -> Result<(), Failed> {
    let own = Path::new(env!("CARGO_MANIFEST_DIR"));
    let name = script.file_stem().ok_or("a script has a name")?.to_string_lossy().into_owned();
    let seen = show(&name, &fs::read_to_string(script)?, &Recorded::open());
    let expected_at = own.join("golden").join(format!("{name}.expected"));
    if std::env::var_os("BLESS").is_some() {
        fs::write(&expected_at, seen)?;
        return Ok(());
    }
    let expected = fs::read_to_string(&expected_at).map_err(|error| format!("{}: {error}; `cargo xtask test --bless` writes it", expected_at.display()))?;
    if seen == expected {
        return Ok(());
    }
    Err(format!("--- expected\n{expected}\n--- seen\n{seen}\n`cargo xtask test --bless` accepts it").into())
}

/// What a script is compiled to, as text.
fn show(name: &str, text: &str, facts: &dyn KernelFacts) -> String {
    // A file may hold several scripts, for errors of which each stops the compiler.
    let parts = text.split("//----\n").collect::<Vec<_>>();
    let mut out = String::new();
    for part in &parts {
        let mut source = Source::new(format!("{name}.scope"), *part);
        let options = Options { start: 1000, cpid: Some(4242), ..Options::default() };
        let compiled = compile(&mut source, &NoImports, facts, options);
        if !compiled.diagnostics.is_empty() {
            out += &render(&source, &compiled.diagnostics, false);
        }
        for (map, described) in compiled.program.iter().flat_map(|program| &program.maps) {
            let _ = writeln!(out, "map {map}: {:?}, {:?}", described.value, described.storage);
        }
        for clause in compiled.program.iter().flat_map(|program| &program.clauses) {
            let way = scope::load::way(&clause.site);
            let _ = write!(out, "clause {}: {way}\n{}", clause.source + 1, clause.plan);
        }
        if parts.len() > 1 {
            out += "----\n";
        }
    }
    // Lines end where they end: the drawing leaves blanks there.
    out.lines().map(|line| format!("{}\n", line.trim_end())).collect()
}
