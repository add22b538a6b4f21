//! How aggregations lie in a map's value: words of 64 bits, all zero in a new entry.
//!
//! On a per-CPU map each CPU has such a value of its own; userspace merges them when it reads.

/// `count()`, `sum()`: the total.
pub const TOTAL: u32 = 0;
/// `avg()`, `stats()`: the count, beside the total.
pub const COUNT: u32 = 8;
/// `min()`, `max()`: the number, and whether there is one yet.
pub const BEST: u32 = 0;
/// `stats()`: the least number, and whether there is one yet.
pub const LEAST: u32 = 16;
/// `stats()`: the greatest number, and whether there is one yet.
pub const GREATEST: u32 = 32;
/// `stats()`: the sum of the squares, 128 bits, the low half first.
pub const SQUARES: u32 = 48;
/// Words of `stats()`.
pub const STATS_WORDS: usize = 8;
/// `hist()`, `lhist()`: the first bucket. Behind the last is a word that the machine works in.
pub const BUCKETS: u32 = 0;
/// `tseries()`: words of one bucket: which interval it is for, counted from 1; the value; and how often it was given one,
/// or when it was given the last.
pub const SERIES_WORDS: usize = 3;
