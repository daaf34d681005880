//! A key file that is being replaced: prepared, written beside, swapped.

use std::fmt;

use super::{
    KeyFile,
    disk::{Temporary, sync_directory},
    error::Error,
    journal::{Journal, Lock},
};
use crate::credentials::Credentials;

/// A key file that a key is about to be made for. No other process can begin on it while this lives.
///
/// Dropped without [`Self::finish`] or [`Self::abandon`], the note stays, as after a kill.
pub struct Begun {
    key_file: KeyFile,
    journal: Journal,
    /// Takes up the room that the new content will need, until it is written.
    spare: Option<Temporary>,
    lock: Lock,
}

impl Begun {
    pub(super) fn new(key_file: KeyFile, journal: Journal) -> Result<Self, Error> {
        let lock = Lock::take(&key_file.0.place.journal, &key_file.0.path)?;
        let noted = lock.noted()?;
        let prepared = prepare(&key_file, &lock, noted.as_ref(), Some(&journal));
        match prepared {
            Ok(spare) => Ok(Self {
                key_file,
                journal,
                spare: Some(spare),
                lock,
            }),
            Err(error) => {
                // Nothing was noted there before: the note is of our making.
                if noted.is_none() {
                    lock.remove().ok();
                }
                Err(error)
            }
        }
    }

    /// The note.
    pub fn journal(&self) -> &Journal {
        &self.journal
    }

    /// Notes something else.
    pub fn note(&mut self, journal: Journal) -> Result<(), Error> {
        self.lock.note(&journal)?;
        self.journal = journal;
        Ok(())
    }

    /// Notes the new key, and writes the whole new content beside the file, which stays as it is.
    pub fn write_beside(&mut self, credentials: &Credentials) -> Result<Beside<'_>, Error> {
        let inner = &self.key_file.0;
        self.key_file.is_unchanged()?;
        self.lock.note(&Journal {
            made: Some(credentials.access_key_id.clone()),
            ..self.journal.clone()
        })?;
        let content = self.key_file.with(credentials)?;
        let writing = || Error::io("write", &inner.place.temporary);
        let temporary = (self.spare.take())
            .map_or_else(
                || Temporary::create(&inner.place.temporary),
                Temporary::or_another,
            )
            .map_err(writing())?;
        (temporary.take_owner_of(&inner.place.target))
            .and_then(|()| temporary.write(content.as_bytes()))
            .map_err(writing())?;
        Ok(Beside {
            begun: self,
            temporary,
        })
    }

    /// Everything is done: removes the note.
    pub fn finish(self) -> Result<(), Error> {
        self.end()
    }

    /// No key was made, or it was unmade: removes the note.
    pub fn abandon(self) -> Result<(), Error> {
        self.end()
    }

    fn end(self) -> Result<(), Error> {
        // The note goes last: without one, nobody looks for what else was left.
        drop(self.spare);
        self.lock.remove()?;
        // A note that comes back after a power failure is a false alarm, no loss.
        sync_directory(&self.key_file.0.place.directory).ok();
        Ok(())
    }
}

impl fmt::Debug for Begun {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Begun")
            .field("key_file", &self.key_file)
            .field("journal", &self.journal)
            .finish_non_exhaustive()
    }
}

/// The new content, beside the file that it is to replace. Dropped without [`Self::swap`], it is removed.
pub struct Beside<'a> {
    begun: &'a Begun,
    temporary: Temporary,
}

impl Beside<'_> {
    /// Puts the new content in place.
    ///
    /// After any error but [`Error::NotDurable`], the file is what it was.
    pub fn swap(self) -> Result<(), Error> {
        let key_file = &self.begun.key_file;
        key_file.is_unchanged()?;
        let place = &key_file.0.place;
        (self.temporary.rename(&place.target)).map_err(Error::io("replace", &key_file.0.path))?;
        sync_directory(&place.directory).map_err(|cause| Error::NotDurable {
            path: key_file.0.path.clone(),
            cause,
        })
    }

    /// Removes what was written.
    pub fn discard(self) {
        drop(self);
    }
}

impl fmt::Debug for Beside<'_> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Beside")
            .field("begun", &self.begun)
            .finish_non_exhaustive()
    }
}

/// All that can go wrong once there is a key, made to go wrong before.
fn prepare(
    key_file: &KeyFile,
    lock: &Lock,
    noted: Option<&Journal>,
    journal: Option<&Journal>,
) -> Result<Temporary, Error> {
    let inner = &*key_file.0;
    key_file.is_unchanged()?;
    // A run came and was killed since: what it left has not been seen.
    if noted != key_file.journal() {
        let path = inner.place.journal.clone();
        return Err(Error::Changed { path });
    }
    let writing = || Error::io("write", &inner.place.temporary);
    let spare = Temporary::create(&inner.place.temporary).map_err(writing())?;
    inner.place.is_replaceable(&inner.path, &spare)?;
    let content = inner.content.as_ref().map_or(0, |content| content.len());
    spare.write(&vec![0; content + ROOM]).map_err(writing())?;
    sync_directory(&inner.place.directory)
        .map_err(Error::io("sync the directory", &inner.place.directory))?;
    if let Some(journal) = journal {
        lock.note(journal)?;
    }
    Ok(spare)
}

/// Proves that the file can be replaced, and notes nothing: a run that is cut off here has not begun.
pub(super) fn try_out(key_file: &KeyFile) -> Result<(), Error> {
    let lock = Lock::take(&key_file.0.place.journal, &key_file.0.path)?;
    let noted = lock.noted()?;
    // The room that was taken goes before the note.
    let tried = prepare(key_file, &lock, noted.as_ref(), None).map(drop);
    // What is noted there is for the run that begins.
    if noted.is_none() {
        lock.remove()?;
    }
    tried
}

/// More than a key and all that is written around it.
const ROOM: usize = 4096;

#[cfg(test)]
mod tests;
