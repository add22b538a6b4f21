//! A reader of the kernel's type information (BTF), which trusts nothing that it reads.
//!
//! The format is `Documentation/bpf/btf.rst`: a header, types one behind the other, strings. Opening it notes where
//! each type begins; everything else is read, and names are compared, where they lie.

use std::fmt;
use std::rc::Rc;

/// The types of a kernel; a type is known by its number, 0 is `void`.
#[derive(Clone)]
pub struct Btf {
    bytes: Rc<[u8]>,
    /// Where each type begins in `bytes`; the first entry stands for `void` and is never read.
    types: Rc<[u32]>,
    /// Where the strings begin and end.
    strings: (usize, usize),
}

/// What is wrong with a BTF that can't be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Malformed(&'static str);

impl fmt::Display for Malformed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0)
    }
}

impl std::error::Error for Malformed {}

/// One type as BTF describes it, without its name and its parts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Entry {
    /// No type.
    Void,
    /// A number in so many bytes.
    Int {
        /// Bytes.
        size: u32,
        /// What kind of number.
        encoding: Encoding,
        /// The first bit that counts, in old descriptions of bit fields.
        offset: u32,
        /// How many bits count: fewer than all in old descriptions of bit fields.
        bits: u32,
    },
    /// A floating point number in so many bytes.
    Float(u32),
    /// An address of a type.
    Pointer(u32),
    /// So many of a type in a row.
    Array(u32, u32),
    /// A struct or union.
    Struct {
        /// Whether it is a union.
        union: bool,
        /// Bytes.
        size: u32,
    },
    /// A struct or union of which only the name is known.
    Forward {
        /// Whether it is a union.
        union: bool,
    },
    /// An enum.
    Enum {
        /// Bytes.
        size: u32,
        /// Whether its values have a sign.
        signed: bool,
    },
    /// Another name of a type.
    Typedef(u32),
    /// A type with a word before it that changes nothing of its layout.
    Qualified(Qualifier, u32),
    /// A function: its name and its prototype.
    Function(u32),
    /// Parameters and the type that is returned.
    Prototype(u32),
    /// What describes no type: variables, sections, tags of declarations.
    Other,
}

/// What kind of number an integer is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Encoding {
    /// Whether it has a sign.
    pub signed: bool,
    /// Whether it is a `bool`.
    pub boolean: bool,
}

/// A word before a type.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Qualifier {
    /// `const`
    Const,
    /// `volatile`
    Volatile,
    /// `restrict`
    Restrict,
    /// An attribute such as `__user`.
    Tag,
}

/// A member of a struct or union.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BtfMember<'a> {
    /// Its name, empty for an anonymous one.
    pub name: &'a str,
    /// The number of its type.
    pub ty: u32,
    /// Where it begins.
    pub bit_offset: u32,
    /// How wide it is, if it is a bit field.
    pub bits: Option<u32>,
}

const INT: u32 = 1;
const PTR: u32 = 2;
const ARRAY: u32 = 3;
const STRUCT: u32 = 4;
const UNION: u32 = 5;
const ENUM: u32 = 6;
const FWD: u32 = 7;
const TYPEDEF: u32 = 8;
const VOLATILE: u32 = 9;
const CONST: u32 = 10;
const RESTRICT: u32 = 11;
const FUNC: u32 = 12;
const FUNC_PROTO: u32 = 13;
const VAR: u32 = 14;
const DATASEC: u32 = 15;
const FLOAT: u32 = 16;
const DECL_TAG: u32 = 17;
const TYPE_TAG: u32 = 18;
const ENUM64: u32 = 19;

/// `struct btf_type`: name, info (kind and count of what follows), size or type.
#[derive(Clone, Copy)]
struct Record {
    name: u32,
    info: u32,
    word: u32,
    /// Where that which follows begins.
    rest: usize,
}

impl Record {
    fn kind(&self) -> u32 {
        self.info >> 24 & 0x1f
    }

    fn count(&self) -> usize {
        (self.info & 0xffff) as usize
    }

    fn flag(&self) -> bool {
        self.info >> 31 == 1
    }
}

/// Gives the bytes that follow a type of a kind (`BTF_KIND_*`, `include/uapi/linux/btf.h`).
fn following(kind: u32, count: usize) -> Option<usize> {
    Some(match kind {
        INT | VAR | DECL_TAG => 4,
        ARRAY => 12,
        STRUCT | UNION | DATASEC | ENUM64 => 12 * count,
        ENUM | FUNC_PROTO => 8 * count,
        PTR | FWD | TYPEDEF | VOLATILE | CONST | RESTRICT | FUNC | FLOAT | TYPE_TAG => 0,
        _ => return None,
    })
}

