//! Random statements: what is declared, assigned, printed, chosen and repeated.

use super::{Expr, Generator, Holds, INTEGERS, Map, Part, Statement, Ty, Variable, filled, made, text};

impl Generator {
    pub(super) fn declare(&mut self, name: &str, ty: Ty, fixed: bool) {
        let scope = self.scopes.last_mut().expect("a scope is open");
        scope.push(Variable { name: name.to_owned(), ty, fixed });
    }

    /// Statements in a block of their own.
    fn block(&mut self, count: usize, depth: usize) -> Part {
        self.scopes.push(Vec::new());
        let mut out = Vec::new();
        self.statements(count, depth, &mut out);
        self.scopes.pop();
        Part::Block(out)
    }

    pub(super) fn statements(&mut self, count: usize, depth: usize, out: &mut Vec<Statement>) {
        for _ in 0..count {
            self.statement(depth, out);
        }
    }

    /// Gives a map something.
    pub(super) fn give(&mut self, map: &Map, depth: usize) -> Statement {
        let (entry, mut inner) = self.entry(map, depth);
        let value = match &map.holds {
            Holds::Plain(ty) => {
                let value = self.expr(ty, depth + 1);
                inner.push(value);
                "§".to_owned()
            }
            Holds::Gathered(call, _) => {
                if call.contains('§') {
                    let value =
                        if self.heavy || self.random.chance(50) { self.small(depth) } else { self.int(depth + 1) };
                    inner.push(value);
                }
                call.clone()
            }
        };
        filled(&format!("{entry} = {value}"), inner)
    }

    /// A number that is mostly small, so that buckets differ.
    fn small(&mut self, depth: usize) -> Expr {
        let numbers = self.variables(&Ty::Int);
        match numbers.is_empty() || self.random.chance(30) {
            true => {
                let number = self.int(depth);
                made(Ty::Int, "(§ % 1000)", vec![number])
            }
            false => {
                let factor = self.random.within(1, 40);
                made(Ty::Int, &format!("({} * {factor})", self.random.pick(&numbers).name), Vec::new())
            }
        }
    }

    fn statement(&mut self, depth: usize, out: &mut Vec<Statement>) {
        let inner = if self.heavy { self.random.within(2, 5) } else { self.random.within(1, 3) };
        match self.random.below(100) {
            0..=17 => self.assign(out),
            18..=37 => {
                let maps = self.maps.clone();
                let map = self.random.pick(&maps).clone();
                out.push(self.give(&map, 1));
            }
            38..=43 => self.change(out),
            44..=48 => {
                let step = self.step(1);
                // Only what is a step may stand alone.
                match step
                    .parts
                    .iter()
                    .any(|part| matches!(part, Part::Text(text) if text.contains("++") || text.contains("--")))
                {
                    true => out.push(vec![text("_ = "), Part::Expr(step)]),
                    false => {
                        out.push(vec![text("print("), Part::Expr(made(Ty::Int, "(§ + 0)", vec![step])), text(")")])
                    }
                }
            }
            49..=60 => self.show(out),
            61..=63 => {
                let Some(map) = self.find_map(|_| true) else { return };
                let (template, key) = self.entry(&map, 1);
                out.push(filled(&format!("delete({template})"), key));
            }
            64..=67 => {
                let call = self.called(1);
                out.push(vec![text("_ = "), Part::Expr(call)]);
            }
            68..=69 => {
                let (condition, yes, no) = (self.int(1), self.int(1), self.text(1));
                let yes = made(Ty::Int, "(§ + 0)", vec![yes]);
                out.push(filled("(§) ? print(§) : printf(\"%s\\n\", §)", vec![condition, yes, no]));
            }
            _ if depth == 0 => self.assign(out),
            70..=82 => self.choice(inner, depth, out),
            83..=84 => out.push(vec![self.block(inner, depth - 1)]),
            85..=87 => {
                // Unrolled, its loops would be, too.
                let loops = std::mem::replace(&mut self.loops, 3);
                let exits = std::mem::replace(&mut self.exits, false);
                let body = self.block(inner.min(2), depth - 1);
                (self.loops, self.exits) = (loops, exits);
                out.push(vec![text(format!("unroll ({}) ", self.random.within(1, 3))), body]);
            }
            _ if self.loops >= 2 => self.assign(out),
            88..=93 if !self.heavy && self.loops > 0 && self.random.chance(50) => self.assign(out),
            94.. if !self.heavy && self.loops > 0 => self.assign(out),
            88..=93 => self.counted(inner, depth, out),
            _ => self.repeated(inner, depth, out),
        }
    }

