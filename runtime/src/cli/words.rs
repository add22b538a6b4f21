//! Words that stand in the place of a script's name, and do something else than trace.

mod check_system;
mod explain;
mod fmt;

use super::Failure;
use super::args::Args;

/// A word, and what it does with the words behind it.
pub struct Word {
    /// How it is written.
    pub name: &'static str,
    /// What `--help` says of it.
    help: &'static str,
    run: fn(&Args) -> Result<u8, Failure>,
}

/// All of them.
pub const WORDS: [Word; 3] = [
    Word { name: "check-system", help: check_system::HELP, run: check_system::run },
    Word { name: "explain", help: explain::HELP, run: explain::run },
    Word { name: "fmt", help: fmt::HELP, run: fmt::run },
];

/// Does what a word in the place of the script's name says; `None` if there is none.
pub fn run(args: &Args) -> Option<Result<u8, Failure>> {
    // With `-e` there is no script to name: the word is an argument of the program. With `-l` it may be a pattern.
    let name = args.script.as_ref().filter(|_| args.program.is_none() && !args.list)?;
    let word = WORDS.iter().find(|word| word.name == name)?;
    Some(match args.help {
        true => super::print(word.help).map(|()| 0),
        false => (word.run)(args),
    })
}

/// Refuses options that a word does not have.
fn only_options(args: &Args, known: &[&str]) -> Result<(), Failure> {
    match args.options.keys().find(|option| !known.contains(&option.as_str())) {
        Some(option) => Err(super::mistake(format!(
            "there is no option `--{option}` here\nhelp: `scope {} --help` lists the options",
            args.script.as_deref().unwrap_or_default()
        ))),
        None => Ok(()),
    }
}
