//! Attach points to the places where a clause really runs: names looked up, wildcards expanded, sets of system call
//! tracepoints gathered into one raw program.

use std::collections::HashMap;
use std::rc::Rc;

use crate::ast::{self, Name};
use crate::config::MissingProbes;
use crate::diagnostic::{Diagnostic, Diagnostics};
use crate::facts::{Compat, KernelFacts};
use crate::fields::{self, Field};
use crate::uses::Uses;

/// Where one plan runs.
#[derive(Clone, Debug)]
pub enum Site {
    /// Once, before anything is attached; in userspace.
    Begin {
        /// The number of the probe.
        probe: usize,
    },
    /// Once, after all is detached; in userspace.
    End {
        /// The number of the probe.
        probe: usize,
    },
    /// Again and again; in userspace.
    Interval {
        /// The number of the probe.
        probe: usize,
        /// The period in nanoseconds.
        nanos: u64,
    },
    /// At a tracepoint, with its record as context.
    Tracepoint {
        /// The number of the probe.
        probe: usize,
        /// The subsystem.
        category: String,
        /// The event.
        name: String,
        /// Its fields; empty if the clause uses none.
        fields: Rc<Vec<Field>>,
    },
    /// At `raw_syscalls:sys_enter` or `sys_exit`, as a raw tracepoint: the same events, cheaper.
    RawSyscalls {
        /// The number of the probe.
        probe: usize,
        /// Whether it is `sys_exit`.
        exit: bool,
    },
    /// At many `syscalls:sys_enter_*` or `sys_exit_*` tracepoints, as one raw tracepoint that looks the number up.
    SyscallSet {
        /// Whether they are exits.
        exit: bool,
        /// The members.
        members: Rc<Vec<Member>>,
    },
}

/// One system call tracepoint of a set.
#[derive(Clone, Debug)]
pub struct Member {
    /// The number of the system call.
    pub number: u32,
    /// The number of the probe.
    pub probe: usize,
    /// Its fields; empty if the clause uses none.
    pub fields: Vec<Field>,
}

impl Site {
    /// Whether the clause runs in userspace.
    #[must_use]
    pub fn in_userspace(&self) -> bool {
        matches!(self, Site::Begin { .. } | Site::End { .. } | Site::Interval { .. })
    }

    /// The number of the probe; of a set's first.
    #[must_use]
    pub fn probe(&self) -> usize {
        match self {
            Site::Begin { probe } | Site::End { probe } | Site::Interval { probe, .. } => *probe,
            Site::Tracepoint { probe, .. } | Site::RawSyscalls { probe, .. } => *probe,
            Site::SyscallSet { members, .. } => members.first().map_or(0, |member| member.probe),
        }
    }

    /// The kind of probe, as it is written.
    #[must_use]
    pub fn provider(&self) -> &'static str {
        match self {
            Site::Begin { .. } => "BEGIN",
            Site::End { .. } => "END",
            Site::Interval { .. } => "interval",
            Site::Tracepoint { .. } | Site::RawSyscalls { .. } | Site::SyscallSet { .. } => "tracepoint",
        }
    }
}

/// A clause and the places where it runs.
#[derive(Debug)]
pub struct Resolved {
    /// The sites, each with a plan of its own.
    pub sites: Vec<Site>,
}

/// All clauses resolved, and the probes that they name.
#[derive(Debug, Default)]
pub struct Probes {
    /// For each clause, in source order, its sites.
    pub clauses: Vec<Resolved>,
    /// The names of the probes; a probe's number is its index.
    pub names: Vec<String>,
}

impl Probes {
    /// Whether a clause names a field that is an enum of the kernel.
    #[must_use]
    pub fn has_enums(&self, script: &ast::Script) -> bool {
        script.clauses.iter().zip(&self.clauses).any(|(clause, resolved)| {
            let uses = Uses::of(clause);
            let used = |field: &Field| uses.whole || uses.fields.contains(&field.name);
            resolved.sites.iter().any(|site| match site {
                Site::Tracepoint { fields, .. } => {
                    fields.iter().any(|field| field.declaration.starts_with("enum ") && used(field))
                }
                _ => false,
            })
        })
    }
}

/// How sites are chosen.
#[derive(Clone, Copy, Debug)]
pub struct Choice {
    /// Gather sets of `syscalls:` tracepoints into raw programs.
    pub rewrite: bool,
    /// What is done about a probe that does not exist.
    pub missing: MissingProbes,
    /// Probes at most.
    pub most: usize,
}

