//! Who may ask, and how it is spoken with: a file in the format of Prometheus' exporter-toolkit.
//!
//! It is looked at for every connection and every request, and read again when it or one of the files that it names has
//! changed. What cannot be read then changes nothing, and is said once. Nor does what asks less of clients: a file that is
//! written in place is empty for a moment, and an empty file is a good one.

mod authorities;
mod checks;
mod clients;
mod document;
mod expiry;
mod files;
mod gate;
mod headers;
mod names;
mod queue;
mod tls;
mod users;
mod written;
mod yaml;

use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use prometheus::{Gauge, Registry};
use secrecy::ExposeSecret as _;
use tokio_rustls::rustls::ServerConfig;
use tracing::{error, info, warn};

use crate::credentials::readable;
use crate::paths;
use crate::repeated::Repeated;
use authorities::Validity;
use checks::Checks;
use files::{Marks, Reader};
use gate::Bucket;
use tls::Clients;
use users::Users;
use written::Rate;

pub use expiry::FAMILIES;
pub(super) use headers::{Headers, complete};

/// A web configuration file that is wrong.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("web configuration file {}: {problem}", paths::shown(.path))]
pub struct Error {
    path: PathBuf,
    problem: String,
}

/// A web configuration file, and what is in force of it.
pub struct Web {
    path: PathBuf,
    state: Mutex<State>,
    checks: Arc<Checks>,
    /// As at the start: exporter-toolkit does not change it on the fly either.
    rate: Option<Rate>,
    bucket: Bucket,
    /// Clients whose user or password was wrong.
    strangers: Mutex<Repeated<IpAddr>>,
    /// When the certificate expires, once that is on a page.
    expiry: OnceLock<Gauge>,
    /// Who is told whether the file can be taken, each time that it is read.
    told: OnceLock<Told>,
}

type Told = Box<dyn Fn(bool) + Send + Sync>;

struct State {
    current: Arc<Loaded>,
    files: Vec<PathBuf>,
    marks: Marks,
    /// What is wrong with the newest.
    refused: Option<Error>,
    refusals: Repeated<Error>,
}

/// What a file says, ready for use.
pub(super) struct Loaded {
    /// Whether and how TLS is spoken.
    pub(super) tls: Option<Arc<ServerConfig>>,
    /// From when until when the certificate is valid, where that can be read.
    valid: Option<Validity>,
    /// What is asked of clients beside a password.
    clients: Option<Clients>,
    /// Headers that are put over those of the answers.
    pub(super) headers: Headers,
    /// Who may come in.
    users: Users,
    rate: Option<Rate>,
    /// What of it is not done, may be meant otherwise, or is unwise.
    doubtful: Vec<String>,
    /// The files that secrets are in, and what they are.
    secrets: Vec<(&'static str, PathBuf)>,
    /// Of all that was read.
    contents: [u8; 32],
}

impl Web {
    /// The file, which has to be good.
    pub fn load(path: &Path) -> Result<Self, Error> {
        let (read, files, marks) = read(path);
        let loaded = read?;
        let checks = Checks::new().map_err(|problem| Error {
            path: path.to_owned(),
            problem,
        })?;
        Ok(Self {
            path: path.to_owned(),
            rate: loaded.rate,
            state: Mutex::new(State {
                current: Arc::new(loaded),
                files,
                marks,
                refused: None,
                refusals: Repeated::default(),
            }),
            checks: Arc::new(checks),
            bucket: Bucket::full(),
            strangers: Mutex::default(),
            expiry: OnceLock::new(),
            told: OnceLock::new(),
        })
    }

    /// The file.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Tells at once whether the file can be taken, and again each time that it is read; the first who asks for it.
    pub fn tell(&self, told: impl Fn(bool) + Send + Sync + 'static) {
        let state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        told(state.refused.is_none());
        self.told.set(Box::new(told)).ok();
    }

    /// Whether TLS is spoken; that does not change while vigie runs.
    pub fn has_tls(&self) -> bool {
        self.current().tls.is_some()
    }

    /// What the file does, for people, a line each. There is no secret in it.
    pub fn told(&self) -> Vec<String> {
        let loaded = self.current();
        let mut lines = vec![match (&loaded.tls, &loaded.clients) {
            (None, _) => "TLS: no".to_owned(),
            (Some(_), None) => "TLS: yes; clients show no certificate".to_owned(),
            (Some(_), Some(clients)) => format!("TLS: yes; certificates of clients: {}", clients.name),
        }];
        let is_certificate_asked = (loaded.clients.as_ref()).is_some_and(Clients::have_to_show_one);
        lines.push(match loaded.users.len() {
            0 if is_certificate_asked => "users: none, whoever shows such a certificate may ask".to_owned(),
            0 => "users: none, everybody may ask".to_owned(),
            1 => "users: 1".to_owned(),
            many => format!("users: {many}"),
        });
        if !loaded.headers.is_empty() {
            let names: Vec<&str> = loaded.headers.iter().map(|(name, _)| name.as_str()).collect();
            lines.push(format!("headers: {}", names.join(", ")));
        }
        if let Some(rate) = self.rate {
            lines.push(format!(
                "requests: one every {:?}, after a burst of {}",
                rate.interval, rate.burst
            ));
        }
        lines.extend(loaded.doubtful.iter().map(|what| format!("but: {what}")));
        lines.extend(loaded.secrets.iter().filter_map(|(what, path)| {
            let verb = readable(what, path)?.verb();
            let path = paths::shown(path);
            Some(format!(
                "but: others can {verb} the {what} {path}: run `chmod 600` on it"
            ))
        }));
        lines
    }

