//! Tokens to lines.

use super::marks::Marks;
use super::spaces::Pair;
use super::tokens::{Kind, Token};
use super::{COLUMNS, STEP, dropped};
use crate::parse::Rule;

/// A token or comment in a line.
struct Piece<'a> {
    text: &'a str,
    /// Whether a blank stands in front of it.
    blank: bool,
    /// Whether a line that is too long may be broken in front of it.
    breakable: bool,
}

/// Writes the tokens of a script, line by line.
pub fn write(text: &str, braces: &str, tokens: &[Token], marks: &Marks) -> String {
    let mut writer = Writer {
        text,
        braces,
        tokens,
        out: String::new(),
        line: Vec::new(),
        indent: 0,
        base: 0,
        before: None,
        continued: false,
        underway: false,
        opened: true,
        head: false,
        in_predicate: false,
    };
    let mut end = 0;
    for (number, token) in tokens.iter().enumerate() {
        let newlines = text[end..token.start].matches('\n').count();
        end = token.end;
        if dropped(braces, token) {
            continue;
        }
        if token.is_comment() {
            let next = tokens[number + 1..].iter().find(|token| !dropped(braces, token));
            let alone = next.is_none_or(|next| text[token.end..next.start].contains('\n'));
            writer.comment(number, newlines, alone);
        } else {
            writer.token(number, newlines, marks);
        }
    }
    writer.flush();
    writer.out
}

struct Writer<'a> {
    text: &'a str,
    braces: &'a str,
    tokens: &'a [Token],
    out: String,
    line: Vec<Piece<'a>>,
    /// Steps to the right.
    indent: usize,
    /// Those of the line that is being made.
    base: usize,
    /// The token in front, if one stands in the line.
    before: Option<usize>,
    /// Whether the line goes on with what an earlier one began.
    continued: bool,
    /// Whether something has begun that is not ended.
    underway: bool,
    /// Whether a block has just been opened: no empty line follows.
    opened: bool,
    /// Whether the attach points of a clause are being written.
    head: bool,
    in_predicate: bool,
}

impl<'a> Writer<'a> {
    fn part(&self, number: usize) -> &'a str {
        let token = &self.tokens[number];
        self.text[token.start..token.end].trim_end()
    }

    fn push(&mut self, text: &'a str, blank: bool, breakable: bool) {
        if self.line.is_empty() {
            self.base = self.indent + usize::from(self.continued);
        }
        self.line.push(Piece { text, blank: blank && !self.line.is_empty(), breakable });
    }

    fn empty_line(&mut self, newlines: usize) {
        if newlines > 1 && !self.opened && !self.underway && self.line.is_empty() {
            self.out.push('\n');
        }
    }

    fn comment(&mut self, number: usize, newlines: usize, alone: bool) {
        let text = self.part(number);
        let line_comment = self.tokens[number].kind == Kind::LineComment;
        // Behind something, on its line.
        if newlines == 0 && !self.out.is_empty() && self.line.is_empty() && !self.continued {
            self.out.pop();
            self.out.push(' ');
            self.out.push_str(text);
            self.out.push('\n');
            return;
        }
        if newlines == 0 && !self.line.is_empty() {
            self.push(text, true, false);
            self.before = None;
            if line_comment {
                self.break_off();
            }
            return;
        }
        // On a line of its own, at least in front.
        if !self.line.is_empty() {
            self.break_off();
        }
        self.empty_line(newlines);
        self.push(text, false, false);
        self.before = None;
        if line_comment || alone {
            self.flush();
            self.opened = false;
        } else {
            self.underway = true;
        }
    }

    /// Ends a line within a statement.
    fn break_off(&mut self) {
        let closed = self.line.last().is_some_and(|piece| piece.text == "}" || piece.text == ">");
        let closed = closed && !self.continued;
        self.flush();
        self.continued = !self.head && !closed;
    }

    fn token(&mut self, number: usize, newlines: usize, marks: &Marks) {
        let token = &self.tokens[number];
        let closes = marks.closes.contains(&number);
        if closes {
            self.flush();
            self.indent = self.indent.saturating_sub(1);
            self.continued = false;
        }
        if token.owner == Rule::attach_point {
            self.head = true;
            // Attach points that stand on lines of their own stay there.
            if newlines > 0 && !self.line.is_empty() {
                self.flush();
            }
        }
        if !closes {
            self.empty_line(newlines);
        }
        let slash = token.owner == Rule::predicate && self.part(number) == "/";
        let opens_predicate = slash && !self.in_predicate;
        let blank = match self.before {
            None => true,
            Some(before) => {
                let left = &self.tokens[before];
                Pair { text: self.braces, left, right: token, opens_predicate, in_predicate: self.in_predicate }.blank()
            }
        };
        let behind_comma = self.before.is_some_and(|before| self.part(before) == ",");
        self.push(self.part(number), blank, behind_comma);
        self.before = Some(number);
        self.underway = true;
        self.opened = false;
        if slash {
            self.in_predicate = opens_predicate;
        }
        if marks.opens.contains(&number) {
            self.end_line();
            self.indent += 1;
            self.opened = true;
        } else if let Some(semicolon) = marks.ends.get(&number) {
            if *semicolon {
                self.push(";", false, false);
            }
            self.end_line();
        } else if marks.commas.contains(&number) {
            self.end_line();
        }
    }

    /// Ends a line and what it holds.
    fn end_line(&mut self) {
        self.flush();
        self.continued = false;
        self.underway = false;
        self.head = false;
    }

    /// Writes the line, broken behind commas if it is too long.
    fn flush(&mut self) {
        let line = std::mem::take(&mut self.line);
        self.before = None;
        if line.is_empty() {
            return;
        }
        let start = self.base * STEP;
        let further = if self.head { start } else { (self.base + usize::from(!self.continued)) * STEP };
        self.out.push_str(&" ".repeat(start));
        let mut column = start;
        let whole = line.iter().map(|piece| width(piece)).sum::<usize>();
        let too_long = start + whole > COLUMNS;
        for (index, piece) in line.iter().enumerate() {
            let rest = line[index + 1..].iter().take_while(|piece| !piece.breakable).map(width).sum::<usize>();
            if too_long && piece.breakable && column + width(piece) + rest > COLUMNS {
                self.out.push('\n');
                self.out.push_str(&" ".repeat(further));
                column = further;
            } else if piece.blank {
                self.out.push(' ');
                column += 1;
            }
            self.out.push_str(piece.text);
            column = match piece.text.rsplit_once('\n') {
                Some((_, last)) => last.chars().count(),
                None => column + piece.text.chars().count(),
            };
        }
        self.out.push('\n');
    }
}

fn width(piece: &Piece<'_>) -> usize {
    piece.text.chars().count() + usize::from(piece.blank)
}
