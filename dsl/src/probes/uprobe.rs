//! `uprobe` and `uretprobe`: functions of programs and libraries.

use std::collections::HashMap;
use std::rc::Rc;

use super::{Draft, Point, Resolver, Site, is_pattern, matches, source_name, unquoted};
use crate::diagnostic::Diagnostic;
use crate::facts::{Executable, KernelFacts, UserFunction};

/// A place in a program or library that a probe is set on.
#[derive(Clone, Debug)]
pub struct Target {
    /// The number of the probe.
    pub probe: usize,
    /// What is given along where it is attached.
    pub cookie: u64,
    /// Where it lies in the file.
    pub offset: u64,
    /// Where in the file the word lies that counts who is interested (a semaphore of a static probe); 0 if there is none.
    pub semaphore: u64,
}

/// `uprobe:BINARY:FUNCTION`.
pub(super) fn entry(resolver: &mut Resolver<'_>, point: &Point<'_>, draft: &mut Draft) {
    resolve(resolver, point, draft, false);
}

/// `uretprobe:BINARY:FUNCTION`.
pub(super) fn exit(resolver: &mut Resolver<'_>, point: &Point<'_>, draft: &mut Draft) {
    resolve(resolver, point, draft, true);
}

fn resolve(resolver: &mut Resolver<'_>, point: &Point<'_>, draft: &mut Draft, exit: bool) {
    let Some((binary, function, quoted)) = split(&point.rest) else {
        let label = format!("expected `{}:BINARY:FUNCTION`", point.provider);
        return resolver.malformed(point, &label, "as in `uprobe:libc:malloc` or `uprobe:/bin/bash:readline`");
    };
    if is_pattern(binary) {
        let mut any = false;
        for path in resolver.facts.files(binary) {
            let file = resolver.facts.executable(&path).ok();
            if file.is_some_and(|file| places(&*file, &function, quoted).is_ok_and(|found| !found.is_empty())) {
                any = true;
                in_file(resolver, point, draft, exit, (&path, &function, quoted));
            }
        }
        if !any {
            resolver.no_match(point);
        }
        return;
    }
    in_file(resolver, point, draft, exit, (binary, &function, quoted));
}

/// Sets probes in one file: its name, the function, and whether that stands in quotes.
fn in_file(
    resolver: &mut Resolver<'_>,
    point: &Point<'_>,
    draft: &mut Draft,
    exit: bool,
    (binary, function, quoted): (&str, &str, bool),
) {
    let Some(file) = resolver.executable(point, binary) else { return };
    let mut found = match places(&*file, function, quoted) {
        Ok(found) => found,
        Err(problem) => return resolver.unreadable(point, &problem),
    };
    if exit && found.iter().any(|place| place.inside > 0) {
        return resolver.malformed(
            point,
            "a function returns as a whole",
            "`uprobe` takes an offset, `uretprobe` none",
        );
    }
    if let Some(harm) = file.harm_at_returns().filter(|_| exit && !resolver.choice.may_harm) {
        return resolver.harmful(point, harm);
    }
    let not_here = if exit { not_at_returns(&*file) } else { HashMap::new() };
    let mut refused = Vec::new();
    found.retain(|place| {
        let at_return = not_here.get(&place.offset).copied();
        let reason = at_return.or_else(|| file.can_probe(place.offset, place.inside).err());
        refused.extend(reason.map(|reason| (place.name.clone(), reason)));
        reason.is_none()
    });
    if let [(name, reason), more @ ..] = refused.as_slice() {
        if found.is_empty() {
            return resolver.unreadable(point, reason);
        }
        resolver.left_out(point, name, reason, more.len());
    }
    if found.is_empty() && is_pattern(function) {
        return resolver.no_match(point);
    }
    if found.is_empty() {
        let names = file.functions().unwrap_or_default();
        let list = format!("those that `scope -l '{}:{binary}:*'` lists", point.provider);
        let label = format!("{} has no such function", file.path());
        let known = names.iter().map(|known| known.name.as_str());
        let mut error = Resolver::unknown_error(point, &label, function, known, &list);
        // Since glibc 2.34 the functions of its other libraries are in libc, and those are empty.
        let libc = resolver.facts.executable("libc").ok().filter(|libc| libc.path() != file.path());
        if libc.is_some_and(|libc| libc.function(function).is_ok_and(|found| found.is_some())) {
            error = error.help(format!("libc has it: `{}:libc:{function}`", point.provider));
        }
        return resolver.missing(error);
    }
    let targets = found.into_iter().map(|place| {
        let probe = resolver.number(format!("{}:{}:{}", point.provider, file.path(), place.name));
        Target { probe, cookie: resolver.cookie(probe), offset: place.offset, semaphore: 0 }
    });
    let targets = Rc::new(targets.collect());
    draft.sites.push(Site::Uprobe { exit, path: file.path().into(), targets, arguments: None });
}

/// Functions that must not be made to return elsewhere, and what is the matter with them: the kernel puts another address in
/// place of what lies on top of the stack (`prepare_uretprobe`, `kernel/events/uprobes.c`).
const NOT_AT_RETURNS: [(&[&str], &str); 2] = [
    (
        &["setjmp", "_setjmp", "__setjmp", "sigsetjmp", "__sigsetjmp", "getcontext", "__getcontext", "swapcontext"],
        "it notes where it returns to, and may return there once more: that would end the process",
    ),
    (
        &["_start", "_dl_start_user", "_dl_runtime_*", "__restore_rt", "__restore"],
        "it is not called, and what it finds on the stack is no place to return to: that would break the process",
    ),
];

