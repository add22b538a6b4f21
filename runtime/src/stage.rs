//! The user stage: what the records of clauses make userspace do.

use std::fs::File;
use std::io::{self, Read};
use std::os::fd::AsFd;
use std::process::{Command, Stdio};

use scope_common::plan::STACK_WORK;
use scope_dsl::checked::{Action, Aggregation, Argument, Purpose, Slot, Value as MapValue};
use scope_dsl::config::Config;
use scope_dsl::only::FAMILY;
use scope_dsl::printf::{Piece, Spec};
use scope_dsl::program::{Failure, Map, Program};
use scope_dsl::source::{Source, Span};
use scope_dsl::types::{Named, Type};

use crate::host::World;
use crate::noted::Noted;
use crate::output::{self, Helper, Kind, Made, Message, Origin, Shown, Sink};
use crate::script::Functions;
use crate::shown::{self, Wish};
use crate::tables::{Key, Tables, Words};
use crate::value::{self, Names, Value};

/// The user stage of a running trace.
pub struct Stage {
    actions: Vec<Action>,
    /// Where in the record of each action lies what made it; empty if that is not wanted.
    origins: Vec<usize>,
    map_names: Vec<String>,
    names: Names,
    config: Config,
    source: Source,
    /// Whether what `debugf` says is said.
    pub verbose: bool,
    functions: Option<Functions>,
    /// The maps.
    pub tables: Tables,
    sink: Box<dyn Sink>,
    line: Vec<u8>,
    /// Set when the script ends the trace, with its status.
    pub exit: Option<i32>,
    /// Set when nothing can be written any more.
    pub broken: Option<io::Error>,
    /// The records taken.
    pub records: u64,
    /// The lost records that were reported.
    pub lost_records: u64,
}

impl Stage {
    /// Makes the user stage of a program.
    pub fn new(
        program: &Program,
        source: Source,
        functions: Option<Functions>,
        tables: Tables,
        sink: Box<dyn Sink>,
    ) -> Stage {
        let stacks = tables.stacks();
        let stack = move |id: u64| {
            let mut bytes = [0; STACK_WORK];
            let found = crate::kernel::bpf::lookup(stacks.as_ref()?.as_fd(), &id.to_ne_bytes(), &mut bytes).ok()?;
            let count = value::word_at(&bytes, 0) as usize;
            found.then(|| (1..=count.min(bytes.len() / 8 - 1)).map(|at| value::word_at(&bytes, at * 8)).collect())
        };
        Stage {
            actions: program.actions.clone(),
            origins: program.origins.clone(),
            map_names: program.maps.keys().cloned().collect(),
            names: Names::new(program.probes.clone(), Box::new(stack)).with(program.config.clone()),
            config: program.config.clone(),
            source,
            verbose: false,
            functions,
            tables,
            sink,
            line: Vec::new(),
            exit: None,
            broken: None,
            records: 0,
            lost_records: 0,
        }
    }

    /// Does what a record asks for. After an `exit` only what was sent before it counts.
    pub fn take(&mut self, record: &[u8]) {
        if self.broken.is_some() || self.exit.is_some() {
            return;
        }
        self.records += 1;
        let number = value::word_at(record, 0) as usize;
        if let Some(at) = self.origins.get(number) {
            let word = |index: usize| value::word_at(record, at + 8 * index);
            let made = Made {
                time: self.names.since_epoch(word(0)),
                probe: self.names.probe(word(1)).to_owned(),
                pid: word(2),
                cpu: word(3),
            };
            self.sink.made(Some(made));
        }
        // The actions are lent out, so that the rest of the stage stays free while one is done.
        let actions = std::mem::take(&mut self.actions);
        let done = actions.get(number).map_or(Ok(()), |action| self.act(action, record));
        self.actions = actions;
        if !self.origins.is_empty() {
            self.sink.made(None);
        }
        self.note(done);
    }

