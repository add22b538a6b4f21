//! The format for people, in bpftrace's shapes.

use std::io::{self, BufWriter, Write};

use scope_dsl::printf::Spec;
use scope_dsl::types::{Stack, StackMode};

use crate::shown::{Bucket, Entry, Held, Point};
use crate::value::{Frame, Value};

use super::{Field, Helper, Message, Origin, Shown, Sink};

/// Writes text.
pub struct Text {
    out: BufWriter<Box<dyn Write>>,
    /// The records whose header was printed, with it.
    headers: Vec<(String, Vec<usize>)>,
}

impl Text {
    /// Writes to `out`.
    #[must_use]
    pub fn new(out: Box<dyn Write>) -> Text {
        Text { out: BufWriter::with_capacity(1 << 16, out), headers: Vec::new() }
    }
}

impl Sink for Text {
    fn attached(&mut self, probes: usize) -> io::Result<()> {
        // On standard error, as all that is not the script's own: the pipe behind standard output wants results only.
        let plural = if probes == 1 { "" } else { "s" };
        writeln!(io::stderr(), "Attached {probes} probe{plural}")
    }

    fn text(&mut self, origin: Origin, text: &[u8]) -> io::Result<()> {
        self.out.write_all(text)?;
        if origin == Origin::Join { self.out.write_all(b"\n") } else { Ok(()) }
    }

    fn message(&mut self, message: &Message<'_>) -> io::Result<()> {
        self.out.flush()?;
        let kind = match message.kind {
            "warnf" | "helper_error" => "warning: ",
            "debugf" => "",
            _ => "error: ",
        };
        let (name, line, column) = message.place;
        let end = if message.text.ends_with(b"\n") { "" } else { "\n" };
        let mut out = io::stderr();
        write!(out, "{name}:{line}:{column}: {kind}")?;
        if let Some(Helper { name, count, .. }) = message.helper {
            write!(out, "{name} failed {}: ", if count == 1 { "once".to_owned() } else { format!("{count} times") })?;
        }
        out.write_all(message.text)?;
        out.write_all(end.as_bytes())
    }

    fn value(&mut self, value: &Value) -> io::Result<()> {
        let mut line = Vec::new();
        show(value, Place::Top, &mut line);
        line.push(b'\n');
        self.out.write_all(&line)
    }

    fn map(&mut self, map: &Shown<'_>) -> io::Result<()> {
        for entry in map.entries {
            let mut line = map.name.as_bytes().to_vec();
            if map.keyed {
                line.push(b'[');
                show_key(entry, &mut line);
                line.push(b']');
            }
            line.extend_from_slice(b": ");
            match &entry.held {
                Held::One(value) => show(value, Place::Top, &mut line),
                Held::Stats(numbers) => stats(numbers, &mut line),
                Held::Histogram(buckets) => histogram(buckets, &mut line),
                Held::Series(points) => series(points, &mut line),
            }
            line.push(b'\n');
            self.out.write_all(&line)?;
        }
        Ok(())
    }

    fn last_maps(&mut self) -> io::Result<()> {
        self.out.write_all(b"\n\n")
    }

    fn record(&mut self, name: &str, fields: &[Field<'_>]) -> io::Result<()> {
        let columns = || fields.iter().filter(|field| field.column);
        let known = self.headers.iter().position(|(known, _)| known == name);
        let index = match known {
            Some(index) => index,
            None => {
                let titles = columns().map(|field| title(name, field.name)).collect::<Vec<_>>();
                let widths = columns().zip(&titles).map(|(field, title)| width(&field.value).max(title.len()));
                let widths = widths.collect::<Vec<_>>();
                write_row(&mut self.out, titles.into_iter().map(String::into_bytes), &widths)?;
                self.headers.push((name.to_owned(), widths));
                self.headers.len() - 1
            }
        };
        let cells = columns().map(|field| {
            let mut cell = Vec::new();
            show(&field.value, Place::Top, &mut cell);
            cell
        });
        write_row(&mut self.out, cells, &self.headers[index].1)
    }

    fn lost(&mut self, events: u64) -> io::Result<()> {
        self.out.flush()?;
        writeln!(io::stderr(), "Lost {events} events")
    }

    fn flush(&mut self) -> io::Result<()> {
        self.out.flush()
    }

    fn takes_raw_texts(&self) -> bool {
        false
    }
}

/// The title of a column: the field's name, without the record's in front.
fn title(record: &str, field: &str) -> String {
    let short = field.strip_prefix(record).and_then(|rest| rest.strip_prefix('_')).filter(|rest| !rest.is_empty());
    short.unwrap_or(field).to_uppercase()
}

/// How wide a column is: known from the first value's type, not from the values to come.
fn width(value: &Value) -> usize {
    match value {
        Value::Text(_) | Value::Own(_) | Value::Enum(..) => 16,
        Value::Bool(_) => 5,
        Value::Pointer(_) => 18,
        Value::Unsigned(value) if *value > u64::from(u32::MAX) => 18,
        Value::Unsigned(_) | Value::Signed(_) => 7,
        Value::Float(_) => 12,
        _ => 24,
    }
}

fn write_row(out: &mut impl Write, cells: impl Iterator<Item = Vec<u8>>, widths: &[usize]) -> io::Result<()> {
    let last = widths.len().saturating_sub(1);
    for (index, cell) in cells.enumerate() {
        out.write_all(&cell)?;
        if index < last {
            // Characters, not bytes: continuation bytes take no place.
            let taken = cell.iter().filter(|byte| **byte & 0xc0 != 0x80).count();
            let padding = widths.get(index).map_or(1, |width| (width + 1).saturating_sub(taken).max(1));
            out.write_all(" ".repeat(padding).as_bytes())?;
        }
    }
    out.write_all(b"\n")
}

fn show_key(entry: &Entry, line: &mut Vec<u8>) {
    for (index, part) in entry.key.iter().enumerate() {
        if index > 0 {
            line.extend_from_slice(b", ");
        }
        show(part, Place::Key, line);
    }
}

/// Where a value is shown, which decides how a stack is set off.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// By itself, or in a text.
    Top,
    /// In the key of a map.
    Key,
}

