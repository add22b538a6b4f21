//! What longer scripts cost at the start: the kernel's verifier walks each op of a plan.

use std::time::Instant;

use anyhow::{Context, Result};

use super::tracer::Which;
use super::{Row, median};
use crate::output;

/// Statements of the scripts; each is three ops.
const STATEMENTS: [usize; 6] = [1, 25, 50, 100, 200, 300];
/// How often each is loaded.
const ROUNDS: usize = 11;

/// Measures dry runs: compiled and loaded, but attached nowhere.
pub fn measure() -> Result<Vec<Row>> {
    let mut rows = Vec::<Row>::new();
    for statements in STATEMENTS {
        let script = format!("sys_enter {{ $a = pid; {} @ = $a; }}", "$a = $a * 3 + tid;".repeat(statements));
        let ops = ops(&script)?;
        let times = (0..ROUNDS).map(|_| {
            let start = Instant::now();
            output(Which::Scope.command(&script).arg("--dry-run"))?;
            Ok(start.elapsed().as_secs_f64() * 1e3)
        });
        let time = median(times.collect::<Result<Vec<_>>>()?);
        let shortest = rows.first().map_or((format!("{ops} ops"), time), |first| first.peer.clone());
        rows.push(Row {
            name: format!("start to loaded: {ops} ops"),
            scope: time,
            peer: shortest,
            unit: "ms",
            bar: None,
        });
    }
    Ok(rows)
}

/// How many ops a script's clause has.
fn ops(script: &str) -> Result<usize> {
    let told = Which::Scope.command(script).args(["-d", "kernel", "--dry-run"]).output()?.stderr;
    let told = String::from_utf8_lossy(&told);
    let words = told.split_whitespace().collect::<Vec<_>>();
    let place = words.iter().position(|word| *word == "ops,").with_context(|| format!("no number of ops: {told}"))?;
    Ok(words[place - 1].parse()?)
}
