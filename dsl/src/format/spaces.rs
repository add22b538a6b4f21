//! Whether a blank stands between two tokens of a line.

use super::tokens::{Kind, Token};
use crate::parse::Rule;

/// Two tokens, one behind the other, with the text that has braces for angles.
pub struct Pair<'a> {
    /// The text.
    pub text: &'a str,
    /// The first token.
    pub left: &'a Token,
    /// The second.
    pub right: &'a Token,
    /// Whether the second is the first slash of a predicate, not the last.
    pub opens_predicate: bool,
    /// Whether the first is.
    pub in_predicate: bool,
}

impl Pair<'_> {
    /// Whether a blank stands between them.
    pub fn blank(&self) -> bool {
        // In a `<` block a bare `>` closes the block; this one compares only because it touches a minus.
        if self.part(self.right) == ">" && self.part(self.left) == "--" && self.left.end == self.right.start {
            return false;
        }
        self.wanted() || self.would_merge()
    }

    fn wanted(&self) -> bool {
        let (left, right) = (self.part(self.left), self.part(self.right));
        let (before, behind) = (self.left.owner, self.right.owner);
        if self.left.kind == Kind::Whole || self.right.kind == Kind::Whole {
            return right != ",";
        }
        match right {
            "," | ";" | ")" | "]" => return false,
            "[" => return !matches!(behind, Rule::index | Rule::map | Rule::extent | Rule::length),
            "(" if takes_arguments(behind) => return false,
            "(" if behind == Rule::parameter_types && left == ")" => return false,
            ":" if matches!(behind, Rule::emit_field | Rule::let_statement) => return false,
            "}" if left == "{" => return false,
            "/" if behind == Rule::predicate => return self.opens_predicate,
            _ => {}
        }
        match left {
            "(" | "[" => return false,
            ")" if before == Rule::cast => return false,
            "/" if before == Rule::predicate => return !self.in_predicate,
            _ => {}
        }
        let signs = self.left.kind == Kind::Sign;
        match before {
            // Operators in front of their operand, and stars in front of a name.
            Rule::prefix | Rule::stars | Rule::some_stars | Rule::range | Rule::member if signs => {
                return false;
            }
            Rule::parameter_types if left == "*" => return false,
            _ => {}
        }
        // Behind the last name of a path: `a.b` in offsetof and container_of.
        if (left == "." || right == ".")
            && (matches!(before, Rule::offsetof | Rule::container_of)
                || matches!(behind, Rule::offsetof | Rule::container_of))
        {
            return false;
        }
        !matches!(behind, Rule::postfix | Rule::member | Rule::range if self.right.kind == Kind::Sign)
    }

    fn part(&self, token: &Token) -> &str {
        &self.text[token.start..token.end]
    }

    /// Whether both would be read as something else without a blank.
    fn would_merge(&self) -> bool {
        let (left, right) = (self.part(self.left), self.part(self.right));
        let (Some(last), Some(first)) = (left.chars().last(), right.chars().next()) else { return false };
        let named = |char: char| char.is_ascii_alphanumeric() || char == '_';
        match (last, first) {
            ('/', '/' | '*' | '=')
            | ('+', '+' | '=')
            | ('-', '-' | '=' | '>')
            | ('&', '&' | '=')
            | ('|', '|' | '=') => true,
            ('<', '<' | '=') | ('>', '>' | '=') | ('=' | '!' | '*' | '%' | '^', '=') | ('.', '.') => true,
            ('@' | '$', char) => named(char),
            (left, right) => named(left) && named(right),
        }
    }
}

/// Whether the parentheses of a rule stand directly behind a name.
fn takes_arguments(rule: Rule) -> bool {
    matches!(
        rule,
        Rule::call
            | Rule::sizeof
            | Rule::offsetof
            | Rule::container_of
            | Rule::type_of
            | Rule::attribute
            | Rule::attribute_item
            | Rule::declaration
            | Rule::macro_definition
    )
}
