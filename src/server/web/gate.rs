//! Who is let through to a route: the rate first, then the password, in exporter-toolkit's order.

use std::net::IpAddr;
use std::sync::{Mutex, PoisonError};

use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use base64::engine::general_purpose::{GeneralPurpose, PAD};
use base64::{Engine as _, alphabet};
use secrecy::{ExposeSecret as _, SecretSlice};
use tokio::time::Instant;
use tracing::warn;

use super::checks::Verdict;
use super::written::Rate;
use super::{Loaded, Web};

impl Web {
    /// Nothing, where a request may go on to its route; else its answer.
    pub(in super::super) async fn refusal(
        &self,
        loaded: &Loaded,
        headers: &HeaderMap,
        client: IpAddr,
    ) -> Option<Response> {
        if let Some(rate) = self.rate
            && !self.bucket.take(rate)
        {
            return Some((StatusCode::TOO_MANY_REQUESTS, "Too Many Requests\n").into_response());
        }
        if loaded.users.is_empty() {
            return None;
        }
        let verdict = match credentials(headers) {
            Some((name, password)) => self.checks.check(&loaded.users, &name, password, client).await,
            None => Verdict::Wrong,
        };
        match verdict {
            Verdict::Right => None,
            Verdict::Wrong => {
                if headers.contains_key(header::AUTHORIZATION) {
                    self.tell_of_a_stranger(client);
                }
                Some(
                    (
                        StatusCode::UNAUTHORIZED,
                        [(header::WWW_AUTHENTICATE, "Basic")],
                        "Unauthorized\n",
                    )
                        .into_response(),
                )
            }
            Verdict::TooMany => Some(
                (
                    StatusCode::TOO_MANY_REQUESTS,
                    [(header::RETRY_AFTER, "1")],
                    "too many passwords are being compared\n",
                )
                    .into_response(),
            ),
        }
    }

    /// Never by the user's name, in whose place many a password is typed.
    fn tell_of_a_stranger(&self, client: IpAddr) {
        let mut strangers = self.strangers.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(count) = strangers.again(client) {
            warn!(%client, count, "a client is kept out: its user or password is wrong");
        }
    }
}

/// The user and the password of a request (RFC 7617), as Go reads them.
fn credentials(headers: &HeaderMap) -> Option<(String, SecretSlice<u8>)> {
    let value = headers.get(header::AUTHORIZATION)?.to_str().ok()?;
    let (scheme, encoded) = value.split_at_checked("Basic ".len())?;
    if !scheme.eq_ignore_ascii_case("Basic ") {
        return None;
    }
    let decoded: SecretSlice<u8> = LENIENT.decode(encoded).ok()?.into();
    let decoded = decoded.expose_secret();
    let colon = decoded.iter().position(|byte| *byte == b':')?;
    let (name, password) = decoded.split_at_checked(colon)?;
    // No user of a file has a name that is no text; a password need not be text.
    let name = String::from_utf8_lossy(name).into_owned();
    Some((name, password.get(1..)?.to_vec().into()))
}

/// Bits that are left over at the end mean nothing, as with Go.
const LENIENT: GeneralPurpose =
    GeneralPurpose::new(&alphabet::STANDARD, PAD.with_decode_allow_trailing_bits(true));

/// A bucket of tokens, one for each request, filled at the rate.
pub(super) struct Bucket(Mutex<Option<(f64, Instant)>>);

impl Bucket {
    pub(super) fn full() -> Self {
        Self(Mutex::new(None))
    }

    fn take(&self, rate: Rate) -> bool {
        let mut state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let (now, burst) = (Instant::now(), f64::from(rate.burst));
        let (left, at) = state.unwrap_or((burst, now));
        let come = now.duration_since(at).as_secs_f64() / rate.interval.as_secs_f64();
        let tokens = (left + come).min(burst);
        let is_enough = tokens >= 1.0;
        *state = Some((if is_enough { tokens - 1.0 } else { tokens }, now));
        is_enough
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use axum::http::HeaderValue;

    use super::*;

    #[test]
    fn credentials_are_read_as_go_reads_them() {
        for (value, expected) in [
            ("Basic dTpw", Some(("u", "p"))),
            ("bAsIc dTpw", Some(("u", "p"))),
            ("Basic dTpwOng=", Some(("u", "p:x"))),
            ("Basic dTo=", Some(("u", ""))),
            ("Basic dTp=", Some(("u", ""))),
            ("Basic dTpwOnj=", Some(("u", "p:x"))),
            ("Basic OnA=", Some(("", "p"))),
            ("Basic dXA=", None),
            ("Basic dTpw=", None),
            ("Basic  dTpw", None),
            ("Basic", None),
            ("Bearer dTpw", None),
            ("", None),
        ] {
            let headers = HeaderMap::from_iter([(header::AUTHORIZATION, HeaderValue::from_static(value))]);
            let read = credentials(&headers);
            let read = read
                .as_ref()
                .map(|(name, password)| (name.as_str(), password.expose_secret()));
            let expected = expected.map(|(name, password): (&str, &str)| (name, password.as_bytes()));
            assert_eq!(read, expected, "{value}");
        }
        assert!(credentials(&HeaderMap::new()).is_none());
    }

    #[tokio::test(start_paused = true)]
    async fn bucket_gives_a_burst_and_then_one_an_interval() {
        let rate = Rate {
            interval: Duration::from_secs(1),
            burst: 2,
        };
        let bucket = Bucket::full();
        assert_eq!([(); 3].map(|()| bucket.take(rate)), [true, true, false]);
        tokio::time::advance(Duration::from_secs(1)).await;
        assert_eq!([(); 2].map(|()| bucket.take(rate)), [true, false]);
        tokio::time::advance(Duration::from_secs(60)).await;
        assert_eq!([(); 3].map(|()| bucket.take(rate)), [true, true, false]);
    }
}
