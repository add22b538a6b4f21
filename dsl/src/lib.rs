//! The language: text to plans, in stages that each have a module.
//!
//! [`parse`] gives an [`ast::Script`], [`expand`] puts macros in place, [`probes`] finds where its clauses run, [`check`]
//! gives it types, [`lower`] makes [`program::Plan`]s of it, [`verify`] proves them sound. Nothing here does I/O or knows a
//! kernel: what must be known of the machine comes through [`facts::KernelFacts`].

pub mod ast;
pub mod builtins;
pub mod check;
pub mod checked;
pub mod config;
pub mod constants;
pub mod ctypes;
pub mod diagnostic;
pub mod expand;
pub mod explain;
pub mod facts;
pub mod fields;
pub mod format;
pub mod functions;
pub mod limits;
mod lints;
pub mod lower;
pub mod only;
mod parse;
pub mod printf;
pub mod probes;
pub mod program;
pub mod registers;
pub mod source;
pub mod types;
mod uses;
pub mod verify;

use std::collections::BTreeMap;

use check::ScriptOption;
use config::{Config, Refused};
use diagnostic::{Diagnostic, Diagnostics};
use facts::KernelFacts;
pub use parse::{Parsed, parse};
use program::Program;
use source::{Importer, Source};

/// How a script is compiled.
#[derive(Clone, Debug)]
pub struct Options {
    /// Gather sets of `syscalls:` tracepoints into raw programs.
    pub rewrite: bool,
    /// Only this process.
    pub pid: Option<u32>,
    /// Only these tasks.
    pub only: only::Only,
    /// The process id of the started command.
    pub cpid: Option<u32>,
    /// When the trace begins, in nanoseconds since boot.
    pub start: u64,
    /// What `$1`, `$2`, ... stand for.
    pub arguments: Vec<String>,
    /// What the script's own options were given, by name.
    pub options: BTreeMap<String, String>,
    /// Settings that go before those of the script, with where they come from.
    pub settings: Vec<(String, String)>,
    /// Allow functions that do something to the machine.
    pub may_harm: bool,
    /// Tell apart the places where memory can't be read.
    pub failures: bool,
    /// What a clause may cost the kernel's verifier.
    pub budget: lower::Budget,
    /// Give the checked script in a form for people too.
    pub show_checked: bool,
}

impl Default for Options {
    fn default() -> Options {
        Options {
            rewrite: true,
            pid: None,
            only: only::Only::default(),
            cpid: None,
            start: 0,
            arguments: Vec::new(),
            options: BTreeMap::new(),
            settings: Vec::new(),
            may_harm: false,
            failures: false,
            budget: lower::BUDGETS[0],
            show_checked: false,
        }
    }
}

/// A compiled script, or why there is none; and what is worth saying in either case.
#[derive(Debug)]
pub struct Compiled {
    /// The program, if there was no error.
    pub program: Option<Program>,
    /// The script as it was parsed, imports and macros in place.
    pub script: ast::Script,
    /// The checked script in a form for people, if that was asked for.
    pub checked: String,
    /// The script's own options.
    pub options: Vec<ScriptOption>,
    /// Errors and warnings.
    pub diagnostics: Vec<Diagnostic>,
}

/// Compiles a script, through all stages. What it imports is added to the source.
///
/// # Panics
/// If the lowering made a plan that [`verify`] refuses: a bug, shown with the plan.
#[must_use]
pub fn compile(source: &mut Source, importer: &dyn Importer, facts: &dyn KernelFacts, options: Options) -> Compiled {
    let mut found = Diagnostics::default();
    let mut script = source::load(source, importer, &mut found);
    if found.any_error() {
        return Compiled {
            program: None,
            script,
            checked: String::new(),
            options: Vec::new(),
            diagnostics: sorted(found),
        };
    }
    options.only.add_to(&mut script, source, &mut found);
    expand::expand(&mut script, &mut found);
    let config = configure(&script, &options.settings, &mut found);
    let choice = probes::Choice {
        rewrite: options.rewrite,
        missing: config.missing_probes,
        most: config.max_probes,
        may_harm: options.may_harm,
    };
    let probes = probes::resolve(&script, facts, choice, &mut found);
    // To look the kernel's types up takes milliseconds, which a script that can't use them does not pay.
    let needs_types = uses::needs_types(&script) || probes.need_types(&script);
    let types = ctypes::Types::new(needs_types.then(|| facts.btf(probes.module.as_deref())).flatten());
    if let Err(errors) = types.declare(&script.types) {
        errors.into_iter().for_each(|error| found.push(error));
    }
    let context = check::Context {
        has_command: options.cpid.is_some(),
        arguments: options.arguments,
        options: options.options,
        may_harm: options.may_harm,
    };
    let given =
        check::Given { script: &script, probes: &probes, context: &context, config: &config, types: &types, facts };
    let checked = check::check(&given, &mut found);
    if !found.any_error() {
        lints::look(&script, &mut found);
    }
    let shown = checked.script.as_ref().filter(|_| options.show_checked).map(|script| format!("{script:#?}"));
    let shown = shown.unwrap_or_default();
    let program = checked.script.map(|checked| {
        let sets = checked.clauses.iter().any(|clause| matches!(clause.site, probes::Site::SyscallSet { .. }));
        let compat = match if sets { facts.compat() } else { facts::Compat::Absent } {
            facts::Compat::Marked(flag) => Some(flag),
            facts::Compat::Absent | facts::Compat::Unknown => None,
        };
        let options = lower::Options {
            pid: options.pid,
            cpid: options.cpid,
            start: options.start,
            compat,
            cpus: facts.cpus(),
            failures: options.failures,
            budget: options.budget,
        };
        lower::lower(checked, &config, options, &mut found)
    });
    let program = program.filter(|_| !found.any_error());
    for clause in program.iter().flat_map(|program| &program.clauses) {
        let maps = program.as_ref().map(|program| &program.maps);
        let sound = verify::verify(&clause.plan, |number| maps?.get_index(number).map(|(_, map)| map));
        if let Err(problem) = sound {
            panic!("the plan of the clause at byte {} is unsound: {problem}\n{}", clause.span.start, clause.plan);
        }
    }
    Compiled { program, script, checked: shown, options: checked.options, diagnostics: sorted(found) }
}

fn sorted(found: Diagnostics) -> Vec<Diagnostic> {
    let mut diagnostics = found.0;
    diagnostics.sort_by_key(|diagnostic| diagnostic.primary.0.start);
    diagnostics
}

/// The settings: those of the script, then those from outside, which go before.
fn configure(script: &ast::Script, outer: &[(String, String)], found: &mut Diagnostics) -> Config {
    let mut config = Config::default();
    for setting in &script.settings {
        let (name, value) = (&setting.name, &setting.value);
        match config.set(&name.text.to_ascii_lowercase(), &value.text) {
            Ok(()) => {}
            Err(Refused::Unknown) => {
                let names = config::TABLE.iter().map(|row| row.name);
                let error = Diagnostic::error("E0406", name.span, format!("there is no setting `{}`", name.text), "");
                found.push(error.suggest(&name.text, names));
            }
            Err(Refused::Value(values)) => {
                let title = format!("`{}` can't be `{}`", name.text, value.text);
                found.push(Diagnostic::error("E0409", value.span, title, format!("expected {values}")));
            }
        }
    }
    for (name, value) in outer {
        // The command line has checked them.
        let _ = config.set(name, value);
    }
    config
}
