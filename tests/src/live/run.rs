//! Running `scope` beside a load.

use std::ffi::OsString;
use std::io::{BufRead, BufReader, Read};
use std::path::PathBuf;
use std::process::{Child, Command, Output, Stdio};
use std::sync::OnceLock;

use libtest_mimic::Failed;
use serde_json::Value;

/// The binary under test.
pub static SCOPE: OnceLock<PathBuf> = OnceLock::new();

/// What `scope` printed and how it ended.
pub struct Ran {
    pub stdout: String,
    pub stderr: String,
    pub status: i32,
}

/// `scope` with arguments.
pub fn scope(arguments: &[&str]) -> Command {
    let mut command = Command::new(SCOPE.get().expect("set at start"));
    command.args(arguments).stdin(Stdio::null()).env("NO_COLOR", "1");
    command
}

/// Runs `scope` to its end.
pub fn run(arguments: &[&str]) -> Ran {
    finished(scope(arguments).output())
}

/// Runs `scope` with a load as its command.
pub fn with_load(arguments: &[&str], load: &[&str]) -> Ran {
    let mut command = scope(arguments);
    command.arg("--").args(load_command(load));
    finished(command.output())
}

/// Runs `scope` on a load that repeats itself for so many milliseconds, watching nothing but it.
pub fn watching(arguments: &[&str], load: &[&str]) -> Result<Ran, Failed> {
    let own = load_command(load);
    let mut child = Command::new(&own[0]).args(&own[1..]).spawn()?;
    let pid = child.id().to_string();
    let ran = finished(scope(&["-p", &pid]).args(arguments).output());
    child.wait()?;
    ran.succeeded()?;
    Ok(ran)
}

/// Starts a program that says a line and then waits for the end of its input, with that line.
pub fn waiting(command: &mut Command) -> Result<(Child, String), Failed> {
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn()?;
    let line = first_line(child.stdout.take())?;
    Ok((child, line))
}

/// Runs `scope` on loads that wait until it has attached; of its errors the first line is kept, which says so.
pub fn on_waiting(arguments: &[&str], mut loads: Vec<Child>) -> Result<Ran, Failed> {
    let mut tracer = scope(arguments).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn()?;
    let stderr = first_line(tracer.stderr.take())?;
    for load in &mut loads {
        drop(load.stdin.take());
    }
    let ran = Ran { stderr, ..finished(tracer.wait_with_output()) };
    for load in &mut loads {
        load.wait()?;
    }
    Ok(ran)
}

fn first_line(pipe: Option<impl Read>) -> Result<String, Failed> {
    let mut line = String::new();
    BufReader::new(pipe.ok_or("no pipe")?).read_line(&mut line)?;
    Ok(line)
}

/// Runs a script on a load; its status must be 0.
pub fn script(text: &str, load: &[&str]) -> Result<Ran, Failed> {
    let ran = with_load(&["-e", text], load);
    ran.succeeded()?;
    Ok(ran)
}

/// Runs a script on a load and reads its JSON.
pub fn json(text: &str, load: &[&str]) -> Result<Vec<Value>, Failed> {
    let ran = with_load(&["-f", "json", "-e", text], load);
    ran.succeeded()?;
    ran.json()
}

/// This binary as a load.
pub fn load_command(load: &[&str]) -> Vec<OsString> {
    let own = std::env::current_exe().expect("we run");
    let words = load.iter().map(|word| OsString::from(*word));
    [own.into_os_string(), "load".into()].into_iter().chain(words).collect()
}

pub fn finished(output: std::io::Result<Output>) -> Ran {
    let output = output.expect("scope can be started");
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    use std::os::unix::process::ExitStatusExt;
    let status = output.status.code().unwrap_or_else(|| 128 + output.status.signal().unwrap_or(0));
    Ran { stdout: text(&output.stdout), stderr: text(&output.stderr), status }
}

impl Ran {
    /// Fails unless the status is 0.
    pub fn succeeded(&self) -> Result<(), Failed> {
        self.ended_with(0)
    }

    /// Fails unless the status is this.
    pub fn ended_with(&self, status: i32) -> Result<(), Failed> {
        check(self.status == status, || {
            format!("status {} instead of {status}\n{}\n{}", self.status, self.stdout, self.stderr)
        })
    }

    /// The lines as JSON; fails if one is none.
    pub fn json(&self) -> Result<Vec<Value>, Failed> {
        let lines = self
            .stdout
            .lines()
            .map(|line| serde_json::from_str(line).map_err(|error| format!("{error}: {line}").into()));
        lines.collect()
    }

    /// The text behind a prefix at the start of a line.
    pub fn value(&self, prefix: &str) -> Result<&str, Failed> {
        let found = self.stdout.lines().find_map(|line| line.strip_prefix(prefix));
        found.ok_or_else(|| format!("no line begins with `{prefix}`:\n{}\n{}", self.stdout, self.stderr).into())
    }
}

/// Fails with a message unless a condition holds.
pub fn check(holds: bool, message: impl FnOnce() -> String) -> Result<(), Failed> {
    if holds { Ok(()) } else { Err(message().into()) }
}

/// Fails unless two values are equal.
pub fn same<T: PartialEq + std::fmt::Debug>(have: T, want: T) -> Result<(), Failed> {
    check(have == want, || format!("have {have:?}\nwant {want:?}"))
}

/// The values of one type of JSON record.
pub fn of_type<'a>(records: &'a [Value], kind: &'a str) -> impl Iterator<Item = &'a Value> {
    records.iter().filter(move |record| record["type"] == kind).map(|record| &record["data"])
}
