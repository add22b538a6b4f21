//! scope beside its peers, in one run, as ratios.
//!
//! These machines are shared: each figure is a median of rounds in which the contestants take turns.

mod attach;
mod cost;
mod guest;
mod load;
mod records;
mod start;
mod tracer;

use std::fs;
use std::time::{Duration, Instant};

use anyhow::Result;
use serde_json::{Value, json};

use crate::{output, packages, root, test};

/// One figure, with what it is held against.
pub struct Row {
    /// What is measured.
    pub name: String,
    /// scope's figure.
    pub scope: f64,
    /// The peer and its figure.
    pub peer: (String, f64),
    /// Unit of both.
    pub unit: &'static str,
    /// What scope's figure divided by the peer's must be, at most or at least.
    pub bar: Option<Bar>,
}

/// A bar for a ratio.
#[derive(Clone, Copy)]
pub enum Bar {
    /// At most.
    Most(f64),
    /// At least.
    Least(f64),
}

impl Row {
    fn ratio(&self) -> f64 {
        self.scope / self.peer.1
    }

    fn verdict(&self) -> &'static str {
        match self.bar {
            None => "",
            Some(Bar::Most(bar)) if self.ratio() <= bar => "held",
            Some(Bar::Least(bar)) if self.ratio() >= bar => "held",
            Some(_) => "MISSED",
        }
    }
}

/// A part of the benchmark.
type Measure = fn() -> Result<Vec<Row>>;

/// Runs the measurements whose name contains `filter`.
pub fn run(filter: &str) -> Result<()> {
    packages::need("/usr/bin/bpftrace", &["bpftrace"])?;
    test::build()?;
    let parts: [(&str, Measure); 6] = [
        ("cost", cost::measure),
        ("records", records::measure),
        ("start", start::measure),
        ("attach", attach::measure),
        ("load", load::measure),
        ("guest", guest::measure),
    ];
    let mut rows = Vec::new();
    for (name, measure) in parts.into_iter().filter(|(name, _)| name.contains(filter)) {
        eprintln!("xtask: measuring {name}");
        rows.extend(measure()?);
    }
    print_table(&rows)?;
    write_json(&rows)
}

fn machine() -> Result<(String, String, String)> {
    let kernel = output(std::process::Command::new("uname").arg("-r"))?.trim().to_owned();
    let date = output(std::process::Command::new("date").arg("+%Y-%m-%d"))?.trim().to_owned();
    let bpftrace = output(std::process::Command::new("bpftrace").arg("--version"))?.trim().to_owned();
    Ok((date, kernel, bpftrace))
}

fn print_table(rows: &[Row]) -> Result<()> {
    let (date, kernel, bpftrace) = machine()?;
    println!("{date}, Linux {kernel}, {bpftrace}\n");
    println!("| measured | scope | peer | ratio | bar | |\n| --- | --- | --- | --- | --- | --- |");
    for row in rows {
        let bar = match row.bar {
            None => String::new(),
            Some(Bar::Most(bar)) => format!("≤ {}", figure(bar)),
            Some(Bar::Least(bar)) => format!("≥ {}", figure(bar)),
        };
        println!(
            "| {} | {} {unit} | {}: {} {unit} | {} | {bar} | {} |",
            row.name,
            figure(row.scope),
            row.peer.0,
            figure(row.peer.1),
            figure(row.ratio()),
            row.verdict(),
            unit = row.unit,
        );
    }
    Ok(())
}

fn figure(value: f64) -> String {
    match value.abs() {
        size if size >= 100.0 => format!("{value:.0}"),
        size if size >= 10.0 => format!("{value:.1}"),
        size if size >= 0.1 => format!("{value:.2}"),
        _ => format!("{value:.4}"),
    }
}

fn write_json(rows: &[Row]) -> Result<()> {
    let (date, kernel, bpftrace) = machine()?;
    let rows = rows.iter().map(|row| {
        json!({
            "name": row.name, "unit": row.unit, "scope": row.scope, "peer": row.peer.0, "peer_value": row.peer.1,
            "ratio": row.ratio(), "verdict": row.verdict(),
        })
    });
    let all = json!({ "date": date, "kernel": kernel, "bpftrace": bpftrace, "rows": rows.collect::<Vec<Value>>() });
    let path = root().join("target/bench.json");
    fs::write(&path, serde_json::to_string_pretty(&all)?)?;
    eprintln!("xtask: wrote target/bench.json");
    Ok(())
}

/// The median.
pub fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

/// Calls getppid(2) at a rate, or as often as possible; the load of the record measurements.
pub fn paced(rate: u64, seconds: f64) {
    let start = Instant::now();
    let end = Duration::from_secs_f64(seconds);
    let mut calls = 0u64;
    while start.elapsed() < end {
        // In portions of a millisecond: fine enough for the buffer, coarse enough to reach any rate.
        let due = if rate == 0 { calls + 1000 } else { (start.elapsed().as_secs_f64() * rate as f64) as u64 };
        while calls < due {
            // SAFETY: a call without arguments.
            unsafe { libc::syscall(libc::SYS_getppid) };
            calls += 1;
        }
        if rate > 0 {
            std::thread::sleep(Duration::from_micros(200));
        }
    }
    println!("{calls}");
}
