//! Connections: so many at once, each with a time for all it does. One that gets nowhere makes room for the next.

mod conversation;
mod crowd;
mod seat;
mod watched;

use std::collections::HashMap;
use std::io::ErrorKind;
use std::net::{IpAddr, Ipv6Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use rustix::io::Errno;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::{AbortHandle, Id, JoinError, JoinSet};
use tokio::time::{Instant, sleep, timeout};
use tokio_util::sync::CancellationToken;
use tracing::{debug, warn};

use super::turns::Turns;
use super::web::Web;
use crowd::{Crowd, Member};
use seat::{Seat, Standing};

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
    /// The time for a first request to come, once its connection is taken or TLS is agreed on, before it makes room for
    /// others.
    pub grace: Duration,
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
            // Longer than a request is on its way, over a satellite or with one packet of it lost.
            grace: Duration::from_secs(1),
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
    /// Turns at TLS: to sign for it takes a processor for milliseconds.
    handshakes: Turns,
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
        handshakes: Turns::new(HANDSHAKES),
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
        if self.seats.len() >= self.most && !self.make_room(Some(neighbourhood(client.ip()))).await {
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

    /// Gives up one connection for another, and says whether there was one to give up. It is closed afterwards.
    async fn make_room(&mut self, newcomer: Option<IpAddr>) -> bool {
        // What was chosen may be asked something in the same moment, and stays then.
        for _ in 0..MOST_CHOICES {
            let Some((least, seen)) = self.least(newcomer) else {
                return false;
            };
            let is_given_up = self
                .seats
                .get(&least)
                .is_none_or(|place| place.seat.give_up(seen, &place.task));
            if !is_given_up {
                continue;
            }
            // It waits for the other side, so that it ends at once. Otherwise more would be taken than were closed.
            while let Some(ended) = self.tasks.join_next_with_id().await {
                if self.forget(&ended) == least {
                    break;
                }
            }
            return true;
        }
        false
    }

    /// The connection to give up, and what it is.
    fn least(&self, newcomer: Option<IpAddr>) -> Option<(Id, Standing)> {
        let members = self.seats.iter().map(|(id, place)| Member {
            id: *id,
            client: place.client,
            standing: place.seat.standing(),
        });
        Crowd::new(members.collect(), self.most).least(newcomer)
    }

    /// Want of files or memory, mostly: it passes, and neither ends the server nor keeps it busy. With fewer connections
    /// for a while, there is enough for the polls too.
    async fn not_accepted(&mut self, error: &std::io::Error) {
        // Given up before it was taken: the next may be there.
        if matches!(
            error.kind(),
            ErrorKind::ConnectionAborted | ErrorKind::ConnectionRefused | ErrorKind::ConnectionReset
        ) {
            return;
        }
        // Something else, such as a firewall: fewer connections would be no remedy.
        if !is_want(error) {
            debug!("a connection cannot be taken: {error}");
            sleep(AFTER_FAILURE).await;
            return;
        }
        if self.complained.is_none() {
            self.complained = Some(Instant::now());
            warn!(
                count = self.seats.len(),
                %error,
                "connections cannot be taken beside those that are open: vigie makes do with fewer"
            );
        }
        let fewer = (self.seats.len() / 4 * 3).max(FEWEST);
        self.most = fewer.min(self.shared.limits.connections);
        while self.seats.len() > self.most && self.make_room(None).await {}
        sleep(AFTER_FAILURE).await;
    }
}

/// Whether there is too little of something that connections take, so that fewer of them would help.
fn is_want(error: &std::io::Error) -> bool {
    let wanting = [Errno::MFILE, Errno::NFILE, Errno::NOBUFS, Errno::NOMEM];
    Errno::from_io_error(error).is_some_and(|error| wanting.contains(&error))
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

/// The processors that are left answer meanwhile.
const HANDSHAKES: usize = 1;

const COMPLAINT_EVERY: Duration = Duration::from_secs(60);

/// A seat changes while it is chosen once in a great while.
const MOST_CHOICES: usize = 16;

/// Enough for a few Prometheus servers and a person.
const FEWEST: usize = 8;

/// Short for a scrape, and long for a processor.
const AFTER_FAILURE: Duration = Duration::from_millis(50);

#[cfg(test)]
mod tests {
    use axum::routing::get;
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    use tokio::net::TcpSocket;

    use super::*;
    use crate::server::Client;

    #[tokio::test]
    async fn routes_are_told_who_asks() {
        let listener = TcpListener::bind("[::]:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let routes = Router::new().route("/", get(async |Client(client): Client| client.to_string()));
        let forever = std::future::pending();
        let _server = tokio::spawn(serve(
            listener,
            routes,
            None,
            Limits::default(),
            forever,
            Duration::ZERO,
        ));
        let socket = TcpSocket::new_v4().unwrap();
        socket.bind(([127, 0, 0, 7], 0).into()).unwrap();
        let at = ([127, 0, 0, 1], address.port()).into();
        let mut stream = socket.connect(at).await.unwrap();
        let request = b"GET / HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n";
        stream.write_all(request).await.unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.unwrap();
        assert!(answer.ends_with("\r\n\r\n127.0.0.7"), "{answer}");
    }

    #[test]
    fn want_is_told_from_what_fails_for_one_connection() {
        let of = |error: Errno| is_want(&error.into());
        for want in [Errno::MFILE, Errno::NFILE, Errno::NOBUFS, Errno::NOMEM] {
            assert!(of(want), "{want}");
        }
        for other in [
            Errno::CONNABORTED,
            Errno::PROTO,
            Errno::PERM,
            Errno::NETDOWN,
            Errno::HOSTUNREACH,
        ] {
            assert!(!of(other), "{other}");
        }
    }
}
