//! Tests of the reader on what kernels write and on what nobody should.

use super::*;
use crate::ctypes::fixture::{self, BtfBuilder};
use crate::ctypes::{CType, Member, Named, TypeId, Types};

fn open(builder: &BtfBuilder) -> Types {
    Types::new(Some(Btf::open(builder.finish()).expect("a BTF")))
}

#[test]
fn all_kinds_are_stepped_over() {
    let mut builder = BtfBuilder::default();
    let int = builder.int("int", 4, true);
    builder.raw("variable", VAR << 24, int, &[1]);
    builder.raw(".data", DATASEC << 24 | 2, 8, &[1, 0, 4, 1, 4, 4]);
    builder.raw("tag", DECL_TAG << 24, int, &[u32::MAX]);
    builder.float("double", 8);
    builder.enumeration("wide", 8, false, &[("W".to_owned(), -2)]);
    let target = builder.structure("target", false, 4, &[("x", int, 0, None)]);
    let pointer = builder.pointer(target);
    let tag = builder.qualified(Qualifier::Tag, target);
    let user = builder.pointer(tag);
    let volatile = builder.qualified(Qualifier::Volatile, int);
    let restrict = builder.qualified(Qualifier::Restrict, pointer);
    let prototype = builder.prototype(0, &[("p", user)]);
    builder.function("last", prototype);
    let types = open(&builder);
    assert_eq!(types.function("last").map(|function| function.parameters), Some(vec![("p".to_owned(), TypeId(user))]));
    assert_eq!(types.describe(TypeId(user)), "struct target *");
    assert_eq!(types.element(TypeId(user)).map(|id| types.get(id)), Some(types.get(TypeId(target))));
    assert_eq!(types.describe(TypeId(volatile)), "volatile int");
    assert_eq!(types.describe(TypeId(restrict)), "struct target *restrict");
    assert_eq!(types.get(TypeId(volatile)), CType::Int { size: 4, signed: true });
    assert_eq!(types.enumerator("W").map(|(_, value)| value), Some(-2));
}

#[test]
fn old_bit_fields_are_integers_of_few_bits() {
    let mut builder = BtfBuilder::default();
    let int = builder.int("int", 4, true);
    let few = builder.raw("unsigned int", INT << 24, 4, &[2 << 16 | 3]);
    builder.structure("old", false, 4, &[("a", int, 0, None), ("b", few, 8, None)]);
    let types = open(&builder);
    let member = types.find_member(types.named(Named::Struct, "old").expect("a struct"), "b");
    assert_eq!(member, Some(Member { name: "b".to_owned(), ty: TypeId(few), bit_offset: 10, bits: Some(3) }));
}

#[test]
fn a_struct_that_is_only_named_is_found_elsewhere() {
    let mut builder = BtfBuilder::default();
    let forward = builder.forward("whole", false);
    let union = builder.forward("nowhere", true);
    builder.structure("whole", false, 12, &[]);
    let types = open(&builder);
    assert_eq!(types.size_of(TypeId(forward)), Some(12));
    assert_eq!(types.get(TypeId(union)), CType::Incomplete { name: "nowhere".to_owned() });
    assert_eq!(types.describe(TypeId(union)), "union nowhere");
}

#[test]
fn packed_structs_have_no_alignment() {
    let mut builder = BtfBuilder::default();
    let int = builder.int("int", 4, true);
    let packed = builder.structure("packed", false, 5, &[("a", int, 8, None)]);
    let short = builder.structure("short", false, 6, &[("a", int, 0, None)]);
    let types = open(&builder);
    assert_eq!((types.align_of(TypeId(packed)), types.align_of(TypeId(short)), types.align_of(TypeId(int))), (1, 1, 4));
}

#[test]
fn circles_come_to_an_end() {
    let mut builder = BtfBuilder::default();
    builder.typedef("one", 2);
    builder.typedef("two", 1);
    builder.pointer(3);
    builder.array(4, 2);
    builder.structure("inside", false, 8, &[("", 5, 0, None), ("x", 5, 0, None), ("y", 1, 0, None)]);
    builder.qualified(Qualifier::Const, 6);
    builder.prototype(7, &[]);
    builder.function("f", 8);
    let types = open(&builder);
    use_all(&types);
    assert_eq!(types.get(TypeId(1)), CType::Void);
    assert_eq!(types.size_of(TypeId(4)), None);
    assert_eq!(types.describe(TypeId(3)), "a type without end");
}

#[test]
fn nested_structs_take_no_more_time_than_there_are() {
    let mut builder = BtfBuilder::default();
    // Each holds the next twice: 2^2000 paths.
    for id in 1..=2000 {
        builder.structure("", false, 8, &[("", id + 1, 0, None), ("", id + 1, 0, None)]);
    }
    builder.structure("last", false, 8, &[("", 1, 0, None)]);
    let types = open(&builder);
    assert_eq!(types.named_members(TypeId(1)), []);
    assert_eq!(types.align_of(TypeId(1)), 1);
}

