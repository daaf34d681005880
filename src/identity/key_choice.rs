//! What is to become of the user's keys, from what the cloud lists, what the file holds and what a run that was cut
//! off has noted. Pure.

use jiff::{SignedDuration, Timestamp};

use super::iam::Key;
use super::key_file::Journal;

/// All that bears on it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Evidence<'a> {
    /// The user's name.
    pub(super) user: &'a str,
    /// The user's keys, each with when it was used last.
    pub(super) keys: &'a [(Key, Option<String>)],
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
    /// A key is made. Once it is proven, the one it replaces goes.
    Make {
        /// The id of that one.
        replaces: Option<String>,
    },
    /// The file holds the new key already; the one it replaces is still to go.
    Finish {
        /// The id of that one.
        replaces: Option<String>,
    },
    /// A person must decide.
    Refuse(String),
}

impl Evidence<'_> {
    /// For `bootstrap`: never a second key without being told.
    pub(super) fn choose(&self, replace: Option<&str>) -> Choice {
        let strays = match self.strays() {
            Ok(strays) => strays,
            Err(refusal) => return Choice::refusal(refusal),
        };
        let step = self.step(&strays, replace);
        Choice { strays, step }
    }

    /// For `rotate`: a new key for the one in the file.
    pub(super) fn choose_rotation(&self) -> Choice {
        let strays = match self.strays() {
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
                replaces: Some(held.id.clone()),
            }
        };
        Choice { strays, step }
    }

    fn step(&self, strays: &[String], replace: Option<&str>) -> KeyStep {
        let (user, out) = (self.user, self.out);
        let known = |id: &str| self.keys.iter().any(|(key, _)| key.id == id);
        if let Some(id) = replace
            && !known(id)
            && self.in_file != Some(id)
        {
            return KeyStep::Refuse(format!(
                "user {user} has no key {id} to replace{}",
                self.listed(strays)
            ));
        }
        let Some(held) = self.held(strays) else {
            if let Some(id) = self.in_file
                && replace != Some(id)
            {
                return KeyStep::Refuse(format!(
                    "{out} holds the key {id}, which is none of user {user}: choose another file with `--out` or another \
                     profile with `--profile`; if the key in it is dead, `--replace-key {id}` overwrites it"
                ));
            }
            let others = self.others(strays, &[replace]);
            if others.is_empty() {
                return KeyStep::Make {
                    replaces: replace.filter(|id| known(id)).map(str::to_owned),
                };
            }
            return KeyStep::Refuse(format!(
                "user {user} has a key already, and it is not in {out}: {}. A second key is never made in silence. If \
                 you have the file that holds it, name it with `--out`; else `--replace-key ID` makes a new key and, \
                 once that is proven, deletes the old one",
                others.join("; ")
            ));
        };
        if replace == Some(held.id.as_str()) {
            return KeyStep::Make {
                replaces: Some(held.id.clone()),
            };
        }
        if !held.active {
            return KeyStep::Refuse(format!(
                "the key {} in {out} is inactive: make it active again, or replace it with `--replace-key {}`",
                held.id, held.id
            ));
        }
        let to_go = replace
            .map(str::to_owned)
            .or_else(|| self.was_swapped(held).then(|| self.noted_to_go()).flatten());
        let others = self.others(strays, &[Some(&held.id), to_go.as_deref()]);
        let others: Vec<_> = others
            .into_iter()
            .filter(|other| !other.contains(INACTIVE))
            .collect();
        if !others.is_empty() {
            return KeyStep::Refuse(format!(
                "user {user} has another key beside the one in {out}: {}. If nobody needs it, `--replace-key ID` deletes \
                 it",
                others.join("; ")
            ));
        }
        if to_go.is_some() || self.was_swapped(held) {
            return KeyStep::Finish { replaces: to_go };
        }
        KeyStep::Keep
    }

    /// The keys that a run which was cut off made without getting them into the file.
    fn strays(&self) -> Result<Vec<String>, String> {
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
        let made_since = |(key, _): &&(Key, _)| {
            !journal.keys_before.contains(&key.id) && self.in_file != Some(key.id.as_str())
        };
        let new: Vec<_> = self.keys.iter().filter(made_since).collect();
        // One that was noted may have been tried; of another, its age and that nobody uses it have to tell.
        let is_sure = |(key, last_used): &(Key, Option<String>)| {
            let looks_so =
                last_used.is_none() && key.created.is_none_or(|created| is_since(created, journal.at));
            journal.made.as_ref().map_or(looks_so, |made| *made == key.id)
        };
        match new.as_slice() {
            [] => Ok(Vec::new()),
            [stray] if is_sure(stray) => Ok(vec![stray.0.id.clone()]),
            _ => Err(format!(
                "a run that made a key for user {} was cut off at {}, and more is there than it can have made: {}. \
                 Delete those that nobody needs in the cloud's console, then run this again",
                self.user,
                journal.at,
                new.iter()
                    .map(|key| described(key))
                    .collect::<Vec<_>>()
                    .join("; ")
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

    /// The key that such a run was still to remove, if it is there.
    fn noted_to_go(&self) -> Option<String> {
        let id = self.journal?.replaces.clone()?;
        self.keys.iter().any(|(key, _)| key.id == id).then_some(id)
    }

    /// The user's keys but these, in words.
    fn others(&self, strays: &[String], but: &[Option<&str>]) -> Vec<String> {
        let is_other =
            |(key, _): &&(Key, _)| !strays.contains(&key.id) && !but.contains(&Some(key.id.as_str()));
        self.keys.iter().filter(is_other).map(described).collect()
    }

    fn listed(&self, strays: &[String]) -> String {
        let keys = self.others(strays, &[]);
        if keys.is_empty() {
            return ", which has none".to_owned();
        }
        format!(", which has {}", keys.join("; "))
    }
}

impl KeyStep {
    /// The key that goes in the end.
    pub(super) fn replaces(&self) -> Option<&str> {
        match self {
            Self::Make { replaces } | Self::Finish { replaces } => replaces.as_deref(),
            Self::Keep | Self::Refuse(_) => None,
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

/// A key as refusals name it: `AKIA… (active, made 2026-01-01T00:00:00Z, never used as far as the cloud says)`.
pub(super) fn described((key, last_used): &(Key, Option<String>)) -> String {
    let state = if key.active { "active" } else { INACTIVE };
    let made = key.created.map_or_else(String::new, |at| format!(", made {at}"));
    let used = match last_used {
        Some(used) => format!("last used {used}"),
        None => "never used as far as the cloud says".to_owned(),
    };
    format!("{} ({state}{made}, {used})", key.id)
}

/// Whether something the cloud dates was after something that we date.
fn is_since(theirs: Timestamp, ours: Timestamp) -> bool {
    theirs.duration_since(ours) > -CLOCKS_APART
}

const INACTIVE: &str = "inactive";

/// A clock that is off by more is told of; AWS takes no signature from farther away.
const CLOCKS_APART: SignedDuration = SignedDuration::from_mins(15);

#[cfg(test)]
mod tests;
