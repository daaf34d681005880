//! What can be wrong with a place that hands keys out, or with what leads to it. No variant has room for a secret.

use std::{io, time::Duration};

use super::{Error, Fault, lease::NoLease};

/// What is wrong with a profile.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ProfileFault {
    /// A role, and nothing that may put it on.
    #[error(
        "has `role_arn`, and neither `source_profile` nor `credential_source`: write where the key that may assume the role is"
    )]
    NoSource,
    /// A role, and two keys for it.
    #[error("has both `source_profile` and `credential_source`: keep one")]
    TwoSources,
    /// A source that nobody has.
    #[error("has a `credential_source` that is none: write Environment, Ec2InstanceMetadata or EcsContainer")]
    UnknownSource,
    /// The source is a good one, and has nothing.
    #[error(
        "has `credential_source = {named}`, and there is no key: set its variables, or name a `source_profile`"
    )]
    NothingThere {
        /// The source.
        named: String,
    },
    /// The source is no profile.
    #[error("has `source_profile = {named}`, and there is no such profile: write it, or correct the name")]
    NoSuchSource {
        /// The name.
        named: String,
    },
    /// The source holds nothing.
    #[error("has `source_profile = {named}`, and that profile has no key: write one there")]
    SourceWithoutKey {
        /// The name.
        named: String,
    },
    /// The profiles lead in a circle.
    #[error("has a `source_profile` that leads in a circle ({}): one of them must have a key", .way.join(" → "))]
    Loop {
        /// The profiles on the way.
        way: Vec<String>,
    },
    /// A person would have to type a code.
    #[error(
        "has `mfa_serial`, and nobody is there to type its codes: use a role whose trust policy asks for none, or \
         `credential_process`"
    )]
    Mfa,
    /// A web identity without its role.
    #[error("names no role: set AWS_ROLE_ARN, or write `role_arn` beside `web_identity_token_file`")]
    NoRole,
    /// A value is none of its sort.
    #[error("has a `{key}` that {sentence}")]
    Value {
        /// The setting or variable.
        key: &'static str,
        /// The rest of the sentence.
        sentence: String,
    },
    /// A person would have to sign in.
    #[error(
        "is one that a person signs in for (`sso_session`, `login_session`), which vigie cannot: make it a key with \
         `vigie bootstrap`, or write `credential_process = aws configure export-credentials --profile …` into another \
         profile"
    )]
    SignsIn,
    /// A command with a quote too many.
    #[error("has a `credential_process` with a quote that is not closed")]
    Unclosed,
    /// A command that would take a shell.
    #[error(
        "has a `credential_process` that begins with a variable (`NAME=value`), and no shell is there to set it: write a \
         script that sets it, and name that"
    )]
    VariableProcess,
    /// A command without a program.
    #[error("has a `credential_process` that names no program")]
    EmptyProcess,
}

/// What is wrong with a token's file.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TokenFault {
    /// It is no file to read.
    #[error("{0}")]
    File(Box<Fault>),
    /// It has no content.
    #[error("is empty, perhaps half-written: whatever writes it must move it into place")]
    Empty,
    /// It holds more than one word.
    #[error("holds a space, a line break or a control character inside its token: write the token alone")]
    Characters,
    /// No token is as long.
    #[error("holds more than 20000 characters, which is no token")]
    TooLong,
}

/// Why a program gave no key.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ProcessFault {
    /// It was not started, or not read.
    #[error("cannot be run ({0}): write its whole path, and let the user that vigie runs as execute it")]
    NotRun(io::ErrorKind),
    /// It failed.
    #[error("failed ({0}): run it as the user that vigie runs as, to see what it says")]
    Failed(String),
    /// It does not end.
    #[error("did not end within {} s and was ended: it must not wait for anybody", .0.as_secs())]
    TooLong(Duration),
    /// It prints more than a key.
    #[error("printed more than 64 KiB: it must print one JSON object with a key")]
    TooMuch,
    /// What it printed is no key.
    #[error(
        "printed what {0}: it must print `{{\"Version\": 1, \"AccessKeyId\": …, \"SecretAccessKey\": …}}`"
    )]
    Answer(#[from] NoLease),
}

/// What is wrong with an endpoint of the environment.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum EndpointFault {
    /// It is no URL, or leads to another host than it must.
    #[error("makes no URL to ask for a key: correct it, or do not set it")]
    NoUrl,
    /// A key must not come from there in the clear.
    #[error(
        "leads to {host} without TLS, and a key may come in the clear from this machine only (loopback, 169.254.170.2, \
         169.254.170.23, [fd00:ec2::23]): write https"
    )]
    Elsewhere {
        /// The host.
        host: String,
    },
}

impl ProfileFault {
    /// The error for this fault of a profile.
    pub(super) fn of(self, profile: &str) -> Error {
        Error::Profile {
            profile: profile.to_owned(),
            fault: self,
        }
    }
}

impl From<Fault> for TokenFault {
    fn from(fault: Fault) -> Self {
        Self::File(Box::new(fault))
    }
}
