//! What can be wrong with settings: where it stands, what was found, what to write.

use std::{
    fmt,
    path::{Path, PathBuf},
};

use super::values::shortened;
use crate::paths;

/// Why there are no settings.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// Neither a settings file nor an account's flags were given.
    #[error(
        "no account to watch: name a settings file with --config, or one account with --provider and --region"
    )]
    NoAccount,
    /// The settings file cannot be read as one.
    #[error("settings file {} {problem}", paths::shown(.path))]
    File {
        /// The file.
        path: PathBuf,
        /// What is wrong with it, and what to do.
        problem: String,
    },
    /// One setting is wrong.
    #[error("{origin}: {fault}")]
    Setting {
        /// Where the setting comes from.
        origin: Origin,
        /// What is wrong with it.
        fault: Fault,
    },
    /// A variable would be ignored for want of an underscore.
    #[error("environment variable {found} is not read: write {write}, with two underscores")]
    SingleUnderscore {
        /// The variable that is set.
        found: String,
        /// The variable that was meant.
        write: String,
    },
}

/// Where a setting comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Origin {
    /// The settings file.
    File(PathBuf),
    /// A variable of the environment.
    Variable(String),
    /// The flags of a single account.
    Flags,
}

impl fmt::Display for Origin {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File(path) => write!(formatter, "settings file {}", paths::shown(path)),
            Self::Variable(name) => write!(formatter, "environment variable {name}"),
            Self::Flags => formatter.write_str("command line"),
        }
    }
}

/// What is wrong with one setting.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    /// The path of the key, as in `account[0].regions`.
    pub key: String,
    /// What is wrong there.
    pub problem: Problem,
}

/// What is wrong at a key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Problem {
    /// There is no such key.
    UnknownKey {
        /// The keys that are known there.
        known: Vec<&'static str>,
    },
    /// A key that must be there is not.
    Missing,
    /// The value has the wrong type.
    Type {
        /// What was found.
        found: String,
        /// What belongs there.
        expected: String,
    },
    /// The value is none of the possible ones.
    NoneOf {
        /// What was found.
        found: String,
        /// The possible values.
        known: Vec<&'static str>,
    },
    /// Anything else, as the rest of a sentence that starts with the key.
    Value(String),
}

impl Fault {
    /// A fault at a key, in words that go on after it.
    pub(super) fn value(key: impl Into<String>, sentence: impl Into<String>) -> Self {
        Self {
            key: key.into(),
            problem: Problem::Value(sentence.into()),
        }
    }

    /// The same, one level further out.
    pub(super) fn under(mut self, segment: &str) -> Self {
        let dot = if self.key.is_empty() || self.key.starts_with('[') {
            ""
        } else {
            "."
        };
        // The one list of tables, which TOML writes in a way of its own.
        if let ("account", "", Problem::Type { expected, .. }) =
            (segment, self.key.as_str(), &mut self.problem)
        {
            "`[[account]]`, in two pairs of brackets, once for each account".clone_into(expected);
        }
        self.key = format!("{segment}{dot}{}", self.key);
        self
    }

    pub(super) fn in_file(self, path: &Path) -> Error {
        Error::Setting {
            origin: Origin::File(path.to_owned()),
            fault: self,
        }
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let key = self.key.as_str();
        let last = key.rsplit('.').next().unwrap_or(key);
        match &self.problem {
            Problem::UnknownKey { known } => match nearest(last, known) {
                Some(nearest) => write!(formatter, "unknown key `{key}`: did you mean `{nearest}`?"),
                None => write!(
                    formatter,
                    "unknown key `{key}`: the keys known there are {}",
                    listed(known)
                ),
            },
            Problem::Missing => write!(formatter, "`{key}` is missing: write {}", example(last)),
            Problem::Type { found, expected } => {
                write!(formatter, "`{key}` is {found}: write {expected}")
            }
            Problem::NoneOf { found, known } => match nearest(found, known) {
                Some(nearest) => write!(
                    formatter,
                    "`{key}` is {:?}: did you mean \"{nearest}\"?",
                    shortened(found)
                ),
                None => write!(
                    formatter,
                    "`{key}` is {:?}: write {}",
                    shortened(found),
                    alternatives(known)
                ),
            },
            Problem::Value(sentence) => write!(formatter, "`{key}` {sentence}"),
        }
    }
}

/// The known word that a typo most likely meant.
fn nearest(word: &str, known: &[&'static str]) -> Option<&'static str> {
    let tolerated = (word.chars().count() / 3).max(1);
    known
        .iter()
        .map(|candidate| {
            (
                strsim::damerau_levenshtein(&word.to_lowercase(), candidate),
                *candidate,
            )
        })
        .filter(|(distance, _)| *distance <= tolerated)
        .min()
        .map(|(_, candidate)| candidate)
}

/// Names in backquotes, with commas.
pub(super) fn listed(names: &[&str]) -> String {
    if names.is_empty() {
        return "none".to_owned();
    }
    let quoted: Vec<_> = names.iter().map(|name| format!("`{name}`")).collect();
    quoted.join(", ")
}

fn alternatives(names: &[&str]) -> String {
    let quoted: Vec<_> = names.iter().map(|name| format!("\"{name}\"")).collect();
    quoted.join(" or ")
}

fn example(key: &str) -> &'static str {
    match key {
        "account" => "at least one, under `[[account]]`",
        "name" => "`name = \"prod\"`, what the `account` label will say",
        "provider" => "`provider = \"outscale\"` or `provider = \"aws\"`",
        "regions" => "`regions = [\"eu-west-2\"]`",
        "--region" => "`--region eu-west-2`",
        _ => "it",
    }
}
