//! One account's place to find its key: chosen once, then watched.

use std::{
    fmt,
    path::PathBuf,
    sync::{Arc, Mutex, PoisonError},
};

use secrecy::{ExposeSecret as _, SecretString};

use super::{
    Credentials, Error, Fault, Variables,
    chain::{Chain, DEFAULT_PROFILE, Place},
    file::{self, Stamp},
    format::Profile,
};
use crate::provider::Provider;

/// The key in force.
#[derive(Debug, Clone)]
pub struct Current {
    /// The key.
    pub credentials: Arc<Credentials>,
    /// Changes whenever the key does.
    pub generation: u64,
    /// `environment`, `file`, or the name of a fixed source.
    pub source: &'static str,
}

/// One account's place to find its key.
///
/// The place is chosen at the first success and kept: a file that is gone for a moment while it is replaced does
/// not make the agent turn to another key.
pub struct Source {
    provider: Provider,
    file: Option<PathBuf>,
    profile: Option<String>,
    variables: Variables,
    found: Mutex<Option<Found>>,
}

impl Source {
    /// A source for one account. An explicit file wins over everything, a named profile over the environment's key.
    pub fn new(
        provider: Provider,
        file: Option<PathBuf>,
        profile: Option<String>,
        variables: Variables,
    ) -> Self {
        Self {
            provider,
            file,
            profile,
            variables,
            found: Mutex::default(),
        }
    }

    /// A source of one key that does not change, such as one that was just made. `name` says what it is.
    pub fn fixed(provider: Provider, credentials: Credentials, name: &'static str) -> Self {
        let source = Self::new(provider, None, None, Arc::new(|_| None));
        let found = Found::Fixed(Current::new(credentials, name));
        Self {
            found: Mutex::new(Some(found)),
            ..source
        }
    }

    /// The key in force. Looks at the file's metadata each time, and reads it again when they changed.
    ///
    /// While a changed file is of no use (half-written, gone), this stays the last good key.
    pub fn current(&self) -> Result<Current, Error> {
        self.refresh(false)
    }

    /// The key in force, after reading the file again whatever its metadata say.
    ///
    /// For use after an authentication failure: a file may change twice within one tick of the file system's clock.
    pub fn reread(&self) -> Result<Current, Error> {
        self.refresh(true)
    }

    fn refresh(&self, unconditionally: bool) -> Result<Current, Error> {
        // A panic elsewhere cannot leave this half-changed: it is replaced whole.
        let mut found = self.found.lock().unwrap_or_else(PoisonError::into_inner);
        let settled = match found.take() {
            Some(settled) if settled.is_settled() => settled,
            before => self.locate(before)?,
        };
        match found.insert(settled) {
            Found::Fixed(current) => Ok(current.clone()),
            Found::File(watched) => watched.refresh(unconditionally),
        }
    }

    /// Chooses the place; what was watched there `before`, without success so far, is watched on.
    fn locate(&self, before: Option<Found>) -> Result<Found, Error> {
        let place = match &self.file {
            Some(path) => Place::File {
                path: path.clone(),
                profile: (self.profile.clone()).unwrap_or_else(|| DEFAULT_PROFILE.to_owned()),
                named_by: "`credentials_file`",
            },
            None => Chain::of(self.provider).locate(self.profile.as_deref(), &self.variables)?,
        };
        Ok(match (place, before) {
            (Place::Environment(credentials), _) => Found::Fixed(Current::new(credentials, "environment")),
            (Place::File { path, .. }, Some(Found::File(watched))) if watched.path == path => {
                Found::File(watched)
            }
            (
                Place::File {
                    path,
                    profile,
                    named_by,
                },
                _,
            ) => Found::File(Box::new(Watched {
                path,
                profile,
                named: self.profile.is_some(),
                named_by,
                good: None,
                looked_at: None,
                complained_of: None,
            })),
        })
    }
}

impl fmt::Debug for Source {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Source")
            .field("provider", &self.provider)
            .field("file", &self.file)
            .field("profile", &self.profile)
            .finish_non_exhaustive()
    }
}

impl Current {
    fn new(credentials: Credentials, source: &'static str) -> Self {
        Self {
            credentials: Arc::new(credentials),
            generation: 1,
            source,
        }
    }

    /// The same if the key is: a touched file does not open a breaker that waits for a new key.
    fn followed_by(&self, credentials: Credentials) -> Self {
        if same_key(&self.credentials, &credentials) {
            return self.clone();
        }
        Self {
            credentials: Arc::new(credentials),
            generation: self.generation + 1,
            source: self.source,
        }
    }
}

enum Found {
    /// The environment's, or one given from within.
    Fixed(Current),
    File(Box<Watched>),
}

impl Found {
    fn is_settled(&self) -> bool {
        match self {
            Self::Fixed(_) => true,
            Self::File(watched) => watched.good.is_some(),
        }
    }
}

/// One profile of one file.
struct Watched {
    path: PathBuf,
    profile: String,
    /// The profile was asked for by the settings, not by a default.
    named: bool,
    named_by: &'static str,
    good: Option<(Stamp, Current)>,
    /// What the file looked like at the last look, good or not.
    looked_at: Option<Stamp>,
    complained_of: Option<Fault>,
}

impl Watched {
    fn refresh(&mut self, unconditionally: bool) -> Result<Current, Error> {
        let look = Stamp::of(&self.path, self.named_by);
        if !unconditionally
            && let (Ok(stamp), Some((seen, current))) = (&look, &self.good)
            && stamp == seen
        {
            return Ok(current.clone());
        }
        let changed = self.looked_at != look.as_ref().ok().copied();
        self.looked_at = look.as_ref().ok().copied();
        if let Ok(stamp) = &look
            && changed
        {
            self.warn_of_readers(stamp);
        }
        let profile = Profile {
            name: &self.profile,
            named: self.named,
        };
        let read = look.and_then(|stamp| Ok((stamp, file::read(&self.path, &stamp, profile)?)));
        match (read, &self.good) {
            (Ok((stamp, credentials)), before) => {
                let current = match before {
                    Some((_, current)) => current.followed_by(credentials),
                    None => Current::new(credentials, "file"),
                };
                self.good = Some((stamp, current.clone()));
                self.complained_of = None;
                Ok(current)
            }
            (Err(fault), Some((_, current))) => {
                if changed || self.complained_of.as_ref() != Some(&fault) {
                    let suffix = current.credentials.suffix();
                    let error = fault.clone().of(&self.path);
                    tracing::warn!(access_key_suffix = suffix, "keeping the key in force: {error}");
                }
                self.complained_of = Some(fault);
                Ok(current.clone())
            }
            (Err(fault), None) => Err(fault.of(&self.path)),
        }
    }

    fn warn_of_readers(&self, stamp: &Stamp) {
        if let Some(mode) = stamp.loose_mode(&self.path) {
            let path = self.path.display();
            tracing::warn!(
                "credentials file {path} has mode {mode:04o}, so others can read it: run `chmod 600 {path}`"
            );
        }
    }
}

fn same_key(one: &Credentials, other: &Credentials) -> bool {
    fn exposed(token: Option<&SecretString>) -> Option<&str> {
        token.map(SecretString::expose_secret)
    }
    one.access_key_id == other.access_key_id
        && one.secret_access_key.expose_secret() == other.secret_access_key.expose_secret()
        && exposed(one.session_token.as_ref()) == exposed(other.session_token.as_ref())
}

#[cfg(test)]
mod tests;
