//! The processes that the programs look at.

use std::ffi::CString;
use std::io::{Read, Write};
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::process::{Child, Command, ExitCode, Stdio};

use libtest_mimic::Failed;
use scope_tests::process::{call, set_name};

use crate::run::PATIENCE;

/// A workload that waits to be told to begin.
pub struct Load {
    pub child: Child,
    line: UnixStream,
}

impl Load {
    pub fn start(name: &str) -> Result<Load, Failed> {
        let (mut line, other) = UnixStream::pair()?;
        line.set_read_timeout(Some(PATIENCE))?;
        let child = Command::new(std::env::current_exe()?)
            .args(["load", name])
            .stdin(Stdio::from(OwnedFd::from(other)))
            .spawn()?;
        line.read_exact(&mut [0])?;
        Ok(Load { child, line })
    }

    /// Lets it work; returns once it has.
    pub fn work(&mut self) -> Result<(), Failed> {
        self.line.write_all(b"g")?;
        Ok(self.line.read_exact(&mut [0])?)
    }
}

impl Drop for Load {
    fn drop(&mut self) {
        // It ends when nobody is left to tell it anything.
        let _ = self.line.shutdown(std::net::Shutdown::Both);
        let _ = self.child.wait();
    }
}

/// Becomes a workload: says that it is there, waits, works, says that it has, and waits for the end.
pub fn workload(name: &str) -> ExitCode {
    let work: fn() = match name {
        "calls" => || (0..10).for_each(|_| call(libc::SYS_getppid, [0; 3])),
        "writes" => writes,
        "bytes" => bytes,
        "opens" => opens,
        "signal" => signal,
        "connect" => connect,
        "rename" => || set_name(b"worker"),
        "execs" => execs,
        "names" => names,
        other => panic!("no workload is called {other}"),
    };
    // Those that write and read do it on these, so that the numbers are known.
    for (fd, path) in [(10, c"/dev/null"), (11, c"/dev/zero")] {
        // SAFETY: C strings, and descriptors that nothing else uses.
        unsafe { libc::dup2(libc::open(path.as_ptr(), libc::O_RDWR | libc::O_CLOEXEC), fd) };
    }
    set_name(b"worker");
    say();
    wait();
    work();
    say();
    wait();
    ExitCode::SUCCESS
}

/// Tells the runner, by a call that no workload makes.
fn say() {
    // SAFETY: one byte of ours.
    unsafe { libc::send(0, b".".as_ptr().cast(), 1, 0) };
}

fn wait() {
    let mut byte = 0u8;
    // SAFETY: one byte of ours.
    unsafe { libc::recv(0, (&raw mut byte).cast(), 1, 0) };
}

/// 1,000 writes of 1 to 64 bytes, 100 reads of 16 to 64.
fn writes() {
    let text = b"0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ-+";
    let mut room = [0u8; 64];
    for index in 0..1000 {
        call(libc::SYS_write, [10, text.as_ptr() as i64, 1 + index % 64]);
        if index % 10 == 0 {
            call(libc::SYS_read, [11, room.as_mut_ptr() as i64, 16 * (1 + index / 10 % 4)]);
        }
    }
}

/// Writes of bytes of all kinds, and one that fails.
fn bytes() {
    let pair = [1i32, -2, 3, 0x0403_0201, i32::from_le_bytes(*b"abc\0")].map(i32::to_le_bytes).concat();
    let all = (0..64).collect::<Vec<u8>>();
    for bytes in [&b"hello\0world"[..], b"tab\tquote\"back\\slash", b"plain text", &pair, &all] {
        call(libc::SYS_write, [10, bytes.as_ptr() as i64, bytes.len() as i64]);
    }
    call(libc::SYS_write, [99, b"lost".as_ptr() as i64, 4]);
}

/// 50 names, ten of them of files that are not there.
fn opens() {
    for index in 0..50 {
        let path = match index % 5 {
            0 => format!("/nowhere/file-{index}"),
            1 => "/dev/null".to_owned(),
            2 => "/dev/zero".to_owned(),
            3 => "/proc/self/stat".to_owned(),
            _ => "/proc/self/comm".to_owned(),
        };
        let path = CString::new(path).expect("no NUL");
        // SAFETY: a C string; what is opened is closed.
        unsafe { libc::close(libc::openat(libc::AT_FDCWD, path.as_ptr(), libc::O_RDONLY | libc::O_CLOEXEC)) };
    }
}

/// Sends itself signals that it ignores.
fn signal() {
    // SAFETY: signals to ourselves.
    unsafe {
        for signal in [libc::SIGUSR1, libc::SIGUSR2, libc::SIGUSR1] {
            libc::signal(signal, libc::SIG_IGN);
            libc::kill(libc::getpid(), signal);
        }
    }
}

/// Connects to a port of this host where nobody listens.
fn connect() {
    let _ = std::net::TcpStream::connect(("127.0.0.1", 1));
}

/// Starts a command that is not there.
fn execs() {
    let arguments = [c"one", c"two words", c"three"].map(|word| word.as_ptr());
    let arguments = [arguments[0], arguments[1], arguments[2], std::ptr::null()];
    // SAFETY: a C string, and arrays that end with a null pointer.
    unsafe { libc::execve(c"/nowhere/command".as_ptr(), arguments.as_ptr(), [std::ptr::null()].as_ptr()) };
}

/// Asks the C library for variables.
fn names() {
    for name in ["PEER_ONE", "PEER_TWO", "PEER_ONE"] {
        let name = CString::new(name).expect("no NUL");
        // SAFETY: a C string.
        unsafe { libc::getenv(name.as_ptr()) };
    }
}
