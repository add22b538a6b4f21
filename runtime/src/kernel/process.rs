//! Processes: the one that is watched, the one that is started, and ourselves.

use std::ffi::OsString;
use std::fs;
use std::io::{self, Read, Write};
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::process::{Child, Command, ExitStatus};
use std::thread::JoinHandle;

use super::{btf, memory};

/// Why a process can't be watched.
#[derive(Debug, thiserror::Error)]
pub enum NoProcess {
    /// There is none.
    #[error("pid {0} not found")]
    NotFound(u32),
    /// The number is a thread's.
    #[error("{thread} is a thread of process {process}")]
    Thread {
        /// The number given.
        thread: u32,
        /// The process that it belongs to.
        process: u32,
    },
}

/// Checks that a process is there.
///
/// # Errors
/// If it is not, or if the number is that of a thread.
pub fn check(pid: u32) -> Result<(), NoProcess> {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).map_err(|_| NoProcess::NotFound(pid))?;
    let group = status.lines().find_map(|line| line.strip_prefix("Tgid:")).and_then(|tgid| tgid.trim().parse().ok());
    match group {
        Some(process) if process != pid => Err(NoProcess::Thread { thread: pid, process }),
        _ => Ok(()),
    }
}

/// The threads of a process, the first of them included.
///
/// # Errors
/// If it has ended.
pub fn threads(pid: u32) -> io::Result<Vec<u32>> {
    let entries = fs::read_dir(format!("/proc/{pid}/task"))?;
    Ok(entries.flatten().filter_map(|entry| entry.file_name().to_str()?.parse().ok()).collect())
}

/// Opens a descriptor that becomes readable when the process ends.
///
/// # Errors
/// As `pidfd_open(2)`.
pub fn pidfd(pid: u32) -> io::Result<OwnedFd> {
    // SAFETY: two plain numbers.
    let fd = unsafe { libc::syscall(libc::SYS_pidfd_open, pid, 0) };
    // SAFETY: the kernel has just given the descriptor to us.
    if fd < 0 { Err(io::Error::last_os_error()) } else { Ok(unsafe { OwnedFd::from_raw_fd(fd as i32) }) }
}

/// Nanoseconds since boot, suspend included: the clock of `nsecs`.
#[must_use]
pub fn boot_nanos() -> u64 {
    clock_nanos(libc::CLOCK_BOOTTIME)
}

/// How many CPUs there can be: per-CPU values have this many parts.
///
/// # Errors
/// If the kernel does not say.
pub fn possible_cpus() -> io::Result<usize> {
    let list = fs::read_to_string("/sys/devices/system/cpu/possible")?;
    let last = list.trim().rsplit([',', '-']).next().and_then(|last| last.parse::<usize>().ok());
    last.map(|last| last + 1).ok_or_else(|| io::Error::other(format!("unreadable list of CPUs: {list}")))
}

/// Whether we have a capability, by its number in `linux/capability.h`.
#[must_use]
pub fn has_capability(number: u32) -> bool {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let effective = status.lines().find_map(|line| line.strip_prefix("CapEff:"));
    effective.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok()).is_some_and(|mask| mask >> number & 1 == 1)
}

/// A command that is forked but does not run before it is told to: so that probes can be attached before its first
/// instruction.
pub struct Started {
    /// Its process id.
    pub pid: u32,
    go: OwnedFd,
    spawner: JoinHandle<io::Result<Child>>,
}

impl Started {
    /// Forks a command and holds it before `execve(2)`.
    ///
    /// # Errors
    /// If no process can be made.
    pub fn hold(command: &[OsString]) -> io::Result<Started> {
        let (go_read, go_write) = pipe()?;
        let (pid_read, pid_write) = pipe()?;
        let mut to_run = Command::new(&command[0]);
        to_run.args(&command[1..]);
        let (wait_on, tell, other_end) = (go_read.as_raw_fd(), pid_write.as_raw_fd(), go_write.as_raw_fd());
        // SAFETY: between fork and exec only system calls are made: no allocation, no lock.
        unsafe {
            to_run.pre_exec(move || {
                let pid = libc::getpid().to_ne_bytes();
                libc::write(tell, pid.as_ptr().cast(), pid.len());
                // Else the pipe would stay open for as long as we wait on it.
                libc::close(other_end);
                let mut byte = 0u8;
                // A closed pipe means that the tracer gave up before it attached.
                if libc::read(wait_on, (&raw mut byte).cast(), 1) != 1 {
                    libc::_exit(127);
                }
                Ok(())
            });
        }
        // `spawn` returns after `execve`, so it waits on a thread of its own.
        let spawner = std::thread::spawn(move || {
            let child = to_run.spawn();
            drop((go_read, pid_write));
            child
        });
        let mut pid = [0; 4];
        std::fs::File::from(pid_read).read_exact(&mut pid)?;
        Ok(Started { pid: i32::from_ne_bytes(pid) as u32, go: go_write, spawner })
    }

    /// Lets the command run.
    ///
    /// # Errors
    /// If it can't be executed.
    pub fn run(self) -> io::Result<Child> {
        let Started { go, spawner, .. } = self;
        let mut go = std::fs::File::from(go);
        go.write_all(&[1])?;
        drop(go);
        spawner.join().map_err(|_| io::Error::other("the thread that starts the command failed"))?
    }
}

