//! The functions of a binary, by its tables of symbols: its own, and those of its debug file if it was stripped.

use std::path::PathBuf;

use object::pod::slice_from_all_bytes;
use object::{NativeEndian, U16, elf};

use super::contents::LARGEST;
use super::headers::Headers;
use super::{Binary, BinaryError, NATIVE, Section};
use crate::symbols::demangle::demangled;

/// A function that a uprobe can be set on.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Function {
    /// Its name as the file has it, without a version (`@@GLIBC_2.2.5`).
    pub name: String,
    /// Where in the file its code begins.
    pub offset: u64,
    /// Its virtual address.
    pub address: u64,
    /// The size of its code in bytes, as the file says; may be 0.
    pub size: u64,
    /// Whether it is run once in each process only, to choose the function that is then called by its name (`IFUNC`).
    pub indirect: bool,
}

impl Function {
    /// Its name as it was in the source, if that is another.
    pub fn demangled(&self) -> Option<String> {
        Some(demangled(&self.name)).filter(|name| *name != self.name)
    }
}

/// A table of symbols.
pub(super) struct Table {
    symbols: Section,
    names: Section,
    versions: Option<Section>,
}

impl Table {
    /// The table of a type that the sections have, with what belongs to it.
    pub fn of(headers: &Headers, kind: u32) -> Option<Table> {
        let symbols = *headers.section(kind, None)?;
        let names = *headers.sections.get(symbols.sh_link.get(NATIVE) as usize)?;
        let versions = headers.section(elf::SHT_GNU_VERSYM, None).filter(|_| kind == elf::SHT_DYNSYM).copied();
        Some(Table { symbols, names, versions })
    }
}

/// What C++ throws exceptions by.
const THROW: &[u8] = b"\0__cxa_throw\0";

impl Binary {
    /// What would come of a probe where functions return: the kernel puts another address in place of the one that they
    /// return to (`prepare_uretprobe`, `kernel/events/uprobes.c`). `None` if no harm is known.
    pub fn harm_at_returns(&self) -> Option<&'static str> {
        if self.go {
            return Some("it is a Go program: a probe where a function returns ends it when a stack is moved");
        }
        let throws = [&self.symtab, &self.dynsym].into_iter().flatten().any(|table| {
            let names = self.section(&table.names).unwrap_or_default();
            names.windows(THROW.len()).any(|window| window == THROW)
        });
        throws.then_some("it throws exceptions: one that passes a probe where a function returns ends the process")
    }
}

/// A function as a table has it.
struct Entry<'a> {
    /// The names of the table, from its own on.
    names: &'a [u8],
    offset: u64,
    address: u64,
    size: u64,
    indirect: bool,
    standing: Standing,
}

/// Which of several functions of one name is meant by it: the first that there is.
#[derive(Clone, Copy, PartialEq, PartialOrd)]
enum Standing {
    Global,
    /// Known within its source file only.
    Local,
    /// Called by programs that were linked with an older version of the library.
    Superseded,
}

impl Entry<'_> {
    fn function(&self, name: &[u8]) -> Function {
        // In tables of symbols the version is part of the name.
        let end = name.iter().skip(1).position(|byte| *byte == b'@').map_or(name.len(), |at| at + 1);
        let name = String::from_utf8_lossy(&name[..end]).into_owned();
        let Entry { offset, address, size, indirect, .. } = *self;
        Function { name, offset, address, size, indirect }
    }
}

impl Binary {
    /// All functions, by name; one that has several names is there by each.
    ///
    /// # Errors
    /// If the tables of symbols are damaged.
    pub fn functions(&self) -> Result<Vec<Function>, BinaryError> {
        let debug = self.debug_file();
        // Names may overlap where they are kept, and then take far more memory than the file.
        let files = [Some(self), debug.as_ref()].into_iter().flatten();
        let mut room = files.map(|file| file.contents.size().min(LARGEST)).sum::<u64>() as usize * 2;
        let mut functions = Vec::new();
        self.each_function(debug.as_ref(), |entry| {
            let names = &entry.names[..entry.names.len().min(room)];
            let length = names.iter().position(|byte| *byte == 0);
            room -= length.unwrap_or(names.len());
            if let Some(length @ 1..) = length {
                functions.push(entry.function(&names[..length]));
            }
        })?;
        functions.sort_unstable();
        functions.dedup_by(|one, other| (&one.name, one.offset) == (&other.name, other.offset));
        Ok(functions)
    }