impl Btf {
    /// Opens a BTF of this machine's byte order: the bytes of `/sys/kernel/btf/vmlinux`.
    ///
    /// # Errors
    /// If the header or the run of types is not as it should be.
    pub fn open(bytes: impl Into<Rc<[u8]>>) -> Result<Btf, Malformed> {
        const MAGIC: [u8; 2] = 0xeb9fu16.to_ne_bytes();
        const SHORT: Malformed = Malformed("the BTF ends too early");
        let bytes: Rc<[u8]> = bytes.into();
        if u32::try_from(bytes.len()).is_err() {
            return Err(Malformed("the BTF is larger than 4 GiB"));
        }
        if bytes.get(..2) != Some(&MAGIC) {
            return Err(Malformed("no BTF of this machine's byte order"));
        }
        if bytes.get(2) != Some(&1) {
            return Err(Malformed("a BTF of another version"));
        }
        // `struct btf_header`: its length, then where each section lies behind it.
        let field = |at| word(&bytes, at).map(|word| word as usize).ok_or(SHORT);
        let header = field(4)?;
        let section = |at| -> Result<(usize, usize), Malformed> {
            let start = header.checked_add(field(at)?).ok_or(SHORT)?;
            let end = start.checked_add(field(at + 4)?).filter(|end| *end <= bytes.len()).ok_or(SHORT)?;
            Ok((start, end))
        };
        let ((mut at, end), strings) = (section(8)?, section(16)?);
        // A type takes some 25 bytes.
        let mut types = Vec::with_capacity((end - at) / 24);
        types.push(0);
        while at < end {
            let record = record(&bytes, at).ok_or(SHORT)?;
            let rest =
                following(record.kind(), record.count()).ok_or(Malformed("a BTF with an unknown kind of type"))?;
            types.push(at as u32);
            at = record.rest + rest;
        }
        if at != end {
            return Err(Malformed("the last type of the BTF is cut"));
        }
        Ok(Btf { bytes, types: types.into(), strings })
    }

    /// Opens the BTF of a module (`/sys/kernel/btf/MODULE`) together with the kernel's, whose types and strings it goes on
    /// counting from.
    ///
    /// # Errors
    /// As [`Btf::open`].
    pub fn open_module(kernel: &[u8], module: &[u8]) -> Result<Btf, Malformed> {
        const SHORT: Malformed = Malformed("the BTF ends too early");
        const HEADER: u32 = 24;
        let section = |bytes: &[u8], at: usize| -> Option<std::ops::Range<usize>> {
            let field = |at| word(bytes, at).map(|word| word as usize);
            let start = field(4)?.checked_add(field(at)?)?;
            let end = start.checked_add(field(at + 4)?)?;
            (end <= bytes.len()).then_some(start..end)
        };
        let part = |bytes, at| section(bytes, at).ok_or(SHORT);
        let types = [&kernel[part(kernel, 8)?], &module[part(module, 8)?]].concat();
        let strings = [&kernel[part(kernel, 16)?], &module[part(module, 16)?]].concat();
        let lens = [types.len(), strings.len()].map(|len| u32::try_from(len).unwrap_or(u32::MAX).to_ne_bytes());
        let mut whole = kernel.get(..4).ok_or(SHORT)?.to_vec();
        for field in [HEADER.to_ne_bytes(), [0; 4], lens[0], lens[0], lens[1]] {
            whole.extend(field);
        }
        whole.extend(types);
        whole.extend(strings);
        Btf::open(whole)
    }

    /// How many types there are, `void` included.
    #[must_use]
    pub fn count(&self) -> u32 {
        self.types.len() as u32
    }

