//! What can go wrong between a call and its answer.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use super::Action;
use super::answer::Answer;
use super::breaker::Locked;
use super::code::Codes;

/// The bounded cause of a failed call or poll: a label value.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Reason {
    /// The cloud refused for rate.
    Throttled,
    /// The key may not do this.
    Denied,
    /// The key itself was refused, or may not be tried again yet, or there is none.
    Auth,
    /// This machine's clock is too far from the cloud's.
    Clock,
    /// No connection, or it broke.
    Unreachable,
    /// No answer in time.
    Timeout,
    /// An answer that is not the one asked for.
    Malformed,
    /// Anything else the cloud says.
    Other,
}

impl Reason {
    /// Every reason, so that counters can start from 0.
    pub const ALL: [Self; 8] = [
        Self::Throttled,
        Self::Denied,
        Self::Auth,
        Self::Clock,
        Self::Unreachable,
        Self::Timeout,
        Self::Malformed,
        Self::Other,
    ];

    /// The label value.
    pub fn name(self) -> &'static str {
        match self {
            Self::Throttled => "throttled",
            Self::Denied => "denied",
            Self::Auth => "auth",
            Self::Clock => "clock",
            Self::Unreachable => "unreachable",
            Self::Timeout => "timeout",
            Self::Malformed => "malformed",
            Self::Other => "other",
        }
    }
}

/// A call that failed: what was asked, why it failed and how often it was tried.
#[derive(Debug, thiserror::Error)]
#[error("{}{} failed{}", .action.name, Key(key_suffix), Attempts(*attempts))]
pub struct Error {
    /// The API action.
    pub action: &'static Action,
    /// Last four characters of the access key id, once one was read.
    pub key_suffix: Option<String>,
    /// Requests sent, the first one included.
    pub attempts: u32,
    /// The cause of the last attempt's failure.
    #[source]
    pub cause: Cause,
}

/// Why a call failed.
#[derive(Debug, Clone, thiserror::Error)]
pub enum Cause {
    /// The cloud answered with an error.
    #[error(transparent)]
    Answer(Box<Answer>),
    /// There is no key to sign with.
    #[error("no usable key: {0}")]
    Credentials(Box<crate::credentials::Error>),
    /// The key that has to be asked for is not given.
    #[error("no usable key: {0}")]
    NoKey(Arc<NoKey>),
    /// An endpoint of this machine, or what leads to one, gives no key.
    #[error("{host} gives no key: {detail}")]
    Unlent {
        /// Who was asked.
        host: String,
        /// The bounded cause.
        reason: Reason,
        /// What it said.
        detail: String,
    },
    /// The key was refused before and is not tried again yet, so that the account is not locked.
    #[error(
        "not sent: {} ({strikes} in a row) and is tried again in {} s, or when it changes",
        if *.unheard { "no answer came to a request with an untried key" } else { "the key was refused" },
        .remaining.as_secs()
    )]
    Locked {
        /// Refusals in a row.
        strikes: u32,
        /// Until the next try.
        remaining: Duration,
        /// Whether the last refusal is only feared.
        unheard: bool,
    },
    /// The time was over before the request's turn came.
    #[error("not sent: the time was over while it waited for {waited_for}")]
    NoTime {
        /// What it waited for.
        waited_for: &'static str,
    },
    /// The key holds characters that no header can.
    #[error(
        "not sent: the key in force makes no valid `{name}` header; is the credentials file the right one?"
    )]
    Unsendable {
        /// The header.
        name: &'static str,
    },
    /// The client was not made for this service.
    #[error("not sent: the client has no endpoint of `{service}`, which is a fault of vigie")]
    NoEndpoint {
        /// The service as policies name it.
        service: &'static str,
    },
    /// No connection, or one that broke.
    #[error("no answer from {host}: {detail}")]
    Unreachable {
        /// Where the call went.
        host: String,
        /// What the system said.
        detail: String,
    },
    /// One attempt, or the whole poll, took too long.
    #[error("no answer from {host} within {} s", .within.as_secs_f64())]
    Timeout {
        /// Where the call went.
        host: String,
        /// The time it had.
        within: Duration,
    },
    /// The answer is not the one asked for.
    #[error("the answer from {host} is not a {expected}: {detail}; is this the right endpoint?")]
    Malformed {
        /// Where the call went.
        host: String,
        /// The root element expected.
        expected: String,
        /// What is wrong with it.
        detail: String,
    },
    /// A listing that would never end.
    #[error(
        "the listing does not end: the cursor of page {page} was used before, is no cursor, or is one too many"
    )]
    Endless {
        /// Pages read.
        page: u32,
    },
    /// Answers whose content would take all memory.
    #[error(
        "what the answers hold takes more than {} MiB: name fewer `tags`, divide the account's regions and kinds, or choose \
         instances by `filters`, if it is the right endpoint",
        super::kept::LIMIT >> 20
    )]
    TooMuch,
}

