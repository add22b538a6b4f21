//! Constants that the kernel's headers define for the preprocessor, so that BTF doesn't have them: `AF_INET`, `ENOENT`,
//! `TASK_RUNNING`. The values are those of x86-64; names that BTF has, as `IPPROTO_TCP`, are not here.

/// Lines of `NAME=VALUE`; one that begins with `#` names the header of those that follow.
const TABLE: &str = include_str!("constants.txt");

/// Gives the value of a constant by its name.
#[must_use]
pub fn find(name: &str) -> Option<i64> {
    let (_, value) = all().find(|(have, _)| *have == name)?;
    number(value)
}

/// The names of all constants.
pub fn names() -> impl Iterator<Item = &'static str> + Clone {
    all().map(|(name, _)| name)
}

fn all() -> impl Iterator<Item = (&'static str, &'static str)> + Clone {
    let lines = TABLE.lines().filter(|line| !line.starts_with('#'));
    lines.flat_map(str::split_ascii_whitespace).filter_map(|constant| constant.split_once('='))
}

fn number(value: &str) -> Option<i64> {
    match value.strip_prefix('-') {
        Some(value) => value.parse::<i64>().ok().map(i64::wrapping_neg),
        None => crate::parse::literal::number(value).ok()?.try_into().ok(),
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;
    use crate::builtins::Builtin;
    use crate::functions::Row;

    #[test]
    fn constants_have_the_values_of_the_headers() {
        let known = [("AF_INET6", 10), ("TASK_RUNNING", 0), ("O_CLOEXEC", 0o2_000_000), ("ENOENT", 2), ("SIGKILL", 9)];
        for (name, value) in known.into_iter().chain([("AT_FDCWD", -100), ("S_IFREG", 0o100_000), ("EAGAIN", 11)]) {
            assert_eq!(find(name), Some(value), "{name}");
        }
        assert_eq!(find("AF_INE"), None);
    }

    #[test]
    fn each_has_one_value_and_no_name_of_the_language() {
        let mut seen = HashSet::new();
        for (name, value) in all() {
            assert!(number(value).is_some(), "{name}={value}");
            assert!(seen.insert(name), "{name} is there twice");
            assert!(Builtin::named(name).is_none() && Row::named(name).is_none(), "{name}");
        }
        let words = TABLE.lines().filter(|line| !line.starts_with('#')).flat_map(str::split_ascii_whitespace);
        assert_eq!(words.count(), seen.len());
    }
}
