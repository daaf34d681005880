//! Roles, put on at the cloud's STS.

use std::path::PathBuf;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::Duration;

use jiff::Timestamp;
use secrecy::{ExposeSecret as _, SecretString, zeroize::Zeroizing};
use tokio::time::Instant;
use tracing::debug;

use super::super::client::form;
use super::super::clock::{self, Clock};
use super::super::transport::{Needs, Transport};
use super::super::{Action, Cause, Endpoint, Metrics, Reason, Service, retry, xml};
use crate::credentials::{Credentials, Lease, Role};

/// Puts a role on with a key that its trust policy names.
///
/// <https://docs.aws.amazon.com/STS/latest/APIReference/API_AssumeRole.html>
static ASSUME_ROLE: Action = Action::lending(Service::Sts, "AssumeRole");

/// Puts a role on with the token of another authority, and no key.
///
/// <https://docs.aws.amazon.com/STS/latest/APIReference/API_AssumeRoleWithWebIdentity.html>
static ASSUME_ROLE_WITH_WEB_IDENTITY: Action = Action::lending(Service::Sts, "AssumeRoleWithWebIdentity");

/// Where roles are put on, and how that is reached.
#[derive(Debug, Clone)]
pub struct Teller {
    /// The STS; OUTSCALE has none.
    pub endpoint: Option<Endpoint>,
    /// The certificates to trust in place of the platform's.
    pub ca_bundle: Option<PathBuf>,
    /// Where its requests are counted.
    pub metrics: Arc<Metrics>,
}

impl Teller {
    /// Whether another is the same place, reached in the same way.
    pub(super) fn is_like(&self, other: &Self) -> bool {
        self.endpoint == other.endpoint && self.ca_bundle == other.ca_bundle
    }
}

/// Whoever needs a key.
#[derive(Debug)]
pub(in super::super) struct Borrower<'a> {
    /// What signs.
    pub(in super::super) clock: &'a Clock,
    /// Who is told of on the page.
    pub(in super::super) accounts: &'a Mutex<Vec<String>>,
}

impl Borrower<'_> {
    /// The first of the accounts that share the key.
    fn account(&self) -> Option<String> {
        let accounts = self.accounts.lock().unwrap_or_else(PoisonError::into_inner);
        accounts.first().cloned()
    }
}

#[derive(Debug)]
pub(super) struct Sts {
    pub(super) teller: Teller,
    transport: OnceLock<Transport>,
}

impl Sts {
    pub(super) fn new(teller: Teller) -> Self {
        Self {
            teller,
            transport: OnceLock::new(),
        }
    }

    /// A role's key, by another key.
    pub(super) async fn of_role(
        &self,
        role: &Role,
        base: &Credentials,
        borrower: &Borrower<'_>,
        deadline: Instant,
    ) -> Result<Lease, Cause> {
        let duration = role.duration.map(|duration| duration.as_secs().to_string());
        let mut parameters = vec![
            ("RoleArn", role.arn.as_str()),
            ("RoleSessionName", role.session_name.as_str()),
        ];
        parameters.extend(role.external_id.as_deref().map(|id| ("ExternalId", id)));
        parameters.extend(duration.as_deref().map(|seconds| ("DurationSeconds", seconds)));
        let call = Call {
            action: &ASSUME_ROLE,
            parameters: &parameters,
            key: Some(base),
            secrets: base.secrets(),
        };
        self.call(&call, borrower, deadline).await
    }

    /// A role's key, by a token. The request is not signed: there is no key yet.
    pub(super) async fn of_web_identity(
        &self,
        role: &Role,
        token: &SecretString,
        borrower: &Borrower<'_>,
        deadline: Instant,
    ) -> Result<Lease, Cause> {
        let parameters = [
            ("RoleArn", role.arn.as_str()),
            ("RoleSessionName", role.session_name.as_str()),
            ("WebIdentityToken", token.expose_secret()),
        ];
        let call = Call {
            action: &ASSUME_ROLE_WITH_WEB_IDENTITY,
            parameters: &parameters,
            key: None,
            secrets: vec![token],
        };
        self.call(&call, borrower, deadline).await
    }

    async fn call(
        &self,
        call: &Call<'_>,
        borrower: &Borrower<'_>,
        deadline: Instant,
    ) -> Result<Lease, Cause> {
        let Some(endpoint) = &self.teller.endpoint else {
            return Err(Cause::NoEndpoint { service: "sts" });
        };
        let transport = self.transport(endpoint)?;
        let body = Zeroizing::new(form(endpoint, call.action, call.parameters));
        let (mut attempts, mut corrected) = (0, false);
        loop {
            attempts += 1;
            let applied = borrower.clock.skew();
            let at = clock::after(applied);
            let (outcome, skew) = self
                .send(transport, endpoint, call, &body, (borrower, at), deadline)
                .await;
            let cause = match outcome {
                Ok(answer) => return read(&answer, call.action, endpoint),
                Err(cause) => cause,
            };
            let off = borrower.clock.explains(skew, applied);
            if let (Some(off), Reason::Auth | Reason::Clock) = (off, cause.reason())
                && !corrected
            {
                corrected = true;
                borrower.clock.correct(off, borrower.account().as_deref(), None);
                continue;
            }
            let remaining = deadline.saturating_duration_since(Instant::now());
            match retry::backoff(&cause, attempts + 1, fastrand::f64()) {
                Some(wait) if wait < remaining => tokio::time::sleep(wait).await,
                _ => return Err(cause),
            }
        }
    }