/// Resolves the attach points of all clauses.
pub fn resolve(script: &ast::Script, facts: &dyn KernelFacts, choice: Choice, errors: &mut Diagnostics) -> Probes {
    let mut resolver = Resolver { facts, choice, errors, names: Vec::new(), numbers: HashMap::new() };
    let clauses = script.clauses.iter().map(|clause| resolver.clause(clause)).collect::<Vec<_>>();
    let names = resolver.names;
    if names.len() > choice.most {
        let title = format!("the script names {} probes; the limit is {}", names.len(), choice.most);
        let span = script.clauses.last().map_or_else(Default::default, |clause| clause.points[0].span);
        let help = format!("`config = {{ max_probes = {} }}` allows so many", names.len());
        errors.push(Diagnostic::error("E0405", span, title, "").help(help));
    }
    Probes { clauses, names }
}

struct Resolver<'a> {
    facts: &'a dyn KernelFacts,
    choice: Choice,
    errors: &'a mut Diagnostics,
    names: Vec<String>,
    numbers: HashMap<String, usize>,
}

/// From so many system call tracepoints on, one raw program takes their place. Each tracepoint is a program to load and
/// an event to attach, but any number of them costs the other system calls together less than a raw program does.
const SET_FROM: usize = 8;

/// A tracepoint that a clause is to be attached to.
struct Found {
    category: String,
    name: String,
}

/// The providers, with the forms that they take.
const PROVIDERS: [(&str, &str, &str); 4] = [
    ("tracepoint", "t", "tracepoint:CATEGORY:NAME"),
    ("interval", "i", "interval:UNIT:COUNT"),
    ("BEGIN", "begin", "BEGIN"),
    ("END", "end", "END"),
];

