//! Whether a probe can be set on an instruction, and without harm to the process.

use iced_x86::{Decoder, DecoderOptions};

use super::Binary;

/// The longest instruction of x86-64.
const LONGEST: u64 = 15;

impl Binary {
    /// Whether a probe can be set at an offset in the file, which lies `inside` bytes behind a function's first instruction.
    ///
    /// # Errors
    /// Why not, in words.
    pub fn can_probe(&self, offset: u64, inside: u64) -> Result<(), &'static str> {
        if !cfg!(target_arch = "x86_64") {
            return Ok(());
        }
        let start = offset.checked_sub(inside).ok_or("it lies outside of the file")?;
        let size = (inside + LONGEST).min(self.contents.size().saturating_sub(start));
        let code = self.contents.read(start, size).ok_or("it lies outside of the file")?;
        let mut decoder = Decoder::new(64, &code, DecoderOptions::NONE);
        // A trap in the middle of an instruction makes another of it.
        while (decoder.position() as u64) < inside && decoder.can_decode() {
            let _ = decoder.decode();
        }
        if decoder.position() as u64 != inside {
            return Err("no instruction begins there");
        }
        can_step(&code[inside as usize..])
    }

    /// Whether the kernel would put a call in place of the instruction at an offset, which lies in the middle of a function: a
    /// call overwrites what a function may keep below its stack (`Documentation/arch/x86`, the red zone of the ABI).
    pub fn would_call(&self, offset: u64) -> bool {
        cfg!(target_arch = "x86_64") && self.contents.read(offset, NOP5.len() as u64).is_some_and(|code| *code == NOP5)
    }
}

/// The instruction in whose place the kernel puts a call, from Linux 6.18 on (`can_optimize`, `arch/x86/kernel/uprobes.c`).
const NOP5: [u8; 5] = [0x0f, 0x1f, 0x44, 0, 0];

/// Whether the kernel can step over the instruction that code begins with. It looks at its opcode alone: that of a vector's
/// instruction, which means something else, it takes for what it would be without its prefix, a jump for example
/// (`uprobe_init_insn`, `branch_setup_xol_ops`, `push_setup_xol_ops`, `arch/x86/kernel/uprobes.c`).
fn can_step(code: &[u8]) -> Result<(), &'static str> {
    if let [0x9c, ..] | [0x66, 0x9c, ..] = *code {
        return Err(
            "it saves the flags, and with them the one that the kernel steps by: the process would be ended by it",
        );
    }
    let (opcode, vector) = match *code {
        [0xc5, _, opcode, ..] | [0xc4, _, _, opcode, ..] | [0x62, _, _, _, opcode, ..] => (opcode, true),
        [opcode, ..] => (opcode, false),
        [] => return Err("it lies outside of the file"),
    };
    match opcode {
        0x50..=0x57 | 0x70..=0x7f | 0x90 | 0x9a | 0x9d | 0xc2 | 0xc3 | 0xca | 0xcb | 0xe8 | 0xe9 | 0xeb | 0xff
            if vector =>
        {
            Err("the kernel would take its first instruction for another, and the process would go wrong")
        }
        // `good_insns_64`; and segments and `lock`, which are `is_prefix_bad`.
        0x06
        | 0x07
        | 0x0e
        | 0x16
        | 0x17
        | 0x1e
        | 0x1f
        | 0x26
        | 0x27
        | 0x2e
        | 0x2f
        | 0x36
        | 0x37
        | 0x3e
        | 0x3f
        | 0x60..=0x62
        | 0x6c..=0x6f
        | 0x82
        | 0x9a
        | 0xc4
        | 0xc5
        | 0xcc..=0xce
        | 0xd4..=0xd6
        | 0xe4..=0xe7
        | 0xea
        | 0xec..=0xef
        | 0xf0
        | 0xf1
        | 0xf4
        | 0xfa
        | 0xfb => Err("the kernel can't step over its first instruction"),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::can_step;

    #[test]
    fn instructions_that_the_kernel_mistakes_are_refused() {
        for code in [&[0x55][..], &[0xf3, 0x0f, 0x1e, 0xfa], &[0x48, 0x89, 0xe5], &[0xe9, 0, 0, 0, 0], &[0xc3]] {
            assert_eq!(can_step(code), Ok(()), "{code:x?}");
        }
        // vpbroadcastb %esi, %ymm17 would be jumped from; vandps is no push.
        for code in [&[0x62, 0xe2, 0x7d, 0x28, 0x7a, 0xce][..], &[0xc5, 0xf8, 0x54, 0xc1]] {
            assert!(can_step(code).is_err_and(|reason| reason.contains("go wrong")), "{code:x?}");
        }
        for code in [&[0x9c][..], &[0x66, 0x9c]] {
            assert!(can_step(code).is_err_and(|reason| reason.contains("saves the flags")), "{code:x?}");
        }
        for code in [&[0xf0, 0x0f, 0xb1, 0x0a][..], &[0xc5, 0xf9, 0x6e, 0xc6], &[0xcc], &[0xf4]] {
            assert!(can_step(code).is_err_and(|reason| reason.contains("step over")), "{code:x?}");
        }
    }
}
