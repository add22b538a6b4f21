//! Integer semantics: what every operator of the language computes, once, for the kernel, for userspace and for
//! the constant folder.
//!
//! All values are 64 bits wide and wrap. Division by zero gives 0 and the remainder by zero the dividend, as the BPF
//! instruction set defines (`Documentation/bpf/standardization/instruction-set.rst`). Shift counts are taken modulo 64.

/// An operation on two 64-bit words; comparisons give 0 or 1.
#[repr(u8)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Alu {
    /// The right operand itself: a move.
    Mov = 0,
    /// Wrapping sum.
    Add,
    /// Wrapping difference.
    Sub,
    /// Wrapping product.
    Mul,
    /// Unsigned quotient, 0 when the divisor is 0.
    DivU,
    /// Signed quotient, rounded towards zero; 0 when the divisor is 0; `i64::MIN / -1` wraps to `i64::MIN`.
    DivS,
    /// Unsigned remainder, the dividend when the divisor is 0.
    RemU,
    /// Signed remainder with the sign of the dividend; the dividend when the divisor is 0.
    RemS,
    /// Bitwise and.
    And,
    /// Bitwise or.
    Or,
    /// Bitwise exclusive or.
    Xor,
    /// Left shift.
    Shl,
    /// Right shift that brings in zeroes.
    ShrU,
    /// Right shift that brings in the sign.
    ShrS,
    /// Sign extension of the low `right` bits (8, 16 or 32) to 64.
    Sext,
    /// Equal.
    Eq,
    /// Not equal.
    Ne,
    /// Unsigned less than.
    LtU,
    /// Unsigned less than or equal.
    LeU,
    /// Unsigned greater than.
    GtU,
    /// Unsigned greater than or equal.
    GeU,
    /// Signed less than.
    LtS,
    /// Signed less than or equal.
    LeS,
    /// Signed greater than.
    GtS,
    /// Signed greater than or equal.
    GeS,
    /// The histogram bucket of the left operand, with `2^right` buckets for each power of two: see [`log2_bucket`].
    Log2,
    /// The lowest 16, 32 or 64 bits with their bytes in reverse; the right operand says how many.
    Swap,
}

/// Every [`Alu`] operation, in the order of its code.
pub const ALUS: [Alu; 27] = [
    Alu::Mov,
    Alu::Add,
    Alu::Sub,
    Alu::Mul,
    Alu::DivU,
    Alu::DivS,
    Alu::RemU,
    Alu::RemS,
    Alu::And,
    Alu::Or,
    Alu::Xor,
    Alu::Shl,
    Alu::ShrU,
    Alu::ShrS,
    Alu::Sext,
    Alu::Eq,
    Alu::Ne,
    Alu::LtU,
    Alu::LeU,
    Alu::GtU,
    Alu::GeU,
    Alu::LtS,
    Alu::LeS,
    Alu::GtS,
    Alu::GeS,
    Alu::Log2,
    Alu::Swap,
];

impl Alu {
    /// Whether the result is 0 or 1.
    #[must_use]
    pub const fn is_comparison(self) -> bool {
        matches!(self as u8, 15..=24)
    }
}

/// Applies the operation with code `op` (an [`Alu`] as `u8`) to two words; an unknown code gives 0.
///
/// It takes the code and not the enum, because the machine reads the code from the plan: the verifier, which knows
/// the plan, keeps only the arms that the plan reaches.
#[inline(always)]
#[must_use]
pub fn alu(op: u8, left: u64, right: u64) -> u64 {
    macro_rules! codes {
        ($($name:ident => $value:expr),* $(,)?) => {
            $( if op == Alu::$name as u8 { return $value; } )*
        };
    }
    // A chain of comparisons, not a `match`: LLVM turns a match over pure values into tables or selects, and then the
    // verifier can no longer drop the arms that a plan does not use.
    codes! {
        Mov => opaque(right),
        Add => opaque(left.wrapping_add(right)),
        Sub => opaque(left.wrapping_sub(right)),
        Mul => opaque(left.wrapping_mul(right)),
        DivU => opaque(div_unsigned(left, right)),
        DivS => opaque(div_signed(left, right)),
        RemU => opaque(rem_unsigned(left, right)),
        RemS => opaque(rem_signed(left, right)),
        And => opaque(left & right),
        Or => opaque(left | right),
        Xor => opaque(left ^ right),
        Shl => opaque(left << (right & 63)),
        ShrU => opaque(left >> (right & 63)),
        ShrS => opaque(((left as i64) >> (right & 63)) as u64),
        Sext => opaque(sign_extend(left, right)),
        Eq => truth(left == right),
        Ne => truth(left != right),
        LtU => truth(left < right),
        LeU => truth(left <= right),
        GtU => truth(left > right),
        GeU => truth(left >= right),
        LtS => truth((left as i64) < right as i64),
        LeS => truth((left as i64) <= right as i64),
        GtS => truth((left as i64) > right as i64),
        GeS => truth((left as i64) >= right as i64),
        Log2 => opaque(log2_bucket(left, right)),
        Swap => opaque(swap(left, right)),
    }
    0
}