impl Resolver<'_> {
    fn clause(&mut self, clause: &ast::Clause) -> Resolved {
        let mut sites = Vec::new();
        let mut found = Vec::new();
        for point in &clause.points {
            let parts = point.text.split(':').collect::<Vec<_>>();
            match parts.as_slice() {
                ["BEGIN" | "begin"] => sites.push(Site::Begin { probe: self.number("BEGIN".to_owned()) }),
                ["END" | "end"] => sites.push(Site::End { probe: self.number("END".to_owned()) }),
                [provider, rest @ ..] if is("interval", provider) => sites.extend(self.interval(point, rest)),
                [provider, rest @ ..] if is("tracepoint", provider) => self.tracepoints(point, rest, &mut found),
                [name] => self.bare(point, name, &mut found),
                _ => self.unknown_provider(point, parts[0]),
            }
        }
        self.gather(found, &Uses::of(clause), &mut sites);
        Resolved { sites }
    }

    /// Says that a probe is missing, if that is to be said.
    fn missing(&mut self, error: Diagnostic) {
        match self.choice.missing {
            MissingProbes::Error => self.errors.push(error),
            MissingProbes::Warn => {
                self.errors.push(Diagnostic { severity: crate::diagnostic::Severity::Warning, code: "W0005", ..error });
            }
            MissingProbes::Ignore => {}
        }
    }

    fn number(&mut self, name: String) -> usize {
        let next = self.names.len();
        *self.numbers.entry(name.clone()).or_insert_with(|| {
            self.names.push(name);
            next
        })
    }

    fn unknown_provider(&mut self, point: &Name, provider: &str) {
        let title = format!("unknown probe `{}`", point.text);
        let names = PROVIDERS.iter().flat_map(|(long, short, _)| [*long, *short]);
        let forms = PROVIDERS.map(|(_, _, form)| format!("`{form}`")).join(", ");
        let error = Diagnostic::error("E0201", point.span, title, format!("no provider is called `{provider}`"));
        self.errors
            .push(error.suggest(provider, names).help(format!("probes are {forms}, or a tracepoint's bare name")));
    }

    fn interval(&mut self, point: &Name, rest: &[&str]) -> Option<Site> {
        let nanos = interval_nanos(rest);
        if nanos.is_none() {
            let title = format!("`{}` is no interval", point.text);
            let error =
                Diagnostic::error("E0202", point.span, title, "expected `interval:UNIT:COUNT`, COUNT from 1 up");
            self.errors.push(error.help("units are s, ms, us and hz: `interval:s:5`, `interval:hz:10`"));
        }
        let probe = nanos
            .map(|_| self.number(point.text.replacen("i:", "interval:", usize::from(point.text.starts_with("i:")))));
        nanos.zip(probe).map(|(nanos, probe)| Site::Interval { probe, nanos })
    }

    /// Finds the tracepoint that a bare name means.
    fn bare(&mut self, point: &Name, name: &str, found: &mut Vec<Found>) {
        let mut push = |category: &str| found.push(Found { category: category.to_owned(), name: name.to_owned() });
        if name == "sys_enter" || name == "sys_exit" {
            return push("raw_syscalls");
        }
        let all = self.facts.tracepoints();
        let suffix = format!(":{name}");
        let candidates = all.iter().filter_map(|full| full.strip_suffix(&suffix)).collect::<Vec<_>>();
        match candidates.as_slice() {
            [category] => push(category),
            [] => {
                let names = all.iter().filter_map(|full| full.split_once(':')).map(|(_, name)| name);
                let known = names.chain(PROVIDERS.iter().map(|(long, ..)| *long));
                let title = format!("unknown probe `{name}`");
                let error = Diagnostic::error("E0201", point.span, title, "no tracepoint of this kernel has this name");
                self.missing(error.suggest(name, known).help("`scope -l 'PATTERN'` lists the probes of this machine"));
            }
            several => {
                let list = several.iter().map(|category| format!("`tracepoint:{category}:{name}`"));
                let list = list.collect::<Vec<_>>().join(", ");
                let title = format!("`{name}` is the name of several probes");
                let error = Diagnostic::error("E0203", point.span, title, "which one is meant?");
                self.errors.push(error.help(format!("write one of {list}")));
            }
        }
    }

    fn tracepoints(&mut self, point: &Name, rest: &[&str], found: &mut Vec<Found>) {
        let [category, name] = rest else {
            let title = format!("`{}` is no tracepoint", point.text);
            self.errors.push(Diagnostic::error("E0202", point.span, title, "expected `tracepoint:CATEGORY:NAME`"));
            return;
        };
        if !is_pattern(category) && !is_pattern(name) {
            // The format file is there exactly if the tracepoint is: cheaper than the list of all.
            if self.facts.tracepoint_format(category, name).is_some() {
                found.push(Found { category: (*category).to_owned(), name: (*name).to_owned() });
            } else {
                self.unknown_tracepoint(point, category, name);
            }
            return;
        }
        let before = found.len();
        for (known, event) in self.facts.tracepoints().iter().filter_map(|full| full.split_once(':')) {
            if matches(category, known) && matches(name, event) {
                found.push(Found { category: known.to_owned(), name: event.to_owned() });
            }
        }
        if found.len() == before {
            let title = format!("no tracepoint matches `{}`", point.text);
            let error = Diagnostic::error("E0204", point.span, title, "");
            self.missing(error.help("`scope -l 'PATTERN'` lists the probes of this machine"));
        }
    }

    fn unknown_tracepoint(&mut self, point: &Name, category: &str, name: &str) {
        let all = self.facts.tracepoints();
        let prefix = format!("{category}:");
        let same = all.iter().filter_map(|full| full.strip_prefix(&prefix)).collect::<Vec<_>>();
        let title = format!("unknown probe `{}`", point.text);
        let error = if same.is_empty() {
            let categories = all.iter().filter_map(|full| full.split_once(':')).map(|(category, _)| category);
            let label = format!("this kernel has no tracepoints of `{category}`");
            Diagnostic::error("E0201", point.span, title, label).suggest(category, categories)
        } else {
            let label = format!("`{category}` has no tracepoint of this name");
            Diagnostic::error("E0201", point.span, title, label).suggest(name, same)
        };
        self.missing(error.help(format!("`scope -l 'tracepoint:{category}:*'` lists what there is")));
    }

    /// Turns the tracepoints of a clause into sites.
    fn gather(&mut self, mut found: Vec<Found>, uses: &Uses, sites: &mut Vec<Site>) {
        let mut seen = std::collections::HashSet::new();
        found.retain(|found| seen.insert(format!("{}:{}", found.category, found.name)));
        let rewrite = self.choice.rewrite && self.facts.x86_64();
        if rewrite && !uses.whole && found.len() >= SET_FROM && self.facts.compat() != Compat::Unknown {
            found = self.gather_sets(found, uses, sites);
        }
        for found in found {
            let probe = self.number(format!("tracepoint:{}:{}", found.category, found.name));
            let raw = found.category == "raw_syscalls" && rewrite;
            sites.push(match found.name.as_str() {
                "sys_enter" | "sys_exit" if raw => Site::RawSyscalls { probe, exit: found.name == "sys_exit" },
                _ => {
                    let fields = Rc::new(self.fields(&found, uses));
                    Site::Tracepoint { probe, category: found.category, name: found.name, fields }
                }
            });
        }
    }

    /// Takes the system call tracepoints that are worth a set out of the others, which it gives back. A set's members
    /// have the fields that the clause names at the same place, as its one plan reads them there.
    fn gather_sets(&mut self, found: Vec<Found>, uses: &Uses, sites: &mut Vec<Site>) -> Vec<Found> {
        let mut sets = Vec::<(bool, Vec<Option<Field>>, Vec<(u32, Found)>)>::new();
        let mut rest = Vec::new();
        for found in found {
            let exit = found.name.starts_with("sys_exit_");
            let name = found.name.strip_prefix(if exit { "sys_exit_" } else { "sys_enter_" });
            let name = name.filter(|_| found.category == "syscalls");
            let Some(number) = name.and_then(|name| self.facts.syscall_number(name)) else {
                rest.push(found);
                continue;
            };
            let fields = if uses.fields.is_empty() { Vec::new() } else { self.fields(&found, uses) };
            let named = |name: &String| fields.iter().find(|field| field.name == *name).cloned();
            let shape = uses.fields.iter().map(named).collect::<Vec<_>>();
            match sets.iter_mut().find(|(other, same, _)| *other == exit && *same == shape) {
                Some((_, _, members)) => members.push((number, found)),
                None => sets.push((exit, shape, vec![(number, found)])),
            }
        }
        for (exit, _, set) in sets {
            if set.len() < SET_FROM {
                rest.extend(set.into_iter().map(|(_, found)| found));
                continue;
            }
            let members = set.into_iter().map(|(number, found)| Member {
                number,
                fields: self.fields(&found, uses),
                probe: self.number(format!("tracepoint:{}:{}", found.category, found.name)),
            });
            let members = Rc::new(members.collect());
            sites.push(Site::SyscallSet { exit, members });
        }
        rest
    }

    fn fields(&self, found: &Found, uses: &Uses) -> Vec<Field> {
        if !uses.args && !uses.nargs {
            return Vec::new();
        }
        let format = self.facts.tracepoint_format(&found.category, &found.name).unwrap_or_default();
        fields::parse(&format, &found.category)
    }
}

