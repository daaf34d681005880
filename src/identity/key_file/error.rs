//! Why a key was not written. No variant has room for a line of a file or a value.

use std::{io, path::PathBuf};

use super::Format;
use crate::credentials::Fault;

/// Why a key was not written.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The profile's name cannot stand in a file.
    #[error("profile {profile:?} cannot be written: name one {that}")]
    ProfileName {
        /// The profile asked for.
        profile: String,
        /// What a name must be.
        that: &'static str,
    },
    /// A profile was asked for of a format that has none.
    #[error(
        "a file in the format `{format}` has no profiles: leave out the profile `{profile}`, or choose the format `ini`"
    )]
    NoProfiles {
        /// The format in question.
        format: Format,
        /// The profile asked for.
        profile: String,
    },
    /// What stands at the place is not for us to change.
    #[error("will not write a key to {}, which {refusal}", .path.display())]
    Refused {
        /// The file.
        path: PathBuf,
        /// What it is.
        refusal: Refusal,
    },
    /// An earlier run's note cannot be read.
    #[error(
        "cannot make out the note {} that an earlier run left: see whether the user has a key that is in no file, \
         then remove the note",
        .path.display(),
    )]
    Journal {
        /// The note.
        path: PathBuf,
    },
    /// The directory that the file should be in is not there.
    #[error(
        "cannot write {}: the directory {} does not exist; create it first, with mode 0700",
        .path.display(),
        .directory.display(),
    )]
    NoDirectory {
        /// The file.
        path: PathBuf,
        /// The directory.
        directory: PathBuf,
    },
    /// Another process is at work on the same file.
    #[error("another vigie is at work on {}: wait until it is done, then run this again", .path.display())]
    Busy {
        /// The file.
        path: PathBuf,
    },
    /// The file or the note beside it is not what it was when it was looked at.
    #[error("{} was changed by somebody else meanwhile, and is left as it is: run this again", .path.display())]
    Changed {
        /// The file.
        path: PathBuf,
    },
    /// The file is mounted by itself, as container runtimes do.
    #[error(
        "cannot replace {}, which is a mount of its own: mount the directory that it is in",
        .path.display(),
    )]
    Mounted {
        /// The file.
        path: PathBuf,
    },
    /// The file was made immutable, or one that only grows.
    #[error("cannot replace {}, which `chattr` made immutable or append-only: undo that with `chattr -ia`", .path.display())]
    Locked {
        /// The file.
        path: PathBuf,
    },
    /// The file is somebody else's, in a directory where only the owner may replace it.
    #[error(
        "cannot replace {}, which is another user's in a directory shared by all: name a file in a directory of \
         your own",
        .path.display(),
    )]
    NotOurs {
        /// The file.
        path: PathBuf,
    },
    /// The new text does not hold the new key, by the agent's own reading.
    #[error("the new text of {} would not read back as the new key, and was not written: name another file", .path.display())]
    Unproven {
        /// The file.
        path: PathBuf,
    },
    /// The system refused.
    #[error("cannot {doing} {} ({cause}): {}", .path.display(), hint(.cause))]
    Io {
        /// What was being done.
        doing: &'static str,
        /// To which file or directory.
        path: PathBuf,
        /// What the system says.
        cause: io::Error,
    },
    /// The new file stands, but the system did not confirm that it would after a power failure.
    #[error(
        "{} holds the new key, but its directory cannot be synced ({cause}), and what was there may be back after a \
         power failure: see to the disk, then run the same command again, which completes this",
        .path.display(),
    )]
    NotDurable {
        /// The file.
        path: PathBuf,
        /// What the system says.
        cause: io::Error,
    },
}

/// What a caller makes of an [`Error`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ErrorKind {
    /// What was asked for cannot be.
    Usage,
    /// A person must decide about what is there.
    Refused,
    /// It was tried, and did not work.
    Failed,
}

impl Error {
    /// What a caller makes of it.
    pub fn kind(&self) -> ErrorKind {
        match self {
            Self::ProfileName { .. } | Self::NoProfiles { .. } => ErrorKind::Usage,
            Self::Refused { .. } | Self::Journal { .. } => ErrorKind::Refused,
            Self::NoDirectory { .. }
            | Self::Busy { .. }
            | Self::Changed { .. }
            | Self::Mounted { .. }
            | Self::Locked { .. }
            | Self::NotOurs { .. }
            | Self::Unproven { .. }
            | Self::Io { .. }
            | Self::NotDurable { .. } => ErrorKind::Failed,
        }
    }

    /// The error for what the system refused, to be given to `map_err`.
    pub(super) fn io(doing: &'static str, path: impl Into<PathBuf>) -> impl FnOnce(io::Error) -> Self {
        move |cause| Self::Io {
            doing,
            path: path.into(),
            cause,
        }
    }
}

/// What a file is that a key is not written to.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// A directory.
    #[error("is a directory: name the file in it")]
    Directory,
    /// A pipe, a socket or a device.
    #[error("is not a regular file: name one, or print the key with `--out -`")]
    Special,
    /// It is in another format than the one asked for.
    #[error("is in the format `{there}`, not `{asked}`: ask for that one, or name another file")]
    OtherFormat {
        /// The file's.
        there: Format,
        /// The one asked for.
        asked: Format,
    },
    /// The agent's own reader cannot read it.
    #[error("{0}; or name another file")]
    Content(#[from] Fault),
    /// Not a file of variables, or one whose values go over lines.
    #[error(
        "has something else than one whole `NAME=value` on line {line}: write it so, or name another file"
    )]
    EnvLine {
        /// The line.
        line: usize,
    },
    /// A manifest that was not written by us.
    #[error(
        "is a Kubernetes manifest of another shape than vigie writes (see line {line}): name another file, and \
         merge the two by hand"
    )]
    Manifest {
        /// The first line that is otherwise.
        line: usize,
    },
    /// The profile has no key on purpose.
    #[error(
        "has `{setting}` in profile `{profile}`, by which it gets its key from elsewhere: name another profile"
    )]
    Elsewhere {
        /// The profile.
        profile: String,
        /// The setting, as the format spells it.
        setting: &'static str,
    },
}

impl Refusal {
    /// The error for this refusal of a file.
    pub(super) fn of(self, path: impl Into<PathBuf>) -> Error {
        Error::Refused {
            path: path.into(),
            refusal: self,
        }
    }
}

fn hint(cause: &io::Error) -> &'static str {
    match cause.kind() {
        io::ErrorKind::PermissionDenied => "run this as a user who may, or name another file",
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => "make room there, then run this again",
        io::ErrorKind::ReadOnlyFilesystem => "name a file where writing is possible",
        io::ErrorKind::InvalidFilename => "name a file with a shorter name",
        io::ErrorKind::NotADirectory => "name a file in a directory",
        io::ErrorKind::Unsupported => "name a file on another file system",
        _ => "see to it, then run this again",
    }
}