    fn assign(&mut self, out: &mut Vec<Statement>) {
        let ty = self.any_type();
        if self.random.chance(40)
            && let Some(variable) = self.free_variable(&ty)
        {
            let value = self.expr(&ty, 3);
            out.push(vec![text(format!("{variable} = ")), Part::Expr(value)]);
            return;
        }
        let known = self
            .scopes
            .iter()
            .flatten()
            .filter(|variable| !variable.fixed)
            .map(|variable| variable.name.clone())
            .collect::<Vec<_>>();
        let (name, shadows) = match known.is_empty() || !self.random.chance(15) {
            true => (format!("$v{}", self.name()), false),
            // One of another block, hidden by this one.
            false => (self.random.pick(&known).clone(), true),
        };
        let declared = shadows || self.random.chance(30);
        if ty == Ty::Int && declared && self.random.chance(10) {
            out.push(vec![text(format!("let {name}"))]);
            self.declare(&name, ty, false);
            return;
        }
        let value = self.expr(&ty, 3);
        let statement = match (&ty, declared) {
            (Ty::Int, true) if self.random.chance(40) => {
                let int = if self.random.chance(10) { "bool" } else { *self.random.pick(&INTEGERS) };
                vec![text(format!("let {name}: {int} = ")), Part::Expr(value)]
            }
            (_, true) => vec![text(format!("let {name} = ")), Part::Expr(value)],
            (_, false) => vec![text(format!("{name} = ")), Part::Expr(value)],
        };
        self.declare(&name, ty, false);
        out.push(statement);
    }

    /// Compound assignment.
    fn change(&mut self, out: &mut Vec<Statement>) {
        let operator = *self.random.pick(&["+=", "-=", "*=", "/=", "%=", "&=", "|=", "^=", "<<=", ">>="]);
        if self.random.chance(50)
            && let Some(map) = self.find_map(|map| map.holds == Holds::Plain(Ty::Int))
        {
            let (entry, mut inner) = self.entry(&map, 1);
            inner.push(self.int(2));
            out.push(filled(&format!("{entry} {operator} §"), inner));
        } else if let Some(variable) = self.free_variable(&Ty::Int) {
            let value = self.int(2);
            out.push(vec![text(format!("{variable} {operator} ")), Part::Expr(value)]);
        }
    }

    /// A value in the place of an argument: what would be a whole map or an entry is made a number.
    fn shown(&mut self, ty: &Ty) -> Expr {
        let value = self.expr(ty, 2);
        match (ty, value.parts.first()) {
            (Ty::Int, Some(Part::Text(first))) if first.starts_with('@') => made(Ty::Int, "(§ + 0)", vec![value]),
            (ty, Some(Part::Text(first))) if first.starts_with('@') => {
                made(ty.clone(), "(1 ? § : §)", vec![value.clone(), value])
            }
            _ => value,
        }
    }

    fn show(&mut self, out: &mut Vec<Statement>) {
        match self.random.below(4) {
            0..=1 => {
                let ty = self.any_type();
                let value = self.shown(&ty);
                out.push(vec![text("print("), Part::Expr(value), text(")")]);
            }
            2 => {
                let mut format = String::new();
                let mut values = Vec::new();
                for _ in 0..self.random.within(1, 4) {
                    let ty = self.any_type();
                    let conversion = match ty {
                        Ty::Int => *self.random.pick(&[
                            "%d", "%u", "%x", "%X", "%o", "%5d", "%-7d|", "%05d", "%lld", "%lu", "%hhd", "%#x", "%+d",
                            "%c",
                        ]),
                        Ty::Text => *self.random.pick(&["%s", "%10s", "%-10s|", "%.3s", "%r"]),
                        Ty::Tuple(_) => "%s",
                    };
                    format += conversion;
                    format += " ";
                    values.push(self.shown(&ty));
                }
                let places = ", §".repeat(values.len());
                out.push(filled(&format!("printf(\"{format}%%\\n\"{places})"), values));
            }
            _ => {
                let mut fields = Vec::new();
                let mut values = Vec::new();
                for index in 0..self.random.within(1, 3) {
                    let ty = self.any_type();
                    values.push(self.shown(&ty));
                    fields.push(format!("f{index}: §"));
                }
                let between = if self.random.chance(30) && fields.len() > 1 { "; " } else { ", " };
                let last = fields.pop().unwrap_or_default();
                let first = fields.join(", ");
                let joined = if first.is_empty() { last } else { format!("{first}{between}{last}") };
                out.push(filled(&format!("emit event {{ {joined} }}"), values));
            }
        }
    }

