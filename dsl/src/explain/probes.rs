//! The codes of attach points: E02xx.

use super::{Entry, entry};

pub(super) const ENTRIES: &[Entry] = &[
    entry(
        "E0201",
        "There is no such probe",
        "No provider or tracepoint of this machine has the name. `scope -l 'PATTERN'` lists those that match a pattern. \
         Kernels differ: a tracepoint may be missing here that is there elsewhere. With `config = { missing_probes = warn }` a \
         script runs without the probes that are missing.",
        "tracepoint:sched:sched_swich { @ = count(); }",
        "tracepoint:sched:sched_switch { @ = count(); }",
    ),
    entry(
        "E0202",
        "A probe is written in another form",
        "Each kind of probe has its form: `tracepoint:CATEGORY:NAME`, `interval:UNIT:COUNT` with the units s, ms, us and hz, \
         `BEGIN`, `END`.",
        "interval:minutes:5 { print(1); }",
        "interval:s:300 { print(1); }",
    ),
    entry(
        "E0203",
        "A bare name means several probes",
        "A tracepoint may be named without its category, as long as only one has the name. Here several have: write which one.",
        "clk_enable { @ = count(); }",
        "tracepoint:clk:clk_enable { @ = count(); }",
    ),
    entry(
        "E0204",
        "No probe matches a pattern",
        "`*` stands for any text and `?` for one character, within one part of the name. `scope -l 'PATTERN'` shows what \
         matches.",
        "tracepoint:sched:switch* { @ = count(); }",
        "tracepoint:sched:sched_s* { @ = count(); }",
    ),
    entry(
        "E0205",
        "A program or library can't be probed",
        "It is not there, can't be read, or the place that is meant can't hold a probe; the message says which. A library is \
         found by its short name, as `libc`, a program by its name in $PATH, and both by their paths.",
        "uprobe:/bin/no_such_program:main { @ = count(); }",
        "uprobe:/bin/bash:readline { @ = count(); }",
    ),
    entry(
        "E0206",
        "This machine has no such probes",
        "The kernel was built without what they need, or a function lies where they can't be set; the message says which.",
        "fentry:ext4_sync_file { @ = count(); }",
        "kprobe:ext4_sync_file { @ = count(); }",
    ),
];
