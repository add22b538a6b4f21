//! The language: text to plans, in stages that each have a module.
//!
//! [`parse`] gives an [`ast::Script`], [`resolve`] finds where its clauses run, [`check`] gives it types,
//! [`lower`] makes [`program::Plan`]s of it, [`verify`] proves them sound. Nothing here does I/O or knows a kernel:
//! what must be known of the machine comes through [`facts::KernelFacts`].

pub mod ast;
mod brackets;
pub mod builtins;
pub mod check;
pub mod checked;
pub mod diagnostic;
pub mod facts;
pub mod fields;
pub mod functions;
pub mod limits;
mod literal;
pub mod lower;
mod parse;
pub mod printf;
pub mod program;
pub mod resolve;
pub mod source;
pub mod types;
mod uses;
pub mod verify;

use diagnostic::{Diagnostic, Diagnostics};
use facts::KernelFacts;
pub use parse::parse;
use program::Program;

/// How a script is compiled.
#[derive(Clone, Debug)]
pub struct Options {
    /// Gather sets of `syscalls:` tracepoints into raw programs.
    pub rewrite: bool,
    /// Only this process.
    pub pid: Option<u32>,
    /// The process id of the started command.
    pub cpid: Option<u32>,
    /// When the trace begins, in nanoseconds since boot.
    pub start: u64,
    /// What `$1`, `$2`, ... stand for.
    pub arguments: Vec<String>,
}

impl Default for Options {
    fn default() -> Options {
        Options { rewrite: true, pid: None, cpid: None, start: 0, arguments: Vec::new() }
    }
}

/// A compiled script, or why there is none; and what is worth saying in either case.
#[derive(Debug)]
pub struct Compiled {
    /// The program, if there was no error.
    pub program: Option<Program>,
    /// The rhai functions of the script.
    pub functions: Vec<ast::Function>,
    /// Errors and warnings.
    pub diagnostics: Vec<Diagnostic>,
}

/// Compiles a script, through all stages.
///
/// # Panics
/// If the lowering made a plan that [`verify`] refuses: a bug, shown with the plan.
#[must_use]
pub fn compile(text: &str, facts: &dyn KernelFacts, options: Options) -> Compiled {
    let script = match parse(text) {
        Ok(script) => script,
        Err(diagnostics) => return Compiled { program: None, functions: Vec::new(), diagnostics },
    };
    let mut found = Diagnostics::default();
    let probes = resolve::resolve(&script, facts, resolve::Choice { rewrite: options.rewrite }, &mut found);
    let context = check::Context { has_command: options.cpid.is_some(), arguments: options.arguments };
    let checked = check::check(&script, &probes, &context, &mut found);
    let program = checked.map(|checked| {
        let sets = checked.clauses.iter().any(|clause| matches!(clause.site, resolve::Site::SyscallSet { .. }));
        let compat = match if sets { facts.compat() } else { facts::Compat::Absent } {
            facts::Compat::Marked(flag) => Some(flag),
            facts::Compat::Absent | facts::Compat::Unknown => None,
        };
        let options = lower::Options { pid: options.pid, cpid: options.cpid, start: options.start, compat };
        lower::lower(checked, options, &mut found)
    });
    let program = program.filter(|_| !found.any_error());
    for clause in program.iter().flat_map(|program| &program.clauses) {
        let maps = program.as_ref().map(|program| &program.maps);
        let sound = verify::verify(&clause.plan, |number| maps?.get_index(number).map(|(_, map)| map));
        if let Err(problem) = sound {
            panic!("the plan of the clause at byte {} is unsound: {problem}\n{}", clause.span.start, clause.plan);
        }
    }
    let mut diagnostics = found.0;
    diagnostics.sort_by_key(|diagnostic| diagnostic.primary.0.start);
    Compiled { program, functions: script.functions, diagnostics }
}
