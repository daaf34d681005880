//! The only room that opens a connection to a cloud.
//!
//! A [`Credential`] is what all accounts and regions with one key share: its source, the auth breaker, the clock's
//! skew. A [`Client`] speaks for an [`Account`] in one region: budget, endpoints, attempts.
//! Resources ask through [`Client::ask`] (one answer) and [`Client::list`] (every page).

pub mod answer;
pub(crate) mod aside;
mod attempt;
pub mod breaker;
pub mod budget;
mod client;
mod clock;
pub mod code;
mod credential;
pub mod endpoint;
pub mod error;
mod kept;
mod lending;
mod metrics;
pub mod retry;
mod standing;
mod transport;
pub mod xml;

use std::sync::{Arc, PoisonError};
use std::time::Duration;

use tokio::time::Instant;
use tracing::info;

use crate::credentials::{self, Current, Found};
use crate::provider::Provider;

pub use client::Client;
pub use credential::{Credential, Users};
pub(crate) use endpoint::are_of_one_partition;
pub use endpoint::{Endpoint, Endpoints, NoEndpoint, Override, Service, Variant};
pub use error::{Cause, Error, NoKey, Reason};
pub use kept::Kept;
pub use lending::{Teller, read_lease};
pub use metrics::{FAMILIES, Metrics};
pub use standing::{Place, Standings};
pub use transport::{BadTransport, Contents, Needs, Transport};

/// One API operation, as the cloud names it.
#[derive(Debug, PartialEq, Eq)]
pub struct Action {
    /// The service that has it.
    pub service: Service,
    /// `DescribeInstances`.
    pub name: &'static str,
    /// How it gives its pages; `None` when it has none.
    pub paging: Option<Paging>,
    /// What it does at the cloud.
    pub effect: Effect,
    /// Parameters that make a complete request about nothing that exists: its answer tells whether a key may.
    pub proof: &'static [(&'static str, &'static str)],
}

/// What an action does at the cloud.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Effect {
    /// Nothing. It may be sent twice.
    Describes,
    /// Something. It is sent again only when the cloud certainly did not do it.
    Changes,
    /// Nothing, but its answer holds a key for a while. It may be sent twice.
    Lends,
    /// Nothing, as it is sent: only with parameters that leave it nothing to do. It may be sent twice.
    Probes,
}

/// How a listing is cut into pages.
#[derive(Debug, PartialEq, Eq)]
pub struct Paging {
    /// The parameter that holds the page's size.
    pub size_parameter: &'static str,
    /// The largest page the API gives.
    pub size: u32,
    /// The parameter that asks for the next page.
    pub cursor_parameter: &'static str,
    /// The element of a page that holds it.
    pub cursor_element: &'static str,
}

impl Action {
    /// An action that only describes, in one page.
    pub const fn describing(service: Service, name: &'static str) -> Self {
        Self {
            service,
            name,
            paging: None,
            effect: Effect::Describes,
            proof: &[],
        }
    }

    /// An action that changes something. Only [`crate::identity`] has any.
    pub const fn changing(service: Service, name: &'static str) -> Self {
        Self {
            effect: Effect::Changes,
            ..Self::describing(service, name)
        }
    }

    /// An action that is only ever asked to do nothing, to see whether it is allowed.
    /// Only [`crate::identity`] has any.
    pub const fn probing(service: Service, name: &'static str) -> Self {
        Self {
            effect: Effect::Probes,
            ..Self::describing(service, name)
        }
    }

    /// An action that lends a key. Only this room has any.
    const fn lending(service: Service, name: &'static str) -> Self {
        Self {
            effect: Effect::Lends,
            ..Self::describing(service, name)
        }
    }

    /// The same, given in pages.
    #[must_use]
    pub const fn paged(self, paging: Paging) -> Self {
        Self {
            paging: Some(paging),
            ..self
        }
    }

    /// The same, with the parameters that prove it allowed.
    #[must_use]
    pub const fn proven_with(self, proof: &'static [(&'static str, &'static str)]) -> Self {
        Self { proof, ..self }
    }

