//! Counts are exact, whichever way a clause is attached.

use libtest_mimic::Failed;

use super::run::{
    check, finished, json, load_command, of_type, on_waiting, run, same, scope, script, waiting, with_load,
};

const CALLS: &str = "100000";

pub fn a_child_is_counted_exactly() -> Result<(), Failed> {
    let ran = script("tracepoint:syscalls:sys_enter_getppid /pid == cpid/ { @ = count(); }", &["getppid", CALLS])?;
    same(ran.value("@: ")?, CALLS)?;
    check(ran.stderr.contains("Attached 1 probe\n"), || ran.stderr)
}

pub fn bare_names_and_angle_blocks_mean_the_same() -> Result<(), Failed> {
    for text in [
        "sys_enter /pid == cpid && args.id == 110/ < @[comm] = count() >",
        "tracepoint:raw_syscalls:sys_enter /pid == cpid/ < if (args->id == 110) < @[comm] = count(); > >",
        "sys_exit /pid == cpid && args.id == 110 && (args.ret > 0)/ { @[comm] = count() }",
        "sys_enter_getppid /pid == cpid/ { @[comm] = count() }",
    ] {
        let ran = script(text, &["getppid", CALLS])?;
        same(ran.value("@[live]: ")?, CALLS)?;
    }
    Ok(())
}

pub fn a_set_of_system_calls_counts_as_its_members_do() -> Result<(), Failed> {
    // One program for all, and a tracepoint for each of a few.
    let all = "tracepoint:syscalls:sys_enter_* /pid == cpid/ { @[probe] = count(); }";
    let few = "tracepoint:syscalls:sys_enter_get*id /pid == cpid/ { @[probe] = count(); }";
    for (text, flags) in [(all, &[][..]), (few, &[]), (few, &["--no-rewrite"])] {
        let arguments = flags.iter().copied().chain(["-e", text]).collect::<Vec<_>>();
        let ran = with_load(&arguments, &["getppid", CALLS]);
        ran.succeeded()?;
        same(ran.value("@[tracepoint:syscalls:sys_enter_getppid]: ")?, CALLS)?;
    }
    let ran = script(
        "tracepoint:syscalls:sys_exit_get*id /pid == cpid/ { @[probe, args.ret == 1] = count(); }",
        &["getppid", CALLS],
    )?;
    let parent = ran.stdout.lines().find(|line| line.starts_with("@[tracepoint:syscalls:sys_exit_getppid, "));
    check(parent.is_some_and(|line| line.ends_with(&format!(": {CALLS}"))), || ran.stdout.clone())
}

pub fn a_set_ignores_calls_by_the_32_bit_entry() -> Result<(), Failed> {
    // The raw tracepoint sees them by their number, 20; as a system call's own tracepoint they are nothing.
    let ran = script(
        "sys_enter /pid == cpid && args.id == 20/ { @raw = count(); }
         tracepoint:syscalls:sys_enter_* /pid == cpid/ { @[probe] = count(); }",
        &["compat", "1000"],
    )?;
    // A kernel without the entry sends SIGSEGV instead; then the load's status is not 0.
    same(ran.value("@raw: ")?, "1000")?;
    check(!ran.stdout.contains("sys_enter_writev]"), || ran.stdout.clone())
}

pub fn print_and_clear_lose_nothing() -> Result<(), Failed> {
    for clause in [
        "@[comm] = count()", // a hash map
        "@ = count()",       // an array
        "@[tid]++",          // additions alone are gathered as a sum
    ] {
        let text = format!(
            "tracepoint:syscalls:sys_enter_getppid /pid == cpid/ {{ {clause}; }} interval:ms:10 {{ print(@); clear(@); }}"
        );
        let records = json(&text, &["threads", "1000000"])?;
        let counts = of_type(&records, "map").flat_map(|map| match &map["@"] {
            serde_json::Value::Object(entries) => entries.values().filter_map(serde_json::Value::as_u64).collect(),
            single => single.as_u64().into_iter().collect::<Vec<_>>(),
        });
        let counts = counts.collect::<Vec<_>>();
        check(counts.len() > 3, || format!("only {} portions", counts.len()))?;
        same(counts.iter().sum::<u64>(), 1_000_000)?;
    }
    Ok(())
}

