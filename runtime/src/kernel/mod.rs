//! This machine's kernel: system calls, tracefs, BTF, processes.

pub mod bpf;
pub mod btf;
mod executable;
pub mod facts;
pub mod links;
pub mod memory;
pub mod perf;
pub mod process;
pub mod syscalls;
pub mod tracefs;

/// The running kernel's version: its first two numbers, as (6, 12); zeroes if it does not tell.
#[must_use]
pub fn release() -> (u32, u32) {
    let text = std::fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
    let mut numbers = text.split(|char: char| !char.is_ascii_digit()).filter_map(|number| number.parse().ok());
    (numbers.next().unwrap_or(0), numbers.next().unwrap_or(0))
}
