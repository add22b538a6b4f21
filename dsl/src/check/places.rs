//! Maps in expressions: entries, and what functions ask of them.

use crate::ast::{self, ExprKind as Ast};
use crate::checked::{Aggregation, Expr, ExprKind, Place, Statement, Value};
use crate::diagnostic::Diagnostic;
use crate::source::Span;
use crate::types::Type;

use super::Checker;
use super::operators::int;

impl Checker<'_> {
    /// Checks the place of a map's entry, its key joined with the map's.
    pub(super) fn place(&mut self, name: &str, keys: &[ast::Expr], span: Span) -> Option<Place> {
        let map = self.state.maps.number(name, span);
        let userspace = self.in_userspace();
        self.state.maps.note(map, |usage| usage.in_kernel |= !userspace);
        let key = self.all(keys)?;
        // One tuple is the same key as its parts.
        let key = match key.as_slice() {
            [only] if matches!(only.ty, Type::Tuple(_)) => self.spread(only),
            _ => key,
        };
        let types = key.iter().map(|key| key.ty.clone()).collect::<Vec<_>>();
        match self.state.maps.join_key(map, &types, span) {
            Ok(_) => Some(Place { map, key }),
            Err(error) => {
                self.error(error);
                None
            }
        }
    }

    /// The parts of a tuple.
    fn spread(&mut self, tuple: &Expr) -> Vec<Expr> {
        match (&tuple.kind, &tuple.ty) {
            (ExprKind::Tuple(values), _) => values.clone(),
            (_, Type::Tuple(parts)) => {
                (0..parts.len()).map(|index| Self::tuple_part(tuple.clone(), parts, index, tuple.span)).collect()
            }
            _ => vec![tuple.clone()],
        }
    }

    pub(super) fn map_value(&mut self, name: &str, keys: &[ast::Expr], span: Span) -> Option<Expr> {
        let place = self.place(name, keys, span)?;
        self.read_place(place, name, span)
    }

    pub(super) fn read_place(&mut self, place: Place, name: &str, span: Span) -> Option<Expr> {
        let map = place.map;
        self.note_use(map, span);
        let ty = match self.state.maps.value(map) {
            // Another pass follows, and if none writes the map, that is said at the end.
            None => {
                self.unknown += 1;
                if !self.guess {
                    return None;
                }
                Type::SIGNED
            }
            Some(Value::Plain(ty)) => ty.clone(),
            Some(Value::Gathered { kind, signed }) if kind.is_number() => Type::Int { bits: 64, signed: *signed },
            Some(value) => {
                let title = format!("`{name}` is no number: it is {}", value.describe());
                let error = Diagnostic::error("E0325", span, title, "it has no value of its own");
                self.error(error.help(format!(
                    "print it whole: `print({name})`; `quantile({name}, 99)` gives a number of a histogram"
                )));
                return None;
            }
        };
        Some(Expr { kind: ExprKind::Map(place), ty, span })
    }

    /// Notes that a clause reads a map or deletes from it.
    fn note_use(&mut self, map: usize, span: Span) {
        let userspace = self.in_userspace();
        self.state.maps.note_read(map, span);
        self.state.maps.note(map, |usage| {
            usage.kernel_beyond_adding |= !userspace;
            usage.in_kernel |= !userspace;
        });
    }

    /// The map and key of `f(@m[key])` or `f(@m, key)`.
    pub(super) fn map_and_key(&mut self, map: &ast::Expr, key: Option<&ast::Expr>) -> Option<(Place, String)> {
        let Ast::Map(name, keys) = &map.kind else {
            self.error(Diagnostic::error("E0309", map.span, "not a map", "expected `@name`"));
            return None;
        };
        let keys = match key {
            Some(key) if keys.is_empty() => std::slice::from_ref(key),
            Some(key) => {
                self.error(Diagnostic::error(
                    "E0355",
                    key.span,
                    "the key is given twice",
                    "expected `@name[key]`, or `@name, key`",
                ));
                return None;
            }
            None => keys,
        };
        Some((self.place(name, keys, map.span)?, name.clone()))
    }

    pub(super) fn delete(&mut self, arguments: &[ast::Expr], span: Span) -> Option<Expr> {
        let (place, _) = self.map_and_key(&arguments[0], arguments.get(1))?;
        self.note_use(place.map, arguments[0].span);
        Some(Expr { kind: ExprKind::Delete(place), ty: Type::Bool, span })
    }

    pub(super) fn has_key(&mut self, arguments: &[ast::Expr], span: Span) -> Option<Expr> {
        let (place, _) = self.map_and_key(&arguments[0], arguments.get(1))?;
        self.note_use(place.map, arguments[0].span);
        Some(Expr { kind: ExprKind::HasKey(place), ty: Type::Bool, span })
    }

    /// `find(@m, key, $variable)`.
    pub(super) fn find(&mut self, arguments: &[ast::Expr], span: Span) -> Option<Expr> {
        let Ast::Var(variable) = &arguments[2].kind else {
            let error =
                Diagnostic::error("E0352", arguments[2].span, "this can't be changed", "expected a scratch variable");
            self.error(error);
            return None;
        };
        let (place, name) = self.map_and_key(&arguments[0], Some(&arguments[1]))?;
        // The key is computed once.
        let mut before = Vec::new();
        let mut key = Vec::new();
        for part in place.key {
            let (keep, kept) = self.keep(part);
            before.push(keep);
            key.push(kept);
        }
        let place = Place { map: place.map, key };
        let value = self.read_place(place.clone(), &name, arguments[0].span)?;
        let has = Expr { kind: ExprKind::HasKey(place), ty: Type::Bool, span };
        let (keep, kept) = self.keep(has);
        before.push(keep);
        let new = !self.knows_variable(variable);
        let set = self.set_variable(variable, value, arguments[2].span)?;
        if let Statement::SetVariable(number, _) = set
            && new
        {
            // It is read behind this even if there is no such key, or if a condition leaves this out.
            before.push(self.blank_variable(number, span));
            self.clause.blank.push(number);
        }
        before.push(Statement::If(kept.clone(), vec![set], Vec::new()));
        Some(Self::after(before, kept, span))
    }

    /// `len(@m)`, `len(stack)`.
    pub(super) fn len(&mut self, argument: &ast::Expr, span: Span) -> Option<Expr> {
        if let Ast::Map(name, keys) = &argument.kind
            && keys.is_empty()
            && !matches!(self.stored(name), Some(Type::Stack(_)))
        {
            let map = self.whole_map(argument)?;
            let userspace = self.in_userspace();
            self.state.maps.note(map, |usage| {
                usage.counted |= !userspace;
                usage.kernel_beyond_adding |= !userspace;
                usage.in_kernel |= !userspace;
            });
            return Some(Expr { kind: ExprKind::Count(map), ty: Type::UNSIGNED, span });
        }
        let value = self.expr(argument)?;
        match &value.ty {
            Type::Stack(_) => Some(Expr { kind: ExprKind::Depth(Box::new(value)), ty: Type::UNSIGNED, span }),
            Type::Tuple(parts) => Some(int(parts.len() as u64, Type::UNSIGNED, span)),
            Type::Memory(memory) if matches!(self.given.types.get(memory.id), crate::ctypes::CType::Array(..)) => {
                let crate::ctypes::CType::Array(_, count) = self.given.types.get(memory.id) else { return None };
                Some(int(count.into(), Type::UNSIGNED, span))
            }
            Type::Text { .. } => {
                let error = Diagnostic::error("E0318", value.span, "`len` counts entries", "this is a string");
                self.error(error.help("`strlen(text)` counts the bytes of a string"));
                None
            }
            ty => {
                let label = format!("this is {}", ty.describe());
                self.error(Diagnostic::error(
                    "E0318",
                    value.span,
                    "`len` counts the entries of a map or the frames of a stack",
                    label,
                ));
                None
            }
        }
    }

    /// The type that a map's entries have, as far as it is known.
    fn stored(&mut self, name: &str) -> Option<Type> {
        let map = self.state.maps.find(name)?;
        match self.state.maps.value(map)? {
            Value::Plain(ty) => Some(ty.clone()),
            Value::Gathered { .. } => None,
        }
    }

    /// `quantile(@m[key], percent)`.
    pub(super) fn quantile(&mut self, arguments: &[ast::Expr], span: Span) -> Option<Expr> {
        if !self.in_userspace() {
            let error = Diagnostic::error(
                "E0366",
                span,
                "`quantile` works in userspace clauses",
                "the parts of the histogram lie on every CPU",
            );
            self.error(error.help("call it in an `interval` or `END` clause"));
            return None;
        }
        let (place, name) = self.map_and_key(&arguments[0], None)?;
        let percent = self.constant(&arguments[1], 0..=100)? as u32;
        self.note_use(place.map, span);
        match self.state.maps.value(place.map) {
            None | Some(Value::Gathered { kind: Aggregation::Hist { .. } | Aggregation::Quantiles, .. }) => {}
            Some(value) => {
                let title = format!("`{name}` is {}", value.describe());
                let error = Diagnostic::error("E0325", arguments[0].span, title, "expected a histogram");
                self.error(error.help("quantiles are taken of `hist(n, k)` and `quantiles(n)`"));
                return None;
            }
        }
        Some(Expr { kind: ExprKind::Quantile(place, percent * 1000), ty: Type::SIGNED, span })
    }

    /// Finds the map that a function takes whole.
    pub(super) fn whole_map(&mut self, argument: &ast::Expr) -> Option<usize> {
        match &argument.kind {
            Ast::Map(name, keys) if keys.is_empty() => {
                let map = self.state.maps.number(name, argument.span);
                self.state.maps.note_read(map, argument.span);
                Some(map)
            }
            _ => {
                let error = Diagnostic::error("E0309", argument.span, "not a whole map", "expected `@name`");
                let entry = matches!(argument.kind, Ast::Map(..));
                self.error(if entry { error.help("one entry is removed by `delete(@name[key])`") } else { error });
                None
            }
        }
    }
}
