//! Every code of a diagnostic, explained: what it means, what to do, a script that gives it and one that is right.
//!
//! A code has one meaning and is never used again for another. The tests compile each example and look for codes that are
//! used in the sources but not explained here.

mod limits;
mod names;
mod probes;
mod syntax;
mod types;
mod warnings;

use crate::diagnostic::nearest;

/// A code, explained.
#[derive(Clone, Copy, Debug)]
pub struct Entry {
    /// The code.
    pub code: &'static str,
    /// What is wrong, in a few words.
    pub title: &'static str,
    /// What it means and what to do.
    pub text: &'static str,
    /// A script that gives the code.
    pub wrong: &'static str,
    /// The script as it should be.
    pub right: &'static str,
}

const fn entry(
    code: &'static str,
    title: &'static str,
    text: &'static str,
    wrong: &'static str,
    right: &'static str,
) -> Entry {
    Entry { code, title, text, wrong, right }
}

/// The codes by family, each with what the family is about.
pub const FAMILIES: &[(&str, &[Entry])] = &[
    ("Syntax", syntax::ENTRIES),
    ("Probes", probes::ENTRIES),
    ("Names and what they stand for", names::ENTRIES),
    ("Types of C", types::ENTRIES),
    ("Limits and settings", limits::ENTRIES),
    ("Warnings", warnings::ENTRIES),
];

/// All codes, in order.
pub fn entries() -> impl Iterator<Item = &'static Entry> {
    FAMILIES.iter().flat_map(|(_, entries)| entries.iter())
}

/// Finds the entry of a code, in capitals or not.
///
/// # Errors
/// The code that was most likely meant, if one is near.
pub fn find(code: &str) -> Result<&'static Entry, Option<&'static str>> {
    let wanted = code.trim().to_ascii_uppercase();
    if let Some(found) = entries().find(|entry| entry.code == wanted) {
        return Ok(found);
    }
    let digits = wanted.trim_start_matches(|char: char| !char.is_ascii_digit());
    let same =
        entries().map(|entry| entry.code).find(|code| !digits.is_empty() && code.ends_with(&format!("{digits:0>4}")));
    Err(same.or_else(|| nearest(&wanted, entries().map(|entry| entry.code))))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::path::Path;

    use super::{FAMILIES, entries, find};

    /// Gathers what looks like a code in the sources below a directory.
    fn used(directory: &Path, codes: &mut BTreeSet<String>) {
        for entry in std::fs::read_dir(directory).expect("the sources are there").flatten() {
            let path = entry.path();
            if path.is_dir() {
                if path.file_name().is_none_or(|name| name != "explain") {
                    used(&path, codes);
                }
                continue;
            }
            let text = std::fs::read_to_string(&path).unwrap_or_default();
            let words = text.split('"').filter(|word| word.len() == 5 && word.starts_with(['E', 'W']));
            codes.extend(words.filter(|word| word[1..].bytes().all(|digit| digit.is_ascii_digit())).map(str::to_owned));
        }
    }

    #[test]
    fn every_code_in_use_is_explained_and_no_other() {
        let own = Path::new(env!("CARGO_MANIFEST_DIR"));
        let mut codes = BTreeSet::new();
        used(&own.join("src"), &mut codes);
        used(&own.join("../runtime/src"), &mut codes);
        let explained = entries().map(|entry| entry.code.to_owned()).collect::<BTreeSet<_>>();
        assert_eq!(codes, explained);
    }

    #[test]
    fn codes_stand_in_order_and_once() {
        for (family, entries) in FAMILIES {
            assert!(entries.is_sorted_by(|left, right| left.code < right.code), "{family}");
        }
        assert!(entries().all(|entry| !entry.text.ends_with('\n') && entry.text.ends_with('.')));
    }

    #[test]
    fn codes_are_found_and_near_ones_suggested() {
        assert_eq!(find("e0203").map(|entry| entry.code).ok(), Some("E0203"));
        for code in ["0203", "203", "W0203", "E203"] {
            assert_eq!(find(code).err().flatten(), Some("E0203"), "{code}");
        }
        assert_eq!(find("no").err(), Some(None));
    }
}