/// Appends a value as people read it.
pub fn show(value: &Value, place: Place, line: &mut Vec<u8>) {
    match value {
        Value::Signed(value) => line.extend_from_slice(itoa::Buffer::new().format(*value).as_bytes()),
        Value::Unsigned(value) => line.extend_from_slice(itoa::Buffer::new().format(*value).as_bytes()),
        Value::Float(value) => line.extend_from_slice(value.to_string().as_bytes()),
        Value::Bool(value) => line.extend_from_slice(if *value { b"true" } else { b"false" }),
        Value::Text(text) => escape(text, line),
        Value::Own(text) => line.extend_from_slice(text),
        Value::Bytes(bytes) => super::printf::bytes(line, &Spec::default(), bytes),
        Value::Pointer(address) => line.extend_from_slice(format!("{address:#x}").as_bytes()),
        Value::Enum(name, _) => line.extend_from_slice(name.as_bytes()),
        Value::Tuple(values) => list(values, ("(", ", ", ")"), line),
        Value::List(values) => list(values, ("[", ",", "]"), line),
        Value::Struct(fields) | Value::Record(fields) => {
            line.extend_from_slice(b"{ ");
            for (index, (name, value)) in fields.iter().enumerate() {
                let comma = if index > 0 { ", " } else { "" };
                line.extend_from_slice(format!("{comma}.{name} = ").as_bytes());
                show(value, place, line);
            }
            line.extend_from_slice(b" }");
        }
        Value::Stack(of, frames) => stack(of, frames, place, line),
    }
}

fn list(values: &[Value], (open, between, close): (&str, &str, &str), line: &mut Vec<u8>) {
    line.extend_from_slice(open.as_bytes());
    for (index, value) in values.iter().enumerate() {
        if index > 0 {
            line.extend_from_slice(between.as_bytes());
        }
        show(value, Place::Top, line);
    }
    line.extend_from_slice(close.as_bytes());
}

/// A stack, a frame to a line.
pub fn stack(of: &Stack, frames: &[Frame], place: Place, line: &mut Vec<u8>) {
    let indent = match (of.mode, place) {
        // Names may hold blanks, but only these forms have several columns: those begin with a tab, as perf's lines do.
        (StackMode::Perf | StackMode::BuildId, _) => "\t",
        (_, Place::Key) => "    ",
        (_, Place::Top) => "        ",
    };
    line.push(b'\n');
    for frame in frames {
        line.extend_from_slice(indent.as_bytes());
        escape(frame.text.as_bytes(), line);
        line.push(b'\n');
    }
}

