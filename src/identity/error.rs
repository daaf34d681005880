//! How bootstrap, rotate and teardown end when they do not end well.

use super::key_file;
use crate::api;

/// Why it was not done.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A person must decide; nothing was changed since it was found.
    #[error("{0}")]
    Refused(String),
    /// The request itself makes no sense.
    #[error("{0}")]
    Usage(String),
    /// Something went wrong on the way.
    #[error(transparent)]
    Failed(#[from] anyhow::Error),
}

/// With what to do about it.
impl From<api::Error> for Error {
    fn from(error: api::Error) -> Self {
        Self::Failed(anyhow::anyhow!(error.explained()))
    }
}

impl From<key_file::Error> for Error {
    fn from(error: key_file::Error) -> Self {
        match error.kind() {
            key_file::ErrorKind::Usage => Self::Usage(error.to_string()),
            key_file::ErrorKind::Refused => Self::Refused(error.to_string()),
            key_file::ErrorKind::Failed => Self::Failed(error.into()),
        }
    }
}
