//! Files that a person names, read whole: regular ones alone, within a limit, into memory that is wiped.

use std::{
    fs::{self, File, Metadata},
    io::{self, Read as _},
    os::unix::fs::OpenOptionsExt as _,
    path::Path,
};

use rustix::fs::OFlags;
use secrecy::zeroize::Zeroizing;

/// Why a file was not read.
#[derive(Debug, thiserror::Error)]
pub enum Unread {
    /// The system refused.
    #[error(transparent)]
    Failed(#[from] io::Error),
    /// It is a directory.
    #[error("it is a directory: name the file in it")]
    Directory,
    /// It is a pipe, a socket or a device, which may have no end.
    #[error("it is not a regular file")]
    Special,
    /// There is something else than UTF-8 in it, where that was asked for.
    #[error("it is not UTF-8 text")]
    NotText,
    /// There is more in it than asked for.
    #[error("it is larger than {} MiB", .limit >> 20)]
    TooLarge {
        /// The bytes that were asked for at most.
        limit: u64,
    },
}

/// What a file is like, without opening it, so that a pipe cannot hold us.
pub(crate) fn look(path: &Path) -> Result<Metadata, Unread> {
    let metadata = fs::metadata(path)?;
    is_regular(&metadata)?;
    Ok(metadata)
}

/// All that a file holds, if that is no more than `limit` bytes.
pub(crate) fn read(path: &Path, limit: u64) -> Result<Zeroizing<Vec<u8>>, Unread> {
    // Looked at before, since opening alone may do something to a device; and after, since it may be another by then.
    size(&look(path)?, limit)?;
    // Opening a pipe would otherwise wait for somebody to write into it.
    let flags = OFlags::NONBLOCK | OFlags::NOCTTY;
    let file = File::options()
        .read(true)
        .custom_flags(flags.bits().cast_signed())
        .open(path)?;
    content(file, limit)
}

/// The same, as text.
pub(crate) fn read_text(path: &Path, limit: u64) -> Result<Zeroizing<String>, Unread> {
    match String::from_utf8(std::mem::take(&mut *read(path, limit)?)) {
        Ok(text) => Ok(Zeroizing::new(text)),
        Err(other) => {
            drop(Zeroizing::new(other.into_bytes()));
            Err(Unread::NotText)
        }
    }
}

fn content(file: File, limit: u64) -> Result<Zeroizing<Vec<u8>>, Unread> {
    let metadata = file.metadata()?;
    is_regular(&metadata)?;
    let size = size(&metadata, limit)?;
    // Room for all of it at once, and to see that it ends: a buffer that grows leaves copies of a secret behind.
    let mut bytes = Zeroizing::new(Vec::with_capacity(size + 64));
    file.take(limit + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > limit {
        return Err(Unread::TooLarge { limit });
    }
    Ok(bytes)
}

fn is_regular(metadata: &Metadata) -> Result<(), Unread> {
    if metadata.is_dir() {
        return Err(Unread::Directory);
    }
    if !metadata.is_file() {
        return Err(Unread::Special);
    }
    Ok(())
}

/// Its size, if that is not too much.
fn size(metadata: &Metadata, limit: u64) -> Result<usize, Unread> {
    if metadata.len() > limit {
        return Err(Unread::TooLarge { limit });
    }
    Ok(usize::try_from(metadata.len()).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use std::os::unix::net::UnixListener;

    use rustix::fs::{CWD, FileType, Mode, mknodat};

    use super::*;

    const LIMIT: u64 = 1 << 20;

    fn pipe(folder: &Path) -> std::path::PathBuf {
        let path = folder.join("pipe");
        mknodat(CWD, &path, FileType::Fifo, Mode::RUSR | Mode::WUSR, 0).unwrap();
        path
    }

    #[test]
    fn what_is_no_file_is_neither_waited_for_nor_read_without_end() {
        let folder = tempfile::tempdir().unwrap();
        let socket = folder.path().join("socket");
        let _listener = UnixListener::bind(&socket).unwrap();
        for path in [&pipe(folder.path()), &socket, Path::new("/dev/zero")] {
            assert!(matches!(read(path, LIMIT), Err(Unread::Special)), "{path:?}");
        }
        assert!(matches!(read(folder.path(), LIMIT), Err(Unread::Directory)));
    }

    #[test]
    fn what_became_a_pipe_after_the_look_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        // Open at both ends, as a pipe that somebody feeds.
        let file = File::options()
            .read(true)
            .write(true)
            .open(pipe(folder.path()))
            .unwrap();
        assert!(matches!(content(file, LIMIT), Err(Unread::Special)));
    }

    #[test]
    fn a_file_is_read_up_to_the_limit() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("file");
        for (size, is_read) in [(0, true), (LIMIT, true), (LIMIT + 1, false)] {
            fs::write(&path, vec![b'x'; usize::try_from(size).unwrap()]).unwrap();
            match read(&path, LIMIT) {
                Ok(bytes) => assert!(is_read && bytes.len() as u64 == size),
                Err(error) => assert!(!is_read && error.to_string() == "it is larger than 1 MiB"),
            }
        }
    }

    #[test]
    fn what_is_no_text_is_refused_where_text_is_asked_for() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("file");
        fs::write(&path, [0xff]).unwrap();
        assert!(matches!(read_text(&path, LIMIT), Err(Unread::NotText)));
        assert_eq!(*read(&path, LIMIT).unwrap(), [0xff]);
        fs::write(&path, "é").unwrap();
        assert_eq!(*read_text(&path, LIMIT).unwrap(), "é");
    }

    #[test]
    fn a_file_that_tells_no_size_is_read() {
        assert!(
            read(Path::new("/proc/self/status"), LIMIT)
                .unwrap()
                .starts_with(b"Name:")
        );
    }

    #[test]
    fn a_file_that_is_not_there_is_told_by_the_system() {
        let read = read(Path::new("/nowhere/at/all"), LIMIT);
        assert!(matches!(read, Err(Unread::Failed(error)) if error.kind() == io::ErrorKind::NotFound));
    }
}
