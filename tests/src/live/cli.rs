//! The command line: how it starts, ends and complains.

use std::io::Read;
use std::process::{Command, Stdio};
use std::time::Duration;

use libtest_mimic::Failed;

use super::run::{Ran, SCOPE, check, finished, load_command, of_type, run, same, scope, with_load};

pub fn the_commands_status_is_passed_on() -> Result<(), Failed> {
    with_load(&["-q", "-e", "BEGIN { @ = 1; }"], &["status", "7"]).ended_with(7)?;
    let own = load_command(&[])[0].to_string_lossy().into_owned();
    let line = format!("'{own}' load status 5");
    run(&["-c", &line, "-e", "sys_enter { @ = count(); }"]).ended_with(5)?;
    // The script's own status counts more.
    with_load(&["-e", "BEGIN { exit(4); }"], &["status", "7"]).ended_with(4)?;
    // A command that outlives its trace is ended.
    with_load(&["-e", "interval:ms:50 { exit(3); }"], &["slow", "600000"]).ended_with(3)?;
    let ran = run(&["-e", "BEGIN { }", "--", "/no/such/command"]);
    ran.ended_with(2)?;
    same(ran.stderr.as_str(), "error: command not found: /no/such/command\n")
}

pub fn a_trace_ends_with_its_process() -> Result<(), Failed> {
    let mut load = Command::new(&load_command(&[])[0]).args(["load", "slow", "400"]).spawn()?;
    let waiter = load.id().to_string();
    let tracer = scope(&["--pid", &waiter, "-e", "sys_enter { @ = count(); }"])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()?;
    load.wait()?;
    let ran = finished(tracer.wait_with_output());
    ran.succeeded()?;
    check(ran.stdout.contains("@: "), || ran.stdout.clone())
}

pub fn an_interrupt_ends_cleanly() -> Result<(), Failed> {
    for signal in [libc::SIGINT, libc::SIGTERM] {
        let mut tracer = scope(&["-e", "sys_enter { @[comm] = count(); } END { printf(\"end\\n\"); }"]);
        let mut tracer = tracer.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn()?;
        let mut said = [0; 18];
        tracer.stderr.as_mut().ok_or("no standard error")?.read_exact(&mut said)?;
        same(&said[..], b"Attached 2 probes\n")?;
        std::thread::sleep(Duration::from_millis(100));
        // SAFETY: a signal to our own child.
        unsafe { libc::kill(tracer.id() as i32, signal) };
        let ran = finished(tracer.wait_with_output());
        ran.succeeded()?;
        check(ran.stdout.starts_with("end\n\n\n@["), || ran.stdout.clone())?;
        same(ran.stderr.as_str(), "")?;
    }
    Ok(())
}

pub fn a_closed_pipe_ends_silently() -> Result<(), Failed> {
    let mut tracer = scope(&["-q", "-e", "interval:ms:5 { printf(\"line\\n\"); }"])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()?;
    let mut out = tracer.stdout.take().ok_or("no standard output")?;
    out.read_exact(&mut [0; 10])?;
    drop(out);
    let ran = finished(tracer.wait_with_output());
    ran.succeeded()?;
    same(ran.stderr.as_str(), "")
}

