//! What all accounts and regions with one key share: its source, the breaker, the clock, and the key itself while it
//! is on loan.

use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex};

use tokio::sync::{AcquireError, Semaphore, SemaphorePermit};

use super::breaker::Breaker;
use super::clock::Clock;
use super::lending::{Lender, Loan, Teller};
use super::standing::{Place, Standing, Standings};
use crate::credentials::Source;
use crate::provider::Provider;

/// One place to find a key, and what is known of the key found there.
#[derive(Debug)]
pub struct Credential {
    pub(super) source: Source,
    pub(super) lender: Lender,
    pub(super) loan: Mutex<Loan>,
    /// What is known of the key that is there.
    pub(super) place: Arc<Place>,
    pub(super) clock: Clock,
    /// The accounts that use it, which are held back together.
    pub(super) accounts: Mutex<Vec<String>>,
    provider: Provider,
    /// How many permits a request takes there, and of its region's share.
    weights: [AtomicU32; 2],
}

/// Who uses a key.
#[derive(Debug, Clone, Copy)]
pub struct Users {
    /// The regions in which it is used.
    pub regions: usize,
    /// The processes that use it, each of which may be refused.
    pub processes: u32,
}

impl Credential {
    /// A key that has not been tried yet.
    pub fn new(provider: Provider, users: Users, source: Source, teller: Teller) -> Self {
        Self {
            source,
            lender: Lender::new(teller),
            loan: Mutex::default(),
            place: place(provider, &Arc::default(), Breaker::new(limit(provider, users))),
            clock: Clock::default(),
            accounts: Mutex::default(),
            provider,
            weights: weights(provider, users).map(AtomicU32::new),
        }
    }

    /// The same among others, which may have the same key from elsewhere; found where another key was, if there was
    /// one: the cloud may still count the refusals of that.
    #[must_use]
    pub fn among(self, standings: &Arc<Standings>, another: Option<&Breaker>) -> Self {
        let limit = self.place.breaker().limit();
        let breaker = match another {
            Some(another) => Breaker::after(limit, another),
            None => Breaker::new(limit),
        };
        Self {
            place: place(self.provider, standings, breaker),
            ..self
        }
    }

    /// The same, signing with a clock that is off by so many seconds, as another key of this machine found.
    #[must_use]
    pub fn with_skew(self, seconds: i64) -> Self {
        Self {
            clock: Clock::off_by(seconds),
            ..self
        }
    }

    /// Takes what other settings say of its use. What is known of the key stays.
    pub fn adopt(&self, users: Users, teller: Teller) {
        self.place.breaker().locks_after(limit(self.provider, users));
        for (weight, new) in self.weights.iter().zip(weights(self.provider, users)) {
            weight.store(new, Ordering::Relaxed);
        }
        let elsewhere = self.lender.adopt(teller);
        self.ask_again(elsewhere);
    }

    /// What is known of the key in its place, which outlives the key.
    pub fn place(&self) -> Arc<Place> {
        Arc::clone(&self.place)
    }

    /// Room for the requests of one region: it has no more than its share of what may be under way, so that one that
    /// hangs leaves the others theirs.
    pub(super) fn share(&self) -> Semaphore {
        Semaphore::new(most_under_way(self.provider))
    }

    /// Waits for room in a region's share, and then in that of all.
    pub(super) async fn room<'a>(
        &self,
        share: &'a Semaphore,
        standing: &'a Standing,
    ) -> Result<[SemaphorePermit<'a>; 2], AcquireError> {
        let [of_all, of_share] = &self.weights;
        let of_share = share.acquire_many(of_share.load(Ordering::Relaxed)).await?;
        let of_all = standing.under_way.acquire_many(of_all.load(Ordering::Relaxed));
        Ok([of_share, of_all.await?])
    }
}

/// Where nothing locks, who has the same key from elsewhere is no matter.
fn place(provider: Provider, standings: &Arc<Standings>, breaker: Breaker) -> Arc<Place> {
    let alone = Arc::default();
    let standings = match breaker.limit() {
        Some(_) => standings,
        None => &alone,
    };
    Arc::new(Place::new(standings, breaker, most_under_way(provider)))
}

/// Refusals of this process that lock the account, at worst.
fn limit(provider: Provider, users: Users) -> Option<u32> {
    let limit = provider.lock_out_after()?;
    Some((limit / users.processes.max(1)).max(1))
}

/// Where nothing locks, there is no cap.
fn most_under_way(provider: Provider) -> usize {
    let limit = provider
        .lock_out_after()
        .and_then(|limit| usize::try_from(limit).ok());
    limit.map_or(Semaphore::MAX_PERMITS, places)
}

/// When all of these are refused for the clock, one more may be sent with the right time, and be refused for the key,
/// before refusals lock.
fn places(limit: usize) -> usize {
    limit.saturating_sub(2).max(1)
}

/// As many permits as leave this process no more than may be refused at once, and a region's requests no more than its
/// share of that. So the permits themselves stay as they are when the users change.
fn weights(provider: Provider, users: Users) -> [u32; 2] {
    let limit = limit(provider, users).and_then(|limit| usize::try_from(limit).ok());
    let Some(limit) = limit else {
        return [1; 2];
    };
    let permits = most_under_way(provider);
    let all = places(limit);
    let share = (all / users.regions.max(1)).max(1);
    [all, share].map(|places| u32::try_from(permits.div_ceil(places)).unwrap_or(u32::MAX))
}

#[cfg(test)]
mod tests;
