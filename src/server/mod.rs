//! The HTTP server. It answers from memory: no request reaches a cloud.
//!
//! | route | answer |
//! | --- | --- |
//! | `GET /metrics` | the page, always 200; a part of it by `account`, `region` and `kind` |
//! | `GET /sd/instances` | the instances as targets; 503 while there is no fresh reading of them |
//! | `GET /` | how all of it goes, for people |
//! | `POST /-/reload` | takes the settings anew; only where that is allowed |
//! | `GET /-/healthy` | 200 while the process lives |
//! | `GET /-/ready` | 200 once every kind has been tried, 503 before |

mod connections;
mod discovery;
mod lists;
mod negotiation;
mod people;
mod query;
mod reload;
mod turns;
mod web;
mod work;

use std::convert::Infallible;
use std::future::Future;
use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::{FromRef, FromRequestParts, RawQuery, State};
use axum::http::request::Parts;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{Html, IntoResponse, Response};
use axum::routing::{any, get, post};
use futures_util::stream;
use tokio::net::{TcpListener, TcpSocket, lookup_host};
use tokio::sync::mpsc;
use tracing::warn;

use crate::exposition::Page;
use discovery::Wanted;
use lists::Lists;
use work::Work;

pub use connections::Limits;
pub use reload::{Outcome, Reload};
pub use web::{Error, FAMILIES, Web};

/// Listens on a host and a port, as the first of the host's addresses that can be listened on.
pub async fn bind(address: &str) -> io::Result<TcpListener> {
    let mut last = io::Error::new(io::ErrorKind::NotFound, "the host has no address");
    for address in lookup_host(address).await? {
        match listen(address) {
            Ok(listener) => return Ok(listener),
            Err(error) => last = error,
        }
    }
    Err(last)
}

fn listen(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = if address.is_ipv4() {
        TcpSocket::new_v4()?
    } else {
        TcpSocket::new_v6()?
    };
    // As tokio's own listeners: a restart waits for no connection of before.
    socket.set_reuseaddr(true)?;
    socket.bind(address)?;
    socket.listen(BACKLOG)
}

/// How the page is served, beside what is on it.
#[derive(Default)]
pub struct Options {
    /// Who is asked to take the settings anew; without it, `POST /-/reload` says how to have it.
    pub reloads: Option<mpsc::Sender<Reload>>,
    /// Who may ask, and how it is spoken with; without it, everybody, in plain HTTP.
    pub web: Option<Arc<Web>>,
    /// What connections may take.
    pub limits: Limits,
}

/// Serves to everybody, and without a way to reload: see [`run_with`].
pub async fn run(
    listener: TcpListener,
    page: Arc<Page>,
    shutdown: impl Future<Output = ()> + Send + 'static,
) {
    run_with(listener, page, Options::default(), shutdown).await;
}

/// Serves until `shutdown` is over, then lets the requests under way end, for four seconds at most.
pub async fn run_with(
    listener: TcpListener,
    page: Arc<Page>,
    options: Options,
    shutdown: impl Future<Output = ()> + Send + 'static,
) {
    let Options { reloads, web, limits } = options;
    if let Some(web) = &web {
        web.warn();
        web.measure(page.registry());
    }
    let routes = router(page, reloads);
    if !connections::serve(listener, routes, web, limits, shutdown, DRAIN).await {
        warn!(
            seconds = DRAIN.as_secs(),
            "requests that did not end in time are cut off"
        );
    }
}

/// The routes: what is served, without a listener.
pub fn router(page: Arc<Page>, reloads: Option<mpsc::Sender<Reload>>) -> Router {
    let reload = match reloads {
        Some(reloads) => post(move |headers: HeaderMap| reload::ask(headers, reloads)),
        None => any(|| async { (StatusCode::NOT_FOUND, reload::IS_OFF) }),
    };
    Router::new()
        .route("/-/reload", reload)
        .route("/metrics", get(metrics))
        .route("/sd/instances", get(targets))
        .route("/", get(people_page))
        .route("/-/healthy", get(|| async { "vigie is healthy\n" }))
        .route("/-/ready", get(ready))
        .fallback(|| async {
            (
                StatusCode::NOT_FOUND,
                "nothing here; the metrics are at /metrics\n",
            )
        })
        .with_state(Served {
            page,
            work: Work::new(),
            lists: Lists::default(),
        })
}

