//! Files that only their owner can read, from the moment they are there, and that are gone when nobody needs them.

use std::{
    fs::{self, File, Permissions},
    io,
    os::unix::fs::{FileExt as _, MetadataExt as _, OpenOptionsExt as _, PermissionsExt as _, fchown},
    path::{Path, PathBuf},
};

/// Creates a file that nobody else can read. Follows no link: whatever is at the path, it is an error.
pub(super) fn create_private(path: &Path) -> io::Result<File> {
    let mut options = File::options();
    let file = options
        .read(true)
        .write(true)
        .create_new(true)
        .mode(PRIVATE)
        .open(path)?;
    if let Err(error) = make_private(&file) {
        fs::remove_file(path).ok();
        return Err(error);
    }
    Ok(file)
}

fn make_private(file: &File) -> io::Result<()> {
    // The umask may have taken more than others' rights.
    file.set_permissions(Permissions::from_mode(PRIVATE))?;
    if file.metadata()?.mode() & 0o777 == PRIVATE {
        return Ok(());
    }
    // FAT, for one, keeps no modes.
    let why = "the file system lets others read it";
    Err(io::Error::new(io::ErrorKind::Unsupported, why))
}

/// Whether it is this file that is at the path, itself and not by a link.
pub(super) fn same_file(file: &File, path: &Path) -> io::Result<bool> {
    let there = match fs::symlink_metadata(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(false),
        there => there?,
    };
    let here = file.metadata()?;
    Ok((here.dev(), here.ino()) == (there.dev(), there.ino()))
}

/// Makes renames and removals in a directory last, where the file system knows of that.
pub(super) fn sync_directory(path: &Path) -> io::Result<()> {
    match File::open(path)?.sync_all() {
        Err(error)
            if matches!(
                error.kind(),
                io::ErrorKind::InvalidInput | io::ErrorKind::Unsupported
            ) =>
        {
            Ok(())
        }
        synced => synced,
    }
}

/// A file beside another, removed when this is dropped unless it was moved away.
pub(super) struct Temporary {
    file: File,
    path: PathBuf,
}

impl Temporary {
    /// Creates the file, in place of one that a run left which is no more.
    pub(super) fn create(path: &Path) -> io::Result<Self> {
        match fs::remove_file(path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        Ok(Self {
            file: create_private(path)?,
            path: path.to_owned(),
        })
    }

    /// This one, or a new one where it was removed.
    pub(super) fn or_another(self) -> io::Result<Self> {
        if self.is_there()? {
            Ok(self)
        } else {
            Self::create(&self.path)
        }
    }

    /// Makes the file hold this, on the disk.
    pub(super) fn write(&self, bytes: &[u8]) -> io::Result<()> {
        self.file.write_all_at(bytes, 0)?;
        self.file.set_len(bytes.len() as u64)?;
        self.file.sync_all()
    }

    /// Gives the file the owner and group of another, as far as we may.
    pub(super) fn take_owner_of(&self, path: &Path) -> io::Result<()> {
        let there = match fs::symlink_metadata(path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
            there => there?,
        };
        let here = self.file.metadata()?;
        if (here.uid(), here.gid()) != (there.uid(), there.gid())
            && fchown(&self.file, Some(there.uid()), Some(there.gid())).is_err()
        {
            // A user who is not root may still be in the group. Neither is needed to go on.
            fchown(&self.file, None, Some(there.gid())).ok();
        }
        Ok(())
    }

    /// Moves the file over another.
    pub(super) fn rename(mut self, to: &Path) -> io::Result<()> {
        if !self.is_there()? {
            return Err(io::ErrorKind::NotFound.into());
        }
        // Who watches the other takes the end of writing for one more change: it comes first.
        self.file = File::open(&self.path)?;
        fs::rename(&self.path, to)
    }

    /// The user that files of this process belong to.
    pub(super) fn owner(&self) -> io::Result<u32> {
        Ok(self.file.metadata()?.uid())
    }

    fn is_there(&self) -> io::Result<bool> {
        same_file(&self.file, &self.path)
    }
}

impl Drop for Temporary {
    fn drop(&mut self) {
        if self.is_there().is_ok_and(|there| there) {
            fs::remove_file(&self.path).ok();
        }
    }
}

const PRIVATE: u32 = 0o600;
