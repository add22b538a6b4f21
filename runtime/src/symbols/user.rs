//! The symbols of processes.
//!
//! blazesym reads the files' symbols. What is mapped where is remembered here: blazesym would open a process's files
//! only when an address is asked for, which is too late for one that has exited.

use std::collections::HashMap;
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::rc::{Rc, Weak};
use std::time::{Duration, Instant};

use blazesym::helper::{ElfResolver, read_elf_build_id};
use blazesym::symbolize::{FindSymOpts, Symbolize, TranslateFileOffset};

use super::demangle::demangled;
use super::maps::{self, FileId, Region};
use super::{Place, Symbol};

/// How many processes are remembered.
const PROCESSES: usize = 512;

/// How long a process's regions are taken to be all there are, at first and at most: it may just have begun, but code of its own
/// making has none, and would have them read for every address.
const LEAST_PATIENCE: Duration = Duration::from_millis(1);
const FRESH: Duration = Duration::from_secs(1);

/// The symbols of processes, of those too that have exited since they were noted.
///
/// The files are mapped when a process is noted, and so outlive it and their own removal; their symbols are read when
/// the first is asked for. Processes that map the same file share it.
#[derive(Default)]
pub struct UserSymbols {
    processes: HashMap<u32, Process>,
    files: HashMap<FileId, Weak<Module>>,
    /// Counts the uses, to tell the process that was not used for longest.
    uses: u64,
}

/// What is remembered of a process.
struct Process {
    /// Its regions by address, with what is mapped there.
    regions: Vec<(Region, Option<Rc<Module>>)>,
    read: Instant,
    /// How long after that they are read again for an address that lies in none.
    patience: Duration,
    used: u64,
}

/// A file of code.
struct Module {
    elf: Option<ElfResolver>,
    /// Its GNU build id, in hexadecimal digits.
    build_id: Option<String>,
}

impl UserSymbols {
    /// Remembers what a process has mapped as it is now, so that its addresses keep their names after its end. Does
    /// nothing if the process has already exited: what was noted before stays.
    pub fn note(&mut self, pid: u32) {
        let maps = fs::read(format!("/proc/{pid}/maps")).unwrap_or_default();
        let regions = maps::parse(&String::from_utf8_lossy(&maps));
        if regions.is_empty() {
            return;
        }
        let regions = regions.into_iter().map(|region| {
            let module = region.file.map(|file| self.module(pid, file, &region));
            (region, module)
        });
        let regions = regions.collect();
        self.uses += 1;
        let patience = self.processes.get(&pid).map_or(LEAST_PATIENCE, |known| known.patience);
        let process = Process { regions, read: Instant::now(), patience, used: self.uses };
        if self.processes.len() >= PROCESSES && !self.processes.contains_key(&pid) {
            self.forget_one();
        }
        self.processes.insert(pid, process);
    }

    /// What is known of an address of a process.
    pub fn place(&mut self, pid: u32, address: u64) -> Place {
        let Some((region, module, offset)) = self.mapped(pid, address) else { return Place::Unknown };
        let path = region.path.clone();
        match module.and_then(|module| module.symbol(offset)) {
            Some((name, offset)) => Place::Symbol(Symbol { name, offset, module: Some(path) }),
            None => Place::File { module: path, offset },
        }
    }

    /// The build id of the file that lies at an address of a process, and the offset in that file.
    pub fn build_id(&mut self, pid: u32, address: u64) -> Option<(String, u64)> {
        let (_, module, offset) = self.mapped(pid, address)?;
        Some((module?.build_id.clone()?, offset))
    }

