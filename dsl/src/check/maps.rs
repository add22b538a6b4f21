//! What the clauses say of the maps, joined: the types of keys and values, and how a map is used.

use indexmap::IndexMap;

use crate::ast;
use crate::checked::{Aggregation, Map, Usage, Value, Wish};
use crate::config::Config;
use crate::diagnostic::{Diagnostic, Diagnostics};
use crate::source::Span;
use crate::types::Type;

/// What is known of the maps so far.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Maps(IndexMap<String, Known>);

#[derive(Clone, Debug, Default, PartialEq)]
struct Known {
    key: Option<(Vec<Type>, Span)>,
    value: Option<(Value, Span)>,
    usage: Usage,
    wish: Option<Wish>,
    read: Option<Span>,
    span: Span,
}

/// Kinds of map that a script can ask for.
const KINDS: [(&str, bool); 4] = [("hash", false), ("lruhash", true), ("percpuhash", false), ("percpulruhash", true)];

/// Reads the declarations.
pub fn declare(script: &ast::Script, maps: &mut Maps, found: &mut Diagnostics) {
    for declaration in &script.declarations {
        let kind = &declaration.kind;
        let Some((_, lru)) = KINDS.iter().find(|(name, _)| *name == kind.text) else {
            let names = KINDS.map(|(name, _)| name);
            let title = format!("unknown kind of map `{}`", kind.text);
            let label = format!("expected {}", names.join(", "));
            found.push(Diagnostic::error("E0302", kind.span, title, label).suggest(&kind.text, names));
            continue;
        };
        let entries = match declaration.entries {
            None => None,
            Some((entries, span)) => {
                let known = u32::try_from(entries).ok().filter(|entries| (1..=1 << 24).contains(entries));
                if known.is_none() {
                    let title = format!("a map can't have {entries} entries");
                    found.push(Diagnostic::error("E0349", span, title, "expected 1 to 16777216"));
                    continue;
                }
                known
            }
        };
        let known = maps.known(&declaration.map.text, declaration.map.span);
        if maps.0[known].wish.is_some() {
            let title = format!("`{}` is declared twice", declaration.map.text);
            let error = Diagnostic::error("E0301", declaration.map.span, title, "the second");
            found.push(error.also(maps.0[known].span, "the first"));
            continue;
        }
        maps.0[known].wish = Some(Wish { lru: *lru, entries });
    }
}

impl Maps {
    fn known(&mut self, name: &str, span: Span) -> usize {
        let entry = self.0.entry(name.to_owned());
        let index = entry.index();
        entry.or_insert_with(|| Known { span, ..Known::default() });
        index
    }

    /// Gives a map's number.
    pub fn number(&mut self, name: &str, span: Span) -> usize {
        self.known(name, span)
    }

    /// Notes how a map is used.
    pub fn note(&mut self, map: usize, note: impl FnOnce(&mut Usage)) {
        note(&mut self.0[map].usage);
    }

    /// Notes that a map's value is read.
    pub fn note_read(&mut self, map: usize, span: Span) {
        self.0[map].read.get_or_insert(span);
    }

    /// Finds a map's number, if it was met before.
    pub fn find(&self, name: &str) -> Option<usize> {
        self.0.get_index_of(name)
    }

    /// Whether anything is known of a map's key.
    pub fn has_key_types(&self, map: usize) -> bool {
        self.0[map].key.is_some()
    }

    /// The types of a map's key and of what an entry stands for, as far as they are known.
    pub fn entry_types(&self, map: usize) -> (Vec<Type>, Type) {
        let known = &self.0[map];
        let key = known.key.as_ref().map_or_else(Vec::new, |(key, _)| key.clone());
        let value = match known.value.as_ref().map(|(value, _)| value) {
            Some(Value::Plain(ty)) => ty.clone(),
            Some(Value::Gathered { signed, .. }) => Type::Int { bits: 64, signed: *signed },
            None => Type::SIGNED,
        };
        (key, value)
    }

    /// What a map holds, as far as it is known.
    pub fn value(&self, map: usize) -> Option<&Value> {
        self.0[map].value.as_ref().map(|(value, _)| value)
    }