/// Applies an operation as [`alu`] does, without branches: the verifier walks all that follows a branch once more.
#[inline(always)]
#[must_use]
pub fn alu_straight(op: u8, left: u64, right: u64) -> u64 {
    // A number with a sign is in the order of those without, once its highest bit is turned over.
    const SIGN: u64 = 1 << 63;
    macro_rules! codes {
        ($($name:ident => $value:expr),* $(,)?) => {
            $( if op == Alu::$name as u8 { return opaque($value); } )*
        };
    }
    codes! {
        Eq => 1 ^ (ones_if(left ^ right) & 1),
        Ne => ones_if(left ^ right) & 1,
        LtU => less(left, right),
        LeU => 1 ^ less(right, left),
        GtU => less(right, left),
        GeU => 1 ^ less(left, right),
        LtS => less(left ^ SIGN, right ^ SIGN),
        LeS => 1 ^ less(right ^ SIGN, left ^ SIGN),
        GtS => less(right ^ SIGN, left ^ SIGN),
        GeS => 1 ^ less(left ^ SIGN, right ^ SIGN),
    }
    alu(op, left, right)
}

/// All ones if a number is not 0, else 0. It is hidden from LLVM that it is one of two, which it would choose between by a
/// branch.
#[inline(always)]
#[must_use]
pub fn ones_if(number: u64) -> u64 {
    opaque((opaque(number | number.wrapping_neg()) >> 63).wrapping_neg())
}

/// 1 if `left` is less than `right`, both without a sign: the borrow of their difference.
#[inline(always)]
#[must_use]
pub fn less(left: u64, right: u64) -> u64 {
    opaque(opaque((!left & right) | ((!left | right) & left.wrapping_sub(right))) >> 63)
}

#[inline(always)]
fn truth(condition: bool) -> u64 {
    opaque(condition as u64)
}

/// Keeps LLVM from computing an arm before it is chosen, or from merging two arms into one: each arm has to stay a
/// block of its own that the verifier can drop. Does nothing at run time, and nothing at all outside BPF.
#[inline(always)]
#[must_use]
pub fn opaque(value: u64) -> u64 {
    #[cfg(target_arch = "bpf")]
    let value = {
        let mut kept = value;
        // SAFETY: an empty block that claims to change one register.
        unsafe { core::arch::asm!("/* {0} */", inout(reg) kept, options(nostack, nomem)) };
        kept
    };
    value
}

/// A word of memory that programs may write, and never do: always 0, which the verifier does not know.
#[cfg(target_arch = "bpf")]
#[unsafe(no_mangle)]
static mut NOTHING: u64 = 0;

/// Hides a value of a machine register from the verifier before a branch depends on it.
///
/// Registers lie on the BPF stack and are reached through a computed address. Verifiers before 6.8 do not follow the
/// need for an exact value through such an access: they take a path for one they have seen although a register differs,
/// and delete the code that only it reaches ("bpf: support non-r10 register spill/fill to/from stack in precision
/// tracking" mended it). Later ones do follow it, and then walk each round of a loop and each branch behind another for
/// itself. What a verifier does not know, it can neither be wrong about nor tell apart: so 0 is added that it takes for
/// any number. (A double negation, which was enough once, is seen through since 6.17.) Does nothing outside BPF.
#[inline(always)]
#[must_use]
pub fn blind(value: u64) -> u64 {
    #[cfg(target_arch = "bpf")]
    let value = {
        let nothing: u64;
        // By an address that is put together here: LLVM would keep it on the stack, which has no room for it.
        // SAFETY: a word of a static that nobody writes.
        unsafe {
            core::arch::asm!("{0} = {1} ll", "{0} = *(u64 *)({0} + 0)", out(reg) nothing, sym NOTHING, options(nostack, readonly));
        }
        value.wrapping_add(nothing)
    };
    value
}

