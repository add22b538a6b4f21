//! This machine's kernel: system calls, tracefs, BTF, processes.

pub mod bpf;
mod btf;
pub mod facts;
pub mod perf;
pub mod process;
pub mod syscalls;
pub mod tracefs;
