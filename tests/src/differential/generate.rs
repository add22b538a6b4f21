//! Random programs that are well typed and mean the same wherever they run.
//!
//! Nothing in them depends on the machine, on time or on memory. Maps are printed at the end only: a `print(@map)` in a
//! kernel clause shows what userspace finds when it gets there.

mod statements;

use crate::random::Random;
use crate::tree::{Expr, Part, Program, Statement, Ty};

/// Makes the program of a seed.
pub fn program(seed: u64, heavy: bool) -> Program {
    let mut generator = Generator {
        random: Random::new(seed),
        seed,
        heavy,
        scopes: vec![Vec::new()],
        maps: Vec::new(),
        tuples: Vec::new(),
        top: Vec::new(),
        macros: [false; 5],
        names: 0,
        loops: 0,
        exits: false,
    };
    generator.whole()
}

#[derive(Clone)]
struct Variable {
    name: String,
    ty: Ty,
    /// Whether a loop gives it its values.
    fixed: bool,
}

#[derive(Clone)]
struct Map {
    name: String,
    key: Vec<Ty>,
    holds: Holds,
}

#[derive(Clone, PartialEq)]
enum Holds {
    Plain(Ty),
    /// How the aggregation is called, with `§` for the number, and whether it can be read in the kernel.
    Gathered(String, bool),
}

struct Generator {
    random: Random,
    seed: u64,
    heavy: bool,
    scopes: Vec<Vec<Variable>>,
    maps: Vec<Map>,
    tuples: Vec<Ty>,
    top: Vec<String>,
    macros: [bool; 5],
    names: usize,
    loops: usize,
    /// Whether `break` and `continue` may stand here.
    exits: bool,
}

const TEXTS: [&str; 12] = [
    "",
    "a",
    "b",
    "ab",
    "abc",
    "hello",
    "hello world",
    "sixteen bytes...",
    "tab\\t \\\"quoted\\\" \\\\",
    "ü€",
    "1",
    "a text of some more than thirty bytes",
];
const NUMBERS: [&str; 22] = [
    "0",
    "1",
    "2",
    "3",
    "4",
    "7",
    "10",
    "63",
    "64",
    "65",
    "100",
    "127",
    "128",
    "255",
    "0xffff",
    "65537",
    "0x7fffffff",
    "0x80000000",
    "0xffffffff",
    "1e9",
    "9223372036854775807",
    "0xffffffffffffffff",
];
const INTEGERS: [&str; 10] =
    ["int8", "uint8", "int16", "uint16", "int32", "uint32", "int64", "uint64", "uint8_t", "unsigned int"];
const OPERATORS: [&str; 12] = ["+", "-", "*", "/", "%", "&", "|", "^", "<<", ">>", "&&", "||"];
const COMPARISONS: [&str; 6] = ["==", "!=", "<", "<=", ">", ">="];

/// Fills the places `§` of a template.
fn made(ty: Ty, template: &str, inner: Vec<Expr>) -> Expr {
    Expr { ty, parts: filled(template, inner) }
}

fn filled(template: &str, inner: Vec<Expr>) -> Vec<Part> {
    let mut inner = inner.into_iter();
    let mut parts = Vec::new();
    for (index, piece) in template.split('§').enumerate() {
        if index > 0 {
            parts.extend(inner.next().map(Part::Expr));
        }
        if !piece.is_empty() {
            parts.push(Part::Text(piece.to_owned()));
        }
    }
    parts
}

fn text(text: impl Into<String>) -> Part {
    Part::Text(text.into())
}

impl Generator {
    fn whole(&mut self) -> Program {
        for _ in 0..self.random.within(1, 2) {
            let ty = self.tuple_type(2);
            self.tuples.push(ty);
        }
        let maps = if self.heavy { self.random.within(5, 9) } else { self.random.within(2, 6) };
        // Each is given something before it is read, which says what it holds.
        let mut body = Vec::new();
        for _ in 0..maps {
            let map = self.map();
            body.push(self.give(&map, 1));
            self.maps.push(map);
        }
        let (least, most) = if self.heavy { (2, 5) } else { (3, 10) };
        let count = self.random.within(least, most);
        self.statements(count, 2, &mut body);
        // What the variables came to.
        for variable in self.scopes[0].clone() {
            if self.random.chance(40) {
                body.push(vec![text(format!("print({})", variable.name))]);
            }
        }
        if self.random.chance(60) {
            body.push(self.twice());
        }
        Program { seed: self.seed, top: std::mem::take(&mut self.top), body }
    }

