//! A cloud that takes keys only while they are good, and whoever lends them.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};
use tokio::time::Instant;

use crate::endpoints::{Asked, Scripted};

/// Whoever lends keys, each for a while.
#[derive(Clone)]
pub(crate) struct Mint(Arc<Mutex<Issued>>);

struct Issued {
    lifetime: Duration,
    /// With the time at which each ends.
    keys: Vec<(String, Instant)>,
    revoked: BTreeSet<String>,
    refused: usize,
}

impl Mint {
    pub(crate) fn lending_for(lifetime: Duration) -> Self {
        Self(Arc::new(Mutex::new(Issued {
            lifetime,
            keys: Vec::new(),
            revoked: BTreeSet::new(),
            refused: 0,
        })))
    }

    /// Another key, as an instance or a container gets it. The last four characters are its number.
    pub(crate) fn lend(&self) -> Value {
        let mut issued = self.issued();
        let id = format!("TESTKEYEXAMPLE{:04}", issued.keys.len() + 1);
        let lifetime = issued.lifetime;
        issued.keys.push((id.clone(), Instant::now() + lifetime));
        let end = Timestamp::now() + SignedDuration::try_from(lifetime).unwrap();
        json!({
            "AccessKeyId": id,
            "SecretAccessKey": "canary-secret",
            "Token": "canary-token",
            "Expiration": end.to_string(),
        })
    }

    /// The same, as STS says it.
    pub(crate) fn assumed(&self, action: &str) -> String {
        let key = self.lend();
        let [id, secret, token, end] = ["AccessKeyId", "SecretAccessKey", "Token", "Expiration"]
            .map(|name| key[name].as_str().unwrap().to_owned());
        format!(
            "<{action}Response><{action}Result><Credentials><AccessKeyId>{id}</AccessKeyId>\
             <SecretAccessKey>{secret}</SecretAccessKey><SessionToken>{token}</SessionToken>\
             <Expiration>{end}</Expiration></Credentials></{action}Result></{action}Response>"
        )
    }

    pub(crate) fn lent(&self) -> usize {
        self.issued().keys.len()
    }

    /// Requests refused for their key so far.
    pub(crate) fn refused(&self) -> usize {
        self.issued().refused
    }

    /// Takes back what was lent so far, ahead of its end.
    pub(crate) fn revoke(&self) {
        let mut issued = self.issued();
        issued.revoked = issued.keys.iter().map(|(id, _)| id.clone()).collect();
    }

    /// A cloud with one instance that takes the keys lent here, to the second.
    pub(crate) async fn cloud(&self) -> Scripted {
        let mint = self.clone();
        Scripted::start(move |asked| Some(mint.answer(asked))).await
    }

    /// Whether a request is signed by a key that is good now.
    pub(crate) fn takes(&self, asked: &Asked) -> bool {
        let issued = self.issued();
        let signed_by = asked.signed_by().unwrap_or_default();
        !issued.revoked.contains(&signed_by)
            && (issued.keys.iter()).any(|(id, end)| *id == signed_by && Instant::now() < *end)
    }

    fn answer(&self, asked: &Asked) -> (u16, String) {
        if self.takes(asked) {
            return (200, one_instance());
        }
        self.issued().refused += 1;
        (400, error("RequestExpired", "Request has expired."))
    }

    fn issued(&self) -> MutexGuard<'_, Issued> {
        self.0.lock().unwrap()
    }
}

/// What EC2 lists of an account with one instance.
pub(crate) fn one_instance() -> String {
    "<DescribeInstancesResponse><reservationSet><item><instancesSet><item><instanceId>i-1</instanceId>\
     <instanceState><name>running</name></instanceState></item></instancesSet></item></reservationSet>\
     </DescribeInstancesResponse>"
        .to_owned()
}

pub(crate) fn error(code: &str, message: &str) -> String {
    format!("<ErrorResponse><Error><Code>{code}</Code><Message>{message}</Message></Error></ErrorResponse>")
}
