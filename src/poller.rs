//! One task for each account, region and kind: tick, observe, publish a whole reading.

mod changes;
mod status;
mod told;

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use prometheus::{GaugeVec, IntCounterVec, IntGaugeVec, Registry};
use tokio::sync::watch;
use tokio::time::{Instant, MissedTickBehavior};
use tracing::warn;

use crate::api::{Client, Error, Kept, Reason, aside};
use crate::joined::Joined;
use crate::metric::{self, Family};
use crate::reading::Reading;
use crate::resource::{Kind, Observation, Show, TargetsWriter};
use crate::resources::regions;
use crate::text::Text;
pub use status::{Failure, Status, Watched};
use told::Past;

/// The poller's families.
pub static FAMILIES: [&Family; 6] = [
    &SUCCESS,
    &LAST_SUCCESS,
    &DURATION,
    &OBJECTS,
    &SKIPPED_OBJECTS,
    &FAILURES,
];

static SUCCESS: Family = Family::gauge(
    "vigie_poll_success",
    &["account", "region", "kind"],
    "Whether the last poll succeeded; there once it ended.",
);

static LAST_SUCCESS: Family = Family::gauge(
    "vigie_poll_last_success_timestamp_seconds",
    &["account", "region", "kind"],
    "When the last successful poll began: what the page shows of this kind is as of then.",
);

static DURATION: Family = Family::gauge(
    "vigie_poll_duration_seconds",
    &["account", "region", "kind"],
    "How long the last poll took, waiting for the budget included.",
);

static OBJECTS: Family = Family::gauge(
    "vigie_poll_objects",
    &["account", "region", "kind"],
    "Resources in the last successful poll.",
);

static SKIPPED_OBJECTS: Family = Family::gauge(
    "vigie_poll_skipped_objects",
    &["account", "region", "kind"],
    "Resources that the last successful poll could not understand and left out.",
);

static FAILURES: Family = Family::counter(
    "vigie_poll_failures_total",
    &["account", "region", "kind", "reason"],
    "Failed polls, by the reason of the failure.",
);

/// What the poller counts, shared by all its tasks.
#[derive(Debug)]
pub struct Metrics {
    success: IntGaugeVec,
    last_success: GaugeVec,
    duration: GaugeVec,
    objects: IntGaugeVec,
    skipped_objects: IntGaugeVec,
    failures: IntCounterVec,
}

impl Metrics {
    /// Registers the families.
    pub fn register(registry: &Registry) -> Result<Self, prometheus::Error> {
        Ok(Self {
            success: SUCCESS.int_gauge_vec(registry)?,
            last_success: LAST_SUCCESS.gauge_vec(registry)?,
            duration: DURATION.gauge_vec(registry)?,
            objects: OBJECTS.int_gauge_vec(registry)?,
            skipped_objects: SKIPPED_OBJECTS.int_gauge_vec(registry)?,
            failures: FAILURES.int_counter_vec(registry)?,
        })
    }
}

impl Metrics {
    /// Takes everything about one region of an account off the page.
    pub fn forget_region(&self, account: &str, region: &str) {
        self.forget_all(&[("account", account), ("region", region)]);
    }

    /// Takes everything about an account off the page.
    pub fn forget(&self, account: &str) {
        self.forget_all(&[("account", account)]);
    }

    fn forget_all(&self, of: &[(&str, &str)]) {
        metric::forget(&self.success, of);
        metric::forget(&self.last_success, of);
        metric::forget(&self.duration, of);
        metric::forget(&self.objects, of);
        metric::forget(&self.skipped_objects, of);
        metric::forget(&self.failures, of);
    }
}

/// How one kind is polled in one account and region.
pub struct Poll {
    /// Who is asked.
    pub client: Client,
    /// What is asked for.
    pub kind: &'static Kind,
    /// From the start of one poll to the start of the next.
    pub interval: Duration,
    /// The age at which a reading is not shown any more.
    pub stale_after: Duration,
    /// How resources are shown.
    pub show: Show,
    /// What takes its readings, to join them with those of other kinds.
    pub joined: Arc<Joined>,
    /// Where it is counted.
    pub metrics: Arc<Metrics>,
}

impl Poll {
    /// Makes the poll's series and the two ends of its status.
    pub fn prepare(&self) -> (watch::Sender<Status>, Watched) {
        let (sender, status) = watch::channel(Status::default());
        for reason in Reason::ALL {
            let [account, region, kind] = self.labels();
            self.metrics
                .failures
                .with_label_values(&[account, region, kind, reason.name()])
                .inc_by(0);
        }
        for action in self.kind.actions {
            self.client.expect(action);
        }
        let [account, region, _] = self.labels();
        (sender, Watched::new(account, region, self.kind, status))
    }

