//! Memory for the answers that are under way, of all accounts together.
//!
//! Short answers take none of it and wait for nobody. Long ones share it as they arrive; once it is all taken, one of
//! them after the other goes on, so that none waits for what another one, waiting too, holds.

use tokio::sync::{Semaphore, SemaphorePermit};

/// What long answers share.
pub(super) struct Room {
    pieces: Semaphore,
    /// For the one that goes on when there are no pieces left.
    beyond: Semaphore,
}

/// What an answer has of it, until it is dropped.
#[derive(Default)]
pub(in super::super) struct Held {
    pieces: Vec<SemaphorePermit<'static>>,
    beyond: Option<SemaphorePermit<'static>>,
}

impl Room {
    const fn of(pieces: usize) -> Self {
        Self {
            pieces: Semaphore::const_new(pieces),
            beyond: Semaphore::const_new(1),
        }
    }

    /// Waits until an answer may have so many bytes.
    pub(super) async fn hold(&'static self, held: &mut Held, bytes: usize) {
        // The first piece of each is free.
        while held.beyond.is_none() && held.pieces.len() < bytes / PIECE {
            tokio::select! {
                biased;
                piece = self.pieces.acquire() => held.pieces.extend(piece.ok()),
                beyond = self.beyond.acquire() => held.beyond = beyond.ok(),
            }
        }
    }
}

/// Ten pages of a thousand instances at once. With the one that goes on beyond, at most twice the longest answer is
/// under way.
pub(super) static ROOM: Room = Room::of(64);

/// Longer than most answers.
const PIECE: usize = 1 << 20;

#[cfg(test)]
mod tests {
    use std::pin::pin;

    use futures_util::poll;

    use super::*;

    #[tokio::test]
    async fn long_answers_share_what_there_is_and_go_on_one_by_one() {
        static ROOM: Room = Room::of(3);
        let [mut first, mut second, mut third] = [(); 3].map(|()| Held::default());
        // Both are in the middle, and nothing is left.
        ROOM.hold(&mut first, 2 * PIECE).await;
        ROOM.hold(&mut second, PIECE).await;
        ROOM.hold(&mut third, PIECE - 1).await;
        ROOM.hold(&mut first, 64 * PIECE).await;
        {
            let mut waiting = pin!(ROOM.hold(&mut second, 64 * PIECE));
            assert!(poll!(&mut waiting).is_pending());
            ROOM.hold(&mut Held::default(), PIECE - 1).await;
            drop(first);
            waiting.await;
        }
        drop(second);
        ROOM.hold(&mut third, 3 * PIECE).await;
        assert!(third.beyond.is_none());
    }
}
