//! How large scripts and what they are compiled to may be. Limits of plans are in [`scope_common::plan`].

/// How deep operators stand in each other: `a + b + c` counts two.
pub const MAX_OPERATORS: usize = 256;
/// Errors that are said, and as many warnings: who reads more?
pub const MAX_DIAGNOSTICS: usize = 100;
/// Blocks that all `unroll`s of a clause come to.
pub const UNROLLED: usize = 10_000;
/// Bytes of a script's text.
pub const MAX_SOURCE: usize = 2 << 20;
/// How deep brackets nest, and how many prefix operators stand in a row.
pub const MAX_NESTING: usize = 100;
/// Entries of a map, unless the script says otherwise.
pub const MAP_ENTRIES: u32 = 4096;
/// Bytes that `str()` reads, the final NUL included, unless the script says otherwise.
pub const DEFAULT_STRING: usize = 256;
/// Steps of the grammar that a script may take, beside those for its length: a net for texts made to be slow.
pub const MAX_STEPS: usize = 5_000_000;
/// Rounds of a loop in a kernel clause, if their number is not known when the script is compiled.
pub const LOOP_ROUNDS: u32 = 128;
/// Rounds of a loop in a clause that runs in userspace.
pub const USER_ROUNDS: u64 = 10_000_000;
/// Times that `unroll` can repeat its block.
pub const UNROLL: u64 = 100;
/// How deep loops nest.
pub const LOOP_DEPTH: usize = 3;
/// Frames of a stack.
pub const STACK_DEPTH: u16 = 127;
/// Buckets of an `lhist`, and of a time series.
pub const BUCKETS: u64 = 1000;
/// Scripts that one is made of: itself and what it imports.
pub const MAX_FILES: usize = 256;
