//! The codes of what can't be read: E01xx.

use super::{Entry, entry};

pub(super) const ENTRIES: &[Entry] = &[
    entry(
        "E0101",
        "Something can't stand here",
        "The grammar can't go on at the place that is underlined; below it stands what could be there. Reading stops at the \
         first such place. Often a semicolon is missing in front of it, or a `>` closed a `<` block where a greater-than was \
         meant: in such a block it stands in parentheses.",
        "BEGIN { @x = 1 @y = 2; }",
        "BEGIN { @x = 1; @y = 2; }",
    ),
    entry(
        "E0102",
        "The script has no clause",
        "A script does something only where a clause names a probe. Functions, maps and macros alone are nothing to run.",
        "fn kib(n) { n / 1024 }",
        "fn kib(n) { n / 1024 }\nsys_exit { printf(\"%s\\n\", kib(args.ret)); }",
    ),
    entry(
        "E0103",
        "The text is too large, or nests too deep",
        "A script has 2 MiB at most, and at most 100 brackets are open at once, or operators stand in a row. Values that are \
         computed on the way can be kept in scratch variables.",
        DEEP,
        "BEGIN { $half = (1 + 2) * 3; @ = ($half + 4) * 5; }",
    ),
    entry(
        "E0104",
        "A word that starts like a number is none",
        "Numbers are written `10`, `1_000`, `0x1f`, `017` (octal), `1e6`, or with a unit of time: `5ms` is 5000000 \
         nanoseconds. They have 64 bits.",
        "BEGIN { @x = 5min; }",
        "BEGIN { @x = 5m; }",
    ),
    entry(
        "E0105",
        "A string has an escape that means nothing",
        "Behind a backslash stands one of n t r a b e f v, a digit of an octal number, x with a hexadecimal one, or the \
         character itself for a backslash and quotes. A backslash that is meant as such is written twice.",
        "BEGIN { printf(\"C:\\qux\\n\"); }",
        "BEGIN { printf(\"C:\\\\qux\\n\"); }",
    ),
    entry(
        "E0106",
        "A bracket, string or comment is not closed",
        "Each bracket is closed by its like, each string by a quote, each `/*` by `*/`. The place is the bracket that is open \
         where another is closed, or the one that is open at the end.",
        "BEGIN { @x = (1 + 2; }",
        "BEGIN { @x = (1 + 2); }",
    ),
    entry(
        "E0107",
        "A function is no rhai",
        "What stands in `fn name(...) { ... }` is written in rhai (https://rhai.rs/book), not in the language of clauses: it \
         runs in userspace when a record is printed. The message is rhai's own.",
        "fn twice(n) { let = n * 2; }\nBEGIN { printf(\"%s\\n\", twice(4)); }",
        "fn twice(n) { let m = n * 2; m }\nBEGIN { printf(\"%s\\n\", twice(4)); }",
    ),
    entry(
        "E0108",
        "A line of a C preprocessor that is not there",
        "Of the preprocessor only `#define NAME VALUE` works, and the lines of `#ifndef BPFTRACE_HAVE_BTF`. For more there are \
         macros with parameters: `macro name(a) { a + 1 }`.",
        "#pragma once\nBEGIN { print(1); }",
        "#define ONE 1\nBEGIN { print(ONE); }",
    ),
    entry(
        "E0109",
        "Several keys for something that is no map",
        "Only a map has several keys, `@m[a, b]`. A tuple, an array or a text has one index; a part of a part is named by two: \
         `$t[0][1]`.",
        "BEGIN { $t = ((1, 2), 3); print($t[0, 1]); }",
        "BEGIN { $t = ((1, 2), 3); print($t[0][1]); }",
    ),
    entry(
        "E0110",
        "A block that stands for a value has none",
        "A block in an expression has the value of its last expression, which no semicolon follows: `{ $x = 1; $x + 1 }`.",
        "BEGIN { @y = { $x = 1; $x + 1; }; }",
        "BEGIN { @y = { $x = 1; $x + 1 }; }",
    ),
    entry(
        "E0111",
        "A macro calls itself",
        "Macros are put in the place of their calls, so one that calls itself has no end. Loops do something again and again.",
        "macro count_down(n) { print(n); count_down(n - 1) }\nBEGIN { count_down(3); }",
        "BEGIN { for ($i : 0..3) { print(3 - $i); } }",
    ),
    entry(
        "E0112",
        "A script can't be imported",
        "An import names a file, from the directory of the script that imports it. The message says why it can't be read.",
        "import \"missing.scope\";\nBEGIN { print(1); }",
        "BEGIN { print(1); }",
    ),
    entry(
        "E0113",
        "A typedef gives no name",
        "`typedef TYPE NAME;` gives a type a second name; here the name is missing.",
        "typedef struct task_struct;\nsys_enter { @[((struct task_struct *)curtask)->prio] = count(); }",
        "typedef struct task_struct task_t;\nsys_enter { @[((task_t *)curtask)->prio] = count(); }",
    ),
    entry(
        "E0114",
        "What a #define stands for is no value",
        "`#define NAME VALUE` gives an expression a name: nothing else can stand there but a comment behind it. For \
         statements write a macro: `macro name(a) { ... }`.",
        "#define LIMIT 1 +\nBEGIN { print(LIMIT); }",
        "#define LIMIT (1 + 2)\nBEGIN { print(LIMIT); }",
    ),
    entry(
        "E0115",
        "An attribute is not known, or stands where it means nothing",
        "`packed` and `aligned(n)` say where the members of a struct lie; those that say nothing of it are skipped. Others might, \
         so they are refused: leave one out that does not matter.",
        "struct pair { char a; int b; } __attribute__((mode(8)));\nBEGIN { print(sizeof(struct pair)); }",
        "struct pair { char a; int b; } __attribute__((packed));\nBEGIN { print(sizeof(struct pair)); }",
    ),
];

/// Brackets that nest deeper than the parser goes.
const DEEP: &str = "BEGIN { @ = \
    (((((((((((((((((((((((((((((((((((((((((((((((((((((((((((((((((((((((((((((((((((((((((((((((((((((1\
    ))))))))))))))))))))))))))))))))))))))))))))))))))))))))))))))))))))))))))))))))))))))))))))))))))))); }";
