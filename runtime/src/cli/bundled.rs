//! The scripts that are part of the binary.

/// Their names and texts, by name: all files of `stdlib-scripts/` (`build.rs`).
pub const SCRIPTS: &[(&str, &str)] = include!(concat!(env!("OUT_DIR"), "/scripts.rs"));

/// Finds a bundled script.
#[must_use]
pub fn find(name: &str) -> Option<&'static str> {
    SCRIPTS.iter().find(|(known, _)| *known == name).map(|(_, text)| *text)
}

/// The help text of a script: the comment at its head.
#[must_use]
pub fn help(text: &str) -> String {
    let lines = text.lines().skip_while(|line| line.starts_with("#!"));
    let comment = lines.map_while(|line| line.strip_prefix("//"));
    comment.map(|line| format!("{}\n", line.strip_prefix(' ').unwrap_or(line))).collect()
}
