//! Typed clauses to plans.

mod builder;
mod conditions;
mod probes;
mod statements;
mod storage;
mod texts;
mod words;

use indexmap::IndexMap;
use scope_common::plan::{MAP_SLOTS, MAX_DATA, MAX_FRAME, MAX_OPS};

use crate::checked::{Script, Statement};
use crate::diagnostic::{Diagnostic, Diagnostics};
use crate::facts::CompatFlag;
use crate::program::{Clause, Map, Program};
use crate::types::Type;
use builder::Builder;

/// What the plans are to hold that the script does not say.
#[derive(Clone, Copy, Debug, Default)]
pub struct Options {
    /// Only this process: the plans of kernel clauses begin with the test.
    pub pid: Option<u32>,
    /// The process id of the started command.
    pub cpid: Option<u32>,
    /// When the trace begins, in nanoseconds since boot.
    pub start: u64,
    /// How the kernel marks 32-bit system calls.
    pub compat: Option<CompatFlag>,
}

/// Lowers a checked script; a clause past a limit is an error.
pub fn lower(script: Script, options: Options, found: &mut Diagnostics) -> Program {
    let Script { maps, clauses, actions, probes } = script;
    let writers = |number: usize| {
        let kernel = clauses.iter().filter(|clause| !clause.site.in_userspace());
        kernel.filter(|clause| writes(&clause.body, number)).count()
    };
    let shared = (0..maps.len()).map(|number| writers(number) > 1).collect::<Vec<_>>();
    let maps = maps.into_iter().map(|(name, map)| {
        let storage = storage::of(&map);
        (name, Map { key: map.key, value: map.value, storage })
    });
    let maps = maps.collect::<IndexMap<_, _>>();
    let clauses = clauses.into_iter().map(|clause| {
        let mut lowerer = Lowerer {
            maps: &maps,
            shared: &shared,
            options,
            site: &clause.site,
            builder: Builder::default(),
            variables: Vec::new(),
            member: None,
        };
        lowerer.clause(&clause);
        let plan = lowerer.builder.finish();
        let needs = [("ops", plan.ops.len(), MAX_OPS), ("bytes of constants", plan.data.len(), MAX_DATA), ("bytes of frame", plan.frame, MAX_FRAME), ("map slots", plan.slots.len(), MAP_SLOTS)];
        for (what, need, limit) in needs {
            if need > limit {
                let title = format!("this clause needs {need} {what}; the limit is {limit}");
                found.push(Diagnostic::error("E0401", clause.span, title, "").help("split it into several clauses"));
            }
        }
        Clause { source: clause.source, site: clause.site, plan, span: clause.span }
    });
    let clauses = clauses.collect();
    Program { clauses, maps, actions, probes }
}

/// Whether statements write a map.
fn writes(statements: &[Statement], map: usize) -> bool {
    statements.iter().any(|statement| match statement {
        Statement::SetMap(place, _) | Statement::Add(place, _) | Statement::Aggregate(place, _) => place.map == map,
        Statement::If(_, then, otherwise) => writes(then, map) || writes(otherwise, map),
        _ => false,
    })
}

/// The lowering of one clause.
struct Lowerer<'a> {
    maps: &'a IndexMap<String, Map>,
    /// For each map, whether several kernel programs write it.
    shared: &'a [bool],
    options: Options,
    site: &'a crate::resolve::Site,
    builder: Builder,
    variables: Vec<Variable>,
    /// The register that holds the entry of a system call set's table.
    member: Option<u8>,
}

/// Where a scratch variable lives.
#[derive(Clone, Copy)]
enum Variable {
    /// In a register.
    Register(u8),
    /// In the frame, at this offset.
    Frame(u32),
    /// A text in the frame: offset and bytes.
    Text(u32, usize),
}

impl Lowerer<'_> {
    fn clause(&mut self, clause: &crate::checked::Clause) {
        let end = self.builder.label();
        self.prelude(end);
        if let Some(predicate) = &clause.predicate {
            self.branch(predicate, false, end, 0);
        }
        self.compat_check(end);
        self.place_variables(clause);
        self.statements(&clause.body, end);
        self.builder.place(end);
        self.builder.end();
    }

    fn place_variables(&mut self, clause: &crate::checked::Clause) {
        for (number, ty) in clause.variables.iter().enumerate() {
            let definite = assigned_first(&clause.body, number);
            let place = match ty {
                Type::Text { size } => {
                    let off = self.builder.keep(*size, true);
                    if !definite {
                        self.builder.zero(off, *size);
                    }
                    Variable::Text(off, *size)
                }
                _ => match self.builder.variable_register() {
                    Some(register) => {
                        if !definite {
                            self.builder.set(register, 0);
                        }
                        Variable::Register(register)
                    }
                    None => {
                        let off = self.builder.keep(8, false);
                        if !definite {
                            self.builder.store_imm(off, 0);
                        }
                        Variable::Frame(off)
                    }
                },
            };
            self.variables.push(place);
        }
    }
}

/// Whether a variable's first mention is an assignment that always happens; if not, it must start as zero, since the
/// machine, like the kernel's verifier, allows no read of what was never written.
fn assigned_first(body: &[Statement], variable: usize) -> bool {
    for statement in body {
        match statement {
            Statement::SetVariable(number, _) if *number == variable => return true,
            Statement::If(_, then, otherwise) if mentions(then, variable) || mentions(otherwise, variable) => return false,
            _ => {}
        }
    }
    false
}

fn mentions(body: &[Statement], variable: usize) -> bool {
    body.iter().any(|statement| match statement {
        Statement::SetVariable(number, _) => *number == variable,
        Statement::If(_, then, otherwise) => mentions(then, variable) || mentions(otherwise, variable),
        _ => false,
    })
}
