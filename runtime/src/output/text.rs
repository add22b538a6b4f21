//! The format for people, in bpftrace's shapes.

use std::io::{self, BufWriter, Write};

use crate::value::{Bucket, Entry, Held, Value};

use super::{Field, Origin, Shown, Sink};

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

    fn text(&mut self, _origin: Origin, text: &[u8]) -> io::Result<()> {
        self.out.write_all(text)
    }

    fn value(&mut self, value: &Value) -> io::Result<()> {
        let mut line = Vec::new();
        show(value, &mut line);
        line.push(b'\n');
        self.out.write_all(&line)
    }

    fn map(&mut self, map: &Shown<'_>, last: bool) -> io::Result<()> {
        if last {
            self.out.write_all(b"\n")?;
        }
        for entry in map.entries {
            let mut line = map.name.as_bytes().to_vec();
            if map.keyed {
                line.push(b'[');
                show_key(entry, &mut line);
                line.push(b']');
            }
            line.extend_from_slice(b": ");
            match &entry.held {
                Held::One(value) | Held::Average(value) => show(value, &mut line),
                Held::Histogram(buckets) => histogram(buckets, &mut line),
            }
            line.push(b'\n');
            self.out.write_all(&line)?;
        }
        Ok(())
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
            show(&field.value, &mut cell);
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
}

/// The title of a column: the field's name, without the record's in front.
fn title(record: &str, field: &str) -> String {
    let short = field.strip_prefix(record).and_then(|rest| rest.strip_prefix('_')).filter(|rest| !rest.is_empty());
    short.unwrap_or(field).to_uppercase()
}

/// How wide a column is: known from the first value's type, not from the values to come.
fn width(value: &Value) -> usize {
    match value {
        Value::Text(_) => 16,
        Value::Unsigned(value) if *value > u64::from(u32::MAX) => 18,
        Value::Unsigned(_) | Value::Signed(_) => 7,
        Value::Float(_) => 12,
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
        show(part, line);
    }
}

/// Appends a value as people read it.
pub fn show(value: &Value, line: &mut Vec<u8>) {
    match value {
        Value::Signed(value) => line.extend_from_slice(itoa::Buffer::new().format(*value).as_bytes()),
        Value::Unsigned(value) => line.extend_from_slice(itoa::Buffer::new().format(*value).as_bytes()),
        Value::Float(value) => line.extend_from_slice(value.to_string().as_bytes()),
        Value::Text(text) => escape(text, line),
    }
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
                '\t' => out.extend_from_slice(b"\\t"),
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
    let greatest = buckets.iter().map(|bucket| bucket.count).max().unwrap_or(0).max(1);
    for bucket in buckets {
        let range = match bucket.min {
            None => "(..., 0)".to_owned(),
            Some(min) if min == bucket.max => format!("[{min}]"),
            Some(min) => format!("[{}, {})", scaled(min as u64), scaled(bucket.max as u64 + 1)),
        };
        let filled = (u128::from(bucket.count) * u128::from(BAR) / u128::from(greatest)) as usize;
        let bar = "@".repeat(filled);
        let line = format!("{range:<16}{:>8} |{bar:<width$}|\n", bucket.count, width = BAR as usize);
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
