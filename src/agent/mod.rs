//! The agent put together from its settings: accounts, clients, polls and the page over them.

mod keys;
mod plan;
mod regions;
mod running;
mod services;
mod transports;
mod warnings;
mod watch;

use std::sync::Arc;

use futures_util::future;
use prometheus::Registry;
use tracing::warn;

use crate::api::{self, Credential};
use crate::config::{self, Settings};
use crate::credentials::{self, Found, Variables};
use crate::exposition::{self, Page};
use crate::identity::{self, Audit, Auditor};
use crate::joined::Joined;
use crate::metric::Family;
use crate::poller::{self, Watched};
use crate::reading::Reading;
use crate::server;
use plan::{Draft, Plan, Prepared, Region, Workshop};
pub(crate) use regions::FIND_AGAIN;
pub use running::Running;
use transports::Transports;
use warnings::Warnings;

/// Everything that runs, before it runs.
pub struct Agent {
    /// The page over all polls.
    pub page: Arc<Page>,
    accounts: Vec<Watch>,
    workshop: Workshop,
    settings: Settings,
    config_metrics: config::Metrics,
}

/// One account, and the regions of it that are known.
struct Watch {
    plan: Plan,
    /// The poll that finds its regions, if they are to be found.
    finding: Option<Prepared>,
    regions: Vec<Region>,
}

/// A poll of [`Agent::poll_once`] that failed.
pub struct Failed {
    /// The `account` label.
    pub account: String,
    /// The `region` label.
    pub region: String,
    /// The `kind` label.
    pub kind: &'static str,
    /// Why.
    pub error: api::Error,
    /// The same for people, with what to do about it.
    pub explained: String,
}

/// An error when every account is without a place for its key; a warning for each of some.
pub fn some_found(looked: Vec<(&str, Result<(), credentials::Error>)>) -> Result<(), credentials::Error> {
    for (account, reason) in some_missing(looked)? {
        warn!(account, error = %reason, "no usable key, looking again at each poll");
    }
    Ok(())
}

/// The accounts without a place for their key, and why; an error when these are all.
fn some_missing<T>(
    looked: Vec<(&str, Result<T, credentials::Error>)>,
) -> Result<Vec<(&str, credentials::Error)>, credentials::Error> {
    let accounts = looked.len();
    let mut missing: Vec<_> = (looked.into_iter())
        .filter_map(|(account, found)| Some((account, found.err()?)))
        .collect();
    if missing.len() == accounts
        && let Some((_, reason)) = missing.pop()
    {
        return Err(reason);
    }
    Ok(missing)
}

/// Every family of the agent's own rooms.
pub fn own_families() -> Vec<&'static Family> {
    [
        &api::FAMILIES[..],
        &poller::FAMILIES,
        &identity::FAMILIES,
        &config::FAMILIES,
        &exposition::FAMILIES,
        &server::FAMILIES,
    ]
    .concat()
}

impl Agent {
    /// Builds clients and polls; nothing is sent yet. Reads the CA bundles, not the keys.
    pub fn new(settings: &Settings, variables: &Variables) -> anyhow::Result<Self> {
        Self::trial(settings, variables, Transports::default()).map(Self::in_force)
    }

    /// The same, able to audit whatever the settings say of that.
    pub fn auditing(settings: &Settings, variables: &Variables) -> anyhow::Result<Self> {
        Self::build(settings, variables, Transports::default(), true).map(Self::in_force)
    }

    /// One that shows whether the settings can be taken, and tells of nothing.
    fn trial(settings: &Settings, variables: &Variables, transports: Transports) -> anyhow::Result<Self> {
        Self::build(settings, variables, transports, settings.audit_interval.is_some())
    }

    fn in_force(self) -> Self {
        self.workshop.warnings.tell_beyond(&Warnings::default());
        self
    }

    fn build(
        settings: &Settings,
        variables: &Variables,
        transports: Transports,
        is_audited: bool,
    ) -> anyhow::Result<Self> {
        let registry = Registry::new();
        let mut workshop = Workshop::new(variables, transports, is_audited, &registry)?;
        let parts = parts(settings).into_iter();
        let accounts: Vec<Watch> = parts
            .map(|part| Watch::new(&mut workshop, settings, &part))
            .collect::<anyhow::Result<_>>()?;
        let config_metrics = config::Metrics::register(&registry)?;
        config_metrics.loaded();
        let page = Arc::new(Page::new(registry, settings.stale_after)?);
        for account in &accounts {
            page.add(account.watched(), account.joined());
        }
        Ok(Self {
            page,
            accounts,
            workshop,
            settings: settings.clone(),
            config_metrics,
        })
    }

    /// Looks once where every account's key comes from, and gives that. Asks nobody for one.
    pub fn places(&self) -> Vec<(&str, Result<Found, credentials::Error>)> {
        let accounts = self.accounts.iter().map(|watch| &watch.plan.account);
        accounts
            .map(|account| (account.name.as_str(), account.place()))
            .collect()
    }

    /// The accounts without a place for their key; an error when these are all. Asks nobody for a key.
    fn without_keys(&self) -> Result<Vec<(&str, credentials::Error)>, credentials::Error> {
        some_missing(self.places())
    }

