//! Values as people see them: decoded from the bytes of records, keys and maps' entries. Sinks see only these.

use std::borrow::Cow;
use std::cell::RefCell;
use std::ops::Range;

use scope_common::record::string_place;
use scope_dsl::checked::Slot;
use scope_dsl::config::Config;
use scope_dsl::probes::ProbeName;
use scope_dsl::types::{Enum, Layout, Member, Named, Stack, StackMode, Type};

use crate::kernel::syscalls;
use crate::names::cgroups::Cgroups;
use crate::names::time::Clock;
use crate::names::users::Users;
use crate::names::{errno, inet, signals};
use crate::symbols::{Place, Symbol, Symbols};

/// A value.
#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    /// A number with a sign.
    Signed(i64),
    /// A number without a sign.
    Unsigned(u64),
    /// A number with a fraction, from a rhai function.
    Float(f64),
    /// A truth value.
    Bool(bool),
    /// A text: bytes as they were, of no certain encoding.
    Text(Vec<u8>),
    /// A text that the script itself wrote, whatever bytes it holds.
    Own(Vec<u8>),
    /// Bytes of any meaning.
    Bytes(Vec<u8>),
    /// An address.
    Pointer(u64),
    /// A number with a name in C.
    Enum(String, i64),
    /// Values one behind the other.
    Tuple(Vec<Value>),
    /// Values with names, in a tuple.
    Record(Vec<(String, Value)>),
    /// Values of one kind.
    List(Vec<Value>),
    /// A struct of C.
    Struct(Vec<(String, Value)>),
    /// A stack: what it is of, and its frames from the innermost on.
    Stack(Stack, Vec<Frame>),
}

/// A frame of a stack.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Frame {
    /// As it is written in the stack's mode.
    pub text: String,
    /// The part of that which names the function, or where only that is known the file; none if nothing is known.
    name: Option<Range<usize>>,
}

impl Frame {
    /// A frame that has a name, with what is written around it.
    #[must_use]
    pub fn named(before: &str, name: &str, behind: &str) -> Frame {
        let range = before.len()..before.len() + name.len();
        Frame { text: [before, name, behind].concat(), name: Some(range) }
    }

    /// A frame of which no more is known than what is written.
    #[must_use]
    pub fn unknown(text: String) -> Frame {
        Frame { text, name: None }
    }

    /// The name of the function, or of the file.
    #[must_use]
    pub fn name(&self) -> Option<&str> {
        self.name.clone().and_then(|range| self.text.get(range))
    }
}

/// A stack that the kernel kept: the addresses of its frames.
pub type Frames = Vec<u64>;

/// What numbers stand for: names, symbols, times.
pub struct Names {
    /// The probes of the script.
    pub probes: Vec<ProbeName>,
    stacks: Box<dyn Fn(u64) -> Option<Frames>>,
    /// What is said of texts that were cut.
    config: Config,
    found: RefCell<Found>,
}

/// What was looked up before.
#[derive(Default)]
struct Found {
    users: Users,
    cgroups: Cgroups,
    /// Made when the first time is shown: the time zone is looked up then.
    clock: Option<Clock>,
    symbols: Symbols,
}

impl Found {
    fn clock(&mut self) -> &mut Clock {
        self.clock.get_or_insert_with(Clock::default)
    }
}

impl Default for Names {
    fn default() -> Names {
        Names::new(Vec::new(), Box::new(|_| None))
    }
}

impl Names {
    /// Knows the probes, and where stacks are kept.
    #[must_use]
    pub fn new(probes: Vec<ProbeName>, stacks: Box<dyn Fn(u64) -> Option<Frames>>) -> Names {
        Names { probes, stacks, config: Config::default(), found: RefCell::default() }
    }

    /// Has texts shown as the script's settings say.
    #[must_use]
    pub fn with(self, config: Config) -> Names {
        Names { config, ..self }
    }

