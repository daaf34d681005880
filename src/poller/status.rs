//! What is known of a poll from outside: its last reading, how it goes, since when it fails.

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use tokio::sync::watch;

use crate::api::Reason;
use crate::reading::Reading;
use crate::resource::Kind;

/// What is known of one kind in one account and region.
#[derive(Debug, Clone, Default)]
pub struct Status {
    /// The last whole reading.
    pub reading: Option<Arc<Reading>>,
    /// Whether a poll has ended, one way or the other.
    pub tried: bool,
    /// How long the last poll took.
    pub took: Option<Duration>,
    /// Why the last poll failed, if it did.
    pub failure: Option<Failure>,
}

/// A failure that lasts.
#[derive(Debug, Clone)]
pub struct Failure {
    /// When the first poll that failed ended: none has succeeded since.
    pub since: Timestamp,
    /// The bounded cause of the last one.
    pub reason: Reason,
    /// Why the last one failed, and what to do about it.
    pub explained: Arc<str>,
}

/// The reader's end of a poll: what it watches, and what is known of it.
#[derive(Clone)]
pub struct Watched {
    /// The `account` label.
    pub account: String,
    /// The `region` label.
    pub region: String,
    /// The kind.
    pub kind: &'static Kind,
    status: watch::Receiver<Status>,
}

impl Watched {
    /// The reader's end of a poll of this kind, in one region of an account.
    pub fn new(account: &str, region: &str, kind: &'static Kind, status: watch::Receiver<Status>) -> Self {
        Self {
            account: account.to_owned(),
            region: region.to_owned(),
            kind,
            status,
        }
    }

    /// What is known now.
    pub fn status(&self) -> Status {
        self.status.borrow().clone()
    }

    /// Waits until a poll has ended, one way or the other.
    pub async fn tried(&self) {
        // A poll that is gone ends no more; nobody waits for it either.
        self.status.clone().wait_for(|status| status.tried).await.ok();
    }
}
