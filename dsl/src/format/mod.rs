//! `scope fmt`: a script in the one form that all scripts have.
//!
//! The text is cut into tokens and comments, none of which gets lost; the grammar's tree says of each token what it is part
//! of, and where statements end. Only blanks are new, and the semicolons at the ends of statements. Functions in rhai, lines
//! of the preprocessor and attach points stay as they are.

mod marks;
mod spaces;
mod tokens;
mod writer;

use crate::diagnostic::{Diagnostic, Severity};
use crate::parse::{self, parse};
use tokens::{Kind, Token};

/// Columns of a line, where that can be had by a break behind a comma.
const COLUMNS: usize = 100;
/// Blanks of one step to the right.
const STEP: usize = 4;

/// Why a script is not formatted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Refused {
    /// It can't be parsed.
    Wrong(Vec<Diagnostic>),
    /// The result would not be the same script: a bug, found before it does harm.
    Changed,
}

/// Formats a script.
///
/// # Errors
/// If it can't be parsed.
pub fn format(text: &str) -> Result<String, Refused> {
    let (formatted, before) = once(text).ok_or_else(|| wrong(text))?;
    let after = once(&formatted).map(|(_, after)| after);
    if after.as_ref() == Some(&before) { Ok(formatted) } else { Err(Refused::Changed) }
}

/// What is wrong with a text that can't be formatted.
fn wrong(text: &str) -> Refused {
    let found = parse(text, 0).diagnostics;
    Refused::Wrong(found.into_iter().filter(|found| found.severity == Severity::Error).collect())
}

/// Formats a script, and gives the words that make it up; `None` if it can't be parsed.
fn once(text: &str) -> Option<(String, Vec<String>)> {
    if parse(text, 0).diagnostics.iter().any(|found| found.severity == Severity::Error) {
        return None;
    }
    // The grammar knows braces only; each byte keeps its place.
    let braces = parse::to_braces(text);
    let script = parse::pairs(&braces)?;
    let mut tokens = tokens::cut(&braces, &script);
    let marks = marks::mark(&braces, &script, &mut tokens);
    let words = tokens.iter().filter(|token| !dropped(&braces, token)).map(|token| word(text, token));
    let words = words.collect();
    Some((writer::write(text, &braces, &tokens, &marks), words))
}

/// A token as it is compared: blanks at the ends of lines in comments don't count.
fn word(text: &str, token: &Token) -> String {
    text[token.start..token.end].trim_end().to_owned()
}

/// Whether a token only separates: it is set anew where one is due.
fn dropped(braces: &str, token: &Token) -> bool {
    token.kind == Kind::Sign
        && match &braces[token.start..token.end] {
            ";" => token.owner != parse::Rule::emit_more,
            "," => token.owner == parse::Rule::config,
            _ => false,
        }
}

#[cfg(test)]
mod tests;
