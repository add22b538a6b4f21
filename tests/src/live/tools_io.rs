//! The bundled scripts that watch disks, files, programs and what people type.

use std::os::unix::fs::MetadataExt;

use libtest_mimic::Failed;
use serde_json::Value;

use super::run::{Ran, check, of_type, run, same, with_load};

/// How many blocks the load writes and reads.
const BLOCKS: &str = "50";

/// Whether this binary lies on a disk, which its load then can use. A file system in memory has a device without a major
/// number.
fn on_a_disk() -> Result<bool, Failed> {
    Ok(libc::major(std::fs::metadata(std::env::current_exe()?)?.dev()) != 0)
}

/// Runs a script on the load that uses a disk; none where there is no disk: there the script must run and show nothing.
fn on_disk(arguments: &[&str]) -> Result<Option<Ran>, Failed> {
    let there = on_a_disk()?;
    let ran = with_load(arguments, if there { &["disk", BLOCKS] } else { &["getppid", "1"] });
    ran.succeeded()?;
    if there {
        return Ok(Some(ran));
    }
    let attached = |record: &Value| record["type"] == "attached_probes";
    check(ran.json()?.iter().all(attached), || ran.stdout.clone())?;
    Ok(None)
}

/// How many values of a histogram lie in buckets that begin at least there.
pub fn counted(buckets: &Value, from: u64) -> u64 {
    let buckets = buckets.as_array().into_iter().flatten();
    let those = buckets.filter(|bucket| bucket["min"].as_u64().is_some_and(|min| min >= from));
    those.filter_map(|bucket| bucket["count"].as_u64()).sum()
}

/// The histograms of a map, by their keys.
fn histograms<'a>(records: &'a [Value], map: &'a str) -> impl Iterator<Item = (&'a String, &'a Value)> {
    of_type(records, "hist").filter_map(move |hist| hist[map].as_object()).flatten()
}

pub fn biosnoop_shows_each_request() -> Result<(), Failed> {
    let Some(ran) = on_disk(&["-f", "json", "biosnoop"])? else { return Ok(()) };
    let records = ran.json()?;
    let blocks = BLOCKS.parse::<usize>()?;
    for op in ["write", "read"] {
        let own = of_type(&records, "io").filter(|io| io["comm"] == "live" && io["op"] == op && io["bytes"] == 4096);
        let own = own.collect::<Vec<_>>();
        check(own.len() >= blocks, || format!("{} {op}s of {blocks}", own.len()))?;
        for io in own {
            let disk = io["disk"].as_str().ok_or("no disk")?;
            check(std::path::Path::new("/sys/class/block").join(disk).exists(), || io.to_string())?;
            check(io["ms"].as_f64() > Some(0.0) && io["queued_ms"].as_f64() < Some(10_000.0), || io.to_string())?;
            check(io["pid"].as_u64() > Some(1) && io["err"] == 0, || io.to_string())?;
        }
    }
    let titles = ["TIME", "PID", "COMM", "DISK", "OP", "SECTOR", "BYTES", "QUEUED_MS", "MS", "ERR"];
    let ran = with_load(&["biosnoop"], &["disk", BLOCKS]);
    same(ran.stdout.lines().next().map(|line| line.split_whitespace().collect()), Some(titles.to_vec()))?;
    let ran = with_load(&["-f", "json", "biosnoop", "--disk=none"], &["disk", BLOCKS]);
    same(of_type(&ran.json()?, "io").count(), 0)?;
    let ran = with_load(&["-f", "json", "biosnoop", "--min-ms=100000"], &["disk", BLOCKS]);
    same(of_type(&ran.json()?, "io").count(), 0)
}

pub fn biolatency_measures_each_request() -> Result<(), Failed> {
    let blocks = BLOCKS.parse::<u64>()?;
    let Some(ran) = on_disk(&["-f", "json", "biolatency"])? else { return Ok(()) };
    let records = ran.json()?;
    let measured = of_type(&records, "hist").map(|hist| counted(&hist["@us"], 0)).sum::<u64>();
    check(measured >= 2 * blocks, || format!("{measured} of {}", 2 * blocks))?;
    // The numbers of the kernel's enum: 0 reads, 1 writes.
    for (option, map, wanted) in [("--ops", "@us_of_op", blocks), ("--disks", "@us_of_disk", 2 * blocks)] {
        let ran = with_load(&["-f", "json", "biolatency", "--queued", option], &["disk", BLOCKS]);
        ran.succeeded()?;
        let records = ran.json()?;
        let full = histograms(&records, map).filter(|(_, buckets)| counted(buckets, 0) >= wanted).collect::<Vec<_>>();
        match option {
            "--ops" => {
                let there = |op: &str| full.iter().any(|(key, _)| *key == op);
                check(there("0") && there("1"), || ran.stdout.clone())?;
            }
            _ => {
                check(full.iter().any(|(key, _)| std::path::Path::new("/sys/class/block").join(key).exists()), || {
                    ran.stdout.clone()
                })?
            }
        }
    }
    Ok(())
}

