//! A program: its text, and what its first lines say about how it is run.

use std::fs;
use std::path::Path;

use libtest_mimic::Failed;

use crate::output::END;

/// A program and how it is run.
#[derive(Default)]
pub struct Program {
    pub text: String,
    pub workload: Option<String>,
    pub arguments: Vec<String>,
    pub allowed: bool,
    pub layout: Layout,
    pub differs: Option<String>,
    pub refused: Option<String>,
}

impl Program {
    pub fn read(path: &Path, format: &str) -> Result<Program, Failed> {
        let mut program = Program { text: fs::read_to_string(path)?, ..Program::default() };
        for line in program.text.clone().lines().map_while(|line| line.strip_prefix("// ")) {
            let (key, value) = line.split_once(": ").unwrap_or((line, ""));
            match key {
                "workload" => program.workload = Some(value.to_owned()).filter(|name| name != "none"),
                "arguments" => program.arguments = value.split_whitespace().map(str::to_owned).collect(),
                "unsafe" => program.allowed = true,
                "layout" => {
                    program.layout = match value {
                        "exact" => Layout::Exact,
                        "loose" => Layout::Loose,
                        other => return Err(format!("`{other}` is no layout").into()),
                    }
                }
                "differs" => program.differs = Some(value.to_owned()),
                "refused" => program.refused = value.split(':').next().map(str::to_owned),
                key if key.starts_with("differs in ") => {
                    if key.ends_with(format) {
                        program.differs = Some(value.to_owned());
                    }
                }
                other => return Err(format!("`// {other}` is no header line").into()),
            }
        }
        // Two `END` are an error to bpftrace: a program that has one prints the line itself.
        if !program.text.contains("END") {
            program.text += &format!("END {{ printf(\"{END}\\n\"); }}\n");
        }
        Ok(program)
    }
}

/// Which empty lines are compared.
#[derive(Clone, Copy, Default, PartialEq)]
pub enum Layout {
    Exact,
    /// Those before the end.
    #[default]
    Usual,
    Loose,
}

/// Replaces a word wherever it stands alone.
pub fn substitute(text: &str, word: &str, by: &str) -> String {
    let inside = |c: Option<char>| c.is_some_and(|c| c.is_ascii_alphanumeric() || c == '_');
    let mut out = String::new();
    let mut rest = text;
    while let Some(at) = rest.find(word) {
        let (before, after) = (&rest[..at], &rest[at + word.len()..]);
        let previous = before.chars().next_back().or_else(|| out.chars().next_back());
        out += before;
        out += if inside(previous) || inside(after.chars().next()) { word } else { by };
        rest = after;
    }
    out + rest
}

/// The path of the C library that this process has, and so the workload.
pub fn libc_path() -> Result<String, Failed> {
    let maps = fs::read_to_string("/proc/self/maps")?;
    let paths = maps.lines().filter_map(|line| line.find('/').map(|at| &line[at..]));
    let path = paths.into_iter().find(|path| path.contains("/libc.so") || path.contains("/libc-"));
    Ok(path.ok_or("this binary has no shared C library")?.to_owned())
}
