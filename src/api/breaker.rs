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
    /// Refusals ever: tells a verdict that is older than the last refusal.
    refusals: u64,
    /// The newest generation of the key that was given leave.
    newest_generation: u64,
    /// Refusals since the last acceptance.
    strikes: Strikes,
    /// The generation of the key that was refused last.
    refused_generation: Option<u64>,
    /// The generation of the key that was accepted last, and the regions that accepted it and have not
    /// refused it since.
    accepted_generation: Option<u64>,
    accepting: Vec<String>,
    /// Refusals of each region since its own last acceptance: its account may be another one's.
    regions: HashMap<String, Strikes>,
}

#[derive(Debug, Default, Clone, Copy)]
struct Strikes {
    count: u32,
    /// Whether the last of them is only feared: no answer came.
    unheard: bool,
    /// The last of them.
    at: Option<Instant>,
    until: Option<Instant>,
}

impl Strikes {
    fn add(&mut self, unheard: bool) {
        self.unheard = unheard;
        self.count = self.count.saturating_add(1);
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
    /// Whether it is this region alone that is held back.
    pub regional: bool,
    /// Whether the last refusal is only feared: no answer came.
    pub unheard: bool,
}

/// Leave to send one request with a key. Dropped without a verdict, it changes nothing: the cloud was not
/// reached, or answered before it looked at the key.
#[derive(Debug)]
pub struct Pass<'a> {
    breaker: &'a Breaker,
    region: &'a str,
    generation: u64,
    /// Refusals known when leave was given, this one's own included.
    refusals: u64,
    /// Whether the key had been accepted.
    proven: bool,
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
            return Ok(self.leave(region, generation, None));
        }
        let turn = self.turn.acquire().await.ok();
        // Whoever had the turn before may have proven the key, or spent the try.
        let proven = self.check(region, generation)?;
        Ok(self.leave(region, generation, turn.filter(|_| !proven)))
    }

    fn leave<'a>(&'a self, region: &'a str, generation: u64, turn: Option<SemaphorePermit<'a>>) -> Pass<'a> {
        let mut state = self.state();
        state.newest_generation = state.newest_generation.max(generation);
        let (refusals, proven) = (state.refusals, turn.is_none());
        Pass {
            breaker: self,
            region,
            generation,
            refusals,
            proven,
            _turn: turn,
        }
    }

    /// Whether the key may be used, and if so whether it is proven.
    fn check(&self, region: &str, generation: u64) -> Result<bool, Locked> {
        let state = self.state();
        let proven = state.accepted_generation == Some(generation) && !state.accepting.is_empty();
        let locked = |strikes: &Strikes, regional| {
            let remaining = if state.refused_generation == Some(generation) {
                strikes.remaining()
            } else {
                strikes.remaining_for_another(self.lock_out_after)
            };
            remaining.map(|remaining| Locked {
                strikes: strikes.count,
                remaining,
                regional,
                unheard: strikes.unheard,
            })
        };
        let whole = locked(&state.strikes, false).filter(|_| !proven);
        let own = || locked(state.regions.get(region)?, true);
        whole.or_else(own).map_or(Ok(proven), Err)
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

    /// Fails when another call was refused since leave was given, or since this one's own refusal.
    pub fn is_latest(&self) -> Result<(), Locked> {
        let (refusals, strikes) = {
            let state = self.breaker.state();
            (state.refusals, state.strikes.count)
        };
        if refusals == self.refusals {
            return Ok(());
        }
        self.holds()?;
        Err(Locked {
            strikes,
            remaining: Duration::ZERO,
            regional: false,
            unheard: false,
        })
    }

    /// Whether a request that nobody hears the answer to may have brought the account nearer to a lock.
    pub fn is_a_risk(&self) -> bool {
        !self.proven && self.breaker.lock_out_after.is_some()
    }

    /// The cloud accepted the key: it answered, or denied the action to a key it knows. Gives whether that is
    /// news: an answer that is older than the last refusal, or to an older key, proves nothing.
    pub fn accepted(&self) -> bool {
        let mut state = self.breaker.state();
        if state.refusals != self.refusals || state.newest_generation > self.generation {
            return false;
        }
        if state.accepted_generation != Some(self.generation) {
            state.accepted_generation = Some(self.generation);
            state.accepting.clear();
            if self.breaker.lock_out_after.is_none() {
                state.regions.clear();
            }
        }
        state.strikes = Strikes::default();
        state.regions.remove(self.region);
        if !state.accepting.iter().any(|region| region == self.region) {
            state.accepting.push(self.region.to_owned());
        }
        true
    }

    /// No answer came to a request that is [a risk](Self::is_a_risk): the cloud may have refused the key.
    pub fn unheard(&mut self) -> Locked {
        self.strike(true)
    }

    /// The cloud refused the key; gives the refusals in a row and the wait that follows.
    ///
    /// Where no lock-out threatens, a region that refuses a key which another region accepts stands
    /// alone: AWS answers so for a region that the account has not opted into.
    pub fn refused(&mut self) -> Locked {
        self.strike(false)
    }

    fn strike(&mut self, unheard: bool) -> Locked {
        let mut state = self.breaker.state();
        state.refusals += 1;
        self.refusals = state.refusals;
        let is_current = state.accepted_generation == Some(self.generation);
        if is_current {
            state.accepting.retain(|region| region != self.region);
        }
        state.refused_generation = Some(self.generation);
        let own = state.regions.entry(self.region.to_owned()).or_default();
        own.add(unheard);
        let own = *own;
        let elsewhere = is_current && !state.accepting.is_empty();
        if elsewhere && self.breaker.lock_out_after.is_none() {
            return Locked {
                strikes: own.count,
                remaining: own.remaining().unwrap_or_default(),
                regional: true,
                unheard,
            };
        }
        if is_current {
            state.accepting.clear();
        }
        state.strikes.add(unheard);
        let strikes = state.strikes;
        if self.breaker.lock_out_after.is_none() && self.breaker.several_regions {
            // The next try belongs to another region.
            let until = strikes.until.map(|until| until + FIRST_WAIT);
            state
                .regions
                .insert(self.region.to_owned(), Strikes { until, ..own });
        }
        let row = if own.count > strikes.count { own } else { strikes };
        Locked {
            strikes: row.count,
            remaining: row.remaining().unwrap_or_default(),
            regional: false,
            unheard,
        }
    }

    /// The cloud refused what a wrong clock had signed; gives whether the same may be sent once more with the right
    /// time. That says nothing against a key that was accepted before; of another, it counts.
    pub fn refused_for_the_clock(&mut self) -> bool {
        if self.proven {
            return true;
        }
        let locked = self.refused();
        self.breaker
            .lock_out_after
            .is_none_or(|limit| locked.strikes + 1 < limit)
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
            let wait = breaker.pass("r", 1).await.unwrap().refused().remaining.as_secs();
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
        let mut first = breaker.pass("a", 1).await.unwrap();
        let second = tokio::time::timeout(Duration::from_secs(5), breaker.pass("b", 1)).await;
        assert!(
            second.is_err(),
            "the second request waits for the first one's verdict"
        );
        first.refused();
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
            breaker.pass("a", generation).await.unwrap().refused();
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
            let wait = breaker.pass("a", 1).await.unwrap().refused().remaining;
            assert!(breaker.pass("a", 2).await.is_err() || wait == FIRST_WAIT);
            advance(wait.as_secs()).await;
        }
        breaker.pass("a", 1).await.unwrap().refused();
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
        let mut old = breaker.pass("a", 1).await.unwrap();
        breaker.pass("a", 2).await.unwrap().accepted();
        old.refused();
        assert!(
            breaker.pass("a", 2).await.is_ok(),
            "the refusal was the other key's"
        );
    }

    #[tokio::test(start_paused = true)]
    async fn one_region_that_refuses_does_not_stop_the_others_where_nothing_locks() {
        let breaker = Breaker::new(None, 2);
        breaker.pass("open", 1).await.unwrap().accepted();
        breaker.pass("closed", 1).await.unwrap().refused();
        assert!(breaker.pass("closed", 1).await.is_err());
        assert!(breaker.pass("open", 1).await.is_ok());
    }

    #[tokio::test(start_paused = true)]
    async fn a_region_that_refuses_first_leaves_the_next_try_to_another() {
        let breaker = Breaker::new(None, 2);
        breaker.pass("closed", 1).await.unwrap().refused();
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
        breaker.pass("only", 1).await.unwrap().refused();
        advance(60).await;
        assert!(breaker.pass("only", 1).await.is_ok());
    }

    #[tokio::test(start_paused = true)]
    async fn an_answer_older_than_a_refusal_proves_nothing() {
        let breaker = Breaker::new(Some(4), 1);
        breaker.pass("a", 1).await.unwrap().accepted();
        let slow = breaker.pass("a", 1).await.unwrap();
        breaker.pass("a", 1).await.unwrap().refused();
        assert!(!slow.accepted());
        assert!(breaker.pass("a", 1).await.is_err());
    }

    #[tokio::test(start_paused = true)]
    async fn an_answer_to_the_old_key_proves_nothing_of_the_new_one() {
        let breaker = Breaker::new(Some(4), 1);
        breaker.pass("a", 1).await.unwrap().accepted();
        let old = breaker.pass("a", 1).await.unwrap();
        let new = breaker.pass("a", 2).await.unwrap();
        assert!(!old.accepted());
        assert!(new.accepted());
    }

    #[tokio::test(start_paused = true)]
    async fn a_region_that_accepts_does_not_forgive_the_refusals_of_another() {
        let breaker = Breaker::new(Some(4), 2);
        let mut waits = Vec::new();
        for _ in 0..4 {
            let wait = breaker.pass("bad", 1).await.unwrap().refused().remaining;
            waits.push(wait.as_secs());
            tokio::time::advance(Duration::from_secs(60)).await;
            if breaker.pass("good", 1).await.is_ok_and(|pass| pass.accepted()) {
                tokio::time::advance(wait.saturating_sub(Duration::from_secs(60))).await;
            } else {
                tokio::time::advance(wait).await;
            }
        }
        assert_eq!(waits, [60, 60, 900, 1800]);
    }

    #[tokio::test(start_paused = true)]
    async fn a_wrong_clock_earns_one_more_try_unless_that_could_lock() {
        let breaker = Breaker::new(Some(4), 1);
        for (expected, wait) in [(true, 60), (true, 60), (false, 900)] {
            assert_eq!(
                breaker.pass("a", 1).await.unwrap().refused_for_the_clock(),
                expected
            );
            advance(wait).await;
        }
        breaker.pass("a", 1).await.unwrap().accepted();
        let mut proven = breaker.pass("a", 1).await.unwrap();
        assert!(proven.refused_for_the_clock());
        assert!(proven.is_latest().is_ok() && proven.accepted());
    }
}
