//! A script's text, cut into tokens and comments.

use pest::iterators::Pair;

use crate::parse::Rule;

/// What a token is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// `// ...`, up to the end of the line.
    LineComment,
    /// `/* ... */`.
    BlockComment,
    /// What stays as it is: a function, a line of the preprocessor, an attach point.
    Whole,
    /// A name, a number or a string.
    Word,
    /// An operator or a bracket.
    Sign,
}

/// A piece of the text.
#[derive(Clone, Debug)]
pub struct Token {
    /// Its first byte.
    pub start: usize,
    /// The byte behind it.
    pub end: usize,
    /// What it is.
    pub kind: Kind,
    /// The innermost rule of the grammar that it belongs to.
    pub owner: Rule,
}

impl Token {
    /// Whether it is a comment.
    pub fn is_comment(&self) -> bool {
        matches!(self.kind, Kind::LineComment | Kind::BlockComment)
    }
}

/// The signs of more than one character, the longest first.
const SIGNS: [&str; 25] = [
    "<<=", ">>=", "...", "<<", ">>", "<=", ">=", "==", "!=", "&&", "||", "+=", "-=", "*=", "/=", "%=", "&=", "|=",
    "^=", "++", "--", "->", "..", "$#", "::",
];

/// Cuts a text, with braces for angles, into tokens.
pub fn cut(text: &str, script: &Pair<'_, Rule>) -> Vec<Token> {
    let mut wholes = Vec::new();
    find_wholes(script, &mut wholes);
    let mut wholes = wholes.into_iter().peekable();
    let mut tokens = Vec::new();
    let mut at = 0;
    while let Some(first) = text[at..].chars().next() {
        let start = at;
        if wholes.peek().is_some_and(|(from, _)| *from == at) {
            let end = wholes.next().map_or(at, |(_, end)| end);
            tokens.push(Token { start, end, kind: Kind::Whole, owner: Rule::script });
            at = end;
            continue;
        }
        if first.is_whitespace() {
            at += first.len_utf8();
            continue;
        }
        let (len, kind) = token(&text[at..], first);
        at += len;
        tokens.push(Token { start, end: at, kind, owner: Rule::script });
    }
    tokens
}

/// The places of what stays as it is.
fn find_wholes(pair: &Pair<'_, Rule>, wholes: &mut Vec<(usize, usize)>) {
    for inner in pair.clone().into_inner() {
        match inner.as_rule() {
            Rule::function | Rule::directive | Rule::shebang | Rule::attach_point => {
                let start = inner.as_span().start();
                wholes.push((start, start + inner.as_str().trim_end().len()));
            }
            Rule::clause | Rule::attach_points => find_wholes(&inner, wholes),
            _ => {}
        }
    }
}

/// The length and kind of the token at the start of a text.
fn token(rest: &str, first: char) -> (usize, Kind) {
    let until = |end: Option<usize>| end.unwrap_or(rest.len());
    if rest.starts_with("//") {
        return (rest[..until(rest.find('\n'))].trim_end().len(), Kind::LineComment);
    }
    // One that is not closed is none: a division, and what lies at an address.
    if let Some(end) = rest.strip_prefix("/*").and_then(|comment| comment.find("*/")) {
        return (end + 4, Kind::BlockComment);
    }
    if first == '"' {
        return (string(rest), Kind::Word);
    }
    let name = |from: usize| {
        from + rest[from..].bytes().take_while(|byte| byte.is_ascii_alphanumeric() || *byte == b'_').count()
    };
    if first.is_ascii_alphanumeric() || first == '_' {
        return (name(0), Kind::Word);
    }
    if matches!(first, '@' | '$') && !rest.starts_with("$#") {
        return (name(1), Kind::Word);
    }
    match SIGNS.iter().find(|sign| rest.starts_with(**sign)) {
        Some(&"$#") => (2, Kind::Word),
        Some(sign) => (sign.len(), Kind::Sign),
        None => (first.len_utf8(), Kind::Sign),
    }
}

/// The length of the string at the start of a text.
fn string(rest: &str) -> usize {
    let mut escaped = false;
    for (at, byte) in rest.bytes().enumerate().skip(1) {
        match byte {
            _ if escaped => escaped = false,
            b'\\' => escaped = true,
            b'"' => return at + 1,
            _ => {}
        }
    }
    rest.len()
}
