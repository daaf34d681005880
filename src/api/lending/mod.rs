//! Asking for keys on loan: of the cloud's STS, of a container's endpoint, of an instance's metadata, of a program.

mod container;
mod loan;
mod local;
mod metadata;
mod sts;

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

use super::clock::Clock;
use super::error::NoKey;
use super::{Cause, Reason, code};
use crate::credentials::{Base, Lease, Remote};
use local::Local;
use sts::Sts;

pub(super) use loan::Loan;
pub use sts::{Teller, read_lease};

/// Whoever asks on behalf of one credential.
#[derive(Debug)]
pub(super) struct Lender {
    sts: Mutex<Arc<Sts>>,
}

impl Lender {
    pub(super) fn new(teller: Teller) -> Self {
        Self {
            sts: Mutex::new(Arc::new(Sts::new(teller))),
        }
    }

    /// Asks by another teller from now on, for which files are read again. Gives whether that is somewhere else.
    pub(super) fn adopt(&self, teller: Teller) -> bool {
        let mut sts = self.sts.lock().unwrap_or_else(PoisonError::into_inner);
        let elsewhere = !sts.teller.is_like(&teller);
        *sts = Arc::new(Sts::new(teller));
        elsewhere
    }

    /// A fresh key from a place, or why there is none and what to do about it.
    pub(super) async fn ask(&self, remote: &Remote, borrower: &sts::Borrower<'_>) -> Result<Lease, NoKey> {
        let deadline = Instant::now() + TIMEOUT;
        let sts = Arc::clone(&self.sts.lock().unwrap_or_else(PoisonError::into_inner));
        lease(&sts, remote, borrower, deadline).await
    }
}

async fn lease(
    sts: &Sts,
    remote: &Remote,
    borrower: &sts::Borrower<'_>,
    deadline: Instant,
) -> Result<Lease, NoKey> {
    let ca_bundle = sts.teller.ca_bundle.as_deref();
    let none = |cause: Cause| NoKey {
        place: remote.to_string(),
        advice: advice(remote, &cause),
        cause: Box::new(cause),
    };
    let lent = match remote {
        Remote::Process(process) => process.run().await.map_err(|error| none(error.into())),
        Remote::WebIdentity(identity) => {
            let token = identity.token().map_err(|error| none(error.into()))?;
            let lease = sts.of_web_identity(&identity.role, &token, borrower, deadline);
            lease.await.map_err(none)
        }
        Remote::Container(container) => {
            let local = Local::new(&container.url, ca_bundle).map_err(none)?;
            container::ask(&local, container).await.map_err(none)
        }
        Remote::Metadata(metadata) => {
            let local = Local::new(&metadata.endpoint, ca_bundle).map_err(none)?;
            metadata::ask(&local, metadata).await.map_err(none)
        }
        Remote::Role { role, base } => {
            let base = match base {
                Base::Key(credentials) => credentials.clone(),
                // What is wrong with the key below is told as that.
                Base::Remote(base) => Box::pin(lease(sts, base, borrower, deadline)).await?.credentials,
            };
            let lease = sts.of_role(role, &base, borrower, deadline);
            lease.await.map_err(none)
        }
    };
    in_time(lent?, remote, borrower.clock)
}

/// The same key, unless it is over before it is used. Only here is that judged, by the clock that signs.
fn in_time(lease: Lease, remote: &Remote, clock: &Clock) -> Result<Lease, NoKey> {
    let Some(at) = lease.expires.filter(|at| *at <= clock.now()) else {
        return Ok(lease);
    };
    let is_corrected = clock.skew() != 0;
    // A role's key is new: with a clock that is ahead, the next one would be over, too.
    let (reason, advice) = match remote {
        Remote::Role { .. } | Remote::WebIdentity(_) => (Reason::Clock, "set this machine's clock"),
        _ if is_corrected => (Reason::Auth, "it must give one that is still good"),
        _ => (
            Reason::Auth,
            "it must give one that is still good, if this machine's clock is right",
        ),
    };
    let whose = if is_corrected {
        "the cloud's"
    } else {
        "this machine's"
    };
    Err(NoKey {
        place: remote.to_string(),
        cause: Box::new(Cause::Unlent {
            host: "it".to_owned(),
            reason,
            detail: format!("what it gives holds a key that ran out at {at}, by {whose} clock"),
        }),
        advice: Some(advice.to_owned()),
    })
}

/// What to do about it, where the words of the cause do not say so.
fn advice(remote: &Remote, cause: &Cause) -> Option<String> {
    let is_over = matches!(cause, Cause::Answer(answer) if answer.says(code::EXPIRED_TOKEN));
    match (remote, cause.reason()) {
        // It says what to do itself.
        _ if matches!(cause, Cause::Credentials(_)) => None,
        (Remote::Role { role, base }, Reason::Denied) => {
            let holder = match base {
                Base::Key(key) => format!("the user of key …{}", key.suffix()),
                Base::Remote(base) => base.to_string(),
            };
            let external_id = match role.external_id {
                Some(_) => "with this external id",
                None => "(it may ask for an `external_id`)",
            };
            Some(format!(
                "the trust policy of {} must allow `sts:AssumeRole` to {holder} {external_id}, and that one's own policy \
                 must allow it on this role",
                role.arn
            ))
        }
        (Remote::WebIdentity(_), _) if is_over => {
            Some("whatever writes the token's file must write a fresh one".to_owned())
        }
        (Remote::WebIdentity(identity), Reason::Denied | Reason::Auth | Reason::Other) => Some(format!(
            "the trust policy of {} must allow `sts:AssumeRoleWithWebIdentity` to the issuer, audience and subject of the \
             token",
            identity.role.arn
        )),
        (Remote::Role { .. }, Reason::Auth) => {
            Some("check that the key under the role is whole, active and of this partition".to_owned())
        }
        (Remote::Role { .. } | Remote::WebIdentity(_), Reason::Unreachable | Reason::Timeout) => {
            Some("check the region's name, `endpoints.sts`, the network and the proxy variables".to_owned())
        }
        (Remote::Metadata(_), Reason::Unreachable | Reason::Timeout) => Some(
            "is this an EC2 instance, and its metadata turned on? In a container its hop limit must be 2"
                .to_owned(),
        ),
        (_, Reason::Clock) => Some("set this machine's clock".to_owned()),
        _ => None,
    }
}

/// A chain of roles, each asked for with its retries; nobody who polls waits for it while another key is good.
const TIMEOUT: Duration = Duration::from_secs(90);

#[cfg(test)]
mod tests;
