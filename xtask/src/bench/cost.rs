//! What tracing costs the traced: nanoseconds added to each system call.

use std::time::Instant;

use anyhow::{Context, Result};
use aya::programs::{RawTracePoint, TracePoint};

use super::tracer::{Tracer, Which};
use super::{Bar, Row, median};
use crate::ebpf;

/// How often the contestants take turns.
const ROUNDS: usize = 7;
/// Calls of one measurement.
const CALLS: u32 = 1_000_000;

/// A contestant: something that is attached while calls are timed.
enum Contestant {
    Nothing,
    Script(Which, &'static str),
    Reference(&'static str),
}

const COUNT: &str = "tracepoint:raw_syscalls:sys_enter { @[comm] = count(); }";
const FILTER: &str = "tracepoint:raw_syscalls:sys_enter /pid == 1/ { @[comm] = count(); }";
const ONE: &str = "tracepoint:syscalls:sys_enter_openat { @[comm] = count(); }";

/// Measures all contestants, in turns.
pub fn measure() -> Result<Vec<Row>> {
    use Which::{Bpftrace, Scope};
    let contestants = [
        Contestant::Nothing,
        Contestant::Script(Scope, COUNT),
        Contestant::Script(Bpftrace, COUNT),
        Contestant::Reference("raw_count"),
        Contestant::Script(Scope, FILTER),
        Contestant::Script(Bpftrace, FILTER),
        Contestant::Reference("raw_empty"),
        Contestant::Script(Scope, ONE),
        Contestant::Script(Bpftrace, ONE),
    ];
    let mut times = vec![Vec::new(); contestants.len()];
    for _ in 0..ROUNDS {
        for (contestant, times) in contestants.iter().zip(&mut times) {
            times.push(contestant.time()?);
        }
    }
    // What a contestant adds is taken round by round, so that the machine's drift falls out.
    let added = |index: usize| median(times[index].iter().zip(&times[0]).map(|(with, without)| with - without).collect());
    let row = |name: &str, scope: usize, peer: &str, other: usize, bar| Row {
        name: name.to_owned(),
        scope: added(scope),
        peer: (peer.to_owned(), added(other)),
        unit: "ns",
        bar,
    };
    Ok(vec![
        row("added per call: `@[comm] = count()`", 1, "bpftrace", 2, Some(Bar::Most(0.40))),
        row("added per call: `@[comm] = count()`", 1, "by hand", 3, Some(Bar::Most(1.05))),
        row("added per call: a filter that does not match", 4, "bpftrace", 5, None),
        row("added per call: a filter that does not match", 4, "empty program", 6, Some(Bar::Most(1.25))),
        row("added to other calls: one `sys_enter_openat`", 7, "bpftrace", 8, None),
    ])
}

impl Contestant {
    fn time(&self) -> Result<f64> {
        match self {
            Contestant::Nothing => Ok(per_call()),
            Contestant::Script(which, script) => {
                let tracer = Tracer::start(*which, script, "/dev/null".as_ref())?;
                let time = per_call();
                tracer.stop()?;
                Ok(time)
            }
            Contestant::Reference(program) => {
                let object = std::fs::read(ebpf::prebuilt("reference"))?;
                let mut loaded = aya::Ebpf::load(&object)?;
                let program = loaded.program_mut(program).context("the reference has this program")?;
                match program {
                    aya::programs::Program::RawTracePoint(program) => attach_raw(program)?,
                    aya::programs::Program::TracePoint(program) => attach(program)?,
                    _ => unreachable!("the reference has no other kinds"),
                }
                Ok(per_call())
            }
        }
    }
}

fn attach_raw(program: &mut RawTracePoint) -> Result<()> {
    program.load()?;
    program.attach("sys_enter")?;
    Ok(())
}

fn attach(program: &mut TracePoint) -> Result<()> {
    program.load()?;
    program.attach("raw_syscalls", "sys_enter")?;
    Ok(())
}

/// Nanoseconds of one getppid(2), the best of three portions: what is added by others only makes it slower.
fn per_call() -> f64 {
    let portion = || {
        let start = Instant::now();
        for _ in 0..CALLS {
            // SAFETY: a call without arguments.
            unsafe { libc::syscall(libc::SYS_getppid) };
        }
        start.elapsed().as_nanos() as f64 / f64::from(CALLS)
    };
    (0..3).map(|_| portion()).fold(f64::INFINITY, f64::min)
}
