//! Names and types: an [`ast::Script`] and its resolved probes to a [`checked::Script`](crate::checked::Script).
//!
//! A clause is checked once for each of its sites, since what `args` holds differs. The whole script is checked again
//! until the types of its maps and variables stop growing: a clause may read what a later one writes.

mod actions;
mod aggregations;
mod arguments;
mod builtins;
mod calls;
mod constants;
mod expr;
mod loops;
mod maps;
mod memory;
mod operators;
mod places;
mod probe_args;
mod statement;
mod texts;
mod variables;
mod words;

use std::collections::{BTreeMap, HashMap};
use std::rc::Rc;

use scope_common::plan::MAX_MAPS;

use crate::ast;
use crate::checked::{Action, Clause, ExprKind, Script};
use crate::config::Config;
use crate::ctypes::{TypeId, Types};
use crate::diagnostic::{Diagnostic, Diagnostics};
use crate::facts::KernelFacts;
use crate::lints;
use crate::probes::{Probes, Site};
use crate::source::Span;
use crate::types::{Enum, Space, Type};
pub(crate) use arguments::counted;
pub use arguments::{is_apart, length};
use maps::Maps;
use variables::Scopes;
pub(crate) use words::argument_number;

/// What the checker must know of the run.
#[derive(Clone, Debug, Default)]
pub struct Context {
    /// Whether a command is started, for `cpid`.
    pub has_command: bool,
    /// What `$1`, `$2`, ... stand for.
    pub arguments: Vec<String>,
    /// What the script's own options were given, by name.
    pub options: BTreeMap<String, String>,
    /// Whether functions may be used that do something to the machine.
    pub may_harm: bool,
}

/// An option that a script asks for by `getopt`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ScriptOption {
    /// Its name, without dashes.
    pub name: String,
    /// Its default, as it is written.
    pub default: String,
    /// What it is, for people.
    pub summary: String,
}

/// What checking came to.
pub struct Checked {
    /// The script, if there was no error.
    pub script: Option<Script>,
    /// The options that it has.
    pub options: Vec<ScriptOption>,
}

/// Everything that stays the same while a script is checked.
pub struct Given<'a> {
    /// The script.
    pub script: &'a ast::Script,
    /// Its probes.
    pub probes: &'a Probes,
    /// The run.
    pub context: &'a Context,
    /// The settings.
    pub config: &'a Config,
    /// The types of C.
    pub types: &'a Types,
    /// The machine.
    pub facts: &'a dyn KernelFacts,
}

/// Checks a script; errors and warnings are added to what was found.
pub fn check(given: &Given<'_>, found: &mut Diagnostics) -> Checked {
    let functions = script_functions(given.script, found);
    let mut state = State::default();
    maps::declare(given.script, &mut state.maps, found);
    // Each pass joins at least one type further; types are few and only grow, so this ends. The bound is a net.
    let mut guess = false;
    let mut unknown = 0;
    for _ in 0..64 {
        let mut start = state.clone();
        if unknown > 0 {
            // Where something had no type, less was looked at, and variables have other numbers now.
            start.variables.clear();
        }
        let mut checker = Checker {
            given,
            functions: &functions,
            state: start,
            errors: Diagnostics::default(),
            actions: Vec::new(),
            origins: Vec::new(),
            options: Vec::new(),
            enums: HashMap::new(),
            clause: ClauseState::default(),
            guess,
            unknown: 0,
        };
        let clauses = checker.script();
        let had_unknown = std::mem::replace(&mut unknown, checker.unknown) > 0;
        if checker.state != state || (had_unknown && unknown == 0) {
            state = checker.state;
            continue;
        }
        // What nothing but itself decides is a number: `@x = @x + 1`.
        if checker.unknown > 0 && !guess {
            guess = true;
            continue;
        }
        let Checker { errors, actions, origins, state, options, .. } = checker;
        errors.0.into_iter().for_each(|error| found.push(error));
        let maps = state.maps.finish(given.config, found);
        if maps.len() > MAX_MAPS {
            let title = format!("the script has {} maps; the limit is {MAX_MAPS}", maps.len());
            found.push(Diagnostic::error("E0402", maps[MAX_MAPS].span, title, "the first too many"));
        }
        let probes = given.probes.names.clone();
        let script = (!found.any_error()).then_some(Script { maps, clauses, actions, origins, probes });
        return Checked { script, options };
    }
    unreachable!("the types of a script grow without end")
}

/// The script's own functions, by name, with how many parameters they take.
fn script_functions(script: &ast::Script, found: &mut Diagnostics) -> HashMap<String, ast::Function> {
    let mut functions = HashMap::<String, ast::Function>::new();
    for function in &script.functions {
        let name = &function.name;
        if crate::functions::Row::named(&name.text).is_some() {
            let title = format!("`{}` is a function of the language", name.text);
            found.push(Diagnostic::error("E0301", name.span, title, "choose another name"));
        } else if let Some(first) = functions.get(&name.text) {
            let title = format!("there are two functions `{}`", name.text);
            let error = Diagnostic::error("E0301", name.span, title, "the second");
            found.push(error.also(first.name.span, "the first"));
        } else {
            functions.insert(name.text.clone(), function.clone());
        }
    }
    functions
}

