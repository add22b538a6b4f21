//! The codes of C's types: E03xx.

use super::{Entry, entry};

pub(super) const ENTRIES: &[Entry] = &[
    entry(
        "E0327",
        "An argument has a type that scripts can't read",
        "The tracepoint's own description gives the argument a type or a place that has no meaning here, such as a text \
         that lies where only the record tells. Other arguments can be read all the same.",
        "tracepoint:user_events:request { @ = args.path; }",
        "tracepoint:user_events:request { @[args.status] = count(); }",
    ),
    entry(
        "E0334",
        "This has no type of C",
        "A C type is needed here. `typeof` gives that of a number, a pointer, a text or what lies in memory; tuples, stacks and \
         names have none, though they have a size.",
        "BEGIN { print(offsetof(typeof((1, 2)), a)); }",
        "BEGIN { print(sizeof(typeof((1, 2)))); }",
    ),
    entry(
        "E0335",
        "A type has no value, or one too large",
        "What is kept or sent has 4096 bytes at most, and a size that is known. A member of a large struct, or a pointer to \
         it, can be used all the same.",
        "BEGIN { print(sizeof(void)); }",
        "BEGIN { print(sizeof(void *)); }",
    ),
    entry(
        "E0336",
        "A value can't be cast so",
        "Numbers and pointers are cast to each other, a struct is reached through a pointer: `*(struct NAME *)address`.",
        "sys_enter { @ = (uint32)comm; }",
        "sys_enter { @ = (uint32)pid; }",
    ),
    entry(
        "E0337",
        "This has no address",
        "`&` works on what is read through a pointer. Maps and scratch variables have no address that a script can name, and \
         bit fields no offset in bytes.",
        "sys_enter { $x = 1; @ = &$x; }",
        "sys_enter { @ = &curtask->prio; }",
    ),
    entry(
        "E0340",
        "There is no such type",
        "Neither the kernel nor the script declares it. A struct of the kernel is written with the word: `struct task_struct`.",
        "sys_enter { @[((struct task_strct *)curtask)->prio] = count(); }",
        "sys_enter { @[((struct task_struct *)curtask)->prio] = count(); }",
    ),
    entry(
        "E0341",
        "A type is used by value whose members are not known",
        "A member of a struct, or of an array, takes room: its type has to be declared before. A pointer needs only the name.",
        "struct list { struct node *last; struct node first; };\nBEGIN { print(sizeof(struct list)); }",
        "struct list { struct node *last; struct node *first; };\nBEGIN { print(sizeof(struct list)); }",
    ),
    entry(
        "E0342",
        "Two members have one name",
        "The members of a struct are told apart by their names; those of a struct without a name in it count as its own.",
        "struct pair { int a; int a; };\nBEGIN { print(sizeof(struct pair)); }",
        "struct pair { int a; int b; };\nBEGIN { print(sizeof(struct pair)); }",
    ),
    entry(
        "E0343",
        "A bit field does not fit its type",
        "A bit field is an integer, and has no more bits than it.",
        "struct flags { char mode : 9; };\nBEGIN { print(sizeof(struct flags)); }",
        "struct flags { short mode : 9; };\nBEGIN { print(sizeof(struct flags)); }",
    ),
    entry(
        "E0344",
        "A struct would hold itself",
        "A struct that has a member of its own type would have no end. Hold a pointer.",
        "struct node { struct node next; };\nBEGIN { print(sizeof(struct node)); }",
        "struct node { struct node *next; };\nBEGIN { print(sizeof(struct node)); }",
    ),
    entry(
        "E0345",
        "A type or enumerator is declared twice",
        "One declaration is enough. What the kernel declares may be declared again by the script, which goes before.",
        "enum first { RED };\nenum second { RED };\nBEGIN { print(RED); }",
        "enum first { RED };\nenum second { GREEN };\nBEGIN { print(RED); }",
    ),
    entry(
        "E0346",
        "A type is too large",
        "A struct has 512 MiB at most, a value of an enum 64 bits, and arrays and structs nest to a bound.",
        "struct huge { char bytes[9999999999]; };\nBEGIN { print(sizeof(struct huge)); }",
        "struct huge { char bytes[4096]; };\nBEGIN { print(sizeof(struct huge)); }",
    ),
    entry(
        "E0368",
        "An array of no length stands where others follow",
        "Only the last member of a struct may be an array of any length: what follows would have no place.",
        "struct text { char bytes[]; int length; };\nBEGIN { print(sizeof(struct text)); }",
        "struct text { int length; char bytes[]; };\nBEGIN { print(sizeof(struct text)); }",
    ),
];
