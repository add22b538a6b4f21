//! `tracepoint`: the kernel's tracepoints, by `category:name` or their bare name. Sets of system call tracepoints are
//! gathered into one raw program.

use std::collections::HashSet;
use std::rc::Rc;

use super::{Draft, Member, PROVIDERS, Point, Resolver, Site, is_pattern, matches};
use crate::ast::Name;
use crate::diagnostic::Diagnostic;
use crate::facts::{Compat, KernelFacts};
use crate::fields::{self, Field};
use crate::uses::Uses;

/// From so many system call tracepoints on, one raw program takes their place. Each tracepoint is a program to load and
/// an event to attach, but any number of them costs the other system calls together less than a raw program does.
const SET_FROM: usize = 8;

/// A tracepoint that a clause is to be attached to.
pub(super) struct Found {
    category: String,
    name: String,
    /// The name that the script gives it.
    alias: Option<String>,
}

impl Found {
    fn new(resolver: &Resolver<'_>, category: &str, name: &str) -> Found {
        Found { category: category.to_owned(), name: name.to_owned(), alias: resolver.alias.clone() }
    }
}

/// `tracepoint:CATEGORY:NAME`, with wildcards in both.
pub(super) fn resolve(resolver: &mut Resolver<'_>, point: &Point<'_>, draft: &mut Draft) {
    let [category, name] = point.rest.as_slice() else {
        let help = "`scope -l 'tracepoint:*'` lists the tracepoints of this machine";
        return resolver.malformed(point, "expected `tracepoint:CATEGORY:NAME`", help);
    };
    if !is_pattern(category) && !is_pattern(name) {
        // The format file is there exactly if the tracepoint is: cheaper than the list of all.
        match resolver.facts.tracepoint_format(category, name) {
            Some(_) => draft.tracepoints.push(Found::new(resolver, category, name)),
            None => resolver.unknown_tracepoint(point.written, category, name),
        }
        return;
    }
    let before = draft.tracepoints.len();
    for (known, event) in resolver.facts.tracepoints().iter().filter_map(|full| full.split_once(':')) {
        if matches(category, known) && matches(name, event) {
            draft.tracepoints.push(Found::new(resolver, known, event));
        }
    }
    if draft.tracepoints.len() == before {
        resolver.no_match(point);
    }
}

/// All tracepoints.
pub(super) fn list(facts: &dyn KernelFacts, _wanted: &str) -> Result<Vec<String>, String> {
    Ok(facts.tracepoints().to_vec())
}

impl Resolver<'_> {
    /// Finds the tracepoint that a bare name means.
    pub(super) fn bare_tracepoint(&mut self, point: &Name, name: &str, draft: &mut Draft) {
        let alias = self.alias.clone();
        let mut push = |category: &str| {
            let alias = alias.clone();
            draft.tracepoints.push(Found { category: category.to_owned(), name: name.to_owned(), alias });
        };
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
                let known = names.chain(PROVIDERS.iter().map(|provider| provider.name));
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

    /// The number of a tracepoint's probe.
    fn tracepoint(&mut self, found: &Found) -> usize {
        self.alias.clone_from(&found.alias);
        let number = self.number(format!("tracepoint:{}:{}", found.category, found.name));
        self.alias = None;
        number
    }

    /// Turns the tracepoints of a clause into sites.
    pub(super) fn gather_tracepoints(&mut self, draft: &mut Draft) {
        let Draft { uses, sites, tracepoints } = draft;
        let mut found = std::mem::take(tracepoints);
        let mut seen = HashSet::new();
        found.retain(|found| seen.insert(format!("{}:{}", found.category, found.name)));
        let rewrite = self.choice.rewrite && self.facts.x86_64();
        if rewrite && !uses.whole && found.len() >= SET_FROM && self.facts.compat() != Compat::Unknown {
            found = self.gather_sets(found, uses, sites);
        }
        if rewrite && !uses.whole && !uses.way {
            found = self.gather_functions(found, uses, sites);
        }
        let shared = found.len() > 1;
        for found in found {
            let probe = self.tracepoint(&found);
            let raw = found.category == "raw_syscalls" && rewrite;
            sites.push(match found.name.as_str() {
                "sys_enter" | "sys_exit" if raw => Site::RawSyscalls { probe, exit: found.name == "sys_exit" },
                _ => {
                    let fields = Rc::new(self.fields(&found, uses));
                    Site::Tracepoint { probe, category: found.category, name: found.name, fields, shared }
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
                probe: self.tracepoint(&found),
            });
            let members = Rc::new(members.collect());
            sites.push(Site::SyscallSet { exit, members });
        }
        rest
    }

    /// Takes the tracepoints of system calls' beginnings out of the others, which it gives back, where the kernel can trace
    /// the calls' functions instead: other calls then pay nothing.
    ///
    /// Not those of their ends: what a security policy refuses, and the child of a fork, pass the end but not the function.
    fn gather_functions(&mut self, found: Vec<Found>, uses: &Uses, sites: &mut Vec<Site>) -> Vec<Found> {
        let mut rest = Vec::new();
        for found in found {
            let name = found.name.strip_prefix("sys_enter_").filter(|_| found.category == "syscalls");
            let traced = name.and_then(|name| {
                let function = format!("__x64_sys_{name}");
                let number = self.facts.syscall_number(name)?;
                self.facts.traces(&function).then_some((number, function))
            });
            match traced {
                Some((number, function)) => {
                    let probe = self.tracepoint(&found);
                    let member = Rc::new(Member { number, probe, fields: self.fields(&found, uses) });
                    sites.push(Site::Syscall { member, function });
                }
                None => rest.push(found),
            }
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
