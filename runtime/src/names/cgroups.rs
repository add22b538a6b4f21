//! The paths of cgroups.

use std::collections::{HashMap, HashSet};
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use scope_dsl::probes::matches;

/// What bpftrace calls the hierarchy of version 2, wherever it is mounted.
const HIERARCHY: &str = "unified";

/// The cgroups of version 2 by their ids, which are the inode numbers of their directories.
///
/// The kernel gives programs ids of version 2 only. An id is never used again, so what was found stays true, and one
/// that was not found is not looked for again.
#[derive(Debug, Default)]
pub struct Cgroups {
    mount: Option<Option<Mount>>,
    paths: HashMap<u64, String>,
    missing: HashSet<u64>,
}

/// The inode number of the first namespace of cgroups (`PROC_CGROUP_INIT_INO`, `include/linux/proc_ns.h`).
const FIRST_NAMESPACE: u64 = 0xEFFF_FFFB;

/// A cgroup that was looked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Found {
    /// Its id.
    pub id: u64,
    /// How deep it lies below the root of the hierarchy; `None` if that is not to be seen from here.
    pub level: Option<u32>,
}

/// A mount of the hierarchy.
#[derive(Clone, Debug, PartialEq)]
struct Mount {
    /// Where it is.
    point: PathBuf,
    /// Which cgroup of the hierarchy is there; empty for the root.
    root: String,
}

impl Cgroups {
    /// The path of a cgroup below the hierarchy's root, `/system.slice/cron.service`; empty if it is not known, or no
    /// more when first asked for.
    pub fn path(&mut self, id: u64) -> &str {
        if !self.paths.contains_key(&id) && !self.missing.contains(&id) {
            self.walk();
            if !self.paths.contains_key(&id) {
                self.missing.insert(id);
            }
        }
        self.paths.get(&id).map_or("", String::as_str)
    }

    /// The path of a cgroup as bpftrace's `cgroup_path(id, filter)` prints it: `unified:/system.slice`. Empty if it is
    /// not known, or if the filter, a pattern for names of hierarchies, does not match `unified`.
    pub fn in_hierarchy(&mut self, id: u64, filter: Option<&str>) -> String {
        if !filter.is_none_or(|filter| matches(filter, HIERARCHY)) {
            return String::new();
        }
        match self.path(id) {
            "" => String::new(),
            path => format!("{HIERARCHY}:{path}"),
        }
    }

    /// The path of our own cgroup, below the root that we see.
    #[must_use]
    pub fn own() -> Option<String> {
        let own = fs::read_to_string("/proc/self/cgroup").ok()?;
        own.lines().find_map(|line| line.strip_prefix("0::")).map(str::to_owned)
    }

    /// The directory of a cgroup, by its path below the root that we see.
    pub fn directory(&mut self, path: &str) -> Option<PathBuf> {
        Some(self.mount()?.point.join(path.trim_start_matches('/')))
    }

    fn mount(&mut self) -> Option<Mount> {
        let read = || fs::read_to_string("/proc/self/mountinfo").unwrap_or_default();
        self.mount.get_or_insert_with(|| find_mount(&read())).clone()
    }

    /// Finds a cgroup by its directory, or by its path below the hierarchy's root.
    ///
    /// # Errors
    /// What is wrong, in words.
    pub fn find(&mut self, written: &str) -> Result<Found, String> {
        let mount = self.mount().ok_or("this machine has no cgroups of version 2 mounted")?;
        let below = mount.point.join(written.trim_start_matches('/'));
        let directories = [PathBuf::from(written), below];
        let directory = directories.iter().find(|directory| directory.starts_with(&mount.point) && directory.is_dir());
        let directory = directory.ok_or_else(|| {
            let place = mount.point.display();
            format!("there is no cgroup of version 2 called {written}: they are directories below {place}")
        })?;
        let directory = directory.canonicalize().map_err(|error| error.to_string())?;
        let id = cgroup_id(&directory.to_string_lossy()).ok_or("its number can't be read")?;
        // In a namespace of cgroups, how deep its root lies is not to be seen.
        let rooted = fs::metadata("/proc/self/ns/cgroup").is_ok_and(|about| about.ino() == FIRST_NAMESPACE);
        let depth = shown(&mount, &directory).split('/').filter(|part| !part.is_empty()).count();
        Ok(Found { id, level: rooted.then_some(depth as u32) })
    }

    /// Reads all cgroups there are. Those that are gone stay known: events of theirs may still be on their way.
    fn walk(&mut self) {
        let Some(mount) = self.mount() else { return };
        let mut pending = vec![mount.point.clone()];
        while let Some(directory) = pending.pop() {
            // It may have gone since its parent was read.
            let Ok(about) = fs::metadata(&directory) else { continue };
            self.paths.entry(about.ino()).or_insert_with(|| shown(&mount, &directory));
            let Ok(entries) = fs::read_dir(&directory) else { continue };
            let directories = entries.flatten().filter(|entry| entry.file_type().is_ok_and(|kind| kind.is_dir()));
            pending.extend(directories.map(|entry| entry.path()));
        }
    }
}