#[inline(always)]
fn div_unsigned(left: u64, right: u64) -> u64 {
    #[cfg(target_arch = "bpf")]
    {
        let mut quotient = left;
        // SAFETY: one instruction, which gives 0 for a division by zero.
        unsafe { core::arch::asm!("{0} /= {1}", inout(reg) quotient, in(reg) right, options(nostack, nomem)) };
        return quotient;
    }
    #[cfg(not(target_arch = "bpf"))]
    left.checked_div(right).unwrap_or_default()
}

#[inline(always)]
fn rem_unsigned(left: u64, right: u64) -> u64 {
    #[cfg(target_arch = "bpf")]
    {
        let mut remainder = left;
        // SAFETY: one instruction, which gives the dividend for a division by zero.
        unsafe { core::arch::asm!("{0} %= {1}", inout(reg) remainder, in(reg) right, options(nostack, nomem)) };
        return remainder;
    }
    #[cfg(not(target_arch = "bpf"))]
    left.checked_rem(right).unwrap_or(left)
}

// BPF has no signed division before version 4 of its instruction set, so the signs are handled apart.

#[inline(always)]
fn div_signed(left: u64, right: u64) -> u64 {
    let quotient = div_unsigned(magnitude(left), magnitude(right));
    signed_as(quotient, left ^ right)
}

#[inline(always)]
fn rem_signed(left: u64, right: u64) -> u64 {
    signed_as(rem_unsigned(magnitude(left), magnitude(right)), left)
}

#[inline(always)]
fn magnitude(value: u64) -> u64 {
    signed_as(value, value)
}

/// The number, or its negative if the other number is negative.
#[inline(always)]
fn signed_as(value: u64, sign: u64) -> u64 {
    let ones = opaque(((sign as i64) >> 63) as u64);
    opaque((value ^ ones).wrapping_sub(ones))
}

#[inline(always)]
fn sign_extend(value: u64, bits: u64) -> u64 {
    let unused = 64u64.wrapping_sub(bits) & 63;
    (((value << unused) as i64) >> unused) as u64
}

#[inline(always)]
fn swap(value: u64, bits: u64) -> u64 {
    // The bytes of the whole word, then those that count.
    value.swap_bytes() >> (64u64.wrapping_sub(bits) & 63)
}

/// The most that `k` can be in a histogram with `2^k` buckets for each power of two.
pub const MAX_K: u64 = 5;

/// How many buckets a histogram has with `2^k` of them for each power of two.
#[must_use]
pub const fn log2_buckets(k: u64) -> usize {
    // Negative numbers; the numbers below 2^k by themselves; then the powers of two from 2^k to 2^63.
    1 + (1 << k) + ((63 - k as usize) << k)
}

/// Gives the bucket of a value in a histogram with `2^k` buckets for each power of two, below [`log2_buckets`].
///
/// Bucket 0 holds the negative values, and `n + 1` holds `n` for each `n` below `2^k`; from there on each power of two
/// is cut into `2^k` buckets of one width. With `k = 0`, bucket 1 holds 0, and `b + 2` holds `[2^b, 2^(b+1))`: the
/// layout of bpftrace's `hist()`.
#[inline(always)]
#[must_use]
pub fn log2_bucket(value: u64, k: u64) -> u64 {
    // By halves, as BPF counts no leading zeroes, and without branches, as the verifier walks each side of one.
    let k = k & 7;
    let mut rest = value;
    let mut log = 0u64;
    macro_rules! halve {
        ($($bits:literal)*) => { $(
            let high = opaque(rest >> $bits);
            // 1 if any high bit is set.
            let any = opaque(high | high.wrapping_neg()) >> 63;
            rest >>= any * $bits;
            log = log.wrapping_add(any * $bits);
        )* };
    }
    halve!(32 16 8 4 2 1);
    let _ = rest;
    let above = log.wrapping_sub(k) & 63;
    // The k bits below the highest say which part of the power of two it is.
    let part = (value >> above) & ((1 << k) - 1);
    let large = ((above + 1) << k).wrapping_add(part + 1);
    // All ones if the number has a bucket for itself; if it is negative.
    let small = !ones_if(value >> k);
    let negative = opaque(((value as i64) >> 63) as u64);
    (large & !small | value.wrapping_add(1) & small) & !negative
}

/// The least value of a bucket of [`log2_bucket`] but the first.
#[must_use]
pub const fn bucket_start(bucket: u64, k: u64) -> u64 {
    let index = bucket - 1;
    if index < 1 << k {
        return index;
    }
    let above = (index >> k) - 1;
    ((1 << k) + (index & ((1 << k) - 1))) << above
}

#[cfg(test)]
mod tests {
    use super::*;

