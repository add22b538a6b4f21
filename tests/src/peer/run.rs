//! Runs a program by one of the two tracers, beside a workload.

use std::fs;
use std::io::Read;
use std::os::unix::net::{UnixListener, UnixStream};
use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::process::{Child, Command, ExitCode, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use libtest_mimic::Failed;

use crate::SCOPE;
use crate::load::Load;
use crate::output::normalise;
use crate::program::{Program, libc_path, substitute};

/// How long a tool may run.
pub const PATIENCE: Duration = Duration::from_secs(30);

/// Which of the two.
#[derive(Clone, Copy, PartialEq)]
pub enum Tool {
    Bpftrace,
    Scope,
}

/// Runs a program by one of the two on a fresh workload, and gives what is to be compared.
pub fn run(tool: Tool, program: &Program, format: &str) -> Result<String, Failed> {
    let mut load = program.workload.as_deref().map(Load::start).transpose()?;
    let directory = std::env::temp_dir().join(format!("scope-peer-{}", std::process::id()));
    fs::create_dir_all(&directory)?;
    let (script, socket) = (directory.join("program.bt"), directory.join("gate"));
    let pid = load.as_ref().map_or(0, |load| load.child.id()).to_string();
    let text = substitute(&substitute(&program.text, "PID", &pid), "LIBC", &libc_path()?);
    fs::write(&script, text)?;
    let _ = fs::remove_file(&socket);
    let listener = UnixListener::bind(&socket)?;
    listener.set_nonblocking(true)?;

    let mut command = match tool {
        Tool::Bpftrace => Command::new("bpftrace"),
        Tool::Scope => Command::new(SCOPE.get().expect("set at start")),
    };
    command
        .args(["-f", format])
        .env("NO_COLOR", "1")
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    if program.allowed {
        command.arg("--unsafe");
    }
    if load.is_some() {
        let own = std::env::current_exe()?;
        command.arg("-c").arg(format!("{} gate {}", own.display(), socket.display()));
    }
    let mut child = command.arg(&script).args(&program.arguments).spawn()?;
    let stdout = collect(child.stdout.take().expect("piped"));
    let stderr = collect(child.stderr.take().expect("piped"));
    let start = Instant::now();
    if let Some(load) = &mut load
        && let Some(gate) = attached(&listener, &mut child, start)?
    {
        load.work()?;
        // What the workload did is on its way to the tool.
        sleep(Duration::from_millis(200));
        drop(gate);
    }
    let status = ended(&mut child, start)?;
    drop(load);
    fs::remove_dir_all(&directory)?;
    let read = |thread: std::thread::JoinHandle<Vec<u8>>| thread.join().expect("it only reads");
    let (stdout, stderr) = (read(stdout), read(stderr));
    let name = if tool == Tool::Scope { "scope" } else { "bpftrace" };
    if status != 0 {
        return Err(format!("{name} ended with status {status}\n{}", String::from_utf8_lossy(&stderr)).into());
    }
    // A byte stands for itself: what is no UTF-8 is compared, too.
    let printed = stdout.iter().map(|byte| char::from(*byte)).collect::<String>();
    normalise(&printed, tool, format, program.layout)
        .ok_or_else(|| format!("{name} did not come to its end:\n{printed}").into())
}

/// Reads to the end, beside.
fn collect(mut from: impl Read + Send + 'static) -> std::thread::JoinHandle<Vec<u8>> {
    std::thread::spawn(move || {
        let mut bytes = Vec::new();
        let _ = from.read_to_end(&mut bytes);
        bytes
    })
}

/// Waits until the tool has started its command, which it does once all is attached; nothing if it ended before.
fn attached(listener: &UnixListener, child: &mut Child, start: Instant) -> Result<Option<UnixStream>, Failed> {
    while start.elapsed() < PATIENCE {
        if let Ok((gate, _)) = listener.accept() {
            return Ok(Some(gate));
        }
        if child.try_wait()?.is_some() {
            return Ok(None);
        }
        sleep(Duration::from_millis(2));
    }
    child.kill()?;
    Err("it was never attached".into())
}

fn ended(child: &mut Child, start: Instant) -> Result<i32, Failed> {
    while start.elapsed() < PATIENCE {
        if let Some(status) = child.try_wait()? {
            return Ok(status.code().unwrap_or_else(|| 128 + status.signal().unwrap_or(0)));
        }
        sleep(Duration::from_millis(2));
    }
    child.kill()?;
    child.wait()?;
    Err("it did not end".into())
}

/// The command that a tool starts: tells that it runs, and ends when it is told to.
pub fn gate(socket: &Path) -> ExitCode {
    if let Ok(mut line) = UnixStream::connect(socket) {
        let _ = line.read(&mut [0]);
    }
    ExitCode::SUCCESS
}
