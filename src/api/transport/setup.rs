//! How the HTTP client is set up: what it trusts, what it shows, whether it goes through a proxy.

use std::path::{Path, PathBuf};
use std::time::Duration;

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
    /// Every endpoint is on this machine: what a proxy reaches there is another one.
    pub loopback: bool,
    /// The certificate to show to every endpoint.
    pub client_certificate: Option<ClientCertificate>,
}

impl Needs {
    /// What it takes to reach these endpoints.
    pub fn of<'a>(endpoints: impl Iterator<Item = &'a Endpoint>, ca_bundle: Option<PathBuf>) -> Self {
        let (mut plain, mut loopback) = (true, true);
        for endpoint in endpoints {
            let host = endpoint.url.host_str().unwrap_or_default();
            let address = host.trim_matches(['[', ']']).parse::<std::net::IpAddr>();
            plain &= endpoint.url.scheme() == "http";
            loopback &= host == "localhost" || address.is_ok_and(|address| address.is_loopback());
        }
        Self {
            ca_bundle,
            plain,
            loopback,
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
    /// The TLS library, the trust store or a proxy variable is at fault.
    #[error(
        "cannot set up HTTPS: {detail}; is the package `ca-certificates` installed, are the proxy variables URLs?"
    )]
    Setup {
        /// What the library said.
        detail: String,
    },
}

impl Transport {
    fn over(http: reqwest::Client, contents: Contents) -> Self {
        Self {
            http,
            contents,
            room: Room::default(),
        }
    }

    /// Builds the client. With a bundle, its certificates are trusted and no others.
    pub fn new(needs: &Needs) -> Result<Self, BadTransport> {
        let builder = reqwest::Client::builder()
            .connect_timeout(CONNECT_TIMEOUT)
            .redirect(reqwest::redirect::Policy::none())
            .user_agent(concat!("vigie/", env!("CARGO_PKG_VERSION")));
        let (mut builder, bundle) = trusting(builder, needs.ca_bundle.as_deref())?;
        let certificate = needs.client_certificate.as_ref();
        let pem = certificate.map(|certificate| certificate.pem.expose_secret().as_bytes());
        let digest = |bytes: &[u8]| Sha256::digest(bytes).into();
        let contents = Contents {
            ca_bundle: bundle.as_deref().map(digest),
            client_certificate: pem.map(digest),
        };
        if needs.ca_bundle.is_none() && needs.plain {
            builder = builder.tls_certs_only([]);
        }
        if needs.loopback {
            builder = builder.no_proxy();
        }
        let Some((certificate, pem)) = certificate.zip(pem) else {
            let http = builder.build();
            let http = http.map_err(|error| BadTransport::Setup {
                detail: chain(&error),
            })?;
            return Ok(Self::over(http, contents));
        };
        let identity = reqwest::Identity::from_pem(pem);
        let http = identity.and_then(|identity| builder.identity(identity).build());
        let http = http.map_err(|error| BadTransport::ClientCertificate {
            from: certificate.from.clone(),
            detail: chain(&error),
        })?;
        Ok(Self::over(http, contents))
    }
}

/// The same client, with the certificates of a bundle trusted and no others, if there is one; gives also what it held.
pub(in super::super) fn trusting(
    builder: reqwest::ClientBuilder,
    ca_bundle: Option<&Path>,
) -> Result<(reqwest::ClientBuilder, Option<Vec<u8>>), BadTransport> {
    let Some(path) = ca_bundle else {
        return Ok((builder, None));
    };
    let mut bundle = files::read(path, BUNDLE_LIMIT).map_err(|source| BadTransport::Unreadable {
        path: path.to_owned(),
        source,
    })?;
    let certificates = reqwest::Certificate::from_pem_bundle(&bundle)
        .ok()
        .filter(|certificates| !certificates.is_empty())
        .ok_or_else(|| BadTransport::NoCertificate {
            path: path.to_owned(),
        })?;
    Ok((
        builder.tls_certs_only(certificates),
        Some(std::mem::take(&mut *bundle)),
    ))
}

/// Twenty times what a platform trusts in all.
const BUNDLE_LIMIT: u64 = 4 << 20;

/// A cloud's front door answers a connection at once, or is not there.
pub(super) const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
