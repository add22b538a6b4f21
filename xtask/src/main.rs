//! The project's own tasks: `cargo xtask TASK`.

mod bench;
mod coverage;
mod ebpf;
mod fuzz;
mod packages;
mod test;
mod vm;

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};
use clap::Parser;

#[derive(Parser)]
#[command(name = "cargo xtask", about = "scope's own tasks")]
enum Task {
    /// Rebuilds the eBPF program from its sources
    BuildEbpf {
        /// Only proves that the committed object is what the sources give
        #[arg(long)]
        check: bool,
    },
    /// Runs all tests, on this kernel and on others
    Test {
        /// Writes what the golden tests see as what they expect
        #[arg(long)]
        bless: bool,
        /// Leaves out the fuzzing, the rebuild and the other kernels
        #[arg(long)]
        quick: bool,
        /// Runs 10,000 random programs instead of 500
        #[arg(long)]
        long: bool,
    },
    /// Fuzzes the compiler, the decoder, the userspace machine and the reader of ELF files
    Fuzz {
        /// For how long, each target
        #[arg(long, default_value_t = 60)]
        seconds: u64,
        /// parse, compile, records, run or elf; all of them if none is named
        target: Option<String>,
    },
    /// Runs one command on another kernel
    Vm {
        /// 6.1, 6.12, 6.1-generic or 6.12-generic
        #[arg(long)]
        kernel: String,
        /// The command; `scope` is there
        #[arg(last = true, required = true)]
        command: Vec<String>,
    },
    /// Measures scope beside its peers
    Bench {
        /// Only the measurements whose name contains this
        filter: Option<String>,
    },
    /// A load for the benchmark: getppid(2) at a rate
    #[command(hide = true)]
    Paced {
        /// Calls per second; 0 for as many as possible
        rate: u64,
        /// For how long
        seconds: f64,
    },
}

fn main() -> std::process::ExitCode {
    match task() {
        Ok(()) => std::process::ExitCode::SUCCESS,
        Err(error) => {
            // Without a backtrace: what failed is a command, and which one is said.
            let causes = error.chain().map(ToString::to_string).collect::<Vec<_>>();
            eprintln!("xtask: {}", causes.join(": "));
            std::process::ExitCode::FAILURE
        }
    }
}

fn task() -> Result<()> {
    match Task::parse() {
        Task::BuildEbpf { check: false } => ebpf::build(),
        Task::BuildEbpf { check: true } => ebpf::check().map(drop),
        Task::Test { bless, quick, long } => test::all(bless, quick, long),
        Task::Fuzz { seconds, target } => fuzz::fuzz(target.as_deref(), seconds, None),
        Task::Vm { kernel, command } => vm::run_one(&kernel, &command),
        Task::Bench { filter } => bench::run(filter.as_deref().unwrap_or("")),
        Task::Paced { rate, seconds } => {
            bench::paced(rate, seconds);
            Ok(())
        }
    }
}

/// The top of the checkout.
fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("xtask lies in the workspace").to_owned()
}

/// Runs a command; its failure is ours.
fn run(command: &mut Command) -> Result<()> {
    let status = command.status().with_context(|| format!("running {command:?}"))?;
    if !status.success() {
        bail!("{command:?} failed: {status}");
    }
    Ok(())
}

/// Runs a command and gives what it prints.
fn output(command: &mut Command) -> Result<String> {
    let output = command.output().with_context(|| format!("running {command:?}"))?;
    if !output.status.success() {
        bail!("{command:?} failed: {}\n{}", output.status, String::from_utf8_lossy(&output.stderr));
    }
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

/// `cargo`, in the checkout.
fn cargo() -> Command {
    let mut command = Command::new("cargo");
    command.current_dir(root());
    command
}
