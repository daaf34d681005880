//! What goes on failing, told as a person wants to read it: at once, then every ten minutes with how often, and once
//! when it is over.

use std::time::Duration;

use tokio::time::Instant;

/// One thing that can go wrong again and again, for reasons `R`, each of which is told by itself: two that take turns
/// do not fill the log.
#[derive(Debug)]
pub struct Repeated<R> {
    /// What was told since it last went well.
    told: Vec<Told<R>>,
    /// Failures for new reasons, for which there was no room among those told lately.
    crowded_out: u64,
    since: Option<Instant>,
    failures: u64,
}

#[derive(Debug)]
struct Told<R> {
    reason: R,
    at: Instant,
    untold: u64,
}

/// What is over.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Over {
    /// How often it failed.
    pub failures: u64,
    /// From the first failure on.
    pub lasted: Duration,
}

/// Not derived: reasons need no default.
impl<R> Default for Repeated<R> {
    fn default() -> Self {
        Self {
            told: Vec::new(),
            crowded_out: 0,
            since: None,
            failures: 0,
        }
    }
}

impl<R: PartialEq> Repeated<R> {
    /// It failed. Gives how often for this reason since the last line about it, this time included, if it is to be told
    /// now. Reasons that are new each time are told until there are too many; then one stands for those left out before.
    pub fn again(&mut self, reason: R) -> Option<u64> {
        let now = Instant::now();
        self.since.get_or_insert(now);
        self.failures = self.failures.saturating_add(1);
        let Some(told) = self.told.iter_mut().find(|told| told.reason == reason) else {
            self.crowded_out = self.crowded_out.saturating_add(1);
            if self.told.len() == REASONS {
                let oldest = (0..REASONS).min_by_key(|nth| self.told[*nth].at)?;
                if now.saturating_duration_since(self.told[oldest].at) < BETWEEN {
                    return None;
                }
                self.crowded_out += self.told.swap_remove(oldest).untold;
            }
            self.told.push(Told {
                reason,
                at: now,
                untold: 0,
            });
            return Some(std::mem::take(&mut self.crowded_out));
        };
        told.untold = told.untold.saturating_add(1);
        if now.saturating_duration_since(told.at) < BETWEEN {
            return None;
        }
        told.at = now;
        Some(std::mem::take(&mut told.untold))
    }

    /// It went well. Gives what is over, if it had failed before.
    pub fn over(&mut self) -> Option<Over> {
        let since = self.since?;
        let over = Over {
            failures: self.failures,
            lasted: since.elapsed(),
        };
        *self = Self::default();
        Some(over)
    }
}

/// Ten minutes, less what one poll may take less time than another: the tenth poll of a minute each is told.
const BETWEEN: Duration = Duration::from_secs(10 * 60 - 10);

/// What is kept is bounded, and so are the lines of whoever fails for another reason each time.
const REASONS: usize = 16;

#[cfg(test)]
mod tests {
    use super::*;

    const MINUTE: Duration = Duration::from_secs(60);

    /// What is told of one failure a minute.
    async fn told(repeated: &mut Repeated<u8>, reasons: impl IntoIterator<Item = u8>) -> Vec<(usize, u64)> {
        let mut told = Vec::new();
        for (minute, reason) in reasons.into_iter().enumerate() {
            told.extend(repeated.again(reason).map(|count| (minute, count)));
            tokio::time::advance(MINUTE).await;
        }
        told
    }

    #[tokio::test(start_paused = true)]
    async fn failure_that_goes_on_is_told_at_once_and_every_ten_minutes_with_its_count() {
        let mut repeated = Repeated::default();
        let an_hour = told(&mut repeated, [1; 31]).await;
        assert_eq!(an_hour, [(0, 1), (10, 10), (20, 10), (30, 10)]);
        let over = repeated.over().unwrap();
        assert_eq!((over.failures, over.lasted), (31, 31 * MINUTE));
        assert_eq!(repeated.over(), None);
        assert_eq!(repeated.again(1), Some(1), "it is new again");
    }

    #[tokio::test(start_paused = true)]
    async fn another_reason_is_told_at_once_and_two_that_take_turns_are_told_no_more_often() {
        let mut repeated = Repeated::default();
        let turns = told(&mut repeated, [1, 1, 2, 1, 2, 1, 2, 1, 2, 1, 2, 1, 2, 1]).await;
        assert_eq!(turns, [(0, 1), (2, 1), (11, 6), (12, 5)]);
    }

    #[tokio::test(start_paused = true)]
    async fn reasons_without_end_take_neither_memory_nor_lines_without_end() {
        let mut repeated = Repeated::default();
        let mut told = Vec::new();
        for reason in 0..1_200 {
            told.extend(repeated.again(reason));
            tokio::time::advance(Duration::from_secs(1)).await;
        }
        assert_eq!(repeated.told.len(), REASONS);
        assert_eq!(told.len(), 3 * REASONS, "in 20 minutes: {told:?}");
        assert_eq!(
            told.iter().sum::<u64>() + repeated.crowded_out,
            1_200,
            "each is counted"
        );
        assert_eq!(repeated.over().unwrap().failures, 1_200);
    }
}