    /// Has the processes remembered whose addresses lie in maps.
    pub fn look_for_processes(&self, noted: &mut Noted) {
        noted.look(&self.tables, &self.names);
    }

    fn note(&mut self, done: io::Result<()>) {
        if let Err(error) = done {
            self.broken.get_or_insert(error);
        }
    }

    fn act(&mut self, action: &Action, record: &[u8]) -> io::Result<()> {
        match action {
            Action::Printf { pieces, arguments, purpose, span } => {
                self.printf(pieces, arguments, *purpose, *span, record)
            }
            Action::Print(argument) => {
                let value = self.argument(argument, record);
                self.sink.value(&value)
            }
            Action::PrintMap { map, top, divisor } => {
                self.print_map(*map, Wish { top: *top, divisor: *divisor, detail: false })
            }
            Action::PrintEntry { map, key } => self.print_entry(*map, key, record),
            Action::Join { texts, separator } => {
                let texts = texts.iter().map(|slot| value::text(record, slot));
                // The array ends with a null, which reads as nothing.
                let texts = texts.take_while(|text| !text.is_empty() && *text != b"<fault>");
                let raw = self.sink.takes_raw_texts();
                let mut joined = Vec::new();
                for (index, text) in texts.enumerate() {
                    joined.extend_from_slice(if index > 0 { separator } else { b"" });
                    output::append(text, raw, &mut joined);
                }
                self.sink.text(Origin::Join, &joined)
            }
            Action::Clear(map) => self.tables.clear(*map),
            Action::Zero(map) => self.tables.zero(*map),
            Action::Time(format) => {
                let text = self.names.time_of_day(format);
                self.sink.text(Origin::Time, text.as_bytes())
            }
            Action::Exit(status) => {
                let Argument::Slot(slot) = status else { return Ok(()) };
                self.exit = Some(value::word_at(record, slot.offset) as i32 & 0xff);
                Ok(())
            }
            Action::Emit { name, fields } => {
                let values = fields.iter().map(|field| output::Field {
                    name: &field.name,
                    value: self.argument(&field.value, record),
                    column: field.column,
                });
                let values = values.collect::<Vec<_>>();
                self.sink.record(name, &values)
            }
        }
    }

    fn printf(
        &mut self,
        pieces: &[Piece],
        arguments: &[Argument],
        purpose: Purpose,
        span: Span,
        record: &[u8],
    ) -> io::Result<()> {
        let mut line = std::mem::take(&mut self.line);
        line.clear();
        // What is made harmless for a terminal would be something else to the shell.
        let raw = self.sink.takes_raw_texts() || matches!(purpose, Purpose::Cat | Purpose::System);
        let mut arguments = arguments.iter();
        for piece in pieces {
            match piece {
                Piece::Text(text) => line.extend_from_slice(text),
                Piece::Value(spec) => match arguments.next() {
                    Some(Argument::Slot(slot)) => self.formatted(&mut line, spec, slot, record, raw),
                    Some(call) => {
                        let value = self.argument(call, record);
                        // A function's own text is its own affair: colours are meant.
                        output::printf::value(&mut line, spec, &value, true);
                    }
                    None => {}
                },
            }
        }
        let done = self.formatted_text(purpose, span, &line);
        self.line = line;
        done
    }

    /// Does with a text what it was formatted for.
    fn formatted_text(&mut self, purpose: Purpose, span: Span, text: &[u8]) -> io::Result<()> {
        let kind = match purpose {
            Purpose::Print => return self.sink.text(Origin::Printf, text),
            Purpose::Cat => return self.cat(text, span),
            Purpose::System => return self.system(text),
            Purpose::Debug if !self.verbose => return Ok(()),
            Purpose::Debug => "debugf",
            Purpose::Warn => "warnf",
            Purpose::Error => "errorf",
            Purpose::Assert => "runtime_error",
        };
        if purpose == Purpose::Assert {
            self.exit = Some(1);
        }
        self.sink.message(&Message { kind, text, place: self.source.position(span), helper: None })
    }

