//! The scripts that are part of the binary.

/// Their names and texts.
pub const SCRIPTS: [(&str, &str); 5] = [
    ("hello", include_str!("../../../stdlib-scripts/hello.scope")),
    ("latency", include_str!("../../../stdlib-scripts/latency.scope")),
    ("opensnoop", include_str!("../../../stdlib-scripts/opensnoop.scope")),
    ("syscall", include_str!("../../../stdlib-scripts/syscall.scope")),
    ("syscount", include_str!("../../../stdlib-scripts/syscount.scope")),
];

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
