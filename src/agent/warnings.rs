//! What is wrong with settings that can be taken all the same: told when they come into force, and once.

use tracing::warn;

use crate::credentials::Readable;

/// All of that, as far as it was found.
#[derive(Default)]
pub(super) struct Warnings(Vec<Warning>);

/// One such fault.
#[derive(PartialEq)]
pub(super) enum Warning {
    /// Others can read the key of a client certificate.
    Readable(Readable),
    /// So many processes use an account's key that they could lock it.
    Crowded {
        account: String,
        processes: u32,
        limit: u32,
    },
}

impl Warnings {
    pub(super) fn add(&mut self, warning: Warning) {
        if !self.0.contains(&warning) {
            self.0.push(warning);
        }
    }

    /// Tells of what was not among those before.
    pub(super) fn tell_beyond(&self, before: &Self) {
        for warning in self.0.iter().filter(|warning| !before.0.contains(warning)) {
            warning.tell();
        }
    }
}

impl Warning {
    fn tell(&self) {
        match self {
            Self::Readable(readable) => readable.warn("file"),
            Self::Crowded {
                account,
                processes,
                limit,
            } => warn!(
                account,
                processes,
                "so many shards use this key that, were it refused, they would lock the account's authentication \
                 ({limit} refusals in a row do): give them keys of their own, or fewer shards"
            ),
        }
    }
}