/// What is known of types so far; passes repeat until it stays the same.
#[derive(Clone, Debug, Default, PartialEq)]
struct State {
    maps: Maps,
    /// The scratch variables of each source clause, by number; the type of one that has no value yet is not known.
    variables: HashMap<usize, Vec<Option<Type>>>,
}

struct Checker<'a> {
    given: &'a Given<'a>,
    functions: &'a HashMap<String, ast::Function>,
    state: State,
    errors: Diagnostics,
    actions: Vec<Action>,
    origins: Vec<usize>,
    options: Vec<ScriptOption>,
    /// The enums that were met, so that all their values share one description.
    enums: HashMap<TypeId, Rc<Enum>>,
    clause: ClauseState,
    /// Whether what is read and has no type yet is taken for a number: only when nothing else changes any more, or a guess
    /// would stand beside what turns out later.
    guess: bool,
    /// How often something was read that has no type yet.
    unknown: usize,
}

/// What is known while one clause is checked.
#[derive(Default)]
struct ClauseState {
    source: usize,
    site: Option<Site>,
    scopes: Scopes,
    /// Whether an expression is only looked at for its type: nothing is read.
    types_only: bool,
    /// Variables that may be read where nothing gave them a value: they start as nothing.
    blank: Vec<usize>,
    /// Blocks that `unroll` came to.
    unrolled: usize,
}

impl Checker<'_> {
    fn script(&mut self) -> Vec<Clause> {
        let mut clauses = Vec::new();
        let given = self.given;
        for (source, (clause, sites)) in given.script.clauses.iter().zip(&given.probes.clauses).enumerate() {
            for site in sites {
                let checked = self.clause(source, clause, site);
                // What an option or the kind of a value leaves out costs nothing; what says so itself is only warned of.
                let never = matches!(&checked.predicate, Some(crate::checked::Expr { kind: ExprKind::Int(0), .. }));
                if !never || clause.predicate.as_ref().is_some_and(lints::only_literals) {
                    clauses.push(checked);
                }
            }
        }
        clauses
    }

    fn clause(&mut self, source: usize, clause: &ast::Clause, site: &Site) -> Clause {
        self.clause = ClauseState { source, site: Some(site.clone()), ..ClauseState::default() };
        let only = self.given.script.only.as_ref().filter(|_| !clause.of_all && site.in_its_task());
        let only = match site {
            Site::Iter { .. } => self.has_object(clause.span),
            _ => only.and_then(|only| self.condition(only)),
        };
        let predicate = clause.predicate.as_ref().and_then(|predicate| self.condition(predicate));
        if let (Some(written), Some(predicate)) = (&clause.predicate, &predicate) {
            self.warn_of_known(written, predicate);
        }
        let predicate = match (only, predicate) {
            (Some(only), Some(predicate)) => {
                let kind = ExprKind::And(Box::new(only), Box::new(predicate));
                Some(crate::checked::Expr { kind, ty: Type::Bool, span: clause.span })
            }
            (only, predicate) => only.or(predicate),
        };
        let block = self.block(&clause.body);
        let blank = std::mem::take(&mut self.clause.blank);
        let mut body = blank.into_iter().map(|number| self.blank_variable(number, clause.span)).collect::<Vec<_>>();
        body.extend(block);
        let variables = self.state.variables.get(&source).cloned().unwrap_or_default();
        let variables = variables.into_iter().map(|ty| ty.unwrap_or(Type::SIGNED)).collect();
        Clause { source, site: site.clone(), predicate, body, variables, span: clause.span }
    }

    /// A predicate of nothing but literals decides nothing.
    fn warn_of_known(&mut self, written: &ast::Expr, predicate: &crate::checked::Expr) {
        let ExprKind::Int(value) = predicate.kind else { return };
        if !lints::only_literals(written) {
            return;
        }
        let (title, label) = match value {
            0 => ("this clause never runs", "always false"),
            _ => ("this predicate decides nothing", "always true"),
        };
        self.errors.push(Diagnostic::warning("W0008", written.span, title, label));
    }

    fn site(&self) -> &Site {
        self.clause.site.as_ref().expect("a clause is being checked")
    }

    fn in_userspace(&self) -> bool {
        self.site().in_userspace()
    }

    /// Whether something would be read of a process where there is none: there is the kernel to read from.
    fn reads_in_vain(&self, space: Space) -> bool {
        self.in_userspace() && space == Space::User && !self.clause.types_only
    }

    /// Says that something has no meaning in a clause of userspace, and where it has.
    fn not_in_userspace(&mut self, title: &str, span: Span) {
        let error = Diagnostic::error("E0317", span, title, "BEGIN, END, interval and signals run in scope itself");
        self.error(error.help(
            "it works in a clause that a process runs: at a system call, at a function, or `profile:hz:1 /pid == N/`",
        ));
    }

    fn error(&mut self, error: Diagnostic) {
        self.errors.push(error);
    }
}
