//! Leave to send one request, and what its answer says of the key.

use tokio::sync::SemaphorePermit;

use super::strikes::Strikes;
use super::{Breaker, Locked};

/// How a request that was refused for the clock may be sent once more.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Again {
    /// With the same leave.
    AtOnce,
    /// With another leave, as of a key that is not proven.
    InTurn,
}

/// Leave to send one request with a key. Dropped without a verdict, it changes nothing: nothing was sent, or the cloud
/// answered before it looked at the key. Dropped while a request is out, as by a reload that ends the poll, it counts
/// as one that nobody heard the answer to.
#[derive(Debug)]
pub struct Pass<'a> {
    breaker: &'a Breaker,
    region: &'a str,
    generation: u64,
    /// Refusals known when leave was given, this one's own included.
    refusals: u64,
    /// Whether the key had been accepted.
    proven: bool,
    /// Whether a request was sent and its answer is still to come.
    is_out: bool,
    /// Held while the key is not proven.
    _turn: Option<SemaphorePermit<'a>>,
}

impl<'a> Pass<'a> {
    /// Leave for a key that is proven, or whose turn this is.
    pub(super) fn new(
        breaker: &'a Breaker,
        region: &'a str,
        generation: u64,
        refusals: u64,
        turn: Option<SemaphorePermit<'a>>,
    ) -> Self {
        Self {
            breaker,
            region,
            generation,
            refusals,
            proven: turn.is_none(),
            is_out: false,
            _turn: turn,
        }
    }

    /// A request with it goes out.
    pub fn sent(&mut self) {
        self.is_out = true;
    }

    /// What became of that request is known.
    pub fn heard(&mut self) {
        self.is_out = false;
    }

    /// Whether it still holds; if not, another is to be waited for. Fails when the key may not be used any more: another
    /// call with it was refused since.
    pub fn holds(&self) -> Result<bool, Locked> {
        let proven = self.breaker.check(self.region, self.generation)?;
        Ok(proven || !self.proven)
    }

    /// Fails when another call was refused since leave was given, or since this one's own refusal.
    pub fn is_latest(&self) -> Result<(), Locked> {
        if self.breaker.state().refusals == self.refusals {
            return Ok(());
        }
        self.holds()?;
        Err(self.superseded())
    }

    fn superseded(&self) -> Locked {
        let strikes = self.breaker.state().strikes;
        Locked {
            strikes: strikes.count,
            remaining: strikes.remaining().unwrap_or_default(),
            regional: false,
            unheard: strikes.unheard,
        }
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
            if state.lock_out_after.is_none() {
                state.regions.clear();
            }
        }
        state.strikes = Strikes::default();
        state.unheard = 0;
        state.is_in_doubt = false;
        state.regions.remove(self.region);
        if !state.accepting.iter().any(|region| region == self.region) {
            state.accepting.push(self.region.to_owned());
        }
        true
    }

    /// No answer came, so that nobody knows whether the cloud refused the key. Where refusals lock, that holds back
    /// a key that is not proven; of a proven one it is remembered until the next acceptance or refusal.
    pub fn unheard(&mut self) -> Option<Locked> {
        let mut state = self.breaker.state();
        state.lock_out_after?;
        if self.proven {
            state.unheard = state.unheard.saturating_add(1);
            return None;
        }
        drop(state);
        Some(self.strike(true))
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
        let before_growth = state.tries_a_minute_apart();
        state.refusals += 1;
        self.refusals = state.refusals;
        let refusals = 1 + std::mem::take(&mut state.unheard);
        let is_current = state.accepted_generation == Some(self.generation);
        if is_current {
            state.accepting.retain(|region| region != self.region);
        }
        state.refused_generation = Some(self.generation);
        let own = state.regions.entry(self.region.to_owned()).or_default();
        own.add(refusals, unheard, before_growth);
        let own = *own;
        let elsewhere = is_current && !state.accepting.is_empty();
        let regional = elsewhere && state.lock_out_after.is_none();
        let mut row = own;
        if !regional {
            if is_current {
                state.accepting.clear();
            }
            state.strikes.add(refusals, unheard, before_growth);
            row = if own.count > state.strikes.count {
                own
            } else {
                state.strikes
            };
        }
        let remaining = row.remaining().unwrap_or_default();
        Locked {
            strikes: row.count,
            remaining,
            regional,
            unheard,
        }
    }

    /// The cloud refused what a wrong clock had signed. Says how the same may be sent once more with the right time; fails
    /// where it may not.
    ///
    /// That says nothing against a key that was accepted before. But where refusals lock it may be one of a row, for the
    /// key may have been taken away as well: it counts until the next acceptance.
    pub fn refused_for_the_clock(&mut self) -> Result<Again, Locked> {
        let limit = self.breaker.state().lock_out_after;
        if !self.proven {
            let locked = self.refused();
            return match limit {
                Some(limit) if locked.strikes + 1 >= limit => Err(locked),
                _ => Ok(Again::AtOnce),
            };
        }
        let Some(limit) = limit else {
            return Ok(Again::AtOnce);
        };
        let mut state = self.breaker.state();
        if state.strikes.count + state.unheard + 2 >= limit {
            drop(state);
            return Err(self.refused());
        }
        state.unheard += 1;
        state.is_in_doubt = true;
        Ok(Again::InTurn)
    }
}

impl Drop for Pass<'_> {
    fn drop(&mut self) {
        if self.is_out {
            self.unheard();
        }
        let mut state = self.breaker.state();
        state.under_way = state.under_way.saturating_sub(1);
    }
}
