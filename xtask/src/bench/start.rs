//! How long it takes from the command to the first tick of a timer with all attached, and how much memory.

use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};
use std::time::Instant;

use anyhow::{Result, bail};

use super::tracer::Which;
use super::{Bar, Row, median};

/// Measures start and memory.
pub fn measure() -> Result<Vec<Row>> {
    // The first tick of a timer, a millisecond later, shows that all is attached.
    let one = "tracepoint:raw_syscalls:sys_enter { @[comm] = count(); } interval:ms:1 { printf(\"up\\n\"); }";
    let all = "tracepoint:syscalls:sys_enter_* { @[probe] = count(); } interval:ms:1 { printf(\"up\\n\"); }";
    let lines = "tracepoint:syscalls:sys_enter_openat { printf(\"%d %s\\n\", pid, comm); } interval:ms:1 { printf(\"up\\n\"); }";
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
            name: format!("start to attached: {name}"),
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

/// Runs a script until its first line, then ends it; gives milliseconds to that line and the greatest memory in
/// megabytes.
fn run(which: Which, script: &str) -> Result<(f64, f64)> {
    let mut command: Command = which.command(script);
    command.stdout(Stdio::piped()).stderr(Stdio::null());
    if which == Which::Bpftrace {
        // bpftrace refuses scripts of many probes unless it is told.
        command.args(["-B", "line"]).env("BPFTRACE_MAX_PROBES", "1024");
    }
    let start = Instant::now();
    let mut child = command.spawn()?;
    let lines = BufReader::new(child.stdout.take().expect("the output is piped")).lines();
    let first = lines.map_while(Result::ok).find(|line| line == "up");
    let time = start.elapsed().as_secs_f64() * 1000.0;
    let (mut status, pid) = (0, child.id() as i32);
    // SAFETY: plain numbers.
    let mut usage = unsafe { std::mem::zeroed::<libc::rusage>() };
    // SAFETY: our own child, and room for what is said of it.
    let ended = unsafe {
        libc::kill(pid, libc::SIGINT);
        libc::wait4(pid, &raw mut status, 0, &raw mut usage)
    };
    if first.is_none() || ended < 0 {
        bail!("{which:?} failed on {script}");
    }
    Ok((time, usage.ru_maxrss as f64 / 1024.0))
}
