//! What the compiler must know about a machine, through one trait: so that it compiles anywhere, on recorded facts.

use std::rc::Rc;

use crate::ctypes::btf::Btf;

/// Facts about the kernel that a script is compiled for.
pub trait KernelFacts {
    /// All tracepoints, as `category:name`, in the kernel's order.
    fn tracepoints(&self) -> &[String];
    /// The text of a tracepoint's `format` file; `None` if there is no such tracepoint.
    fn tracepoint_format(&self, category: &str, name: &str) -> Option<String>;
    /// The number of a system call, by the name that its tracepoint has behind `sys_enter_`.
    fn syscall_number(&self, name: &str) -> Option<u32>;
    /// Whether registers and raw tracepoints lie as on x86-64, which the cheaper ways for system calls need.
    fn x86_64(&self) -> bool;
    /// How system calls by the 32-bit entry are told apart.
    fn compat(&self) -> Compat;
    /// The kernel's description of its own types, with those of a module if one is named; `None` if there is none.
    fn btf(&self, module: Option<&str>) -> Option<Btf>;
    /// How many CPUs the machine can have.
    fn cpus(&self) -> u32;
    /// How deep scope's own namespace of processes lies in others; 0 for the first.
    fn pid_level(&self) -> u32;
    /// The address of a symbol of the kernel.
    fn kernel_address(&self, name: &str) -> Option<u64>;
    /// The id of the cgroup at a path.
    fn cgroup_id(&self, path: &str) -> Option<u64>;
    /// The number of a signal, by its name with or without `SIG`.
    fn signal(&self, name: &str) -> Option<u64>;
    /// The functions of the kernel that can be probed.
    fn kernel_functions(&self) -> &[KernelFunction];
    /// Whether functions of the kernel can be probed by kprobes.
    ///
    /// # Errors
    /// Why not, in words.
    fn kprobes(&self) -> Result<(), &'static str>;
    /// Whether functions of the kernel can be probed by fentry and fexit.
    ///
    /// # Errors
    /// Why not, in words.
    fn trampolines(&self) -> Result<(), &'static str>;
    /// Whether a function of the kernel's own can be probed by fentry and fexit, as far as can be told at once.
    fn traces(&self, function: &str) -> bool;
    /// The kinds of objects that the kernel lets programs go through, as `task`; none if it does not tell.
    fn iterators(&self) -> Vec<String>;
    /// The files whose paths match a pattern, `/opt/*/bin/app`.
    fn files(&self, pattern: &str) -> Vec<String>;
    /// The program or library that a name leads to: a path, a library's short name, or a program's.
    ///
    /// # Errors
    /// Why nothing is known of it, in words.
    fn executable(&self, name: &str) -> Result<Rc<dyn Executable>, String>;
}

/// A function of the kernel that can be probed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KernelFunction {
    /// Its module, if it is not the kernel's own.
    pub module: Option<String>,
    /// Its name.
    pub name: String,
}

/// A program or library: where probes can be set in it.
pub trait Executable {
    /// Where it lies.
    fn path(&self) -> &str;
    /// Finds a function by its name.
    ///
    /// # Errors
    /// Why its functions are not known, in words; so for the others.
    fn function(&self, name: &str) -> Result<Option<UserFunction>, String>;
    /// All functions.
    fn functions(&self) -> Result<Vec<UserFunction>, String>;
    /// What a name was in the source of C++ or Rust; one of neither stays as it is.
    fn demangled(&self, name: &str) -> String;
    /// Whether a probe can be set at an offset, so many bytes behind a function's first instruction; if not, why.
    fn can_probe(&self, offset: u64, inside: u64) -> Result<(), &'static str>;
    /// Whether a static probe can be set at an offset; if not, why.
    fn can_probe_note(&self, offset: u64) -> Result<(), &'static str>;
    /// What harm a probe does to the process where functions return, if any is known.
    fn harm_at_returns(&self) -> Option<&'static str>;
    /// All static probes.
    fn notes(&self) -> Result<Vec<Note>, String>;
}

/// A function of a program or library.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UserFunction {
    /// Its name in the symbol table.
    pub name: String,
    /// Where it begins in the file.
    pub offset: u64,
    /// Where it is loaded to, before the whole file is moved.
    pub address: u64,
    /// Bytes.
    pub size: u64,
    /// Whether it only finds the function that is to be called, once in a process.
    pub indirect: bool,
}

/// A static probe of a program or library (`sys/sdt.h`).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Note {
    /// Its provider.
    pub provider: String,
    /// Its name.
    pub name: String,
    /// Where it lies in the file.
    pub offset: u64,
    /// Where in the file its semaphore lies, 0 if it has none.
    pub semaphore: u64,
    /// Where its arguments are: `-4@%edi 8@-8(%rbp)`.
    pub arguments: String,
}

/// Whether a kernel has a 32-bit system call entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Compat {
    /// It has none.
    Absent,
    /// It has one, and notes its use here.
    Marked(CompatFlag),
    /// It has one, but where it notes its use is not known.
    Unknown,
}

/// Where the kernel notes that a task is inside a 32-bit system call: the `syscalls` tracepoints ignore those
/// (`ARCH_TRACE_IGNORE_COMPAT_SYSCALLS`), the `raw_syscalls` ones don't.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CompatFlag {
    /// The offset of a 32-bit word in `task_struct`.
    pub offset: u32,
    /// The bit in it (`TS_COMPAT`, `arch/x86/include/asm/thread_info.h`).
    pub mask: u32,
}
