//! Other kernels: Debian's, booted in QEMU with an initramfs that runs one command.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::mpsc::RecvTimeoutError;
use std::time::Duration;

use anyhow::{Context, Result, bail};

use crate::{output, packages, root, run as execute, test};

/// A kernel that the tests run on.
#[derive(Clone, Copy, Debug)]
pub struct Kernel {
    /// What people call it.
    pub version: &'static str,
    prefix: &'static str,
    suffix: &'static str,
}

/// The kernels. The archive's names change with every security update, so the newest that fits is taken.
pub const KERNELS: [Kernel; 4] = [
    Kernel { version: "6.1", prefix: "linux-image-6.1.", suffix: "-cloud-amd64" },
    Kernel { version: "6.12", prefix: "linux-image-6.12.", suffix: "-cloud-amd64" },
    Kernel { version: "6.1-generic", prefix: "linux-image-6.1.", suffix: "-amd64" },
    Kernel { version: "6.12-generic", prefix: "linux-image-6.12.", suffix: "-amd64" },
];

/// Runs one command on a kernel, for `cargo xtask vm`.
pub fn run_one(version: &str, command: &[String]) -> Result<()> {
    let kernel = KERNELS.into_iter().find(|kernel| kernel.version == version);
    let kernel = kernel.with_context(|| {
        format!("no kernel {version}; there are {}", KERNELS.map(|kernel| kernel.version).join(", "))
    })?;
    test::build()?;
    let status = run(kernel, &command.iter().map(String::as_str).collect::<Vec<_>>(), &mut |line| println!("{line}"))?;
    std::process::exit(status);
}

/// Boots a kernel, runs a command there as root and gives its exit status; what it prints is shown line by line.
pub fn run(kernel: Kernel, command: &[&str], show: &mut dyn FnMut(&str)) -> Result<i32> {
    packages::need("/usr/bin/qemu-system-x86_64", &["qemu-system-x86"])?;
    packages::need("/bin/busybox", &["busybox-static"])?;
    packages::need("/usr/bin/cpio", &["cpio"])?;
    let image = image(kernel)?;
    let initramfs = initramfs(kernel, command)?;
    let mut qemu = Command::new("qemu-system-x86_64");
    // Without hardware virtualisation, which a build machine may lack; the guest is slow, but the same everywhere.
    qemu.args([
        "-accel",
        "tcg,thread=multi",
        "-cpu",
        "max",
        "-m",
        "1G",
        "-smp",
        "2",
        "-nographic",
        "-no-reboot",
        "-nodefaults",
    ]);
    qemu.args(["-serial", "stdio"]).arg("-kernel").arg(image).arg("-initrd").arg(initramfs);
    qemu.args(["-append", "console=ttyS0 quiet panic=-1"]).stdin(Stdio::null()).stdout(Stdio::piped());
    // A guest that stands still was seen once in a hundred boots: its clock had stopped, and both CPUs span. It is said and
    // tried once more; a command that hangs hangs again.
    match boot(&mut qemu, show)? {
        Some(status) => Ok(status),
        None => {
            println!("xtask: the guest said nothing for {SILENCE:?}; once more");
            boot(&mut qemu, show)?.context("the guest said nothing again")
        }
    }
}

/// How long a guest may say nothing.
const SILENCE: Duration = Duration::from_secs(300);

/// Boots a guest and gives the status of its command; `None` if it stands still.
fn boot(qemu: &mut Command, show: &mut dyn FnMut(&str)) -> Result<Option<i32>> {
    let mut guest = qemu.spawn().context("starting QEMU")?;
    let console = std::io::BufReader::new(guest.stdout.take().expect("the console is piped"));
    let (sender, lines) = std::sync::mpsc::channel();
    std::thread::spawn(move || {
        for line in std::io::BufRead::split(console, b'\n').map_while(std::io::Result::ok) {
            if sender.send(String::from_utf8_lossy(&line).into_owned()).is_err() {
                return;
            }
        }
    });
    let mut status = None;
    // What the firmware says before is no business of the command's.
    let mut begun = false;
    loop {
        match lines.recv_timeout(SILENCE) {
            Ok(line) => match line.trim_end().strip_prefix("xtask-status ") {
                Some(code) => status = code.parse().ok(),
                None if begun && status.is_none() => show(line.trim_end_matches('\r')),
                None => begun |= line.trim_end().ends_with("xtask-begin"),
            },
            Err(RecvTimeoutError::Disconnected) => break,
            Err(RecvTimeoutError::Timeout) => {
                guest.kill()?;
                guest.wait()?;
                return Ok(None);
            }
        }
    }
    guest.wait()?;
    status.context("the guest ended without a status").map(Some)
}

