//! `scope fmt`: scripts in the one form that all have.

use std::fs;

use scope_dsl::format::{Refused, format};
use scope_dsl::source::Source;

use crate::cli::args::Args;
use crate::cli::{Failure, colour, complain, failure, mistake, print, render, script};

/// What `--help` says.
pub const HELP: &str = "\
Formats scripts: in place, or from standard input to standard output

Usage: scope fmt [--check] FILE...
       scope fmt [--check] -

Options:
  --check    Changes nothing; says which scripts are not formatted, with exit status 1
";

/// Formats the files that are named.
pub fn run(args: &Args) -> Result<u8, Failure> {
    super::only_options(args, &["check"])?;
    if args.arguments.is_empty() {
        return Err(mistake(
            "name the scripts to format, or `-` for standard input\nhelp: `scope fmt --help` tells more",
        ));
    }
    let check = args.options.contains_key("check");
    let (mut wrong, mut status) = (Vec::new(), 0);
    for name in &args.arguments {
        let text = script::read(name)?;
        match format(&text) {
            Ok(formatted) if check => {
                if formatted != text {
                    complain(&format!("{name} is not formatted\n"));
                    status = 1;
                }
            }
            Ok(formatted) if name == "-" => print(&formatted)?,
            Ok(formatted) if formatted == text => {}
            Ok(formatted) => {
                fs::write(name, formatted)
                    .map_err(|error| failure(format!("can't write {name}: {}", script::reason(&error))))?;
            }
            // The others are formatted all the same.
            Err(Refused::Wrong(found)) => {
                wrong.push(render::errors(&Source::new(name.clone(), text), &found, colour()))
            }
            Err(Refused::Changed) => {
                return Err(failure(format!(
                    "formatting {name} would change what it means: it is left as it is\nhelp: this is a bug of scope: please report it with the script"
                )));
            }
        }
    }
    if wrong.is_empty() { Ok(status) } else { Err(Failure::Mistake(wrong.join("\n"))) }
}
