//! The names and numbers of system calls.

use syscalls::Sysno;

/// Tracepoints are called after the C function, which for these is not what the table calls the system call
/// (`arch/x86/entry/syscalls/syscall_64.tbl`, third and fourth column).
const FUNCTION_NAMES: [(&str, &str); 6] = [
    ("newstat", "stat"),
    ("newfstat", "fstat"),
    ("newlstat", "lstat"),
    ("sendfile64", "sendfile"),
    ("newuname", "uname"),
    ("umount", "umount2"),
];

/// The number of a system call, by the name of its C function.
#[must_use]
pub fn number(function: &str) -> Option<u32> {
    let name = FUNCTION_NAMES.iter().find(|(known, _)| *known == function).map_or(function, |(_, name)| name);
    name.parse::<Sysno>().ok().map(|number| number.id() as u32)
}

/// The name of a system call; `None` for a number that has none.
#[must_use]
pub fn name(number: u64) -> Option<&'static str> {
    Sysno::new(usize::try_from(number).ok()?).map(|number| number.name())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_those_of_the_c_functions() {
        assert_eq!(number("read"), Some(0));
        assert_eq!(number("newstat"), Some(4));
        assert_eq!(number("sendfile64"), Some(40));
        assert_eq!(number("nonsense"), None);
        assert_eq!(name(59), Some("execve"));
        assert_eq!(name(99_999), None);
        assert_eq!(name(u64::MAX), None);
    }
}
