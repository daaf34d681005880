//! Every fault, and what has to come of it: written by hand, from the promises of the design and the rules of
//! `src/api/retry.rs`, never from what the program did.

use std::fmt;
use std::ops::RangeInclusive;

use vigie::provider::Provider;

use crate::scene::Subject;

/// What goes wrong between the agent and the cloud.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fault {
    Refused,
    NoName,
    WrongName,
    UnknownIssuer,
    Expired,
    ResetBefore,
    ResetInBody,
    Silence,
    OneByteASecond,
    InternalError,
    BadGateway,
    ThrottleStorm,
    RetryAfterOnce,
    RetryAfterAlways,
    Throttling,
    Unauthorized,
    Denied,
    ExpiredToken,
    ClockBehind,
    ClockAhead,
    Truncated,
    WrongRoot,
    Html,
    GigabyteAnnounced,
    Gigabyte,
    Deep,
    Entities,
    EndlessPages,
    RepeatedToken,
    EmptyPage,
    Duplicates,
}

/// Where a fault sits, which decides what stands between the agent and the cloud.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Seat {
    /// In the answer to one action in one region.
    Answer,
    /// In the address of an endpoint.
    Name,
    /// In the certificate of an endpoint.
    Certificate,
}

/// What has to come of a fault.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Expected {
    pub(crate) outcome: Outcome,
    /// Requests for the action about the thing that met the fault.
    pub(crate) calls: RangeInclusive<usize>,
    pub(crate) touched: Touched,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// The poll succeeds, and shows what is there.
    Survives,
    /// The poll fails for this reason; the last reading stays with its date until it is stale.
    Fails(&'static str),
}

/// What else may fail by it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Touched {
    /// Nothing: the kind alone, in its region.
    Kind,
    /// What the same account asks of the same endpoint.
    Endpoint,
    /// What is asked with the same key: held back, so that the cloud does not lock the account. Where nothing locks,
    /// only in the same region.
    Key,
}

impl Fault {
    pub(crate) const ALL: [Self; 31] = [
        Self::Refused,
        Self::NoName,
        Self::WrongName,
        Self::UnknownIssuer,
        Self::Expired,
        Self::ResetBefore,
        Self::ResetInBody,
        Self::Silence,
        Self::OneByteASecond,
        Self::InternalError,
        Self::BadGateway,
        Self::ThrottleStorm,
        Self::RetryAfterOnce,
        Self::RetryAfterAlways,
        Self::Throttling,
        Self::Unauthorized,
        Self::Denied,
        Self::ExpiredToken,
        Self::ClockBehind,
        Self::ClockAhead,
        Self::Truncated,
        Self::WrongRoot,
        Self::Html,
        Self::GigabyteAnnounced,
        Self::Gigabyte,
        Self::Deep,
        Self::Entities,
        Self::EndlessPages,
        Self::RepeatedToken,
        Self::EmptyPage,
        Self::Duplicates,
    ];

    pub(crate) fn seat(self) -> Seat {
        match self {
            Self::NoName => Seat::Name,
            Self::WrongName | Self::UnknownIssuer | Self::Expired => Seat::Certificate,
            _ => Seat::Answer,
        }
    }

