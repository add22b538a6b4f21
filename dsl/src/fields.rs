//! The fields of a tracepoint: its `format` file, read.

/// One field of a tracepoint's record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Field {
    /// Its name.
    pub name: String,
    /// Where it lies in the record, in bytes.
    pub offset: u32,
    /// What it holds.
    pub shape: Shape,
    /// Its C declaration, for people.
    pub declaration: String,
}

/// How a field's value lies in the record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shape {
    /// A number of 1, 2, 4 or 8 bytes.
    Number {
        /// Bytes.
        size: u32,
        /// Whether it has a sign.
        signed: bool,
    },
    /// An address.
    Pointer,
    /// A text in the record, NUL-padded.
    Chars {
        /// Bytes.
        len: u32,
    },
    /// A text behind the record: a word holds its offset and length.
    DataLocation,
    /// Bytes behind the record, as many as they are: a word holds their offset and length.
    LocatedBytes,
    /// Numbers in the record.
    Numbers {
        /// Bytes of one.
        size: u32,
        /// How many.
        count: u32,
        /// Whether they have a sign.
        signed: bool,
    },
    /// Something that the language has no value for.
    Other,
}

/// Reads a `format` file: the fields behind the common ones.
///
/// The fields of a system call lie in slots of 8 bytes whatever their type; those whose C type has 32 bits are given
/// so, since the upper half of the register means nothing to the kernel.
#[must_use]
pub fn parse(format: &str, category: &str) -> Vec<Field> {
    let lines = format.lines().filter_map(|line| line.trim().strip_prefix("field:"));
    let fields = lines.filter_map(|line| {
        let mut parts = line.split(';').map(str::trim);
        let declaration = parts.next()?;
        let number = |part: Option<&str>, key: &str| part?.strip_prefix(key)?.parse::<u32>().ok();
        let offset = number(parts.next(), "offset:")?;
        let size = number(parts.next(), "size:")?;
        let signed = number(parts.next(), "signed:") == Some(1);
        let (kind, name) = split_declaration(declaration);
        let shape = shape(kind, declaration, size, signed, category == "syscalls");
        Some(Field { name: name.to_owned(), offset, shape, declaration: declaration.to_owned() })
    });
    fields.filter(|field| !field.name.starts_with("common_")).collect()
}

/// Splits `const char * filename` or `char comm[16]` into type and name.
fn split_declaration(declaration: &str) -> (&str, &str) {
    let bare = declaration.split_once('[').filter(|_| !is_location(declaration)).map_or(declaration, |(bare, _)| bare);
    let at = bare.trim_end().rfind([' ', '*']).map_or(0, |at| at + 1);
    (bare[..at].trim(), bare[at..].trim())
}

/// Whether a field only says where the value lies, which follows the record.
fn is_location(declaration: &str) -> bool {
    declaration.starts_with("__data_loc") || declaration.starts_with("__rel_loc")
}

fn shape(kind: &str, declaration: &str, size: u32, signed: bool, syscall: bool) -> Shape {
    if is_location(declaration) {
        return match declaration.strip_prefix("__data_loc ") {
            Some(rest) if rest.starts_with("char[]") => Shape::DataLocation,
            Some(_) => Shape::LocatedBytes,
            None => Shape::Other,
        };
    }
    if declaration.ends_with(']') {
        let count = declaration.rsplit_once('[').and_then(|(_, count)| count.trim_end_matches(']').parse::<u32>().ok());
        let chars = matches!(kind, "char" | "const char" | "unsigned char" | "u8" | "__u8");
        return match count.filter(|count| *count > 0) {
            _ if chars && kind.ends_with("char") && size <= 256 => Shape::Chars { len: size },
            Some(count) if matches!(size / count, 1 | 2 | 4 | 8) => {
                Shape::Numbers { size: size / count, count, signed }
            }
            _ => Shape::Other,
        };
    }
    if kind.ends_with('*') {
        return Shape::Pointer;
    }
    if syscall && size == 8 {
        return match kind {
            "int" | "pid_t" | "clockid_t" | "const clockid_t" | "timer_t" | "key_serial_t" | "mqd_t" | "rwf_t"
            | "__s32" => Shape::Number { size: 4, signed: true },
            "unsigned int" | "unsigned" | "u32" | "__u32" | "uid_t" | "gid_t" | "qid_t" | "old_uid_t" | "old_gid_t" => {
                Shape::Number { size: 4, signed: false }
            }
            "umode_t" => Shape::Number { size: 2, signed: false },
            "long" | "loff_t" | "off_t" | "ssize_t" | "old_time_t" => Shape::Number { size: 8, signed: true },
            _ => Shape::Number { size: 8, signed },
        };
    }
    match size {
        1 | 2 | 4 | 8 => Shape::Number { size, signed },
        _ => Shape::Other,
    }
}

/// How many of a system call's fields are its arguments.
#[must_use]
pub fn arguments(fields: &[Field]) -> usize {
    fields.iter().filter(|field| field.name != "__syscall_nr").count()
}

#[cfg(test)]
mod tests {
    use super::*;

    const OPENAT: &str = "name: sys_enter_openat
ID: 782
format:
\tfield:unsigned short common_type;\toffset:0;\tsize:2;\tsigned:0;
\tfield:int common_pid;\toffset:4;\tsize:4;\tsigned:1;

\tfield:int __syscall_nr;\toffset:8;\tsize:4;\tsigned:1;
\tfield:int dfd;\toffset:16;\tsize:8;\tsigned:0;
\tfield:const char * filename;\toffset:24;\tsize:8;\tsigned:0;
\tfield:umode_t mode;\toffset:40;\tsize:8;\tsigned:0;
";

    #[test]
    fn a_system_calls_fields_have_the_width_of_their_c_type() {
        let fields = parse(OPENAT, "syscalls");
        let short = fields.iter().map(|field| (field.name.as_str(), field.offset, field.shape)).collect::<Vec<_>>();
        let number = |size, signed| Shape::Number { size, signed };
        assert_eq!(
            short,
            [
                ("__syscall_nr", 8, number(4, true)),
                ("dfd", 16, number(4, true)),
                ("filename", 24, Shape::Pointer),
                ("mode", 40, number(2, false)),
            ]
        );
    }

    #[test]
    fn arrays_and_texts_are_told_apart() {
        let line = |declaration: &str, size: u32| {
            let text = format!("\tfield:{declaration};\toffset:8;\tsize:{size};\tsigned:0;\n");
            let field = parse(&text, "sched").remove(0);
            (field.name, field.shape)
        };
        assert_eq!(line("char prev_comm[16]", 16), ("prev_comm".to_owned(), Shape::Chars { len: 16 }));
        assert_eq!(line("__data_loc char[] name", 4), ("name".to_owned(), Shape::DataLocation));
        assert_eq!(line("__data_loc u64[] phys_addrs", 4), ("phys_addrs".to_owned(), Shape::LocatedBytes));
        let six = Shape::Numbers { size: 8, count: 6, signed: false };
        assert_eq!(line("unsigned long args[6]", 48), ("args".to_owned(), six));
        assert_eq!(line("__u8 saddr[4]", 4), ("saddr".to_owned(), Shape::Numbers { size: 1, count: 4, signed: false }));
        assert_eq!(line("void *skb", 8), ("skb".to_owned(), Shape::Pointer));
        assert_eq!(line("bool ok", 1), ("ok".to_owned(), Shape::Number { size: 1, signed: false }));
    }
}
