//! Audits again and again: what they find is on the page, and in the log when it changes.

use std::collections::BTreeSet;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;

use futures_util::FutureExt as _;
use jiff::Timestamp;
use prometheus::{GaugeVec, IntGaugeVec, Registry};
use tokio::time::MissedTickBehavior;
use tracing::{debug, error, info, warn};

use super::audit::{self, Audit};
use crate::api::{Account, Client};
use crate::metric::{self, Family};
use crate::repeated::Repeated;

/// The audit's families.
pub static FAMILIES: [&Family; 2] = [&EXCESS_PERMISSION, &LAST_SUCCESS];

static EXCESS_PERMISSION: Family = Family::gauge(
    "vigie_excess_permission",
    &["account", "action"],
    "1 for an action that the key may do and should not, as the last audit that could tell found.",
);

static LAST_SUCCESS: Family = Family::gauge(
    "vigie_audit_last_success_timestamp_seconds",
    &["account"],
    "When the last audit to which the cloud told everything ended; there once one did.",
);

/// What audits put on the page, shared by all accounts.
#[derive(Debug)]
pub struct Metrics {
    excess_permission: IntGaugeVec,
    last_success: GaugeVec,
}

impl Metrics {
    /// Registers the families.
    pub fn register(registry: &Registry) -> Result<Self, prometheus::Error> {
        Ok(Self {
            excess_permission: EXCESS_PERMISSION.int_gauge_vec(registry)?,
            last_success: LAST_SUCCESS.gauge_vec(registry)?,
        })
    }
}

impl Metrics {
    /// Takes everything about an account off the page.
    pub fn forget(&self, account: &str) {
        metric::forget(&self.excess_permission, &[("account", account)]);
        metric::forget(&self.last_success, &[("account", account)]);
    }
}

/// The audits of one account.
pub struct Auditor {
    /// Whose key is examined.
    pub account: Arc<Account>,
    /// One for each of its regions; they share their budgets with the polls.
    pub clients: Vec<Client>,
    /// Where it is shown.
    pub metrics: Arc<Metrics>,
}

/// What was told last.
#[derive(Default)]
struct Past {
    /// The excess that is shown.
    found: BTreeSet<String>,
    /// Audits that left something open.
    open: Repeated<()>,
    /// Audits that broke down.
    broken: Repeated<()>,
}

impl Auditor {
    /// Audits once.
    pub async fn once(&self) -> Audit {
        audit::audit(&self.account, &self.clients).await
    }

    /// Audits now and after each interval, until the future is dropped.
    pub async fn run(self, interval: Duration) {
        let mut ticks = tokio::time::interval(interval);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut past = Past::default();
        loop {
            ticks.tick().await;
            // In this task and not in one of its own: whoever ends this one knows then that nothing is audited any more.
            let audited = AssertUnwindSafe(self.once()).catch_unwind().await;
            if let Ok(audit) = audited {
                self.conclude(&audit, &mut past);
            } else if let Some(count) = past.broken.again(()) {
                error!(
                    account = self.account.name,
                    count, "an audit broke down; the next is tried in its turn"
                );
            }
        }
    }

    /// Shows what an audit found and tells what changed. What it could not tell stays as it was known.
    fn conclude(&self, audit: &Audit, past: &mut Past) {
        let account = &self.account.name;
        debug!(account, outcome = ?audit.outcome, "audited");
        let found = audit.excess.iter().map(|excess| &excess.action);
        let new: Vec<String> = found
            .filter(|action| !past.found.contains(*action))
            .cloned()
            .collect();
        let gone: Vec<String> = past
            .found
            .iter()
            .filter(|action| audit.rules_out(action))
            .cloned()
            .collect();
        if !new.is_empty() {
            warn!(
                account,
                key = audit.access_key_suffix,
                actions = new.join(", "),
                "the key may do more than describe; `vigie audit` shows the evidence, `vigie bootstrap` makes a key that \
                 may not"
            );
        }
        if !gone.is_empty() {
            info!(
                account,
                key = audit.access_key_suffix,
                actions = gone.join(", "),
                "the key may not do this any more"
            );
        }
        let excess = &self.metrics.excess_permission;
        for action in new {
            excess.with_label_values(&[account.as_str(), &action]).set(1);
            past.found.insert(action);
        }
        for action in gone {
            // What was found is shown.
            drop(excess.remove_label_values(&[account.as_str(), &action]));
            past.found.remove(&action);
        }
        self.tell_what_is_open(audit, past);
    }

    fn tell_what_is_open(&self, audit: &Audit, past: &mut Past) {
        let account = &self.account.name;
        if audit.told_everything() {
            let now = Timestamp::now().as_duration().as_secs_f64();
            self.metrics.last_success.with_label_values(&[account]).set(now);
            if let Some(over) = past.open.over() {
                info!(
                    account,
                    failures = over.failures,
                    seconds = over.lasted.as_secs(),
                    "the audit tells everything again"
                );
            }
            return;
        }
        if let Some(count) = past.open.again(()) {
            let refused = audit.refused.first().map(|refused| refused.error.clone());
            let unknown = || {
                let unknown = audit.unknown.first()?;
                Some(format!(
                    "{} in {}: {}",
                    unknown.action, unknown.region, unknown.why
                ))
            };
            warn!(
                account,
                count,
                open = audit.unknown.len(),
                first = refused.or_else(unknown),
                "the audit could not tell everything; what was known of the rest stays"
            );
        }
    }
}
