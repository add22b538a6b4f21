//! Side by side with bpftrace: each program under `peer/` is run by both, and what they print has to be the same.
//!
//! `peer --scope PATH [FILTER]` runs them, in text and in JSON; the binary is also the workload (`peer load NAME`) and
//! the command that both are given to start (`peer gate SOCKET`): it tells that all is attached. The first lines of a
//! program say how it is run:
//!
//! - `// workload: NAME` is what makes the events (`none` if there is no such line). `PID` in the program is its process id, `LIBC` its C library's path;
//! - `// arguments: A B` are the script's arguments;
//! - `// unsafe` lets it start commands;
//! - `// layout: exact` compares the empty lines between the maps that are printed at the end, too; `// layout: loose`
//!   compares none: bpftrace 0.17 writes one after the values of avg() and stats(), later versions don't;
//! - `// refused: CODE: REASON` says that bpftrace runs it and scope says what is wrong with it;
//! - `// differs: REASON` says that the two must differ, in text and in JSON; `// differs in text:`, `// differs in json:`.
//!
//! Left out of the comparison: how the two say that they are attached, the two newlines that bpftrace writes at its end,
//! addresses of user space, and the blank between the buckets of a histogram in JSON, which later versions of bpftrace
//! don't write. Programs print no process ids, and give no two entries of a map the same number: their
//! order would be that of a hash.

mod load;
mod output;
mod program;
mod run;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::OnceLock;

use libtest_mimic::{Arguments, Failed, Trial};

use program::Program;
use run::Tool;

/// The binary under test.
static SCOPE: OnceLock<PathBuf> = OnceLock::new();

fn main() -> ExitCode {
    let mut arguments = std::env::args_os().skip(1).collect::<Vec<_>>();
    match arguments.first().and_then(|first| first.to_str()) {
        Some("load") => return load::workload(&arguments[1].to_string_lossy()),
        Some("gate") => return run::gate(Path::new(&arguments[1])),
        _ => {}
    }
    let mut scope = PathBuf::from("scope");
    if let Some(at) = arguments.iter().position(|argument| argument == "--scope") {
        scope = PathBuf::from(arguments.remove(at + 1));
        arguments.remove(at);
    }
    SCOPE.set(scope).expect("set once");
    let mut options = Arguments::from_iter(std::iter::once("peer".into()).chain(arguments));
    // One after the other: two tracers of one process slow each other down.
    options.test_threads = Some(1);
    let mut programs = fs::read_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join("peer"))
        .expect("the programs")
        .flatten()
        .map(|entry| entry.path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "bt"))
        .collect::<Vec<_>>();
    programs.sort();
    let mut trials = Vec::new();
    for path in programs {
        let name = path.file_stem().expect("a program has a name").to_string_lossy().into_owned();
        for format in ["text", "json"] {
            let path = path.clone();
            trials.push(Trial::test(format!("{name}::{format}"), move || compare(&path, format)));
        }
    }
    libtest_mimic::run(&options, trials).exit_code()
}

fn compare(path: &Path, format: &str) -> Result<(), Failed> {
    let program = Program::read(path, format)?;
    let theirs = run::run(Tool::Bpftrace, &program, format)?;
    let ours = run::run(Tool::Scope, &program, format);
    if let Some(code) = &program.refused {
        return match ours {
            Err(error) if error.message().is_some_and(|text| text.contains(&format!("error[{code}]"))) => Ok(()),
            ours => Err(format!("it is not refused with {code}: {ours:?}").into()),
        };
    }
    let ours = ours?;
    match (&program.differs, theirs == ours) {
        (None, true) | (Some(_), false) => Ok(()),
        (Some(reason), true) => Err(format!("they are the same, but the program says: {reason}").into()),
        (None, false) => Err(differences(&theirs, &ours).into()),
    }
}

/// The lines that differ, from the first on.
fn differences(theirs: &str, ours: &str) -> String {
    let (left, right) = (theirs.lines().collect::<Vec<_>>(), ours.lines().collect::<Vec<_>>());
    let same = left.iter().zip(&right).take_while(|(left, right)| left == right).count();
    let show = |lines: &[&str]| {
        lines.iter().skip(same).take(12).map(|line| format!("  {}\n", line.escape_debug())).collect::<String>()
    };
    format!("line {} differs\nbpftrace:\n{}scope:\n{}", same + 1, show(&left), show(&right))
}
