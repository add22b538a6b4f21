//! How long it takes from the command until events are counted, and how much memory.
//!
//! An observer makes calls all the while and notes when; what the tracer has counted of them at the end tells from
//! which call on it was attached. So nothing a tracer says of itself is needed, and the scripts stay as they are.

use std::io::Read;
use std::process::Stdio;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};

use super::tracer::Which;
use super::{Bar, Row, median};

/// Measures start and memory.
pub fn measure() -> Result<Vec<Row>> {
    let count = "tracepoint:raw_syscalls:sys_enter { @[comm] = count(); }";
    let lines = "tracepoint:raw_syscalls:sys_enter { @[comm] = count(); } \
                 tracepoint:syscalls:sys_enter_openat /pid == 1/ { printf(\"%d %s\\n\", pid, comm); }";
    let all = "tracepoint:syscalls:sys_enter_* { @[comm] = count(); }";
    let mut rows = Vec::new();
    for (name, script, rounds, wait, bar) in [
        ("raw_syscalls:sys_enter", count, 9, 1.0, Some(Bar::Most(1.0 / 25.0))),
        ("the same and a printf", lines, 9, 1.0, None),
        ("syscalls:sys_enter_*", all, 1, 3.0, Some(Bar::Most(1.0 / 300.0))),
    ] {
        let (mut scope, mut bpftrace) = (Vec::new(), Vec::new());
        for _ in 0..rounds {
            scope.push(run(Which::Scope, script, 0.3)?);
            bpftrace.push(run(Which::Bpftrace, script, wait)?);
        }
        let (mut scope_ended, mut bpftrace_ended) = (Vec::new(), Vec::new());
        for _ in 0..rounds {
            scope_ended.push(to_end(Which::Scope, script)?);
            bpftrace_ended.push(to_end(Which::Bpftrace, script)?);
        }
        rows.push(Row {
            name: format!("start to end: {name}"),
            scope: median(scope_ended),
            peer: ("bpftrace".to_owned(), median(bpftrace_ended)),
            unit: "ms",
            bar,
        });
        let time = |runs: &[Run]| median(runs.iter().map(|run| run.milliseconds).collect());
        let memory = |runs: &[Run]| median(runs.iter().map(|run| run.megabytes).collect());
        rows.push(Row {
            name: format!("start to attached: {name}"),
            scope: time(&scope),
            peer: ("bpftrace".to_owned(), time(&bpftrace)),
            unit: "ms",
            bar: None,
        });
        rows.push(Row {
            name: format!("peak memory: {name}"),
            scope: memory(&scope),
            peer: ("bpftrace".to_owned(), memory(&bpftrace)),
            unit: "MB",
            bar: Some(Bar::Most(0.25)),
        });
    }
    Ok(rows)
}

struct Run {
    milliseconds: f64,
    megabytes: f64,
}

/// Runs a script that counts by `comm` for some seconds.
fn run(which: Which, script: &str, seconds: f64) -> Result<Run> {
    let stop = Arc::new(AtomicBool::new(false));
    let observer = observe(stop.clone());
    let mut command = which.command(script);
    command.stdout(Stdio::piped()).stderr(Stdio::null());
    // bpftrace refuses scripts of many probes unless it is told.
    command.env("BPFTRACE_MAX_PROBES", "1024");
    let start = Instant::now();
    let mut child = command.spawn()?;
    std::thread::sleep(Duration::from_secs_f64(seconds));
    stop.store(true, Ordering::Relaxed);
    let calls = observer.join().map_err(|_| anyhow::anyhow!("the observer failed"))?;
    // Not by wait4(2): what that says includes the memory of the process that forked.
    let status = std::fs::read_to_string(format!("/proc/{}/status", child.id()))?;
    let peak =
        status.lines().find_map(|line| line.strip_prefix("VmHWM:")?.trim().strip_suffix(" kB")?.parse::<f64>().ok());
    // SAFETY: our own child.
    unsafe { libc::kill(child.id() as i32, libc::SIGINT) };
    let mut text = String::new();
    child.stdout.take().expect("the output is piped").read_to_string(&mut text)?;
    child.wait()?;
    let counted = text.lines().find_map(|line| line.strip_prefix("@[observer]: "));
    let counted = counted.with_context(|| format!("{which:?} counted nothing:\n{text}"))?.parse::<usize>()?;
    // Each turn of the observer makes two calls.
    let first = calls.len().checked_sub(counted / 2).context("more was counted than happened")?;
    let attached = calls.get(first).context("no call was counted")?;
    let milliseconds = attached.saturating_duration_since(start).as_secs_f64() * 1000.0;
    Ok(Run { milliseconds, megabytes: peak.context("no peak memory")? / 1024.0 })
}

/// Makes two calls about every tenth of a millisecond and notes when, until told to stop.
fn observe(stop: Arc<AtomicBool>) -> std::thread::JoinHandle<Vec<Instant>> {
    std::thread::spawn(move || {
        // SAFETY: a name of less than 16 bytes.
        unsafe { libc::prctl(libc::PR_SET_NAME, c"observer".as_ptr()) };
        let mut calls = Vec::with_capacity(1 << 20);
        while !stop.load(Ordering::Relaxed) {
            calls.push(Instant::now());
            // SAFETY: a call without arguments.
            unsafe { libc::syscall(libc::SYS_getppid) };
            std::thread::sleep(Duration::from_micros(50));
        }
        calls
    })
}

/// Runs a script until the first tick of a timer ends it; gives the milliseconds until the process is gone.
fn to_end(which: Which, script: &str) -> Result<f64> {
    let mut command = which.command(&format!("{script} interval:ms:1 {{ exit(); }}"));
    command.stdout(Stdio::null()).stderr(Stdio::null()).env("BPFTRACE_MAX_PROBES", "1024");
    let start = Instant::now();
    if !command.status()?.success() {
        bail!("{which:?} failed on {script}");
    }
    Ok(start.elapsed().as_secs_f64() * 1000.0)
}
