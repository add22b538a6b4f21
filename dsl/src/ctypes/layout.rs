//! Where the members of a struct lie: the rules of the C ABI for x86-64, bit fields as GCC and Clang lay them.

/// A struct or union that is being laid out. All places are in bits.
#[derive(Debug)]
pub(super) struct Layout {
    union: bool,
    /// Whether nothing is aligned.
    packed: bool,
    /// Where the last member ends.
    end: u64,
    /// Where the furthest member ends.
    furthest: u64,
    /// In bytes.
    align: u32,
}

impl Layout {
    pub fn new(union: bool, packed: bool) -> Layout {
        Layout { union, packed, end: 0, furthest: 0, align: 1 }
    }

    /// Places a member of so many bytes; gives where it begins.
    pub fn member(&mut self, size: u32, align: u32) -> u64 {
        let align = if self.packed { 1 } else { align };
        let start = self.start().next_multiple_of(u64::from(align) * 8);
        self.align = self.align.max(align);
        self.advance(start, u64::from(size) * 8)
    }

    /// Places a bit field of a type of so many bytes; gives where it begins.
    ///
    /// It never crosses a border that the type itself would not cross. One without a name aligns nothing, and one of no
    /// width ends at such a border. In a packed struct there are no such borders but the last.
    pub fn bit_field(&mut self, size: u32, width: u32, named: bool) -> u64 {
        let (unit, width) = (u64::from(size) * 8, u64::from(width));
        if named && !self.packed {
            self.align = self.align.max(size);
        }
        let mut start = self.start();
        if width == 0 || !self.packed && start / unit != (start + width - 1) / unit {
            start = start.next_multiple_of(unit);
        }
        self.advance(start, width)
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
