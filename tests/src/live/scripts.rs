//! The bundled scripts show what they are for.

use libtest_mimic::Failed;

use super::run::{check, of_type, run, same, watching, with_load};

pub fn opensnoop_sees_opens_and_errors() -> Result<(), Failed> {
    let ran = watching(&["-f", "json", "opensnoop"], &["opens", "2000"])?;
    let records = ran.json()?;
    let opened =
        |path: &str| of_type(&records, "open").find(|open| open["path"] == path && open["comm"] == "live").cloned();
    let found = opened("/proc/self/status").ok_or("an open was missed")?;
    check(found["fd"].as_i64() > Some(2) && found["err"] == 0, || found.to_string())?;
    let missing = opened("/nowhere/at/all").ok_or("a failed open was missed")?;
    same((missing["fd"].as_i64(), missing["err"].as_i64()), (Some(-1), Some(2)))?;
    let ran = watching(&["opensnoop"], &["opens", "2000"])?;
    same(ran.stdout.lines().next(), Some("PID     COMM             FD      ERR     PATH"))
}

pub fn syscount_counts() -> Result<(), Failed> {
    let ran = with_load(&["syscount"], &["getppid", "50000"]);
    ran.succeeded()?;
    let count = ran.value("@syscalls[getppid]: ")?.parse::<u64>().map_err(|error| error.to_string())?;
    check(count >= 50_000, || ran.stdout.clone())
}

pub fn latency_pairs_enter_and_exit() -> Result<(), Failed> {
    let ran = with_load(&["-f", "json", "latency"], &["write", "2000"]);
    ran.succeeded()?;
    let records = ran.json()?;
    let buckets = of_type(&records, "hist").find_map(|hist| hist["@ns"]["write"].as_array().cloned());
    let counted = buckets.iter().flatten().filter_map(|bucket| bucket["count"].as_u64()).sum::<u64>();
    check(counted >= 2000, || format!("{counted} of 2000 calls measured"))
}

pub fn hello_and_syscall_have_the_fields_of_the_seeds() -> Result<(), Failed> {
    let ran = watching(&["-f", "json", "hello"], &["writes", "1000"])?;
    let records = ran.json()?;
    let fields = |kind: &str, names: &[&str]| -> Result<usize, Failed> {
        let of_load = of_type(&records, kind).filter(|record| record["comm"] == "live").collect::<Vec<_>>();
        for record in &of_load {
            let keys = record.as_object().map(|object| object.keys().map(String::as_str).collect::<Vec<_>>());
            let mut keys = keys.ok_or("no object")?;
            keys.sort_unstable();
            same(keys, names.to_vec())?;
        }
        Ok(of_load.len())
    };
    check(fields("hello", &["comm", "pid", "timestamp_ns"])? > 5, || ran.stdout.clone())?;
    let ran = watching(&["hello"], &["writes", "1000"])?;
    same(
        ran.stdout.lines().next().map(|line| line.split_whitespace().collect()),
        Some(vec!["PID", "COMM", "TIMESTAMP_NS"]),
    )?;
    let ran = watching(&["-f", "json", "syscall"], &["writes", "1000"])?;
    let records = ran.json()?;
    let writes = of_type(&records, "syscall").filter(|call| call["comm"] == "live" && call["syscall_name"] == "write");
    let writes = writes.filter(|call| call["syscall_id"] == 1 && call["timestamp_ns"].is_u64() && call["pid"].is_u64());
    check(writes.count() >= 5, || ran.stdout.clone())?;
    let ran = watching(&["syscall"], &["writes", "1000"])?;
    same(
        ran.stdout.lines().next().map(|line| line.split_whitespace().collect()),
        Some(vec!["PID", "COMM", "ID", "NAME"]),
    )
}

pub fn help_is_the_head_comment() -> Result<(), Failed> {
    for name in ["opensnoop", "syscount", "latency", "hello", "syscall"] {
        let ran = run(&[name, "--help"]);
        ran.succeeded()?;
        check(ran.stdout.starts_with(&format!("{name}: ")), || ran.stdout.clone())?;
        run(&["--dry-run", name]).succeeded()?;
    }
    Ok(())
}

