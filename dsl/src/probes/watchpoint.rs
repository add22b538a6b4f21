//! `watchpoint`: reads, writes or execution of memory, noticed by the processor's debug registers.

use crate::facts::KernelFacts;

use super::{Draft, Point, Resolver, Site};

/// What a watchpoint waits for (`struct perf_event_attr`, `bp_*`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Watched {
    /// The address: the kernel's, or in whatever process is looked at.
    pub address: u64,
    /// Bytes: 1, 2, 4 or 8.
    pub len: u64,
    /// A sum of [`READ`], [`WRITE`] and [`EXECUTE`].
    pub how: u32,
}

/// `HW_BREAKPOINT_R` (`include/uapi/linux/hw_breakpoint.h`).
pub const READ: u32 = 1;
/// `HW_BREAKPOINT_W`.
pub const WRITE: u32 = 2;
/// `HW_BREAKPOINT_X`.
pub const EXECUTE: u32 = 4;

/// The ways of access that processors can watch.
const MODES: [(&str, u32); 4] = [("w", WRITE), ("rw", READ | WRITE), ("wr", READ | WRITE), ("x", EXECUTE)];

/// How a watchpoint is written.
pub(super) fn list(_facts: &dyn KernelFacts, _wanted: &str) -> Result<Vec<String>, String> {
    Ok(["ADDRESS:LENGTH:w", "ADDRESS:LENGTH:rw", "ADDRESS:8:x"].map(str::to_owned).into())
}

/// `watchpoint:ADDRESS:LENGTH:MODE`.
pub(super) fn resolve(resolver: &mut Resolver<'_>, point: &Point<'_>, draft: &mut Draft) {
    let [place, len, mode] = point.rest.as_slice() else {
        let help = "as in `watchpoint:0x7ffd5000:8:w` or, for a variable of the kernel, `watchpoint:jiffies:8:w`";
        return resolver.malformed(point, "expected `watchpoint:ADDRESS:LENGTH:MODE`", help);
    };
    let number = crate::parse::literal::number(place).ok();
    let Some(address) = number.or_else(|| resolver.facts.kernel_address(place)) else {
        let help = "it is a number, or the name of a variable of the kernel that /proc/kallsyms lists";
        return resolver.malformed(point, &format!("`{place}` is no address"), help);
    };
    let Some((_, how)) = MODES.iter().find(|(name, _)| name == mode) else {
        let help = "`w` is writes, `rw` reads and writes, `x` execution: processors can't watch reads alone";
        return resolver.malformed(point, &format!("`{mode}` is no way of access"), help);
    };
    let Some(len) = len.parse::<u64>().ok().filter(|len| matches!(len, 1 | 2 | 4 | 8)) else {
        return resolver.malformed(
            point,
            "the length is no number of bytes that can be watched",
            "1, 2, 4 or 8 can be",
        );
    };
    if *how == EXECUTE && len != 8 {
        return resolver.malformed(point, "execution is watched with a length of 8", "as in `watchpoint:0x401000:8:x`");
    }
    if *how != EXECUTE && address % len != 0 {
        let help = "processors watch words that begin at a multiple of their length";
        return resolver.malformed(point, &format!("the address is no multiple of {len}"), help);
    }
    let probe = resolver.number(point.full());
    draft.sites.push(Site::Watchpoint { probe, watched: Watched { address, len, how: *how } });
}
