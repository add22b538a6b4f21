//! What is printed, and that nothing is lost silently.

use libtest_mimic::Failed;

use super::run::{check, json, load_command, of_type, run, same, scope, script, with_load};

pub fn every_record_is_printed_or_reported_lost() -> Result<(), Failed> {
    let script = "sys_enter_getppid /pid == cpid/ { printf(\"%d %s\\n\", pid, comm); }";
    let records = json(script, &["threads", "300000"])?;
    let printed = of_type(&records, "printf").count() as u64;
    let lost = of_type(&records, "lost_events").filter_map(|lost| lost["events"].as_u64()).sum::<u64>();
    same(printed + lost, 300_000)?;
    // With a reader that is stopped for a while, some have to be lost, and are reported.
    let mut child = scope(&["-e", script, "-f", "json"]);
    child.arg("--").args(load_command(&["threads", "600000"]));
    let child = child.stdout(std::process::Stdio::piped()).stderr(std::process::Stdio::null()).spawn()?;
    std::thread::sleep(std::time::Duration::from_millis(100));
    let signal = |signal| {
        // SAFETY: a signal to our own child.
        unsafe { libc::kill(child.id() as i32, signal) };
    };
    signal(libc::SIGSTOP);
    std::thread::sleep(std::time::Duration::from_millis(1500));
    signal(libc::SIGCONT);
    let ran = super::run::finished(child.wait_with_output());
    let records = ran.json()?;
    let printed = of_type(&records, "printf").count() as u64;
    let lost = of_type(&records, "lost_events").filter_map(|lost| lost["events"].as_u64()).sum::<u64>();
    check(lost > 0, || format!("nothing was lost of 600000; {printed} printed"))?;
    same(printed + lost, 600_000)
}

/// The consumer of the dashboard that the project grew from: lines of JSON, `map` records, `data["@"]`.
pub fn json_is_what_a_dashboard_expects() -> Result<(), Failed> {
    let text = "tracepoint:raw_syscalls:sys_enter { @[comm] = count(); } interval:ms:100 { print(@); clear(@); }";
    let ran = with_load(&["-f", "json", "-e", text], &["slow", "500"]);
    ran.succeeded()?;
    check(
        ran.stdout.starts_with("{\"type\": \"attached_probes\", \"count\": 2, \"data\": {\"probes\": 2}}\n"),
        || ran.stdout.clone(),
    )?;
    let mut total = 0;
    for entry in ran.json()? {
        if entry["type"] == "map" {
            let counts = entry["data"]["@"].as_object().ok_or("no counts by process name")?;
            total += counts.get("live").and_then(serde_json::Value::as_u64).unwrap_or(0);
        }
    }
    check(total > 50, || format!("only {total} calls of a load that makes hundreds"))
}

