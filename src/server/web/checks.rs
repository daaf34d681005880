//! Compares passwords: off the async threads, one at a time, and each only once.

use std::collections::{HashSet, VecDeque};
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use hmac::{Hmac, KeyInit as _, Mac as _};
use secrecy::{ExposeSecret as _, SecretSlice, SecretString};
use sha2::Sha256;
use tokio::sync::watch;
use tokio_rustls::rustls::crypto::aws_lc_rs;

use super::queue::{Job, Queue};
use super::users::Users;

/// What came of a comparison.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in super::super) enum Verdict {
    /// The password is that user's.
    Right,
    /// There is no such user, or it has another password.
    Wrong,
    /// There are too many comparisons waiting, of the same client or of all.
    TooMany,
}

/// Comparisons under way, and what came of earlier ones. No password is kept: a comparison is known again by its digest
/// under a key that nobody has.
pub(super) struct Checks {
    key: [u8; 32],
    verdicts: Mutex<Verdicts>,
    queue: Mutex<Queue>,
}

pub(super) type Digest = [u8; 32];

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
            queue: Mutex::default(),
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
        let Some(mut told) = self.place(digest, hash, is_there, password, client) else {
            return Verdict::TooMany;
        };
        // Its place may have been given to another.
        let verdict = told.wait_for(Option::is_some).await;
        verdict.map_or(Verdict::TooMany, |verdict| verdict.unwrap_or(Verdict::Wrong))
    }

    /// A place in the queue, or that of the same comparison. It is kept, and what comes of it is known, when the client has
    /// gone: a scrape that gave up finds its answer the next time.
    fn place(
        self: &Arc<Self>,
        digest: Digest,
        hash: &SecretString,
        is_there: bool,
        password: SecretSlice<u8>,
        client: IpAddr,
    ) -> Option<watch::Receiver<Option<Verdict>>> {
        let mut queue = locked(&self.queue);
        if let Some(told) = queue.joined(&digest) {
            return Some(told);
        }
        let (verdict, told) = watch::channel(self.known(&digest));
        if told.borrow().is_some() {
            return Some(told);
        }
        let job = Job {
            digest,
            hash: hash.clone(),
            is_there,
            password,
            verdict,
        };
        if !queue.push(client, job) {
            return None;
        }
        if !std::mem::replace(&mut queue.is_attended, true) {
            tokio::spawn(Arc::clone(self).compare_all());
        }
        Some(told)
    }

    /// Makes all comparisons that wait, one after the other: one takes a processor for as long as it lasts, and the agent
    /// has other things to do.
    async fn compare_all(self: Arc<Self>) {
        while let Some(job) = self.next() {
            let Job {
                digest,
                hash,
                is_there,
                password,
                verdict,
            } = job;
            let compared = tokio::task::spawn_blocking(move || {
                bcrypt::verify(password.expose_secret(), hash.expose_secret()).unwrap_or(false)
            });
            // Nothing is known of one that broke down.
            let came = compared.await.ok().map(|is_equal| {
                if is_equal && is_there {
                    Verdict::Right
                } else {
                    Verdict::Wrong
                }
            });
            if let Some(came) = came {
                self.remember(digest, came);
            }
            locked(&self.queue).made(&digest);
            verdict.send_replace(Some(came.unwrap_or(Verdict::Wrong)));
        }
    }

    fn next(&self) -> Option<Job> {
        let mut queue = locked(&self.queue);
        let next = queue.next();
        queue.is_attended = next.is_some();
        next
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

// What a panic left there is as whole as ever.
fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

const MOST_RIGHT: usize = 1024;

/// So that a scraper with a password of yesterday costs nothing.
const MOST_WRONG: usize = 256;

#[cfg(test)]
mod tests {
    use super::super::queue::MOST_OF_ONE;
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
        // None is compared.
        locked(&checks.queue).is_attended = true;
        assert_eq!(right().await, Verdict::Right);
    }

    #[tokio::test]
    async fn one_client_does_not_fill_the_queue_of_others() {
        let checks = Arc::new(Checks::new().unwrap());
        let users = users("PasswordEXAMPLE");
        // None is compared for now.
        locked(&checks.queue).is_attended = true;
        let place = |guess: usize, client: IpAddr| {
            let password = secret(&format!("GuessEXAMPLE{guess}"));
            let (hash, is_there) = users.hash("prometheus");
            let digest = checks.digest("prometheus", hash, is_there, &password);
            checks.place(digest, hash, is_there, password, client)
        };
        let waiting: Vec<_> = (0..MOST_OF_ONE)
            .map(|guess| place(guess, CLIENT).unwrap())
            .collect();
        let ninth = checks
            .check(&users, "prometheus", secret("NinthEXAMPLE"), CLIENT)
            .await;
        assert_eq!(ninth, Verdict::TooMany);
        assert!(place(0, CLIENT).is_some(), "it waits already");
        let other = place(MOST_OF_ONE, IpAddr::from([127, 0, 0, 2])).unwrap();
        tokio::spawn(Arc::clone(&checks).compare_all());
        for mut told in waiting.into_iter().chain([other]) {
            let verdict = *told.wait_for(Option::is_some).await.unwrap();
            assert_eq!(verdict, Some(Verdict::Wrong));
        }
    }

    #[tokio::test]
    async fn scrape_that_gave_up_finds_its_password_compared_the_next_time() {
        let checks = Arc::new(Checks::new().unwrap());
        let users = users("PasswordEXAMPLE");
        locked(&checks.queue).is_attended = true;
        {
            let mut asked =
                std::pin::pin!(checks.check(&users, "prometheus", secret("PasswordEXAMPLE"), CLIENT));
            assert!(futures_util::poll!(asked.as_mut()).is_pending());
        }
        // What waits is compared without anybody who asks.
        Arc::clone(&checks).compare_all().await;
        let (hash, is_there) = users.hash("prometheus");
        let digest = checks.digest("prometheus", hash, is_there, &secret("PasswordEXAMPLE"));
        assert_eq!(checks.known(&digest), Some(Verdict::Right));
    }
}
