//! What the tasks need of the system, installed where it is missing: Debian's packages, by their own client.

use std::path::Path;
use std::process::Command;
use std::sync::Once;

use anyhow::{Context, Result, bail};

use crate::{output, run};

/// Installs packages unless a file that they bring is there.
pub fn need(file: &str, packages: &[&str]) -> Result<()> {
    if Path::new(file).exists() {
        return Ok(());
    }
    println!("xtask: installing {}", packages.join(" "));
    update()?;
    let mut install = apt();
    install.args(["install", "-y", "--no-install-recommends"]).args(packages);
    output(&mut install)
        .with_context(|| format!("{file} is missing, and {} could not be installed", packages.join(" ")))?;
    if !Path::new(file).exists() {
        bail!("{} did not bring {file}", packages.join(" "));
    }
    Ok(())
}

/// Fetches and unpacks a package without installing it.
pub fn unpack(package: &str, into: &Path) -> Result<()> {
    update()?;
    let download = into.with_extension("download");
    std::fs::create_dir_all(&download)?;
    output(apt().arg("download").arg(package).current_dir(&download))?;
    let file = std::fs::read_dir(&download)?.next().context("apt-get downloaded nothing")??.path();
    run(Command::new("dpkg").arg("-x").arg(file).arg(into))?;
    std::fs::remove_dir_all(&download)?;
    Ok(())
}

/// The newest package whose name matches a prefix and a suffix, in Debian's order of versions.
pub fn newest(prefix: &str, suffix: &str) -> Result<String> {
    update()?;
    let names = output(Command::new("apt-cache").args(["pkgnames", prefix]))?;
    let numbers = |name: &str| {
        let parts = name.split(|char: char| !char.is_ascii_digit()).filter_map(|part| part.parse::<u64>().ok());
        parts.collect::<Vec<_>>()
    };
    let fits = |name: &&str| {
        let middle = name.strip_prefix(prefix).and_then(|rest| rest.strip_suffix(suffix));
        middle.is_some_and(|middle| !middle.contains("cloud") && !middle.contains("rt"))
    };
    let newest = names.lines().filter(fits).max_by_key(|name| numbers(name));
    newest.map(str::to_owned).with_context(|| format!("the archive has no {prefix}*{suffix}"))
}

fn apt() -> Command {
    let mut command = Command::new("apt-get");
    command.env("DEBIAN_FRONTEND", "noninteractive");
    command
}

/// Package lists may be missing or old; once for a run is enough.
fn update() -> Result<()> {
    static ONCE: Once = Once::new();
    let mut result = Ok(String::new());
    ONCE.call_once(|| result = output(apt().arg("update")));
    result.map(drop)
}
