//! What can go wrong on purpose: which fault an action meets, and how the answer is spoilt.

use std::io;
use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::http::HeaderValue;
use axum::http::header::{CONTENT_LENGTH, CONTENT_TYPE, RETRY_AFTER};
use axum::http::{Response, StatusCode};
use futures_util::stream;
use tokio_util::sync::CancellationToken;

use super::wire::{Refusal, Service};
use crate::provider::Provider;

/// Something an answer can be spoilt by. The request has been authenticated and allowed before.
#[derive(Debug, Clone, PartialEq)]
pub enum Fault {
    /// Refused for rate, by the code and status of the service.
    Throttle {
        /// The value of a `Retry-After` header, in seconds.
        retry_after: Option<u32>,
    },
    /// A status with a page of HTML, as proxies and maintenance make them.
    Status(u16),
    /// A refusal in the envelope of the service.
    Error {
        /// The HTTP status.
        status: u16,
        /// The code.
        code: String,
        /// The message.
        message: String,
    },
    /// The same in the envelope of moto.
    MotoEnvelope {
        /// The HTTP status.
        status: u16,
        /// The code.
        code: String,
        /// The message.
        message: String,
    },
    /// A status and not one byte.
    Empty(u16),
    /// The right answer, late.
    Delay(Duration),
    /// No answer at all; the connection stays open.
    Hang,
    /// The right answer, one byte at a time.
    DripBytes(Duration),
    /// The connection is closed after so many bytes of a longer body.
    CutAfter(usize),
    /// The connection is closed without one byte, be it of the head.
    Close,
    /// A body of the announced length that ends in mid-element.
    Truncated,
    /// Well-formed, complete, and of another action.
    WrongRoot,
    /// HTML with a status of success.
    Html200,
    /// JSON with a status of success.
    Json200,
    /// So many bytes of well-formed items without an end.
    Enormous(u64),
    /// So many elements inside each other.
    DeepNesting(usize),
    /// Every page but the first asks for itself again.
    RepeatToken,
    /// The last page holds a token without text.
    EmptyToken,
    /// The second page holds nothing, and asks for the next.
    EmptyPage,
    /// Everything is listed twice.
    DuplicateItems,
    /// `DryRun` is ignored: what is asked for is done.
    NoDryRun,
    /// Another fault, on the nth page only (from 1).
    OnPage(u32, Box<Self>),
    /// Another fault, in this region only.
    InRegion(String, Box<Self>),
}

/// A fault of what is done or listed rather than of the answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Twist {
    RepeatToken,
    EmptyToken,
    EmptyPage,
    DuplicateItems,
    NoDryRun,
}

impl Fault {
    pub(super) fn twist(&self) -> Option<Twist> {
        match self {
            Self::RepeatToken => Some(Twist::RepeatToken),
            Self::EmptyToken => Some(Twist::EmptyToken),
            Self::EmptyPage => Some(Twist::EmptyPage),
            Self::DuplicateItems => Some(Twist::DuplicateItems),
            Self::NoDryRun => Some(Twist::NoDryRun),
            _ => None,
        }
    }

    /// What of it a request for this page meets in this region.
    fn met(&self, region: &str, page: u32) -> Option<&Self> {
        match self {
            Self::OnPage(nth, fault) if *nth == page => fault.met(region, page),
            Self::InRegion(there, fault) if there == region => fault.met(region, page),
            Self::OnPage(..) | Self::InRegion(..) => None,
            fault => Some(fault),
        }
    }

    /// The refusal this fault is, if it is one.
    pub(super) fn refusal(&self, service: Service, provider: Provider) -> Option<Refusal> {
        match self {
            Self::Throttle { .. } => Some(match (service, provider) {
                (Service::Ec2, _) | (Service::Iam, Provider::Outscale) => {
                    Refusal::new(503, "RequestLimitExceeded", "Request limit exceeded.")
                }
                _ => Refusal::new(400, "Throttling", "Rate exceeded"),
            }),
            Self::Error {
                status,
                code,
                message,
            }
            | Self::MotoEnvelope {
                status,
                code,
                message,
            } => Some(Refusal::new(*status, code.clone(), message.clone())),
            _ => None,
        }
    }

    /// The status the answer will have, where the fault decides that by itself.
    pub(super) fn status(&self) -> Option<u16> {
        match self {
            Self::Status(status) | Self::Empty(status) => Some(*status),
            _ => None,
        }
    }

