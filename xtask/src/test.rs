//! All tests, in the order in which a failure is cheapest to find.

use std::io::{BufRead, BufReader};
use std::path::PathBuf;
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail};

use crate::coverage::Coverage;
use crate::ebpf::Proof;
use crate::vm::Kernel;
use crate::{cargo, ebpf, fuzz, packages, run, vm};

/// Runs all tests; with `quick`, those that take a minute or two; with `long`, more random programs.
pub fn all(bless: bool, quick: bool, long: bool) -> Result<()> {
    build()?;
    let mut unit = cargo();
    unit.args(["test", "--quiet", "--workspace"]);
    if bless {
        unit.env("BLESS", "1");
    }
    step("unit and golden tests");
    run(&mut unit)?;
    step("cases of the language, in userspace and in the kernel");
    cases(bless)?;
    step("programs beside bpftrace");
    packages::need("/usr/bin/bpftrace", &["bpftrace"])?;
    run(Command::new(release("peer")).arg("--scope").arg(release("scope")))?;
    step("random programs in userspace and in the kernel");
    run(differential().args(["--count", if long { "10000" } else { "500" }]))?;
    step("live tests on this kernel");
    let mut coverage = Coverage::default();
    live(&mut coverage)?;
    if quick {
        println!("xtask: skipped as asked for: fuzzing, the rebuild of the eBPF program, the other kernels");
        return Ok(());
    }
    step("fuzzing the parser, the compiler, the machine, the decoder and the reader of ELF files");
    // The same inputs each time: whether a commit is good is not left to chance. `xtask fuzz` goes new ways.
    fuzz::fuzz(None, 60, Some(1))?;
    step("the eBPF program is what its sources give");
    let proof = ebpf::check()?;
    if proof == Proof::Sources {
        ebpf::with_rebuilt(|| {
            build()?;
            step("live tests of the rebuilt eBPF program");
            live(&mut coverage)
        })?;
        build()?;
    }
    for kernel in vm::KERNELS {
        step(&format!("live tests on Linux {}", kernel.version));
        let mut show = |line: &str| {
            println!("{line}");
            coverage.note(kernel.version, line);
        };
        on(kernel, &["live", "--scope", "/bin/scope"], &mut show)?;
        // The generic kernels differ in what they are configured with, not in their verifiers.
        if kernel.version.ends_with("-generic") {
            continue;
        }
        step(&format!("cases of the language on Linux {}", kernel.version));
        // One at a time: where two scopes attach to system calls and detach at once, an emulated 6.1 has locked up.
        let cases = ["cases", "--scope", "/bin/scope", "--cases", "/cases", "--live", "--test-threads", "1"];
        on(kernel, &cases, &mut |line| println!("{line}"))?;
        step(&format!("random programs are loaded on Linux {}", kernel.version));
        let load = ["differential", "--scope", "/bin/scope", "--only-load", "--count", "500"];
        on(kernel, &load, &mut |line| println!("{line}"))?;
    }
    coverage.check()?;
    println!("xtask: all tests passed, nothing was skipped");
    Ok(())
}

fn step(name: &str) {
    println!("xtask: {name}");
}

/// Builds what the live tests run.
pub fn build() -> Result<()> {
    run_cargo(&["build", "--quiet", "--release", "--package", "scope", "--package", "scope-tests"])
}

fn run_cargo(arguments: &[&str]) -> Result<()> {
    run(cargo().args(arguments))
}

/// The cases by BEGIN, then by a system call: both print the same.
fn cases(bless: bool) -> Result<()> {
    for live in [false, true] {
        let mut command = Command::new(release("cases"));
        command.arg("--scope").arg(release("scope"));
        if live {
            command.arg("--live");
        }
        if bless {
            command.arg("--bless");
        }
        run(&mut command)?;
    }
    Ok(())
}

fn differential() -> Command {
    let mut command = Command::new(release("differential"));
    command.arg("--scope").arg(release("scope"));
    command
}

/// Runs something on another kernel; its failure is ours.
fn on(kernel: Kernel, command: &[&str], show: &mut dyn FnMut(&str)) -> Result<()> {
    if vm::run(kernel, command, show)? != 0 {
        bail!("`{}` failed on Linux {}", command.join(" "), kernel.version);
    }
    Ok(())
}

fn live(coverage: &mut Coverage) -> Result<()> {
    let mut tests =
        Command::new(release("live")).arg("--scope").arg(release("scope")).stdout(Stdio::piped()).spawn()?;
    let lines = BufReader::new(tests.stdout.take().context("the output is piped")?).lines();
    for line in lines {
        let line = line?;
        println!("{line}");
        coverage.note("this one", &line);
    }
    if !tests.wait()?.success() {
        bail!("the live tests failed on this kernel");
    }
    Ok(())
}

/// A binary that was built.
fn release(name: &str) -> PathBuf {
    crate::root().join("target/release").join(name)
}