/// Where in a file such functions lie, whatever they are called there besides.
fn not_at_returns(file: &dyn Executable) -> HashMap<u64, &'static str> {
    let functions = file.functions().unwrap_or_default();
    let reason = |name: &str| {
        let rows = NOT_AT_RETURNS.iter();
        let mut rows = rows.filter(|(patterns, _)| patterns.iter().any(|pattern| matches(pattern, name)));
        rows.next().map(|(_, reason)| *reason)
    };
    functions.iter().filter_map(|function| Some((function.offset, reason(&function.name)?))).collect()
}

/// All functions of the binary that is named.
pub(super) fn list(facts: &dyn KernelFacts, wanted: &str) -> Result<Vec<String>, String> {
    let binary = wanted.split(':').next().unwrap_or_default();
    if binary.is_empty() || is_pattern(binary) {
        return Err("say of which program or library, as in `uprobe:libc:*`".to_owned());
    }
    let file = facts.executable(binary)?;
    Ok(file.functions()?.into_iter().map(|function| format!("{binary}:{}", function.name)).collect())
}

/// The binary, and the function as it is written: it may hold colons, and quotes around them, which is said, too.
fn split<'a>(rest: &[&'a str]) -> Option<(&'a str, String, bool)> {
    let (binary, function) = rest.split_first()?;
    // `cpp:` says that a C++ name follows: all names are looked at by what they mean in C++ and Rust anyway.
    let function = match function {
        ["cpp", more @ ..] if !more.is_empty() => more.join(":"),
        _ => function.join(":"),
    };
    let inside = function.strip_prefix('"').and_then(|rest| rest.strip_suffix('"'));
    let bare = inside.unwrap_or(&function);
    let binary = unquoted(binary);
    (!binary.is_empty() && !bare.is_empty()).then(|| (binary, bare.to_owned(), inside.is_some()))
}

/// A place that a probe is to be set on.
struct Place {
    name: String,
    /// In the file.
    offset: u64,
    /// Bytes behind the beginning of its function.
    inside: u64,
}

/// The places that are meant: by an address, a function, a function with an offset, or a pattern.
fn places(file: &dyn Executable, written: &str, quoted: bool) -> Result<Vec<Place>, String> {
    let number = |text: &str| crate::parse::literal::number(text).ok();
    let one = |offset, inside| Ok(vec![Place { name: written.to_owned(), offset, inside }]);
    if let Some(address) = number(written) {
        let around =
            |function: &UserFunction| (function.address..function.address + function.size.max(1)).contains(&address);
        let function = file.functions()?.into_iter().find(around);
        let function = function.ok_or_else(|| format!("no function of {} lies at {written}", file.path()))?;
        let inside = address - function.address;
        return one(function.offset + inside, inside);
    }
    if let Some(function) = file.function(written)? {
        return one(function.offset, 0);
    }
    if let Some((name, offset)) = written.rsplit_once('+')
        && let (Some(inside), Some(function)) = (number(offset), file.function(name)?)
    {
        if inside >= function.size {
            return Err(format!("{name} has {} bytes only", function.size));
        }
        return one(function.offset + inside, inside);
    }
    let functions = file.functions()?;
    // What stands in quotes is a name of a source.
    let plain = !quoted && written.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_*?.@$".contains(&byte));
    let source = source_name::plain(written);
    let meant = |function: &&UserFunction| {
        // What is no name of C may be one of C++ or Rust, with its parameters or without.
        let in_source = |name: &str| {
            let demangled = file.demangled(name);
            demangled != name && source_name::names(&demangled).iter().any(|name| matches(&source, name))
        };
        matches(written, &function.name) || !plain && in_source(&function.name)
    };
    // A function that has several names is probed once, under the shortest; one that only finds another is none that is
    // called.
    let mut by_offset = HashMap::<u64, &str>::new();
    for function in functions.iter().filter(meant).filter(|function| !function.indirect) {
        let known = by_offset.entry(function.offset).or_insert(&function.name);
        if (function.name.len(), &*function.name) < (known.len(), *known) {
            *known = &function.name;
        }
    }
    let places = by_offset.into_iter().map(|(offset, name)| Place { name: name.to_owned(), offset, inside: 0 });
    let mut places = places.collect::<Vec<_>>();
    places.sort_by_key(|place| place.offset);
    Ok(places)
}

impl Resolver<'_> {
    /// Opens the program or library that a probe names.
    pub(super) fn executable(&mut self, point: &Point<'_>, name: &str) -> Option<Rc<dyn Executable>> {
        match self.facts.executable(name) {
            Ok(file) => Some(file),
            Err(problem) => {
                self.unreadable(point, &problem);
                None
            }
        }
    }

    /// Says that a probe would end the process.
    fn harmful(&mut self, point: &Point<'_>, harm: &str) {
        let title = format!("`{}` would do harm", point.written.text);
        let error = Diagnostic::error("E0205", point.written.span, title, harm);
        self.missing(error.help("`uprobe` does none; `scope --unsafe` sets it all the same"));
    }

    /// Warns that of many probes some are not set.
    pub(super) fn left_out(&mut self, point: &Point<'_>, name: &str, reason: &str, others: usize) {
        let others = if others == 0 { String::new() } else { format!(" and {others} more") };
        let title = format!("`{name}`{others} can't be probed");
        self.errors.push(Diagnostic::warning("W0009", point.written.span, title, reason.to_owned()));
    }

    pub(super) fn unreadable(&mut self, point: &Point<'_>, problem: &str) {
        let title = format!("`{}` can't be probed", point.written.text);
        self.missing(Diagnostic::error("E0205", point.written.span, title, problem));
    }
}
