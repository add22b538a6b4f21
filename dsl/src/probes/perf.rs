//! `profile`, `software`, `hardware`: samples of the kernel's perf events, on every CPU.

use crate::facts::KernelFacts;

use super::interval::nanos;
use super::{Draft, Point, Resolver, Site};

/// A perf event (`perf_event_open(2)`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Event {
    /// The `type` of `struct perf_event_attr`.
    pub kind: u32,
    /// Its `config`.
    pub config: u64,
    /// How often it is sampled.
    pub rate: Rate,
}

/// How often a perf event is sampled.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rate {
    /// Once in so many events, or nanoseconds of a clock.
    Period(u64),
    /// So often in a second.
    Hertz(u64),
}

/// `PERF_TYPE_HARDWARE` (`include/uapi/linux/perf_event.h`).
pub const HARDWARE: u32 = 0;
/// `PERF_TYPE_SOFTWARE`.
pub const SOFTWARE: u32 = 1;

/// A countable event: its names, the one that is shown first, its number in the kernel, and in how many of it one is sampled
/// if the script does not say.
pub struct Countable {
    /// Its names.
    pub names: &'static [&'static str],
    /// Its `config`.
    pub config: u64,
    /// The period if none is given.
    pub period: u64,
}

const fn countable(config: u64, period: u64, names: &'static [&'static str]) -> Countable {
    Countable { names, config, period }
}

/// `enum perf_sw_ids` (`include/uapi/linux/perf_event.h`).
pub const SOFTWARE_EVENTS: [Countable; 11] = [
    countable(0, 1_000_000, &["cpu-clock", "cpu"]),
    countable(1, 1_000_000, &["task-clock"]),
    countable(2, 100, &["page-faults", "faults"]),
    countable(3, 1_000, &["context-switches", "cs"]),
    countable(4, 1, &["cpu-migrations"]),
    countable(5, 100, &["minor-faults"]),
    countable(6, 1, &["major-faults"]),
    countable(7, 1, &["alignment-faults"]),
    countable(8, 1, &["emulation-faults"]),
    countable(9, 1, &["dummy"]),
    countable(10, 1, &["bpf-output"]),
];

/// `enum perf_hw_id` (`include/uapi/linux/perf_event.h`).
pub const HARDWARE_EVENTS: [Countable; 10] = [
    countable(0, 1_000_000, &["cpu-cycles", "cycles"]),
    countable(1, 1_000_000, &["instructions"]),
    countable(2, 1_000_000, &["cache-references"]),
    countable(3, 1_000_000, &["cache-misses"]),
    countable(4, 100_000, &["branch-instructions", "branches"]),
    countable(5, 100_000, &["branch-misses"]),
    countable(6, 100_000, &["bus-cycles"]),
    countable(7, 1_000_000, &["frontend-stalls"]),
    countable(8, 1_000_000, &["backend-stalls"]),
    countable(9, 1_000_000, &["ref-cycles"]),
];

/// How a profile is written.
pub(super) fn list_profile(_facts: &dyn KernelFacts, _wanted: &str) -> Result<Vec<String>, String> {
    Ok(["hz:RATE", "s:COUNT", "ms:COUNT", "us:COUNT"].map(str::to_owned).into())
}

/// All events of the kernel.
pub(super) fn list_software(_facts: &dyn KernelFacts, _wanted: &str) -> Result<Vec<String>, String> {
    Ok(list(&SOFTWARE_EVENTS))
}

/// All events of the processor.
pub(super) fn list_hardware(_facts: &dyn KernelFacts, _wanted: &str) -> Result<Vec<String>, String> {
    Ok(list(&HARDWARE_EVENTS))
}

fn list(table: &[Countable]) -> Vec<String> {
    table.iter().map(|event| format!("{}:{}", event.names[0], event.period)).collect()
}

/// `profile:UNIT:COUNT`, `profile:DURATION`.
pub(super) fn profile(resolver: &mut Resolver<'_>, point: &Point<'_>, draft: &mut Draft) {
    let hertz = match point.rest.as_slice() {
        ["hz", count] => count.parse::<u64>().ok().filter(|count| *count > 0),
        _ => None,
    };
    let Some(rate) = hertz.map(Rate::Hertz).or_else(|| nanos(&point.rest).map(Rate::Period)) else {
        return resolver.malformed(
            point,
            "expected `profile:UNIT:COUNT`, COUNT from 1 up",
            "units are hz, s, ms and us: `profile:hz:99`, `profile:ms:10`",
        );
    };
    let probe = resolver.number(point.full());
    draft.sites.push(Site::Perf { probe, event: Event { kind: SOFTWARE, config: 0, rate } });
}

/// `software:EVENT:COUNT`.
pub(super) fn software(resolver: &mut Resolver<'_>, point: &Point<'_>, draft: &mut Draft) {
    counted(resolver, point, draft, SOFTWARE, &SOFTWARE_EVENTS);
}

/// `hardware:EVENT:COUNT`.
pub(super) fn hardware(resolver: &mut Resolver<'_>, point: &Point<'_>, draft: &mut Draft) {
    counted(resolver, point, draft, HARDWARE, &HARDWARE_EVENTS);
}

fn counted(resolver: &mut Resolver<'_>, point: &Point<'_>, draft: &mut Draft, kind: u32, table: &[Countable]) {
    let provider = point.provider;
    let (name, count) = match point.rest.as_slice() {
        [name] | [name, ""] => (*name, None),
        [name, count] => (*name, Some(*count)),
        _ => {
            let label = format!("expected `{provider}:EVENT:COUNT`");
            return resolver.malformed(point, &label, &format!("as in `{provider}:{}:100`", table[2].names[0]));
        }
    };
    let Some(event) = table.iter().find(|event| event.names.contains(&name)) else {
        let names = table.iter().flat_map(|event| event.names.iter().copied());
        let list = names.clone().collect::<Vec<_>>().join(", ");
        return resolver.unknown(point, &format!("`{provider}` has no event `{name}`"), name, names, &list);
    };
    let period = match count.map(str::parse::<u64>) {
        None => event.period,
        Some(Ok(count)) if count > 0 => count,
        Some(_) => {
            let help = format!("`{provider}:{name}:{}` samples one in so many", event.period);
            return resolver.malformed(point, "the count is a number from 1 up", &help);
        }
    };
    let probe = resolver.number(format!("{provider}:{}:{period}", event.names[0]));
    draft.sites.push(Site::Perf { probe, event: Event { kind, config: event.config, rate: Rate::Period(period) } });
}
