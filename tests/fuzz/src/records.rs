//! Any bytes are decoded as values of any type and shown; what is shown as JSON is JSON.
#![no_main]

#[path = "shared.rs"]
mod shared;

use std::rc::Rc;

use libfuzzer_sys::fuzz_target;
use scope::output::{self, Field, Format, Kind, Origin, Shown, Sink};
use scope::shown::{Entry, Held};
use scope::value::{Names, Value};
use scope_dsl::checked::Slot;
use scope_dsl::config::Config;
use scope_dsl::ctypes::Types;
use scope_dsl::printf::{Piece, parse};
use scope_dsl::probes::ProbeName;
use scope_dsl::types::{Enum, Layout, Member, Memory, Named, Part, Space, Stack, StackMode, Type};
use shared::Kept;

/// The first bytes say which types there are; the rest is decoded.
struct Bytes<'a>(&'a [u8]);

impl Bytes<'_> {
    fn next(&mut self) -> usize {
        let Some((first, rest)) = self.0.split_first() else { return 0 };
        self.0 = rest;
        usize::from(*first)
    }

    fn name(&mut self) -> String {
        ["a", "", "b\"c", "ü\n"][self.next() % 4].to_owned()
    }

    fn named(&mut self) -> Rc<Enum> {
        let bits = [8, 16, 32, 64][self.next() % 4];
        Rc::new(Enum {
            name: self.name(),
            bits,
            signed: self.next() % 2 == 0,
            values: vec![("ONE".to_owned(), 1), ("LESS".to_owned(), -1)],
        })
    }

    fn ty(&mut self, depth: usize) -> Type {
        match self.next() % 16 {
            0 => Type::Int { bits: [8, 16, 32, 64][self.next() % 4], signed: self.next() % 2 == 0 },
            1 => Type::Bool,
            2 => Type::Text { size: 8 * (self.next() % 20 + 1), own: self.next() % 2 == 0 },
            3 => Type::Buffer { size: 8 + 8 * (self.next() % 20) },
            4 => Type::Pointer { to: None, space: Space::User },
            5 | 6 if depth > 0 => {
                let record = self.next() % 2 == 0;
                let count = self.next() % 4 + 1;
                let part = |bytes: &mut Self| Part { name: record.then(|| bytes.name()), ty: bytes.ty(depth - 1) };
                Type::Tuple((0..count).map(|_| part(self)).collect())
            }
            7 | 8 if depth > 0 => {
                let layout = self.layout(depth);
                let bytes = layout.size();
                let id = Types::new(None).int(1, false);
                Type::Memory(Rc::new(Memory { id, bytes, layout }))
            }
            9 => Type::Enum(self.named()),
            10 => {
                Type::Named([Named::Syscall, Named::Probe, Named::Signal, Named::Errno, Named::User][self.next() % 5])
            }
            11 => Type::Time(["%H:%M:%S", "%f", "%", "%Y-%m-%d %N %q %%"][self.next() % 4].into()),
            12 => Type::Mac,
            13 => Type::Inet,
            14 => {
                let mode = [StackMode::Raw, StackMode::Bpftrace, StackMode::Perf][self.next() % 3];
                Type::Stack(Stack { user: true, mode, depth: 3 })
            }
            _ => Type::UNSIGNED,
        }
    }

    fn layout(&mut self, depth: usize) -> Layout {
        match self.next() % 9 {
            0 => Layout::Bool,
            1 => Layout::Enum(self.named()),
            2 => Layout::Pointer,
            3 => Layout::Chars(self.next() % 32),
            4 if depth > 0 => Layout::Array(Box::new(self.layout(depth - 1)), self.next() % 8),
            5 | 6 if depth > 0 => {
                let count = self.next() % 4;
                let member = |bytes: &mut Self| {
                    let bits = (bytes.next() % 2 == 0).then(|| bytes.next() as u32 % 64 + 1);
                    let bit_offset = bytes.next() * if bits.is_some() { 1 } else { 8 };
                    Member { name: bytes.name(), bit_offset, bits, layout: bytes.layout(depth - 1) }
                };
                Layout::Struct((0..count).map(|_| member(self)).collect())
            }
            7 => Layout::Opaque(self.next() % 32),
            _ => Layout::Int { size: [1, 2, 4, 8][self.next() % 4], signed: self.next() % 2 == 0 },
        }
    }
}

fuzz_target!(|bytes: &[u8]| {
    let mut bytes = Bytes(bytes);
    let probe = ProbeName { full: "a:probe".to_owned(), shown: "a:probe".to_owned(), function: 0 };
    let names = Names::new(vec![probe], Box::new(|id| (id % 2 == 0).then(|| vec![id, 0, u64::MAX])));
    let types = (0..bytes.next() % 4 + 1).map(|_| bytes.ty(3)).collect::<Vec<_>>();
    let apart = bytes.next() % 2 == 0;
    let format = ["%s|%d|%-5x|%c", "%10s %.2s %p", "%r %rx %rh", "%#o %+d % d %05u"][bytes.next() % 4];
    let rest = bytes.0;
    let mut offset = 8;
    let mut values = Vec::new();
    for ty in &types {
        let apart = apart && matches!(ty, Type::Text { .. });
        values.push(names.slot(rest, &Slot { offset, ty: ty.clone(), apart }));
        offset += if apart { 8 } else { ty.size() };
    }
    let key = names.key(rest, &types);
    let kept = Kept::default();
    for (json_key_lists, json_origin) in [(false, false), (true, true)] {
        let config = Config { json_key_lists, json_origin, ..Config::default() };
        show(&mut *output::open(Format::Json, &config, Box::new(kept.clone())), &values, &key);
    }
    kept.is_json();
    show(&mut *output::open(Format::Text, &Config::default(), Box::new(Kept::default())), &values, &key);
    let mut line = Vec::new();
    let specs = parse(format.as_bytes()).expect("a format");
    let specs = specs.iter().filter_map(|piece| if let Piece::Value(spec) = piece { Some(spec) } else { None });
    for (spec, value) in specs.zip(values.iter().cycle()) {
        output::printf::value(&mut line, spec, value, false);
    }
});

fn show(sink: &mut dyn Sink, values: &[Value], key: &[Value]) {
    let mut all = || -> std::io::Result<()> {
        for value in values {
            sink.value(value)?;
            if let Value::Text(text) | Value::Own(text) = value {
                sink.text(Origin::Printf, text)?;
            }
        }
        let entries =
            values.iter().map(|value| Entry { key: key.to_vec(), held: Held::One(value.clone()) }).collect::<Vec<_>>();
        sink.map(&Shown { name: "@m", keyed: true, kind: Kind::Values, entries: &entries })?;
        sink.map(&Shown { name: "@s", keyed: false, kind: Kind::Values, entries: &entries[..1] })?;
        let fields = values.iter().enumerate().map(|(index, value)| Field {
            name: ["a", "b", "c", "d", "e"][index % 5],
            value: value.clone(),
            column: index % 2 == 0,
        });
        sink.record("event", &fields.collect::<Vec<_>>())?;
        sink.flush()
    };
    all().expect("memory takes all");
}
