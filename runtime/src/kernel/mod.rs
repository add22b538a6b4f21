//! This machine's kernel: system calls, tracefs, BTF, processes.

pub mod bpf;
pub mod btf;
mod executable;
pub mod facts;
pub mod perf;
pub mod process;
pub mod syscalls;
pub mod tracefs;
