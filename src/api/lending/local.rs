//! Small requests to the machine's own endpoints: no proxy, no redirect, little time, little to read.

use std::path::Path;
use std::time::Duration;

use reqwest::header::{HeaderMap, HeaderValue};
use reqwest::{Method, Url};
use secrecy::zeroize::Zeroizing;
use secrecy::{ExposeSecret as _, SecretString};

use super::super::transport::{Bundle, chain};
use super::super::{Cause, Reason};
use crate::credentials::{Form, Lease, NoLease};
use crate::redaction::Redaction;

/// Speaks with an endpoint that hands out keys.
#[derive(Debug)]
pub(super) struct Local {
    http: reqwest::Client,
}

/// What was answered.
pub(super) struct Answer {
    pub(super) status: u16,
    pub(super) body: Zeroizing<Vec<u8>>,
}

impl Local {
    /// For one endpoint. Without TLS, a machine without a trust store does as well.
    pub(super) fn new(url: &Url, ca_bundle: Option<&Path>) -> Result<Self, Cause> {
        let builder = reqwest::Client::builder()
            // What a proxy reaches there is not of this machine.
            .no_proxy()
            .redirect(reqwest::redirect::Policy::none())
            .user_agent(concat!("vigie/", env!("CARGO_PKG_VERSION")));
        let builder = match ca_bundle {
            _ if url.scheme() == "http" => builder.tls_certs_only([]),
            None => builder,
            Some(path) => {
                let bundle = Bundle::read(path).map_err(|error| unusable(url, error.to_string()))?;
                builder.tls_certs_only(bundle.certificates)
            }
        };
        let http = builder.build().map_err(|error| unusable(url, chain(&error)))?;
        Ok(Self { http })
    }

    /// Sends one request and reads what is answered, whatever its status.
    pub(super) async fn send(
        &self,
        method: Method,
        url: &Url,
        header: Option<(&'static str, &SecretString)>,
        within: Duration,
    ) -> Result<Answer, Cause> {
        let host = host(url);
        let mut headers = HeaderMap::new();
        if let Some((name, value)) = header {
            let value = HeaderValue::from_str(value.expose_secret());
            let mut value = value.map_err(|_| Cause::Unsendable { name })?;
            value.set_sensitive(true);
            headers.insert(name, value);
        }
        // Its path may be all that keeps others out: no URL in an error.
        let broken = |error: reqwest::Error| {
            let host = host.clone();
            if error.is_timeout() {
                return Cause::Timeout { host, within };
            }
            Cause::Unreachable {
                host,
                detail: chain(&error.without_url()),
            }
        };
        let request = self
            .http
            .request(method, url.clone())
            .headers(headers)
            .timeout(within);
        let mut response = request.send().await.map_err(broken)?;
        let status = response.status().as_u16();
        // Room for all of it at once: a buffer that grows leaves copies of the secret behind.
        let mut body = Zeroizing::new(Vec::with_capacity(LIMIT));
        while let Some(chunk) = response.chunk().await.map_err(broken)? {
            if chunk.len() > LIMIT - body.len() {
                return Err(Cause::Malformed {
                    host,
                    expected: "key in JSON".to_owned(),
                    detail: format!("it is larger than {} KiB", LIMIT >> 10),
                });
            }
            body.extend_from_slice(&chunk);
        }
        Ok(Answer { status, body })
    }
}

impl Answer {
    pub(super) fn is_success(&self) -> bool {
        self.status == 200
    }

    /// The key that it holds. An error does not repeat the token that was asked with.
    pub(super) fn lease(&self, url: &Url, token: Option<&SecretString>) -> Result<Lease, Cause> {
        let parsed = Lease::parse(&self.body, Form::Service);
        let cleaned = |told: String| Redaction::of(token).clean(told);
        parsed.map_err(|fault| match fault {
            NoLease::Refused { .. } => Cause::Unlent {
                host: host(url),
                reason: Reason::Auth,
                detail: cleaned(format!("the answer {fault}")),
            },
            fault => Cause::Malformed {
                host: host(url),
                expected: "key in JSON".to_owned(),
                detail: cleaned(format!("it {fault}")),
            },
        })
    }

    /// The failure that its status stands for.
    pub(super) fn refused(&self, url: &Url, hint: &str) -> Cause {
        let reason = match self.status {
            429 => Reason::Throttled,
            500.. => Reason::Unreachable,
            300..400 => Reason::Malformed,
            _ => Reason::Auth,
        };
        Cause::Unlent {
            host: host(url),
            reason,
            detail: format!("HTTP {}{hint}", self.status),
        }
    }
}

fn unusable(url: &Url, detail: String) -> Cause {
    Cause::Unlent {
        host: host(url),
        reason: Reason::Other,
        detail,
    }
}

pub(super) fn host(url: &Url) -> String {
    let host = url.host_str().unwrap_or_default();
    url.port()
        .map_or_else(|| host.to_owned(), |port| format!("{host}:{port}"))
}

/// Far more than a key and its token.
const LIMIT: usize = 64 << 10;
