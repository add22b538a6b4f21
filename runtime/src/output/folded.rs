//! Folded stacks, which flame graphs are drawn from: an entry of a map to a line, `part;part;root;...;leaf VALUE`.
//!
//! Only maps are folded whose keys hold a stack and whose values are numbers. All else goes to standard error, as the
//! format for people has it: a line that is no folded stack would be a wrong one in the graph.

use std::io::{self, BufWriter, Write};

use scope_dsl::types::StackMode;

use crate::shown::{Entry, Held};
use crate::value::{Frame, Value};

use super::text::{Place, escape, show};
use super::{Field, Message, Origin, Shown, Sink, Text};

/// What stands for a stack of which the kernel knows no frame.
const NO_STACK: &str = "[no stack]";
/// What stands for a frame that has no name.
const UNKNOWN: &str = "[unknown]";
/// What marks a frame of the kernel: palettes of flame graphs know it.
const KERNEL: &str = "_[k]";

/// Writes folded stacks.
pub struct Folded {
    out: BufWriter<Box<dyn Write>>,
    /// What is not folded.
    rest: Text,
    /// The maps that were warned of.
    warned: Vec<String>,
}

impl Folded {
    /// Writes folded stacks to `out`, and all else to `rest`.
    #[must_use]
    pub fn new(out: Box<dyn Write>, rest: Box<dyn Write>) -> Folded {
        Folded { out: BufWriter::with_capacity(1 << 16, out), rest: Text::new(rest), warned: Vec::new() }
    }

    /// Warns, once of each map.
    fn warn(&mut self, map: &str, what: &str) -> io::Result<()> {
        if self.warned.iter().any(|known| known == map) {
            return Ok(());
        }
        self.warned.push(map.to_owned());
        self.rest.text(Origin::Printf, format!("warning: {map} {what}\n").as_bytes())
    }
}

impl Sink for Folded {
    fn attached(&mut self, probes: usize) -> io::Result<()> {
        self.rest.attached(probes)
    }

    fn text(&mut self, origin: Origin, text: &[u8]) -> io::Result<()> {
        self.rest.text(origin, text)
    }

    fn message(&mut self, message: &Message<'_>) -> io::Result<()> {
        self.rest.message(message)
    }

    fn value(&mut self, value: &Value) -> io::Result<()> {
        self.rest.value(value)
    }

    fn map(&mut self, map: &Shown<'_>) -> io::Result<()> {
        if !map.entries.iter().flat_map(|entry| &entry.key).any(holds_stack) {
            return self.rest.map(map);
        }
        if map.entries.iter().any(|entry| !is_number(&entry.held)) {
            let what = "has a stack in its key, but its values are no numbers: it is not folded\n\
                        help: `count()` or `sum(n)` in its place can be folded";
            self.warn(map.name, what)?;
            return self.rest.map(map);
        }
        let mut negative = 0;
        for Entry { key, held } in map.entries {
            match held {
                Held::One(Value::Signed(value)) if *value < 0 => negative += 1,
                Held::One(value) => {
                    let mut line = folded(key);
                    line.push(b' ');
                    show(value, Place::Top, &mut line);
                    line.push(b'\n');
                    self.out.write_all(&line)?;
                }
                _ => {}
            }
        }
        match negative {
            0 => Ok(()),
            _ => self
                .warn(map.name, "has stacks with values below zero, which no flame graph can show: they are left out"),
        }
    }

    fn last_maps(&mut self) -> io::Result<()> {
        Ok(())
    }