impl Error {
    /// The bounded cause.
    pub fn reason(&self) -> Reason {
        self.cause.reason()
    }

    /// What was asked, why it failed, and what to do about it, in one line for people.
    pub fn explained(&self) -> String {
        let advice = match &self.cause {
            _ if self.lacks_permission() => {
                format!(
                    "; allow `{}` in the policy of the key's user",
                    self.action.policy_name()
                )
            }
            cause => cause
                .advice()
                .map_or_else(String::new, |advice| format!("; {advice}")),
        };
        format!("{self}: {}{advice}", self.cause)
    }

    /// The same for whoever reads the page: without the path of a key's file.
    pub fn shown(&self) -> String {
        match &self.cause {
            Cause::Credentials(error) => format!("{self}: no usable key: {}", error.without_path()),
            _ => self.explained(),
        }
    }

    /// Whether the cloud itself said that the key may not do this; anything between us and it can answer with 403.
    pub fn lacks_permission(&self) -> bool {
        matches!(&self.cause, Cause::Answer(answer) if answer.has_code && answer.reason() == Reason::Denied)
    }

    /// Whether the cloud answered with one of these codes.
    pub fn says(&self, codes: Codes) -> bool {
        matches!(&self.cause, Cause::Answer(answer) if answer.says(codes))
    }
}

impl From<Answer> for Cause {
    fn from(answer: Answer) -> Self {
        Self::Answer(Box::new(answer))
    }
}

impl From<Locked> for Cause {
    fn from(locked: Locked) -> Self {
        Self::Locked {
            strikes: locked.strikes,
            remaining: locked.remaining,
            unheard: locked.unheard,
        }
    }
}

impl From<crate::credentials::Error> for Cause {
    fn from(error: crate::credentials::Error) -> Self {
        Self::Credentials(Box::new(error))
    }
}

impl Cause {
    /// What to do about it, where the words of the cause do not say so.
    fn advice(&self) -> Option<&'static str> {
        Some(match (self, self.reason()) {
            (Self::Unreachable { .. } | Self::Timeout { .. }, _) => {
                "check the region's name, the endpoint (http or https?), the network and the proxy variables"
            }
            (Self::NoTime { .. }, _) => "raise `requests_per_second` or `stale_after`, or poll fewer kinds",
            (Self::Answer(_), Reason::Auth) => {
                "check that the key is whole, active and of this provider and region (OUTSCALE refuses good keys too while \
                 an account is locked)"
            }
            (Self::Answer(_), Reason::Clock) => "set this machine's clock",
            (Self::Answer(_), Reason::Throttled) => "lower `requests_per_second` or poll less often",
            _ => return None,
        })
    }

    /// The bounded cause.
    pub fn reason(&self) -> Reason {
        match self {
            Self::Answer(answer) => answer.reason(),
            Self::Unreachable { .. } | Self::Locked { unheard: true, .. } => Reason::Unreachable,
            Self::Credentials(_) | Self::Locked { .. } | Self::Unsendable { .. } => Reason::Auth,
            Self::NoKey(no_key) => no_key.reason(),
            Self::Unlent { reason, .. } => *reason,
            Self::Timeout { .. } | Self::NoTime { .. } => Reason::Timeout,
            Self::Malformed { .. } | Self::Endless { .. } | Self::TooMuch => Reason::Malformed,
            Self::NoEndpoint { .. } => Reason::Other,
        }
    }
}

