//! The auth breaker: a bad key is never hammered.
//!
//! One for each credential, across all kinds and regions. OUTSCALE locks an account's authentication for
//! everybody after four failures in a row, so at most three refusals happen before the waits become
//! longer than the longest lock. Until a key was accepted once, only one request is under way with it:
//! a wrong key must not fail in ten places at once.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::{Semaphore, SemaphorePermit};
use tokio::time::Instant;

/// The state of one credential.
#[derive(Debug)]
pub struct Breaker {
    /// Refusals in a row that lock the account, if they do at this provider.
    lock_out_after: Option<u32>,
    /// Whether there is another region to leave the next try to.
    several_regions: bool,
    /// The turn to try a key that is not proven.
    turn: Semaphore,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    /// Refusals since the last acceptance.
    strikes: Strikes,
    /// The generation of the key that was refused last.
    refused_generation: Option<u64>,
    /// The generation of the key that was accepted last, and the regions that accepted it and have not
    /// refused it since.
    accepted_generation: Option<u64>,
    accepting: Vec<String>,
    /// Refusals of single regions.
    regions: HashMap<String, Strikes>,
}

#[derive(Debug, Default, Clone, Copy)]
struct Strikes {
    count: u32,
    /// The last of them.
    at: Option<Instant>,
    until: Option<Instant>,
}

impl Strikes {
    fn add(&mut self, refusals: u32) {
        self.count = self.count.saturating_add(refusals);
        let wait = match self.count.saturating_sub(STRIKES_BEFORE_GROWTH) {
            0 if self.count < STRIKES_BEFORE_GROWTH => FIRST_WAIT,
            doublings => LONG_WAIT.saturating_mul(1 << doublings.min(8)).min(LONGEST_WAIT),
        };
        let now = Instant::now();
        self.at = Some(now);
        self.until = Some(now + wait);
    }

    fn remaining(&self) -> Option<Duration> {
        remaining(self.until?)
    }

    /// Until another key than the refused one may be tried: at once, unless one more refusal could lock the
    /// account, and in any case once a lock would be over.
    fn remaining_for_another(&self, lock_out_after: Option<u32>) -> Option<Duration> {
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

/// The key may not be tried now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Locked {
    /// Refusals in a row.
    pub strikes: u32,
    /// Until the next try.
    pub remaining: Duration,
}

/// Leave to send one request with a key. Dropped without a verdict, it changes nothing: the cloud was not
/// reached, or answered before it looked at the key.
#[derive(Debug)]
pub struct Pass<'a> {
    breaker: &'a Breaker,
    region: &'a str,
    generation: u64,
    /// Held while the key is not proven.
    _turn: Option<SemaphorePermit<'a>>,
}

impl Breaker {
    /// A closed breaker for a key that nobody has tried, to be used in so many regions.
    pub fn new(lock_out_after: Option<u32>, regions: usize) -> Self {
        Self {
            lock_out_after,
            several_regions: regions > 1,
            turn: Semaphore::new(1),
            state: Mutex::default(),
        }
    }

    /// Waits for leave to use this generation of the key in this region.
    ///
    /// Fails at once while the key may not be tried.
    pub async fn pass<'a>(&'a self, region: &'a str, generation: u64) -> Result<Pass<'a>, Locked> {
        if self.check(region, generation)? {
            return Ok(Pass {
                breaker: self,
                region,
                generation,
                _turn: None,
            });
        }
        let turn = self.turn.acquire().await.ok();
        // Whoever had the turn before may have proven the key, or spent the try.
        let proven = self.check(region, generation)?;
        Ok(Pass {
            breaker: self,
            region,
            generation,
            _turn: turn.filter(|_| !proven),
        })
    }

