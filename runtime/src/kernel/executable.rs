//! Programs and libraries of this machine as [`Executable`]s.

use std::path::PathBuf;
use std::rc::Rc;

use scope_dsl::facts::{Executable, Note, UserFunction};

use crate::binary::{self, Binary, BinaryError, Function};

/// A file, opened.
struct File {
    path: String,
    binary: Binary,
}

/// Opens what a name leads to, as a process sees it if one is given.
///
/// # Errors
/// Why it can't be read, in words.
pub fn open(name: &str, pid: Option<u32>) -> Result<Rc<dyn Executable>, String> {
    let seen = pid.and_then(|pid| binary::find_for(name, pid));
    let opened = seen.map_or_else(|| binary::find(name), Ok).and_then(|path: PathBuf| Binary::open(&path));
    let binary = opened.map_err(|error| error.to_string())?;
    Ok(Rc::new(File { path: binary.path().to_string_lossy().into_owned(), binary }))
}

fn described(function: Function) -> UserFunction {
    let Function { name, offset, address, size, indirect } = function;
    UserFunction { name, offset, address, size, indirect }
}

fn worded<T>(result: Result<T, BinaryError>) -> Result<T, String> {
    result.map_err(|error| error.to_string())
}

impl Executable for File {
    fn path(&self) -> &str {
        &self.path
    }

    fn function(&self, name: &str) -> Result<Option<UserFunction>, String> {
        worded(self.binary.function(name)).map(|found| found.map(described))
    }

    fn functions(&self) -> Result<Vec<UserFunction>, String> {
        worded(self.binary.functions()).map(|found| found.into_iter().map(described).collect())
    }

    fn demangled(&self, name: &str) -> String {
        crate::symbols::demangle::demangled(name)
    }

    fn can_probe(&self, offset: u64, inside: u64) -> Result<(), &'static str> {
        self.binary.can_probe(offset, inside)?;
        if inside > 0 { self.can_probe_note(offset) } else { Ok(()) }
    }

    fn can_probe_note(&self, offset: u64) -> Result<(), &'static str> {
        /// Since then the kernel makes calls of some probes.
        const CALLS: (u32, u32) = (6, 18);
        match super::release() >= CALLS && self.binary.would_call(offset) {
            true => {
                Err("this kernel would make a call of it, which overwrites what its function may keep below the stack")
            }
            false => Ok(()),
        }
    }

    fn harm_at_returns(&self) -> Option<&'static str> {
        self.binary.harm_at_returns()
    }

    fn notes(&self) -> Result<Vec<Note>, String> {
        let note = |note: binary::Note| {
            let binary::Note { provider, name, offset, semaphore, arguments } = note;
            Note { provider, name, offset, semaphore, arguments }
        };
        worded(self.binary.notes()).map(|found| found.into_iter().map(note).collect())
    }
}
