//! Any text is parsed, to a script or to errors that can be drawn.
#![no_main]

use libfuzzer_sys::fuzz_target;
use scope_dsl::source::Source;

fuzz_target!(|text: &str| {
    let parsed = scope_dsl::parse(text, 0);
    let source = Source::new("fuzz", text);
    let drawn = scope::cli::render::render(&source, &parsed.diagnostics, false);
    assert!(parsed.diagnostics.is_empty() || !drawn.is_empty());
});
