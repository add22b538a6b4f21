//! The `scope` command.

use std::process::ExitCode;

fn main() -> ExitCode {
    scope::cli::main()
}
