use std::path::Path;

use super::*;

fn tiny() -> Binary {
    Binary::from_bytes(Path::new("/tiny"), tiny::elf()).unwrap()
}

fn error(bytes: &[u8]) -> String {
    Binary::from_bytes(Path::new("/file"), bytes.to_vec()).err().unwrap().to_string()
}

#[test]
fn functions_are_those_that_can_be_run() {
    let functions = tiny().functions().unwrap();
    let all = functions.iter().map(|function| (function.name.as_str(), function.offset - tiny::CODE.0));
    let expected =
        [("_ZN1A1fEi", 24), ("chosen", 40), ("chosen", 48), ("main", 0), ("main", 32), ("old", 8), ("old", 16)];
    assert_eq!(all.collect::<Vec<_>>(), expected);
    assert_eq!(functions[0].demangled().as_deref(), Some("A::f(int)"));
    assert_eq!(functions[3].demangled(), None);
    assert_eq!((functions[0].address, functions[0].size), (tiny::CODE.1 + 24, 8));
    assert!(functions.iter().all(|function| function.indirect == (function.offset == tiny::CODE.0 + 40)));
}

#[test]
fn a_name_means_the_function_that_a_program_would_get() {
    let tiny = tiny();
    let at = |name| tiny.function(name).unwrap().map(|function| (function.name, function.offset - tiny::CODE.0));
    assert_eq!(at("main"), Some(("main".to_owned(), 0)));
    assert_eq!(at("old"), Some(("old".to_owned(), 16)));
    assert_eq!(at("old@V1"), Some(("old".to_owned(), 8)));
    assert_eq!(at("chosen"), Some(("chosen".to_owned(), 40)));
    for name in ["", "mai", "data", "undefined", "behind", "lost", "ol"] {
        assert_eq!(at(name), None, "{name}");
    }
}

#[test]
fn probes_are_found_where_they_were_moved_to() {
    let note = |name: &str, offset, semaphore, arguments: &str| Note {
        provider: "tiny".to_owned(),
        name: name.to_owned(),
        offset,
        semaphore,
        arguments: arguments.to_owned(),
    };
    let (code, data) = (tiny::CODE.0, tiny::DATA.0);
    let expected = [note("begin", code + 4, 0, ""), note("end", code + 5, data + 2, "-4@%edi 8@-8(%rbp)")];
    assert_eq!(tiny().notes().unwrap(), expected);
    assert_eq!(tiny().build_id().as_deref(), Some("feedface"));
    assert_eq!(tiny().file_offset(tiny::DATA.1 + 15), Some(data + 15));
    assert_eq!([0, tiny::DATA.1 + 16, tiny::CODE.1 - 1, u64::MAX].map(|at| tiny().file_offset(at)), [None; 4]);
}

#[test]
fn other_files_are_refused_by_what_they_are() {
    assert_eq!(error(b""), "/file is no ELF file");
    assert_eq!(error(b"#!/bin/sh\n"), "/file is a script: what runs is its interpreter");
    assert_eq!(error(b"\x7fELF\x02"), "/file is truncated or damaged: it ends within its header");
    let changed = |at: usize, byte| {
        let mut bytes = tiny::elf();
        bytes[at] = byte;
        error(&bytes)
    };
    assert_eq!(changed(4, 1), "/file was built for another machine");
    assert_eq!(changed(18, 40), "/file was built for another machine");
    assert_eq!(changed(16, 1), "/file is neither a program nor a library");
    assert_eq!(changed(35, 1), "/file is truncated or damaged: its program headers lie behind its end");
    assert_eq!(changed(47, 255), "/file is truncated or damaged: its section headers lie behind its end");
    let opened = |path| Binary::open(Path::new(path)).err().unwrap().to_string();
    assert_eq!(opened("/no/such"), "/no/such does not exist");
    assert_eq!(opened("/dev/null"), "/dev/null is no regular file");
    assert_eq!(opened("/etc/passwd"), "/etc/passwd is no ELF file");
}

#[test]
fn this_program_and_its_libc_are_read() {
    let libc = Binary::open(&find("libc").unwrap()).unwrap();
    let malloc = libc.function("malloc").unwrap().unwrap();
    assert!(malloc.offset > 0 && malloc.offset < libc.contents.size(), "{malloc:?}");
    assert!(libc.functions().unwrap().contains(&malloc));
    assert!(!libc.function("strlen").unwrap().unwrap().name.is_empty());
    let us = Binary::open(Path::new("/proc/self/exe")).unwrap();
    let functions = us.functions().unwrap();
    let name = "binary::tests::this_program_and_its_libc_are_read";
    assert!(functions.iter().any(|function| function.demangled().is_some_and(|demangled| demangled.ends_with(name))));
    assert!(us.notes().unwrap().is_empty());
}

/// Reads all there is of a file that may be damaged.
fn read(bytes: Vec<u8>) {
    let size = bytes.len() as u64;
    let Ok(binary) = Binary::from_bytes(Path::new("/damaged"), bytes) else { return };
    let _ = binary.function("malloc");
    for function in binary.functions().unwrap_or_default() {
        assert!(function.offset < size && !function.name.is_empty());
    }
    for note in binary.notes().unwrap_or_default() {
        assert!(note.offset < size && note.semaphore < size);
    }
}

#[test]
fn damaged_files_are_an_error_or_have_less() {
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    let mut random = |below: usize| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state % below as u64) as usize
    };
    let mut libc = std::fs::read(find("libc").unwrap()).unwrap();
    // Else the symbols of its debug file are read each time.
    let id = libc.windows(19).position(|bytes| bytes == b".note.gnu.build-id\0").unwrap();
    libc[id] = 0;
    let headers = u64::from_le_bytes(*libc[40..].first_chunk().unwrap()) as usize;
    for (file, rounds) in [(tiny::elf(), 20_000), (libc, 2000)] {
        for round in 0..rounds {
            let mut damaged = file.clone();
            for _ in 0..random(8) + 1 {
                // Most of a large file is code, which is not read: what says where all else lies is worth more.
                let at = match round % 4 {
                    0 => random(file.len()),
                    1 => random(64.min(file.len())),
                    _ => headers.min(file.len() - 512) + random(512),
                };
                damaged[at] = [random(256) as u8, 0xff, 0, file[at] ^ 1 << random(8)][random(4)];
            }
            if round % 3 == 0 {
                damaged.truncate(random(file.len()));
            }
            read(damaged);
        }
    }
}

#[test]
fn names_that_overlap_take_no_more_memory_than_the_file() {
    // All symbols have the same long name, but for its beginning.
    let mut file = tiny::elf();
    let name = file.len() as u64;
    file.extend(vec![b'x'; 100_000]);
    file.push(0);
    let symbols = file.len() as u64;
    for index in 0..50_000u32 {
        file.extend([&index.to_le_bytes()[..], &[0x12, 0, 1, 0], &tiny::CODE.1.to_le_bytes(), &[0; 8]].concat());
    }
    let headers = u64::from_le_bytes(*file[40..].first_chunk().unwrap()) as usize;
    for (section, at, size) in [(1, name, 100_001), (2, symbols, 50_000 * 24)] {
        let header = headers + 64 * section + 24;
        file[header..header + 16].copy_from_slice(&[at, size].map(u64::to_le_bytes).concat());
    }
    let size = file.len();
    let functions = Binary::from_bytes(Path::new("/long"), file).unwrap().functions().unwrap();
    let names = functions.iter().map(|function| function.name.len()).sum::<usize>();
    assert!(functions.len() > 10 && names <= 2 * size, "{} functions, {names} bytes", functions.len());
}
