//! The running kernel as [`KernelFacts`].

use std::cell::OnceCell;
use std::path::Path;
use std::rc::Rc;

use scope_dsl::ctypes::btf::Btf;
use scope_dsl::facts::{Compat, CompatFlag, Executable, KernelFacts, KernelFunction};
use scope_dsl::probes::iter::PREFIX;

use super::{btf, executable, process, syscalls, tracefs::Tracefs};
use crate::binary;
use crate::names::{cgroups, signals};
use crate::symbols::KernelSymbols;

/// The running kernel; what costs time to find out is found out when it is first asked for.
pub struct LiveFacts<'a> {
    tracefs: Option<&'a Tracefs>,
    tracepoints: OnceCell<Vec<String>>,
    compat: OnceCell<Compat>,
    cpus: OnceCell<u32>,
    functions: OnceCell<Vec<KernelFunction>>,
    symbols: KernelSymbols,
    /// The process that is watched: names of programs and libraries mean what it sees.
    process: Option<u32>,
}

impl<'a> LiveFacts<'a> {
    /// Knows what tracefs tells; nothing of tracepoints where there is none.
    #[must_use]
    pub fn new(tracefs: Option<&'a Tracefs>) -> LiveFacts<'a> {
        LiveFacts {
            tracefs,
            tracepoints: OnceCell::new(),
            compat: OnceCell::new(),
            cpus: OnceCell::new(),
            functions: OnceCell::new(),
            symbols: KernelSymbols::default(),
            process: None,
        }
    }

    /// Has names of programs and libraries mean what a process sees.
    #[must_use]
    pub fn seen_by(self, process: Option<u32>) -> LiveFacts<'a> {
        LiveFacts { process, ..self }
    }
}

impl KernelFacts for LiveFacts<'_> {
    fn tracepoints(&self) -> &[String] {
        self.tracepoints.get_or_init(|| self.tracefs.and_then(|tracefs| tracefs.tracepoints().ok()).unwrap_or_default())
    }

    fn tracepoint_format(&self, category: &str, name: &str) -> Option<String> {
        self.tracefs?.format(category, name)
    }

    fn syscall_number(&self, name: &str) -> Option<u32> {
        syscalls::number(name)
    }

    fn x86_64(&self) -> bool {
        cfg!(target_arch = "x86_64")
    }

    fn compat(&self) -> Compat {
        *self.compat.get_or_init(|| {
            // The file is there exactly if the kernel has a 32-bit entry (`arch/x86/entry/vdso/vdso32-setup.c`).
            if !Path::new("/proc/sys/abi/vsyscall32").exists() {
                return Compat::Absent;
            }
            // `thread_info` is the first member of `task_struct` on x86.
            const TS_COMPAT: u32 = 2;
            match btf::member_offset("thread_info", "status") {
                Some(offset) => Compat::Marked(CompatFlag { offset, mask: TS_COMPAT }),
                None => Compat::Unknown,
            }
        })
    }

    fn btf(&self, module: Option<&str>) -> Option<Btf> {
        btf::open(module)
    }

    fn cpus(&self) -> u32 {
        *self.cpus.get_or_init(|| process::possible_cpus().map_or(1, |cpus| cpus as u32))
    }

    fn pid_level(&self) -> u32 {
        process::pid_level()
    }

    fn kernel_address(&self, name: &str) -> Option<u64> {
        self.symbols.address(name)
    }

    fn cgroup_id(&self, path: &str) -> Option<u64> {
        cgroups::cgroup_id(path)
    }

    fn signal(&self, name: &str) -> Option<u64> {
        signals::signal_number(name)
    }

    fn kernel_functions(&self) -> &[KernelFunction] {
        self.functions.get_or_init(|| self.tracefs.map_or_else(Vec::new, Tracefs::functions))
    }

    fn kprobes(&self) -> Result<(), &'static str> {
        let there = Path::new("/sys/bus/event_source/devices/kprobe").exists();
        there.then_some(()).ok_or("its kernel was built without CONFIG_KPROBES")
    }

    fn trampolines(&self) -> Result<(), &'static str> {
        // Without kprobes, no kernel has the tracing of functions that trampolines are set by (`kernel/trace/Kconfig`).
        match self.kernel_functions().is_empty() {
            true if self.tracefs.is_some_and(Tracefs::hides_functions) => {
                Err("its kernel does not let the list of its functions be read (available_filter_functions in tracefs)")
            }
            true => Err("its kernel was built without CONFIG_FUNCTION_TRACER"),
            false if !Path::new("/sys/kernel/btf/vmlinux").exists() => {
                Err("its kernel was built without CONFIG_DEBUG_INFO_BTF")
            }
            false => Ok(()),
        }
    }

    fn traces(&self, function: &str) -> bool {
        let tracer = self.tracefs.is_some_and(Tracefs::traces_functions);
        tracer && self.kprobes().is_ok() && btf::function(function, None).is_some()
    }

    fn iterators(&self) -> Vec<String> {
        let Some(btf) = btf::open(None) else { return Vec::new() };
        let kinds = btf.func_names().filter_map(|name| name.strip_prefix(PREFIX));
        // Other functions have such names, too; what an iterator's program is given has a struct.
        kinds.filter(|kind| btf.find_struct(&format!("{PREFIX}_{kind}")).is_some()).map(str::to_owned).collect()
    }

    fn files(&self, pattern: &str) -> Vec<String> {
        binary::files(pattern)
    }

    fn executable(&self, name: &str) -> Result<Rc<dyn Executable>, String> {
        executable::open(name, self.process)
    }
}
