//! The loads of the scripts that watch the network, memory and what belongs to the whole system.

use std::fs;
use std::io::{Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::os::fd::AsRawFd;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::time::Duration;

use scope_tests::process::call;

/// The port that connections go to. Nobody chooses it by itself: it lies below those that the kernel gives out.
pub const PORT: u16 = 18_471;
/// A port that nothing listens on.
pub const CLOSED: u16 = 18_472;
/// A file that is written.
pub const FILE: &str = "scope-written";

/// Runs a load; gives whether there is one of this name.
pub fn run(name: &str, number: u64) -> bool {
    match name {
        "stats" => stats(),
        "syncs" => syncs(),
        "dirty" => dirty(number),
        "tcp" => tcp(),
        "refused" => _ = TcpStream::connect((Ipv4Addr::LOCALHOST, CLOSED)),
        "overflow" => overflow(),
        "unix" => unix(),
        "starts" => (0..number).for_each(|_| std::thread::spawn(|| ()).join().expect("the thread does nothing")),
        "capability" => capability(),
        "oom" => oom(),
        "tls" => tls(),
        _ => return false,
    }
    true
}

/// Asks for the status of what is there and what is not, by every call that takes a path.
fn stats() {
    let (there, missing) = (c"/proc/self/status".as_ptr() as i64, c"/nowhere/at/all".as_ptr() as i64);
    let mut room = [0u64; 64];
    let room = room.as_mut_ptr() as i64;
    call(libc::SYS_stat, [there, room, 0]);
    call(libc::SYS_lstat, [missing, room, 0]);
    call(libc::SYS_statfs, [there, room, 0]);
    // SAFETY: C strings, and room for what the calls write.
    unsafe {
        libc::syscall(libc::SYS_newfstatat, libc::AT_FDCWD, there, room, 0);
        libc::syscall(libc::SYS_statx, libc::AT_FDCWD, missing, 0, 0, room);
    }
}

/// A file that is written and brought to the disk.
fn syncs() {
    let path = std::env::temp_dir().join(FILE);
    let mut file = fs::File::create(&path).expect("a file of ours");
    file.write_all(b"text").expect("there is room");
    call(libc::SYS_fsync, [file.as_raw_fd().into(), 0, 0]);
    call(libc::SYS_fdatasync, [file.as_raw_fd().into(), 0, 0]);
    call(libc::SYS_fsync, [-1, 0, 0]);
    fs::remove_file(path).expect("it is there");
}

/// Writes so many pages of a file, and leaves it to the kernel to bring them to the disk.
fn dirty(pages: u64) {
    let path = std::env::temp_dir().join(FILE);
    fs::write(&path, vec![1; pages as usize * 4096]).expect("a file of ours");
    call(libc::SYS_sync, [0, 0, 0]);
    fs::remove_file(path).expect("it is there");
}

/// A connection that carries 100 bytes one way and 7 the other, and is closed by the side that began it.
fn tcp() {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, PORT)).expect("the port is free");
    let mut client = TcpStream::connect((Ipv4Addr::LOCALHOST, PORT)).expect("somebody listens");
    let (mut server, _) = listener.accept().expect("somebody connected");
    client.write_all(&[1; 100]).expect("the server is there");
    server.read_exact(&mut [0; 100]).expect("they were sent");
    server.write_all(&[2; 7]).expect("the client is there");
    client.read_exact(&mut [0; 7]).expect("they were sent");
    drop(client);
    _ = server.read(&mut [0]);
}

/// A connection that finds the queue full, so that its first packet is sent again, a second later.
fn overflow() {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, PORT)).expect("the port is free");
    call(libc::SYS_listen, [listener.as_raw_fd().into(), 0, 0]);
    let _first = TcpStream::connect((Ipv4Addr::LOCALHOST, PORT)).expect("there is room for one");
    let to = SocketAddr::from((Ipv4Addr::LOCALHOST, PORT));
    _ = TcpStream::connect_timeout(&to, Duration::from_millis(1500));
}

/// A message of 13 bytes, taken in two parts.
fn unix() {
    let (mut sender, mut receiver) = UnixStream::pair().expect("there are descriptors");
    sender.write_all(b"hello\x01 socket").expect("the receiver is there");
    receiver.read_exact(&mut [0; 6]).expect("they were sent");
    receiver.read_exact(&mut [0; 7]).expect("they were sent");
}

/// Becomes a user without rights and asks for those of root.
fn capability() {
    const NOBODY: i64 = 65_534;
    call(libc::SYS_setuid, [NOBODY, 0, 0]);
    call(libc::SYS_setuid, [0, 0, 0]);
}

