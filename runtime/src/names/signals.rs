//! The names and numbers of signals.

/// The names; of those that share a number, the first is the one that is shown.
const NAMES: [(&str, i32); 34] = [
    ("SIGHUP", libc::SIGHUP),
    ("SIGINT", libc::SIGINT),
    ("SIGQUIT", libc::SIGQUIT),
    ("SIGILL", libc::SIGILL),
    ("SIGTRAP", libc::SIGTRAP),
    ("SIGABRT", libc::SIGABRT),
    ("SIGIOT", libc::SIGIOT),
    ("SIGBUS", libc::SIGBUS),
    ("SIGFPE", libc::SIGFPE),
    ("SIGKILL", libc::SIGKILL),
    ("SIGUSR1", libc::SIGUSR1),
    ("SIGSEGV", libc::SIGSEGV),
    ("SIGUSR2", libc::SIGUSR2),
    ("SIGPIPE", libc::SIGPIPE),
    ("SIGALRM", libc::SIGALRM),
    ("SIGTERM", libc::SIGTERM),
    ("SIGSTKFLT", libc::SIGSTKFLT),
    ("SIGCHLD", libc::SIGCHLD),
    ("SIGCLD", libc::SIGCHLD),
    ("SIGCONT", libc::SIGCONT),
    ("SIGSTOP", libc::SIGSTOP),
    ("SIGTSTP", libc::SIGTSTP),
    ("SIGTTIN", libc::SIGTTIN),
    ("SIGTTOU", libc::SIGTTOU),
    ("SIGURG", libc::SIGURG),
    ("SIGXCPU", libc::SIGXCPU),
    ("SIGXFSZ", libc::SIGXFSZ),
    ("SIGVTALRM", libc::SIGVTALRM),
    ("SIGPROF", libc::SIGPROF),
    ("SIGWINCH", libc::SIGWINCH),
    ("SIGIO", libc::SIGIO),
    ("SIGPOLL", libc::SIGPOLL),
    ("SIGPWR", libc::SIGPWR),
    ("SIGSYS", libc::SIGSYS),
];

/// The name of a signal: `SIGKILL`, `SIGRTMIN+3`; the number as text if it has none.
#[must_use]
pub fn signal_name(number: u64) -> String {
    let named = NAMES.iter().find(|(_, known)| *known as u64 == number);
    if let Some((name, _)) = named {
        return (*name).to_owned();
    }
    let (first, last) = real_time();
    match number {
        _ if number == first => "SIGRTMIN".to_owned(),
        _ if (first..=last).contains(&number) => format!("SIGRTMIN+{}", number - first),
        _ => number.to_string(),
    }
}

/// The number of a signal, by its name with or without `SIG`, in any case, or by the number as text.
#[must_use]
pub fn signal_number(name: &str) -> Option<u64> {
    let (first, last) = real_time();
    if let Ok(number) = name.parse::<u64>() {
        return (1..=last).contains(&number).then_some(number);
    }
    let upper = name.to_ascii_uppercase();
    let short = upper.strip_prefix("SIG").unwrap_or(&upper);
    if let Some((_, number)) = NAMES.iter().find(|(known, _)| known.strip_prefix("SIG") == Some(short)) {
        return Some(*number as u64);
    }
    let number = if let Some(above) = short.strip_prefix("RTMIN") {
        first.checked_add(distance(above, '+')?)?
    } else {
        last.checked_sub(distance(short.strip_prefix("RTMAX")?, '-')?)?
    };
    (first..=last).contains(&number).then_some(number)
}

/// What follows `RTMIN` and `RTMAX`: nothing, or a sign and a number.
fn distance(text: &str, sign: char) -> Option<u64> {
    if text.is_empty() {
        return Some(0);
    }
    let digits = text.strip_prefix(sign)?;
    // Else `parse` would take a second sign.
    digits.bytes().all(|byte| byte.is_ascii_digit()).then(|| digits.parse().ok())?
}

/// The first and the last real-time signal: the C library keeps some of the kernel's for itself.
fn real_time() -> (u64, u64) {
    (libc::SIGRTMIN() as u64, libc::SIGRTMAX() as u64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_number_has_a_text() {
        assert_eq!(signal_name(9), "SIGKILL");
        assert_eq!(signal_name(6), "SIGABRT");
        assert_eq!(signal_name(real_time().0), "SIGRTMIN");
        assert_eq!(signal_name(real_time().0 + 3), "SIGRTMIN+3");
        assert_eq!(signal_name(0), "0");
        assert_eq!(signal_name(33), "33");
        assert_eq!(signal_name(65), "65");
        assert_eq!(signal_name(u64::MAX), u64::MAX.to_string());
    }

    #[test]
    fn names_lead_back_to_numbers() {
        for number in 1..=64 {
            assert_eq!(signal_number(&signal_name(number)), Some(number));
        }
        let last = ("SIGRTMAX", 64);
        for (name, number) in [("KILL", 9), ("sigterm", 15), ("SIGIOT", 6), ("17", 17), last, ("rtmax-1", 63)] {
            assert_eq!(signal_number(name), Some(number), "{name}");
        }
        for name in ["", "SIG", "SIGNAL", "0", "65", "-9", "SIGRTMIN-1", "SIGRTMIN+", "SIGRTMIN++1", "SIGRTMIN+99"] {
            assert_eq!(signal_number(name), None, "{name}");
        }
        assert_eq!(signal_number("SIGRTMAX-99"), None);
    }
}
