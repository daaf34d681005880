//! What can be wrong with a place that should hold a key. No variant has room for a line of a file or a value.

use std::{
    io,
    path::{Path, PathBuf},
};

use super::fault::{EndpointFault, ProcessFault, ProfileFault, TokenFault};
use crate::paths;
use crate::provider::Provider;

/// Why there is no key.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// No place of the provider's usual chain holds a key.
    #[error(
        "no key for {provider}: looked at {}; {}, or name a file with `credentials_file`",
        .looked_at.join(", "),
        provide(*.provider, .profile.as_deref()),
    )]
    NotFound {
        /// Whose chain was walked.
        provider: Provider,
        /// The profile that the settings name, for which the environment does not count.
        profile: Option<String>,
        /// Each place, and what was found there.
        looked_at: Vec<String>,
    },
    /// One half of a key is in the environment, the other is not.
    #[error("{present} is set but {missing} is not: set both, or neither")]
    HalfInEnvironment {
        /// The variable that is set.
        present: &'static str,
        /// The variable that is not.
        missing: &'static str,
    },
    /// A variable holds something that cannot be part of a key.
    #[error("the value of {name} {CHARACTERS}")]
    Variable {
        /// The variable.
        name: &'static str,
    },
    /// A credentials file is of no use.
    #[error("credentials file {} {fault}", paths::shown(.path))]
    File {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        fault: Fault,
    },
    /// A profile does not say where its key is, or says what cannot be.
    #[error("profile `{profile}` {fault}")]
    Profile {
        /// The profile.
        profile: String,
        /// What is wrong with it.
        fault: ProfileFault,
    },
    /// The environment's web identity is not whole.
    #[error("the web identity of AWS_WEB_IDENTITY_TOKEN_FILE {fault}")]
    WebIdentity {
        /// What is wrong with it.
        fault: ProfileFault,
    },
    /// A token's file is of no use.
    #[error("the token file {} ({named_by}) {fault}", paths::shown(.path))]
    Token {
        /// The file.
        path: PathBuf,
        /// The variable or setting that named it.
        named_by: String,
        /// What is wrong with it.
        fault: TokenFault,
    },
    /// A program gave no key.
    #[error("the program `{}` (`credential_process` of profile `{profile}`) {fault}", paths::shown(Path::new(.program)))]
    Process {
        /// The profile.
        profile: String,
        /// The program, without its arguments.
        program: String,
        /// What went wrong.
        fault: ProcessFault,
    },
    /// A variable leads to no place that may be asked for a key.
    #[error("{name} {fault}")]
    Endpoint {
        /// The variable.
        name: &'static str,
        /// What is wrong with it.
        fault: EndpointFault,
    },
    /// A variable holds no number, or one out of range.
    #[error("{name} is no number from {least} to {most}: write one, or do not set it")]
    Number {
        /// The variable.
        name: &'static str,
        /// The least it may be.
        least: u64,
        /// The most it may be.
        most: u64,
    },
    /// A variable holds no time.
    #[error("{name} is no time such as 2030-01-01T00:00:00Z: correct it, or do not set it")]
    Time {
        /// The variable.
        name: &'static str,
    },
}

impl Error {
    /// What is wrong, without the path of a file: for whoever may read the page, but has no business on the machine.
    pub fn without_path(&self) -> String {
        match self {
            Self::File { fault, .. } => format!("the credentials file, which the log names, {fault}"),
            Self::Token { named_by, fault, .. } => format!("the token file ({named_by}) {fault}"),
            other => other.to_string(),
        }
    }
}

