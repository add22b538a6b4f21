//! Text to [`ast::Script`](crate::ast::Script): the pest grammar, operator precedence, literals.

mod angle;
mod brackets;
mod errors;
mod expressions;
mod items;
pub mod literal;
mod statements;
mod types;

use std::num::NonZeroUsize;

pub(crate) use angle::to_braces;
use pest::Parser;
use pest::iterators::Pair;

use crate::ast::{Name, Script};
use crate::diagnostic::Diagnostic;
use crate::limits::{MAX_NESTING, MAX_SOURCE, MAX_STEPS};
use crate::source::Span;

#[derive(pest_derive::Parser)]
#[grammar = "grammar.pest"]
struct Grammar;

/// A parse: the script as far as it could be read, and what is wrong with it.
#[derive(Debug, Default)]
pub struct Parsed {
    /// The script; incomplete where there are errors.
    pub script: Script,
    /// What is wrong with its syntax.
    pub diagnostics: Vec<Diagnostic>,
}

impl Parsed {
    fn failed(diagnostic: Diagnostic) -> Parsed {
        Parsed { script: Script::default(), diagnostics: vec![diagnostic] }
    }
}

/// Parses a script that starts at byte `base` of the text that all places refer to.
///
/// Where the grammar can't go on, the parse stops: there is one such error at most.
#[must_use]
pub fn parse(text: &str, base: usize) -> Parsed {
    let at = |span: Span| Span::new(base + span.start, base + span.end);
    if text.len() > MAX_SOURCE {
        let title = format!("the script has {} bytes; the limit is {MAX_SOURCE}", text.len());
        return Parsed::failed(Diagnostic::error("E0103", at(Span::new(0, 0)), title, ""));
    }
    // The parser recurses with the nesting, so the nesting is bounded before it starts.
    let deepest = brackets::deepest(text);
    if deepest.depth > MAX_NESTING {
        let title = format!("brackets nest {} deep; the limit is {MAX_NESTING}", deepest.depth);
        return Parsed::failed(Diagnostic::error("E0103", at(deepest.at), title, "the innermost"));
    }
    let braces = angle::to_braces(text);
    // The grammar goes back in few places, and never far; this is a net for texts made to be slow.
    pest::set_call_limit(NonZeroUsize::new(MAX_STEPS + 1000 * text.len()));
    let mut builder = Builder { base, text: &braces, errors: Vec::new(), operators: 0 };
    let mut pairs = match Grammar::parse(Rule::script, &braces) {
        Ok(pairs) => pairs,
        Err(error) => {
            let mut error = errors::syntax_error(text, &braces, &error);
            error.primary.0 = at(error.primary.0);
            error.related.iter_mut().for_each(|(span, _)| *span = at(*span));
            return Parsed::failed(error);
        }
    };
    let script = builder.script(pairs.next().expect("a parse gives one script"));
    Parsed { script, diagnostics: builder.errors }
}

/// The grammar's own tree of a text with braces for angles, if it has one.
pub(crate) fn pairs(braces: &str) -> Option<Pair<'_, Rule>> {
    pest::set_call_limit(NonZeroUsize::new(MAX_STEPS + 1000 * braces.len()));
    Grammar::parse(Rule::script, braces).ok()?.next()
}

/// Makes the tree of the grammar's pairs.
struct Builder<'t> {
    /// Where the text starts, for places.
    base: usize,
    text: &'t str,
    errors: Vec<Diagnostic>,
    /// The operators that the expression at hand stands in.
    operators: usize,
}

impl Builder<'_> {
    fn span(&self, pair: &Pair<'_, Rule>) -> Span {
        let span = pair.as_span();
        // A rule takes the blanks behind it in; a place does not.
        let len = pair.as_str().trim_end().len();
        Span::new(self.base + span.start(), self.base + span.start() + len)
    }

    fn name(&self, pair: &Pair<'_, Rule>) -> Name {
        Name { text: pair.as_str().trim_end().to_owned(), span: self.span(pair) }
    }

    fn number(&mut self, pair: &Pair<'_, Rule>) -> u64 {
        let text = pair.as_str();
        literal::number(text).unwrap_or_else(|problem| {
            let error = Diagnostic::error("E0104", self.span(pair), format!("`{text}` is not a number"), problem);
            self.errors.push(error);
            0
        })
    }

    /// The content of a string literal.
    fn string(&mut self, pair: Pair<'_, Rule>) -> Vec<u8> {
        let whole = self.span(&pair);
        let inner = pair.into_inner().next().expect("a string has a content");
        literal::string(inner.as_str()).unwrap_or_else(|(at, problem)| {
            let start = self.base + inner.as_span().start() + at;
            let title = "a string has an escape that means nothing";
            let error = Diagnostic::error("E0105", Span::new(start, (start + 2).min(whole.end)), title, problem);
            self.errors
                .push(error.help("escapes are \\n \\t \\r \\a \\b \\e \\f \\v \\0 \\\\ \\\" \\xHH and \\NNN (octal)"));
            Vec::new()
        })
    }

    /// The same where only a text makes sense, as in the name of a file.
    fn text(&mut self, pair: Pair<'_, Rule>) -> String {
        let span = self.span(&pair);
        String::from_utf8(self.string(pair)).unwrap_or_else(|_| {
            self.errors.push(Diagnostic::error("E0105", span, "this string is not UTF-8", "expected a text"));
            String::new()
        })
    }
}

#[cfg(test)]
mod tests;
