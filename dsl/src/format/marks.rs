//! What the grammar's tree says of tokens: what they belong to, where blocks open and statements end.

use std::collections::{HashMap, HashSet};

use pest::iterators::Pair;

use super::tokens::Token;
use crate::parse::Rule;

/// The places where lines begin and end, by the numbers of tokens.
#[derive(Debug, Default)]
pub struct Marks {
    /// The brackets that open a block of lines.
    pub opens: HashSet<usize>,
    /// Those that close one.
    pub closes: HashSet<usize>,
    /// The last tokens of statements and items, with whether a semicolon stands behind.
    pub ends: HashMap<usize, bool>,
    /// The commas that end a line.
    pub commas: HashSet<usize>,
}

/// Gives each token its owner, and finds the marks.
pub fn mark(text: &str, script: &Pair<'_, Rule>, tokens: &mut [Token]) -> Marks {
    let mut marker = Marker { text, tokens, marks: Marks::default() };
    marker.visit(script, Rule::script);
    marker.signs();
    marker.marks
}

struct Marker<'a> {
    text: &'a str,
    tokens: &'a mut [Token],
    marks: Marks,
}

impl Marker<'_> {
    /// The numbers of the tokens that a pair holds.
    fn range(&self, pair: &Pair<'_, Rule>) -> std::ops::Range<usize> {
        let span = pair.as_span();
        let number = |at: usize| self.tokens.partition_point(|token| token.start < at);
        number(span.start())..number(span.end())
    }

    fn is(&self, number: usize, sign: &str) -> bool {
        self.tokens.get(number).is_some_and(|token| &self.text[token.start..token.end] == sign)
    }

    /// The last token of a pair that is neither a comment nor a semicolon.
    fn last(&self, pair: &Pair<'_, Rule>) -> Option<usize> {
        self.range(pair).rev().find(|number| !self.tokens[*number].is_comment() && !self.is(*number, ";"))
    }

    /// Whether a semicolon follows a token.
    fn semicolon_behind(&self, number: usize) -> bool {
        let next = (number + 1..self.tokens.len()).find(|number| !self.tokens[*number].is_comment());
        next.is_some_and(|next| self.is(next, ";"))
    }

    fn end(&mut self, pair: &Pair<'_, Rule>, semicolon: bool) {
        if let Some(last) = self.last(pair) {
            *self.marks.ends.entry(last).or_default() |= semicolon;
        }
    }

    fn visit(&mut self, pair: &Pair<'_, Rule>, parent: Rule) {
        let rule = pair.as_rule();
        for number in self.range(pair) {
            self.tokens[number].owner = rule;
        }
        let children = pair.clone().into_inner().collect::<Vec<_>>();
        for child in &children {
            self.visit(child, rule);
        }
        match rule {
            Rule::script => children.iter().for_each(|item| self.item(item)),
            Rule::block => self.block(&children, parent),
            Rule::config => {
                children.iter().filter(|child| child.as_rule() == Rule::setting).for_each(|child| self.end(child, true))
            }
            Rule::members => children.iter().for_each(|child| self.end(child, true)),
            _ => {}
        }
    }

    fn item(&mut self, item: &Pair<'_, Rule>) {
        let semicolon = matches!(
            item.as_rule(),
            Rule::import | Rule::structure | Rule::forward | Rule::enumeration | Rule::alias | Rule::declaration
        );
        if item.as_rule() != Rule::EOI {
            self.end(item, semicolon);
        }
    }

    fn block(&mut self, statements: &[Pair<'_, Rule>], parent: Rule) {
        // The value of such a block is that of its last expression, which no semicolon follows.
        let value = matches!(parent, Rule::term | Rule::macro_definition);
        for (index, statement) in statements.iter().enumerate() {
            let Some(last) = self.last(statement) else { continue };
            let written = self.semicolon_behind(last);
            let semicolon = match statement.as_rule() {
                Rule::if_statement | Rule::while_statement | Rule::for_statement | Rule::unroll_statement => false,
                Rule::block => false,
                _ => written || !(value && index + 1 == statements.len()),
            };
            self.end(statement, semicolon);
        }
    }

    /// The brackets and commas that lines end with.
    fn signs(&mut self) {
        for number in 0..self.tokens.len() {
            let lines =
                matches!(self.tokens[number].owner, Rule::block | Rule::members | Rule::config | Rule::enumerators);
            if lines && self.is(number, "{") {
                self.marks.opens.insert(number);
            } else if lines && self.is(number, "}") {
                self.marks.closes.insert(number);
            } else if self.tokens[number].owner == Rule::enumerators && self.is(number, ",") {
                self.marks.commas.insert(number);
            }
        }
        // A block with nothing in it, not even a comment, stays on its line.
        for open in self.marks.opens.clone() {
            let behind = (open + 1..self.tokens.len()).find(|number| !self.is(*number, ";"));
            if behind.is_some_and(|behind| self.marks.closes.remove(&behind)) {
                self.marks.opens.remove(&open);
            }
        }
    }
}
