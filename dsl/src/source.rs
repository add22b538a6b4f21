//! The text of a script and of what it imports, and places in it.

use crate::ast::Script;
use crate::diagnostic::{Diagnostic, Diagnostics};
use crate::limits::MAX_FILES;
use crate::parse::{Parsed, parse};

/// A place in a source: a range of bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Span {
    /// The first byte.
    pub start: usize,
    /// The byte after the last.
    pub end: usize,
}

impl Span {
    /// Makes a span of two byte offsets.
    #[must_use]
    pub const fn new(start: usize, end: usize) -> Span {
        Span { start, end }
    }

    /// Gives the smallest span that holds both.
    #[must_use]
    pub fn to(self, other: Span) -> Span {
        Span { start: self.start.min(other.start), end: self.end.max(other.end) }
    }
}

/// A script's text with what it imports: files one behind the other, so that a place is one range of bytes.
#[derive(Clone, Debug)]
pub struct Source {
    files: Vec<File>,
}

/// A file of a source.
#[derive(Clone, Debug)]
pub struct File {
    /// Its path, or what stands for one (`-e`).
    pub name: String,
    /// Its text.
    pub text: String,
    /// Where it begins among the files.
    pub start: usize,
}

impl Source {
    /// Makes a source of one file.
    #[must_use]
    pub fn new(name: impl Into<String>, text: impl Into<String>) -> Source {
        Source { files: vec![File { name: name.into(), text: text.into(), start: 0 }] }
    }

    /// The files; the first is the script itself.
    #[must_use]
    pub fn files(&self) -> &[File] {
        &self.files
    }

    /// The file that a place lies in, and the place in it.
    #[must_use]
    pub fn locate(&self, span: Span) -> (&File, Span) {
        let file = self.files.iter().rev().find(|file| file.start <= span.start).unwrap_or(&self.files[0]);
        (file, Span::new(span.start - file.start, span.end.saturating_sub(file.start)))
    }

    /// The line and column of a place, both from 1.
    #[must_use]
    pub fn position(&self, span: Span) -> (&str, usize, usize) {
        let (file, place) = self.locate(span);
        let before = &file.text[..place.start.min(file.text.len())];
        let line = before.matches('\n').count() + 1;
        let column = before.rsplit('\n').next().unwrap_or_default().chars().count() + 1;
        (&file.name, line, column)
    }

    /// Adds a file; gives where it starts.
    pub(crate) fn add(&mut self, name: String, text: String) -> usize {
        // A byte between, so that the end of one file is no place in the next.
        let start = self.files.last().map_or(0, |file| file.start + file.text.len() + 1);
        self.files.push(File { name, text, start });
        start
    }
}

/// Where imported scripts come from.
pub trait Importer {
    /// Reads a script that `from` imports; gives the name that errors give it, and its text.
    ///
    /// # Errors
    /// Why it can't be read, in words.
    fn import(&self, name: &str, from: &str) -> Result<(String, String), String>;
}

/// Imports nothing.
pub struct NoImports;

impl Importer for NoImports {
    fn import(&self, _: &str, _: &str) -> Result<(String, String), String> {
        Err("nothing can be imported here".to_owned())
    }
}

/// Parses a source and all that it imports to one script; what is imported stands in front.
pub fn load(source: &mut Source, importer: &dyn Importer, found: &mut Diagnostics) -> Script {
    let mut whole = Script::default();
    take(source, 0, importer, &mut whole, found);
    if whole.clauses.is_empty() && !found.any_error() {
        let empty = Diagnostic::error("E0102", Span::new(0, 0), "the script has no clause", "")
            .help("a clause is `PROBE { ACTIONS }`, for example `sys_enter { @[comm] = count(); }`");
        found.push(empty);
    }
    whole
}

fn take(source: &mut Source, file: usize, importer: &dyn Importer, whole: &mut Script, found: &mut Diagnostics) {
    let File { name: from, text, start } = source.files[file].clone();
    let Parsed { script, diagnostics } = parse(&text, start);
    diagnostics.into_iter().for_each(|diagnostic| found.push(diagnostic));
    for import in &script.imports {
        if [".h", ".c", ".o"].iter().any(|end| import.text.ends_with(end)) {
            let title = format!("`{}` can't be imported: it is C", import.text);
            let error = Diagnostic::error("E0112", import.span, title, "expected a script of this language");
            found.push(error.help(
                "the kernel's types are known; declare others with `struct name { ... }`, and functions with `macro`",
            ));
            continue;
        }
        match importer.import(&import.text, &from) {
            // Each is taken once, however often it is named.
            Ok((name, _)) if source.files.iter().any(|file| file.name == name) => {}
            Ok(_) if source.files.len() >= MAX_FILES => {
                let title = format!("more than {MAX_FILES} scripts are imported");
                found.push(Diagnostic::error("E0103", import.span, title, "one too many"));
                return;
            }
            Ok((name, text)) => {
                source.add(name, text);
                take(source, source.files.len() - 1, importer, whole, found);
            }
            Err(reason) => {
                let title = format!("`{}` can't be imported: {reason}", import.text);
                found.push(Diagnostic::error("E0112", import.span, title, ""));
            }
        }
    }
    whole.functions.extend(script.functions);
    whole.settings.extend(script.settings);
    whole.types.extend(script.types);
    whole.macros.extend(script.macros);
    whole.declarations.extend(script.declarations);
    whole.clauses.extend(script.clauses);
}
