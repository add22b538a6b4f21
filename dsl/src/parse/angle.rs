//! Blocks in `< ... >`, turned into `{ ... }` before the grammar sees the text: byte for byte, so that places stay.
//!
//! A `<` opens a block only where one is due: behind attach points or a predicate, behind `if (...)`, `while (...)`,
//! `for (...)`, `unroll (...)` and `else`. In such a block a bare `>` at the block's own level closes it; `>=`, `>>`
//! and `->` are tokens of their own, and inside brackets of any kind a `>` compares.

use super::brackets::skip;

/// Gives the text with braces in place of the angle brackets that open and close blocks.
#[must_use]
pub fn to_braces(text: &str) -> String {
    let mut scanner =
        Scanner { text, bytes: text.as_bytes(), at: 0, open: Vec::new(), due: Due::Nothing, replaced: Vec::new() };
    while scanner.at < text.len() {
        if scanner.open.is_empty() { scanner.outside() } else { scanner.inside() }
    }
    let mut bytes = text.as_bytes().to_vec();
    for (at, byte) in scanner.replaced {
        bytes[at] = byte;
    }
    String::from_utf8(bytes).unwrap_or_else(|_| text.to_owned())
}

/// An open bracket.
#[derive(Clone, Copy, PartialEq)]
enum Open {
    /// A block in angles.
    Angle,
    /// The parentheses behind `if` and its like, which a block follows.
    Head,
    /// Any other.
    Other,
}

/// What the tokens before make possible.
#[derive(Clone, Copy, PartialEq)]
enum Due {
    Nothing,
    /// The parentheses of a control statement.
    Head,
    /// A block.
    Block,
}

struct Scanner<'t> {
    text: &'t str,
    bytes: &'t [u8],
    at: usize,
    open: Vec<Open>,
    due: Due,
    replaced: Vec<(usize, u8)>,
}

impl Scanner<'_> {
    fn peek(&self, ahead: usize) -> u8 {
        self.bytes.get(self.at + ahead).copied().unwrap_or(0)
    }

    /// Skips a string, a comment or blanks; says whether there was any.
    fn skipped(&mut self) -> bool {
        if let Some(end) = skip(self.text, self.at) {
            self.at = end;
            return true;
        }
        let blank = self.peek(0).is_ascii_whitespace();
        self.at += usize::from(blank);
        blank
    }

    fn word(&self) -> &str {
        let rest = &self.text[self.at..];
        let end = rest.find(|char: char| !(char.is_ascii_alphanumeric() || char == '_')).unwrap_or(rest.len());
        &rest[..end]
    }

    /// Between clauses: attach points, predicates, and what stands beside clauses.
    fn outside(&mut self) {
        if self.skipped() {
            return;
        }
        match self.peek(0) {
            b'#' => self.at = self.text[self.at..].find('\n').map_or(self.text.len(), |end| self.at + end),
            b'/' => self.predicate(),
            b'<' => self.open(Open::Angle),
            b'{' | b'(' => self.open(Open::Other),
            _ => self.outer_word(),
        }
    }

    fn outer_word(&mut self) {
        let rest = &self.text[self.at..];
        if self.word() == "fn" {
            // rhai: its own brackets and strings.
            self.at = rest.find('{').map_or(self.text.len(), |open| closing_brace(self.text, self.at + open));
            return;
        }
        // Without the name that the script gives the probe.
        let provider = rest.split(':').next().unwrap_or_default().rsplit('=').next().unwrap_or_default();
        let path = ["uprobe", "uretprobe", "usdt", "u", "ur"].iter().any(|name| provider.eq_ignore_ascii_case(name));
        let end = if path {
            // In quotes stand names of C++ and Rust.
            let mut quoted = false;
            rest.find(|char: char| {
                quoted ^= char == '"';
                !quoted && (char.is_whitespace() || matches!(char, ',' | '{' | '<'))
            })
        } else {
            rest.find(|char: char| char.is_whitespace() || matches!(char, ',' | '{' | '<' | '/' | '('))
        };
        // A separator alone is a word of its own.
        let first = rest.chars().next().map_or(1, char::len_utf8);
        self.at += end.unwrap_or(rest.len()).max(first);
    }

    /// A predicate ends with the first slash that a block follows.
    fn predicate(&mut self) {
        self.at += 1;
        while self.at < self.text.len() {
            if self.skipped() {
                continue;
            }
            let slash = self.peek(0) == b'/';
            self.at += self.text[self.at..].chars().next().map_or(1, char::len_utf8);
            if slash {
                while self.at < self.text.len() && self.skipped() {}
                if matches!(self.peek(0), b'{' | b'<') {
                    return;
                }
            }
        }
    }

    fn open(&mut self, open: Open) {
        if open == Open::Angle {
            self.replaced.push((self.at, b'{'));
        }
        self.open.push(open);
        self.due = Due::Nothing;
        self.at += 1;
    }

    /// In a block.
    fn inside(&mut self) {
        if self.skipped() {
            return;
        }
        let (byte, next) = (self.peek(0), self.peek(1));
        let due = std::mem::replace(&mut self.due, Due::Nothing);
        match byte {
            b'<' if due == Due::Block && !matches!(next, b'<' | b'=') => self.open(Open::Angle),
            b'(' if due == Due::Head => self.open(Open::Head),
            b'(' | b'[' | b'{' => self.open(Open::Other),
            b')' | b']' | b'}' => {
                if self.open.pop() == Some(Open::Head) {
                    self.due = Due::Block;
                }
                self.at += 1;
            }
            b'-' | b'>' if next == b'>' => self.at += 2,
            b'>' if next == b'=' => self.at += 2,
            b'>' if self.open.last() == Some(&Open::Angle) => {
                self.replaced.push((self.at, b'}'));
                self.open.pop();
                self.at += 1;
            }
            _ => {
                let word = self.word();
                let len = if word.is_empty() {
                    self.text[self.at..].chars().next().map_or(1, char::len_utf8)
                } else {
                    word.len()
                };
                self.due = match word {
                    "if" | "while" | "for" | "unroll" => Due::Head,
                    "else" => Due::Block,
                    _ => Due::Nothing,
                };
                self.at += len;
            }
        }
    }
}

