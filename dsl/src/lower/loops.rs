//! Loops: rounds that the machine counts.

use scope_common::plan::{Code, LOOPS};

use crate::checked::{Loop, Statement};
use crate::config::Config;
use crate::diagnostic::Diagnostic;
use crate::limits::USER_ROUNDS;
use crate::types::Type;

use super::builder::Label;
use super::{Around, Lowerer, Variable, cost};

impl Lowerer<'_> {
    fn nesting(&self) -> u8 {
        self.loops.len().min(LOOPS - 1) as u8
    }

    pub(super) fn rounds(&mut self, looped: &Loop, end: Label) {
        let nesting = self.nesting();
        let around = Around { leave: self.builder.label(), next: self.builder.label() };
        self.builder.op(Code::Enter, 0, nesting, 0, 0, 0);
        let top = self.builder.len();
        // The condition may hold a loop too, by a block that is a value: it is inside this one.
        self.loops.push(around);
        if let Some(condition) = &looped.condition {
            self.branch(condition, false, around.leave, self.base);
        }
        self.statements(&looped.body, end);
        self.builder.place(around.next);
        self.statements(&looped.step, end);
        self.loops.pop();
        let (rounds, cut) = match looped.rounds {
            Some(rounds) => (rounds, 0),
            None if self.site.in_userspace() => (USER_ROUNDS, 1),
            None => (self.bearable(top, looped), 1),
        };
        self.builder.op(Code::Again, cut, nesting, 0, top as u32, rounds);
        self.builder.place(around.leave);
        // Counted from 0 again, so that the verifier finds one state behind the loop and not one for each round.
        self.builder.op(Code::Enter, 0, nesting, 0, 0, 0);
    }

    /// How many rounds the kernel's verifier can be asked to walk.
    fn bearable(&mut self, top: usize, looped: &Loop) -> u64 {
        let most = cost::rounds(&self.builder.ops()[top..], self.options.budget.loops, self.open_ended, |at| {
            self.builder.jumps_inside(top + at)
        });
        if most < 2 {
            let title = "this loop does too much for the kernel's verifier";
            self.problems.push(Diagnostic::error("E0404", looped.span, title, "it walks each round"));
        }
        let wanted = u64::from(self.config.max_loop_rounds);
        if most >= 2 && most < wanted && wanted != u64::from(Config::default().max_loop_rounds) {
            let title = format!("this loop is cut after {most} rounds, not {wanted}");
            let warning = Diagnostic::warning("W0010", looped.span, title, "the kernel's verifier walks each round");
            self.problems.push(warning.help("less in each round makes room for more of them"));
        }
        most.min(wanted)
    }

    /// How many loops statements hold whose rounds only the run knows: what the verifier can walk is shared among them.
    pub(super) fn count_open_ended(statements: &[Statement]) -> u64 {
        let count = |statement: &Statement| match statement {
            Statement::Loop(looped) => u64::from(looped.rounds.is_none()) + Self::count_open_ended(&looped.body),
            Statement::If(_, then, otherwise) => Self::count_open_ended(then) + Self::count_open_ended(otherwise),
            _ => 0,
        };
        statements.iter().map(count).sum()
    }

    pub(super) fn each(&mut self, map: usize, variable: usize, body: &[Statement], end: Label) {
        let nesting = self.nesting();
        let (slot, _) = self.slot(map);
        let around = Around { leave: self.builder.label(), next: self.builder.label() };
        let Variable::Area(off, Type::Tuple(_)) = self.variables[variable].clone() else {
            unreachable!("the variable holds key and value")
        };
        self.builder.op(Code::Each, 0, slot, nesting, 0, 0);
        self.builder.op(Code::Enter, 0, nesting, 0, 0, 0);
        let top = self.builder.len();
        self.builder.next(nesting, off, around.leave);
        self.loops.push(around);
        self.statements(body, end);
        self.loops.pop();
        self.builder.place(around.next);
        self.builder.op(Code::Again, 1, nesting, 0, top as u32, USER_ROUNDS);
        self.builder.place(around.leave);
    }
}
