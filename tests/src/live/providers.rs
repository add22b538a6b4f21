//! Each provider, on whatever kernel this is: it counts what a load does, or is refused in words. What is counted is said in
//! lines that `cargo xtask test` reads: over all kernels, none may be missing.

use std::process::Command;

use libtest_mimic::Failed;
use scope_dsl::probes::PROVIDERS;

use super::run::{Ran, check, load_command, on_waiting, run, same, waiting, with_load};

/// How a provider is tried: a script that counts into `@`, a load, and how often it is to count.
struct Trial {
    provider: &'static str,
    script: &'static str,
    load: &'static [&'static str],
    count: Count,
}

enum Count {
    Exactly(u64),
    /// All of so many, or nearly: an emulated processor drops a trap that an interrupt comes with.
    Nearly(u64),
    /// At least once.
    Some,
}

const fn trial(provider: &'static str, script: &'static str, load: &'static [&'static str], count: Count) -> Trial {
    Trial { provider, script, load, count }
}

const GETPPID: &[&str] = &["getppid", "100"];
/// write(-1, 0, 0), which calls ksys_write(unsigned int fd, ...) and gives -EBADF.
const WRITE: &[&str] = &["write", "100"];

/// `OWN` is this program's path. `watchpoint` has a test of its own, as it has to know an address.
const TRIALS: [Trial; 17] = [
    trial("tracepoint", "t:syscalls:sys_enter_getppid /pid == cpid/ { @ = count(); }", GETPPID, Count::Exactly(100)),
    trial("rawtracepoint", "rt:sys_enter /pid == cpid && arg1 == 110/ { @ = count(); }", GETPPID, Count::Exactly(100)),
    trial("kprobe", "k:ksys_write /pid == cpid && (int32)arg0 == -1/ { @ = count(); }", WRITE, Count::Exactly(100)),
    trial("kretprobe", "kr:ksys_write /pid == cpid && retval == -9/ { @ = count(); }", WRITE, Count::Exactly(100)),
    trial("fentry", "f:ksys_write /pid == cpid && (int32)args.fd == -1/ { @ = count(); }", WRITE, Count::Exactly(100)),
    trial("fexit", "fr:ksys_write /pid == cpid && retval == -9/ { @ = count(); }", WRITE, Count::Exactly(100)),
    trial("uprobe", "u:libc:rand /pid == cpid/ { @ = count(); }", &["rand", "100"], Count::Exactly(100)),
    trial("uretprobe", "ur:libc:rand /pid == cpid/ { @ = count(); }", &["rand", "100"], Count::Exactly(100)),
    trial("usdt", "U:OWN:scope:tick /pid == cpid/ { @ = count(); }", &["ticks", "100"], Count::Exactly(100)),
    trial("profile", "p:hz:99 { @ = count(); }", &["burn", "300"], Count::Some),
    trial("interval", "i:ms:20 { @ = count(); }", &["slow", "300"], Count::Some),
    trial("software", "s:page-faults:1 /pid == cpid/ { @ = count(); }", &["pages", "300"], Count::Some),
    trial("hardware", "h:cpu-cycles:1000000 { @ = count(); }", &["burn", "300"], Count::Some),
    trial("iter", "it:task { @ = count(); }", &["status", "0"], Count::Some),
    trial("BEGIN", "BEGIN { @ = count(); }", &["status", "0"], Count::Exactly(1)),
    trial("END", "END { @ = count(); }", &["status", "0"], Count::Exactly(1)),
    trial("self", "self:signal:SIGUSR1 { @ = count(); } BEGIN { @ = count(); }", &["status", "0"], Count::Some),
];

pub fn each_counts_or_is_refused_in_words() -> Result<(), Failed> {
    for provider in PROVIDERS.iter().filter(|provider| provider.name != "watchpoint") {
        let trial = TRIALS.iter().find(|trial| trial.provider == provider.name);
        let trial = trial.ok_or_else(|| format!("no trial for {}", provider.name))?;
        let own = std::env::current_exe()?.display().to_string();
        let ran = with_load(&["-e", &trial.script.replace("OWN", &own)], trial.load);
        covered(provider.name, &ran, &trial.count)?;
    }
    Ok(())
}

