//! How large scripts and what they are compiled to may be. Limits of plans are in [`scope_common::plan`].

/// Bytes of a script's text.
pub const MAX_SOURCE: usize = 1 << 20;
/// How deep brackets nest, and how many prefix operators stand in a row.
pub const MAX_NESTING: usize = 100;
/// Entries of a map, unless the script says otherwise.
pub const MAP_ENTRIES: u32 = 4096;
/// Bytes that `str()` reads, the final NUL included, unless the script says otherwise.
pub const DEFAULT_STRING: usize = 256;
