//! The only room that opens a connection to a cloud.
//!
//! An [`Account`] holds what one credential shares over all its regions: the HTTP client, the key's source,
//! the auth breaker and the clock's skew. A [`Client`] speaks for an account in one region: budget, endpoints.
//! Resources ask through [`Client::ask`] (one answer) and [`Client::list`] (every page).

pub mod breaker;
pub mod budget;
mod client;
pub mod endpoint;
pub mod error;
mod metrics;
pub mod retry;
mod transport;
pub mod xml;

use std::sync::Arc;
use std::sync::atomic::AtomicI64;

use tokio::sync::Semaphore;

use crate::credentials::{Current, Source};
use crate::provider::Provider;

use breaker::Breaker;
pub use client::Client;
pub use endpoint::{Endpoint, Override, Service};
pub use error::{Cause, Error, Reason};
pub use metrics::{FAMILIES, Metrics};
pub use transport::{BadTransport, Needs, Transport};

/// One API operation, as the cloud names it.
#[derive(Debug, PartialEq, Eq)]
pub struct Action {
    /// The service that has it.
    pub service: Service,
    /// `DescribeInstances`.
    pub name: &'static str,
    /// How it gives its pages; `None` when it has none.
    pub paging: Option<Paging>,
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
}

impl Action {
    /// The action as policies write it: `ec2:DescribeInstances`. Both clouds use AWS's prefixes.
    pub fn policy_name(&self) -> String {
        let prefix = match self.service {
            Service::Ec2 => "ec2",
            Service::Elb => "elasticloadbalancing",
        };
        format!("{prefix}:{}", self.name)
    }
}

/// What one credential shares over all its regions.
#[derive(Debug)]
pub struct Account {
    /// The `account` label.
    pub name: String,
    /// The cloud.
    pub provider: Provider,
    transport: Transport,
    source: Source,
    breaker: Breaker,
    /// Requests under way in all regions, where too many refusals at once would lock the account.
    under_way: Semaphore,
    /// How many of them may be one region's.
    share: usize,
    /// The cloud's clock minus ours, in seconds, as far as it is corrected for: the clock that is off is ours, so
    /// one region tells it for all.
    skew: AtomicI64,
    metrics: Arc<Metrics>,
}

impl Account {
    /// An account with so many regions, whose key has not been tried yet.
    pub fn new(
        name: String,
        provider: Provider,
        regions: usize,
        transport: Transport,
        source: Source,
        metrics: Arc<Metrics>,
    ) -> Self {
        metrics.account(&name, provider);
        let breaker = Breaker::new(provider.lock_out_after(), regions);
        // One refusal fewer than a lock-out takes may be under way; where nothing locks, there is no cap.
        let under_way = provider
            .lock_out_after()
            .and_then(|limit| usize::try_from(limit).ok())
            .map_or(Semaphore::MAX_PERMITS, |limit| limit.saturating_sub(1).max(1));
        Self {
            name,
            provider,
            transport,
            source,
            breaker,
            under_way: Semaphore::new(under_way),
            share: (under_way / regions.max(1)).max(1),
            skew: AtomicI64::new(0),
            metrics,
        }
    }

    /// The key in force, which the page then names by its last four characters.
    pub fn key(&self) -> Result<Current, crate::credentials::Error> {
        let current = self.source.current()?;
        self.metrics
            .credentials(&self.name, current.source, current.credentials.suffix());
        Ok(current)
    }
}
