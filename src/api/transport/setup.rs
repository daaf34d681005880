//! How the HTTP client is set up: what it trusts, what it shows, whether it goes through a proxy.

use std::env;
use std::path::{Path, PathBuf};
use std::time::Duration;

use hyper::Uri;
use hyper_util::client::proxy::matcher::Matcher;
use secrecy::ExposeSecret as _;
use sha2::{Digest as _, Sha256};

use super::super::endpoint::Endpoint;
use super::room::Room;
use super::{Transport, chain};
use crate::credentials::ClientCertificate;
use crate::{files, paths};

/// What a [`Transport`] is for. Accounts with the same needs share one.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Needs {
    /// The certificates to trust in place of the platform's.
    pub ca_bundle: Option<PathBuf>,
    /// No endpoint speaks TLS, so that a machine without a trust store does as well.
    pub plain: bool,
    /// Some endpoint is on this machine: what a proxy reaches there is another one.
    pub here: bool,
    /// Some endpoint is elsewhere, perhaps behind a proxy.
    pub elsewhere: bool,
    /// The certificate to show to every endpoint.
    pub client_certificate: Option<ClientCertificate>,
}

impl Needs {
    /// What it takes to reach these endpoints.
    pub fn of<'a>(endpoints: impl Iterator<Item = &'a Endpoint>, ca_bundle: Option<PathBuf>) -> Self {
        let (mut plain, mut here, mut elsewhere) = (true, false, false);
        for endpoint in endpoints {
            plain &= endpoint.url.scheme() == "http";
            if endpoint.is_on_this_machine() {
                here = true;
            } else {
                elsewhere = true;
            }
        }
        Self {
            ca_bundle,
            plain,
            here,
            elsewhere,
            client_certificate: None,
        }
    }

    /// The same, and a certificate to show, if there is one.
    #[must_use]
    pub fn showing(self, client_certificate: Option<ClientCertificate>) -> Self {
        Self {
            client_certificate,
            ..self
        }
    }
}

/// What the files held that a [`Transport`] was made of, as digests: the same paths may hold something else later.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Contents {
    ca_bundle: Option<[u8; 32]>,
    client_certificate: Option<[u8; 32]>,
}

/// Why there is no HTTP client.
#[derive(Debug, thiserror::Error)]
pub enum BadTransport {
    /// The bundle cannot be read.
    #[error("cannot read the CA bundle {}; is `ca_bundle` its path?", paths::shown(.path))]
    Unreadable {
        /// The `ca_bundle` of the settings.
        path: PathBuf,
        /// Why.
        source: files::Unread,
    },
    /// The bundle holds no certificate.
    #[error("the CA bundle {} holds no certificate in PEM form (-----BEGIN CERTIFICATE-----)", paths::shown(.path))]
    NoCertificate {
        /// The `ca_bundle` of the settings.
        path: PathBuf,
    },
    /// The client certificate and its key do not make a pair.
    #[error(
        "the client certificate of {from} is of no use: {detail}; do certificate and key belong together?"
    )]
    ClientCertificate {
        /// The files or variables that they are from.
        from: String,
        /// What the library said.
        detail: String,
    },
    /// A variable names no proxy: without a word, requests would take no notice of it.
    #[error(
        "{variable} is not the URL of a proxy, such as `http://proxy.example:3128`: correct it, or unset it"
    )]
    Proxy {
        /// Its name; its value may hold a password.
        variable: &'static str,
    },
    /// The TLS library or the trust store is at fault.
    #[error("cannot set up HTTPS: {detail}; is the package `ca-certificates` installed?")]
    Setup {
        /// What the library said.
        detail: String,
    },
}

impl Transport {
    /// Builds the client. With a bundle, its certificates are trusted and no others.
    pub fn new(needs: &Needs) -> Result<Self, BadTransport> {
        let (bundle, contents) = needs.read()?;
        Self::of(needs, bundle.as_ref(), contents)
    }

    /// Another one for the same needs, if the files hold something else than what this one was made of.
    pub fn renewed(&self, needs: &Needs) -> Result<Option<Self>, BadTransport> {
        let (bundle, contents) = needs.read()?;
        let is_other = contents != self.contents;
        let renewed = is_other.then(|| Self::of(needs, bundle.as_ref(), contents));
        renewed.transpose()
    }