    const EDGES: [i64; 9] = [0, 1, -1, 2, -2, 63, i64::MAX, i64::MIN, i64::MIN + 1];

    fn run(op: Alu, left: i64, right: i64) -> i64 {
        alu(op as u8, left as u64, right as u64) as i64
    }

    #[test]
    fn codes_are_the_order_of_the_list() {
        for (code, op) in ALUS.iter().enumerate() {
            assert_eq!(*op as usize, code);
        }
        assert_eq!(ALUS.iter().filter(|op| op.is_comparison()).count(), 10);
        assert!(Alu::Eq.is_comparison() && Alu::GeS.is_comparison());
    }

    #[test]
    fn division_agrees_with_rust_at_the_edges_and_by_zero_with_bpf() {
        for left in EDGES {
            for right in EDGES {
                let (quotient, remainder) =
                    if right == 0 { (0, left) } else { (left.wrapping_div(right), left.wrapping_rem(right)) };
                assert_eq!(run(Alu::DivS, left, right), quotient, "{left} / {right}");
                assert_eq!(run(Alu::RemS, left, right), remainder, "{left} % {right}");
                let (left, right) = (left as u64, right as u64);
                assert_eq!(alu(Alu::DivU as u8, left, right), left.checked_div(right).unwrap_or(0));
                assert_eq!(alu(Alu::RemU as u8, left, right), left.checked_rem(right).unwrap_or(left));
            }
        }
    }

    #[test]
    fn comparisons_and_shifts_agree_with_rust_at_the_edges() {
        for left in EDGES {
            for right in EDGES {
                let (ul, ur) = (left as u64, right as u64);
                assert_eq!(run(Alu::LtS, left, right) == 1, left < right);
                assert_eq!(run(Alu::GeS, left, right) == 1, left >= right);
                assert_eq!(run(Alu::LtU, left, right) == 1, ul < ur);
                assert_eq!(run(Alu::GtU, left, right) == 1, ul > ur);
                assert_eq!(run(Alu::Shl, left, right), left.wrapping_shl(right as u32));
                assert_eq!(run(Alu::ShrS, left, right), left.wrapping_shr(right as u32));
                assert_eq!(run(Alu::ShrU, left, right) as u64, ul.wrapping_shr(ur as u32));
            }
        }
    }

    #[test]
    fn what_is_computed_without_branches_is_the_same() {
        for op in ALUS.map(|op| op as u8) {
            for left in EDGES {
                for right in EDGES {
                    let (left, right) = (left as u64, right as u64);
                    assert_eq!(alu_straight(op, left, right), alu(op, left, right), "{op}: {left} {right}");
                }
            }
        }
    }

    #[test]
    fn sign_extension_keeps_the_low_bits() {
        assert_eq!(run(Alu::Sext, 0xffff_ff9c, 32), -100);
        assert_eq!(run(Alu::Sext, 0x1_0000_0001, 32), 1);
        assert_eq!(run(Alu::Sext, 0x80, 8), -128);
        assert_eq!(run(Alu::Sext, 0x7fff, 16), 0x7fff);
    }

    #[test]
    fn histogram_buckets_are_powers_of_two() {
        assert_eq!(log2_bucket(-5i64 as u64, 0), 0);
        assert_eq!(log2_bucket(0, 0), 1);
        assert_eq!(log2_bucket(1, 0), 2);
        for log in 0..63 {
            assert_eq!(log2_bucket(1 << log, 0), log + 2);
            assert_eq!(log2_bucket((1u64 << (log + 1)) - 1, 0), log + 2);
        }
        assert_eq!(log2_bucket(i64::MAX as u64, 0) as usize, log2_buckets(0) - 1);
    }

    #[test]
    fn finer_buckets_begin_where_the_one_before_ends() {
        for k in 0..=MAX_K {
            for bucket in 1..log2_buckets(k) as u64 {
                let start = bucket_start(bucket, k);
                assert_eq!(log2_bucket(start, k), bucket, "{start} with {k}");
                if start > 0 {
                    assert_eq!(log2_bucket(start - 1, k), bucket - 1, "below {start} with {k}");
                }
            }
            assert_eq!(log2_bucket(i64::MAX as u64, k) as usize, log2_buckets(k) - 1);
        }
    }

    #[test]
    fn bytes_are_swapped() {
        assert_eq!(run(Alu::Swap, 0x1234, 16), 0x3412);
        assert_eq!(run(Alu::Swap, 0x1234_5678, 32), 0x7856_3412);
        assert_eq!(run(Alu::Swap, 0x0102_0304_0506_0708, 64), 0x0807_0605_0403_0201);
    }
}
