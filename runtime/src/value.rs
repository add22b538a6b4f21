//! Values as people see them: decoded from the bytes of records, keys and maps' entries. Sinks see only these.

use scope_common::arith::LOG2_BUCKETS;
use scope_common::record::string_place;
use scope_common::value::{BEST, COUNT, TOTAL};
use scope_dsl::checked::{Slot, Value as MapValue};
use scope_dsl::program::Map;
use scope_dsl::types::Type;

use crate::kernel::syscalls;
use crate::tables::{Key, Words};

/// A value.
#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    /// A number with a sign.
    Signed(i64),
    /// A number without a sign.
    Unsigned(u64),
    /// A text: bytes as they were, of no certain encoding.
    Text(Vec<u8>),
    /// A number with a fraction, from a rhai function.
    Float(f64),
}

/// The names that numbers stand for.
#[derive(Clone, Debug, Default)]
pub struct Names {
    /// The probes of the script.
    pub probes: Vec<String>,
}

impl Names {
    /// Makes a value of a word of a type.
    #[must_use]
    pub fn word(&self, word: u64, ty: &Type) -> Value {
        match ty {
            Type::Int { signed: true } => Value::Signed(word as i64),
            Type::Syscall => Value::Text(syscall(word).into_bytes()),
            Type::Probe => Value::Text(self.probes.get(word as usize).cloned().unwrap_or_default().into_bytes()),
            Type::Int { .. } | Type::Pointer(_) | Type::Text { .. } => Value::Unsigned(word),
        }
    }

    /// Reads a value out of a record; a record cut short gives zero and empty.
    #[must_use]
    pub fn slot(&self, record: &[u8], slot: &Slot) -> Value {
        match &slot.ty {
            Type::Text { .. } => Value::Text(text(record, slot).to_vec()),
            ty => self.word(word_at(record, slot.offset), ty),
        }
    }

    /// Reads the parts of a key.
    #[must_use]
    pub fn key(&self, key: &[u8], types: &[Type]) -> Vec<Value> {
        let mut at = 0;
        let parts = types.iter().map(|ty| {
            let part = key.get(at..at + ty.size()).unwrap_or_default();
            at += ty.size();
            match ty {
                Type::Text { .. } => Value::Text(until_nul(part).to_vec()),
                _ => self.word(word_at(part, 0), ty),
            }
        });
        parts.collect()
    }
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
    until_nul(record.get(slot.offset..slot.offset + slot.ty.size()).unwrap_or_default())
}

fn until_nul(bytes: &[u8]) -> &[u8] {
    let end = bytes.iter().position(|byte| *byte == 0).unwrap_or(bytes.len());
    &bytes[..end]
}

/// A map's entry: its key and what it holds.
#[derive(Clone, Debug, PartialEq)]
pub struct Entry {
    /// The parts of the key; none for a scalar.
    pub key: Vec<Value>,
    /// What it holds.
    pub held: Held,
}

/// What a map's entry holds.
#[derive(Clone, Debug, PartialEq)]
pub enum Held {
    /// A single value.
    One(Value),
    /// An average.
    Average(Value),
    /// A histogram: its buckets from the first that is not empty to the last.
    Histogram(Vec<Bucket>),
}

/// A bucket of a histogram.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bucket {
    /// The least value in it; none if it is open below.
    pub min: Option<i64>,
    /// The greatest value in it.
    pub max: i64,
    /// How many values it holds.
    pub count: u64,
}

/// Makes the entries of a map ready to be shown: decoded, sorted by value from the least on, cut to the top ones,
/// divided.
#[must_use]
pub fn entries(map: &Map, raw: Vec<(Key, Words)>, names: &Names, top: Option<usize>, divisor: Option<u64>) -> Vec<Entry> {
    let mut raw = raw;
    raw.sort_by(|(left_key, left), (right_key, right)| {
        let (left, right) = (rank(map, left), rank(map, right));
        left.cmp(&right).then_with(|| left_key.cmp(right_key))
    });
    if let Some(top) = top {
        raw.drain(..raw.len().saturating_sub(top));
    }
    let divisor = divisor.unwrap_or(1);
    let entry = |(key, words): (Key, Words)| Entry { key: names.key(&key, &map.key), held: held(map, &words, names, divisor) };
    raw.into_iter().map(entry).collect()
}

