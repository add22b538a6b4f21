//! Building the eBPF program, and the proof that the committed object is what the sources give.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};
use sha2::{Digest, Sha256};

use crate::{output, packages, root, run};

/// The objects, by the name of their binary.
const OBJECTS: [&str; 2] = ["scope", "reference"];
/// What the objects depend on.
const SOURCES: [&str; 6] =
    ["ebpf/src", "ebpf/Cargo.toml", "ebpf/Cargo.lock", "ebpf/.cargo/config.toml", "common/src", "common/Cargo.toml"];

/// A compiler that can build for BPF.
struct Toolchain {
    rustc: PathBuf,
    version: String,
    llvm_major: String,
    linker: String,
}

/// What a rebuild was compared by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Proof {
    /// The same compiler gave the same bytes.
    Bytes,
    /// Another compiler: the sources are those that the object was made from; the rebuilt object has yet to pass the
    /// live tests.
    Sources,
}

/// Rebuilds the committed objects.
pub fn build() -> Result<()> {
    let toolchain = Toolchain::find()?;
    for (name, bytes) in toolchain.build()? {
        fs::write(prebuilt(&name), bytes)?;
    }
    fs::write(record_path(), toolchain.record()?)?;
    println!("xtask: built ebpf/prebuilt with {}", toolchain.version);
    Ok(())
}

/// Proves that the committed objects are what the sources give.
pub fn check() -> Result<Proof> {
    let committed = fs::read_to_string(record_path()).context("ebpf/prebuilt/BUILD is missing")?;
    let sources = format!("sources {}", sources_hash()?);
    if !committed.lines().any(|line| line == sources) {
        bail!("the sources of the eBPF program have changed since it was built: run `cargo xtask build-ebpf`");
    }
    let toolchain = Toolchain::find()?;
    let built = toolchain.build()?;
    if toolchain.record()? != committed {
        println!("xtask: ebpf/prebuilt was built by another compiler; its sources are the same");
        return Ok(Proof::Sources);
    }
    for (name, bytes) in built {
        if fs::read(prebuilt(&name))? != bytes {
            bail!("ebpf/prebuilt/{name}.o is not what its sources give: run `cargo xtask build-ebpf`");
        }
    }
    println!("xtask: ebpf/prebuilt is what its sources give, byte by byte");
    Ok(Proof::Bytes)
}

/// Runs something with freshly built objects in place of the committed ones, which are put back.
pub fn with_rebuilt(task: impl FnOnce() -> Result<()>) -> Result<()> {
    let kept = OBJECTS.map(|name| (prebuilt(name), fs::read(prebuilt(name))));
    for (name, bytes) in Toolchain::find()?.build()? {
        fs::write(prebuilt(&name), bytes)?;
    }
    let done = task();
    for (path, bytes) in kept {
        fs::write(path, bytes?)?;
    }
    done
}

/// Where a committed object lies.
pub fn prebuilt(name: &str) -> PathBuf {
    root().join("ebpf/prebuilt").join(format!("{name}.o"))
}

fn record_path() -> PathBuf {
    root().join("ebpf/prebuilt/BUILD")
}

impl Toolchain {
    /// Finds a nightly with `rust-src`, else Debian's compiler for its browsers, which has the sources of `core` as a
    /// package; installs the latter if there is neither, and the linker.
    fn find() -> Result<Toolchain> {
        let rustc = match Self::nightly() {
            Some(rustc) => rustc,
            None => {
                packages::need("/usr/share/doc/rust-web-src", &["rustc-web", "rust-web-src"])?;
                PathBuf::from("/usr/bin/rustc")
            }
        };
        let version = output(Command::new(&rustc).arg("--version"))?.trim().to_owned();
        let verbose = output(Command::new(&rustc).args(["--version", "--verbose"]))?;
        let llvm = verbose.lines().find_map(|line| line.strip_prefix("LLVM version: "));
        let llvm = llvm.and_then(|version| version.split('.').next()).context("rustc does not name its LLVM")?;
        let linker = Self::linker(llvm)?;
        Ok(Toolchain { rustc, version, llvm_major: llvm.to_owned(), linker })
    }

