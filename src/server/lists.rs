//! Lists on their way to clients. They are large, so that few are held; whoever is slow to take one makes room for others.

use std::collections::HashSet;
use std::io;
use std::net::IpAddr;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::task::{Context, Poll};
use std::time::Duration;

use axum::body::{Body, Bytes, HttpBody};
use hyper::body::{Frame, SizeHint};
use tokio::time::Instant;

use super::turns::greediest;

/// All lists that are on their way.
#[derive(Debug, Clone, Default)]
pub(super) struct Lists(Arc<Mutex<Vec<Weak<Held>>>>);

/// A list, for one who takes it.
#[derive(Debug)]
struct Held {
    client: IpAddr,
    since: Instant,
    /// Nothing, once it has made room.
    list: Mutex<Option<Arc<String>>>,
}

impl Lists {
    /// A list as the body of an answer. All who take the same share it; nothing, where too many others are held and none
    /// makes room.
    pub(super) fn body(&self, client: IpAddr, list: String) -> Option<Body> {
        let left = list.len();
        let held = self.hold(client, list)?;
        Some(Body::new(Taken { held, at: 0, left }))
    }

    fn hold(&self, client: IpAddr, list: String) -> Option<Arc<Held>> {
        // What a panic left there is as whole as ever.
        let mut lists = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        lists.retain(|held| held.upgrade().is_some_and(|held| held.list().is_some()));
        let all: Vec<Arc<Held>> = lists.iter().filter_map(Weak::upgrade).collect();
        let same = all
            .iter()
            .filter_map(|held| held.list())
            .find(|held| **held == list);
        let list = match same {
            Some(same) => same,
            None if has_room(&all, client) => Arc::new(list),
            None => return None,
        };
        let held = Arc::new(Held {
            client,
            since: Instant::now(),
            list: Mutex::new(Some(list)),
        });
        lists.push(Arc::downgrade(&held));
        Some(held)
    }
}

/// Whether there is room for one more, if need be after others have made it: the newest list of whoever takes most, and
/// where everybody takes as few, the one that has been on its way for longest.
fn has_room(all: &[Arc<Held>], newcomer: IpAddr) -> bool {
    loop {
        let mut lists = HashSet::new();
        let mut of_clients = HashSet::new();
        let mut taken = Vec::new();
        for held in all {
            if let Some(list) = held.list() {
                lists.insert(Arc::as_ptr(&list));
                if of_clients.insert((held.client, Arc::as_ptr(&list))) {
                    taken.push((held, list));
                }
            }
        }
        if lists.len() < MOST {
            return true;
        }
        let greediest = greediest(taken.iter().map(|(held, _)| held.client), newcomer);
        let given_up = match greediest {
            Some(client) => taken.iter().rfind(|(held, _)| held.client == client),
            None => taken.first().filter(|(held, _)| held.since.elapsed() >= PATIENCE),
        };
        let Some((of, list)) = given_up else { return false };
        for held in all.iter().filter(|held| held.client == of.client) {
            if held.list().is_some_and(|held| Arc::ptr_eq(&held, list)) {
                held.give_up();
            }
        }
    }
}

impl Held {
    fn list(&self) -> Option<Arc<String>> {
        self.list.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn give_up(&self) {
        self.list.lock().unwrap_or_else(PoisonError::into_inner).take();
    }
}

/// What is still to be sent of a list. A piece at a time is copied out of it, so that it can be given up meanwhile.
struct Taken {
    held: Arc<Held>,
    at: usize,
    left: usize,
}

impl HttpBody for Taken {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, io::Error>>> {
        if self.left == 0 {
            return Poll::Ready(None);
        }
        let end = self.at + self.left.min(PIECE);
        let list = self.held.list();
        let Some(piece) = list.as_ref().and_then(|list| list.as_bytes().get(self.at..end)) else {
            return Poll::Ready(Some(Err(io::Error::other("the list has made room for another"))));
        };
        let piece = Bytes::copy_from_slice(piece);
        self.left -= piece.len();
        self.at = end;
        Poll::Ready(Some(Ok(Frame::data(piece))))
    }

    fn is_end_stream(&self) -> bool {
        self.left == 0
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(u64::try_from(self.left).unwrap_or(u64::MAX))
    }
}

/// Different lists at once: some megabytes each, for the largest fleets.
const MOST: usize = 16;

/// Ample for the largest list on a network that is worth the name.
const PATIENCE: Duration = Duration::from_secs(10);

/// Few system calls for a list, and little that is held for one who takes nothing.
const PIECE: usize = 64 << 10;

#[cfg(test)]
mod tests {
    use super::*;

    fn client(number: usize) -> IpAddr {
        [127, 0, 0, u8::try_from(number).unwrap()].into()
    }

    fn list(number: usize) -> String {
        format!("[{number}]")
    }

    fn is_held(held: &Arc<Held>) -> bool {
        held.list().is_some()
    }

    #[tokio::test]
    async fn list_comes_whole_and_in_pieces() {
        let list = "0123456789".repeat(PIECE / 4);
        let body = Lists::default().body(client(1), list.clone()).unwrap();
        assert_eq!(body.size_hint().exact(), u64::try_from(list.len()).ok());
        let sent = axum::body::to_bytes(body, usize::MAX).await.unwrap();
        assert_eq!(sent, list.as_bytes());
    }

    #[tokio::test]
    async fn same_list_is_held_once_and_one_client_holds_not_too_many_others() {
        let lists = Lists::default();
        let take = |number| lists.hold(client(1), list(number));
        let mut held: Vec<_> = (0..MOST).map(|number| take(number).unwrap()).collect();
        let same = lists.hold(client(2), list(3)).unwrap();
        assert!(Arc::ptr_eq(&held[3].list().unwrap(), &same.list().unwrap()));
        assert!(take(MOST).is_none());
        held.pop();
        assert!(take(MOST).is_some());
    }

    #[tokio::test]
    async fn whoever_takes_most_makes_room_and_shared_lists_stay() {
        let lists = Lists::default();
        let held: Vec<_> = (0..MOST)
            .map(|number| lists.hold(client(1), list(number)).unwrap())
            .collect();
        // Another takes the newest too: that it is given up for the one who takes most frees nothing, and one more goes.
        let shared = lists.hold(client(2), list(MOST - 1)).unwrap();
        let other = lists.hold(client(3), list(100)).unwrap();
        assert!(is_held(&other) && is_held(&shared));
        let still: Vec<bool> = held.iter().map(is_held).collect();
        assert_eq!(still, [vec![true; MOST - 2], vec![false; 2]].concat());
        // What made room is sent no further.
        let left = 3;
        let held = Arc::clone(&held[MOST - 1]);
        let cut = axum::body::to_bytes(Body::new(Taken { held, at: 0, left }), usize::MAX).await;
        assert!(cut.is_err());
    }

    #[tokio::test(start_paused = true)]
    async fn clients_with_one_list_each_make_room_once_they_are_slow() {
        let lists = Lists::default();
        let held: Vec<_> = (0..MOST)
            .map(|number| lists.hold(client(number), list(number)).unwrap())
            .collect();
        assert!(lists.hold(client(100), list(100)).is_none());
        tokio::time::advance(PATIENCE).await;
        assert!(lists.hold(client(100), list(100)).is_some());
        assert_eq!(held.iter().filter(|held| is_held(held)).count(), MOST - 1);
        assert!(!is_held(&held[0]));
    }
}
