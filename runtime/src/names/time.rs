//! Times as text, in local time.

use std::time::SystemTime;

use jiff::Timestamp;
use jiff::fmt::strtime::{BrokenDownTime, Config, PosixCustom};
use jiff::tz::TimeZone;

use crate::kernel::process::boot_nanos;

/// How long the distance between the two clocks is taken to be the same, in nanoseconds.
const FRESH: u64 = 1_000_000_000;

/// Turns times of the kernel's clock into local time.
#[derive(Clone, Debug)]
pub struct Clock {
    zone: TimeZone,
    /// Nanoseconds from the epoch to boot.
    boot: i128,
    /// When that was measured, since boot.
    measured: u64,
}

impl Default for Clock {
    fn default() -> Clock {
        Clock::in_zone(TimeZone::try_system().unwrap_or(TimeZone::UTC))
    }
}

impl Clock {
    /// Makes the clock of a time zone.
    #[must_use]
    pub fn in_zone(zone: TimeZone) -> Clock {
        let mut clock = Clock { zone, boot: 0, measured: 0 };
        clock.measure();
        clock
    }

    /// A time since boot by strftime's format, in which `%f` stands for the microseconds, six digits, and `%N` for the nanoseconds, nine. What the format
    /// can't mean is printed as it is.
    pub fn strftime(&mut self, format: &str, nanos_since_boot: u64) -> String {
        let time = self.since_epoch(nanos_since_boot);
        self.show(format, time.into())
    }

    /// A time since boot as nanoseconds since 1970.
    pub fn since_epoch(&mut self, nanos_since_boot: u64) -> i64 {
        // The wall clock may have been set, or the machine's clocks drifted.
        if boot_nanos().saturating_sub(self.measured) > FRESH {
            self.measure();
        }
        (self.boot + i128::from(nanos_since_boot)) as i64
    }

    /// The time of day by the same format.
    #[must_use]
    pub fn wall_clock(&self, format: &str) -> String {
        self.show(format, wall_nanos())
    }

    fn measure(&mut self) {
        let before = boot_nanos();
        let wall = wall_nanos();
        self.measured = boot_nanos();
        // The wall clock was read between the two.
        self.boot = wall - i128::from(before.midpoint(self.measured));
    }

    fn show(&self, format: &str, nanos_since_epoch: i128) -> String {
        let time = Timestamp::from_nanosecond(nanos_since_epoch).unwrap_or(Timestamp::UNIX_EPOCH);
        let time = BrokenDownTime::from(&time.to_zoned(self.zone.clone()));
        let config = Config::new().custom(PosixCustom::new()).lenient(true);
        time.to_string_with_config(&config, translated(format)).unwrap_or_else(|_| format.to_owned())
    }
}

/// Nanoseconds since the epoch.
#[must_use]
pub fn wall_nanos() -> i128 {
    Timestamp::try_from(SystemTime::now()).unwrap_or(Timestamp::UNIX_EPOCH).as_nanosecond()
}

/// The format as the formatter wants it: `%f` with its digits, and without the modifiers `E` and `O`, which mean
/// nothing in the C locale.
fn translated(format: &str) -> String {
    let mut out = String::with_capacity(format.len() + 8);
    let mut chars = format.chars().peekable();
    while let Some(char) = chars.next() {
        out.push(char);
        if char != '%' {
            continue;
        }
        chars.next_if(|modifier| matches!(modifier, 'E' | 'O'));
        match chars.next() {
            Some('f') => out.push_str("6f"),
            Some('N') => out.push_str("9f"),
            Some(conversion) => out.push(conversion),
            None => {}
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn clock() -> Clock {
        Clock::in_zone(TimeZone::fixed(jiff::tz::offset(2)))
    }

    #[test]
    fn conversions_are_those_of_the_c_locale() {
        let show = |format: &str| clock().show(format, 1_000_000_000_012_345_678);
        assert_eq!(show("%Y-%m-%d %H:%M:%S"), "2001-09-09 03:46:40");
        assert_eq!(show("%T.%f %z"), "03:46:40.012345 +0200");
        assert_eq!(show("%c|%x|%X|%r"), "Sun Sep  9 03:46:40 2001|09/09/01|03:46:40|03:46:40 AM");
        assert_eq!(show("%Ey %Od %k %j %s %a %B"), "01 09  3 252 1000000000 Sun September");
        assert_eq!(show("100%% %%f %i %"), "100% %f %i %");
        assert_eq!(show(""), "");
    }

    #[test]
    fn a_time_since_boot_is_a_time_of_day() {
        let mut clock = clock();
        let seconds = |text: String| text.parse::<i64>().unwrap();
        let (now, wall) = (seconds(clock.strftime("%s", boot_nanos())), seconds(clock.wall_clock("%s")));
        assert!((wall - now).abs() <= 1, "{now} {wall}");
        let boot = seconds(clock.strftime("%s", 0));
        assert!((now - boot - (boot_nanos() / 1_000_000_000) as i64).abs() <= 1);
        assert_eq!(clock.strftime("%Y", u64::MAX).len(), 4);
    }

    #[test]
    fn the_distance_of_the_clocks_is_measured_anew() {
        let mut clock = clock();
        clock.boot += 3_600_000_000_000;
        let wrong = clock.boot;
        clock.strftime("%s", 0);
        assert_eq!(clock.boot, wrong);
        clock.measured = clock.measured.saturating_sub(FRESH + 1);
        clock.strftime("%s", 0);
        assert!(wrong - clock.boot > 3_599_000_000_000);
    }
}
