//! One connection from its first byte to its last: TLS, then requests and their answers.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::pin::pin;
use std::sync::Arc;
use std::task::Poll;

use axum::body::{Body, HttpBody as _};
use axum::extract::Request;
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderValue, StatusCode, Version, header};
use axum::response::{IntoResponse as _, Response};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::{Service as _, service_fn};
use hyper_util::rt::TokioIo;
use hyper_util::service::TowerToHyperService;
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::{sleep_until, timeout};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tracing::debug;

use super::seat::Seat;
use super::watched::{Answer, Stream};
use super::{Shared, neighbourhood};
use crate::server::{Client, web};

pub(super) async fn hold(stream: TcpStream, client: SocketAddr, seat: Arc<Seat>, shared: Arc<Shared>) {
    // An answer goes out at once; that this fails would only make it slower.
    stream.set_nodelay(true).ok();
    let tls = shared.web.as_ref().and_then(|web| web.current().tls.clone());
    let Some(tls) = tls else {
        return converse(stream, client, seat, &shared, None).await;
    };
    let agreed = async {
        if begins_in_plain(&stream).await? {
            answer_in_plain(stream).await?;
            return Ok(None);
        }
        let accepted = TlsAcceptor::from(Arc::clone(&tls)).accept(stream);
        let by = neighbourhood(client.ip());
        shared.handshakes.step_by_step(by, accepted).await.map(Some)
    };
    let agreed = shared
        .drain
        .run_until_cancelled(timeout(shared.limits.head, agreed))
        .await;
    match agreed {
        Some(Ok(Ok(Some(stream)))) => {
            seat.agreed();
            converse(stream, client, seat, &shared, Some(tls)).await;
        }
        // Anybody who scans ports brings these about.
        Some(Ok(Err(error))) => debug!(%client, "TLS is not agreed on: {error}"),
        Some(Ok(Ok(None)) | Err(_)) | None => {}
    }
}

/// Whether what comes is no TLS: its first record is a handshake, which HTTP never begins with.
async fn begins_in_plain(stream: &TcpStream) -> std::io::Result<bool> {
    let mut first = [0];
    let there = stream.peek(&mut first).await?;
    Ok(there == 1 && first[0].is_ascii_uppercase())
}

/// What Go answers, and with it every exporter.
async fn answer_in_plain(mut stream: TcpStream) -> std::io::Result<()> {
    // A connection that is closed with something unread loses what was sent.
    let mut unread = [0; 4096];
    stream.try_read(&mut unread).ok();
    stream.write_all(NO_TLS).await?;
    stream.shutdown().await
}

/// Requests and answers, until either side ends it or its time is over.
async fn converse<S>(
    stream: S,
    client: SocketAddr,
    seat: Arc<Seat>,
    shared: &Shared,
    agreed: Option<Arc<ServerConfig>>,
) where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let routes = TowerToHyperService::new(shared.routes.clone());
    let service = service_fn(|request| {
        let (seat, routes, agreed) = (Arc::clone(&seat), &routes, agreed.as_ref());
        seat.asked();
        async move {
            let answer = answer(request, client, &seat, routes, shared, agreed).await;
            Ok::<_, Infallible>(answer.map(|body| Answer { body, seat }))
        }
    });
    let io = TokioIo::new(Stream {
        stream,
        seat: Arc::clone(&seat),
    });
    let connection = http1::Builder::new()
        .max_header_size(shared.limits.head_size)
        .max_buf_size(shared.limits.head_size)
        .serve_connection(io, service);
    let mut connection = pin!(connection);
    let mut drain = pin!(shared.drain.cancelled());
    let mut deadline = pin!(sleep_until(seat.deadline()));
    let mut is_draining = false;
    let ended = std::future::poll_fn(|context| {
        if !is_draining && drain.as_mut().poll(context).is_ready() {
            is_draining = true;
            connection.as_mut().graceful_shutdown();
        }
        if let Poll::Ready(ended) = connection.as_mut().poll(context) {
            return Poll::Ready(ended);
        }
        if is_draining && seat.is_quiet() {
            return Poll::Ready(Ok(()));
        }
        if deadline.deadline() != seat.deadline() {
            deadline.as_mut().reset(seat.deadline());
        }
        deadline.as_mut().poll(context).map(Ok)
    });
    if let Err(error) = ended.await {
        debug!(%client, "a connection ended early: {error}");
    }
}

async fn answer(
    request: Request<Incoming>,
    client: SocketAddr,
    seat: &Seat,
    routes: &TowerToHyperService<axum::Router>,
    shared: &Shared,
    agreed: Option<&Arc<ServerConfig>>,
) -> Response {
    let web = shared.web.as_ref().map(|web| (web, web.current()));
    let (mut parts, body) = request.into_parts();
    let is_addressed = is_addressed(&parts);
    // Who may not ask is told no more than that, and counted.
    let refused = match &web {
        _ if !is_addressed => Some(badly_addressed()),
        Some((web, loaded)) => {
            web.refusal(loaded, &parts.headers, neighbourhood(client.ip()))
                .await
        }
        None => None,
    };
    let has_body = has_body(&parts.headers, &body);
    let refused = refused.or_else(|| has_body.then(no_body_taken));
    let mut answer = if let Some(refused) = refused {
        refused
    } else {
        seat.let_in();
        // Nobody further on has a use for it.
        parts.headers.remove(header::AUTHORIZATION);
        parts.extensions.insert(Client(neighbourhood(client.ip())));
        let request = Request::from_parts(parts, Body::empty());
        match routes.call(request).await {
            Ok(answer) => answer,
            Err(impossible) => match impossible {},
        }
    };
    let configured = web.as_ref().map_or(&[][..], |(_, loaded)| &loaded.headers);
    web::complete(answer.headers_mut(), configured);
    // The certificate of a client is looked at when a connection begins: what is asked of it now is asked of the next one.
    let current = web.as_ref().and_then(|(_, loaded)| loaded.tls.as_ref());
    let is_current = match (agreed, current) {
        (Some(agreed), Some(current)) => Arc::ptr_eq(agreed, current),
        _ => true,
    };
    // What is not read, or not known for whom it is, cannot be followed by another request.
    if !is_current || has_body || !is_addressed {
        let close = HeaderValue::from_static("close");
        answer.headers_mut().insert(header::CONNECTION, close);
    }
    answer
}

/// Whether it says once whom it asks, as it has to (RFC 9112, 3.2). HTTP/1.0 need not say.
fn is_addressed(request: &Parts) -> bool {
    let mut hosts = request.headers.get_all(header::HOST).iter();
    match (hosts.next(), hosts.next()) {
        (Some(host), None) => host.as_bytes().iter().all(|byte| is_of_a_host(*byte)),
        (None, _) => request.version < Version::HTTP_11,
        (Some(_), Some(_)) => false,
    }
}

/// Whether a host, or its port, may have it (RFC 3986, 3.2.2).
fn is_of_a_host(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"-._~!$&'()*+,;=:[]%".contains(&byte)
}

fn badly_addressed() -> Response {
    (StatusCode::BAD_REQUEST, "one valid Host header is needed\n").into_response()
}

fn has_body(headers: &HeaderMap, body: &Incoming) -> bool {
    headers.contains_key(header::TRANSFER_ENCODING) || !body.is_end_stream()
}

/// No route takes a body.
fn no_body_taken() -> Response {
    (StatusCode::PAYLOAD_TOO_LARGE, "requests have no body here\n").into_response()
}

const NO_TLS: &[u8] = b"HTTP/1.0 400 Bad Request\r\n\r\nClient sent an HTTP request to an HTTPS server.\n";
