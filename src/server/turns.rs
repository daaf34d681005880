//! Turns at what takes a processor: few at once, and one client has one at most, so that no one keeps others waiting.

use std::collections::HashMap;
use std::future::poll_fn;
use std::net::IpAddr;
use std::pin::pin;
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::task::Poll;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// Turns, some at once.
#[derive(Debug, Clone)]
pub(super) struct Turns {
    all: Arc<Semaphore>,
    of_clients: Arc<Mutex<HashMap<IpAddr, Weak<Semaphore>>>>,
}

/// A turn, until it is dropped.
#[derive(Debug)]
pub(super) struct Turn {
    _one_of_all: OwnedSemaphorePermit,
    _one_of_the_client: OwnedSemaphorePermit,
}

impl Turns {
    pub(super) fn new(at_once: usize) -> Self {
        Self {
            all: Arc::new(Semaphore::new(at_once)),
            of_clients: Arc::default(),
        }
    }

    /// The next turn of this client. Each client has one place in the line for all that it waits for.
    pub(super) async fn take(&self, client: IpAddr) -> Option<Turn> {
        // None of the two is ever closed.
        let own = self.own(client).acquire_owned().await.ok()?;
        let one = Arc::clone(&self.all).acquire_owned().await.ok()?;
        Some(Turn {
            _one_of_all: one,
            _one_of_the_client: own,
        })
    }

    /// What waits for the other side most of the time: it takes a turn each time that it goes on, and holds none while it
    /// waits.
    pub(super) async fn step_by_step<F: Future>(&self, client: IpAddr, work: F) -> F::Output {
        let mut work = pin!(work);
        loop {
            let turn = self.take(client).await;
            let step = poll_fn(|context| Poll::Ready(work.as_mut().poll(context))).await;
            drop(turn);
            if let Poll::Ready(done) = step {
                return done;
            }
            // The step has left word with whom it waits for.
            let mut is_woken = false;
            let woken = poll_fn(|_| {
                if std::mem::replace(&mut is_woken, true) {
                    Poll::Ready(())
                } else {
                    Poll::Pending
                }
            });
            woken.await;
        }
    }

    fn own(&self, client: IpAddr) -> Arc<Semaphore> {
        // What a panic left there is as whole as ever.
        let mut of_clients = self.of_clients.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(own) = of_clients.get(&client).and_then(Weak::upgrade) {
            return own;
        }
        if of_clients.len() >= SWEEP {
            of_clients.retain(|_, own| own.strong_count() > 0);
        }
        let own = Arc::new(Semaphore::new(1));
        of_clients.insert(client, Arc::downgrade(&own));
        own
    }
}

/// Who has most of something that is all taken, if that is more than the newcomer would have with one more.
pub(super) fn greediest(taken: impl Iterator<Item = IpAddr>, newcomer: IpAddr) -> Option<IpAddr> {
    let mut of_clients: HashMap<IpAddr, usize> = HashMap::new();
    for client in taken {
        *of_clients.entry(client).or_default() += 1;
    }
    let own = of_clients.get(&newcomer).copied().unwrap_or_default();
    let (most, count) = of_clients.into_iter().max_by_key(|(_, count)| *count)?;
    (count > own + 1).then_some(most)
}

/// More clients than have connections at once, so that those who are gone are swept away seldom.
const SWEEP: usize = 1024;

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::time::Duration;

    use super::*;

    fn client(number: u8) -> IpAddr {
        [127, 0, 0, number].into()
    }

    #[tokio::test]
    async fn client_who_waits_for_much_comes_behind_one_who_waits_for_one_thing() {
        let turns = Turns::new(1);
        let first = turns.take(client(1)).await.unwrap();
        let order = Arc::new(Mutex::new(Vec::new()));
        let mut waiting = Vec::new();
        for number in [1, 1, 1, 2, 3] {
            let (turns, order) = (turns.clone(), Arc::clone(&order));
            waiting.push(tokio::spawn(async move {
                let _turn = turns.take(client(number)).await;
                order.lock().unwrap().push(number);
            }));
            tokio::task::yield_now().await;
        }
        drop(first);
        for waited in waiting {
            waited.await.unwrap();
        }
        let order = order.lock().unwrap();
        let last_of_others = order.iter().rposition(|number| *number != 1);
        assert!(last_of_others < Some(4) && order.len() == 5, "{order:?}");
        assert_ne!(order[..2], [1, 1], "{order:?}");
    }

    #[tokio::test(start_paused = true)]
    async fn what_waits_for_the_other_side_holds_no_turn() {
        let turns = Turns::new(1);
        let (tell, told) = tokio::sync::oneshot::channel();
        let steps = Arc::new(AtomicUsize::new(0));
        let waits = tokio::spawn({
            let (turns, steps) = (turns.clone(), Arc::clone(&steps));
            async move {
                let mut told = pin!(told);
                let counted = poll_fn(|context| {
                    steps.fetch_add(1, Ordering::Relaxed);
                    told.as_mut().poll(context)
                });
                turns.step_by_step(client(1), counted).await
            }
        });
        while steps.load(Ordering::Relaxed) == 0 {
            tokio::task::yield_now().await;
        }
        let free = tokio::time::timeout(Duration::from_secs(1), turns.take(client(1)));
        let turn = free.await.expect("it holds none").unwrap();
        tell.send(7).unwrap();
        tokio::task::yield_now().await;
        assert_eq!(steps.load(Ordering::Relaxed), 1, "it waits for its turn");
        drop(turn);
        assert_eq!(waits.await.unwrap(), Ok(7));
    }

    #[tokio::test]
    async fn clients_who_are_gone_are_forgotten() {
        let turns = Turns::new(1);
        for number in 0..3 * SWEEP {
            let [_, _, high, low] = u32::try_from(number).unwrap().to_be_bytes();
            drop(turns.take([10, 0, high, low].into()).await);
        }
        assert!(turns.of_clients.lock().unwrap().len() <= SWEEP);
    }

    #[test]
    fn greediest_has_more_than_the_newcomer_would_have() {
        let of = |clients: &[u8], newcomer| greediest(clients.iter().copied().map(client), client(newcomer));
        assert_eq!(of(&[1, 1, 2], 3), Some(client(1)));
        assert_eq!(of(&[1, 1, 2], 2), None);
        assert_eq!(of(&[1, 1, 1], 1), None);
        assert_eq!(of(&[1, 2], 3), None);
        assert_eq!(of(&[], 3), None);
    }
}
