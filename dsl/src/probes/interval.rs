//! `interval`: a clock of scope's own, and `BEGIN`, `END` and signals to scope: all that runs in userspace.

use crate::facts::KernelFacts;

use super::{Draft, Point, Resolver, Site};

/// `BEGIN`.
pub(super) fn begin(resolver: &mut Resolver<'_>, point: &Point<'_>, draft: &mut Draft) {
    if resolver.alone(point) {
        draft.sites.push(Site::Begin { probe: resolver.number("BEGIN".to_owned()) });
    }
}

/// `END`.
pub(super) fn end(resolver: &mut Resolver<'_>, point: &Point<'_>, draft: &mut Draft) {
    if resolver.alone(point) {
        draft.sites.push(Site::End { probe: resolver.number("END".to_owned()) });
    }
}

/// The signals that a clause can wait for: the others end a trace, end the process, or can't be caught at all.
const TAKEN: [&str; 2] = ["USR1", "USR2"];

/// `self:signal:NAME`.
pub(super) fn signal(resolver: &mut Resolver<'_>, point: &Point<'_>, draft: &mut Draft) {
    let ["signal", name] = point.rest.as_slice() else {
        return resolver.malformed(point, "expected `self:signal:NAME`", "as in `self:signal:SIGUSR1`");
    };
    let bare = name.strip_prefix("SIG").unwrap_or(name);
    match resolver.facts.signal(bare).filter(|_| TAKEN.contains(&bare)) {
        Some(signal) => {
            let probe = resolver.number(format!("self:signal:SIG{bare}"));
            draft.sites.push(Site::Signal { probe, signal: signal as u32 });
        }
        None => resolver.malformed(point, "not a signal that scope waits for", "SIGUSR1 and SIGUSR2 can be used"),
    }
}

/// How an interval is written.
pub(super) fn list_interval(_facts: &dyn KernelFacts, _wanted: &str) -> Result<Vec<String>, String> {
    Ok(["s:COUNT", "ms:COUNT", "us:COUNT", "hz:RATE"].map(str::to_owned).into())
}

/// A probe without anything behind the provider.
pub(super) fn list_alone(_facts: &dyn KernelFacts, _wanted: &str) -> Result<Vec<String>, String> {
    Ok(vec![String::new()])
}

/// The signals that can be used.
pub(super) fn list_signals(_facts: &dyn KernelFacts, _wanted: &str) -> Result<Vec<String>, String> {
    Ok(TAKEN.map(|name| format!("signal:SIG{name}")).into())
}

/// `interval:UNIT:COUNT`, `interval:DURATION`.
pub(super) fn interval(resolver: &mut Resolver<'_>, point: &Point<'_>, draft: &mut Draft) {
    match nanos(&point.rest) {
        Some(nanos) => {
            let probe = resolver.number(point.full());
            draft.sites.push(Site::Interval { probe, nanos });
        }
        None => resolver.malformed(
            point,
            "expected `interval:UNIT:COUNT`, COUNT from 1 up",
            "units are s, ms, us and hz: `interval:s:5`, `interval:hz:10`",
        ),
    }
}

/// The period that a unit and a count, or a duration, mean.
pub(super) fn nanos(rest: &[&str]) -> Option<u64> {
    let nanos = match rest {
        [unit, count] => {
            let count = count.parse::<u64>().ok().filter(|count| *count > 0)?;
            match *unit {
                "s" => count.checked_mul(1_000_000_000)?,
                "ms" => count.checked_mul(1_000_000)?,
                "us" => count.checked_mul(1_000)?,
                "hz" => 1_000_000_000u64.checked_div(count)?,
                _ => return None,
            }
        }
        [duration] => crate::parse::literal::number(duration).ok()?,
        _ => return None,
    };
    Some(nanos).filter(|nanos| *nanos > 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn intervals_have_units() {
        assert_eq!(nanos(&["s", "5"]), Some(5_000_000_000));
        assert_eq!(nanos(&["hz", "10"]), Some(100_000_000));
        assert_eq!(nanos(&["1s"]), Some(1_000_000_000));
        for bad in [&["s", "0"][..], &["s"], &["parsec", "1"], &["s", "-1"], &["hz", "2000000000"], &[]] {
            assert_eq!(nanos(bad), None, "{bad:?}");
        }
    }
}