fn work() -> PathBuf {
    root().join("target/vm")
}

/// Fetches a kernel, once.
fn image(kernel: Kernel) -> Result<PathBuf> {
    let directory = work().join(kernel.version);
    let find = || -> Option<PathBuf> {
        let mut files = fs::read_dir(directory.join("boot")).ok()?.flatten().map(|entry| entry.path());
        files.find(|path| path.file_name().is_some_and(|name| name.to_string_lossy().starts_with("vmlinuz-")))
    };
    if let Some(image) = find() {
        return Ok(image);
    }
    let package = packages::newest(kernel.prefix, kernel.suffix)?;
    println!("xtask: fetching {package}");
    fs::create_dir_all(&directory)?;
    packages::unpack(&package, &directory)?;
    find().with_context(|| format!("{package} holds no kernel"))
}

/// Packs an initramfs: busybox, scope, the live tests and the libraries that they need.
fn initramfs(kernel: Kernel, command: &[&str]) -> Result<PathBuf> {
    let tree = work().join(format!("{}-root", kernel.version));
    if tree.exists() {
        fs::remove_dir_all(&tree)?;
    }
    for directory in ["bin", "proc", "sys", "dev", "tmp", "etc"] {
        fs::create_dir_all(tree.join(directory))?;
    }
    fs::copy("/bin/busybox", tree.join("bin/busybox"))?;
    for applet in ["sh", "cat", "ls", "sleep", "true", "false", "echo", "head", "tar", "date"] {
        std::os::unix::fs::symlink("busybox", tree.join("bin").join(applet))?;
    }
    fs::write(tree.join("etc/passwd"), "root:x:0:0:root:/:/bin/sh\n")?;
    let cases = tree.join("cases");
    fs::create_dir_all(&cases)?;
    for case in fs::read_dir(root().join("tests/cases"))? {
        let case = case?;
        fs::copy(case.path(), cases.join(case.file_name()))?;
    }
    for program in ["scope", "live", "cases", "differential"] {
        let from = root().join("target/release").join(program);
        fs::copy(&from, tree.join("bin").join(program))?;
        copy_libraries(&from, &tree)?;
    }
    module(kernel, &tree)?;
    let words = command.iter().map(|word| format!("'{}'", word.replace('\'', r"'\''"))).collect::<Vec<_>>().join(" ");
    let init = format!(
        "#!/bin/sh\nexport PATH=/bin HOME=/ TERM=dumb RUST_BACKTRACE=1\n\
         busybox mount -t devtmpfs devtmpfs /dev\nbusybox mount -t proc proc /proc\nbusybox mount -t sysfs sysfs /sys\n\
         busybox mount -t tmpfs tmpfs /tmp\nbusybox mount -t cgroup2 cgroup2 /sys/fs/cgroup\nbusybox ip link set lo up 2>/dev/null\nbusybox insmod /module.ko\n\
         echo xtask-begin\n{words}\necho \"xtask-status $?\"\nbusybox poweroff -f\n"
    );
    fs::write(tree.join("init"), init)?;
    fs::set_permissions(tree.join("init"), fs::Permissions::from_mode(0o755))?;
    let archive = work().join(format!("{}-initramfs", kernel.version));
    let pack = format!("cd '{}' && find . | cpio -o -H newc --quiet > '{}'", tree.display(), archive.display());
    execute(Command::new("sh").arg("-c").arg(pack))?;
    Ok(archive)
}

/// Puts one of the kernel's modules beside the programs: so that there are functions of a module.
fn module(kernel: Kernel, tree: &Path) -> Result<()> {
    const MODULE: &str = "kernel/drivers/net/tun.ko";
    let modules = work().join(kernel.version).join("lib/modules");
    let release = fs::read_dir(&modules)?.next().context("the package holds modules")??.path();
    let to = tree.join("module.ko");
    let (plain, packed) = (release.join(MODULE), release.join(format!("{MODULE}.xz")));
    if plain.exists() {
        fs::copy(plain, to)?;
        return Ok(());
    }
    packages::need("/usr/bin/xz", &["xz-utils"])?;
    execute(Command::new("xz").arg("-dc").arg(packed).stdout(fs::File::create(to)?))
}

/// Copies the shared libraries of a program, as `ldd` names them.
fn copy_libraries(program: &Path, tree: &Path) -> Result<()> {
    let listed = output(Command::new("ldd").arg(program))?;
    for path in listed.split_whitespace().filter(|word| word.starts_with('/')) {
        let to = tree.join(&path[1..]);
        fs::create_dir_all(to.parent().context("a library lies in a directory")?)?;
        if fs::copy(path, &to).is_err() {
            bail!("can't copy {path}");
        }
    }
    Ok(())
}
