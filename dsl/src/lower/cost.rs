//! What a plan costs the kernel's verifier, which walks every round of a loop.
//!
//! It walks a million instructions (`BPF_COMPLEXITY_LIMIT_INSNS`, `kernel/bpf/verifier.c`) and keeps 8192 branches in mind
//! (`BPF_COMPLEXITY_LIMIT_JMP_SEQ`).

use scope_common::plan::{Code, Op};

use crate::diagnostic::Diagnostic;
use crate::program::{Plan, code};
use crate::source::Span;

/// Rounds of a loop in a kernel clause at most, whatever it does.
pub const KERNEL_ROUNDS: u64 = 16_384;
/// What a plan may cost the verifier, by these estimates.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Budget {
    /// Instructions that loops may cost whose rounds only the run knows: they are given as many as fit.
    pub loops: u64,
    /// Instructions from which on a plan is refused without being tried.
    pub refused: u64,
}

/// Budgets to compile a script with, the next one where the verifier gives up. The estimates are above what was seen, often
/// far above: what exceeds them is worth a try, which takes the kernel a second at most.
pub const BUDGETS: [Budget; 3] = [
    Budget { loops: 4 * INSTRUCTIONS, refused: 30 * INSTRUCTIONS },
    Budget { loops: INSTRUCTIONS / 8, refused: INSTRUCTIONS },
    Budget { loops: INSTRUCTIONS / 8, refused: INSTRUCTIONS / 8 },
];

/// Instructions that are surely not too many.
const INSTRUCTIONS: u64 = 300_000;
/// Branches that such a plan may leave open; more, where more is tried.
const BRANCHES: u64 = 4_000;
/// Thousandths of a plan that are walked again for each place where ways part and join again, as where an entry of a map is
/// made or not: the verifier forgets most of the states in which it could see that it has been there.
const AGAIN: u64 = 36;
/// Tenths of such places that the first look-up in another map stands for: what follows is walked with each of the map's
/// two outcomes, and code that several maps share is soon forgotten.
const OTHER_MAP: u64 = 10;
/// The same, where a string was read since the look-up before.
const OTHER_MAP_AFTER_STRING: u64 = 60;

/// What a plan costs, with loops walked round by round.
#[derive(Clone, Copy, Default)]
struct Cost {
    /// Instructions, if no way were walked twice.
    instructions: u64,
    /// Tenths of places where ways part and join again.
    forks: u64,
    /// Branches left open.
    branches: u64,
}

impl Cost {
    fn with(self, other: Cost, join: impl Fn(u64, u64) -> u64) -> Cost {
        Cost {
            instructions: join(self.instructions, other.instructions),
            forks: join(self.forks, other.forks),
            branches: join(self.branches, other.branches),
        }
    }

    fn plus(self, other: Cost) -> Cost {
        self.with(other, u64::saturating_add)
    }

    fn minus(self, other: Cost) -> Cost {
        self.with(other, u64::saturating_sub)
    }

    fn times(self, rounds: u64) -> Cost {
        self.with(Cost { instructions: rounds, forks: rounds, branches: rounds }, u64::saturating_mul)
    }

    /// Instructions that the verifier walks in all.
    fn walked(self) -> u64 {
        self.instructions.saturating_mul(10_000 + self.forks.saturating_mul(AGAIN)) / 10_000
    }

    fn is_bearable(self, instructions: u64, part: u64) -> bool {
        self.walked() <= instructions / part && self.branches <= branches(instructions) / part
    }
}

/// Branches that go with so many instructions.
fn branches(instructions: u64) -> u64 {
    BRANCHES * instructions.div_ceil(INSTRUCTIONS)
}

/// What one op costs; `joins` says whether a jump leads to where other ways come too.
fn of(op: &Op, joins: bool) -> Cost {
    let imm = op.imm;
    let words = |bytes: u64| bytes.div_ceil(8);
    let (instructions, forks, branches) = match code(op.code()) {
        Some(Code::JumpIf) => (200, if joins { 4 } else { 0 }, 1),
        Some(Code::Alu) => (190, 0, 1),
        Some(Code::Zero) => (150 + 3 * words(imm), 0, 0),
        Some(Code::Copy | Code::Const | Code::ValueIn | Code::ValueOut) => (150 + 5 * words(imm >> 32), 0, 0),
        Some(Code::Compare) => (150 + 50 * words(imm >> 32), 0, 0),
        Some(Code::Length) => (150 + 45 * words(imm), 0, 0),
        Some(Code::Search) => {
            let (size, part) = (imm >> 32 & 0xffff, words(imm >> 48));
            (300 + size * (130 + part * 60), 5 + size / 4, 1 + size / 64)
        }
        Some(Code::Stack) => (300 + 14 * (imm & 0xffff), 10, imm & 0xffff),
        Some(Code::Gather) => (200 + 40 * (imm >> 32), 4, 4 * (imm >> 32)),
        Some(Code::Open) => (280, 10, 3),
        Some(Code::Str) => (320, 4, 3),
        Some(Code::Find | Code::Delete | Code::ValueSeries) => (280, 5, 3),
        Some(Code::ValueBest | Code::ValueBump | Code::Peek | Code::Read | Code::Emit) => (220, 1, 2),
        _ => (180, 0, 1),
    };
    Cost { instructions, forks, branches }
}

