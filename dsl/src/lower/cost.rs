//! What a plan costs the kernel's verifier, which walks every round of a loop.
//!
//! It walks a million instructions (`BPF_COMPLEXITY_LIMIT_INSNS`, `kernel/bpf/verifier.c`) and keeps 8192 branches in mind
//! (`BPF_COMPLEXITY_LIMIT_JMP_SEQ`). The estimates here are above what was seen, so that no plan that passes is refused.

use scope_common::plan::{Code, Op};

use crate::diagnostic::Diagnostic;
use crate::program::{Plan, code};
use crate::source::Span;

/// Rounds of a loop in a kernel clause at most, whatever it does.
pub const KERNEL_ROUNDS: u64 = 16_384;
/// Instructions that a plan may cost the verifier.
const INSTRUCTIONS: u64 = 500_000;
/// Branches that it may leave open.
const BRANCHES: u64 = 4_000;

/// Instructions that the verifier walks, and branches that it leaves open.
#[derive(Clone, Copy, Default)]
struct Cost {
    instructions: u64,
    branches: u64,
}

impl Cost {
    fn plus(self, other: Cost) -> Cost {
        Cost {
            instructions: self.instructions.saturating_add(other.instructions),
            branches: self.branches.saturating_add(other.branches),
        }
    }

    fn times(self, rounds: u64) -> Cost {
        Cost {
            instructions: self.instructions.saturating_mul(rounds),
            branches: self.branches.saturating_mul(rounds),
        }
    }
}

/// What one op costs.
fn of(op: &Op) -> Cost {
    let imm = op.imm;
    let words = |bytes: u64| bytes.div_ceil(8);
    let (instructions, branches) = match code(op.code()) {
        Some(Code::JumpIf) => (40, 1),
        Some(Code::Alu) => (60, 1),
        Some(Code::Zero) => (30 + 8 * words(imm), 0),
        Some(Code::Copy | Code::Const | Code::ValueIn | Code::ValueOut) => (30 + 12 * words(imm >> 32), 0),
        Some(Code::Compare) => (30 + 24 * words(imm >> 32), words(imm >> 32)),
        Some(Code::Length) => (30 + 24 * words(imm), words(imm)),
        Some(Code::Search) => {
            let (size, part) = (imm >> 32 & 0xffff, words(imm >> 48));
            (60 + size * (16 + part * 28), size + part)
        }
        Some(Code::Stack) => (80 + 14 * (imm & 0xffff_ffff), imm & 0xffff_ffff),
        Some(Code::Gather) => (30 + 40 * (imm >> 32), 4 * (imm >> 32)),
        Some(Code::Find | Code::Open | Code::Delete) => (90, 3),
        Some(Code::Str | Code::Read | Code::Emit | Code::Peek) => (70, 3),
        Some(Code::ValueSeries) => (120, 8),
        Some(Code::ValueBump | Code::ValueBest | Code::ValueSquare) => (60, 3),
        _ => (40, 0),
    };
    Cost { instructions, branches }
}

/// What ops cost, the loops among them as often as they go round.
fn of_all(ops: &[Op]) -> Cost {
    let mut total = Cost::default();
    // What was spent before each loop that is open.
    let mut before = Vec::new();
    let mut behind_loop = false;
    for op in ops {
        let code = code(op.code());
        // `Enter` stands in front of a loop, and once more directly behind it.
        if code == Some(Code::Enter) && !std::mem::take(&mut behind_loop) {
            before.push(total);
        }
        total = total.plus(of(op));
        if code == Some(Code::Again) {
            let start = before.pop().unwrap_or_default();
            let body = Cost {
                instructions: total.instructions.saturating_sub(start.instructions),
                branches: total.branches.saturating_sub(start.branches),
            };
            total = start.plus(body.times(op.imm.max(1)));
            behind_loop = true;
        }
    }
    total
}

/// How many rounds of these ops the verifier can walk in one plan, with room for what else is in it.
pub fn rounds(ops: &[Op]) -> u64 {
    let cost = of_all(ops);
    (INSTRUCTIONS / 2 / cost.instructions.max(1)).min(BRANCHES / 2 / cost.branches.max(1))
}

/// Says so if a plan costs the verifier too much.
pub fn check(plan: &Plan, span: Span) -> Option<Diagnostic> {
    let cost = of_all(&plan.ops);
    if cost.instructions <= INSTRUCTIONS && cost.branches <= BRANCHES {
        return None;
    }
    let (what, need, limit) = if cost.instructions > INSTRUCTIONS {
        ("instructions", cost.instructions, INSTRUCTIONS)
    } else {
        ("branches", cost.branches, BRANCHES)
    };
    let title = format!("this clause would have the kernel's verifier walk about {need} {what}; the limit is {limit}");
    let error = Diagnostic::error("E0404", span, title, "it walks each round of a loop");
    Some(error.help("fewer rounds, or shorter strings, or less in each round"))
}