pub fn biostacks_and_bitesize_know_who_asked() -> Result<(), Failed> {
    let blocks = BLOCKS.parse::<u64>()?;
    let Some(ran) = on_disk(&["-f", "json", "biostacks"])? else {
        return on_disk(&["-f", "json", "bitesize"]).map(|_| ());
    };
    let records = ran.json()?;
    let of = |function: &str| {
        let those = histograms(&records, "@us").filter(|(stack, _)| stack.contains(function));
        those.map(|(_, buckets)| counted(buckets, 0)).sum::<u64>()
    };
    check(of("vfs_write") >= blocks && of("vfs_read") >= blocks, || ran.stdout.clone())?;
    let ran = on_disk(&["-f", "json", "bitesize"])?.ok_or("the disk is gone")?;
    let records = ran.json()?;
    let own = histograms(&records, "@bytes").find(|(name, _)| *name == "live").ok_or("nothing of the load")?.1;
    let of_a_block = own.as_array().into_iter().flatten().find(|bucket| bucket["min"] == 4096).ok_or("no block")?;
    check(of_a_block["count"].as_u64() >= Some(2 * blocks), || own.to_string())
}

pub fn execsnoop_shows_arguments_and_failures() -> Result<(), Failed> {
    let command = ["--", "/bin/sh", "-c", "/bin/true one 'two  three'; /nowhere/at/all; exit 0"];
    let started = |options: &[&str]| -> Result<Vec<Value>, Failed> {
        let ran = run(&[&["--follow", "-f", "json", "execsnoop"], options, &command].concat());
        ran.succeeded()?;
        Ok(of_type(&ran.json()?, "exec").cloned().collect())
    };
    let all = started(&["--all"])?;
    let find = |records: &[Value], arguments: &str| records.iter().find(|exec| exec["args"] == arguments).cloned();
    let shell = find(&all, &command[1..].join(" ")).ok_or_else(|| format!("no shell: {all:?}"))?;
    let done = find(&all, "/bin/true one two  three").ok_or_else(|| format!("no program: {all:?}"))?;
    check(done["ret"] == 0 && done["comm"] == "true" && done["ppid"] == shell["pid"], || done.to_string())?;
    let failed = find(&all, "/nowhere/at/all").ok_or_else(|| format!("no failure: {all:?}"))?;
    check(failed["ret"] == -2 && failed["ppid"] == shell["pid"], || failed.to_string())?;
    let those = started(&[])?;
    check(those.iter().all(|exec| exec["ret"] == 0), || format!("{those:?}"))?;
    check(find(&those, "/bin/true one two  three").is_some(), || format!("{those:?}"))
}

pub fn opensnoop_chooses() -> Result<(), Failed> {
    let opened = |option: &str| -> Result<Vec<Value>, Failed> {
        let ran = with_load(&["--follow", "-f", "json", "opensnoop", option], &["open"]);
        ran.succeeded()?;
        let own = of_type(&ran.json()?, "open").filter(|open| open["comm"] == "live").cloned().collect::<Vec<_>>();
        check(!own.is_empty(), || format!("{option} shows nothing"))?;
        Ok(own)
    };
    let failed = opened("--failed")?;
    check(failed.iter().all(|open| open["err"] != 0 && open["fd"] == -1), || format!("{failed:?}"))?;
    check(failed.iter().any(|open| open["path"] == "/nowhere/at/all"), || format!("{failed:?}"))?;
    let those = opened("--path=self/stat")?;
    check(those.iter().all(|open| open["path"] == "/proc/self/status"), || format!("{those:?}"))
}

pub fn bashreadline_shows_what_is_typed() -> Result<(), Failed> {
    let typed = r"printf 'echo one\necho two\n' | HISTFILE= bash --norc --noprofile -i >/dev/null";
    let ran = run(&["--follow", "-f", "json", "bashreadline", "--", "/bin/sh", "-c", typed]);
    if ["/bin/bash", "/usr/bin/bash"].iter().any(|path| std::path::Path::new(path).exists()) {
        let records = ran.json()?;
        let lines = of_type(&records, "line").map(|line| line["command"].as_str()).collect::<Vec<_>>();
        return same(lines, vec![Some("echo one"), Some("echo two")]);
    }
    check(ran.stderr.contains("`uretprobe:bash:readline` can't be probed"), || ran.stderr.clone())?;
    check(!ran.stdout.contains(r#""line""#), || ran.stdout.clone())
}

pub fn the_first_tools_say_what_they_are() -> Result<(), Failed> {
    for name in [
        "bashreadline",
        "biolatency",
        "biosnoop",
        "biostacks",
        "bitesize",
        "cpuwalk",
        "execsnoop",
        "gethostlatency",
        "killsnoop",
        "loads",
        "naptime",
        "opensnoop",
        "pidpersec",
        "runqlat",
        "runqlen",
        "setuids",
    ] {
        let ran = run(&[name, "--help"]);
        ran.succeeded()?;
        check(ran.stdout.starts_with(&format!("{name}: ")), || ran.stdout.clone())?;
        let ran = run(&["--dry-run", name]);
        if name == "bashreadline" && !std::path::Path::new("/bin/bash").exists() {
            check(ran.status == 1 && ran.stderr.contains("nothing is left to trace"), || ran.stderr)?;
            continue;
        }
        ran.succeeded()?;
    }
    Ok(())
}