pub fn mistakes_have_status_2() -> Result<(), Failed> {
    let directory = std::env::temp_dir().join(format!("scope-mistakes-{}", std::process::id()));
    std::fs::create_dir_all(&directory)?;
    let file = |name: &str, content: &[u8]| -> Result<String, Failed> {
        let path = directory.join(name);
        std::fs::write(&path, content)?;
        Ok(path.to_string_lossy().into_owned())
    };
    let binary = file("binary.scope", b"BEGIN { }\n\xff\xfe")?;
    let missing = directory.join("missing.scope").to_string_lossy().into_owned();
    let folder = directory.to_string_lossy().into_owned();
    for (arguments, message) in [
        (&[][..], "error: nothing to run"),
        (&["-e", ""], "the script has no clause"),
        (&["-e", "BEGIN {"], "this block is not closed"),
        (&["-e", "sys_enter_opena { }"], "did you mean `sys_enter_openat`?"),
        (&["-e", "tracepoint:syscalls:sys_enter_opnat { }"], "did you mean `sys_enter_openat`?"),
        (&["-e", "tracepoint:nothing:at_all { }"], "this kernel has no tracepoints of `nothing`"),
        (&["-e", "tracepoint:syscalls:nothing* { }"], "no tracepoint matches"),
        (&["-e", "sys_enter { @ = pidd; }"], "did you mean `pid`?"),
        (&["-e", "sys_enter { cout(); }"], "unknown function `cout`"),
        (&["-e", "sys_enter_openat { @ = args.filname; }"], "did you mean `filename`?"),
        (&["-e", "sys_enter { @[1] = count(); @ = count(); }"], "`@` is used with two kinds of key"),
        (&["-e", "sys_enter { @ = count(); @ = sum(1); }"], "`@` is given two kinds of value"),
        (&["-e", "sys_enter { printf(\"%d\\n\", comm); }"], "`%d` can't print a string"),
        (&["-e", "sys_enter /pid == \"x\"/ { }"], "can't be used on"),
        (&["-p", "999999", "-e", "sys_enter { @ = count(); }"], "error: pid 999999 not found\n"),
        (&["nosuchscript"], "no bundled script"),
        (&["explan"], "did you mean `explain`?"),
        (&["explain", "203"], "did you mean `E0203`?"),
        (&["fmt"], "name the scripts to format"),
        (&["check-system", "now"], "check-system takes no arguments"),
        (&["check-sytem"], "did you mean `check-system`?"),
        (&["fmt", "--chek", "x"], "there is no option `--chek` here"),
        (&["fmt", missing.as_str()], "no such file or directory"),
        (&["-e", "sys_enter { @ = pidd; }"], "help: `scope explain E0322` tells more\n"),
        (&["opensnop"], "did you mean `opensnoop`?"),
        (&[missing.as_str()], "no such file or directory"),
        (&[folder.as_str()], "is a directory"),
        (&[binary.as_str()], "is not UTF-8: see line 2"),
        (&["--no-such-option", "-e", "BEGIN { }"], "there is no option `--no-such-option`"),
        (&["--no-such-option"], "there is no option `--no-such-option`"),
        (&["--comm", "", "-e", "sys_enter { @ = count(); }"], "--comm is empty"),
        (&["--folow"], "did you mean `--follow`?"),
        (&["-e", "fn f() { let = ; } BEGIN { }"], "this is no rhai"),
        (&["-l", "nothing_of_this_name"], "no probe matches"),
        (&["-l", "*:nothing_of_this_name:*"], "`scope -l 'uprobe:BINARY:*'`"),
        (&["-l", "openatt2"], "no probe matches `openatt2`; did you mean `openat2`?"),
        (&["-lv", "t:sched:sched_swich"], "did you mean `tracepoint:sched:sched_switch`?"),
        (&["-l", "tracepont:sched:*"], "did you mean `tracepoint:sched:*`?"),
        (&["-l", "sched:sched_sw*"], "did you mean `tracepoint:sched:sched_sw*`?"),
        (&["-l", "u:libc:getenw"], "did you mean `uprobe:libc:getenv`?"),
        (&["-l", "-e", "sys_enter { @ = pidd; }"], "did you mean `pid`?"),
        (&["-l", missing.as_str()], "no such file or directory"),
    ] {
        let ran = run(arguments);
        check(ran.status == 2 && ran.stderr.contains(message), || {
            format!("{arguments:?}: {}\n{}", ran.status, ran.stderr)
        })?;
        check(!ran.stderr.contains("panicked"), || ran.stderr.clone())?;
        same(ran.stdout.as_str(), "")?;
    }
    std::fs::remove_dir_all(&directory)?;
    Ok(())
}

