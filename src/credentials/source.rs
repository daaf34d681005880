//! One account's place to find its key: chosen once, then watched.

use std::{
    fmt,
    path::PathBuf,
    sync::{Arc, Mutex, PoisonError},
};

use secrecy::{ExposeSecret as _, SecretString};

use jiff::Timestamp;
use tracing::{info, warn};

use super::{
    Credentials, Error, Fault, Variables, aws,
    chain::{Chain, Place},
    file::{self, Stamp},
    format::{Headers, Profile},
    remote::{Base, Remote},
    role::Role,
};
use crate::paths;
use crate::provider::Provider;
use crate::repeated::Repeated;

/// The key in force.
#[derive(Debug, Clone)]
pub struct Current {
    /// The key.
    pub credentials: Arc<Credentials>,
    /// Changes whenever the key does.
    pub generation: u64,
    /// `environment`, `file`, the name of a remote place or of a fixed source.
    pub source: &'static str,
    /// The file that holds it, and the profile if one was asked for, as people read it.
    pub place: Option<Arc<str>>,
    /// When it runs out, if that is known.
    pub expires: Option<Timestamp>,
}

/// What a look at an account's place finds.
#[derive(Debug, Clone)]
pub enum Found {
    /// A key.
    Key(Current),
    /// Somebody who hands one out.
    Remote(Arc<Remote>),
}

/// What the files looked like that a key depends on: where this differs, another try may go another way.
pub type Marks = Vec<Option<Stamp>>;

