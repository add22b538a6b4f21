//! Loads for the bundled scripts that watch disks, the scheduler, users and the C library.

use std::ffi::{CStr, c_char, c_void};
use std::os::fd::AsRawFd;
use std::os::unix::fs::OpenOptionsExt;
use std::time::{Duration, Instant};

use scope_tests::process::call;

/// What a disk is asked for at once: one block of its file system, which can't be split.
const BLOCK: usize = 4096;

/// Writes so many blocks to a disk, one after the other, and reads them again; nothing is kept in memory. The file lies
/// where this binary does, and has no name.
pub fn disk(number: u64) {
    let own = std::env::current_exe().expect("we run");
    let mut options = std::fs::OpenOptions::new();
    options.read(true).write(true).custom_flags(libc::O_TMPFILE | libc::O_DIRECT);
    let file = options.open(own.parent().expect("a file lies in a directory")).expect("a file on a disk");
    let (anywhere, kind) = (std::ptr::null_mut(), libc::MAP_PRIVATE | libc::MAP_ANONYMOUS);
    // SAFETY: a mapping of our own, where the kernel reads and writes one block.
    unsafe {
        let block = libc::mmap(anywhere, BLOCK, libc::PROT_READ | libc::PROT_WRITE, kind, -1, 0);
        assert!(block != libc::MAP_FAILED);
        assert_eq!(libc::fallocate(file.as_raw_fd(), 0, 0, number as i64 * BLOCK as i64), 0);
        for at in 0..number as i64 {
            assert_eq!(libc::pwrite(file.as_raw_fd(), block, BLOCK, at * BLOCK as i64), BLOCK as isize);
        }
        for at in 0..number as i64 {
            assert_eq!(libc::pread(file.as_raw_fd(), block, BLOCK, at * BLOCK as i64), BLOCK as isize);
        }
    }
}

/// Changes its user in each way that there is; the last time it may not.
pub fn users() {
    for (number, users) in [
        (libc::SYS_setresuid, [-1, 1000, -1]),
        (libc::SYS_setreuid, [-1, 0, 0]),
        (libc::SYS_setfsuid, [7, 0, 0]),
        (libc::SYS_setuid, [1001, 0, 0]),
        (libc::SYS_setuid, [0, 0, 0]),
    ] {
        call(number, users);
    }
}

/// Sleeps 20 ms, so many times in each way: for a time, and until a time.
pub fn naps(number: u64) {
    // SAFETY: times of ours.
    unsafe {
        for _ in 0..number {
            let span = libc::timespec { tv_sec: 0, tv_nsec: 20_000_000 };
            libc::clock_nanosleep(libc::CLOCK_MONOTONIC, 0, &raw const span, std::ptr::null_mut());
            let mut until = span;
            libc::clock_gettime(libc::CLOCK_MONOTONIC, &raw mut until);
            until.tv_nsec += span.tv_nsec;
            until.tv_sec += until.tv_nsec / 1_000_000_000;
            until.tv_nsec %= 1_000_000_000;
            libc::clock_nanosleep(libc::CLOCK_MONOTONIC, libc::TIMER_ABSTIME, &raw const until, std::ptr::null_mut());
        }
    }
}

/// Looks up an address, which is its own name, and a name that is no address; no server is asked.
pub fn lookups() {
    unsafe extern "C" {
        fn gethostbyname(name: *const c_char) -> *const c_void;
    }
    let look = |name: &CStr| {
        // SAFETY: C strings, and a list that is given back.
        unsafe {
            let mut hints = std::mem::zeroed::<libc::addrinfo>();
            hints.ai_flags = libc::AI_NUMERICHOST;
            let mut found = std::ptr::null_mut();
            if libc::getaddrinfo(name.as_ptr(), std::ptr::null(), &raw const hints, &raw mut found) == 0 {
                libc::freeaddrinfo(found);
            }
        }
    };
    look(c"127.0.0.1");
    look(c"no.address.invalid");
    // SAFETY: a C string.
    std::hint::black_box(unsafe { gethostbyname(c"127.0.0.2".as_ptr()) });
}

/// Makes so many processes and twice as many threads, and stays until a second is over.
pub fn makes(number: u64) {
    for _ in 0..number {
        // SAFETY: the child only ends.
        unsafe {
            let child = libc::fork();
            if child == 0 {
                libc::_exit(0);
            }
            libc::waitpid(child, std::ptr::null_mut(), 0);
        }
        for _ in 0..2 {
            std::thread::spawn(|| ()).join().expect("the thread does nothing");
        }
    }
    std::thread::sleep(Duration::from_millis(2500));
}

/// Three threads that want the first CPU all the time, for so many milliseconds.
pub fn crowd(milliseconds: u64) {
    // SAFETY: a set of CPUs of our own; the threads inherit it.
    unsafe {
        let mut first = std::mem::zeroed::<libc::cpu_set_t>();
        libc::CPU_SET(0, &mut first);
        libc::sched_setaffinity(0, size_of::<libc::cpu_set_t>(), &raw const first);
    }
    let end = Instant::now() + Duration::from_millis(milliseconds);
    let busy = move || while Instant::now() < end {};
    let others = [std::thread::spawn(busy), std::thread::spawn(busy)];
    busy();
    others.into_iter().for_each(|other| other.join().expect("the thread only looks at the time"));
}