    /// Gives a text as it is shown, by the bytes of its area: one that was cut ends with the trailer.
    #[must_use]
    pub fn marked<'t>(&self, text: &'t [u8], size: usize) -> Cow<'t, [u8]> {
        match self.config.cut(text, size) {
            Some(shown) => [shown, self.config.str_trunc_trailer.as_bytes()].concat().into(),
            None => text.into(),
        }
    }

    /// Remembers what a process has mapped, for its addresses to keep their names after its end.
    pub fn note(&self, process: u32) {
        self.found.borrow_mut().symbols.user.note(process);
    }

    /// What `probe` gives of a probe.
    #[must_use]
    pub fn probe(&self, number: u64) -> &str {
        self.probes.get(number as usize).map_or("", |probe| &probe.shown)
    }

    /// A time since boot as nanoseconds since 1970.
    #[must_use]
    pub fn since_epoch(&self, nanos: u64) -> i64 {
        self.found.borrow_mut().clock().since_epoch(nanos)
    }

    /// A time since boot by strftime's format.
    #[must_use]
    pub fn time(&self, nanos: u64, format: &str) -> String {
        self.found.borrow_mut().clock().strftime(format, nanos)
    }

    /// The time of day by strftime's format.
    #[must_use]
    pub fn time_of_day(&self, format: &str) -> String {
        self.found.borrow_mut().clock().wall_clock(format)
    }

    /// Makes a value of a word of a type.
    #[must_use]
    pub fn word(&self, word: u64, ty: &Type) -> Value {
        match ty {
            Type::Int { signed: true, .. } => Value::Signed(word as i64),
            Type::Bool => Value::Bool(word != 0),
            Type::Pointer { .. } => Value::Pointer(word),
            Type::Enum(named) => enumerated(word as i64, named),
            Type::Named(named) => Value::Text(self.name(word, *named).into_bytes()),
            Type::Time(format) => Value::Own(self.time(word, format).into_bytes()),
            Type::Mac => {
                let [bytes @ .., _, _] = word.to_ne_bytes();
                Value::Text(inet::mac(bytes).into_bytes())
            }
            _ => Value::Unsigned(word),
        }
    }

    fn name(&self, word: u64, named: Named) -> String {
        match named {
            Named::Syscall => syscall(word),
            Named::Probe => self.probe(word).to_owned(),
            Named::Function => self.probes.get(word as usize).map_or("", ProbeName::function_name).to_owned(),
            Named::Signal => signals::signal_name(word),
            Named::Errno => errno::strerror(word as i64),
            Named::User => self.found.borrow_mut().users.name(word as u32),
            Named::KernelSymbol => match self.found.borrow().symbols.kernel.symbol(word) {
                Some(symbol) => symbol.name,
                None => format!("{word:#x}"),
            },
            Named::Cgroup => self.found.borrow_mut().cgroups.in_hierarchy(word, None),
        }
    }

    /// Reads a value of a type from the bytes where it lies; bytes that are missing count as zero.
    #[must_use]
    pub fn decode(&self, bytes: &[u8], ty: &Type) -> Value {
        match ty {
            Type::Text { size, own } => text_value(&self.marked(until_nul(bytes), *size), *own),
            Type::Buffer { .. } => {
                let len = word_at(bytes, 0) as usize;
                Value::Bytes(bytes.get(8..8usize.saturating_add(len)).unwrap_or_default().to_vec())
            }
            Type::Tuple(parts) => {
                let mut at = 0;
                let values = parts.iter().map(|part| {
                    let value = self.decode(bytes.get(at..).unwrap_or_default(), &part.ty);
                    at += part.ty.size();
                    (part.name.clone(), value)
                });
                let values = values.collect::<Vec<_>>();
                match values.iter().any(|(name, _)| name.is_some()) {
                    true => Value::Record(
                        values.into_iter().map(|(name, value)| (name.unwrap_or_default(), value)).collect(),
                    ),
                    false => Value::Tuple(values.into_iter().map(|(_, value)| value).collect()),
                }
            }
            Type::Memory(memory) => laid_out(bytes, &memory.layout),
            Type::Stack(stack) => Value::Stack(*stack, self.stack(word_at(bytes, 0), word_at(bytes, 8), stack)),
            Type::UserSymbol => {
                let address = word_at(bytes, 0);
                let place = self.found.borrow_mut().symbols.user.place(word_at(bytes, 8) as u32, address);
                Value::Text(match place {
                    Place::Symbol(symbol) => symbol.name.into_bytes(),
                    _ => format!("{address:#x}").into_bytes(),
                })
            }
            Type::Inet => {
                let mut address = [0; 16];
                let have = bytes.get(8..24).unwrap_or_default();
                address[..have.len()].copy_from_slice(have);
                Value::Text(inet::ntop(word_at(bytes, 0) as u16, &address).into_bytes())
            }
            ty => self.word(word_at(bytes, 0), ty),
        }
    }

    /// The frames of a stack, written in its mode.
    fn stack(&self, id: u64, place: u64, stack: &Stack) -> Vec<Frame> {
        let process = place as u32;
        if place >> 32 == 0 {
            return Vec::new();
        }
        let Some(frames) = (self.stacks)(id) else { return vec![Frame::named("", "<lost>", "")] };
        let mut found = self.found.borrow_mut();
        let mut lines = Vec::new();
        for address in frames {
            if stack.user && stack.mode == StackMode::BuildId {
                lines.push(Frame::unknown(match found.symbols.user.build_id(process, address) {
                    Some((id, offset)) => format!("{id} {offset:#x}"),
                    None => format!("{address:x}"),
                }));
                continue;
            }
            let symbol = match stack.user {
                false => found.symbols.kernel.symbol(address),
                true => match found.symbols.user.place(process, address) {
                    Place::Symbol(symbol) => Some(symbol),
                    Place::File { module, offset } => {
                        Some(Symbol { name: String::new(), offset, module: Some(module) })
                    }
                    Place::Unknown => None,
                },
            };
            lines.push(frame(address, symbol, stack));
        }
        lines
    }

    /// Reads a value out of a record; a record cut short gives zero and empty.
    #[must_use]
    pub fn slot(&self, record: &[u8], slot: &Slot) -> Value {
        match &slot.ty {
            Type::Text { size, own } => text_value(&self.marked(text(record, slot), *size), *own),
            ty => self.decode(record.get(slot.offset..).unwrap_or_default(), ty),
        }
    }

    /// Reads the parts of a key.
    #[must_use]
    pub fn key(&self, key: &[u8], types: &[Type]) -> Vec<Value> {
        let mut at = 0;
        let parts = types.iter().map(|ty| {
            let part = key.get(at..at + ty.size()).unwrap_or_default();
            at += ty.size();
            self.decode(part, ty)
        });
        parts.collect()
    }
}

