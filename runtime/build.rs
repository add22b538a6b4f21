//! Gathers the bundled scripts: each file of `stdlib-scripts/` becomes a row of the table that `cli::bundled` holds.

use std::path::Path;
use std::{env, fs, io};

fn main() -> io::Result<()> {
    let scripts = Path::new(env!("CARGO_MANIFEST_DIR")).join("../stdlib-scripts");
    println!("cargo::rerun-if-changed={}", scripts.display());
    let mut rows = Vec::new();
    for entry in fs::read_dir(&scripts)? {
        let path = entry?.path().canonicalize()?;
        if path.extension().is_some_and(|extension| extension == "scope") {
            println!("cargo::rerun-if-changed={}", path.display());
            let name = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
            rows.push(format!("({name:?}, include_str!({:?}))", path.display().to_string()));
        }
    }
    rows.sort_unstable();
    let out = env::var("OUT_DIR").map_err(io::Error::other)?;
    fs::write(Path::new(&out).join("scripts.rs"), format!("&[{}]", rows.join(",\n")))
}
