//! How long it takes to attach to many probes, and to detach: the time until the process says that it has attached, and from
//! the signal that ends it until it is gone.

use std::io::{BufRead, BufReader};
use std::process::Stdio;
use std::time::Instant;

use anyhow::{Result, bail};

use super::tracer::Which;
use super::{Bar, Row, median};

/// How often each is measured.
const ROUNDS: usize = 7;

/// Measures scripts of many probes; bpftrace beside them, where it takes less than minutes.
pub fn measure() -> Result<Vec<Row>> {
    let calls = "tracepoint:syscalls:sys_enter_*, tracepoint:syscalls:sys_exit_* { @[comm] = count(); }";
    let libc = "uprobe:libc:* /pid == 1/ { @[func] = count(); }";
    let mut rows = Vec::new();
    for (name, script, peer) in [
        ("700 tracepoints of system calls", calls, "tracepoint:syscalls:sys_enter_a* { @[comm] = count(); }"),
        ("all functions of libc", libc, "uprobe:/lib/x86_64-linux-gnu/libc.so.6:str* { @[func] = count(); }"),
    ] {
        let runs = (0..ROUNDS).map(|_| run(Which::Scope, script)).collect::<Result<Vec<_>>>()?;
        let attached = median(runs.iter().map(|run| run.attached).collect());
        let detached = median(runs.iter().map(|run| run.detached).collect());
        let other = run(Which::Bpftrace, peer)?;
        let bound = if script == calls { 100.0 } else { 300.0 };
        let of_peer = peer.split_whitespace().next().unwrap_or_default();
        for (what, scope, peer) in [("attached", attached, other.attached), ("detached", detached, other.detached)] {
            rows.push(Row {
                name: format!("{what}: {name}"),
                scope,
                peer: (format!("bpftrace, `{of_peer}` only"), peer),
                unit: "ms",
                bar: None,
            });
            rows.push(Row {
                name: format!("{what}: {name}"),
                scope,
                peer: ("the bar".to_owned(), bound),
                unit: "ms",
                bar: Some(Bar::Most(1.0)),
            });
        }
    }
    rows.extend(clauses()?);
    Ok(rows)
}

/// Scripts of more and more clauses: the time to load them is to grow with their number, and no faster.
fn clauses() -> Result<Vec<Row>> {
    let mut rows = Vec::<Row>::new();
    for number in [1, 25, 50, 100] {
        let clause = |index: usize| format!("sys_enter /args.id == {index}/ {{ @m{}[comm] = count(); }} ", index % 8);
        let script = (0..number).map(clause).collect::<String>();
        let runs = (0..ROUNDS).map(|_| run(Which::Scope, &script)).collect::<Result<Vec<_>>>()?;
        let attached = median(runs.iter().map(|run| run.attached).collect());
        rows.push(Row {
            name: format!("attached: {number} clauses"),
            scope: attached,
            peer: ("the bar".to_owned(), 1000.0),
            unit: "ms",
            bar: (number == 100).then_some(Bar::Most(1.0)),
        });
    }
    Ok(rows)
}

/// Milliseconds.
struct Run {
    attached: f64,
    detached: f64,
}

fn run(which: Which, script: &str) -> Result<Run> {
    let mut command = which.command(script);
    command
        .env("BPFTRACE_MAX_PROBES", "4096")
        .env("SCOPE_MAX_PROBES", "8192")
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    let start = Instant::now();
    let mut child = command.spawn()?;
    // scope says it on standard error, bpftrace 0.17 on standard output, before it attaches: what it says at last counts.
    let said: Box<dyn std::io::Read> = match which {
        Which::Scope => Box::new(child.stderr.take().expect("it is piped")),
        Which::Bpftrace => Box::new(child.stdout.take().expect("it is piped")),
    };
    // Of probes that can't be set it is warned first.
    let lines = BufReader::new(said).lines().map_while(Result::ok);
    let line = lines.into_iter().find(|line| line.starts_with("Attach")).unwrap_or_default();
    if which == Which::Bpftrace {
        // Until its probes are there, a signal would end it at once.
        wait_until_attached(child.id());
    }
    let attached = start.elapsed().as_secs_f64() * 1e3;
    if line.is_empty() {
        _ = child.kill();
        bail!("{which:?} did not attach {script}");
    }
    let end = Instant::now();
    // SAFETY: a signal to our own child.
    unsafe { libc::kill(child.id() as i32, libc::SIGINT) };
    child.wait_with_output()?;
    Ok(Run { attached, detached: end.elapsed().as_secs_f64() * 1e3 })
}

/// Waits until the number of a process's perf events stands still: each is a probe.
fn wait_until_attached(process: u32) {
    let open = || std::fs::read_dir(format!("/proc/{process}/fd")).map_or(0, Iterator::count);
    let mut before = 0;
    loop {
        std::thread::sleep(std::time::Duration::from_millis(100));
        let now = open();
        if now == before {
            return;
        }
        before = now;
    }
}
