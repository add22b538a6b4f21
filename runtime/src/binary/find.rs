//! Which file is meant by what a person writes for one: `/bin/bash`, `bash`, `libc`, `libssl.so.3`.

use std::cmp::Reverse;
use std::env::{self, consts::ARCH};
use std::ffi::{OsStr, OsString};
use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};

use scope_dsl::probes::{is_pattern, matches};

use super::BinaryError;
use super::cache::libraries;

/// The dynamic linker's list.
const CACHE: &str = "/etc/ld.so.cache";

/// The file that a name means. With a slash it is a path; else a program in `$PATH`, as for a shell, or a library: by
/// its file name, or without what stands around it, `c` for `libc.so.6`. Where programs take a build of a library for
/// their very processor (`glibc-hwcaps`), the plain one is given.
///
/// # Errors
/// If there is none; it says where it was looked for.
pub fn find(name: &str) -> Result<PathBuf, BinaryError> {
    if name.contains('/') {
        return match fs::canonicalize(name) {
            // A link of /proc to a file that was removed: there is no other way to it.
            Err(_) if fs::metadata(name).is_ok() => Ok(PathBuf::from(name)),
            found => found.map_err(|error| BinaryError::of(Path::new(name), error)),
        };
    }
    let multiarch = format!("/lib/{ARCH}-linux-gnu");
    let directories = [&multiarch, "/lib64", "/usr/lib64", "/lib", "/usr/lib", "/usr/local/lib"];
    let programs = env::var_os("PATH").unwrap_or_default();
    let found = program(name, &programs).or_else(|| listed(name, &fs::read(CACHE).ok()?));
    found.or_else(|| unlisted(name, &directories)).ok_or_else(|| BinaryError::Unknown {
        name: name.to_owned(),
        tried: format!(
            "there is neither a program {name} in $PATH nor {name}, lib{name}.so* or {name}.so* in {CACHE}, {}",
            directories.join(", "),
        ),
    })
}

/// Finds a program or library as a process sees it that has another root, or other mounts, than we have: by its path there, or
/// by the name of a library or program that it has mapped. `None` if the process sees what we see, or has nothing of the name.
#[must_use]
pub fn find_for(name: &str, pid: u32) -> Option<PathBuf> {
    let same = |what: &str| {
        let of = |who: &str| fs::metadata(format!("/proc/{who}/{what}")).ok().map(|about| (about.dev(), about.ino()));
        of("self") == of(&pid.to_string())
    };
    if same("root") && same("ns/mnt") {
        return None;
    }
    let there = |path: &str| Some(PathBuf::from(format!("/proc/{pid}/root{path}"))).filter(|path| path.is_file());
    if name.contains('/') {
        return there(name).filter(|_| name.starts_with('/'));
    }
    let maps = fs::read_to_string(format!("/proc/{pid}/maps")).ok()?;
    let mapped = maps.lines().filter_map(|line| line.find('/').map(|at| &line[at..]));
    let known = mapped.filter_map(|path| Some((nearness(Path::new(path).file_name()?, name)?, path)));
    // A path is told as it is from our root, if it can be reached from there, else as it is in the process's mounts.
    known.min().and_then(|(_, path)| {
        Some(PathBuf::from(path)).filter(|path| same("ns/mnt") && path.is_file()).or_else(|| there(path))
    })
}

/// The files whose paths match a pattern, of which each part between slashes is looked for by itself; in order.
#[must_use]
pub fn files(pattern: &str) -> Vec<String> {
    let join = |directory: &str, name: &str| match directory {
        "" | "/" => format!("{directory}{name}"),
        directory => format!("{directory}/{name}"),
    };
    let mut found = vec![if pattern.starts_with('/') { "/".to_owned() } else { String::new() }];
    for part in pattern.split('/').filter(|part| !part.is_empty()) {
        let mut next = Vec::new();
        for directory in &found {
            if !is_pattern(part) {
                next.push(join(directory, part));
                continue;
            }
            let entries =
                fs::read_dir(if directory.is_empty() { "." } else { directory }).into_iter().flatten().flatten();
            let names = entries.filter_map(|entry| entry.file_name().into_string().ok());
            next.extend(names.filter(|name| matches(part, name)).map(|name| join(directory, &name)));
        }
        found = next;
    }
    // So that what has no slash is taken for a path, not for a name.
    let path = |path: String| if path.contains('/') { path } else { format!("./{path}") };
    let mut found = found.into_iter().filter(|path| Path::new(path).is_file()).map(path).collect::<Vec<_>>();
    found.sort_unstable();
    found
}

