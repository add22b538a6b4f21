//! One JSON object per line, in bpftrace's shapes, down to the blanks.

use std::io::{self, BufWriter, Write};

use scope_dsl::config::Config;
use serde_json::ser::{CompactFormatter, Formatter};

use crate::names::time::wall_nanos;
use crate::shown::{Bucket, Entry, Held, Point};
use crate::value::Value;

use super::text::{Place, show, stack};
use super::{Field, Helper, Kind, Made, Message, Origin, Shown, Sink};

/// Writes JSON.
pub struct Json {
    out: BufWriter<Box<dyn Write>>,
    /// Whether the entries of a map with keys are a list of pairs, so that no two keys look alike.
    key_lists: bool,
    /// Whether each record says what made it, and what that is.
    origin: bool,
    made: Option<Made>,
}

impl Json {
    /// Writes to `out`.
    #[must_use]
    pub fn new(out: Box<dyn Write>, config: &Config) -> Json {
        let out = BufWriter::with_capacity(1 << 16, out);
        Json { out, key_lists: config.json_key_lists, origin: config.json_origin, made: None }
    }

    /// Ends an object, behind what made it if that is wanted.
    fn end(&mut self) -> io::Result<()> {
        match &self.made {
            _ if !self.origin => {}
            Some(Made { time, probe, pid, cpu }) => {
                write!(self.out, ", \"ts\": {time}, \"probe\": ")?;
                string(&mut self.out, probe.as_bytes())?;
                write!(self.out, ", \"pid\": {pid}, \"cpu\": {cpu}")?;
            }
            None => {
                let (time, pid) = (wall_nanos(), std::process::id());
                write!(self.out, ", \"ts\": {time}, \"probe\": null, \"pid\": {pid}, \"cpu\": null")?;
            }
        }
        self.out.write_all(b"}\n")
    }

    /// Writes `{"type": "KIND", "data": ...}`.
    fn line(
        &mut self,
        kind: &str,
        data: impl FnOnce(&mut BufWriter<Box<dyn Write>>) -> io::Result<()>,
    ) -> io::Result<()> {
        write!(self.out, "{{\"type\": \"{kind}\", \"data\": ")?;
        data(&mut self.out)?;
        self.end()
    }
}

impl Sink for Json {
    fn made(&mut self, made: Option<Made>) {
        self.made = made;
    }

    fn attached(&mut self, probes: usize) -> io::Result<()> {
        write!(self.out, "{{\"type\": \"attached_probes\", \"count\": {probes}, \"data\": {{\"probes\": {probes}}}")?;
        self.end()?;
        self.flush()
    }

    fn text(&mut self, origin: Origin, text: &[u8]) -> io::Result<()> {
        let kind = match origin {
            Origin::Printf => "printf",
            Origin::Time => "time",
            Origin::Cat => "cat",
            Origin::Join => "join",
            Origin::System => "syscall",
        };
        self.line(kind, |out| string(out, text))
    }

    fn message(&mut self, message: &Message<'_>) -> io::Result<()> {
        let (name, line, column) = message.place;
        write!(self.out, "{{\"type\": \"{}\", \"msg\": ", message.kind)?;
        string(&mut self.out, message.text)?;
        if let Some(Helper { name, code, count }) = message.helper {
            write!(self.out, ", \"helper\": \"{name}\", \"retcode\": {code}, \"count\": {count}")?;
        }
        self.out.write_all(b", \"filename\": ")?;
        string(&mut self.out, name.as_bytes())?;
        write!(self.out, ", \"line\": {line}, \"col\": {column}")?;
        self.end()
    }

    fn value(&mut self, value: &Value) -> io::Result<()> {
        self.line("value", |out| one(out, value))
    }

    fn map(&mut self, map: &Shown<'_>) -> io::Result<()> {
        let kind = match map.kind {
            Kind::Values => "map",
            Kind::Stats => "stats",
            Kind::Histograms => "hist",
            Kind::Series => "tseries",
        };
        // As in bpftrace: a map with keys that is empty gives no line.
        if map.keyed && map.entries.is_empty() {
            return Ok(());
        }
        let key_lists = self.key_lists;
        self.line(kind, |out| {
            out.write_all(b"{")?;
            string(out, map.name.as_bytes())?;
            out.write_all(b": ")?;
            if map.keyed && key_lists {
                listed(out, map.entries)?;
            } else if map.keyed {
                let entries = map.entries.iter().map(|entry| (key(&entry.key), &entry.held));
                object(out, entries, |out, held| self::held(out, held))?;
            } else if let Some(entry) = map.entries.first() {
                held(out, &entry.held)?;
            } else {
                out.write_all(b"null")?;
            }
            out.write_all(b"}")
        })
    }

    fn last_maps(&mut self) -> io::Result<()> {
        Ok(())
    }

