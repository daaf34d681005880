//! The regions of an account that is watched in all it has enabled: found, and found again now and then.

use std::collections::HashMap;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;

use futures_util::FutureExt as _;
use tokio::task::JoinSet;
use tokio_util::task::TaskTracker;
use tracing::{error, info, warn};

use super::plan::{Plan, Prepared, Region};
use super::watch::{self, Audits};
use super::{Failed, Watch, show};
use crate::api::{Client, Reason, are_of_one_partition};
use crate::exposition::Page;
use crate::repeated::Repeated;

impl Watch {
    /// Finds the regions, if they are to be found, and puts them on the page.
    pub(super) async fn find_regions(&mut self, page: &Page) -> Option<Failed> {
        let found = self.finding.as_ref()?.once().await;
        match found {
            Ok(reading) => {
                let names = of_the_partition(&self.plan, &reading.facts.regions);
                let names = of_the_shard(&self.plan, &names);
                self.regions = opened(&self.plan, names.iter(), &mut Repeated::default());
                self.regions.iter().for_each(|region| show(page, region));
                None
            }
            Err(failed) => Some(failed),
        }
    }
}

/// The regions among these in which the account can be: those of the partition that was asked.
fn of_the_partition(plan: &Plan, found: &[String]) -> Vec<String> {
    let home = plan.finder.as_ref().map_or("", Client::region);
    let own = found.iter().filter(|region| are_of_one_partition(region, home));
    own.cloned().collect()
}

/// The regions among these that this process polls.
fn of_the_shard(plan: &Plan, found: &[String]) -> Vec<String> {
    let is_ours = |region: &&String| {
        let account = &plan.account.name;
        plan.shard.is_none_or(|shard| shard.has_region(account, region))
    };
    found.iter().filter(is_ours).cloned().collect()
}

/// The regions that the cloud named. What it names is not trusted to be the name of a host.
fn opened<'a>(
    plan: &Plan,
    names: impl Iterator<Item = &'a String>,
    left_out: &mut Repeated<String>,
) -> Vec<Region> {
    let mut opened = Vec::new();
    for name in names {
        match plan.region(name) {
            Ok(region) => opened.push(region),
            Err(error) => {
                if let Some(count) = left_out.again(name.clone()) {
                    warn!(
                        account = plan.account.name,
                        count,
                        error = format!("{error:#}"),
                        "a region that the cloud names is left out"
                    );
                }
            }
        }
    }
    opened
}

/// Finds the regions, starts polling those that are new and stops with those that are gone, until dropped.
///
/// What it begins is followed by `all`, since it may run on for a moment when this is dropped.
pub(super) async fn keep_finding(
    plan: Plan,
    finding: Prepared,
    page: Arc<Page>,
    audits: Audits,
    all: TaskTracker,
) {
    let mut finder = Finder {
        plan,
        page,
        audits,
        all,
        polled: HashMap::new(),
        audited: JoinSet::new(),
        nameless: Repeated::default(),
        left_out: Repeated::default(),
    };
    let mut failing: Repeated<Option<Reason>> = Repeated::default();
    loop {
        // In this task and not in one of its own, as each poll.
        let wait = match AssertUnwindSafe(finding.once()).catch_unwind().await {
            Ok(Ok(reading)) => {
                if let Some(over) = failing.over() {
                    info!(
                        account = finder.plan.account.name,
                        failures = over.failures,
                        seconds = over.lasted.as_secs(),
                        "the regions of the account are found again"
                    );
                }
                finder.adopt(&reading.facts.regions).await;
                FIND_AGAIN
            }
            Ok(Err(failed)) => {
                let reason = failed.error.reason();
                if let Some(count) = failing.again(Some(reason)) {
                    warn!(
                        account = finder.plan.account.name,
                        reason = reason.name(),
                        count,
                        error = failed.explained,
                        "the regions of the account cannot be found; those that are known are polled on"
                    );
                }
                finder.plan.interval
            }
            Err(_) => {
                if let Some(count) = failing.again(None) {
                    error!(
                        account = finder.plan.account.name,
                        count, "finding the regions broke down and is tried again"
                    );
                }
                finding.poll.broke_down(&finding.status);
                finder.plan.interval
            }
        };
        tokio::time::sleep(wait).await;
    }
}

struct Finder {
    plan: Plan,
    page: Arc<Page>,
    audits: Audits,
    /// Whatever polls or audits this account.
    all: TaskTracker,
    /// The client of each region, and its polls, which end with their set.
    polled: HashMap<String, (Client, JoinSet<()>)>,
    audited: JoinSet<()>,
    /// Answers without a region of the partition.
    nameless: Repeated<()>,
    /// Regions that cannot be polled, by name.
    left_out: Repeated<String>,
}

impl Finder {
    async fn adopt(&mut self, found: &[String]) {
        let account = &self.plan.account.name;
        let found = of_the_partition(&self.plan, found);
        if found.is_empty() {
            if let Some(count) = self.nameless.again(()) {
                warn!(
                    account,
                    count, "the cloud names no region; those that are known are polled on"
                );
            }
            return;
        }
        if let Some(over) = self.nameless.over() {
            info!(
                account,
                failures = over.failures,
                seconds = over.lasted.as_secs(),
                "the cloud names regions again"
            );
        }
        let found = of_the_shard(&self.plan, &found);
        let gone: Vec<String> = (self.polled.keys())
            .filter(|region| !found.contains(region))
            .cloned()
            .collect();
        for region in &gone {
            if let Some((_, mut polls)) = self.polled.remove(region) {
                polls.shutdown().await;
            }
            self.page.remove(account, region);
            self.plan.forget_region(region);
            info!(
                account,
                region, "the region is not enabled any more: it is not polled"
            );
        }
        let new = found.iter().filter(|region| !self.polled.contains_key(*region));
        let opened = opened(&self.plan, new, &mut self.left_out);
        if gone.is_empty() && opened.is_empty() {
            return;
        }
        for region in &opened {
            info!(
                account,
                region = region.client.region(),
                "the region is enabled: it is polled"
            );
            show(&self.page, region);
        }
        let delays = watch::splay(opened.iter(), self.plan.interval);
        for (region, delays) in opened.into_iter().zip(delays) {
            let name = region.client.region().to_owned();
            let mut polls = JoinSet::new();
            for (prepared, delay) in region.polls.into_iter().zip(delays) {
                let polling = watch::keep_polling(prepared.poll, prepared.status, delay);
                polls.spawn(self.all.track_future(polling));
            }
            self.polled.insert(name, (region.client, polls));
        }
        self.audit().await;
    }

    /// Begins the audits anew, with the regions that are polled now.
    async fn audit(&mut self) {
        self.audited.shutdown().await;
        self.plan.forget_audits();
        let clients = self.polled.values().map(|(client, _)| client.clone());
        let auditor = self.plan.auditor(clients.collect());
        self.audits
            .spawn(auditor, &self.page, &mut self.audited, &self.all);
    }
}

/// Somebody who has just enabled a region does not wait much longer for its first instance.
pub(crate) const FIND_AGAIN: Duration = Duration::from_secs(10 * 60);
