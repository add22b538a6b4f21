//! The entries of a map ready to be shown: decoded, sorted, cut to the top ones, divided.

use scope_common::arith::{Alu, alu, bucket_start, log2_buckets};
use scope_common::value::{BEST, COUNT, GREATEST, LEAST, SERIES_WORDS, SQUARES, TOTAL};
use scope_dsl::checked::{Aggregation, Series, Value as MapValue};
use scope_dsl::lower::{QUANTILES_K, linear_buckets};
use scope_dsl::program::Map;
use scope_dsl::types::Type;

use crate::tables::{Key, Words};
use crate::value::{Names, Value};

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
    /// Numbers with names.
    Stats(Vec<(&'static str, Value)>),
    /// A histogram: its buckets from the first that is not empty to the last.
    Histogram(Vec<Bucket>),
    /// A time series: what the intervals hold, from the earliest on.
    Series(Vec<Point>),
}

/// A bucket of a histogram.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bucket {
    /// The least value in it; none if it is open below.
    pub min: Option<i64>,
    /// The greatest value in it; none if it is open above.
    pub max: Option<i64>,
    /// How many values it holds.
    pub count: u64,
    /// How many it held before they were divided, which its bar shows.
    pub whole: u64,
    /// Whether its bounds are powers of two, and so written with a unit.
    pub binary: bool,
}

/// What one interval of a time series holds.
#[derive(Clone, Debug, PartialEq)]
pub struct Point {
    /// When it began, in local time.
    pub start: String,
    /// What it holds, if anything.
    pub value: Option<Value>,
}

/// How entries are shown.
#[derive(Clone, Copy, Debug, Default)]
pub struct Wish {
    /// Only so many, the greatest.
    pub top: Option<usize>,
    /// Values are divided by this.
    pub divisor: Option<u64>,
    /// `stats()` shows all that it knows.
    pub detail: bool,
}

/// Makes the entries of a map ready to be shown, sorted by value from the least on; texts and tuples by their keys.
#[must_use]
pub fn entries(map: &Map, raw: Vec<(Key, Words)>, names: &Names, wish: Wish) -> Vec<Entry> {
    let mut raw = raw;
    raw.sort_by(|(left_key, left), (right_key, right)| {
        let order = match rank(map, left).cmp(&rank(map, right)) {
            std::cmp::Ordering::Equal => compare_keys(map, left_key, right_key),
            order => order,
        };
        order.then_with(|| left_key.cmp(right_key))
    });
    if let Some(top) = wish.top {
        raw.drain(..raw.len().saturating_sub(top));
    }
    let entry =
        |(key, words): (Key, Words)| Entry { key: names.key(&key, &map.key), held: held(map, &words, names, wish) };
    raw.into_iter().map(entry).collect()
}

/// The order of two keys, by their parts.
fn compare_keys(map: &Map, left: &[u8], right: &[u8]) -> std::cmp::Ordering {
    let mut at = 0;
    for ty in &map.key {
        let part = |key: &[u8]| key.get(at..at + ty.size()).unwrap_or_default().to_vec();
        let (one, other) = (part(left), part(right));
        let order = match ty.is_word() {
            true => number(ty.is_signed(), word(&one)).cmp(&number(ty.is_signed(), word(&other))),
            false => one.cmp(&other),
        };
        if order.is_ne() {
            return order;
        }
        at += ty.size();
    }
    std::cmp::Ordering::Equal
}

fn word(bytes: &[u8]) -> u64 {
    crate::value::word_at(bytes, 0)
}

fn number(signed: bool, word: u64) -> i128 {
    if signed { i128::from(word as i64) } else { i128::from(word) }
}

