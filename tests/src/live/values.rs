//! Values: arguments, strings, arithmetic, aggregations.

use libtest_mimic::Failed;

use super::run::{Ran, check, json, of_type, run, same, script, with_load};

/// Runs a clause on `close(100_000 + i)` for i below 1000.
fn on_close(body: &str) -> Result<Ran, Failed> {
    let text = format!("tracepoint:syscalls:sys_enter_close /pid == cpid && args.fd >= 100000/ {{ {body} }}");
    script(&text, &["close", "1000"])
}

pub fn aggregations_are_exact() -> Result<(), Failed> {
    let ran = on_close(
        "$n = args.fd - 100000; @count = count(); @sum = sum($n); @min = min($n + 5); @max = max($n); @avg = avg($n);
         @low = min(-$n); @hist = hist($n); @keyed[$n % 3] = sum($n);",
    )?;
    for (name, value) in [
        ("count", "1000"),
        ("sum", "499500"),
        ("min", "5"),
        ("max", "999"),
        ("avg", "499"),
        ("low", "-999"),
        ("keyed[0]", "166833"),
        ("keyed[1]", "166167"),
    ] {
        let value_seen = ran.value(&format!("@{name}: "));
        same((name, value_seen?), (name, value))?;
    }
    for line in [
        "[0]                    1 |",
        "[1]                    1 |",
        "[2, 4)                 2 |",
        "[512, 1K)            488 |",
    ] {
        check(ran.stdout.contains(line), || format!("no {line} in\n{}", ran.stdout))?;
    }
    Ok(())
}

pub fn increments_are_exact() -> Result<(), Failed> {
    let ran = script(
        "sys_enter_getppid /pid == cpid/ { @up++; @by += 3; @down--; @read++; if (@read > 1000000) { exit(); } }",
        &["threads", "100000"],
    )?;
    // `@read` is read by the kernel and so shared by all CPUs: additions are atomic there.
    for (name, value) in [("up", "100000"), ("by", "300000"), ("down", "-100000"), ("read", "100000")] {
        same((name, ran.value(&format!("@{name}: "))?), (name, value))?;
    }
    Ok(())
}

