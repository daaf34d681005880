//! Refusals in a row, and how long they hold a key back.

use std::time::Duration;

use tokio::time::Instant;

/// Refusals since the last acceptance.
#[derive(Debug, Default, Clone, Copy)]
pub(super) struct Strikes {
    pub(super) count: u32,
    /// Whether the last of them is only feared: no answer came.
    pub(super) unheard: bool,
    /// The last of them.
    pub(super) at: Option<Instant>,
    until: Option<Instant>,
}

impl Strikes {
    /// Adds refusals to a row of which so many happen a minute apart.
    pub(super) fn add(&mut self, refusals: u32, unheard: bool, before_growth: u32) {
        self.unheard = unheard;
        self.count = self.count.saturating_add(refusals);
        if unheard {
            // What nobody said is no reason to wait longer and longer.
            self.count = self.count.min(before_growth);
        }
        let now = Instant::now();
        self.at = Some(now);
        self.until = Some(now + self.wait(before_growth));
    }

    /// How long after the last of them the next try is.
    fn wait(&self, before_growth: u32) -> Duration {
        match self.count.checked_sub(before_growth) {
            None => FIRST_WAIT,
            Some(_) if self.unheard => UNHEARD_WAIT,
            Some(doublings) => LONG_WAIT.saturating_mul(1 << doublings.min(8)).min(LONGEST_WAIT),
        }
    }

    /// Waits as a row of which fewer happen a minute apart. What it waits for already, it waits for.
    pub(super) fn lengthen(&mut self, before_growth: u32) {
        let longer = self.at.map(|at| at + self.wait(before_growth));
        self.until = self.until.max(longer);
    }

    pub(super) fn remaining(&self) -> Option<Duration> {
        remaining(self.until?)
    }

    /// Until another key than the refused one may be tried: at once, unless one more refusal could lock the
    /// account, and in any case once a lock would be over.
    pub(super) fn remaining_for_another(&self, lock_out_after: Option<u32>) -> Option<Duration> {
        if lock_out_after.is_none_or(|limit| self.count + 1 < limit) {
            return None;
        }
        remaining(self.until?.min(self.at? + LONG_WAIT))
    }
}

fn remaining(until: Instant) -> Option<Duration> {
    let remaining = until.saturating_duration_since(Instant::now());
    (!remaining.is_zero()).then_some(remaining)
}

/// OUTSCALE's first lock lasts a minute; AWS's new keys need seconds to become known.
pub(in super::super) const FIRST_WAIT: Duration = Duration::from_secs(60);

/// A little more than the ten minutes after which a row of refusals is taken for forgotten.
const UNHEARD_WAIT: Duration = Duration::from_secs(11 * 60);

/// Longer than OUTSCALE's longest lock of ten minutes.
pub(super) const LONG_WAIT: Duration = Duration::from_secs(15 * 60);

/// A key that is activated again is noticed within the hour.
const LONGEST_WAIT: Duration = Duration::from_secs(60 * 60);