/// What entries are sorted by.
fn rank(map: &Map, words: &[u64]) -> i128 {
    let word = |offset: u32| words.get(offset as usize / 8).copied().unwrap_or(0);
    match &map.value {
        MapValue::Plain(ty) if ty.is_word() => number(ty.is_signed(), word(TOTAL)),
        MapValue::Plain(_) => 0,
        MapValue::Gathered { kind, signed } => match *kind {
            Aggregation::Count => number(false, word(TOTAL)),
            Aggregation::Sum => number(*signed, word(TOTAL)),
            Aggregation::Min | Aggregation::Max => number(*signed, word(BEST)),
            Aggregation::Avg | Aggregation::Stats => number(*signed, average(words, *signed)),
            Aggregation::Hist { .. } | Aggregation::Quantiles | Aggregation::Lhist { .. } => {
                buckets(map, words).iter().map(|count| i128::from(*count)).sum()
            }
            Aggregation::Tseries { .. } => 0,
        },
    }
}

/// The buckets among the words of a histogram.
fn buckets<'w>(map: &Map, words: &'w [u64]) -> &'w [u64] {
    let count = match map.value {
        MapValue::Gathered { kind: Aggregation::Hist { k }, .. } => log2_buckets(k.into()),
        MapValue::Gathered { kind: Aggregation::Quantiles, .. } => log2_buckets(QUANTILES_K),
        MapValue::Gathered { kind: Aggregation::Lhist { min, max, step }, .. } => linear_buckets(min, max, step),
        _ => 0,
    };
    &words[..words.len().min(count)]
}

fn average(words: &[u64], signed: bool) -> u64 {
    let word = |offset: u32| words.get(offset as usize / 8).copied().unwrap_or(0);
    divide(word(TOTAL), word(COUNT), signed)
}

fn divide(word: u64, divisor: u64, signed: bool) -> u64 {
    alu(if signed { Alu::DivS } else { Alu::DivU } as u8, word, divisor)
}

/// What an entry holds, ready to be shown.
#[must_use]
pub fn held(map: &Map, words: &[u64], names: &Names, wish: Wish) -> Held {
    let word = |offset: u32| words.get(offset as usize / 8).copied().unwrap_or(0);
    let divisor = wish.divisor.unwrap_or(1);
    let number = |word: u64, signed: bool| names.word(divide(word, divisor, signed), &Type::Int { bits: 64, signed });
    let (kind, signed) = match &map.value {
        MapValue::Plain(Type::Int { signed, .. }) => return Held::One(number(word(TOTAL), *signed)),
        MapValue::Plain(ty) => {
            let bytes = words.iter().flat_map(|word| word.to_ne_bytes()).collect::<Vec<_>>();
            return Held::One(names.decode(&bytes, ty));
        }
        MapValue::Gathered { kind, signed } => (*kind, *signed),
    };
    let same = |word: u64| names.word(word, &Type::Int { bits: 64, signed });
    match kind {
        Aggregation::Count | Aggregation::Sum => Held::One(number(word(TOTAL), signed)),
        Aggregation::Min | Aggregation::Max => Held::One(number(word(BEST), signed)),
        Aggregation::Avg => Held::One(number(average(words, signed), signed)),
        Aggregation::Stats => {
            let mut stats = vec![
                ("count", Value::Unsigned(word(COUNT))),
                ("average", same(average(words, signed))),
                ("total", same(word(TOTAL))),
            ];
            if wish.detail {
                stats.push(("min", same(word(LEAST))));
                stats.push(("max", same(word(GREATEST))));
                stats.push(("stddev", Value::Float(deviation(words, signed))));
            }
            Held::Stats(stats)
        }
        Aggregation::Hist { k } => Held::Histogram(logarithmic(buckets(map, words), k.into(), divisor)),
        Aggregation::Quantiles => {
            let counts = buckets(map, words);
            let total = counts.iter().sum::<u64>();
            let mut shown = vec![("count", Value::Unsigned(total))];
            for (name, of) in [("p50", 50_000), ("p90", 90_000), ("p99", 99_000), ("max", 100_000)] {
                shown.push((name, Value::Signed(quantile(counts, QUANTILES_K, of) / divisor as i64)));
            }
            Held::Stats(shown)
        }
        Aggregation::Lhist { min, max, step } => Held::Histogram(linear(buckets(map, words), min, max, step, divisor)),
        Aggregation::Tseries { interval, number, by } => {
            let value = |word: u64, count: u64| match by {
                Series::Avg => same(divide(word, count, signed)),
                _ => same(word),
            };
            let time = |nanos: u64| names.time(nanos, "%Y-%m-%d %H:%M:%S.%N");
            Held::Series(series(words, interval, number, time, value))
        }
    }
}

