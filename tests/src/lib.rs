//! What several kinds of test share.

pub mod process;

use std::fs;
use std::path::{Path, PathBuf};

use scope_dsl::ctypes::btf::Btf;
use scope_dsl::ctypes::fixture;
use scope_dsl::facts::{Compat, CompatFlag, KernelFacts};

/// A recorded kernel: a copy of the parts of tracefs that the scripts name, the same wherever the tests run.
pub struct Recorded {
    root: PathBuf,
    tracepoints: Vec<String>,
    types: Option<Vec<u8>>,
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
        Recorded { root, tracepoints: list.lines().map(str::to_owned).collect(), types }
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

    fn btf(&self) -> Option<Btf> {
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
}