    /// Whether the key may be used, and if so whether it is proven.
    fn check(&self, region: &str, generation: u64) -> Result<bool, Locked> {
        let state = self.state();
        let proven = state.accepted_generation == Some(generation) && !state.accepting.is_empty();
        let remaining = if state.refused_generation == Some(generation) {
            state.strikes.remaining()
        } else {
            state.strikes.remaining_for_another(self.lock_out_after)
        };
        if !proven && let Some(remaining) = remaining {
            return Err(Locked {
                strikes: state.strikes.count,
                remaining,
            });
        }
        let regional = state
            .regions
            .get(region)
            .filter(|_| state.refused_generation == Some(generation));
        match regional.and_then(|strikes| Some((strikes.count, strikes.remaining()?))) {
            Some((strikes, remaining)) => Err(Locked { strikes, remaining }),
            None => Ok(proven),
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Pass<'_> {
    /// Fails when the key may not be used any more: another call with it was refused since.
    pub fn holds(&self) -> Result<(), Locked> {
        self.breaker.check(self.region, self.generation).map(drop)
    }

    /// The cloud accepted the key: it answered, or denied the action to a key it knows.
    pub fn accepted(&self) {
        let mut state = self.breaker.state();
        if state.accepted_generation != Some(self.generation) {
            state.accepted_generation = Some(self.generation);
            state.accepting.clear();
            state.regions.clear();
        }
        state.strikes = Strikes::default();
        state.regions.remove(self.region);
        if !state.accepting.iter().any(|region| region == self.region) {
            state.accepting.push(self.region.to_owned());
        }
    }

    /// The cloud refused the key, this many times; gives the refusals in a row and the wait that follows.
    ///
    /// Where no lock-out threatens, a region that refuses a key which another region accepts stands
    /// alone: AWS answers so for a region that the account has not opted into.
    pub fn refused(&self, refusals: u32) -> Locked {
        let mut state = self.breaker.state();
        if state.accepted_generation == Some(self.generation) {
            state.accepting.retain(|region| region != self.region);
        }
        state.refused_generation = Some(self.generation);
        let elsewhere = state.accepted_generation == Some(self.generation) && !state.accepting.is_empty();
        let strikes = if elsewhere && self.breaker.lock_out_after.is_none() {
            let regional = state.regions.entry(self.region.to_owned()).or_default();
            regional.add(refusals);
            *regional
        } else {
            if state.accepted_generation == Some(self.generation) {
                state.accepting.clear();
            }
            state.strikes.add(refusals);
            let strikes = state.strikes;
            if self.breaker.lock_out_after.is_none() && self.breaker.several_regions {
                // The next try belongs to another region.
                let until = strikes.until.map(|until| until + FIRST_WAIT);
                state
                    .regions
                    .insert(self.region.to_owned(), Strikes { until, ..strikes });
            }
            strikes
        };
        Locked {
            strikes: strikes.count,
            remaining: strikes.remaining().unwrap_or_default(),
        }
    }
}

/// Tries that happen a minute apart. One fewer than OUTSCALE's lock-out needs.
const STRIKES_BEFORE_GROWTH: u32 = 3;

/// OUTSCALE's first lock lasts a minute; AWS's new keys need seconds to become known.
const FIRST_WAIT: Duration = Duration::from_secs(60);

/// Longer than OUTSCALE's longest lock of ten minutes.
const LONG_WAIT: Duration = Duration::from_secs(15 * 60);

/// A key that is activated again is noticed within the hour.
const LONGEST_WAIT: Duration = Duration::from_secs(60 * 60);

#[cfg(test)]
mod tests {
    use super::*;

    async fn advance(seconds: u64) {
        tokio::time::advance(Duration::from_secs(seconds)).await;
    }

    #[tokio::test(start_paused = true)]
    async fn three_tries_a_minute_apart_then_the_waits_outlast_any_lock() {
        let breaker = Breaker::new(Some(4), 2);
        let mut waits = Vec::new();
        for _ in 0..6 {
            let wait = breaker.pass("r", 1).await.unwrap().refused(1).remaining.as_secs();
            assert!(breaker.pass("r", 1).await.is_err());
            advance(wait - 1).await;
            assert!(breaker.pass("other", 1).await.is_err());
            advance(1).await;
            waits.push(wait);
        }
        assert_eq!(waits, [60, 60, 900, 1800, 3600, 3600]);
    }

    #[tokio::test(start_paused = true)]
    async fn an_unproven_key_is_tried_in_one_place_at_a_time() {
        let breaker = Breaker::new(Some(4), 2);
        let first = breaker.pass("a", 1).await.unwrap();
        let second = tokio::time::timeout(Duration::from_secs(5), breaker.pass("b", 1)).await;
        assert!(
            second.is_err(),
            "the second request waits for the first one's verdict"
        );
        first.refused(1);
        drop(first);
        assert!(breaker.pass("b", 1).await.is_err());
    }

    #[tokio::test(start_paused = true)]
    async fn a_proven_key_is_used_in_many_places_at_once() {
        let breaker = Breaker::new(Some(4), 2);
        breaker.pass("a", 1).await.unwrap().accepted();
        let _one = breaker.pass("a", 1).await.unwrap();
        let _two = breaker.pass("b", 1).await.unwrap();
    }

    #[tokio::test(start_paused = true)]
    async fn a_new_key_is_tried_at_once_but_not_as_the_fourth_in_a_row() {
        let breaker = Breaker::new(Some(4), 2);
        for generation in 1..=3 {
            breaker.pass("a", generation).await.unwrap().refused(1);
        }
        assert!(
            breaker.pass("a", 4).await.is_err(),
            "a fourth refusal would lock the account"
        );
        advance(900).await;
        breaker.pass("a", 4).await.unwrap().accepted();
        assert!(breaker.pass("a", 4).await.is_ok());
    }

    #[tokio::test(start_paused = true)]
    async fn a_new_key_waits_no_longer_than_a_lock_could_last() {
        let breaker = Breaker::new(Some(4), 2);
        for _ in 0..9 {
            let wait = breaker.pass("a", 1).await.unwrap().refused(1).remaining;
            assert!(breaker.pass("a", 2).await.is_err() || wait == FIRST_WAIT);
            advance(wait.as_secs()).await;
        }
        breaker.pass("a", 1).await.unwrap().refused(1);
        advance(899).await;
        assert!(breaker.pass("a", 2).await.is_err());
        advance(1).await;
        assert!(breaker.pass("a", 1).await.is_err(), "the old key waits an hour");
        assert!(breaker.pass("a", 2).await.is_ok());
    }

    #[tokio::test(start_paused = true)]
    async fn a_late_refusal_of_the_old_key_does_not_stop_the_new_one_for_long() {
        let breaker = Breaker::new(None, 2);
        breaker.pass("a", 1).await.unwrap().accepted();
        let old = breaker.pass("a", 1).await.unwrap();
        breaker.pass("a", 2).await.unwrap().accepted();
        old.refused(1);
        assert!(
            breaker.pass("a", 2).await.is_ok(),
            "the refusal was the other key's"
        );
    }

    #[tokio::test(start_paused = true)]
    async fn one_region_that_refuses_does_not_stop_the_others_where_nothing_locks() {
        let breaker = Breaker::new(None, 2);
        breaker.pass("open", 1).await.unwrap().accepted();
        breaker.pass("closed", 1).await.unwrap().refused(1);
        assert!(breaker.pass("closed", 1).await.is_err());
        assert!(breaker.pass("open", 1).await.is_ok());
    }

    #[tokio::test(start_paused = true)]
    async fn a_region_that_refuses_first_leaves_the_next_try_to_another() {
        let breaker = Breaker::new(None, 2);
        breaker.pass("closed", 1).await.unwrap().refused(1);
        assert!(
            breaker.pass("open", 1).await.is_err(),
            "a refusal stops every call with the key"
        );
        advance(60).await;
        assert!(breaker.pass("closed", 1).await.is_err());
        breaker.pass("open", 1).await.unwrap().accepted();
        advance(60).await;
        assert!(breaker.pass("closed", 1).await.is_ok());
    }

    #[tokio::test(start_paused = true)]
    async fn the_only_region_is_tried_again_after_a_minute() {
        let breaker = Breaker::new(None, 1);
        breaker.pass("only", 1).await.unwrap().refused(1);
        advance(60).await;
        assert!(breaker.pass("only", 1).await.is_ok());
    }
}