/// The standard deviation of a population: the root of the mean of the squares less the square of the mean.
fn deviation(words: &[u64], signed: bool) -> f64 {
    let word = |offset: u32| words.get(offset as usize / 8).copied().unwrap_or(0);
    let count = word(COUNT) as f64;
    if count == 0.0 {
        return 0.0;
    }
    let total = number(signed, word(TOTAL)) as f64;
    let squares = (u128::from(word(SQUARES)) | u128::from(word(SQUARES + 8)) << 64) as f64;
    let mean = total / count;
    let variance = (squares / count - mean * mean).max(0.0);
    // A hundredth is more than the numbers are worth.
    (variance.sqrt() * 100.0).round() / 100.0
}

/// The value below which so many thousandths of a percent of a histogram lie: the middle of its bucket.
#[must_use]
pub fn quantile(counts: &[u64], k: u64, of: u64) -> i64 {
    let total = counts.iter().sum::<u64>();
    if total == 0 {
        return 0;
    }
    let wanted = (u128::from(total) * u128::from(of)).div_ceil(100_000).max(1) as u64;
    let mut seen = 0;
    let found = counts.iter().position(|count| {
        seen += count;
        seen >= wanted
    });
    match found {
        None | Some(0) => -1,
        Some(bucket) => {
            let start = bucket_start(bucket as u64, k);
            let end = if bucket + 1 < counts.len() { bucket_start(bucket as u64 + 1, k) } else { 1 << 63 };
            (start + (end - start - 1) / 2) as i64
        }
    }
}

/// The words that an entry stands for where a script goes through a map: of an aggregation one number.
#[must_use]
pub fn stands_for(map: &Map, words: &[u64]) -> Words {
    match &map.value {
        MapValue::Plain(ty) => words[..words.len().min(ty.size() / 8)].to_vec(),
        MapValue::Gathered { kind: Aggregation::Avg | Aggregation::Stats, signed } => vec![average(words, *signed)],
        MapValue::Gathered { kind, .. } if kind.is_number() => vec![words.first().copied().unwrap_or(0)],
        MapValue::Gathered { .. } => vec![buckets(map, words).iter().sum()],
    }
}

/// A quantile of the histogram that an entry is.
#[must_use]
pub fn quantile_of(map: &Map, words: &[u64], of: u64) -> i64 {
    let k = match map.value {
        MapValue::Gathered { kind: Aggregation::Hist { k }, .. } => k.into(),
        _ => QUANTILES_K,
    };
    quantile(buckets(map, words), k, of)
}

/// The part of counts from the first that is not zero to the last.
fn in_use(counts: &[u64]) -> std::ops::Range<usize> {
    let first = counts.iter().position(|count| *count > 0);
    let last = counts.iter().rposition(|count| *count > 0);
    first.zip(last).map_or(0..0, |(first, last)| first..last + 1)
}

fn logarithmic(counts: &[u64], k: u64, divisor: u64) -> Vec<Bucket> {
    let bucket = |index: usize| {
        let (min, max) = match index {
            0 => (None, Some(-1)),
            _ => {
                let end = if index + 1 < counts.len() { bucket_start(index as u64 + 1, k) } else { 1 << 63 };
                (Some(bucket_start(index as u64, k) as i64), Some((end - 1) as i64))
            }
        };
        Bucket { min, max, count: counts[index] / divisor, whole: counts[index], binary: true }
    };
    in_use(counts).map(bucket).collect()
}

