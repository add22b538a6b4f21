//! The static probes of a binary, as SystemTap's `sys/sdt.h` notes them, and the id of its build.

use object::read::elf::NoteIterator;

use super::{Binary, BinaryError, Header, NATIVE, Section};

/// The type of a static probe's note (`NT_STAPSDT`).
const PROBE: u32 = 3;

/// A static probe (USDT).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Note {
    /// Who provides it.
    pub provider: String,
    /// Its name.
    pub name: String,
    /// Where in the file its instruction is.
    pub offset: u64,
    /// Where in the file the counter is that says whether anyone looks; 0 if it has none.
    pub semaphore: u64,
    /// Where its arguments are, as it was noted: `-4@%edi 8@-8(%rbp)`.
    pub arguments: String,
}

impl Binary {
    /// All static probes, in the order in which they were noted. A probe that was inlined is there several times.
    ///
    /// # Errors
    /// If they are damaged.
    pub fn notes(&self) -> Result<Vec<Note>, BinaryError> {
        let (Some(section), base) = self.probes else { return Ok(Vec::new()) };
        let mut probes = Vec::new();
        self.each_note(&section, |owner, kind, bytes| {
            if (owner, kind) == (b"stapsdt".as_slice(), PROBE) {
                probes.extend(self.probe(bytes, base.map(|base| base.sh_addr.get(NATIVE))));
            }
        })?;
        Ok(probes)
    }

    /// The id that the linker gave it, in hexadecimal digits.
    pub(super) fn build_id(&self) -> Option<String> {
        let mut id = None;
        self.each_note(&self.build_id?, |owner, kind, bytes| {
            if (owner, kind) == (b"GNU".as_slice(), object::elf::NT_GNU_BUILD_ID) && bytes.len() <= 64 {
                id = Some(bytes.iter().map(|byte| format!("{byte:02x}")).collect());
            }
        })
        .ok()?;
        id
    }

    fn each_note(&self, section: &Section, mut each: impl FnMut(&[u8], u32, &[u8])) -> Result<(), BinaryError> {
        let bytes = self.section(section)?;
        let notes = NoteIterator::<Header>::new(NATIVE, section.sh_addralign.get(NATIVE), &bytes);
        let damaged = |_| self.damaged("its notes do not end");
        for note in notes.map_err(damaged)? {
            let note = note.map_err(damaged)?;
            each(note.name(), note.n_type(NATIVE), note.desc());
        }
        Ok(())
    }

    /// A probe whose place is in the file. Prelinking moves the code and what is noted of `base`, but no note.
    fn probe(&self, bytes: &[u8], base: Option<u64>) -> Option<Note> {
        let (places, texts) = bytes.split_at_checked(24)?;
        let place = |index: usize| places[8 * index..].first_chunk().map(|bytes| u64::from_ne_bytes(*bytes));
        let (location, noted, semaphore) = (place(0)?, place(1)?, place(2)?);
        let moved = base.filter(|_| noted != 0).map_or(0, |base| base.wrapping_sub(noted));
        let offset = self.file_offset(location.wrapping_add(moved))?;
        let semaphore = if semaphore == 0 { 0 } else { self.file_offset(semaphore.wrapping_add(moved))? };
        let mut texts = texts.split(|byte| *byte == 0).map(|text| String::from_utf8_lossy(text).into_owned());
        let (provider, name, arguments) = (texts.next()?, texts.next()?, texts.next()?);
        Some(Note { provider, name, offset, semaphore, arguments })
    }
}
