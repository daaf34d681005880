//! Places that hand a key out for a while, and have to be asked again before it runs out.
//!
//! What is known of them is here; asking them over a network is [`crate::api`]'s.

use std::{fmt, net::IpAddr, path::PathBuf, sync::Arc, time::Duration};

use reqwest::Url;
use secrecy::{SecretString, zeroize::Zeroizing};

use super::{
    Credentials, Error, Variables,
    chain::{expanded, secret, variable},
    fault::{EndpointFault, TokenFault},
    file,
    format::may_be_in_a_key,
    process::Process,
    role::Role,
};
use crate::paths;

/// A place that hands a key out for a while.
#[derive(Debug)]
pub enum Remote {
    /// A program of a profile.
    Process(Process),
    /// A role, put on with a token of another authority.
    WebIdentity(WebIdentity),
    /// The endpoint of the container that this runs in.
    Container(Container),
    /// The metadata of the instance that this runs on.
    Metadata(Metadata),
    /// A role, put on with another key.
    Role {
        /// The role.
        role: Role,
        /// The key that may put it on.
        base: Base,
    },
}

/// The key under a role.
#[derive(Debug)]
pub enum Base {
    /// One as such.
    Key(Credentials),
    /// One that has to be asked for, too.
    Remote(Arc<Remote>),
}

impl Remote {
    /// The name of the place on the page.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Process(_) => "process",
            Self::WebIdentity(_) => "web_identity",
            Self::Container(_) => "container",
            Self::Metadata(_) => "imds",
            Self::Role { .. } => "assume_role",
        }
    }

    /// The files, beside those of profiles, that a key from here depends on.
    pub(super) fn files(&self) -> Vec<PathBuf> {
        match self {
            Self::WebIdentity(identity) => vec![identity.token_file.clone()],
            Self::Container(Container {
                token: Token::File(path),
                ..
            }) => vec![path.clone()],
            Self::Role {
                base: Base::Remote(base),
                ..
            } => base.files(),
            _ => Vec::new(),
        }
    }

    /// Whether a profile or a variable of its own leads there: nothing below is turned to when that is gone.
    pub(super) fn is_of_a_profile(&self) -> bool {
        !matches!(self, Self::Container(_) | Self::Metadata(_))
    }

    /// Whether it is asked only because nothing else was there; then, the places that were looked at.
    pub fn is_last_resort(&self) -> Option<&[String]> {
        match self {
            Self::Metadata(metadata) => metadata.looked_at.as_deref(),
            Self::Role {
                base: Base::Remote(base),
                ..
            } => base.is_last_resort(),
            _ => None,
        }
    }
}

impl fmt::Display for Remote {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Process(process) => process.fmt(formatter),
            Self::WebIdentity(identity) => identity.fmt(formatter),
            Self::Container(container) => container.fmt(formatter),
            Self::Metadata(metadata) => metadata.fmt(formatter),
            Self::Role { role, base } => {
                write!(formatter, "the role {}, with ", role.arn)?;
                match base {
                    Base::Key(key) => write!(formatter, "the key …{}", key.suffix()),
                    Base::Remote(base) => base.fmt(formatter),
                }
            }
        }
    }
}

/// A role for whoever holds a token in a file, which something else keeps fresh.
#[derive(Debug)]
pub struct WebIdentity {
    /// The role.
    pub role: Role,
    pub(super) token_file: PathBuf,
    /// The variable or setting that named the file.
    pub(super) named_by: String,
}

impl WebIdentity {
    /// The token as it is in the file now.
    pub fn token(&self) -> Result<SecretString, Error> {
        read_token(&self.token_file).map_err(|fault| Error::Token {
            path: self.token_file.clone(),
            named_by: self.named_by.clone(),
            fault,
        })
    }
}

impl fmt::Display for WebIdentity {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            formatter,
            "the role {}, with the web identity in {} ({})",
            self.role.arn,
            paths::shown(&self.token_file),
            self.named_by
        )
    }
}

/// A container's endpoint. The rest of its URL may be all that keeps others out, so it is never shown.
pub struct Container {
    /// Where to ask.
    pub url: Url,
    token: Token,
    /// The variable that named it.
    named_by: &'static str,
}

enum Token {
    None,
    Value(SecretString),
    /// Read again each time.
    File(PathBuf),
}

impl Container {
    /// The endpoint that the environment names, if it names one.
    pub(super) fn find(variables: &Variables) -> Result<Option<Self>, Error> {
        let (url, named_by) = match (variable(variables, RELATIVE_URI), variable(variables, FULL_URI)) {
            (Some(path), _) => (format!("http://{CONTAINER_HOST}{path}"), RELATIVE_URI),
            (None, Some(url)) => (url, FULL_URI),
            (None, None) => return Ok(None),
        };
        let refused = |fault| Error::Endpoint {
            name: named_by,
            fault,
        };
        let url: Url = url.parse().map_err(|_| refused(EndpointFault::NoUrl))?;
        let host = url.host_str().unwrap_or_default();
        let stays = named_by == FULL_URI || host == CONTAINER_HOST;
        if !matches!(url.scheme(), "http" | "https") || host.is_empty() || !stays {
            return Err(refused(EndpointFault::NoUrl));
        }
        if url.scheme() == "http" && !is_of_this_machine(host) {
            return Err(refused(EndpointFault::Elsewhere {
                host: host.to_owned(),
            }));
        }
        let token = match variable(variables, TOKEN_FILE) {
            Some(path) => Token::File(expanded(&path, variables)),
            None => secret(variables, TOKEN_VALUE)?.map_or(Token::None, Token::Value),
        };
        Ok(Some(Self { url, token, named_by }))
    }