    /// Reads an answer to it, whole: `read` is given the element that holds the result.
    pub fn read<T>(
        &self,
        answer: &str,
        read: impl FnOnce(&mut xml::Reader<'_>) -> Result<T, xml::Error>,
    ) -> Result<T, xml::Error> {
        let result = (self.service != Service::Ec2).then(|| format!("{}Result", self.name));
        xml::Reader::open(answer, &self.root())?.whole(result.as_deref(), read)
    }

    /// The root of an answer to it.
    fn root(&self) -> String {
        format!("{}Response", self.name)
    }

    /// The action as policies write it: `ec2:DescribeInstances`. Both clouds use AWS's prefixes.
    pub fn policy_name(&self) -> String {
        format!("{}:{}", self.service.policy_prefix(), self.name)
    }
}

/// One account of the settings.
#[derive(Debug)]
pub struct Account {
    /// The `account` label.
    pub name: String,
    /// The cloud.
    pub provider: Provider,
    transport: Arc<Transport>,
    credential: Arc<Credential>,
    metrics: Arc<Metrics>,
}

/// It is held back and shown with its credential no more.
impl Drop for Account {
    fn drop(&mut self) {
        let accounts = self.credential.accounts.lock();
        let mut accounts = accounts.unwrap_or_else(PoisonError::into_inner);
        if let Some(index) = accounts.iter().position(|name| *name == self.name) {
            accounts.swap_remove(index);
        }
    }
}

impl Account {
    /// An account that uses this transport and this credential, alone or with others.
    pub fn new(
        name: String,
        provider: Provider,
        transport: impl Into<Arc<Transport>>,
        credential: Arc<Credential>,
        metrics: Arc<Metrics>,
    ) -> Self {
        metrics.account(&name, provider);
        credential
            .accounts
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .push(name.clone());
        Self {
            name,
            provider,
            transport: transport.into(),
            credential,
            metrics,
        }
    }

    /// What the files held by which its endpoints are reached.
    pub fn contents(&self) -> &Contents {
        self.transport.contents()
    }

    /// The cloud's clock minus ours, in seconds, as far as it is corrected for.
    pub fn skew(&self) -> i64 {
        self.credential.clock.skew()
    }

    /// The key in force, which the page then names by its last four characters. One that is lent is asked for by
    /// then, unless there is one that is good for longer than a call.
    pub(crate) async fn key(&self, deadline: Instant) -> Result<Current, Cause> {
        let current = self.credential.key(deadline).await?;
        self.show(&current);
        Ok(current)
    }

    /// The key in force, if there is one, without asking anybody for it.
    pub fn key_in_force(&self) -> Option<Current> {
        self.credential.in_force()
    }

    /// Where the key comes from; shown on the page, if it is there already.
    pub fn place(&self) -> Result<Found, credentials::Error> {
        let found = self.credential.source.look()?;
        if let Found::Key(current) = &found {
            self.show(current);
        }
        Ok(found)
    }

    /// The same, and an error when nothing names a place and the last one there could be, an instance's metadata, is
    /// not there or has no role.
    pub async fn has_place(&self) -> Result<(), credentials::Error> {
        let Found::Remote(remote) = self.place()? else {
            return Ok(());
        };
        let Some(looked_at) = remote.is_last_resort() else {
            return Ok(());
        };
        match self.key(Instant::now() + LAST_RESORT).await {
            // One that is down for a moment is there.
            Err(Cause::NoKey(no_key)) if !no_key.is_for_a_moment() => {
                let mut looked_at = looked_at.to_vec();
                looked_at.push(no_key.told());
                Err(credentials::Error::NotFound {
                    provider: self.provider,
                    profile: None,
                    looked_at,
                })
            }
            _ => Ok(()),
        }
    }

    fn show(&self, current: &Current) {
        let suffix = current.credentials.suffix();
        let is_another = self.metrics.credentials(&self.name, current.source, suffix);
        self.metrics.expiry(&self.name, current.expires);
        if is_another && current.expires.is_none() {
            info!(
                account = self.name,
                source = current.source,
                key = suffix,
                "another key is in force"
            );
        }
    }
}

/// An instance's metadata answers at once, or is not there.
const LAST_RESORT: Duration = Duration::from_secs(10);
