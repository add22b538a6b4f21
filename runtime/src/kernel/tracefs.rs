//! tracefs: the kernel's list of tracepoints. Found where it is mounted, or mounted where it belongs.

use std::ffi::CString;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use scope_dsl::facts::KernelFunction;

/// Where the kernel's documentation puts it, and where it was before 4.1 (`Documentation/trace/ftrace.rst`).
const PLACES: [&str; 2] = ["/sys/kernel/tracing", "/sys/kernel/debug/tracing"];

/// The list of functions that can be traced.
const FUNCTIONS: &str = "available_filter_functions";

/// The mounted tracefs.
#[derive(Debug)]
pub struct Tracefs {
    events: PathBuf,
    root: PathBuf,
}

impl Tracefs {
    /// Finds tracefs; mounts it if it is nowhere.
    ///
    /// # Errors
    /// If it is not mounted and can't be.
    pub fn find() -> io::Result<Tracefs> {
        if let Some(found) = Tracefs::mounted() {
            return Ok(found);
        }
        match mount(PLACES[0]) {
            // Another process was first.
            Err(error) if error.raw_os_error() != Some(libc::EBUSY) => return Err(error),
            _ => {}
        }
        Tracefs::mounted().ok_or_else(|| io::ErrorKind::NotFound.into())
    }

    fn mounted() -> Option<Tracefs> {
        PLACES.iter().find_map(|place| {
            let root = PathBuf::from(place);
            let events = root.join("events");
            events.is_dir().then_some(Tracefs { events, root })
        })
    }

    /// Where it is mounted.
    #[must_use]
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// Whether there is a list of functions, but not for us.
    #[must_use]
    pub fn hides_functions(&self) -> bool {
        let list = fs::File::open(self.root.join(FUNCTIONS));
        list.is_err_and(|error| error.kind() != io::ErrorKind::NotFound)
    }

    /// All tracepoints, as `category:name`.
    ///
    /// # Errors
    /// If the list can't be read.
    pub fn tracepoints(&self) -> io::Result<Vec<String>> {
        let list = fs::read_to_string(self.root.join("available_events"))?;
        Ok(list.lines().map(str::to_owned).collect())
    }

    /// The functions of the kernel that can be traced; none if it can't trace functions, or does not tell.
    #[must_use]
    pub fn functions(&self) -> Vec<KernelFunction> {
        let list = fs::read_to_string(self.root.join(FUNCTIONS)).unwrap_or_default();
        // `name` or `name [module]`.
        let function = |line: &str| {
            let (name, module) = line.split_once([' ', '\t']).unwrap_or((line, ""));
            let module = module.trim().strip_prefix('[').and_then(|module| module.strip_suffix(']'));
            KernelFunction { module: module.map(str::to_owned), name: name.to_owned() }
        };
        list.lines().map(function).collect()
    }

    /// Whether the kernel can trace functions.
    #[must_use]
    pub fn traces_functions(&self) -> bool {
        self.root.join(FUNCTIONS).exists()
    }

    /// The text of a tracepoint's `format` file; `None` if there is no such tracepoint.
    pub fn format(&self, category: &str, name: &str) -> Option<String> {
        self.read(category, name, "format")
    }

    /// The number by which a tracepoint is attached to.
    pub fn id(&self, category: &str, name: &str) -> Option<u64> {
        self.read(category, name, "id")?.trim().parse().ok()
    }

    fn read(&self, category: &str, name: &str, file: &str) -> Option<String> {
        let plain = |part: &str| !part.is_empty() && !part.contains('/') && part != "..";
        if !plain(category) || !plain(name) {
            return None;
        }
        fs::read_to_string(self.events.join(category).join(name).join(file)).ok()
    }
}

fn mount(place: &str) -> io::Result<()> {
    let (kind, place) = (CString::new("tracefs")?, CString::new(place)?);
    // SAFETY: C strings that outlive the call.
    let result = unsafe { libc::mount(kind.as_ptr(), place.as_ptr(), kind.as_ptr(), 0, std::ptr::null()) };
    if result < 0 { Err(io::Error::last_os_error()) } else { Ok(()) }
}
