//! Answers that take a processor for a while: few are made at once, few wait, and few of their lists are held.

use std::sync::{Arc, Mutex, PoisonError, Weak};

use axum::body::{Body, Bytes};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use tokio::sync::Semaphore;

/// Turns at such work.
#[derive(Clone)]
pub(super) struct Work {
    turns: Arc<Semaphore>,
    places: Arc<Semaphore>,
    lists: Arc<Mutex<Vec<Weak<String>>>>,
}

impl Work {
    pub(super) fn new() -> Self {
        Self {
            turns: Arc::new(Semaphore::new(AT_ONCE)),
            places: Arc::new(Semaphore::new(WAITING)),
            lists: Arc::default(),
        }
    }

    /// Does it off the threads that answer, when it is its turn; or the answer that there are too many.
    pub(super) async fn run<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, Response> {
        let Ok(place) = Arc::clone(&self.places).try_acquire_owned() else {
            return Err(busy());
        };
        let Ok(turn) = Arc::clone(&self.turns).acquire_owned().await else {
            return Err(busy());
        };
        drop(place);
        let done = tokio::task::spawn_blocking(move || {
            // It goes on when the client has gone, and the turn with it.
            let _turn = turn;
            work()
        });
        done.await
            .map_err(|_| StatusCode::INTERNAL_SERVER_ERROR.into_response())
    }

    /// A list as the body of an answer. Whoever is slow to take it holds it, and all who hold the same share it; nothing,
    /// where too many others are held.
    pub(super) fn body(&self, list: String) -> Option<Body> {
        let list = self.shared(list)?;
        Some(Bytes::from_owner(Held(list)).into())
    }

    fn shared(&self, list: String) -> Option<Arc<String>> {
        // What a panic left there is as whole as ever.
        let mut lists = self.lists.lock().unwrap_or_else(PoisonError::into_inner);
        lists.retain(|held| held.strong_count() > 0);
        let same = lists.iter().filter_map(Weak::upgrade).find(|held| **held == list);
        if same.is_some() {
            return same;
        }
        if lists.len() >= LISTS {
            return None;
        }
        let list = Arc::new(list);
        lists.push(Arc::downgrade(&list));
        Some(list)
    }
}

struct Held(Arc<String>);

impl AsRef<[u8]> for Held {
    fn as_ref(&self) -> &[u8] {
        self.0.as_bytes()
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

/// A small machine has two processors; the scrape needs little of one.
const AT_ONCE: usize = 2;

/// Some seconds of work, for the largest fleets.
const WAITING: usize = 16;

/// Some megabytes each, for the largest fleets.
const LISTS: usize = 16;

#[cfg(test)]
mod tests {
    use std::sync::mpsc;

    use super::*;

    #[tokio::test]
    async fn work_of_clients_who_have_gone_holds_its_turn_and_too_many_do_not_wait() {
        let work = Work::new();
        let (begun, has_begun) = mpsc::channel();
        let ends: Vec<_> = (0..AT_ONCE)
            .map(|_| {
                let (end, ended) = mpsc::channel::<()>();
                let (work, begun) = (work.clone(), begun.clone());
                let client = tokio::spawn(async move {
                    let wait = move || {
                        begun.send(()).unwrap();
                        ended.recv().ok();
                    };
                    work.run(wait).await.ok();
                });
                (end, client)
            })
            .collect();
        for (_, client) in &ends {
            while has_begun.try_recv().is_err() {
                tokio::task::yield_now().await;
            }
            client.abort();
        }
        assert_eq!(work.turns.available_permits(), 0);
        let waiting: Vec<_> = (0..WAITING)
            .map(|_| {
                let work = work.clone();
                tokio::spawn(async move { work.run(|| ()).await.is_ok() })
            })
            .collect();
        while work.places.available_permits() > 0 {
            tokio::task::yield_now().await;
        }
        let refused = work.run(|| ()).await.unwrap_err();
        assert_eq!(refused.status(), StatusCode::SERVICE_UNAVAILABLE);
        assert!(refused.headers().contains_key(header::RETRY_AFTER));
        drop(ends);
        for waited in waiting {
            assert!(waited.await.unwrap());
        }
    }

    #[test]
    fn same_list_is_held_once_and_not_too_many_others() {
        let work = Work::new();
        let list = |number: usize| work.shared(format!("[{number}]"));
        let mut held: Vec<_> = (0..LISTS).map(|number| list(number).unwrap()).collect();
        assert!(Arc::ptr_eq(&held[3], &list(3).unwrap()));
        assert!(list(LISTS).is_none());
        held.pop();
        assert!(list(LISTS).is_some());
    }
}
