//! Who sent this? Every signature is computed again from exactly what arrived.

use axum::http::HeaderMap;
use jiff::civil::DateTime;
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};
use secrecy::SecretString;

use super::wire::{Refusal, Service};
use crate::provider::Provider;
use crate::sigv4::{self, Scope};

/// What the `Authorization` header claims.
#[derive(Debug, Clone, Copy)]
pub(super) struct Claim<'a> {
    pub(super) access_key_id: &'a str,
    pub(super) scope: Scope<'a>,
    signed_headers: &'a str,
    signature: &'a str,
}

impl<'a> Claim<'a> {
    /// Reads the header; absent when it is not one of Signature Version 4.
    pub(super) fn parse(authorization: &'a str) -> Option<Self> {
        let rest = authorization.strip_prefix(sigv4::ALGORITHM)?;
        let part = |name: &str| {
            rest.split(',')
                .find_map(|part| part.trim().strip_prefix(name)?.strip_prefix('='))
        };
        let mut credential = part("Credential")?.split('/');
        let access_key_id = credential.next()?;
        let scope = Scope {
            date: credential.next()?,
            region: credential.next()?,
            service: credential.next()?,
        };
        (credential.next()? == "aws4_request" && credential.next().is_none()).then_some(())?;
        Some(Self {
            access_key_id,
            scope,
            signed_headers: part("SignedHeaders")?,
            signature: part("Signature")?,
        })
    }
}

/// A request as it arrived.
#[derive(Debug, Clone, Copy)]
pub(super) struct Arrival<'a> {
    pub(super) method: &'a str,
    pub(super) path: &'a str,
    pub(super) query: &'a str,
    pub(super) headers: &'a HeaderMap,
    pub(super) body: &'a [u8],
}

impl Arrival<'_> {
    fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }

    /// Whether the claim's signature is that of this request under `secret`.
    fn is_signed(&self, claim: &Claim<'_>, secret: &SecretString) -> bool {
        let Some(amz_date) = self.header("x-amz-date") else {
            return false;
        };
        let mut headers = Vec::new();
        for name in claim.signed_headers.split(';') {
            let before = headers.len();
            for value in self.headers.get_all(name) {
                let Ok(value) = value.to_str() else {
                    return false;
                };
                headers.push((name, value));
            }
            if headers.len() == before {
                return false;
            }
        }
        let covers = |name: &str| headers.iter().any(|(signed, _)| *signed == name);
        if !covers("host") || !covers("x-amz-date") {
            return false;
        }
        let request = sigv4::Request {
            method: self.method,
            path: self.path,
            query: self.query,
            headers: &headers,
            body: self.body,
        };
        let to_sign = sigv4::string_to_sign(&sigv4::canonical_request(&request), &claim.scope, amz_date);
        let signature = sigv4::signature(&sigv4::signing_key(secret, &claim.scope), &to_sign);
        signature == claim.signature
    }
}

/// The failure for a key that is unknown, inactive, or not yet known everywhere.
pub(super) fn unknown_key(service: Service) -> Refusal {
    match service {
        Service::Ec2 => auth_failure(),
        _ => Refusal::new(
            403,
            "InvalidClientTokenId",
            "The security token included in the request is invalid.",
        ),
    }
}

/// The answer to every attempt while the account is locked.
pub(super) fn locked() -> Refusal {
    auth_failure()
}

