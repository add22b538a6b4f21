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
use scope::script::Functions;
use scope_dsl::diagnostic::Diagnostic;
use scope_dsl::explain::Entry;
use scope_dsl::facts::KernelFacts;
use scope_dsl::format::{Refused, format};
use scope_dsl::source::{Importer, NoImports, Source};
use scope_dsl::{Options, compile};
use scope_tests::Recorded;

/// Imports from beside the golden scripts.
struct Beside;

impl Importer for Beside {
    fn import(&self, name: &str, _: &str) -> Result<(String, String), String> {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("golden").join(name);
        let text = fs::read_to_string(path).map_err(|_| "no such file or directory".to_owned())?;
        Ok((name.to_owned(), text))
    }
}

/// The bundled scripts whose probes were recorded. The others need more of a kernel: they are compiled and run by the live
/// tests, on all kernels.
const BUNDLED: [&str; 5] = ["hello", "latency", "opensnoop", "syscall", "syscount"];

fn main() -> ExitCode {
    let own = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut scripts = fs::read_dir(own.join("golden"))
        .expect("golden scripts")
        .flatten()
        .map(|entry| entry.path())
        .collect::<Vec<_>>();
    scripts.retain(|path| path.extension().is_some_and(|extension| extension == "scope"));
    scripts.extend(BUNDLED.map(|name| own.join("../stdlib-scripts").join(name).with_extension("scope")));
    scripts.sort();
    let trials = scripts.into_iter().map(|path| {
        let name = path.file_stem().expect("a script has a name").to_string_lossy().into_owned();
        Trial::test(name, move || compare(&path))
    });
    let trials = trials.chain(
        scope_dsl::explain::entries().map(|entry| Trial::test(format!("explain::{}", entry.code), || explained(entry))),
    );
    let trials = trials.chain(
        formatted_scripts()
            .into_iter()
            .map(|(name, text)| Trial::test(format!("format::{name}"), move || same_when_formatted(&name, &text))),
    );
    let trials = trials.chain([Trial::test("every_code_has_a_page", every_code_has_a_page)]);
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
    let expected = fs::read_to_string(&expected_at)
        .map_err(|error| format!("{}: {error}; `cargo xtask test --bless` writes it", expected_at.display()))?;
    if seen == expected {
        return Ok(());
    }
    Err(format!("--- expected\n{expected}\n--- seen\n{seen}\n`cargo xtask test --bless` accepts it").into())
}

/// Every script that the formatter must not change: those of the tests, the bundled ones, the examples of the codes.
fn formatted_scripts() -> Vec<(String, String)> {
    let own = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut scripts = Vec::new();
    for directory in ["golden", "cases", "../stdlib-scripts"] {
        for path in fs::read_dir(own.join(directory)).expect("scripts").flatten().map(|entry| entry.path()) {
            if path.extension().is_none_or(|extension| extension != "scope") {
                continue;
            }
            let name = path.file_stem().expect("a script has a name").to_string_lossy().into_owned();
            let text = fs::read_to_string(&path).expect("a script can be read");
            for (part, text) in text.split("//----\n").enumerate() {
                scripts.push((format!("{directory}/{name}/{part}"), text.replace("case {", "BEGIN {")));
            }
        }
    }
    scripts.extend(scope_dsl::explain::entries().map(|entry| (entry.code.to_owned(), entry.right.to_owned())));
    scripts
}

/// Formatting does not change what a script is compiled to, and a second time changes nothing.
fn same_when_formatted(name: &str, text: &str) -> Result<(), Failed> {
    let formatted = match format(text) {
        Ok(formatted) => formatted,
        // A script that shows an error of the syntax is left alone.
        Err(Refused::Wrong(_)) => return Ok(()),
        Err(Refused::Changed) => return Err("it would be another script".into()),
    };
    if name.starts_with("../stdlib-scripts") && formatted != text {
        return Err(format!("a bundled script is to have the form that `scope fmt` gives:\n{formatted}").into());
    }
    if format(&formatted).as_ref() != Ok(&formatted) {
        return Err(format!("formatted again it differs:\n{formatted}").into());
    }
    let facts = Recorded::open();
    let plans = |text: &str| {
        let shown = show(name, text, &facts);
        // Places differ, so only what runs is compared, and which codes are given.
        let lines = shown.lines().filter(|line| {
            line.contains("[E0")
                || line.contains("[W0")
                || line.starts_with("   ") && !line.contains('|')
                || line.starts_with("map")
                || line.starts_with("clause")
        });
        lines.map(str::to_owned).collect::<Vec<_>>()
    };
    let (before, after) = (plans(text), plans(&formatted));
    if before == after { Ok(()) } else { Err(format!("{before:#?}\n{after:#?}\n{formatted}").into()) }
}

