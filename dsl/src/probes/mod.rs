//! Attach points to the places where a clause really runs: names looked up, wildcards expanded, the cheapest equal way
//! chosen. Each kind of probe is a [`Provider`] with a module of its own.

pub mod function;
mod interval;
pub mod iter;
mod pattern;
pub mod perf;
mod rawtracepoint;
pub mod site;
pub mod source_name;
mod tracepoint;
pub mod uprobe;
pub mod usdt;
pub mod watchpoint;

use std::collections::HashMap;

pub use pattern::{is_pattern, matches};
pub use site::{Given, Member, Site};

use crate::ast::{self, Name};
use crate::config::MissingProbes;
use crate::diagnostic::{Diagnostic, Diagnostics, Severity};
use crate::facts::KernelFacts;
use crate::fields::Field;
use crate::source::Span;
use crate::uses::Uses;

/// The code of the error that the machine has no such probes, which is no mistake of the script's.
pub const NOT_HERE: &str = "E0206";

/// A kind of probe.
pub struct Provider {
    /// Its name.
    pub name: &'static str,
    /// What it is called besides, the short form first; case does not matter in any of them.
    pub others: &'static [&'static str],
    /// How its probes are written.
    pub form: &'static str,
    /// Turns an attach point into sites.
    resolve: fn(&mut Resolver<'_>, &Point<'_>, &mut Draft),
    /// Gives the names of its probes, without its own; it may heed what is wanted of them.
    list: fn(&dyn KernelFacts, &str) -> Result<Vec<String>, String>,
}

/// Makes the table of providers: each a name, its other names, how its probes are written, what resolves them, what lists
/// them.
macro_rules! providers {
    ($($name:literal $others:expr, $form:literal, $resolve:path, $list:path;)*) => {
        &[$(Provider { name: $name, others: &$others, form: $form, resolve: $resolve, list: $list }),*]
    };
}

/// All providers.
pub const PROVIDERS: &[Provider] = providers! {
    "tracepoint" ["t"], "tracepoint:CATEGORY:NAME", tracepoint::resolve, tracepoint::list;
    "rawtracepoint" ["rt", "raw_tracepoint", "tp_btf"], "rawtracepoint:NAME", rawtracepoint::resolve, rawtracepoint::list;
    "kprobe" ["k"], "kprobe:FUNCTION", function::kprobe, function::list_kprobes;
    "kretprobe" ["kr"], "kretprobe:FUNCTION", function::kretprobe, function::list_kprobes;
    "fentry" ["f", "kfunc"], "fentry:FUNCTION", function::fentry, function::list_traced;
    "fexit" ["fr", "kretfunc"], "fexit:FUNCTION", function::fexit, function::list_traced;
    "uprobe" ["u"], "uprobe:BINARY:FUNCTION", uprobe::entry, uprobe::list;
    "uretprobe" ["ur"], "uretprobe:BINARY:FUNCTION", uprobe::exit, uprobe::list;
    "usdt" ["U"], "usdt:BINARY:PROVIDER:NAME", usdt::resolve, usdt::list;
    "profile" ["p"], "profile:hz:RATE", perf::profile, perf::list_profile;
    "interval" ["i"], "interval:UNIT:COUNT", interval::interval, interval::list_interval;
    "software" ["s"], "software:EVENT:COUNT", perf::software, perf::list_software;
    "hardware" ["h"], "hardware:EVENT:COUNT", perf::hardware, perf::list_hardware;
    "watchpoint" ["w"], "watchpoint:ADDRESS:LENGTH:MODE", watchpoint::resolve, watchpoint::list;
    "iter" ["it"], "iter:KIND", iter::resolve, iter::list;
    "BEGIN" [], "BEGIN", interval::begin, interval::list_alone;
    "END" [], "END", interval::end, interval::list_alone;
    "self" [], "self:signal:NAME", interval::signal, interval::list_signals;
};