pub fn text_and_histograms() -> Result<(), Failed> {
    let ran = run(&[
        "-e",
        "BEGIN { @h = hist(5); @h = hist(100); @h = hist(100); @k[1, \"x\"] = -2; @k[2, \"y\"] = 7; @a = avg(3); exit(); }",
    ]);
    ran.succeeded()?;
    let wide = "@".repeat(52);
    let half = "@".repeat(26);
    let rest = " ".repeat(26);
    let empty = " ".repeat(52);
    same(
        ran.stdout,
        format!(
            "\n\n@a: 3\n@h: \n[4, 8)                 1 |{half}{rest}|\n[8, 16)                0 |{empty}|\n\
             [16, 32)               0 |{empty}|\n[32, 64)               0 |{empty}|\n[64, 128)              2 |{wide}|\n\n\
             @k[1, x]: -2\n@k[2, y]: 7\n"
        ),
    )?;
    let ran = run(&[
        "-f",
        "json",
        "-e",
        "BEGIN { @h[1] = hist(5); @k[1, \"x\"] = -2; @a = avg(3); time(\"at\"); print(5); printf(\"é\\n\"); exit(); }",
    ]);
    same(
        ran.stdout.as_str(),
        "{\"type\": \"time\", \"data\": \"at\"}
{\"type\": \"value\", \"data\": 5}
{\"type\": \"printf\", \"data\": \"é\\n\"}
{\"type\": \"attached_probes\", \"count\": 1, \"data\": {\"probes\": 1}}
{\"type\": \"stats\", \"data\": {\"@a\": 3}}
{\"type\": \"hist\", \"data\": {\"@h\": {\"1\": [{\"min\": 4, \"max\": 7, \"count\": 1}]}}}
{\"type\": \"map\", \"data\": {\"@k\": {\"1,x\": -2}}}
",
    )
}

pub fn names_that_steer_a_terminal_are_escaped() -> Result<(), Failed> {
    let text = "sys_enter_getppid /pid == cpid/ { @[comm] = count(); printf(\"%s\\n\", comm); emit r { comm }; }";
    let ran = script(text, &["named", "3"])?;
    same(ran.value("@[\\x1b[2Jw\"\\\\xff]: ")?, "3")?;
    check(!ran.stdout.contains('\x1b'), || ran.stdout.escape_debug().to_string())?;
    let records = json(text, &["named", "3"])?;
    let name = "\u{1b}[2Jw\"\\\u{fffd}";
    same(of_type(&records, "map").find_map(|map| map["@"][name].as_u64()), Some(3))?;
    same(of_type(&records, "r").filter(|record| record["comm"] == name).count(), 3)
}

pub fn functions_format_values() -> Result<(), Failed> {
    let ran = script(
        "fn human(n) { if n >= 1000 { `${n / 1000}k` } else { `${n}` } }
         fn half(n) { n / 2.0 }
         fn bad(n) { n.nothing() }
         sys_enter_close /pid == cpid && args.fd >= 100000/ { printf(\"%s %.1s %s\\n\", human(args.fd), half(args.fd), bad(1)); }
         END { print(human(half(7))); }",
        &["close", "2"],
    )?;
    same(ran.stdout.as_str(), "100k 50000.0 <error>\n100k 50000.5 <error>\n3.5\n")?;
    check(ran.stderr.contains("warning: bad() failed 2 times; first: "), || ran.stderr)
}

pub fn addresses_groups_and_times_have_names() -> Result<(), Failed> {
    let ran = script(
        "sys_enter_getppid /pid == cpid/ { @group = cgroup_path(cgroup); @day = strftime(\"%Y-%m-%d\", nsecs); }
         sys_enter /pid == cpid && args.id == 110/ { printf(\"in %s\\n\", usym(args.args[0])); print(usym(args.args[0] + 2)); print(ustack(1));
            printf(\"id %s\", ustack(build_id, 1)); }",
        &["function"],
    )?;
    check(ran.stdout.contains("in getenv\n"), || ran.stdout.clone())?;
    check(ran.stdout.contains("\ngetenv\n"), || ran.stdout.clone())?;
    check(ran.stdout.contains("\n        syscall+"), || ran.stdout.clone())?;
    let id = ran.stdout.split("id \n").nth(1).and_then(|rest| rest.split_whitespace().next()).unwrap_or_default();
    check(id.len() == 40 && id.bytes().all(|byte| byte.is_ascii_hexdigit()), || ran.stdout.clone())?;
    let groups = std::fs::read_to_string("/proc/self/cgroup")?;
    // Without version 2 of cgroups all is in its root.
    let group = groups.lines().find_map(|line| line.strip_prefix("0::")).unwrap_or("/");
    // Without a file system of cgroups there are no names.
    let named = std::fs::read_to_string("/proc/mounts")?.contains(" cgroup");
    check(!named || ran.value("@group: ")?.ends_with(group), || format!("{}\n{groups}", ran.stdout))?;
    let date = std::process::Command::new("date").arg("+%Y-%m-%d").output()?;
    same(ran.value("@day: ")?.as_bytes(), date.stdout.trim_ascii())
}

pub fn a_time_series_adds_up() -> Result<(), Failed> {
    let text = "sys_enter_getppid /pid == cpid/ { @ = tseries(2, 100ms, 50, \"sum\"); }";
    let records = json(text, &["getppid", "1000"])?;
    let series = of_type(&records, "tseries").next().ok_or("no series")?;
    let values = series["@"].as_array().ok_or("no array")?;
    let sum = values.iter().filter_map(|point| point["value"].as_u64()).sum::<u64>();
    same(sum, 2000)
}

pub fn output_to_a_file() -> Result<(), Failed> {
    let path = std::env::temp_dir().join(format!("scope-test-{}", std::process::id()));
    let name = path.to_string_lossy().into_owned();
    let ran = run(&["-q", "-o", &name, "-e", "BEGIN { printf(\"hello\\n\"); exit(); }"]);
    let written = std::fs::read_to_string(&path)?;
    std::fs::remove_file(&path)?;
    same((ran.stdout.as_str(), ran.stderr.as_str(), written.as_str()), ("", "", "hello\n"))
}

pub fn folded_stacks_make_a_flame_graph() -> Result<(), Failed> {
    let calls =
        "tracepoint:raw_syscalls:sys_enter /pid == cpid && args.id == 110/ { @calls[comm, ustack, kstack] = count(); }";
    let ran = with_load(&["-f", "folded", "-e", calls], &["slow", "500"]);
    ran.succeeded()?;
    check(ran.stdout.lines().all(|line| line.starts_with("live;") && line.contains("syscall;")), || {
        ran.stdout.clone()
    })?;
    let counts = ran.stdout.lines().filter_map(|line| line.rsplit(' ').next()?.parse::<u64>().ok());
    check(counts.sum::<u64>() >= 20, || ran.stdout.clone())?;
    let drawn = flame_graph(&ran.stdout)?;
    check(ran.stdout.contains(";do_syscall_64_[k];"), || ran.stdout.clone())?;
    // The mark of the kernel's frames becomes a colour.
    for name in ["live", "syscall", "do_syscall_64"] {
        check(drawn.contains(&format!("<title>{name} (")), || format!("no {name} in\n{}", ran.stdout))?;
    }
    // What is no folded stack stands apart.
    let samples = "profile:hz:999 /pid == cpid/ { @samples[ustack] = count(); @all = count(); }
        END { printf(\"the end\\n\"); }";
    let ran = with_load(&["-f", "folded", "-e", samples], &["burn", "300"]);
    ran.succeeded()?;
    let drawn = flame_graph(&ran.stdout)?;
    check(drawn.contains("<title>rand (") || drawn.contains("<title>random ("), || ran.stdout.clone())?;
    check(ran.stderr.contains("the end\n") && ran.stderr.contains("\n@all: "), || ran.stderr)?;
    let ran = run(&["-f", "folded", "-e", "BEGIN { @ = count(); exit(); }"]);
    same(ran.stdout.as_str(), "")?;
    check(ran.stderr.contains("`-f folded` has nothing to write") && ran.stderr.contains("@: 1\n"), || ran.stderr)
}

/// The graph of folded stacks; fails if a line is none.
fn flame_graph(folded: &str) -> Result<String, Failed> {
    let mut options = inferno::flamegraph::Options::default();
    options.no_javascript = true;
    let mut drawn = Vec::new();
    inferno::flamegraph::from_lines(&mut options, folded.lines(), &mut drawn)?;
    let drawn = String::from_utf8(drawn)?;
    // Lines that it can't read it leaves out, and tells a log only.
    check(!folded.is_empty() && drawn.contains("<svg "), || drawn.clone())?;
    Ok(drawn)
}

pub fn records_of_json_say_what_made_them() -> Result<(), Failed> {
    let text = "config = { json_origin = 1 } BEGIN { printf(\"begin\"); }
        call=sys_enter_getppid /pid == cpid/ { printf(\"%d\", cpu); emit call { pid, where: cpu }; print((pid, str(\"x\"))); @ = count(); }
        END { print(@); time(\"%H\"); }";
    let before = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH)?.as_nanos() as i64;
    let ran = with_load(&["-f", "json", "-e", text], &["getppid", "50"]);
    ran.succeeded()?;
    let records = ran.json()?;
    let after = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH)?.as_nanos() as i64;
    let mut calls = 0;
    for record in &records {
        let time = record["ts"].as_i64().ok_or_else(|| record.to_string())?;
        // The clocks of the kernel and of the wall are compared to within a few microseconds.
        check((before - 1_000_000..=after + 1_000_000).contains(&time), || record.to_string())?;
        check(record["pid"].is_u64() && record.get("cpu").is_some(), || record.to_string())?;
        if record["type"] == "call" {
            calls += 1;
            same(record["probe"].as_str(), Some("call"))?;
            same(&record["pid"], &record["data"]["pid"])?;
            same(&record["cpu"], &record["data"]["where"])?;
        }
    }
    same(calls, 50)?;
    let of_begin = records.iter().find(|record| record["data"] == "begin").ok_or("no record of BEGIN")?;
    same(of_begin["probe"].as_str(), Some("BEGIN"))?;
    let of_end = records.iter().filter(|record| record["probe"] == "END").count();
    same(of_end, 2)?;
    let attached = records.iter().find(|record| record["type"] == "attached_probes").ok_or("nothing was attached")?;
    check(attached["probe"].is_null(), || attached.to_string())
}