/// The end of the braces that open at a place, by rhai's rules for strings.
fn closing_brace(text: &str, open: usize) -> usize {
    let bytes = text.as_bytes();
    let (mut at, mut depth) = (open, 0usize);
    while let Some(byte) = bytes.get(at) {
        if let Some(end) = skip(text, at) {
            at = end;
            continue;
        }
        match byte {
            b'{' => depth += 1,
            b'}' => depth -= 1,
            // A character; its quote may hide a brace.
            b'\'' => at += text[at + 1..].find('\'').map_or(0, |end| end + 1),
            _ => {}
        }
        at += 1;
        if depth == 0 {
            return at;
        }
    }
    text.len()
}

#[cfg(test)]
mod tests {
    use super::to_braces;

    #[test]
    fn a_bare_greater_than_closes_a_block() {
        for (angles, braces) in [
            ("p < (a > b) >", "p { (a > b) }"),
            ("p < a >= b; c >> d; e->f; @[g > h] >", "p { a >= b; c >> d; e->f; @[g > h] }"),
            ("a < @=count()> b { @=count() }", "a { @=count()} b { @=count() }"),
            ("a < if (x > 1) < y; > else { z > 2 } > b <>", "a { if (x > 1) { y; } else { z > 2 } } b {}"),
            ("p /a < b/ < a < b >", "p /a < b/ { a < b }"),
            ("p /a / 2 < 1/ // why <\n < b >", "p /a / 2 < 1/ // why <\n { b }"),
            ("u:/bin/a:f /x > 1/ <>", "u:/bin/a:f /x > 1/ {}"),
            ("x=u:a:\"n::f<int, b>\" < >, u:a:g < @ >", "x=u:a:\"n::f<int, b>\" { }, u:a:g { @ }"),
            (
                "p { if (a) < b; > while (c) < d; > $x = (e) < f; }",
                "p { if (a) { b; } while (c) { d; } $x = (e) < f; }",
            ),
            ("fn f(n) { if (n) < '}' { `}<` } } p < \"<\" >", "fn f(n) { if (n) < '}' { `}<` } } p { \"<\" }"),
            ("#define A (1<2)\np < é >", "#define A (1<2)\np { é }"),
            ("p < <", "p { <"),
            ("é", "é"),
        ] {
            assert_eq!(to_braces(angles), braces);
        }
    }
}