    fn record(&mut self, name: &str, fields: &[Field<'_>]) -> io::Result<()> {
        self.rest.record(name, fields)
    }

    fn lost(&mut self, events: u64) -> io::Result<()> {
        self.rest.lost(events)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.out.flush()?;
        self.rest.flush()
    }

    fn takes_raw_texts(&self) -> bool {
        self.rest.takes_raw_texts()
    }
}

fn holds_stack(value: &Value) -> bool {
    match value {
        Value::Stack(..) => true,
        Value::Tuple(parts) => parts.iter().any(holds_stack),
        Value::Record(parts) => parts.iter().any(|(_, part)| holds_stack(part)),
        _ => false,
    }
}

fn is_number(held: &Held) -> bool {
    matches!(held, Held::One(Value::Signed(_) | Value::Unsigned(_)))
}

/// The parts of a key in their order, then the frames of the process from the root on, then those of the kernel.
fn folded(key: &[Value]) -> Vec<u8> {
    let mut parts = Parts::default();
    key.iter().for_each(|part| parts.add(part));
    let Parts { others, user, kernel } = parts;
    let mut stack = [user, kernel].concat();
    if stack.is_empty() {
        stack.push(NO_STACK.into());
    }
    // A number behind a blank, at the very end, would be taken for a value.
    if let Some(leaf) = stack.last_mut()
        && let Some(blank) = leaf.iter().rposition(|byte| *byte == b' ')
        && leaf[blank + 1..].iter().all(|byte| byte.is_ascii_digit() || *byte == b'.')
    {
        leaf[blank] = b'_';
    }
    [others, stack].concat().join(&b";"[..])
}

/// What a key is made of, each part as it stands in a line.
#[derive(Default)]
struct Parts {
    others: Vec<Vec<u8>>,
    user: Vec<Vec<u8>>,
    kernel: Vec<Vec<u8>>,
}

impl Parts {
    fn add(&mut self, value: &Value) {
        match value {
            Value::Stack(of, frames) => {
                let suffix = if of.user { "" } else { KERNEL };
                let frame = |frame: &Frame| {
                    let known = match of.mode {
                        // Where numbers are asked for, they are the names.
                        StackMode::Raw | StackMode::BuildId => frame.text.as_str(),
                        StackMode::Bpftrace | StackMode::Perf => frame.name().unwrap_or(UNKNOWN),
                    };
                    let mut text = Vec::new();
                    escape(known.as_bytes(), &mut text);
                    text.extend_from_slice(suffix.as_bytes());
                    clean(text)
                };
                let frames = frames.iter().rev().map(frame);
                if of.user { self.user.extend(frames) } else { self.kernel.extend(frames) }
            }
            Value::Tuple(parts) => parts.iter().for_each(|part| self.add(part)),
            Value::Record(parts) => parts.iter().for_each(|(_, part)| self.add(part)),
            other => {
                let mut text = Vec::new();
                show(other, Place::Key, &mut text);
                self.others.push(clean(text));
            }
        }
    }
}

/// A part without what separates parts and lines; an empty one would be none.
fn clean(mut text: Vec<u8>) -> Vec<u8> {
    if text.is_empty() {
        return b"[empty]".into();
    }
    for byte in &mut text {
        match *byte {
            b';' => *byte = b':',
            b'\n' | b'\r' | b'\t' => *byte = b' ',
            _ => {}
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use std::cell::RefCell;
    use std::rc::Rc;

    use scope_dsl::types::Stack;

    use super::*;
    use crate::output::Kind;

    #[derive(Clone, Default)]
    struct Written(Rc<RefCell<Vec<u8>>>);

    impl Write for Written {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.borrow_mut().write(bytes)
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    impl Written {
        fn text(&self) -> String {
            String::from_utf8(self.0.take()).unwrap()
        }
    }

    fn stack(user: bool, mode: StackMode, frames: &[Frame]) -> Value {
        Value::Stack(Stack { user, mode, depth: 127 }, frames.to_vec())
    }

    fn frames(names: &[&str]) -> Vec<Frame> {
        names.iter().map(|name| Frame::named("", name, "+12")).collect()
    }

    fn user(names: &[&str]) -> Value {
        stack(true, StackMode::Bpftrace, &frames(names))
    }

    fn kernel(names: &[&str]) -> Value {
        stack(false, StackMode::Bpftrace, &frames(names))
    }

    fn text(text: &str) -> Value {
        Value::Text(text.into())
    }

    /// The entries of a map, by its name.
    type Map = (&'static str, Vec<(Vec<Value>, Held)>);

    /// What is folded, and what is said besides, of maps that are printed one behind the other.
    fn shown(maps: &[Map]) -> (String, String) {
        let (out, rest) = (Written::default(), Written::default());
        let mut sink = Folded::new(Box::new(out.clone()), Box::new(rest.clone()));
        sink.text(Origin::Printf, b"a text\n").unwrap();
        sink.last_maps().unwrap();
        for (name, entries) in maps {
            let entries = entries.iter().cloned().map(|(key, held)| Entry { key, held }).collect::<Vec<_>>();
            sink.map(&Shown { name, keyed: true, kind: Kind::Values, entries: &entries }).unwrap();
        }
        sink.flush().unwrap();
        (out.text(), rest.text())
    }

    fn one(key: Vec<Value>) -> String {
        shown(&[("@", vec![(key, Held::One(Value::Unsigned(3)))])]).0
    }

    #[test]
    fn frames_run_from_the_root_to_the_leaf() {
        assert_eq!(one(vec![user(&["leaf", "main", "_start"])]), "_start;main;leaf 3\n");
        assert_eq!(one(vec![kernel(&["vfs_read", "ksys_read"])]), "ksys_read_[k];vfs_read_[k] 3\n");
        let key = vec![kernel(&["vfs_read", "do_syscall_64"]), text("cat"), user(&["read", "main"]), Value::Signed(-7)];
        assert_eq!(one(key), "cat;-7;main;read;do_syscall_64_[k];vfs_read_[k] 3\n");
        let record = Value::Record(vec![("who".to_owned(), text("a")), ("where".to_owned(), user(&["f"]))]);
        assert_eq!(one(vec![Value::Tuple(vec![text("t"), record])]), "t;a;f 3\n");
    }

    #[test]
    fn a_frame_is_its_name_alone() {
        let perf = [Frame::named("7f12 ", "operator+(int, int)", "+4 (/bin/a)"), Frame::unknown("12 0x12".to_owned())];
        assert_eq!(one(vec![stack(true, StackMode::Perf, &perf)]), "[unknown];operator+(int, int) 3\n");
        let raw = [Frame::unknown("ffff8002".to_owned())];
        assert_eq!(one(vec![stack(false, StackMode::Raw, &raw)]), "ffff8002_[k] 3\n");
        assert_eq!(one(vec![stack(true, StackMode::Bpftrace, &[])]), "[no stack] 3\n");
        assert_eq!(one(vec![text("worker 12"), user(&[]), kernel(&["f"])]), "worker 12;f_[k] 3\n");
    }

    #[test]
    fn a_line_stays_one_record() {
        assert_eq!(one(vec![text("a;b\nc\td\x1b"), user(&["f;g\n"])]), "a:b\\nc d\\x1b;f:g\\n 3\n");
        assert_eq!(one(vec![text(""), user(&["fn 12"])]), "[empty];fn_12 3\n");
    }

    #[test]
    fn what_can_not_be_folded_is_said_elsewhere() {
        let hist = || Held::Histogram(Vec::new());
        let number = |value| Held::One(Value::Signed(value));
        let (out, rest) = shown(&[
            ("@plain", vec![(vec![text("a")], number(1))]),
            ("@hist", vec![(vec![user(&["f"])], hist())]),
            ("@hist", vec![(vec![user(&["f"])], hist())]),
            ("@sum", vec![(vec![user(&["f"])], number(-1)), (vec![user(&["g"])], number(2))]),
        ]);
        assert_eq!(out, "g 2\n");
        let warnings = rest.lines().filter(|line| line.starts_with("warning: ")).collect::<Vec<_>>();
        assert_eq!(warnings.len(), 2, "{rest}");
        assert!(warnings[0].starts_with("warning: @hist has a stack in its key, but"), "{rest}");
        assert!(warnings[1].starts_with("warning: @sum has stacks with values below zero"), "{rest}");
        assert!(rest.starts_with("a text\n@plain[a]: 1\n"), "{rest}");
        assert_eq!(rest.matches("@hist[\n    f+12\n]: \n").count(), 2, "{rest}");
    }
}
