//! Connections: so many at once, each with a time for all it does. One that gets nowhere makes room for the next.

mod conversation;
mod seat;
mod watched;

use std::collections::HashMap;
use std::io::ErrorKind;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::{AbortHandle, Id, JoinError, JoinSet};
use tokio::time::{Instant, sleep, timeout};
use tokio_util::sync::CancellationToken;
use tracing::{debug, warn};

use super::web::Web;
use seat::Seat;

/// What connections may take.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// Connections at once.
    pub connections: usize,
    /// The bytes of a request's line and headers; 8192 at least.
    pub head_size: usize,
    /// The time to agree on TLS, and again for a request's line and headers from its first byte.
    pub head: Duration,
    /// The time from a request to the end of its answer, taken by the client.
    pub answer: Duration,
    /// The time between two requests.
    pub idle: Duration,
    /// The time after which an answer that is not taken makes room, where there is none left.
    pub patience: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            // Half of the files that a process may have open where nobody said otherwise.
            connections: 512,
            // What browsers send with all their cookies, and more than any scraper.
            head_size: 32 * 1024,
            head: Duration::from_secs(10),
            // Longer than scrapes may take that are a minute apart.
            answer: Duration::from_secs(120),
            // Longer than Prometheus keeps a connection (5 min), so that it is never closed under a scrape.
            idle: Duration::from_secs(6 * 60),
            patience: Duration::from_secs(10),
        }
    }
}

/// What all connections share.
struct Shared {
    routes: Router,
    web: Option<Arc<Web>>,
    limits: Limits,
    drain: CancellationToken,
}

/// Takes connections until `shutdown` is over, then lets requests under way end, for `drain` at most. Says whether all did.
pub(super) async fn serve(
    listener: TcpListener,
    routes: Router,
    web: Option<Arc<Web>>,
    limits: Limits,
    shutdown: impl Future<Output = ()>,
    drain: Duration,
) -> bool {
    let mut shutdown = std::pin::pin!(shutdown);
    let mut connections = Connections::new(Shared {
        routes,
        web,
        limits,
        drain: CancellationToken::new(),
    });
    loop {
        tokio::select! {
            accepted = listener.accept() => match accepted {
                Ok((stream, client)) => connections.begin(stream, client),
                Err(error) => connections.not_accepted(&error).await,
            },
            Some(ended) = connections.tasks.join_next_with_id() => connections.forget(&ended),
            () = &mut shutdown => break,
        }
    }
    drop(listener);
    connections.shared.drain.cancel();
    let all = async { while connections.tasks.join_next().await.is_some() {} };
    timeout(drain, all).await.is_ok()
}

struct Connections {
    shared: Arc<Shared>,
    tasks: JoinSet<()>,
    seats: HashMap<Id, (Arc<Seat>, AbortHandle)>,
    /// When connections could not be taken, and that was said.
    complained: Option<Instant>,
}

impl Connections {
    fn new(shared: Shared) -> Self {
        Self {
            shared: Arc::new(shared),
            tasks: JoinSet::new(),
            seats: HashMap::new(),
            complained: None,
        }
    }

    fn begin(&mut self, stream: TcpStream, client: SocketAddr) {
        while let Some(ended) = self.tasks.try_join_next_with_id() {
            self.forget(&ended);
        }
        if self.seats.len() >= self.shared.limits.connections && !self.make_room() {
            debug!(%client, "a connection is refused: all others are being answered");
            return;
        }
        let seat = Arc::new(Seat::new(self.shared.limits));
        let conversation = conversation::hold(stream, client, Arc::clone(&seat), Arc::clone(&self.shared));
        let task = self.tasks.spawn(conversation);
        self.seats.insert(task.id(), (seat, task));
    }

    fn forget(&mut self, ended: &Result<(Id, ()), JoinError>) {
        let id = match ended {
            Ok((id, ())) => *id,
            Err(error) => error.id(),
        };
        self.seats.remove(&id);
    }

    /// Gives up the connection that is worth least and has been that for longest.
    fn make_room(&mut self) -> bool {
        let worth = |(id, (seat, _)): (&Id, &(Arc<Seat>, AbortHandle))| Some((seat.worth()?, *id));
        let least = self.seats.iter().filter_map(worth);
        let Some((_, least)) = least.min_by_key(|(worth, _)| *worth) else {
            return false;
        };
        if let Some((_, task)) = self.seats.remove(&least) {
            task.abort();
        }
        true
    }

    /// Want of files or memory, mostly: it passes, and neither ends the server nor keeps it busy.
    async fn not_accepted(&mut self, error: &std::io::Error) {
        if matches!(
            error.kind(),
            ErrorKind::ConnectionAborted | ErrorKind::ConnectionRefused | ErrorKind::ConnectionReset
        ) {
            return;
        }
        if self.complained.is_none_or(|at| at.elapsed() >= COMPLAINT_EVERY) {
            self.complained = Some(Instant::now());
            warn!("connections cannot be taken ({error}): vigie tries on");
        }
        self.make_room();
        sleep(AFTER_FAILURE).await;
    }
}

const COMPLAINT_EVERY: Duration = Duration::from_secs(60);

/// Long enough for a connection that was given up to be closed.
const AFTER_FAILURE: Duration = Duration::from_millis(50);
