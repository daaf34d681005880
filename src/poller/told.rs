//! What the log says of how polls went: what goes on failing is told now and then, and once when it is over.

use std::sync::Arc;
use std::time::Duration;

use tracing::{debug, info, warn};

use super::Poll;
use crate::api::{Error, Reason};
use crate::reading::Reading;
use crate::repeated::{Over, Repeated};

/// What was told last.
#[derive(Default)]
pub(super) struct Past {
    failing: Repeated<Reason>,
    skipped: Repeated<usize>,
    /// The most that were left out at once, since none was.
    most_skipped: usize,
    slow: Repeated<()>,
    pub(super) gone: bool,
}

impl Poll {
    /// Logs how a poll went: what goes on failing is told now and then.
    pub(super) fn tell(&self, outcome: &Result<Arc<Reading>, Error>, took: Duration, past: &mut Past) {
        let [account, region, kind] = self.labels();
        debug!(
            account,
            region,
            kind,
            succeeded = outcome.is_ok(),
            seconds = took.as_secs_f64(),
            "polled"
        );
        match outcome {
            Ok(reading) => {
                self.tell_of_slowness(took, past);
                self.tell_over(
                    past.failing.over(),
                    Some(reading.objects),
                    "polling succeeds again",
                );
                self.tell_of_what_is_left_out(reading, past);
            }
            Err(error) => {
                let reason = error.reason();
                if let Some(count) = past.failing.again(reason) {
                    warn!(
                        account,
                        region,
                        kind,
                        reason = reason.name(),
                        count,
                        error = self.explained(error),
                        "polling fails; the last reading stays until it is too old"
                    );
                }
            }
        }
    }

    fn tell_of_slowness(&self, took: Duration, past: &mut Past) {
        let [account, region, kind] = self.labels();
        if took + self.interval <= self.stale_after {
            self.tell_over(past.slow.over(), None, "polls are quick enough again");
        } else if let Some(count) = past.slow.again(()) {
            warn!(
                account,
                region,
                kind,
                count,
                seconds = took.as_secs_f64(),
                "a poll takes so long that its reading is too old before the next one is there: raise `stale_after` or \
                 `requests_per_second`, or poll more often"
            );
        }
    }

    fn tell_of_what_is_left_out(&self, reading: &Reading, past: &mut Past) {
        let [account, region, kind] = self.labels();
        if reading.skipped == 0 {
            past.most_skipped = 0;
            self.tell_over(
                past.skipped.over(),
                Some(reading.objects),
                "every object is understood again",
            );
            return;
        }
        // One more than ever is news.
        past.most_skipped = past.most_skipped.max(reading.skipped);
        if let Some(count) = past.skipped.again(past.most_skipped) {
            warn!(
                account,
                region,
                kind,
                count,
                skipped = reading.skipped,
                shown = reading.objects,
                first = reading.first_skipped.as_deref().unwrap_or_default(),
                "objects that cannot be understood are left out; the others are shown"
            );
        }
    }

    /// Says what is over, if something was wrong; where that is news of them, with how many objects there are.
    fn tell_over(&self, over: Option<Over>, objects: Option<usize>, what: &str) {
        let [account, region, kind] = self.labels();
        if let Some(over) = over {
            info!(
                account,
                region,
                kind,
                failures = over.failures,
                seconds = over.lasted.as_secs(),
                objects,
                "{what}"
            );
        }
    }
}
