//! The kinds of probes, one test or more for each.

use std::process::Command;

use libtest_mimic::Failed;

use super::run::{check, load_command, on_waiting, run, same, scope, script, waiting};

pub fn a_profile_samples_by_time() -> Result<(), Failed> {
    let ran = script(
        "profile:hz:100 /pid == cpid/ { @ = count(); } profile:ms:20 /pid == cpid/ { @slow = count(); }",
        &["burn", "1000"],
    )?;
    let (fast, slow) = (ran.value("@: ")?.parse::<u32>()?, ran.value("@slow: ")?.parse::<u32>()?);
    // A second of CPU time; an interrupt that comes late is none that is lost, but machines are shared.
    check((70..=110).contains(&fast), || format!("{fast} samples at 100 hertz"))?;
    check((35..=55).contains(&slow), || format!("{slow} samples every 20 ms"))
}

pub fn a_profile_has_registers_and_stacks_of_what_has_exited() -> Result<(), Failed> {
    let ran = script(
        "profile:hz:100 /pid == cpid/ { @[usym(reg(\"ip\"))] = count(); @s[ustack(1)] = count(); @p[probe, probetype] = count(); }",
        &["burn", "900"],
    )?;
    check(ran.stdout.contains("@p[profile:hz:100, profile]: "), || ran.stdout.clone())?;
    // The load spends its time in rand(3), which the stack begins with.
    let burns = |text: &str| text.contains("rand");
    check(ran.stdout.lines().any(|line| line.starts_with("@[") && burns(line)), || ran.stdout.clone())?;
    check(ran.stdout.split("@s[").skip(1).any(burns), || ran.stdout.clone())
}

pub fn page_faults_are_counted() -> Result<(), Failed> {
    let faults = |pages: &str| -> Result<i64, Failed> {
        let ran = script("software:page-faults:1 /pid == cpid/ { @ = count(); }", &["pages", pages])?;
        Ok(ran.value("@: ")?.parse()?)
    };
    // What the process does besides costs it some faults, too.
    let more = faults("3000")? - faults("1000")?;
    check((more - 2000).abs() < 50, || format!("2000 pages more are {more} faults more"))
}

pub fn hardware_counts_or_is_refused_in_words() -> Result<(), Failed> {
    let ran = run(&["-e", "hardware:cpu-cycles:1000000 { @ = count(); } interval:ms:100 { exit(); }"]);
    if ran.status == 0 {
        return Ok(());
    }
    same(ran.status, 1)?;
    check(ran.stderr.contains("can't attach to hardware:cpu-cycles:1000000"), || ran.stderr.clone())?;
    check(ran.stderr.contains("has no counters of its own"), || ran.stderr.clone())
}

pub fn raw_tracepoints_have_arguments_by_name() -> Result<(), Failed> {
    let ran = script(
        "rawtracepoint:sched_process_exit { if (args.p->pid == cpid) { @[str(args.p->comm), args.p->tgid == arg0 * 0 + cpid] = count(); } }
         rt:sys_enter /pid == cpid && arg1 == 110/ { @calls = count(); @same = sum(((struct pt_regs *)arg0)->orig_ax == arg1); }",
        &["getppid", "500"],
    )?;
    same(ran.value("@[live, 1]: ")?, "1")?;
    same(ran.value("@calls: ")?, "500")?;
    same(ran.value("@same: ")?, "500")
}

pub fn tracepoints_of_one_clause_share_a_program() -> Result<(), Failed> {
    let ran = script(
        "tracepoint:syscalls:sys_enter_getppid, tracepoint:sched:sched_process_exit, tracepoint:sched:sched_process_exec
         /pid == cpid/ { @[probe] = count(); }",
        &["getppid", "100"],
    )?;
    for (probe, count) in
        [("syscalls:sys_enter_getppid", "100"), ("sched:sched_process_exit", "1"), ("sched:sched_process_exec", "1")]
    {
        same((probe, ran.value(&format!("@[tracepoint:{probe}]: "))?), (probe, count))?;
    }
    let shown = run(&[
        "-d",
        "kernel",
        "--dry-run",
        "-e",
        "tracepoint:sched:sched_p*, tracepoint:sched:sched_w* { @[probe] = count(); }",
    ]);
    shown.succeeded()?;
    let programs = shown
        .stderr
        .lines()
        .filter(|line| line.contains("specialised"))
        .map(|line| line.split_once(": ").map_or("", |(_, program)| program));
    let programs = programs.collect::<std::collections::BTreeSet<_>>();
    same(programs.len(), 1)
}