pub fn output_that_goes_nowhere_is_an_error() -> Result<(), Failed> {
    use std::os::unix::process::CommandExt;
    for arguments in [&["--version"][..], &["--help"], &["-q", "-e", "BEGIN { @x[1] = 1; }"]] {
        let full = std::fs::OpenOptions::new().write(true).open("/dev/full")?;
        let ran = finished(scope(arguments).stdout(full).stderr(Stdio::piped()).output());
        ran.ended_with(1)?;
        check(ran.stderr.contains("No space left on device"), || ran.stderr.clone())?;
        let mut closed = scope(arguments);
        // SAFETY: a call that is allowed between fork and exec.
        unsafe {
            closed.pre_exec(|| {
                libc::close(libc::STDOUT_FILENO);
                Ok(())
            })
        };
        let ran = finished(closed.stdout(Stdio::null()).stderr(Stdio::piped()).output());
        ran.ended_with(1)?;
        same(ran.stderr.as_str(), "error: standard output is closed: there is nowhere to write to\n")?;
    }
    let version = run(&["--version"]);
    version.succeeded()?;
    check(version.stdout.starts_with("scope ") && run(&["-V"]).stdout == version.stdout, || version.stdout.clone())
}

pub fn a_script_may_begin_with_a_byte_order_mark() -> Result<(), Failed> {
    let path = std::env::temp_dir().join(format!("scope-mark-{}.scope", std::process::id()));
    std::fs::write(&path, "\u{feff}BEGIN { print(1); exit(); }\n")?;
    let ran = run(&["-q", &path.to_string_lossy()]);
    std::fs::remove_file(&path)?;
    ran.succeeded()?;
    same(ran.stdout.as_str(), "1\n")
}

/// Runs `scope` as a user who may do nothing.
fn as_nobody(arguments: &[&str]) -> Result<Ran, Failed> {
    use std::os::unix::process::CommandExt;
    // A copy that everybody may run, wherever the binary lies.
    let copy = std::env::temp_dir().join(format!("scope-copy-{}", std::process::id()));
    std::fs::copy(SCOPE.get().ok_or("no binary")?, &copy)?;
    let mut command = Command::new(&copy);
    let ran = finished(command.args(arguments).uid(65534).gid(65534).stdin(Stdio::null()).output());
    std::fs::remove_file(&copy)?;
    Ok(ran)
}

pub fn without_root_the_capability_is_named() -> Result<(), Failed> {
    let ran = as_nobody(&["-e", "sys_enter { @ = count(); }"])?;
    let userspace = as_nobody(&["-e", "BEGIN { printf(\"no kernel needed\\n\"); exit(); }"])?;
    ran.ended_with(1)?;
    check(ran.stderr.contains("CAP_BPF, CAP_PERFMON"), || ran.stderr.clone())?;
    userspace.succeeded()?;
    same(userspace.stdout.as_str(), "no kernel needed\n")
}

pub fn the_system_is_checked() -> Result<(), Failed> {
    let ran = run(&["check-system", "-f", "json"]);
    ran.succeeded()?;
    let records = ran.json()?;
    let state = |name: &str| -> Result<(String, String), Failed> {
        let row = of_type(&records, "check").find(|row| row["name"] == name).ok_or(format!("no row of {name}"))?;
        let text = |part: &str| row[part].as_str().map(str::to_owned).ok_or(format!("{row}: no {part}"));
        Ok((text("state")?, [text("why")?, text("help")?].concat()))
    };
    same(state("CAP_BPF")?.0.as_str(), "held")?;
    let kprobes = std::path::Path::new("/sys/bus/event_source/devices/kprobe").exists();
    for provider in scope_dsl::probes::PROVIDERS {
        let (found, why) = state(provider.name)?;
        let expected = match provider.name {
            "kprobe" | "kretprobe" if !kprobes => "missing",
            // It is not for us to say where these work.
            "fentry" | "fexit" | "hardware" | "watchpoint" | "iter" => &found,
            _ => "works",
        };
        check(found == expected && (found == "works") == why.is_empty(), || {
            format!("{}: {found}: {why}", provider.name)
        })?;
    }
    let text = run(&["check-system"]);
    text.succeeded()?;
    let columns = text.stdout.lines().filter(|line| line.starts_with("tracepoint ") && line.ends_with(" works"));
    same(columns.count(), 1)?;
    // Who may not trace is told so.
    let ran = as_nobody(&["check-system"])?;
    ran.ended_with(1)?;
    let said =
        |line: &str| ran.stdout.lines().any(|have| have.split_whitespace().collect::<Vec<_>>().join(" ") == line);
    check(said("tracepoint missing CAP_BPF and CAP_PERFMON are missing") && said("BEGIN works"), || {
        ran.stdout.clone()
    })?;
    same(ran.stderr.as_str(), "")?;
    run(&["check-system", "-f", "folded"]).ended_with(2)
}