/// Whether a provider is called by its long or short name.
fn is(provider: &str, name: &str) -> bool {
    PROVIDERS.iter().any(|(long, short, _)| *long == provider && (*long == name || *short == name))
}

fn interval_nanos(rest: &[&str]) -> Option<u64> {
    let nanos = match rest {
        [unit, count] => {
            let count = count.parse::<u64>().ok().filter(|count| *count > 0)?;
            match *unit {
                "s" => count.checked_mul(1_000_000_000)?,
                "ms" => count.checked_mul(1_000_000)?,
                "us" => count.checked_mul(1_000)?,
                "hz" => 1_000_000_000u64.checked_div(count)?,
                _ => return None,
            }
        }
        [duration] => crate::parse::literal::number(duration).ok()?,
        _ => return None,
    };
    Some(nanos).filter(|nanos| *nanos > 0)
}

/// Whether a name holds wildcards.
#[must_use]
pub fn is_pattern(name: &str) -> bool {
    name.contains(['*', '?'])
}

/// Whether a name matches a pattern, in which `*` stands for any text and `?` for any character.
#[must_use]
pub fn matches(pattern: &str, name: &str) -> bool {
    let (pattern, name) = (pattern.as_bytes(), name.as_bytes());
    let (mut at, mut place) = (0, 0);
    // Where to go on after a mismatch: behind the last star, one byte further in the name.
    let mut retry = None;
    while place < name.len() {
        match pattern.get(at) {
            Some(b'*') => {
                retry = Some((at + 1, place));
                at += 1;
            }
            Some(byte) if *byte == b'?' || *byte == name[place] => {
                at += 1;
                place += 1;
            }
            _ => match retry {
                Some((star, from)) => {
                    retry = Some((star, from + 1));
                    (at, place) = (star, from + 1);
                }
                None => return false,
            },
        }
    }
    pattern[at..].iter().all(|byte| *byte == b'*')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wildcards_match_any_text() {
        for (pattern, name, expected) in [
            ("*", "", true),
            ("sys_enter_*", "sys_enter_read", true),
            ("sys_enter_*", "sys_exit_read", false),
            ("*read*", "pread64", true),
            ("a*b*c", "aXbYc", true),
            ("a*b*c", "aXbY", false),
            ("?", "a", true),
            ("?", "", false),
        ] {
            assert_eq!(matches(pattern, name), expected, "{pattern} {name}");
        }
    }

    #[test]
    fn intervals_have_units() {
        assert_eq!(interval_nanos(&["s", "5"]), Some(5_000_000_000));
        assert_eq!(interval_nanos(&["hz", "10"]), Some(100_000_000));
        assert_eq!(interval_nanos(&["1s"]), Some(1_000_000_000));
        for bad in [&["s", "0"][..], &["s"], &["parsec", "1"], &["s", "-1"], &["hz", "2000000000"], &[]] {
            assert_eq!(interval_nanos(bad), None, "{bad:?}");
        }
    }
}
