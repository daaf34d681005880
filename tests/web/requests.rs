//! A request as it is tried on both servers, and what came of it.

use std::fmt;
use std::net::SocketAddr;
use std::path::Path;
use std::time::Duration;

use reqwest::tls::Version;
use reqwest::{Certificate, Client, ClientBuilder, Identity, Response};

/// One request, and all that may differ in it.
#[derive(Clone, Copy, Default)]
pub(crate) struct Ask {
    /// Over TLS, or in plain HTTP.
    pub(crate) tls: bool,
    /// No newer version than 1.2.
    pub(crate) old: bool,
    /// The name of a client's certificate.
    pub(crate) certificate: Option<&'static str>,
    /// The value of `Authorization`.
    pub(crate) user: Option<(&'static str, &'static str)>,
    /// The same, as it is.
    pub(crate) authorization: Option<&'static str>,
}

impl Ask {
    pub(crate) const PLAIN: Self = Self {
        tls: false,
        old: false,
        certificate: None,
        user: None,
        authorization: None,
    };
    pub(crate) const TLS: Self = Self {
        tls: true,
        ..Self::PLAIN
    };

    pub(crate) const fn by(self, name: &'static str, password: &'static str) -> Self {
        Self {
            user: Some((name, password)),
            ..self
        }
    }

    pub(crate) const fn with(self, certificate: &'static str) -> Self {
        Self {
            certificate: Some(certificate),
            ..self
        }
    }

    /// Any certificate of the server is taken.
    pub(crate) async fn send(&self, folder: &Path, address: SocketAddr, path: &str) -> Outcome {
        let mut client = builder().tls_danger_accept_invalid_certs(true);
        if self.old {
            client = client.tls_version_max(Version::TLS_1_2);
        }
        if let Some(name) = self.certificate {
            let read = |end: &str| {
                std::fs::read(folder.join(format!("{name}.{end}"))).expect("the client can be made")
            };
            let pem = [read("crt"), read("key")].concat();
            client = client.identity(Identity::from_pem(&pem).expect("the client can be made"));
        }
        let scheme = if self.tls { "https" } else { "http" };
        let mut request = client
            .build()
            .expect("the client can be made")
            .get(format!("{scheme}://{address}{path}"));
        if let Some((name, password)) = self.user {
            request = request.basic_auth(name, Some(password));
        }
        if let Some(value) = self.authorization {
            request = request.header("authorization", value);
        }
        match request.send().await {
            Ok(answer) => Outcome::Answered(answer),
            Err(error) => Outcome::Failed(format!("{error:?}")),
        }
    }
}

/// A client that trusts this certificate and no other.
pub(crate) fn trusting(certificate: &Path) -> Client {
    built(builder(), certificate)
}

/// The same, which asks again on a connection that it has.
pub(crate) fn trusting_and_keeping(certificate: &Path) -> Client {
    built(builder().pool_max_idle_per_host(1), certificate)
}

fn built(builder: ClientBuilder, certificate: &Path) -> Client {
    let certificate = Certificate::from_pem(&std::fs::read(certificate).expect("the client can be made"))
        .expect("it is good");
    builder
        .tls_certs_only([certificate])
        .build()
        .expect("the client can be made")
}

fn builder() -> ClientBuilder {
    Client::builder()
        .no_proxy()
        .pool_max_idle_per_host(0)
        .timeout(Duration::from_secs(30))
}

/// What came of a request.
pub(crate) enum Outcome {
    Answered(Response),
    /// There is no connection, or no answer on it.
    Failed(String),
}

impl Outcome {
    /// The status, or nothing where there was none.
    pub(crate) fn status(&self) -> Option<u16> {
        match self {
            Self::Answered(answer) => Some(answer.status().as_u16()),
            Self::Failed(_) => None,
        }
    }

    pub(crate) fn header(&self, name: &str) -> Option<String> {
        match self {
            Self::Answered(answer) => {
                let value = answer.headers().get(name)?;
                Some(value.to_str().expect("the client can be made").to_owned())
            }
            Self::Failed(_) => None,
        }
    }
}

impl fmt::Display for Outcome {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Answered(answer) => write!(formatter, "{}", answer.status()),
            Self::Failed(why) => formatter.write_str(why),
        }
    }
}
