//! Until when the page's own certificate is valid: on the page, and in words once that is soon.

use jiff::{SignedDuration, Timestamp};
use prometheus::{Gauge, Registry};

use super::authorities::Validity;
use crate::metric::Family;

/// The families of who may ask.
pub static FAMILIES: [&Family; 1] = [&EXPIRY];

static EXPIRY: Family = Family::gauge(
    "vigie_web_certificate_expiry_timestamp_seconds",
    &[],
    "When the certificate of the page expires; there while it speaks TLS.",
);

/// The gauge, unless another server of the same page has it.
pub(super) fn gauge(registry: &Registry) -> Option<Gauge> {
    EXPIRY.float_gauge(registry).ok()
}

/// What is wrong with the time of the certificate, or will be soon.
pub(super) fn told(valid: Validity) -> Option<String> {
    let now = Timestamp::now();
    let [from, until] = [valid.from, valid.until].map(|seconds| {
        let timestamp = i64::try_from(seconds).ok().map(Timestamp::from_second);
        timestamp.and_then(Result::ok).unwrap_or(Timestamp::MAX)
    });
    if until < now {
        Some(format!(
            "the certificate of the page expired at {until}: put a new one there"
        ))
    } else if from > now {
        Some(format!("the certificate of the page is not valid before {from}"))
    } else if until.duration_since(now) < SOON {
        Some(format!(
            "the certificate of the page expires at {until}: put a new one there"
        ))
    } else {
        None
    }
}

/// Whoever renews certificates by themselves does so earlier; whoever does it by hand needs some days.
const SOON: SignedDuration = SignedDuration::from_hours(7 * 24);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn certificate_is_told_of_from_a_week_before_its_end_and_before_its_begin() {
        let day = 24 * 3600;
        let now = u64::try_from(Timestamp::now().as_second()).unwrap();
        for (from, until, expected) in [
            (now - 9 * day, now - day, Some("expired at")),
            (now - 9 * day, now + 6 * day, Some("expires at")),
            (now + day, now + 30 * day, Some("is not valid before")),
            (now - 9 * day, now + 8 * day, None),
            (0, u64::MAX, None),
        ] {
            let told = told(Validity { from, until });
            assert_eq!(told.is_some(), expected.is_some(), "{told:?}");
            let expected = expected.unwrap_or_default();
            assert!(told.unwrap_or_default().contains(expected), "{expected}");
        }
    }
}
