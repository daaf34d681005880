//! Where a provider's own tools look for a key, and in which order.

use std::path::{Path, PathBuf};

use jiff::Timestamp;
use secrecy::{ExposeSecret as _, SecretString, zeroize::Zeroizing};

use super::{
    Credentials, Error, Fault, Variables, aws,
    file::Stamp,
    format::{Headers, may_be_in_a_key},
    remote::Remote,
};
use crate::paths;
use crate::provider::Provider;

/// Where a key was found.
#[derive(Debug)]
pub(super) enum Place {
    /// In the environment, which does not change while the process runs; perhaps with an end.
    Environment(Credentials, Option<Timestamp>),
    /// Under a profile of a file.
    File {
        path: PathBuf,
        profile: String,
        /// The setting or variable that named the file.
        named_by: &'static str,
        /// How the file names its profiles.
        headers: Headers,
    },
    /// With somebody who hands it out.
    Remote(Remote),
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
    /// The variable that tells until when a temporary key is good.
    expiration: Option<&'static str>,
}

impl Chain {
    pub(crate) fn of(provider: Provider) -> &'static Self {
        match provider {
            Provider::Outscale => &OUTSCALE,
            Provider::Aws => &AWS,
        }
    }

    /// The first place that is there. A profile named by the settings passes the environment's key over.
    pub(super) fn locate(
        &self,
        file: Option<&Path>,
        named_profile: Option<&str>,
        variables: &Variables,
    ) -> Result<Place, Error> {
        match self.provider {
            Provider::Outscale => self.locate_outscale(file, named_profile, variables),
            Provider::Aws => aws::locate(file, named_profile, variables),
        }
    }

    fn locate_outscale(
        &self,
        file: Option<&Path>,
        named_profile: Option<&str>,
        variables: &Variables,
    ) -> Result<Place, Error> {
        let place = |path, profile: Option<&str>, named_by| Place::File {
            path,
            profile: profile.unwrap_or(DEFAULT_PROFILE).to_owned(),
            named_by,
            headers: Headers::Bare,
        };
        if let Some(path) = file {
            return Ok(place(path.to_owned(), named_profile, NAMED_FILE));
        }
        let mut looked_at = Vec::new();
        if named_profile.is_none() {
            if let Some(place) = self.environment(variables)? {
                return Ok(place);
            }
            looked_at.push(format!("{} (not set)", self.id));
        }
        let by_variable = variable(variables, "OSC_PROFILE");
        for below in OUTSCALE_FILES {
            match look(below, variables) {
                Ok(path) => return Ok(place(path, named_profile.or(by_variable.as_deref()), HOME)),
                Err(passed_over) => looked_at.push(passed_over),
            }
        }
        Err(Error::NotFound {
            provider: self.provider,
            profile: named_profile.map(str::to_owned),
            looked_at,
        })
    }

    /// The key in the environment.
    pub(super) fn environment(&self, variables: &Variables) -> Result<Option<Place>, Error> {
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
        let credentials = Credentials {
            access_key_id: id.expose_secret().to_owned(),
            secret_access_key: secret,
            session_token,
        };
        let expires = match self
            .expiration
            .and_then(|name| Some((name, variable(variables, name)?)))
        {
            Some((name, text)) => Some(text.trim().parse().map_err(|_| Error::Time { name })?),
            None => None,
        };
        Ok(Some(Place::Environment(credentials, expires)))
    }
}

/// A file in the home directory, or why it was passed over.
pub(super) fn look(below: &str, variables: &Variables) -> Result<PathBuf, String> {
    let home = variable(variables, HOME).ok_or_else(|| format!("~/{below} (HOME is not set)"))?;
    let path = Path::new(&home).join(below);
    match Stamp::of(&path, HOME) {
        Err(Fault::Missing { .. }) => Err(format!("{} (not there)", paths::shown(&path))),
        // In a container, the home is often another user's.
        Err(Fault::Unreadable(kind)) => Err(format!("{} ({kind})", paths::shown(&path))),
        _ => Ok(path),
    }
}

/// A variable's value. An empty one is as good as unset, as for the clouds' own tools.
pub(super) fn variable(variables: &Variables, name: &str) -> Option<String> {
    variables(name).filter(|value| !value.trim().is_empty())
}

pub(super) fn secret(variables: &Variables, name: &'static str) -> Result<Option<SecretString>, Error> {
    let Some(value) = variable(variables, name).map(Zeroizing::new) else {
        return Ok(None);
    };
    let value = value.trim();
    if !may_be_in_a_key(value) {
        return Err(Error::Variable { name });
    }
    Ok(Some(SecretString::from(value)))
}

pub(super) fn expanded(path: &str, variables: &Variables) -> PathBuf {
    match (path.strip_prefix("~/"), variable(variables, HOME)) {
        (Some(below), Some(home)) => Path::new(&home).join(below),
        _ => PathBuf::from(path),
    }
}

/// The profile meant when nobody names one.
pub(crate) const DEFAULT_PROFILE: &str = "default";

pub(super) const HOME: &str = "HOME";

/// The present place before the one it had.
pub(super) const OUTSCALE_FILES: [&str; 2] = [".osc/config.json", ".osc_sdk/config.json"];

const OUTSCALE: Chain = Chain {
    provider: Provider::Outscale,
    id: "OSC_ACCESS_KEY",
    secret: "OSC_SECRET_KEY",
    tokens: &[],
    expiration: None,
};

const AWS: Chain = Chain {
    provider: Provider::Aws,
    id: "AWS_ACCESS_KEY_ID",
    secret: "AWS_SECRET_ACCESS_KEY",
    tokens: &["AWS_SESSION_TOKEN", "AWS_SECURITY_TOKEN"],
    expiration: Some("AWS_CREDENTIAL_EXPIRATION"),
};

/// What names a file before anything else does.
pub(super) const NAMED_FILE: &str =
    "`credentials_file` (`--credentials-file`); `vigie bootstrap` makes such a file";