fn text_value(text: &[u8], own: bool) -> Value {
    if own { Value::Own(text.to_vec()) } else { Value::Text(text.to_vec()) }
}

fn frame(address: u64, symbol: Option<Symbol>, stack: &Stack) -> Frame {
    match (stack.mode, symbol) {
        (StackMode::Raw | StackMode::BuildId, _) => Frame::unknown(format!("{address:x}")),
        (StackMode::Bpftrace, Some(Symbol { name, offset, module })) if name.is_empty() => {
            Frame::named("", base_name(&module.unwrap_or_default()), &format!("+{offset:#x}"))
        }
        (StackMode::Bpftrace, Some(symbol)) => Frame::named("", &symbol.name, &format!("+{}", symbol.offset)),
        (StackMode::Bpftrace, None) => Frame::unknown(format!("{address:#x}")),
        (StackMode::Perf, Some(Symbol { name, module: Some(module), .. })) if name.is_empty() => {
            let file = base_name(&module);
            let directory = &module[..module.len() - file.len()];
            Frame::named(&format!("{address:x} {address:#x} ({directory}"), file, ")")
        }
        (StackMode::Perf, Some(Symbol { name, offset, module })) if !name.is_empty() => {
            let module = module.map(|module| format!(" ({module})")).unwrap_or_default();
            Frame::named(&format!("{address:x} "), &name, &format!("+{offset}{module}"))
        }
        (StackMode::Perf, None) if stack.user => Frame::unknown(format!("{address:x} {address:#x} ([unknown])")),
        (StackMode::Perf, _) => Frame::unknown(format!("{address:x} {address:#x}")),
    }
}

fn base_name(path: &str) -> &str {
    path.rsplit('/').next().unwrap_or(path)
}

fn enumerated(number: i64, named: &Enum) -> Value {
    match named.values.iter().find(|(_, value)| *value == number) {
        Some((name, _)) => Value::Enum(name.clone(), number),
        None => Value::Signed(number),
    }
}

/// What bytes of memory mean.
fn laid_out(bytes: &[u8], layout: &Layout) -> Value {
    match layout {
        Layout::Int { size, signed } => number(integer(bytes, *size, *signed), *signed),
        Layout::Bool => Value::Bool(bytes.first().is_some_and(|byte| *byte != 0)),
        Layout::Enum(named) => enumerated(integer(bytes, named.bits as usize / 8, named.signed) as i64, named),
        Layout::Pointer => Value::Pointer(word_at(bytes, 0)),
        Layout::Chars(len) => Value::Text(until_nul(bytes.get(..*len).unwrap_or(bytes)).to_vec()),
        Layout::Array(inner, count) => {
            let size = inner.size();
            Value::List(
                (0..*count).map(|index| laid_out(bytes.get(index * size..).unwrap_or_default(), inner)).collect(),
            )
        }
        Layout::Struct(members) => Value::Struct(members.iter().flat_map(|member| fields(bytes, member)).collect()),
        Layout::Opaque(len) => Value::Bytes(bytes.get(..*len).unwrap_or(bytes).to_vec()),
    }
}