pub fn a_script_file_takes_arguments() -> Result<(), Failed> {
    let path = std::env::temp_dir().join(format!("scope-script-{}.scope", std::process::id()));
    std::fs::write(
        &path,
        "#!/usr/bin/env scope\nBEGIN { printf(\"%d %s|%s\\n\", $1 + 1, str($2), str($3)); @ = $9; exit(); }\n",
    )?;
    let name = path.to_string_lossy().into_owned();
    let ran = run(&[&name, "41", "word", "-q"]);
    let wrong = run(&[&name, "word"]);
    std::fs::remove_file(&path)?;
    ran.succeeded()?;
    same((ran.stdout.as_str(), ran.stderr.as_str()), ("42 word|\n\n\n@: 0\n", ""))?;
    wrong.ended_with(2)?;
    check(wrong.stderr.contains("the script was given `word`"), || wrong.stderr.clone())
}

pub fn what_is_too_large_names_the_limit() -> Result<(), Failed> {
    let many = |count: usize, statement: fn(usize) -> String| (0..count).map(statement).collect::<String>();
    let ops = format!("BEGIN {{ {} }}", many(600, |index| format!("@a = {index};")));
    let maps = format!("BEGIN {{ {} }}", many(17, |index| format!("@m{index} = 1;")));
    let script = format!("{}BEGIN {{ }}", many(65, |index| format!("BEGIN {{ @m{index} = 1; }}")));
    let nested = format!("BEGIN {{ @ = {}1{}; }}", "(".repeat(10_000), ")".repeat(10_000));
    for (text, message) in [
        (ops, "the limit is 1024"),
        (maps, "this clause needs 17 map slots; the limit is 16"),
        (script, "the script has 65 maps; the limit is 64"),
        (nested, "brackets nest 10001 deep; the limit is 100"),
        ("BEGIN { printf(\"%s\\n\", str(uptr(1))); }".to_owned(), "no process to read from"),
    ] {
        let ran = run(&["-e", &text]);
        check(ran.status == 2 && ran.stderr.contains(message), || format!("{}\n{}", ran.status, ran.stderr))?;
    }
    Ok(())
}

pub fn a_dry_run_attaches_nothing() -> Result<(), Failed> {
    let ran = run(&["--dry-run", "-e", "BEGIN { printf(\"ran\\n\"); } sys_enter { @ = count(); }"]);
    ran.succeeded()?;
    same((ran.stdout.as_str(), ran.stderr.as_str()), ("", ""))
}

pub fn probes_are_listed() -> Result<(), Failed> {
    let ran = run(&["-l", "tracepoint:raw_syscalls:*"]);
    same(ran.stdout.as_str(), "tracepoint:raw_syscalls:sys_enter\ntracepoint:raw_syscalls:sys_exit\n")?;
    check(run(&["-l"]).stdout.lines().count() > 500, || "a short list".to_owned())?;
    check(run(&["-l", "u:libc:*rand*"]).stdout.contains("uprobe:libc:rand\n"), || "no functions".to_owned())?;
    check(run(&["-l", "s:page*"]).stdout.contains("software:page-faults:100\n"), || "no events".to_owned())?;
    check(run(&["-l", "rt:sched_s*"]).stdout.contains("rawtracepoint:sched_switch\n"), || "none raw".to_owned())?;
    let unsaid = run(&["-l", "uprobe:*"]);
    unsaid.ended_with(2)?;
    check(unsaid.stderr.contains("say of which program"), || unsaid.stderr)?;
    let libc = run(&["-l", "*:libc:getenv"]).stdout;
    same(libc.as_str(), "uprobe:libc:getenv\nuretprobe:libc:getenv\n")?;
    check(run(&["-l", "openat2"]).stdout.contains("tracepoint:syscalls:sys_enter_openat2\n"), || {
        "no substring".to_owned()
    })
}