    /// Gives a type; `None` if there is none of that number.
    #[must_use]
    pub fn entry(&self, id: u32) -> Option<Entry> {
        if id == 0 {
            return Some(Entry::Void);
        }
        let record = self.record(id)?;
        Some(match record.kind() {
            INT => {
                let data = self.word(record.rest)?;
                let encoding = Encoding { signed: data >> 24 & 1 != 0, boolean: data >> 24 & 4 != 0 };
                Entry::Int { size: record.word, encoding, offset: data >> 16 & 0xff, bits: data & 0xff }
            }
            FLOAT => Entry::Float(record.word),
            PTR => Entry::Pointer(record.word),
            ARRAY => Entry::Array(self.word(record.rest)?, self.word(record.rest + 8)?),
            kind @ (STRUCT | UNION) => Entry::Struct { union: kind == UNION, size: record.word },
            FWD => Entry::Forward { union: record.flag() },
            ENUM | ENUM64 => Entry::Enum { size: record.word, signed: record.flag() },
            TYPEDEF => Entry::Typedef(record.word),
            CONST => Entry::Qualified(Qualifier::Const, record.word),
            VOLATILE => Entry::Qualified(Qualifier::Volatile, record.word),
            RESTRICT => Entry::Qualified(Qualifier::Restrict, record.word),
            TYPE_TAG => Entry::Qualified(Qualifier::Tag, record.word),
            FUNC => Entry::Function(record.word),
            FUNC_PROTO => Entry::Prototype(record.word),
            _ => Entry::Other,
        })
    }

    /// Gives a type's name, empty if it has none.
    #[must_use]
    pub fn name(&self, id: u32) -> &str {
        self.record(id).map_or("", |record| self.text(record.name))
    }

