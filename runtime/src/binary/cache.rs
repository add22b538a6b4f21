//! The dynamic linker's list of libraries, `/etc/ld.so.cache`.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

/// Its format since glibc 2.2 (`sysdeps/generic/dl-cache.h`), and the one before, behind which the other may lie.
const MAGIC: &[u8] = b"glibc-ld.so.cache1.1";
const OLD_MAGIC: &[u8] = b"ld.so-1.7.0\0";

/// The sizes of the header and of an entry, in both formats.
const SIZES: (usize, usize) = (48, 24);
const OLD_SIZES: (usize, usize) = (16, 12);

/// The flags of a library of this machine.
const OURS: u32 = if cfg!(target_arch = "aarch64") { 0x0a03 } else { 0x0303 };

/// No name is taken to be longer: who wrote the list says only where they begin.
const LONGEST: usize = 4096;

/// A library of this machine.
pub(super) struct Library<'a> {
    pub file: &'a OsStr,
    pub path: &'a Path,
    /// Whether any processor of the kind can run it. Of several builds the dynamic linker takes the best for this one.
    pub plain: bool,
}

/// The libraries of a list, in its order: later versions come first.
pub(super) fn libraries(list: &[u8]) -> impl Iterator<Item = Library<'_>> {
    let list = new_format(list).unwrap_or_default();
    let entries = list.get(SIZES.0..).unwrap_or_default().chunks_exact(SIZES.1);
    entries.take(number(list, MAGIC.len()).unwrap_or(0)).filter_map(|entry| {
        let text = |at: usize| {
            let text = list.get(number(entry, at)?..)?;
            let end = text.iter().take(LONGEST).position(|byte| *byte == 0)?;
            Some(OsStr::from_bytes(&text[..end]))
        };
        let plain = entry[16..].iter().all(|byte| *byte == 0);
        let library = Library { file: text(4)?, path: Path::new(text(8)?), plain };
        (number(entry, 0)? == OURS as usize).then_some(library)
    })
}

fn new_format(list: &[u8]) -> Option<&[u8]> {
    if list.starts_with(MAGIC) {
        return Some(list);
    }
    let behind = list.starts_with(OLD_MAGIC).then(|| number(list, OLD_MAGIC.len()))??;
    let behind = behind.checked_mul(OLD_SIZES.1)?.checked_add(OLD_SIZES.0)?.checked_next_multiple_of(8)?;
    list.get(behind..).filter(|list| list.starts_with(MAGIC))
}

fn number(bytes: &[u8], at: usize) -> Option<usize> {
    let bytes = bytes.get(at..)?.first_chunk()?;
    Some(u32::from_ne_bytes(*bytes) as usize)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A list of libraries: flags, name, path, processor.
    fn list(entries: &[(u32, &str, &str, u64)]) -> Vec<u8> {
        let mut head = [MAGIC, &(entries.len() as u32).to_ne_bytes(), &[0; 24]].concat();
        let mut texts = Vec::new();
        let begin = SIZES.0 + SIZES.1 * entries.len();
        for (flags, file, path, processor) in entries {
            let at = (begin + texts.len()) as u32;
            texts.extend_from_slice(format!("{file}\0{path}\0").as_bytes());
            for number in [*flags, at, at + file.len() as u32 + 1, 0] {
                head.extend_from_slice(&number.to_ne_bytes());
            }
            head.extend_from_slice(&processor.to_ne_bytes());
        }
        [head, texts].concat()
    }

    fn read(list: &[u8]) -> Vec<(String, String, bool)> {
        let text = |library: Library<'_>| {
            (library.file.to_string_lossy().into(), library.path.display().to_string(), library.plain)
        };
        libraries(list).map(text).collect()
    }

    #[test]
    fn both_formats_are_read_and_only_libraries_of_this_machine() {
        let new =
            list(&[(OURS, "libc.so.6", "/lib/libc.so.6", 0), (3, "libm.so.6", "/a", 0), (OURS, "b", "/b", 1 << 62)]);
        let expected = [("libc.so.6", "/lib/libc.so.6", true), ("b", "/b", false)];
        let expected = expected.map(|(file, path, plain)| (file.to_owned(), path.to_owned(), plain));
        assert_eq!(read(&new), expected);
        let old = [OLD_MAGIC, &1u32.to_ne_bytes(), &[0; 12], &[0; 4], &new].concat();
        assert_eq!(read(&old), expected);
        assert_eq!(read(&old[..32]), []);
        assert_eq!(read(b"ld.so.conf"), []);
    }

    #[test]
    fn a_damaged_list_has_fewer_libraries() {
        let whole = list(&[(OURS, "libc.so.6", "/lib/libc.so.6", 0), (OURS, "libm.so.6", "/lib/libm.so.6", 0)]);
        let old = [OLD_MAGIC, &u32::MAX.to_ne_bytes(), whole.as_slice()].concat();
        assert_eq!(read(&old), []);
        for size in 0..whole.len() {
            assert!(read(&whole[..size]).len() <= 2);
            for byte in [0, 0x7f, 0xff] {
                let mut damaged = whole.clone();
                damaged[size] = byte;
                assert!(read(&damaged).len() <= 3);
            }
        }
    }
}
