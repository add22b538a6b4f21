//! Any text goes through the whole compiler: it is refused with errors, or its plans are sound, which the compiler proves.
#![no_main]

use std::sync::OnceLock;

use libfuzzer_sys::fuzz_target;
use scope_dsl::source::{NoImports, Source};
use scope_dsl::{Options, compile};
use scope_tests::Recorded;

fuzz_target!(|text: &str| {
    static KERNEL: OnceLock<Recorded> = OnceLock::new();
    let kernel = KERNEL.get_or_init(Recorded::open);
    let mut source = Source::new("fuzz", text);
    let arguments = vec!["17".to_owned(), "text".to_owned()];
    let options = Options { start: 1000, cpid: Some(4242), arguments, may_harm: true, ..Options::default() };
    let compiled = compile(&mut source, &NoImports, kernel, options);
    assert!(compiled.program.is_some() || !compiled.diagnostics.is_empty(), "refused without a word");
    let _ = scope::cli::render::render(&source, &compiled.diagnostics, false);
});
