//! The kernel, what the caller may do, and the settings of the machine that decide what scope can.

use std::fs;
use std::io;

use super::Row;
use crate::kernel::tracefs::Tracefs;
use crate::kernel::{btf, process};

/// The oldest kernel that scope is tested on.
const OLDEST: (u32, u32) = (6, 1);

const CAP_SYS_ADMIN: u32 = 21;
const CAP_SYSLOG: u32 = 34;
const CAP_PERFMON: u32 = 38;
const CAP_BPF: u32 = 39;

/// A capability (`include/uapi/linux/capability.h`), and what is not to be had without it.
struct Capability {
    number: u32,
    name: &'static str,
    without: &'static str,
}

const fn capability(number: u32, name: &'static str, without: &'static str) -> Capability {
    Capability { number, name, without }
}

/// The capabilities that scope has a use for.
const CAPABILITIES: [Capability; 6] = [
    capability(CAP_BPF, "CAP_BPF", "no program can be loaded"),
    capability(CAP_PERFMON, "CAP_PERFMON", "no program can be attached, or read the kernel's memory"),
    capability(CAP_SYS_ADMIN, "CAP_SYS_ADMIN", "tracefs can't be mounted; otherwise CAP_BPF and CAP_PERFMON do"),
    capability(2, "CAP_DAC_READ_SEARCH", "tracefs, which tells of tracepoints and functions, is for root only"),
    capability(CAP_SYSLOG, "CAP_SYSLOG", "the kernel may hide the addresses of its functions"),
    capability(19, "CAP_SYS_PTRACE", "functions in processes of other users are shown as addresses"),
];

/// What would give a capability.
const AS_ROOT: &str = "run scope as root, as by sudo";

/// All that is to be said of the machine.
pub(super) fn rows(tracefs: &io::Result<Tracefs>) -> Vec<Row> {
    let mut rows = vec![kernel()];
    rows.extend(CAPABILITIES.iter().map(held));
    rows.extend([
        trace_file_system(tracefs),
        types(),
        lockdown(),
        unprivileged_bpf(),
        perf_event_paranoid(),
        kernel_addresses(),
        jit(),
    ]);
    rows
}

/// The capabilities that are missing to trace, by name.
pub(super) fn missing() -> Vec<&'static str> {
    if process::has_capability(CAP_SYS_ADMIN) {
        return Vec::new();
    }
    let needed = CAPABILITIES.iter().filter(|needed| [CAP_BPF, CAP_PERFMON].contains(&needed.number));
    needed.filter(|needed| !process::has_capability(needed.number)).map(|needed| needed.name).collect()
}

/// What would help where the kernel does not allow something.
pub(super) fn more_rights() -> &'static str {
    match process::has_capability(CAP_SYS_ADMIN) {
        true => "a kernel that is not locked down, and no security module that forbids it",
        false => AS_ROOT,
    }
}

/// A line of a file that holds one; without the file, what is the matter with it.
fn line(path: &str) -> Result<String, String> {
    match fs::read_to_string(path) {
        Ok(text) => Ok(text.trim().to_owned()),
        Err(error) => Err(format!("{path} can't be read: {}", crate::cli::script::reason(&error))),
    }
}

fn kernel() -> Row {
    let release = match line("/proc/sys/kernel/osrelease") {
        Ok(release) => release,
        Err(problem) => return Row::new("kernel", "unknown").because(problem, ""),
    };
    let mut numbers = release.split(['.', '-']).map_while(|part| part.parse::<u32>().ok());
    let version = numbers.next().zip(numbers.next());
    let row = Row::new("kernel", release.clone());
    match version {
        Some(version) if version < OLDEST => {
            let (major, minor) = OLDEST;
            row.because(format!("older than {major}.{minor}, the oldest that scope is tested on"), "a newer kernel")
        }
        _ => row,
    }
}

fn held(capability: &Capability) -> Row {
    match process::has_capability(capability.number) {
        true => Row::new(capability.name, "held"),
        false => Row::new(capability.name, "missing").because(capability.without, AS_ROOT),
    }
}

/// Why tracefs can't be used, and what would help; `None` if it can.
pub(super) fn untraceable(tracefs: &io::Result<Tracefs>) -> Option<(String, String)> {
    let error = match tracefs {
        Ok(tracefs) => tracefs.tracepoints().err()?,
        Err(error) => io::Error::new(error.kind(), error.to_string()),
    };
    let reason = crate::cli::script::reason(&error);
    Some(match (mount_point("tracefs"), error.kind()) {
        (Some(place), io::ErrorKind::PermissionDenied) => (
            format!("tracefs is mounted at {place}, but can't be read: {reason}"),
            "run scope as root, or with CAP_DAC_READ_SEARCH".to_owned(),
        ),
        (Some(place), _) => (format!("tracefs is mounted at {place}, but can't be used: {reason}"), String::new()),
        (None, io::ErrorKind::PermissionDenied) => {
            ("tracefs is not mounted, and may not be by you".to_owned(), AS_ROOT.to_owned())
        }
        (None, _) => {
            (format!("tracefs is not mounted, and can't be: {reason}"), "a kernel with CONFIG_FTRACE=y".to_owned())
        }
    })
}