    /// The region and the file at an address of a process, and the offset in that file.
    fn mapped(&mut self, pid: u32, address: u64) -> Option<(&Region, Option<&Module>, u64)> {
        let stale = match self.processes.get_mut(&pid) {
            None => true,
            Some(process) if process.find(address).is_some() => false,
            // It may have mapped more since.
            Some(process) if process.read.elapsed() <= process.patience => false,
            Some(process) => {
                // Even if there is nothing to read any more. What stays unknown is asked for less and less often.
                process.read = Instant::now();
                process.patience = (process.patience * 2).min(FRESH);
                true
            }
        };
        if stale {
            self.note(pid);
        }
        self.uses += 1;
        let process = self.processes.get_mut(&pid)?;
        process.used = self.uses;
        let (region, module) = process.find(address)?;
        let offset = address - region.start + region.offset;
        (!region.path.is_empty()).then_some((region, module.as_deref(), offset))
    }

    fn module(&mut self, pid: u32, file: FileId, region: &Region) -> Rc<Module> {
        if let Some(module) = self.files.get(&file).and_then(Weak::upgrade) {
            return module;
        }
        let path = code_file(pid, file, region);
        let build_id = path.as_ref().and_then(|path| read_elf_build_id(path).ok()?);
        let build_id = build_id.map(|id| id.iter().map(|byte| format!("{byte:02x}")).collect());
        let elf = path.and_then(|path| ElfResolver::open(path).ok());
        let module = Rc::new(Module { elf, build_id });
        self.files.insert(file, Rc::downgrade(&module));
        module
    }

    fn forget_one(&mut self) {
        let oldest = self.processes.iter().min_by_key(|(_, process)| process.used).map(|(pid, _)| *pid);
        oldest.and_then(|pid| self.processes.remove(&pid));
        self.files.retain(|_, module| module.strong_count() > 0);
    }
}

impl Process {
    fn find(&self, address: u64) -> Option<&(Region, Option<Rc<Module>>)> {
        let behind = self.regions.partition_point(|(region, _)| region.start <= address);
        self.regions[..behind].last().filter(|(region, _)| address < region.end)
    }
}

impl Module {
    /// The name of the symbol at an offset of the file, and how far behind its beginning that is.
    fn symbol(&self, offset: u64) -> Option<(String, u64)> {
        let elf = self.elf.as_ref()?;
        let address = elf.file_offset_to_virt_offset(offset).ok()??;
        let symbol = elf.find_sym(address, &FindSymOpts::Basic).ok()?.ok()?;
        Some((demangled(symbol.name), address.checked_sub(symbol.addr)?))
    }
}

/// Where the file of a region can be opened.
fn code_file(pid: u32, file: FileId, region: &Region) -> Option<PathBuf> {
    // The very file, even if it was removed or lies in another mount namespace; but not everyone may use it.
    let exact = PathBuf::from(format!("/proc/{pid}/map_files/{}", region.range));
    // A device must not be opened: for some that does something.
    let regular = |path: &Path| fs::metadata(path).ok().filter(fs::Metadata::is_file);
    if regular(&exact).is_some() {
        return Some(exact);
    }
    // Another file may be in its place by now, and no name is better than a wrong one.
    let named = PathBuf::from(format!("/proc/{pid}/root{}", region.path));
    regular(&named).is_some_and(|about| about.ino() == file.inode).then_some(named)
}

#[cfg(test)]
mod tests {
    use std::process::{Command, Stdio};

    use super::*;

    #[inline(never)]
    fn a_function_of_this_test(number: u64) -> u64 {
        std::hint::black_box(number) + 1
    }

    fn us() -> u32 {
        std::process::id()
    }

    #[test]
    fn functions_of_this_process_have_names() {
        let mut symbols = UserSymbols::default();
        let address = a_function_of_this_test as *const () as u64;
        let Place::Symbol(symbol) = symbols.place(us(), address + 1) else { panic!("no symbol") };
        assert_eq!((symbol.name.rsplit("::").next(), symbol.offset), (Some("a_function_of_this_test"), 1));
        let program = std::env::current_exe().unwrap();
        assert_eq!(symbol.module.as_deref(), program.to_str());
        let Place::Symbol(symbol) = symbols.place(us(), libc::getpid as *const () as u64) else { panic!("no symbol") };
        assert!(symbol.name.contains("getpid"), "{symbol:?}");
        assert!(symbol.module.unwrap().contains("libc"));
    }

