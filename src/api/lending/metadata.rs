//! The metadata of the instance that this runs on: version 2, and version 1 where the service knows no other.
//!
//! <https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/instancedata-data-retrieval.html>

use reqwest::{Method, Url};
use secrecy::SecretString;

use super::super::{Cause, Reason};
use super::local::{Answer, Local, host};
use crate::credentials::{Lease, Metadata};

/// Asks for the key of the instance's role.
pub(super) async fn ask(local: &Local, metadata: &Metadata) -> Result<Lease, Cause> {
    let session = Session { local, metadata };
    let mut token = session.token().await?;
    let (mut role, mut renewed) = (None, false);
    loop {
        let url = match &role {
            None => session.url(ROLES),
            Some(role) => session.url(&format!("{ROLES}{role}")),
        }?;
        let header = token.as_ref().map(|token| (TOKEN, token));
        let answer = session.send(Method::GET, &url, header).await?;
        match (answer.status, &role) {
            (200, None) => role = Some(role_name(&answer, &url)?),
            (200, Some(_)) => return answer.lease(&url, token.as_ref()),
            // The token is not good any more: one more, once.
            (401, _) if !renewed => {
                renewed = true;
                token = session.token().await?;
            }
            (404, None) => {
                return Err(answer.refused(&url, ": the instance has no role; attach an instance profile"));
            }
            (403, _) => return Err(answer.refused(&url, ": the instance's metadata is turned off")),
            _ => return Err(answer.refused(&url, "")),
        }
    }
}

struct Session<'a> {
    local: &'a Local,
    metadata: &'a Metadata,
}

impl Session<'_> {
    /// A token of version 2; `None` where the service has none to give and may be asked without.
    async fn token(&self) -> Result<Option<SecretString>, Cause> {
        let url = self.url(TOKENS)?;
        let lifetime = SecretString::from(LIFETIME);
        let answer = self
            .send(Method::PUT, &url, Some((LIFETIME_HEADER, &lifetime)))
            .await?;
        match answer.status {
            200 => {
                let text = std::str::from_utf8(&answer.body)
                    .map(str::trim)
                    .unwrap_or_default();
                if text.is_empty() {
                    return Err(malformed(&url, "token", "it is empty or no text"));
                }
                Ok(Some(SecretString::from(text)))
            }
            403..=405 if self.metadata.allows_v1 => Ok(None),
            403..=405 => Err(answer.refused(
                &url,
                ": it gives no token, and AWS_EC2_METADATA_V1_DISABLED forbids to ask without",
            )),
            _ => Err(answer.refused(&url, " to the request for a token")),
        }
    }

    async fn send(
        &self,
        method: Method,
        url: &Url,
        header: Option<(&'static str, &SecretString)>,
    ) -> Result<Answer, Cause> {
        let mut attempt = 1;
        loop {
            let sent = self
                .local
                .send(method.clone(), url, header, self.metadata.timeout)
                .await;
            let may_pass = match &sent {
                Ok(answer) => answer.status >= 500,
                Err(cause) => matches!(cause.reason(), Reason::Unreachable | Reason::Timeout),
            };
            if attempt >= self.metadata.attempts || !may_pass {
                return sent;
            }
            attempt += 1;
        }
    }

    fn url(&self, path: &str) -> Result<Url, Cause> {
        let base = self.metadata.endpoint.as_str().trim_end_matches('/');
        let url = format!("{base}/{path}").parse();
        url.map_err(|_| malformed(&self.metadata.endpoint, "name of a role", "it makes no URL"))
    }
}

/// The first line of the list: an instance has one role.
fn role_name(answer: &Answer, url: &Url) -> Result<String, Cause> {
    let text = std::str::from_utf8(&answer.body).unwrap_or_default();
    let name = text.lines().next().map(str::trim).unwrap_or_default();
    // What IAM lets a name be: nothing that leads to another path.
    let is_letter = |byte: u8| byte.is_ascii_alphanumeric() || b"_+=,.@-".contains(&byte);
    if name.is_empty() || name.len() > 128 || !name.bytes().all(is_letter) || name.starts_with("..") {
        return Err(malformed(url, "list of roles", "its first line is no name"));
    }
    Ok(name.to_owned())
}

fn malformed(url: &Url, expected: &str, detail: &str) -> Cause {
    Cause::Malformed {
        host: host(url),
        expected: expected.to_owned(),
        detail: detail.to_owned(),
    }
}

const TOKENS: &str = "latest/api/token";
const ROLES: &str = "latest/meta-data/iam/security-credentials/";
const TOKEN: &str = "x-aws-ec2-metadata-token";
const LIFETIME_HEADER: &str = "x-aws-ec2-metadata-token-ttl-seconds";
/// The longest there is; one is asked for with each key.
const LIFETIME: &str = "21600";
