//! Where results go: a sink for each format. Sinks see values, never the kernel's bytes.

mod json;
pub mod printf;
mod text;

use std::io::{self, Write};

use crate::value::{Entry, Value};
pub use json::Json;
pub use text::{Text, escape};

/// What a text that is printed was made by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Origin {
    /// `printf`.
    Printf,
    /// `time`.
    Time,
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
    /// Averages.
    Averages,
    /// Histograms.
    Histograms,
}

/// Writes results in one format.
pub trait Sink {
    /// All is attached, so many probes.
    fn attached(&mut self, probes: usize) -> io::Result<()>;
    /// A text as it was formatted.
    fn text(&mut self, origin: Origin, text: &[u8]) -> io::Result<()>;
    /// A value that was printed.
    fn value(&mut self, value: &Value) -> io::Result<()>;
    /// A map; `last` if the trace ends and all are printed.
    fn map(&mut self, map: &Shown<'_>, last: bool) -> io::Result<()>;
    /// A structured record.
    fn record(&mut self, name: &str, fields: &[Field<'_>]) -> io::Result<()>;
    /// Events were lost.
    fn lost(&mut self, events: u64) -> io::Result<()>;
    /// Hands all that was written on.
    fn flush(&mut self) -> io::Result<()>;
}

/// The output formats, by the name that `-f` takes.
pub fn open(format: Format, out: Box<dyn Write>) -> Box<dyn Sink> {
    match format {
        Format::Text => Box::new(Text::new(out)),
        Format::Json => Box::new(Json::new(out)),
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
}
