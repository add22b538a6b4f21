//! `usdt`: static probes of programs and libraries, which their authors have set (`sys/sdt.h`).

use std::rc::Rc;

use super::uprobe::Target;
use super::{Draft, Point, Resolver, Site, is_pattern, matches, unquoted};
use crate::facts::{KernelFacts, Note};
use crate::registers;

/// Where an argument of a static probe is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Argument {
    /// Bytes.
    pub size: u32,
    /// Whether it has a sign.
    pub signed: bool,
    /// Where it is.
    pub place: Place,
}

/// Where a value is, by the registers as they are at the probe.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Place {
    /// It is known.
    Constant(i64),
    /// In the register that lies at an offset among them.
    Register(u32),
    /// In memory, at the sum of these.
    Memory {
        /// A register.
        base: u32,
        /// A register, and what it is multiplied by.
        index: Option<(u32, u64)>,
        /// A number.
        displacement: i64,
    },
}

/// `usdt:BINARY:NAME`, `usdt:BINARY:PROVIDER:NAME`.
pub(super) fn resolve(resolver: &mut Resolver<'_>, point: &Point<'_>, draft: &mut Draft) {
    let (binary, provider, name) = match point.rest.as_slice() {
        [binary, name] => (unquoted(binary), "*", unquoted(name)),
        [binary, provider, name] => (unquoted(binary), unquoted(provider), unquoted(name)),
        _ => {
            let help = "as in `usdt:/usr/bin/app:provider:name`";
            return resolver.malformed(point, "expected `usdt:BINARY:PROVIDER:NAME`", help);
        }
    };
    if is_pattern(binary) {
        let wanted = |note: &Note| matches(provider, &note.provider) && matches(name, &note.name);
        let mut any = false;
        for path in resolver.facts.files(binary) {
            let notes = resolver.facts.executable(&path).and_then(|file| file.notes());
            if notes.is_ok_and(|notes| notes.iter().any(wanted)) {
                any = true;
                in_file(resolver, point, draft, (&path, provider, name));
            }
        }
        if !any {
            resolver.no_match(point);
        }
        return;
    }
    in_file(resolver, point, draft, (binary, provider, name));
}

/// Sets probes in one file: its name, the provider and the name of the probe.
fn in_file(
    resolver: &mut Resolver<'_>,
    point: &Point<'_>,
    draft: &mut Draft,
    (binary, provider, name): (&str, &str, &str),
) {
    let Some(file) = resolver.executable(point, binary) else { return };
    let notes = match file.notes() {
        Ok(notes) => notes,
        Err(problem) => return resolver.unreadable(point, &problem),
    };
    let found = notes.iter().filter(|note| matches(provider, &note.provider) && matches(name, &note.name));
    let found = found.collect::<Vec<_>>();
    if found.is_empty() && (is_pattern(provider) && provider != "*" || is_pattern(name)) {
        return resolver.no_match(point);
    }
    if found.is_empty() {
        let label = format!("{} has no such static probe", file.path());
        let mut list = notes.iter().map(|note| format!("`{}:{}`", note.provider, note.name)).collect::<Vec<_>>();
        list.dedup();
        list.truncate(20);
        let list = if list.is_empty() { "none in it".to_owned() } else { list.join(", ") };
        return resolver.unknown(point, &label, name, notes.iter().map(|note| note.name.as_str()), &list);
    }
    let mut refused = Vec::new();
    let may = |note: &&&Note| {
        file.can_probe_note(note.offset).map_err(|reason| refused.push((note.name.clone(), reason))).is_ok()
    };
    let found = found.iter().filter(may).copied().collect::<Vec<_>>();
    if let [(name, reason), more @ ..] = refused.as_slice() {
        if found.is_empty() {
            return resolver.unreadable(point, reason);
        }
        resolver.left_out(point, name, reason, more.len());
    }
    // Where the arguments lie in the same places, one program serves.
    let mut sites = Vec::<(&str, Vec<Target>)>::new();
    for note in found {
        let probe = resolver.number(format!("usdt:{}:{}:{}", file.path(), note.provider, note.name));
        let target = Target { probe, cookie: resolver.cookie(probe), offset: note.offset, semaphore: note.semaphore };
        match sites.iter_mut().find(|(arguments, _)| *arguments == note.arguments) {
            Some((_, targets)) => targets.push(target),
            None => sites.push((&note.arguments, vec![target])),
        }
    }
    for (arguments, targets) in sites {
        let arguments = Some(arguments.split_whitespace().map(argument).collect());
        draft.sites.push(Site::Uprobe { exit: false, path: file.path().into(), targets: Rc::new(targets), arguments });
    }
}