pub fn probes_are_listed_with_what_they_are_given() -> Result<(), Failed> {
    let pattern = "tracepoint:raw_syscalls:sys_ex*";
    for flags in [&["-lv", pattern][..], &["-l", "-v", pattern], &["-v", "-l", pattern], &["-l", pattern, "-v"]] {
        let ran = run(flags);
        ran.succeeded()?;
        same(ran.stdout.as_str(), "tracepoint:raw_syscalls:sys_exit\n    long id\n    long ret\n")?;
    }
    let raw = run(&["-lv", "rt:sched_switch"]);
    raw.succeeded()?;
    check(
        raw.stdout.starts_with("rawtracepoint:sched_switch\n    bool preempt\n    struct task_struct * prev\n"),
        || raw.stdout.clone(),
    )?;
    let own = std::env::current_exe()?;
    let usdt = run(&["-lv", &format!("usdt:{}:scope:tick", own.display())]);
    usdt.succeeded()?;
    let fields = usdt.stdout.lines().skip(1).map(|line| line.split_once('@').map_or(line, |(before, _)| before));
    same(fields.collect::<Vec<_>>(), vec!["    uint64 arg0 (8", "    int32 arg1 (-4", "    uint32 arg2 (4"])?;
    same(run(&["-lv", "u:libc:getenv"]).stdout.as_str(), "uprobe:libc:getenv\n")?;
    let tasks = "iter:task\n    struct bpf_iter_meta * meta\n    struct task_struct * task\n";
    same(run(&["-lv", "iter:task"]).stdout.as_str(), tasks)?;
    if run(&["--dry-run", "-e", "kprobe:vfs_read { }"]).status == 0 {
        let read = run(&["-lv", "kprobe:vfs_read", "kretprobe:vfs_read"]);
        let arguments = "kprobe:vfs_read\n    struct file * file\n    char * buf\n    size_t count\n    loff_t * pos\n";
        same(read.stdout, format!("{arguments}kretprobe:vfs_read\n    ssize_t retval\n"))?;
        let start = std::time::Instant::now();
        let all = run(&["-l", "kprobe:*"]).stdout.lines().count();
        check(all > 10_000 && start.elapsed() < Duration::from_secs(5), || format!("{all} in {:?}", start.elapsed()))?;
    }
    if run(&["--dry-run", "-e", "fexit:vfs_read { }"]).status == 0 {
        let read = run(&["-lv", "fexit:vfs_read"]).stdout;
        check(
            read.starts_with("fexit:vfs_read\n    struct file * file\n") && read.ends_with("\n    ssize_t retval\n"),
            || read.clone(),
        )?;
    }
    Ok(())
}

pub fn probes_of_a_script_are_listed() -> Result<(), Failed> {
    let path = std::env::temp_dir().join(format!("scope-list-{}.scope", std::process::id()));
    let name = path.to_string_lossy().into_owned();
    std::fs::write(&path, "tracepoint:raw_syscalls:* { @[probe] = count(); } interval:s:1 { exit(); }")?;
    let of_file = run(&["-l", &name]);
    std::fs::remove_file(&path)?;
    of_file.succeeded()?;
    // A pattern's probes are in the kernel's order.
    let mut listed = of_file.stdout.lines().collect::<Vec<_>>();
    listed.sort_unstable();
    same(listed, vec!["interval:s:1", "tracepoint:raw_syscalls:sys_enter", "tracepoint:raw_syscalls:sys_exit"])?;
    same(of_file.stderr.as_str(), "")?;
    let bundled = run(&["-l", "opensnoop"]);
    check(bundled.stdout.contains("tracepoint:syscalls:sys_exit_openat\n"), || bundled.stdout.clone())?;
    let text = run(&["-lv", "-e", "BEGIN { } sys_exit { @ = count(); }"]);
    same(text.stdout.as_str(), "BEGIN\ntracepoint:raw_syscalls:sys_exit\n    long id\n    long ret\n")?;
    // A program is no script.
    let own = std::env::current_exe()?.to_string_lossy().into_owned();
    let functions = run(&["-l", &own]).stdout;
    check(functions.contains(&format!("usdt:{own}:scope:tick\n")), || functions.clone())
}

