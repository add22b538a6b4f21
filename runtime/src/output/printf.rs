//! C's `printf`, over values.

use scope_common::arith::{Alu, alu};
use scope_dsl::printf::{Bytes, Spec};

use crate::names::gfp::gfp_flags;
use crate::value::Value;

use super::text::{Place, append, show};

/// Appends a number by its conversion.
pub fn number(out: &mut Vec<u8>, spec: &Spec, word: u64) {
    let word = match spec.bits {
        Some(bits) => alu(if spec.conversion == 'd' { Alu::Sext } else { Alu::And } as u8, word, cut(bits, spec)),
        None => word,
    };
    // The plain case is by far the most frequent.
    let plain = spec.width == 0 && spec.precision.is_none() && !spec.plus && !spec.space && !spec.alternate;
    if plain && spec.conversion == 'd' {
        out.extend_from_slice(itoa::Buffer::new().format(word as i64).as_bytes());
        return;
    }
    if plain && spec.conversion == 'u' {
        out.extend_from_slice(itoa::Buffer::new().format(word).as_bytes());
        return;
    }
    let (sign, prefix, digits) = match spec.conversion {
        'd' => {
            let sign = match (word as i64) < 0 {
                true => "-",
                false if spec.plus => "+",
                false if spec.space => " ",
                false => "",
            };
            (sign, "", (word as i64).unsigned_abs().to_string())
        }
        'x' => ("", if spec.alternate && word != 0 { "0x" } else { "" }, format!("{word:x}")),
        'X' => ("", if spec.alternate && word != 0 { "0X" } else { "" }, format!("{word:X}")),
        'p' if word == 0 => {
            pad(out, spec, b"(nil)");
            return;
        }
        'p' => ("", "0x", format!("{word:x}")),
        'o' => ("", if spec.alternate && word != 0 { "0" } else { "" }, format!("{word:o}")),
        'g' => {
            pad(out, spec, gfp_flags(word).as_bytes());
            return;
        }
        'c' => {
            // The script makes this byte of a number; it may be any.
            pad(out, spec, &[word as u8]);
            return;
        }
        _ => ("", "", word.to_string()),
    };
    let zeroes = match spec.precision {
        Some(least) => least.saturating_sub(digits.len()),
        None if spec.zero && !spec.left => spec.width.saturating_sub(sign.len() + prefix.len() + digits.len()),
        None => 0,
    };
    pad(out, spec, format!("{sign}{prefix}{}{digits}", "0".repeat(zeroes)).as_bytes());
}

/// What the operation that cuts a number to fewer bits takes: how many, or which.
fn cut(bits: u8, spec: &Spec) -> u64 {
    if spec.conversion == 'd' { bits.into() } else { (1 << bits) - 1 }
}

/// Appends a text by its conversion; unless it is `raw`, escaped where it would steer a terminal.
pub fn text(out: &mut Vec<u8>, spec: &Spec, text: &[u8], raw: bool) {
    if spec.width == 0 && spec.precision.is_none() {
        append(text, raw, out);
        return;
    }
    let mut cell = Vec::new();
    append(text, raw, &mut cell);
    if let Some(most) = spec.precision {
        let end = cell.iter().enumerate().filter(|(_, byte)| **byte & 0xc0 != 0x80).map(|(at, _)| at).nth(most);
        cell.truncate(end.unwrap_or(cell.len()));
    }
    pad(out, spec, &cell);
}

/// Appends bytes by a `%r`.
pub fn bytes(out: &mut Vec<u8>, spec: &Spec, bytes: &[u8]) {
    use std::io::Write;
    for (index, byte) in bytes.iter().enumerate() {
        match spec.bytes {
            Bytes::Mixed if (0x20..0x7f).contains(byte) => out.push(*byte),
            // A vector takes what it is given.
            Bytes::Mixed | Bytes::Escaped => _ = write!(out, "\\x{byte:02x}"),
            Bytes::Plain => _ = write!(out, "{}{byte:02x}", if index > 0 { " " } else { "" }),
        }
    }
}

