//! Compares passwords: off the async threads, one at a time, and each only once.

use std::collections::{HashMap, HashSet, VecDeque};
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use hmac::{Hmac, KeyInit as _, Mac as _};
use secrecy::{ExposeSecret as _, SecretSlice, SecretString};
use sha2::Sha256;
use tokio::sync::Semaphore;
use tokio_rustls::rustls::crypto::aws_lc_rs;

use super::users::Users;

/// What came of a comparison.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in super::super) enum Verdict {
    /// The password is that user's.
    Right,
    /// There is no such user, or it has another password.
    Wrong,
    /// There are too many comparisons waiting for the same client.
    TooMany,
}

/// Comparisons under way, and what came of earlier ones. No password is kept: a comparison is known again by its digest
/// under a key that nobody has.
pub(super) struct Checks {
    key: [u8; 32],
    verdicts: Mutex<Verdicts>,
    /// One takes a processor for as long as it lasts, and the agent has other things to do.
    turn: Arc<Semaphore>,
    waiting: Mutex<HashMap<IpAddr, usize>>,
}

type Digest = [u8; 32];

/// Apart, so that guesses never drive out what is known to be right.
#[derive(Default)]
struct Verdicts {
    right: HashSet<Digest>,
    wrong: HashSet<Digest>,
    wrong_in_order: VecDeque<Digest>,
}

impl Checks {
    pub(super) fn new() -> Result<Self, String> {
        let mut key = [0; 32];
        let random = aws_lc_rs::default_provider().secure_random;
        random
            .fill(&mut key)
            .map_err(|_| "needs chance, and this machine gives none".to_owned())?;
        Ok(Self {
            key,
            verdicts: Mutex::default(),
            turn: Arc::new(Semaphore::new(1)),
            waiting: Mutex::default(),
        })
    }

    /// Whether a password is that of a user.
    pub(super) async fn check(
        self: &Arc<Self>,
        users: &Users,
        name: &str,
        password: SecretSlice<u8>,
        client: IpAddr,
    ) -> Verdict {
        let (hash, is_there) = users.hash(name);
        let digest = self.digest(name, hash, is_there, &password);
        if let Some(verdict) = self.known(&digest) {
            return verdict;
        }
        let Some(_waiting) = Waiting::take(self, client) else {
            return Verdict::TooMany;
        };
        let Ok(turn) = Arc::clone(&self.turn).acquire_owned().await else {
            return Verdict::TooMany;
        };
        // Whoever went before may have asked the same.
        if let Some(verdict) = self.known(&digest) {
            return verdict;
        }
        let (checks, hash) = (Arc::clone(self), hash.clone());
        // It goes on, and is remembered, when the client has gone: its next request is answered at once.
        let compared = tokio::task::spawn_blocking(move || {
            let is_equal = bcrypt::verify(password.expose_secret(), hash.expose_secret()).unwrap_or(false);
            let verdict = if is_equal && is_there {
                Verdict::Right
            } else {
                Verdict::Wrong
            };
            checks.remember(digest, verdict);
            drop(turn);
            verdict
        });
        compared.await.unwrap_or(Verdict::Wrong)
    }

    /// Whether the user is there is part of it: a name that is not is compared with the hash of another, and what came of
    /// that says nothing of a user who has that hash, and the other way round.
    fn digest(&self, name: &str, hash: &SecretString, is_there: bool, password: &SecretSlice<u8>) -> Digest {
        let mut digest = Hmac::<Sha256>::new_from_slice(&self.key).expect("HMAC takes a key of any length");
        let (name, hash) = (name.as_bytes(), hash.expose_secret().as_bytes());
        digest.update(&[u8::from(is_there)]);
        for part in [name, hash, password.expose_secret()] {
            digest.update(&part.len().to_be_bytes());
            digest.update(part);
        }
        digest.finalize().into_bytes().into()
    }

    fn known(&self, digest: &Digest) -> Option<Verdict> {
        let verdicts = locked(&self.verdicts);
        if verdicts.right.contains(digest) {
            Some(Verdict::Right)
        } else if verdicts.wrong.contains(digest) {
            Some(Verdict::Wrong)
        } else {
            None
        }
    }

    fn remember(&self, digest: Digest, verdict: Verdict) {
        let mut verdicts = locked(&self.verdicts);
        if verdict == Verdict::Right {
            // One for each user; more only after passwords were changed that often.
            if verdicts.right.len() >= MOST_RIGHT {
                verdicts.right.clear();
            }
            verdicts.right.insert(digest);
            return;
        }
        if verdicts.wrong.insert(digest) {
            verdicts.wrong_in_order.push_back(digest);
        }
        if verdicts.wrong_in_order.len() > MOST_WRONG
            && let Some(oldest) = verdicts.wrong_in_order.pop_front()
        {
            verdicts.wrong.remove(&oldest);
        }
    }
}

/// A place in the queue, given back when it is dropped.
struct Waiting<'a> {
    checks: &'a Checks,
    client: IpAddr,
}

