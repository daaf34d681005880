//! Where a key file really is, what is there, and whether it can be replaced.

use std::{
    ffi::{OsStr, OsString},
    fs, io,
    os::unix::fs::MetadataExt as _,
    path::{Path, PathBuf},
};

use rustix::fs::{AtFlags, CWD, StatxAttributes, StatxFlags, statx};
use secrecy::zeroize::Zeroizing;

use super::{
    disk::Temporary,
    error::{Error, Refusal},
};
use crate::credentials::Fault;
use crate::files::{self, Unread};

/// Where a key file is, after every link.
pub(super) struct Place {
    pub(super) target: PathBuf,
    pub(super) directory: PathBuf,
    /// The note of what is being done.
    pub(super) journal: PathBuf,
    /// What is to become the file.
    pub(super) temporary: PathBuf,
}

impl Place {
    /// Follows the links of a path to a regular file, or to a name in a directory.
    pub(super) fn find(path: &Path) -> Result<Self, Error> {
        // The kernel refuses to follow some links, such as strangers' in /tmp: so do we.
        match fs::metadata(path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                return Err(Error::io("look at", path)(error));
            }
            _ => {}
        }
        let mut leads_to = path.to_owned();
        for _ in 0..LINKS {
            let place = Self::of(path, &leads_to)?;
            match fs::read_link(&place.target) {
                Ok(next) => leads_to = place.directory.join(next),
                Err(_) => return Ok(place),
            }
        }
        Err(Error::io("follow the links of", path)(
            io::ErrorKind::Other.into(),
        ))
    }

    fn of(path: &Path, leads_to: &Path) -> Result<Self, Error> {
        let ends_in_slash = leads_to.as_os_str().as_encoded_bytes().ends_with(b"/");
        let (Some(name), false) = (leads_to.file_name(), ends_in_slash) else {
            return Err(Refusal::Directory.of(path));
        };
        let parent = match leads_to.parent() {
            Some(parent) if !parent.as_os_str().is_empty() => parent,
            _ => Path::new("."),
        };
        let directory = fs::canonicalize(parent).map_err(|error| match error.kind() {
            io::ErrorKind::NotFound => Error::NoDirectory {
                path: path.to_owned(),
                directory: parent.to_owned(),
            },
            _ => Error::io("look at the directory", parent)(error),
        })?;
        if !directory.is_dir() {
            return Err(Error::io("write into", parent)(
                io::ErrorKind::NotADirectory.into(),
            ));
        }
        // Standard output, by one of its names: what it was redirected to is not meant.
        if directory.starts_with("/proc") {
            return Err(Refusal::Special.of(path));
        }
        let beside = |suffix: &str| {
            let mut beside = OsString::from(".");
            beside.push(name);
            beside.push(suffix);
            directory.join(beside)
        };
        Ok(Self {
            target: directory.join(name),
            journal: beside(JOURNAL),
            temporary: beside(TEMPORARY),
            directory,
        })
    }

    /// What the file holds, if there is one. `path` is what it was named by.
    pub(super) fn content(&self, path: &Path) -> Result<Option<Zeroizing<String>>, Error> {
        let refused = |refusal: Refusal| Err(refusal.of(path));
        match files::read_text(&self.target, LIMIT) {
            Ok(content) => Ok(Some(content)),
            Err(Unread::Failed(error)) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(Unread::Failed(error)) => Err(Error::io("read", path)(error)),
            Err(Unread::Directory) => refused(Refusal::Directory),
            Err(Unread::Special) => refused(Refusal::Special),
            Err(Unread::NotText) => refused(Fault::Binary.into()),
            Err(Unread::TooLarge { .. }) => refused(Fault::TooLarge.into()),
        }
    }

    /// Fails where creating files in the directory works, and replacing this one would not.
    pub(super) fn is_replaceable(&self, path: &Path, temporary: &Temporary) -> Result<(), Error> {
        let Ok(there) = fs::symlink_metadata(&self.target) else {
            return Ok(());
        };
        let failed = |error| Error::io("look at the directory of", path)(error);
        let directory = fs::metadata(&self.directory).map_err(failed)?;
        let ours = temporary.owner().map_err(failed)?;
        let is_shared = directory.mode() & STICKY != 0;
        if is_shared && ours != ROOT && ![there.uid(), directory.uid()].contains(&ours) {
            return Err(Error::NotOurs {
                path: path.to_owned(),
            });
        }
        // Not even root may replace it. Asked without opening it to write: who watches it would take that for a change.
        let locked = StatxAttributes::IMMUTABLE | StatxAttributes::APPEND;
        if statx(CWD, &self.target, AtFlags::SYMLINK_NOFOLLOW, StatxFlags::TYPE)
            .is_ok_and(|there| there.stx_attributes.intersects(locked))
        {
            return Err(Error::Locked {
                path: path.to_owned(),
            });
        }
        // Where there is no such list, or it is hidden, the rename will tell.
        let mounts = fs::read("/proc/self/mountinfo").unwrap_or_default();
        if is_mount_point(&mounts, self.target.as_os_str()) {
            return Err(Error::Mounted {
                path: path.to_owned(),
            });
        }
        Ok(())
    }
}

/// Whether `/proc/self/mountinfo` names the path in its fifth field.
fn is_mount_point(mounts: &[u8], path: &OsStr) -> bool {
    let mut escaped = Vec::new();
    for byte in path.as_encoded_bytes() {
        match byte {
            b' ' | b'\t' | b'\n' | b'\\' => escaped.extend(format!("\\{byte:03o}").bytes()),
            _ => escaped.push(*byte),
        }
    }
    (mounts.split(|byte| *byte == b'\n'))
        .any(|line| line.split(|byte| *byte == b' ').nth(4) == Some(escaped.as_slice()))
}

const JOURNAL: &str = ".vigie";
const TEMPORARY: &str = ".vigie-new";
const LIMIT: u64 = 1024 * 1024;
/// As many as Linux follows.
const LINKS: usize = 40;
/// In such a directory, only the owner may replace a file.
const STICKY: u32 = 0o1000;
const ROOT: u32 = 0;

#[cfg(test)]
mod tests;