pub fn a_signal_runs_a_clause() -> Result<(), Failed> {
    use std::io::{BufRead, BufReader};
    let text = "self:signal:SIGUSR1 { print(\"one\"); } self:signal:USR2 { print(\"two\"); exit(3); }";
    let mut child = scope(&["-f", "json", "-e", text]).stdout(std::process::Stdio::piped()).spawn()?;
    let mut lines = BufReader::new(child.stdout.take().ok_or("no pipe")?).lines();
    let mut next = || -> Result<serde_json::Value, Failed> {
        let line = lines.next().ok_or("it ended early")??;
        Ok(serde_json::from_str(&line)?)
    };
    same(next()?["type"].as_str(), Some("attached_probes"))?;
    for (signal, said) in [(libc::SIGUSR1, "one"), (libc::SIGUSR2, "two")] {
        // SAFETY: a signal to our own child, which waits for it.
        unsafe { libc::kill(child.id() as i32, signal) };
        same(next()?["data"].as_str(), Some(said))?;
    }
    same(child.wait()?.code(), Some(3))?;
    let refused = run(&["-e", "self:signal:SIGKILL { }"]);
    refused.ended_with(2)?;
    check(refused.stderr.contains("E0202"), || refused.stderr)
}

pub fn functions_of_a_library_are_counted() -> Result<(), Failed> {
    let ran = script(
        "uprobe:libc:rand /pid == cpid/ { @[func, probe] = count(); } u:libc.so.6:rand+4 /pid == cpid/ { @inside = count(); }",
        &["rand", "1000"],
    )?;
    let counted =
        ran.stdout.lines().find(|line| line.starts_with("@[rand, uprobe:/") && line.contains("libc.so.6:rand]: 1000"));
    check(counted.is_some(), || ran.stdout.clone())?;
    same(ran.value("@inside: ")?, "1000")
}

pub fn functions_have_arguments_and_results() -> Result<(), Failed> {
    let ran = script(
        "uprobe:libc:getenv /pid == cpid/ { @[str(arg0)] = count(); }
         uretprobe:libc:getenv /pid == cpid/ { @null[retval == 0, retval > 0xffffffffffff] = count(); }",
        &["getenv", "300"],
    )?;
    same(ran.value("@[SCOPE_NAME]: ")?, "300")?;
    same(ran.value("@null[1, 0]: ")?, "300")
}

pub fn a_pattern_counts_as_its_functions_do() -> Result<(), Failed> {
    let ran = script(
        "uprobe:libc:*rand* /pid == cpid/ { @[func] = count(); } uretprobe:libc:*rand* /pid == cpid/ { @r[func] = count(); }",
        &["rand", "500"],
    )?;
    for map in ["@", "@r"] {
        // rand(3) calls random(3).
        same((map, ran.value(&format!("{map}[rand]: "))?), (map, "500"))?;
        same((map, ran.value(&format!("{map}[random]: "))?), (map, "500"))?;
    }
    Ok(())
}

pub fn what_can_not_be_probed_is_refused() -> Result<(), Failed> {
    let text = std::env::temp_dir().join("scope-live-text");
    std::fs::write(&text, "not a program\n")?;
    let in_text = format!("uprobe:{}:main", text.display());
    for (probe, said) in [
        ("uprobe:/no/such/file:main", "/no/such/file does not exist"),
        (&in_text, "is no ELF file"),
        ("uprobe:/bin:main", "is no regular file"),
        ("uprobe:libc:no_such_function", "has no such function"),
        ("uprobe:libc:rand+1", "no instruction begins there"),
        ("uprobe:no_such_library:main", "no program or library is called `no_such_library`"),
    ] {
        let ran = run(&["-e", &format!("{probe} {{ @ = count(); }}")]);
        ran.ended_with(2)?;
        check(ran.stderr.contains(said), || format!("{probe}\n{}", ran.stderr))?;
    }
    Ok(())
}

