//! The bytes of a file.
//!
//! They are read piece by piece and never mapped: who touches what was truncated from a mapped file dies of SIGBUS. And
//! of a large program little is needed: its headers, and the tables that are asked for.

use std::borrow::Cow;
use std::fs::{self, File};
use std::io;
use std::os::unix::fs::FileExt;
use std::path::Path;

use object::Pod;
use object::pod::slice_from_all_bytes;

use super::BinaryError;

/// The most bytes that are read at once. A file may have holes, so that its size alone bounds nothing.
pub(super) const LARGEST: u64 = 1 << 30;

/// A file that is open, or is in memory already.
pub(super) enum Contents {
    File { file: File, size: u64 },
    Bytes(Vec<u8>),
}

impl Contents {
    pub fn open(path: &Path) -> Result<Contents, BinaryError> {
        let error = |error: io::Error| BinaryError::of(path, error);
        // Others must not be opened: for some devices that does something, and a pipe waits for its other end.
        if !fs::metadata(path).map_err(error)?.is_file() {
            return Err(BinaryError::Irregular(path.to_owned()));
        }
        let file = File::open(path).map_err(error)?;
        let size = file.metadata().map_err(error)?.len();
        Ok(Contents::File { file, size })
    }

    pub fn size(&self) -> u64 {
        match self {
            Contents::File { size, .. } => *size,
            Contents::Bytes(bytes) => bytes.len() as u64,
        }
    }

    /// A piece of it; `None` if it does not lie within.
    pub fn read(&self, offset: u64, size: u64) -> Option<Cow<'_, [u8]>> {
        let end = offset.checked_add(size)?;
        if end > self.size() || size > LARGEST {
            return None;
        }
        match self {
            Contents::File { file, .. } => {
                let mut piece = vec![0; size as usize];
                file.read_exact_at(&mut piece, offset).ok()?;
                Some(Cow::Owned(piece))
            }
            Contents::Bytes(bytes) => bytes.get(offset as usize..end as usize).map(Cow::Borrowed),
        }
    }
    /// So many of a kind, one behind the other; `None` if they do not all lie within.
    pub fn array<T: Pod>(&self, offset: u64, count: u64) -> Option<Vec<T>> {
        let bytes = self.read(offset, count.checked_mul(size_of::<T>() as u64)?)?;
        slice_from_all_bytes(&bytes).ok().map(<[T]>::to_vec)
    }
}