fn linear(counts: &[u64], min: i64, max: i64, step: u64, divisor: u64) -> Vec<Bucket> {
    let bucket = |index: usize| {
        let start = |index: usize| min.saturating_add((index as i64 - 1).saturating_mul(step as i64));
        let (min, max) = match index {
            0 => (None, Some(min - 1)),
            _ if index + 1 == counts.len() => (Some(max), None),
            _ => (Some(start(index)), Some(start(index + 1) - 1)),
        };
        Bucket { min, max, count: counts[index] / divisor, whole: counts[index], binary: false }
    };
    in_use(counts).map(bucket).collect()
}

/// The intervals of a time series up to the last that has a value, as many as are kept.
fn series(
    words: &[u64],
    interval: u64,
    number: u32,
    time: impl Fn(u64) -> String,
    value: impl Fn(u64, u64) -> Value,
) -> Vec<Point> {
    let slots = words.chunks_exact(SERIES_WORDS).take(number as usize);
    let used =
        slots.filter(|slot| slot[0] > 0).map(|slot| (slot[0], slot)).collect::<std::collections::BTreeMap<_, _>>();
    let (Some(first), Some(last)) = (used.keys().next(), used.keys().next_back()) else { return Vec::new() };
    let first = (*first).max((last + 1).saturating_sub(number.into()));
    let point = |epoch: u64| Point {
        start: time((epoch - 1).saturating_mul(interval)),
        value: used.get(&epoch).map(|slot| value(slot[1], slot[2])),
    };
    (first..=*last).map(point).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn histograms_run_from_the_first_bucket_in_use_to_the_last() {
        let mut counts = vec![0; log2_buckets(0)];
        assert_eq!(logarithmic(&counts, 0, 1), []);
        counts[2] = 3;
        counts[4] = 1;
        let bucket = |min, max, count| Bucket { min: Some(min), max: Some(max), count, whole: count, binary: true };
        assert_eq!(logarithmic(&counts, 0, 1), [bucket(1, 1, 3), bucket(2, 3, 0), bucket(4, 7, 1)]);
        counts[0] = 1;
        counts[64] = 1;
        let all = logarithmic(&counts, 0, 1);
        assert_eq!((all[0].min, all[0].max), (None, Some(-1)));
        assert_eq!((all[64].min, all[64].max), (Some(1 << 62), Some(i64::MAX)));
    }

    #[test]
    fn quantiles_are_exact_within_a_bucket() {
        let mut counts = vec![0; log2_buckets(QUANTILES_K)];
        for value in 1..=1000u64 {
            counts[scope_common::arith::log2_bucket(value, QUANTILES_K) as usize] += 1;
        }
        for (of, exact) in [(50_000, 500.0), (90_000, 900.0), (99_000, 990.0), (100_000, 1000.0)] {
            let found = quantile(&counts, QUANTILES_K, of) as f64;
            assert!((found - exact).abs() / exact < 1.0 / 32.0, "{of}: {found}");
        }
    }

    #[test]
    fn a_deviation_is_that_of_a_population() {
        // 2, 4, 4, 4, 5, 5, 7, 9: the mean is 5, the deviation 2.
        let words = [40, 8, 2, 1, 9, 1, 232, 0];
        assert!((deviation(&words, false) - 2.0).abs() < 1e-9);
    }

    #[test]
    fn a_time_series_has_its_gaps() {
        let words = [5, 50, 1, 0, 0, 0, 3, 30, 2, 4, 0, 0];
        let points =
            series(&words[..9], 100, 3, |nanos| nanos.to_string(), |value, count| Value::Unsigned(value / count));
        let expected = [(200, Some(15)), (300, None), (400, Some(50))];
        assert_eq!(
            points,
            expected.map(|(start, value)| Point { start: start.to_string(), value: value.map(Value::Unsigned) })
        );
    }
}
