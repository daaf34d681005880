//! What is to become of the user's keys, from what the cloud lists, what the file holds and what a run that was cut
//! off has noted. Pure.

use jiff::{SignedDuration, Timestamp};

use super::iam::{Key, LastUse};
use super::key_file::Journal;

/// All that bears on it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Evidence<'a> {
    /// The user's name.
    pub(super) user: &'a str,
    /// The user's keys, each with when it was used last.
    pub(super) keys: &'a [(Key, LastUse)],
    /// Where the key goes, in words.
    pub(super) out: &'a str,
    /// The id of the key that stands there, if there is a file and it holds one.
    pub(super) in_file: Option<&'a str>,
    /// What a run that was cut off has noted beside the file.
    pub(super) journal: Option<&'a Journal>,
}

/// What is to be done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Choice {
    /// Keys that a run which was cut off made and could not write: nobody holds their secret. They go first.
    pub(super) strays: Vec<String>,
    /// What comes then.
    pub(super) step: KeyStep,
}

/// What is to be done about the key itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum KeyStep {
    /// Nothing: the file holds the user's key.
    Keep,
    /// A key is made. Once it is proven, those it replaces go.
    Make {
        /// Their ids.
        replaces: Vec<String>,
    },
    /// The file holds the new key already; those it replaces are still to go.
    Finish {
        /// Their ids.
        replaces: Vec<String>,
    },
    /// A person must decide.
    Refuse(String),
}

impl Evidence<'_> {
    /// For `bootstrap`: never a second key without being told. `replace` are ids of keys that may go.
    pub(super) fn choose(&self, replace: &[String]) -> Choice {
        let strays = match self.strays(replace) {
            Ok(strays) => strays,
            Err(refusal) => return Choice::refusal(refusal),
        };
        let step = match self.held(&strays) {
            Some(held) => self.step_with(held, &strays, replace),
            None => self.step_without(&strays, replace),
        };
        Choice { strays, step }
    }

    /// For `rotate`: a new key for the one in the file.
    pub(super) fn choose_rotation(&self) -> Choice {
        let strays = match self.strays(&[]) {
            Ok(strays) => strays,
            Err(refusal) => return Choice::refusal(refusal),
        };
        let Some(held) = self.held(&strays) else {
            let user = self.user;
            return Choice::refusal(format!(
                "{} holds no key of user {user}{}: name the file that does with `--out`, or make a key with \
                 `vigie bootstrap`",
                self.out,
                self.listed(&strays)
            ));
        };
        let step = if self.was_swapped(held) {
            KeyStep::Finish {
                replaces: self.noted_to_go(),
            }
        } else {
            KeyStep::Make {
                replaces: vec![held.id.clone()],
            }
        };
        Choice { strays, step }
    }

    /// Whether a run that was cut off a moment ago may have made a key that the cloud does not list yet.
    pub(super) fn may_lack_a_key(&self, now: Timestamp) -> bool {
        self.journal.is_some_and(|journal| {
            let is_known = |(key, _): &(Key, LastUse)| journal.keys_before.contains(&key.id);
            now.duration_since(journal.at) < UNLISTED && self.keys.iter().all(is_known)
        })
    }

    /// The file holds no key of the user.
    fn step_without(&self, strays: &[String], replace: &[String]) -> KeyStep {
        let (user, out) = (self.user, self.out);
        let may_go = |id: &str| replace.iter().any(|named| named == id);
        let is_there = |id: &str| self.keys.iter().any(|(key, _)| key.id == id) || self.in_file == Some(id);
        if let Some(missing) = replace.iter().find(|id| !is_there(id)) {
            return KeyStep::Refuse(format!(
                "user {user} has no key {missing} to replace{}",
                self.listed(strays)
            ));
        }
        if let Some(id) = self.in_file.filter(|id| !may_go(id)) {
            return KeyStep::Refuse(format!(
                "{out} holds the key {id}, which is none of user {user}: choose another file with `--out` or another \
                 profile with `--profile`; if the key in it is dead, `--replace-key {id}` overwrites it"
            ));
        }
        let (replaced, others): (Vec<_>, Vec<_>) = self
            .keys
            .iter()
            .filter(|(key, _)| !strays.contains(&key.id))
            .partition(|(key, _)| may_go(&key.id));
        if others.is_empty() {
            return KeyStep::Make {
                replaces: ids(&replaced),
            };
        }
        KeyStep::Refuse(format!(
            "user {user} has a key already, and it is not in {out}: {}. A second key is never made in silence. If you \
             have the file that holds it, name it with `--out`; else `--replace-key ID`, once for each, makes a new key \
             and, once that is proven, deletes the old one",
            listed(&others)
        ))
    }

    /// The file holds this key of the user. What is to be replaced and is not there has gone already.
    fn step_with(&self, held: &Key, strays: &[String], replace: &[String]) -> KeyStep {
        let (user, out) = (self.user, self.out);
        let was_swapped = self.was_swapped(held);
        let noted = if was_swapped {
            self.noted_to_go()
        } else {
            Vec::new()
        };
        let may_go = |id: &str| replace.iter().chain(&noted).any(|named| named == id);
        let (old, others): (Vec<_>, Vec<_>) = self
            .keys
            .iter()
            .filter(|(key, _)| !strays.contains(&key.id) && key.id != held.id)
            .partition(|(key, _)| may_go(&key.id));
        let others: Vec<_> = others.into_iter().filter(|(key, _)| key.active).collect();
        if !others.is_empty() {
            return KeyStep::Refuse(format!(
                "user {user} has another key beside the one in {out}: {}. If nobody needs it, `--replace-key ID` deletes \
                 it",
                listed(&others)
            ));
        }
        let mut replaces = ids(&old);
        if may_go(&held.id) {
            replaces.push(held.id.clone());
            return KeyStep::Make { replaces };
        }
        if !held.active {
            return KeyStep::Refuse(format!(
                "the key {} in {out} is inactive: make it active again, or replace it with `--replace-key {}`",
                held.id, held.id
            ));
        }
        if replaces.is_empty() && !was_swapped {
            return KeyStep::Keep;
        }
        KeyStep::Finish { replaces }
    }

    /// The keys that a run which was cut off made without getting them into the file.
    fn strays(&self, replace: &[String]) -> Result<Vec<String>, String> {
        let Some(journal) = self.journal else {
            return Ok(Vec::new());
        };
        if journal.user != self.user {
            return Err(format!(
                "a run for user {} was cut off while it made a key for {}: complete it first, with the same command and \
                 `--user {}`",
                journal.user, self.out, journal.user
            ));
        }
        let is_new = |(key, _): &&(Key, LastUse)| {
            !journal.keys_before.contains(&key.id)
                && self.in_file != Some(key.id.as_str())
                && !replace.contains(&key.id)
        };
        let new: Vec<_> = self.keys.iter().filter(is_new).collect();
        match new.as_slice() {
            [] => Ok(Vec::new()),
            [stray] if is_of(journal, stray) => Ok(vec![stray.0.id.clone()]),
            _ => Err(format!(
                "a run that made a key for user {} was cut off at {}, and which key that is cannot be told: {}. If no \
                 other file holds it, `vigie bootstrap … --replace-key ID` makes a new one in its place",
                self.user,
                journal.at,
                listed(&new)
            )),
        }
    }

    /// The user's key that the file holds.
    fn held(&self, strays: &[String]) -> Option<&Key> {
        let is_held = |key: &&Key| self.in_file == Some(key.id.as_str()) && !strays.contains(&key.id);
        self.keys.iter().map(|(key, _)| key).find(is_held)
    }

    /// Whether a run that was cut off had written its new key.
    fn was_swapped(&self, held: &Key) -> bool {
        self.journal
            .is_some_and(|journal| !journal.keys_before.contains(&held.id))
    }

    /// The keys that such a run was still to remove, as far as they are there.
    fn noted_to_go(&self) -> Vec<String> {
        let noted = self.journal.iter().flat_map(|journal| &journal.replaces);
        noted
            .filter(|id| self.keys.iter().any(|(key, _)| key.id == **id))
            .cloned()
            .collect()
    }

    fn listed(&self, strays: &[String]) -> String {
        let keys: Vec<_> = self
            .keys
            .iter()
            .filter(|(key, _)| !strays.contains(&key.id))
            .collect();
        if keys.is_empty() {
            return ", which has none".to_owned();
        }
        format!(", which has {}", listed(&keys))
    }
}

