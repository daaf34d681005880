//! The certificate by which this machine names itself in TLS: OUTSCALE's API access rules may ask for one.

use std::{
    fmt,
    hash::{Hash, Hasher},
    os::unix::ffi::OsStrExt as _,
    path::{Path, PathBuf},
};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use secrecy::{SecretString, zeroize::Zeroizing};
use serde::Deserialize;

use super::{
    Fault, Variables,
    chain::{DEFAULT_PROFILE, OUTSCALE_FILES, expanded, look, variable},
    file::{self, Readable, Stamp},
    format::{osc_profile, wiped},
};
use crate::paths;
use crate::provider::Provider;

/// A certificate and its key. Two are the same if they are from the same place.
#[derive(Clone)]
pub struct ClientCertificate {
    /// Both, in PEM form.
    pub pem: SecretString,
    /// The files or variables that they are from.
    pub from: String,
    /// Of its files, those that hold a key and that others can read or change.
    pub readable: Vec<Readable>,
}

/// Why there is no certificate where one is named.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BadCertificate {
    /// A key alone.
    #[error("{key} is there without {certificate}: name both, or one file with both in {certificate}")]
    KeyAlone {
        /// What names the key.
        key: String,
        /// What would name the certificate.
        certificate: String,
    },
    /// A file that cannot be read.
    #[error("the file {} of {named_by} {fault}", paths::shown(.path))]
    File {
        /// The file.
        path: PathBuf,
        /// What named it.
        named_by: String,
        /// What is wrong with it.
        fault: Fault,
    },
    /// The file itself in place of its path.
    #[error(
        "{named_by} holds what is no path of a file: write the path; what is in the file is not told here"
    )]
    NoPath {
        /// What should name the file.
        named_by: String,
    },
    /// Something else than PEM.
    #[error("{from} holds no {part} in PEM form (-----BEGIN {part}-----)")]
    NotPem {
        /// The file or variable.
        from: String,
        /// `CERTIFICATE` or `PRIVATE KEY`.
        part: &'static str,
    },
    /// Text that is no base64.
    #[error("{from} is not base64 of a file in PEM form")]
    NotBase64 {
        /// The variable or the profile's entry.
        from: String,
    },
}

/// The paths that the settings name.
#[derive(Debug, Clone, Copy, Default)]
pub struct Named<'a> {
    /// The certificate, perhaps with its key.
    pub certificate: Option<&'a Path>,
    /// The key.
    pub key: Option<&'a Path>,
}

impl ClientCertificate {
    /// The certificate that the settings name, else the profile in OUTSCALE's `config.json`, else the environment.
    pub fn find(
        provider: Provider,
        named: Named<'_>,
        file: Option<&Path>,
        profile: Option<&str>,
        variables: &Variables,
    ) -> Result<Option<Self>, BadCertificate> {
        let path = |path: &Path| Part::File(path.to_owned());
        let of_settings = Pair {
            certificate: named.certificate.map(path),
            key: named.key.map(path),
            names: ["`client_certificate`".to_owned(), "`client_key`".to_owned()],
        };
        let pairs = match provider {
            Provider::Aws => vec![of_settings],
            Provider::Outscale => vec![
                of_settings,
                of_profile(file, profile, variables),
                of_environment(variables),
            ],
        };
        let there = pairs.into_iter().find(Pair::is_there);
        there.map(Pair::read).transpose()
    }
}

impl fmt::Debug for ClientCertificate {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_tuple("ClientCertificate")
            .field(&self.from)
            .finish()
    }
}

impl PartialEq for ClientCertificate {
    fn eq(&self, other: &Self) -> bool {
        self.from == other.from
    }
}

impl Eq for ClientCertificate {}

impl Hash for ClientCertificate {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.from.hash(state);
    }
}

/// A certificate and its key, wherever they are named together.
struct Pair {
    certificate: Option<Part>,
    key: Option<Part>,
    names: [String; 2],
}

enum Part {
    File(PathBuf),
    /// The file's content, with what holds it.
    Base64(Zeroizing<String>, String),
}

impl Pair {
    fn is_there(&self) -> bool {
        self.certificate.is_some() || self.key.is_some()
    }

    fn read(self) -> Result<ClientCertificate, BadCertificate> {
        let [certificate, key] = self.names;
        let Some(first) = self.certificate else {
            return Err(BadCertificate::KeyAlone { key, certificate });
        };
        let mut readable = Vec::new();
        let (mut pem, mut from) = first.read(&certificate, &mut readable)?;
        if !pem.contains("-----BEGIN CERTIFICATE-----") {
            return Err(BadCertificate::NotPem {
                from,
                part: "CERTIFICATE",
            });
        }
        let mut holder = from.clone();
        if let Some(second) = self.key {
            let (more, of_key) = second.read(&key, &mut readable)?;
            if !more.contains("PRIVATE KEY-----") {
                return Err(BadCertificate::NotPem {
                    from: of_key,
                    part: "PRIVATE KEY",
                });
            }
            // The last key counts: one beside the certificate is not meant then.
            pem = Zeroizing::new([pem.as_str(), "\n", more.as_str()].concat());
            from = format!("{from} and {of_key}");
            holder.clone_from(&from);
        }
        if !pem.contains("PRIVATE KEY-----") {
            return Err(BadCertificate::NotPem {
                from: holder,
                part: "PRIVATE KEY",
            });
        }
        Ok(ClientCertificate {
            pem: SecretString::from(pem.as_str()),
            from,
            readable,
        })
    }
}