/// Asks everything of all types, those that there are not as well.
fn use_all(types: &Types) {
    let count = types.btf.as_ref().map_or(0, Btf::count);
    for id in (0..count + 2).chain([u32::MAX]).map(TypeId) {
        let _ = (types.get(id), types.size_of(id), types.align_of(id), types.describe(id));
        let _ = (types.members(id), types.named_members(id), types.enumerators(id), types.element(id));
        let _ = (types.find_member(id, "pid"), types.similar_member(id, "pidd", 3));
    }
    for kind in [Named::Struct, Named::Union, Named::Enum, Named::Typedef, Named::Function] {
        for name in ["task", "either", "state", "wide", "number", "wake", "", "\0", "nothing"] {
            let _ = (types.named(kind, name), types.similar(kind, name, 3));
        }
    }
    for name in ["RUNNING", "WIDE", "nothing", ""] {
        let _ = (types.enumerator(name), types.function("wake"));
    }
}

fn small() -> Vec<u8> {
    fixture::btf(
        "typedef unsigned int number; enum state { RUNNING, DONE = 5 }; enum wide { WIDE = 0x100000000 };
        union either { int a; struct { char b; long c; }; };
        struct task { number pid; char comm[16]; struct task *parent; unsigned int flag:3; enum state state;
        union { union either e; const char *name; }; struct other *other; double d; bool on; };
        int wake(struct task *p, ...);",
    )
}

#[test]
fn a_cut_btf_is_refused_or_read_without_harm() {
    let bytes = small();
    for cut in 0..bytes.len() {
        assert!(Btf::open(&bytes[..cut]).is_err(), "cut at {cut}");
    }
    // The strings may be short: then names are missing.
    for strings in 0..bytes.len() as u32 {
        let mut bytes = bytes.clone();
        bytes[20..24].copy_from_slice(&strings.to_ne_bytes());
        if let Ok(btf) = Btf::open(bytes) {
            use_all(&Types::new(Some(btf)));
        }
    }
}

#[test]
fn a_damaged_btf_does_no_harm() {
    let bytes = small();
    let mut state = 1u64;
    let mut random = |below: usize| {
        state = state.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
        (state >> 33) as usize % below
    };
    let mut opened = 0;
    for _ in 0..4000 {
        let mut bytes = bytes.clone();
        for _ in 0..=random(4) {
            let at = random(bytes.len());
            bytes[at] ^= 1 << random(8);
        }
        if let Ok(btf) = Btf::open(bytes) {
            opened += 1;
            use_all(&Types::new(Some(btf)));
        }
    }
    assert!(opened > 1000, "{opened}");
}

#[test]
fn what_is_no_btf_is_refused() {
    let bytes = small();
    let with = |at: usize, byte: u8| {
        let mut bytes = bytes.clone();
        bytes[at] = byte;
        Btf::open(bytes).err().map(|problem| problem.to_string())
    };
    assert_eq!(with(0, 0).as_deref(), Some("no BTF of this machine's byte order"));
    assert_eq!(with(2, 9).as_deref(), Some("a BTF of another version"));
    assert_eq!(with(4, 255).as_deref(), Some("the BTF ends too early"));
    assert_eq!(with(24 + 7, 31).as_deref(), Some("a BTF with an unknown kind of type"));
}

/// The types and the strings of a BTF.
fn sections(bytes: &[u8]) -> [Vec<u8>; 2] {
    let field = |at: usize| u32::from_ne_bytes(bytes[at..at + 4].try_into().expect("four bytes")) as usize;
    [8, 16].map(|at| bytes[field(4) + field(at)..][..field(at + 4)].to_vec())
}

#[test]
fn a_module_goes_on_where_the_kernel_ends() {
    let mut builder = BtfBuilder::default();
    let int = builder.int("int", 4, true);
    builder.structure("own", false, 4, &[("x", int, 0, None)]);
    let kernel = builder.finish();
    let added = builder.structure("added", false, 8, &[("first", int, 0, None), ("y", int, 32, None)]);
    let pointer = builder.pointer(added);
    let prototype = builder.prototype(int, &[("a", pointer)]);
    builder.function("of_module", prototype);
    let whole = builder.finish();
    // What a module's file holds is what the whole has behind the kernel's.
    let ([types, strings], [kernel_types, kernel_strings]) = (sections(&whole), sections(&kernel));
    let (types, strings) = (&types[kernel_types.len()..], &strings[kernel_strings.len()..]);
    let mut module = whole[..4].to_vec();
    for field in [24, 0, types.len(), types.len(), strings.len()] {
        module.extend((field as u32).to_ne_bytes());
    }
    module.extend(types);
    module.extend(strings);
    let types = Types::new(Some(Btf::open_module(&kernel, &module).expect("a BTF")));
    let function = types.function("of_module").expect("a function");
    assert_eq!(function.parameters, vec![("a".to_owned(), TypeId(pointer))]);
    assert_eq!(types.find_member(TypeId(added), "y").map(|member| member.bit_offset), Some(32));
    assert_eq!(types.named(Named::Struct, "own").and_then(|id| types.size_of(id)), Some(4));
    // A file that is cut is no BTF.
    for len in 0..module.len() {
        assert!(Btf::open_module(&kernel, &module[..len]).is_err(), "{len}");
    }
}
