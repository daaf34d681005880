//! One signed request over HTTP, and what came back.

mod room;
mod setup;

use std::pin::pin;
use std::sync::atomic::{AtomicU16, Ordering};
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use reqwest::header::{CONTENT_TYPE, DATE, HOST, HeaderMap, HeaderValue, RETRY_AFTER};
use secrecy::zeroize::{Zeroize as _, Zeroizing};
use secrecy::{ExposeSecret as _, SecretString};
use tokio::time::Instant;

use super::Effect;
use super::answer::{Answer, described};
use super::endpoint::Endpoint;
use super::error::Cause;
use super::xml;
use crate::credentials::Credentials;
use crate::redaction::Redaction;
use crate::sigv4::{self, Request, Scope};
use room::{Room, Waits};
use setup::CONNECT_TIMEOUT;

pub(super) use room::Held;
pub(super) use setup::Bundle;
pub use setup::{BadTransport, Contents, Needs};

/// The HTTP client: rustls with the platform's trust store (or a bundle instead of it), proxies from
/// `HTTPS_PROXY`, `HTTP_PROXY` and `NO_PROXY` except to this machine, no redirects, since host and path are signed.
#[derive(Debug)]
pub struct Transport {
    http: reqwest::Client,
    /// To this machine, where the other one is for endpoints elsewhere.
    direct: Option<reqwest::Client>,
    contents: Contents,
    /// For long answers.
    room: Room,
}

/// An answer, of whatever status.
#[derive(Default)]
pub(super) struct Reply {
    status: u16,
    /// It may hold a key.
    body: Body,
    /// The body's share of what long answers have together. Whoever keeps the body keeps it.
    pub(super) held: Held,
    request_id: Option<String>,
    retry_after: Option<Duration>,
    /// The cloud's clock minus ours, to the second.
    pub(super) skew: Option<SignedDuration>,
}

/// What came of an answer. It may hold a secret, so that it is wiped: as far as it is written, since the room behind it
/// takes memory only once it is touched.
#[derive(Default)]
struct Body(Vec<u8>);

impl Drop for Body {
    fn drop(&mut self) {
        self.0.as_mut_slice().zeroize();
    }
}

/// Why no answer came.
#[derive(Debug)]
pub(super) struct Unanswered {
    pub(super) cause: Cause,
    /// The request may have reached the cloud, which may have judged the key.
    pub(super) may_have_arrived: bool,
    /// The request certainly did not leave this machine whole, so that nothing was done.
    pub(super) is_unsent: bool,
}

/// A cause that has nothing to do with the key's fate.
impl From<Cause> for Unanswered {
    fn from(cause: Cause) -> Self {
        Self {
            is_unsent: matches!(cause, Cause::Unsendable { .. }),
            cause,
            may_have_arrived: false,
        }
    }
}

impl Transport {
    /// What the files held that it was made of.
    pub(super) fn contents(&self) -> &Contents {
        &self.contents
    }

    fn client(&self, endpoint: &Endpoint) -> &reqwest::Client {
        match &self.direct {
            Some(direct) if endpoint.is_on_this_machine() => direct,
            _ => &self.http,
        }
    }

    /// Signs a form for this instant, unless there is no key, posts it and reads the answer, all within the time given.
    pub(super) async fn send(
        &self,
        endpoint: &Endpoint,
        credentials: Option<&Credentials>,
        form: &str,
        at: Timestamp,
        remaining: Duration,
    ) -> Result<Reply, Unanswered> {
        // What it waits for others is added, as far as time remains.
        let within = ATTEMPT_TIMEOUT.min(remaining);
        // The status, once there is one: an answer that is cut after it has told what matters of the key.
        let status = AtomicU16::new(0);
        let waits = Waits::default();
        let exchange = async {
            let http = self.client(endpoint);
            let mut request = http.post(endpoint.url.clone()).body(form.to_owned());
            for (name, value) in headers(endpoint, credentials, form, at) {
                let mut value = HeaderValue::from_str(&value).map_err(|_| Cause::Unsendable { name })?;
                value.set_sensitive(SENSITIVE.contains(&name));
                request = request.header(name, value);
            }
            let response = request.send().await.map_err(|error| {
                let is_unsent = error.is_connect() || error.is_builder();
                Unanswered {
                    may_have_arrived: !is_unsent,
                    is_unsent,
                    cause: broken(endpoint, error, within),
                }
            })?;
            status.store(response.status().as_u16(), Ordering::Relaxed);
            Ok(read(endpoint, response, within, (&self.room, &waits)).await?)
        };
        let mut exchange = pin!(exchange);
        let begun = Instant::now();
        let mut limit = within;
        loop {
            if let Ok(outcome) = tokio::time::timeout_at(begun + limit, &mut exchange).await {
                return outcome;
            }
            let before = std::mem::replace(&mut limit, (within + waits.time()).min(remaining));
            if limit <= before {
                break;
            }
        }
        let status = status.load(Ordering::Relaxed);
        if status != 0 && !is_success(status) {
            return Ok(Reply {
                status,
                ..Reply::default()
            });
        }
        let cause = Cause::Timeout {
            host: endpoint.host(),
            within,
        };
        Err(Unanswered {
            cause,
            may_have_arrived: status == 0,
            is_unsent: false,
        })
    }
}

