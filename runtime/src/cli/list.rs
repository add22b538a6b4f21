//! `scope -l`: the probes of this machine.

use std::io::{self, Write};

use scope_dsl::facts::KernelFacts;
use scope_dsl::probes::{PROVIDERS, Provider, is_pattern, matches};

/// Finds the probes that match a pattern; without wildcards, those that contain it.
///
/// # Errors
/// Why a provider that the pattern names can't tell, in words.
pub fn find(facts: &dyn KernelFacts, pattern: &str) -> Result<Vec<String>, String> {
    let (first, rest) = pattern.split_once(':').unwrap_or((pattern, ""));
    let mut names = match Provider::named(first) {
        Some(provider) => {
            let full =
                if rest.is_empty() { format!("{}*", provider.name) } else { format!("{}:{rest}", provider.name) };
            let mut names = provider.list(facts, rest)?;
            names.retain(|name| wanted(name, &full));
            names
        }
        // What has to be told more, or is not there, is left out.
        None => {
            let listed = PROVIDERS.iter().filter_map(|provider| provider.list(facts, "").ok());
            listed.flatten().filter(|name| wanted(name, pattern)).collect()
        }
    };
    names.sort_unstable();
    names.dedup();
    Ok(names)
}

fn wanted(name: &str, pattern: &str) -> bool {
    if is_pattern(pattern) { matches(pattern, name) } else { name.contains(pattern) }
}

/// Writes names, one to a line.
///
/// # Errors
/// If `out` can't be written.
pub fn write(names: &[String], out: impl Write) -> io::Result<()> {
    let mut out = io::BufWriter::new(out);
    names.iter().try_for_each(|name| writeln!(out, "{name}"))?;
    out.flush()
}