    /// Prints a file, up to the configured size.
    fn cat(&mut self, path: &[u8], span: Span) -> io::Result<()> {
        let path = String::from_utf8_lossy(path).into_owned();
        let mut content = Vec::new();
        let read =
            File::open(&path).and_then(|file| file.take(self.config.max_cat_bytes as u64).read_to_end(&mut content));
        if let Err(error) = read {
            let text = format!("can't read {path}: {error}");
            let place = self.source.position(span);
            self.sink.message(&Message { kind: "warnf", text: text.as_bytes(), place, helper: None })?;
        }
        self.sink.text(Origin::Cat, &content)
    }

    /// Runs a command and prints its output, behind what was printed before.
    fn system(&mut self, command: &[u8]) -> io::Result<()> {
        use std::os::unix::ffi::OsStrExt;
        let command = std::ffi::OsStr::from_bytes(command);
        let output =
            Command::new("/bin/sh").arg("-c").arg(command).stdin(Stdio::null()).stderr(Stdio::inherit()).output()?;
        self.sink.text(Origin::System, &output.stdout)
    }

    /// The plain way: from the record's bytes to the line's, with no value in between.
    fn formatted(&self, line: &mut Vec<u8>, spec: &Spec, slot: &Slot, record: &[u8], raw: bool) {
        match &slot.ty {
            Type::Int { .. } | Type::Pointer { .. } => {
                output::printf::number(line, spec, value::word_at(record, slot.offset))
            }
            Type::Text { size, own } if spec.conversion == 's' => {
                output::printf::text(line, spec, &self.names.marked(value::text(record, slot), *size), raw || *own)
            }
            Type::Named(_) | Type::Time(_) | Type::Enum(_) | Type::Bool | Type::Mac if spec.conversion != 's' => {
                output::printf::number(line, spec, value::word_at(record, slot.offset));
            }
            Type::Named(Named::Syscall | Named::Probe | Named::Function) => {
                if let Value::Text(name) = self.names.slot(record, slot) {
                    output::printf::text(line, spec, &name, raw);
                }
            }
            Type::Memory(memory) if spec.conversion == 'r' => {
                let bytes = record.get(slot.offset..slot.offset + memory.bytes).unwrap_or_default();
                output::printf::bytes(line, spec, bytes);
            }
            _ => output::printf::value(line, spec, &self.names.slot(record, slot), raw),
        }
    }

    fn argument(&mut self, argument: &Argument, record: &[u8]) -> Value {
        match argument {
            Argument::Slot(slot) => self.names.slot(record, slot),
            Argument::Call(name, arguments) => {
                let values = arguments.iter().map(|argument| self.argument(argument, record)).collect();
                match &mut self.functions {
                    Some(functions) => functions.call(name, values),
                    None => Value::Text(Vec::new()),
                }
            }
        }
    }

    /// The entries of a map; what was never counted was counted 0 times, which is an answer, too.
    fn entries(&mut self, map: usize) -> io::Result<Vec<(Key, Words)>> {
        let mut raw = self.tables.entries(map)?;
        let described = self.tables.map(map);
        let count = matches!(described.value, MapValue::Gathered { kind: Aggregation::Count, .. });
        if count && raw.is_empty() && described.key.is_empty() {
            raw.push((vec![0; described.storage.key_size], vec![0]));
        }
        Ok(raw)
    }

    fn print_map(&mut self, map: usize, wish: Wish) -> io::Result<()> {
        let raw = self.entries(map)?;
        self.show_map(map, raw, wish)
    }

    fn show_map(&mut self, map: usize, raw: Vec<(Key, Words)>, wish: Wish) -> io::Result<()> {
        let described = self.tables.map(map);
        let wish = Wish { detail: self.config.stats_detail, ..wish };
        let entries = shown::entries(described, raw, &self.names, wish);
        let shown = Shown {
            name: &self.map_names[map],
            keyed: !described.key.is_empty(),
            kind: kind(described),
            entries: &entries,
        };
        self.sink.map(&shown)
    }

