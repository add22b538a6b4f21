//! `scope -l`: the probes of this machine, or those of a script; with `-v` what each is given.

mod fields;
mod find;

use std::fs::File;
use std::io::{self, BufWriter, Read, Write};
use std::path::Path;

use scope_dsl::probes::{Provider, is_pattern};
use scope_dsl::source::Source;
use scope_dsl::{Options, compile};

use super::args::Args;
use super::script::{self, Files};
use super::{Failure, bundled, complain, failure, mistake, needs_kernel, report, unknown_option, written};
use crate::kernel::facts::LiveFacts;
use crate::kernel::tracefs::Tracefs;
use fields::Fields;

/// What is to be listed, beside the probes of a script.
pub enum Wanted {
    /// What matches patterns.
    Patterns(Vec<String>),
    /// What a program or library has.
    Program(String),
}

/// What `-l` is given; `None` if that is a script.
pub fn wanted(args: &Args) -> Option<Wanted> {
    if args.program.is_some() {
        return None;
    }
    let Some(word) = &args.script else { return Some(Wanted::Patterns(vec!["*".to_owned()])) };
    let names_provider = word.split_once(':').is_some_and(|(first, _)| Provider::named(first).is_some());
    if !names_provider {
        if bundled::find(word).is_some() || word == "-" || word.ends_with(".scope") {
            return None;
        }
        if word.contains('/') && !is_pattern(word) {
            // What is no program is a script; what is not there is said to be missing as one.
            return is_program(Path::new(word)).then(|| Wanted::Program(word.clone()));
        }
    }
    // As in a script, a comma separates probes; not in names of C++ and Rust, which stand in quotes.
    let words = std::iter::once(word).chain(&args.arguments);
    let patterns = words.flat_map(|word| match word.contains('"') {
        true => vec![word.clone()],
        false => word.split(',').map(|part| part.trim().to_owned()).filter(|part| !part.is_empty()).collect(),
    });
    Some(Wanted::Patterns(patterns.collect()))
}

/// Whether a file is a program or a library, by its first bytes.
fn is_program(path: &Path) -> bool {
    let mut first = [0; 4];
    File::open(path).and_then(|mut file| file.read_exact(&mut first)).is_ok() && first == *b"\x7fELF"
}

/// Lists what is wanted.
pub fn probes(args: &Args, tracefs: &io::Result<Tracefs>, wanted: &Wanted) -> Result<u8, Failure> {
    let facts = LiveFacts::new(tracefs.as_ref().ok());
    let find = |pattern: &str| {
        find::find(&facts, pattern).map_err(|problem| mistake(format!("`{pattern}` can't be listed: {problem}")))
    };
    let mut names = Vec::new();
    match wanted {
        Wanted::Program(path) => {
            for provider in ["uprobe", "usdt"] {
                names.extend(find(&format!("{provider}:{path}:*"))?);
            }
            if names.is_empty() {
                return Err(mistake(format!("{path} has no functions and no static probes that are known by name")));
            }
        }
        Wanted::Patterns(patterns) => {
            for pattern in patterns {
                let found = find(pattern)?;
                incomplete(args, tracefs, pattern, &found)?;
                if found.is_empty() {
                    return Err(mistake(find::nothing(&facts, pattern)));
                }
                names.extend(found);
            }
        }
    }
    names.sort_unstable();
    names.dedup();
    written(write(&names, args.verbose.then(|| Fields::new(&facts, names.len())), io::stdout())).map(|()| 0)
}

/// Says what is missing for want of tracefs.
fn incomplete(args: &Args, tracefs: &io::Result<Tracefs>, pattern: &str, found: &[String]) -> Result<(), Failure> {
    let Err(error) = tracefs else { return Ok(()) };
    if found.is_empty() {
        return Err(no_tracefs(error));
    }
    // Of a provider that is named, and has probes, none is missing.
    let named = pattern.split(':').next().and_then(Provider::named).is_some();
    if !named && !args.quiet {
        let reason = script::reason(error);
        complain(&format!("warning: the kernel's probes are left out: tracefs can't be used: {reason}\n"));
    }
    Ok(())
}

fn no_tracefs(error: &io::Error) -> Failure {
    let reason = script::reason(error);
    failure(format!(
        "tracefs can't be used: {reason}\nhelp: run it as root; `scope check-system` tells what is missing"
    ))
}

/// Lists the probes that a script would be attached to.
pub fn of_script(
    args: &Args,
    source: &mut Source,
    facts: &LiveFacts<'_>,
    tracefs: &io::Result<Tracefs>,
    options: Options,
) -> Result<u8, Failure> {
    let compiled = compile(source, &Files, facts, options);
    if compiled.program.is_some() {
        unknown_option(args, &compiled.options)?;
    }
    if let (None, Err(error), true) = (&compiled.program, tracefs, needs_kernel(source)) {
        return Err(no_tracefs(error));
    }
    let program = report(args, source, &compiled.diagnostics, compiled.program, false)?;
    let fields = args.verbose.then(|| Fields::new(facts, program.probes.len()));
    let names = program.probes.into_iter().map(|probe| probe.full).collect::<Vec<_>>();
    written(write(&names, fields, io::stdout())).map(|()| 0)
}

/// Writes names, one to a line, each with its fields below.
fn write(names: &[String], fields: Option<Fields<'_>>, out: impl Write) -> io::Result<()> {
    let mut out = BufWriter::with_capacity(1 << 16, out);
    for name in names {
        writeln!(out, "{name}")?;
        for field in fields.iter().flat_map(|fields| fields.of(name)) {
            writeln!(out, "    {field}")?;
        }
    }
    out.flush()
}
