//! What several kinds of test share.

pub mod process;

use std::fs;
use std::path::{Path, PathBuf};
use std::rc::Rc;

use scope_dsl::ctypes::btf::Btf;
use scope_dsl::ctypes::fixture;
use scope_dsl::facts::{Compat, CompatFlag, Executable, KernelFacts, KernelFunction, Note, UserFunction};

/// A recorded kernel: a copy of the parts of tracefs that the scripts name, the same wherever the tests run.
pub struct Recorded {
    root: PathBuf,
    tracepoints: Vec<String>,
    types: Option<Vec<u8>>,
    functions: Vec<KernelFunction>,
}

impl Recorded {
    /// Opens the recording that lies beside the tests.
    ///
    /// # Panics
    /// If there is none.
    #[must_use]
    pub fn open() -> Recorded {
        let root = own().join("kernel");
        let list = fs::read_to_string(root.join("available_events")).expect("the kernel was recorded");
        let types = fs::read_to_string(root.join("types.h")).ok().map(|types| fixture::btf(&types));
        let function = |(module, name): (Option<&str>, &str)| KernelFunction {
            module: module.map(str::to_owned),
            name: name.to_owned(),
        };
        let functions = [(None, "vfs_open"), (None, "vfs_read"), (None, "vfs_write"), (Some("ext4"), "ext4_sync_file")];
        let functions = functions.map(function).into();
        Recorded { functions, root, tracepoints: list.lines().map(str::to_owned).collect(), types }
    }
}

/// Where the tests lie.
#[must_use]
pub fn own() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

impl KernelFacts for Recorded {
    fn tracepoints(&self) -> &[String] {
        &self.tracepoints
    }

    fn tracepoint_format(&self, category: &str, name: &str) -> Option<String> {
        fs::read_to_string(self.root.join("events").join(category).join(name).join("format")).ok()
    }

    fn syscall_number(&self, name: &str) -> Option<u32> {
        scope::kernel::syscalls::number(name)
    }

    fn x86_64(&self) -> bool {
        true
    }

    fn compat(&self) -> Compat {
        Compat::Marked(CompatFlag { offset: 16, mask: 2 })
    }

    fn btf(&self, module: Option<&str>) -> Option<Btf> {
        if module.is_some() {
            return None;
        }
        Btf::open(self.types.clone()?).ok()
    }

    fn cpus(&self) -> u32 {
        4
    }

    fn pid_level(&self) -> u32 {
        0
    }

    fn kernel_address(&self, name: &str) -> Option<u64> {
        ["__per_cpu_offset", "init_task", "runqueues", "schedule"].contains(&name).then_some(0xffff_ffff_8200_0000)
    }

    fn cgroup_id(&self, path: &str) -> Option<u64> {
        (path == "/sys/fs/cgroup").then_some(1)
    }

    fn signal(&self, name: &str) -> Option<u64> {
        scope::names::signals::signal_number(name)
    }

    fn kernel_functions(&self) -> &[KernelFunction] {
        &self.functions
    }

    fn kprobes(&self) -> Result<(), &'static str> {
        Ok(())
    }

    fn trampolines(&self) -> Result<(), &'static str> {
        Ok(())
    }

    fn traces(&self, _function: &str) -> bool {
        false
    }

    fn iterators(&self) -> Vec<String> {
        ["bpf_map", "bpf_map_elem", "task", "task_file"].map(str::to_owned).into()
    }

    fn files(&self, pattern: &str) -> Vec<String> {
        ["/bin/bash", "/bin/sh"]
            .into_iter()
            .filter(|path| scope_dsl::probes::matches(pattern, path))
            .map(str::to_owned)
            .collect()
    }

    fn executable(&self, name: &str) -> Result<Rc<dyn Executable>, String> {
        match name {
            "/bin/bash" => Ok(Rc::new(RecordedFile { path: "/bin/bash", more: &[] })),
            // A library has what another one is asked for.
            "libc" => Ok(Rc::new(RecordedFile { path: "/lib/libc.so.6", more: &[("pthread_create", 0x10a0)] })),
            _ => Err(format!("{name} does not exist")),
        }
    }
}

/// A program with few functions, one of which has two names.
struct RecordedFile {
    path: &'static str,
    /// Functions beside those that each such file has.
    more: &'static [(&'static str, u64)],
}

impl Executable for RecordedFile {
    fn path(&self) -> &str {
        self.path
    }

    fn function(&self, name: &str) -> Result<Option<UserFunction>, String> {
        Ok(self.functions()?.into_iter().find(|function| function.name == name))
    }

    fn functions(&self) -> Result<Vec<UserFunction>, String> {
        let function = |(name, offset): (&str, u64)| UserFunction {
            name: name.to_owned(),
            offset,
            address: offset + 0x400000,
            size: 32,
            indirect: name == "strlen",
        };
        let functions = [
            ("_ZN1A1fEi", 0x1000),
            ("__readline", 0x1020),
            ("main", 0x1040),
            ("read_token", 0x1060),
            ("readline", 0x1020),
            ("strlen", 0x1080),
        ];
        Ok(functions.into_iter().chain(self.more.iter().copied()).map(function).collect())
    }

    fn demangled(&self, name: &str) -> String {
        name.replace("_ZN1A1fEi", "A::f(int)")
    }

    fn can_probe(&self, offset: u64, inside: u64) -> Result<(), &'static str> {
        match (offset, inside) {
            (0x1060, _) => Err("the kernel can't step over its first instruction"),
            (_, inside) if inside % 4 != 0 => Err("no instruction begins there"),
            _ => Ok(()),
        }
    }

    fn can_probe_note(&self, _offset: u64) -> Result<(), &'static str> {
        Ok(())
    }

    fn harm_at_returns(&self) -> Option<&'static str> {
        None
    }

    fn notes(&self) -> Result<Vec<Note>, String> {
        let note = |(name, arguments): (&str, &str)| Note {
            provider: "bash".to_owned(),
            name: name.to_owned(),
            offset: 0x1044,
            semaphore: 0,
            arguments: arguments.to_owned(),
        };
        Ok([("line", "8@%rdi -4@-20(%rbp,%rax,4) 4@$5"), ("float", "8f@%xmm0")].map(note).into())
    }
}
