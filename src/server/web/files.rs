//! The files that a web configuration is made of: read with a limit, and known again by their marks.

use std::fs::{self, File};
use std::io::Read as _;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use secrecy::SecretString;
use sha2::{Digest as _, Sha256};

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
        let told = |error: std::io::Error| {
            format!("cannot be read ({error}): make it readable to the user that vigie runs as")
        };
        // Opening a pipe would wait for somebody to write into it.
        if !fs::metadata(path).map_err(told)?.is_file() {
            return Err("is no regular file".to_owned());
        }
        let mut text = String::new();
        let file = File::open(path).map_err(told)?;
        let read = file.take(LIMIT + 1).read_to_string(&mut text);
        let text = SecretString::from(text);
        match read {
            Ok(length) if length as u64 > LIMIT => return Err("is larger than 1 MiB".to_owned()),
            Ok(_) => {}
            Err(error) if error.kind() == std::io::ErrorKind::InvalidData => {
                return Err("is not UTF-8 text".to_owned());
            }
            Err(error) => return Err(told(error)),
        }
        let bytes = secrecy::ExposeSecret::expose_secret(&text).as_bytes();
        self.contents.update(bytes.len().to_be_bytes());
        self.contents.update(bytes);
        Ok(text)
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
    /// Whether one was changed so lately that the clock of the file system may give the next change the same time.
    is_young: bool,
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
            self.is_young |= modified.elapsed().is_ok_and(|age| age < YOUNG);
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
        !before.is_young && self.marks == before.marks
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
        File::options()
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
}
