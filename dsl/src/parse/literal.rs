//! Numbers and strings as they are written.

/// What a suffix multiplies a number by: durations are in nanoseconds.
const SUFFIXES: [(&str, u64); 8] = [
    ("ns", 1),
    ("us", 1_000),
    ("ms", 1_000_000),
    ("s", 1_000_000_000),
    ("m", 60_000_000_000),
    ("h", 3_600_000_000_000),
    ("d", 86_400_000_000_000),
    ("", 1),
];

/// What C writes behind a number to say how wide it is.
const C_SUFFIXES: [&str; 7] = ["u", "l", "ul", "lu", "ll", "ull", "llu"];

/// Reads `10`, `1_000`, `0x1f`, `017`, `1e6`, `5ms`, `10ULL`.
///
/// # Errors
/// What is wrong with it.
pub fn number(text: &str) -> Result<u64, String> {
    let digits = text.replace('_', "");
    let overflow = || "numbers have 64 bits".to_owned();
    // C's suffixes say nothing: all numbers have 64 bits.
    let bare = digits.trim_end_matches(['u', 'U', 'l', 'L']);
    let digits =
        if C_SUFFIXES.contains(&digits[bare.len()..].to_lowercase().as_str()) { bare } else { digits.as_str() };
    if let Some(hex) = digits.strip_prefix("0x").or_else(|| digits.strip_prefix("0X")) {
        let bad = || "expected hexadecimal digits behind `0x`".to_owned();
        if hex.is_empty() || !hex.bytes().all(|digit| digit.is_ascii_hexdigit()) {
            return Err(bad());
        }
        return u64::from_str_radix(hex, 16).map_err(|_| overflow());
    }
    let end = digits.find(|digit: char| !digit.is_ascii_digit()).unwrap_or(digits.len());
    let (whole, rest) = digits.split_at(end);
    if let Some(exponent) = rest.strip_prefix('e').filter(|exponent| !exponent.is_empty()) {
        let exponent = exponent.parse::<u32>().map_err(|_| "expected a decimal exponent behind `e`".to_owned())?;
        let power = 10u64.checked_pow(exponent).ok_or_else(overflow)?;
        return whole.parse::<u64>().ok().and_then(|whole| whole.checked_mul(power)).ok_or_else(overflow);
    }
    let Some((_, factor)) = SUFFIXES.iter().find(|(suffix, _)| *suffix == rest) else {
        return Err(format!("`{rest}` is no unit; units are ns, us, ms, s, m, h, d"));
    };
    let octal = whole.len() > 1 && whole.starts_with('0') && rest.is_empty();
    if octal && whole.bytes().any(|digit| digit > b'7') {
        return Err("a number that starts with 0 is octal: its digits are 0 to 7".to_owned());
    }
    let value = u64::from_str_radix(whole, if octal { 8 } else { 10 }).map_err(|_| overflow())?;
    value.checked_mul(*factor).ok_or_else(overflow)
}

/// Resolves the escapes of a string's inner text: `\xHH` and `\NNN` are bytes, whatever encoding they make.
///
/// # Errors
/// The offset of an escape that means nothing, and why.
pub fn string(inner: &str) -> Result<Vec<u8>, (usize, String)> {
    let mut out = Vec::with_capacity(inner.len());
    let mut chars = inner.char_indices().peekable();
    while let Some((at, char)) = chars.next() {
        if char != '\\' {
            out.extend_from_slice(char.encode_utf8(&mut [0; 4]).as_bytes());
            continue;
        }
        let Some((_, escape)) = chars.next() else { return Err((at, "nothing is escaped".to_owned())) };
        let digits = |radix: u32, most: usize, chars: &mut std::iter::Peekable<std::str::CharIndices<'_>>| {
            let mut value = None;
            for _ in 0..most {
                let Some(digit) = chars.peek().and_then(|(_, char)| char.to_digit(radix)) else { break };
                value = Some(value.unwrap_or(0) * radix + digit);
                chars.next();
            }
            value
        };
        let resolved = match escape {
            'n' => b'\n',
            't' => b'\t',
            'r' => b'\r',
            'a' => b'\x07',
            'b' => b'\x08',
            'e' => b'\x1b',
            'f' => b'\x0c',
            'v' => b'\x0b',
            '\\' | '"' | '\'' => escape as u8,
            'x' => match digits(16, 2, &mut chars) {
                Some(value) => value as u8,
                None => return Err((at, "expected hexadecimal digits".to_owned())),
            },
            '0'..='7' => {
                let first = escape.to_digit(8).unwrap_or(0);
                let rest = digits(8, 1, &mut chars);
                let value = rest.map_or(first, |digit| first * 8 + digit);
                let rest = digits(8, 1, &mut chars);
                let value = rest.map_or(value, |digit| value * 8 + digit);
                u8::try_from(value).map_err(|_| (at, "octal escapes end at \\377".to_owned()))?
            }
            other => return Err((at, format!("`\\{other}` is no escape"))),
        };
        out.push(resolved);
    }
    Ok(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_have_bases_exponents_and_units() {
        for (text, value) in [
            ("0", 0),
            ("10", 10),
            ("1_000", 1000),
            ("0xFF", 255),
            ("017", 15),
            ("1e6", 1_000_000),
            ("5ms", 5_000_000),
            ("2s", 2_000_000_000),
            ("10UL", 10),
            ("0x1full", 31),
            ("18446744073709551615", u64::MAX),
        ] {
            assert_eq!(number(text), Ok(value), "{text}");
        }
        for text in ["0x", "1e", "08", "5parsecs", "5lul", "18446744073709551616", "1e20", "0xg", "99999999999d"] {
            assert!(number(text).is_err(), "{text}");
        }
    }

    #[test]
    fn strings_have_escapes() {
        assert_eq!(string(r#"a\n\t\"\x41\101\0"#).unwrap(), b"a\n\t\"AA\0");
        assert_eq!(string(r"é\xc3\251\xff").unwrap(), b"\xc3\xa9\xc3\xa9\xff");
        assert_eq!(string(r"\q").unwrap_err().0, 0);
        assert!(string(r"ab\x").is_err());
    }
}
