//! What the client says about itself on the page.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use jiff::Timestamp;
use prometheus::{CounterVec, GaugeVec, HistogramVec, IntCounterVec, IntGaugeVec, Registry};

use super::{Action, Reason};
use crate::metric::{self, Family};
use crate::provider::Provider;

/// The client's families.
pub static FAMILIES: [&Family; 9] = [
    &ACCOUNT_INFO,
    &REQUESTS,
    &REQUEST_DURATION,
    &BUDGET,
    &BUDGET_WAIT,
    &CLOCK_SKEW,
    &LOCKED_UNTIL,
    &CREDENTIALS_INFO,
    &CREDENTIALS_EXPIRY,
];

static ACCOUNT_INFO: Family = Family::gauge(
    "vigie_account_info",
    &["account", "provider"],
    "An account that is polled, and its cloud.",
);

static REQUESTS: Family = Family::counter(
    "vigie_api_requests_total",
    &["account", "region", "service", "action", "outcome"],
    "Requests sent to the cloud, by what came of them: ok, or the reason of the failure.",
);

static REQUEST_DURATION: Family = Family::histogram(
    "vigie_api_request_duration_seconds",
    &["service", "action"],
    "Time from sending a request to the end of its answer.",
);

static BUDGET: Family = Family::gauge(
    "vigie_api_budget_requests_per_second",
    &["account", "region"],
    "Requests per second that the settings allow for this account and region.",
);

static BUDGET_WAIT: Family = Family::counter(
    "vigie_api_budget_wait_seconds_total",
    &["account", "region"],
    "Time that requests waited for the client-side budget, summed over requests.",
);

static CLOCK_SKEW: Family = Family::gauge(
    "vigie_api_clock_skew_seconds",
    &["account", "region"],
    "The cloud's clock minus this machine's, from the Date header of the last answer, to the second.",
);

static LOCKED_UNTIL: Family = Family::gauge(
    "vigie_auth_locked_until_timestamp_seconds",
    &["account"],
    "When a refused key is tried again; there only while calls with it are held back.",
);

static CREDENTIALS_INFO: Family = Family::gauge(
    "vigie_credentials_info",
    &["account", "source", "access_key_suffix"],
    "Where the key in force comes from, and the last four characters of its id.",
);

static CREDENTIALS_EXPIRY: Family = Family::gauge(
    "vigie_credentials_expiry_timestamp_seconds",
    &["account"],
    "When the key in force runs out; there only for one that does. It is renewed before.",
);

/// The client's counters and gauges, shared by all accounts.
#[derive(Debug)]
pub struct Metrics {
    account_info: IntGaugeVec,
    requests: IntCounterVec,
    request_duration: HistogramVec,
    budget: GaugeVec,
    budget_wait: CounterVec,
    clock_skew: IntGaugeVec,
    locked_until: GaugeVec,
    credentials_info: IntGaugeVec,
    credentials_expiry: GaugeVec,
    /// The source and suffix shown for each account, to be taken off the page when the key changes.
    shown: Mutex<HashMap<String, (&'static str, String)>>,
}

impl Metrics {
    /// Registers the families.
    pub fn register(registry: &Registry) -> Result<Self, prometheus::Error> {
        Ok(Self {
            account_info: ACCOUNT_INFO.int_gauge_vec(registry)?,
            requests: REQUESTS.int_counter_vec(registry)?,
            request_duration: REQUEST_DURATION.histogram_vec(registry, &BUCKETS)?,
            budget: BUDGET.gauge_vec(registry)?,
            budget_wait: BUDGET_WAIT.counter_vec(registry)?,
            clock_skew: CLOCK_SKEW.int_gauge_vec(registry)?,
            locked_until: LOCKED_UNTIL.gauge_vec(registry)?,
            credentials_info: CREDENTIALS_INFO.int_gauge_vec(registry)?,
            credentials_expiry: CREDENTIALS_EXPIRY.gauge_vec(registry)?,
            shown: Mutex::default(),
        })
    }