fn program(name: &str, path: &OsStr) -> Option<PathBuf> {
    let mut places = env::split_paths(path).map(|directory| directory.join(name));
    let found = places.find(|place| {
        fs::metadata(place).is_ok_and(|about| about.is_file() && about.permissions().mode() & 0o111 != 0)
    })?;
    // A part of $PATH may be relative.
    std::path::absolute(found).ok()
}

fn listed(name: &str, list: &[u8]) -> Option<PathBuf> {
    let known = libraries(list).filter_map(|library| Some((nearness(library.file, name)?, library)));
    // The first of the best, which is the latest version.
    let best = known.filter(|(_, library)| library.path.is_file());
    best.min_by_key(|(nearness, library)| (*nearness, !library.plain)).map(|(_, library)| library.path.to_owned())
}

fn unlisted(name: &str, directories: &[&str]) -> Option<PathBuf> {
    directories.iter().find_map(|directory| {
        let files = fs::read_dir(directory).ok()?.flatten().map(|entry| entry.file_name());
        let known = files.filter_map(|file| Some((nearness(&file, name)?, Reverse(version(&file)), file)));
        let known = known.map(|(nearness, version, file)| (nearness, version, Path::new(directory).join(file)));
        known.filter(|(_, _, path)| path.is_file()).min().map(|(_, _, path)| path)
    })
}

/// How well a library's file name fits a name: 0 is best.
fn nearness(file: &OsStr, name: &str) -> Option<usize> {
    let file = file.to_str()?;
    let library = |rest: &str| rest.strip_prefix(".so").is_some_and(|rest| rest.is_empty() || rest.starts_with('.'));
    let short = file.strip_prefix("lib").and_then(|file| file.strip_prefix(name)).is_some_and(library);
    let long = file.strip_prefix(name).is_some_and(library);
    [file == name, short, long].iter().position(|fits| *fits)
}

/// The numbers of a library's version: 1.10 is later than 1.9.
fn version(file: &OsString) -> Vec<Option<u64>> {
    file.to_string_lossy().split('.').map(|part| part.parse().ok()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn libraries_and_programs_are_found_by_their_names() {
        let libc = find("libc").unwrap();
        assert!(libc.file_name().unwrap().to_str().unwrap().starts_with("libc.so"), "{libc:?}");
        assert_eq!(find("c").unwrap(), libc);
        assert_eq!(find(libc.file_name().unwrap().to_str().unwrap()).unwrap(), libc);
        assert_eq!(find(libc.to_str().unwrap()).unwrap(), libc.canonicalize().unwrap());
        assert_eq!(find("sh").unwrap().file_name().unwrap(), "sh");
        assert_eq!(find("/../bin/sh").unwrap(), Path::new("/bin/sh").canonicalize().unwrap());
    }

    #[test]
    fn what_is_not_found_is_an_error_that_says_where() {
        for name in ["no-such-thing", "", ".", "..", "so", "lib", "a\0b"] {
            let error = find(name).unwrap_err().to_string();
            assert!(error.contains("$PATH") && error.contains("/etc/ld.so.cache"), "{error}");
        }
        assert_eq!(find("/no/such").unwrap_err().to_string(), "/no/such does not exist");
        assert_eq!(find("/dev/null/x").unwrap_err().to_string(), "/dev/null/x does not exist");
        assert!(matches!(find("a\0/b"), Err(BinaryError::Io { .. })));
    }

    #[test]
    fn the_nearest_and_the_latest_is_taken() {
        let near = |file: &str, name| nearness(OsStr::new(file), name);
        assert_eq!(near("libc.so.6", "libc.so.6"), Some(0));
        assert_eq!(near("libc.so.6", "c"), Some(1));
        assert_eq!(near("libc.so.6", "libc"), Some(2));
        assert_eq!([near("libcap.so.2", "c"), near("libc.sofa", "c"), near("libc.a", "c")], [None; 3]);
        let directory = env::temp_dir().join(format!("scope-find-{}", std::process::id()));
        fs::create_dir_all(&directory).unwrap();
        for file in ["libx.so.1.9", "libx.so.1.10", "x.so.2", "libx.so"] {
            fs::write(directory.join(file), "").unwrap();
        }
        let place = directory.to_str().unwrap();
        let found = ["x", "libx.so", "libx", "x.so.2", "y"].map(|name| unlisted(name, &[place]));
        fs::remove_dir_all(&directory).unwrap();
        let expected = ["libx.so.1.10", "libx.so", "libx.so.1.10", "x.so.2"].map(|file| Some(directory.join(file)));
        assert_eq!(found, [&expected[..], &[None]].concat()[..]);
    }
}
