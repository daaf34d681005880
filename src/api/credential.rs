//! What all accounts and regions with one key share: its source, the breaker, the clock, and the key itself while it
//! is on loan.

use std::sync::Mutex;

use tokio::sync::Semaphore;

use super::breaker::Breaker;
use super::clock::Clock;
use super::lending::{Lender, Loan, Teller};
use crate::credentials::Source;
use crate::provider::Provider;

/// One place to find a key, and what is known of the key found there.
#[derive(Debug)]
pub struct Credential {
    pub(super) source: Source,
    pub(super) lender: Lender,
    pub(super) loan: Mutex<Loan>,
    pub(super) breaker: Breaker,
    /// Requests under way in all regions, where too many refusals at once would lock the account.
    pub(super) under_way: Semaphore,
    /// How many of them may be one region's.
    pub(super) share: usize,
    pub(super) clock: Clock,
    /// The accounts that use it, which are held back together.
    pub(super) accounts: Mutex<Vec<String>>,
}

impl Credential {
    /// A key that has not been tried yet, to be used in so many regions.
    pub fn new(provider: Provider, regions: usize, source: Source, teller: Teller) -> Self {
        // One refusal fewer than a lock-out takes may be under way; where nothing locks, there is no cap.
        let under_way = provider
            .lock_out_after()
            .and_then(|limit| usize::try_from(limit).ok())
            .map_or(Semaphore::MAX_PERMITS, |limit| limit.saturating_sub(1).max(1));
        Self {
            source,
            lender: Lender::new(teller),
            loan: Mutex::default(),
            breaker: Breaker::new(provider.lock_out_after()),
            under_way: Semaphore::new(under_way),
            share: (under_way / regions.max(1)).max(1),
            clock: Clock::default(),
            accounts: Mutex::default(),
        }
    }

    /// The same, where so many processes use the key, each of which may be refused.
    #[must_use]
    pub fn shared_by(self, provider: Provider, processes: u32) -> Self {
        let limit = provider.lock_out_after();
        Self {
            breaker: Breaker::new(limit.map(|limit| (limit / processes.max(1)).max(1))),
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
}
