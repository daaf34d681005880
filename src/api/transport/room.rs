//! Memory for the answers that are under way, of all accounts that are reached in one way.
//!
//! Short answers take none of it and wait for nobody. Long ones share it as they arrive; once it is all taken, one of
//! them after the other goes on, so that none waits for what another one, waiting too, holds.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::Instant;

/// What long answers share.
#[derive(Debug)]
pub(super) struct Room {
    pieces: Arc<Semaphore>,
    /// For the one that goes on when there are no pieces left.
    beyond: Arc<Semaphore>,
}

/// What an answer has of it, until it is dropped.
#[derive(Default)]
pub(in super::super) struct Held {
    pieces: Vec<OwnedSemaphorePermit>,
    beyond: Option<OwnedSemaphorePermit>,
}

/// How long an answer has waited for others: no fault of whoever sends it.
#[derive(Default)]
pub(super) struct Waits(Mutex<(Duration, Option<Instant>)>);

impl Waits {
    /// So far.
    pub(super) fn time(&self) -> Duration {
        let (before, since) = *self.0.lock().unwrap_or_else(PoisonError::into_inner);
        before + since.map(|since| since.elapsed()).unwrap_or_default()
    }

    async fn during(&self, waiting: impl Future<Output = ()>) {
        let set = |waits| *self.0.lock().unwrap_or_else(PoisonError::into_inner) = waits;
        set((self.time(), Some(Instant::now())));
        waiting.await;
        set((self.time(), None));
    }
}

impl Room {
    fn of(pieces: usize) -> Self {
        Self {
            pieces: Arc::new(Semaphore::new(pieces)),
            beyond: Arc::new(Semaphore::new(1)),
        }
    }

    /// Waits until an answer may have so many bytes.
    pub(super) async fn hold(&self, held: &mut Held, bytes: usize, waits: &Waits) {
        // The first piece of each is free.
        if held.pieces.len() < bytes / PIECE {
            waits.during(self.take(held, bytes)).await;
        }
    }

    async fn take(&self, held: &mut Held, bytes: usize) {
        while held.beyond.is_none() && held.pieces.len() < bytes / PIECE {
            tokio::select! {
                biased;
                piece = Arc::clone(&self.pieces).acquire_owned() => held.pieces.extend(piece.ok()),
                beyond = Arc::clone(&self.beyond).acquire_owned() => held.beyond = beyond.ok(),
            }
        }
    }
}

impl Default for Room {
    fn default() -> Self {
        Self::of(PIECES)
    }
}

/// Ten pages of a thousand instances at once. With the one that goes on beyond, at most twice the longest answer is
/// under way.
const PIECES: usize = 64;

/// Longer than most answers.
const PIECE: usize = 1 << 20;

#[cfg(test)]
mod tests {
    use std::pin::pin;

    use futures_util::poll;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn long_answers_share_what_there_is_and_go_on_one_by_one() {
        let room = Room::of(3);
        let waits = Waits::default();
        let [mut first, mut second, mut third] = [(); 3].map(|()| Held::default());
        // All are in the middle, and nothing is left.
        room.hold(&mut first, 2 * PIECE, &waits).await;
        room.hold(&mut second, PIECE, &waits).await;
        room.hold(&mut third, PIECE - 1, &waits).await;
        room.hold(&mut first, 64 * PIECE, &waits).await;
        assert_eq!(waits.time(), Duration::ZERO);
        {
            let mut waiting = pin!(room.hold(&mut second, 64 * PIECE, &waits));
            assert!(poll!(&mut waiting).is_pending());
            room.hold(&mut Held::default(), PIECE - 1, &waits).await;
            tokio::time::advance(Duration::from_secs(5)).await;
            drop(first);
            waiting.await;
        }
        // For which nobody is blamed.
        tokio::time::advance(Duration::from_secs(3)).await;
        assert_eq!(waits.time(), Duration::from_secs(5));
        drop(second);
        room.hold(&mut third, 3 * PIECE, &waits).await;
        assert!(third.beyond.is_none());
    }
}