    fn nightly() -> Option<PathBuf> {
        let sysroot = output(Command::new("rustc").args(["+nightly", "--print", "sysroot"])).ok()?;
        let sysroot = Path::new(sysroot.trim());
        sysroot.join("lib/rustlib/src/rust/library/core").is_dir().then(|| sysroot.join("bin/rustc"))
    }

    /// Finds bpf-linker, or builds it against the compiler's own LLVM: bitcode of a newer one it can't read.
    fn linker(llvm: &str) -> Result<String> {
        let version = |linker: &Path| output(Command::new(linker).arg("--version"));
        let own = root().join(format!("target/bpf-linker-{llvm}/bin/bpf-linker"));
        if let Ok(found) = version(&own) {
            return Ok(found.trim().to_owned());
        }
        let dev = format!("llvm-{llvm}-dev");
        let polly = format!("libpolly-{llvm}-dev");
        packages::need(
            &format!("/usr/lib/llvm-{llvm}/include/llvm-c/Core.h"),
            &[&dev, &polly, "libzstd-dev", "zlib1g-dev"],
        )?;
        println!("xtask: building bpf-linker for LLVM {llvm}");
        let mut install = crate::cargo();
        install.args(["install", "--quiet", "bpf-linker", "--version", "0.13.0", "--locked", "--no-default-features"]);
        install
            .args(["--features", &format!("llvm-{llvm}")])
            .arg("--root")
            .arg(root().join(format!("target/bpf-linker-{llvm}")));
        install.env("LLVM_PREFIX", format!("/usr/lib/llvm-{llvm}"));
        run(&mut install)?;
        Ok(version(&own)?.trim().to_owned())
    }

    /// The version of the LLVM that the linker optimises with, to the last digit.
    fn llvm(&self) -> Result<String> {
        let config = format!("/usr/lib/llvm-{}/bin/llvm-config", self.llvm_major);
        Ok(output(Command::new(config).arg("--version"))?.trim().to_owned())
    }

    /// Builds the objects; gives their names and bytes.
    fn build(&self) -> Result<Vec<(String, Vec<u8>)>> {
        let directory = root().join("ebpf");
        let target = root().join("target/ebpf");
        let linker = root().join(format!("target/bpf-linker-{}/bin", self.llvm_major));
        let path = std::env::var("PATH").unwrap_or_default();
        let mut cargo = Command::new("cargo");
        cargo.current_dir(&directory).args(["build", "--quiet", "--release", "--locked"]);
        cargo.env("RUSTC", &self.rustc).env("RUSTC_BOOTSTRAP", "1").env("CARGO_TARGET_DIR", &target);
        cargo.env("PATH", format!("{}:{path}", linker.display()));
        // Set by the outer cargo for its own compiler.
        for name in ["RUSTFLAGS", "CARGO_ENCODED_RUSTFLAGS", "RUSTUP_TOOLCHAIN", "RUSTC_WRAPPER"] {
            cargo.env_remove(name);
        }
        run(&mut cargo)?;
        let built = target.join("bpfel-unknown-none/release");
        OBJECTS.iter().map(|name| Ok(((*name).to_owned(), fs::read(built.join(name))?))).collect()
    }

    /// What stands beside the objects: who built them, from what.
    fn record(&self) -> Result<String> {
        Ok(format!("{}\nLLVM {}\n{}\nsources {}\n", self.version, self.llvm()?, self.linker, sources_hash()?))
    }
}

/// A hash of all that the objects are made from.
fn sources_hash() -> Result<String> {
    let mut files = Vec::new();
    for source in SOURCES {
        collect(&root().join(source), &mut files)?;
    }
    files.sort();
    let mut hash = Sha256::new();
    for file in files {
        let name = file.strip_prefix(root())?.to_string_lossy().into_owned();
        let content = fs::read(&file)?;
        hash.update(format!("{name} {}\n", content.len()));
        hash.update(content);
    }
    Ok(hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect())
}

fn collect(path: &Path, files: &mut Vec<PathBuf>) -> Result<()> {
    if path.is_dir() {
        for entry in fs::read_dir(path)? {
            collect(&entry?.path(), files)?;
        }
    } else {
        files.push(path.to_owned());
    }
    Ok(())
}
