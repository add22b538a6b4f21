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

/// Where calls are timed. bpftrace 0.17 opens the perf event of a tracepoint on CPU 0: calls cost it more there.
const CPUS: [&str; 2] = ["CPU 0", "last CPU"];

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
    let added = |index: usize, cpu: usize| {
        median(times[index].iter().zip(&times[0]).map(|(with, without)| with[cpu] - without[cpu]).collect())
    };
    let mut rows = Vec::new();
    for (cpu, place) in CPUS.iter().enumerate() {
        let mut row = |name: &str, scope: usize, peer: &str, other: usize, bar| {
            rows.push(Row {
                name: format!("added per call, {place}: {name}"),
                scope: added(scope, cpu),
                peer: (peer.to_owned(), added(other, cpu)),
                unit: "ns",
                bar,
            });
        };
        row("`@[comm] = count()`", 1, "bpftrace", 2, Some(Bar::Most(0.40)));
        row("`@[comm] = count()`", 1, "by hand", 3, Some(Bar::Most(1.05)));
        row("a filter that does not match", 4, "bpftrace", 5, None);
        row("a filter that does not match", 4, "empty program", 6, Some(Bar::Most(1.25)));
        row("what one `sys_enter_openat` adds to others", 7, "bpftrace", 8, None);
    }
    Ok(rows)
}

impl Contestant {
    fn time(&self) -> Result<[f64; 2]> {
        match self {
            Contestant::Nothing => per_call_on_each(),
            Contestant::Script(which, script) => {
                let tracer = Tracer::start(*which, script, "/dev/null".as_ref())?;
                let time = per_call_on_each()?;
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
                per_call_on_each()
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

/// Nanoseconds of one getppid(2) on each of [`CPUS`].
fn per_call_on_each() -> Result<[f64; 2]> {
    let last = std::thread::available_parallelism()?.get() - 1;
    Ok([0, last]
        .map(|cpu| std::thread::scope(|scope| scope.spawn(|| per_call(cpu)).join().expect("it does not panic"))))
}

/// Nanoseconds of one getppid(2), the best of three portions: what is added by others only makes it slower.
fn per_call(cpu: usize) -> f64 {
    // SAFETY: a set of CPUs of our own, for this thread.
    unsafe {
        let mut set = std::mem::zeroed::<libc::cpu_set_t>();
        libc::CPU_SET(cpu, &mut set);
        libc::sched_setaffinity(0, size_of_val(&set), &raw const set);
    }
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