impl Reply {
    /// The body of a success, if it is the document asked for; the error that any other answer stands for.
    ///
    /// What the other side repeats of what was secret in the request is taken out of the error.
    pub(super) fn into_answer(
        mut self,
        host: &str,
        root: &str,
        secrets: &[&SecretString],
        effect: Effect,
    ) -> Result<String, Cause> {
        if is_success(self.status) {
            let mut body = String::from_utf8(std::mem::take(&mut self.body.0))
                .unwrap_or_else(|error| String::from_utf8_lossy(error.as_bytes()).into_owned());
            if body.capacity() > SHORT_ANSWER {
                body.shrink_to_fit();
            }
            return match xml::Reader::open(&body, root) {
                Ok(_) => Ok(body),
                Err(error) => {
                    let body = Zeroizing::new(body);
                    let detail = match (effect, &error) {
                        // It may hold the secret of a key that was just made.
                        (Effect::Changes | Effect::Lends, xml::Error::Root { .. }) => {
                            format!("its root element is another; it is {} bytes long", body.len())
                        }
                        (Effect::Changes | Effect::Lends, _) => {
                            format!("{error}; it is {} bytes long", body.len())
                        }
                        _ => format!("{error}; it is {}", described(&body)),
                    };
                    Err(Cause::Malformed {
                        host: host.to_owned(),
                        expected: root.to_owned(),
                        detail: Redaction::of(secrets.iter().copied()).clean(detail),
                    })
                }
            };
        }
        let body = String::from_utf8_lossy(&self.body.0);
        let redaction = Redaction::of(secrets.iter().copied());
        let redact = |text| redaction.clean(text);
        let answer = Answer::parse(self.status, &body, self.request_id.as_deref(), redact);
        Err(Answer {
            retry_after: self.retry_after,
            ..answer
        }
        .into())
    }
}

fn is_success(status: u16) -> bool {
    (200..300).contains(&status)
}

/// The headers of a form POST, and if there is a key, those that sign it, `Authorization` last.
fn headers(
    endpoint: &Endpoint,
    credentials: Option<&Credentials>,
    form: &str,
    at: Timestamp,
) -> Vec<(&'static str, Zeroizing<String>)> {
    let amz_date = sigv4::amz_date(at);
    let mut headers = vec![
        (
            CONTENT_TYPE.as_str(),
            Zeroizing::new("application/x-www-form-urlencoded; charset=utf-8".to_owned()),
        ),
        (HOST.as_str(), Zeroizing::new(endpoint.host())),
    ];
    let Some(credentials) = credentials else {
        return headers;
    };
    headers.push(("x-amz-date", Zeroizing::new(amz_date.clone())));
    if let Some(token) = &credentials.session_token {
        let token = Zeroizing::new(token.expose_secret().to_owned());
        headers.push(("x-amz-security-token", token));
    }
    let signed: Vec<(&str, &str)> = headers
        .iter()
        .map(|(name, value)| (*name, value.as_str()))
        .collect();
    let request = Request {
        method: "POST",
        path: endpoint.url.path(),
        query: "",
        headers: &signed,
        body: form.as_bytes(),
    };
    let scope = Scope {
        date: amz_date.get(..8).unwrap_or_default(),
        region: &endpoint.region,
        service: &endpoint.signing_name,
    };
    let authorization = sigv4::sign(
        &request,
        &credentials.access_key_id,
        &credentials.secret_access_key,
        &scope,
        &amz_date,
    );
    headers.push(("authorization", Zeroizing::new(authorization)));
    headers
}