    /// A number of literals only, which the compiler computes, and the same of variables, which the machine does.
    fn twice(&mut self) -> Statement {
        let mut given = String::new();
        let (known, run) = self.literals(3, &mut given);
        vec![text(format!("{{ {given}print((\"known\", {known})); print((\"run\", {run})); }}"))]
    }

    fn literals(&mut self, depth: usize, given: &mut String) -> (String, String) {
        if depth == 0 || self.random.chance(15) {
            let (number, ty) = (*self.random.pick(&NUMBERS), *self.random.pick(&INTEGERS));
            let literal = match self.random.below(5) {
                0 | 1 => number.to_owned(),
                2 => format!("-{number}"),
                3 => ["true", "false", "sizeof(uint64)", "strlen(\"abc\")"][self.random.below(4)].to_owned(),
                _ => format!("({ty}){number}"),
            };
            let variable = format!("$g{}", self.name());
            given.push_str(&format!("let {variable} = {literal}; "));
            return (literal, variable);
        }
        let template = match self.random.below(10) {
            0..=5 => format!("(§ {} §)", self.random.pick(&OPERATORS)),
            6 => format!("(§ {} §)", self.random.pick(&COMPARISONS)),
            7 => format!("({})(§)", self.random.pick(&INTEGERS)),
            8 => format!("{}(§)", ["-", "~", "!", "(bool)"][self.random.below(4)]),
            // Of a condition that is known only the branch that it takes has a type.
            _ => "(§ ? (int64)(§) : (int64)(§))".to_owned(),
        };
        let (mut known, mut run) = (String::new(), String::new());
        for (index, piece) in template.split('§').enumerate() {
            if index > 0 {
                let (inner_known, inner_run) = self.literals(depth - 1, given);
                known.push_str(&inner_known);
                run.push_str(&inner_run);
            }
            known.push_str(piece);
            run.push_str(piece);
        }
        (known, run)
    }

    fn name(&mut self) -> usize {
        self.names += 1;
        self.names
    }

    fn tuple_type(&mut self, depth: usize) -> Ty {
        let named = self.random.chance(35);
        let count = self.random.within(1, 3);
        let part = |generator: &mut Generator, index: usize| {
            let name = named.then(|| ["a", "b", "c"][index].to_owned());
            let ty = match generator.random.below(10) {
                0..=5 => Ty::Int,
                6..=8 => Ty::Text,
                _ if depth > 1 => generator.tuple_type(depth - 1),
                _ => Ty::Int,
            };
            (name, ty)
        };
        Ty::Tuple((0..count).map(|index| part(self, index)).collect())
    }

    fn any_type(&mut self) -> Ty {
        match self.random.below(10) {
            0..=5 => Ty::Int,
            6..=7 => Ty::Text,
            _ => self.random.pick(&self.tuples).clone(),
        }
    }

    fn map(&mut self) -> Map {
        let name = format!("@m{}_{}", self.seed, self.maps.len());
        let mut key = Vec::new();
        if self.random.chance(65) {
            for _ in 0..self.random.within(1, 2) {
                let ty = match self.random.below(10) {
                    0..=5 => Ty::Int,
                    6..=8 => Ty::Text,
                    _ => self.tuples[0].clone(),
                };
                key.push(ty);
            }
        }
        let plain = if self.heavy { 20 } else { 50 };
        let holds = if self.random.chance(plain) { Holds::Plain(self.any_type()) } else { self.aggregation() };
        if !key.is_empty() && self.random.chance(20) {
            let kind = self.random.pick(&["hash(512)", "hash(100)", "lruhash(4096)", "percpuhash(512)", "hash()"]);
            self.top.push(format!("let {name} = {kind};"));
        }
        Map { name, key, holds }
    }

    fn aggregation(&mut self) -> Holds {
        let (call, readable) = match self.random.below(10) {
            0 => ("count()".to_owned(), true),
            1 => ("sum(§)".to_owned(), true),
            2 => ("min(§)".to_owned(), true),
            3 => ("max(§)".to_owned(), true),
            4 => ("avg(§)".to_owned(), true),
            5 => ("stats(§)".to_owned(), true),
            6 => ("hist(§)".to_owned(), false),
            7 => (format!("hist(§, {})", self.random.below(6)), false),
            8 => {
                let bounds = self.random.pick(&["0, 100, 10", "-50, 50, 7", "0, 1000, 1", "1, 2, 3", "-1000, -10, 99"]);
                (format!("lhist(§, {bounds})"), false)
            }
            _ => ("quantiles(§)".to_owned(), false),
        };
        Holds::Gathered(call, readable)
    }

