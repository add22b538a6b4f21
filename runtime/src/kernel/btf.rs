//! The kernel's description of its own types, read where scripts can use it.

use std::cell::OnceCell;
use std::fs::File;
use std::io::Read;
use std::rc::Rc;

use scope_dsl::ctypes::btf::Btf;

thread_local! {
    /// Read once: it takes milliseconds.
    static OPENED: OnceCell<Option<Btf>> = const { OnceCell::new() };
}

/// The running kernel's types; `None` if it does not describe them.
#[must_use]
pub fn open() -> Option<Btf> {
    OPENED.with(|opened| opened.get_or_init(read).clone())
}

fn read() -> Option<Btf> {
    let mut file = File::open("/sys/kernel/btf/vmlinux").ok()?;
    let len = file.metadata().ok()?.len() as usize;
    // Straight into memory that can be shared: it is several megabytes.
    let mut bytes: Rc<[u8]> = std::iter::repeat_n(0, len).collect();
    file.read_exact(Rc::get_mut(&mut bytes)?).ok()?;
    Btf::open(bytes).ok()
}

/// Finds the offset in bytes of a struct's member in the running kernel; `None` if there is no such thing.
#[must_use]
pub fn member_offset(structure: &str, member: &str) -> Option<u32> {
    let btf = open()?;
    let id = btf.find_struct(structure)?;
    let found = btf.members(id).find(|found| found.name == member)?;
    Some(found.bit_offset / 8)
}

/// The number of a function of the kernel, but not of its modules.
#[must_use]
pub fn function(name: &str) -> Option<u32> {
    open()?.find_func(name)
}
