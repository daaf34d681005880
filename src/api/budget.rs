//! Requests per second for one account and region, shared by every kind that is polled there.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

/// A token bucket: a second's worth may go at once, then they go evenly spaced.
///
/// Kept as the time at which the bucket would be full again (the generic cell rate algorithm), so that a
/// waiter reserves its turn in one step and turns are given in the order asked.
#[derive(Debug)]
pub struct Budget {
    spacing: Duration,
    full_at: Mutex<Instant>,
}

impl Budget {
    /// A full bucket.
    pub fn new(requests_per_second: f64) -> Self {
        let spacing = Duration::from_secs_f64(1.0 / requests_per_second);
        Self {
            spacing,
            full_at: Mutex::new(Instant::now()),
        }
    }

    /// Takes one request from the budget, waiting for it; gives the time waited.
    ///
    /// Gives `None` at once, and takes nothing, when the turn would come only after the deadline.
    pub async fn take(&self, deadline: Instant) -> Option<Duration> {
        let wait = self.reserve(deadline)?;
        if !wait.is_zero() {
            tokio::time::sleep(wait).await;
        }
        Some(wait)
    }

    /// The time between the first and the last of so many requests, if nobody else asks.
    pub fn least_time_for(&self, requests: u32) -> Duration {
        self.spacing.saturating_mul(requests)
    }

    fn reserve(&self, deadline: Instant) -> Option<Duration> {
        let mut full_at = self.full_at.lock().unwrap_or_else(PoisonError::into_inner);
        let now = Instant::now();
        let burst = Duration::from_secs(1).max(self.spacing);
        let full = (*full_at).max(now) + self.spacing;
        let wait = full.saturating_duration_since(now).saturating_sub(burst);
        if now + wait > deadline {
            return None;
        }
        *full_at = full;
        Some(wait)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn seconds_for(budget: &Budget, requests: u32) -> f64 {
        let start = Instant::now();
        let deadline = start + Duration::from_secs(3600);
        for _ in 0..requests {
            budget.take(deadline).await.unwrap();
        }
        start.elapsed().as_secs_f64()
    }

    #[tokio::test(start_paused = true)]
    async fn a_seconds_worth_goes_at_once_and_the_rest_evenly() {
        let budget = Budget::new(5.0);
        assert!(seconds_for(&budget, 5).await < 0.01);
        let next_ten = seconds_for(&budget, 10).await;
        assert!((1.99..2.05).contains(&next_ten), "{next_ten}");
    }

    #[tokio::test(start_paused = true)]
    async fn less_than_one_a_second_is_kept_too() {
        let budget = Budget::new(0.5);
        let three = seconds_for(&budget, 3).await;
        assert!((3.99..4.05).contains(&three), "{three}");
    }

    #[tokio::test(start_paused = true)]
    async fn a_turn_after_the_deadline_is_not_taken() {
        let budget = Budget::new(1.0);
        let deadline = Instant::now() + Duration::from_millis(500);
        assert!(budget.take(deadline).await.is_some());
        for _ in 0..100 {
            assert!(budget.take(deadline).await.is_none());
        }
        // The hundred that gave up did not push the next turn away.
        assert_eq!(
            budget.take(Instant::now() + Duration::from_secs(5)).await,
            Some(Duration::from_secs(1))
        );
    }
}