pub fn comparisons_and_arithmetic() -> Result<(), Failed> {
    let ran = on_close(
        "$n = args.fd - 100000;
         if ($n >= 10 && $n < 20 || $n == 500) { @a = count(); } else if (!($n & 1)) { @b = count(); } else { @c = count(); }
         if (comm == \"live\" && comm != \"live2\") { @same = count(); }
         if ($n * 2 / 4 == $n >> 1) { @half = count(); }
         $m = $n > 900 ? 1 : 0; @big = sum($m);
         @neg = sum(-$n); @x = max(($n ^ 0xff) | 1); @cpu = max(cpu < 1024 && uid == 0 && gid == 0 && tid == pid);",
    )?;
    for (name, value) in [
        ("a", "11"),
        ("b", "494"),
        ("c", "495"),
        ("same", "1000"),
        ("half", "1000"),
        ("big", "99"),
        ("neg", "-499500"),
        ("x", "1023"),
        ("cpu", "1"),
    ] {
        same((name, ran.value(&format!("@{name}: "))?), (name, value))?;
    }
    Ok(())
}

const OPEN: &str = "tracepoint:syscalls:sys_enter_openat /pid == cpid/ ";

pub fn strings_are_read_from_user_memory() -> Result<(), Failed> {
    let text = format!(
        "{OPEN} {{ $path = str(args.filename); @[$path] = count(); @name[comm, str(args.filename, 8)] = 1;
         if ($path == \"/nowhere/at/all\") {{ printf(\"%s|%-6d|%s\\n\", $path, args.dfd, comm); }}
         if (str(args.filename) == \"/proc/self/status\") {{ printf(\"%s and %s\\n\", str(args.filename), str(args.filename, 6)); }} }}"
    );
    let ran = script(&text, &["open"])?;
    same(ran.value("/nowhere")?, "/at/all|-100  |live")?;
    same(ran.value("/proc")?, "/self/status and /proc/")?;
    same(ran.value("@[/nowhere/at/all]: ")?, "1")?;
    same(ran.value("@name[live, /nowhere]: ")?, "1")
}

pub fn strings_that_cannot_be_read_say_so() -> Result<(), Failed> {
    // By its address: another name that the loader opens may lie in a page that is not in memory yet.
    let text = "tracepoint:syscalls:sys_enter_openat /pid == cpid && (uint64)args.filename == 8/ {
         printf(\"path %s\\n\", str(args.filename)); @[str(args.filename)] = count(); }";
    let ran = script(text, &["unmapped"])?;
    same(ran.stdout.lines().any(|line| line == "path <fault>"), true)?;
    same(ran.value("@[<fault>]: ")?, "1")
}

pub fn long_strings_are_cut_and_counted() -> Result<(), Failed> {
    let text = format!("{OPEN} {{ printf(\"%s\\n\", str(args.filename)); }}");
    let ran = script(&text, &["open"])?;
    let longest = ran.stdout.lines().map(str::len).max();
    same(longest, Some(255))?;
    check(ran.stderr.contains("warning: 1 string was cut"), || ran.stderr)?;
    let ran = script(&text.replace("str(args.filename)", "str(args.filename, 1024)"), &["open"])?;
    same(ran.stdout.lines().map(str::len).max(), Some(601))?;
    check(!ran.stderr.contains("cut"), || ran.stderr)
}

pub fn texts_of_tracepoints() -> Result<(), Failed> {
    let ran = script(
        "tracepoint:sched:sched_process_exec /pid == cpid/ { printf(\"exec %s\\n\", str(args.filename)); @f[args.filename] = args.pid; }
         tracepoint:sched:sched_process_exit /pid == cpid/ { printf(\"exit %s %d\\n\", args.comm, args.pid == pid); }",
        &["getppid", "1"],
    )?;
    check(ran.value("exec ")?.ends_with("/live"), || ran.stdout.clone())?;
    same(ran.value("exit ")?, "live 1")
}

pub fn arguments_of_a_set() -> Result<(), Failed> {
    // Enough calls have a first argument called `fd` to make a set; the registers of the call are read.
    let ran = script(
        "tracepoint:syscalls:sys_enter_close, tracepoint:syscalls:sys_enter_fsync, tracepoint:syscalls:sys_enter_fchmod,
         tracepoint:syscalls:sys_enter_fchown, tracepoint:syscalls:sys_enter_fchdir, tracepoint:syscalls:sys_enter_fdatasync,
         tracepoint:syscalls:sys_enter_fallocate, tracepoint:syscalls:sys_enter_getdents64, tracepoint:syscalls:sys_enter_ioctl
         /pid == cpid && args.fd >= 100000/ { @[probe] = sum(args.fd - 100000); @n[nargs] = count(); }",
        &["close", "1000"],
    )?;
    same(ran.value("@[tracepoint:syscalls:sys_enter_close]: ")?, "499500")?;
    same(ran.value("@n[1]: ")?, "1000")?;
    let ran = script(
        "sys_enter /pid == cpid && args.id == 3 && args.args[0] >= 100000/ { @ = sum(args.args[0] - 100000); }",
        &["close", "1000"],
    )?;
    same(ran.value("@: ")?, "499500")
}

pub fn userspace_clauses_read_the_maps() -> Result<(), Failed> {
    let ran = script(
        "BEGIN { @begin = 7; @words[\"a\"] = \"text\"; printf(\"begin %d %s\\n\", @begin, comm); }
         sys_enter_getppid /pid == cpid/ { @ = count(); @a = avg(8); @m = max(3); @last = nsecs > 0; }
         END { printf(\"end %d %d %d %d %s %d\\n\", @, @a, @m, @last, @words[\"a\"], @begin + 1);
               clear(@); delete(@words[\"a\"]); delete(@begin); @e++; @e++; zero(@a); }",
        &["threads", "1000"],
    )?;
    same(ran.value("begin ")?, "7 scope")?;
    same(ran.value("end ")?, "1000 8 3 1 text 8")?;
    same(ran.value("@e: ")?, "2")?;
    let rest = ran.stdout.lines().filter(|line| line.starts_with('@')).collect::<Vec<_>>();
    same(rest, vec!["@: 0", "@a: 0", "@e: 2", "@last: 1", "@m: 3"])?;
    let ran = run(&[
        "-e",
        "BEGIN { @x[1] = 5; @x[2] = 3; print(@x); print(@x, 1); print(@x, 0, 2); print(@x[1]); print(\"done\"); exit(3); } END { clear(@x); }",
    ]);
    ran.ended_with(3)?;
    same(ran.stdout.as_str(), "@x[2]: 3\n@x[1]: 5\n@x[1]: 5\n@x[2]: 1\n@x[1]: 2\n5\ndone\n")
}

/// Variables that each CPU has are read where the kernel tells where they are.
pub fn variables_of_a_cpu() -> Result<(), Failed> {
    let symbols = std::fs::read_to_string("/proc/kallsyms")?;
    let text = "sys_enter_getppid /pid == cpid/ { @[((struct rq *)percpu_kaddr(\"runqueues\"))->cpu == cpu,
        ((struct rq *)percpu_kaddr(\"runqueues\", 0))->cpu] = count(); }";
    if symbols.contains(" __per_cpu_offset") {
        return same(script(text, &["getppid", "100"])?.value("@[1, 0]: ")?, "100");
    }
    let ran = run(&["-e", &text.replace("pid == cpid", "pid == 1")]);
    ran.ended_with(2)?;
    check(ran.stderr.contains("error[E0339]"), || ran.stderr)
}

pub fn allocation_flags_have_the_kernels_names() -> Result<(), Failed> {
    let ran = script(
        "tracepoint:kmem:kmalloc /pid == cpid/ { @ = count(); printf(\"%#x %gr\\n\", args.gfp_flags, args.gfp_flags); }",
        &["getppid", "1"],
    )?;
    let shown = ran.stdout.lines().filter(|line| line.starts_with("0x")).collect::<Vec<_>>();
    same(shown.len().to_string().as_str(), ran.value("@: ")?)?;
    check(shown.iter().any(|line| line.starts_with("0xcc0 GFP_KERNEL")), || ran.stdout.clone())?;
    for line in &shown {
        let names = line.split_once(' ').map_or("", |(_, names)| names).split('|').collect::<Vec<_>>();
        let known = names.iter().all(|name| name.starts_with("GFP_") || name.starts_with("__GFP_"));
        check(known, || format!("{line}: some bits have no name"))?;
    }
    Ok(())
}

pub fn a_signal_to_a_thread() -> Result<(), Failed> {
    for (function, thread) in [("signal", "first"), ("signal_thread", "other")] {
        let text = format!("sys_enter_getppid /pid == cpid && tid != pid/ {{ {function}(\"SIGUSR1\"); }}");
        let ran = with_load(&["--unsafe", "-e", &text], &["signal_thread"]);
        check(ran.stdout.contains(&format!("{thread} thread")) || function == "signal", || ran.stdout.clone())?;
        check(ran.stdout.contains("thread"), || ran.stderr)?;
    }
    Ok(())
}

pub fn a_process_is_written_to() -> Result<(), Failed> {
    let text = "sys_enter /pid == cpid && args.id == 110/ {
        write_user((uint64 *)args.args[0], 258); write_user((uint8 *)args.args[0], 7);
        write_user(args.args[0] + 8, \"hello\"); write_user((int64 *)8, 1); }";
    let ran = with_load(&["--unsafe", "-e", text], &["written"]);
    if ran.status == 1 {
        // A kernel that is locked down, or built without it, says so.
        return check(ran.stderr.contains("does not let the program use `bpf_probe_write_user`"), || ran.stderr);
    }
    check(ran.stdout.contains("263 hello\n"), || ran.stdout.clone())?;
    check(ran.stderr.contains("warning: 1 write to a process's memory failed"), || ran.stderr)
}

pub fn deep_expressions_and_many_variables() -> Result<(), Failed> {
    // More operands at once than there are registers, and more variables.
    let nested = (0..30).fold("1".to_owned(), |inner, _| format!("($a + {inner} * $b)"));
    let expected = (0..30).fold(1i64, |inner, _| 2i64.wrapping_add(inner.wrapping_mul(3)));
    let right = (0..30).fold("1".to_owned(), |inner, _| format!("($b - ({inner} + $a))"));
    let right_expected = (0..30).fold(1i64, |inner, _| 3i64.wrapping_sub(inner.wrapping_add(2)));
    let variables = (0..20).map(|index| format!("$v{index} = $a + {index};")).collect::<String>();
    let sum = (0..20).map(|index| format!("$v{index}")).collect::<Vec<_>>().join(" + ");
    let body =
        format!("$a = 2 + cpu * 0; $b = 3 + cpu * 0; @deep = {nested}; @right = {right}; {variables} @sum = {sum};");
    for probe in ["BEGIN", "sys_enter_getppid /pid == cpid/"] {
        let records = json(&format!("{probe} {{ {body} }}"), &["getppid", "1"])?;
        let value = |name: &str| of_type(&records, "map").find_map(|map| map[name].as_i64());
        same(value("@deep"), Some(expected))?;
        same(value("@right"), Some(right_expected))?;
        same(value("@sum"), Some(230))?;
    }
    let ran = with_load(
        &["-e", "sys_enter_getppid /pid == cpid/ { let $x; if (cpu > 100000) { $x = 5; } @ = $x; }"],
        &["getppid", "1"],
    );
    same(ran.value("@: ")?, "0")
}

pub fn fast_intervals_lose_no_tick() -> Result<(), Failed> {
    let text = "i:us:200 { @fast++; } i:hz:1000 { @slow++; } i:ms:1000 { @elapsed = elapsed; exit(); }";
    let ran = run(&["-e", text]);
    ran.succeeded()?;
    let value = |name: &str| -> Result<f64, Failed> { Ok(ran.value(&format!("@{name}: "))?.parse::<f64>()?) };
    // What is elapsed counts from a little before the first tick on.
    let (elapsed, fast, slow) = (value("elapsed")? / 1e9, value("fast")? / 5000.0, value("slow")? / 1000.0);
    let all = |seconds: f64| seconds > elapsed * 0.8 && seconds < elapsed * 1.02;
    check(all(fast) && all(slow), || format!("{fast} s and {slow} s of ticks in {elapsed} s"))
}

pub fn userspace_clauses_read_the_kernels_memory() -> Result<(), Failed> {
    let ran = run(&[
        "-e",
        "BEGIN { printf(\"%s %d %d\\n\", curtask->comm, curtask->tgid == pid, ppid == curtask->real_parent->tgid); }
         interval:ms:10 { printf(\"%s %s\\n\", str(curtask->comm, 3), str(8)); exit(); }
         END { printf(\"%s %d\\n\", curtask->nsproxy->uts_ns->name.sysname, *(uint8 *)kaddr(\"vfs_read\") >= 0); }",
    ]);
    ran.succeeded()?;
    same(ran.stdout.as_str(), "scope 1 1\nsco <fault>\nLinux 1\n")?;
    let user = run(&["-e", "BEGIN { print(str(uptr(8))); }"]);
    check(user.status == 2 && user.stderr.contains("there is no process to read from"), || user.stderr)
}