    // What can be seen.

    fn variables(&self, ty: &Ty) -> Vec<Variable> {
        let mut seen = Vec::<Variable>::new();
        for variable in self.scopes.iter().rev().flat_map(|scope| scope.iter().rev()) {
            if !seen.iter().any(|have| have.name == variable.name) {
                seen.push(variable.clone());
            }
        }
        seen.retain(|variable| variable.ty == *ty);
        seen
    }

    fn free_variable(&mut self, ty: &Ty) -> Option<String> {
        let mut free = self.variables(ty);
        free.retain(|variable| !variable.fixed);
        if free.is_empty() { None } else { Some(self.random.pick(&free).name.clone()) }
    }

    fn find_map(&mut self, fits: impl Fn(&Map) -> bool) -> Option<Map> {
        let fitting = self.maps.iter().filter(|map| fits(map)).cloned().collect::<Vec<_>>();
        if fitting.is_empty() { None } else { Some(self.random.pick(&fitting).clone()) }
    }

    /// The parts of a key: few, so that they meet.
    fn key(&mut self, map: &Map, depth: usize) -> Vec<Expr> {
        let mut key = Vec::new();
        for ty in &map.key {
            let simple = self.random.chance(60);
            key.push(match ty {
                Ty::Int if simple => made(Ty::Int, &self.random.below(4).to_string(), Vec::new()),
                Ty::Int => {
                    let number = self.expr(&Ty::Int, depth.min(1));
                    made(Ty::Int, "(§ % 5)", vec![number])
                }
                ty => self.expr(ty, usize::from(!simple).min(depth)),
            });
        }
        key
    }

    /// An entry of a map: a template and what goes into it.
    fn entry(&mut self, map: &Map, depth: usize) -> (String, Vec<Expr>) {
        let key = self.key(map, depth);
        let template = match key.len() {
            0 => map.name.clone(),
            _ => format!("{}[{}]", map.name, vec!["§"; key.len()].join(", ")),
        };
        (template, key)
    }

    /// A map and a key as two arguments.
    fn map_and_key(&mut self, map: &Map, depth: usize) -> (String, Vec<Expr>) {
        let key = self.key(map, depth);
        let template = match key.len() {
            1 => format!("{}, §", map.name),
            _ => format!("{}, ({})", map.name, vec!["§"; key.len()].join(", ")),
        };
        (template, key)
    }

    // Expressions.

    fn expr(&mut self, ty: &Ty, depth: usize) -> Expr {
        match ty {
            Ty::Int => self.int(depth),
            Ty::Text => self.text(depth),
            Ty::Tuple(parts) => self.tuple(ty, &parts.clone(), depth),
        }
    }

    /// An expression of a kind that any type has.
    fn general(&mut self, ty: &Ty, depth: usize) -> Option<Expr> {
        match self.random.below(if depth > 0 { 9 } else { 4 }) {
            0..=2 => {
                let variables = self.variables(ty);
                (!variables.is_empty()).then(|| made(ty.clone(), &self.random.pick(&variables).name, Vec::new()))
            }
            3 if depth == 0 => None,
            3..=4 => {
                let map = self.find_map(|map| match &map.holds {
                    Holds::Plain(holds) => holds == ty,
                    Holds::Gathered(_, readable) => *readable && *ty == Ty::Int,
                })?;
                let (template, key) = self.entry(&map, depth - 1);
                Some(made(ty.clone(), &template, key))
            }
            5 => {
                let condition = self.int(depth - 1);
                let (yes, no) = (self.expr(ty, depth - 1), self.expr(ty, depth - 1));
                Some(made(ty.clone(), "(§ ? § : §)", vec![condition, yes, no]))
            }
            6 => {
                // A part of a tuple.
                let tuples = self.tuples.clone();
                let tuple = self.random.pick(&tuples).clone();
                let Ty::Tuple(parts) = &tuple else { return None };
                let fitting = parts
                    .iter()
                    .enumerate()
                    .filter(|(_, (_, part))| part == ty)
                    .map(|(index, (name, _))| (index, name.clone()));
                let fitting = fitting.collect::<Vec<_>>();
                if fitting.is_empty() {
                    return None;
                }
                let (index, name) = self.random.pick(&fitting).clone();
                let access = match name {
                    Some(name) if self.random.chance(70) => name,
                    _ => index.to_string(),
                };
                let whole = self.expr(&tuple, depth - 1);
                Some(made(ty.clone(), &format!("§.{access}"), vec![whole]))
            }
            7 if depth > 1 => {
                // A block with a value.
                let name = format!("$b{}", self.name());
                let inner = self.any_type();
                self.scopes.push(Vec::new());
                let first = self.expr(&inner, depth - 2);
                self.declare(&name, inner, false);
                let value = self.expr(ty, depth - 1);
                self.scopes.pop();
                let mut parts = vec![text(format!("({{ {name} = "))];
                parts.push(Part::Expr(first));
                parts.push(text("; "));
                parts.push(Part::Expr(value));
                parts.push(text(" })"));
                Some(Expr { ty: ty.clone(), parts })
            }
            _ => None,
        }
    }