pub fn two_threads_in_one_function_lose_nothing() -> Result<(), Failed> {
    // Each event fills scratch memory with a string and a key; on one CPU the threads preempt each other.
    let text = "uprobe:libc:getenv /pid == cpid && str(arg0) == \"SCOPE_NAME\"/ {
        @[str(arg0), comm, tid != pid] = count(); @n = count(); @s = sum(1); @at[usym(reg(\"ip\"))] = count(); }";
    let ran = script(text, &["getenvs", "40000"])?;
    same(ran.value("@n: ")?, "40000")?;
    same(ran.value("@s: ")?, "40000")?;
    same(ran.value("@at[getenv]: ")?, "40000")?;
    for thread in ["0", "1"] {
        same(ran.value(&format!("@[SCOPE_NAME, live, {thread}]: "))?, "20000")?;
    }
    check(!ran.stderr.contains("skipped"), || ran.stderr)
}

pub fn static_probes_have_arguments() -> Result<(), Failed> {
    let own = std::env::current_exe()?;
    let own = own.display();
    let text = format!(
        "usdt:{own}:scope:tick /pid == cpid/ {{ @ = count(); @sum = sum(arg0); @half = sum(arg1); @seven[arg2] = count(); }}
         U:{own}:tick /pid == cpid && arg0 == 99/ {{ printf(\"%s %d %d\\n\", probe, arg1, sizeof(arg1)); }}"
    );
    let ran = script(&text, &["ticks", "1000"])?;
    for (map, value) in [("", "1000"), ("sum", "499500"), ("half", "-249500"), ("seven[7]", "1000")] {
        same((map, ran.value(&format!("@{map}: "))?), (map, value))?;
    }
    check(ran.stdout.contains(&format!("usdt:{own}:scope:tick -49 4\n")), || ran.stdout.clone())?;
    let listed = run(&["-l", &format!("usdt:{own}:scope:*")]);
    same(listed.stdout, format!("usdt:{own}:scope:tick\n"))
}

/// Whether this kernel can be probed; if not, makes sure that it is said in words.
fn kprobes_are_here(probe: &str) -> Result<bool, Failed> {
    if std::path::Path::new("/sys/bus/event_source/devices/kprobe").exists() {
        return Ok(true);
    }
    let ran = run(&["-e", &format!("{probe} {{ @ = count(); }}")]);
    ran.ended_with(1)?;
    let reasons = ["kernel was built without CONFIG_", "(available_filter_functions in tracefs)"];
    let said = reasons.iter().any(|reason| ran.stderr.contains(reason));
    check(ran.stderr.contains("E0206") && said, || ran.stderr)?;
    Ok(false)
}

pub fn functions_of_the_kernel_are_counted_or_refused_in_words() -> Result<(), Failed> {
    if !kprobes_are_here("kprobe:ksys_write")? {
        return Ok(());
    }
    // write(-1, 0, 0), of which each calls ksys_write(unsigned int fd, const char *buf, size_t count) and gets EBADF.
    let ran = script(
        "kprobe:ksys_write /pid == cpid && args.fd == 0xffffffff/ { @[func, probe, arg0 == 0xffffffff, args.count] = count(); }
         kretprobe:ksys_write /pid == cpid && retval == -9/ { @r[func] = count(); }
         kprobe:ksys_write+0 /pid == cpid && (int32)arg0 == -1/ { @stack[kstack(1)] = count(); }",
        &["write", "700"],
    )?;
    same(ran.value("@[ksys_write, kprobe:ksys_write, 1, 0]: ")?, "700")?;
    same(ran.value("@r[ksys_write]: ")?, "700")?;
    check(ran.stdout.contains("    ksys_write+"), || ran.stdout.clone())?;
    let unknown = run(&["-e", "kprobe:ksys_wride { @ = count(); }"]);
    unknown.ended_with(2)?;
    check(unknown.stderr.contains("did you mean `ksys_write`?"), || unknown.stderr)
}

pub fn a_pattern_of_the_kernel_counts_as_its_functions_do() -> Result<(), Failed> {
    if !kprobes_are_here("kprobe:ksys_w*")? {
        return Ok(());
    }
    let ran = script(
        "kprobe:ksys_* /pid == cpid && (int32)arg0 == -1/ { @[func] = count(); } kretprobe:ksys_* /pid == cpid && retval == -9/ { @r[func] = count(); }",
        &["write", "500"],
    )?;
    same(ran.value("@[ksys_write]: ")?, "500")?;
    same(ran.value("@r[ksys_write]: ")?, "500")
}

pub fn traced_functions_have_arguments_and_results_by_name() -> Result<(), Failed> {
    if !kprobes_are_here("fentry:ksys_write")? {
        return Ok(());
    }
    let ran = script(
        "fentry:ksys_write /pid == cpid && args.fd == 0xffffffff/ { @[func, probe, arg0, args.count] = count(); }
         fexit:ksys_write /pid == cpid && retval == -9/ { @r[args.fd, arg2, probetype] = count(); }
         f:vmlinux:do_filp_open /pid == cpid/ { @open[str(args.pathname->name)] = count(); }
         kfunc:vfs_open /pid == cpid/ { @path[str(args.path->dentry->d_name.name)] = count(); }",
        &["write", "700"],
    )?;
    same(ran.value("@[ksys_write, fentry:ksys_write, 4294967295, 0]: ")?, "700")?;
    same(ran.value("@r[4294967295, 0, fexit]: ")?, "700")?;
    check(ran.stdout.contains("@open[/"), || ran.stdout.clone())?;
    check(ran.stdout.contains("@path[libc.so.6]: 1"), || ran.stdout.clone())
}

pub fn probes_can_be_given_a_name() -> Result<(), Failed> {
    let ran = script(
        "begin=sys_enter_getppid, end=tracepoint:syscalls:sys_exit_getppid /pid == cpid/ { @[probe, probetype] = count(); }
         sys_enter_getppid /pid == cpid/ { @full[probe] = count(); } last=END { printf(\"%s\\n\", probe); }",
        &["getppid", "100"],
    )?;
    same(ran.value("@[begin, tracepoint]: ")?, "100")?;
    same(ran.value("@[end, tracepoint]: ")?, "100")?;
    same(ran.value("@full[tracepoint:syscalls:sys_enter_getppid]: ")?, "100")?;
    check(ran.stdout.starts_with("last\n"), || ran.stdout.clone())?;
    let many = run(&["-e", "a=tracepoint:syscalls:sys_enter_* { @ = count(); }"]);
    check(many.status == 2 && many.stderr.contains("a name is one probe's"), || many.stderr)
}

pub fn a_function_is_the_same_at_all_its_probes() -> Result<(), Failed> {
    let ran = script(
        "uprobe:libc:rand /pid == cpid/ { @start[func] = 1; @[func] = count(); }
         uretprobe:libc:rand /pid == cpid && has_key(@start, func)/ { @[func] = count(); @names[func == \"rand\", probe] = count(); }
         uprobe:libc:ran*, uprobe:libc:getenv /pid == cpid && func == \"rand\"/ { @pattern[func] = count(); }",
        &["rand", "100"],
    )?;
    same(ran.value("@[rand]: ")?, "200")?;
    same(ran.value("@pattern[rand]: ")?, "100")?;
    let names = ran.stdout.lines().find(|line| line.starts_with("@names["));
    check(names.is_some_and(|line| line.contains("@names[1, uretprobe:/") && line.ends_with(":rand]: 100")), || {
        ran.stdout.clone()
    })
}

pub fn a_program_that_was_replaced_is_told() -> Result<(), Failed> {
    let directory = std::env::temp_dir().join(format!("scope-replaced-{}", std::process::id()));
    std::fs::create_dir_all(&directory)?;
    let (program, newer) = (directory.join("program"), directory.join("newer"));
    let own = std::env::current_exe()?;
    std::fs::copy(&own, &program)?;
    let mut load = std::process::Command::new(&program).args(["load", "slow", "3000"]).spawn()?;
    // Replaced as an upgrade does it: another file takes its name.
    std::fs::copy(&own, &newer)?;
    std::fs::rename(&newer, &program)?;
    let text = format!("usdt:{}:scope:tick {{ @ = count(); }} interval:ms:100 {{ exit(); }}", program.display());
    let ran = run(&["-p", &load.id().to_string(), "-e", &text]);
    load.kill()?;
    load.wait()?;
    std::fs::remove_dir_all(&directory)?;
    ran.succeeded()?;
    check(ran.stderr.contains("was replaced since process") && ran.stderr.contains("help: restart it"), || ran.stderr)
}

pub fn uprobes_of_one_process_count_it_alone() -> Result<(), Failed> {
    // Two processes call the same function; a probe that is set for one counts what its threads do, and nothing else.
    // Both are past their own beginning, which calls the function, too.
    let own = load_command(&["waiting", "300"]);
    let (watched, _) = waiting(Command::new(&own[0]).args(&own[1..]))?;
    let (other, _) = waiting(Command::new(&own[0]).args(&own[1..]))?;
    let pid = watched.id().to_string();
    let text = "uprobe:libc:rand { @[pid] = count(); } uprobe:libc:ran* { @pattern[pid, func] = count(); }";
    let ran = on_waiting(&["-p", &pid, "-e", text], vec![other, watched])?;
    ran.succeeded()?;
    same(ran.value(&format!("@[{pid}]: "))?, "300")?;
    same(ran.value(&format!("@pattern[{pid}, rand]: "))?, "300")?;
    let others = ran.stdout.lines().filter(|line| line.starts_with('@') && !line.contains(&pid));
    same(others.collect::<Vec<_>>(), Vec::new())
}

pub fn functions_of_a_module_have_arguments_by_name() -> Result<(), Failed> {
    let modules = std::fs::read_to_string("/proc/modules").unwrap_or_default();
    if !modules.lines().any(|line| line.starts_with("tun ")) {
        let ran = run(&["-e", "fentry:tun:tun_chr_open { @ = count(); }"]);
        return check(ran.status != 0 && ran.stderr.contains("fentry:tun:tun_chr_open"), || ran.stderr);
    }
    let ran = script(
        "fentry:tun:tun_chr_open /pid == cpid/ { @[func, str(args.file->f_path.dentry->d_name.name)] = count(); }
         fexit:tun_chr_open /pid == cpid/ { @r[probe, retval, args.inode != 0] = count(); }
         kprobe:tun:tun_chr_open /pid == cpid/ { @k[func] = count(); }",
        &["tun", "50"],
    )?;
    same(ran.value("@[tun_chr_open, tun]: ")?, "50")?;
    same(ran.value("@r[fexit:tun_chr_open, 0, 1]: ")?, "50")?;
    same(ran.value("@k[tun_chr_open]: ")?, "50")
}

pub fn what_would_end_the_process_is_refused() -> Result<(), Failed> {
    // setjmp(3) notes where it returns to: with a probe there, longjmp(3) would go nowhere.
    let ran = run(&["-e", "uretprobe:libc:_setjmp { @ = count(); }"]);
    ran.ended_with(2)?;
    check(ran.stderr.contains("it notes where it returns to"), || ran.stderr)?;
    let ran = script("ur:libc:*etcontext, ur:libc:rand /pid == cpid/ { @[func] = count(); }", &["rand", "20"])?;
    same(ran.value("@[rand]: ")?, "20")?;
    check(ran.stderr.contains("`getcontext` can't be probed"), || ran.stderr)?;
    // What the kernel or the dynamic linker jumps to finds something else on the stack: a pattern leaves it out.
    let own = std::env::current_exe()?.display().to_string();
    let ran = run(&["-e", &format!("uretprobe:{own}:_start {{ @ = count(); }}")]);
    check(ran.status == 2 && (ran.stderr.contains("it is not called") || ran.stderr.contains("E0201")), || ran.stderr)?;
    // What is thrown through a function that is to return to a probe ends the process, too.
    let ran = run(&["-e", "ur:libstdc++:_Znwm { @ = count(); }"]);
    ran.ended_with(2)?;
    let here =
        ran.stderr.contains("it throws exceptions") && ran.stderr.contains("`scope --unsafe` sets it all the same");
    check(here || ran.stderr.contains("no program or library is called `libstdc++`"), || ran.stderr)
}

pub fn patterns_choose_files_too() -> Result<(), Failed> {
    let own = std::env::current_exe()?;
    let directory = own.parent().ok_or("it lies in a directory")?.display();
    let ran =
        script(&format!("usdt:{directory}/liv?:sc*:tick /pid == cpid/ {{ @[probe] = count(); }}"), &["ticks", "50"])?;
    same(ran.value(&format!("@[usdt:{}:scope:tick]: ", own.display()))?, "50")?;
    let none = run(&["-e", "uprobe:/nowhere/*/at:all { @ = count(); }"]);
    check(none.status == 2 && none.stderr.contains("no uprobe matches `uprobe:/nowhere/*/at:all`"), || none.stderr)
}

pub fn names_mean_what_the_process_sees() -> Result<(), Failed> {
    // A process with a root of its own, where a program of ours has a name that nothing has here.
    let root = std::env::temp_dir().join(format!("scope-root-{}", std::process::id()));
    std::fs::create_dir_all(&root)?;
    let own = std::env::current_exe()?;
    for directory in ["bin", "lib", "lib64", "usr", "proc"] {
        std::fs::create_dir_all(root.join(directory))?;
    }
    std::fs::copy(&own, root.join("bin/inside"))?;
    // The same libraries, by name.
    let maps = std::fs::read_to_string("/proc/self/maps")?;
    let mapped =
        maps.lines().filter_map(|line| line.find('/').map(|at| &line[at..])).filter(|path| path.contains(".so"));
    for path in mapped {
        let to = root.join(&path[1..]);
        std::fs::create_dir_all(to.parent().ok_or("a library lies in a directory")?)?;
        std::fs::copy(path, to)?;
    }
    let loader = "lib64/ld-linux-x86-64.so.2";
    std::fs::copy(format!("/{loader}"), root.join(loader))?;
    let mut command = Command::new("/bin/inside");
    command.args(["load", "waitticks", "200"]);
    let to = std::ffi::CString::new(root.to_string_lossy().as_bytes())?;
    // SAFETY: calls that are allowed between fork and exec.
    unsafe {
        std::os::unix::process::CommandExt::pre_exec(&mut command, move || {
            if libc::chroot(to.as_ptr()) == 0 && libc::chdir(c"/".as_ptr()) == 0 {
                Ok(())
            } else {
                Err(std::io::Error::last_os_error())
            }
        });
    }
    let (load, _) = waiting(&mut command)?;
    let pid = load.id().to_string();
    let text = "usdt:/bin/inside:scope:tick { @ = count(); } uprobe:libc:rand { @r = count(); }";
    let ran = on_waiting(&["-p", &pid, "-e", text], vec![load])?;
    std::fs::remove_dir_all(&root)?;
    ran.succeeded()?;
    same(ran.value("@: ")?, "200")?;
    same(ran.value("@r: ")?, "200")
}

pub fn what_has_exited_keeps_its_names() -> Result<(), Failed> {
    // It calls the function and ends at once: what is shown of it is shown behind its end.
    let own = load_command(&["waiting", "4"]);
    let (load, _) = waiting(Command::new(&own[0]).args(&own[1..]))?;
    let text = "uprobe:libc:rand { @[ustack(1)] = count(); printf(\"%s\\n\", usym(reg(\"ip\"))); }";
    let ran = on_waiting(&["-p", &load.id().to_string(), "-e", text], vec![load])?;
    ran.succeeded()?;
    same(ran.stdout.lines().filter(|line| *line == "rand").count(), 4)?;
    check(ran.stdout.contains("    rand+0\n]: 4\n"), || ran.stdout.clone())
}