/// The one-liners of bpftrace's tutorial and of its README, as they stand there, but those that need kprobes; the process
/// ids and the cgroup are those of the examples. Each with a load and with what it prints.
const ONE_LINERS: [(&str, &[&str], &str); 15] = [
    (r#"BEGIN { printf("hello world\n"); }"#, &["status", "0"], "hello world\n"),
    ("tracepoint:raw_syscalls:sys_enter { @[comm] = count(); }", &["getppid", "1000"], "@[live]: "),
    ("tracepoint:syscalls:sys_exit_read /pid == 18644/ { @bytes = hist(args.ret); }", &["open"], ""),
    ("tracepoint:sched:sched* { @[probe] = count(); } interval:s:5 { exit(); }", &["open"], "@[tracepoint:sched:"),
    ("tracepoint:sched:sched_switch { @[kstack] = count(); }", &["slow", "100"], "schedule"),
    ("tracepoint:block:block_rq_issue { @ = hist(args.bytes); }", &["open"], ""),
    ("tracepoint:syscalls:sys_exit_read /args.ret/ { @[comm] = sum(args.ret); }", &["reads", "100"], "@[live]: "),
    ("tracepoint:syscalls:sys_exit_read { @[comm] = hist(args.ret); }", &["reads", "100"], "@[live]: \n"),
    (
        "tracepoint:raw_syscalls:sys_enter { @ = count(); } interval:s:1 { print(@); clear(@); }",
        &["slow", "1200"],
        "@: ",
    ),
    (r#"tracepoint:block:block_rq_issue { printf("%d %s %d\n", pid, comm, args.bytes); }"#, &["open"], ""),
    (
        r#"tracepoint:syscalls:sys_enter_* { @[probe] = count(); }"#,
        &["open"],
        "@[tracepoint:syscalls:sys_enter_openat]: ",
    ),
    (
        r#"tracepoint:syscalls:sys_enter_open, tracepoint:syscalls:sys_enter_openat { @[pid] = count(); }"#,
        &["open"],
        "@[",
    ),
    ("profile:hz:99 { @[kstack] = count(); }", &["burn", "200"], "@["),
    ("profile:hz:99 /pid == 189/ { @[ustack] = count(); }", &["burn", "200"], ""),
    ("software:faults:1 { @[comm] = count(); }", &["pages", "1000"], "@[live]: "),
];

/// Those that need kprobes.
const OF_FUNCTIONS: [(&str, &[&str], &str); 4] = [
    (
        "kprobe:vfs_read { @start[tid] = nsecs; } kretprobe:vfs_read /@start[tid]/ { @ns[comm] = hist(nsecs - @start[tid]); delete(@start, tid); }",
        &["open"],
        "@ns[live]: \n",
    ),
    ("kretprobe:vfs_read { @bytes = lhist(retval, 0, 2000, 200); }", &["open"], "@bytes: \n"),
    ("kprobe:do_nanosleep { printf(\"PID %d sleeping...\\n\", pid); }", &["slow", "200"], "sleeping...\n"),
    ("kprobe:vfs_* { @[func] = count(); } interval:ms:300 { exit(); }", &["slow", "500"], "@[vfs_"),
];

pub fn one_liners_of_bpftrace_run_unchanged() -> Result<(), Failed> {
    let probed = std::path::Path::new("/sys/bus/event_source/devices/kprobe").exists();
    let of_functions = OF_FUNCTIONS.iter().filter(|_| probed);
    for (text, load, printed) in ONE_LINERS.iter().chain(of_functions) {
        let ran = with_load(&["-e", text], load);
        check(ran.status == 0 && ran.stdout.contains(printed), || format!("{text}\n{}{}", ran.stdout, ran.stderr))?;
    }
    // Names of files are looked at in the load only.
    let text = r#"tracepoint:syscalls:sys_enter_openat { printf("%s %s\n", comm, str(args.filename)); }"#;
    let ran = watching(&["-e", text], &["opens", "2000"])?;
    check(ran.stdout.contains("live /proc/self/status\n"), || ran.stdout)
}
