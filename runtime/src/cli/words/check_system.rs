//! `scope check-system`: what of scope works on this machine, for whoever asks, and what would make the rest work.

mod machine;
mod trial;

use std::io;

use scope_dsl::config::Config;
use scope_dsl::probes::PROVIDERS;

use crate::cli::args::Args;
use crate::cli::{Failure, mistake, print, written};
use crate::kernel::facts::LiveFacts;
use crate::kernel::tracefs::Tracefs;
use crate::output::{Field, Format, Json, Sink};
use crate::value::Value;

/// What `--help` says.
pub const HELP: &str = "\
Says what of scope works on this machine: the kernel, capabilities, and each kind of probe

Usage: scope check-system [-f json]

Each kind of probe is really tried: a script that only counts is attached, and detached at once. The exit status is 1 if
not even tracepoints work.
";

/// What was found out about one thing.
struct Row {
    name: String,
    /// How it is, in a word or two.
    state: String,
    /// Why it is so, or what that means.
    why: String,
    /// What would help.
    help: String,
}

impl Row {
    /// All is well.
    fn new(name: &str, state: impl Into<String>) -> Row {
        Row { name: name.to_owned(), state: state.into(), why: String::new(), help: String::new() }
    }

    /// Something is to be said.
    fn because(self, why: impl Into<String>, help: impl Into<String>) -> Row {
        Row { why: why.into(), help: help.into(), ..self }
    }
}

/// Those without which nothing of the kernel can be traced.
const BASIC: [&str; 2] = ["tracepoint", "rawtracepoint"];

/// Checks the machine.
pub fn run(args: &Args) -> Result<u8, Failure> {
    super::only_options(args, &[])?;
    if !args.arguments.is_empty() {
        return Err(mistake("check-system takes no arguments\nhelp: `scope check-system --help` tells more"));
    }
    let tracefs = Tracefs::find();
    let facts = LiveFacts::new(tracefs.as_ref().ok());
    let mut rows = machine::rows(&tracefs);
    let mut basic = false;
    for provider in PROVIDERS {
        let row = trial::row(provider.name, &facts, &tracefs);
        basic |= BASIC.contains(&provider.name) && row.state == trial::WORKS;
        rows.push(row);
    }
    match args.format {
        Format::Text => print(&table(&rows))?,
        Format::Json => written(json(&rows))?,
        Format::Folded => return Err(mistake("check-system has no stacks to fold\nhelp: take `-f text` or `-f json`")),
    }
    Ok(if basic { 0 } else { 1 })
}

/// A line for each row, in columns; what helps stands below.
fn table(rows: &[Row]) -> String {
    let width = |part: fn(&Row) -> &str| rows.iter().map(|row| part(row).chars().count()).max().unwrap_or(0);
    let (names, states) = (width(|row| &row.name), width(|row| &row.state));
    let line = |name: &str, state: &str, why: &str| {
        let line = format!("{name:<names$}  {state:<states$}  {why}");
        format!("{}\n", line.trim_end())
    };
    let mut out = String::new();
    for (index, row) in rows.iter().enumerate() {
        out += &line(&row.name, &row.state, &row.why);
        // Of rows that have the same, the last says it.
        let said_below = rows.get(index + 1).is_some_and(|next| next.help == row.help);
        if !row.help.is_empty() && !said_below {
            out += &line("", "", &format!("help: {}", row.help));
        }
    }
    out
}

fn json(rows: &[Row]) -> io::Result<()> {
    let mut sink = Json::new(Box::new(io::stdout()), &Config::default());
    for Row { name, state, why, help } in rows {
        let fields = [("name", name), ("state", state), ("why", why), ("help", help)];
        let fields =
            fields.map(|(name, text)| Field { name, value: Value::Text(text.as_bytes().into()), column: true });
        sink.record("check", &fields)?;
    }
    sink.flush()
}
