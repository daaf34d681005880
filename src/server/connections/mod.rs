//! Connections: so many at once, each with a time for all it does. One that gets nowhere makes room for the next.

mod conversation;
mod seat;
mod watched;

use std::cmp::Reverse;
use std::collections::HashMap;
use std::io::ErrorKind;
use std::net::{IpAddr, Ipv6Addr, SocketAddr};
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
    /// The time that an answer may take to be made before it makes room, where there is none left; one that the client
    /// does not take makes room at once.
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
                Ok((stream, client)) => connections.begin(stream, client).await,
                Err(error) => connections.not_accepted(&error).await,
            },
            Some(ended) = connections.tasks.join_next_with_id() => {
                connections.forget(&ended);
            }
            () = &mut shutdown => break,
        }
    }
    drop(listener);
    connections.shared.drain.cancel();
    let all = async { while connections.tasks.join_next().await.is_some() {} };
    timeout(drain, all).await.is_ok()
}

struct Place {
    seat: Arc<Seat>,
    client: IpAddr,
    task: AbortHandle,
}

struct Connections {
    shared: Arc<Shared>,
    tasks: JoinSet<()>,
    seats: HashMap<Id, Place>,
    /// How many there may be now: fewer than the limit while the machine gives less.
    most: usize,
    /// When connections could not be taken, and that was said.
    complained: Option<Instant>,
}

impl Connections {
    fn new(shared: Shared) -> Self {
        Self {
            most: shared.limits.connections,
            shared: Arc::new(shared),
            tasks: JoinSet::new(),
            seats: HashMap::new(),
            complained: None,
        }
    }

    async fn begin(&mut self, stream: TcpStream, client: SocketAddr) {
        while let Some(ended) = self.tasks.try_join_next_with_id() {
            self.forget(&ended);
        }
        if self.complained.is_some_and(|at| at.elapsed() >= COMPLAINT_EVERY) {
            self.complained = None;
            self.most = self.shared.limits.connections;
        }
        if self.seats.len() >= self.most && !self.make_room().await {
            debug!(%client, "a connection is refused: all others are being answered");
            return;
        }
        let seat = Arc::new(Seat::new(self.shared.limits));
        let conversation = conversation::hold(stream, client, Arc::clone(&seat), Arc::clone(&self.shared));
        let task = self.tasks.spawn(conversation);
        let client = neighbourhood(client.ip());
        self.seats.insert(task.id(), Place { seat, client, task });
    }

    fn forget(&mut self, ended: &Result<(Id, ()), JoinError>) -> Id {
        let id = match ended {
            Ok((id, ())) => *id,
            Err(error) => error.id(),
        };
        self.seats.remove(&id);
        id
    }

    /// Gives up the connection that is worth least: of those, one of whoever has most, and of them the oldest. It is closed
    /// afterwards.
    async fn make_room(&mut self) -> bool {
        let mut of_client: HashMap<IpAddr, usize> = HashMap::new();
        for place in self.seats.values() {
            *of_client.entry(place.client).or_default() += 1;
        }
        let worth = |(id, place): (&Id, &Place)| {
            let (worth, since) = place.seat.worth()?;
            Some(((worth, Reverse(of_client.get(&place.client)), since), *id))
        };
        let least = self.seats.iter().filter_map(worth);
        let Some((_, least)) = least.min_by_key(|(worth, _)| *worth) else {
            return false;
        };
        if let Some(place) = self.seats.get(&least) {
            place.task.abort();
        }
        // It waits for the other side, so that it ends at once. Otherwise more would be taken than were closed.
        while let Some(ended) = self.tasks.join_next_with_id().await {
            if self.forget(&ended) == least {
                break;
            }
        }
        true
    }

    /// Want of files or memory, mostly: it passes, and neither ends the server nor keeps it busy. With fewer connections
    /// for a while, there is enough for the polls too.
    async fn not_accepted(&mut self, error: &std::io::Error) {
        if matches!(
            error.kind(),
            ErrorKind::ConnectionAborted | ErrorKind::ConnectionRefused | ErrorKind::ConnectionReset
        ) {
            return;
        }
        if self.complained.is_none() {
            self.complained = Some(Instant::now());
            let open = self.seats.len();
            warn!(
                "connections cannot be taken beside {open} that are open ({error}): vigie makes do with fewer"
            );
        }
        let fewer = (self.seats.len() / 4 * 3).max(FEWEST);
        self.most = fewer.min(self.shared.limits.connections);
        while self.seats.len() > self.most && self.make_room().await {}
        sleep(AFTER_FAILURE).await;
    }
}

/// Who a client is, for a fair share: of IPv6 everybody has as many addresses as they like, in one network.
fn neighbourhood(client: IpAddr) -> IpAddr {
    match client.to_canonical() {
        IpAddr::V6(address) => {
            let [a, b, c, d, ..] = address.segments();
            Ipv6Addr::new(a, b, c, d, 0, 0, 0, 0).into()
        }
        v4 @ IpAddr::V4(_) => v4,
    }
}

const COMPLAINT_EVERY: Duration = Duration::from_secs(60);

/// Enough for a few Prometheus servers and a person.
const FEWEST: usize = 8;

/// Short for a scrape, and long for a processor.
const AFTER_FAILURE: Duration = Duration::from_millis(50);
