//! What a script is made of: clauses, and what stands beside them.

use pest::Parser;
use pest::iterators::Pair;

use crate::ast::{Clause, Declaration, Function, Macro, Name, Script, Setting, Statement, StatementKind};
use crate::ctypes::declare::Declaration as TypeDeclaration;
use crate::diagnostic::Diagnostic;
use crate::source::Span;

use super::{Builder, Grammar, Rule};

impl Builder<'_> {
    pub(super) fn script(&mut self, pair: Pair<'_, Rule>) -> Script {
        let mut script = Script::default();
        // Whether the lines are left out that stand between `#if` and `#endif`.
        let mut conditional = Vec::new();
        for item in pair.into_inner() {
            if item.as_rule() == Rule::directive {
                self.directive(&item, &mut conditional, &mut script);
                continue;
            }
            if conditional.contains(&false) {
                continue;
            }
            match item.as_rule() {
                Rule::function => script.functions.push(self.function(item)),
                Rule::import => {
                    let string = item.into_inner().nth(1).expect("an import names a script");
                    let span = self.span(&string);
                    let text = self.text(string);
                    script.imports.push(Name { text, span });
                }
                Rule::config => script.settings.extend(self.settings(item)),
                Rule::structure => script.types.push(TypeDeclaration::Struct(self.structure(item))),
                Rule::forward => script.types.push(TypeDeclaration::Forward(self.forward(item))),
                Rule::enumeration => script.types.push(TypeDeclaration::Enum(self.enumeration(item))),
                Rule::alias => script.types.extend(self.aliases(item).into_iter().map(TypeDeclaration::Typedef)),
                Rule::macro_definition => script.macros.push(self.macro_definition(item)),
                Rule::declaration => script.declarations.push(self.declaration(item)),
                Rule::clause => script.clauses.push(self.clause(item)),
                _ => {}
            }
        }
        script
    }

    fn function(&self, pair: Pair<'_, Rule>) -> Function {
        let span = self.span(&pair);
        let mut names =
            pair.into_inner().filter(|part| part.as_rule() == Rule::identifier).map(|part| self.name(&part));
        let name = names.next().expect("a function has a name");
        Function { name, arity: names.count(), span }
    }

    fn settings(&mut self, pair: Pair<'_, Rule>) -> Vec<Setting> {
        let settings = pair.into_inner().filter(|part| part.as_rule() == Rule::setting).collect::<Vec<_>>();
        let setting = |part: Pair<'_, Rule>| {
            let mut parts = part.into_inner();
            let name = self.name(&parts.next().expect("a setting has a name"));
            let value = parts.next().expect("a setting has a value");
            let span = self.span(&value);
            let text = if value.as_rule() == Rule::string { self.text(value) } else { value.as_str().to_owned() };
            Setting { name, value: Name { text, span } }
        };
        settings.into_iter().map(setting).collect()
    }

    fn macro_definition(&mut self, pair: Pair<'_, Rule>) -> Macro {
        let mut parts = pair.into_inner().skip(1);
        let name = self.name(&parts.next().expect("a macro has a name"));
        let (mut parameters, mut body) = (Vec::new(), Vec::new());
        for part in parts {
            match part.as_rule() {
                Rule::macro_parameter => parameters.push(self.name(&part)),
                _ => body = self.block(part),
            }
        }
        Macro { name, parameters, called: true, body }
    }

    fn declaration(&mut self, pair: Pair<'_, Rule>) -> Declaration {
        let mut parts = pair.into_inner().skip(1);
        let map = self.name(&parts.next().expect("a declaration has a map"));
        let kind = self.name(&parts.next().expect("a declaration has a kind"));
        let entries = parts.next().map(|size| (self.number(&size), self.span(&size)));
        Declaration { map, kind, entries }
    }

    fn clause(&mut self, pair: Pair<'_, Rule>) -> Clause {
        let span = self.span(&pair);
        let mut clause = Clause { points: Vec::new(), predicate: None, body: Vec::new(), of_all: false, span };
        for part in pair.into_inner() {
            match part.as_rule() {
                Rule::attach_points => clause.points = part.into_inner().map(|point| self.name(&point)).collect(),
                Rule::predicate => clause.predicate = part.into_inner().next().map(|expr| self.expr(expr)),
                _ => clause.body = self.block(part),
            }
        }
        clause
    }

    /// A line of C's preprocessor.
    fn directive(&mut self, pair: &Pair<'_, Rule>, conditional: &mut Vec<bool>, script: &mut Script) {
        let span = self.span(pair);
        let line = pair.as_str().trim_end();
        let mut words = line[1..].split_whitespace();
        match (words.next().unwrap_or_default(), words.next().unwrap_or_default()) {
            // scope has the kernel's types at hand, as bpftrace has with BTF.
            ("ifndef", "BPFTRACE_HAVE_BTF") => conditional.push(false),
            ("ifdef", "BPFTRACE_HAVE_BTF") => conditional.push(true),
            ("else", _) => {
                if let Some(last) = conditional.last_mut() {
                    *last = !*last;
                }
            }
            ("endif", _) => drop(conditional.pop()),
            _ if conditional.contains(&false) => {}
            ("include", _) => {
                let warning = Diagnostic::warning("W0002", span, "headers are not read", "this line does nothing");
                self.errors.push(warning.help(
                    "the kernel's types, enums and constants are known; declare others with `struct NAME { ... }`",
                ));
            }
            ("define", name) if !name.is_empty() && !name.contains('(') => self.define(pair, name, script),
            ("define", "") => {
                let error =
                    Diagnostic::error("E0114", span, "`#define` gives nothing a name", "expected `#define NAME VALUE`");
                self.errors.push(error);
            }
            ("define", _) => {
                let error = Diagnostic::error(
                    "E0108",
                    span,
                    "`#define` takes no parameters",
                    "there is no C preprocessor here",
                );
                self.errors.push(error.help("write a macro: `macro name(a) { a + 1 }`"));
            }
            (directive, _) => {
                let title = format!("`#{directive}` is not known");
                let error = Diagnostic::error("E0108", span, title, "there is no C preprocessor here");
                self.errors
                    .push(error.help("`#define NAME VALUE` works; for more write a macro: `macro name(a) { a + 1 }`"));
            }
        }
    }

    /// `#define NAME VALUE`: a macro without parameters.
    fn define(&mut self, pair: &Pair<'_, Rule>, name: &str, script: &mut Script) {
        let line = pair.as_str();
        let behind = line.find("define").map_or(0, |at| at + "define".len());
        let value_at = line[behind..].find(name).map_or(line.len(), |at| behind + at + name.len());
        let start = pair.as_span().start();
        let name_span = Span::new(self.base + start + value_at - name.len(), self.base + start + value_at);
        let name = Name { text: name.to_owned(), span: name_span };
        let value = &line[value_at..];
        let blanks = value.len() - value.trim_start().len();
        let value = value.trim();
        if value.is_empty() {
            return;
        }
        let parsed = Grammar::parse(Rule::expr, value).ok().and_then(|mut pairs| pairs.next());
        let Some(expr) = parsed.filter(|pair| is_comment(value[pair.as_str().len()..].trim())) else {
            let place = Span::new(name_span.end + blanks, name_span.end + blanks + value.len());
            self.errors.push(Diagnostic::error("E0114", place, "this is no value", "expected an expression"));
            return;
        };
        let mut inner = Builder { base: name_span.end + blanks, text: value, errors: Vec::new(), operators: 0 };
        let value = inner.expr(expr);
        self.errors.append(&mut inner.errors);
        let body = vec![Statement { span: value.span, kind: StatementKind::Expr(value) }];
        script.macros.push(Macro { name, parameters: Vec::new(), called: false, body });
    }
}

/// Whether a text is nothing but a comment, or nothing at all.
fn is_comment(text: &str) -> bool {
    let closed = text.strip_prefix("/*").and_then(|rest| rest.find("*/"));
    text.is_empty() || text.starts_with("//") || closed.is_some_and(|at| is_comment(text[at + 4..].trim()))
}
