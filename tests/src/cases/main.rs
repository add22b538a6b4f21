//! Cases of the language: each script under `cases/` beside what it prints, as text and as JSON.
//!
//! A script's `case { ... }` stands for a clause that runs once. Here it is run in userspace, by `BEGIN`, which needs no
//! kernel and no root; with `--live` it is run by a system call of a child, in the kernel. What it prints is the same, since
//! a clause means the same wherever it runs. `//----` separates scripts of one file. A script with `// live only` needs the
//! kernel, one with `// userspace only` is about what only userspace clauses can do; `// options: ...` are given to scope.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, Output, Stdio};

use libtest_mimic::{Arguments, Failed, Trial};

fn main() -> ExitCode {
    let mut words = std::env::args().collect::<Vec<_>>();
    if let Some(at) = words.iter().position(|word| word == "--make-the-call") {
        return make_the_call(words.get(at + 1));
    }
    let live = take(&mut words, "--live");
    let bless = take(&mut words, "--bless");
    let mut value = |name: &str| {
        let at = words.iter().position(|word| word == name)?;
        words.remove(at);
        Some(PathBuf::from(words.remove(at)))
    };
    let scope = value("--scope").unwrap_or_else(|| PathBuf::from("target/release/scope"));
    let scope = scope.canonicalize().unwrap_or(scope);
    let cases = value("--cases").unwrap_or_else(|| Path::new(env!("CARGO_MANIFEST_DIR")).join("cases"));
    let mut files =
        fs::read_dir(&cases).expect("the cases are there").flatten().map(|entry| entry.path()).collect::<Vec<_>>();
    files.retain(|path| path.extension().is_some_and(|extension| extension == "scope"));
    files.sort();
    let trials = files.into_iter().map(|path| {
        let name = path.file_stem().expect("a case has a name").to_string_lossy().into_owned();
        let runner = Runner { scope: scope.clone(), live, bless, cases: cases.clone() };
        Trial::test(name, move || runner.compare(&path))
    });
    libtest_mimic::run(&Arguments::from_iter(words), trials.collect()).exit_code()
}

fn take(words: &mut Vec<String>, flag: &str) -> bool {
    let before = words.len();
    words.retain(|word| word != flag);
    words.len() < before
}

/// Makes the one system call that the live cases are attached to, with arguments that can be known.
fn make_the_call(text: Option<&String>) -> ExitCode {
    let text = std::ffi::CString::new(text.map_or("", String::as_str)).expect("a text without NUL");
    // SAFETY: a system call that refuses its arguments and does nothing.
    unsafe { libc::syscall(CALL, text.as_ptr(), 0x1234_5678_9abc_def0u64, -3i64, 4, 5, 6) };
    ExitCode::SUCCESS
}

/// `vmsplice`: nothing else on a machine calls it, and with no such descriptor it does nothing.
const CALL: libc::c_long = libc::SYS_vmsplice;

struct Runner {
    scope: PathBuf,
    live: bool,
    bless: bool,
    cases: PathBuf,
}

impl Runner {
    /// Runs the scripts of a file and compares what they print.
    fn compare(&self, path: &Path) -> Result<(), Failed> {
        let expected_at = path.with_extension("expected");
        let expected = fs::read_to_string(&expected_at).unwrap_or_default();
        let mut seen = String::new();
        let text = fs::read_to_string(path)?;
        let mut old = expected.split("---- script\n").skip(1);
        for script in text.split("//----\n") {
            seen += "---- script\n";
            let old = old.next().unwrap_or_default();
            let (userspace_only, live_only) = (script.contains("// userspace only"), script.contains("// live only"));
            // What can't be seen here stands as it was seen elsewhere.
            seen += &match (self.live, userspace_only, live_only) {
                (true, true, _) | (false, _, true) => old.to_owned(),
                _ => format!("{}{}", self.run(script, "text")?, self.run(script, "json")?),
            };
        }
        if seen == expected {
            return Ok(());
        }
        if self.bless {
            fs::write(&expected_at, seen)?;
            return Ok(());
        }
        Err(format!("--- expected\n{expected}\n--- seen\n{seen}\n`cargo xtask test --bless` accepts it").into())
    }

    /// Runs one script; gives what it prints.
    fn run(&self, script: &str, format: &str) -> Result<String, Failed> {
        let probe = if self.live { "sys_enter /pid == cpid && args.id == 278/ {" } else { "BEGIN {" };
        let script = script.replace("case {", probe);
        let options = script.lines().find_map(|line| line.strip_prefix("// options: ")).unwrap_or_default();
        let mut command = Command::new(&self.scope);
        command.args(["-q", "-f", format]).args(shlex::split(options).unwrap_or_default()).args(["-e", &script]);
        // Imports are found beside the cases.
        command.current_dir(&self.cases).env("TZ", "UTC");
        if self.live {
            let own = std::env::current_exe()?;
            command.arg("--").arg(own).args(["--make-the-call", "a text of the process"]);
        }
        let Output { status, stdout, stderr } = command.stdin(Stdio::null()).output()?;
        let mut shown = format!("-- {format}\n");
        shown += &String::from_utf8_lossy(&stdout);
        if !stderr.is_empty() {
            shown += &format!("-- errors\n{}", String::from_utf8_lossy(&stderr));
        }
        match status.code() {
            Some(0) => {}
            Some(code) => shown += &format!("-- status {code}\n"),
            None => return Err(format!("scope was killed\n{shown}").into()),
        }
        if !shown.ends_with('\n') {
            shown.push('\n');
        }
        Ok(shown)
    }
}