/// Appends a value by its conversion if that fits, else as it is. A text that a function gave is its own affair: colours
/// are meant.
pub fn value(out: &mut Vec<u8>, spec: &Spec, value: &Value, raw: bool) {
    let word = match value {
        Value::Signed(value) | Value::Enum(_, value) => Some(*value as u64),
        Value::Unsigned(value) | Value::Pointer(value) => Some(*value),
        Value::Bool(value) => Some((*value).into()),
        Value::Float(value) => Some(*value as i64 as u64),
        _ => None,
    };
    match (value, word, spec.conversion) {
        (_, Some(word), 'd' | 'u' | 'x' | 'X' | 'o' | 'c' | 'p' | 'g') => number(out, spec, word),
        (Value::Bytes(some) | Value::Text(some) | Value::Own(some), _, 'r') => bytes(out, spec, some),
        (Value::Text(some), _, _) => text(out, spec, some, raw),
        (Value::Own(some), _, _) => text(out, spec, some, true),
        (Value::Float(value), _, _) => match spec.precision {
            Some(digits) => pad(out, spec, format!("{value:.digits$}").as_bytes()),
            None => pad(out, spec, value.to_string().as_bytes()),
        },
        _ => {
            let mut cell = Vec::new();
            show(value, Place::Top, &mut cell);
            pad(out, spec, &cell);
        }
    }
}

fn pad(out: &mut Vec<u8>, spec: &Spec, cell: &[u8]) {
    // Characters, not bytes: continuation bytes take no place.
    let taken = cell.iter().filter(|byte| **byte & 0xc0 != 0x80).count();
    let padding = spec.width.saturating_sub(taken);
    if !spec.left {
        out.resize(out.len() + padding, b' ');
    }
    out.extend_from_slice(cell);
    if spec.left {
        out.resize(out.len() + padding, b' ');
    }
}

#[cfg(test)]
mod tests {
    use scope_dsl::printf::{Piece, parse};

    use super::*;

    fn numbers(format: &str, word: i64) -> String {
        let mut out = Vec::new();
        for piece in parse(format.as_bytes()).unwrap() {
            match piece {
                Piece::Text(text) => out.extend_from_slice(&text),
                Piece::Value(spec) => number(&mut out, &spec, word as u64),
            }
        }
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn numbers_are_printed_as_by_c() {
        for (format, word, expected) in [
            ("%d", -5, "-5"),
            ("%u", -1, "18446744073709551615"),
            ("%5d|", 42, "   42|"),
            ("%-5d|", 42, "42   |"),
            ("%05d", -42, "-0042"),
            ("%+d", 42, "+42"),
            ("% d", 42, " 42"),
            ("%x", 255, "ff"),
            ("%#X", 255, "0XFF"),
            ("%016llx", 0xbeef, "000000000000beef"),
            ("%p", 0x10, "0x10"),
            ("%o", 8, "10"),
            ("%.4d", 7, "0007"),
            ("%c", 65, "A"),
            ("%d", i64::MIN, "-9223372036854775808"),
        ] {
            assert_eq!(numbers(format, word), expected, "{format}");
        }
    }

    #[test]
    fn texts_are_cut_and_padded_by_characters() {
        let spec = |format: &str| match parse(format.as_bytes()).unwrap().remove(0) {
            Piece::Value(spec) => spec,
            Piece::Text(_) => unreachable!(),
        };
        let shown = |format: &str, value: &str| {
            let mut out = Vec::new();
            text(&mut out, &spec(format), value.as_bytes(), false);
            String::from_utf8(out).unwrap()
        };
        assert_eq!(shown("%-8s", "grün"), "grün    ");
        assert_eq!(shown("%8s", "ab"), "      ab");
        assert_eq!(shown("%.3s", "grün"), "grü");
        assert_eq!(shown("%s", "a\x1bb"), "a\\x1bb");
    }
}
