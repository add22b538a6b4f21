//! The format strings of `printf`: read once, when the script is compiled.

/// A piece of a format.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Piece {
    /// Text as it stands: bytes of any encoding.
    Text(Vec<u8>),
    /// A place for the next value.
    Value(Spec),
}

/// How a value is printed: `%`, flags, width, precision, conversion.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Spec {
    /// `-`: to the left of its width.
    pub left: bool,
    /// `0`: filled with zeroes.
    pub zero: bool,
    /// `+`: with its sign.
    pub plus: bool,
    /// ` `: with a space for a sign.
    pub space: bool,
    /// `#`: with `0x` or `0`.
    pub alternate: bool,
    /// The least number of characters.
    pub width: usize,
    /// The most characters of a text, the fewest digits of a number.
    pub precision: Option<usize>,
    /// `d u x X o p c s r`, and `g` for the `%gr` of allocation flags.
    pub conversion: char,
    /// Bits of a number, by C's length modifiers; 64 if there are none.
    pub bits: Option<u8>,
    /// How the bytes of a `%r` are written.
    pub bytes: Bytes,
}

/// How bytes are written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Bytes {
    /// Those that can be printed as they are, others as `\xNN`.
    #[default]
    Mixed,
    /// As `\xNN`, all of them: `%rx`.
    Escaped,
    /// As hexadecimal numbers with blanks between: `%rh`.
    Plain,
}

/// The conversions, for errors.
pub const CONVERSIONS: &str = "%d %i %u %x %X %o %p %c %s %r %rx %rh %gr";
/// The widest a value can be padded.
const MAX_WIDTH: usize = 1024;

/// Reads a format.
///
/// # Errors
/// The offset of a conversion that means nothing, and why.
pub fn parse(format: &[u8]) -> Result<Vec<Piece>, (usize, String)> {
    let mut pieces = Vec::new();
    let mut text = Vec::new();
    let mut rest = format;
    while let Some(at) = rest.iter().position(|byte| *byte == b'%') {
        text.extend_from_slice(&rest[..at]);
        let start = format.len() - rest.len() + at;
        rest = &rest[at + 1..];
        if let Some(behind) = rest.strip_prefix(b"%") {
            text.push(b'%');
            rest = behind;
            continue;
        }
        let (spec, behind) = spec(rest).map_err(|problem| (start, problem))?;
        if !text.is_empty() {
            pieces.push(Piece::Text(std::mem::take(&mut text)));
        }
        pieces.push(Piece::Value(spec));
        rest = behind;
    }
    text.extend_from_slice(rest);
    if !text.is_empty() {
        pieces.push(Piece::Text(text));
    }
    Ok(pieces)
}

fn spec(mut rest: &[u8]) -> Result<(Spec, &[u8]), String> {
    let mut spec = Spec::default();
    while let Some(flag) = rest.first() {
        match flag {
            b'-' => spec.left = true,
            b'0' => spec.zero = true,
            b'+' => spec.plus = true,
            b' ' => spec.space = true,
            b'#' => spec.alternate = true,
            _ => break,
        }
        rest = &rest[1..];
    }
    let number = |rest: &mut &[u8]| -> Result<Option<usize>, String> {
        let end = rest.iter().position(|digit| !digit.is_ascii_digit()).unwrap_or(rest.len());
        let (digits, behind) = rest.split_at(end);
        *rest = behind;
        if digits.is_empty() {
            return Ok(None);
        }
        let width = str::from_utf8(digits)
            .ok()
            .and_then(|digits| digits.parse::<usize>().ok())
            .filter(|width| *width <= MAX_WIDTH);
        width.map(Some).ok_or_else(|| format!("widths end at {MAX_WIDTH}"))
    };
    spec.width = number(&mut rest)?.unwrap_or(0);
    if let Some(behind) = rest.strip_prefix(b".") {
        rest = behind;
        spec.precision = Some(number(&mut rest)?.unwrap_or(0));
    }
    let modifiers = rest.iter().take_while(|byte| b"lhzjtq".contains(byte)).count();
    spec.bits = match &rest[..modifiers] {
        b"hh" => Some(8),
        b"h" => Some(16),
        _ => None,
    };
    rest = &rest[modifiers..];
    let conversion = *rest.first().ok_or_else(|| "the format ends inside a conversion".to_owned())?;
    if let Some(behind) = rest.strip_prefix(b"gr") {
        spec.conversion = 'g';
        return Ok((spec, behind));
    }
    if !b"diuxXopcsr".contains(&conversion) {
        return Err("not a conversion".to_owned());
    }
    spec.conversion = if conversion == b'i' { 'd' } else { conversion.into() };
    if conversion == b'r' {
        let (bytes, len) = match rest.get(1) {
            Some(b'x') => (Bytes::Escaped, 2),
            Some(b'h') => (Bytes::Plain, 2),
            _ => (Bytes::Mixed, 1),
        };
        spec.bytes = bytes;
        return Ok((spec, &rest[len..]));
    }
    Ok((spec, &rest[1..]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn formats_fall_into_pieces() {
        let pieces = parse(b"PID %-6d 100%% %016llx%s\n").unwrap();
        let value = |spec| Piece::Value(spec);
        assert_eq!(
            pieces,
            [
                Piece::Text("PID ".into()),
                value(Spec { left: true, width: 6, conversion: 'd', ..Spec::default() }),
                Piece::Text(" 100% ".into()),
                value(Spec { zero: true, width: 16, conversion: 'x', ..Spec::default() }),
                value(Spec { conversion: 's', ..Spec::default() }),
                Piece::Text("\n".into()),
            ]
        );
        assert_eq!(parse(b"%.3s").unwrap(), [value(Spec { precision: Some(3), conversion: 's', ..Spec::default() })]);
        for (bad, at) in [("%", 0), ("ab%q", 2), ("%99999d", 0), ("%5", 0)] {
            assert_eq!(parse(bad.as_bytes()).unwrap_err().0, at, "{bad}");
        }
    }
}