/// Checks time and signature of a request whose key is known.
pub(super) fn verify(
    arrival: &Arrival<'_>,
    claim: &Claim<'_>,
    secret: &SecretString,
    service: Service,
    provider: Provider,
    now: Timestamp,
) -> Result<(), Refusal> {
    let sent = arrival.header("x-amz-date").and_then(parse_amz_date);
    let Some(sent) = sent else {
        return Err(match service {
            Service::Ec2 => auth_failure(),
            _ => Refusal::new(
                400,
                "IncompleteSignature",
                "Authorization header requires existence of either a 'X-Amz-Date' or a 'Date' header.",
            ),
        });
    };
    let window = match provider {
        Provider::Outscale => SignedDuration::from_mins(5),
        Provider::Aws => SignedDuration::from_mins(15),
    };
    let age = now.duration_since(sent);
    if age.abs() > window {
        return Err(skewed(service, sent, now, window));
    }
    let is_of_the_day = sigv4::amz_date(sent).starts_with(claim.scope.date);
    if !is_of_the_day || !arrival.is_signed(claim, secret) {
        return Err(match service {
            Service::Ec2 => auth_failure(),
            _ => Refusal::new(
                403,
                "SignatureDoesNotMatch",
                "The request signature we calculated does not match the signature you provided. \
                 Check your AWS Secret Access Key and signing method. Consult the service documentation for details.",
            ),
        });
    }
    Ok(())
}

fn skewed(service: Service, sent: Timestamp, now: Timestamp, window: SignedDuration) -> Refusal {
    let age = now.duration_since(sent);
    if service == Service::Ec2 {
        return if age > SignedDuration::from_mins(15) {
            Refusal::new(400, "RequestExpired", "Request has expired.")
        } else {
            auth_failure()
        };
    }
    let minutes = window.as_mins();
    let (sent, now_text) = (sigv4::amz_date(sent), sigv4::amz_date(now));
    let message = if age.is_positive() {
        let limit = sigv4::amz_date(now - window);
        format!("Signature expired: {sent} is now earlier than {limit} ({now_text} - {minutes} min.)")
    } else {
        let limit = sigv4::amz_date(now + window);
        format!("Signature not yet current: {sent} is still later than {limit} ({now_text} + {minutes} min.)")
    };
    Refusal::new(403, "SignatureDoesNotMatch", message)
}

fn auth_failure() -> Refusal {
    Refusal::new(
        401,
        "AuthFailure",
        "AWS was not able to validate the provided access credentials",
    )
}

fn parse_amz_date(text: &str) -> Option<Timestamp> {
    let time = DateTime::strptime("%Y%m%dT%H%M%SZ", text).ok()?;
    TimeZone::UTC.to_timestamp(time).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn claim_is_read_with_and_without_spaces() {
        for separator in [", ", ","] {
            let header = [
                "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20150830/eu-west-2/fcu/aws4_request",
                "SignedHeaders=host;x-amz-date",
                "Signature=00ff",
            ]
            .join(separator);
            let claim = Claim::parse(&header).unwrap();
            assert_eq!(claim.access_key_id, "AKIDEXAMPLE");
            assert_eq!(claim.scope.region, "eu-west-2");
            assert_eq!(claim.scope.service, "fcu");
            assert_eq!(claim.signed_headers, "host;x-amz-date");
            assert_eq!(claim.signature, "00ff");
        }
    }

    #[test]
    fn other_schemes_are_no_claim() {
        for header in [
            "",
            "Basic Zm9v",
            "AWS4-HMAC-SHA256 Credential=A/20150830/r/s, SignedHeaders=host, Signature=0",
            "AWS4-HMAC-SHA256 Credential=A/20150830/r/s/aws4_request, Signature=0",
        ] {
            assert!(Claim::parse(header).is_none(), "{header}");
        }
    }

    #[test]
    fn late_and_early_are_told_apart() {
        let now: Timestamp = "2025-01-01T00:15:00Z".parse().unwrap();
        let window = SignedDuration::from_mins(5);
        let late = skewed(Service::Elb, now - SignedDuration::from_mins(6), now, window);
        assert_eq!(
            late.message,
            "Signature expired: 20250101T000900Z is now earlier than 20250101T001000Z (20250101T001500Z - 5 min.)"
        );
        let early = skewed(Service::Elb, now + SignedDuration::from_mins(6), now, window);
        assert!(early.message.starts_with("Signature not yet current: "));
        assert_eq!(
            skewed(Service::Ec2, now - SignedDuration::from_mins(6), now, window).code,
            "AuthFailure"
        );
        assert_eq!(
            skewed(Service::Ec2, now - SignedDuration::from_mins(16), now, window).code,
            "RequestExpired"
        );
    }
}
