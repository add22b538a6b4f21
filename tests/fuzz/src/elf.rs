//! Any bytes are read as a program: its functions and probes lie in the file, and are found by their names.
#![no_main]

use std::path::Path;

use libfuzzer_sys::fuzz_target;
use scope::binary::Binary;

fuzz_target!(|bytes: &[u8]| {
    let size = bytes.len() as u64;
    let Ok(binary) = Binary::from_bytes(Path::new("fuzz"), bytes.to_vec()) else { return };
    let functions = binary.functions().unwrap_or_default();
    for function in functions.iter().take(8) {
        assert!(function.offset < size && binary.file_offset(function.address) == Some(function.offset));
        let _ = function.demangled();
        // Bytes that are no text are not found by what is shown for them.
        if !function.name.contains('\u{fffd}') {
            let named = binary.function(&function.name).expect("the tables were read before").expect("it has the name");
            assert_eq!(named.name, function.name);
        }
    }
    for note in binary.notes().unwrap_or_default() {
        assert!(note.offset < size && note.semaphore < size);
    }
});
