//! Names as they were in the source.

/// The name as it was in the source of Rust or C++; other names stay as they are.
pub(super) fn demangled(name: &str) -> String {
    if let Ok(name) = rustc_demangle::try_demangle(name) {
        // Without the hash at its end.
        return format!("{name:#}");
    }
    // Everything else would be taken for the code of a type: `f` for `float`.
    if !name.starts_with("_Z") {
        return name.to_owned();
    }
    let parsed = cpp_demangle::Symbol::new(name).ok();
    parsed.and_then(|symbol| symbol.demangle().ok()).unwrap_or_else(|| name.to_owned())
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
}
