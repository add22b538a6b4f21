//! The table of functions that the language has; those of a script's own are rhai's.

/// A function of the language.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "each is the function of its name; the table says what it does")]
pub enum Function {
    Assert,
    Avg,
    Bswap,
    Buf,
    Cat,
    CgroupId,
    CgroupAncestor,
    CgroupPath,
    Clear,
    Count,
    Debugf,
    Delete,
    Errorf,
    Exit,
    Fail,
    Find,
    Getopt,
    HasKey,
    Hist,
    IsA,
    IsErr,
    Join,
    Kaddr,
    KfuncExist,
    Kptr,
    Kstack,
    Ksym,
    LeaderComm,
    LeaderTid,
    Len,
    Lhist,
    Macaddr,
    Max,
    Memcmp,
    Min,
    Nsecs,
    Ntop,
    Pid,
    Ppid,
    Pcomm,
    PercpuKaddr,
    Print,
    Printf,
    Pton,
    Quantile,
    Quantiles,
    Reg,
    Signal,
    SignalName,
    SignalThread,
    Stats,
    StaticAssert,
    Str,
    Strcap,
    Strcontains,
    Strerror,
    Strftime,
    Strlen,
    Strncmp,
    Strstr,
    Sum,
    SyscallName,
    System,
    Tid,
    Time,
    Tseries,
    Uptr,
    Ustack,
    Usym,
    Warnf,
    WriteUser,
    Zero,
}

impl Function {
    /// Whether it reads a `task_struct` of the kernel.
    #[must_use]
    pub fn reads_a_task(self) -> bool {
        matches!(
            self,
            Function::LeaderComm
                | Function::LeaderTid
                | Function::Pcomm
                | Function::Pid
                | Function::Ppid
                | Function::Tid
        )
    }
}

/// Where a function may stand.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// Alone on the right of `@map =`.
    Aggregation,
    /// As a statement.
    Action,
    /// In an expression.
    Value,
}

/// A row of the table.
pub struct Row {
    /// How it is written.
    pub name: &'static str,
    /// What it is.
    pub function: Function,
    /// Where it may stand.
    pub role: Role,
    /// The fewest and the most arguments.
    pub arity: (usize, usize),
    /// How it is called.
    pub signature: &'static str,
    /// For people, one line.
    pub summary: &'static str,
    /// A script that uses it.
    pub example: &'static str,
}

macro_rules! table {
    ($($name:literal $function:ident $role:ident $least:literal..$most:literal $signature:literal $summary:literal $example:literal)*) => {
        /// All functions, by name.
        pub const TABLE: &[Row] = &[$(Row {
            name: $name,
            function: Function::$function,
            role: Role::$role,
            arity: ($least, $most),
            signature: $signature,
            summary: $summary,
            example: $example,
        }),*];
    };
}