/// All static probes of the binary that is named.
pub(super) fn list(facts: &dyn KernelFacts, wanted: &str) -> Result<Vec<String>, String> {
    let binary = wanted.split(':').next().unwrap_or_default();
    if binary.is_empty() || is_pattern(binary) {
        return Err("say of which program or library, as in `usdt:libc:*`".to_owned());
    }
    let notes = facts.executable(binary)?.notes()?;
    Ok(notes.into_iter().map(|note| format!("{binary}:{}:{}", note.provider, note.name)).collect())
}

/// Reads where an argument is, as the assembler writes operands: `-4@%edi`, `8@-16(%rbp,%rax,8)`, `4@$5`. `None` if it is
/// somewhere else, as in a register for floating point numbers.
fn argument(written: &str) -> Option<Argument> {
    let (size, operand) = written.split_once('@').unwrap_or(("8", written));
    let signed = size.starts_with('-');
    let size = size.trim_start_matches('-').parse::<u32>().ok().filter(|size| matches!(size, 1 | 2 | 4 | 8))?;
    Some(Argument { size, signed, place: place(operand)? })
}

fn place(operand: &str) -> Option<Place> {
    if let Some(number) = operand.strip_prefix('$') {
        return signed(number).map(Place::Constant);
    }
    if let Some(name) = operand.strip_prefix('%') {
        return registers::whole(name).map(Place::Register);
    }
    let (displacement, rest) = operand.split_once('(')?;
    let displacement = if displacement.is_empty() { 0 } else { signed(displacement)? };
    let mut parts = rest.strip_suffix(')')?.split(',').map(str::trim);
    let register = |part: &str| registers::whole(part.strip_prefix('%')?);
    let base = register(parts.next()?)?;
    let index = match parts.next() {
        None => None,
        Some(part) => Some((register(part)?, parts.next().map_or(Some(1), |scale| scale.parse().ok())?)),
    };
    Some(Place::Memory { base, index, displacement })
}

fn signed(text: &str) -> Option<i64> {
    let (sign, digits) = text.strip_prefix('-').map_or((1, text), |digits| (-1, digits));
    let number = match digits.strip_prefix("0x") {
        Some(digits) => i64::from_str_radix(digits, 16).ok()?,
        None => digits.parse::<i64>().ok()?,
    };
    Some(number.wrapping_mul(sign))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arguments_are_where_the_assembler_says() {
        let (di, bp, ax) = (112, 32, 80);
        let memory = |base, index, displacement| Place::Memory { base, index, displacement };
        for (written, size, sign, place) in [
            ("-4@%edi", 4, true, Place::Register(di)),
            ("8@%rax", 8, false, Place::Register(ax)),
            ("1@%dil", 1, false, Place::Register(di)),
            ("2@%r9w", 2, false, Place::Register(64)),
            ("4@$-5", 4, false, Place::Constant(-5)),
            ("8@$0x10", 8, false, Place::Constant(16)),
            ("8@(%rax)", 8, false, memory(ax, None, 0)),
            ("-8@-16(%rbp)", 8, true, memory(bp, None, -16)),
            ("4@8(%rbp,%rax,4)", 4, false, memory(bp, Some((ax, 4)), 8)),
            ("4@(%rbp,%rax)", 4, false, memory(bp, Some((ax, 1)), 0)),
        ] {
            assert_eq!(argument(written), Some(Argument { size, signed: sign, place }), "{written}");
        }
        for unknown in ["8f@%xmm0", "8@%xmm0", "8@counter(%rip)", "3@%eax", "8@", "@", "", "8@(%rax", "8@(,%rax,8)"] {
            assert_eq!(argument(unknown), None, "{unknown}");
        }
    }
}