/// Says whether this kernel has a provider; fails if it has it and the count is wrong, or if the refusal says too little.
fn covered(provider: &str, ran: &Ran, count: &Count) -> Result<(), Failed> {
    if ran.status == 1 {
        let reasons = ["was built without", "has no counters of its own", "debug registers", "does not let the list"];
        check(reasons.iter().any(|reason| ran.stderr.contains(reason)), || ran.stderr.clone())?;
        println!("lacks: {provider}");
        return Ok(());
    }
    ran.succeeded()?;
    let counted = ran.value("@: ")?.parse::<u64>()?;
    match count {
        Count::Exactly(count) => same((provider, counted), (provider, *count))?,
        Count::Nearly(count) => check((count * 98 / 100..=*count).contains(&counted), || {
            format!("{provider} counted {counted} of {count}")
        })?,
        Count::Some => check(counted > 0, || format!("{provider} counted nothing"))?,
    }
    println!("covers: {provider}");
    Ok(())
}

/// The load says where a word of it lies, and writes to it when its input ends.
pub fn a_watchpoint_counts_writes() -> Result<(), Failed> {
    const WRITES: &str = "500";
    let own = load_command(&["watched", WRITES]);
    let (load, address) = waiting(Command::new(&own[0]).args(&own[1..]))?;
    let address = address.trim();
    let pid = load.id().to_string();
    let text = format!("watchpoint:{address}:8:w {{ @ = count(); @where[usermode, pid == {pid}] = count(); }}");
    let ran = on_waiting(&["-p", &pid, "-e", &text], vec![load])?;
    covered("watchpoint", &ran, &Count::Nearly(500))?;
    if ran.status == 0 {
        same(ran.value("@where[true, 1]: ")?, ran.value("@: ")?)?;
    }
    for (probe, message) in [
        ("watchpoint:0x1000:8:r", "processors can't watch reads alone"),
        ("watchpoint:0x1001:8:w", "the address is no multiple of 8"),
        ("watchpoint:0x1000:3:w", "1, 2, 4 or 8 can be"),
        ("watchpoint:nothing_is_called_so:8:w", "is no address"),
        ("watchpoint:0x1000:4:x", "a length of 8"),
    ] {
        let ran = run(&["-e", &format!("{probe} {{ @ = count(); }}")]);
        check(ran.status == 2 && ran.stderr.contains(message), || ran.stderr.clone())?;
    }
    Ok(())
}

pub fn an_iterator_goes_through_what_there_is() -> Result<(), Failed> {
    let own = std::process::id().to_string();
    let text = "iter:task /ctx->task->tgid == OWN/ { @[args.task->comm, probe] = count(); }
        iter:task_vma /args.task->tgid == OWN/ { @areas = count(); } iter:bpf_map { @maps = count(); }";
    let ran = run(&["-e", &text.replace("OWN", &own)]);
    ran.succeeded()?;
    check(ran.value("@[live, iter:task]: ")?.parse::<u32>()? > 0, || ran.stdout.clone())?;
    check(ran.value("@areas: ")?.parse::<u32>()? > 5, || ran.stdout.clone())?;
    check(ran.value("@maps: ")?.parse::<u32>()? > 0, || ran.stdout.clone())?;
    // Of one process only: the kernel itself goes through no other.
    let ran = run(&["-p", &own, "-e", "iter:task { @[args.task->tgid] = count(); }"]);
    let keys = ran.stdout.lines().filter(|line| line.starts_with("@[")).count();
    same((ran.status, keys), (0, 1))?;
    let unknown = run(&["-e", "iter:tasks { @ = count(); }"]);
    check(unknown.status == 2 && unknown.stderr.contains("did you mean `task`?"), || unknown.stderr)
}
