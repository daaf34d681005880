//! The lock-out of OUTSCALE: four failed authentications in a row lock the account.

use std::time::Duration;

use tokio::time::Instant;

/// Counts the failures of an account and locks it.
///
/// As documented: 4 consecutive failures lock every further attempt for a minute, each further 4 for a minute
/// more, up to ten. Two assumptions the documents do not settle: an attempt while locked is not looked at and
/// so does not count, and a row is forgotten after ten minutes, counted from the last failure or the end of
/// its lock, without another failure.
#[derive(Debug, Default)]
pub(super) struct Lockout {
    row: u32,
    /// The last failure, or the end of the lock it brought.
    quiet_since: Option<Instant>,
    until: Option<Instant>,
    locks: u64,
}

impl Lockout {
    pub(super) fn is_locked(&self, now: Instant) -> bool {
        self.until.is_some_and(|until| now < until)
    }

    pub(super) fn failed(&mut self, now: Instant) {
        if self
            .quiet_since
            .is_some_and(|since| now.saturating_duration_since(since) >= FORGOTTEN_AFTER)
        {
            self.row = 0;
        }
        self.row += 1;
        self.quiet_since = Some(now);
        if self.row.is_multiple_of(FAILURES_TO_LOCK) {
            let minutes = (self.row / FAILURES_TO_LOCK).min(MAX_MINUTES);
            let until = now + Duration::from_secs(60) * minutes;
            self.until = Some(until);
            self.quiet_since = Some(until);
            self.locks += 1;
        }
    }

    pub(super) fn succeeded(&mut self) {
        self.row = 0;
    }

    pub(super) fn locks(&self) -> u64 {
        self.locks
    }
}

const FAILURES_TO_LOCK: u32 = 4;
const MAX_MINUTES: u32 = 10;
const FORGOTTEN_AFTER: Duration = Duration::from_secs(600);

#[cfg(test)]
mod tests {
    use super::*;

    fn fail_four_times(lockout: &mut Lockout, now: Instant) {
        for _ in 0..4 {
            lockout.failed(now);
        }
    }

    #[test]
    fn fourth_failure_in_a_row_locks_for_a_minute() {
        let mut lockout = Lockout::default();
        let now = Instant::now();
        for _ in 0..3 {
            lockout.failed(now);
            assert!(!lockout.is_locked(now));
        }
        lockout.failed(now);
        assert!(lockout.is_locked(now + Duration::from_secs(59)));
        assert!(!lockout.is_locked(now + Duration::from_secs(60)));
        assert_eq!(lockout.locks(), 1);
    }

    #[test]
    fn each_further_four_add_a_minute_up_to_ten() {
        let mut lockout = Lockout::default();
        let mut now = Instant::now();
        for minutes in (1..=10).chain([10, 10]) {
            fail_four_times(&mut lockout, now);
            assert!(lockout.is_locked(now + Duration::from_secs(60 * minutes - 1)));
            now += Duration::from_secs(60 * minutes);
            assert!(!lockout.is_locked(now));
        }
    }

    #[test]
    fn success_ends_the_row() {
        let mut lockout = Lockout::default();
        let now = Instant::now();
        for _ in 0..3 {
            lockout.failed(now);
        }
        lockout.succeeded();
        for _ in 0..3 {
            lockout.failed(now);
        }
        assert!(!lockout.is_locked(now));
    }

    #[test]
    fn row_is_forgotten_after_ten_quiet_minutes() {
        let mut lockout = Lockout::default();
        let now = Instant::now();
        fail_four_times(&mut lockout, now);
        let later = now + Duration::from_secs(60 + 600);
        fail_four_times(&mut lockout, later);
        assert!(!lockout.is_locked(later + Duration::from_secs(60)));
    }
}
