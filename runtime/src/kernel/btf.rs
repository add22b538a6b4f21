//! A reader of the kernel's type information, as far as it is needed: where a member of a struct lies.
//!
//! The format is `Documentation/bpf/btf.rst`: a header, types one behind the other, strings. aya's reader can't be
//! walked.

use std::fs;

/// Finds the offset in bytes of a struct's member in the running kernel; `None` if there is no such thing, or no BTF.
pub fn member_offset(structure: &str, member: &str) -> Option<u32> {
    find_member(&fs::read("/sys/kernel/btf/vmlinux").ok()?, structure, member)
}

/// `struct btf_header`, then its sections.
fn find_member(btf: &[u8], structure: &str, member: &str) -> Option<u32> {
    const MAGIC: [u8; 2] = 0xeb9fu16.to_ne_bytes();
    const STRUCT: u32 = 4;
    if btf.get(..2)? != MAGIC {
        return None;
    }
    let header = word(btf, 4)? as usize;
    let types = header + word(btf, 8)? as usize;
    let types_end = types + word(btf, 12)? as usize;
    let strings = header + word(btf, 16)? as usize;
    let named = |offset: u32, name: &str| {
        let start = strings + offset as usize;
        btf.get(start..start + name.len()) == Some(name.as_bytes()) && btf.get(start + name.len()) == Some(&0)
    };
    let mut at = types;
    while at < types_end {
        // `struct btf_type`: name, info (kind and count of what follows), size or type.
        let (name, info) = (word(btf, at)?, word(btf, at + 4)?);
        let (kind, count) = (info >> 24 & 0x1f, (info & 0xffff) as usize);
        at += 12;
        if kind == STRUCT && named(name, structure) {
            // `struct btf_member`: name, type, offset in bits (the upper byte is a bit field's size).
            let mut members = (0..count).map(|index| at + index * 12);
            let found = members.find(|at| word(btf, *at).is_some_and(|name| named(name, member)))?;
            return Some((word(btf, found + 8)? & 0xff_ffff) / 8);
        }
        at += following(kind, count)?;
    }
    None
}

/// Bytes that follow a type of a kind (`BTF_KIND_*`, `include/uapi/linux/btf.h`).
fn following(kind: u32, count: usize) -> Option<usize> {
    Some(match kind {
        1 | 14 | 17 => 4,            // INT, VAR, DECL_TAG
        3 => 12,                     // ARRAY
        4 | 5 | 15 | 19 => 12 * count, // STRUCT, UNION, DATASEC, ENUM64
        6 | 13 => 8 * count,         // ENUM, FUNC_PROTO
        2 | 7..=12 | 16 | 18 => 0,   // PTR, FWD, TYPEDEF, VOLATILE, CONST, RESTRICT, FUNC, FLOAT, TYPE_TAG
        _ => return None,
    })
}

fn word(bytes: &[u8], at: usize) -> Option<u32> {
    bytes.get(at..at + 4)?.try_into().ok().map(u32::from_ne_bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_member_is_found_behind_other_types() {
        let strings = b"\0int\0pair\0left\0right\0";
        let types: [u32; 14] = [
            1, 1 << 24, 4, 0x20, // int
            5, 4 << 24 | 2, 8, // struct pair
            10, 1, 0, // left
            15, 1, 32, // right
            0,
        ];
        let types = types[..13].iter().flat_map(|word| word.to_ne_bytes()).collect::<Vec<_>>();
        let mut btf = vec![0x9f, 0xeb, 1, 0];
        for word in [24, 0, types.len() as u32, types.len() as u32, strings.len() as u32] {
            btf.extend_from_slice(&u32::to_ne_bytes(word));
        }
        btf.extend_from_slice(&types);
        btf.extend_from_slice(strings);
        assert_eq!(find_member(&btf, "pair", "right"), Some(4));
        assert_eq!(find_member(&btf, "pair", "up"), None);
        assert_eq!(find_member(&btf, "trio", "left"), None);
        for cut in 0..btf.len() {
            find_member(&btf[..cut], "pair", "right");
        }
    }
}
