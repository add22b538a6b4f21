//! Whether a kind of probe works: a script that only counts is attached to one, and detached at once.

use std::io;

use scope_dsl::diagnostic::{Diagnostic, Severity};
use scope_dsl::probes::NOT_HERE;
use scope_dsl::source::{NoImports, Source};
use scope_dsl::{Options, compile};

use super::{Row, machine};
use crate::kernel::facts::LiveFacts;
use crate::kernel::process;
use crate::kernel::tracefs::Tracefs;
use crate::load::LoadError;
use crate::output::Text;
use crate::session::{Built, TraceError};

/// What is said of a kind of probe that works.
pub(super) const WORKS: &str = "works";

/// How a kind of probe is tried.
struct Trial {
    provider: &'static str,
    /// It counts, and keeps nothing of whom; what it is at happens seldom.
    script: &'static str,
    /// What such probes take.
    takes: &'static str,
}

const fn trial(provider: &'static str, script: &'static str, takes: &'static str) -> Trial {
    Trial { provider, script, takes }
}

const KPROBES: &str = "a kernel with CONFIG_KPROBE_EVENTS=y and CONFIG_FUNCTION_TRACER=y";
const TRAMPOLINES: &str =
    "a kernel with CONFIG_KPROBES=y, CONFIG_FUNCTION_TRACER=y and CONFIG_DEBUG_INFO_BTF=y that is not locked down";
const UPROBES: &str = "a kernel with CONFIG_UPROBE_EVENTS=y";
const PERF: &str = "a kernel with CONFIG_PERF_EVENTS=y";

/// The trial of each provider.
const TRIALS: &[Trial] = &[
    trial("tracepoint", "tracepoint:sched:sched_process_exec { @ = count(); }", "a kernel with CONFIG_BPF_EVENTS=y"),
    trial("rawtracepoint", "rawtracepoint:sched_process_exec { @ = count(); }", "a kernel with CONFIG_BPF_EVENTS=y"),
    trial("kprobe", "kprobe:vfs_rename { @ = count(); }", KPROBES),
    trial("kretprobe", "kretprobe:vfs_rename { @ = count(); }", KPROBES),
    trial("fentry", "fentry:vfs_rename { @ = count(); }", TRAMPOLINES),
    trial("fexit", "fexit:vfs_rename { @ = count(); }", TRAMPOLINES),
    trial("uprobe", "uprobe:libc:getpgid { @ = count(); }", UPROBES),
    trial("uretprobe", "uretprobe:libc:getpgid { @ = count(); }", UPROBES),
    trial("usdt", "usdt:/proc/self/exe:check_system:trial { @ = count(); }", UPROBES),
    trial("profile", "profile:hz:1 { @ = count(); }", PERF),
    trial("interval", "interval:s:1 { @ = count(); }", ""),
    trial("software", "software:major-faults:1000000 { @ = count(); }", PERF),
    trial(
        "hardware",
        "hardware:cpu-cycles:1000000000 { @ = count(); }",
        "a processor whose counters can be used; a virtual machine has them only if its host hands them on",
    ),
    // Nothing is ever mapped there.
    trial("watchpoint", "watchpoint:0x1000:8:w { @ = count(); }", "a processor with a free debug register"),
    trial("iter", "iter:bpf_map { @ = count(); }", "a kernel with CONFIG_DEBUG_INFO_BTF=y"),
    trial("BEGIN", "BEGIN { @ = count(); }", ""),
    trial("END", "END { @ = count(); }", ""),
    trial("self", "self:signal:SIGUSR1 { @ = count(); }", ""),
];

/// The row of a provider.
pub(super) fn row(provider: &str, facts: &LiveFacts<'_>, tracefs: &io::Result<Tracefs>) -> Row {
    let Some(trial) = TRIALS.iter().find(|trial| trial.provider == provider) else {
        return Row::new(provider, "unknown")
            .because("scope has no trial for it", "this is a bug of scope: please report it");
    };
    // So that the compiler keeps it, and its note, in the binary.
    static_probe();
    let Err(refusal) = attempt(trial.script, facts, tracefs.as_ref().ok()) else { return Row::new(provider, WORKS) };
    let row = Row::new(provider, "missing");
    // What comes first keeps the rest from being known.
    let missing = machine::missing();
    if !missing.is_empty() {
        let names = missing.join(" and ");
        let (is, them) = if missing.len() == 1 { ("is", "it") } else { ("are", "them") };
        return row.because(format!("{names} {is} missing"), format!("run scope as root, or with {them}"));
    }
    match refusal {
        Refusal::Unknown(code, why) => match machine::untraceable(tracefs).filter(|_| code != NO_BINARY) {
            Some((why, help)) => row.because(why, help),
            None => row.because(why, trial.takes),
        },
        Refusal::NotAllowed(why) => row.because(why, machine::more_rights()),
        Refusal::Refused(why) => row.because(why, trial.takes),
    }
}

