//! What is compared of what the two print.

use crate::program::Layout;
use crate::run::Tool;

/// What the two print before their maps.
pub const END: &str = "-- end --";

/// What is compared of what a tool printed; nothing if it has no end.
pub fn normalise(printed: &str, tool: Tool, format: &str, layout: Layout) -> Option<String> {
    let addresses = hide_addresses(printed);
    if format == "json" {
        // bpftrace's newlines at the end are no records; the two count different probes.
        let records =
            addresses.lines().filter(|line| !line.is_empty() && !line.starts_with("{\"type\": \"attached_probes\""));
        let records =
            records.map(|line| format!("{}\n", line.replace("}, {\"min\": ", "},{\"min\": "))).collect::<String>();
        return records.contains(END).then_some(records);
    }
    let body = match addresses.split_once('\n') {
        Some((first, rest)) if tool == Tool::Bpftrace && first.starts_with("Attaching ") => rest.to_owned(),
        _ => addresses,
    };
    let (trace, mut maps) = body.split_once(&format!("{END}\n"))?;
    // Empty lines lead to the maps; bpftrace writes them where there is none, too.
    maps = match maps.strip_prefix("\n\n") {
        Some(maps) => maps,
        None if tool == Tool::Scope && maps.is_empty() => maps,
        None => return None,
    };
    let full = |text: &str| text.lines().filter(|line| !line.is_empty()).map(|line| format!("{line}\n")).collect();
    let trace = if layout == Layout::Loose { full(trace) } else { trace.to_owned() };
    let maps = if layout == Layout::Exact { maps.to_owned() } else { full(maps) };
    Some(format!("{trace}{END}\n{maps}"))
}

/// Replaces what looks like an address of user space, which is another in each process: eight or more hexadecimal digits
/// after `0x` or a tab.
fn hide_addresses(text: &str) -> String {
    let mut out = String::new();
    let mut rest = text;
    while let Some((at, mark)) = ["0x", "\t", "\\t"].iter().filter_map(|mark| Some((rest.find(mark)?, *mark))).min() {
        let (before, after) = rest.split_at(at + mark.len());
        let digits = after.len() - after.trim_start_matches(|c: char| c.is_ascii_hexdigit()).len();
        out += before;
        out += if (8..16).contains(&digits) { "ADDRESS" } else { &after[..digits] };
        rest = &after[digits..];
    }
    out + rest
}