pub fn clauses_share_a_map() -> Result<(), Failed> {
    let ran = script(
        "sys_enter_getppid /pid == cpid/ { @ = count(); @both = sum(2); } sys_exit_getppid /pid == cpid/ { @ = count(); @both = sum(3); }",
        &["threads", CALLS],
    )?;
    same(ran.value("@: ")?, "200000")?;
    same(ran.value("@both: ")?, "500000")
}

pub fn a_full_map_is_reported() -> Result<(), Failed> {
    let ran = script(
        "let @m = hash(8); tracepoint:syscalls:sys_enter_close /pid == cpid && args.fd >= 100000/ { @m[args.fd] = count(); }",
        &["close", "100"],
    )?;
    same(ran.stdout.lines().filter(|line| line.starts_with("@m[")).count(), 8)?;
    check(ran.stderr.contains("warning: @m was full (8 entries): 92 updates of new keys were lost"), || ran.stderr)
}

pub fn an_lru_map_makes_room() -> Result<(), Failed> {
    let ran = script(
        "let @m = lruhash(64); sys_enter_close /pid == cpid && args.fd >= 100000/ { @m[args.fd] = nsecs; @n = count(); }",
        &["close", "1000"],
    )?;
    same(ran.value("@n: ")?, "1000")?;
    check(ran.stdout.contains("@m[100999]: "), || ran.stdout.clone())?;
    check(!ran.stderr.contains("was full"), || ran.stderr)
}

pub fn only_the_watched_process_is_seen() -> Result<(), Failed> {
    let mut load = std::process::Command::new(&load_command(&[])[0]).args(["load", "slow", "2000"]).spawn()?;
    let pid = load.id().to_string();
    let mut other = std::process::Command::new(&load_command(&[])[0]).args(["load", "slow", "2000"]).spawn()?;
    let ran = run(&["-p", &pid, "-e", "sys_enter { @[pid] = count(); } interval:ms:300 { exit(); }"]);
    load.kill()?;
    other.kill()?;
    load.wait()?;
    other.wait()?;
    ran.succeeded()?;
    let keys = ran.stdout.lines().filter(|line| line.starts_with("@[")).collect::<Vec<_>>();
    check(keys.len() == 1 && keys[0].starts_with(&format!("@[{pid}]: ")), || ran.stdout.clone())?;
    let gone = scope(&["-p", &pid, "-e", "BEGIN { exit(); }"]).output()?;
    same(String::from_utf8_lossy(&gone.stderr).into_owned(), format!("error: pid {pid} not found\n"))
}

pub fn many_new_keys_at_once_all_find_room() -> Result<(), Failed> {
    let ran =
        script("sys_enter_close /pid == cpid && args.fd >= 100000/ { @m[args.fd] = count(); }", &["close", "4000"])?;
    same(ran.stdout.lines().filter(|line| line.starts_with("@m[")).count(), 4000)?;
    same(ran.stderr.as_str(), "Attached 1 probe\n")?;
    // Histograms are larger than what the kernel's caches hold many of.
    let ran = script(
        "let @m = hash(9000); sys_enter_close /pid == cpid && args.fd >= 100000/ { @m[args.fd] = hist(1); }",
        &["close", "9000"],
    )?;
    same(ran.stdout.lines().filter(|line| line.starts_with("@m[")).count(), 9000)?;
    // At the scheduler's tracepoints interrupts are off.
    let ran = script("tracepoint:sched:* { @[probe, cpu, pid] = count(); }", &["threads", "10000"])?;
    check(!ran.stderr.contains("was full"), || ran.stderr)
}

