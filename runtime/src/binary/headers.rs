//! The headers of an ELF file: what is loaded of it, and which sections it has.

use std::path::Path;

use object::pod::from_bytes;
use object::{NativeEndian, elf};

use super::contents::Contents;
use super::{BinaryError, Header, NATIVE, Section};

/// A part of the file that is loaded.
pub(super) struct Segment {
    pub address: u64,
    pub size: u64,
    pub offset: u64,
    pub executable: bool,
}

/// What the headers say.
pub(super) struct Headers {
    /// Sorted by address.
    pub segments: Vec<Segment>,
    pub sections: Vec<Section>,
    names: Vec<u8>,
}

impl Headers {
    pub fn read(path: &Path, contents: &Contents) -> Result<Headers, BinaryError> {
        let damaged = |what| BinaryError::Damaged { path: path.to_owned(), what };
        let header = first(path, contents)?;
        if usize::from(header.e_phentsize.get(NATIVE)) != size_of::<elf::ProgramHeader64<NativeEndian>>() {
            return Err(damaged("its program headers have another size"));
        }
        let (at, count) = (header.e_phoff.get(NATIVE), header.e_phnum.get(NATIVE));
        let segments = contents.array::<elf::ProgramHeader64<NativeEndian>>(at, count.into());
        let segments = segments.ok_or_else(|| damaged("its program headers lie behind its end"))?;
        let segments = segments.iter().filter(|segment| segment.p_type.get(NATIVE) == elf::PT_LOAD);
        let mut segments = segments.map(Segment::of).collect::<Vec<_>>();
        segments.sort_by_key(|segment| segment.address);
        let mut headers = Headers { segments, sections: Vec::new(), names: Vec::new() };
        let at = header.e_shoff.get(NATIVE);
        // Without sections a program runs just as well.
        if at == 0 {
            return Ok(headers);
        }
        // A count that does not fit the header is in the first section; but no program has so many sections.
        let (count, names) = (header.e_shnum.get(NATIVE), header.e_shstrndx.get(NATIVE));
        let sections = contents.array(at, count.into());
        headers.sections = sections.ok_or_else(|| damaged("its section headers lie behind its end"))?;
        if let Some(names) = headers.sections.get(usize::from(names)) {
            let names = contents.read(names.sh_offset.get(NATIVE), names.sh_size.get(NATIVE));
            headers.names = names.ok_or_else(|| damaged("the names of its sections lie behind its end"))?.into_owned();
        }
        Ok(headers)
    }

    /// The first section of a type, and of a name if one is given.
    pub fn section(&self, kind: u32, name: Option<&str>) -> Option<&Section> {
        let called = |section: &Section, name: &str| {
            let tail = self.names.get(section.sh_name.get(NATIVE) as usize..);
            tail.and_then(|tail| tail.strip_prefix(name.as_bytes())).is_some_and(|rest| rest.first() == Some(&0))
        };
        let mut of_kind = self.sections.iter().filter(|section| section.sh_type.get(NATIVE) == kind);
        of_kind.find(|section| name.is_none_or(|name| called(section, name)))
    }
}

impl Segment {
    fn of(header: &elf::ProgramHeader64<NativeEndian>) -> Segment {
        Segment {
            address: header.p_vaddr.get(NATIVE),
            size: header.p_filesz.get(NATIVE),
            offset: header.p_offset.get(NATIVE),
            executable: header.p_flags.get(NATIVE) & elf::PF_X != 0,
        }
    }
}

/// The header that a file begins with, if it is one of a program or a library of this machine.
fn first(path: &Path, contents: &Contents) -> Result<Header, BinaryError> {
    let bytes = contents.read(0, contents.size().min(size_of::<Header>() as u64)).unwrap_or_default();
    let path = path.to_owned();
    if bytes.starts_with(b"#!") {
        return Err(BinaryError::Script(path));
    }
    if !bytes.starts_with(&elf::ELFMAG) {
        return Err(BinaryError::NotElf(path));
    }
    let Ok((header, _)) = from_bytes::<Header>(&bytes) else {
        return Err(BinaryError::Damaged { path, what: "it ends within its header" });
    };
    let order = if cfg!(target_endian = "little") { elf::ELFDATA2LSB } else { elf::ELFDATA2MSB };
    let machine = if cfg!(target_arch = "aarch64") { elf::EM_AARCH64 } else { elf::EM_X86_64 };
    let ident = (header.e_ident.class, header.e_ident.data);
    if ident != (elf::ELFCLASS64, order) || header.e_machine.get(NATIVE) != machine {
        return Err(BinaryError::Machine(path));
    }
    if ![elf::ET_EXEC, elf::ET_DYN].contains(&header.e_type.get(NATIVE)) {
        return Err(BinaryError::NotLinked(path));
    }
    Ok(*header)
}
