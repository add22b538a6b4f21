//! Tests of the whole model: of types that BTF describes, and of the same ones declared by a script.

use super::*;

const DECLARATIONS: &str = "
struct plain { char a; short b; char c; int d; char e; long f; };
struct arrays { char comm[16]; unsigned short ports[3]; long v[2]; char *names[4]; unsigned char tail; };
struct nested { char a; struct { char b; long c; }; union { int d; char e[7]; }; struct { short f; } g[3]; };
union mixed { char a; int b; char c[9]; double d; };
struct bits { unsigned int a:3; unsigned int b:30; int c:5; char d; int e:4; };
struct bits2 { char a; unsigned int b:4; unsigned int c:20; unsigned int d:1; long e:40; long f:30; };
struct bits3 { char a:3; char b:6; short c:9; _Bool d:1; unsigned long e:1; };
struct bits4 { char a; int :0; char b; int :5; char c; long :40; char d; };
struct bits5 { int a:1; int :0; int b:1; };
struct bits6 { short a; int :17; char b; };
struct bits7 { unsigned char a:4; unsigned int b:28; unsigned long c:33; unsigned char d:1; };
struct bits8 { int a:31; long b:34; int c; };
union bits9 { unsigned int a:3; unsigned char b:7; long :40; };
struct flex { int n; char data[]; };
struct flex2 { char n; long data[]; };
struct wide { char a; __int128 b; float c; double d; long double e; char f; };
struct holder { char a; struct plain b; union mixed c; struct bits d; struct flex *e; };
enum small { A, B, C = 7 };
enum neg { N = -1, M };
enum big { BIG = 0x100000000, BIGGER };
struct enums { char a; enum small b; char c; enum big d; enum neg e; enum small f:3; };
struct none { };
struct around { char a; struct none b; short c; };
struct fn { char a; int (*open)(int, char *); void (*table[2])(void); };
struct deep { char a; struct { char b; struct { char c; union { long d; int e; }; }; }; };
typedef struct plain plain_t;
struct typed { char a; plain_t b; plain_t *c; };
";

