//! One JSON object per line, in bpftrace's shapes, down to the blanks.

use std::io::{self, BufWriter, Write};

use serde_json::ser::{CompactFormatter, Formatter};

use crate::value::{Bucket, Held, Value};

use super::{Field, Kind, Origin, Shown, Sink};

/// Writes JSON.
pub struct Json {
    out: BufWriter<Box<dyn Write>>,
}

impl Json {
    /// Writes to `out`.
    #[must_use]
    pub fn new(out: Box<dyn Write>) -> Json {
        Json { out: BufWriter::with_capacity(1 << 16, out) }
    }

    /// Writes `{"type": "KIND", "data": ...}`.
    fn line(&mut self, kind: &str, data: impl FnOnce(&mut BufWriter<Box<dyn Write>>) -> io::Result<()>) -> io::Result<()> {
        write!(self.out, "{{\"type\": \"{kind}\", \"data\": ")?;
        data(&mut self.out)?;
        self.out.write_all(b"}\n")
    }
}

impl Sink for Json {
    fn attached(&mut self, probes: usize) -> io::Result<()> {
        self.line("attached_probes", |out| write!(out, "{{\"probes\": {probes}}}"))?;
        self.flush()
    }

    fn text(&mut self, origin: Origin, text: &[u8]) -> io::Result<()> {
        let kind = match origin {
            Origin::Printf => "printf",
            Origin::Time => "time",
        };
        self.line(kind, |out| string(out, text))
    }

    fn value(&mut self, value: &Value) -> io::Result<()> {
        self.line("value", |out| one(out, value))
    }

    fn map(&mut self, map: &Shown<'_>, _last: bool) -> io::Result<()> {
        let kind = match map.kind {
            Kind::Values => "map",
            Kind::Averages => "stats",
            Kind::Histograms => "hist",
        };
        self.line(kind, |out| {
            out.write_all(b"{")?;
            string(out, map.name.as_bytes())?;
            out.write_all(b": ")?;
            if map.keyed {
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

    fn record(&mut self, name: &str, fields: &[Field<'_>]) -> io::Result<()> {
        self.line(name, |out| {
            let fields = fields.iter().map(|field| (field.name.as_bytes().to_vec(), &field.value));
            object(out, fields, |out, value| one(out, value))
        })
    }

    fn lost(&mut self, events: u64) -> io::Result<()> {
        self.line("lost_events", |out| write!(out, "{{\"events\": {events}}}"))
    }

    fn flush(&mut self) -> io::Result<()> {
        self.out.flush()
    }
}

/// A key of several parts is their texts with commas between, as in bpftrace.
fn key(parts: &[Value]) -> Vec<u8> {
    let texts = parts.iter().map(|part| match part {
        Value::Text(text) => text.clone(),
        Value::Signed(value) => value.to_string().into_bytes(),
        Value::Unsigned(value) => value.to_string().into_bytes(),
        Value::Float(value) => value.to_string().into_bytes(),
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
        Held::One(value) | Held::Average(value) => one(out, value),
        Held::Histogram(buckets) => {
            out.write_all(b"[")?;
            for (index, bucket) in buckets.iter().enumerate() {
                if index > 0 {
                    out.write_all(b",")?;
                }
                self::bucket(out, bucket)?;
            }
            out.write_all(b"]")
        }
    }
}

fn bucket(out: &mut (impl Write + ?Sized), bucket: &Bucket) -> io::Result<()> {
    out.write_all(b"{")?;
    if let Some(min) = bucket.min {
        write!(out, "\"min\": {min}, ")?;
    }
    write!(out, "\"max\": {}, \"count\": {}}}", bucket.max, bucket.count)
}

fn one(out: &mut (impl Write + ?Sized), value: &Value) -> io::Result<()> {
    match value {
        Value::Signed(value) => write!(out, "{value}"),
        Value::Unsigned(value) => write!(out, "{value}"),
        // JSON has no infinity and no NaN.
        Value::Float(value) if value.is_finite() => write!(out, "{value}"),
        Value::Float(_) => out.write_all(b"null"),
        Value::Text(text) => string(out, text),
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
