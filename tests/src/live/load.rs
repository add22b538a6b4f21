//! The loads: system calls of a known kind and number.

use std::ffi::{CString, OsString};
use std::sync::atomic::{AtomicU16, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use scope_tests::process::{call, set_name};

use super::load_tools_b;

use super::load_tools_a as tools_a;

/// Runs a load: `NAME [NUMBER]`.
pub fn run(arguments: &[OsString]) {
    let name = arguments[0].to_string_lossy();
    let number = arguments.get(1).and_then(|number| number.to_string_lossy().parse::<u64>().ok()).unwrap_or(1);
    match name.as_ref() {
        "getppid" => (0..number).for_each(|_| call(libc::SYS_getppid, [0, 0, 0])),
        "threads" => threads(number),
        "close" => close(number),
        "compat" => (0..number).for_each(|_| compat_call()),
        "open" => open(),
        "opens" => repeat(number, open),
        "reads" => reads(number),
        "writes" => repeat(number, || call(libc::SYS_write, [-1, 0, 0])),
        "unmapped" => unmapped(),
        "function" => {
            // The address of a function of the C library; its name is looked up while this process is there.
            call(libc::SYS_getppid, [libc::getenv as *const () as i64, 0, 0]);
            std::thread::sleep(Duration::from_millis(500));
        }
        "signal_thread" => signal_thread(),
        "written" => written(),
        "named" => {
            set_name(b"\x1b[2Jw\"\\\xff");
            (0..number).for_each(|_| call(libc::SYS_getppid, [0, 0, 0]));
        }
        "slow" => repeat(number, || call(libc::SYS_getppid, [0, 0, 0])),
        "write" => (0..number).for_each(|_| call(libc::SYS_write, [-1, 0, 0])),
        // SAFETY: it takes nothing and changes nothing but its own state.
        "rand" => (0..number).for_each(|_| _ = std::hint::black_box(unsafe { libc::rand() })),
        "getenv" => (0..number).for_each(|_| _ = std::env::var_os("SCOPE_NAME")),
        "getenvs" => getenvs(number),
        "ticks" => (0..number).for_each(tick),
        "burn" => burn(Duration::from_millis(number)),
        "pages" => pages(number as usize),
        "timed" => timed(number),
        "tun" => (0..number).for_each(|_| drop(std::fs::File::open("/dev/net/tun"))),
        "unshared" => unshared(number),
        "waitticks" => {
            println!("waiting");
            let _ = std::io::copy(&mut std::io::stdin(), &mut std::io::sink());
            (0..number).for_each(|number| {
                tick(number);
                // SAFETY: it takes nothing and changes nothing but its own state.
                std::hint::black_box(unsafe { libc::rand() });
            });
        }
        "waiting" => waiting(number),
        "watched" => watched(number),
        "status" => std::process::exit(number as i32),
        "disk" => tools_a::disk(number),
        "users" => tools_a::users(),
        "naps" => tools_a::naps(number),
        "lookups" => tools_a::lookups(),
        "makes" => tools_a::makes(number),
        "crowd" => tools_a::crowd(number),
        other => assert!(load_tools_b::run(other, number), "no load is called {other}"),
    }
}

/// Spends so much time of the CPU's, most of it in a function of the C library that has a name.
fn burn(time: Duration) {
    let spent = || {
        // SAFETY: the kernel writes the time to a place of its size.
        unsafe {
            let mut now = std::mem::zeroed::<libc::timespec>();
            libc::clock_gettime(libc::CLOCK_PROCESS_CPUTIME_ID, &mut now);
            Duration::new(now.tv_sec as u64, now.tv_nsec as u32)
        }
    };
    while spent() < time {
        (0..100_000).for_each(|_| {
            // SAFETY: it takes nothing and changes nothing but its own state.
            std::hint::black_box(unsafe { libc::rand() });
        });
    }
}

/// Touches so many pages for the first time, each apart.
fn pages(number: usize) {
    const PAGE: usize = 4096;
    let (anywhere, kind) = (std::ptr::null_mut(), libc::MAP_PRIVATE | libc::MAP_ANONYMOUS);
    // SAFETY: a mapping of our own, written within its bounds.
    unsafe {
        let start = libc::mmap(anywhere, number * PAGE, libc::PROT_READ | libc::PROT_WRITE, kind, -1, 0);
        assert!(start != libc::MAP_FAILED);
        libc::madvise(start, number * PAGE, libc::MADV_NOHUGEPAGE);
        (0..number).for_each(|page| start.cast::<u8>().add(page * PAGE).write_volatile(1));
    }
}

/// Counts who is interested in the static probe; the kernel writes it. In a page of its own: where the linker lets two parts
/// of the file share a page, the kernel may write to the copy that the other part has of it.
#[repr(align(4096))]
struct Semaphore(AtomicU16);

#[unsafe(link_section = ".probes")]
static SEMAPHORE: Semaphore = Semaphore(AtomicU16::new(0));

/// Forks into a namespace of processes of its own; the child says its number, as it is outside, and makes its calls when the
/// input ends.
fn unshared(number: u64) {
    // SAFETY: there is one thread, and the child makes calls only.
    unsafe {
        assert_eq!(libc::unshare(libc::CLONE_NEWPID), 0, "{}", std::io::Error::last_os_error());
        let child = libc::fork();
        if child > 0 {
            println!("{child}");
            libc::waitpid(child, std::ptr::null_mut(), 0);
            return;
        }
    }
    let _ = std::io::copy(&mut std::io::stdin(), &mut std::io::sink());
    (0..number).for_each(|_| call(libc::SYS_getppid, [0, 0, 0]));
}

/// Says that it is there; when the input ends, two threads call a function of the C library so often together.
fn waiting(number: u64) {
    println!("waiting");
    let _ = std::io::copy(&mut std::io::stdin(), &mut std::io::sink());
    // SAFETY: it takes nothing and changes nothing but its own state.
    let half = move || (0..number / 2).for_each(|_| _ = std::hint::black_box(unsafe { libc::rand() }));
    let other = std::thread::spawn(half);
    half();
    other.join().expect("the thread only calls a function");
}

/// Says how many nanoseconds a call takes, the best of five portions of so many: for the benchmark in a guest.
fn timed(number: u64) {
    let portion = || {
        let start = Instant::now();
        (0..number).for_each(|_| call(libc::SYS_getppid, [0, 0, 0]));
        start.elapsed().as_nanos() as f64 / number as f64
    };
    let best = (0..5).map(|_| portion()).fold(f64::INFINITY, f64::min);
    println!("nanoseconds {best:.1}");
}

/// Says where a word lies; when the input ends, writes to it so often.
fn watched(number: u64) {
    static WORD: AtomicU64 = AtomicU64::new(0);
    println!("{:#x}", WORD.as_ptr() as usize);
    let _ = std::io::copy(&mut std::io::stdin(), &mut std::io::sink());
    (0..number).for_each(|value| WORD.store(value, Ordering::SeqCst));
}

/// Passes a static probe, as the macros of `sys/sdt.h` make one: provider `scope`, name `tick`, with a number, half of it
/// with its sign turned, which lies in memory, and a constant. The probe counts who is interested in a word of its own.
#[inline(never)]
fn tick(number: u64) {
    // As programs do that spare themselves the making of arguments for nobody.
    // SAFETY: a word of a static. Volatile, or the compiler sees that nobody in here writes it.
    if unsafe { SEMAPHORE.0.as_ptr().read_volatile() } == 0 {
        return;
    }
    #[cfg(target_arch = "x86_64")]
    {
        let half = -(number as i32) / 2;
        // SAFETY: an instruction that does nothing, and a note that is not loaded.
        unsafe {
            std::arch::asm!(
                "990: nop",
                ".pushsection .note.stapsdt, \"\", \"note\"",
                ".balign 4",
                ".4byte 992f - 991f, 994f - 993f, 3",
                "991: .asciz \"stapsdt\"",
                "992: .balign 4",
                "993: .8byte 990b",
                // Where a section lies that would tell how far the file was moved since; there is none.
                ".8byte 0",
                ".8byte {semaphore}",
                ".asciz \"scope\"",
                ".asciz \"tick\"",
                ".asciz \"8@{number} -4@({half}) 4@$7\"",
                "994: .balign 4",
                ".popsection",
                semaphore = sym SEMAPHORE,
                number = in(reg) number,
                half = in(reg) &raw const half,
                options(att_syntax, nostack, readonly),
            );
        }
    }
}

/// Two threads that share one CPU, and look a name up so often together.
fn getenvs(number: u64) {
    // SAFETY: a set of CPUs of our own.
    unsafe {
        let mut first = std::mem::zeroed::<libc::cpu_set_t>();
        libc::CPU_SET(0, &mut first);
        libc::sched_setaffinity(0, size_of::<libc::cpu_set_t>(), &raw const first);
    }
    let half = move || (0..number / 2).for_each(|_| _ = std::env::var_os("SCOPE_NAME"));
    let other = std::thread::spawn(half);
    half();
    other.join().expect("the thread only looks a name up");
}

/// Two threads, so that two CPUs count at once.
fn threads(number: u64) {
    let half = move || (0..number / 2).for_each(|_| call(libc::SYS_getppid, [0, 0, 0]));
    let other = std::thread::spawn(half);
    half();
    other.join().expect("the thread only makes calls");
}

/// Closes descriptors that are not open: 100_000, 100_001, ...
fn close(number: u64) {
    (0..number).for_each(|index| call(libc::SYS_close, [100_000 + index as i64, 0, 0]));
}

/// Makes system call 20 by the 32-bit entry: there it is getpid(2), in the 64-bit table it is writev(2).
fn compat_call() {
    #[cfg(target_arch = "x86_64")]
    // SAFETY: getpid has no arguments; the entry clobbers r8 to r11 on some kernels.
    unsafe {
        std::arch::asm!("int 0x80", inout("rax") 20i64 => _, out("r8") _, out("r9") _, out("r10") _, out("r11") _);
    }
}

fn open() {
    for path in ["/proc/self/status", "/nowhere/at/all"] {
        let path = CString::new(path).expect("no NUL");
        // SAFETY: a C string.
        let fd = unsafe { libc::openat(libc::AT_FDCWD, path.as_ptr(), libc::O_RDONLY | libc::O_CLOEXEC) };
        call(libc::SYS_close, [fd.into(), 0, 0]);
    }
    let long = CString::new(format!("/{}", "x".repeat(600))).expect("no NUL");
    // SAFETY: a C string.
    unsafe { libc::openat(libc::AT_FDCWD, long.as_ptr(), libc::O_RDONLY) };
}

/// Reads so many bytes, one by one.
fn reads(number: u64) {
    // SAFETY: C strings, a byte of ours, and a descriptor of ours.
    unsafe {
        let fd = libc::open(c"/dev/zero".as_ptr(), libc::O_RDONLY | libc::O_CLOEXEC);
        let mut byte = 0u8;
        (0..number).for_each(|_| _ = libc::read(fd, (&raw mut byte).cast(), 1));
        libc::close(fd);
    }
}

/// Opens a path at an address where nothing is.
fn unmapped() {
    call(libc::SYS_openat, [libc::AT_FDCWD.into(), 8, 0]);
}

/// Ends unless a signal comes when it asks for its parent; says which thread got it.
fn signal_thread() {
    extern "C" fn note(_: libc::c_int) {
        // SAFETY: calls that a signal handler may make.
        let first = unsafe { libc::gettid() == libc::getpid() };
        let text: &[u8] = if first { b"first thread\n" } else { b"other thread\n" };
        // SAFETY: a text of ours.
        unsafe { libc::write(1, text.as_ptr().cast(), text.len()) };
    }
    // SAFETY: the handler only writes.
    unsafe { libc::signal(libc::SIGUSR1, note as *const () as libc::sighandler_t) };
    let other = std::thread::spawn(|| call(libc::SYS_getppid, [0, 0, 0]));
    other.join().expect("the thread only makes a call");
}

/// Shows where two numbers are, then what they are after a call.
fn written() {
    let numbers = [1u64, 0];
    call(libc::SYS_getppid, [numbers.as_ptr() as i64, 0, 0]);
    // SAFETY: numbers of ours, which a tracer may have written.
    let [first, second] = unsafe { std::ptr::read_volatile(&raw const numbers) };
    println!("{first} {}", String::from_utf8_lossy(&second.to_ne_bytes()).trim_end_matches('\0'));
}

/// Does something every few milliseconds, for so many milliseconds.
fn repeat(milliseconds: u64, task: impl Fn()) {
    let start = Instant::now();
    while start.elapsed() < Duration::from_millis(milliseconds) {
        task();
        std::thread::sleep(Duration::from_millis(5));
    }
}