    /// The function of a name; of several, the one that a program gets which is linked with the file now.
    ///
    /// # Errors
    /// If the tables of symbols are damaged.
    pub fn function(&self, name: &str) -> Result<Option<Function>, BinaryError> {
        let mut best: Option<(Standing, Function)> = None;
        if name.is_empty() {
            return Ok(None);
        }
        self.each_function(self.debug_file().as_ref(), |entry| {
            let standing = match entry.names.strip_prefix(name.as_bytes()) {
                Some([0, ..]) => entry.standing,
                Some([b'@', b'@', ..]) => Standing::Global,
                Some([b'@', ..]) => Standing::Superseded,
                _ => return,
            };
            if best.as_ref().is_none_or(|(other, _)| standing < *other) {
                best = Some((standing, entry.function(name.as_bytes())));
            }
        })?;
        Ok(best.map(|(_, function)| function))
    }

    /// The file that has the symbols of this one, if it has none of its own: where distributions put it.
    fn debug_file(&self) -> Option<Binary> {
        if self.symtab.is_some() {
            return None;
        }
        let id = self.build_id()?;
        let (directory, file) = id.split_at_checked(2)?;
        Binary::open(&PathBuf::from(format!("/usr/lib/debug/.build-id/{directory}/{file}.debug"))).ok()
    }

    /// Hands on each function of code that is loaded; the debug file's too, which has the addresses of this one.
    fn each_function(&self, debug: Option<&Binary>, mut each: impl FnMut(Entry<'_>)) -> Result<(), BinaryError> {
        if let Some((debug, table)) = debug.and_then(|debug| Some((debug, debug.symtab.as_ref()?))) {
            // If it is damaged, this file is not.
            let _ = self.each_of(debug, table, &mut each);
        }
        for table in [&self.symtab, &self.dynsym].into_iter().flatten() {
            self.each_of(self, table, &mut each)?;
        }
        Ok(())
    }

    fn each_of(&self, file: &Binary, table: &Table, each: &mut impl FnMut(Entry<'_>)) -> Result<(), BinaryError> {
        let symbols = file.section(&table.symbols)?;
        let names = file.section(&table.names)?;
        let versions = table.versions.as_ref().map(|section| file.section(section)).transpose()?.unwrap_or_default();
        let symbols = slice_from_all_bytes::<elf::Sym64<NativeEndian>>(&symbols);
        let symbols = symbols.map_err(|()| file.damaged("its symbols are cut off"))?;
        let versions = slice_from_all_bytes::<U16<NativeEndian>>(&versions).unwrap_or_default();
        for (index, symbol) in symbols.iter().enumerate() {
            let indirect = symbol.st_type() == elf::STT_GNU_IFUNC;
            if symbol.st_shndx.get(NATIVE) == elf::SHN_UNDEF || !(indirect || symbol.st_type() == elf::STT_FUNC) {
                continue;
            }
            let address = symbol.st_value.get(NATIVE);
            let Some((segment, offset)) = self.loaded(address) else { continue };
            let Some(names) = names.get(symbol.st_name.get(NATIVE) as usize..) else { continue };
            if !segment.executable {
                continue;
            }
            let standing = match versions.get(index) {
                Some(version) if version.get(NATIVE) & elf::VERSYM_HIDDEN != 0 => Standing::Superseded,
                _ if symbol.st_bind() == elf::STB_LOCAL => Standing::Local,
                _ => Standing::Global,
            };
            each(Entry { names, offset, address, size: symbol.st_size.get(NATIVE), indirect, standing });
        }
        Ok(())
    }
}
