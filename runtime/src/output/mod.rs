//! Where results go: a sink for each format. Sinks see values, never the kernel's bytes.

mod folded;
mod json;
pub mod printf;
mod text;

use std::io::{self, Write};

use scope_dsl::config::Config;

use crate::shown::Entry;
use crate::value::Value;
pub use folded::Folded;
pub use json::Json;
pub use text::{Text, append, escape};

/// What made a record.
#[derive(Clone, Debug)]
pub struct Made {
    /// When, in nanoseconds since 1970.
    pub time: i64,
    /// At which probe.
    pub probe: String,
    /// In which process.
    pub pid: u64,
    /// On which CPU.
    pub cpu: u64,
}

/// What a text that is printed was made by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Origin {
    /// `printf`.
    Printf,
    /// `time`.
    Time,
    /// `cat`.
    Cat,
    /// `join`.
    Join,
    /// `system`.
    System,
}

/// A message of the script about its own run.
#[derive(Debug)]
pub struct Message<'a> {
    /// What it is: `errorf`, `warnf`, `debugf`, `runtime_error`, `helper_error`.
    pub kind: &'static str,
    /// What it says.
    pub text: &'a [u8],
    /// The script's name, and the line and column of the statement.
    pub place: (&'a str, usize, usize),
    /// What the kernel's helper said, if it was one that failed.
    pub helper: Option<Helper>,
}

/// A helper of the kernel that failed.
#[derive(Clone, Copy, Debug)]
pub struct Helper {
    /// Which, without `bpf_`.
    pub name: &'static str,
    /// What it returned: a negative error number.
    pub code: i64,
    /// How often.
    pub count: u64,
}

/// A map to be shown.
#[derive(Debug)]
pub struct Shown<'a> {
    /// Its name, with the at sign.
    pub name: &'a str,
    /// Whether it has a key.
    pub keyed: bool,
    /// What its entries are, for those formats that say so.
    pub kind: Kind,
    /// The entries, from the least on.
    pub entries: &'a [Entry],
}

/// A field of a structured record.
#[derive(Debug)]
pub struct Field<'a> {
    /// Its name.
    pub name: &'a str,
    /// Its value.
    pub value: Value,
    /// Whether it is a column of the table.
    pub column: bool,
}

/// What a map's entries are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Single values.
    Values,
    /// Averages, or several numbers.
    Stats,
    /// Histograms.
    Histograms,
    /// Time series.
    Series,
}

/// Writes results in one format.
pub trait Sink {
    /// What follows was made so, for the formats that say it; by scope itself, if that is not known.
    fn made(&mut self, _made: Option<Made>) {}
    /// All is attached, so many probes.
    fn attached(&mut self, probes: usize) -> io::Result<()>;
    /// A text as it was formatted.
    fn text(&mut self, origin: Origin, text: &[u8]) -> io::Result<()>;
    /// A message of the script.
    fn message(&mut self, message: &Message<'_>) -> io::Result<()>;
    /// A value that was printed.
    fn value(&mut self, value: &Value) -> io::Result<()>;
    /// A map.
    fn map(&mut self, map: &Shown<'_>) -> io::Result<()>;
    /// What follows are the maps that are left at the end.
    fn last_maps(&mut self) -> io::Result<()>;
    /// A structured record.
    fn record(&mut self, name: &str, fields: &[Field<'_>]) -> io::Result<()>;
    /// Events were lost.
    fn lost(&mut self, events: u64) -> io::Result<()>;
    /// Hands all that was written on.
    fn flush(&mut self) -> io::Result<()>;
    /// Whether texts go to it as they are, since it makes them harmless itself.
    fn takes_raw_texts(&self) -> bool;
}

/// The output formats, by the name that `-f` takes.
pub fn open(format: Format, config: &Config, out: Box<dyn Write>) -> Box<dyn Sink> {
    match format {
        Format::Text => Box::new(Text::new(out)),
        Format::Json => Box::new(Json::new(out, config)),
        Format::Folded => Box::new(Folded::new(out, Box::new(io::stderr()))),
    }
}

/// An output format.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
pub enum Format {
    /// For people.
    #[default]
    Text,
    /// One JSON object per line.
    Json,
    /// Stacks with what is counted of them, one per line, for flame graphs.
    Folded,
}
