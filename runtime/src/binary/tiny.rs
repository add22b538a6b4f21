//! A small program as an ELF file, which has all that is read of one: for tests, and for the fuzzer to begin with.

/// Where its code lies, and is loaded to.
pub const CODE: (u64, u64) = (0xb0, 0x40_00b0);

/// Where its data lies, and is loaded to.
pub const DATA: (u64, u64) = (0x100, 0x60_0100);

/// The bytes of the file.
pub fn elf() -> Vec<u8> {
    let names = [
        "",
        ".symtab",
        ".dynsym",
        ".note.stapsdt",
        ".stapsdt.base",
        ".note.gnu.build-id",
        "main",
        "old@V1",
        "old@@V2",
        "_ZN1A1fEi",
        "chosen",
        "data",
        "undefined",
        "behind",
        "lost",
    ];
    let name = |name: &str| {
        let before = names.iter().take_while(|other| **other != name);
        before.map(|name| name.len() as u32 + 1).sum::<u32>()
    };
    let symbol = |text: &str, kind: u8, section: u16, address: u64| {
        let head = [&name(text).to_le_bytes()[..], &[kind, 0], &section.to_le_bytes()].concat();
        [head, address.to_le_bytes().to_vec(), 8u64.to_le_bytes().to_vec()].concat()
    };
    let symbols = [
        symbol("", 0, 0, 0),
        symbol("main", 0x02, 1, CODE.1 + 32),
        symbol("main", 0x12, 1, CODE.1),
        symbol("old@V1", 0x12, 1, CODE.1 + 8),
        symbol("old@@V2", 0x12, 1, CODE.1 + 16),
        symbol("_ZN1A1fEi", 0x22, 1, CODE.1 + 24),
        symbol("chosen", 0x1a, 1, CODE.1 + 40),
        symbol("data", 0x11, 1, DATA.1),
        symbol("undefined", 0x12, 0, CODE.1),
        symbol("behind", 0x12, 1, CODE.1 + 0x1000),
        symbol("lost", 0x12, 1, DATA.1),
    ];
    let dynamic = [symbol("", 0, 0, 0), symbol("chosen", 0x12, 1, CODE.1 + 48), symbol("main", 0x12, 1, CODE.1)];
    let versions = [0u16, 0x8001, 2].map(u16::to_le_bytes).concat();
    let probe = |places: [u64; 3], texts: &str| {
        let mut bytes = [places.map(u64::to_le_bytes).concat(), texts.as_bytes().to_vec()].concat();
        let sizes = [8, bytes.len() as u32, 3].map(u32::to_le_bytes).concat();
        bytes.resize(bytes.len().next_multiple_of(4), 0);
        [sizes, b"stapsdt\0".to_vec(), bytes].concat()
    };
    let probes = [
        probe([CODE.1 + 4, 0, 0], "tiny\0begin\0\0"),
        // Noted before the file was moved by 0x1000.
        probe([CODE.1 - 0x1000 + 5, DATA.1 - 0x1000 + 8, DATA.1 - 0x1000 + 2], "tiny\0end\0-4@%edi 8@-8(%rbp)\0"),
        probe([1, 0, 0], "tiny\0lost\0\0"),
    ];
    let id = [&[4, 0, 0, 0, 4, 0, 0, 0, 3, 0, 0, 0][..], b"GNU\0\xfe\xed\xfa\xce"].concat();

    // Name, type, linked section, address, bytes: the names of all kinds are in one table.
    let sections: [(&str, u32, u32, u64, Vec<u8>); 8] = [
        ("", 0, 0, 0, Vec::new()),
        ("", 3, 0, 0, names.join("\0").into_bytes().into_iter().chain([0]).collect()),
        (".symtab", 2, 1, 0, symbols.concat()),
        (".dynsym", 11, 1, 0, dynamic.concat()),
        ("", 0x6fff_ffff, 3, 0, versions),
        (".note.stapsdt", 7, 0, 0, probes.concat()),
        (".stapsdt.base", 1, 0, DATA.1 + 8, vec![0]),
        (".note.gnu.build-id", 7, 0, 0, id),
    ];
    let mut file = vec![0; DATA.0 as usize];
    file.resize(DATA.0 as usize + 16, 0x90);
    let mut headers = Vec::new();
    for (text, kind, link, address, bytes) in sections {
        let numbers = [0, address, file.len() as u64, bytes.len() as u64].map(u64::to_le_bytes).concat();
        headers.extend([&name(text).to_le_bytes()[..], &kind.to_le_bytes(), &numbers, &link.to_le_bytes()].concat());
        headers.extend([0u32.to_le_bytes(), 4u32.to_le_bytes(), [0; 4], [0; 4], [0; 4]].concat());
        file.extend(bytes);
    }
    let machine: u16 = if cfg!(target_arch = "aarch64") { 183 } else { 62 };
    let mut head = b"\x7fELF\x02\x01\x01\0\0\0\0\0\0\0\0\0".to_vec();
    head.extend([2, machine, 1, 0].map(u16::to_le_bytes).concat());
    head.extend([CODE.1, 64, file.len() as u64].map(u64::to_le_bytes).concat());
    head.extend([0, 0, 64, 56, 2, 64, 8, 1].map(u16::to_le_bytes).concat());
    for (flags, (at, address), size) in [(5u32, CODE, DATA.0 - CODE.0), (6, DATA, 16)] {
        head.extend([1, flags].map(u32::to_le_bytes).concat());
        head.extend([at, address, address, size, size, 1].map(u64::to_le_bytes).concat());
    }
    file[..head.len()].copy_from_slice(&head);
    file.extend(headers);
    file
}