    fn of(needs: &Needs, bundle: Option<&Bundle>, contents: Contents) -> Result<Self, BadTransport> {
        let direct = needs.here && needs.elsewhere;
        Ok(Self {
            http: needs.client(bundle, needs.elsewhere)?,
            direct: direct.then(|| needs.client(bundle, false)).transpose()?,
            contents,
            room: Room::default(),
        })
    }
}

impl Needs {
    /// What the files hold; that of the client certificate is read already.
    fn read(&self) -> Result<(Option<Bundle>, Contents), BadTransport> {
        let bundle = self.ca_bundle.as_deref().map(Bundle::read).transpose()?;
        let certificate = self.client_certificate.as_ref();
        let contents = Contents {
            ca_bundle: bundle.as_ref().map(|bundle| bundle.digest),
            client_certificate: certificate.map(|shown| digest(shown.pem.expose_secret().as_bytes())),
        };
        Ok((bundle, contents))
    }

    fn client(&self, bundle: Option<&Bundle>, by_proxies: bool) -> Result<reqwest::Client, BadTransport> {
        let mut builder = reqwest::Client::builder()
            .connect_timeout(CONNECT_TIMEOUT)
            .redirect(reqwest::redirect::Policy::none())
            .user_agent(concat!("vigie/", env!("CARGO_PKG_VERSION")));
        if let Some(bundle) = bundle {
            builder = builder.tls_certs_only(bundle.certificates.iter().cloned());
        } else if self.plain {
            builder = builder.tls_certs_only([]);
        }
        if !by_proxies {
            builder = builder.no_proxy();
        } else if let Some(variable) = misread_proxy_variable() {
            return Err(BadTransport::Proxy { variable });
        }
        let Some(certificate) = &self.client_certificate else {
            return builder.build().map_err(|error| BadTransport::Setup {
                detail: chain(&error),
            });
        };
        let identity = reqwest::Identity::from_pem(certificate.pem.expose_secret().as_bytes());
        let http = identity.and_then(|identity| builder.identity(identity).build());
        http.map_err(|error| BadTransport::ClientCertificate {
            from: certificate.from.clone(),
            detail: chain(&error),
        })
    }
}

/// The certificates to trust in place of the platform's.
pub(in super::super) struct Bundle {
    pub(in super::super) certificates: Vec<reqwest::Certificate>,
    digest: [u8; 32],
}

impl Bundle {
    /// Those of a file.
    pub(in super::super) fn read(path: &Path) -> Result<Self, BadTransport> {
        let pem = files::read(path, BUNDLE_LIMIT).map_err(|source| BadTransport::Unreadable {
            path: path.to_owned(),
            source,
        })?;
        let certificates = reqwest::Certificate::from_pem_bundle(&pem)
            .ok()
            .filter(|certificates| !certificates.is_empty())
            .ok_or_else(|| BadTransport::NoCertificate {
                path: path.to_owned(),
            })?;
        Ok(Self {
            certificates,
            digest: digest(&pem),
        })
    }
}

/// The variable of a proxy that reqwest takes no notice of, since it does not understand its value.
fn misread_proxy_variable() -> Option<&'static str> {
    PROXY_VARIABLES.into_iter().find_map(|names| {
        // As reqwest does, the first that is set.
        let mut set = names
            .into_iter()
            .filter_map(|name| Some((name, env::var(name).ok()?)));
        let (name, value) = set.next().filter(|(_, value)| !value.is_empty())?;
        (!is_proxy(value)).then_some(name)
    })
}

fn is_proxy(value: String) -> bool {
    let proxies = Matcher::builder().all(value).build();
    proxies
        .intercept(&Uri::from_static("http://cloud.example"))
        .is_some()
}

const PROXY_VARIABLES: [[&str; 2]; 3] = [
    ["HTTPS_PROXY", "https_proxy"],
    ["HTTP_PROXY", "http_proxy"],
    ["ALL_PROXY", "all_proxy"],
];

fn digest(bytes: &[u8]) -> [u8; 32] {
    Sha256::digest(bytes).into()
}

/// Twenty times what a platform trusts in all.
const BUNDLE_LIMIT: u64 = 4 << 20;

/// A cloud's front door answers a connection at once, or is not there.
pub(super) const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