async fn read(
    endpoint: &Endpoint,
    mut response: reqwest::Response,
    within: Duration,
    (room, waits): (&Room, &Waits),
) -> Result<Reply, Cause> {
    let status = response.status().as_u16();
    let headers = response.headers();
    let header = |name: &str| {
        headers
            .get(name)
            .and_then(|value| value.to_str().ok())
            .map(str::to_owned)
    };
    let mut reply = Reply {
        status,
        body: Body::default(),
        held: Held::default(),
        request_id: header("x-amzn-requestid").or_else(|| header("x-amz-request-id")),
        retry_after: retry_after(headers),
        skew: http_date(headers, DATE.as_str()).map(|date| date.duration_since(Timestamp::now())),
    };
    let limit = if response.status().is_success() {
        ANSWER_LIMIT
    } else {
        ERROR_ANSWER_LIMIT
    };
    let too_large = || Cause::Malformed {
        host: endpoint.host(),
        expected: "answer of the API".to_owned(),
        detail: format!("it is larger than {} MiB", ANSWER_LIMIT >> 20),
    };
    let announced = response
        .content_length()
        .and_then(|length| usize::try_from(length).ok())
        .unwrap_or(0);
    if response.status().is_success() && announced > limit {
        return Err(too_large());
    }
    make_room(&mut reply.body.0, announced, limit);
    let success = response.status().is_success();
    loop {
        let chunk = match response.chunk().await {
            Ok(Some(chunk)) => chunk,
            // What came of an error answer may hold its code.
            Err(error) if success => return Err(broken(endpoint, error, within)),
            Ok(None) | Err(_) => break,
        };
        let left = limit - reply.body.0.len();
        if chunk.len() > left && success {
            return Err(too_large());
        }
        let wanted = reply.body.0.len() + chunk.len();
        room.hold(&mut reply.held, wanted, waits).await;
        make_room(&mut reply.body.0, chunk.len(), limit);
        reply
            .body
            .0
            .extend_from_slice(chunk.get(..left.min(chunk.len())).unwrap_or_default());
        if chunk.len() > left {
            break;
        }
    }
    Ok(reply)
}

/// Makes room for more of an answer. One that is long gets room for the longest at once: nothing is copied as it grows,
/// and it comes from the system and goes back there whole, while pieces of some megabytes would stay with the allocator
/// of each thread. What is not written to takes addresses, not memory.
fn make_room(body: &mut Vec<u8>, more: usize, limit: usize) {
    if body.capacity() - body.len() >= more {
        return;
    }
    let wanted = body.len() + more;
    let room = if wanted > SHORT_ANSWER {
        limit
    } else {
        SHORT_ANSWER
    };
    // Where addresses are rationed, it grows as usual.
    if body.try_reserve_exact(room.min(limit) - body.len()).is_err() {
        body.reserve(more);
    }
}

/// Seconds or an HTTP date (RFC 9110, 10.2.3); AWS has a header of its own, in milliseconds.
fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    let number = |name: &str| headers.get(name)?.to_str().ok()?.trim().parse::<u64>().ok();
    let wait = number("x-amz-retry-after").map(Duration::from_millis);
    let wait = wait.or_else(|| number(RETRY_AFTER.as_str()).map(Duration::from_secs));
    wait.or_else(|| {
        let date = http_date(headers, RETRY_AFTER.as_str())?;
        Some(Duration::try_from(date.duration_since(Timestamp::now())).unwrap_or_default())
    })
}

fn http_date(headers: &HeaderMap, name: &str) -> Option<Timestamp> {
    let date = headers.get(name)?.to_str().ok()?;
    jiff::fmt::rfc2822::DateTimeParser::new()
        .parse_timestamp(date)
        .ok()
}

/// What reqwest says, without the URL: it may hold a proxy's password.
fn broken(endpoint: &Endpoint, error: reqwest::Error, within: Duration) -> Cause {
    let host = endpoint.host();
    if error.is_timeout() {
        let within = if error.is_connect() {
            CONNECT_TIMEOUT.min(within)
        } else {
            within
        };
        return Cause::Timeout { host, within };
    }
    Cause::Unreachable {
        host,
        detail: chain(&error.without_url()),
    }
}

/// The error with all its sources, since the last one says why.
pub(super) fn chain(error: &dyn std::error::Error) -> String {
    let mut words = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        let cause_words = cause.to_string();
        if !words.ends_with(&cause_words) {
            words.push_str(": ");
            words.push_str(&cause_words);
        }
        source = cause.source();
    }
    words
}

/// What no log may print.
const SENSITIVE: [&str; 2] = ["authorization", "x-amz-security-token"];

/// A full page of a thousand instances takes a few seconds; a page that drips is given up.
const ATTEMPT_TIMEOUT: Duration = Duration::from_secs(20);

/// A full page of a thousand instances with fifty tags of the longest kind fits.
const ANSWER_LIMIT: usize = 64 << 20;

/// Most answers are shorter; longer ones are listings.
const SHORT_ANSWER: usize = 64 << 10;

/// An error answer is a few hundred bytes.
const ERROR_ANSWER_LIMIT: usize = 64 << 10;

#[cfg(test)]
mod tests;