    /// The types of a map's key, joined with another use of it.
    ///
    /// # Errors
    /// If both are of different shape.
    pub fn join_key(&mut self, map: usize, key: &[Type], span: Span) -> Result<Vec<Type>, Diagnostic> {
        let (name, known) = self.0.get_index_mut(map).expect("maps are numbered by index");
        let (have, first) = known.key.get_or_insert_with(|| (key.to_vec(), span));
        if have.len() != key.len() || !have.iter().zip(key).all(|(have, new)| have.agrees(new)) {
            let title = format!("`{name}` is used with two kinds of key");
            let error = Diagnostic::error("E0303", span, title, format!("here with {}", describe_key(key)));
            return Err(error.also(*first, format!("first with {}", describe_key(have))));
        }
        *have = have.iter().zip(key).map(|(have, new)| have.join(new)).collect();
        Ok(have.clone())
    }

    /// Notes what a map is given.
    ///
    /// # Errors
    /// If it was given something else before.
    pub fn join_value(&mut self, map: usize, value: Value, span: Span) -> Result<(), Diagnostic> {
        let (name, known) = self.0.get_index_mut(map).expect("maps are numbered by index");
        let (have, first) = known.value.get_or_insert_with(|| (value.clone(), span));
        let joined = match (&*have, &value) {
            (Value::Plain(have), Value::Plain(new)) if have.agrees(new) => Value::Plain(have.join(new)),
            (Value::Gathered { kind, signed }, Value::Gathered { kind: new, signed: new_signed }) if kind == new => {
                Value::Gathered { kind: *kind, signed: *signed || *new_signed }
            }
            (have, new) if *have == *new => value,
            (have, new) => {
                let title = format!("`{name}` is given two kinds of value");
                let error = Diagnostic::error("E0304", span, title, format!("here {}", new.describe()));
                return Err(error.also(*first, format!("first {}", have.describe())).help("use a second map"));
            }
        };
        *have = joined;
        Ok(())
    }

    /// Makes the finished maps; says which are read but never written.
    pub fn finish(self, config: &Config, found: &mut Diagnostics) -> IndexMap<String, Map> {
        let mut maps = IndexMap::new();
        let written = self.0.iter().filter(|(_, known)| known.value.is_some()).map(|(name, _)| name.clone());
        let written = written.collect::<Vec<_>>();
        // Where something else is wrong, the writing may be what it kept from being seen.
        let wrong = found.any_error();
        for (name, known) in self.0 {
            let Known { key, value, usage, wish, read, span } = known;
            let Some((value, _)) = value else {
                if wrong {
                    continue;
                }
                let error = match read {
                    Some(span) => {
                        let title = format!("`{name}` is never given a value");
                        Diagnostic::error("E0305", span, title, "it is only read")
                    }
                    None => Diagnostic::error("E0350", span, format!("`{name}` is never used"), "only declared"),
                };
                found.push(error.suggest(&name, written.iter().map(String::as_str)));
                continue;
            };
            let key = key.map_or_else(Vec::new, |(key, _)| key);
            let adds_only = usage.in_kernel && !usage.kernel_beyond_adding && !usage.assigned_in_userspace;
            let value = match value {
                // Numbers that the kernel only adds to are gathered per CPU, so that no addition is lost and none waits.
                Value::Plain(Type::Int { signed, .. }) if adds_only => {
                    Value::Gathered { kind: Aggregation::Sum, signed }
                }
                value => value,
            };
            if read.is_none() && !config.print_maps_on_exit && !found.any_error() {
                let warning = Diagnostic::warning(
                    "W0004",
                    span,
                    format!("`{name}` is written and never shown"),
                    "nothing prints or reads it",
                );
                found.push(
                    warning
                        .help("`print(...)` shows it; without `print_maps_on_exit = 0` it would be shown at the end"),
                );
            }
            maps.insert(name, Map { key, value, usage, wish, span });
        }
        maps
    }
}

fn describe_key(key: &[Type]) -> String {
    match key {
        [] => "no key".to_owned(),
        [only] => only.describe(),
        several => format!("[{}]", several.iter().map(Type::describe).collect::<Vec<_>>().join(", ")),
    }
}