    fn text(&mut self, depth: usize) -> Expr {
        if self.random.chance(60)
            && let Some(general) = self.general(&Ty::Text, depth)
        {
            return general;
        }
        let literal = format!("\"{}\"", self.random.pick(&TEXTS));
        let template = if self.random.chance(5) { format!("str({literal})") } else { literal };
        made(Ty::Text, &template, Vec::new())
    }

    fn tuple(&mut self, ty: &Ty, parts: &[(Option<String>, Ty)], depth: usize) -> Expr {
        if self.random.chance(60)
            && let Some(general) = self.general(ty, depth)
        {
            return general;
        }
        let mut template = Vec::new();
        let mut values = Vec::new();
        for (name, part) in parts {
            template.push(name.as_ref().map_or("§".to_owned(), |name| format!("{name} = §")));
            values.push(self.expr(part, depth.saturating_sub(1)));
        }
        let comma = if parts.len() == 1 { "," } else { "" };
        made(ty.clone(), &format!("({}{comma})", template.join(", ")), values)
    }

    fn int(&mut self, depth: usize) -> Expr {
        let plain = depth == 0 || self.random.chance(15);
        if ((plain && self.random.chance(60)) || self.random.chance(25))
            && let Some(general) = self.general(&Ty::Int, depth)
        {
            return general;
        }
        if plain {
            let literal = (*self.random.pick(&NUMBERS)).to_owned();
            let literal = if self.random.chance(25) { format!("(-{literal})") } else { literal };
            return made(Ty::Int, &literal, Vec::new());
        }
        let below = depth - 1;
        let number = |template: &str, inner: Vec<Expr>| made(Ty::Int, template, inner);
        match self.random.below(32) {
            0..=9 => {
                let operator = *self.random.pick(&["+", "-", "*", "/", "%", "&", "|", "^", "<<", ">>"]);
                let (left, right) = (self.int(below), self.int(below));
                number(&format!("(§ {operator} §)"), vec![left, right])
            }
            10..=12 => {
                let operator = *self.random.pick(&COMPARISONS);
                let (left, right) = (self.int(below), self.int(below));
                number(&format!("(§ {operator} §)"), vec![left, right])
            }
            13..=14 => {
                let operator = *self.random.pick(&["&&", "||"]);
                let (left, right) = (self.int(below), self.int(below));
                number(&format!("(§ {operator} §)"), vec![left, right])
            }
            15..=17 => {
                let ty = if self.random.chance(8) { "bool" } else { *self.random.pick(&INTEGERS) };
                let value = self.int(below);
                number(&format!("(({ty})§)"), vec![value])
            }
            18 => {
                let operator = *self.random.pick(&["!", "-", "~"]);
                let value = self.int(below);
                number(&format!("({operator}§)"), vec![value])
            }
            19 => {
                let (ty, value) = (
                    *self.random.pick(&["uint16", "int16", "uint32", "int32", "uint64", "int64", "uint8"]),
                    self.int(below),
                );
                number(&format!("bswap(({ty})§)"), vec![value])
            }
            20..=21 => self.step(below),
            22 => {
                let text = self.text(below);
                let template = *self.random.pick(&["strlen(§)", "strlen(§)", "strcap(§)"]);
                number(template, vec![text])
            }
            23 => {
                let (left, right) = (self.text(below), self.text(below));
                let len = self.random.pick(&[1, 2, 3, 5, 8, 9, 16, 20]);
                let function = self.random.pick(&["strncmp", "memcmp"]);
                number(&format!("{function}(§, §, {len})"), vec![left, right])
            }
            24 => {
                let left = self.text(below);
                let part = *self.random.pick(&["\"\"", "\"a\"", "\"ab\"", "\"o w\"", "\"bytes\"", "\"lo\""]);
                let template = *self.random.pick(&["strstr(§, §)", "strcontains(§, §)"]);
                number(template, vec![left, made(Ty::Text, part, Vec::new())])
            }
            25..=26 => {
                let ty = if self.random.chance(60) { Ty::Text } else { self.random.pick(&self.tuples).clone() };
                let operator = *self.random.pick(&["==", "!="]);
                let (left, right) = (self.expr(&ty, below), self.expr(&ty, below));
                number(&format!("(§ {operator} §)"), vec![left, right])
            }
            27 => match self.find_map(|map| !map.key.is_empty()) {
                Some(map) => {
                    if self.random.chance(40) {
                        return number(&format!("len({})", map.name), Vec::new());
                    }
                    let (template, key) = self.map_and_key(&map, below);
                    number(&format!("has_key({template})"), key)
                }
                None => self.int(below),
            },
            28 => match self.find_map(|_| true) {
                Some(map) => {
                    let (template, key) = self.entry(&map, below);
                    number(&format!("delete({template})"), key)
                }
                None => self.int(below),
            },
            29 => self.found(below),
            _ => self.called(below),
        }
    }

