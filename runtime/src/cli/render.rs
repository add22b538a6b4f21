//! Diagnostics as people see them: the source line, the place underlined, what to do.

use annotate_snippets::{AnnotationKind, Group, Level, Renderer, Snippet};
use scope_dsl::diagnostic::{Diagnostic, Severity};
use scope_dsl::source::{File, Source, Span};

/// Renders diagnostics, one below the other.
#[must_use]
pub fn render(source: &Source, diagnostics: &[Diagnostic], colour: bool) -> String {
    let renderer = if colour { Renderer::styled() } else { Renderer::plain() };
    let pages = diagnostics.iter().map(|diagnostic| renderer.render(&page(source, diagnostic)));
    pages.map(|page| page + "\n").collect::<Vec<_>>().join("\n")
}

/// Renders what keeps a script from running, and says once where more is told.
#[must_use]
pub fn errors(source: &Source, diagnostics: &[Diagnostic], colour: bool) -> String {
    let first = diagnostics.iter().find(|diagnostic| diagnostic.severity == Severity::Error).or(diagnostics.first());
    let more = first.map(|first| format!("\nhelp: `scope explain {}` tells more\n", first.code));
    render(source, diagnostics, colour) + more.unwrap_or_default().as_str()
}

/// What is said, cut where it quotes something without measure.
fn cut(text: &str) -> String {
    const LONGEST: usize = 500;
    match text.char_indices().nth(LONGEST) {
        Some((end, _)) => format!("{}...", &text[..end]),
        None => text.to_owned(),
    }
}

fn page<'a>(source: &'a Source, diagnostic: &'a Diagnostic) -> Vec<Group<'a>> {
    let level = match diagnostic.severity {
        Severity::Error => Level::ERROR,
        Severity::Warning => Level::WARNING,
    };
    let (span, label) = &diagnostic.primary;
    let (file, place) = source.locate(*span);
    let mut place = AnnotationKind::Primary.span(range(file, place));
    if !label.is_empty() {
        place = place.label(cut(label));
    }
    let mut snippet = Snippet::source(&file.text).path(&file.name).fold(true).annotation(place);
    let mut elsewhere = Vec::new();
    for (span, label) in &diagnostic.related {
        let (other, place) = source.locate(*span);
        let place = AnnotationKind::Context.span(range(other, place)).label(cut(label));
        if other.start == file.start {
            snippet = snippet.annotation(place);
        } else {
            elsewhere.push(Snippet::source(&other.text).path(&other.name).fold(true).annotation(place));
        }
    }
    let title = level.primary_title(cut(&diagnostic.title)).id(diagnostic.code);
    let mut first = title.element(snippet);
    for snippet in elsewhere {
        first = first.element(snippet);
    }
    let mut groups = vec![first];
    groups.extend(diagnostic.help.iter().map(|help| Group::with_title(Level::HELP.secondary_title(cut(help)))));
    groups
}

/// The bytes of a place, kept inside the text and on character boundaries.
fn range(file: &File, span: Span) -> std::ops::Range<usize> {
    let text = &file.text;
    let floor = |mut at: usize| {
        at = at.min(text.len());
        while !text.is_char_boundary(at) {
            at -= 1;
        }
        at
    };
    let start = floor(span.start);
    let mut end = floor(span.end).max(start);
    // An underline is for one line: a clause that spans many is shown by its first.
    if let Some(line) = text[start..end].find('\n') {
        end = start + line;
    }
    start..end
}
