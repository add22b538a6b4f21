//! Whether standard output was open when the process began.
//!
//! Before `main`, Rust's runtime opens `/dev/null` in the place of a descriptor that is closed, and all that is written
//! would vanish in it. So it is asked earlier, by a function that the loader calls.

use std::sync::atomic::{AtomicBool, Ordering};

static CLOSED: AtomicBool = AtomicBool::new(false);

/// What the loader calls before all else.
#[used]
// SAFETY: a function of this type is what the section holds.
#[unsafe(link_section = ".init_array")]
static LOOK: extern "C" fn() = look;

extern "C" fn look() {
    // SAFETY: a call that only asks; nothing of Rust's runtime is needed for it.
    let flags = unsafe { libc::fcntl(libc::STDOUT_FILENO, libc::F_GETFD) };
    CLOSED.store(flags < 0, Ordering::Relaxed);
}

/// Whether standard output was closed.
pub fn was_closed() -> bool {
    // Named here, so that the linker takes it wherever it takes this.
    std::hint::black_box(&LOOK);
    CLOSED.load(Ordering::Relaxed)
}
