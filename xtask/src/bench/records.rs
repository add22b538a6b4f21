//! Records: how many reach the output, and how many are lost.

use std::fs::File;
use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};

use anyhow::{Context, Result};

use super::tracer::{Tracer, Which};
use super::{Bar, Row, median};
use crate::root;

const SECONDS: f64 = 3.0;
const ROUNDS: usize = 3;

/// A load's calls and the lines that came of them.
struct Run {
    calls: u64,
    lines: u64,
}

/// Measures a paced load and one flat out.
pub fn measure() -> Result<Vec<Row>> {
    let mut rows = Vec::new();
    for rate in [1_000_000, 2_000_000] {
        let runs = (0..ROUNDS).map(|_| run(Which::Scope, rate)).collect::<Result<Vec<_>>>()?;
        let lost = median(runs.iter().map(|run| run.calls as f64 - run.lines as f64).collect());
        let calls = median(runs.iter().map(|run| run.calls as f64 / SECONDS).collect());
        rows.push(Row {
            name: format!("records lost of {} a second, `printf` of three fields", calls.round()),
            scope: lost,
            peer: ("calls".to_owned(), calls),
            unit: "",
            bar: (rate == 1_000_000).then_some(Bar::Most(0.0)),
        });
    }
    let flat_out = |which| -> Result<f64> {
        let runs = (0..ROUNDS).map(|_| Ok(run(which, 0)?.lines as f64 / SECONDS)).collect::<Result<Vec<_>>>()?;
        Ok(median(runs))
    };
    rows.push(Row {
        name: "records printed a second, flat out".to_owned(),
        scope: flat_out(Which::Scope)?,
        peer: ("bpftrace".to_owned(), flat_out(Which::Bpftrace)?),
        unit: "",
        bar: Some(Bar::Least(10.0)),
    });
    Ok(rows)
}

/// Runs a tracer beside a load.
fn run(which: Which, rate: u64) -> Result<Run> {
    let out = root().join("target/bench-records");
    let binary = std::env::current_exe()?;
    // The load waits until it is told, so that its process id is known to the script.
    let mut load = Command::new("sh");
    load.arg("-c")
        .arg("read go; exec \"$0\" paced \"$1\" \"$2\"")
        .arg(binary)
        .arg(rate.to_string())
        .arg(SECONDS.to_string());
    let mut load = load.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn()?;
    let script = format!(
        "tracepoint:syscalls:sys_enter_getppid /pid == {}/ {{ printf(\"%d %s %d\\n\", pid, comm, cpu); }}",
        load.id()
    );
    let tracer = Tracer::start(which, &script, &out)?;
    drop(load.stdin.take());
    let said = load.wait_with_output()?;
    let calls = String::from_utf8_lossy(&said.stdout).trim().parse().context("the load says how many calls it made")?;
    tracer.stop()?;
    let lines = BufReader::new(File::open(&out)?).split(b'\n').map_while(Result::ok);
    let lines = lines.filter(|line| line.first().is_some_and(u8::is_ascii_digit)).count() as u64;
    std::fs::remove_file(&out)?;
    Ok(Run { calls, lines })
}