/// The field that a member is; the members of one without a name stand for themselves.
fn fields(bytes: &[u8], member: &Member) -> Vec<(String, Value)> {
    let inner = bytes.get(member.bit_offset / 8..).unwrap_or_default();
    let Some(bits) = member.bits else {
        let value = laid_out(inner, &member.layout);
        return match value {
            Value::Struct(fields) if member.name.is_empty() => fields,
            value => vec![(member.name.clone(), value)],
        };
    };
    let signed = matches!(member.layout, Layout::Int { signed: true, .. });
    let whole = word_at_most(inner, 8) >> (member.bit_offset % 8);
    let unused = 64u32.saturating_sub(bits);
    let word = if signed { (((whole << unused) as i64) >> unused) as u64 } else { (whole << unused) >> unused };
    let value = match &member.layout {
        Layout::Enum(named) => enumerated(word as i64, named),
        Layout::Bool => Value::Bool(word != 0),
        _ => number(word, signed),
    };
    vec![(member.name.clone(), value)]
}

fn number(word: u64, signed: bool) -> Value {
    if signed { Value::Signed(word as i64) } else { Value::Unsigned(word) }
}

fn integer(bytes: &[u8], size: usize, signed: bool) -> u64 {
    let word = word_at_most(bytes, size);
    let unused = 64 - 8 * size.clamp(1, 8) as u32;
    if signed { (((word << unused) as i64) >> unused) as u64 } else { word }
}

fn word_at_most(bytes: &[u8], size: usize) -> u64 {
    let mut word = [0; 8];
    let len = bytes.len().min(size.min(8));
    word[..len].copy_from_slice(&bytes[..len]);
    u64::from_ne_bytes(word)
}

/// The name of a system call, or what stands for one that has none.
#[must_use]
pub fn syscall(number: u64) -> String {
    syscalls::name(number).map_or_else(|| format!("syscall_{}", number as i64), str::to_owned)
}

/// The word at an offset of a record; 0 past its end.
#[must_use]
pub fn word_at(record: &[u8], offset: usize) -> u64 {
    record.get(offset..offset + 8).map_or(0, |word| u64::from_ne_bytes(word.try_into().expect("8 bytes")))
}

/// The text of a slot, without its padding.
#[must_use]
pub fn text<'r>(record: &'r [u8], slot: &Slot) -> &'r [u8] {
    if slot.apart {
        let (start, len) = string_place(word_at(record, slot.offset));
        return record.get(start..start.saturating_add(len)).unwrap_or_default();
    }
    until_nul(record.get(slot.offset..slot.offset.saturating_add(slot.ty.size())).unwrap_or_default())
}

fn until_nul(bytes: &[u8]) -> &[u8] {
    let end = bytes.iter().position(|byte| *byte == 0).unwrap_or(bytes.len());
    &bytes[..end]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_cut_short_gives_empty_values() {
        let names = Names::default();
        let slot = Slot { offset: 8, ty: Type::text(16), apart: true };
        let mut record = vec![0; 16];
        record[8..16].copy_from_slice(&(16u64 | 5 << 32).to_ne_bytes());
        assert_eq!(names.slot(&record, &slot), Value::Text(Vec::new()));
        record.extend_from_slice(b"hello");
        assert_eq!(names.slot(&record, &slot), Value::Text(b"hello".to_vec()));
        assert_eq!(names.slot(&record[..9], &slot), Value::Text(Vec::new()));
        record[8..16].fill(0xff);
        assert_eq!(names.slot(&record, &slot), Value::Text(Vec::new()));
    }

    #[test]
    fn structs_have_bit_fields_and_members_without_names() {
        let member = |name: &str, bit_offset, bits, layout| Member { name: name.to_owned(), bit_offset, bits, layout };
        let byte = || Layout::Int { size: 1, signed: false };
        let inner = Layout::Struct(vec![member("c", 0, None, Layout::Chars(3))]);
        let layout = Layout::Struct(vec![
            member("a", 0, Some(3), Layout::Int { size: 4, signed: false }),
            member("b", 3, Some(2), Layout::Int { size: 4, signed: true }),
            member("", 32, None, inner),
            member("d", 56, None, Layout::Array(Box::new(byte()), 2)),
        ]);
        let bytes = [0b0001_1101, 0, 0, 0, b'x', 0, b'y', 1, 2];
        let field = |name: &str, value| (name.to_owned(), value);
        assert_eq!(
            laid_out(&bytes, &layout),
            Value::Struct(vec![
                field("a", Value::Unsigned(5)),
                field("b", Value::Signed(-1)),
                field("c", Value::Text(b"x".to_vec())),
                field("d", Value::List(vec![Value::Unsigned(1), Value::Unsigned(2)])),
            ])
        );
    }
}
