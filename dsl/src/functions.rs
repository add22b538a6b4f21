//! The table of functions that the language has; those of a script's own are rhai's.

/// A function of the language.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "each is the function of its name; the table says what it does")]
pub enum Function {
    Count,
    Sum,
    Min,
    Max,
    Avg,
    Hist,
    Printf,
    Print,
    Clear,
    Zero,
    Delete,
    Exit,
    Time,
    Str,
    SyscallName,
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
}

macro_rules! table {
    ($($name:literal $function:ident $role:ident $least:literal..$most:literal $signature:literal $summary:literal)*) => {
        /// All functions, by name.
        pub const TABLE: &[Row] = &[$(Row {
            name: $name,
            function: Function::$function,
            role: Role::$role,
            arity: ($least, $most),
            signature: $signature,
            summary: $summary,
        }),*];
    };
}

table! {
    "avg" Avg Aggregation 1..1 "@m = avg(n)" "the average of n"
    "clear" Clear Action 1..1 "clear(@m)" "removes all entries of a map"
    "count" Count Aggregation 0..0 "@m = count()" "how often the statement ran"
    "delete" Delete Action 1..2 "delete(@m[key])" "removes one entry, or with a bare scalar map its value"
    "exit" Exit Action 0..1 "exit(status)" "ends the trace, with exit status 0 unless one is given"
    "hist" Hist Aggregation 1..1 "@m = hist(n)" "a histogram of n with a bucket for each power of two"
    "max" Max Aggregation 1..1 "@m = max(n)" "the greatest n"
    "min" Min Aggregation 1..1 "@m = min(n)" "the least n"
    "print" Print Action 1..3 "print(@m, top, divisor)" "prints a map, or any value; of a map the top entries only, divided by the divisor"
    "printf" Printf Action 1..64 "printf(\"format\", ...)" "prints values as C's printf does"
    "str" Str Value 1..2 "str(pointer, n)" "the text at an address, n bytes at most with the final NUL"
    "sum" Sum Aggregation 1..1 "@m = sum(n)" "the sum of n"
    "syscall_name" SyscallName Value 1..1 "syscall_name(n)" "the name of a system call's number"
    "time" Time Action 0..1 "time(\"%H:%M:%S\\n\")" "prints the time of day, by strftime's format"
    "zero" Zero Action 1..1 "zero(@m)" "sets all values of a map to zero and keeps its keys"
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
