//! Aggregations: what they take.

use crate::ast;
use crate::checked::{Aggregation, Place, Series, Statement, Value};
use crate::diagnostic::Diagnostic;
use crate::functions::{Function, Row};
use crate::limits::BUCKETS;
use crate::source::Span;
use crate::types::Type;

use super::Checker;

impl Checker<'_> {
    pub(super) fn aggregate(
        &mut self,
        row: &Row,
        place: Place,
        arguments: &[ast::Expr],
        span: Span,
    ) -> Option<Statement> {
        self.arity(row, arguments.len(), span)?;
        let value = match arguments.first() {
            Some(argument) => Some(self.number(argument)?),
            None => None,
        };
        let signed = value.as_ref().is_some_and(|value| !matches!(value.ty, Type::Int { bits: 64, signed: false }));
        let kind = match row.function {
            Function::Count => Aggregation::Count,
            Function::Sum => Aggregation::Sum,
            Function::Min => Aggregation::Min,
            Function::Max => Aggregation::Max,
            Function::Avg => Aggregation::Avg,
            Function::Stats => Aggregation::Stats,
            Function::Quantiles => Aggregation::Quantiles,
            Function::Lhist => self.lhist(arguments, span)?,
            Function::Tseries => self.tseries(arguments)?,
            _ => {
                let k = match arguments.get(1) {
                    Some(k) => self.constant(k, 0..=5)? as u8,
                    None => 0,
                };
                Aggregation::Hist { k }
            }
        };
        let signed = signed && kind != Aggregation::Count;
        self.join_value(place.map, Value::Gathered { kind, signed }, span)?;
        Some(Statement::Aggregate(place, value))
    }

    fn lhist(&mut self, arguments: &[ast::Expr], span: Span) -> Option<Aggregation> {
        let bounds = arguments[1..].iter().map(|argument| self.signed_constant(argument)).collect::<Vec<_>>();
        let [min, max, step] = bounds.into_iter().collect::<Option<Vec<_>>>()?[..] else { return None };
        let refused = if step <= 0 {
            Some((arguments[3].span, "the step must be above 0".to_owned()))
        } else if max <= min {
            Some((arguments[2].span, "the maximum must be above the minimum".to_owned()))
        } else if (i128::from(max) - i128::from(min)) / i128::from(step) > i128::from(BUCKETS) {
            let buckets = (i128::from(max) - i128::from(min)) / i128::from(step);
            Some((span, format!("there would be {buckets} buckets; the limit is {BUCKETS}")))
        } else {
            None
        };
        if let Some((span, title)) = refused {
            self.error(Diagnostic::error("E0316", span, title, "").help("expected `lhist(n, min, max, step)`"));
            return None;
        }
        Some(Aggregation::Lhist { min, max, step: step as u64 })
    }

    fn tseries(&mut self, arguments: &[ast::Expr]) -> Option<Aggregation> {
        let interval = self.constant(&arguments[1], 1..=86_400_000_000_000)?;
        let number = self.constant(&arguments[2], 1..=BUCKETS)? as u32;
        let by = match arguments.get(3) {
            None => Series::Last,
            Some(argument) => {
                let name = self.literal_text(argument)?;
                let known = Series::NAMES.iter().find(|(known, _)| *known == name);
                if known.is_none() {
                    let names = Series::NAMES.map(|(name, _)| name);
                    let title = format!("a time series has no `{name}`");
                    let label = format!("expected {}", names.map(|name| format!("\"{name}\"")).join(", "));
                    self.error(Diagnostic::error("E0362", argument.span, title, label).suggest(&name, names));
                }
                known?.1
            }
        };
        Some(Aggregation::Tseries { interval, number, by })
    }
}
