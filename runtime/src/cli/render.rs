//! Diagnostics as people see them: the source line, the place underlined, what to do.

use annotate_snippets::{AnnotationKind, Group, Level, Renderer, Snippet};
use scope_dsl::diagnostic::{Diagnostic, Severity};
use scope_dsl::source::{Source, Span};

/// Renders diagnostics, one below the other.
#[must_use]
pub fn render(source: &Source, diagnostics: &[Diagnostic], colour: bool) -> String {
    let renderer = if colour { Renderer::styled() } else { Renderer::plain() };
    let pages = diagnostics.iter().map(|diagnostic| renderer.render(&page(source, diagnostic)));
    pages.map(|page| page + "\n").collect::<Vec<_>>().join("\n")
}

fn page<'a>(source: &'a Source, diagnostic: &'a Diagnostic) -> Vec<Group<'a>> {
    let level = match diagnostic.severity {
        Severity::Error => Level::ERROR,
        Severity::Warning => Level::WARNING,
    };
    let (span, label) = &diagnostic.primary;
    let mut snippet = Snippet::source(&source.text).path(&source.name).fold(true);
    let mut place = AnnotationKind::Primary.span(range(source, *span));
    if !label.is_empty() {
        place = place.label(label);
    }
    snippet = snippet.annotation(place);
    for (span, label) in &diagnostic.related {
        snippet = snippet.annotation(AnnotationKind::Context.span(range(source, *span)).label(label));
    }
    let title = level.primary_title(&diagnostic.title).id(diagnostic.code);
    let mut groups = vec![title.element(snippet)];
    groups.extend(diagnostic.help.iter().map(|help| Group::with_title(Level::HELP.secondary_title(help))));
    groups
}

/// The bytes of a place, kept inside the text and on character boundaries.
fn range(source: &Source, span: Span) -> std::ops::Range<usize> {
    let text = &source.text;
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