/// One account's place to find its key.
///
/// The place is chosen at the first success and kept: a file that is gone for a moment while it is replaced does
/// not make the agent turn to another key.
pub struct Source {
    provider: Provider,
    file: Option<PathBuf>,
    profile: Option<String>,
    /// Put on with whatever key is found.
    role: Option<Role>,
    variables: Variables,
    place: Mutex<Option<Watch>>,
    /// Looks for the place in vain, while whoever was found there before is asked on.
    lost: Mutex<Repeated<String>>,
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
            role: None,
            variables,
            place: Mutex::default(),
            lost: Mutex::default(),
        }
    }

    /// The same, whose key is used only to put on this role.
    #[must_use]
    pub fn assuming(self, role: Option<Role>) -> Self {
        Self { role, ..self }
    }

    /// A source of one key that does not change, such as one that was just made. `name` says what it is.
    pub fn fixed(provider: Provider, credentials: Credentials, name: &'static str) -> Self {
        let source = Self::new(provider, None, None, Arc::new(|_| None));
        let watch = Watch::Fixed(Current::new(credentials, name, None));
        Self {
            place: Mutex::new(Some(watch)),
            ..source
        }
    }

    /// The key in force, or who hands it out. Looks at a key file's metadata each time, and reads it again when they
    /// changed.
    ///
    /// While a changed file is of no use (half-written, gone), this stays the last good key.
    pub fn look(&self) -> Result<Found, Error> {
        self.refresh(false)
    }

    /// The same, after reading the file again whatever its metadata say.
    ///
    /// For use after an authentication failure: a file may change twice within one tick of the file system's clock.
    pub fn reread(&self) -> Result<Found, Error> {
        self.refresh(true)
    }

    /// What the files look like that the key depends on.
    pub fn marks(&self) -> Marks {
        let mut files = match (&self.file, self.provider) {
            (Some(file), _) => vec![file.clone()],
            (None, Provider::Aws) => aws::files(&self.variables),
            (None, Provider::Outscale) => Vec::new(),
        };
        let place = self.place.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(Watch::Remote(remote)) = &*place {
            files.extend(remote.files());
        }
        files.iter().map(|path| Stamp::of(path, "").ok()).collect()
    }

    fn refresh(&self, unconditionally: bool) -> Result<Found, Error> {
        // A panic elsewhere cannot leave this half-changed: it is replaced whole.
        let mut place = self.place.lock().unwrap_or_else(PoisonError::into_inner);
        let settled = match place.take() {
            Some(settled) if settled.is_settled() => settled,
            before => self.locate(before)?,
        };
        let found = match place.insert(settled) {
            Watch::Fixed(current) => Found::Key(current.clone()),
            Watch::File(watched) => Found::Key(watched.refresh(unconditionally)?),
            Watch::Remote(remote) => Found::Remote(Arc::clone(remote)),
        };
        let Some(role) = &self.role else {
            return Ok(found);
        };
        let base = match found {
            Found::Key(current) => Base::Key(Credentials::clone(&current.credentials)),
            Found::Remote(remote) => Base::Remote(remote),
        };
        Ok(Found::Remote(Arc::new(Remote::Role {
            role: role.clone(),
            base,
        })))
    }

    /// Chooses the place; what was watched there `before`, without success so far, is watched on.
    fn locate(&self, before: Option<Watch>) -> Result<Watch, Error> {
        let located =
            Chain::of(self.provider).locate(self.file.as_deref(), self.profile.as_deref(), &self.variables);
        if let Some(Watch::Remote(remote)) = &before
            && remote.is_of_a_profile()
        {
            let is_below =
                |place: &Place| matches!(place, Place::Remote(remote) if !remote.is_of_a_profile());
            match &located {
                Ok(place) if !is_below(place) => {}
                Ok(_) => return Ok(Watch::Remote(Arc::clone(remote))),
                Err(error) => {
                    let error = error.to_string();
                    let mut lost = self.lost.lock().unwrap_or_else(PoisonError::into_inner);
                    if let Some(count) = lost.again(error.clone()) {
                        let place = remote.to_string();
                        warn!(
                            place,
                            count, error, "the key's place is not found; going on with the one before"
                        );
                    }
                    return Ok(Watch::Remote(Arc::clone(remote)));
                }
            }
        }
        let located = located?;
        let over = self.lost.lock().unwrap_or_else(PoisonError::into_inner).over();
        if let Some(over) = over {
            info!(
                failures = over.failures,
                seconds = over.lasted.as_secs(),
                "the key's place is found again"
            );
        }
        Ok(match (located, before) {
            (Place::Environment(credentials, expires), _) => {
                Watch::Fixed(Current::new(credentials, "environment", expires))
            }
            (Place::Remote(remote), _) => Watch::Remote(Arc::new(remote)),
            (Place::File { path, .. }, Some(Watch::File(watched))) if watched.path == path => {
                Watch::File(watched)
            }
            (
                Place::File {
                    path,
                    profile,
                    named_by,
                    headers,
                },
                _,
            ) => Watch::File(Box::new(Watched {
                path,
                profile,
                named: self.profile.is_some(),
                named_by,
                headers,
                good: None,
                looked_at: None,
                complaints: Repeated::default(),
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
            .field("role", &self.role)
            .finish_non_exhaustive()
    }
}

impl Current {
    /// The first key of a place.
    pub(crate) fn new(credentials: Credentials, source: &'static str, expires: Option<Timestamp>) -> Self {
        Self {
            credentials: Arc::new(credentials),
            generation: 1,
            source,
            place: None,
            expires,
        }
    }

    /// Where it comes from, for people.
    pub fn from_where(&self) -> String {
        match &self.place {
            Some(place) => format!("{} {place}", self.source),
            None => self.source.to_owned(),
        }
    }

    /// The same if the key is: a touched file does not open a breaker that waits for a new key.
    pub(crate) fn followed_by(&self, credentials: Credentials) -> Self {
        if same_key(&self.credentials, &credentials) {
            return self.clone();
        }
        Self {
            credentials: Arc::new(credentials),
            generation: self.generation + 1,
            ..self.clone()
        }
    }
}

enum Watch {
    /// The environment's, or one given from within.
    Fixed(Current),
    File(Box<Watched>),
    Remote(Arc<Remote>),
}

impl Watch {
    fn is_settled(&self) -> bool {
        match self {
            Self::Fixed(_) => true,
            Self::File(watched) => watched.good.is_some(),
            // Profiles may change, and what comes late is found: looked for again before each asking.
            Self::Remote(_) => false,
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
    headers: Headers,
    good: Option<(Stamp, Current)>,
    /// What the file looked like at the last look, good or not.
    looked_at: Option<Stamp>,
    complaints: Repeated<Fault>,
}

impl Watched {
    fn place(&self) -> String {
        let path = paths::shown(&self.path);
        if self.named {
            format!("{path}, profile `{}`", self.profile)
        } else {
            path.to_string()
        }
    }

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
            && let Some(readable) = stamp.readable(&self.path)
        {
            readable.warn("credentials file");
        }
        let profile = Profile {
            name: &self.profile,
            named: self.named,
            headers: self.headers,
        };
        let read = look.and_then(|stamp| Ok((stamp, file::read(&self.path, self.named_by, profile)?)));
        match (read, &self.good) {
            (Ok((stamp, credentials)), before) => {
                let current = match before {
                    Some((_, current)) => current.followed_by(credentials),
                    None => Current {
                        place: Some(self.place().into()),
                        ..Current::new(credentials, "file", None)
                    },
                };
                self.good = Some((stamp, current.clone()));
                if let Some(over) = self.complaints.over() {
                    info!(
                        path = %paths::shown(&self.path),
                        key = current.credentials.suffix(),
                        failures = over.failures,
                        seconds = over.lasted.as_secs(),
                        "the credentials file is of use again"
                    );
                }
                Ok(current)
            }
            (Err(fault), Some((_, current))) => {
                if let Some(count) = self.complaints.again(fault.clone()) {
                    warn!(
                        path = %paths::shown(&self.path),
                        key = current.credentials.suffix(),
                        count,
                        error = %fault.of(&self.path),
                        "the credentials file is of no use; keeping the key in force"
                    );
                }
                Ok(current.clone())
            }
            (Err(fault), None) => Err(fault.of(&self.path)),
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