    fn choice(&mut self, inner: usize, depth: usize, out: &mut Vec<Statement>) {
        let condition = self.int(2);
        let mut statement = vec![text("if ("), Part::Expr(condition), text(") ")];
        let mut then = self.block(inner, depth - 1);
        if let Part::Block(statements) = &mut then
            && self.random.chance(25)
        {
            let exit = if self.exits { *self.random.pick(&["break", "continue", "continue"]) } else { "return" };
            if exit != "return" || self.random.chance(30) {
                statements.push(vec![text(exit)]);
            }
        }
        statement.push(then);
        // What follows `else` is a block of its own, the condition with it.
        self.scopes.push(Vec::new());
        if self.random.chance(25) {
            let condition = self.int(1);
            statement.extend([text(" else if ("), Part::Expr(condition), text(") ")]);
            statement.push(self.block(1, depth - 1));
        }
        if self.random.chance(40) {
            statement.push(text(" else "));
            statement.push(self.block(inner.min(2), depth - 1));
        }
        self.scopes.pop();
        out.push(statement);
    }

    fn rounds(&mut self) -> usize {
        match self.heavy {
            true if self.loops == 0 => *self.random.pick(&[20, 50, 100, 200, 500, 1000]),
            true => *self.random.pick(&[3, 8, 20]),
            false if self.loops > 0 => 2,
            false => self.random.within(1, 4),
        }
    }

    fn looped(&mut self, variable: Option<String>, inner: usize, depth: usize) -> Part {
        self.scopes.push(Vec::new());
        if let Some(variable) = variable {
            self.declare(&variable, Ty::Int, true);
        }
        self.loops += 1;
        let exits = std::mem::replace(&mut self.exits, true);
        let body = self.block(inner, depth - 1);
        self.loops -= 1;
        self.exits = exits;
        self.scopes.pop();
        body
    }

    /// `for ($i : from..to)`.
    fn counted(&mut self, inner: usize, depth: usize, out: &mut Vec<Statement>) {
        let variable = format!("$i{}", self.name());
        let rounds = self.rounds();
        let known = !self.heavy && self.loops > 0;
        let mut head = match if known { 0 } else { self.random.below(3) } {
            0..=1 => {
                let from = self.random.below(3) as i64 - 1;
                vec![text(format!("{variable} : ({from})..{}", from + rounds as i64))]
            }
            _ => {
                let number = self.int(1);
                vec![
                    text(format!("{variable} : 0..(")),
                    Part::Expr(number),
                    text(format!(" & {})", rounds.next_power_of_two().min(4) - 1)),
                ]
            }
        };
        let brackets = self.random.chance(80);
        let mut statement = vec![text(if brackets { "for (" } else { "for " })];
        statement.append(&mut head);
        statement.push(text(if brackets { ") " } else { " " }));
        statement.push(self.looped(Some(variable), inner, depth));
        out.push(statement);
    }

    /// `while (condition)`: the counter is in the condition, so that nothing can go round without end.
    fn repeated(&mut self, inner: usize, depth: usize, out: &mut Vec<Statement>) {
        let counter = format!("$w{}", self.name());
        out.push(vec![text(format!("{counter} = 0"))]);
        let rounds = self.rounds();
        let mut statement = vec![text(format!("while ({counter}++ < {rounds}"))];
        if self.random.chance(30) {
            let condition = self.int(1);
            statement.extend([text(" && "), Part::Expr(condition)]);
        }
        statement.push(text(") "));
        statement.push(self.looped(Some(counter), inner, depth));
        out.push(statement);
    }
}
