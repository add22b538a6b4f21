//! How aggregations lie in a map's value: words of 64 bits, all zero in a new entry.
//!
//! On a per-CPU map each CPU has such a value of its own; userspace merges them when it reads.

/// `count()`, `sum()`: the total.
pub const TOTAL: u32 = 0;
/// `avg()`: the count, beside the total.
pub const COUNT: u32 = 8;
/// `min()`, `max()`: the number, and whether there is one yet.
pub const BEST: u32 = 0;
/// `hist()`: the first bucket.
pub const BUCKETS: u32 = 0;