/// Whether a key is certainly the one that the run of this note made. One whose id was noted may have been tried; of
/// another, that it was made just then and that nobody has used it have to tell, and the cloud must say so.
fn is_of(journal: &Journal, (key, last_use): &(Key, LastUse)) -> bool {
    if let Some(made) = &journal.made {
        return *made == key.id;
    }
    let was_made_then = key.created.is_some_and(|created| {
        let since = created.duration_since(journal.at);
        -CLOCKS_APART < since && since < CLOCKS_APART + ONE_CALL
    });
    was_made_then && *last_use == LastUse::Never
}

impl KeyStep {
    /// The keys that go in the end.
    pub(super) fn replaces(&self) -> &[String] {
        match self {
            Self::Make { replaces } | Self::Finish { replaces } => replaces,
            Self::Keep | Self::Refuse(_) => &[],
        }
    }
}

impl Choice {
    fn refusal(words: String) -> Self {
        Self {
            strays: Vec::new(),
            step: KeyStep::Refuse(words),
        }
    }
}

/// A stray as its removal is told.
pub(super) fn stray(id: &str) -> String {
    format!("{id}, which a run that was cut off left without a file: nobody holds its secret")
}

/// A key as refusals name it: `AKIA… (active, made 2026-01-01T00:00:00Z, never used)`.
pub(super) fn described((key, last_use): &(Key, LastUse)) -> String {
    let state = if key.active { "active" } else { "inactive" };
    let made = key.created.map_or_else(String::new, |at| format!(", made {at}"));
    let used = match last_use {
        LastUse::At(when) => format!("last used {when}"),
        LastUse::Never => "never used".to_owned(),
        LastUse::Untold => "the cloud does not say when it was used".to_owned(),
    };
    format!("{} ({state}{made}, {used})", key.id)
}

fn listed(keys: &[&(Key, LastUse)]) -> String {
    keys.iter()
        .map(|key| described(key))
        .collect::<Vec<_>>()
        .join("; ")
}

fn ids(keys: &[&(Key, LastUse)]) -> Vec<String> {
    keys.iter().map(|(key, _)| key.id.clone()).collect()
}

/// A clock that is off by more is told of; AWS takes no signature from farther away.
const CLOCKS_APART: SignedDuration = SignedDuration::from_mins(15);

/// The longest that making a key may take, its retries included.
const ONE_CALL: SignedDuration = SignedDuration::from_secs(90);

/// How long AWS may take to list a key that it made.
const UNLISTED: SignedDuration = SignedDuration::from_secs(10);

#[cfg(test)]
mod tests;