/// What ops cost, the loops among them as often as they go round; `joins` says of each op whether it jumps to where other
/// ways come too.
fn of_all(ops: &[Op], joins: impl Fn(usize) -> bool) -> Cost {
    let mut total = Cost::default();
    // What was spent before each loop that is open.
    let mut before = Vec::new();
    let mut behind_loop = false;
    for (at, op) in ops.iter().enumerate() {
        let code = code(op.code());
        // `Enter` stands in front of a loop, and once more directly behind it.
        if code == Some(Code::Enter) && !std::mem::take(&mut behind_loop) {
            before.push(total);
        }
        total = total.plus(of(op, joins(at)));
        if code == Some(Code::Again) {
            let start = before.pop().unwrap_or_default();
            total = start.plus(total.minus(start).times(op.imm.max(1)));
            behind_loop = true;
        }
    }
    total
}

/// Tenths of places where ways part because a plan makes entries in several maps.
fn of_maps(ops: &[Op]) -> u64 {
    let (mut maps, mut string, mut forks) = (Vec::new(), false, 0);
    for op in ops {
        match code(op.code()) {
            Some(Code::Str) => string = true,
            Some(Code::Open) if !maps.contains(&op.a()) => {
                maps.push(op.a());
                forks += if std::mem::take(&mut string) { OTHER_MAP_AFTER_STRING } else { OTHER_MAP };
            }
            _ => {}
        }
    }
    forks
}

/// How many rounds of these ops the verifier can walk in one plan, with room for what else is in it.
///
/// `loops` are so many that share what it can walk, which is `instructions`; `joins` says of each op whether it jumps to a
/// place in the body.
pub fn rounds(ops: &[Op], instructions: u64, loops: u64, joins: impl Fn(usize) -> bool) -> u64 {
    let body = of_all(ops, joins);
    let (mut least, mut most) = (0, KERNEL_ROUNDS);
    while least < most {
        let middle = (least + most).div_ceil(2);
        if body.times(middle).is_bearable(instructions, 2 * loops.max(1)) { least = middle } else { most = middle - 1 }
    }
    least
}

/// What a whole plan costs; `ends` are where the innermost loop around each op ends.
fn cost_of(ops: &[Op], ends: &[usize]) -> Cost {
    let mut cost = of_all(ops, |at| ops[at].off() != Op::TO_END && ops[at].off() as usize <= ends[at]);
    cost.forks += of_maps(ops);
    cost
}

/// Says so if a plan costs the verifier too much.
pub fn check(plan: &Plan, instructions: u64, span: Span) -> Option<Diagnostic> {
    // Where the innermost loop around each op ends: a jump behind that leaves it, and joins nothing in it.
    let mut ends = vec![plan.ops.len(); plan.ops.len()];
    for (at, op) in plan.ops.iter().enumerate().rev().filter(|(_, op)| op.code() == Code::Again as u8) {
        ends[op.off() as usize..=at].fill(at);
    }
    let cost = cost_of(&plan.ops, &ends);
    if cost.is_bearable(instructions, 1) {
        return None;
    }
    let title = if instructions < BUDGETS[0].refused {
        "this clause is too much for the kernel's verifier, which gave up after a million instructions".to_owned()
    } else {
        let (what, need, limit) = match cost.walked() > instructions {
            true => ("instructions", cost.walked(), instructions),
            false => ("branches", cost.branches, branches(instructions)),
        };
        format!("this clause would have the kernel's verifier walk about {need} {what}; no more than {limit} are tried")
    };
    if plan.ops.iter().all(|op| op.code() != Code::Again as u8) {
        let error = Diagnostic::error("E0404", span, title, "it walks what follows each branch once more");
        return Some(
            error.help("split it into several clauses: they may have the same probe; shorter strings help, too"),
        );
    }
    let error = Diagnostic::error("E0404", span, title, "it walks each round of a loop, and what follows each branch");
    let fit = fitting(plan, instructions, &ends).map_or_else(String::new, |fit| format!(" ({fit} would fit)"));
    Some(error.help(format!("fewer rounds{fit}, or shorter strings, or less in each round")))
}

/// How many rounds of its only loop would make a plan bearable, or of the outermost if loops nest; in words.
fn fitting(plan: &Plan, instructions: u64, ends: &[usize]) -> Option<String> {
    let again = |at: &usize| plan.ops[*at].code() == Code::Again as u8;
    let mut outermost = (0..plan.ops.len()).filter(again).filter(|at| {
        (0..plan.ops.len()).filter(again).all(|other| other <= *at || plan.ops[other].off() as usize > *at)
    });
    let (at, None) = (outermost.next()?, outermost.next()) else { return None };
    let mut ops = plan.ops.clone();
    let (mut least, mut most) = (0, ops[at].imm);
    while least < most {
        let middle = (least + most).div_ceil(2);
        ops[at].imm = middle;
        if cost_of(&ops, ends).is_bearable(instructions, 1) { least = middle } else { most = middle - 1 }
    }
    let nested = (0..plan.ops.len()).filter(again).nth(1).is_some();
    (least > 0).then(|| format!("about {least}{}", if nested { " of the outermost loop" } else { "" }))
}
