//! Fuzzing with libFuzzer, on stable Rust: the targets lie in `tests/fuzz`, the compiler's own pass counts what is covered.

use std::fs;
use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result, bail};

use crate::{packages, root, run};

/// A small program to begin with, for the target that reads programs.
#[path = "../../runtime/src/binary/tiny.rs"]
mod tiny;

/// A target: its name, the most bytes of an input, and whether it is a script.
const TARGETS: [(&str, u32, bool); 5] = [
    ("parse", 4096, true),
    ("compile", 2048, true),
    ("records", 1024, false),
    ("run", 2048, true),
    ("elf", 4096, false),
];

/// What has the compiler count what is covered, as cargo-fuzz does.
const COVERAGE: &str = "-Cpasses=sancov-module -Cllvm-args=-sanitizer-coverage-level=4 \
    -Cllvm-args=-sanitizer-coverage-inline-8bit-counters -Cllvm-args=-sanitizer-coverage-pc-table \
    -Cllvm-args=-sanitizer-coverage-trace-compares --cfg fuzzing";

/// The machine that it is built for: named, so that build scripts are built without the above.
const MACHINE: &str = "x86_64-unknown-linux-gnu";

/// Builds and runs one target, or each, for so many seconds; with a seed, the inputs come in the same order each time.
pub fn fuzz(target: Option<&str>, seconds: u64, seed: Option<u32>) -> Result<()> {
    let targets = TARGETS.iter().filter(|(name, ..)| target.is_none_or(|target| target == *name)).collect::<Vec<_>>();
    if targets.is_empty() {
        bail!("no such target; there are {}", TARGETS.map(|(name, ..)| name).join(", "));
    }
    packages::need("/usr/bin/c++", &["g++"])?;
    let work = root().join("target/fuzz");
    let mut build = Command::new("cargo");
    build.current_dir(root().join("tests/fuzz")).env("RUSTFLAGS", COVERAGE).env("CARGO_TARGET_DIR", &work);
    run(build.args(["build", "--quiet", "--release", "--target", MACHINE]))?;
    let mut failed = Vec::new();
    for (name, longest, script) in targets {
        println!("xtask: fuzzing {name} for {seconds} s");
        let corpus = work.join("corpus").join(name);
        let crashes = work.join("crashes").join(name);
        fs::create_dir_all(&corpus)?;
        fs::create_dir_all(&crashes)?;
        if *script {
            fill(&corpus)?;
        } else if *name == "elf" {
            fs::write(corpus.join("tiny"), tiny::elf())?;
        }
        let binary = work.join(MACHINE).join("release").join(name);
        let before = inputs(&crashes)?;
        let mut fuzzer = Command::new(&binary);
        fuzzer.args([format!("-max_total_time={seconds}"), format!("-max_len={longest}")]);
        fuzzer.args(["-rss_limit_mb=2048", "-timeout=20", "-print_final_stats=1", "-verbosity=0"]);
        fuzzer.args(seed.map(|seed| format!("-seed={seed}")));
        fuzzer.arg(format!("-artifact_prefix={}/", crashes.display()));
        if *script {
            fuzzer.arg(format!("-dict={}", root().join("tests/fuzz/words.dict").display()));
        }
        let status = fuzzer.arg(&corpus).status().with_context(|| format!("running {}", binary.display()))?;
        for input in inputs(&crashes)?.into_iter().filter(|input| !before.contains(input)) {
            let path = crashes.join(&input);
            println!("xtask: {name} fails on {input}; `{} {}` runs it again:", binary.display(), path.display());
            println!("{}", String::from_utf8_lossy(&fs::read(&path)?).escape_debug());
        }
        if !status.success() {
            failed.push(*name);
        }
    }
    if !failed.is_empty() {
        bail!("fuzzing found what is wrong: {}", failed.join(", "));
    }
    Ok(())
}

/// The names of the inputs that a directory holds.
fn inputs(directory: &Path) -> Result<Vec<String>> {
    Ok(fs::read_dir(directory)?.flatten().map(|entry| entry.file_name().to_string_lossy().into_owned()).collect())
}

/// Gives a target the scripts that there are to begin with.
fn fill(corpus: &Path) -> Result<()> {
    for directory in ["tests/golden", "tests/cases", "stdlib-scripts"] {
        for entry in fs::read_dir(root().join(directory))?.flatten() {
            let path = entry.path();
            if path.extension().is_none_or(|extension| extension != "scope") {
                continue;
            }
            let text = fs::read_to_string(&path)?.replace("case {", "BEGIN {");
            let name = entry.file_name().to_string_lossy().into_owned();
            for (index, script) in text.split("//----\n").enumerate() {
                fs::write(corpus.join(format!("{name}-{index}")), script)?;
            }
        }
    }
    Ok(())
}