table! {
    "assert" Assert Action 1..2 "assert(condition, \"message\")"
        "ends the trace with the message and status 1 if the condition does not hold"
        "BEGIN { assert(1 + 1 == 2, \"arithmetic is broken\"); }"
    "avg" Avg Aggregation 1..1 "@m = avg(n)" "the average of n"
        "sys_exit { @[comm] = avg(args.ret); }"
    "bswap" Bswap Value 1..1 "bswap(n)" "the bytes of a number of 16, 32 or 64 bits in reverse"
        "BEGIN { printf(\"%x\\n\", bswap((uint16)0x1234)); }"
    "buf" Buf Value 1..2 "buf(pointer, n)" "the n bytes at an address, or a whole array"
        "tracepoint:syscalls:sys_enter_write { printf(\"%r\\n\", buf(args.buf, args.count)); }"
    "cat" Cat Action 1..64 "cat(\"/path\", ...)" "prints a file; its name may hold conversions as printf's format does"
        "BEGIN { cat(\"/proc/loadavg\"); }"
    "cgroup_ancestor" CgroupAncestor Value 1..1 "cgroup_ancestor(level)" "the id of the cgroup that holds the task's at a level of the tree; the root has level 0"
        "sys_enter /cgroup_ancestor(1) == 42/ { @[comm] = count(); }"
    "cgroup_path" CgroupPath Value 1..2 "cgroup_path(id)" "the path of a cgroup by its id"
        "sys_enter { @[cgroup_path(cgroup)] = count(); }"
    "cgroupid" CgroupId Value 1..1 "cgroupid(\"/sys/fs/cgroup/path\")" "the id of the cgroup at a path, found when the script is compiled"
        "sys_enter /cgroup == cgroupid(\"/sys/fs/cgroup\")/ { @ = count(); }"
    "clear" Clear Action 1..1 "clear(@m)" "removes all entries of a map"
        "sys_enter { @ = count(); } interval:s:1 { print(@); clear(@); }"
    "count" Count Aggregation 0..0 "@m = count()" "how often the statement ran"
        "sys_enter { @[comm] = count(); }"
    "debugf" Debugf Action 1..64 "debugf(\"format\", ...)" "as printf, to standard error, with -v only"
        "BEGIN { debugf(\"starting %d\\n\", 1); }"
    "delete" Delete Value 1..2 "delete(@m, key)" "removes one entry, or the value of a map without keys; gives whether there was one"
        "sys_enter { @start[tid] = nsecs; } sys_exit { delete(@start, tid); }"
    "errorf" Errorf Action 1..64 "errorf(\"format\", ...)" "as printf, as an error with its place in the script"
        "BEGIN { errorf(\"no such thing: %d\", 7); }"
    "exit" Exit Action 0..1 "exit(status)" "ends the trace, with exit status 0 unless one is given"
        "interval:s:5 { exit(); }"
    "fail" Fail Action 1..64 "fail(\"message\")" "an error when the script is compiled, unless the place can't be reached"
        "BEGIN { if (sizeof(int32) != 4) { fail(\"strange machine\"); } }"
    "find" Find Value 3..3 "find(@m, key, $variable)" "gives whether a map has a key, and its value to a variable"
        "sys_enter { @a[tid] = nsecs; } sys_exit { let $t = 0; if (find(@a, tid, $t)) { @ = max(nsecs - $t); } }"
    "getopt" Getopt Value 1..3 "getopt(\"name\", default, \"what it is\")" "the value of the script's option --name: a number, a text or a truth value as the default"
        "BEGIN { printf(\"%d\\n\", getopt(\"limit\", 10, \"how many\")); }"
    "has_key" HasKey Value 2..2 "has_key(@m, key)" "whether a map has a key"
        "sys_enter { @a[tid] = 1; } sys_exit { if (has_key(@a, tid)) { @b = count(); } }"
    "hist" Hist Aggregation 1..2 "@m = hist(n, k)" "a histogram of n with 2^k buckets for each power of two; k is 0 to 5, and 0 if it is left out"
        "tracepoint:syscalls:sys_enter_read { @bytes = hist(args.count); }"
    "is_array" IsA Value 1..1 "is_array(value)" "whether a value is an array, known when the script is compiled"
        "BEGIN { if (is_array(1)) { exit(1); } }"
    "is_err" IsErr Value 1..1 "is_err(pointer)" "whether a pointer that the kernel gave is an error number"
        "tracepoint:sched:sched_switch { if (is_err(curtask->mm)) { @ = count(); } }"
    "is_integer" IsA Value 1..1 "is_integer(value)" "whether a value is an integer, known when the script is compiled"
        "BEGIN { if (!is_integer(1)) { exit(1); } }"
    "is_literal" IsA Value 1..1 "is_literal(value)" "whether a value is known when the script is compiled"
        "BEGIN { if (!is_literal(1)) { exit(1); } }"
    "is_ptr" IsA Value 1..1 "is_ptr(value)" "whether a value is a pointer, known when the script is compiled"
        "BEGIN { if (is_ptr(1)) { exit(1); } }"
    "is_str" IsA Value 1..1 "is_str(value)" "whether a value is a string, known when the script is compiled"
        "BEGIN { if (!is_str(\"a\")) { exit(1); } }"
    "is_tuple" IsA Value 1..1 "is_tuple(value)" "whether a value is a tuple, known when the script is compiled"
        "BEGIN { if (!is_tuple((1, 2))) { exit(1); } }"
    "is_unsigned_integer" IsA Value 1..1 "is_unsigned_integer(value)" "whether a value is an integer without a sign, known when the script is compiled"
        "BEGIN { if (is_unsigned_integer((int8)1)) { exit(1); } }"
    "join" Join Action 1..2 "join(argv, \" \")" "prints the texts of an array of pointers that ends with a null, with a separator"
        "tracepoint:syscalls:sys_enter_execve { join(args.argv); }"
    "kaddr" Kaddr Value 1..1 "kaddr(\"name\")" "the address of a symbol of the kernel, found when the script is compiled"
        "BEGIN { printf(\"%llx\\n\", kaddr(\"init_task\")); }"
    "kfunc_exist" KfuncExist Value 1..1 "kfunc_exist(\"name\")" "whether the kernel has a function, known when the script is compiled"
        "BEGIN { if (!kfunc_exist(\"schedule\")) { exit(1); } }"
    "kptr" Kptr Value 1..1 "kptr(pointer)" "the pointer as one into the kernel's memory"
        "tracepoint:sched:sched_switch { @ = str(kptr(curtask)); }"
    "kstack" Kstack Value 0..2 "kstack(mode, depth)" "the stack of the kernel; the mode is bpftrace, perf or raw, the depth 1 to 127"
        "tracepoint:sched:sched_switch { @[kstack(3)] = count(); }"
    "ksym" Ksym Value 1..1 "ksym(address)" "the kernel's function at an address"
        "BEGIN { printf(\"%s\\n\", ksym(kaddr(\"schedule\"))); }"
    "leader_comm" LeaderComm Value 0..1 "leader_comm(task)" "the name of the first thread of a process"
        "sys_enter /comm != leader_comm()/ { @[leader_comm(), comm] = count(); }"
    "leader_tid" LeaderTid Value 0..1 "leader_tid(task)" "the number of the first thread of a process"
        "sys_enter /tid != leader_tid()/ { @threads[pid] = count(); }"
    "len" Len Value 1..1 "len(@m)" "how many entries a map has, or how many frames a stack"
        "sys_enter { @[tid] = 1; } interval:s:1 { printf(\"%d\\n\", len(@)); }"
    "lhist" Lhist Aggregation 4..4 "@m = lhist(n, min, max, step)" "a histogram of n with buckets of one width from min to max"
        "tracepoint:syscalls:sys_enter_read { @ = lhist(args.count, 0, 1000, 100); }"
    "macaddr" Macaddr Value 1..1 "macaddr(bytes)" "a hardware address of 6 bytes as text"
        "struct eth { uint8 address[6]; } sys_enter { @[macaddr(((struct eth *)1000)->address)] = count(); }"
    "max" Max Aggregation 1..1 "@m = max(n)" "the greatest n"
        "sys_exit { @ = max(args.ret); }"
    "memcmp" Memcmp Value 3..3 "memcmp(a, b, n)" "0 if the first n bytes of two values are equal; below or above it by the first that differs"
        "sys_enter /memcmp(comm, \"ba\", 2) == 0/ { @ = count(); }"
    "min" Min Aggregation 1..1 "@m = min(n)" "the least n"
        "sys_exit { @ = min(args.ret); }"
    "nsecs" Nsecs Value 0..1 "nsecs(clock)" "nanoseconds of a clock: boot, monotonic, tai or sw_tai"
        "BEGIN { printf(\"%llu\\n\", nsecs(monotonic)); }"
    "ntop" Ntop Value 1..2 "ntop(family, address)" "an IP address as text, from an integer of 4 bytes or an array of 4 or 16"
        "BEGIN { printf(\"%s\\n\", ntop(0x0100007f)); }"
    "pcomm" Pcomm Value 0..1 "pcomm(task)" "the name of the parent process"
        "sys_enter { @[pcomm()] = count(); }"
    "percpu_kaddr" PercpuKaddr Value 1..2 "percpu_kaddr(\"name\", cpu)" "the address of a kernel's variable of a CPU, by default the current one"
        "sys_enter { @[((struct rq *)percpu_kaddr(\"runqueues\"))->nr_running] = count(); }"
    "pid" Pid Value 0..1 "pid(namespace)" "the process id, of the namespace curr_ns or init"
        "sys_enter { @[pid(init)] = count(); }"
    "ppid" Ppid Value 0..1 "ppid(task)" "the process id of the parent process"
        "sys_enter { @[ppid()] = count(); }"
    "print" Print Action 1..3 "print(@m, top, divisor)" "prints a map, or any value; of a map the top entries only, divided by the divisor"
        "sys_enter { @[comm] = count(); } END { print(@, 5); }"
    "printf" Printf Action 1..128 "printf(\"format\", ...)" "prints values as C's printf does"
        "sys_enter { printf(\"%-16s %d\\n\", comm, pid); }"
    "pton" Pton Value 1..1 "pton(\"address\")" "the bytes of an IP address, known when the script is compiled"
        "BEGIN { printf(\"%s\\n\", ntop(pton(\"127.0.0.1\"))); }"
    "quantile" Quantile Value 2..2 "quantile(@m, percent)" "the value below which so many percent of a histogram lie; in userspace clauses"
        "sys_exit { @ = hist(args.ret, 5); } END { printf(\"%d\\n\", quantile(@, 99)); }"
    "quantiles" Quantiles Aggregation 1..1 "@m = quantiles(n)" "how n is spread: its 50th, 90th and 99th percentile and its maximum, each exact within one part in 32; what is below 0 counts as -1"
        "tracepoint:syscalls:sys_enter_read { @ = quantiles(args.count); }"
    "reg" Reg Value 1..1 "reg(\"ip\")" "a register of the CPU, where the probe is given them"
        "profile:hz:99 { @[reg(\"ip\")] = count(); }"
    "signal" Signal Action 1..1 "signal(number or \"NAME\")" "sends a signal to the current process; needs --unsafe"
        "sys_enter /pid == 4194304/ { signal(\"SIGSTOP\"); }"
    "signal_name" SignalName Value 1..1 "signal_name(n)" "the name of a signal"
        "BEGIN { printf(\"%s\\n\", signal_name(9)); }"
    "signal_thread" SignalThread Action 1..1 "signal_thread(number or \"NAME\")" "sends a signal to the current thread; needs --unsafe"
        "sys_enter /pid == 4194304/ { signal_thread(\"SIGSTOP\"); }"
    "static_assert" StaticAssert Action 1..2 "static_assert(condition, \"message\")" "an error when the script is compiled, if the condition does not hold"
        "BEGIN { static_assert(sizeof(int64) == 8, \"strange machine\"); }"
    "stats" Stats Aggregation 1..1 "@m = stats(n)" "count, average and total of n; with the setting stats_detail also minimum, maximum and standard deviation"
        "sys_exit { @[comm] = stats(args.ret); }"
    "str" Str Value 1..2 "str(pointer, n)" "the text at an address, n bytes of it at most"
        "tracepoint:syscalls:sys_enter_openat { @[str(args.filename)] = count(); }"
    "strcap" Strcap Value 1..1 "strcap(text)" "how many bytes a text's area has"
        "BEGIN { printf(\"%d\\n\", strcap(comm)); }"
    "strcontains" Strcontains Value 2..2 "strcontains(text, part)" "whether a text holds another"
        "sys_enter /strcontains(comm, \"sh\")/ { @[comm] = count(); }"
    "strerror" Strerror Value 1..1 "strerror(n)" "the message of an error number"
        "sys_exit /args.ret < 0/ { @[strerror(-args.ret)] = count(); }"
    "strftime" Strftime Value 2..2 "strftime(\"format\", nsecs)" "a point in time as text; %f is the microseconds"
        "BEGIN { printf(\"%s\\n\", strftime(\"%H:%M:%S.%f\", nsecs)); }"
    "strlen" Strlen Value 1..1 "strlen(text)" "how many bytes a text has"
        "sys_enter { @[strlen(comm)] = count(); }"
    "strncmp" Strncmp Value 3..3 "strncmp(a, b, n)" "0 if the first n bytes of two texts are equal, else 1"
        "sys_enter /strncmp(comm, \"ssh\", 3) == 0/ { @[comm] = count(); }"
    "strstr" Strstr Value 2..2 "strstr(text, part)" "where a text holds another, from 0; -1 if it does not"
        "sys_enter { @[strstr(comm, \"d\")] = count(); }"
    "sum" Sum Aggregation 1..1 "@m = sum(n)" "the sum of n"
        "tracepoint:syscalls:sys_enter_read { @[comm] = sum(args.count); }"
    "syscall_name" SyscallName Value 1..1 "syscall_name(n)" "the name of a system call's number"
        "sys_enter { @[syscall_name(args.id)] = count(); }"
    "system" System Action 1..64 "system(\"command\", ...)" "runs a shell command and prints its output; needs --unsafe"
        "BEGIN { system(\"echo %d\", 5); }"
    "tid" Tid Value 0..1 "tid(namespace)" "the thread id, of the namespace curr_ns or init"
        "sys_enter { @[tid(init)] = count(); }"
    "time" Time Action 0..1 "time(\"%H:%M:%S\\n\")" "prints the time of day, by strftime's format"
        "interval:s:1 { time(); }"
    "tseries" Tseries Aggregation 3..4 "@m = tseries(n, interval, number, \"sum\")" "n over time: its last, or its avg, max, min or sum in each of the last intervals"
        "tracepoint:syscalls:sys_enter_read { @ = tseries(args.count, 1s, 10, \"sum\"); }"
    "uptr" Uptr Value 1..1 "uptr(pointer)" "the pointer as one into the process's memory"
        "sys_enter { @ = str(uptr(args.args[0])); }"
    "ustack" Ustack Value 0..2 "ustack(mode, depth)" "the stack of the process; the mode is bpftrace, perf or raw, the depth 1 to 127"
        "sys_enter { @[ustack(3)] = count(); }"
    "usym" Usym Value 1..1 "usym(address)" "the process's function at an address"
        "sys_enter { @[usym(args.args[0])] = count(); }"
    "warnf" Warnf Action 1..64 "warnf(\"format\", ...)" "as printf, as a warning with its place in the script"
        "BEGIN { warnf(\"odd: %d\", 7); }"
    "write_user" WriteUser Action 2..2 "write_user(pointer, value)" "writes a number, or a text in quotes, to the current process's memory; needs --unsafe"
        "tracepoint:syscalls:sys_enter_read /pid == 4194304/ { write_user((int32 *)args.buf, 0); }"
    "zero" Zero Action 1..1 "zero(@m)" "sets all values of a map to zero and keeps its keys"
        "sys_enter { @[comm] = count(); } interval:s:1 { print(@); zero(@); }"
}

impl Row {
    /// Finds a function by its name.
    #[must_use]
    pub fn named(name: &str) -> Option<&'static Row> {
        TABLE.iter().find(|row| row.name == name)
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn tables_are_sorted_by_name() {
        assert!(super::TABLE.is_sorted_by_key(|row| row.name));
        assert!(crate::builtins::TABLE.is_sorted_by_key(|row| row.name));
    }
}
