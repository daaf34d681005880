//! The file that a key is written to: in which format, and how nothing is lost on the way. Speaks to no cloud.
//!
//! The order is the point: [`KeyFile::open`] looks, [`KeyFile::begin`] proves that writing will work and notes what
//! is about to be done; only then is a key made. [`Begun::write_beside`] and [`Beside::swap`] put it in place.

mod begun;
mod disk;
mod edit;
mod env;
mod error;
mod format;
mod ini;
mod journal;
mod k8s_secret;
mod osc;
mod place;

use std::{
    fmt, fs,
    os::unix::fs::MetadataExt as _,
    path::{Path, PathBuf},
    sync::Arc,
};

use secrecy::{ExposeSecret as _, zeroize::Zeroizing};

pub use begun::{Begun, Beside};
pub use error::{Error, ErrorKind, Refusal};
pub use format::{Format, render};
pub use journal::Journal;

use crate::{credentials::Credentials, provider::Provider};
use place::Place;

/// One profile of one file, as it was when it was looked at.
#[derive(Clone)]
pub struct KeyFile(Arc<Inner>);

struct Inner {
    /// As it was named.
    path: PathBuf,
    place: Place,
    format: Format,
    profile: String,
    provider: Provider,
    content: Option<Zeroizing<String>>,
    key: Option<Credentials>,
    journal: Option<Journal>,
}

impl KeyFile {
    /// Looks at the place, and changes nothing there.
    ///
    /// Without a format, it is the one that the file has, or INI for a new one. A symbolic link is followed: it
    /// stays, and what it leads to is replaced.
    pub fn open(
        path: &Path,
        format: Option<Format>,
        profile: &str,
        provider: Provider,
    ) -> Result<Self, Error> {
        if let Some(format) = format {
            format.accepts(profile)?;
        }
        let place = Place::find(path)?;
        let content = place.content(path)?;
        let refused = |refusal: Refusal| refusal.of(path);
        let text = content.as_ref().map_or("", |content| content.as_str());
        let format = Format::of(text, format).map_err(refused)?;
        format.accepts(profile)?;
        let key = format.read(text, profile, provider).map_err(refused)?;
        let journal = journal::left_at(&place.journal, path)?;
        Ok(Self(Arc::new(Inner {
            path: path.to_owned(),
            place,
            format,
            profile: profile.to_owned(),
            provider,
            content,
            key,
            journal,
        })))
    }

    /// The path it was opened by.
    pub fn path(&self) -> &Path {
        &self.0.path
    }

    /// How the key is written there.
    pub fn format(&self) -> Format {
        self.0.format
    }

    /// The key that stands there for the profile.
    pub fn key(&self) -> Option<&Credentials> {
        self.0.key.as_ref()
    }

    /// The mode of the file that is there now, if it lets others in: what is written has mode 0600.
    pub fn loose_mode(&self) -> Option<u32> {
        let metadata = fs::metadata(&self.0.place.target).ok()?;
        Some(metadata.mode() & 0o777).filter(|mode| mode & 0o077 != 0)
    }

    /// What an interrupted run left behind.
    pub fn journal(&self) -> Option<&Journal> {
        self.0.journal.as_ref()
    }

    /// Proves that the file can be replaced, and leaves all as it was.
    pub fn try_out(&self) -> Result<(), Error> {
        begun::try_out(self)
    }

    /// Proves that the file can be replaced, and notes what is about to be done.
    ///
    /// To be called before a key is made, and once for each time the file is opened. The note of an interrupted run
    /// is overwritten: its reader has seen it in [`Self::journal`]. When this fails, all is as it was before.
    pub fn begin(&self, journal: Journal) -> Result<Begun, Error> {
        Begun::new(self.clone(), journal)
    }

    /// The whole new content, proven to read back as this key.
    fn with(&self, credentials: &Credentials) -> Result<Zeroizing<String>, Error> {
        let Inner {
            path,
            format,
            profile,
            provider,
            ..
        } = &*self.0;
        let text = self.0.content.as_ref().map_or("", |content| content.as_str());
        let edited =
            (format.edited(text, profile, *provider, credentials)).map_err(|refusal| refusal.of(path))?;
        match format.read(&edited, profile, *provider) {
            Ok(Some(read)) if same(&read, credentials) => Ok(edited),
            _ => Err(Error::Unproven { path: path.clone() }),
        }
    }

    /// Fails if the file is not what it was when it was looked at.
    fn is_unchanged(&self) -> Result<(), Error> {
        let path = &self.0.path;
        if self.0.place.content(path)? == self.0.content {
            return Ok(());
        }
        Err(Error::Changed { path: path.clone() })
    }
}

impl fmt::Debug for KeyFile {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("KeyFile")
            .field("path", &self.0.path)
            .field("format", &self.0.format)
            .field("profile", &self.0.profile)
            .field("key", &self.0.key)
            .field("journal", &self.0.journal)
            .finish_non_exhaustive()
    }
}

fn same(one: &Credentials, other: &Credentials) -> bool {
    let exposed = |credentials: &Credentials| {
        let token = credentials.session_token.as_ref();
        token.map(|token| Zeroizing::new(token.expose_secret().to_owned()))
    };
    one.access_key_id == other.access_key_id
        && one.secret_access_key.expose_secret() == other.secret_access_key.expose_secret()
        && exposed(one) == exposed(other)
}

#[cfg(test)]
mod tests;
