//! Typed clauses to plans.

mod areas;
mod builder;
mod conditions;
mod cost;
mod loops;
mod probes;
mod statements;
mod storage;
mod words;

use indexmap::IndexMap;
use scope_common::plan::{FAILURES, MAP_SLOTS, MAX_DATA, MAX_FRAME, MAX_OPS, Space};

use crate::checked::{Expr, ExprKind, Loop, Script, Statement};
use crate::config::Config;
use crate::diagnostic::{Diagnostic, Diagnostics};
use crate::facts::CompatFlag;
use crate::program::{Clause, Failure, Map, Program};
use crate::source::Span;
use crate::types::Type;
use builder::{Builder, Label};
pub use cost::{BUDGETS, Budget, KERNEL_ROUNDS};
pub use storage::{QUANTILES_K, linear_buckets};

/// What the plans are to hold that the script does not say.
#[derive(Clone, Copy, Debug)]
pub struct Options {
    /// Only this process: the plans of kernel clauses begin with the test.
    pub pid: Option<u32>,
    /// The process id of the started command.
    pub cpid: Option<u32>,
    /// When the trace begins, in nanoseconds since boot.
    pub start: u64,
    /// How the kernel marks 32-bit system calls.
    pub compat: Option<CompatFlag>,
    /// How many CPUs the machine can have.
    pub cpus: u32,
    /// Whether places where memory can't be read are told apart.
    pub failures: bool,
    /// What a plan may cost the verifier.
    pub budget: Budget,
}

/// Lowers a checked script; a clause past a limit is an error.
pub fn lower(script: Script, config: &Config, options: Options, found: &mut Diagnostics) -> Program {
    let Script { maps, clauses, actions, origins, probes } = script;
    let writers = |number: usize| {
        let kernel = clauses.iter().filter(|clause| !clause.site.in_userspace());
        kernel.filter(|clause| writes(&clause.body, number)).count()
    };
    let shared = (0..maps.len()).map(|number| writers(number) > 1).collect::<Vec<_>>();
    let maps = maps.into_iter().map(|(name, map)| {
        let storage = storage::of(&map, config);
        (name, Map { key: map.key, value: map.value, storage })
    });
    let maps = maps.collect::<IndexMap<_, _>>();
    let mut failures = Vec::new();
    let clauses = clauses.into_iter().map(|clause| {
        let mut lowerer = Lowerer {
            maps: &maps,
            shared: &shared,
            config,
            options,
            site: &clause.site,
            builder: Builder::default(),
            variables: Vec::new(),
            member: None,
            base: 0,
            loops: Vec::new(),
            open_ended: Lowerer::count_open_ended(&clause.body),
            problems: Vec::new(),
            failures: std::mem::take(&mut failures),
        };
        lowerer.clause(&clause);
        failures = std::mem::take(&mut lowerer.failures);
        lowerer.problems.drain(..).for_each(|problem| found.push(problem));
        let plan = lowerer.builder.finish();
        let needs = [
            ("ops", plan.ops.len(), MAX_OPS),
            ("bytes of constants", plan.data.len(), MAX_DATA),
            ("bytes of frame", plan.frame, MAX_FRAME),
            ("map slots", plan.slots.len(), MAP_SLOTS),
        ];
        for (what, need, limit) in needs {
            if need > limit {
                let title = format!("this clause needs {need} {what}; the limit is {limit}");
                found.push(Diagnostic::error("E0401", clause.span, title, "").help("split it into several clauses"));
            }
        }
        if !clause.site.in_userspace()
            && let Some(problem) = cost::check(&plan, options.budget.refused, clause.span)
        {
            found.push(problem);
        }
        Clause { source: clause.source, site: clause.site, plan, span: clause.span }
    });
    let clauses = clauses.collect();
    Program { clauses, maps, actions, origins, probes, config: config.clone(), failures }
}

/// Whether statements write a map.
fn writes(statements: &[Statement], map: usize) -> bool {
    statements.iter().any(|statement| match statement {
        Statement::SetMap(place, _) | Statement::Add(place, _) | Statement::Aggregate(place, _) => place.map == map,
        Statement::If(_, then, otherwise) => writes(then, map) || writes(otherwise, map),
        Statement::Loop(Loop { body, .. }) | Statement::Each { body, .. } => writes(body, map),
        Statement::SetVariable(_, value) | Statement::Evaluate(value) => writes_in(value, map),
        _ => false,
    })
}

/// Whether a value writes a map on its way, as `@x++` does.
fn writes_in(value: &Expr, map: usize) -> bool {
    match &value.kind {
        ExprKind::After(statements, value) => writes(statements, map) || writes_in(value, map),
        ExprKind::Alu(_, left, right) | ExprKind::And(left, right) | ExprKind::Or(left, right) => {
            writes_in(left, map) || writes_in(right, map)
        }
        // Elsewhere it may hide deeper; to take it for a writer costs little.
        ExprKind::Tuple(values) => values.iter().any(|value| writes_in(value, map)),
        ExprKind::Choose(..) | ExprKind::As(_) | ExprKind::Not(_) => true,
        _ => false,
    }
}

/// The lowering of one clause.
struct Lowerer<'a> {
    maps: &'a IndexMap<String, Map>,
    /// For each map, whether several kernel programs write it.
    shared: &'a [bool],
    config: &'a Config,
    options: Options,
    site: &'a crate::probes::Site,
    builder: Builder,
    variables: Vec<Variable>,
    /// The register that holds the entry of a system call set's table.
    member: Option<u8>,
    /// The first register that a statement may use: those below hold values of the expression around it.
    base: u8,
    /// The loops around, the innermost last.
    loops: Vec<Around>,
    /// How many loops of the clause have rounds that only the run knows.
    open_ended: u64,
    problems: Vec<Diagnostic>,
    /// The places that read memory, if they are told apart.
    failures: Vec<Failure>,
}

/// Where a loop is left, and where its next round begins.
#[derive(Clone, Copy)]
struct Around {
    leave: Label,
    next: Label,
}

/// Where a scratch variable lives.
#[derive(Clone)]
enum Variable {
    /// In a register.
    Register(u8),
    /// In the frame, at this offset.
    Frame(u32),
    /// An area in the frame: offset and type.
    Area(u32, Type),
}

impl Lowerer<'_> {
    /// The failure that is counted where memory can't be read, as it stands in an op's immediate; 0 for none. A script
    /// with more places than there are counters has the last of them share one.
    fn failure(&mut self, span: Span, space: u64, text: bool) -> u64 {
        if !self.options.failures || self.site.in_userspace() {
            return 0;
        }
        let helper = match (space == Space::User as u64, text) {
            (true, true) => "probe_read_user_str",
            (true, false) => "probe_read_user",
            (false, true) => "probe_read_kernel_str",
            (false, false) => "probe_read_kernel",
        };
        let failure = Failure { span, helper };
        let known = self.failures.iter().position(|have| *have == failure);
        let index = known.unwrap_or_else(|| {
            if self.failures.len() < FAILURES {
                self.failures.push(failure);
            }
            self.failures.len() - 1
        });
        (index as u64 + 1) << 48
    }

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

    /// A variable is given a value in its block before it is read there, so none has to start as zero.
    fn place_variables(&mut self, clause: &crate::checked::Clause) {
        for ty in &clause.variables {
            let place = match ty {
                ty if !ty.is_word() => Variable::Area(self.builder.keep(ty.size(), true), ty.clone()),
                _ => match self.builder.variable_register() {
                    Some(register) => Variable::Register(register),
                    None => Variable::Frame(self.builder.keep(8, false)),
                },
            };
            self.variables.push(place);
        }
    }
}
