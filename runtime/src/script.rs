//! The functions of a script: rhai, called when a record is printed.

use std::collections::HashMap;

use rhai::{AST, Dynamic, Engine, Scope};
use scope_dsl::ast::Function;
use scope_dsl::diagnostic::Diagnostic;
use scope_dsl::source::{Source, Span};

use crate::output::escape;
use crate::value::Value;

/// The functions of a script, compiled.
pub struct Functions {
    engine: Engine,
    ast: AST,
    /// How often each failed, with the first failure.
    failures: HashMap<String, (u64, String)>,
}

impl Functions {
    /// Compiles the functions of a script; `None` if it has none, so that the engine is not even made.
    ///
    /// # Errors
    /// What rhai says of them, with the place in the script.
    pub fn compile(source: &Source, functions: &[Function]) -> Result<Option<Functions>, Diagnostic> {
        if functions.is_empty() {
            return Ok(None);
        }
        let mut engine = Engine::new();
        // A runaway function must not stop the trace: limits that no formatter comes near.
        engine.set_max_operations(1_000_000);
        engine.set_max_call_levels(64);
        engine.set_max_expr_depths(64, 64);
        engine.set_max_string_size(1 << 20);
        engine.set_max_array_size(1 << 16);
        engine.set_max_map_size(1 << 16);
        engine.disable_symbol("eval");
        engine.on_print(|_| {});
        engine.on_debug(|_, _, _| {});
        // The files one behind the other, so that a place among them is a place in the text.
        let text = &source.files().iter().map(|file| file.text.as_str()).collect::<Vec<_>>().join("\n");
        // All but the functions is blanked out, line by line, so that rhai's positions are those of the script.
        let ast = engine.compile(blanked(text, functions)).map_err(|error| {
            let at = offset(text, error.position());
            let title = format!("this is no rhai: {}", error.err_type());
            Diagnostic::error("E0107", Span::new(at, (at + 1).min(text.len())), title, "")
                .help("functions are written in rhai: https://rhai.rs/book")
        })?;
        Ok(Some(Functions { engine, ast, failures: HashMap::new() }))
    }

    /// Calls a function; where it fails, the failure is noted and `<error>` stands for the value.
    pub fn call(&mut self, name: &str, arguments: Vec<Value>) -> Value {
        let arguments = arguments.into_iter().map(to_rhai).collect::<Vec<_>>();
        match self.engine.call_fn::<Dynamic>(&mut Scope::new(), &self.ast, name, arguments) {
            Ok(value) => from_rhai(value),
            Err(error) => {
                let failure = self.failures.entry(name.to_owned()).or_insert_with(|| (0, error.to_string()));
                failure.0 += 1;
                Value::Text(b"<error>".to_vec())
            }
        }
    }

    /// The functions that failed: how often, and the first failure.
    pub fn failures(&self) -> impl Iterator<Item = (&str, u64, &str)> {
        self.failures.iter().map(|(name, (count, first))| (name.as_str(), *count, first.as_str()))
    }
}

fn blanked(text: &str, functions: &[Function]) -> String {
    let inside = |at: usize| functions.iter().any(|function| (function.span.start..function.span.end).contains(&at));
    let kept = text.char_indices().map(|(at, char)| if char == '\n' || inside(at) { char } else { ' ' });
    kept.collect()
}

fn offset(text: &str, position: rhai::Position) -> usize {
    let line = position.line().unwrap_or(1) - 1;
    let start = text.split_inclusive('\n').take(line).map(str::len).sum::<usize>();
    let column = position.position().unwrap_or(1).saturating_sub(1);
    let rest = text.get(start..).unwrap_or_default();
    start + rest.chars().take(column).map(char::len_utf8).sum::<usize>()
}

fn to_rhai(value: Value) -> Dynamic {
    match value {
        Value::Signed(value) => value.into(),
        // rhai has 64-bit integers with a sign only; what does not fit keeps its size as a fraction.
        Value::Unsigned(value) | Value::Pointer(value) => {
            i64::try_from(value).map_or_else(|_| (value as f64).into(), Dynamic::from)
        }
        Value::Bool(value) => value.into(),
        Value::Enum(name, _) => name.into(),
        Value::Tuple(values) | Value::List(values) => values.into_iter().map(to_rhai).collect::<rhai::Array>().into(),
        Value::Struct(fields) | Value::Record(fields) => {
            let fields = fields.into_iter().map(|(name, value)| (name.into(), to_rhai(value)));
            fields.collect::<rhai::Map>().into()
        }
        Value::Stack(_, frames) => {
            frames.into_iter().map(|frame| Dynamic::from(frame.text)).collect::<rhai::Array>().into()
        }
        // Its zero bytes stay: they are what texts that lie one behind the other end with.
        Value::Bytes(bytes) => {
            let mut shown = Vec::new();
            for (index, text) in bytes.split(|byte| *byte == 0).enumerate() {
                shown.extend_from_slice(if index > 0 { b"\0" } else { b"" });
                escape(text, &mut shown);
            }
            String::from_utf8_lossy(&shown).into_owned().into()
        }
        Value::Float(value) => value.into(),
        Value::Own(text) => String::from_utf8_lossy(&text).into_owned().into(),
        Value::Text(text) => {
            let mut shown = Vec::new();
            escape(&text, &mut shown);
            String::from_utf8_lossy(&shown).into_owned().into()
        }
    }
}

fn from_rhai(value: Dynamic) -> Value {
    if let Ok(value) = value.as_int() {
        return Value::Signed(value);
    }
    if let Ok(value) = value.as_float() {
        return Value::Float(value);
    }
    if value.is_unit() {
        return Value::Text(Vec::new());
    }
    Value::Text(value.to_string().into_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn functions(text: &str) -> Result<Option<Functions>, Diagnostic> {
        Functions::compile(&Source::new("test", text), &scope_dsl::parse(text, 0).script.functions)
    }

    #[test]
    fn values_go_in_and_out() {
        let mut functions =
            functions("fn f(a, b) { if a > 2 { `${a} ${b}` } else { a / 2.0 } } p { 1 }").unwrap().unwrap();
        let text = |text: &str| Value::Text(text.as_bytes().to_vec());
        assert_eq!(functions.call("f", vec![Value::Unsigned(3), text("x\x1b")]), text("3 x\\x1b"));
        assert_eq!(functions.call("f", vec![Value::Signed(1), text("")]), Value::Float(0.5));
    }

    #[test]
    fn a_failure_is_noted_and_does_not_stop_anything() {
        let mut functions = functions("fn f(a) { while true { } } fn g(a) { a.nothing() } p { 1 }").unwrap().unwrap();
        assert_eq!(functions.call("f", vec![Value::Signed(1)]), Value::Text(b"<error>".to_vec()));
        functions.call("g", vec![Value::Signed(1)]);
        functions.call("g", vec![Value::Signed(1)]);
        let mut failures = functions.failures().map(|(name, count, _)| (name, count)).collect::<Vec<_>>();
        failures.sort_unstable();
        assert_eq!(failures, [("f", 1), ("g", 2)]);
    }

    #[test]
    fn errors_have_their_place_in_the_script() {
        let Err(error) = functions("// é\nfn f(a) { let = 1; }\np { 1 }") else { panic!("it compiled") };
        assert_eq!(error.primary.0.start, "// é\nfn f(a) { let ".len());
    }
}
