//! How long it takes from the command to the first tick of a timer with all attached, and how much memory.

use std::process::{Command, Stdio};
use std::time::Instant;

use anyhow::{Result, bail};

use super::tracer::Which;
use super::{Bar, Row, median};

/// Measures start and memory.
pub fn measure() -> Result<Vec<Row>> {
    // The first tick of a timer comes when all is attached; with it the script ends.
    let one = "tracepoint:raw_syscalls:sys_enter { @[comm] = count(); } interval:ms:1 { exit(); }";
    let all = "tracepoint:syscalls:sys_enter_* { @[probe] = count(); } interval:ms:1 { exit(); }";
    let lines = "tracepoint:syscalls:sys_enter_openat { printf(\"%d %s\\n\", pid, comm); } interval:ms:1 { exit(); }";
    let mut rows = Vec::new();
    for (name, script, rounds, bar, memory_bar) in [
        ("raw_syscalls:sys_enter", one, 9, 1.0 / 25.0, 0.25),
        ("printf at sys_enter_openat", lines, 9, 1.0 / 25.0, 0.25),
        ("syscalls:sys_enter_*", all, 1, 1.0 / 300.0, 0.25),
    ] {
        let (mut scope, mut bpftrace) = (Vec::new(), Vec::new());
        for _ in 0..rounds {
            scope.push(run(Which::Scope, script)?);
            bpftrace.push(run(Which::Bpftrace, script)?);
        }
        let time = |runs: &[(f64, f64)]| median(runs.iter().map(|run| run.0).collect());
        let memory = |runs: &[(f64, f64)]| median(runs.iter().map(|run| run.1).collect());
        rows.push(Row {
            name: format!("start, attach, end: {name}"),
            scope: time(&scope),
            peer: ("bpftrace".to_owned(), time(&bpftrace)),
            unit: "ms",
            bar: Some(Bar::Most(bar)),
        });
        rows.push(Row {
            name: format!("peak memory: {name}"),
            scope: memory(&scope),
            peer: ("bpftrace".to_owned(), memory(&bpftrace)),
            unit: "MB",
            bar: Some(Bar::Most(memory_bar)),
        });
    }
    Ok(rows)
}

/// Runs a script to its end; gives milliseconds and the greatest memory in megabytes.
fn run(which: Which, script: &str) -> Result<(f64, f64)> {
    let mut command: Command = which.command(script);
    command.stdout(Stdio::null()).stderr(Stdio::null());
    // bpftrace refuses scripts of many probes unless it is told.
    command.env("BPFTRACE_MAX_PROBES", "1024");
    let start = Instant::now();
    let child = command.spawn()?;
    let mut status = 0;
    // SAFETY: plain numbers.
    let mut usage = unsafe { std::mem::zeroed::<libc::rusage>() };
    // SAFETY: our own child, and room for what is said of it.
    let ended = unsafe { libc::wait4(child.id() as i32, &raw mut status, 0, &raw mut usage) };
    let time = start.elapsed().as_secs_f64() * 1000.0;
    if ended < 0 || status != 0 {
        bail!("{which:?} failed on {script}");
    }
    Ok((time, usage.ru_maxrss as f64 / 1024.0))
}
