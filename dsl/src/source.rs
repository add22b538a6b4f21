//! A script's text and places in it.

/// A place in a source: a range of bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Span {
    /// The first byte.
    pub start: usize,
    /// The byte after the last.
    pub end: usize,
}

impl Span {
    /// Makes a span of two byte offsets.
    #[must_use]
    pub const fn new(start: usize, end: usize) -> Span {
        Span { start, end }
    }

    /// Gives the smallest span that holds both.
    #[must_use]
    pub fn to(self, other: Span) -> Span {
        Span { start: self.start.min(other.start), end: self.end.max(other.end) }
    }
}

/// A script's text with the name that errors give it.
#[derive(Clone, Debug)]
pub struct Source {
    /// A file's path, or what stands for one (`-e`).
    pub name: String,
    /// The text.
    pub text: String,
}
