//! The names of allocation flags, as the running kernel gives them.

use std::sync::OnceLock;

use crate::kernel::tracefs::Tracefs;

/// The tracepoint whose format names all of them: its `print fmt` ends with the kernel's table
/// (`include/trace/events/kmem.h`, `include/trace/events/mmflags.h`).
const NAMED_BY: (&str, &str) = ("kmem", "kmalloc");

/// What the flags of an allocation are called: `GFP_KERNEL|__GFP_ZERO`; bits that the kernel has no name for, and all of
/// them where it can't be asked, as a hexadecimal number.
#[must_use]
pub fn gfp_flags(flags: u64) -> String {
    static TABLE: OnceLock<Vec<(u64, String)>> = OnceLock::new();
    let table = TABLE.get_or_init(|| {
        let tracefs = Tracefs::find().ok();
        let format = tracefs.and_then(|tracefs| tracefs.format(NAMED_BY.0, NAMED_BY.1));
        format.map_or_else(Vec::new, |format| read(&format))
    });
    shown(table, flags)
}

/// The sets of flags that are all there, in the order of the table, each bit once: as the kernel's `__print_flags` does.
fn shown(table: &[(u64, String)], flags: u64) -> String {
    if flags == 0 {
        return "none".to_owned();
    }
    let mut left = flags;
    let mut names = Vec::new();
    for (set, name) in table {
        if *set != 0 && left & set == *set {
            names.push(name.clone());
            left &= !set;
        }
    }
    if left != 0 {
        names.push(format!("{left:#x}"));
    }
    names.join("|")
}

/// Reads `{expression, "NAME"}, ...` behind `__print_flags`, up to the entry that has no name.
fn read(format: &str) -> Vec<(u64, String)> {
    let Some((_, table)) = format.split_once("__print_flags(") else { return Vec::new() };
    let entries = table.split('{').skip(1).map_while(|entry| {
        let (expression, name) = entry.split_once(", \"")?;
        let mut expression = Expression { rest: expression };
        Some((expression.value(0)?, name.split('"').next()?.to_owned()))
    });
    entries.collect()
}

/// The operators of the table's expressions: sign, how tightly it binds (C's order), what it does.
type Operator = (&'static str, u8, fn(u64, u64) -> u64);
const OPERATORS: [Operator; 3] =
    [("|", 1, |a, b| a | b), ("&", 2, |a, b| a & b), ("<<", 3, |a, b| a.checked_shl(b as u32).unwrap_or(0))];

/// A constant expression of C, of the kind that the table has: numbers, casts, brackets, `~` and the operators.
struct Expression<'a> {
    rest: &'a str,
}

impl Expression<'_> {
    /// The value of what stands next, up to an operator that binds less tightly.
    fn value(&mut self, tightness: u8) -> Option<u64> {
        let mut value = self.operand()?;
        loop {
            self.rest = self.rest.trim_start();
            let operator = OPERATORS.iter().find(|(sign, ..)| self.rest.starts_with(sign));
            let Some((sign, binds, apply)) = operator.filter(|(_, binds, _)| *binds > tightness) else {
                return Some(value);
            };
            self.rest = &self.rest[sign.len()..];
            value = apply(value, self.value(*binds)?);
        }
    }

    fn operand(&mut self) -> Option<u64> {
        if self.take("~") {
            return Some(!self.operand()?);
        }
        if self.take("(") {
            if self.rest.trim_start().starts_with(|first: char| first.is_ascii_alphabetic()) {
                // A cast: all are to types that are wide enough.
                self.rest = self.rest.split_once(')')?.1;
                return self.operand();
            }
            let value = self.value(0)?;
            return self.take(")").then_some(value);
        }
        let text = self.rest.trim_start();
        let (word, rest) = text.split_at(text.find(|c: char| !c.is_ascii_alphanumeric()).unwrap_or(text.len()));
        self.rest = rest;
        let digits = word.trim_end_matches(['u', 'U', 'l', 'L']);
        match digits.strip_prefix("0x") {
            Some(digits) => u64::from_str_radix(digits, 16).ok(),
            None => digits.parse().ok(),
        }
    }

    fn take(&mut self, sign: &str) -> bool {
        let behind = self.rest.trim_start().strip_prefix(sign);
        self.rest = behind.unwrap_or(self.rest);
        behind.is_some()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// In the words of kernels since 6.10, and of those before.
    const NEWER: &str = r#"print fmt: "flags=%s", (REC->flags) ? __print_flags(REC->flags, "|", {( unsigned long)((( gfp_t)(((((1UL))) << (10))|((((1UL))) << (11)))) | (( gfp_t)((((1UL))) << (6)))), "GFP_NOFS"}, {( unsigned long)(( gfp_t)((((1UL))) << (6))), "__GFP_IO"}, { 0, ((void *)0) } ) : "none", {1, "no flag"}"#;
    const OLDER: &str = r#"__print_flags(REC->flags, "|", {(unsigned long)((( gfp_t)(0x400u|0x800u)) | (( gfp_t)0x40u)), "GFP_NOFS"}, {(unsigned long)(( gfp_t)0x40u), "__GFP_IO"}) : "none""#;

    #[test]
    fn flags_have_the_names_of_the_kernel() {
        for format in [NEWER, OLDER] {
            let table = read(format);
            assert_eq!(table, [(0xc40, "GFP_NOFS".to_owned()), (0x40, "__GFP_IO".to_owned())]);
            assert_eq!(shown(&table, 0xc40), "GFP_NOFS");
            assert_eq!(shown(&table, 0x1_0040), "__GFP_IO|0x10000");
            assert_eq!(shown(&table, 0), "none");
        }
        assert_eq!(shown(&read("nothing of the kind"), 0xc40), "0xc40");
    }

    #[test]
    fn expressions_bind_as_in_c() {
        for (text, value) in
            [("1 << 2 | 1", Some(5)), ("6 & ~2 | 1 << 3", Some(12)), ("(gfp_t)0", Some(0)), ("1 |", None)]
        {
            assert_eq!(Expression { rest: text }.value(0), value, "{text}");
        }
    }
}
