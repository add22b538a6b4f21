//! The bundled scripts that watch files, memory, rights and libraries.

use std::ffi::CString;
use std::path::Path;
use std::process::Command;

use libtest_mimic::Failed;
use serde_json::{Value, json};

use super::load_tools_b::FILE;
use super::run::{Ran, check, load_command, of_type, run, same, with_load};

/// The records of one kind that a script gave.
pub fn records(ran: &Ran, kind: &str) -> Result<Vec<Value>, Failed> {
    ran.succeeded()?;
    Ok(of_type(&ran.json()?, kind).cloned().collect())
}

/// Whether functions of the kernel can be probed here.
pub fn has_kprobes() -> bool {
    Path::new("/sys/bus/event_source/devices/kprobe").exists()
}

/// Where functions of the kernel can't be probed, a script says so.
pub fn lacks_kprobes(script: &str) -> Result<(), Failed> {
    let ran = run(&["--dry-run", script]);
    ran.ended_with(1)?;
    check(ran.stderr.contains("error[E0206]: this machine has no `"), || ran.stderr.clone())
}

pub fn statsnoop_sees_every_call() -> Result<(), Failed> {
    let ran = with_load(&["--follow", "-f", "json", "statsnoop"], &["stats"]);
    let seen = records(&ran, "stat")?;
    let of_path = |path: &str| {
        let of_path = seen.iter().filter(|stat| stat["comm"] == "live" && stat["path"] == path);
        of_path.map(|stat| (stat["call"].clone(), stat["err"].clone())).collect::<Vec<_>>()
    };
    let calls = |err: i32, names: &[&str]| names.iter().map(|name| (json!(name), json!(err))).collect::<Vec<_>>();
    same(of_path("/proc/self/status"), calls(0, &["stat", "statfs", "newfstatat"]))?;
    same(of_path("/nowhere/at/all"), calls(libc::ENOENT, &["lstat", "statx"]))?;
    let ran = with_load(&["--follow", "-f", "json", "statsnoop", "--failed"], &["stats"]);
    check(records(&ran, "stat")?.iter().all(|stat| stat["err"] != 0), || ran.stdout.clone())
}

pub fn syscount_has_options() -> Result<(), Failed> {
    let count = |options: &[&str], load: &[&str]| -> Result<Value, Failed> {
        let ran = with_load(&[&["--follow", "-f", "json", "syscount"], options].concat(), load);
        Ok(records(&ran, "map")?.into_iter().next().unwrap_or_default())
    };
    same(count(&["--failed"], &["close", "1000"])?["@syscalls"]["close"].as_u64(), Some(1000))?;
    let top = count(&["--top=1"], &["getppid", "5000"])?;
    same(top, json!({ "@syscalls": { "getppid": 5000 } }))?;
    let processes = count(&["--processes"], &["getppid", "5000"])?;
    check(processes["@processes"]["live"].as_u64() >= Some(5000), || processes.to_string())
}

pub fn syncsnoop_names_the_file() -> Result<(), Failed> {
    let ran = with_load(&["--follow", "-f", "json", "syncsnoop"], &["syncs"]);
    let seen = records(&ran, "sync")?;
    let seen = seen.iter().map(|sync| (sync["call"].as_str(), sync["err"].as_i64(), sync["file"].as_str()));
    let call = |name, err, file| (Some(name), Some(err), Some(file));
    same(
        seen.collect::<Vec<_>>(),
        vec![call("fsync", 0, FILE), call("fdatasync", 0, FILE), call("fsync", i64::from(libc::EBADF), "")],
    )
}

pub fn threadsnoop_names_the_function() -> Result<(), Failed> {
    let ran = with_load(&["--follow", "-f", "json", "threadsnoop"], &["starts", "7"]);
    let started = records(&ran, "thread")?;
    check(started.len() == 7, || ran.stdout.clone())?;
    check(started.iter().all(|thread| thread["comm"] == "live" && thread["err"] == 0), || ran.stdout.clone())
}

pub fn writeback_counts_pages() -> Result<(), Failed> {
    let ran = with_load(&["-f", "json", "writeback"], &["dirty", "500"]);
    let rounds = records(&ran, "writeback")?;
    let pages = rounds.iter().filter(|round| round["reason"] == "sync").filter_map(|round| round["pages"].as_i64());
    let pages = pages.sum::<i64>();
    // A file system in memory has nothing to write back to.
    let directory = CString::new(std::env::temp_dir().into_os_string().into_encoded_bytes())?;
    // SAFETY: a C string, and room for what the call writes.
    let kind = unsafe {
        let mut about = std::mem::zeroed::<libc::statfs>();
        libc::statfs(directory.as_ptr(), &raw mut about);
        about.f_type
    };
    let in_memory = kind == libc::TMPFS_MAGIC;
    check(if in_memory { pages == 0 } else { pages >= 500 }, || ran.stdout.clone())
}

pub fn capable_says_what_is_denied() -> Result<(), Failed> {
    let ran = with_load(&["--follow", "-f", "json", "capable", "--denied"], &["capability"]);
    let denied = records(&ran, "capable")?;
    let asked = denied.iter().filter(|check| check["cap"] == 7).collect::<Vec<_>>();
    check(asked.len() == 1, || ran.stdout.clone())?;
    let names = ["uid", "comm", "name", "allowed"].map(|name| asked[0][name].clone());
    same(names, [json!(65_534), json!("live"), json!("SETUID"), json!(0)])
}

