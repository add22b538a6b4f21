//! Reading the context: the verifier wants a load at an offset that is part of the instruction.

use core::arch::asm;
use core::ffi::c_void;

/// One `asm!` block per offset keeps LLVM from merging the arms into one load at `context + register`, which the
/// verifier refuses ("dereference of modified ctx ptr"). Of all the arms only the one that the plan names survives.
macro_rules! load_at {
    ($kind:literal, $context:expr, $offset:expr; $($at:literal)*) => {
        match $offset {
            $( $at => {
                let value: u64;
                // SAFETY: the verifier proves the load to lie inside the context.
                unsafe {
                    asm!(
                        concat!("{0} = *(", $kind, " *)({1} + ", $at, ")"),
                        out(reg) value,
                        in(reg) $context,
                        options(nostack, readonly),
                    );
                }
                value
            } )*
            _ => 0,
        }
    };
}

/// Loads the 8 bytes at `offset`, a multiple of 8 below [`scope_common::plan::MAX_CONTEXT`].
#[inline(always)]
pub fn word(context: *const c_void, offset: u32) -> u64 {
    load_at!("u64", context, offset;
        0 8 16 24 32 40 48 56 64 72 80 88 96 104 112 120 128 136 144 152 160 168 176 184 192 200 208 216 224 232 240 248
        256 264 272 280 288 296 304 312 320 328 336 344 352 360 368 376 384 392 400 408 416 424 432 440 448 456 464 472
        480 488 496 504)
}

/// Loads the 4 bytes at `offset`, a multiple of 4: a load past a tracepoint's last field is refused at attach.
#[inline(always)]
pub fn half(context: *const c_void, offset: u32) -> u64 {
    load_at!("u32", context, offset;
        0 4 8 12 16 20 24 28 32 36 40 44 48 52 56 60 64 68 72 76 80 84 88 92 96 100 104 108 112 116 120 124 128 132 136
        140 144 148 152 156 160 164 168 172 176 180 184 188 192 196 200 204 208 212 216 220 224 228 232 236 240 244 248
        252 256 260 264 268 272 276 280 284 288 292 296 300 304 308 312 316 320 324 328 332 336 340 344 348 352 356 360
        364 368 372 376 380 384 388 392 396 400 404 408 412 416 420 424 428 432 436 440 444 448 452 456 460 464 468 472
        476 480 484 488 492 496 500 504 508)
}

/// Makes a number of what the verifier takes for a pointer, with which it would allow no arithmetic: negated twice, which
/// turns a pointer into a number that it knows nothing of.
#[inline(always)]
pub fn number(mut value: u64) -> u64 {
    // SAFETY: two instructions on a register.
    unsafe { asm!("{0} = -{0}", "{0} = -{0}", inout(reg) value, options(nostack, nomem)) };
    value
}
