//! How a map is kept: the kind of kernel map, and the sizes of keys and values.

use scope_common::arith::log2_buckets;
use scope_common::value::{SERIES_WORDS, STATS_WORDS};

use crate::checked::{Aggregation, Map, Value};
use crate::config::Config;
use crate::program::{Kind, Storage};

/// How fine the histogram behind `quantiles()` is: 32 buckets for each power of two, so that a quantile is exact within
/// one part in 32.
pub const QUANTILES_K: u64 = 5;

/// Bytes of an entry on one CPU from which a map is made beforehand, and how many entries it then has unless the script
/// says otherwise: the kernel has memory for few such entries at once.
const LARGE_ENTRY: usize = 2048;
const LARGE_ENTRIES: u32 = 512;

/// Chooses how a map is kept.
pub fn of(map: &Map, config: &Config) -> Storage {
    let aggregation = map.value.is_aggregation();
    let lru = map.wish.is_some_and(|wish| wish.lru);
    let kind = match (map.key.is_empty(), aggregation, lru) {
        (true, true, _) => Kind::PerCpuArray,
        (true, false, _) => Kind::Array,
        (false, true, false) => Kind::PerCpuHash,
        (false, true, true) => Kind::LruPerCpuHash,
        (false, false, false) => Kind::Hash,
        (false, false, true) => Kind::LruHash,
    };
    let key_size = map.key.iter().map(crate::types::Type::size).sum();
    let usage = map.usage;
    let large = aggregation && words(&map.value) * 8 > LARGE_ENTRY;
    let usual = if large { config.max_map_keys.min(LARGE_ENTRIES) } else { config.max_map_keys };
    let wished = map.wish.and_then(|wish| wish.entries).unwrap_or(usual);
    Storage {
        kind,
        in_kernel: usage.in_kernel,
        // What the kernel reads or deletes itself must stay in one place.
        swapped: usage.in_kernel && aggregation && usage.cleared && !usage.kernel_beyond_adding,
        counted: usage.counted && !kind.is_array(),
        key_size: if kind.is_array() { 4 } else { key_size },
        value_size: words(&map.value) * 8 + if kind.is_array() { 8 } else { 0 },
        entries: if kind.is_array() { 1 } else { wished },
    }
}

/// How many buckets a linear histogram has, those below and above included.
#[must_use]
pub const fn linear_buckets(min: i64, max: i64, step: u64) -> usize {
    // The checker has bounded them.
    (max.wrapping_sub(min) as u64).div_ceil(step) as usize + 2
}

/// How many words a value has; their meaning is in [`scope_common::value`].
fn words(value: &Value) -> usize {
    let Value::Gathered { kind, .. } = value else {
        let Value::Plain(ty) = value else { return 1 };
        return ty.size() / 8;
    };
    match *kind {
        Aggregation::Count | Aggregation::Sum => 1,
        Aggregation::Min | Aggregation::Max | Aggregation::Avg => 2,
        Aggregation::Stats => STATS_WORDS,
        Aggregation::Hist { k } => log2_buckets(k.into()) + 1,
        Aggregation::Quantiles => log2_buckets(QUANTILES_K) + 1,
        Aggregation::Lhist { min, max, step } => linear_buckets(min, max, step) + 1,
        Aggregation::Tseries { number, .. } => number as usize * SERIES_WORDS,
    }
}
