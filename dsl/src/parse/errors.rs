//! The parser's refusals, as people need them: the bracket that is open, or what could stand there.

use crate::diagnostic::Diagnostic;

use super::{Rule, brackets};

/// Says what is wrong with a text; `braces` is it with braces for angles.
pub fn syntax_error(text: &str, braces: &str, error: &pest::error::Error<Rule>) -> Diagnostic {
    let at = match error.location {
        pest::error::InputLocation::Pos(at) | pest::error::InputLocation::Span((at, _)) => at,
    };
    if let Some(problem) = brackets::unbalanced(text, braces) {
        return problem;
    }
    let place = brackets::token_at(text, at);
    let expected = match &error.variant {
        pest::error::ErrorVariant::ParsingError { positives, .. } => {
            let mut names = expectations(positives);
            // Outside all blocks there are no statements: an expression is a predicate.
            if brackets::outside_braces(braces, at) {
                names.iter_mut().filter(|name| **name == "`;`").for_each(|name| *name = "`/`");
            }
            names
        }
        pest::error::ErrorVariant::CustomError { message } => vec![message.as_str()],
    };
    let found = match &text[place.start..place.end] {
        "" => "the script ends here".to_owned(),
        token => format!("`{}` can't stand here", token.escape_debug()),
    };
    let label = match expected.as_slice() {
        [] => String::new(),
        names => format!("expected {}", names.join(", ")),
    };
    let diagnostic = Diagnostic::error("E0101", place, found, label);
    match advice(text, braces, at, &expected) {
        Some(help) => diagnostic.help(help),
        None => diagnostic,
    }
}

/// The names of what the grammar would have taken, without repetition, the broadest only.
fn expectations(rules: &[Rule]) -> Vec<&'static str> {
    let mut names = Vec::new();
    for rule in rules {
        let name = match rule {
            Rule::clause | Rule::attach_points | Rule::attach_point => "a probe",
            Rule::function => "a function",
            Rule::declaration | Rule::directive | Rule::import | Rule::config | Rule::structure => continue,
            Rule::attributes | Rule::qualifier | Rule::forward | Rule::length | Rule::aggregate_keyword => continue,
            Rule::attribute_keyword | Rule::function_pointer | Rule::inline_enumeration | Rule::enum_keyword => {
                continue;
            }
            Rule::enumeration | Rule::alias | Rule::macro_definition | Rule::shebang => continue,
            Rule::block => "a block",
            Rule::predicate => "a /predicate/",
            Rule::function_body => "the function's body",
            Rule::expr | Rule::term | Rule::prefix | Rule::cast | Rule::range => "an expression",
            Rule::number
            | Rule::string
            | Rule::map
            | Rule::variable
            | Rule::call
            | Rule::identifier
            | Rule::parameter => "a value",
            Rule::sizeof | Rule::offsetof | Rule::container_of | Rule::record | Rule::parentheses => "a value",
            Rule::type_name
            | Rule::tag_type
            | Rule::known_type
            | Rule::any_type
            | Rule::pointer_type
            | Rule::type_of => "a type",
            Rule::type_words | Rule::base_word | Rule::inline_aggregate => "a type",
            Rule::if_statement | Rule::while_statement | Rule::for_statement | Rule::unroll_statement => continue,
            Rule::emit_statement | Rule::assignment | Rule::let_statement | Rule::return_statement => "a statement",
            Rule::loop_exit | Rule::discard => "a statement",
            Rule::postfix
            | Rule::member
            | Rule::index
            | Rule::comma
            | Rule::stars
            | Rule::some_stars
            | Rule::extent => continue,
            Rule::assign_op | Rule::let_value => "`=`",
            Rule::colon => "`:`",
            Rule::emit_field | Rule::emit_more | Rule::record_field | Rule::member_line => "a field",
            Rule::map_name => "a map",
            Rule::setting => "a setting",
            Rule::EOI => "the end",
            _ => "an operator",
        };
        if !names.contains(&name) {
            names.push(name);
        }
    }
    if names.contains(&"an expression") {
        names.retain(|name| !matches!(*name, "a value" | "a type"));
    }
    if names.contains(&"an operator") {
        names.retain(|name| *name != "`=`");
        names.push("`;`");
    }
    names
}

/// Says what is often meant at such a place.
fn advice(text: &str, braces: &str, at: usize, expected: &[&str]) -> Option<&'static str> {
    let rest = text[at..].trim_start();
    let before = text[..at].trim_end();
    let line = before.rsplit(['\n', ';', '{', '}']).next().unwrap_or_default().trim_start();
    if line.starts_with("for") && line.contains('$') {
        return Some(
            "a `for` counts through a range, `for ($i : 0..10) { ... }`, or goes through a map, `for ($kv : @m) { ... }`",
        );
    }
    if rest.starts_with('=') && !rest.starts_with("==") {
        return Some("only a map (`@name`) or a scratch variable (`$name`) can be assigned; `==` compares");
    }
    if brackets::outside_braces(braces, at) && line == "import" {
        return Some("an import names a file in quotes: `import \"other.scope\";`");
    }
    if brackets::outside_braces(braces, at) && line == "let" && rest.starts_with('$') {
        return Some("a scratch variable lives in a clause; a map (`@name`) is known to all");
    }
    if let Some(help) = of_declarations(before, braces, line, rest) {
        return Some(help);
    }
    if expected.contains(&"`/`") && rest.starts_with(['{', '<']) {
        return Some("a predicate stands between two slashes: `/pid == 1/ { ... }`");
    }
    let begins = |char: char| char.is_ascii_alphabetic() || matches!(char, '@' | '$' | '_');
    let due = expected.contains(&"`;`") && !expected.contains(&"a block");
    if due && rest.starts_with(begins) && !brackets::outside_braces(braces, at) {
        return Some("is a `;` missing in front of it?");
    }
    // Outside all blocks, behind one that a `>` closed: perhaps earlier than it was meant.
    let closed = before.rfind('>').filter(|end| !before[..*end].ends_with('-'));
    if brackets::outside_braces(text, at)
        && closed.is_some_and(|end| !before[end..].contains(['{', '}']) && before.contains('<'))
    {
        return Some("in a `<` block a bare `>` closes the block: put a greater-than in parentheses, `(a > b)`");
    }
    None
}

/// Says what is often meant in C's declarations, and can't be written so.
fn of_declarations(before: &str, braces: &str, line: &str, rest: &str) -> Option<&'static str> {
    if line.contains("(*") && rest.starts_with('[') {
        return Some("a pointer to an array is declared as `void *name`, and cast where it is used");
    }
    if line.starts_with("__attribute__") {
        return Some("attributes stand behind the braces: `struct name { ... } __attribute__((packed));`");
    }
    let open = before.rfind('{')?;
    let keyword = before[..open].trim_end().rsplit(|char: char| !char.is_ascii_alphanumeric() && char != '_').next();
    let nameless = matches!(keyword, Some("struct" | "union")) && brackets::outside_braces(braces, open);
    nameless.then_some("a struct has a name, `struct name { ... };`, or is given one: `typedef struct { ... } name;`")
}
