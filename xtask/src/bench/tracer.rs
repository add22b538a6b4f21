//! A tracer as a child process: started, waited for until it traces, ended.

use std::fs::File;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};

use crate::root;

/// A running tracer.
pub struct Tracer {
    child: Child,
}

/// The tracers, by the program that starts them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Which {
    /// Ours.
    Scope,
    /// The peer.
    Bpftrace,
}

impl Which {
    /// The command that runs a script.
    pub fn command(self, script: &str) -> Command {
        let mut command = match self {
            Which::Scope => Command::new(root().join("target/release/scope")),
            Which::Bpftrace => Command::new("bpftrace"),
        };
        command.args(["-e", script]);
        command
    }
}

impl Tracer {
    /// Starts a tracer and waits until its program is loaded and attached.
    pub fn start(which: Which, script: &str, output: &Path) -> Result<Tracer> {
        let before = newest_program();
        let mut command = which.command(script);
        command.stdout(File::create(output)?).stderr(Stdio::null());
        let mut tracer = Tracer { child: command.spawn().with_context(|| format!("starting {command:?}"))? };
        let start = Instant::now();
        while newest_program() <= before {
            if tracer.child.try_wait()?.is_some() || start.elapsed() > Duration::from_secs(60) {
                bail!("{which:?} did not attach");
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        // Loading comes a little before attaching.
        std::thread::sleep(Duration::from_millis(500));
        Ok(tracer)
    }

    /// Ends it as Ctrl-C does, and waits.
    pub fn stop(mut self) -> Result<()> {
        // SAFETY: a signal to our own child.
        unsafe { libc::kill(self.child.id() as i32, libc::SIGINT) };
        self.child.wait()?;
        Ok(())
    }
}

impl Drop for Tracer {
    /// A tracer that outlives a failed measurement would slow all that is measured after it.
    fn drop(&mut self) {
        // Neither does anything to one that was waited for.
        _ = self.child.kill();
        _ = self.child.wait();
    }
}

/// The number of the BPF program loaded last: numbers only grow, while how many there are falls when the kernel gets
/// round to freeing those of a tracer that has ended.
fn newest_program() -> Option<u32> {
    aya::programs::loaded_programs().flatten().map(|program| program.id()).max()
}
