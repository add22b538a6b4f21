//! Why nothing is known of a binary.

use std::io;
use std::path::{Path, PathBuf};

/// Why a file can't be read as a program or a library.
#[derive(Debug, thiserror::Error)]
pub enum BinaryError {
    /// There is no such file.
    #[error("{} does not exist", .0.display())]
    Missing(PathBuf),
    /// The name leads to no file.
    #[error("no program or library is called `{name}`: {tried}")]
    Unknown {
        /// The name as it was given.
        name: String,
        /// Where it was looked for.
        tried: String,
    },
    /// We may not read it.
    #[error("no permission to read {}", .0.display())]
    Permission(PathBuf),
    /// It is a directory or a device.
    #[error("{} is no regular file", .0.display())]
    Irregular(PathBuf),
    /// It is run by another program.
    #[error("{} is a script: what runs is its interpreter", .0.display())]
    Script(PathBuf),
    /// It is something else.
    #[error("{} is no ELF file", .0.display())]
    NotElf(PathBuf),
    /// It is an object file or a core dump.
    #[error("{} is neither a program nor a library", .0.display())]
    NotLinked(PathBuf),
    /// Its code is not this machine's.
    #[error("{} was built for another machine", .0.display())]
    Machine(PathBuf),
    /// It contradicts itself.
    #[error("{} is truncated or damaged: {what}", path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        what: &'static str,
    },
    /// The system refused it for another reason.
    #[error("reading {}: {error}", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// What came of it.
        error: io::Error,
    },
}

impl BinaryError {
    pub(super) fn of(path: &Path, error: io::Error) -> BinaryError {
        let path = path.to_owned();
        match error.kind() {
            io::ErrorKind::NotFound | io::ErrorKind::NotADirectory => BinaryError::Missing(path),
            io::ErrorKind::PermissionDenied => BinaryError::Permission(path),
            _ => BinaryError::Io { path, error },
        }
    }
}