    #[test]
    fn what_has_no_symbol_has_a_file_or_nothing() {
        let mut symbols = UserSymbols::default();
        assert_eq!(symbols.place(us(), 8), Place::Unknown);
        assert_eq!(symbols.place(us(), u64::MAX), Place::Unknown);
        assert_eq!(symbols.place(us(), &raw const symbols as u64), Place::Unknown);
        assert_eq!(symbols.place(u32::MAX, 0x1000), Place::Unknown);
        let vdso = maps::parse(&fs::read_to_string("/proc/self/maps").unwrap());
        let vdso = vdso.into_iter().find(|region| region.path == "[vdso]").unwrap();
        let expected = Place::File { module: "[vdso]".to_owned(), offset: 0x10 };
        assert_eq!(symbols.place(us(), vdso.start + 0x10), expected);
    }

    #[test]
    fn a_process_that_was_noted_keeps_its_names_after_its_end() {
        let copy = std::env::temp_dir().join(format!("scope-symbols-{}", us()));
        fs::copy("/bin/sleep", &copy).unwrap();
        let mut child = Command::new(&copy).arg("100").stdin(Stdio::null()).spawn().unwrap();
        let pid = child.id();
        let libc = |pid: u32| {
            let maps = fs::read_to_string(format!("/proc/{pid}/maps")).unwrap_or_default();
            maps::parse(&maps).into_iter().find(|region| region.path.contains("/libc"))
        };
        let ours = libc(us()).unwrap();
        let theirs = std::iter::repeat_with(|| {
            std::thread::sleep(Duration::from_millis(5));
            libc(pid)
        });
        let theirs = theirs.take(2000).flatten().next().unwrap();
        let mut symbols = UserSymbols::default();
        symbols.note(pid);
        let maps = maps::parse(&fs::read_to_string(format!("/proc/{pid}/maps")).unwrap());
        let code = maps.iter().find(|region| Path::new(&region.path) == copy).unwrap();
        child.kill().unwrap();
        child.wait().unwrap();
        fs::remove_file(&copy).unwrap();
        let address = libc::getpid as *const () as u64 - ours.start + theirs.start;
        let Place::Symbol(symbol) = symbols.place(pid, address) else { panic!("no symbol") };
        assert!(symbol.name.contains("getpid"), "{symbol:?}");
        match symbols.place(pid, code.start) {
            Place::Symbol(Symbol { module: Some(module), .. }) | Place::File { module, .. } => {
                assert_eq!(Path::new(&module), copy);
            }
            other => panic!("{other:?}"),
        }
        symbols.note(pid);
        assert!(matches!(symbols.place(pid, address), Place::Symbol(_)));
        assert_eq!(UserSymbols::default().place(pid, address), Place::Unknown);
    }

    #[test]
    fn only_so_many_processes_are_remembered() {
        let mut symbols = UserSymbols::default();
        symbols.note(us());
        let address = a_function_of_this_test as *const () as u64;
        for pid in 0..PROCESSES as u32 {
            symbols.place(us(), address);
            if symbols.processes.len() >= PROCESSES {
                symbols.forget_one();
            }
            let process =
                Process { regions: Vec::new(), read: Instant::now(), patience: LEAST_PATIENCE, used: symbols.uses - 1 };
            symbols.processes.insert(u32::MAX - pid, process);
        }
        assert_eq!(symbols.processes.len(), PROCESSES);
        assert!(matches!(symbols.place(us(), address), Place::Symbol(_)));
        assert!(!symbols.files.is_empty());
        symbols.processes.clear();
        symbols.forget_one();
        assert!(symbols.files.is_empty());
    }
}