/// The id of a cgroup, by the path of its directory: `/sys/fs/cgroup/system.slice`.
#[must_use]
pub fn cgroup_id(path: &str) -> Option<u64> {
    fs::metadata(path).ok().filter(fs::Metadata::is_dir).map(|about| about.ino())
}

fn shown(mount: &Mount, directory: &Path) -> String {
    let below = directory.strip_prefix(&mount.point).unwrap_or(directory).to_string_lossy();
    match (below.is_empty(), mount.root.is_empty()) {
        (true, true) => "/".to_owned(),
        (true, false) => mount.root.clone(),
        (false, _) => format!("{}/{below}", mount.root),
    }
}

/// Finds the hierarchy of version 2 in `/proc/self/mountinfo`: at best all of it, else the part that a container sees.
fn find_mount(mountinfo: &str) -> Option<Mount> {
    let mounts = mountinfo.lines().filter_map(|line| {
        // 41 31 0:38 / /sys/fs/cgroup rw,relatime shared:9 - cgroup2 cgroup2 rw
        let (before, after) = line.split_once(" - ")?;
        let mut fields = before.split(' ').skip(3);
        let (root, point) = (fields.next()?, fields.next()?);
        let root = unescaped(root.trim_end_matches('/'));
        (after.split(' ').next()? == "cgroup2").then(|| Mount { point: unescaped(point).into(), root })
    });
    mounts.min_by_key(|mount| mount.root.len())
}

/// Undoes what the kernel does to blanks and backslashes in paths.
fn unescaped(path: &str) -> String {
    [("\\040", " "), ("\\011", "\t"), ("\\012", "\n"), ("\\134", "\\")]
        .iter()
        .fold(path.to_owned(), |path, (escaped, plain)| path.replace(escaped, plain))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_mount_is_found_in_every_layout() {
        let find = |mountinfo: &str| find_mount(mountinfo).map(|mount| (mount.point.display().to_string(), mount.root));
        let unified = "30 23 0:26 / /sys/fs/cgroup rw,nosuid shared:9 - cgroup2 cgroup2 rw,nsdelegate\n";
        let hybrid = "32 31 0:29 / /sys/fs/cgroup/cpu rw - cgroup cgroup rw,cpu\n\
                      41 31 0:38 / /sys/fs/cgroup/unified rw - cgroup2 cgroup2 rw\n";
        let part = "50 23 0:26 /docker/abc /sys/fs/my\\040group ro - cgroup2 cgroup rw\n";
        assert_eq!(find(unified), Some(("/sys/fs/cgroup".to_owned(), String::new())));
        assert_eq!(find(hybrid), Some(("/sys/fs/cgroup/unified".to_owned(), String::new())));
        assert_eq!(find(part), Some(("/sys/fs/my group".to_owned(), "/docker/abc".to_owned())));
        assert_eq!(find(&format!("{part}{unified}")), Some(("/sys/fs/cgroup".to_owned(), String::new())));
        assert_eq!(find("32 31 0:29 / /sys/fs/cgroup/cpu rw - cgroup cgroup rw,cpu\nnonsense\n - cgroup2\n"), None);
    }

    #[test]
    fn paths_are_below_the_root_of_the_hierarchy() {
        let mount = |root: &str| Mount { point: "/m".into(), root: root.to_owned() };
        assert_eq!(shown(&mount(""), Path::new("/m")), "/");
        assert_eq!(shown(&mount(""), Path::new("/m/a/b")), "/a/b");
        assert_eq!(shown(&mount("/c"), Path::new("/m")), "/c");
        assert_eq!(shown(&mount("/c"), Path::new("/m/a")), "/c/a");
    }

    #[test]
    fn a_cgroup_is_found_by_its_id() {
        let mut cgroups = Cgroups::default();
        assert_eq!(cgroups.path(u64::MAX), "");
        assert_eq!(cgroup_id("/no/such/cgroup"), None);
        assert_eq!(cgroup_id("/proc/self/mountinfo"), None);
        let Some(mount) = find_mount(&fs::read_to_string("/proc/self/mountinfo").unwrap()) else { return };
        let directory = mount.point.join(format!("scope-test-{}", std::process::id()));
        fs::create_dir(&directory).unwrap();
        let id = cgroup_id(directory.to_str().unwrap()).unwrap();
        let path = shown(&mount, &directory);
        assert_eq!(cgroups.path(id), path);
        assert!(path.ends_with(&format!("/scope-test-{}", std::process::id())));
        fs::remove_dir(&directory).unwrap();
        assert_eq!(cgroups.path(id), path);
        assert_eq!(cgroups.in_hierarchy(id, None), format!("unified:{path}"));
        assert_eq!(cgroups.in_hierarchy(id, Some("uni*")), format!("unified:{path}"));
        assert_eq!(cgroups.in_hierarchy(id, Some("cpu*")), "");
        assert_eq!(cgroups.in_hierarchy(u64::MAX, None), "");
    }
}
