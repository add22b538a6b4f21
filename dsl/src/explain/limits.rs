//! The codes of limits and settings: E04xx.

use super::{Entry, entry};

pub(super) const ENTRIES: &[Entry] = &[
    entry(
        "E0401",
        "A clause is too large",
        "What a clause is compiled to has limits: 1024 ops, 4 KiB of constants, 16 KiB of frame, 16 slots for maps. A map that \
         is printed and cleared takes two slots. Divide the clause: several may have the same probe.",
        "BEGIN { @a = 1; @b = 1; @c = 1; @d = 1; @e = 1; @f = 1; @g = 1; @h = 1; @i = 1;\n        \
         @j = 1; @k = 1; @l = 1; @m = 1; @n = 1; @o = 1; @p = 1; @q = 1; }",
        "BEGIN { @a = 1; @b = 1; @c = 1; @d = 1; @e = 1; @f = 1; @g = 1; @h = 1; @i = 1; }\n\
         BEGIN { @j = 1; @k = 1; @l = 1; @m = 1; @n = 1; @o = 1; @p = 1; @q = 1; }",
    ),
    entry(
        "E0402",
        "A script has too many maps",
        "A script has 64 maps at most. One map with one more key holds what several would: `@[\"reads\", comm]` beside \
         `@[\"writes\", comm]`.",
        "BEGIN { @a0=0; @a1=0; @a2=0; @a3=0; @a4=0; @a5=0; @a6=0; @a7=0; @a8=0; @a9=0; @aa=0; @ab=0; @ac=0; }\n\
         BEGIN { @b0=0; @b1=0; @b2=0; @b3=0; @b4=0; @b5=0; @b6=0; @b7=0; @b8=0; @b9=0; @ba=0; @bb=0; @bc=0; }\n\
         BEGIN { @c0=0; @c1=0; @c2=0; @c3=0; @c4=0; @c5=0; @c6=0; @c7=0; @c8=0; @c9=0; @ca=0; @cb=0; @cc=0; }\n\
         BEGIN { @d0=0; @d1=0; @d2=0; @d3=0; @d4=0; @d5=0; @d6=0; @d7=0; @d8=0; @d9=0; @da=0; @db=0; @dc=0; }\n\
         BEGIN { @e0=0; @e1=0; @e2=0; @e3=0; @e4=0; @e5=0; @e6=0; @e7=0; @e8=0; @e9=0; @ea=0; @eb=0; @ec=0; }",
        "BEGIN { for ($i : 0..13) { @[\"a\", $i] = 0; @[\"b\", $i] = 0; @[\"c\", $i] = 0; } }",
    ),
    entry(
        "E0403",
        "Loops nest too deep",
        "Loops nest three deep at most.",
        "BEGIN { for ($i : 0..2) { for ($j : 0..2) { for ($k : 0..2) { for ($l : 0..2) { @[$i, $j, $k] = $l; } } } } }",
        "BEGIN { for ($i : 0..2) { for ($j : 0..2) { for ($k : 0..2) { @[$i, $j] = $k; } } } }",
    ),
    entry(
        "E0404",
        "A clause is too much for the kernel's verifier",
        "Before a clause runs in the kernel, the verifier walks every way through it, and each round of a loop. What that costs \
         has a limit. Fewer rounds, shorter strings or less in each round help; `interval` and `END` clauses run in userspace, \
         where there is no verifier.",
        "sys_enter { for ($i : 0..4000) { for ($j : 0..4000) { @[$i, $j] = count(); } } }",
        "sys_enter { for ($i : 0..40) { @[$i] = count(); } }",
    ),
    entry(
        "E0405",
        "A script names too many probes",
        "A script is attached to 1024 probes at most, so that a pattern that matches more than was meant does no harm. The \
         setting `max_probes` allows more.",
        "config = { max_probes = 1 }\nsys_enter, sys_exit { @ = count(); }",
        "config = { max_probes = 2 }\nsys_enter, sys_exit { @ = count(); }",
    ),
    entry(
        "E0406",
        "There is no such setting",
        "The settings of `config = { ... }` are listed in the description of the language.",
        "config = { max_map_key = 10 }\nsys_enter { @[comm] = count(); }",
        "config = { max_map_keys = 10 }\nsys_enter { @[comm] = count(); }",
    ),
    entry(
        "E0407",
        "A loop has too many rounds",
        "A loop in the kernel has 16384 rounds at most, one in userspace (`BEGIN`, `END`, `interval`) ten million; what \
         `unroll` repeats is bounded too.",
        "BEGIN { for ($i : 0..20000000) { @ = $i; } }",
        "BEGIN { for ($i : 0..20000) { @ = $i; } }",
    ),
    entry(
        "E0408",
        "A loop never ends",
        "The condition is always true, and nothing in the loop leaves it: `break`, `return` or `exit()`. A loop whose rounds \
         are counted is written `for ($i : 0..10) { ... }`.",
        "BEGIN { while (1) { @n++; } }",
        "BEGIN { while (1) { @n++; if (@n > 9) { break; } } }",
    ),
    entry(
        "E0409",
        "A setting can't have this value",
        "The message says which values the setting takes.",
        "config = { missing_probes = perhaps }\nsys_enter { @ = count(); }",
        "config = { missing_probes = warn }\nsys_enter { @ = count(); }",
    ),
    entry(
        "E0410",
        "Macros come to too much",
        "A macro is put in the place of each of its calls, with all that it calls. A macro that calls another twice, which calls \
         another twice, soon is thousands of statements. They call each other 16 deep at most, 10,000 times in a script.",
        "macro a(n) { n + 1 } macro b(n) { a(n) + a(n) } macro c(n) { b(n) + b(n) } macro d(n) { c(n) + c(n) }\n\
         macro e(n) { d(n) + d(n) } macro f(n) { e(n) + e(n) } macro g(n) { f(n) + f(n) } macro h(n) { g(n) + g(n) }\n\
         macro i(n) { h(n) + h(n) } macro j(n) { i(n) + i(n) } macro k(n) { j(n) + j(n) } macro l(n) { k(n) + k(n) }\n\
         macro m(n) { l(n) + l(n) } macro o(n) { m(n) + m(n) }\nBEGIN { @ = o(1); }",
        "BEGIN { for ($i : 0..4096) { @ += 2; } }",
    ),
];