    /// Spoils the answer that would have been given.
    pub(super) async fn spoil(&self, answer: Answer, stop: &CancellationToken) -> Response<Body> {
        let Answer {
            status,
            mut body,
            action,
        } = answer;
        let html = "<!DOCTYPE html>\n<html><head><title>Service</title><body>\n<h1>We will be back &copy;<br></h1>\n";
        let mut retry = None;
        let (status, content_type, body) = match self {
            Self::Throttle { retry_after } => {
                retry = *retry_after;
                (status, XML, Body::from(body))
            }
            Self::Status(status) => (*status, HTML, Body::from(html)),
            Self::Html200 => (200, HTML, Body::from(html)),
            Self::Json200 => (200, JSON, Body::from(r#"{"Vms":[],"ResponseContext":{}}"#)),
            Self::Empty(status) => (*status, XML, Body::empty()),
            Self::Delay(duration) => {
                wait(*duration, stop).await;
                (status, XML, Body::from(body))
            }
            Self::Hang => {
                stop.cancelled().await;
                (503, XML, Body::empty())
            }
            Self::DripBytes(pause) => (status, XML, drip(body, *pause, stop.clone())),
            Self::CutAfter(bytes) => return cut(body, *bytes, status),
            // What fails before the head is written takes the connection with it.
            Self::Close => {
                let broken = Err::<Bytes, _>(io::Error::from(io::ErrorKind::ConnectionReset));
                (status, XML, Body::from_stream(stream::iter([broken])))
            }
            Self::Truncated => {
                let mut half = body.len() / 2;
                while !body.is_char_boundary(half) {
                    half -= 1;
                }
                body.truncate(half);
                (status, XML, Body::from(body))
            }
            Self::WrongRoot => {
                let wrong = body.replace(&format!("{action}Res"), "DescribeSomethingElseRes");
                (status, XML, Body::from(wrong))
            }
            Self::Enormous(bytes) => (200, XML, enormous(&action, *bytes)),
            Self::DeepNesting(depth) => {
                let nested = format!(
                    "<{action}Response>{}{}</{action}Response>",
                    "<item>".repeat(*depth),
                    "</item>".repeat(*depth)
                );
                (200, XML, Body::from(nested))
            }
            _ => (status, XML, Body::from(body)),
        };
        let mut response = respond(status, content_type, body);
        if let Some(seconds) = retry {
            response.headers_mut().insert(RETRY_AFTER, seconds.into());
        }
        response
    }
}

/// The answer as it would have been given.
#[derive(Debug)]
pub(super) struct Answer {
    pub(super) status: u16,
    pub(super) body: String,
    pub(super) action: String,
}

/// The faults in force.
#[derive(Debug, Default)]
pub(super) struct Faults {
    /// By action, in the order they were injected.
    on: Vec<(String, Fault, Option<u32>)>,
    /// Each with the number of requests that come before it.
    at: Vec<(u32, Fault)>,
}

impl Faults {
    pub(super) fn inject(&mut self, action: &str, fault: Fault, times: Option<u32>) {
        self.on.push((action.to_owned(), fault, times));
    }

    pub(super) fn inject_at(&mut self, nth: u32, fault: Fault) {
        self.at.push((nth.saturating_sub(1), fault));
    }

    pub(super) fn clear(&mut self) {
        *self = Self::default();
    }

    /// The fault that waited for the request which arrives now.
    pub(super) fn arrive(&mut self) -> Option<Fault> {
        let due = self.at.iter().position(|(before, _)| *before == 0);
        let due = due.map(|index| self.at.remove(index).1);
        for (before, _) in &mut self.at {
            *before = before.saturating_sub(1);
        }
        due
    }

    /// The fault this request meets, which is thereby used up once.
    pub(super) fn take(&mut self, region: &str, action: &str, page: u32) -> Option<Fault> {
        self.on.retain(|(_, _, times)| *times != Some(0));
        let (fault, times) = self.on.iter_mut().find_map(|(on, fault, times)| {
            let fault = fault.met(region, page)?;
            (on == "*" || on == action).then_some((fault, times))
        })?;
        if let Some(times) = times {
            *times -= 1;
        }
        Some(fault.clone())
    }
}

pub(super) fn respond(status: u16, content_type: &'static str, body: Body) -> Response<Body> {
    let mut response = Response::new(body);
    *response.status_mut() = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    response
        .headers_mut()
        .insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
    response
}

async fn wait(duration: Duration, stop: &CancellationToken) {
    tokio::select! {
        () = tokio::time::sleep(duration) => {}
        () = stop.cancelled() => {}
    }
}

fn drip(body: String, pause: Duration, stop: CancellationToken) -> Body {
    let bytes = Bytes::from(body);
    Body::from_stream(stream::unfold(
        (bytes, stop),
        move |(mut bytes, stop)| async move {
            if bytes.is_empty() || stop.is_cancelled() {
                return None;
            }
            wait(pause, &stop).await;
            Some((Ok::<_, io::Error>(bytes.split_to(1)), (bytes, stop)))
        },
    ))
}

fn cut(body: String, bytes: usize, status: u16) -> Response<Body> {
    let length = body.len().max(bytes + 1);
    let mut head = Bytes::from(body);
    head.truncate(bytes);
    let parts = stream::unfold(Some(head), |head| async move {
        let Some(head) = head else {
            // What is written has to leave before the connection does.
            tokio::time::sleep(Duration::from_millis(10)).await;
            return Some((Err(io::Error::from(io::ErrorKind::ConnectionReset)), None));
        };
        Some((Ok(head), None))
    });
    let mut response = respond(status, XML, Body::from_stream(parts));
    response.headers_mut().insert(CONTENT_LENGTH, length.into());
    response
}

fn enormous(action: &str, bytes: u64) -> Body {
    let item = "<item><instanceId>i-00000000</instanceId><note>there is always one more</note></item>";
    let chunk = Bytes::from(item.repeat(64 * 1024 / item.len()));
    let head = Bytes::from(format!("<{action}Response><reservationSet>"));
    Body::from_stream(stream::unfold((head, 0), move |(part, sent)| {
        let chunk = chunk.clone();
        async move {
            (sent < bytes).then(|| {
                let sent = sent + part.len() as u64;
                (Ok::<_, io::Error>(part), (chunk, sent))
            })
        }
    }))
}

pub(super) const XML: &str = "text/xml;charset=UTF-8";
const HTML: &str = "text/html; charset=utf-8";
const JSON: &str = "application/json";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fault_is_met_as_often_as_it_was_injected() {
        let mut faults = Faults::default();
        faults.inject("DescribeInstances", Fault::Html200, Some(2));
        faults.inject("*", Fault::Json200, None);
        assert_eq!(
            faults.take("eu-west-2", "DescribeInstances", 1),
            Some(Fault::Html200)
        );
        assert_eq!(
            faults.take("eu-west-2", "DescribeRegions", 1),
            Some(Fault::Json200)
        );
        assert_eq!(
            faults.take("eu-west-2", "DescribeInstances", 1),
            Some(Fault::Html200)
        );
        assert_eq!(
            faults.take("eu-west-2", "DescribeInstances", 1),
            Some(Fault::Json200)
        );
        faults.clear();
        assert_eq!(faults.take("eu-west-2", "DescribeInstances", 1), None);
    }

    #[test]
    fn fault_at_a_request_waits_for_it() {
        let mut faults = Faults::default();
        faults.inject_at(3, Fault::Hang);
        faults.inject_at(1, Fault::Html200);
        let met: Vec<_> = (0..4).map(|_| faults.arrive()).collect();
        assert_eq!(met, [Some(Fault::Html200), None, Some(Fault::Hang), None]);
    }

    #[test]
    fn fault_in_a_region_spares_the_others() {
        let mut faults = Faults::default();
        let hang = Fault::InRegion("eu-west-1".to_owned(), Box::new(Fault::Hang));
        faults.inject("*", hang, Some(1));
        assert_eq!(faults.take("eu-west-2", "DescribeInstances", 1), None);
        assert_eq!(
            faults.take("eu-west-1", "DescribeInstances", 1),
            Some(Fault::Hang)
        );
        assert_eq!(faults.take("eu-west-1", "DescribeInstances", 1), None);
    }

    #[test]
    fn fault_on_a_page_spares_the_others() {
        let mut faults = Faults::default();
        faults.inject("*", Fault::OnPage(2, Box::new(Fault::Hang)), Some(1));
        assert_eq!(faults.take("eu-west-2", "DescribeInstances", 1), None);
        assert_eq!(
            faults.take("eu-west-2", "DescribeInstances", 2),
            Some(Fault::Hang)
        );
        assert_eq!(faults.take("eu-west-2", "DescribeInstances", 2), None);
    }
}