    /// What the endpoint wants in the header `Authorization`, if anything.
    pub fn authorization(&self) -> Result<Option<SecretString>, Error> {
        match &self.token {
            Token::None => Ok(None),
            Token::Value(token) => Ok(Some(token.clone())),
            Token::File(path) => read_token(path).map(Some).map_err(|fault| Error::Token {
                path: path.clone(),
                named_by: TOKEN_FILE.to_owned(),
                fault,
            }),
        }
    }
}

impl fmt::Display for Container {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            formatter,
            "the container's endpoint on {} ({})",
            self.url.host_str().unwrap_or_default(),
            self.named_by
        )
    }
}

impl fmt::Debug for Container {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Container")
            .field("host", &self.url.host_str())
            .finish_non_exhaustive()
    }
}

/// An instance's metadata service, and how patient to be with it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Metadata {
    /// Where it is.
    pub endpoint: Url,
    /// Whether it may be asked without a token of its own when it gives none.
    pub allows_v1: bool,
    /// The time for one request.
    pub timeout: Duration,
    /// How often each request may be sent.
    pub attempts: u32,
    /// What was looked at before, if this is the last place left and nobody named it.
    pub(super) looked_at: Option<Vec<String>>,
}

impl Metadata {
    /// The service, unless the environment turns it off.
    pub(super) fn find(variables: &Variables) -> Result<Option<Self>, Error> {
        let is_set = |name| variable(variables, name).is_some_and(|value| value.eq_ignore_ascii_case("true"));
        if is_set(DISABLED) {
            return Ok(None);
        }
        let mode = variable(variables, ENDPOINT_MODE).unwrap_or_default();
        let endpoint = match variable(variables, ENDPOINT) {
            Some(endpoint) => endpoint,
            None if mode.eq_ignore_ascii_case("ipv6") => "http://[fd00:ec2::254]".to_owned(),
            None => "http://169.254.169.254".to_owned(),
        };
        let endpoint: Option<Url> = endpoint.parse().ok();
        let endpoint = endpoint.filter(|url| matches!(url.scheme(), "http" | "https") && url.has_host());
        let endpoint = endpoint.ok_or(Error::Endpoint {
            name: ENDPOINT,
            fault: EndpointFault::NoUrl,
        })?;
        Ok(Some(Self {
            endpoint,
            allows_v1: !is_set(V1_DISABLED),
            timeout: Duration::from_secs(number(variables, TIMEOUT, 1..=60)?),
            attempts: u32::try_from(number(variables, ATTEMPTS, 1..=10)?).unwrap_or(1),
            looked_at: None,
        }))
    }
}

impl fmt::Display for Metadata {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let host = self.endpoint.host_str().unwrap_or_default();
        write!(formatter, "the role of the instance, from its metadata on {host}")
    }
}

/// A count or a time in seconds; the least when it is not set.
fn number(
    variables: &Variables,
    name: &'static str,
    range: std::ops::RangeInclusive<u64>,
) -> Result<u64, Error> {
    let Some(text) = variable(variables, name) else {
        return Ok(*range.start());
    };
    let number = text.trim().parse().ok();
    number
        .filter(|number| range.contains(number))
        .ok_or_else(|| Error::Number {
            name,
            least: *range.start(),
            most: *range.end(),
        })
}

/// A token in a file of its own, as it is now.
fn read_token(path: &std::path::Path) -> Result<SecretString, TokenFault> {
    let bytes = file::bytes(path, "")?;
    let text = std::str::from_utf8(&bytes).map(str::trim);
    let token = text
        .ok()
        .filter(|token| may_be_in_a_key(token))
        .ok_or(TokenFault::Characters)?;
    if token.is_empty() {
        return Err(TokenFault::Empty);
    }
    if token.len() > TOKEN_LIMIT {
        return Err(TokenFault::TooLong);
    }
    Ok(SecretString::from(Zeroizing::new(token.to_owned()).as_str()))
}

/// Whether a name leads nowhere else, so that a key may come from there without TLS.
fn is_of_this_machine(host: &str) -> bool {
    let address = host.trim_matches(['[', ']']).parse::<IpAddr>();
    host == "localhost"
        || address.is_ok_and(|address| {
            address.is_loopback() || CONTAINER_HOSTS.iter().any(|known| known.parse() == Ok(address))
        })
}

/// ECS.
const CONTAINER_HOST: &str = "169.254.170.2";
/// ECS, and EKS Pod Identity in both its forms.
const CONTAINER_HOSTS: [&str; 3] = [CONTAINER_HOST, "169.254.170.23", "fd00:ec2::23"];
pub(super) const RELATIVE_URI: &str = "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI";
pub(super) const FULL_URI: &str = "AWS_CONTAINER_CREDENTIALS_FULL_URI";
const TOKEN_VALUE: &str = "AWS_CONTAINER_AUTHORIZATION_TOKEN";
const TOKEN_FILE: &str = "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE";
pub(super) const DISABLED: &str = "AWS_EC2_METADATA_DISABLED";
const V1_DISABLED: &str = "AWS_EC2_METADATA_V1_DISABLED";
const ENDPOINT: &str = "AWS_EC2_METADATA_SERVICE_ENDPOINT";
const ENDPOINT_MODE: &str = "AWS_EC2_METADATA_SERVICE_ENDPOINT_MODE";
const TIMEOUT: &str = "AWS_METADATA_SERVICE_TIMEOUT";
const ATTEMPTS: &str = "AWS_METADATA_SERVICE_NUM_ATTEMPTS";

/// The API's own limit of `WebIdentityToken`.
const TOKEN_LIMIT: usize = 20_000;

#[cfg(test)]
mod tests;
