//! Names as they were in the source.

use std::fmt::{self, Write};

use cpp_demangle::{DemangleOptions, Symbol};

/// How long a name may become: a few bytes can stand for more than there is memory.
const LONGEST: usize = 64 << 10;

/// The name as it was in the source of Rust or C++; other names stay as they are.
pub(crate) fn demangled(name: &str) -> String {
    let mut source = Short(String::new());
    let written = if let Ok(name) = rustc_demangle::try_demangle(name) {
        // Without the hash at its end.
        write!(source, "{name:#}").is_ok()
    } else if name.starts_with("_Z") {
        let symbol = Symbol::new(name).ok();
        symbol.is_some_and(|symbol| symbol.structured_demangle(&mut source, &DemangleOptions::default()).is_ok())
    } else {
        // Everything else would be taken for the code of a type: `f` for `float`.
        false
    };
    if written { source.0 } else { name.to_owned() }
}

/// A text that refuses to become too long.
struct Short(String);

impl Write for Short {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        if self.0.len() + text.len() > LONGEST {
            return Err(fmt::Error);
        }
        self.0.push_str(text);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_language_gets_its_names_back() {
        for (name, expected) in [
            ("main", "main"),
            ("f", "f"),
            ("", ""),
            ("_ZN3foo3barEv", "foo::bar()"),
            ("_ZNSt6vectorIiSaIiEE9push_backERKi", "std::vector<int, std::allocator<int> >::push_back(int const&)"),
            ("_ZN4core3fmt5Write9write_fmt17h0123456789abcdefE", "core::fmt::Write::write_fmt"),
            ("_RNvNtCs1234_7mycrate3foo3bar", "mycrate::foo::bar"),
            ("_Znonsense", "_Znonsense"),
        ] {
            assert_eq!(demangled(name), expected, "{name}");
        }
    }

    #[test]
    fn a_short_name_that_stands_for_a_long_one_stays_as_it_is() {
        // The type of each argument has the one before as both of its parameters.
        let doubled = (0..18).map(|level| match level {
            0 => "1AIiiE".to_owned(),
            _ => format!("1AIS{0}_S{0}_E", char::from_digit(2 * (level - 1), 36).unwrap().to_ascii_uppercase()),
        });
        let name = |levels| format!("_Z1f{}", doubled.clone().take(levels).collect::<String>());
        assert_eq!(demangled(&name(2)), "f(A<int, int>, A<A<int, int>, A<int, int> >)");
        assert_eq!(demangled(&name(18)), name(18));
    }
}
