//! Where a provider's own tools look for a key, and in which order.

use std::path::{Path, PathBuf};

use secrecy::{ExposeSecret as _, SecretString, zeroize::Zeroizing};

use super::{Credentials, Error, Fault, Variables, file::Stamp, format::may_be_in_a_key};
use crate::provider::Provider;

/// Where a key was found.
#[derive(Debug)]
pub(super) enum Place {
    /// In the environment, which does not change while the process runs.
    Environment(Credentials),
    /// Under a profile of a file.
    File {
        path: PathBuf,
        profile: String,
        /// The setting or variable that named the file.
        named_by: &'static str,
    },
}

/// One provider's chain.
pub(crate) struct Chain {
    provider: Provider,
    /// The variable of the access key id.
    pub(crate) id: &'static str,
    /// The variable of the secret.
    pub(crate) secret: &'static str,
    /// The variables of the session token, the preferred one first.
    pub(crate) tokens: &'static [&'static str],
    profile: &'static str,
    files: &'static [Candidate],
}

enum Candidate {
    /// The file that a variable names.
    Named(&'static str),
    /// A file in the home directory.
    Home(&'static str),
}

impl Chain {
    pub(crate) fn of(provider: Provider) -> &'static Self {
        match provider {
            Provider::Outscale => &OUTSCALE,
            Provider::Aws => &AWS,
        }
    }

    /// The first place that is there. A profile named by the settings passes the environment's key over.
    pub(super) fn locate(&self, named_profile: Option<&str>, variables: &Variables) -> Result<Place, Error> {
        let mut looked_at = Vec::new();
        if named_profile.is_none() {
            if let Some(credentials) = self.environment(variables)? {
                return Ok(Place::Environment(credentials));
            }
            looked_at.push(format!("{} (not set)", self.id));
        }
        let profile = (named_profile.map(str::to_owned))
            .or_else(|| variable(variables, self.profile))
            .unwrap_or_else(|| DEFAULT_PROFILE.to_owned());
        for candidate in self.files {
            match candidate.look(variables) {
                Ok((path, named_by)) => {
                    return Ok(Place::File {
                        path,
                        profile,
                        named_by,
                    });
                }
                Err(passed_over) => looked_at.push(passed_over),
            }
        }
        Err(Error::NotFound {
            provider: self.provider,
            profile: named_profile.map(str::to_owned),
            looked_at,
        })
    }

    fn environment(&self, variables: &Variables) -> Result<Option<Credentials>, Error> {
        let half = |present, missing| Err(Error::HalfInEnvironment { present, missing });
        let (id, secret) = match (secret(variables, self.id)?, secret(variables, self.secret)?) {
            (Some(id), Some(secret)) => (id, secret),
            (None, None) => return Ok(None),
            (Some(_), None) => return half(self.id, self.secret),
            (None, Some(_)) => return half(self.secret, self.id),
        };
        let mut session_token = None;
        for name in self.tokens {
            if session_token.is_none() {
                session_token = self::secret(variables, name)?;
            }
        }
        Ok(Some(Credentials {
            access_key_id: id.expose_secret().to_owned(),
            secret_access_key: secret,
            session_token,
        }))
    }
}

impl Candidate {
    /// The file and what named it, or why it was passed over.
    fn look(&self, variables: &Variables) -> Result<(PathBuf, &'static str), String> {
        match *self {
            // Somebody wrote this path down: should nothing be there, that is the error to report.
            Self::Named(name) => match variable(variables, name) {
                Some(path) => Ok((expanded(&path, variables), name)),
                None => Err(format!("{name} (not set)")),
            },
            Self::Home(below) => {
                let home = variable(variables, HOME).ok_or_else(|| format!("~/{below} (HOME is not set)"))?;
                let path = Path::new(&home).join(below);
                match Stamp::of(&path, HOME) {
                    Err(Fault::Missing { .. }) => Err(format!("{} (not there)", path.display())),
                    // In a container, the home is often another user's.
                    Err(Fault::Unreadable(kind)) => Err(format!("{} ({kind})", path.display())),
                    _ => Ok((path, HOME)),
                }
            }
        }
    }
}

/// A variable's value. An empty one is as good as unset, as for the clouds' own tools.
fn variable(variables: &Variables, name: &str) -> Option<String> {
    variables(name).filter(|value| !value.trim().is_empty())
}

fn secret(variables: &Variables, name: &'static str) -> Result<Option<SecretString>, Error> {
    let Some(value) = variable(variables, name).map(Zeroizing::new) else {
        return Ok(None);
    };
    let value = value.trim();
    if !may_be_in_a_key(value) {
        return Err(Error::Variable { name });
    }
    Ok(Some(SecretString::from(value)))
}

fn expanded(path: &str, variables: &Variables) -> PathBuf {
    match (path.strip_prefix("~/"), variable(variables, HOME)) {
        (Some(below), Some(home)) => Path::new(&home).join(below),
        _ => PathBuf::from(path),
    }
}

/// The profile meant when nobody names one.
pub(crate) const DEFAULT_PROFILE: &str = "default";

const HOME: &str = "HOME";

const OUTSCALE: Chain = Chain {
    provider: Provider::Outscale,
    id: "OSC_ACCESS_KEY",
    secret: "OSC_SECRET_KEY",
    tokens: &[],
    profile: "OSC_PROFILE",
    files: &[
        Candidate::Home(".osc/config.json"),
        Candidate::Home(".osc_sdk/config.json"),
    ],
};

// The order of botocore's `create_credential_resolver`. AWS_PROFILE does not pass the environment's key over there
// either; only a profile named explicitly does.
const AWS: Chain = Chain {
    provider: Provider::Aws,
    id: "AWS_ACCESS_KEY_ID",
    secret: "AWS_SECRET_ACCESS_KEY",
    tokens: &["AWS_SESSION_TOKEN", "AWS_SECURITY_TOKEN"],
    profile: "AWS_PROFILE",
    files: &[
        Candidate::Named("AWS_SHARED_CREDENTIALS_FILE"),
        Candidate::Home(".aws/credentials"),
        Candidate::Named("AWS_CREDENTIAL_FILE"),
    ],
};