impl Provider {
    /// Finds a provider by one of its names.
    #[must_use]
    pub fn named(name: &str) -> Option<&'static Provider> {
        let called = |provider: &&Provider| {
            std::iter::once(&provider.name).chain(provider.others).any(|known| known.eq_ignore_ascii_case(name))
        };
        // `U` is not `u`.
        let exactly = |provider: &&Provider| provider.others.contains(&name);
        PROVIDERS.iter().find(exactly).or_else(|| PROVIDERS.iter().find(called))
    }

    /// Gives the names of its probes, in no order; `wanted` is what a pattern says behind the provider.
    ///
    /// # Errors
    /// Why there is no telling, in words.
    pub fn list(&self, facts: &dyn KernelFacts, wanted: &str) -> Result<Vec<String>, String> {
        let full = |name: String| if name.is_empty() { self.name.to_owned() } else { format!("{}:{name}", self.name) };
        (self.list)(facts, wanted).map(|names| names.into_iter().map(full).collect())
    }
}

/// All clauses resolved, and the probes that they name.
#[derive(Debug, Default)]
pub struct Probes {
    /// For each clause, in source order, its sites, each with a plan of its own.
    pub clauses: Vec<Vec<Site>>,
    /// The names of the probes; a probe's number is its index.
    pub names: Vec<ProbeName>,
    /// The module whose functions are traced: its types lie apart from the kernel's.
    pub module: Option<String>,
}

/// What a probe is called.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProbeName {
    /// Its full name.
    pub full: String,
    /// What `probe` gives: the full name, or the one that the script gives it.
    pub shown: String,
    /// The number of the first probe on the same function: what `func` is, so that it is the same at all of them.
    pub function: usize,
}

impl ProbeName {
    /// The function that the probe is on, if it is on one.
    #[must_use]
    pub fn function_name(&self) -> &str {
        function_of(&self.full)
    }
}

/// The function in the full name of a probe: behind the provider and the binary, where a name of C++ holds colons of its own,
/// or behind the module; without an offset.
fn function_of(full: &str) -> &str {
    let of_program = full.starts_with('u');
    let name = if of_program { full.splitn(3, ':').nth(2) } else { full.rsplit(':').next() };
    let name = name.unwrap_or_default();
    let offset = |text: &str| crate::parse::literal::number(text).is_ok();
    name.rsplit_once('+').filter(|(_, behind)| offset(behind)).map_or(name, |(name, _)| name)
}

impl Probes {
    /// Whether a clause names arguments whose types only the kernel's type information tells.
    #[must_use]
    pub fn need_types(&self, script: &ast::Script) -> bool {
        script.clauses.iter().zip(&self.clauses).any(|(clause, sites)| {
            let uses = Uses::of(clause);
            let used = |field: &Field| uses.whole || uses.fields.contains(&field.name);
            sites.iter().any(|site| match site {
                Site::Tracepoint { fields, .. } => {
                    fields.iter().any(|field| field.declaration.starts_with("enum ") && used(field))
                }
                // What is returned lies behind the arguments: their number tells where.
                Site::Iter { .. } | Site::Traced { exit: true, .. } => true,
                site => uses.args && site.is_typed(),
            })
        })
    }
}

/// How sites are chosen.
#[derive(Clone, Copy, Debug)]
pub struct Choice {
    /// Take a cheaper way that means the same.
    pub rewrite: bool,
    /// What is done about a probe that does not exist.
    pub missing: MissingProbes,
    /// Probes at most.
    pub most: usize,
    /// Set probes that may end the process.
    pub may_harm: bool,
}

/// Resolves the attach points of all clauses.
pub fn resolve(script: &ast::Script, facts: &dyn KernelFacts, choice: Choice, errors: &mut Diagnostics) -> Probes {
    let mut resolver = Resolver {
        facts,
        choice,
        errors,
        names: Vec::new(),
        numbers: HashMap::new(),
        functions: HashMap::new(),
        alias: None,
        module: None,
        missed: Vec::new(),
    };
    let clauses = script.clauses.iter().map(|clause| resolver.clause(clause)).collect::<Vec<_>>();
    resolver.advise(script, &clauses);
    resolver.need_one(script, &clauses);
    resolver.limit(script);
    let Resolver { names, module, .. } = resolver;
    Probes { clauses, names, module }
}

/// An attach point as it is written.
struct Point<'a> {
    /// All of it, and where it stands.
    written: &'a Name,
    /// The provider's full name.
    provider: &'static str,
    /// The parts behind the provider.
    rest: Vec<&'a str>,
}

impl Point<'_> {
    /// The name of the probe, with the provider's full name.
    fn full(&self) -> String {
        format!("{}:{}", self.provider, self.rest.join(":"))
    }
}

