//! Where registers lie in `struct pt_regs` on x86-64 (`arch/x86/include/asm/ptrace.h`), and which of them hold what.

/// The names of the registers, in the order in which they lie.
const NAMES: [&str; 21] = [
    "r15", "r14", "r13", "r12", "bp", "bx", "r11", "r10", "r9", "r8", "ax", "cx", "dx", "si", "di", "orig_ax", "ip",
    "cs", "flags", "sp", "ss",
];

/// The first six arguments of a function, by the System V calling convention.
pub const ARGUMENTS: [u32; 6] = [at("di"), at("si"), at("dx"), at("cx"), at("r8"), at("r9")];
/// The arguments of a system call (`syscall_get_arguments` in `asm/syscall.h`).
pub const SYSCALL_ARGUMENTS: [u32; 6] = [at("di"), at("si"), at("dx"), at("r10"), at("r8"), at("r9")];
/// The number of a system call.
pub const SYSCALL_NUMBER: u32 = at("orig_ax");
/// What a function returns.
pub const RESULT: u32 = at("ax");
/// The stack pointer.
pub const STACK: u32 = at("sp");

const fn at(name: &str) -> u32 {
    let mut index = 0;
    while index < NAMES.len() {
        if same(NAMES[index], name) {
            return index as u32 * 8;
        }
        index += 1;
    }
    panic!("no such register")
}

const fn same(one: &str, other: &str) -> bool {
    let (one, other) = (one.as_bytes(), other.as_bytes());
    let mut index = 0;
    while index < one.len() && index < other.len() && one[index] == other[index] {
        index += 1;
    }
    index == one.len() && index == other.len()
}

/// Where a register lies, by its name: `ip`, `ax`, also as `rip`, `rax`.
#[must_use]
pub fn offset(name: &str) -> Option<u32> {
    let bare = name
        .strip_prefix('r')
        .filter(|bare| NAMES[..].contains(bare) && !bare.starts_with(|c: char| c.is_ascii_digit()));
    let name = bare.unwrap_or(name);
    NAMES.iter().position(|known| *known == name).map(|index| index as u32 * 8)
}

/// Where the register lies that one of its parts belongs to: `eax`, `ax` and `al` to `rax`, `r9d` to `r9`.
#[must_use]
pub fn whole(name: &str) -> Option<u32> {
    if let Some(number) = name.strip_prefix('r').filter(|rest| rest.starts_with(|first: char| first.is_ascii_digit())) {
        return offset(&format!("r{}", number.trim_end_matches(['d', 'w', 'b'])));
    }
    let bare = name.strip_prefix(['r', 'e']).unwrap_or(name);
    let bare = match bare {
        "al" | "bl" | "cl" | "dl" => return offset(&format!("{}x", &bare[..1])),
        "dil" | "sil" | "bpl" | "spl" => &bare[..2],
        _ => bare,
    };
    matches!(bare, "ax" | "bx" | "cx" | "dx" | "si" | "di" | "bp" | "sp" | "ip").then(|| offset(bare)).flatten()
}

/// The names of all registers.
pub fn names() -> impl Iterator<Item = &'static str> {
    NAMES.into_iter()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn registers_lie_as_the_kernel_has_them() {
        assert_eq!(ARGUMENTS, [112, 104, 96, 88, 72, 64]);
        assert_eq!(SYSCALL_ARGUMENTS, [112, 104, 96, 56, 72, 64]);
        assert_eq!((RESULT, SYSCALL_NUMBER, STACK), (80, 120, 152));
        for (name, place) in [("ip", Some(128)), ("rip", Some(128)), ("r8", Some(72)), ("r15", Some(0)), ("xmm0", None)]
        {
            assert_eq!(offset(name), place, "{name}");
        }
    }
}