/// A type, its size and alignment, and where its members begin, in bits.
type Row = (&'static str, u32, u32, &'static [(&'static str, u32)]);

/// What `cc` says on x86-64.
const LAYOUTS: &[Row] = &[
    ("struct plain", 24, 8, &[("a", 0), ("b", 16), ("c", 32), ("d", 64), ("e", 96), ("f", 128)]),
    ("struct arrays", 80, 8, &[("comm", 0), ("ports", 128), ("v", 192), ("names", 320), ("tail", 576)]),
    ("struct nested", 40, 8, &[("a", 0), ("b", 64), ("c", 128), ("d", 192), ("e", 192), ("g", 256)]),
    ("union mixed", 16, 8, &[("a", 0), ("b", 0), ("c", 0), ("d", 0)]),
    ("struct bits", 12, 4, &[("a", 0), ("b", 32), ("c", 64), ("d", 72), ("e", 80)]),
    ("struct bits2", 24, 8, &[("a", 0), ("b", 8), ("c", 12), ("d", 32), ("e", 64), ("f", 128)]),
    ("struct bits3", 8, 8, &[("a", 0), ("b", 8), ("c", 16), ("d", 25), ("e", 26)]),
    ("struct bits4", 14, 1, &[("a", 0), ("b", 32), ("c", 48), ("d", 104)]),
    ("struct bits5", 8, 4, &[("a", 0), ("b", 32)]),
    ("struct bits6", 8, 2, &[("a", 0), ("b", 56)]),
    ("struct bits7", 16, 8, &[("a", 0), ("b", 4), ("c", 64), ("d", 97)]),
    ("struct bits8", 24, 8, &[("a", 0), ("b", 64), ("c", 128)]),
    ("union bits9", 8, 4, &[("a", 0), ("b", 0)]),
    ("struct flex", 4, 4, &[("n", 0), ("data", 32)]),
    ("struct flex2", 8, 8, &[("n", 0), ("data", 64)]),
    ("struct wide", 80, 16, &[("a", 0), ("b", 128), ("c", 256), ("d", 320), ("e", 384), ("f", 512)]),
    ("struct holder", 72, 8, &[("a", 0), ("b", 64), ("c", 256), ("d", 384), ("e", 512)]),
    ("struct enums", 32, 8, &[("a", 0), ("b", 32), ("c", 64), ("d", 128), ("e", 192), ("f", 224)]),
    ("struct around", 4, 2, &[("a", 0), ("b", 8), ("c", 16)]),
    ("struct fn", 32, 8, &[("a", 0), ("open", 64), ("table", 128)]),
    ("struct deep", 32, 8, &[("a", 0), ("b", 64), ("c", 128), ("d", 192), ("e", 192)]),
    ("struct typed", 40, 8, &[("a", 0), ("b", 64), ("c", 256)]),
];

fn declared(text: &str) -> Types {
    let types = Types::new(None);
    types.declare(&fixture::source(text).declarations).expect("no errors");
    types
}

fn tagged(types: &Types, name: &str) -> TypeId {
    let (kind, name) = name.split_once(' ').expect("a tag");
    let kind = match kind {
        "struct" => Named::Struct,
        "union" => Named::Union,
        _ => Named::Enum,
    };
    types.named(kind, name).unwrap_or_else(|| panic!("no {name}"))
}

#[test]
fn members_lie_where_a_c_compiler_puts_them() {
    for (types, declared) in [(declared(DECLARATIONS), true), (fixture::types(DECLARATIONS), false)] {
        for (name, size, align, members) in LAYOUTS {
            let id = tagged(&types, name);
            assert_eq!(types.size_of(id), Some(*size), "{name}");
            // BTF has no alignment: where an anonymous bit field fills or a packed struct might be, it is guessed.
            if declared || *align == 8 {
                assert_eq!(types.align_of(id), *align, "{name}");
            }
            for (member, bit_offset) in *members {
                let found = types.find_member(id, member).map(|member| member.bit_offset);
                assert_eq!(found, Some(*bit_offset), "{name}.{member}");
            }
        }
        for (name, size) in [("enum small", 4), ("enum neg", 4), ("enum big", 8)] {
            assert_eq!(types.size_of(tagged(&types, name)), Some(size), "{name}");
        }
    }
}

#[test]
fn bit_fields_keep_their_widths() {
    for types in [declared(DECLARATIONS), fixture::types(DECLARATIONS)] {
        let widths = |name| {
            let members = types.members(tagged(&types, name));
            members.into_iter().map(|member| member.bits).collect::<Vec<_>>()
        };
        assert_eq!(widths("struct bits"), [Some(3), Some(30), Some(5), None, Some(4)]);
        assert_eq!(widths("struct bits4"), [None; 4]);
        assert_eq!(widths("struct flex"), [None, None]);
    }
}

#[test]
fn a_type_is_what_it_is_behind_its_names() {
    let text = "typedef unsigned int pid_t; typedef pid_t mine; enum state { DEAD = -1, RUNNING, DONE = 5 };
        struct task { const mine pid; char comm[16]; bool on; enum state state; struct task *parent; void *(*run)(int);
        struct unknown *other; const char *const name; float load; char *argv[2][3]; };";
    for types in [declared(text), fixture::types(text)] {
        let task = tagged(&types, "struct task");
        let ty = |name: &str| types.find_member(task, name).expect(name).ty;
        assert_eq!(types.get(task), CType::Struct { name: "task".to_owned(), union: false, size: 120 });
        assert_eq!(types.get(ty("pid")), CType::Int { size: 4, signed: false });
        assert_eq!(types.get(ty("on")), CType::Bool);
        assert_eq!(types.get(ty("load")), CType::Float { size: 4 });
        assert_eq!(types.get(ty("state")), CType::Enum { name: "state".to_owned(), size: 4, signed: true });
        let element = types.element(ty("comm")).expect("an array");
        assert_eq!((types.get(ty("comm")), types.size_of(ty("comm"))), (CType::Array(element, 16), Some(16)));
        assert_eq!(types.get(element), CType::Char { signed: true });
        assert_eq!(types.element(ty("parent")), Some(task));
        let other = types.element(ty("other")).expect("a pointer");
        assert_eq!(types.get(other), CType::Incomplete { name: "unknown".to_owned() });
        assert_eq!((types.size_of(other), types.members(other)), (None, Vec::new()));
        let names = ["pid", "comm", "on", "state", "parent", "run", "other", "name", "load", "argv"];
        let spelt = names.map(|name| types.describe(ty(name)));
        let expected =
            ["const mine", "char[16]", "bool", "enum state", "struct task *", "void (*)()", "struct unknown *"];
        assert_eq!(spelt[..2], expected[..2]);
        assert!(spelt[2] == "bool" || spelt[2] == "_Bool");
        assert_eq!(spelt[3..7], expected[3..]);
        assert_eq!(spelt[7..], ["const char *", "float", "char *[2][3]"]);
        let state = ty("state");
        let values = [("DEAD".to_owned(), -1), ("RUNNING".to_owned(), 0), ("DONE".to_owned(), 5)];
        assert_eq!(types.enumerators(state), values);
        assert_eq!(types.enumerator("DONE"), Some((types.strip(state), 5)));
        assert_eq!(types.enumerator("UNDONE"), None);
        assert_eq!(types.size_of(types.named(Named::Typedef, "mine").expect("a typedef")), Some(4));
    }
}

#[test]
fn spelling_follows_c() {
    let types = Types::new(None);
    let (char, int) = (types.char(), types.int(4, false));
    let pointer = types.pointer_to(char);
    assert_eq!(types.describe(types.void()), "void");
    assert_eq!(types.describe(int), "unsigned int");
    assert_eq!(types.describe(types.pointer_to(types.array_of(int, 4))), "unsigned int (*)[4]");
    assert_eq!(types.describe(types.array_of(pointer, 4)), "char *[4]");
    assert_eq!(types.describe(types.derive(Derived::Const(pointer))), "char *const");
    assert_eq!(types.describe(types.pointer_to(types.derive(Derived::Const(pointer)))), "char *const *");
    assert_eq!(types.pointer_to(char), pointer);
}

#[test]
fn functions_have_signatures() {
    let types = fixture::types(
        "struct file { int x; }; long vfs_read(struct file *file, char *, u64 n); int printk(const char *f, ...); void sync(void);",
    );
    let spelt = |name| {
        let function = types.function(name)?;
        let parameters = function.parameters.iter().map(|(name, ty)| (name.clone(), types.describe(*ty)));
        Some((types.describe(function.returns), parameters.collect::<Vec<_>>(), function.variadic))
    };
    let named = |name: &str, ty: &str| (name.to_owned(), ty.to_owned());
    let read = vec![named("file", "struct file *"), named("", "char *"), named("n", "unsigned long")];
    assert_eq!(spelt("vfs_read"), Some(("long".to_owned(), read, false)));
    assert_eq!(spelt("printk"), Some(("int".to_owned(), vec![named("f", "const char *")], true)));
    assert_eq!(spelt("sync"), Some(("void".to_owned(), Vec::new(), false)));
    assert_eq!(spelt("vfs_wead"), None);
    assert_eq!(types.similar(Named::Function, "vfs_wead", 3), ["vfs_read"]);
    assert_eq!(types.get(types.named(Named::Function, "sync").expect("a function")), CType::Function);
}

#[test]
fn functions_learned_at_once_are_the_same() {
    let text = "long vfs_read(char *, unsigned long n); void sync(void);";
    let (one_by_one, at_once) = (fixture::types(text), fixture::types(text));
    at_once.learn_functions();
    for name in ["vfs_read", "sync", "vfs_wead"] {
        assert_eq!(at_once.function(name), one_by_one.function(name), "{name}");
    }
}

#[test]
fn what_a_script_declares_hides_the_kernels() {
    let types = fixture::types("struct file { int x; }; enum e { A = 1, B }; typedef int size;");
    let source = fixture::source(
        "struct file { long y; }; enum f { A = 7 }; typedef char size; struct own { struct file f; enum e e; };",
    );
    types.declare(&source.declarations).expect("no errors");
    let file = tagged(&types, "struct file");
    assert_eq!((types.size_of(file), types.find_member(file, "x")), (Some(8), None));
    assert_eq!(
        (types.enumerator("A").map(|found| found.1), types.enumerator("B").map(|found| found.1)),
        (Some(7), Some(2))
    );
    assert_eq!(types.size_of(types.named(Named::Typedef, "size").expect("a typedef")), Some(1));
    assert_eq!(types.size_of(tagged(&types, "struct own")), Some(16));
}

#[test]
fn misspelt_names_find_the_near_ones() {
    let types = fixture::types(
        "struct task_struct { int real_parent; int pid; struct { int realtime; }; }; struct inode { int i; };",
    );
    assert_eq!(types.similar(Named::Struct, "task_strct", 3), ["task_struct"]);
    assert_eq!(types.similar(Named::Struct, "zzz", 3), Vec::<String>::new());
    let task = tagged(&types, "struct task_struct");
    assert_eq!(types.similar_member(task, "real_parnet", 1), ["real_parent"]);
    assert_eq!(types.similar_member(task, "realtme", 1), ["realtime"]);
}
