//! The codes of warnings: W00xx. The script runs, but hardly as it was meant.

use super::{Entry, entry};

pub(super) const ENTRIES: &[Entry] = &[
    entry(
        "W0001",
        "A comparison always comes out the same",
        "The types alone decide it: a number of 8 bits is never above 255, the name of a task never longer than 15 bytes.",
        "sys_enter /comm == \"a-name-that-is-too-long\"/ { @ = count(); }",
        "sys_enter /comm == \"a-name-that-is-\"/ { @ = count(); }",
    ),
    entry(
        "W0002",
        "Headers are not read",
        "There is no C preprocessor: types, enums and constants come from the kernel's own description of its types (BTF), and \
         others can be declared in the script. The line can go.",
        "#include <linux/sched.h>\nsys_enter { @[curtask->prio] = count(); }",
        "sys_enter { @[curtask->prio] = count(); }",
    ),
    entry(
        "W0003",
        "Division by zero",
        "Dividing by zero gives 0, and the remainder is the number itself; nothing fails, but it is hardly meant.",
        "sys_exit { @ = sum(args.ret / 0); }",
        "sys_exit { @ = sum(args.ret / 2); }",
    ),
    entry(
        "W0004",
        "A map is written and never shown",
        "Nothing reads or prints the map, and with `print_maps_on_exit = 0` it is not shown at the end either.",
        "config = { print_maps_on_exit = 0 }\nsys_enter { @[comm] = count(); }",
        "config = { print_maps_on_exit = 0 }\nsys_enter { @[comm] = count(); } END { print(@); }",
    ),
    entry(
        "W0005",
        "A probe is missing, and the script runs without",
        "The probe does not exist on this machine; the script says `missing_probes = warn`, so it runs with the others.",
        "config = { missing_probes = warn }\ntracepoint:sched:sched_swich, sys_enter { @ = count(); }",
        "config = { missing_probes = warn }\ntracepoint:sched:sched_switch, sys_enter { @ = count(); }",
    ),
    entry(
        "W0006",
        "Something is never reached",
        "It stands behind `return`, `exit()`, `break` or `continue`, which leave the block.",
        "BEGIN { exit(); printf(\"never\\n\"); }",
        "BEGIN { printf(\"once\\n\"); exit(); }",
    ),
    entry(
        "W0007",
        "A scratch variable is never used",
        "It is given a value that nothing reads. If something else is read, the name may be mistyped. A value that is computed \
         for nothing but what it does is dropped by `_ = value`; a variable whose name starts with `$_` is not warned of.",
        "sys_enter { $name = comm; @[pid] = count(); }",
        "sys_enter { $name = comm; @[$name] = count(); }",
    ),
    entry(
        "W0008",
        "A predicate always comes out the same",
        "It depends on nothing that the probe or the process tells, so the clause runs always or never.",
        "sys_enter /1 == 2/ { @ = count(); }",
        "sys_enter /pid == 2/ { @ = count(); }",
    ),
    entry(
        "W0009",
        "Some functions of a pattern can't be probed",
        "A probe puts a trap in the place of an instruction and steps over that elsewhere. The kernel can't do that with every \
         instruction, and some it takes for others, which would break the process. Those functions are left out.",
        "uprobe:/bin/bash:read* { @[func] = count(); }",
        "uprobe:/bin/bash:readl* { @[func] = count(); }",
    ),
    entry(
        "W0010",
        "A loop is cut earlier than `max_loop_rounds` says",
        "The kernel's verifier walks each round of a loop, and only so many instructions in all. A loop that does much in each \
         round has fewer than were asked for. A loop that is cut is counted and reported.",
        "config = { max_loop_rounds = 1000 }\nsys_enter { $n = 0; while ($n < 900) { @[$n] = $n; $n++; } }",
        "config = { max_loop_rounds = 20 }\nsys_enter { $n = 0; while ($n < 900) { @[$n] = $n; $n++; } }",
    ),
];