/// Each code is shown as people see it by one of the golden scripts.
fn every_code_has_a_page() -> Result<(), Failed> {
    let golden = Path::new(env!("CARGO_MANIFEST_DIR")).join("golden");
    let pages =
        fs::read_dir(golden)?.flatten().filter_map(|entry| fs::read_to_string(entry.path()).ok()).collect::<String>();
    let missing = scope_dsl::explain::entries().filter(|entry| !pages.contains(&format!("[{}]", entry.code)));
    let missing = missing.map(|entry| entry.code).collect::<Vec<_>>();
    if missing.is_empty() { Ok(()) } else { Err(format!("no page shows {missing:?}").into()) }
}

/// The example of a code gives this code and no other, and the corrected one nothing at all.
fn explained(entry: &Entry) -> Result<(), Failed> {
    let found = diagnosed(entry.wrong);
    if found.is_empty() || found.iter().any(|found| found.code != entry.code) {
        return Err(format!("the example gives {found:#?}\n{}", entry.wrong).into());
    }
    match diagnosed(entry.right) {
        found if found.is_empty() => Ok(()),
        found => Err(format!("the corrected example gives {found:#?}\n{}", entry.right).into()),
    }
}

/// All that is said of a script, its functions included.
fn diagnosed(text: &str) -> Vec<Diagnostic> {
    let facts = Recorded::open();
    let mut source = Source::new("example.scope", text);
    // What the example of an option that is given a wrong value is run with.
    let options = Options { options: [("depth".to_owned(), "deep".to_owned())].into(), ..Options::default() };
    let compiled = compile(&mut source, &NoImports, &facts, options);
    // As on the command line, functions are looked at where all else is right.
    let functions = compiled.program.is_some().then(|| Functions::compile(&source, &compiled.script.functions).err());
    compiled.diagnostics.into_iter().chain(functions.flatten()).collect()
}

/// What a script is compiled to, as text.
fn show(name: &str, text: &str, facts: &dyn KernelFacts) -> String {
    // A file may hold several scripts, for errors of which each stops the compiler.
    let parts = text.split("//----\n").collect::<Vec<_>>();
    let mut out = String::new();
    for part in &parts {
        let mut source = Source::new(format!("{name}.scope"), *part);
        let own = [("depth".to_owned(), "deep".to_owned())].into();
        let options = Options {
            start: 1000,
            cpid: (!part.contains("// no command")).then_some(4242),
            options: own,
            ..Options::default()
        };
        let compiled = compile(&mut source, &Beside, facts, options);
        if !compiled.diagnostics.is_empty() {
            out += &render(&source, &compiled.diagnostics, false);
        }
        // As on the command line, functions are looked at where all else is right.
        if compiled.program.is_some()
            && let Err(error) = Functions::compile(&source, &compiled.script.functions)
        {
            out += &render(&source, &[error], false);
        }
        for (map, described) in compiled.program.iter().flat_map(|program| &program.maps) {
            let _ = writeln!(out, "map {map}: {:?}, {:?}", described.value, described.storage);
        }
        for clause in compiled.program.iter().flat_map(|program| &program.clauses) {
            let way = scope::attach::way(&clause.site);
            let _ = write!(out, "clause {}: {way}\n{}", clause.source + 1, clause.plan);
        }
        if parts.len() > 1 {
            out += "----\n";
        }
    }
    // Lines end where they end: the drawing leaves blanks there.
    out.lines().map(|line| format!("{}\n", line.trim_end())).collect()
}
