//! `iter`: a clause runs once for each object of a kind that the kernel keeps, such as each task.

use crate::diagnostic::Diagnostic;
use crate::facts::KernelFacts;

use super::{Draft, NOT_HERE, Point, Resolver, Site};

/// What the kernel's functions are called that stand for iterators (`DEFINE_BPF_ITER_FUNC`, `include/linux/bpf.h`).
pub const PREFIX: &str = "bpf_iter_";

/// Iterators over what one map or program of BPF holds: they have to be told of which.
const OF_ONE: [&str; 3] = ["bpf_map_elem", "bpf_sk_storage_map", "sockmap"];

/// All iterators.
pub(super) fn list(facts: &dyn KernelFacts, _wanted: &str) -> Result<Vec<String>, String> {
    let names = facts.iterators();
    match names.is_empty() {
        true => Err("this kernel has none: it was built without CONFIG_DEBUG_INFO_BTF".to_owned()),
        false => Ok(names.into_iter().filter(|name| !OF_ONE.contains(&name.as_str())).collect()),
    }
}

/// `iter:KIND`.
pub(super) fn resolve(resolver: &mut Resolver<'_>, point: &Point<'_>, draft: &mut Draft) {
    let [kind] = point.rest.as_slice() else {
        let help = match point.rest.as_slice() {
            [_, _] => "nothing is pinned: run scope again where the file would be read",
            _ => "as in `iter:task`; `scope -l 'iter:*'` lists what there is",
        };
        return resolver.malformed(point, "expected `iter:KIND`", help);
    };
    let known = resolver.facts.iterators();
    if known.is_empty() {
        let title = format!("this machine has no `{}`", point.written.text);
        let label = "its kernel was built without CONFIG_DEBUG_INFO_BTF";
        return resolver.missing(Diagnostic::error(NOT_HERE, point.written.span, title, label));
    }
    if !known.iter().any(|name| name == kind) {
        let list = known.join(", ");
        let label = "the kernel keeps no such objects";
        return resolver.unknown(point, label, kind, known.iter().map(String::as_str), &list);
    }
    if OF_ONE.contains(kind) {
        return resolver.malformed(
            point,
            "it goes through one map, which can't be named",
            "`iter:bpf_map` goes through all maps",
        );
    }
    let probe = resolver.number(point.full());
    draft.sites.push(Site::Iter { probe, function: format!("{PREFIX}{kind}") });
}
