//! What one system call's tracepoint costs the other calls on a kernel that can trace functions: in a guest, as the kernel of
//! the machine may not. The guest is emulated, and many times slower: only ratios mean something.

use anyhow::{Context, Result, bail};

use super::{Bar, Row, median};
use crate::vm;

/// How often the contestants take turns.
const ROUNDS: usize = 5;
/// Calls of one portion.
const CALLS: &str = "100000";

/// Measures getppid(2) while nothing is traced, while openat(2) is at its function, and at its tracepoint.
pub fn measure() -> Result<Vec<Row>> {
    let script = "tracepoint:syscalls:sys_enter_openat { @ = count(); }";
    let load = format!("live load timed {CALLS}");
    let round = format!(
        "echo plain; {load}; echo function; scope -q -e \"{script}\" -- {load}; \
         echo tracepoint; scope -q --no-rewrite -e \"{script}\" -- {load}"
    );
    let rounds = vec![round; ROUNDS].join("; ");
    let kernel = vm::KERNELS.into_iter().find(|kernel| kernel.version == "6.12").context("there is such a kernel")?;
    let (mut of, mut times) = (String::new(), [const { Vec::new() }; 3]);
    const CONTESTANTS: [&str; 3] = ["plain", "function", "tracepoint"];
    let status = vm::run(kernel, &["sh", "-c", &rounds], &mut |line| {
        if let Some(time) = line.strip_prefix("nanoseconds ").and_then(|time| time.trim().parse::<f64>().ok()) {
            let contestant = CONTESTANTS.iter().position(|name| *name == of);
            times[contestant.unwrap_or(0)].push(time);
        } else {
            line.trim().clone_into(&mut of);
        }
    })?;
    if status != 0 || times.iter().any(|times| times.len() != ROUNDS) {
        bail!("the guest measured {times:?}");
    }
    let [plain, function, tracepoint] = times.map(median);
    let row = |name: &str, scope, peer: &str, other, bar| Row {
        name: format!("a call beside `sys_enter_openat`, Linux 6.12 emulated: {name}"),
        scope,
        peer: (peer.to_owned(), other),
        unit: "ns",
        bar,
    };
    Ok(vec![
        row("at its function", function, "nothing traced", plain, Some(Bar::Most(1.05))),
        row("at its tracepoint", tracepoint, "nothing traced", plain, None),
    ])
}
