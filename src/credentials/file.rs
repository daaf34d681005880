//! One credentials file: what its metadata say, and its bytes, wiped after use.
//!
//! Reads block: these are local files of a few lines, and a `stat` before each poll costs microseconds.

use std::{
    env, io,
    os::unix::fs::MetadataExt as _,
    path::{Path, PathBuf},
};

use secrecy::zeroize::Zeroizing;

use super::{
    Credentials, Fault,
    format::{self, Profile},
};
use crate::{
    files::{self, Unread},
    paths,
};

/// What changes when a file does.
///
/// The change time is there for a tool that swaps a key for one of the same length and restores the
/// modification time, as `rsync --inplace --times` does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stamp {
    modified: (i64, i64),
    changed: (i64, i64),
    device: u64,
    inode: u64,
    mode: u32,
    size: u64,
}

/// A file with a secret in it that others can read, or change: who changes it has vigie use a key of his, or lets himself in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Readable {
    path: PathBuf,
    stamp: Stamp,
}

impl Readable {
    /// Warns of it.
    pub fn warn(&self, what: &str) {
        tracing::warn!(
            what,
            path = %paths::shown(&self.path),
            mode = format!("{:04o}", self.stamp.mode),
            "others can {} this file, which holds a secret: run `chmod 600` on it",
            self.verb()
        );
    }

    /// What others can do with it.
    pub(crate) fn verb(&self) -> &'static str {
        match (self.stamp.mode & READ != 0, self.stamp.mode & WRITE != 0) {
            (true, true) => "read and change",
            (false, true) => "change",
            (_, false) => "read",
        }
    }
}

impl Stamp {
    /// Looks at a file without opening it.
    pub(super) fn of(path: &Path, named_by: &'static str) -> Result<Self, Fault> {
        let metadata = files::look(path).map_err(|unread| fault(unread, named_by))?;
        Ok(Self {
            modified: (metadata.mtime(), metadata.mtime_nsec()),
            changed: (metadata.ctime(), metadata.ctime_nsec()),
            device: metadata.dev(),
            inode: metadata.ino(),
            mode: metadata.mode() & 0o7777,
            size: metadata.size(),
        })
    }

    /// The file at a path, when it lets group or others read or write.
    ///
    /// What a service manager hands over may be readable by its user through an access list, whose mask stands where
    /// the group's bits do. None of them lets anybody write.
    pub(super) fn readable(self, path: &Path) -> Option<Readable> {
        let folder = env::var_os("CREDENTIALS_DIRECTORY");
        let is_handed_over = folder.is_some_and(|folder| path.parent() == Some(Path::new(&folder)));
        let granted = if is_handed_over { READ_BY_GROUP } else { 0 };
        (self.mode & (READ | WRITE) & !granted != 0).then(|| Readable {
            path: path.to_owned(),
            stamp: self,
        })
    }
}

/// The key that a file holds for a profile.
pub(super) fn read(path: &Path, named_by: &'static str, profile: Profile<'_>) -> Result<Credentials, Fault> {
    format::parse(&bytes(path, named_by)?, profile)
}

/// All that a file holds.
pub(super) fn bytes(path: &Path, named_by: &'static str) -> Result<Zeroizing<Vec<u8>>, Fault> {
    files::read(path, LIMIT).map_err(|unread| fault(unread, named_by))
}

fn fault(unread: Unread, named_by: &'static str) -> Fault {
    match unread {
        Unread::Failed(error) => match error.kind() {
            io::ErrorKind::NotFound | io::ErrorKind::NotADirectory => Fault::Missing { named_by },
            kind => Fault::Unreadable(kind),
        },
        Unread::Directory => Fault::Directory,
        Unread::Special => Fault::Special,
        Unread::NotText => Fault::Binary,
        Unread::TooLarge { .. } => Fault::TooLarge,
    }
}

const LIMIT: u64 = 1024 * 1024;

/// By group and others.
const READ: u32 = 0o044;
const READ_BY_GROUP: u32 = 0o040;
const WRITE: u32 = 0o022;

#[cfg(test)]
mod tests {
    use std::{fs, os::unix::fs::PermissionsExt as _};

    use super::*;

    #[test]
    fn file_that_others_can_read_or_change_is_told() {
        let file = tempfile::NamedTempFile::new().unwrap();
        for (mode, verb) in [
            (0o600, None),
            (0o700, None),
            (0o640, Some("read")),
            (0o604, Some("read")),
            (0o620, Some("change")),
            (0o602, Some("change")),
            (0o622, Some("change")),
            (0o642, Some("read and change")),
            (0o666, Some("read and change")),
        ] {
            fs::set_permissions(file.path(), fs::Permissions::from_mode(mode)).unwrap();
            let readable = Stamp::of(file.path(), "").unwrap().readable(file.path());
            assert_eq!(readable.as_ref().map(Readable::verb), verb, "{mode:o}");
        }
    }
}