    /// Makes sure that there is a place for an account's key to come from. Accounts without one are told of and go on
    /// looking for it; an error when there is none at all.
    pub async fn find_keys(&self) -> Result<(), credentials::Error> {
        let accounts = self.accounts.iter().map(|watch| &watch.plan.account);
        let looked = future::join_all(accounts.clone().map(|account| account.has_place())).await;
        let names = accounts.map(|account| account.name.as_str());
        some_found(names.zip(looked).collect())
    }

    /// Finds the regions of the accounts that are to be watched in all of them. Needed before [`Agent::audit`]; a
    /// running agent does it by itself.
    pub async fn find_regions(&mut self) -> Vec<Failed> {
        let page = Arc::clone(&self.page);
        let found = self
            .accounts
            .iter_mut()
            .map(|account| account.find_regions(&page));
        future::join_all(found).await.into_iter().flatten().collect()
    }

    /// Finds the regions and polls everything once; gives the polls that failed.
    pub async fn poll_once(&mut self) -> Vec<Failed> {
        let mut failed = self.find_regions().await;
        failed.append(&mut self.once().await);
        failed
    }

    /// Starts every poll, and the audits that the settings ask for; they end when what is given is dropped.
    pub fn start(self) -> Running {
        Running::start(self)
    }

    /// Polls everything once, all at the same time, and gives the polls that failed.
    ///
    /// Where an instance is behind a load balancer and on no list, the instances are listed once more: it may have been
    /// launched in between, and nothing polls again here to find that out.
    pub async fn once(&self) -> Vec<Failed> {
        let regions = self.accounts.iter().flat_map(|account| &account.regions);
        let polls: Vec<&Prepared> = regions.clone().flat_map(|region| &region.polls).collect();
        let mut failed = polled_once(&polls).await;
        let in_doubt = regions.filter(|region| region.joined.is_in_doubt());
        let again: Vec<&Prepared> = in_doubt.flat_map(Region::lists_of_instances).collect();
        failed.append(&mut polled_once(&again).await);
        failed
    }

    /// Audits every account once, all at the same time.
    pub async fn audit(&self) -> Vec<Audit> {
        let auditors: Vec<Auditor> = self.accounts.iter().map(Watch::auditor).collect();
        future::join_all(auditors.iter().map(Auditor::once)).await
    }
}

/// One account, and those of its regions that the settings name and this process polls.
struct Part<'a> {
    account: &'a config::Account,
    regions: Vec<String>,
}

/// The accounts that this process has a part of.
fn parts(settings: &Settings) -> Vec<Part<'_>> {
    let mut numbers = 0..;
    let parts = settings.accounts.iter().map(|account| {
        let listed = account.regions.listed().iter().zip(numbers.by_ref());
        let is_ours = |number| settings.shard.is_none_or(|shard| shard.has_number(number));
        let ours = listed.filter(|(_, number)| is_ours(*number));
        Part {
            account,
            regions: ours.map(|(region, _)| region.clone()).collect(),
        }
    });
    let has_some = |part: &Part<'_>| !part.regions.is_empty() || part.account.regions.is_every();
    parts.filter(has_some).collect()
}

impl Watch {
    fn new(workshop: &mut Workshop, settings: &Settings, part: &Part<'_>) -> anyhow::Result<Self> {
        let draft = workshop.draft(part)?;
        let credential = workshop.credential(settings, part.account)?;
        Ok(Self::of(workshop, settings, draft, credential))
    }

    /// One that nothing can be wrong with any more.
    fn of(workshop: &Workshop, settings: &Settings, draft: Draft, credential: Arc<Credential>) -> Self {
        let plan = workshop.plan(settings, draft, credential);
        let regions = plan.listed();
        Self {
            finding: plan.finding_poll(),
            plan,
            regions,
        }
    }

    /// Its polls, for the page.
    fn watched(&self) -> impl Iterator<Item = Watched> {
        let of_regions = self.regions.iter().flat_map(|region| &region.polls);
        let polls = self.finding.iter().chain(of_regions);
        polls.map(|prepared| prepared.watched.clone())
    }

    /// What they say together, for the page.
    fn joined(&self) -> impl Iterator<Item = Arc<Joined>> {
        self.regions.iter().map(|region| Arc::clone(&region.joined))
    }

    fn auditor(&self) -> Auditor {
        let clients = self.regions.iter().map(|region| region.client.clone());
        self.plan.auditor(clients.collect())
    }
}

async fn polled_once(polls: &[&Prepared]) -> Vec<Failed> {
    let outcomes = polls.iter().map(async |prepared| prepared.once().await.err());
    future::join_all(outcomes).await.into_iter().flatten().collect()
}

impl Prepared {
    /// Polls once and publishes what came of it.
    async fn once(&self) -> Result<Arc<Reading>, Failed> {
        let poll = &self.poll;
        poll.once(&self.status).await.map_err(|error| Failed {
            account: poll.client.account().name.clone(),
            region: poll.client.region().to_owned(),
            kind: poll.kind.name,
            explained: poll.explained(&error),
            error,
        })
    }
}

/// Puts a region's polls on the page.
fn show(page: &Page, region: &Region) {
    let watched = region.polls.iter().map(|prepared| prepared.watched.clone());
    page.add(watched, Some(Arc::clone(&region.joined)));
}
