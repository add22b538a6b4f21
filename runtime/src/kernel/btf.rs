//! The kernel's description of its own types, read where scripts can use it.

use std::cell::{OnceCell, RefCell};
use std::collections::HashMap;
use std::fs::{self, File};
use std::io::Read;
use std::rc::Rc;

use scope_dsl::ctypes::btf::Btf;

thread_local! {
    /// Read once: it takes milliseconds.
    static OPENED: OnceCell<Option<Btf>> = const { OnceCell::new() };
    static MODULES: RefCell<HashMap<String, Option<Btf>>> = RefCell::default();
}

/// Where the kernel tells of its types and of those of each module.
const DIRECTORY: &str = "/sys/kernel/btf";

/// The running kernel's types, with those of a module if one is named; `None` if it does not describe them.
#[must_use]
pub fn open(module: Option<&str>) -> Option<Btf> {
    match module {
        None => OPENED.with(|opened| opened.get_or_init(read).clone()),
        Some(module) => MODULES
            .with_borrow_mut(|modules| modules.entry(module.to_owned()).or_insert_with(|| read_module(module)).clone()),
    }
}

fn read_module(module: &str) -> Option<Btf> {
    let kernel = fs::read(format!("{DIRECTORY}/vmlinux")).ok()?;
    let module = fs::read(format!("{DIRECTORY}/{module}")).ok()?;
    Btf::open_module(&kernel, &module).ok()
}

fn read() -> Option<Btf> {
    let mut file = File::open(format!("{DIRECTORY}/vmlinux")).ok()?;
    let len = file.metadata().ok()?.len() as usize;
    // Straight into memory that can be shared: it is several megabytes.
    let mut bytes: Rc<[u8]> = std::iter::repeat_n(0, len).collect();
    file.read_exact(Rc::get_mut(&mut bytes)?).ok()?;
    Btf::open(bytes).ok()
}

/// Finds the offset in bytes of a struct's member in the running kernel; `None` if there is no such thing.
#[must_use]
pub fn member_offset(structure: &str, member: &str) -> Option<u32> {
    let btf = open(None)?;
    let id = btf.find_struct(structure)?;
    let found = btf.members(id).find(|found| found.name == member)?;
    Some(found.bit_offset / 8)
}

/// The number of a function of the kernel, or of a module.
#[must_use]
pub fn function(name: &str, module: Option<&str>) -> Option<u32> {
    open(module)?.find_func(name)
}