fn trace_file_system(tracefs: &io::Result<Tracefs>) -> Row {
    match (untraceable(tracefs), tracefs) {
        (Some((why, help)), _) => Row::new("tracefs", "missing").because(why, help),
        (None, Ok(tracefs)) => Row::new("tracefs", tracefs.root().to_string_lossy()),
        (None, Err(error)) => Row::new("tracefs", "missing").because(error.to_string(), ""),
    }
}

fn types() -> Row {
    match (btf::open(None), line("/sys/kernel/btf/vmlinux")) {
        (Some(_), _) => Row::new("BTF", "there"),
        (None, _) => Row::new("BTF", "missing").because(
            "the kernel does not describe its types: curtask and arguments by name are not known",
            "a kernel with CONFIG_DEBUG_INFO_BTF=y",
        ),
    }
}

fn lockdown() -> Row {
    let row = |state: &str| Row::new("lockdown", state);
    match line("/sys/kernel/security/lockdown") {
        // The one that holds stands in brackets: `none [integrity] confidentiality`.
        Ok(modes) => match modes.split_once('[').and_then(|(_, rest)| rest.split_once(']')).map(|(mode, _)| mode) {
            Some("confidentiality") => row("confidentiality").because(
                "programs may not read the kernel's memory",
                "boot without `lockdown=confidentiality`, or without secure boot",
            ),
            Some("integrity") => row("integrity").because("programs may not write to the memory of processes", ""),
            Some(mode) => row(mode),
            None => row("unknown").because(format!("the kernel says: {modes}"), ""),
        },
        Err(_) if mount_point("securityfs").is_none() => row("unknown")
            .because("securityfs is not mounted", "mount -t securityfs securityfs /sys/kernel/security tells it"),
        Err(_) => row("none"),
    }
}

/// Where a kind of file system is mounted; `None` if it is not.
fn mount_point(kind: &str) -> Option<String> {
    let mounts = fs::read_to_string("/proc/mounts").unwrap_or_default();
    mounts.lines().find_map(|line| match line.split(' ').collect::<Vec<_>>().as_slice() {
        [_, place, this, ..] if *this == kind => Some((*place).to_owned()),
        _ => None,
    })
}

fn unprivileged_bpf() -> Row {
    let name = "unprivileged_bpf_disabled";
    match line("/proc/sys/kernel/unprivileged_bpf_disabled") {
        Ok(value) if value != "0" && !process::has_capability(CAP_BPF) && !process::has_capability(CAP_SYS_ADMIN) => {
            Row::new(name, value).because("only those who have CAP_BPF may load programs", AS_ROOT)
        }
        Ok(value) => Row::new(name, value),
        Err(problem) => Row::new(name, "unknown").because(problem, ""),
    }
}

fn perf_event_paranoid() -> Row {
    let name = "perf_event_paranoid";
    match line("/proc/sys/kernel/perf_event_paranoid") {
        Ok(value) if !process::has_capability(CAP_PERFMON) && !process::has_capability(CAP_SYS_ADMIN) => {
            let why = "above -1, what happens on a whole machine is seen by those who have CAP_PERFMON only";
            let forbids = value.parse::<i32>().is_ok_and(|value| value > -1);
            if forbids { Row::new(name, value).because(why, AS_ROOT) } else { Row::new(name, value) }
        }
        Ok(value) => Row::new(name, value),
        Err(problem) => Row::new(name, "unknown").because(problem, "a kernel with CONFIG_PERF_EVENTS=y"),
    }
}

fn kernel_addresses() -> Row {
    let name = "kptr_restrict";
    let value = match line("/proc/sys/kernel/kptr_restrict") {
        Ok(value) => value,
        Err(problem) => return Row::new(name, "unknown").because(problem, ""),
    };
    if !addresses_are_hidden() {
        return Row::new(name, value);
    }
    // At 2 they are hidden from everybody.
    let help = if value == "2" { "sysctl -w kernel.kptr_restrict=1" } else { AS_ROOT };
    Row::new(name, value).because("addresses are hidden from you: the kernel's stacks are shown as numbers", help)
}

/// Whether `/proc/kallsyms` shows nothing but zeros.
fn addresses_are_hidden() -> bool {
    use std::io::BufRead;
    let Ok(file) = fs::File::open("/proc/kallsyms") else { return true };
    // Per-CPU data begin at 0, but not so many of them.
    let mut lines = io::BufReader::new(file).lines().take(100).map_while(Result::ok);
    !lines.any(|line| line.split(' ').next().is_some_and(|address| address.bytes().any(|byte| byte != b'0')))
}

fn jit() -> Row {
    let row = |state: &str| Row::new("JIT", state);
    match line("/proc/sys/net/core/bpf_jit_enable").as_deref() {
        Ok("0") => row("off")
            .because("programs are interpreted, which is many times slower", "sysctl -w net.core.bpf_jit_enable=1"),
        Ok("1" | "2") => row("on"),
        Ok(other) => row("unknown").because(format!("net.core.bpf_jit_enable is {other}"), ""),
        Err(problem) => row("unknown").because(problem, "a kernel with CONFIG_BPF_JIT=y"),
    }
}
