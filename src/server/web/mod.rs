//! Who may ask, and how it is spoken with: a file in the format of Prometheus' exporter-toolkit.
//!
//! It is looked at for every connection and every request, and read again when it or one of the files that it names has
//! changed. What cannot be read then changes nothing, and is said once. Nor does what asks less of clients: a file that is
//! written in place is empty for a moment, and an empty file is a good one.

mod checks;
mod clients;
mod files;
mod gate;
mod headers;
mod names;
mod queue;
mod tls;
mod users;
mod written;
mod yaml;

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use secrecy::ExposeSecret as _;
use tokio_rustls::rustls::ServerConfig;
use tracing::{error, info, warn};

use crate::credentials::warn_of_readers;
use crate::paths;
use checks::Checks;
use files::{Marks, Reader};
use gate::Bucket;
use tls::Clients;
use users::Users;
use written::Rate;

pub(super) use headers::{Headers, complete};

/// A web configuration file that is wrong.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("web configuration file {} {problem}", paths::shown(.path))]
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
}

struct State {
    current: Arc<Loaded>,
    files: Vec<PathBuf>,
    marks: Marks,
    /// What was wrong with the newest, so that it is said once.
    refused: Option<Error>,
}

/// What a file says, ready for use.
pub(super) struct Loaded {
    /// Whether and how TLS is spoken.
    pub(super) tls: Option<Arc<ServerConfig>>,
    /// What is asked of clients beside a password.
    clients: Option<Clients>,
    /// Headers that are put over those of the answers.
    pub(super) headers: Headers,
    /// Who may come in.
    users: Users,
    rate: Option<Rate>,
    left_out: Vec<String>,
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
            }),
            checks: Arc::new(checks),
            bucket: Bucket::full(),
        })
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
        lines.push(match loaded.users.len() {
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
        lines.extend(loaded.left_out.iter().map(|what| format!("but: {what}")));
        lines.extend(loaded.risk().map(|what| format!("but: {what}")));
        lines
    }

    /// What is in force now.
    pub(super) fn current(&self) -> Arc<Loaded> {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let now = Marks::of(&state.files);
        if now.are_surely(&state.marks) {
            return Arc::clone(&state.current);
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
                }
                state.refused = None;
            }
            Err(refused) if state.refused.as_ref() == Some(&refused) => {}
            Err(refused) => {
                error!(
                    path = %paths::shown(&self.path),
                    error = refused.problem,
                    "the web configuration file cannot be taken; what was in force before stays"
                );
                state.refused = Some(refused);
            }
        }
        Arc::clone(&state.current)
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
        for error in self.left_out.iter().map(String::as_str).chain(self.risk()) {
            warn!(path = %paths::shown(path), error, "not all of the web configuration file is as one may expect");
        }
        for (what, path) in &self.secrets {
            warn_of_readers(what, path);
        }
    }

    fn risk(&self) -> Option<&'static str> {
        (!self.users.is_empty() && self.tls.is_none())
            .then_some("passwords go over the network as they are, for want of TLS")
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
    if !users.is_empty() || written.tls.key.is_some() {
        secrets.push(("web configuration file", path.to_owned()));
    }
    let tls = if written.tls.is_there() {
        Some(tls::read(written.tls, folder, reader)?)
    } else {
        None
    };
    let (tls, clients, left_out) = match tls {
        Some(tls) => {
            secrets.extend(tls.key_file.map(|path| ("private key of the page", path)));
            (Some(tls.config), tls.clients, tls.left_out)
        }
        None => (None, None, Vec::new()),
    };
    Ok(Loaded {
        tls,
        clients,
        headers,
        users,
        rate: written.rate,
        left_out,
        secrets,
        contents: [0; 32],
    })
}
