//! Comparisons that wait: for each client in the order in which they came, and for clients in turns.

use std::collections::{HashMap, VecDeque};
use std::net::IpAddr;

use secrecy::{SecretSlice, SecretString};
use tokio::sync::watch;

use super::checks::{Digest, Verdict};

/// A comparison that waits. Whoever waits for it may go: it is made all the same.
pub(super) struct Job {
    pub(super) digest: Digest,
    pub(super) hash: SecretString,
    pub(super) is_there: bool,
    pub(super) password: SecretSlice<u8>,
    /// Tells what came of it.
    pub(super) verdict: watch::Sender<Option<Verdict>>,
}

/// All that wait, and the one that is being made.
#[derive(Default)]
pub(super) struct Queue {
    waiting: HashMap<IpAddr, VecDeque<Job>>,
    turns: VecDeque<IpAddr>,
    count: usize,
    under_way: HashMap<Digest, watch::Receiver<Option<Verdict>>>,
    /// Whether somebody makes them.
    pub(super) is_attended: bool,
}

impl Queue {
    /// The same comparison, if it waits already.
    pub(super) fn joined(&self, digest: &Digest) -> Option<watch::Receiver<Option<Verdict>>> {
        self.under_way.get(digest).cloned()
    }

    /// Takes a place for a comparison, if there is one: of somebody who has more, where all are taken.
    pub(super) fn push(&mut self, client: IpAddr, job: Job) -> bool {
        let own = self.waiting.get(&client).map_or(0, VecDeque::len);
        if own >= MOST_OF_ONE || (self.count >= MOST && !self.drop_newest_of_whoever_has_more_than(own + 1)) {
            return false;
        }
        self.under_way.insert(job.digest, job.verdict.subscribe());
        if own == 0 {
            self.turns.push_back(client);
        }
        self.waiting.entry(client).or_default().push_back(job);
        self.count += 1;
        true
    }

    fn drop_newest_of_whoever_has_more_than(&mut self, fair: usize) -> bool {
        let Some(most) = self.waiting.values_mut().max_by_key(|jobs| jobs.len()) else {
            return false;
        };
        // More than one: none is left without a turn.
        if most.len() <= fair {
            return false;
        }
        if let Some(dropped) = most.pop_back() {
            self.under_way.remove(&dropped.digest);
            self.count -= 1;
        }
        true
    }

    /// The next comparison to make.
    pub(super) fn next(&mut self) -> Option<Job> {
        let client = self.turns.pop_front()?;
        let jobs = self.waiting.get_mut(&client)?;
        let job = jobs.pop_front()?;
        if jobs.is_empty() {
            self.waiting.remove(&client);
        } else {
            self.turns.push_back(client);
        }
        self.count -= 1;
        Some(job)
    }

    /// A comparison has been made.
    pub(super) fn made(&mut self, digest: &Digest) {
        self.under_way.remove(digest);
    }
}

/// Of one address: more than a pair of Prometheus servers ask at once, and few enough that others get their turn.
pub(super) const MOST_OF_ONE: usize = 8;

/// Of all: some seconds of a processor at the usual cost of 10, and a few megabytes of the longest passwords.
const MOST: usize = 64;

#[cfg(test)]
mod tests {
    use super::*;

    fn job(number: u8) -> (Job, watch::Receiver<Option<Verdict>>) {
        let (verdict, told) = watch::channel(None);
        let job = Job {
            digest: [number; 32],
            hash: SecretString::default(),
            is_there: true,
            password: Vec::new().into(),
            verdict,
        };
        (job, told)
    }

    fn client(number: u8) -> IpAddr {
        [127, 0, 0, number].into()
    }

    #[test]
    fn clients_take_turns() {
        let mut queue = Queue::default();
        for (of, number) in [(1, 10), (1, 11), (1, 12), (2, 20), (3, 30), (2, 21)] {
            assert!(queue.push(client(of), job(number).0));
        }
        let made: Vec<u8> = std::iter::from_fn(|| queue.next())
            .map(|job| job.digest[0])
            .collect();
        assert_eq!(made, [10, 20, 30, 11, 21, 12]);
        assert_eq!(queue.count, 0);
    }

    #[test]
    fn full_queue_has_a_place_for_whoever_has_none() {
        let mut queue = Queue::default();
        let mut told = Vec::new();
        for number in 0..64 {
            let (job, verdict) = job(number);
            assert!(queue.push(client(number % 8), job));
            told.push(verdict);
        }
        assert!(!queue.push(client(0), job(100).0), "the ninth of one address");
        assert!(queue.push(client(200), job(101).0));
        assert_eq!(queue.count, MOST);
        let dropped = told.iter().filter(|told| told.has_changed().is_err());
        assert_eq!(dropped.count(), 1);
        // With one each, nobody makes room for another.
        let mut queue = Queue::default();
        for number in 0..64 {
            assert!(queue.push(client(number), job(number).0));
        }
        assert!(!queue.push(client(200), job(101).0));
    }
}
