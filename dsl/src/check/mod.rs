//! Names and types: an [`ast::Script`] and its resolved probes to a [`checked::Script`].
//!
//! A clause is checked once for each of its sites, since what `args` holds differs. The whole script is checked again
//! until the types of its maps and variables stop growing: a clause may read what a later one writes.

mod arguments;
mod calls;
mod expr;
mod maps;
mod statement;

use std::collections::{HashMap, HashSet};

use indexmap::IndexMap;
use scope_common::plan::MAX_MAPS;

use crate::ast;
use crate::checked::{Action, Clause, Script};
use crate::diagnostic::{Diagnostic, Diagnostics};
use crate::resolve::{Probes, Site};
use crate::types::Type;
use maps::Maps;

/// What the checker must know of the run.
#[derive(Clone, Debug, Default)]
pub struct Context {
    /// Whether a command is started, for `cpid`.
    pub has_command: bool,
    /// What `$1`, `$2`, ... stand for.
    pub arguments: Vec<String>,
}

/// Checks a script. Gives `None` if an error was found; warnings are added all the same.
pub fn check(script: &ast::Script, probes: &Probes, context: &Context, found: &mut Diagnostics) -> Option<Script> {
    let functions = script_functions(script, found);
    let mut state = State::default();
    maps::declare(script, &mut state.maps, found);
    // Each pass joins at least one type further; types are few and only grow, so this ends. The bound is a net.
    for _ in 0..64 {
        let mut checker = Checker {
            functions: &functions,
            context,
            state: state.clone(),
            errors: Diagnostics::default(),
            actions: Vec::new(),
            clause: ClauseState::default(),
        };
        let clauses = checker.script(script, probes);
        if checker.state == state {
            let Checker { errors, actions, state, .. } = checker;
            errors.0.into_iter().for_each(|error| found.push(error));
            let maps = state.maps.finish(found);
            if maps.len() > MAX_MAPS {
                let title = format!("the script has {} maps; the limit is {MAX_MAPS}", maps.len());
                found.push(Diagnostic::error("E0402", maps[MAX_MAPS].span, title, "the first too many"));
            }
            let probes = probes.names.clone();
            return (!found.any_error()).then_some(Script { maps, clauses, actions, probes });
        }
        state = checker.state;
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
    /// The scratch variables of each source clause.
    variables: HashMap<usize, IndexMap<String, Type>>,
}

struct Checker<'a> {
    functions: &'a HashMap<String, ast::Function>,
    context: &'a Context,
    state: State,
    errors: Diagnostics,
    actions: Vec<Action>,
    clause: ClauseState,
}

/// What is known while one clause is checked.
#[derive(Default)]
struct ClauseState {
    source: usize,
    site: Option<Site>,
    assigned: HashSet<String>,
}

impl Checker<'_> {
    fn script(&mut self, script: &ast::Script, probes: &Probes) -> Vec<Clause> {
        let mut clauses = Vec::new();
        for (source, (clause, resolved)) in script.clauses.iter().zip(&probes.clauses).enumerate() {
            for site in &resolved.sites {
                clauses.push(self.clause(source, clause, site));
            }
        }
        clauses
    }

    fn clause(&mut self, source: usize, clause: &ast::Clause, site: &Site) -> Clause {
        self.clause = ClauseState { source, site: Some(site.clone()), assigned: HashSet::new() };
        let predicate = clause.predicate.as_ref().and_then(|predicate| self.condition(predicate));
        let mut body = Vec::new();
        self.block(&clause.body, &mut body);
        let variables = self.state.variables.get(&source).map_or_else(Vec::new, |names| names.values().cloned().collect());
        Clause { source, site: site.clone(), predicate, body, variables, span: clause.span }
    }

    fn site(&self) -> &Site {
        self.clause.site.as_ref().expect("a clause is being checked")
    }

    fn in_userspace(&self) -> bool {
        self.site().in_userspace()
    }

    fn error(&mut self, error: Diagnostic) {
        self.errors.push(error);
    }
}
