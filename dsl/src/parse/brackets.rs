//! Brackets, found without a grammar: so that an error can name the one that is open, and nesting has a bound.

use crate::diagnostic::Diagnostic;
use crate::source::Span;

/// How deep brackets nest, and where.
pub struct Deepest {
    /// The greatest number of brackets that are open at once.
    pub depth: usize,
    /// The bracket that reaches it.
    pub at: Span,
}

/// Finds how deep brackets nest; a `?` counts until its statement ends, as the parser recurses for it too.
pub fn deepest(text: &str) -> Deepest {
    let (mut brackets, mut questions) = (0usize, 0usize);
    let mut deepest = Deepest { depth: 0, at: Span::default() };
    for (at, byte) in significant(text) {
        match byte {
            b'(' | b'[' | b'{' => brackets += 1,
            b'?' => questions += 1,
            b')' | b']' | b'}' => brackets = brackets.saturating_sub(1),
            b';' => questions = 0,
            _ => {}
        }
        if brackets + questions > deepest.depth {
            deepest = Deepest { depth: brackets + questions, at: Span::new(at, at + 1) };
        }
    }
    deepest
}

/// Finds a bracket, string or comment that is not closed, or one that closes nothing.
///
/// `braces` is the text with braces for the angles that are blocks.
pub fn unbalanced(text: &str, braces: &str) -> Option<Diagnostic> {
    if let Some((start, what)) = unclosed_text(text) {
        let end = text[start..].find('\n').map_or(text.len(), |line| start + line);
        return Some(Diagnostic::error("E0106", Span::new(start, end), format!("this {what} is not closed"), ""));
    }
    let mut open = Vec::new();
    for (at, byte) in significant(braces) {
        let here = Span::new(at, at + 1);
        match byte {
            b'(' | b'[' | b'{' => open.push((at, byte)),
            b')' | b']' | b'}' => match open.pop() {
                Some((_, opener)) if closer(opener) == byte => {}
                Some((start, opener)) => {
                    let written = |at: usize| char::from(text.as_bytes()[at]);
                    let title = format!("`{}` is closed by `{}`", written(start), written(at));
                    let label = format!("expected `{}`", written_closer(text, start, opener));
                    let error = Diagnostic::error("E0106", here, title, label);
                    return Some(error.also(Span::new(start, start + 1), "opened here"));
                }
                None => {
                    let title = format!("`{}` closes nothing", char::from(byte));
                    return Some(Diagnostic::error("E0106", here, title, "no bracket is open here"));
                }
            },
            _ => {}
        }
    }
    let (start, opener) = open.pop()?;
    let title =
        if opener == b'{' { "this block is not closed".to_owned() } else { "this bracket is not closed".to_owned() };
    let label = format!("the script ends before its `{}`", written_closer(text, start, opener));
    Some(Diagnostic::error("E0106", Span::new(start, start + 1), title, label))
}

/// Whether a semicolon stands between two places, outside of comments.
pub fn semicolon(text: &str, from: usize, to: usize) -> bool {
    text.get(from..to).is_some_and(|between| significant(between).any(|(_, byte)| byte == b';'))
}

/// Finds the token at a place: a word, perhaps of a map or a variable, or a single character; empty at the end.
pub fn token_at(text: &str, at: usize) -> Span {
    let rest = &text[at..];
    let sign = usize::from(rest.starts_with(['@', '$']));
    let word =
        rest[sign..].find(|char: char| !(char.is_alphanumeric() || char == '_')).map_or(rest.len(), |word| sign + word);
    let len = if word > sign { word } else { rest.chars().next().map_or(0, char::len_utf8) };
    Span::new(at, at + len)
}

/// Whether no brace is open at a place.
pub fn outside_braces(text: &str, at: usize) -> bool {
    let braces = significant(text).filter(|(place, _)| *place < at);
    let depth = braces.fold(0i64, |depth, (_, byte)| match byte {
        b'{' => depth + 1,
        b'}' => depth - 1,
        _ => depth,
    });
    depth <= 0
}

/// The bracket that closes one, as it is to be written: a block in angles is closed by one.
fn written_closer(text: &str, start: usize, opener: u8) -> char {
    if text.as_bytes()[start] == b'<' { '>' } else { char::from(closer(opener)) }
}

const fn closer(opener: u8) -> u8 {
    match opener {
        b'(' => b')',
        b'[' => b']',
        _ => b'}',
    }
}

/// The bytes of a text that are outside strings and comments.
fn significant(text: &str) -> impl Iterator<Item = (usize, u8)> + '_ {
    let mut at = 0;
    std::iter::from_fn(move || {
        while let Some(byte) = text.as_bytes().get(at) {
            let here = at;
            match skip(text, at) {
                Some(end) => at = end,
                None => {
                    at += 1;
                    return Some((here, *byte));
                }
            }
        }
        None
    })
}

/// The end of the string or comment that starts at a place; the text's end if it is not closed.
pub fn skip(text: &str, at: usize) -> Option<usize> {
    let rest = &text.as_bytes()[at..];
    let find =
        |from: usize, end: &str| text[at + from..].find(end).map_or(text.len(), |found| at + from + found + end.len());
    match rest {
        [b'/', b'/', ..] => Some(find(2, "\n")),
        [b'/', b'*', ..] => Some(find(2, "*/")),
        [b'#', b'!', ..] if at == 0 => Some(find(2, "\n")),
        [b'"', ..] => Some(string_end(rest).map_or(text.len(), |end| at + end)),
        [b'`', ..] => Some(find(1, "`")),
        _ => None,
    }
}

fn string_end(rest: &[u8]) -> Option<usize> {
    let mut at = 1;
    loop {
        match rest.get(at)? {
            b'\\' => at += 2,
            b'"' => return Some(at + 1),
            _ => at += 1,
        }
    }
}

fn unclosed_text(text: &str) -> Option<(usize, &'static str)> {
    let mut at = 0;
    while at < text.len() {
        let Some(end) = skip(text, at) else {
            at += 1;
            continue;
        };
        let rest = &text[at..];
        if rest.starts_with('"') && string_end(rest.as_bytes()).is_none() {
            return Some((at, "string"));
        }
        if rest.starts_with("/*") && !rest[2..].contains("*/") {
            return Some((at, "comment"));
        }
        at = end;
    }
    None
}
