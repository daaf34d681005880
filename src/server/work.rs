//! Answers that take a processor for a while: few are made at once and few wait, and clients share the places.

use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError, Weak};

use axum::http::{StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use tokio_util::sync::CancellationToken;

use super::turns::{Turns, greediest};

/// Turns at such work, and places to wait for them.
#[derive(Clone)]
pub(super) struct Work {
    turns: Turns,
    places: Arc<Mutex<Vec<Weak<Place>>>>,
}

struct Place {
    client: IpAddr,
    /// That somebody with fewer has it now.
    is_lost: CancellationToken,
}

impl Work {
    pub(super) fn new() -> Self {
        Self {
            turns: Turns::new(AT_ONCE),
            places: Arc::default(),
        }
    }

    /// Does it off the threads that answer, when it is the client's turn; or the answer that there are too many.
    pub(super) async fn run<T: Send + 'static>(
        &self,
        client: IpAddr,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, Response> {
        let place = self.place(client).ok_or_else(busy)?;
        let turn = tokio::select! {
            turn = self.turns.take(client) => turn,
            () = place.is_lost.cancelled() => None,
        };
        let turn = turn.ok_or_else(busy)?;
        drop(place);
        let done = tokio::task::spawn_blocking(move || {
            // It goes on when the client has gone, and the turn with it.
            let _turn = turn;
            work()
        });
        done.await
            .map_err(|_| StatusCode::INTERNAL_SERVER_ERROR.into_response())
    }

    /// A place to wait, if there is one: the newest of whoever has most, where all are taken.
    fn place(&self, client: IpAddr) -> Option<Arc<Place>> {
        // What a panic left there is as whole as ever.
        let mut places = self.places.lock().unwrap_or_else(PoisonError::into_inner);
        places.retain(|place| place.strong_count() > 0);
        if places.len() >= WAITING {
            let taken: Vec<Arc<Place>> = places.iter().filter_map(Weak::upgrade).collect();
            let most = greediest(taken.iter().map(|place| place.client), client)?;
            let lost = taken.iter().rfind(|place| place.client == most)?;
            lost.is_lost.cancel();
            places.retain(|place| !std::ptr::eq(place.as_ptr(), Arc::as_ptr(lost)));
        }
        let place = Arc::new(Place {
            client,
            is_lost: CancellationToken::new(),
        });
        places.push(Arc::downgrade(&place));
        Some(place)
    }
}

/// The answer that there are too many.
pub(super) fn busy() -> Response {
    (
        StatusCode::SERVICE_UNAVAILABLE,
        [(header::RETRY_AFTER, "1")],
        "too many such answers are being made: ask again\n",
    )
        .into_response()
}

/// A small machine has two processors; the scrape needs little of one. One client has one of them at most.
const AT_ONCE: usize = 2;

/// Some seconds of work, for the largest fleets.
const WAITING: usize = 16;

#[cfg(test)]
mod tests {
    use std::sync::mpsc;

    use super::*;

    fn client(number: u8) -> IpAddr {
        [127, 0, 0, number].into()
    }

    /// Work that goes on until its sender is dropped; the client is gone as soon as it has begun.
    async fn abandoned(work: &Work, of: u8) -> mpsc::Sender<()> {
        let (end, ended) = mpsc::channel::<()>();
        let (begun, has_begun) = mpsc::channel();
        let work = work.clone();
        let asking = tokio::spawn(async move {
            let wait = move || {
                begun.send(()).unwrap();
                ended.recv().ok();
            };
            work.run(client(of), wait).await.ok();
        });
        while has_begun.try_recv().is_err() {
            tokio::task::yield_now().await;
        }
        asking.abort();
        end
    }

    fn waiting(work: &Work, of: u8) -> tokio::task::JoinHandle<bool> {
        let work = work.clone();
        tokio::spawn(async move { work.run(client(of), || ()).await.is_ok() })
    }

    fn places(work: &Work) -> usize {
        let places = work.places.lock().unwrap();
        places.iter().filter(|place| place.strong_count() > 0).count()
    }

    #[tokio::test]
    async fn work_of_clients_who_have_gone_holds_its_turn_and_too_many_do_not_wait() {
        let work = Work::new();
        let ends = [abandoned(&work, 1).await, abandoned(&work, 2).await];
        let all: Vec<_> = (0..WAITING).map(|_| waiting(&work, 1)).collect();
        while places(&work) < WAITING {
            tokio::task::yield_now().await;
        }
        let refused = work.run(client(1), || ()).await.unwrap_err();
        assert_eq!(refused.status(), StatusCode::SERVICE_UNAVAILABLE);
        assert!(refused.headers().contains_key(header::RETRY_AFTER));
        drop(ends);
        for waited in all {
            assert!(waited.await.unwrap());
        }
    }

    #[tokio::test]
    async fn one_client_takes_neither_all_turns_nor_all_places() {
        let work = Work::new();
        let end = abandoned(&work, 1).await;
        let all: Vec<_> = (0..WAITING).map(|_| waiting(&work, 1)).collect();
        while places(&work) < WAITING {
            tokio::task::yield_now().await;
        }
        // A place of theirs is taken, and the other turn is for others.
        assert!(work.run(client(2), || ()).await.is_ok());
        drop(end);
        let mut waited = Vec::new();
        for one in all {
            waited.push(one.await.unwrap());
        }
        assert_eq!(waited, [vec![true; WAITING - 1], vec![false]].concat());
    }
}
