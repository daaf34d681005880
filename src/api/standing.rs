//! How a key stands with the cloud: what all share who use it, wherever each of them found it.
//!
//! The cloud counts refusals of a key, not of a file: two files that hold one key, or two names of one file, are one
//! to it.

use std::collections::HashMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use secrecy::ExposeSecret as _;
use sha2::{Digest as _, Sha256};
use tokio::sync::Semaphore;

use super::breaker::Breaker;
use crate::credentials::{Credentials, Current};

/// What is known of one key, and of those that were there before it.
#[derive(Debug)]
pub(super) struct Standing {
    pub(super) breaker: Arc<Breaker>,
    /// Requests under way in all regions, where too many refusals at once would lock the account.
    pub(super) under_way: Semaphore,
    latest: Mutex<Latest>,
    /// The places that hold its key.
    places: AtomicUsize,
}

/// The key that is used now, counted.
#[derive(Debug, Default)]
struct Latest {
    digest: Option<Digest>,
    number: u64,
}

impl Standing {
    fn new(breaker: Breaker, most_under_way: usize) -> Arc<Self> {
        Arc::new(Self {
            breaker: Arc::new(breaker),
            under_way: Semaphore::new(most_under_way),
            latest: Mutex::default(),
            places: AtomicUsize::new(0),
        })
    }

    /// The number of a key, greater than that of every other one used before.
    fn number(&self, digest: Digest) -> u64 {
        let mut latest = locked(&self.latest);
        if latest.digest != Some(digest) {
            latest.digest = Some(digest);
            latest.number += 1;
        }
        latest.number
    }
}

/// Of all of a key: who has its id and another secret is refused alone.
type Digest = [u8; 32];

/// The standings of a process's keys.
#[derive(Debug, Default)]
pub struct Standings(Mutex<HashMap<Digest, Weak<Standing>>>);

/// The standing of the key in one place, which is another one when the key is.
#[derive(Debug)]
pub struct Place {
    standings: Arc<Standings>,
    most_under_way: usize,
    now: Mutex<Now>,
}

#[derive(Debug)]
struct Now {
    standing: Arc<Standing>,
    /// The generation of the key in its place, and its number in the standing.
    generation: u64,
    number: u64,
}

impl Place {
    pub(super) fn new(standings: &Arc<Standings>, breaker: Breaker, most_under_way: usize) -> Self {
        let standing = Standing::new(breaker, most_under_way);
        standing.places.fetch_add(1, Ordering::Relaxed);
        Self {
            standings: Arc::clone(standings),
            most_under_way,
            now: Mutex::new(Now {
                standing,
                generation: 0,
                number: 0,
            }),
        }
    }

    /// What is known of refusals.
    pub fn breaker(&self) -> Arc<Breaker> {
        Arc::clone(&self.standing().breaker)
    }

    pub(super) fn standing(&self) -> Arc<Standing> {
        Arc::clone(&locked(&self.now).standing)
    }

    /// The standing of a key that was found in this place, and the key's number there.
    pub(super) fn of(&self, key: &Current) -> (Arc<Standing>, u64) {
        let mut now = locked(&self.now);
        if key.generation > now.generation {
            let digest = digest(&key.credentials);
            self.change(&mut now, digest);
            now.generation = key.generation;
            now.number = now.standing.number(digest);
        }
        // What is older than the key of now proves nothing of it.
        let is_latest = key.generation == now.generation;
        let number = if is_latest { now.number } else { 0 };
        (Arc::clone(&now.standing), number)
    }

    /// Takes the standing that the key has. One that nobody knows yet goes on with the refusals of the key before, which
    /// the cloud goes on counting.
    fn change(&self, now: &mut Now, digest: Digest) {
        let mut known = locked(&self.standings.0);
        known.retain(|_, standing| standing.strong_count() > 0);
        let another = match known.get(&digest).and_then(Weak::upgrade) {
            Some(standing) => {
                if Arc::ptr_eq(&standing, &now.standing) {
                    return;
                }
                standing.breaker.join(&now.standing.breaker);
                Some(standing)
            }
            // Elsewhere the key is the one before.
            None if now.standing.places.load(Ordering::Relaxed) > 1 => {
                let breaker = Breaker::after(now.standing.breaker.limit(), &now.standing.breaker);
                Some(Standing::new(breaker, self.most_under_way))
            }
            None => {
                known.retain(|_, standing| !std::ptr::eq(standing.as_ptr(), Arc::as_ptr(&now.standing)));
                None
            }
        };
        if let Some(standing) = another {
            standing.places.fetch_add(1, Ordering::Relaxed);
            now.standing.places.fetch_sub(1, Ordering::Relaxed);
            now.standing = standing;
        }
        known.insert(digest, Arc::downgrade(&now.standing));
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.standing().places.fetch_sub(1, Ordering::Relaxed);
    }
}

fn digest(credentials: &Credentials) -> Digest {
    let token = credentials.session_token.as_ref();
    let parts = [
        credentials.access_key_id.as_str(),
        credentials.secret_access_key.expose_secret(),
        token.map_or("", |token| token.expose_secret()),
    ];
    let mut hash = Sha256::new();
    for part in parts {
        hash.update(part.len().to_be_bytes());
        hash.update(part);
    }
    hash.finalize().into()
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests;