    /// Takes everything about one region of an account off the page.
    pub fn forget_region(&self, account: &str, region: &str) {
        self.forget_requests(&[("account", account), ("region", region)]);
    }

    /// Takes everything about an account off the page.
    pub fn forget(&self, account: &str) {
        let of = [("account", account)];
        self.forget_requests(&of);
        metric::forget(&self.account_info, &of);
        metric::forget(&self.locked_until, &of);
        metric::forget(&self.credentials_info, &of);
        metric::forget(&self.credentials_expiry, &of);
        let mut shown = self.shown.lock().unwrap_or_else(PoisonError::into_inner);
        shown.remove(account);
    }

    /// What there is for each region.
    fn forget_requests(&self, of: &[(&str, &str)]) {
        metric::forget(&self.requests, of);
        metric::forget(&self.budget, of);
        metric::forget(&self.budget_wait, of);
        metric::forget(&self.clock_skew, of);
    }

    pub(super) fn account(&self, account: &str, provider: Provider) {
        self.account_info
            .with_label_values(&[account, provider.name()])
            .set(1);
    }

    pub(super) fn region(&self, account: &str, region: &str, requests_per_second: f64) {
        self.budget
            .with_label_values(&[account, region])
            .set(requests_per_second);
        self.budget_wait.with_label_values(&[account, region]).inc_by(0.0);
    }

    pub(super) fn action(&self, account: &str, region: &str, action: &Action) {
        self.request_duration
            .with_label_values(&[action.service.name(), action.name]);
        for outcome in ["ok"].into_iter().chain(Reason::ALL.map(Reason::name)) {
            self.requests
                .with_label_values(&[account, region, action.service.name(), action.name, outcome])
                .inc_by(0);
        }
    }

    pub(super) fn request(
        &self,
        account: &str,
        region: &str,
        action: &Action,
        outcome: &str,
        took: Duration,
    ) {
        let service = action.service.name();
        self.requests
            .with_label_values(&[account, region, service, action.name, outcome])
            .inc();
        self.request_duration
            .with_label_values(&[service, action.name])
            .observe(took.as_secs_f64());
    }

    pub(super) fn waited(&self, account: &str, region: &str, wait: Duration) {
        self.budget_wait
            .with_label_values(&[account, region])
            .inc_by(wait.as_secs_f64());
    }

    pub(super) fn skew(&self, account: &str, region: &str, seconds: i64) {
        self.clock_skew.with_label_values(&[account, region]).set(seconds);
    }

    pub(super) fn locked_until(&self, account: &str, until: Option<Timestamp>) {
        match until {
            Some(until) => {
                self.locked_until
                    .with_label_values(&[account])
                    .set(until.as_duration().as_secs_f64());
            }
            // It is not there most of the time; that is no failure.
            None => drop(self.locked_until.remove_label_values(&[account])),
        }
    }

    pub(super) fn expiry(&self, account: &str, expires: Option<Timestamp>) {
        match expires {
            Some(expires) => self
                .credentials_expiry
                .with_label_values(&[account])
                .set(expires.as_duration().as_secs_f64()),
            // Most keys have none; that is no failure.
            None => drop(self.credentials_expiry.remove_label_values(&[account])),
        }
    }

    /// Shows where the key comes from and how its id ends; gives whether that has changed.
    pub(super) fn credentials(&self, account: &str, source: &'static str, suffix: &str) -> bool {
        let mut shown = self.shown.lock().unwrap_or_else(PoisonError::into_inner);
        if shown
            .get(account)
            .is_some_and(|(old, key)| *old == source && key == suffix)
        {
            return false;
        }
        let mut changed = false;
        if let Some((old, key)) = shown.insert(account.to_owned(), (source, suffix.to_owned())) {
            changed = true;
            drop(self.credentials_info.remove_label_values(&[account, old, &key]));
        }
        self.credentials_info
            .with_label_values(&[account, source, suffix])
            .set(1);
        changed
    }
}

/// From a fast answer on the same continent to the attempt's timeout.
const BUCKETS: [f64; 9] = [0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 20.0];
