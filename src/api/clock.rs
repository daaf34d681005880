//! The clock that signs: this machine's, corrected to the cloud's where the two are so far apart that the cloud refuses.

use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use jiff::{SignedDuration, Timestamp};
use tracing::{info, warn};

use crate::repeated::Repeated;

/// All that use one key sign by one clock: the one that is off is this machine's, so one answer tells it for all.
#[derive(Debug, Default)]
pub(super) struct Clock {
    /// The cloud's time minus ours, in seconds, as far as it is corrected for.
    skew: AtomicI64,
    /// What the last accepted answer showed, and what was corrected for then.
    taken: Mutex<Option<Taken>>,
    told: Mutex<Repeated<()>>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Taken {
    measured: i64,
    applied: i64,
}

impl Clock {
    /// A clock that is known to be off by so many seconds.
    pub(super) fn off_by(seconds: i64) -> Self {
        Self {
            skew: AtomicI64::new(seconds),
            ..Self::default()
        }
    }

    /// The cloud's time minus ours, in seconds, as far as it is corrected for.
    pub(super) fn skew(&self) -> i64 {
        self.skew.load(Ordering::Relaxed)
    }

    /// The cloud's time, as far as it is known.
    pub(super) fn now(&self) -> Timestamp {
        after(self.skew())
    }

    /// The cloud answered a request well that was signed with `applied`, and showed this skew.
    pub(super) fn was_taken(&self, measured: i64, applied: i64) {
        *self.taken() = Some(Taken { measured, applied });
    }

    /// The skew that explains why a request was refused that was signed with `applied`. One that the cloud took from
    /// the same clock explains none. It may from another: a correction that a wrong date led to is taken back so.
    pub(super) fn explains(&self, measured: Option<i64>, applied: i64) -> Option<i64> {
        let taken = self.taken().filter(|taken| taken.applied == applied);
        measured
            .filter(|measured| is_far(*measured, applied))
            .filter(|measured| taken.is_none_or(|taken| is_far(*measured, taken.measured)))
    }

    fn taken(&self) -> MutexGuard<'_, Option<Taken>> {
        self.taken.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Signs with the cloud's time from now on; tells it of the account, and of the region that showed it.
    pub(super) fn correct(&self, off: i64, account: Option<&str>, region: Option<&str>) {
        self.skew.store(off, Ordering::Relaxed);
        let mut told = self.told.lock().unwrap_or_else(PoisonError::into_inner);
        if is_far(off, 0) {
            if let Some(count) = told.again(()) {
                warn!(
                    account,
                    region,
                    count,
                    skew_seconds = off,
                    "this machine's clock is off; signing with the cloud's time (set the clock, e.g. with NTP)"
                );
            }
        // It was set, and what corrected it went too far.
        } else if let Some(over) = told.over() {
            info!(
                account,
                region,
                failures = over.failures,
                seconds = over.lasted.as_secs(),
                skew_seconds = off,
                "this machine's clock is right again"
            );
        }
    }
}

/// The time that a clock shows which is this far ahead of ours.
pub(super) fn after(skew: i64) -> Timestamp {
    Timestamp::now()
        .saturating_add(SignedDuration::from_secs(skew))
        .unwrap_or(Timestamp::MAX)
}

fn is_far(skew: i64, from: i64) -> bool {
    skew.abs_diff(from) > TOLERATED_SECONDS
}

/// Both clouds take five minutes; below four a refusal has another cause (aws-sdk-cpp draws the line there too).
const TOLERATED_SECONDS: u64 = 4 * 60;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn skew_explains_a_refusal_unless_it_was_applied_or_taken() {
        let clock = Clock::default();
        assert_eq!(clock.explains(Some(600), 0), Some(600));
        assert_eq!(clock.explains(Some(-600), 0), Some(-600));
        assert_eq!(clock.explains(Some(240), 0), None, "the cloud takes that much");
        assert_eq!(clock.explains(None, 0), None);
        assert_eq!(clock.explains(Some(600), 580), None, "it was corrected for");
        clock.was_taken(600, 0);
        assert_eq!(clock.explains(Some(610), 0), None, "the cloud takes that much");
        assert_eq!(clock.explains(Some(-600), 0), Some(-600));
        assert_eq!(clock.explains(Some(0), 600), Some(0), "the clock was set since");
    }

    #[test]
    fn correction_by_a_wrong_date_is_taken_back() {
        let clock = Clock::default();
        clock.was_taken(0, 0);
        assert_eq!(clock.explains(Some(-10_800), 0), Some(-10_800));
        assert_eq!(clock.explains(Some(0), -10_800), Some(0));
    }

    #[test]
    fn corrected_clock_signs_with_the_time_of_the_cloud() {
        let clock = Clock::off_by(-600);
        clock.correct(3600, None, None);
        assert_eq!(clock.skew(), 3600);
        let ahead = clock.now().duration_since(Timestamp::now()).as_secs();
        assert!((3598..=3600).contains(&ahead), "{ahead}");
    }

    #[tokio::test]
    async fn clock_that_was_set_is_over_and_one_that_goes_wrong_again_is_new() {
        let clock = Clock::default();
        clock.correct(600, Some("prod"), Some("eu-west-2"));
        clock.correct(-2, Some("prod"), Some("eu-west-2"));
        assert_eq!(clock.told.lock().unwrap().over(), None, "it was told already");
        assert_eq!(clock.told.lock().unwrap().again(()), Some(1));
    }
}