    /// Looks at the file anew, whether or not it seems to be another; what is wrong with it, if it cannot be taken.
    pub fn reload(&self) -> Result<(), Error> {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        self.look(&mut state, true);
        state.refused.clone().map_or(Ok(()), Err)
    }

    /// What is in force now.
    pub(super) fn current(&self) -> Arc<Loaded> {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        self.look(&mut state, false);
        Arc::clone(&state.current)
    }

    /// Takes what the file says now, and tells what came of it; where it seems to be the same, only if that is asked for.
    fn look(&self, state: &mut State, is_asked_for: bool) {
        let now = Marks::of(&state.files);
        if now.are_surely(&state.marks) && !is_asked_for {
            return;
        }
        let (read, files, marks) = read(&self.path);
        (state.files, state.marks) = (files, marks);
        let read = read.and_then(|new| match new.takes_a_restart_after(&state.current) {
            None => Ok(new),
            Some(what) => Err(Error {
                path: self.path.clone(),
                problem: format!("{what}, which takes a restart of vigie"),
            }),
        });
        match read {
            Ok(new) => {
                if new.contents != state.current.contents {
                    info!(path = %paths::shown(&self.path), "the web configuration file is taken anew");
                    if new.rate != state.current.rate {
                        warn!(setting = "rate_limit", "this setting is taken at the next start");
                    }
                    new.warn(&self.path);
                    state.current = Arc::new(new);
                    self.show(&state.current);
                }
                state.refused = None;
                if let Some(over) = state.refusals.over() {
                    info!(
                        path = %paths::shown(&self.path),
                        failures = over.failures,
                        seconds = over.lasted.as_secs(),
                        "the web configuration file can be taken again"
                    );
                }
            }
            Err(refused) => {
                if let Some(count) = state.refusals.again(refused.clone()) {
                    error!(
                        path = %paths::shown(&self.path),
                        count,
                        error = refused.problem,
                        "the web configuration file cannot be taken; what was in force before stays"
                    );
                }
                state.refused = Some(refused);
            }
        }
        if let Some(told) = self.told.get() {
            told(state.refused.is_none());
        }
    }

    /// Shows on a page when the certificate expires.
    pub(super) fn measure(&self, registry: &Registry) {
        if self.has_tls()
            && let Some(gauge) = expiry::gauge(registry)
        {
            self.expiry.set(gauge).ok();
            self.show(&self.current());
        }
    }

    fn show(&self, loaded: &Loaded) {
        if let Some(gauge) = self.expiry.get() {
            gauge.set(loaded.valid.map_or(f64::NAN, |valid| valid.until as f64));
        }
    }

    /// Says in the log what of the file is not done, and what is unwise in it.
    pub(super) fn warn(&self) {
        self.current().warn(&self.path);
    }
}

impl Loaded {
    /// What of it is not taken while vigie runs.
    fn takes_a_restart_after(&self, before: &Self) -> Option<&'static str> {
        if self.tls.is_some() != before.tls.is_some() {
            return Some("turns TLS on or off");
        }
        if self.users.is_empty() && !before.users.is_empty() {
            return Some("takes away all users, so that everybody might ask");
        }
        let asks_less = match (&self.clients, &before.clients) {
            (_, None) => false,
            (None, Some(_)) => true,
            (Some(clients), Some(before)) => clients.are_weaker_than(before),
        };
        asks_less.then_some("asks less of the certificates of clients")
    }

    fn warn(&self, path: &Path) {
        for error in &self.doubtful {
            warn!(path = %paths::shown(path), error, "not all of the web configuration file is as one may expect");
        }
        for (what, path) in &self.secrets {
            if let Some(readable) = readable(what, path) {
                readable.warn(what);
            }
        }
    }
}

/// What the file says, or what is wrong with it; in either case, the files that it depends on, and their marks.
fn read(path: &Path) -> (Result<Loaded, Error>, Vec<PathBuf>, Marks) {
    let mut reader = Reader::default();
    let loaded = loaded(path, &mut reader);
    let (files, marks, contents) = reader.finish();
    let loaded = loaded
        .map(|loaded| Loaded { contents, ..loaded })
        .map_err(|problem| Error {
            path: path.to_owned(),
            problem,
        });
    (loaded, files, marks)
}

fn loaded(path: &Path, reader: &mut Reader) -> Result<Loaded, String> {
    let text = reader.read(path)?;
    let written = written::read(text.expose_secret())?;
    let headers = headers::read(written.headers)?;
    let users = Users::read(written.users)?;
    let folder = path.parent().unwrap_or_else(|| Path::new(""));
    let mut secrets = Vec::new();
    let has_key = written.tls.as_ref().is_some_and(|tls| tls.key.is_some());
    if !users.is_empty() || has_key {
        secrets.push(("web configuration file", path.to_owned()));
    }
    let tls = written
        .tls
        .map(|tls| tls::read(tls, folder, reader))
        .transpose()?;
    let mut doubtful = written.doubtful;
    if tls.is_none() {
        let open = if users.is_empty() {
            "it names neither TLS nor users: everybody may ask, in plain HTTP"
        } else {
            "passwords go over the network as they are, for want of TLS"
        };
        doubtful.push(open.to_owned());
    }
    let valid = tls.as_ref().and_then(|tls| tls.valid);
    doubtful.extend(valid.and_then(expiry::told));
    let (tls, clients) = match tls {
        Some(tls) => {
            secrets.extend(tls.key_file.map(|path| ("private key of the page", path)));
            doubtful.extend(tls.left_out);
            (Some(tls.config), tls.clients)
        }
        None => (None, None),
    };
    Ok(Loaded {
        tls,
        valid,
        clients,
        headers,
        users,
        rate: written.rate,
        doubtful,
        secrets,
        contents: [0; 32],
    })
}
