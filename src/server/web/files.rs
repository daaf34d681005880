//! The files that a web configuration is made of: read with a limit, and known again by their marks.

use std::fs;
use std::io;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use secrecy::SecretString;
use sha2::{Digest as _, Sha256};

use crate::files::{self, Unread};

/// Reads files, and remembers which and what was in them.
#[derive(Default)]
pub(super) struct Reader {
    paths: Vec<PathBuf>,
    marks: Marks,
    contents: Sha256,
}

impl Reader {
    /// The text of a file, or why there is none, as the rest of a sentence.
    pub(super) fn read(&mut self, path: &Path) -> Result<SecretString, String> {
        // Before it is read, so that a change in between shows; and a file that is not there may come.
        self.paths.push(path.to_owned());
        self.marks.push(path);
        let mut text = files::read_text(path, LIMIT).map_err(|unread| match unread {
            Unread::Failed(error) => {
                // That passes, as want of descriptors does, without a change of the file.
                self.marks.is_unsure = true;
                if error.kind() == io::ErrorKind::NotFound {
                    return "does not exist: write it, or correct its name".to_owned();
                }
                format!("cannot be read ({error}): make it readable to the user that vigie runs as")
            }
            Unread::Directory | Unread::Special => "is no regular file".to_owned(),
            Unread::NotText => "is not UTF-8 text".to_owned(),
            Unread::TooLarge { .. } => "is larger than 1 MiB".to_owned(),
        })?;
        let bytes = text.as_bytes();
        self.contents.update(bytes.len().to_be_bytes());
        self.contents.update(bytes);
        Ok(std::mem::take(&mut *text).into())
    }

    /// The files, their marks, and a digest of all that was in them.
    pub(super) fn finish(self) -> (Vec<PathBuf>, Marks, [u8; 32]) {
        (self.paths, self.marks, self.contents.finalize().into())
    }
}

/// What tells whether files are still those that were read.
#[derive(Debug, Default)]
pub(super) struct Marks {
    marks: Vec<Option<[i64; 7]>>,
    /// Whether one was changed so lately that the clock of the file system may give the next change the same time, or
    /// could not be read.
    is_unsure: bool,
}

impl Marks {
    pub(super) fn of(paths: &[PathBuf]) -> Self {
        let mut marks = Self::default();
        for path in paths {
            marks.push(path);
        }
        marks
    }

    fn push(&mut self, path: &Path) {
        let metadata = fs::metadata(path).ok();
        if let Some(modified) = metadata.as_ref().and_then(|metadata| metadata.modified().ok()) {
            // A time to come has no age.
            self.is_unsure |= modified.elapsed().is_ok_and(|age| age < YOUNG);
        }
        self.marks.push(metadata.map(|metadata| {
            [
                metadata.dev().cast_signed(),
                metadata.ino().cast_signed(),
                metadata.size().cast_signed(),
                metadata.mtime(),
                metadata.mtime_nsec(),
                metadata.ctime(),
                metadata.ctime_nsec(),
            ]
        }));
    }

    /// Whether files with these marks now are surely those that had these marks before.
    pub(super) fn are_surely(&self, before: &Self) -> bool {
        !before.is_unsure && self.marks == before.marks
    }
}

/// A chain of certificates is some kilobytes.
const LIMIT: u64 = 1024 * 1024;

/// File systems count time in steps of up to two seconds.
const YOUNG: Duration = Duration::from_secs(3);

#[cfg(test)]
mod tests {
    use std::time::SystemTime;

    use super::*;

    #[test]
    fn files_are_surely_the_same_once_their_change_is_long_ago() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("file");
        let paths = [path.clone()];
        let is_surely = |before: &Marks| Marks::of(&paths).are_surely(before);
        assert!(is_surely(&Marks::of(&paths)), "there is no file");
        fs::write(&path, "one").unwrap();
        assert!(
            !is_surely(&Marks::of(&paths)),
            "the next change may have the same time"
        );
        let long_ago = SystemTime::now() - Duration::from_secs(60);
        fs::File::options()
            .write(true)
            .open(&path)
            .unwrap()
            .set_modified(long_ago)
            .unwrap();
        let before = Marks::of(&paths);
        assert!(is_surely(&before));
        fs::write(&path, "two").unwrap();
        assert!(!is_surely(&before));
    }

    #[test]
    fn failure_to_read_is_tried_again_and_bad_content_is_not() {
        let folder = tempfile::tempdir().unwrap();
        let is_surely = |path: &Path| {
            let mut reader = Reader::default();
            assert!(reader.read(path).is_err());
            let (paths, before, _) = reader.finish();
            Marks::of(&paths).are_surely(&before)
        };
        assert!(!is_surely(&folder.path().join("gone")));
        let path = folder.path().join("file");
        fs::write(&path, b"\xff").unwrap();
        let long_ago = SystemTime::now() - Duration::from_secs(60);
        let file = fs::File::options().write(true).open(&path).unwrap();
        file.set_modified(long_ago).unwrap();
        assert!(is_surely(&path));
        file.set_len(LIMIT + 1).unwrap();
        file.set_modified(long_ago).unwrap();
        assert!(is_surely(&path));
    }
}