impl<'a> Waiting<'a> {
    fn take(checks: &'a Checks, client: IpAddr) -> Option<Self> {
        let mut waiting = locked(&checks.waiting);
        let count = waiting.entry(client).or_default();
        if *count >= MOST_WAITING {
            return None;
        }
        *count += 1;
        Some(Self { checks, client })
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        let mut waiting = locked(&self.checks.waiting);
        if let Some(count) = waiting.get_mut(&self.client) {
            *count -= 1;
            if *count == 0 {
                waiting.remove(&self.client);
            }
        }
    }
}

// What a panic left there is as whole as ever.
fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

const MOST_RIGHT: usize = 1024;

/// So that a scraper with a password of yesterday costs nothing.
const MOST_WRONG: usize = 256;

/// Of one address: more than a pair of Prometheus servers ask at once, and few enough that others get their turn.
const MOST_WAITING: usize = 8;

#[cfg(test)]
mod tests {
    use super::*;

    const CLIENT: IpAddr = IpAddr::V4(std::net::Ipv4Addr::LOCALHOST);

    fn secret(password: &str) -> SecretSlice<u8> {
        password.as_bytes().to_vec().into()
    }

    fn users(password: &str) -> Users {
        let hash = bcrypt::hash(password, 4).unwrap();
        Users::read(vec![("prometheus".to_owned(), hash.into())]).unwrap()
    }

    #[tokio::test]
    async fn password_is_right_for_its_user_and_its_hash_alone() {
        let checks = Arc::new(Checks::new().unwrap());
        let (old, new) = (users("PasswordEXAMPLE"), users("OtherEXAMPLE"));
        for _ in 0..2 {
            for (users, name, password, expected) in [
                (&old, "prometheus", "PasswordEXAMPLE", Verdict::Right),
                (&old, "prometheus", "OtherEXAMPLE", Verdict::Wrong),
                (&old, "nobody", "PasswordEXAMPLE", Verdict::Wrong),
                (&old, "prometheus", "", Verdict::Wrong),
                (&new, "prometheus", "PasswordEXAMPLE", Verdict::Wrong),
                (&new, "prometheus", "OtherEXAMPLE", Verdict::Right),
            ] {
                let verdict = checks.check(users, name, secret(password), CLIENT).await;
                assert_eq!(verdict, expected, "{name} {password}");
            }
        }
        assert_eq!(locked(&checks.verdicts).right.len(), 2);
    }

    #[tokio::test]
    async fn renamed_user_comes_in_by_the_new_name_alone() {
        let hash = bcrypt::hash("PasswordEXAMPLE", 4).unwrap();
        let [old, new] =
            ["old", "new"].map(|name| Users::read(vec![(name.to_owned(), hash.clone().into())]).unwrap());
        for (first, then) in [(&old, &new), (&new, &old)] {
            let checks = Arc::new(Checks::new().unwrap());
            for _ in 0..2 {
                for users in [first, then, first] {
                    for name in ["old", "new"] {
                        let expected = if users.hash(name).1 {
                            Verdict::Right
                        } else {
                            Verdict::Wrong
                        };
                        let verdict = checks.check(users, name, secret("PasswordEXAMPLE"), CLIENT).await;
                        assert_eq!(verdict, expected, "{name}");
                    }
                }
            }
        }
    }

    #[tokio::test]
    async fn guesses_drive_out_no_password_that_is_right() {
        let checks = Arc::new(Checks::new().unwrap());
        let users = users("PasswordEXAMPLE");
        let right = || checks.check(&users, "prometheus", secret("PasswordEXAMPLE"), CLIENT);
        assert_eq!(right().await, Verdict::Right);
        for guess in 0..=u16::try_from(MOST_WRONG).unwrap() {
            let mut digest = [0; 32];
            digest[..2].copy_from_slice(&guess.to_be_bytes());
            checks.remember(digest, Verdict::Wrong);
        }
        assert_eq!(locked(&checks.verdicts).wrong.len(), MOST_WRONG);
        let _none_is_compared = checks.turn.acquire().await.unwrap();
        assert_eq!(right().await, Verdict::Right);
    }

    #[tokio::test]
    async fn one_client_does_not_fill_the_queue_of_others() {
        let checks = Arc::new(Checks::new().unwrap());
        let users = Arc::new(users("PasswordEXAMPLE"));
        let turn = checks.turn.acquire().await.unwrap();
        let ask = |guess: usize, client: IpAddr| {
            let (checks, users) = (Arc::clone(&checks), Arc::clone(&users));
            async move {
                let password = secret(&format!("GuessEXAMPLE{guess}"));
                checks.check(&users, "prometheus", password, client).await
            }
        };
        let waiting: Vec<_> = (0..MOST_WAITING)
            .map(|guess| tokio::spawn(ask(guess, CLIENT)))
            .collect();
        while locked(&checks.waiting).get(&CLIENT) != Some(&MOST_WAITING) {
            tokio::task::yield_now().await;
        }
        assert_eq!(ask(MOST_WAITING, CLIENT).await, Verdict::TooMany);
        let other = tokio::spawn(ask(0, IpAddr::from([127, 0, 0, 2])));
        drop(turn);
        assert_eq!(other.await.unwrap(), Verdict::Wrong);
        for answered in waiting {
            assert_eq!(answered.await.unwrap(), Verdict::Wrong);
        }
        assert!(locked(&checks.waiting).is_empty());
    }
}
