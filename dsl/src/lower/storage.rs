//! How a map is kept: the kind of kernel map, and the sizes of keys and values.

use scope_common::arith::LOG2_BUCKETS;

use crate::checked::{Map, Value};
use crate::limits::MAP_ENTRIES;
use crate::program::{Kind, Storage};

/// Chooses how a map is kept.
pub fn of(map: &Map) -> Storage {
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
    Storage {
        kind,
        in_kernel: usage.in_kernel,
        // What the kernel reads or deletes itself must stay in one place.
        swapped: usage.in_kernel && aggregation && usage.cleared && !usage.kernel_beyond_adding,
        key_size: if kind.is_array() { 4 } else { key_size },
        value_size: words(&map.value) * 8 + if kind.is_array() { 8 } else { 0 },
        entries: if kind.is_array() { 1 } else { map.wish.map_or(MAP_ENTRIES, |wish| wish.entries) },
    }
}

/// How many words a value has; their meaning is in [`scope_common::value`].
fn words(value: &Value) -> usize {
    match value {
        Value::Plain(ty) => ty.size() / 8,
        Value::Count | Value::Sum { .. } => 1,
        Value::Min { .. } | Value::Max { .. } | Value::Avg { .. } => 2,
        Value::Hist => LOG2_BUCKETS,
    }
}
