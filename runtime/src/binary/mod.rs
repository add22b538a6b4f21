//! What uprobes and static probes need of an ELF file: its functions, its probes, and where in the file they lie.
//!
//! The file may be damaged, or made to harm: then there is an error, or less is found. Not read are files of 32 bits,
//! whose arguments lie elsewhere than probes look, and compressed symbols (`.gnu_debugdata`).

mod cache;
mod code;
mod contents;
mod error;
mod find;
mod headers;
mod notes;
mod symbols;
#[cfg(test)]
mod tests;
#[cfg(test)]
mod tiny;

use std::borrow::Cow;
use std::path::{Path, PathBuf};

use object::{NativeEndian, elf};

use contents::Contents;
pub use error::BinaryError;
pub use find::{files, find, find_for};
use headers::{Headers, Segment};
pub use notes::Note;
pub use symbols::Function;
use symbols::Table;

/// The byte order of this machine; files of another are refused.
const NATIVE: NativeEndian = object::NativeEndian;

type Header = elf::FileHeader64<NativeEndian>;
type Section = elf::SectionHeader64<NativeEndian>;

/// A program or a library.
pub struct Binary {
    path: PathBuf,
    contents: Contents,
    /// Sorted by address.
    segments: Vec<Segment>,
    symtab: Option<Table>,
    dynsym: Option<Table>,
    /// The static probes, and the section whose address says how far they were moved since they were noted.
    probes: (Option<Section>, Option<Section>),
    build_id: Option<Section>,
    /// Whether it was made by the compiler of Go.
    go: bool,
}

impl Binary {
    /// Opens a file.
    ///
    /// # Errors
    /// If it can't be read, or is no program or library of this machine.
    pub fn open(path: &Path) -> Result<Binary, BinaryError> {
        Binary::new(path, Contents::open(path)?)
    }

    /// Takes the bytes for what lies at the path.
    ///
    /// # Errors
    /// If they are no program or library of this machine.
    pub fn from_bytes(path: &Path, bytes: Vec<u8>) -> Result<Binary, BinaryError> {
        Binary::new(path, Contents::Bytes(bytes))
    }

    fn new(path: &Path, contents: Contents) -> Result<Binary, BinaryError> {
        let headers = Headers::read(path, &contents)?;
        let symtab = Table::of(&headers, elf::SHT_SYMTAB);
        let dynsym = Table::of(&headers, elf::SHT_DYNSYM);
        let probes = headers.section(elf::SHT_NOTE, Some(".note.stapsdt")).copied();
        let base = headers.section(elf::SHT_PROGBITS, Some(".stapsdt.base")).copied();
        let build_id = headers.section(elf::SHT_NOTE, Some(".note.gnu.build-id")).copied();
        let go = headers.section(elf::SHT_NOTE, Some(".note.go.buildid")).is_some();
        let (path, segments) = (path.to_owned(), headers.segments);
        Ok(Binary { path, contents, segments, symtab, dynsym, probes: (probes, base), build_id, go })
    }

    /// Where it lies.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Where in the file lies what is loaded to an address.
    pub fn file_offset(&self, address: u64) -> Option<u64> {
        self.loaded(address).map(|(_, offset)| offset)
    }

    /// The segment of an address, and the offset in the file.
    fn loaded(&self, address: u64) -> Option<(&Segment, u64)> {
        // Segments do not overlap in what can be run.
        let behind = self.segments.partition_point(|segment| segment.address <= address);
        let segment = self.segments[..behind].last()?;
        let within = address - segment.address;
        let offset = segment.offset.checked_add(within)?;
        (within < segment.size && offset < self.contents.size()).then_some((segment, offset))
    }

    /// The bytes of a section.
    fn section(&self, section: &Section) -> Result<Cow<'_, [u8]>, BinaryError> {
        let bytes = self.contents.read(section.sh_offset.get(NATIVE), section.sh_size.get(NATIVE));
        bytes.ok_or_else(|| self.damaged("a section lies behind its end"))
    }

    fn damaged(&self, what: &'static str) -> BinaryError {
        BinaryError::Damaged { path: self.path.clone(), what }
    }
}