/// What is wrong with a credentials file.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Fault {
    /// There is nothing at this path.
    #[error("does not exist: write it, or correct its name{}", in_place(.named_by))]
    Missing {
        /// The setting or variable the path comes from.
        named_by: &'static str,
    },
    /// It may not be read, or reading failed.
    #[error("cannot be read ({0}): make it readable to the user that vigie runs as, and to nobody else")]
    Unreadable(io::ErrorKind),
    /// It is a directory.
    #[error("is a directory: name the file in it")]
    Directory,
    /// It is a pipe, a socket or a device.
    #[error("is not a regular file: vigie reads it again when it changes, so name a regular file")]
    Special,
    /// It has no content.
    #[error("is empty: {FORMAT}")]
    Empty,
    /// It is not UTF-8.
    #[error("is not UTF-8 text: save it as UTF-8; {FORMAT}")]
    Binary,
    /// It is larger than any credentials file.
    #[error("is larger than 1 MiB, so it is not a credentials file: {FORMAT}")]
    TooLarge,
    /// It is in none of the known formats.
    #[error("is in no known format (see line {line}): {FORMAT}")]
    UnknownFormat {
        /// The first line that was not understood.
        line: usize,
    },
    /// Keys stand above the first profile.
    #[error("has `{key}` outside any profile: write `[default]` on a line of its own above it")]
    OutsideProfile {
        /// The key as the format spells it.
        key: &'static str,
    },
    /// The JSON ends too early.
    #[error("ends in the middle of its JSON, perhaps half-written: write it whole, then move it into place")]
    Cut,
    /// It starts like JSON, but is none, or holds something else than text for a key.
    #[error("does not read as OUTSCALE's config.json at line {line}, column {column}: {JSON_FORMAT}")]
    InvalidJson {
        /// Where the parser stopped.
        line: usize,
        /// Where the parser stopped.
        column: usize,
    },
    /// The profile is not there.
    #[error("has no profile `{profile}`: {}", those_there(.there))]
    UnknownProfile {
        /// The profile asked for.
        profile: String,
        /// The profiles that are there.
        there: Vec<String>,
    },
    /// A profile was asked for from a format that has none.
    #[error("is in the format `AWSAccessKeyId=…`, which has no profiles: remove `profile = \"{profile}\"`")]
    NoProfiles {
        /// The profile asked for.
        profile: String,
    },
    /// The profile or one of its values is there twice.
    #[error("has {what} twice: keep one")]
    Twice {
        /// What is there twice.
        what: String,
    },
    /// The profile has neither half of a key.
    #[error("has no key {place}: write `{id}` and `{secret}` there")]
    NoKey {
        /// Where it was looked for.
        place: String,
        /// How this format spells the key id.
        id: &'static str,
        /// How this format spells the secret.
        secret: &'static str,
    },
    /// The profile has one half of a key.
    #[error("has `{present}` but no `{missing}` {place}, perhaps half-written: write both")]
    Half {
        /// The half that is there.
        present: &'static str,
        /// The half that is not.
        missing: &'static str,
        /// Where it was looked for.
        place: String,
    },
    /// A value has nothing in it.
    #[error("has `{key}` {place} with no value: write the value after it")]
    EmptyValue {
        /// The key as the format spells it.
        key: &'static str,
        /// Where it stands.
        place: String,
    },
    /// A value holds something that cannot be part of a key.
    #[error("has `{key}` {place} with a value that {CHARACTERS}")]
    Characters {
        /// The key as the format spells it.
        key: &'static str,
        /// Where it stands.
        place: String,
    },
}

impl Fault {
    /// The error for this fault of a file.
    pub(super) fn of(self, path: impl Into<PathBuf>) -> Error {
        Error::File {
            path: path.into(),
            fault: self,
        }
    }
}

fn in_place(named_by: &str) -> String {
    if named_by.is_empty() {
        return String::new();
    }
    format!(" in {named_by}")
}

fn provide(provider: Provider, profile: Option<&str>) -> String {
    if let Some(profile) = profile {
        return format!("write the profile `{profile}` into one of them");
    }
    let advice = match provider {
        Provider::Outscale => "set OSC_ACCESS_KEY and OSC_SECRET_KEY",
        Provider::Aws => "set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY",
    };
    advice.to_owned()
}

fn those_there(names: &[String]) -> String {
    if names.is_empty() {
        return FORMAT.to_owned();
    }
    // A name that does not look like one is not repeated: in a mangled file it could be anything.
    let mut shown: Vec<_> = names
        .iter()
        .filter(|name| looks_like_a_profile(name))
        .map(|name| format!("`{name}`"))
        .take(LISTED)
        .collect();
    let rest = names.len() - shown.len();
    if shown.is_empty() {
        return "check the names of its profiles, none of which looks like one".to_owned();
    }
    if rest > 0 {
        shown.push(format!("{rest} more"));
    }
    format!("write in `profile` one of those it has, {}", shown.join(", "))
}

fn looks_like_a_profile(name: &str) -> bool {
    name.chars().count() <= 32
        && name
            .chars()
            .all(|character| character.is_alphanumeric() || " -_.@".contains(character))
}

const LISTED: usize = 12;
const FORMAT: &str =
    "write `[default]`, `aws_access_key_id = …` and `aws_secret_access_key = …`, each on its own line";
const JSON_FORMAT: &str = r#"write `{"default": {"access_key": "…", "secret_key": "…"}}`"#;
const CHARACTERS: &str = "holds a space, a control character or a letter that no key has: copy it again, without quotes or line breaks";
