//! The README's commands run as they stand there.

use std::process::{Command, Stdio};
use std::time::Duration;

use libtest_mimic::Failed;

use super::run::{SCOPE, check, finished};

pub fn every_command_runs() -> Result<(), Failed> {
    let readme = include_str!("../../../README.md");
    let commands = readme.lines().map(|line| line.strip_prefix("# ").unwrap_or(line));
    let commands = commands.filter(|line| line.starts_with("scope ")).collect::<Vec<_>>();
    check(commands.len() >= 16, || format!("only {} commands", commands.len()))?;
    for command in commands {
        let binary = SCOPE.get().ok_or("no binary")?.to_string_lossy().into_owned();
        let line = format!("exec {binary} {}", &command["scope ".len()..]);
        let shell = Command::new("sh")
            .arg("-c")
            .arg(line)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()?;
        let pid = shell.id() as i32;
        std::thread::spawn(move || {
            std::thread::sleep(Duration::from_millis(1500));
            // SAFETY: a signal to our own child; one that has ended is still ours to wait for.
            unsafe { libc::kill(pid, libc::SIGINT) };
        });
        let ran = finished(shell.wait_with_output());
        check(ran.status == 0 && !ran.stderr.contains("error"), || {
            format!("{command}\n{}\n{}", ran.status, ran.stderr)
        })?;
    }
    Ok(())
}