pub fn only_a_name_or_a_user_is_seen() -> Result<(), Failed> {
    let text = "sys_enter_getppid { @ = count(); } BEGIN { @begun = 1; }";
    for (filter, count) in [
        (&["--comm", "live"][..], Some("300")),
        (&["--comm", "live", "--uid", "0"], Some("300")),
        (&["--uid", "root", "--comm", "live"], Some("300")),
        (&["--comm", "liv"], Some("0")),
        (&["--comm", "live", "--uid", "12345"], Some("0")),
    ] {
        let ran = with_load(&[filter, &["-e", text]].concat(), &["getppid", "300"]);
        ran.succeeded()?;
        same(ran.value("@begun: ")?, "1")?;
        same((filter, ran.stdout.lines().find_map(|line| line.strip_prefix("@: "))), (filter, count))?;
    }
    for (filter, said) in [
        (["--uid", "no_such_user"], "there is no user `no_such_user`"),
        (["--comm", "a_name_that_is_too_long"], "15 bytes at most"),
    ] {
        let ran = run(&[&filter[..], &["-e", text]].concat());
        ran.ended_with(2)?;
        check(ran.stderr.contains(said), || ran.stderr)?;
    }
    Ok(())
}

pub fn children_are_followed_from_their_beginning() -> Result<(), Failed> {
    let own = std::env::current_exe()?;
    let line = format!("{0} load getppid 100; {0} load getppid 20 & wait; ({0} load getppid 3)", own.display());
    let text = "sys_enter_getppid { @ = count(); } tracepoint:sched:sched_process_exec { @programs[comm] = count(); }";
    let ran = finished(scope(&["--follow", "-e", text, "--", "sh", "-c", &line]).output());
    ran.succeeded()?;
    same(ran.value("@programs[live]: ")?, "3")?;
    // A shell may ask who its parent is, too.
    let counted = ran.value("@: ")?.parse::<u32>()?;
    check((123..130).contains(&counted), || format!("{counted} calls"))?;
    check(!ran.stdout.contains("scope_family"), || ran.stdout.clone())?;
    let alone = run(&["--follow", "-e", text]);
    alone.ended_with(2)?;
    check(alone.stderr.contains("--follow needs a process"), || alone.stderr)
}

/// Ends what it made when the test ends, however it ends.
struct Cgroup(std::path::PathBuf);

impl Drop for Cgroup {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir(self.0.join("below"));
        let _ = std::fs::remove_dir(&self.0);
    }
}

pub fn only_a_cgroup_or_a_namespace_is_seen() -> Result<(), Failed> {
    let mounts = std::fs::read_to_string("/proc/self/mountinfo")?;
    let tree = mounts.lines().find(|line| line.contains(" - cgroup2 ")).and_then(|line| line.split(' ').nth(4));
    let tree = tree.ok_or("no cgroups of version 2 are mounted")?;
    let name = format!("scope-live-{}", std::process::id());
    let cgroup = Cgroup(std::path::Path::new(tree).join(&name));
    std::fs::create_dir_all(cgroup.0.join("below"))?;
    let own = std::env::current_exe()?;
    let inside = cgroup.0.join("below").display().to_string();
    // The first load runs outside, the second below the cgroup that is watched.
    let line = format!("{0} load getppid 100; echo $$ > {inside}/cgroup.procs; {0} load getppid 30", own.display());
    let text = "sys_enter_getppid /comm == \"live\"/ { @ = count(); }";
    for path in [cgroup.0.display().to_string(), format!("/{name}"), inside.clone()] {
        let ran = finished(scope(&["--cgroup", &path, "-e", text, "--", "sh", "-c", &line]).output());
        ran.succeeded()?;
        same((path.as_str(), ran.value("@: ")?), (path.as_str(), "30"))?;
    }
    let missing = run(&["--cgroup", "/no/such/cgroup", "-e", text]);
    check(missing.status == 2 && missing.stderr.contains("there is no cgroup"), || missing.stderr)?;
    // A process of a namespace of its own waits until it is watched.
    let own = load_command(&["unshared", "200"]);
    let (load, pid) = waiting(std::process::Command::new(&own[0]).args(&own[1..]))?;
    let counted = "sys_enter_getppid { @ = count(); } sys_exit_getppid /@ >= 200/ { exit(); }";
    let ran = on_waiting(&["--pidns", pid.trim(), "-e", counted], vec![load])?;
    ran.succeeded()?;
    same(ran.value("@: ")?, "200")?;
    let missing = run(&["--pidns", "999999", "-e", text]);
    same((missing.status, missing.stderr.as_str()), (2, "error: pid 999999 not found\n"))
}