/// What has several lines, a mark of PEM or a name that no file system takes (`NAME_MAX` is 255) is something else.
fn is_no_path(path: &Path) -> bool {
    let bytes = path.as_os_str().as_bytes();
    let mut names = path.iter();
    bytes.contains(&b'\n')
        || bytes.windows(5).any(|window| window == b"-----")
        || names.any(|name| name.len() > 255)
}

impl Part {
    /// The text, and where it is from.
    fn read(
        self,
        named_by: &str,
        readable: &mut Vec<Readable>,
    ) -> Result<(Zeroizing<String>, String), BadCertificate> {
        let (bytes, from) = match self {
            // A key that is pasted there is told to nobody.
            Self::File(path) if is_no_path(&path) => {
                let named_by = named_by.to_owned();
                return Err(BadCertificate::NoPath { named_by });
            }
            Self::File(path) => {
                let read = Stamp::of(&path, "").and_then(|stamp| {
                    let bytes = file::bytes(&path, "")?;
                    let holds_a_key = bytes.windows(KEY.len()).any(|window| window == KEY);
                    readable.extend(stamp.readable(&path).filter(|_| holds_a_key));
                    Ok(bytes)
                });
                let from = paths::shown(&path).to_string();
                let named_by = named_by.to_owned();
                let bytes = read.map_err(|fault| BadCertificate::File {
                    path,
                    named_by,
                    fault,
                })?;
                (bytes, from)
            }
            Self::Base64(text, from) => {
                let compact: Zeroizing<String> = Zeroizing::new(text.split_whitespace().collect());
                match STANDARD.decode(compact.as_bytes()) {
                    Ok(bytes) => (Zeroizing::new(bytes), from),
                    Err(_) => return Err(BadCertificate::NotBase64 { from }),
                }
            }
        };
        // PEM is ASCII; what is not is told as no PEM.
        Ok((Zeroizing::new(String::from_utf8_lossy(&bytes).into_owned()), from))
    }
}

fn of_environment(variables: &Variables) -> Pair {
    let part = |file: &'static str, text: &'static str| match variable(variables, file) {
        Some(path) => Some(Part::File(expanded(&path, variables))),
        None => Some(Part::Base64(
            Zeroizing::new(variable(variables, text)?),
            text.to_owned(),
        )),
    };
    Pair {
        certificate: part("OSC_X509_CLIENT_CERT", "OSC_X509_CLIENT_CERT_B64"),
        key: part("OSC_X509_CLIENT_KEY", "OSC_X509_CLIENT_KEY_B64"),
        names: [
            "OSC_X509_CLIENT_CERT".to_owned(),
            "OSC_X509_CLIENT_KEY".to_owned(),
        ],
    }
}

/// Of the file that holds the key, or would. What is wrong with the file is told when the key is read from it.
fn of_profile(file: Option<&Path>, profile: Option<&str>, variables: &Variables) -> Pair {
    let by_variable = || variable(variables, "OSC_PROFILE").filter(|_| file.is_none());
    let profile = profile.map(str::to_owned).or_else(by_variable);
    let profile = profile.unwrap_or_else(|| DEFAULT_PROFILE.to_owned());
    let found = || {
        OUTSCALE_FILES
            .iter()
            .find_map(|below| look(below, variables).ok())
    };
    let path = file.map(Path::to_owned).or_else(found);
    let written = path
        .and_then(|path| read_profile(&path, &profile))
        .unwrap_or_default();
    let entry = |key: &str| format!("`{key}` of profile `{profile}`");
    let part = |path: Option<String>, text: Option<Zeroizing<String>>, name: &str| {
        let path = path.filter(|path| !path.is_empty());
        let file = path.map(|path| Part::File(expanded(&path, variables)));
        file.or_else(|| Some(Part::Base64(text.filter(|text| !text.is_empty())?, entry(name))))
    };
    let certificate = written.certificate.or(written.legacy);
    Pair {
        certificate: part(certificate, written.certificate_text, "x509_client_cert_b64"),
        key: part(written.key, written.key_text, "x509_client_key_b64"),
        names: [entry("x509_client_cert"), entry("x509_client_key")],
    }
}

fn read_profile(path: &Path, profile: &str) -> Option<Written> {
    let bytes = file::bytes(path, "").ok()?;
    let text = std::str::from_utf8(&bytes).ok()?;
    osc_profile(text.strip_prefix('\u{feff}').unwrap_or(text), profile).ok()
}

#[derive(Default, Deserialize)]
struct Written {
    #[serde(rename = "x509_client_cert")]
    certificate: Option<String>,
    #[serde(rename = "x509_client_cert_b64", default, deserialize_with = "wiped")]
    certificate_text: Option<Zeroizing<String>>,
    #[serde(rename = "x509_client_key")]
    key: Option<String>,
    #[serde(rename = "x509_client_key_b64", default, deserialize_with = "wiped")]
    key_text: Option<Zeroizing<String>>,
    /// The first name of it: one file with both.
    #[serde(rename = "client_certificate")]
    legacy: Option<String>,
}

const KEY: &[u8] = b"PRIVATE KEY-----";

#[cfg(test)]
mod tests;
