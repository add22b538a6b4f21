//! The names of C's base types, with their sizes on x86-64 Linux.

use super::CType;

const fn int(size: u32, signed: bool) -> CType {
    CType::Int { size, signed }
}

/// Gives the type that words without `struct`, `union` or `enum` name wherever they are compiled: `unsigned long`,
/// `u32`, `size_t`. Qualifiers among them are ignored.
#[must_use]
pub fn base(words: &str) -> Option<CType> {
    let qualifier = |word: &&str| !matches!(*word, "const" | "volatile" | "restrict" | "__restrict");
    let words = words.split_whitespace().filter(qualifier).collect::<Vec<_>>();
    match words[..] {
        [] => None,
        [word] if !is_keyword(word) => named(word),
        _ => spelt(&words),
    }
}

/// Whether a word is one of those that C's base types are spelt with.
#[must_use]
pub fn is_keyword(word: &str) -> bool {
    matches!(
        word,
        "void"
            | "char"
            | "short"
            | "int"
            | "long"
            | "float"
            | "double"
            | "signed"
            | "__signed__"
            | "unsigned"
            | "__int128"
            | "_Bool"
            | "bool"
    )
}

/// Keywords may stand in any order; what they say together is what counts.
fn spelt(words: &[&str]) -> Option<CType> {
    let count = |wanted: &[&str]| words.iter().filter(|word| wanted.contains(word)).count();
    let (signed, unsigned) = (count(&["signed", "__signed__"]), count(&["unsigned"]));
    let (short, long, int_word) = (count(&["short"]), count(&["long"]), count(&["int"]));
    let others = words.len() - signed - unsigned - short - long - int_word;
    if signed + unsigned > 1 || short > 1 || int_word > 1 {
        return None;
    }
    let plain = signed + unsigned + short + int_word == 0;
    let sign = unsigned == 0;
    if others == 0 {
        return match (short, long) {
            (1, 0) => Some(int(2, sign)),
            (0, 0) => Some(int(4, sign)),
            (0, 1 | 2) => Some(int(8, sign)),
            _ => None,
        };
    }
    let one = |name| others == 1 && count(&[name]) == 1;
    match long {
        0 if one("char") && short + int_word == 0 && signed + unsigned == 1 => Some(int(1, sign)),
        0 if one("__int128") && short + int_word == 0 => Some(int(16, sign)),
        0 if one("char") && plain => Some(CType::Char { signed: true }),
        0 if one("void") && plain => Some(CType::Void),
        0 if (one("bool") || one("_Bool")) && plain => Some(CType::Bool),
        0 if one("float") && plain => Some(CType::Float { size: 4 }),
        0 if one("double") && plain => Some(CType::Float { size: 8 }),
        1 if one("double") && plain => Some(CType::Float { size: 16 }),
        _ => None,
    }
}

/// The usual typedefs. Those that the kernel and the C library disagree on (`dev_t`, `nlink_t`) are left out: BTF knows
/// what they are in the kernel.
fn named(word: &str) -> Option<CType> {
    Some(match word {
        "int8_t" | "int8" | "s8" | "__s8" => int(1, true),
        "int16_t" | "int16" | "s16" | "__s16" => int(2, true),
        "int32_t" | "int32" | "s32" | "__s32" => int(4, true),
        "int64_t" | "int64" | "s64" | "__s64" => int(8, true),
        "uint8_t" | "uint8" | "u8" | "__u8" | "u_int8_t" | "uchar" | "u_char" => int(1, false),
        "uint16_t" | "uint16" | "u16" | "__u16" | "u_int16_t" | "ushort" | "u_short" => int(2, false),
        "uint32_t" | "uint32" | "u32" | "__u32" | "u_int32_t" | "uint" | "u_int" => int(4, false),
        "uint64_t" | "uint64" | "u64" | "__u64" | "u_int64_t" | "ulong" | "u_long" => int(8, false),
        "__le16" | "__be16" | "__sum16" | "sa_family_t" | "in_port_t" | "umode_t" => int(2, false),
        "__le32" | "__be32" | "__wsum" | "in_addr_t" | "gfp_t" | "fmode_t" => int(4, false),
        "__le64" | "__be64" => int(8, false),
        "pid_t" | "clockid_t" | "key_t" | "wchar_t" => int(4, true),
        "uid_t" | "gid_t" | "mode_t" | "id_t" | "socklen_t" | "useconds_t" | "wint_t" => int(4, false),
        "size_t" | "uintptr_t" | "ino_t" | "ino64_t" | "sector_t" | "rlim_t" => int(8, false),
        "ssize_t" | "intptr_t" | "ptrdiff_t" | "off_t" | "off64_t" | "loff_t" | "time_t" | "time64_t" | "clock_t"
        | "suseconds_t" | "ktime_t" => int(8, true),
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keywords_stand_in_any_order() {
        for words in
            ["unsigned long", "long unsigned", "unsigned long int", "long long unsigned int", "const unsigned long"]
        {
            assert_eq!(base(words), Some(int(8, false)), "{words}");
        }
        for words in ["long", "long int", "signed long", "long long", "int long signed long", "s64", "int64", "ssize_t"]
        {
            assert_eq!(base(words), Some(int(8, true)), "{words}");
        }
        for words in ["unsigned", "unsigned int", "u32", "uint32", "__u32", "uid_t"] {
            assert_eq!(base(words), Some(int(4, false)), "{words}");
        }
        for words in ["short", "short int", "signed short", "int short"] {
            assert_eq!(base(words), Some(int(2, true)), "{words}");
        }
        assert_eq!(base("char"), Some(CType::Char { signed: true }));
        assert_eq!(base("unsigned char"), Some(int(1, false)));
        assert_eq!(base("char signed"), Some(int(1, true)));
        assert_eq!(base("unsigned __int128"), Some(int(16, false)));
        assert_eq!(base("_Bool"), Some(CType::Bool));
        assert_eq!(base("void"), Some(CType::Void));
        assert_eq!(base("double"), Some(CType::Float { size: 8 }));
        assert_eq!(base("long double"), Some(CType::Float { size: 16 }));
    }

    #[test]
    fn what_means_nothing_is_no_type() {
        let wrong =
            ["", "const", "short long", "long long long", "unsigned signed", "unsigned float", "char int", "char char"];
        for words in
            wrong.into_iter().chain(["int u32", "unsigned u32", "task_struct", "short char", "void int", "int int"])
        {
            assert_eq!(base(words), None, "{words}");
        }
    }
}