    /// Polls after a delay and then on and on, until the future is dropped; what it publishes is compressed already.
    pub async fn run(&self, status: &watch::Sender<Status>, delay: Duration) {
        let mut ticks = tokio::time::interval_at(Instant::now() + delay, self.interval);
        // A poll that took longer than the interval is not made up for.
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut past = Past::default();
        loop {
            ticks.tick().await;
            let begun = Instant::now();
            let before = status.borrow().reading.clone();
            let outcome = self.poll(status, For::Scrapes).await;
            self.tell(&outcome, begun.elapsed(), &mut past);
            if let (Ok(now), Some(before)) = (&outcome, before) {
                let stale = before.is_older_than(self.stale_after);
                let length = now.texts.iter().map(Text::length).sum();
                aside::run(length, || changes::tell(self.kind, &before, now, stale));
            }
            let reading = status.borrow().reading.clone();
            let gone = reading.is_some_and(|reading| reading.is_older_than(self.stale_after));
            if gone && !past.gone {
                let [account, region, kind] = self.labels();
                warn!(
                    account,
                    region, kind, "the last reading is too old: it has left the page"
                );
            }
            past.gone = gone;
        }
    }

    /// Polls once and publishes what came of it. A failure leaves the last reading where it is.
    pub async fn once(&self, status: &watch::Sender<Status>) -> Result<Arc<Reading>, Error> {
        self.poll(status, For::Print).await
    }

    async fn poll(&self, status: &watch::Sender<Status>, purpose: For) -> Result<Arc<Reading>, Error> {
        let (at, begun) = (Timestamp::now(), Instant::now());
        let outcome = self.observe(at, begun, purpose).await;
        if let Ok(reading) = &outcome {
            self.joined.take(self.kind.name, reading);
        }
        let labels = self.labels();
        let took = begun.elapsed();
        self.metrics
            .duration
            .with_label_values(&labels)
            .set(took.as_secs_f64());
        match &outcome {
            Ok(reading) => {
                // Published before it is dated: a page between the two says it is older than it is, not newer.
                let shown = Some(Arc::clone(reading));
                status.send_replace(Status {
                    reading: shown,
                    tried: true,
                    took: Some(took),
                    failure: None,
                });
                let count = |number: usize| i64::try_from(number).unwrap_or(i64::MAX);
                self.metrics.success.with_label_values(&labels).set(1);
                self.metrics
                    .last_success
                    .with_label_values(&labels)
                    .set(at.as_duration().as_secs_f64());
                self.metrics
                    .objects
                    .with_label_values(&labels)
                    .set(count(reading.objects));
                self.metrics
                    .skipped_objects
                    .with_label_values(&labels)
                    .set(count(reading.skipped));
            }
            Err(error) => {
                let shown = self.with_command(error, error.shown());
                self.failed(status, error.reason(), shown.into(), Some(took));
            }
        }
        outcome
    }

    /// The longest a poll may take: what it brings has to last until the next poll brings more.
    fn time_limit(&self) -> Duration {
        let until_the_next = self.stale_after.saturating_sub(self.interval);
        until_the_next.max(self.stale_after / 2)
    }

    /// Counts a poll that ended by a fault of ours.
    pub fn broke_down(&self, status: &watch::Sender<Status>) {
        self.failed(
            status,
            Reason::Other,
            "polling broke down, which is a fault of vigie: see its log".into(),
            None,
        );
    }

    fn failed(
        &self,
        status: &watch::Sender<Status>,
        reason: Reason,
        explained: Arc<str>,
        took: Option<Duration>,
    ) {
        let [account, region, kind] = self.labels();
        self.metrics
            .success
            .with_label_values(&[account, region, kind])
            .set(0);
        self.metrics
            .failures
            .with_label_values(&[account, region, kind, reason.name()])
            .inc();
        status.send_modify(|status| {
            status.tried = true;
            status.took = took;
            let before = status.failure.as_ref().map(|failure| failure.since);
            status.failure = Some(Failure {
                since: before.unwrap_or_else(Timestamp::now),
                reason,
                explained,
            });
        });
    }

    async fn observe(&self, at: Timestamp, begun: Instant, purpose: For) -> Result<Arc<Reading>, Error> {
        let kept = Kept::default();
        let client = self.client.until(begun + self.time_limit()).keeping(kept.clone());
        let account = client.account();
        let show = self.show.clone();
        let mut observation =
            Observation::new(self.kind, &account.name, account.provider, client.region(), show);
        observation.targets = (purpose == For::Scrapes).then(TargetsWriter::default);
        observation.kept = kept;
        (self.kind.observe)(&client, &mut observation).await?;
        if let Some(action) = self.kind.actions.last() {
            client.has_room(action)?;
        }
        Ok(Arc::new(Reading::new(observation, at, begun)))
    }

    /// Why a poll failed and what to do about it, with the command that does it, if there is one.
    pub fn explained(&self, error: &Error) -> String {
        self.with_command(error, error.explained())
    }

    fn with_command(&self, error: &Error, explained: String) -> String {
        let client = &self.client;
        if !error.lacks_permission() {
            return explained;
        }
        let further = if self.kind.name == regions::KIND.name {
            " --all-regions"
        } else {
            ""
        };
        format!(
            "{explained}: an admin's `vigie bootstrap --provider {} --region {} --out FILE --update-policy{further}` \
             does, if FILE is where the key is and the names are those it was made with",
            client.account().provider,
            client.region()
        )
    }

    fn labels(&self) -> [&str; 3] {
        [&self.client.account().name, self.client.region(), self.kind.name]
    }
}

/// What a reading is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum For {
    /// To be asked for again and again, by others too.
    Scrapes,
    /// To be printed once.
    Print,
}