/// What routes answer with.
#[derive(Clone)]
struct Served {
    page: Arc<Page>,
    work: Work,
    lists: Lists,
}

impl FromRef<Served> for Arc<Page> {
    fn from_ref(served: &Served) -> Self {
        Self::clone(&served.page)
    }
}

/// Who asks, for a fair share of what is limited.
#[derive(Debug, Clone, Copy)]
struct Client(IpAddr);

impl<S: Send + Sync> FromRequestParts<S> for Client {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Infallible> {
        // Without a connection, all are one.
        let nobody = Self(Ipv4Addr::UNSPECIFIED.into());
        Ok(parts.extensions.get().copied().unwrap_or(nobody))
    }
}

async fn metrics(State(page): State<Arc<Page>>, RawQuery(query): RawQuery, headers: HeaderMap) -> Response {
    // Other parameters mean nothing here, as at every exporter: the page is there for whoever asks for it.
    let part = match query::part(query::pairs(query.as_deref()), &page) {
        Ok((part, _)) => part,
        Err(refusal) => return (StatusCode::BAD_REQUEST, refusal).into_response(),
    };
    let format = negotiation::format(&joined(&headers, header::ACCEPT));
    let gzip = negotiation::takes_gzip(&joined(&headers, header::ACCEPT_ENCODING));
    let page = if gzip {
        page.compressed(format, &part)
    } else {
        page.assemble(format, false, &part)
    };
    let length = page.length;
    let body = Body::from_stream(stream::iter(page.chunks().map(Ok::<_, Infallible>)));
    let mut response = (
        [
            (header::CONTENT_TYPE, format.content_type().to_owned()),
            (header::CONTENT_LENGTH, length.to_string()),
            (header::VARY, "accept, accept-encoding".to_owned()),
        ],
        body,
    )
        .into_response();
    if gzip {
        let coding = header::HeaderValue::from_static("gzip");
        response.headers_mut().insert(header::CONTENT_ENCODING, coding);
    }
    response
}

async fn targets(
    State(Served { page, work, lists }): State<Served>,
    Client(client): Client,
    RawQuery(query): RawQuery,
) -> Response {
    let wanted = match Wanted::parse(query.as_deref(), &page) {
        Ok(wanted) => wanted,
        Err(refusal) => return (StatusCode::BAD_REQUEST, refusal).into_response(),
    };
    // Inflating and writing ten thousand targets takes longer than a scrape may wait for.
    let listed = work.run(client, move || wanted.targets(&page)).await;
    match listed {
        Ok(Ok(list)) => match lists.body(client, list) {
            Some(body) => ([(header::CONTENT_TYPE, "application/json")], body).into_response(),
            None => work::busy(),
        },
        Ok(Err(why)) => (StatusCode::SERVICE_UNAVAILABLE, why).into_response(),
        Err(refused) => refused,
    }
}

async fn ready(State(page): State<Arc<Page>>) -> Response {
    if page.is_ready() {
        "every kind has been tried\n".into_response()
    } else {
        (
            StatusCode::SERVICE_UNAVAILABLE,
            "not every kind has been tried yet\n",
        )
            .into_response()
    }
}

async fn people_page(
    State(Served { page, work, .. }): State<Served>,
    Client(client): Client,
    RawQuery(query): RawQuery,
) -> Response {
    let wanted = match people::Wanted::parse(query.as_deref(), &page) {
        Ok(wanted) => wanted,
        Err(refusal) => return (StatusCode::BAD_REQUEST, refusal).into_response(),
    };
    // Reading the lines of ten thousand instances takes longer than a scrape may wait for.
    match work.run(client, move || wanted.render(&page)).await {
        Ok(text) => (people::headers(), Html(text)).into_response(),
        Err(busy) => busy,
    }
}

/// All values of a header as one list.
fn joined(headers: &HeaderMap, name: header::HeaderName) -> String {
    let values: Vec<&str> = headers
        .get_all(name)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .collect();
    values.join(",")
}

/// A service manager kills after more than this; a scrape takes less.
const DRAIN: Duration = Duration::from_secs(4);

/// Connections that wait to be taken. With tokio's 128, a thousand at once would keep a scrape waiting for the second after
/// which its side tries again; Linux gives 4096 at most unless it is told otherwise.
const BACKLOG: u32 = 4096;
