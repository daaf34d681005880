//! The auth breaker: a bad key is never hammered.
//!
//! One for each credential, across all kinds and regions. OUTSCALE locks an account's authentication for
//! everybody after four failures in a row, so at most three refusals happen before the waits become
//! longer than the longest lock. Until a key was accepted once, only one request is under way with it:
//! a wrong key must not fail in ten places at once.

mod pass;
mod strikes;

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::{Semaphore, SemaphorePermit};
use tokio::time::Instant;

pub use pass::{Again, Pass};
pub(super) use strikes::FIRST_WAIT;
use strikes::{LONG_WAIT, Strikes};

/// The state of one credential.
#[derive(Debug)]
pub struct Breaker {
    /// The turn to try a key that is not proven.
    turn: Semaphore,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    /// Refusals in a row that lock the account, if they do at this provider.
    lock_out_after: Option<u32>,
    /// Refusals ever: tells a verdict that is older than the last refusal.
    refusals: u64,
    /// The newest generation of the key that was given leave.
    newest_generation: u64,
    /// Requests that have leave and no verdict yet: each may turn out a refusal.
    under_way: u32,
    /// Requests with a proven key that nobody heard the answer to, or that were refused for the clock, since the last
    /// acceptance.
    unheard: u32,
    /// Whether one was refused for the clock: the next ones are tried one at a time, as of a key that is not proven.
    is_in_doubt: bool,
    /// Tries with an unproven key so far, and the number of each region's last one.
    tries: u64,
    tried: HashMap<String, u64>,
    /// When each region last asked for leave.
    asked: HashMap<String, Instant>,
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

impl State {
    /// One fewer than a lock-out needs.
    fn tries_a_minute_apart(&self) -> u32 {
        self.lock_out_after
            .map_or(STRIKES_BEFORE_GROWTH, |limit| limit.saturating_sub(1).max(1))
    }
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

impl Breaker {
    /// A closed breaker for a key that nobody has tried.
    pub fn new(lock_out_after: Option<u32>) -> Self {
        let state = State {
            lock_out_after,
            ..State::default()
        };
        Self {
            turn: Semaphore::new(1),
            state: Mutex::new(state),
        }
    }

    /// One for a key that nobody has tried, found where another was: refusals of that one count on.
    pub fn after(lock_out_after: Option<u32>, another: &Self) -> Self {
        let breaker = Self::new(lock_out_after);
        breaker.state().strikes = another.state().strikes;
        breaker.locks_after(lock_out_after);
        breaker
    }

    /// Takes over the refusals that another breaker knows, where they are more: both are of one key.
    pub(super) fn join(&self, another: &Self) {
        let (strikes, limit) = {
            let another = another.state();
            (another.strikes, another.lock_out_after)
        };
        let mut state = self.state();
        if strikes.count > state.strikes.count {
            state.strikes = strikes;
        }
        let limit = [limit, state.lock_out_after].into_iter().flatten().min();
        drop(state);
        self.locks_after(limit);
    }

    /// Takes another number of refusals for those that lock, as when other processes come to use the key. What is known
    /// of the key stays, and a row that is too long by now waits as such.
    pub fn locks_after(&self, lock_out_after: Option<u32>) {
        let mut state = self.state();
        state.lock_out_after = lock_out_after;
        let before_growth = state.tries_a_minute_apart();
        state.strikes.lengthen(before_growth);
        for own in state.regions.values_mut() {
            own.lengthen(before_growth);
        }
    }

    /// Refusals in a row that lock the account.
    pub(super) fn limit(&self) -> Option<u32> {
        self.state().lock_out_after
    }

    /// Nobody asks in this region any more: nobody waits for it.
    pub(super) fn forget(&self, region: &str) {
        let mut state = self.state();
        state.asked.remove(region);
        state.tried.remove(region);
    }

    /// Whether the cloud may still count refusals that lock.
    pub fn has_strikes(&self) -> bool {
        let state = self.state();
        let lately = |at: Instant| at.elapsed() < LONG_WAIT;
        state.lock_out_after.is_some() && state.strikes.at.is_some_and(lately)
    }

    /// Waits for leave to use this generation of the key in this region.
    ///
    /// Fails at once while the key may not be tried.
    pub async fn pass<'a>(&'a self, region: &'a str, generation: u64) -> Result<Pass<'a>, Locked> {
        self.state().asked.insert(region.to_owned(), Instant::now());
        if self.check(region, generation)? {
            return self.leave(region, generation, None);
        }
        let turn = self.turn.acquire().await.ok();
        // Whoever had the turn before may have proven the key, or spent the try.
        let proven = self.check(region, generation)?;
        self.leave(region, generation, turn.filter(|_| !proven))
    }

    fn leave<'a>(
        &'a self,
        region: &'a str,
        generation: u64,
        turn: Option<SemaphorePermit<'a>>,
    ) -> Result<Pass<'a>, Locked> {
        let proven = turn.is_none();
        let mut state = self.state();
        if !proven {
            Self::may_try(&state, region)?;
            state.tries += 1;
            let number = state.tries;
            state.tried.insert(region.to_owned(), number);
        }
        state.newest_generation = state.newest_generation.max(generation);
        state.under_way += 1;
        let refusals = state.refusals;
        Ok(Pass::new(self, region, generation, refusals, turn))
    }

    /// Whether an unproven key may be tried now, and by this region.
    fn may_try(state: &State, region: &str) -> Result<(), Locked> {
        let strikes = &state.strikes;
        let later = Locked {
            strikes: strikes.count,
            remaining: FIRST_WAIT,
            regional: false,
            unheard: strikes.unheard,
        };
        // What is still under way may be refused too.
        let at_worst = strikes.count + state.unheard + state.under_way + 1;
        if state.under_way > 0 && state.lock_out_after.is_some_and(|limit| at_worst >= limit) {
            return Err(later);
        }
        // After a refusal the turn goes round: a region that refuses must not take it from the others for ever.
        let last = |region: &str| state.tried.get(region).copied();
        let held_back = |region: &str| {
            state
                .regions
                .get(region)
                .is_some_and(|own| own.remaining().is_some())
        };
        let waits = |(other, at): (&String, &Instant)| {
            at.elapsed() < ASKED_LATELY && last(other) < last(region) && !held_back(other)
        };
        if strikes.count > 0 && state.asked.iter().any(waits) {
            return Err(later);
        }
        Ok(())
    }

    /// Whether the key may be used, and if so whether it is proven.
    fn check(&self, region: &str, generation: u64) -> Result<bool, Locked> {
        let state = self.state();
        let proven = state.accepted_generation == Some(generation)
            && !state.accepting.is_empty()
            && !state.is_in_doubt;
        let locked = |strikes: &Strikes, regional| {
            let remaining = if state.refused_generation == Some(generation) {
                strikes.remaining()
            } else {
                strikes.remaining_for_another(state.lock_out_after)
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

/// Tries that happen a minute apart where nothing locks: a new key needs seconds to become known, not minutes.
const STRIKES_BEFORE_GROWTH: u32 = 3;

/// A region that has not asked for leave for so long is not waited for.
const ASKED_LATELY: Duration = Duration::from_secs(5 * 60);

#[cfg(test)]
mod tests;