    fn record(&mut self, name: &str, fields: &[Field<'_>]) -> io::Result<()> {
        self.line(name, |out| {
            let fields = fields.iter().map(|field| (field.name.as_bytes().to_vec(), &field.value));
            object(out, fields, |out, value| one(out, value))
        })
    }

    fn lost(&mut self, events: u64) -> io::Result<()> {
        write!(self.out, "{{\"type\": \"lost_events\", \"count\": {events}, \"data\": {{\"events\": {events}}}")?;
        self.end()
    }

    fn flush(&mut self) -> io::Result<()> {
        self.out.flush()
    }

    fn takes_raw_texts(&self) -> bool {
        true
    }
}

/// Entries as a list of pairs: the parts of the key, and what is held.
fn listed(out: &mut impl Write, entries: &[Entry]) -> io::Result<()> {
    out.write_all(b"[")?;
    for (index, entry) in entries.iter().enumerate() {
        out.write_all(if index > 0 { b", {\"key\": " } else { b"{\"key\": " })?;
        list(out, &entry.key)?;
        out.write_all(b", \"value\": ")?;
        held(out, &entry.held)?;
        out.write_all(b"}")?;
    }
    out.write_all(b"]")
}

/// A key of several parts is their texts with commas between, as in bpftrace.
fn key(parts: &[Value]) -> Vec<u8> {
    let texts = parts.iter().map(|part| match part {
        Value::Text(text) | Value::Own(text) => text.clone(),
        Value::Enum(_, number) => number.to_string().into_bytes(),
        part => {
            let mut shown = Vec::new();
            show(part, Place::Key, &mut shown);
            shown
        }
    });
    texts.collect::<Vec<_>>().join(&b","[..])
}

fn object<T>(
    out: &mut impl Write,
    members: impl Iterator<Item = (Vec<u8>, T)>,
    mut member: impl FnMut(&mut dyn Write, T) -> io::Result<()>,
) -> io::Result<()> {
    out.write_all(b"{")?;
    for (index, (name, value)) in members.enumerate() {
        if index > 0 {
            out.write_all(b", ")?;
        }
        string(out, &name)?;
        out.write_all(b": ")?;
        member(out, value)?;
    }
    out.write_all(b"}")
}

fn held(out: &mut (impl Write + ?Sized), held: &Held) -> io::Result<()> {
    match held {
        Held::One(value) => one(out, value),
        Held::Stats(numbers) => members(out, numbers.iter().map(|(name, value)| (*name, value)), ("{", "}")),
        Held::Histogram(buckets) => array(out, buckets, |out, item| bucket(out, item)),
        Held::Series(points) => array(out, points, |out, item| point(out, item)),
    }
}

fn array<T, W: Write + ?Sized>(
    out: &mut W,
    items: &[T],
    mut item: impl FnMut(&mut W, &T) -> io::Result<()>,
) -> io::Result<()> {
    out.write_all(b"[")?;
    for (index, one) in items.iter().enumerate() {
        if index > 0 {
            out.write_all(b",")?;
        }
        item(out, one)?;
    }
    out.write_all(b"]")
}

fn list(out: &mut (impl Write + ?Sized), values: &[Value]) -> io::Result<()> {
    array(out, values, |out, value| one(out, value))
}

fn members<'v, W: Write + ?Sized>(
    out: &mut W,
    members: impl Iterator<Item = (&'v str, &'v Value)>,
    (open, close): (&str, &str),
) -> io::Result<()> {
    out.write_all(open.as_bytes())?;
    for (index, (name, value)) in members.enumerate() {
        if index > 0 {
            out.write_all(b", ")?;
        }
        string(out, name.as_bytes())?;
        out.write_all(b": ")?;
        one(out, value)?;
    }
    out.write_all(close.as_bytes())
}

fn bucket(out: &mut (impl Write + ?Sized), bucket: &Bucket) -> io::Result<()> {
    out.write_all(b"{")?;
    if let Some(min) = bucket.min {
        write!(out, "\"min\": {min}, ")?;
    }
    if let Some(max) = bucket.max {
        write!(out, "\"max\": {max}, ")?;
    }
    write!(out, "\"count\": {}}}", bucket.count)
}

fn point(out: &mut (impl Write + ?Sized), point: &Point) -> io::Result<()> {
    write!(out, "{{\"interval_start\":\"{}\",\"value\":", point.start)?;
    match &point.value {
        Some(value) => one(out, value)?,
        None => out.write_all(b"null")?,
    }
    out.write_all(b"}")
}

fn one(out: &mut (impl Write + ?Sized), value: &Value) -> io::Result<()> {
    match value {
        Value::Signed(value) | Value::Enum(_, value) => write!(out, "{value}"),
        Value::Unsigned(value) | Value::Pointer(value) => write!(out, "{value}"),
        // JSON has no infinity and no NaN.
        Value::Float(value) if value.is_finite() => write!(out, "{value}"),
        Value::Float(_) => out.write_all(b"null"),
        Value::Bool(value) => write!(out, "{value}"),
        Value::Text(text) | Value::Own(text) => string(out, text),
        Value::Tuple(values) | Value::List(values) => list(out, values),
        Value::Struct(fields) | Value::Record(fields) => {
            members(out, fields.iter().map(|(name, value)| (name.as_str(), value)), ("{", "}"))
        }
        Value::Bytes(_) => {
            let mut shown = Vec::new();
            show(value, Place::Top, &mut shown);
            string(out, &shown)
        }
        Value::Stack(of, frames) => {
            let mut shown = Vec::new();
            stack(of, frames, Place::Top, &mut shown);
            string(out, &shown)
        }
    }
}

/// Writes a JSON string; what is no UTF-8 becomes U+FFFD.
fn string(out: &mut (impl Write + ?Sized), text: &[u8]) -> io::Result<()> {
    if text.iter().all(|byte| (0x20..0x7f).contains(byte) && !matches!(byte, b'"' | b'\\')) {
        out.write_all(b"\"")?;
        out.write_all(text)?;
        return out.write_all(b"\"");
    }
    let text = String::from_utf8_lossy(text);
    CompactFormatter.begin_string(&mut *out)?;
    let quoted = serde_json::to_string(&text)?;
    out.write_all(&quoted.as_bytes()[1..quoted.len() - 1])?;
    CompactFormatter.end_string(&mut *out)
}
