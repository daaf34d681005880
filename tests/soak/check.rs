//! Whether a page is true: each kind by itself, and what they say together.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::account::{Account, Region};
use crate::page::{Page, Series};
use crate::reading::{CALM, Dates, Reading, Scrape};
use crate::report::Report;
use crate::scene::{STALE_AFTER, Scene};
use crate::shown::{self, Shown};
use crate::truth::Facts;

/// What is remembered from page to page.
pub(crate) struct Checker {
    report: Arc<Report>,
    polls: Mutex<BTreeMap<Key, Dates>>,
}

type Key = (&'static str, &'static str, &'static str);

impl Checker {
    pub(crate) fn new(report: Arc<Report>) -> Self {
        Self {
            report,
            polls: Mutex::default(),
        }
    }

    /// A page that was asked for and had come at these times.
    pub(crate) fn check(&self, scene: &Scene, page: &Page, (sent, came): (f64, f64)) {
        let everything = shown::sort(page);
        let locked = page.family("vigie_auth_locked_until_timestamp_seconds");
        let locked = locked.filter_map(|(series, _)| series.labels.get("account").cloned());
        let locked = locked.collect();
        let scrape = Scrape {
            sent,
            came,
            locked: &locked,
        };
        for account in &scene.accounts {
            if account.changes.is_hopeless(sent, came) {
                self.is_gone(account, page, scrape);
                continue;
            }
            for region in &account.regions {
                let place = (account.name.to_owned(), region.name.to_owned());
                let Some(shown) = everything.get(&place) else {
                    let is_new = !account.changes.is_calm(sent - CALM, came);
                    if !is_new && !self.report.leaves_open(sent - CALM) {
                        let told = format!("{place:?} is not on the page asked for at {sent:.3}");
                        self.report.violation("missing", &told);
                    }
                    continue;
                };
                for &kind in &account.kinds {
                    let reading = Reading {
                        account,
                        region,
                        kind,
                        poll: shown.polls.get(kind.name).copied().unwrap_or_default(),
                        scrape,
                        report: &self.report,
                    };
                    let key = (account.name, region.name, kind.name);
                    {
                        let mut polls = self.polls();
                        let dates = polls.entry(key).or_default();
                        reading.is_dated(dates);
                        reading.fails_where_the_cloud_does(dates);
                    }
                    reading.is_true(shown);
                }
                self.join(account, region, shown, scrape);
            }
        }
        for (account, region) in everything.keys() {
            let of_it = |own: &&Arc<Account>| own.name == account;
            let known = scene.accounts.iter().find(of_it);
            let is_known = known.is_some_and(|known| known.regions.iter().any(|own| own.name == region));
            if !is_known {
                let told = format!("{account} {region} is on the page");
                self.report.violation("extra", &told);
            }
        }
    }

    /// Not one series of an account that the settings do not name is on a page asked for since.
    fn is_gone(&self, account: &Account, page: &Page, scrape: Scrape<'_>) {
        let of_it = |series: &&Series| series.labels.values().any(|value| value == account.name);
        let kept: Vec<&Series> = page.samples().map(|(series, _)| series).filter(of_it).collect();
        if let Some(first) = kept.first() {
            let told = format!(
                "{} is not in the settings, and {} series of it are on the page asked for at {:.3}, such as {first:?}",
                account.name,
                kept.len(),
                scrape.sent
            );
            self.report.violation("kept", &told);
        }
        self.report.count(|figures| figures.compared += 1);
    }

    fn polls(&self) -> MutexGuard<'_, BTreeMap<Key, Dates>> {
        self.polls.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What the state of a backend's instance is said to be, it was since the older of the two readings.
    fn join(&self, account: &Account, region: &Region, shown: &Shown, scrape: Scrape<'_>) {
        if shown.joined.is_empty() {
            return;
        }
        let date = |kind: &str| {
            let last = shown.polls.get(kind).and_then(|poll| poll.last_success);
            last.unwrap_or_default()
        };
        let kinds = ["load_balancers", "target_groups"];
        let dates = kinds
            .into_iter()
            .filter(|&kind| shown.polls.contains_key(kind))
            .map(date);
        let from = dates.fold(date("instances"), f64::min).max(scrape.oldest());
        let truths = region.history.between(from, scrape.came);
        for (id, state) in &shown.joined {
            let is_so = truths
                .iter()
                .any(|(version, _)| match version.facts.instances.get(id) {
                    Some(own) => own == state,
                    None => state == "unknown",
                });
            if !is_so {
                let states: Vec<_> = truths
                    .iter()
                    .map(|(version, _)| version.facts.instances.get(id))
                    .collect();
                let told = format!(
                    "{} {}: backend instance {id} is said to be {state}, and was {states:?} from {from:.3} to {:.3}",
                    account.name, region.name, scrape.came
                );
                self.report.violation("joined", &told);
            }
        }
        self.report
            .count(|figures| figures.compared += shown.joined.len() as u64);
    }

    /// The targets of one account, as `/sd/instances` lists them: id, state, region.
    pub(crate) fn check_targets(&self, account: &Account, targets: &[[String; 3]], (sent, came): (f64, f64)) {
        for region in &account.regions {
            let listed = targets.iter().filter(|[_, _, of]| of == region.name);
            let listed: BTreeMap<&str, &str> = listed.map(|[id, state, _]| (&**id, &**state)).collect();
            let truths = region.history.between(sent - STALE_AFTER, came);
            // One that is gone has no address any more, and is no target.
            let is_so = |facts: &Facts| {
                let own = facts.instances.iter().map(|(id, state)| (&**id, &**state));
                let own: BTreeMap<&str, &str> = own.collect();
                own.iter()
                    .all(|(id, state)| *state == "terminated" || listed.get(id) == Some(state))
                    && listed.iter().all(|(id, state)| own.get(id) == Some(state))
            };
            if !truths.iter().any(|(version, _)| is_so(&version.facts)) {
                let told = format!(
                    "{} {}: {listed:?} was not so from {sent:.3} - {STALE_AFTER} to {came:.3}: {truths:?}",
                    account.name, region.name
                );
                self.report.violation("targets", &told);
            }
            self.report.count(|figures| figures.compared += 1);
        }
    }
}
