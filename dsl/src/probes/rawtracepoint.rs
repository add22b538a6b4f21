//! `rawtracepoint`: the kernel's tracepoints with the arguments that it gives them, before a record is made of those.

use crate::facts::KernelFacts;

use super::{Draft, Point, Resolver, Site, is_pattern, matches};

/// Categories whose tracepoints are made of others or of tracing itself: no raw tracepoints have their names.
const NOT_RAW: [&str; 3] = ["syscalls", "ftrace", "kprobes"];

/// The names that the tracepoints of the kernel's lists have as raw ones.
fn names(facts: &dyn KernelFacts) -> impl Iterator<Item = &str> + Clone {
    let all = facts.tracepoints().iter().filter_map(|full| full.split_once(':'));
    all.filter(|(category, _)| !NOT_RAW.contains(category)).map(|(_, name)| name)
}

/// All raw tracepoints, with their categories in front if one is asked for.
pub(super) fn list(facts: &dyn KernelFacts, wanted: &str) -> Result<Vec<String>, String> {
    let full =
        facts.tracepoints().iter().filter(|full| full.split(':').next().is_some_and(|of| !NOT_RAW.contains(&of)));
    Ok(if wanted.contains(':') { full.cloned().collect() } else { names(facts).map(str::to_owned).collect() })
}

/// `rawtracepoint:NAME`, `rawtracepoint:MODULE:NAME`.
pub(super) fn resolve(resolver: &mut Resolver<'_>, point: &Point<'_>, draft: &mut Draft) {
    let [.., name] = point.rest.as_slice() else {
        return resolver.malformed(point, "expected `rawtracepoint:NAME`", "as in `rawtracepoint:sched_switch`");
    };
    let known = names(resolver.facts);
    let found = known.clone().filter(|known| matches(name, known)).map(str::to_owned).collect::<Vec<_>>();
    // Some have no record, and so are in no list: the scheduler's `pelt_cfs_tp` for one.
    let hidden = !is_pattern(name) && found.is_empty();
    let found = match hidden && resolver.facts.kernel_address(&format!("__tracepoint_{name}")).is_some() {
        true => vec![(*name).to_owned()],
        false => found,
    };
    if found.is_empty() && is_pattern(name) {
        return resolver.no_match(point);
    }
    if found.is_empty() {
        let list = "those that `scope -l 'rawtracepoint:*'` lists";
        return resolver.unknown(point, "this kernel has no tracepoint of this name", name, known, list);
    }
    for name in found {
        let probe = resolver.number(format!("rawtracepoint:{name}"));
        draft.sites.push(Site::RawTracepoint { probe, name });
    }
}