pub fn debug_shows_the_plan() -> Result<(), Failed> {
    let ran = run(&["-d", "--dry-run", "-e", "sys_enter { @[comm] = count(); }"]);
    for part in ["map @: PerCpuHash", "comm      frame[0; 16]", "open      m0[frame[0]]", "instructions specialised to"]
    {
        check(ran.stderr.contains(part), || format!("no {part} in\n{}", ran.stderr))?;
    }
    Ok(())
}

pub fn the_environment_holds_settings() -> Result<(), Failed> {
    for (name, printed) in [("BPFTRACE_PRINT_MAPS_ON_EXIT", ""), ("SCOPE_PRINT_MAPS_ON_EXIT", ""), ("OTHER", "@a: 1")] {
        let mut command = scope(&["-e", "BEGIN { @a = 1; exit(); }"]);
        let ran = finished(command.env(name, "0").output());
        same(ran.stdout.trim(), printed)?;
    }
    Ok(())
}

pub fn a_code_is_explained() -> Result<(), Failed> {
    let ran = run(&["explain", "e0203"]);
    ran.succeeded()?;
    check(ran.stdout.starts_with("error[E0203]: ") && ran.stdout.contains("This is right:"), || ran.stdout.clone())?;
    let all = run(&["explain"]);
    all.succeeded()?;
    check(all.stdout.contains("\n  W0001  "), || all.stdout.clone())
}

pub fn scripts_are_formatted_in_place() -> Result<(), Failed> {
    let path = std::env::temp_dir().join(format!("scope-fmt-{}.scope", std::process::id()));
    let name = path.to_string_lossy().into_owned();
    let formatted = "// why\nBEGIN {\n    @x = 1; // one\n}\n";
    std::fs::write(&path, "// why\nBEGIN{@x=1 // one\n}")?;
    let before = run(&["fmt", "--check", &name]);
    let done = run(&["fmt", &name]);
    let after = run(&["fmt", "--check", &name]);
    let text = std::fs::read_to_string(&path)?;
    std::fs::write(&path, "BEGIN {")?;
    let wrong = run(&["fmt", &name]);
    let left = std::fs::read_to_string(&path)?;
    std::fs::remove_file(&path)?;
    before.ended_with(1)?;
    done.succeeded()?;
    after.succeeded()?;
    same(text.as_str(), formatted)?;
    wrong.ended_with(2)?;
    check(wrong.stderr.contains("this block is not closed"), || wrong.stderr.clone())?;
    same(left.as_str(), "BEGIN {")
}

pub fn the_way_of_attaching_is_explained() -> Result<(), Failed> {
    let text = "sys_enter, tracepoint:syscalls:sys_enter_* { @ = count(); } interval:s:1 { print(@); }";
    let ran = run(&["--explain", "--dry-run", "-e", text]);
    ran.succeeded()?;
    for part in [
        "clause 1: ",
        " 2 programs in the kernel\n",
        "at the raw tracepoint sys_enter, for ",
        "    instead of: ",
        "    because: ",
    ] {
        check(ran.stderr.contains(part), || ran.stderr.clone())?;
    }
    let plain = run(&["-d", "attach", "--dry-run", "--no-rewrite", "-e", "sys_enter { @ = count(); }"]);
    check(plain.stderr.contains("at the tracepoint raw_syscalls:sys_enter\n"), || plain.stderr)?;
    // Where the kernel can trace functions, a single system call is one; both ways count the same.
    let text = "tracepoint:syscalls:sys_enter_close /pid == cpid && args.fd >= 100000/ {
        @n = count(); @sum = sum(args.fd); @[nargs, args.__syscall_nr, probe] = count(); }";
    let ways =
        [&["-e", text][..], &["--no-rewrite", "-e", text]].map(|arguments| with_load(arguments, &["close", "100"]));
    for ran in &ways {
        ran.succeeded()?;
        same(ran.value("@n: ")?, "100")?;
        same(ran.value("@[1, 3, tracepoint:syscalls:sys_enter_close]: ")?, "100")?;
    }
    same(ways[0].stdout.as_str(), ways[1].stdout.as_str())
}
