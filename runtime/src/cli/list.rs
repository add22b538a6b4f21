//! `scope -l`: the probes of this machine.

use std::io::{self, Write};

use scope_dsl::facts::KernelFacts;
use scope_dsl::probes::{is_pattern, matches};

/// The probes that are no tracepoints.
const OTHERS: [&str; 3] = ["BEGIN", "END", "interval:UNIT:COUNT"];

/// Writes the probes that match a pattern; without wildcards, those that contain it. Gives how many there were.
///
/// # Errors
/// If `out` can't be written.
pub fn list(facts: &dyn KernelFacts, pattern: &str, out: &mut dyn Write) -> io::Result<usize> {
    let pattern = match pattern.strip_prefix("t:") {
        Some(rest) => format!("tracepoint:{rest}"),
        None => pattern.to_owned(),
    };
    let wanted = |name: &str| if is_pattern(&pattern) { matches(&pattern, name) } else { name.contains(&pattern) };
    let tracepoints = facts.tracepoints().iter().map(|name| format!("tracepoint:{name}"));
    let mut names = OTHERS.iter().map(|name| (*name).to_owned()).chain(tracepoints).collect::<Vec<_>>();
    names.sort_unstable();
    names.retain(|name| wanted(name));
    for name in &names {
        writeln!(out, "{name}")?;
    }
    Ok(names.len())
}
