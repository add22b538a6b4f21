//! Patterns to the names of probes, and what is said where there is none.

use std::collections::HashSet;

use scope_dsl::diagnostic::nearest;
use scope_dsl::facts::KernelFacts;
use scope_dsl::probes::{PROVIDERS, Provider, is_pattern, matches};

/// Finds the probes that match a pattern. One without wildcards means the probe that has this name, or else all whose
/// names contain it.
///
/// # Errors
/// Why a provider that the pattern names can't tell, in words.
pub(super) fn find(facts: &dyn KernelFacts, pattern: &str) -> Result<Vec<String>, String> {
    let (first, rest) = pattern.split_once(':').unwrap_or((pattern, ""));
    if let Some(provider) = Provider::named(first) {
        let full = match rest {
            "" => format!("{}*", provider.name),
            rest => format!("{}:{rest}", provider.name),
        };
        let mut names = provider.list(facts, rest)?;
        if !is_pattern(&full) && names.contains(&full) {
            return Ok(vec![full]);
        }
        names.retain(|name| wanted(name, &full));
        return Ok(names);
    }
    let mut names = Vec::new();
    for provider in PROVIDERS {
        // What has to be told more, or is not there, is left out.
        let listed = provider.list(facts, "").unwrap_or_default();
        names.extend(listed.into_iter().filter(|name| wanted(name, pattern)));
        // `*:libc:*` tells those more that want to know of which program or library.
        if !rest.is_empty() && is_pattern(first) && matches(first, provider.name) {
            let full = format!("{}:{rest}", provider.name);
            let listed = provider.list(facts, rest).unwrap_or_default();
            names.extend(listed.into_iter().filter(|name| matches(&full, name)));
        }
    }
    Ok(names)
}

fn wanted(name: &str, pattern: &str) -> bool {
    if is_pattern(pattern) { matches(pattern, name) } else { name.contains(pattern) }
}

/// What is said of a pattern that matches nothing, with the nearest name that there is.
pub(super) fn nothing(facts: &dyn KernelFacts, pattern: &str) -> String {
    let near = near(facts, pattern).map(|near| format!("; did you mean `{near}`?")).unwrap_or_default();
    let help = "`scope -l` lists the kernel's probes, `scope -l 'uprobe:BINARY:*'` and `scope -l 'usdt:BINARY:*'` those of a program or library";
    format!("no probe matches `{pattern}`{near}\nhelp: {help}")
}

fn near(facts: &dyn KernelFacts, pattern: &str) -> Option<String> {
    let bare = pattern.replace(['*', '?'], "");
    let (first, rest) = pattern.split_once(':').unwrap_or((pattern, ""));
    if let Some(provider) = Provider::named(first) {
        let names = provider.list(facts, rest).ok()?;
        // What all of them begin with would make all alike.
        let behind = |name: &str| name.split_once(':').map_or(name.to_owned(), |(_, name)| name.to_owned());
        let names = names.iter().map(|name| behind(name)).collect::<Vec<_>>();
        return near_in_parts(&behind(&bare), names.iter().map(String::as_str))
            .map(|near| format!("{}:{near}", provider.name));
    }
    if !rest.is_empty() {
        // As perf writes tracepoints, or a provider that is none.
        let tracepoint = format!("tracepoint:{pattern}");
        if find(facts, &tracepoint).is_ok_and(|found| !found.is_empty()) {
            return Some(tracepoint);
        }
        let names = PROVIDERS.iter().flat_map(|provider| std::iter::once(&provider.name).chain(provider.others));
        return nearest(first, names.copied()).map(|near| format!("{near}:{rest}"));
    }
    let listed = PROVIDERS.iter().filter_map(|provider| provider.list(facts, "").ok()).flatten();
    let last = listed.filter_map(|name| name.rsplit(':').next().map(str::to_owned)).collect::<HashSet<_>>();
    // A system call is called so far more often than its tracepoint is.
    let calls = last.iter().filter_map(|name| name.strip_prefix("sys_enter_"));
    let known =
        last.iter().map(String::as_str).chain(calls).chain(super::bundled::SCRIPTS.iter().map(|(name, _)| *name));
    nearest(&bare, known).map(str::to_owned)
}

/// The nearest of names that have parts: with the first part as it is, if some begin with that.
fn near_in_parts<'n>(name: &str, known: impl Iterator<Item = &'n str> + Clone) -> Option<&'n str> {
    let Some((first, last)) = name.rsplit_once(':') else { return nearest(name, known) };
    let same = known.clone().filter_map(|name| name.rsplit_once(':')).filter(|(have, _)| *have == first);
    match nearest(last, same.map(|(_, last)| last)) {
        Some(near) => known.clone().find(|name| name.strip_prefix(first).is_some_and(|rest| rest[1..] == *near)),
        None => nearest(name, known),
    }
}