fn pipe() -> io::Result<(OwnedFd, OwnedFd)> {
    let mut ends = [0; 2];
    // SAFETY: room for two descriptors.
    if unsafe { libc::pipe2(ends.as_mut_ptr(), libc::O_CLOEXEC) } < 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: the kernel has just given them to us.
    Ok(unsafe { (OwnedFd::from_raw_fd(ends[0]), OwnedFd::from_raw_fd(ends[1])) })
}

/// The exit status that a shell gives for a process's end.
#[must_use]
pub fn exit_code(status: ExitStatus) -> u8 {
    let code = status.code().unwrap_or_else(|| 128 + status.signal().unwrap_or(0));
    code as u8
}

/// Waits for a command that we started; one that outlives its trace is told to end.
///
/// # Errors
/// As `waitpid(2)`.
pub fn ended(command: &mut Child) -> io::Result<ExitStatus> {
    if let Some(status) = command.try_wait()? {
        return Ok(status);
    }
    // SAFETY: a signal to our own child, which is not waited for yet: its number is still its own.
    unsafe { libc::kill(command.id() as i32, libc::SIGTERM) };
    command.wait()
}

/// Nanoseconds of one of the kernel's clocks (`clock_gettime(2)`).
#[must_use]
pub fn clock_nanos(clock: libc::clockid_t) -> u64 {
    let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: the kernel writes a time; the clocks asked for are there.
    unsafe { libc::clock_gettime(clock, &raw mut time) };
    time.tv_sec as u64 * 1_000_000_000 + time.tv_nsec as u64
}

/// A random number (`getrandom(2)`).
#[must_use]
pub fn random() -> u32 {
    let mut bytes = [0; 4];
    // SAFETY: the buffer has as many bytes as are asked for.
    unsafe { libc::getrandom(bytes.as_mut_ptr().cast(), bytes.len(), 0) };
    u32::from_ne_bytes(bytes)
}

/// The kernel's ticks since boot, as near as userspace can know them: at 250 a second, as most kernels tick, from the
/// count that starts five minutes before it would overflow (`INITIAL_JIFFIES`, `include/linux/jiffies.h`).
#[must_use]
pub fn jiffies() -> u64 {
    const HZ: u64 = 250;
    const INITIAL: u64 = (300 * HZ as u32 as u64).wrapping_neg() & 0xffff_ffff;
    INITIAL + clock_nanos(libc::CLOCK_MONOTONIC) / (1_000_000_000 / HZ)
}

/// The NUMA node of the current CPU.
#[must_use]
pub fn numa_node() -> u64 {
    let (mut cpu, mut node) = (0u32, 0u32);
    // SAFETY: the kernel writes two numbers.
    unsafe { libc::syscall(libc::SYS_getcpu, &raw mut cpu, &raw mut node, std::ptr::null_mut::<libc::c_void>()) };
    node.into()
}

/// The inode number of a namespace of processes: that of a process, or of its file (`/proc/PID/ns/pid`).
///
/// # Errors
/// What is wrong, in words.
pub fn pid_namespace(whose: &str) -> Result<u32, String> {
    let path = match whose.parse::<u32>() {
        Ok(pid) => format!("/proc/{pid}/ns/pid"),
        Err(_) if whose == "self" => "/proc/self/ns/pid".to_owned(),
        Err(_) => whose.to_owned(),
    };
    let target = fs::read_link(&path).map_err(|error| match error.kind() {
        io::ErrorKind::NotFound if path != whose => format!("pid {whose} not found"),
        _ => format!("{path} can't be read: {error}"),
    })?;
    let target = target.to_string_lossy().into_owned();
    let inode =
        target.strip_prefix("pid:[").and_then(|rest| rest.strip_suffix(']')).and_then(|inode| inode.parse().ok());
    inode.ok_or_else(|| format!("{path} is no namespace of processes"))
}

/// The inode number of the first namespace of processes (`PROC_PID_INIT_INO`, `include/linux/proc_ns.h`).
const FIRST_NAMESPACE: u32 = 0xEFFF_FFFC;

/// How deep this process's namespace of processes lies in others, of which it sees nothing itself: it has a number in each.
/// The kernel's own structs tell.
#[must_use]
pub fn pid_level() -> u32 {
    if pid_namespace("/proc/self/ns/pid").is_ok_and(|own| own == FIRST_NAMESPACE) {
        return 0;
    }
    let level = || {
        let reader = memory::reader().ok()?;
        let (mut pid, mut level) = ([0; 8], [0; 4]);
        let place = reader.task() + u64::from(btf::member_offset("task_struct", "thread_pid")?);
        let read = reader.read(place, &mut pid)
            && reader.read(u64::from_ne_bytes(pid) + u64::from(btf::member_offset("pid", "level")?), &mut level);
        read.then(|| u32::from_ne_bytes(level))
    };
    level().unwrap_or(0)
}

/// Whether a process has a version of a file mapped that was replaced or removed since.
#[must_use]
pub fn maps_old(pid: u32, path: &str) -> bool {
    let maps = fs::read_to_string(format!("/proc/{pid}/maps")).unwrap_or_default();
    let named = |line: &&str| line.find('/').is_some_and(|at| line[at..].strip_suffix(" (deleted)") == Some(path));
    maps.lines().any(|line| named(&line))
}