    /// In the words of the table.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Refused => "connection refused",
            Self::NoName => "no such name in DNS",
            Self::WrongName => "TLS certificate of another name",
            Self::UnknownIssuer => "TLS certificate of an unknown issuer",
            Self::Expired => "TLS certificate expired",
            Self::ResetBefore => "reset before the answer",
            Self::ResetInBody => "reset in the middle of the body",
            Self::Silence => "30 s of silence",
            Self::OneByteASecond => "one byte a second",
            Self::InternalError => "500 `InternalError`",
            Self::BadGateway => "502 with HTML",
            Self::ThrottleStorm => "503 throttle storm",
            Self::RetryAfterOnce => "429 with `Retry-After: 7`, once",
            Self::RetryAfterAlways => "429 with `Retry-After: 7`, always",
            Self::Throttling => "400 `Throttling`",
            Self::Unauthorized => "401 `AuthFailure`",
            Self::Denied => "403 denied",
            Self::ExpiredToken => "expired token",
            Self::ClockBehind => "clock 10 minutes behind the cloud's",
            Self::ClockAhead => "clock 10 minutes ahead of the cloud's",
            Self::Truncated => "truncated XML",
            Self::WrongRoot => "wrong root",
            Self::Html => "200 with HTML",
            Self::GigabyteAnnounced => "1 GB answer, announced",
            Self::Gigabyte => "1 GB answer, unannounced",
            Self::Deep => "200,000 elements deep",
            Self::Entities => "entities: a bomb and a file",
            Self::EndlessPages => "endless pages",
            Self::RepeatedToken => "repeated token",
            Self::EmptyPage => "empty page in the middle",
            Self::Duplicates => "everything twice",
        }
    }

    /// What has to come of it when this action meets it.
    pub(crate) fn expected(self, subject: Subject) -> Expected {
        let Subject {
            provider,
            kind,
            action,
        } = subject;
        let fails = |reason, calls: usize, touched| Expected {
            outcome: Outcome::Fails(reason),
            calls: calls..=calls,
            touched,
        };
        let survives = |calls: RangeInclusive<usize>| Expected {
            outcome: Outcome::Survives,
            calls,
            touched: Touched::Kind,
        };
        // An endpoint that is not to be reached: the kind's first action fails, and the others' turn never comes.
        let is_first = kind.actions.first().is_some_and(|first| *first == action);
        let unreached = || fails("unreachable", if is_first { 3 } else { 0 }, Touched::Endpoint);
        let is_paged = action.paging.is_some();
        match self {
            Self::Refused | Self::NoName | Self::WrongName | Self::UnknownIssuer | Self::Expired => {
                unreached()
            }
            // What may pass is tried three times.
            Self::ResetBefore | Self::ResetInBody | Self::BadGateway => {
                fails("unreachable", 3, Touched::Kind)
            }
            Self::Silence | Self::OneByteASecond => fails("timeout", 3, Touched::Kind),
            Self::InternalError => fails("other", 3, Touched::Kind),
            Self::ThrottleStorm | Self::RetryAfterAlways | Self::Throttling => {
                fails("throttled", 3, Touched::Kind)
            }
            Self::RetryAfterOnce => survives(2..=2),
            // A key that is refused is never tried again.
            Self::Unauthorized | Self::ExpiredToken => fails("auth", 1, Touched::Key),
            Self::Denied => fails("denied", 1, Touched::Kind),
            // AWS takes a quarter of an hour, OUTSCALE five minutes. Whichever call is refused first tells the clock.
            Self::ClockBehind | Self::ClockAhead => match provider {
                Provider::Aws => survives(1..=1),
                Provider::Outscale => survives(1..=2),
            },
            // What is wrong will be wrong again.
            Self::Truncated
            | Self::WrongRoot
            | Self::Html
            | Self::GigabyteAnnounced
            | Self::Gigabyte
            | Self::Deep => fails("malformed", 1, Touched::Kind),
            Self::Entities | Self::Duplicates => survives(1..=1),
            // Where there are no pages, nobody looks for the next.
            Self::EndlessPages | Self::RepeatedToken | Self::EmptyPage if !is_paged => survives(1..=1),
            // A thousand pages are more than any account has. Where the budget is less than a call a second, the time of
            // a poll, four minutes, is over before.
            Self::EndlessPages if subject.is_fast() => fails("malformed", 1000, Touched::Kind),
            Self::EndlessPages => Expected {
                calls: 180..=199,
                ..fails("timeout", 0, Touched::Kind)
            },
            Self::RepeatedToken => fails("malformed", 2, Touched::Kind),
            Self::EmptyPage => survives(3..=3),
        }
    }
}

impl fmt::Display for Outcome {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Survives => formatter.write_str("success"),
            Self::Fails(reason) => write!(formatter, "`{reason}`"),
        }
    }
}

impl fmt::Display for Touched {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Kind => "nothing",
            Self::Endpoint => "the account's endpoint",
            Self::Key => "the key",
        })
    }
}
