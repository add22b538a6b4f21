//! What addresses are called, in the kernel and in processes.

pub(crate) mod demangle;
pub mod kernel;
mod maps;
pub mod user;

pub use kernel::KernelSymbols;
pub use user::UserSymbols;

/// A named place in code.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Symbol {
    /// The name of the function or object.
    pub name: String,
    /// How far behind its beginning the address is.
    pub offset: u64,
    /// The kernel module, or the path of the mapped file; none for the kernel itself.
    pub module: Option<String>,
}

/// What is known of an address in a process.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Place {
    /// It belongs to a symbol.
    Symbol(Symbol),
    /// It belongs to a file that has no symbol there.
    File {
        /// The path of the file, or the kernel's name for the region: `[vdso]`.
        module: String,
        /// The offset within the file.
        offset: u64,
    },
    /// Nothing is.
    Unknown,
}

/// The symbols of the kernel and of processes. Each is read when it is first asked for.
#[derive(Default)]
pub struct Symbols {
    /// Those of the kernel.
    pub kernel: KernelSymbols,
    /// Those of processes.
    pub user: UserSymbols,
}