/// Why a place that hands out keys gives none.
#[derive(Debug, Clone, thiserror::Error)]
#[error("{}{}", Told(self), Advice(advice))]
pub struct NoKey {
    /// The place, with what named it.
    pub place: String,
    /// What went wrong there.
    pub cause: Box<Cause>,
    /// What to do about it.
    pub advice: Option<String>,
}

impl NoKey {
    /// The bounded cause: whatever refuses a key leaves none.
    pub fn reason(&self) -> Reason {
        match self.cause.reason() {
            Reason::Denied => Reason::Auth,
            Reason::Other if !self.is_fault_of_the_other_side() => Reason::Auth,
            reason => reason,
        }
    }

    /// Whether the place is there, and the same question may be answered better a moment later.
    pub fn is_for_a_moment(&self) -> bool {
        match &*self.cause {
            Cause::Unlent { reason, .. } => matches!(reason, Reason::Unreachable | Reason::Throttled),
            Cause::Answer(answer) => answer.reason() == Reason::Throttled || answer.status >= 500,
            _ => false,
        }
    }

    /// Whether the key was refused, so that the same question asked again would be a nuisance.
    pub(super) fn is_a_refusal(&self) -> bool {
        matches!(self.reason(), Reason::Auth | Reason::Malformed | Reason::Clock)
    }

    /// The place and what went wrong, in a few words.
    pub(super) fn told(&self) -> String {
        format!("{} ({})", self.place, self.cause)
    }

    fn is_fault_of_the_other_side(&self) -> bool {
        matches!(&*self.cause, Cause::Answer(answer) if answer.status >= 500)
    }
}

/// What went wrong at the place, which some causes name themselves.
struct Told<'a>(&'a NoKey);

impl fmt::Display for Told<'_> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &*self.0.cause {
            Cause::Credentials(error) => error.fmt(formatter),
            cause => write!(formatter, "{}: {cause}", self.0.place),
        }
    }
}

/// `"; do this"`, or nothing.
struct Advice<'a>(&'a Option<String>);

impl fmt::Display for Advice<'_> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0
            .as_ref()
            .map_or(Ok(()), |advice| write!(formatter, "; {advice}"))
    }
}

/// `" with key …ABCD"`, or nothing.
struct Key<'a>(&'a Option<String>);

impl fmt::Display for Key<'_> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0
            .as_ref()
            .map_or(Ok(()), |suffix| write!(formatter, " with key …{suffix}"))
    }
}

/// `" after 3 attempts"`, or nothing.
struct Attempts(u32);

impl fmt::Display for Attempts {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0 > 1 {
            write!(formatter, " after {} attempts", self.0)
        } else {
            Ok(())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::Service;
    use super::*;

    static ACTION: Action = Action::describing(Service::Ec2, "DescribeInstances");

    #[test]
    fn an_error_names_action_key_code_message_and_request() {
        let answer = Answer::parse(
            401,
            "<Response><Errors><Error><Code>AuthFailure</Code><Message>no\x1b[31m</Message></Error></Errors>\
              <RequestID>r-1</RequestID></Response>",
            None,
            |text| text,
        );
        let error = Error {
            action: &ACTION,
            key_suffix: Some("MPLE".into()),
            attempts: 2,
            cause: answer.into(),
        };
        assert_eq!(
            format!("{:#}", anyhow::Error::from(error)),
            "DescribeInstances with key …MPLE failed after 2 attempts: AuthFailure (HTTP 401, request r-1): no [31m"
        );
    }
}
