//! What the loads do to be seen.

use std::ffi::CString;

/// Makes a system call that fails, only asks, or is given what it wants.
pub fn call(number: i64, [a, b, c]: [i64; 3]) {
    // SAFETY: the callers pass what the call wants.
    unsafe { libc::syscall(number, a, b, c) };
}

/// Gives this thread a name.
///
/// # Panics
/// If there is a NUL in it.
pub fn set_name(name: &[u8]) {
    let name = CString::new(name).expect("no NUL");
    // SAFETY: a C string; the kernel takes 15 bytes of it.
    unsafe { libc::prctl(libc::PR_SET_NAME, name.as_ptr()) };
}