/// A clause whose attach points are being resolved.
struct Draft {
    uses: Uses,
    sites: Vec<Site>,
    /// Tracepoints, which are turned into sites together.
    tracepoints: Vec<tracepoint::Found>,
}

impl Draft {
    /// How many probes it stands for so far.
    fn probes(&self) -> usize {
        self.sites.iter().map(Site::probes).sum::<usize>() + self.tracepoints.len()
    }
}

struct Resolver<'a> {
    facts: &'a dyn KernelFacts,
    choice: Choice,
    errors: &'a mut Diagnostics,
    names: Vec<ProbeName>,
    /// The numbers of the probes, by their full names and those that are shown.
    numbers: HashMap<(String, String), usize>,
    /// The first probe on each function.
    functions: HashMap<String, usize>,
    /// The name that the script gives the attach point that is being resolved.
    alias: Option<String>,
    /// The module whose functions are traced.
    module: Option<String>,
    /// Where probes stand that are missing, which is an error.
    missed: Vec<Span>,
}

/// The parts of an attach point between its colons; one in quotes is whole, with its quotes.
fn parts(text: &str) -> Vec<&str> {
    let mut quoted = false;
    text.split(|char: char| {
        quoted ^= char == '"';
        char == ':' && !quoted
    })
    .collect()
}

/// A part without the quotes around it.
fn unquoted(part: &str) -> &str {
    part.strip_prefix('"').and_then(|rest| rest.strip_suffix('"')).unwrap_or(part)
}

/// The name that a script gives an attach point, as `name=probe`, and the attach point without it.
fn unaliased(point: &Name) -> (Option<String>, Name) {
    let is_name = |text: &str| text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
    match point.text.split_once('=').filter(|(alias, _)| is_name(alias)) {
        Some((alias, rest)) => {
            let span = Span::new(point.span.end.saturating_sub(rest.len()), point.span.end);
            (Some(alias.to_owned()), Name { text: rest.to_owned(), span })
        }
        None => (None, point.clone()),
    }
}

