//! What may be tried again, when and how often.

use std::time::Duration;

use super::code;
use super::error::{Cause, Reason};

/// Requests sent for one call, the first included. botocore's standard mode sends as many.
pub const ATTEMPTS: u32 = 3;

/// Whether the same call may succeed a moment later, and from what the wait grows.
///
/// What changes something is sent again only if it was certainly not done: see [`super::Effect`].
fn first_backoff(cause: &Cause) -> Option<Duration> {
    match cause {
        Cause::Unreachable { .. } | Cause::Timeout { .. } => Some(TRANSIENT),
        Cause::Answer(answer) => match answer.reason() {
            Reason::Throttled => Some(THROTTLED),
            _ if answer.says(code::CHANGED_AT_ONCE) => Some(THROTTLED),
            Reason::Other | Reason::Unreachable if answer.status >= 500 || answer.status == 408 => {
                Some(TRANSIENT)
            }
            _ => None,
        },
        Cause::NoTime { .. }
        | Cause::Unsendable { .. }
        | Cause::Credentials(_)
        | Cause::NoKey(_)
        | Cause::Unlent { .. }
        | Cause::Locked { .. }
        | Cause::Malformed { .. }
        | Cause::NoEndpoint { .. }
        | Cause::Endless { .. }
        | Cause::TooMuch => None,
    }
}

/// How long to wait before attempt number `next` (the first retry is 2), or `None` to give up.
///
/// Full jitter: anything between nothing and the whole, so that agents that failed together do not
/// return together (AWS Architecture Blog, "Exponential Backoff And Jitter"). A server's own `Retry-After`
/// is a lower bound.
pub fn backoff(cause: &Cause, next: u32, jitter: f64) -> Option<Duration> {
    if next > ATTEMPTS {
        return None;
    }
    let whole = first_backoff(cause)?
        .saturating_mul(1 << next.saturating_sub(2).min(16))
        .min(LONGEST);
    let asked = match cause {
        Cause::Answer(answer) => answer.retry_after.unwrap_or_default(),
        _ => Duration::ZERO,
    };
    Some(asked.saturating_add(whole.mul_f64(jitter.clamp(0.0, 1.0))))
}

/// A broken connection is often whole again at once.
const TRANSIENT: Duration = Duration::from_millis(200);

/// A bucket needs time to fill; botocore starts from a second too.
const THROTTLED: Duration = Duration::from_secs(1);

/// botocore's cap.
const LONGEST: Duration = Duration::from_secs(20);

#[cfg(test)]
mod tests {
    use super::super::answer::Answer;
    use super::*;

    fn answer(status: u16, code: &str) -> Cause {
        let answer = Answer {
            status,
            has_code: true,
            code: code.to_owned(),
            names_the_clock: false,
            message: String::new(),
            request_id: None,
            retry_after: None,
        };
        answer.into()
    }

    #[test]
    fn only_what_may_pass_is_tried_again() {
        let host = || "h".to_owned();
        let cases = [
            (
                Cause::Unreachable {
                    host: host(),
                    detail: String::new(),
                },
                true,
            ),
            (
                Cause::Timeout {
                    host: host(),
                    within: Duration::from_secs(1),
                },
                true,
            ),
            (answer(503, "RequestLimitExceeded"), true),
            (answer(400, "Throttling"), true),
            (answer(429, "HTTP 429"), true),
            (answer(500, "InternalError"), true),
            (answer(502, "HTTP 502"), true),
            (answer(503, "HTTP 503"), true),
            (answer(503, "Unavailable"), true),
            (answer(401, "AuthFailure"), false),
            (answer(403, "UnauthorizedOperation"), false),
            (answer(400, "InvalidParameterValue"), false),
            (answer(409, "LimitExceeded"), false),
            (answer(302, "HTTP 302"), false),
            (
                Cause::Malformed {
                    host: host(),
                    expected: String::new(),
                    detail: String::new(),
                },
                false,
            ),
            (Cause::Endless { page: 2 }, false),
            (Cause::TooMuch, false),
        ];
        for (cause, expected) in cases {
            assert_eq!(backoff(&cause, 2, 1.0).is_some(), expected, "{cause:?}");
            assert_eq!(backoff(&cause, ATTEMPTS + 1, 1.0), None);
        }
    }

    #[test]
    fn waits_double_and_jitter_reaches_from_nothing_to_the_whole() {
        let throttled = answer(503, "RequestLimitExceeded");
        assert_eq!(backoff(&throttled, 2, 1.0), Some(Duration::from_secs(1)));
        assert_eq!(backoff(&throttled, 3, 1.0), Some(Duration::from_secs(2)));
        assert_eq!(backoff(&throttled, 3, 0.0), Some(Duration::ZERO));
    }

    #[test]
    fn retry_after_is_a_lower_bound() {
        let mut cause = answer(429, "HTTP 429");
        if let Cause::Answer(answer) = &mut cause {
            answer.retry_after = Some(Duration::from_secs(7));
        }
        assert_eq!(backoff(&cause, 2, 0.0), Some(Duration::from_secs(7)));
    }
}
