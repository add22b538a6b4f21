//! How a function of C++ or Rust is called in its source, of which its demangled name says more: what it returns, its
//! parameters, and what templates were made for.

/// The names that people write for a demangled one, the whole first: `int ns::make<int>(long, long)` is also
/// `ns::make<int>(long,long)`, `ns::make<int>` and `ns::make`.
#[must_use]
pub fn names(demangled: &str) -> Vec<String> {
    let whole = plain(demangled);
    let mut names = vec![whole.clone()];
    let bare = without_parameters(&whole).unwrap_or(&whole);
    let named = &bare[returned(bare)..];
    names.push(whole[returned(bare)..].to_owned());
    names.push(bare.to_owned());
    names.push(named.to_owned());
    names.extend(without_template(named).map(str::to_owned));
    names.sort_unstable_by_key(|name| std::cmp::Reverse(name.len()));
    names.dedup();
    names
}

/// A name as it is compared: no blanks behind commas.
#[must_use]
pub fn plain(name: &str) -> String {
    name.replace(", ", ",")
}

/// What stands before the parameters, which are in the last brackets; behind them may stand `const`, `&` or `[clone .cold]`.
fn without_parameters(name: &str) -> Option<&str> {
    let end = name.rfind(')')?;
    let behind = name[end + 1..].trim_start();
    if !(behind.is_empty() || ["const", "volatile", "&", "["].iter().any(|word| behind.starts_with(word))) {
        return None;
    }
    let open = opening(name, end, ['(', ')'])?;
    // `(anonymous namespace)` is no list of parameters, and those of `operator()` come once more behind.
    (open > 0 && !name[..open].ends_with("::") && !name[..open].ends_with("operator")).then(|| &name[..open])
}

/// What stands before what a template was made for.
fn without_template(name: &str) -> Option<&str> {
    let last = name.len().checked_sub(1).filter(|_| name.ends_with('>') && !name.contains("operator"))?;
    opening(name, last, ['<', '>']).filter(|open| *open > 0).map(|open| &name[..open])
}

/// Where the name begins behind what the function returns: behind the last blank that is in no brackets.
fn returned(bare: &str) -> usize {
    // What follows the word is the operator's own, as in `operator new` or `operator<`.
    let end = bare.find("operator").unwrap_or(bare.len());
    let (mut depth, mut start) = (0i32, 0);
    for (at, char) in bare[..end].char_indices() {
        match char {
            '<' | '(' | '{' | '[' => depth += 1,
            '>' | ')' | '}' | ']' => depth -= 1,
            ' ' if depth == 0 => start = at + 1,
            _ => {}
        }
    }
    start
}

/// Where the bracket opens that closes at a place.
fn opening(name: &str, end: usize, [open, close]: [char; 2]) -> Option<usize> {
    let mut depth = 0;
    name[..=end].char_indices().rev().find_map(|(at, char)| {
        depth += i32::from(char == close) - i32::from(char == open);
        (depth == 0).then_some(at)
    })
}

#[cfg(test)]
mod tests {
    use super::names;

    #[test]
    fn a_name_can_be_written_with_less() {
        for (demangled, written) in [
            ("A::f(int)", &["A::f", "A::f(int)"][..]),
            ("int ns::make<int>(long, long)", &["ns::make", "ns::make<int>", "ns::make<int>(long,long)"]),
            ("ns::C::operator()(int) const", &["ns::C::operator()"]),
            ("ns::(anonymous namespace)::anon(int)", &["ns::(anonymous namespace)::anon"]),
            ("ns::C::operator<(ns::C const&)", &["ns::C::operator<"]),
            ("operator new(unsigned long)", &["operator new"]),
            ("void std::sort<int*, bool (*)(int, int)>(int*, int*, bool (*)(int, int))", &["std::sort"]),
            ("<r::S as r::T>::run", &["<r::S as r::T>::run"]),
            ("core::ptr::drop_in_place<alloc::string::String>", &["core::ptr::drop_in_place"]),
            ("main", &["main"]),
            ("ns::g(int) [clone .cold]", &["ns::g"]),
        ] {
            let known = names(demangled);
            for name in written {
                assert!(known.iter().any(|known| known == name), "{name} of {demangled}: {known:?}");
            }
        }
    }
}
