//! The bundled scripts that watch the scheduler, sleeps, signals, users and the C library.

use libtest_mimic::Failed;
use serde_json::Value;

use super::run::{check, of_type, run, same, with_load};
use super::tools_io::counted;

/// The records of one kind that a script shows of a load and its children.
fn shown(name: &str, kind: &str, load: &[&str]) -> Result<Vec<Value>, Failed> {
    let ran = with_load(&["--follow", "-f", "json", name], load);
    ran.succeeded()?;
    Ok(of_type(&ran.json()?, kind).cloned().collect())
}

/// A histogram of a map that has keys, of a load for which three threads share a CPU for a second.
fn of_a_crowd(arguments: &[&str], map: &str, key: &str) -> Result<Value, Failed> {
    let ran = with_load(&[&["-f", "json"], arguments].concat(), &["crowd", "1000"]);
    ran.succeeded()?;
    let records = ran.json()?;
    let found = of_type(&records, "hist").find_map(|hist| hist[map].get(key).cloned());
    found.ok_or_else(|| format!("no {map}[{key}]: {}", ran.stdout).into())
}

pub fn runqlat_measures_who_has_to_wait() -> Result<(), Failed> {
    let waits = of_a_crowd(&["runqlat", "--names"], "@us_of", "live")?;
    // Each of the three waits two thirds of the time, a slice of a millisecond or more at once.
    check(counted(&waits, 1024) >= 20, || waits.to_string())?;
    let ran = with_load(&["-f", "json", "runqlat"], &["crowd", "300"]);
    let records = ran.json()?;
    let all = of_type(&records, "hist").map(|hist| counted(&hist["@us"], 1024)).sum::<u64>();
    check(all >= 6, || ran.stdout.clone())
}

pub fn runqlen_and_cpuwalk_sample_the_cpus() -> Result<(), Failed> {
    let waiting = of_a_crowd(&["runqlen", "--cpus"], "@waiting_on", "0")?;
    // Beside the one that runs two others wait.
    check(counted(&waiting, 2) >= 30, || waiting.to_string())?;
    let ran = with_load(&["-f", "json", "cpuwalk"], &["crowd", "1000"]);
    let records = ran.json()?;
    let cpus = of_type(&records, "hist").find_map(|hist| hist["@cpu"].as_array().cloned()).ok_or("no samples")?;
    let first = cpus.iter().find(|bucket| bucket["min"] == 0).ok_or("no sample of the first CPU")?;
    check(first["count"].as_u64().is_some_and(|count| (30..=200).contains(&count)), || ran.stdout.clone())
}

pub fn pidpersec_counts_processes_and_threads() -> Result<(), Failed> {
    let seconds = shown("pidpersec", "made", &["makes", "25"])?;
    let sum = |field: &str| seconds.iter().filter_map(|second| second[field].as_u64()).sum::<u64>();
    same((sum("processes"), sum("threads")), (25, 50))
}

pub fn loads_shows_the_averages() -> Result<(), Failed> {
    let ran = with_load(&["loads"], &["slow", "2500"]);
    ran.succeeded()?;
    let line = ran.stdout.lines().next().ok_or("nothing is shown")?;
    let words = line.split_whitespace().collect::<Vec<_>>();
    same(words.len(), 6)?;
    same(words[0].split(':').map(|part| part.parse::<u32>().map_err(|_| part)).filter(Result::is_ok).count(), 3)?;
    for average in &words[1..4] {
        check(average.parse::<f64>().is_ok_and(|average| (0.0..10_000.0).contains(&average)), || line.to_owned())?;
    }
    Ok(())
}

pub fn naptime_compares_with_what_was_asked() -> Result<(), Failed> {
    let naps = shown("naptime", "nap", &["naps", "10"])?;
    let asked = |ms: f64| naps.iter().filter(move |nap| nap["comm"] == "live" && nap["asked_ms"].as_f64() == Some(ms));
    same((asked(20.0).count(), asked(0.0).count()), (10, 10))?;
    for nap in asked(20.0) {
        let slept = nap["slept_ms"].as_f64().ok_or("no time")?;
        check((20.0..5_000.0).contains(&slept) && nap["err"] == 0, || nap.to_string())?;
        check(nap["pcomm"] == "scope" && nap["ppid"].as_u64() > Some(0), || nap.to_string())?;
    }
    Ok(())
}

pub fn killsnoop_shows_signals_and_errors() -> Result<(), Failed> {
    // No process can have the number 4194304.
    let script = "kill -CONT $$; kill -0 $$; kill -TERM 4194304; exit 0";
    let shown = |options: &[&str]| -> Result<Vec<Value>, Failed> {
        let ran = run(&[&["--follow", "-f", "json", "killsnoop"], options, &["--", "/bin/sh", "-c", script]].concat());
        ran.succeeded()?;
        Ok(of_type(&ran.json()?, "kill").cloned().collect())
    };
    let signals = shown(&[])?;
    let pid = signals.first().ok_or("nothing is shown")?["pid"].clone();
    let three = signals.iter().map(|kill| (kill["signal"].clone(), kill["target"].clone(), kill["err"].clone()));
    let wanted = vec![
        ("SIGCONT".into(), pid.clone(), 0.into()),
        ("0".into(), pid, 0.into()),
        ("SIGTERM".into(), 4_194_304.into(), 3.into()),
    ];
    same(three.collect::<Vec<(Value, Value, Value)>>(), wanted)?;
    same(shown(&["--failed"])?.iter().map(|kill| kill["err"].as_i64()).collect::<Vec<_>>(), vec![Some(3)])?;
    same(shown(&["--signal=18"])?.iter().map(|kill| kill["signal"].as_str()).collect::<Vec<_>>(), vec![Some("SIGCONT")])
}

pub fn setuids_shows_each_call() -> Result<(), Failed> {
    let calls = shown("setuids", "setuid", &["users"])?;
    let told = calls.iter().map(|call| {
        let text = |field: &str| call[field].as_str().unwrap_or("none").to_owned();
        (text("call"), text("args"), call["uid"].as_i64(), call["err"].as_i64(), call["euid_after"].as_i64())
    });
    let wanted = [
        ("setresuid", "ruid=-1 euid=1000 suid=-1", 0, 0, 1000),
        ("setreuid", "ruid=-1 euid=0", 0, 0, 0),
        ("setfsuid", "uid=7", 0, 0, 0),
        ("setuid", "uid=1001", 0, 0, 1001),
        ("setuid", "uid=0", 1001, 1, 1001),
    ];
    let wanted = wanted
        .map(|(call, args, uid, err, after)| (call.to_owned(), args.to_owned(), Some(uid), Some(err), Some(after)));
    same(told.collect::<Vec<_>>(), wanted.to_vec())?;
    same(calls[2]["fsuid_after"].as_i64(), Some(7))
}

pub fn gethostlatency_shows_names_and_failures() -> Result<(), Failed> {
    let lookups = shown("gethostlatency", "host", &["lookups"])?;
    let told = lookups.iter().filter(|host| host["ms"].as_f64() > Some(0.0) && host["comm"] == "live");
    let told = told.map(|host| (host["host"].as_str(), host["failed"].as_bool())).collect::<Vec<_>>();
    let wanted = [("127.0.0.1", false), ("no.address.invalid", true), ("127.0.0.2", false)];
    same(told, wanted.map(|(name, failed)| (Some(name), Some(failed))).to_vec())
}