    /// `++` and `--`, of a variable or an entry.
    fn step(&mut self, depth: usize) -> Expr {
        let around = *self.random.pick(&["++", "--"]);
        let behind = self.random.chance(50);
        let template = |place: &str| if behind { format!("{place}{around}") } else { format!("({around}{place})") };
        if self.random.chance(40)
            && let Some(map) = self.find_map(|map| map.holds == Holds::Plain(Ty::Int))
        {
            let (place, key) = self.entry(&map, depth);
            return made(Ty::Int, &template(&place), key);
        }
        match self.free_variable(&Ty::Int) {
            Some(variable) => made(Ty::Int, &template(&variable), Vec::new()),
            None => self.int(depth),
        }
    }

    /// `find(@map, key, $variable)`.
    fn found(&mut self, depth: usize) -> Expr {
        let readable = |map: &Map| !map.key.is_empty() && !matches!(map.holds, Holds::Gathered(_, false));
        let Some(map) = self.find_map(readable) else { return self.int(depth) };
        let holds = match &map.holds {
            Holds::Plain(ty) => ty.clone(),
            Holds::Gathered(..) => Ty::Int,
        };
        let (template, key) = self.map_and_key(&map, depth);
        let variable = match self.free_variable(&holds) {
            Some(variable) if self.random.chance(70) => variable,
            _ => {
                let name = format!("$f{}", self.name());
                self.declare(&name, holds, false);
                name
            }
        };
        made(Ty::Int, &format!("find({template}, {variable})"), key)
    }

    /// A call of a macro; its arguments are in the block that it becomes.
    fn called(&mut self, depth: usize) -> Expr {
        self.scopes.push(Vec::new());
        let call = self.call(depth);
        self.scopes.pop();
        call
    }

    fn call(&mut self, depth: usize) -> Expr {
        let which = self.random.below(self.macros.len());
        let name = format!("call{}_{which}", self.seed);
        let (definition, template, inner) = match which {
            0 => ("(a, b) { (a * 3) ^ b }", "(§, §)".to_owned(), vec![self.int(depth), self.int(depth)]),
            1 => {
                let Some(variable) = self.free_variable(&Ty::Int) else { return self.int(depth) };
                ("($x, n) { $x += n; $x }", format!("({variable}, §)"), vec![self.int(depth)])
            }
            2 => {
                let Some(map) = self.find_map(|map| map.key == [Ty::Int] && map.holds == Holds::Plain(Ty::Int)) else {
                    return self.int(depth);
                };
                let key = made(Ty::Int, &self.random.below(4).to_string(), Vec::new());
                ("(@m, k, n) { @m[k] += n; n + 1 }", format!("({}, §, §)", map.name), vec![key, self.int(depth)])
            }
            3 => ("(s) { strlen(s) * 2 + (s == \"ab\") }", "(§)".to_owned(), vec![self.text(depth)]),
            _ if self.loops > 1 => return self.int(depth),
            _ => ("(c) { let $t = 0; for ($i : 0..2) { $t += c * $i; } $t }", "(§)".to_owned(), vec![self.int(depth)]),
        };
        if !std::mem::replace(&mut self.macros[which], true) {
            self.top.push(format!("macro {name}{definition}"));
        }
        made(Ty::Int, &format!("{name}{template}"), inner)
    }
}
