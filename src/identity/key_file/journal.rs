//! The note beside a key file of what is about to be done to it, and the lock on it of the process that does.

use std::{
    fs::{self, File, TryLockError},
    io::{self, Read as _},
    os::unix::fs::FileExt as _,
    path::{Path, PathBuf},
};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{
    disk::{create_private, same_file},
    error::Error,
};

/// What a run notes before it makes a key, so that the next can tell a key that was left without a file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Journal {
    /// Whose key is made.
    pub user: String,
    /// When.
    pub at: Timestamp,
    /// The access key ids that the user had before.
    pub keys_before: Vec<String>,
    /// The access key ids that the new key takes the place of.
    pub replaces: Vec<String>,
    /// The access key id of the new key, once there is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub made: Option<String>,
}

impl Journal {
    /// What there is to note before anything is known of the user's keys.
    pub fn new(user: &str) -> Self {
        Self {
            user: user.to_owned(),
            at: Timestamp::now(),
            keys_before: Vec::new(),
            replaces: Vec::new(),
            made: None,
        }
    }

    /// The note in these bytes. One that was never written, or lost its bytes with the power, is none.
    fn parse(bytes: &[u8]) -> Result<Option<Self>, serde_json::Error> {
        let blank = |byte: &u8| byte.is_ascii_whitespace() || *byte == 0;
        if bytes.iter().all(blank) {
            return Ok(None);
        }
        serde_json::from_slice(bytes).map(Some)
    }
}

/// The note that a run left which is no more. Of one that still runs, an error.
pub(super) fn left_at(path: &Path, key_file: &Path) -> Result<Option<Journal>, Error> {
    let failed = |cause| Error::io("read the note", path)(cause);
    match fs::symlink_metadata(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(failed(error)),
        Ok(metadata) if !metadata.is_file() => return Err(garbage(path)),
        // Another run is just about to begin: our lock would be in its way.
        Ok(metadata) if metadata.len() == 0 => return Ok(None),
        Ok(_) => {}
    }
    let file = match File::open(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        opened => opened.map_err(failed)?,
    };
    // Gone with `file`. A file system without locks is for `begin` to complain of.
    if let Err(TryLockError::WouldBlock) = file.try_lock_shared() {
        return Err(busy(key_file));
    }
    read(&file, path)
}

/// The note beside a key file, held by this process alone for as long as this lives.
pub(super) struct Lock {
    file: File,
    path: PathBuf,
}

impl Lock {
    /// Takes the lock, on a note that need not be there.
    pub(super) fn take(path: &Path, key_file: &Path) -> Result<Self, Error> {
        // Who finishes removes the note: a lock on one that was removed meanwhile counts for nothing.
        for _ in 0..TRIES {
            let (file, created) = match create_private(path) {
                Ok(file) => (file, true),
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
                    match fs::symlink_metadata(path) {
                        Ok(metadata) if !metadata.is_file() => return Err(garbage(path)),
                        _ => {}
                    }
                    match File::options().read(true).write(true).open(path) {
                        Ok(file) => (file, false),
                        Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
                        Err(error) => return Err(Error::io("open the note", path)(error)),
                    }
                }
                Err(error) => return Err(Error::io("create the note", path)(error)),
            };
            match file.try_lock() {
                Ok(()) => {}
                Err(TryLockError::WouldBlock) => return Err(busy(key_file)),
                Err(TryLockError::Error(error)) => {
                    if created {
                        fs::remove_file(path).ok();
                    }
                    return Err(Error::io("lock the note", path)(error));
                }
            }
            if same_file(&file, path).map_err(Error::io("look at the note", path))? {
                return Ok(Self {
                    file,
                    path: path.to_owned(),
                });
            }
        }
        Err(busy(key_file))
    }

    /// What is noted.
    pub(super) fn noted(&self) -> Result<Option<Journal>, Error> {
        read(&self.file, &self.path)
    }

    /// Notes this instead of what is there, which stays whole until then: the room is taken first.
    pub(super) fn note(&self, journal: &Journal) -> Result<(), Error> {
        let noting = || Error::io("write the note", &self.path);
        let mut bytes = serde_json::to_vec_pretty(journal).map_err(|error| noting()(error.into()))?;
        bytes.push(b'\n');
        let length = bytes.len() as u64;
        let before = self.file.metadata().map_err(noting())?.len();
        if before < length {
            let room = vec![b' '; usize::try_from(length - before).unwrap_or_default()];
            let taken = self
                .file
                .write_all_at(&room, before)
                .and_then(|()| self.file.sync_all());
            if let Err(error) = taken {
                self.file.set_len(before).ok();
                return Err(noting()(error));
            }
        }
        // JSON may end in spaces: there is no moment with half a note of one length and half of another.
        bytes.resize(bytes.len().max(usize::try_from(before).unwrap_or_default()), b' ');
        (self.file.write_all_at(&bytes, 0))
            .and_then(|()| self.file.set_len(length))
            .and_then(|()| self.file.sync_all())
            .map_err(noting())
    }

    /// Removes the note.
    pub(super) fn remove(&self) -> Result<(), Error> {
        match same_file(&self.file, &self.path) {
            Ok(true) => fs::remove_file(&self.path),
            Ok(false) => Ok(()),
            Err(error) => Err(error),
        }
        .map_err(Error::io("remove the note", &self.path))
    }
}

fn read(file: &File, path: &Path) -> Result<Option<Journal>, Error> {
    let mut bytes = Vec::new();
    (file.take(LIMIT + 1).read_to_end(&mut bytes)).map_err(Error::io("read the note", path))?;
    if bytes.len() as u64 > LIMIT {
        return Err(garbage(path));
    }
    Journal::parse(&bytes).map_err(|_| garbage(path))
}

fn garbage(path: &Path) -> Error {
    Error::Journal {
        path: path.to_owned(),
    }
}

fn busy(key_file: &Path) -> Error {
    Error::Busy {
        path: key_file.to_owned(),
    }
}

/// Each is lost only to a process that finished in that moment.
const TRIES: usize = 16;
/// Some hundred bytes, by far.
const LIMIT: u64 = 64 * 1024;

#[cfg(test)]
mod tests;
