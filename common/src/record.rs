//! What the machine sends to userspace: a header, then the values that the record's action needs.

/// Bytes before the values of a record: the action's number in the script, a `u64`.
///
/// The length of a record is the ring buffer's to know; the layout behind the header is the action's.
pub const HEADER: usize = 8;

/// A string in a record is a word that says where it lies: its offset from the start of the record in the low 32
/// bits, its length in bytes in the high 32.
#[must_use]
pub const fn string_place(word: u64) -> (usize, usize) {
    (word as u32 as usize, (word >> 32) as usize)
}
