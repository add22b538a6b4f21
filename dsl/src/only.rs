//! What the command line says of whom to watch, as a part of the script: a predicate that all clauses of the kernel have
//! besides their own, and clauses that keep count of the processes that descend from one.

use std::fmt::Write;

use crate::ast::Script;
use crate::diagnostic::Diagnostics;
use crate::parse::parse;
use crate::source::Source;

/// Whom to watch: all that holds.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Only {
    /// Tasks of this name.
    pub comm: Option<String>,
    /// Tasks of this user.
    pub uid: Option<u32>,
    /// Tasks of this cgroup, by its id, and of those below it if it is known how deep it lies.
    pub cgroup: Option<(u64, Option<u32>)>,
    /// Tasks of this namespace of processes, by its inode number.
    pub pid_namespace: Option<u32>,
    /// Only this process, by its number in a namespace that lies in others.
    pub inner: Option<Inner>,
    /// This process, and all that descend from it from now on.
    pub family: Option<u32>,
}

/// A process of a namespace that lies in others.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Inner {
    /// Its number there.
    pub pid: u32,
    /// How deep the namespace lies.
    pub level: u32,
    /// The namespace's inode number.
    pub namespace: u32,
}

/// The map of the processes that are watched; it is scope's own, and not shown.
pub const FAMILY: &str = "@scope_family";

/// Keeps count of a family: a child belongs to it before its first instruction, until nothing is left of it.
const KEEPING: &str = "let @scope_family = hash(65536);
tracepoint:sched:sched_process_fork /has_key(@scope_family, pid)/ { @scope_family[args.child_pid] = true; }
tracepoint:sched:sched_process_free { delete(@scope_family[args.pid]); }
";

impl Only {
    /// Adds it to a script, and its text to the source.
    pub fn add_to(&self, script: &mut Script, source: &mut Source, found: &mut Diagnostics) {
        let mut tests = Vec::new();
        if let Some(uid) = self.uid {
            tests.push(format!("uid == {uid}"));
        }
        if let Some(comm) = &self.comm {
            tests.push(format!("comm == \"{}\"", escaped(comm)));
        }
        match self.cgroup {
            Some((id, Some(level))) => tests.push(format!("cgroup_ancestor({level}) == {id}")),
            Some((id, None)) => tests.push(format!("cgroup == {id}")),
            None => {}
        }
        if let Some(namespace) = self.pid_namespace {
            // As `task_active_pid_ns` finds it (`kernel/pid.c`).
            let own = "curtask->thread_pid->numbers[curtask->thread_pid->level]";
            tests.push(format!("{own}.ns->ns.inum == {namespace}"));
        }
        if let Some(Inner { pid, level, namespace }) = self.inner {
            let own = format!("curtask->group_leader->thread_pid->numbers[{level}]");
            tests.push(format!(
                "curtask->group_leader->thread_pid->level >= {level} && {own}.nr == {pid} && {own}.ns->ns.inum == {namespace}"
            ));
        }
        let mut text = String::new();
        if let Some(process) = self.family {
            tests.push(format!("has_key({FAMILY}, pid)"));
            text = format!("BEGIN {{ {FAMILY}[{process}] = true; }}\n{KEEPING}");
        }
        if tests.is_empty() {
            return;
        }
        // A clause that only carries the predicate.
        let _ = writeln!(text, "END /{}/ {{ }}", tests.join(" && "));
        let start = source.add("the command line".to_owned(), text.clone());
        let parsed = parse(&text, start);
        parsed.diagnostics.into_iter().for_each(|problem| found.push(problem));
        let mut clauses = parsed.script.clauses;
        script.only = clauses.pop().and_then(|clause| clause.predicate);
        clauses.iter_mut().for_each(|clause| clause.of_all = true);
        script.clauses.extend(clauses);
        script.declarations.extend(parsed.script.declarations);
    }
}

/// A text inside quotes: any byte that means something there is written by its number.
fn escaped(text: &str) -> String {
    text.bytes().fold(String::new(), |mut quoted, byte| {
        match byte {
            b'"' | b'\\' | 0..0x20 | 0x7f.. => _ = write!(quoted, "\\x{byte:02x}"),
            _ => quoted.push(byte.into()),
        }
        quoted
    })
}
