//! Where the members of a struct lie: the rules of the C ABI for x86-64, bit fields as GCC and Clang lay them.

/// A struct or union that is being laid out. All places are in bits.
#[derive(Debug)]
pub(super) struct Layout {
    union: bool,
    /// Where the last member ends.
    end: u64,
    /// Where the furthest member ends.
    furthest: u64,
    /// In bytes.
    align: u32,
}

impl Layout {
    pub fn new(union: bool) -> Layout {
        Layout { union, end: 0, furthest: 0, align: 1 }
    }

    /// Places a member of so many bytes; gives where it begins.
    pub fn member(&mut self, size: u32, align: u32) -> u64 {
        let start = self.start().next_multiple_of(u64::from(align) * 8);
        self.align = self.align.max(align);
        self.advance(start, u64::from(size) * 8)
    }

    /// Places a bit field of a type of so many bytes; gives where it begins.
    ///
    /// It never crosses a border that the type itself would not cross. One without a name aligns nothing, and one of no
    /// width ends at such a border.
    pub fn bit_field(&mut self, size: u32, width: u32, named: bool) -> u64 {
        let (unit, width) = (u64::from(size) * 8, u64::from(width));
        if named {
            self.align = self.align.max(size);
        }
        let mut start = self.start();
        if width == 0 || start / unit != (start + width - 1) / unit {
            start = start.next_multiple_of(unit);
        }
        self.advance(start, width)
    }

    /// Places a bit field of a packed struct: directly behind what is before it, across any border.
    pub fn packed_bit_field(&mut self, size: u32, width: u32) -> u64 {
        let mut start = self.start();
        if width == 0 {
            start = start.next_multiple_of(u64::from(size) * 8);
        }
        self.advance(start, width.into())
    }

    /// Has the whole begin at a multiple of so many bytes.
    pub fn align(&mut self, align: u32) {
        self.align = self.align.max(align);
    }

    fn start(&self) -> u64 {
        if self.union { 0 } else { self.end }
    }

    fn advance(&mut self, start: u64, bits: u64) -> u64 {
        self.end = start + bits;
        self.furthest = self.furthest.max(self.end);
        start
    }

    /// Gives the size so far in bytes, with the padding at the end, and the alignment.
    pub fn size(&self) -> (u64, u32) {
        (self.furthest.div_ceil(8).next_multiple_of(u64::from(self.align)), self.align)
    }
}