    /// One entry of a map, by the key that lies in the record.
    fn print_entry(&mut self, map: usize, key: &[Slot], record: &[u8]) -> io::Result<()> {
        let scalar = self.tables.map(map).key.is_empty();
        let bytes = match scalar {
            true => vec![0; self.tables.map(map).storage.key_size],
            false => {
                let parts =
                    key.iter().map(|slot| record.get(slot.offset..slot.offset + slot.ty.size()).unwrap_or_default());
                parts.collect::<Vec<_>>().concat()
            }
        };
        let found = self.tables.find(map, &bytes)?;
        self.show_map(map, found.map(|words| (bytes, words)).into_iter().collect(), Wish::default())
    }

    /// Prints all maps that hold anything, as the end of a trace does: by their names.
    pub fn print_all(&mut self) {
        self.tables.begin();
        let mut maps = (0..self.map_names.len()).filter(|map| self.map_names[*map] != FAMILY).collect::<Vec<_>>();
        maps.sort_by(|left, right| self.map_names[*left].cmp(&self.map_names[*right]));
        let mut first = true;
        for map in maps {
            if self.broken.is_some() || !self.config.print_maps_on_exit {
                return;
            }
            let done = self.entries(map).and_then(|raw| {
                if raw.is_empty() {
                    return Ok(());
                }
                if std::mem::take(&mut first) {
                    self.sink.last_maps()?;
                }
                self.show_map(map, raw, Wish::default())
            });
            self.note(done);
        }
    }

    /// Says where memory could not be read, and what the kernel said at last.
    pub fn failed(&mut self, failures: &[Failure]) {
        if failures.is_empty() {
            return;
        }
        let Ok(counted) = self.tables.failures() else { return };
        for (failure, (count, code)) in failures.iter().zip(counted).filter(|(_, (count, _))| *count > 0) {
            let text = std::io::Error::from_raw_os_error(code.unsigned_abs() as i32).to_string();
            let text = text.split(" (os error").next().unwrap_or_default();
            let helper = Some(Helper { name: failure.helper, code, count });
            let place = self.source.position(failure.span);
            let done = self.sink.message(&Message { kind: "helper_error", text: text.as_bytes(), place, helper });
            self.note(done);
        }
    }

    /// Says that all is attached.
    pub fn attached(&mut self, probes: usize) {
        let done = self.sink.attached(probes);
        self.note(done);
    }

    /// Says that events were lost.
    pub fn lost(&mut self, events: u64) {
        let done = self.sink.lost(events);
        self.note(done);
    }

    /// Hands on what was printed.
    pub fn flush(&mut self) {
        let done = self.sink.flush();
        self.note(done);
    }

    /// The name of a map.
    #[must_use]
    pub fn map_name(&self, map: usize) -> &str {
        &self.map_names[map]
    }

    /// The functions of the script, for what failed in them.
    #[must_use]
    pub fn functions(&self) -> Option<&Functions> {
        self.functions.as_ref()
    }
}

impl World for Stage {
    fn tables(&mut self) -> &mut Tables {
        &mut self.tables
    }

    fn record(&mut self, record: &[u8]) {
        self.take(record);
    }

    fn failed(&mut self, error: io::Error) {
        self.broken.get_or_insert(error);
    }

    fn lost(&mut self, loss: u32) {
        self.tables.lose(loss);
    }
}

fn kind(map: &Map) -> Kind {
    let MapValue::Gathered { kind, .. } = map.value else { return Kind::Values };
    match kind {
        Aggregation::Avg | Aggregation::Stats | Aggregation::Quantiles => Kind::Stats,
        Aggregation::Hist { .. } | Aggregation::Lhist { .. } => Kind::Histograms,
        Aggregation::Tseries { .. } => Kind::Series,
        _ => Kind::Values,
    }
}
