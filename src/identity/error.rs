//! How bootstrap, rotate and teardown end when they do not end well.

use anyhow::anyhow;

use super::key_file;
use crate::api::{self, Cause, Effect, Service};

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
        if error.lacks_permission() && error.action.service == Service::Iam {
            return Self::Failed(anyhow!(
                "{error}: {}; this takes an admin's key: name another with `--admin-profile` or `--admin-credentials` (the \
                 README lists what it has to be allowed)",
                error.cause
            ));
        }
        let words = error.explained();
        if error.action.effect == Effect::Changes && !is_surely_undone(&error) {
            return Self::Failed(anyhow!(
                "{words}. Whether it was done is not known: run the same command again, which finds out"
            ));
        }
        Self::Failed(anyhow!(words))
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

/// Whether the cloud has certainly not done what it was asked for: it said no, or was not asked.
pub(super) fn is_surely_undone(error: &api::Error) -> bool {
    match &error.cause {
        Cause::Answer(answer) => answer.is_a_refusal_of_the_cloud(),
        Cause::Credentials(_)
        | Cause::NoKey(_)
        | Cause::Unlent { .. }
        | Cause::Locked { .. }
        | Cause::NoTime { .. }
        | Cause::Unsendable { .. }
        | Cause::NoEndpoint { .. } => true,
        Cause::Unreachable { .. }
        | Cause::Timeout { .. }
        | Cause::Malformed { .. }
        | Cause::Endless { .. }
        | Cause::TooMuch => false,
    }
}