    /// Gives the members of a struct or union, in order; none of any other type.
    pub fn members(&self, id: u32) -> impl Iterator<Item = BtfMember<'_>> {
        // `struct btf_member`: name, type, offset in bits.
        self.parts(id, &[STRUCT, UNION], 12).filter_map(|(record, at)| {
            let (name, ty, place) = (self.word(at)?, self.word(at + 4)?, self.word(at + 8)?);
            let (bit_offset, bits) = match record.flag() {
                true => (place & 0xff_ffff, Some(place >> 24).filter(|bits| *bits > 0)),
                false => self.old_bit_field(ty, place),
            };
            Some(BtfMember { name: self.text(name), ty, bit_offset, bits })
        })
    }

    /// Where a struct's flag is not set, a bit field is a member whose integer type is narrower than its bytes.
    fn old_bit_field(&self, ty: u32, place: u32) -> (u32, Option<u32>) {
        match self.entry(ty) {
            Some(Entry::Int { size, offset, bits, .. }) if size < 32 && bits < size * 8 && bits > 0 => {
                (place.saturating_add(offset), Some(bits))
            }
            _ => (place, None),
        }
    }

    /// Gives the names and values of an enum, in order; none of any other type.
    pub fn enumerators(&self, id: u32) -> impl Iterator<Item = (&str, i64)> {
        let wide = self.record(id).is_some_and(|record| record.kind() == ENUM64);
        let size = if wide { 12 } else { 8 };
        self.parts(id, &[ENUM, ENUM64], size)
            .filter_map(|(record, at)| Some((self.text(self.word(at)?), self.enumerator(record, at)?)))
    }

    /// `struct btf_enum` or `struct btf_enum64`: name, value in one word or two.
    fn enumerator(&self, record: Record, at: usize) -> Option<i64> {
        let low = self.word(at + 4)?;
        Some(match (record.kind(), record.flag()) {
            (ENUM64, _) => (u64::from(self.word(at + 8)?) << 32 | u64::from(low)).cast_signed(),
            (_, true) => i64::from(low.cast_signed()),
            (_, false) => i64::from(low),
        })
    }

    /// Gives the names and types of a prototype's parameters; a last one without either stands for `...`.
    pub fn parameters(&self, id: u32) -> impl Iterator<Item = (&str, u32)> {
        self.parts(id, &[FUNC_PROTO], 8).filter_map(|(_, at)| Some((self.text(self.word(at)?), self.word(at + 4)?)))
    }

    /// Finds a struct by its name.
    #[must_use]
    pub fn find_struct(&self, name: &str) -> Option<u32> {
        self.find(&[STRUCT], name)
    }

    /// Finds a union by its name.
    #[must_use]
    pub fn find_union(&self, name: &str) -> Option<u32> {
        self.find(&[UNION], name)
    }

    /// Finds an enum by its name.
    #[must_use]
    pub fn find_enum(&self, name: &str) -> Option<u32> {
        self.find(&[ENUM, ENUM64], name)
    }

    /// Finds a typedef by its name.
    #[must_use]
    pub fn find_typedef(&self, name: &str) -> Option<u32> {
        self.find(&[TYPEDEF], name)
    }

    /// Finds a function by its name.
    #[must_use]
    pub fn find_func(&self, name: &str) -> Option<u32> {
        self.find(&[FUNC], name)
    }

    /// Finds an enum's value by its name: the number of the enum, and the value.
    #[must_use]
    pub fn find_enumerator(&self, name: &str) -> Option<(u32, i64)> {
        self.of_kinds(&[ENUM, ENUM64]).find_map(|(id, record)| {
            let size = if record.kind() == ENUM64 { 12 } else { 8 };
            let mut places = (0..record.count()).map(|index| record.rest + index * size);
            let at = places.find(|at| self.word(*at).is_some_and(|text| self.is(text, name)))?;
            Some((id, self.enumerator(record, at)?))
        })
    }

    /// Gives the names of all structs.
    pub fn struct_names(&self) -> impl Iterator<Item = &str> {
        self.names(&[STRUCT])
    }

    /// Gives the names of all unions.
    pub fn union_names(&self) -> impl Iterator<Item = &str> {
        self.names(&[UNION])
    }

    /// Gives the names of all enums.
    pub fn enum_names(&self) -> impl Iterator<Item = &str> {
        self.names(&[ENUM, ENUM64])
    }

    /// Gives the names of all typedefs.
    pub fn typedef_names(&self) -> impl Iterator<Item = &str> {
        self.names(&[TYPEDEF])
    }

    /// Gives the names of all functions.
    pub fn func_names(&self) -> impl Iterator<Item = &str> {
        self.names(&[FUNC])
    }

    /// Gives all functions, by number and name.
    pub fn funcs(&self) -> impl Iterator<Item = (u32, &str)> {
        self.of_kinds(&[FUNC]).map(|(id, record)| (id, self.text(record.name)))
    }

    fn names(&self, kinds: &'static [u32]) -> impl Iterator<Item = &str> {
        self.of_kinds(kinds).map(|(_, record)| self.text(record.name)).filter(|name| !name.is_empty())
    }

    fn find(&self, kinds: &'static [u32], name: &str) -> Option<u32> {
        self.of_kinds(kinds).find(|(_, record)| self.is(record.name, name)).map(|(id, _)| id)
    }

    fn of_kinds(&self, kinds: &'static [u32]) -> impl Iterator<Item = (u32, Record)> {
        let records = (1..self.count()).filter_map(|id| Some((id, self.record(id)?)));
        records.filter(|(_, record)| kinds.contains(&record.kind()))
    }

    /// Gives the places of what follows a type, if it is of one of the kinds.
    fn parts(&self, id: u32, kinds: &[u32], size: usize) -> impl Iterator<Item = (Record, usize)> + use<> {
        let record = self.record(id).filter(|record| kinds.contains(&record.kind()));
        record
            .into_iter()
            .flat_map(move |record| (0..record.count()).map(move |index| (record, record.rest + index * size)))
    }

    fn record(&self, id: u32) -> Option<Record> {
        match id {
            0 => None,
            _ => record(&self.bytes, *self.types.get(id as usize)? as usize),
        }
    }

    fn word(&self, at: usize) -> Option<u32> {
        word(&self.bytes, at)
    }

    fn strings(&self) -> &[u8] {
        self.bytes.get(self.strings.0..self.strings.1).unwrap_or_default()
    }

    fn text(&self, offset: u32) -> &str {
        let tail = self.strings().get(offset as usize..).unwrap_or_default();
        let end = tail.iter().position(|byte| *byte == 0).unwrap_or(0);
        std::str::from_utf8(&tail[..end]).unwrap_or_default()
    }

    fn is(&self, offset: u32, name: &str) -> bool {
        let tail = self.strings().get(offset as usize..).unwrap_or_default();
        !name.is_empty() && tail.get(name.len()) == Some(&0) && tail.starts_with(name.as_bytes())
    }
}

fn record(bytes: &[u8], at: usize) -> Option<Record> {
    let header: &[u8; 12] = bytes.get(at..)?.first_chunk()?;
    let word =
        |index: usize| u32::from_ne_bytes([header[index], header[index + 1], header[index + 2], header[index + 3]]);
    Some(Record { name: word(0), info: word(4), word: word(8), rest: at + 12 })
}

fn word(bytes: &[u8], at: usize) -> Option<u32> {
    bytes.get(at..)?.first_chunk().copied().map(u32::from_ne_bytes)
}

impl fmt::Debug for Btf {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Btf({} types)", self.count())
    }
}

#[cfg(test)]
mod tests;
