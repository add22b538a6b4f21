//! The user stage: what the records of clauses make userspace do.

use std::io;
use std::time::SystemTime;

use jiff::tz::TimeZone;
use jiff::{Timestamp, Zoned};
use scope_dsl::checked::{Action, Argument, Slot, Value as MapValue};
use scope_dsl::printf::{Piece, Spec};
use scope_dsl::program::{Map, Program};
use scope_dsl::types::Type;

use crate::host::World;
use crate::output::{self, Kind, Origin, Shown, Sink};
use crate::script::Functions;
use crate::tables::Tables;
use crate::value::{self, Names, Value};

/// The user stage of a running trace.
pub struct Stage {
    actions: Vec<Action>,
    map_names: Vec<String>,
    names: Names,
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
    pub fn new(program: &Program, functions: Option<Functions>, tables: Tables, sink: Box<dyn Sink>) -> Stage {
        Stage {
            actions: program.actions.clone(),
            map_names: program.maps.keys().cloned().collect(),
            names: Names { probes: program.probes.clone() },
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
        // The actions are lent out, so that the rest of the stage stays free while one is done.
        let actions = std::mem::take(&mut self.actions);
        let done = actions.get(number).map_or(Ok(()), |action| self.act(action, record));
        self.actions = actions;
        self.note(done);
    }

    fn note(&mut self, done: io::Result<()>) {
        if let Err(error) = done {
            self.broken.get_or_insert(error);
        }
    }

    fn act(&mut self, action: &Action, record: &[u8]) -> io::Result<()> {
        match action {
            Action::Printf { pieces, arguments } => self.printf(pieces, arguments, record),
            Action::Print(argument) => {
                let value = self.argument(argument, record);
                self.sink.value(&value)
            }
            Action::PrintMap { map, top, divisor } => self.print_map(*map, *top, *divisor, false),
            Action::Clear(map) => self.tables.clear(*map),
            Action::Zero(map) => self.tables.zero(*map),
            Action::Time(format) => {
                let text = time_of_day(format);
                self.sink.text(Origin::Time, text.as_bytes())
            }
            Action::Exit(status) => {
                self.exit = Some(*status);
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

    fn printf(&mut self, pieces: &[Piece], arguments: &[Argument], record: &[u8]) -> io::Result<()> {
        let mut line = std::mem::take(&mut self.line);
        line.clear();
        let mut arguments = arguments.iter();
        for piece in pieces {
            match piece {
                Piece::Text(text) => line.extend_from_slice(text.as_bytes()),
                Piece::Value(spec) => match arguments.next() {
                    Some(Argument::Slot(slot)) => self.formatted(&mut line, spec, slot, record),
                    Some(call) => {
                        let value = self.argument(call, record);
                        output::printf::value(&mut line, spec, &value);
                    }
                    None => {}
                },
            }
        }
        let done = self.sink.text(Origin::Printf, &line);
        self.line = line;
        done
    }

    /// The plain way: from the record's bytes to the line's, with no value in between.
    fn formatted(&self, line: &mut Vec<u8>, spec: &Spec, slot: &Slot, record: &[u8]) {
        match &slot.ty {
            Type::Text { .. } => output::printf::text(line, spec, value::text(record, slot)),
            Type::Syscall | Type::Probe if spec.conversion == 's' => {
                if let Value::Text(name) = self.names.slot(record, slot) {
                    output::printf::text(line, spec, &name);
                }
            }
            _ => output::printf::number(line, spec, value::word_at(record, slot.offset)),
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

    fn print_map(&mut self, map: usize, top: Option<usize>, divisor: Option<u64>, last: bool) -> io::Result<()> {
        let raw = self.tables.entries(map)?;
        if last && raw.is_empty() {
            return Ok(());
        }
        let described = self.tables.map(map);
        let entries = value::entries(described, raw, &self.names, top, divisor);
        let shown = Shown {
            name: &self.map_names[map],
            keyed: !described.key.is_empty(),
            kind: kind(described),
            entries: &entries,
        };
        self.sink.map(&shown, last)
    }

    /// Prints all maps that hold anything, as the end of a trace does.
    pub fn print_all(&mut self) {
        self.tables.begin();
        for map in 0..self.map_names.len() {
            if self.broken.is_none() {
                let done = self.print_map(map, None, None, true);
                self.note(done);
            }
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
}

fn kind(map: &Map) -> Kind {
    match map.value {
        MapValue::Avg { .. } => Kind::Averages,
        MapValue::Hist => Kind::Histograms,
        _ => Kind::Values,
    }
}

/// The time of day by strftime's format; a format that means nothing is printed as it is.
fn time_of_day(format: &str) -> String {
    let now = Timestamp::try_from(SystemTime::now()).unwrap_or(Timestamp::UNIX_EPOCH);
    let now = Zoned::new(now, TimeZone::try_system().unwrap_or(TimeZone::UTC));
    jiff::fmt::strtime::format(format, &now).unwrap_or_else(|_| format.to_owned())
}
