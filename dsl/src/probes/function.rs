//! `kprobe`, `kretprobe`, `fentry` and `fexit`: functions of the kernel.

use std::rc::Rc;

use super::{Draft, Point, Resolver, Site, is_pattern, matches};
use crate::diagnostic::Diagnostic;
use crate::facts::{KernelFacts, KernelFunction};

/// A place in the kernel that a probe is set on.
#[derive(Clone, Debug)]
pub struct KernelTarget {
    /// The number of the probe.
    pub probe: usize,
    /// What is given along where it is attached.
    pub cookie: u64,
    /// The function, with its module in front if that is said: `module:function`.
    pub function: String,
    /// Bytes behind its beginning.
    pub offset: u64,
}

/// `kprobe:FUNCTION`, `kprobe:FUNCTION+OFFSET`, `kprobe:MODULE:FUNCTION`.
pub(super) fn kprobe(resolver: &mut Resolver<'_>, point: &Point<'_>, draft: &mut Draft) {
    kprobes(resolver, point, draft, false);
}

/// `kretprobe:FUNCTION`.
pub(super) fn kretprobe(resolver: &mut Resolver<'_>, point: &Point<'_>, draft: &mut Draft) {
    kprobes(resolver, point, draft, true);
}

fn kprobes(resolver: &mut Resolver<'_>, point: &Point<'_>, draft: &mut Draft, exit: bool) {
    if let Err(reason) = resolver.facts.kprobes() {
        return resolver.not_here(point, reason);
    }
    let (found, offset) = match point.rest.last().and_then(|last| last.rsplit_once('+')) {
        Some((function, offset)) => {
            let Ok(offset) = crate::parse::literal::number(offset) else {
                return resolver.malformed(point, "the offset is no number", "as in `kprobe:vfs_read+4`");
            };
            if exit {
                let help = "`kprobe` takes an offset, `kretprobe` none";
                return resolver.malformed(point, "a function returns as a whole", help);
            }
            let mut rest = point.rest.clone();
            rest.pop();
            rest.push(function);
            (functions(resolver, point, &rest), offset)
        }
        None => (functions(resolver, point, &point.rest), 0),
    };
    let Some(found) = found else { return };
    let targets = found.into_iter().map(|function| {
        let behind = if offset > 0 { format!("+{offset}") } else { String::new() };
        let probe = resolver.number(format!("{}:{function}{behind}", point.provider));
        KernelTarget { probe, cookie: resolver.cookie(probe), function, offset }
    });
    let targets = Rc::new(targets.collect());
    draft.sites.push(Site::Kprobe { exit, targets });
}

/// `fentry:FUNCTION`, `fentry:MODULE:FUNCTION`.
pub(super) fn fentry(resolver: &mut Resolver<'_>, point: &Point<'_>, draft: &mut Draft) {
    traced(resolver, point, draft, false);
}

/// `fexit:FUNCTION`.
pub(super) fn fexit(resolver: &mut Resolver<'_>, point: &Point<'_>, draft: &mut Draft) {
    traced(resolver, point, draft, true);
}

fn traced(resolver: &mut Resolver<'_>, point: &Point<'_>, draft: &mut Draft, exit: bool) {
    // The kernel's own functions have their types in one place, which can be written as a module.
    let rest = match point.rest.as_slice() {
        ["vmlinux", function] => vec![*function],
        rest => rest.to_vec(),
    };
    if let Err(reason) = resolver.facts.trampolines() {
        return resolver.not_here(point, reason);
    }
    let Some(found) = functions(resolver, point, &rest) else { return };
    for function in found {
        let bare = function.rsplit(':').next().unwrap_or(&function);
        let known = resolver.facts.kernel_functions().iter().find(|known| known.name == bare);
        let module = known.and_then(|known| known.module.clone());
        if module.is_some() && !resolver.may_trace(point, module.as_deref()) {
            return;
        }
        let probe = resolver.number(format!("{}:{function}", point.provider));
        draft.sites.push(Site::Traced { probe, exit, function, module });
    }
}

