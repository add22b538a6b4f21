//! Plans into the kernel: the program with each plan in place, verified.

pub mod maps;
mod template;

use std::collections::HashMap;
use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};

use aya::maps::{MapData, MapError};
use aya_obj::generated::{bpf_attach_type, bpf_map_type, bpf_prog_type};
use scope_common::plan::{Image, SCRATCHES, STACK_FRAME};
use scope_dsl::probes::Site;
use scope_dsl::program::{Clause, Plan, Program};

use crate::kernel::bpf::{self, Function, ProgramInfo, Refused};
use crate::kernel::btf;
use crate::kernel::links;
use maps::KernelMaps;
pub use template::BadObject;
use template::{MapName, Template};

/// Why a script could not be put into the kernel.
#[derive(Debug, thiserror::Error)]
pub enum LoadError {
    /// A bug of the build.
    #[error(transparent)]
    Object(#[from] BadObject),
    /// A map was refused.
    #[error("the kernel refused a map: {}", map_reason(.0))]
    Map(#[from] MapError),
    /// The verifier refused a program.
    #[error("the kernel refused the program of clause {clause}: {error}")]
    Program {
        /// The number of the clause in the source, from 1.
        clause: usize,
        /// What the system call returned.
        error: io::Error,
        /// The verifier's log.
        log: String,
        /// The plan, for a report.
        plan: String,
    },
    /// A program could not be attached.
    #[error("can't attach to {probe}: {error}")]
    Attach {
        /// The probe.
        probe: String,
        /// What is the matter, where more is known than the error says.
        reason: Option<&'static str>,
        /// What the system call returned.
        error: io::Error,
    },
}

fn map_reason(error: &MapError) -> String {
    match error {
        MapError::CreateError { io_error, .. } => io_error.to_string(),
        MapError::IoError(error) => error.to_string(),
        other => other.to_string(),
    }
}

impl LoadError {
    /// Whether the kernel said that we may not.
    #[must_use]
    pub fn is_permission(&self) -> bool {
        let error = match self {
            LoadError::Map(MapError::CreateError { io_error, .. } | MapError::IoError(io_error)) => io_error,
            LoadError::Attach { error, .. } => error,
            // The verifier's own refusal is EACCES, with a log.
            LoadError::Program { error, log, .. } if log.is_empty() => error,
            _ => return false,
        };
        error.kind() == io::ErrorKind::PermissionDenied
    }

    /// Whether the verifier gave up because it had walked too much.
    #[must_use]
    pub fn is_too_large(&self) -> bool {
        // Verifiers before 6.16 say EFAULT where there are too many branches (`push_stack`, `kernel/bpf/verifier.c`).
        let said = [Some(libc::E2BIG), Some(libc::EFAULT)];
        matches!(self, LoadError::Program { error, .. } if said.contains(&error.raw_os_error()))
    }
}

/// A program in the kernel, for one clause at one site; at several, where their plans are the same.
pub struct Loaded {
    /// The numbers of the clauses among the program's clauses.
    pub clauses: Vec<usize>,
    fd: OwnedFd,
    // The program holds its maps; these are kept for nothing but their descriptors during the load.
    _own: Vec<MapData>,
}

impl Loaded {
    /// The program.
    #[must_use]
    pub fn fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }

    /// What the kernel made of it.
    ///
    /// # Errors
    /// As `bpf(2)`.
    pub fn info(&self) -> io::Result<ProgramInfo> {
        bpf::program_info(self.fd.as_fd())
    }
}

/// Loads the programs of all kernel clauses; gives them with the number of instructions before specialisation.
///
/// # Errors
/// If the kernel refuses one.
pub fn load(program: &Program, maps: &KernelMaps) -> Result<(Vec<Loaded>, usize), LoadError> {
    let kernel = program.clauses.iter().enumerate().filter(|(_, clause)| !clause.site.in_userspace());
    let kernel = kernel.collect::<Vec<_>>();
    if kernel.is_empty() {
        return Ok((Vec::new(), 0));
    }
    let template = Template::embedded()?;
    let mut loaded = Vec::<Loaded>::new();
    for (index, clause) in kernel {
        let same = |have: &usize| {
            let other = &program.clauses[*have];
            // A traced function's program belongs to that function.
            let function = |site: &Site| site.is_given_pointers().then(|| site.kernel_function().map(str::to_owned));
            let how = |site: &Site| {
                (kind(site) as u32, attach_type(site).map(|how| how as u32), site.is_preemptible(), function(site))
            };
            other.plan == clause.plan && how(&other.site) == how(&clause.site)
        };
        match loaded.iter_mut().find(|loaded| same(&loaded.clauses[0])) {
            Some(loaded) => loaded.clauses.push(index),
            None => loaded.push(load_one(&template, maps, index, clause)?),
        }
    }
    Ok((loaded, template.len()))
}

/// The kind of program that a site takes.
fn kind(site: &Site) -> bpf_prog_type {
    match site {
        Site::Tracepoint { .. } => bpf_prog_type::BPF_PROG_TYPE_TRACEPOINT,
        Site::Perf { .. } | Site::Watchpoint { .. } => bpf_prog_type::BPF_PROG_TYPE_PERF_EVENT,
        Site::Uprobe { .. } | Site::Kprobe { .. } => bpf_prog_type::BPF_PROG_TYPE_KPROBE,
        Site::Traced { .. } | Site::Syscall { .. } | Site::Iter { .. } => bpf_prog_type::BPF_PROG_TYPE_TRACING,
        _ => bpf_prog_type::BPF_PROG_TYPE_RAW_TRACEPOINT,
    }
}

/// How it is to be attached, where the kernel wants to know that beforehand.
fn attach_type(site: &Site) -> Option<bpf_attach_type> {
    match site {
        Site::Uprobe { targets, .. } if targets.len() > 1 => Some(bpf_attach_type::BPF_TRACE_UPROBE_MULTI),
        Site::Kprobe { targets, .. } if targets.len() > 1 && links::can_attach_kprobes() => {
            Some(bpf_attach_type::BPF_TRACE_KPROBE_MULTI)
        }
        Site::Traced { exit: false, .. } | Site::Syscall { .. } => Some(bpf_attach_type::BPF_TRACE_FENTRY),
        Site::Iter { .. } => Some(bpf_attach_type::BPF_TRACE_ITER),
        Site::Traced { exit: true, .. } => Some(bpf_attach_type::BPF_TRACE_FEXIT),
        _ => None,
    }
}

/// The function of the kernel that a program is for, if it is for one.
fn function(site: &Site) -> io::Result<Option<Function>> {
    if !site.is_given_pointers() {
        return Ok(None);
    }
    let module = match site {
        Site::Traced { module, .. } => module.as_deref(),
        _ => None,
    };
    let id = site.kernel_function().and_then(|name| btf::function(name, module)).unwrap_or(0);
    Ok(Some(Function { id, module: module.map(bpf::module_types).transpose()? }))
}

fn load_one(template: &Template, maps: &KernelMaps, index: usize, clause: &Clause) -> Result<Loaded, LoadError> {
    let claims = clause.site.is_preemptible();
    let image = image(&clause.plan, claims);
    let rodata = maps::constant("plan", &template.rodata_with(&image))?;
    // A scratch map of its own for each program: another program that interrupts this one has another.
    let per_cpu = bpf_map_type::BPF_MAP_TYPE_PERCPU_ARRAY;
    // Where it can be interrupted by itself it has several, and a word behind them that says which are taken.
    let (size, number) = if claims { (image.scratch as u32 + 8, SCRATCHES) } else { (image.scratch as u32, 1) };
    let scratch = (image.scratch > 0).then(|| maps::create("scratch", per_cpu, 4, size, number, 0)).transpose()?;
    let slots = slots(&clause.plan, maps);
    let instructions = template.instructions_with(|name| match name {
        MapName::Rodata => maps::fd(&rodata).as_raw_fd(),
        MapName::Scratch => maps.optional(scratch.as_ref()),
        MapName::Zeroes => maps.optional(maps.zeroes.as_ref()),
        MapName::Ring => maps.ring(),
        MapName::Losses => maps::fd(&maps.losses).as_raw_fd(),
        MapName::Epoch => maps.optional(maps.epoch.as_ref()),
        MapName::Stacks => maps.optional(maps.stacks.as_ref()),
        MapName::Nothing => maps::fd(&maps.nothing).as_raw_fd(),
        MapName::Slot(slot) => maps.optional(slots.get(&slot).copied()),
    });
    let function = function(&clause.site).map_err(MapError::from)?;
    match bpf::load_program(
        kind(&clause.site),
        attach_type(&clause.site),
        function.as_ref(),
        "scope",
        &instructions,
        &template.license,
    ) {
        Ok(fd) => {
            Ok(Loaded { clauses: vec![index], fd, _own: [Some(rodata), scratch].into_iter().flatten().collect() })
        }
        Err(Refused { error, log }) => {
            Err(LoadError::Program { clause: clause.source + 1, error, log, plan: clause.plan.to_string() })
        }
    }
}

/// The kernel map of each slot: of a swapped map the first half, then the second.
fn slots<'m>(plan: &Plan, maps: &'m KernelMaps) -> HashMap<u8, &'m MapData> {
    let mut seen = HashMap::new();
    let mut slots = HashMap::new();
    for (slot, map) in plan.slots.iter().enumerate() {
        let half = seen.entry(*map).or_insert(0usize);
        if let Some(kernel) = maps.of_script.get(*map).and_then(|halves| halves.get(*half)) {
            slots.insert(slot as u8, kernel);
        }
        *half += 1;
    }
    slots
}

/// The bytes of a plan.
fn image(plan: &Plan, claims: bool) -> Image {
    let mut image = Image::EMPTY;
    image.ops[..plan.ops.len()].copy_from_slice(&plan.ops);
    image.data[..plan.data.len()].copy_from_slice(&plan.data);
    image.scratch = plan.frame.saturating_sub(STACK_FRAME) as u64;
    image.claims = (claims && image.scratch > 0).into();
    image.watermark = u64::from(maps::RING_SIZE) / 4;
    image
}
