//! `scope explain`: what the code of an error means.

use scope_dsl::explain::{Entry, FAMILIES, find};

use crate::cli::args::Args;
use crate::cli::{Failure, mistake, print};

/// What `--help` says.
pub const HELP: &str = "\
Explains an error or a warning by its code, with a script that gives it and one that is right

Usage: scope explain [CODE]

Without a code, all codes are listed.
";

/// Columns of the text.
const COLUMNS: usize = 80;

/// Explains the codes that are named, or lists all.
pub fn run(args: &Args) -> Result<u8, Failure> {
    super::only_options(args, &[])?;
    if args.arguments.is_empty() {
        return print(&list()).map(|()| 0);
    }
    let mut pages = Vec::new();
    for code in &args.arguments {
        let entry = find(code).map_err(|near| {
            let near = near.map(|near| format!("; did you mean `{near}`?")).unwrap_or_default();
            mistake(format!("there is no code `{code}`{near}\nhelp: `scope explain` lists all codes"))
        })?;
        pages.push(page(entry));
    }
    print(&pages.join("\n")).map(|()| 0)
}

fn list() -> String {
    let family = |(name, entries): &(&str, &[Entry])| {
        let entries = entries.iter().map(|entry| format!("  {}  {}\n", entry.code, entry.title));
        format!("{name}:\n{}", entries.collect::<String>())
    };
    FAMILIES.iter().map(family).collect::<Vec<_>>().join("\n")
}

fn page(entry: &Entry) -> String {
    let Entry { code, title, text, wrong, right } = entry;
    let kind = if code.starts_with('W') { "warning" } else { "error" };
    format!(
        "{kind}[{code}]: {title}\n\n{}\nThis gives it:\n\n{}\nThis is right:\n\n{}",
        wrapped(text),
        indented(wrong),
        indented(right)
    )
}

fn indented(script: &str) -> String {
    script.lines().map(|line| format!("    {line}\n")).collect()
}

/// A text in lines of no more than so many columns.
fn wrapped(text: &str) -> String {
    let mut out = String::new();
    let mut column = 0;
    for word in text.split_whitespace() {
        let width = word.chars().count();
        if column > 0 && column + 1 + width > COLUMNS {
            out.push('\n');
            column = 0;
        }
        if column > 0 {
            out.push(' ');
            column += 1;
        }
        out.push_str(word);
        column += width;
    }
    out.push('\n');
    out
}
