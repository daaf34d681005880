//! What an account consists of: users, groups, policies and keys.

use std::collections::BTreeMap;

use jiff::Timestamp;
use secrecy::SecretString;
use tokio::time::Instant;

use super::policy::Document;

/// Who sent a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Principal {
    /// The account itself, which no policy binds.
    Root,
    User(String),
}

/// What users, groups and policies have in common.
#[derive(Debug, Clone)]
pub(super) struct Named {
    pub(super) name: String,
    pub(super) path: String,
    pub(super) id: String,
    pub(super) arn: String,
    pub(super) created: Timestamp,
}

/// A document written into a user or a group, as text and understood.
#[derive(Debug, Clone)]
pub(super) struct Inline {
    pub(super) text: String,
    pub(super) document: Document,
    pub(super) since: Instant,
}

/// The rights a user or a group holds itself.
#[derive(Debug, Clone, Default)]
pub(super) struct Rights {
    /// ARNs of managed policies, each with the moment it takes effect.
    pub(super) attached: BTreeMap<String, Instant>,
    pub(super) inline: BTreeMap<String, Inline>,
}

#[derive(Debug)]
pub(super) struct User {
    pub(super) named: Named,
    pub(super) rights: Rights,
}

#[derive(Debug)]
pub(super) struct Group {
    pub(super) named: Named,
    pub(super) rights: Rights,
    /// Names of users, each with the moment its membership takes effect.
    pub(super) members: BTreeMap<String, Instant>,
}

#[derive(Debug)]
pub(super) struct Version {
    pub(super) id: String,
    pub(super) text: String,
    pub(super) document: Document,
    pub(super) created: Timestamp,
}

#[derive(Debug)]
pub(super) struct Policy {
    pub(super) named: Named,
    pub(super) description: String,
    pub(super) versions: Vec<Version>,
    pub(super) default_version: String,
    /// What was in force before the default changed, and until when it still is.
    pub(super) before: Option<(Document, Instant)>,
    pub(super) versions_made: u32,
}

#[derive(Debug)]
pub(super) struct AccessKey {
    pub(super) secret: SecretString,
    pub(super) owner: Principal,
    pub(super) is_active: bool,
    pub(super) created: Timestamp,
    pub(super) since: Instant,
    pub(super) last_used: Option<(Timestamp, &'static str, String)>,
}

impl Policy {
    pub(super) fn make_default(&mut self, id: &str, effect: Instant) {
        self.before = self
            .versions
            .iter()
            .find(|version| version.id == self.default_version)
            .map(|version| (version.document.clone(), effect));
        id.clone_into(&mut self.default_version);
    }

    pub(super) fn in_force(&self, now: Instant) -> Option<&Document> {
        if let Some((document, until)) = &self.before
            && now < *until
        {
            return Some(document);
        }
        self.versions
            .iter()
            .find(|version| version.id == self.default_version)
            .map(|version| &version.document)
    }
}
