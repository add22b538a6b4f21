//! The eBPF program: the register machine on the kernel's helpers.
//!
//! There is one body for every kind of attach point. The kernel learns the kind when the program is loaded, the
//! plan decides what the body does, and the verifier deletes all that the plan does not reach.
#![no_std]
#![no_main]
#![feature(asm_experimental_arch)]

mod context;
mod host;
mod maps;

use core::ffi::c_void;

use scope_common::machine;

#[unsafe(no_mangle)]
#[unsafe(link_section = "raw_tp/scope")]
extern "C" fn scope(context: *mut c_void) -> i32 {
    let mut memory = host::Memory::new();
    if let Some(mut host) = host::Kernel::new(context, &mut memory) {
        machine::run(&mut host);
        host.end();
    }
    0
}

/// Several helpers are open to GPL-compatible programs only.
#[unsafe(no_mangle)]
#[unsafe(link_section = "license")]
static LICENSE: [u8; 13] = *b"Dual MIT/GPL\0";

#[panic_handler]
fn panic(_: &core::panic::PanicInfo) -> ! {
    // The machine has no panicking path; the linker drops this.
    loop {}
}
