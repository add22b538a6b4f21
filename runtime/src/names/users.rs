//! The names of users.

use std::collections::HashMap;
use std::fs;
use std::path::PathBuf;
use std::time::SystemTime;

/// The names of users, as `/etc/passwd` has them.
///
/// The file is read, rather than `getpwuid_r(3)` called: the latter loads modules of the C library and may ask the
/// network, which a tracer must not wait for. So users that only a directory service knows stay numbers.
#[derive(Debug)]
pub struct Users {
    file: PathBuf,
    /// When the file was changed last, as of the reading.
    changed: Option<SystemTime>,
    names: HashMap<u32, String>,
}

impl Default for Users {
    fn default() -> Users {
        Users::of("/etc/passwd")
    }
}

impl Users {
    /// Makes the names of another file of that format; it is read when the first name is asked for.
    #[must_use]
    pub fn of(file: impl Into<PathBuf>) -> Users {
        Users { file: file.into(), changed: None, names: HashMap::new() }
    }

    /// The name of a user; the number as text if there is no such user.
    pub fn name(&mut self, uid: u32) -> String {
        if !self.names.contains_key(&uid) {
            self.refresh();
        }
        self.names.get(&uid).cloned().unwrap_or_else(|| uid.to_string())
    }

    /// The number of a user, by the name.
    pub fn number(&mut self, name: &str) -> Option<u32> {
        self.refresh();
        self.names.iter().find(|(_, known)| *known == name).map(|(uid, _)| *uid)
    }

    /// Reads the file if it is another than before.
    fn refresh(&mut self) {
        let changed = fs::metadata(&self.file).and_then(|about| about.modified()).ok();
        if changed.is_none() || changed == self.changed {
            return;
        }
        let Ok(text) = fs::read(&self.file) else { return };
        self.changed = changed;
        self.names = parse(&String::from_utf8_lossy(&text));
    }
}

/// Reads `name:password:uid:…` lines; of users that share a number, the first counts, as in the C library.
fn parse(text: &str) -> HashMap<u32, String> {
    let mut names = HashMap::new();
    for line in text.lines() {
        let mut fields = line.split(':');
        let (Some(name), Some(uid)) = (fields.next(), fields.nth(1)) else { continue };
        if let (false, Ok(uid)) = (name.is_empty(), uid.parse::<u32>()) {
            names.entry(uid).or_insert_with(|| name.to_owned());
        }
    }
    names
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_machine_has_a_root() {
        let mut users = Users::default();
        assert_eq!(users.name(0), "root");
        assert_eq!(users.name(u32::MAX - 7), (u32::MAX - 7).to_string());
    }

    #[test]
    fn lines_that_mean_nothing_are_passed_over() {
        let names = parse("a:x:1:1::/:/bin/sh\n# b:x:2\n\n:x:3\nc:x:minus\nd:x:1\ne:x\nf:x:4");
        let mut names = names.into_iter().collect::<Vec<_>>();
        names.sort();
        // The second is what the C library makes of such a comment, too.
        assert_eq!(names, [(1, "a".to_owned()), (2, "# b".to_owned()), (4, "f".to_owned())]);
    }

    #[test]
    fn a_user_added_later_is_found() {
        let file = std::env::temp_dir().join(format!("scope-users-{}", std::process::id()));
        let mut users = Users::of(&file);
        assert_eq!(users.name(7), "7");
        fs::write(&file, "seven:x:7:7::/:\n").unwrap();
        assert_eq!(users.name(7), "seven");
        fs::write(&file, "seven:x:7:7::/:\neight:x:8:8::/:\n").unwrap();
        // The clock of the file system is coarse: without this the two writings could have one time.
        let later = SystemTime::now() + std::time::Duration::from_secs(5);
        fs::File::options().write(true).open(&file).unwrap().set_modified(later).unwrap();
        assert_eq!(users.name(8), "eight");
        fs::remove_file(&file).unwrap();
        assert_eq!(users.name(7), "seven");
    }
}