impl Resolver<'_> {
    /// Where nothing is wrong but that some probes are missing, says how the script runs without them.
    fn advise(&mut self, script: &ast::Script, clauses: &[Vec<Site>]) {
        let is_missing = |error: &Diagnostic| self.missed.contains(&error.primary.0);
        let only_missing = self.errors.0.iter().all(|error| error.severity == Severity::Warning || is_missing(error));
        let mut points = script.clauses.iter().flat_map(|clause| &clause.points);
        // A bare name is mistyped rather than missing.
        let meant = points.all(|point| point.text.contains(':') || !self.missed.contains(&point.span));
        let some_left = clauses.iter().any(|sites| !sites.is_empty());
        if only_missing
            && meant
            && some_left
            && let Some(error) = self.errors.0.iter_mut().rfind(|error| is_missing(error))
        {
            error.help.push("`--config missing_probes=warn` runs the script without what is missing".to_owned());
        }
    }

    /// Says so where no probe is left. Where something is wrong, that was said.
    fn need_one(&mut self, script: &ast::Script, clauses: &[Vec<Site>]) {
        if clauses.iter().all(Vec::is_empty)
            && !self.errors.any_error()
            && let Some(first) = script.clauses.first()
        {
            let title = "this machine has none of the script's probes: nothing is left to trace";
            let error = Diagnostic::error(NOT_HERE, first.points[0].span, title, "the first of them");
            self.errors.push(error.help("`config = { missing_probes = error }` says of each what is wrong"));
        }
    }

    /// Says so where there are more probes than may be.
    fn limit(&mut self, script: &ast::Script) {
        let (number, most) = (self.names.len(), self.choice.most);
        if number > most {
            let title = format!("the script names {number} probes; the limit is {most}");
            let last = script.clauses.iter().rfind(|clause| !clause.of_all);
            let span = last.map_or_else(Default::default, |clause| clause.points[0].span);
            let help =
                format!("`config = {{ max_probes = {number} }}` or `--config max_probes={number}` allows so many");
            self.errors.push(Diagnostic::error("E0405", span, title, "").help(help));
        }
    }

    fn clause(&mut self, clause: &ast::Clause) -> Vec<Site> {
        let mut draft = Draft { uses: Uses::of(clause), sites: Vec::new(), tracepoints: Vec::new() };
        for point in &clause.points {
            let (alias, written) = &unaliased(point);
            let before = draft.probes();
            self.alias.clone_from(alias);
            let mut rest = parts(&written.text);
            let first = rest.remove(0);
            match Provider::named(first) {
                Some(provider) => {
                    (provider.resolve)(self, &Point { written, provider: provider.name, rest }, &mut draft);
                }
                None if rest.is_empty() => self.bare_tracepoint(written, first, &mut draft),
                None => self.unknown_provider(written, first),
            }
            if let Some(alias) = self.alias.take()
                && draft.probes() > before + 1
            {
                self.many_for_a_name(point, &alias, draft.probes() - before);
            }
        }
        self.gather_tracepoints(&mut draft);
        draft.sites
    }

    /// Says that a name is given to several probes.
    fn many_for_a_name(&mut self, point: &Name, alias: &str, probes: usize) {
        let title = format!("`{alias}` would be the name of {probes} probes");
        let error = Diagnostic::error("E0202", point.span, title, "a name is one probe's");
        self.errors.push(error.help("`probe` tells the probes of a pattern apart"));
    }

    /// The number of a probe.
    fn number(&mut self, full: String) -> usize {
        let shown = self.alias.clone().unwrap_or_else(|| full.clone());
        let next = self.names.len();
        let number = *self.numbers.entry((full.clone(), shown.clone())).or_insert(next);
        if number == next {
            let function = *self.functions.entry(function_of(&full).to_owned()).or_insert(next);
            self.names.push(ProbeName { full, shown, function });
        }
        number
    }

    /// What is given along where a probe is attached, to be asked for by the program ([`site::cookie`]).
    fn cookie(&self, probe: usize) -> u64 {
        site::cookie(probe, self.names[probe].function)
    }

    /// Whether nothing stands behind the provider, where nothing may.
    fn alone(&mut self, point: &Point<'_>) -> bool {
        if !point.rest.is_empty() {
            self.malformed(point, &format!("expected `{}` alone", point.provider), "it takes nothing behind it");
        }
        point.rest.is_empty()
    }

    /// Says that an attach point has not the form that its provider takes.
    fn malformed(&mut self, point: &Point<'_>, expected: &str, help: &str) {
        let title = format!("`{}` is malformed", point.written.text);
        self.errors.push(Diagnostic::error("E0202", point.written.span, title, expected).help(help));
    }

    /// Says that there is no such probe, and which are there.
    fn unknown<'n>(
        &mut self,
        point: &Point<'_>,
        label: &str,
        name: &str,
        known: impl IntoIterator<Item = &'n str>,
        list: &str,
    ) {
        self.missing(Resolver::unknown_error(point, label, name, known, list));
    }

    fn unknown_error<'n>(
        point: &Point<'_>,
        label: &str,
        name: &str,
        known: impl IntoIterator<Item = &'n str>,
        list: &str,
    ) -> Diagnostic {
        let title = format!("unknown probe `{}`", point.written.text);
        let error = Diagnostic::error("E0201", point.written.span, title, label).suggest(name, known);
        error.help(format!("there are {list}"))
    }

    /// Says that a pattern stands for nothing.
    fn no_match(&mut self, point: &Point<'_>) {
        let title = format!("no {} matches `{}`", point.provider, point.written.text);
        let error = Diagnostic::error("E0204", point.written.span, title, "");
        self.missing(error.help("`scope -l 'PATTERN'` lists the probes of this machine"));
    }

    /// Says that a probe is missing, if that is to be said.
    fn missing(&mut self, error: Diagnostic) {
        match self.choice.missing {
            MissingProbes::Error => {
                self.missed.push(error.primary.0);
                self.errors.push(error);
            }
            MissingProbes::Warn => {
                self.errors.push(Diagnostic { severity: Severity::Warning, code: "W0005", ..error });
            }
            MissingProbes::Ignore => {}
        }
    }

    fn unknown_provider(&mut self, point: &Name, provider: &str) {
        let title = format!("unknown probe `{}`", point.text);
        let names =
            PROVIDERS.iter().flat_map(|provider| std::iter::once(&provider.name).chain(provider.others)).copied();
        let forms = PROVIDERS.iter().map(|provider| format!("`{}`", provider.form)).collect::<Vec<_>>().join(", ");
        let error = Diagnostic::error("E0201", point.span, title, format!("no provider is called `{provider}`"));
        self.errors
            .push(error.suggest(provider, names).help(format!("probes are {forms}, or a tracepoint's bare name")));
    }
}