    /// Made when it is first needed. What stands in the way then, such as a file that is just being written, may be gone
    /// the next time.
    fn transport(&self, endpoint: &Endpoint) -> Result<&Transport, Cause> {
        if let Some(transport) = self.transport.get() {
            return Ok(transport);
        }
        let needs = Needs::of(std::iter::once(endpoint), self.teller.ca_bundle.clone());
        let made = Transport::new(&needs).map_err(|error| Cause::Unlent {
            host: endpoint.host(),
            reason: Reason::Other,
            detail: error.to_string(),
        })?;
        Ok(self.transport.get_or_init(|| made))
    }

    /// Sends one request, and counts it under the first of the accounts that share the key.
    async fn send(
        &self,
        transport: &Transport,
        endpoint: &Endpoint,
        call: &Call<'_>,
        body: &str,
        (borrower, at): (&Borrower<'_>, Timestamp),
        deadline: Instant,
    ) -> (Result<Zeroizing<String>, Cause>, Option<i64>) {
        let sent = Instant::now();
        let remaining = deadline.saturating_duration_since(sent);
        let reply = transport.send(endpoint, call.key, body, at, remaining).await;
        let skew = reply.as_ref().ok().and_then(|reply| reply.skew);
        let root = call.action.root();
        let outcome = match reply {
            Ok(reply) => reply.into_answer(&endpoint.host(), &root, &call.secrets, call.action.effect),
            Err(unanswered) => Err(unanswered.cause),
        };
        let label = outcome
            .as_ref()
            .map_or_else(|cause| cause.reason().name(), |_| "ok");
        let account = borrower.account();
        debug!(
            account,
            action = call.action.name,
            outcome = outcome
                .as_ref()
                .map_or_else(ToString::to_string, |_| "ok".to_owned()),
            "asked the cloud for a key"
        );
        // Nobody's any more once a reload took the last of them: what is gone gets no series.
        if let Some(account) = account {
            let took: Duration = sent.elapsed();
            self.teller
                .metrics
                .request(&account, &endpoint.region, call.action, label, took);
        }
        (outcome.map(Zeroizing::new), skew.map(|skew| skew.as_secs()))
    }
}

/// What is sent with each attempt.
struct Call<'a> {
    action: &'static Action,
    parameters: &'a [(&'a str, &'a str)],
    /// Who signs it, if anybody.
    key: Option<&'a Credentials>,
    /// What nobody may read in an error.
    secrets: Vec<&'a SecretString>,
}

fn read(answer: &str, action: &Action, endpoint: &Endpoint) -> Result<Lease, Cause> {
    action.read(answer, read_lease).map_err(|error| Cause::Malformed {
        host: endpoint.host(),
        expected: action.root(),
        detail: error.to_string(),
    })
}

/// Reads the result of an action that lends a key: its `Credentials`, whole.
pub fn read_lease(reader: &mut xml::Reader<'_>) -> Result<Lease, xml::Error> {
    let mut values = [const { String::new() }; 4].map(Zeroizing::new);
    reader.each("Credentials", |credentials| {
        while let Some(child) = credentials.child()? {
            match NAMES.iter().position(|name| *name == child) {
                Some(index) => values[index] = Zeroizing::new(credentials.text()?.into_owned()),
                None => credentials.skip()?,
            }
        }
        Ok(())
    })?;
    for (name, value) in NAMES.into_iter().zip(&values) {
        xml::require(!value.is_empty(), name)?;
    }
    let [id, secret, token, expiration] = &values;
    let expires: Option<Timestamp> = expiration.parse().ok();
    xml::require(expires.is_some(), NAMES[3])?;
    Ok(Lease {
        credentials: Credentials {
            access_key_id: id.to_string(),
            secret_access_key: SecretString::from(secret.as_str()),
            session_token: Some(SecretString::from(token.as_str())),
        },
        expires,
    })
}

const NAMES: [&str; 4] = ["AccessKeyId", "SecretAccessKey", "SessionToken", "Expiration"];

#[cfg(test)]
mod tests {
    use prometheus::Registry;

    use super::super::super::Override;
    use super::*;
    use crate::provider::Provider;

    #[test]
    fn bundle_that_is_being_written_is_read_again_the_next_time() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("ca.pem");
        let endpoint = Endpoint::resolve(Provider::Aws, Service::Sts, "eu-west-1", &Override::default());
        let endpoint = endpoint.unwrap();
        let sts = Sts::new(Teller {
            endpoint: Some(endpoint.clone()),
            ca_bundle: Some(path.clone()),
            metrics: Arc::new(Metrics::register(&Registry::new()).unwrap()),
        });
        std::fs::write(&path, "").unwrap();
        let why = sts.transport(&endpoint).unwrap_err().to_string();
        assert!(why.contains("ca.pem holds no certificate"), "{why}");
        let key = rcgen::KeyPair::generate().unwrap();
        let certificate = rcgen::CertificateParams::default().self_signed(&key).unwrap();
        std::fs::write(&path, certificate.pem()).unwrap();
        assert!(sts.transport(&endpoint).is_ok());
        std::fs::remove_file(&path).unwrap();
        assert!(sts.transport(&endpoint).is_ok(), "it is made once");
    }
}