pub fn oomkill_names_the_victim() -> Result<(), Failed> {
    let ran = with_load(&["-f", "json", "oomkill"], &["oom"]);
    if ran.status == 3 {
        // No cgroups for memory: at least it is accepted here.
        return run(&["--dry-run", "oomkill"]).succeeded();
    }
    let killed = records(&ran, "oom")?;
    let ours = killed.iter().filter(|oom| oom["victim_comm"] == "live").collect::<Vec<_>>();
    check(ours.len() == 1, || ran.stdout.clone())?;
    let (pid, victim) = (&ours[0]["pid"], &ours[0]["victim"]);
    check(pid == victim && ours[0]["comm"] == "live", || ran.stdout.clone())?;
    // It wanted 256 MiB, and had no more than 32, and what the counters of the CPUs hold back.
    let kib = |name: &str| ours[0][name].as_i64();
    check(kib("vm") > Some(256 << 10), || ran.stdout.clone())?;
    check(kib("rss") > Some(24 << 10) && kib("rss") < Some(48 << 10), || ran.stdout.clone())
}

/// Whether the load finds OpenSSL, without anybody who watches.
fn has_openssl() -> Result<bool, Failed> {
    let load = load_command(&["tls"]);
    Ok(Command::new(&load[0]).args(&load[1..]).status()?.success())
}

fn lacks_openssl(ran: &Ran) -> Result<(), Failed> {
    let said = ran.stderr.contains("no program or library is called `libssl`");
    check(ran.status != 0 && said, || format!("{} {}", ran.status, ran.stderr))
}

pub fn sslsnoop_sees_a_connection() -> Result<(), Failed> {
    let ran = with_load(&["--follow", "-f", "json", "sslsnoop"], &["tls"]);
    if !has_openssl()? {
        return lacks_openssl(&ran);
    }
    let seen = records(&ran, "ssl")?;
    let of = |function: &str| {
        let of = seen.iter().filter(|call| call["function"] == function);
        of.filter_map(|call| call["ret"].as_i64()).collect::<Vec<_>>()
    };
    same((of("SSL_write"), of("SSL_read")), (vec![5], vec![5, -1]))?;
    let shakes = of("SSL_do_handshake");
    check(shakes.ends_with(&[1]) && shakes.contains(&-1), || ran.stdout.clone())
}

pub fn ssllatency_tells_success_from_failure() -> Result<(), Failed> {
    let ran = with_load(&["--follow", "-f", "json", "ssllatency"], &["tls"]);
    if !has_openssl()? {
        return lacks_openssl(&ran);
    }
    let hists = records(&ran, "hist")?;
    let counted = |map: &str, function: &str| {
        let buckets = hists.iter().filter_map(|hist| hist[map][function].as_array()).flatten();
        buckets.filter_map(|bucket| bucket["count"].as_u64()).sum::<u64>()
    };
    same((counted("@us", "SSL_read"), counted("@failed_us", "SSL_read")), (1, 1))?;
    same((counted("@us", "SSL_write"), counted("@failed_us", "SSL_write")), (1, 0))
}

pub fn vfs_scripts_count() -> Result<(), Failed> {
    if !has_kprobes() {
        lacks_kprobes("vfscount")?;
        return lacks_kprobes("vfsstat");
    }
    let calls = |script: &str, name: &str| -> Result<Option<u64>, Failed> {
        let ran = with_load(&["--follow", "-f", "json", script], &["reads", "3000"]);
        let maps = records(&ran, "map")?;
        Ok(Some(maps.iter().filter_map(|map| map["@calls"][name].as_u64()).sum()))
    };
    let direct = calls("vfscount", "vfs_read")?;
    check(direct >= Some(3000) && direct < Some(3100), || format!("{direct:?}"))?;
    let by_kind = calls("vfsstat", "read")?;
    check(by_kind >= Some(3000) && by_kind < Some(3100), || format!("{by_kind:?}"))
}

pub fn dcsnoop_shows_what_is_not_cached() -> Result<(), Failed> {
    if !has_kprobes() {
        return lacks_kprobes("dcsnoop");
    }
    let looked = |options: &[&str]| -> Result<Vec<(Value, Value)>, Failed> {
        let ran = with_load(&[&["--follow", "-f", "json", "dcsnoop"], options].concat(), &["open"]);
        let names = records(&ran, "lookup")?.into_iter().filter(|lookup| lookup["comm"] == "live");
        Ok(names.map(|lookup| (lookup["name"].clone(), lookup["found"].clone())).collect())
    };
    let missed = looked(&[])?;
    check(missed.contains(&(json!("nowhere"), json!(0))), || format!("{missed:?}"))?;
    check(missed.iter().all(|(_, found)| *found == 0), || format!("{missed:?}"))?;
    let all = looked(&["--all"])?;
    check(all.contains(&(json!("proc"), json!(1))), || format!("{all:?}"))
}

/// Those whose modules or whose load no test has: they say what is missing, or are accepted.
pub fn others_are_accepted_or_say_what_is_missing() -> Result<(), Failed> {
    // The function has two names, of which a kernel knows one.
    let ran = run(&["--dry-run", "swapin"]);
    check((ran.status == 0) == has_kprobes(), || ran.stderr.clone())?;
    check(ran.stderr.contains("`kprobe:swap_read"), || ran.stderr.clone())?;
    for (script, function) in [("mdflush", "md_flush_request"), ("xfsdist", "xfs_file_read_iter")] {
        let ran = run(&["--dry-run", script]);
        let missing = [1, 2].contains(&ran.status) && ran.stderr.contains(&format!("`kprobe:{function}`"));
        check(ran.status == 0 || missing, || ran.stderr.clone())?;
    }
    Ok(())
}
