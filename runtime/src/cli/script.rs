//! Where scripts come from: the command line, files, the bundled ones, and what they import.

use std::fs;
use std::io;
use std::path::{Component, Path, PathBuf};

use clap::CommandFactory;
use scope_dsl::check::ScriptOption;
use scope_dsl::diagnostic::nearest;
use scope_dsl::source::{Importer, Source};

use super::args::Args;
use super::{Failure, bundled, mistake, words};

/// Finds the script's text.
pub fn source(args: &Args) -> Result<Option<Source>, Failure> {
    if let Some(text) = &args.program {
        return Ok(Some(Source::new("-e", text.clone())));
    }
    let Some(script) = &args.script else { return Ok(None) };
    let path = Path::new(script);
    let is_path = script.contains('/') || script.ends_with(".scope") || script == "-";
    if !is_path && let Some(text) = bundled::find(script) {
        return Ok(Some(Source::new(script.clone(), text)));
    }
    if !is_path && !path.exists() {
        let names = bundled::SCRIPTS.iter().map(|(name, _)| *name).collect::<Vec<_>>();
        let words = words::WORDS.iter().map(|word| word.name);
        let near = nearest(script, names.iter().copied().chain(words))
            .map(|near| format!("; did you mean `{near}`?"))
            .unwrap_or_default();
        let bundled = names.join(", ");
        return Err(mistake(format!(
            "no script file and no bundled script is called `{script}`{near}\nhelp: bundled scripts are {bundled}"
        )));
    }
    read(script).map(|text| Some(Source::new(script.clone(), text)))
}

/// Reads a script by its path; `-` is standard input.
pub fn read(script: &str) -> Result<String, Failure> {
    let bytes = if script == "-" { read_input() } else { fs::read(script) };
    let bytes = bytes.map_err(|error| mistake(format!("can't read the script {script}: {}", reason(&error))))?;
    text(bytes).map_err(|error| {
        let line =
            error.as_bytes()[..error.utf8_error().valid_up_to()].iter().filter(|byte| **byte == b'\n').count() + 1;
        mistake(format!("the script {script} is not UTF-8: see line {line}"))
    })
}

/// The text of a file, without the byte order mark that some editors put in front.
fn text(bytes: Vec<u8>) -> Result<String, std::string::FromUtf8Error> {
    let text = String::from_utf8(bytes)?;
    Ok(text.strip_prefix('\u{feff}').map(str::to_owned).unwrap_or(text))
}

fn read_input() -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    io::Read::read_to_end(&mut io::stdin(), &mut bytes)?;
    Ok(bytes)
}

/// What went wrong with a file, without the number.
pub fn reason(error: &io::Error) -> String {
    let text = error.to_string();
    text.split(" (os error").next().unwrap_or(&text).to_lowercase()
}

/// The help of a script: the comment at its head, and its options.
pub fn help(args: &Args, source: &Source, options: &[ScriptOption]) -> String {
    let mut help = bundled::help(&source.files()[0].text);
    let Some(script) = &args.script else { return help + Args::command().render_help().to_string().as_str() };
    let own = options.iter().map(|option| {
        let default = if option.default.is_empty() { String::new() } else { format!(" [default: {}]", option.default) };
        let name = format!("--{}", option.name);
        format!("  {name:<16} {}{default}\n", option.summary)
    });
    let own = own.collect::<String>();
    if !own.is_empty() {
        help += &format!("\nOptions of the script, as --name=value:\n{own}");
    }
    help += &format!(
        "\nUsage: scope {script} [OPTIONS]\nOptions: as in `scope --help`; -p PID watches one process, -f json prints JSON\n"
    );
    help
}

/// Imports scripts from beside the one that names them.
pub struct Files;

impl Importer for Files {
    fn import(&self, name: &str, from: &str) -> Result<(String, String), String> {
        let beside = Path::new(from).parent().unwrap_or(Path::new(""));
        let path = plain(&beside.join(name));
        let bytes = fs::read(&path).map_err(|error| reason(&error))?;
        let text = text(bytes).map_err(|_| "it is not UTF-8".to_owned())?;
        Ok((path.to_string_lossy().into_owned(), text))
    }
}

/// A path without the parts that lead nowhere, so that a file has one name however it is reached.
fn plain(path: &Path) -> PathBuf {
    let mut plain = PathBuf::new();
    for part in path.components() {
        match part {
            Component::CurDir => {}
            Component::ParentDir if matches!(plain.components().next_back(), Some(Component::Normal(_))) => {
                plain.pop();
            }
            _ => plain.push(part),
        }
    }
    plain
}