/// The code of the error that a program or library can't be probed: that has nothing to do with tracefs.
const NO_BINARY: &str = "E0205";

/// Why a trial failed.
enum Refusal {
    /// The compiler knows no such probe: the code of the error, and why.
    Unknown(&'static str, String),
    /// The kernel says that we may not.
    NotAllowed(String),
    /// The kernel says that it can't.
    Refused(String),
}

/// Compiles, loads and attaches a script, and lets go of it.
fn attempt(script: &str, facts: &LiveFacts<'_>, tracefs: Option<&Tracefs>) -> Result<(), Refusal> {
    let mut source = Source::new("check-system", script);
    let options = Options { start: process::boot_nanos(), ..Options::default() };
    let compiled = compile(&mut source, &NoImports, facts, options);
    let Some(program) = compiled.program else {
        let first = compiled.diagnostics.iter().find(|found| found.severity == Severity::Error);
        return Err(first.map_or_else(|| Refusal::Refused("the script does not compile".to_owned()), unknown));
    };
    // Nothing is printed: it ends before it runs.
    let sink = Box::new(Text::new(Box::new(io::sink())));
    let attached = Built::new(program, source, None, sink).and_then(|built| built.attach(tracefs, None));
    attached.map(drop).map_err(refused)
}

fn unknown(error: &Diagnostic) -> Refusal {
    let why = match (error.code, error.primary.1.as_str()) {
        (_, "") => error.title.clone(),
        (NOT_HERE, label) => label.to_owned(),
        (_, label) => format!("{}: {label}", error.title),
    };
    Refusal::Unknown(error.code, why)
}

fn refused(error: TraceError) -> Refusal {
    match error {
        TraceError::Load(LoadError::Attach { reason: Some(reason), error, .. })
            if error.kind() != io::ErrorKind::PermissionDenied =>
        {
            Refusal::Refused(reason.to_owned())
        }
        TraceError::Load(error) if error.is_permission() => Refusal::NotAllowed(error.to_string()),
        error => Refusal::Refused(error.to_string()),
    }
}

/// Passes the static probe that `usdt` is tried on, `check_system:trial`: as those of `sys/sdt.h`, with no argument.
#[inline(never)]
fn static_probe() {
    #[cfg(target_arch = "x86_64")]
    // SAFETY: an instruction that does nothing, and a note that is not loaded.
    unsafe {
        std::arch::asm!(
            "990: nop",
            ".pushsection .note.stapsdt, \"\", \"note\"",
            ".balign 4",
            ".4byte 992f - 991f, 994f - 993f, 3",
            "991: .asciz \"stapsdt\"",
            "992: .balign 4",
            "993: .8byte 990b",
            // No section tells how far the file was moved since, and there is no semaphore.
            ".8byte 0, 0",
            ".asciz \"check_system\"",
            ".asciz \"trial\"",
            ".asciz \"\"",
            "994: .balign 4",
            ".popsection",
            options(att_syntax, nostack, nomem, preserves_flags),
        );
    }
}

#[cfg(test)]
mod tests {
    use scope_dsl::probes::PROVIDERS;

    use super::*;

    #[test]
    fn every_provider_has_a_trial_that_only_counts() {
        for provider in PROVIDERS {
            let known = TRIALS.iter().filter(|trial| trial.provider == provider.name).collect::<Vec<_>>();
            let [trial] = known.as_slice() else { panic!("{}: {} trials", provider.name, known.len()) };
            let point = trial.script.strip_suffix(" { @ = count(); }").unwrap();
            assert!(point.split(':').next() == Some(provider.name), "{point}");
        }
        assert_eq!(TRIALS.len(), PROVIDERS.len());
    }
}