fn stats(numbers: &[(&'static str, Value)], line: &mut Vec<u8>) {
    for (index, (name, value)) in numbers.iter().enumerate() {
        let comma = if index > 0 { ", " } else { "" };
        line.extend_from_slice(format!("{comma}{name} ").as_bytes());
        show(value, Place::Top, line);
    }
}

/// Appends a text as it is if it may stay `raw`, else as one of unknown origin.
pub fn append(text: &[u8], raw: bool, out: &mut Vec<u8>) {
    if raw { out.extend_from_slice(text) } else { escape(text, out) }
}

/// Appends a text of unknown origin: what would steer a terminal, and what is no UTF-8, as `\xNN`.
pub fn escape(text: &[u8], out: &mut Vec<u8>) {
    if text.iter().all(|byte| (0x20..0x7f).contains(byte)) {
        out.extend_from_slice(text);
        return;
    }
    for chunk in text.utf8_chunks() {
        for char in chunk.valid().chars() {
            match char {
                '\n' => out.extend_from_slice(b"\\n"),
                // It moves to the right only.
                '\t' => out.push(b'\t'),
                '\r' => out.extend_from_slice(b"\\r"),
                // The C1 controls too: terminals take them for escapes.
                _ if char.is_control() => char.encode_utf8(&mut [0; 4]).bytes().for_each(|byte| hex(byte, out)),
                _ => out.extend_from_slice(char.encode_utf8(&mut [0; 4]).as_bytes()),
            }
        }
        chunk.invalid().iter().for_each(|byte| hex(*byte, out));
    }
}

fn hex(byte: u8, out: &mut Vec<u8>) {
    out.extend_from_slice(format!("\\x{byte:02x}").as_bytes());
}

/// The width of the longest bar, in characters.
const BAR: u64 = 52;

fn histogram(buckets: &[Bucket], out: &mut Vec<u8>) {
    out.push(b'\n');
    // A bar shows what was counted, whatever it was divided by.
    let greatest = buckets.iter().map(|bucket| bucket.whole).max().unwrap_or(0).max(1);
    for bucket in buckets {
        let bound = |bound: i64| if bucket.binary { scaled(bound as u64) } else { bound.to_string() };
        let range = match (bucket.min, bucket.max) {
            (None, max) => format!("(..., {})", bound(max.unwrap_or(0) + 1)),
            (Some(min), None) => format!("[{}, ...)", bound(min)),
            (Some(min), Some(max)) if min == max && bucket.binary => format!("[{min}]"),
            (Some(min), Some(max)) => format!("[{}, {})", bound(min), bound_above(max, bucket.binary)),
        };
        let filled = (u128::from(bucket.whole) * u128::from(BAR) / u128::from(greatest)) as usize;
        let bar = "@".repeat(filled);
        let line = format!("{range:<16}{:>8} |{bar:<width$}|\n", bucket.count, width = BAR as usize);
        out.extend_from_slice(line.as_bytes());
    }
}

/// The bound behind the greatest value of a bucket.
fn bound_above(max: i64, binary: bool) -> String {
    match binary {
        true => scaled(max as u64 + 1),
        false => (i128::from(max) + 1).to_string(),
    }
}

/// A time series: an interval to a line, with a mark at its value between the least and the greatest.
fn series(points: &[Point], out: &mut Vec<u8>) {
    out.push(b'\n');
    let number = |value: &Value| match value {
        Value::Signed(value) => i128::from(*value),
        Value::Unsigned(value) => i128::from(*value),
        _ => 0,
    };
    let values = points.iter().filter_map(|point| point.value.as_ref()).map(number);
    let (least, greatest) = values.fold((0, 0), |(least, greatest), value| (least.min(value), greatest.max(value)));
    let width = (greatest - least).max(1);
    for point in points {
        // The date is the same for all that anyone looks at; the thousandths of a second are enough.
        let time = point.start.get(11..23).unwrap_or(&point.start);
        let mut line = format!("{time} |");
        let mut plot = vec![b' '; BAR as usize];
        let shown = point.value.as_ref().map(|value| {
            plot[((number(value) - least) * i128::from(BAR - 1) / width) as usize] = b'*';
            number(value).to_string()
        });
        line += &String::from_utf8_lossy(&plot);
        line += &format!("| {}\n", shown.unwrap_or_else(|| "-".to_owned()));
        out.extend_from_slice(line.as_bytes());
    }
}

/// A bound of a bucket in units of 1024, when it is one: `4K`, `2M`.
fn scaled(bound: u64) -> String {
    let units = [(1u64 << 60, "E"), (1 << 50, "P"), (1 << 40, "T"), (1 << 30, "G"), (1 << 20, "M"), (1 << 10, "K")];
    match units.iter().find(|(unit, _)| bound >= *unit) {
        Some((unit, name)) => format!("{}{name}", bound / unit),
        None => bound.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_steers_a_terminal_is_escaped() {
        let escaped = |text: &[u8]| {
            let mut out = Vec::new();
            escape(text, &mut out);
            String::from_utf8(out).unwrap()
        };
        assert_eq!(escaped(b"plain"), "plain");
        assert_eq!(escaped(b"a\x1b[2Jb\n"), "a\\x1b[2Jb\\n");
        assert_eq!(escaped("grün\u{9b}1m".as_bytes()), "grün\\xc2\\x9b1m");
        assert_eq!(escaped(b"\xff\xfe"), "\\xff\\xfe");
    }
}