/// A child that takes more memory than its cgroup may; ends with status 3 where there are no cgroups for memory.
fn oom() {
    let Some(group) = memory_group(32 << 20) else { std::process::exit(3) };
    // SAFETY: the only thread; the child does nothing but take memory.
    let child = unsafe { libc::fork() };
    if child == 0 {
        fs::write(group.join("cgroup.procs"), "0").expect("a cgroup of ours");
        std::hint::black_box(vec![1u8; 256 << 20]);
        std::process::exit(0);
    }
    // SAFETY: a child of ours.
    unsafe { libc::waitpid(child, std::ptr::null_mut(), 0) };
    fs::remove_dir(group).expect("nobody is left in it");
}

/// Makes a cgroup that may have so much memory, of version 1 or 2.
fn memory_group(limit: u64) -> Option<PathBuf> {
    let limit = limit.to_string();
    let name = format!("scope-oom-{}", std::process::id());
    let first = Path::new("/sys/fs/cgroup/memory");
    if first.join("memory.limit_in_bytes").exists() {
        let group = first.join(name);
        fs::create_dir(&group).ok()?;
        fs::write(group.join("memory.limit_in_bytes"), &limit).ok()?;
        // Where swap is counted, too.
        _ = fs::write(group.join("memory.memsw.limit_in_bytes"), &limit);
        return Some(group);
    }
    let mut root = PathBuf::from("/sys/fs/cgroup");
    if !root.join("cgroup.controllers").exists() {
        root = std::env::temp_dir().join("scope-cgroup");
        fs::create_dir_all(&root).ok()?;
        let path = std::ffi::CString::new(root.to_str()?).ok()?;
        // SAFETY: C strings.
        unsafe { libc::mount(c"none".as_ptr(), path.as_ptr(), c"cgroup2".as_ptr(), 0, std::ptr::null()) };
    }
    fs::write(root.join("cgroup.subtree_control"), "+memory").ok()?;
    let group = root.join(name);
    fs::create_dir(&group).ok()?;
    fs::write(group.join("memory.max"), &limit).ok()?;
    _ = fs::write(group.join("memory.swap.max"), "0");
    Some(group)
}

/// Two ends of a connection in one process, by OpenSSL: a handshake, and 5 bytes that are written and read. Ends with
/// status 3 where there is no OpenSSL.
fn tls() {
    use std::ffi::{c_char, c_int, c_long, c_void};
    type Object = *mut c_void;
    // SAFETY: functions of OpenSSL with the types that its manual gives them, and objects that it made.
    unsafe {
        let library = libc::dlopen(c"libssl.so.3".as_ptr(), libc::RTLD_NOW);
        if library.is_null() {
            std::process::exit(3);
        }
        macro_rules! function {
            ($name:literal ($($argument:ty),*) -> $result:ty) => {
                std::mem::transmute::<Object, unsafe extern "C" fn($($argument),*) -> $result>(libc::dlsym(library, $name.as_ptr()))
            };
        }
        let method = function!(c"TLS_method" () -> Object);
        let new_context = function!(c"SSL_CTX_new" (Object) -> Object);
        let control = function!(c"SSL_CTX_ctrl" (Object, c_int, c_long, Object) -> c_long);
        let ciphers = function!(c"SSL_CTX_set_cipher_list" (Object, *const c_char) -> c_int);
        let new = function!(c"SSL_new" (Object) -> Object);
        let pair = function!(c"BIO_new_bio_pair" (*mut Object, usize, *mut Object, usize) -> c_int);
        let set_bio = function!(c"SSL_set_bio" (Object, Object, Object) -> ());
        let connects = function!(c"SSL_set_connect_state" (Object) -> ());
        let accepts = function!(c"SSL_set_accept_state" (Object) -> ());
        let handshake = function!(c"SSL_do_handshake" (Object) -> c_int);
        let read = function!(c"SSL_read" (Object, Object, c_int) -> c_int);
        let write = function!(c"SSL_write" (Object, *const c_void, c_int) -> c_int);

        let context = new_context(method());
        // Of TLS 1.2, which needs no certificate with these.
        control(context, 124, 0x0303, std::ptr::null_mut());
        assert_eq!(ciphers(context, c"AECDH-AES256-SHA:@SECLEVEL=0".as_ptr()), 1);
        let (client, server) = (new(context), new(context));
        let (mut near, mut far) = (std::ptr::null_mut(), std::ptr::null_mut());
        assert_eq!(pair(&raw mut near, 0, &raw mut far, 0), 1);
        set_bio(client, near, near);
        set_bio(server, far, far);
        connects(client);
        accepts(server);
        // Each goes on as far as what the other has sent lets it.
        let done = (0..20).any(|_| [client, server].map(|end| handshake(end)) == [1, 1]);
        assert!(done, "no handshake");
        let mut bytes = [0u8; 8];
        assert_eq!(write(client, c"hello".as_ptr().cast(), 5), 5);
        assert_eq!(read(server, bytes.as_mut_ptr().cast(), 8), 5);
        // There is nothing more.
        assert_eq!(read(server, bytes.as_mut_ptr().cast(), 8), -1);
    }
}