/// What entries are sorted by.
fn rank(map: &Map, words: &[u64]) -> (i128, Vec<u8>) {
    let number = |signed: bool, word: u64| if signed { i128::from(word as i64) } else { i128::from(word) };
    let word = |offset: u32| words.get(offset as usize / 8).copied().unwrap_or(0);
    match &map.value {
        MapValue::Plain(Type::Text { .. }) => {
            (0, words.iter().flat_map(|word| word.to_ne_bytes()).collect())
        }
        MapValue::Plain(ty) => (number(*ty == Type::SIGNED, word(TOTAL)), Vec::new()),
        MapValue::Count => (number(false, word(TOTAL)), Vec::new()),
        MapValue::Sum { signed } => (number(*signed, word(TOTAL)), Vec::new()),
        MapValue::Min { signed } | MapValue::Max { signed } => (number(*signed, word(BEST)), Vec::new()),
        MapValue::Avg { signed } => (number(*signed, average(words, *signed)), Vec::new()),
        MapValue::Hist => (words.iter().take(LOG2_BUCKETS).map(|count| i128::from(*count)).sum(), Vec::new()),
    }
}

fn average(words: &[u64], signed: bool) -> u64 {
    let word = |offset: u32| words.get(offset as usize / 8).copied().unwrap_or(0);
    divide(word(TOTAL), word(COUNT), signed)
}

fn divide(word: u64, divisor: u64, signed: bool) -> u64 {
    use scope_common::arith::{Alu, alu};
    alu(if signed { Alu::DivS } else { Alu::DivU } as u8, word, divisor)
}

fn held(map: &Map, words: &[u64], names: &Names, divisor: u64) -> Held {
    let word = |offset: u32| words.get(offset as usize / 8).copied().unwrap_or(0);
    let number = |word: u64, signed: bool| names.word(divide(word, divisor, signed), &Type::Int { signed });
    match &map.value {
        MapValue::Plain(Type::Text { .. }) => {
            let bytes = words.iter().flat_map(|word| word.to_ne_bytes()).collect::<Vec<_>>();
            Held::One(Value::Text(until_nul(&bytes).to_vec()))
        }
        MapValue::Plain(Type::Int { signed }) => Held::One(number(word(TOTAL), *signed)),
        MapValue::Plain(ty) => Held::One(names.word(word(TOTAL), ty)),
        MapValue::Count => Held::One(number(word(TOTAL), false)),
        MapValue::Sum { signed } => Held::One(number(word(TOTAL), *signed)),
        MapValue::Min { signed } | MapValue::Max { signed } => Held::One(number(word(BEST), *signed)),
        MapValue::Avg { signed } => Held::Average(number(average(words, *signed), *signed)),
        MapValue::Hist => Held::Histogram(histogram(&words[..words.len().min(LOG2_BUCKETS)], divisor)),
    }
}

fn histogram(counts: &[u64], divisor: u64) -> Vec<Bucket> {
    let first = counts.iter().position(|count| *count > 0);
    let last = counts.iter().rposition(|count| *count > 0);
    let (Some(first), Some(last)) = (first, last) else { return Vec::new() };
    let bucket = |index: usize| {
        let (min, max) = match index {
            0 => (None, -1),
            1 => (Some(0), 0),
            _ => (Some(1 << (index - 2)), ((1u64 << (index - 1)) - 1) as i64),
        };
        Bucket { min, max, count: counts[index] / divisor }
    };
    (first..=last).map(bucket).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn histograms_run_from_the_first_bucket_in_use_to_the_last() {
        let mut counts = vec![0; LOG2_BUCKETS];
        assert_eq!(histogram(&counts, 1), []);
        counts[2] = 3;
        counts[4] = 1;
        let bucket = |min, max, count| Bucket { min: Some(min), max, count };
        assert_eq!(histogram(&counts, 1), [bucket(1, 1, 3), bucket(2, 3, 0), bucket(4, 7, 1)]);
        counts[0] = 1;
        counts[LOG2_BUCKETS - 1] = 1;
        let all = histogram(&counts, 1);
        assert_eq!((all[0].min, all[0].max), (None, -1));
        assert_eq!((all[64].min, all[64].max), (Some(1 << 62), i64::MAX));
    }

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
}