/// All functions that kprobes can be set on.
pub(super) fn list_kprobes(facts: &dyn KernelFacts, wanted: &str) -> Result<Vec<String>, String> {
    facts.kprobes()?;
    Ok(facts.kernel_functions().iter().map(|known| named(known, wanted)).collect())
}

/// All functions that can be traced.
pub(super) fn list_traced(facts: &dyn KernelFacts, wanted: &str) -> Result<Vec<String>, String> {
    facts.trampolines()?;
    Ok(facts.kernel_functions().iter().map(|known| named(known, wanted)).collect())
}

/// The name of a function, with its module if one is asked for.
fn named(function: &KernelFunction, wanted: &str) -> String {
    let module = function.module.as_deref().unwrap_or("vmlinux");
    if wanted.contains(':') { format!("{module}:{}", function.name) } else { function.name.clone() }
}

/// The functions that are meant, `module:function` where a module is named; says so where there are none.
fn functions(resolver: &mut Resolver<'_>, point: &Point<'_>, rest: &[&str]) -> Option<Vec<String>> {
    let (module, name) = match rest {
        [name] => (None, *name),
        [module, name] => (Some(*module), *name),
        _ => {
            let label = format!("expected `{0}:FUNCTION` or `{0}:MODULE:FUNCTION`", point.provider);
            resolver.malformed(point, &label, "as in `kprobe:vfs_read`");
            return None;
        }
    };
    let all = resolver.facts.kernel_functions();
    let meant = all.iter().filter(|known| {
        let of_module = module.is_none_or(|module| matches(module, known.module.as_deref().unwrap_or("vmlinux")));
        of_module && matches(name, &known.name)
    });
    let full = |known: &KernelFunction| match (&known.module, module) {
        (Some(module), Some(_)) => format!("{module}:{}", known.name),
        _ => known.name.clone(),
    };
    let mut found = meant.map(full).collect::<Vec<_>>();
    found.sort_unstable();
    // What several functions are called is none that can be probed by name.
    let mut unique = Vec::<String>::new();
    for name in found.chunk_by(|a, b| a == b) {
        if name.len() == 1 || !is_pattern(point.rest.last().unwrap_or(&"")) {
            unique.push(name[0].clone());
        }
    }
    if unique.is_empty() && (is_pattern(name) || module.is_some_and(is_pattern)) {
        resolver.no_match(point);
        return None;
    }
    if unique.is_empty() {
        let names = all.iter().map(|known| known.name.as_str());
        let label = "the kernel has no function of this name that can be probed";
        let list = format!("those that `scope -l '{}:*'` lists", point.provider);
        resolver.unknown(point, label, name, names, &list);
        return None;
    }
    Some(unique)
}

impl Resolver<'_> {
    /// Whether functions of a module can be traced; says so if not.
    fn may_trace(&mut self, point: &Point<'_>, module: Option<&str>) -> bool {
        if self.module.as_deref() == module {
            return true;
        }
        if self.module.is_some() {
            // Each module's types go on counting from the kernel's: those of two have the same numbers.
            let title = format!("`{}` can't be traced", point.written.text);
            let error = Diagnostic::error(super::NOT_HERE, point.written.span, title, "it is of another module");
            self.errors.push(error.help("a script traces functions of one module; `kprobe` probes those of several"));
            return false;
        }
        if self.facts.btf(module).is_none() {
            self.not_here(point, "its module says nothing of its types (/sys/kernel/btf); `kprobe` probes it");
            return false;
        }
        self.module = module.map(str::to_owned);
        true
    }

    /// Says that the machine has no such probes.
    fn not_here(&mut self, point: &Point<'_>, reason: &str) {
        let title = format!("this machine has no `{}`", point.written.text);
        self.missing(Diagnostic::error(super::NOT_HERE, point.written.span, title, reason.to_owned()));
    }
}
