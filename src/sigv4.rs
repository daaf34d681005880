//! AWS Signature Version 4: canonical request → string to sign → signing key → `Authorization` header.
//!
//! Pure: time and credentials are arguments, nothing here knows HTTP or a clock. Follows
//! <https://docs.aws.amazon.com/IAM/latest/UserGuide/create-signed-request.html>; held to the signing suite
//! that the `aws-sigv4` package ships and to that package's own output (`tests/signer.rs`).

use std::fmt::{self, Write as _};

use hmac::{Hmac, KeyInit, Mac};
use jiff::Timestamp;
use secrecy::{ExposeSecret, SecretString, zeroize::Zeroizing};
use sha2::{Digest, Sha256};

/// The name of the algorithm, first line of the string to sign and first word of the header.
pub const ALGORITHM: &str = "AWS4-HMAC-SHA256";

/// Before the secret, where the first key is derived.
const PREFIX: &str = "AWS4";

/// What is signed. The bytes given here must be the bytes sent.
#[derive(Clone, Copy)]
pub struct Request<'a> {
    /// `POST`, in capitals.
    pub method: &'a str,
    /// The path as it stands in the request line, percent-encoded once, `/` at least.
    pub path: &'a str,
    /// The query as it stands in the request line, without `?`; empty for a form POST.
    pub query: &'a str,
    /// Every header to be signed, in the order sent; names in any case.
    pub headers: &'a [(&'a str, &'a str)],
    /// The body, byte for byte.
    pub body: &'a [u8],
}

/// Without the values of headers and the body: a session token is among the ones, a web identity in the other.
impl fmt::Debug for Request<'_> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Request")
            .field("method", &self.method)
            .field("path", &self.path)
            .finish_non_exhaustive()
    }
}

/// The credential scope: what a signing key is good for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Scope<'a> {
    /// `YYYYMMDD` in UTC: the first eight characters of `x-amz-date`.
    pub date: &'a str,
    /// The region, in lower case.
    pub region: &'a str,
    /// The signing name of the service.
    pub service: &'a str,
}

impl Scope<'_> {
    fn terminated(&self) -> String {
        format!("{}/{}/{}/aws4_request", self.date, self.region, self.service)
    }
}

/// The `Authorization` header of a request sent at `amz_date` (see [`amz_date`]) in a region to a service.
///
/// `headers` must hold `host` and `x-amz-date`, and `x-amz-security-token` when the key has a session.
pub fn sign(
    request: &Request<'_>,
    access_key_id: &str,
    secret_access_key: &SecretString,
    scope: &Scope<'_>,
    amz_date: &str,
) -> String {
    // A session token is one of the headers.
    let canonical = Zeroizing::new(canonical_request(request));
    let string_to_sign = string_to_sign(&canonical, scope, amz_date);
    let signature = signature(&signing_key(secret_access_key, scope), &string_to_sign);
    format!(
        "{ALGORITHM} Credential={access_key_id}/{}, SignedHeaders={}, Signature={signature}",
        scope.terminated(),
        signed_headers(request),
    )
}

/// The request in the one form both sides can compute.
pub fn canonical_request(request: &Request<'_>) -> String {
    let mut canonical = format!(
        "{}\n{}\n{}\n",
        request.method,
        canonical_path(request.path),
        canonical_query(request.query)
    );
    let mut previous: Option<String> = None;
    for (name, value) in sorted_headers(request) {
        // A header that is sent twice is signed as one, its values joined in the order sent.
        let separator = if previous.as_deref() == Some(name.as_str()) {
            ","
        } else {
            "\n"
        };
        if separator == "," {
            canonical.push_str(separator);
        } else {
            if previous.is_some() {
                canonical.push('\n');
            }
            canonical.push_str(&name);
            canonical.push(':');
        }
        push_collapsed(&mut canonical, value);
        previous = Some(name);
    }
    if previous.is_some() {
        canonical.push('\n');
    }
    canonical.push('\n');
    canonical.push_str(&signed_headers(request));
    canonical.push('\n');
    canonical.push_str(&hex(&Sha256::digest(request.body)));
    canonical
}

/// What the signing key signs: algorithm, time, scope and the hash of the canonical request.
pub fn string_to_sign(canonical_request: &str, scope: &Scope<'_>, amz_date: &str) -> String {
    let hash = hex(&Sha256::digest(canonical_request.as_bytes()));
    format!("{ALGORITHM}\n{amz_date}\n{}\n{hash}", scope.terminated())
}

/// The key of one day, region and service, derived from the secret.
pub fn signing_key(secret_access_key: &SecretString, scope: &Scope<'_>) -> Zeroizing<[u8; 32]> {
    let secret = secret_access_key.expose_secret();
    // Room for all of it at once: a buffer that grows leaves copies of the secret behind.
    let mut key = Zeroizing::new(String::with_capacity(PREFIX.len() + secret.len()));
    key.push_str(PREFIX);
    key.push_str(secret);
    let date = hmac_sha256(key.as_bytes(), scope.date);
    [scope.region, scope.service, "aws4_request"]
        .iter()
        .fold(date, |key, part| hmac_sha256(&*key, part))
}

/// The signature, in lower-case hexadecimal.
pub fn signature(signing_key: &[u8; 32], string_to_sign: &str) -> String {
    hex(&*hmac_sha256(signing_key, string_to_sign))
}

/// The value of `x-amz-date`: `YYYYMMDDTHHMMSSZ` in UTC. Its first eight characters are the scope's date.
pub fn amz_date(at: Timestamp) -> String {
    at.strftime("%Y%m%dT%H%M%SZ").to_string()
}

/// The names of the signed headers: lower case, sorted, each once, joined by `;`.
pub fn signed_headers(request: &Request<'_>) -> String {
    let mut names: Vec<String> = sorted_headers(request)
        .into_iter()
        .map(|(name, _)| name)
        .collect();
    names.dedup();
    names.join(";")
}

fn sorted_headers<'a>(request: &Request<'a>) -> Vec<(String, &'a str)> {
    let mut headers: Vec<(String, &str)> = request
        .headers
        .iter()
        .map(|&(name, value)| (name.to_ascii_lowercase(), value))
        .collect();
    // Stable: the values of one name keep the order they are sent in.
    headers.sort_by(|a, b| a.0.cmp(&b.0));
    headers
}

/// Trims spaces at the ends and collapses runs of them inside, as receivers do.
fn push_collapsed(canonical: &mut String, value: &str) {
    let mut words = value.split(' ').filter(|word| !word.is_empty());
    if let Some(first) = words.next() {
        canonical.push_str(first);
    }
    for word in words {
        canonical.push(' ');
        canonical.push_str(word);
    }
}

/// Resolves `.`, `..` and `//`, then encodes once more what is already encoded: every service but S3 wants both.
fn canonical_path(path: &str) -> String {
    let mut segments: Vec<&str> = Vec::new();
    for segment in path.split('/') {
        match segment {
            "" | "." => {}
            ".." => {
                segments.pop();
            }
            segment => segments.push(segment),
        }
    }
    let mut canonical = String::with_capacity(path.len());
    for segment in &segments {
        canonical.push('/');
        push_encoded(&mut canonical, segment.as_bytes());
    }
    // A directory stays one: `/a/`, `/a/.` and `/a/..` all end in a slash.
    if segments.is_empty() || path.ends_with('/') || path.ends_with("/.") || path.ends_with("/..") {
        canonical.push('/');
    }
    canonical
}

/// Sorted by encoded name, then by encoded value; a name without a value keeps its `=`.
fn canonical_query(query: &str) -> String {
    let mut pairs: Vec<(String, String)> = query
        .split('&')
        .filter(|pair| !pair.is_empty())
        .map(|pair| {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            (reencoded(name), reencoded(value))
        })
        .collect();
    pairs.sort();
    let pairs: Vec<String> = pairs
        .into_iter()
        .map(|(name, value)| format!("{name}={value}"))
        .collect();
    pairs.join("&")
}

/// Decodes `%XX`, then encodes strictly, so that two spellings of one name sign alike.
fn reencoded(part: &str) -> String {
    let bytes = part.as_bytes();
    let mut decoded = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while at < bytes.len() {
        let escape = (bytes[at] == b'%').then(|| part.get(at + 1..at + 3)).flatten();
        if let Some(byte) = escape.and_then(|digits| u8::from_str_radix(digits, 16).ok()) {
            decoded.push(byte);
            at += 3;
        } else {
            decoded.push(bytes[at]);
            at += 1;
        }
    }
    let mut encoded = String::with_capacity(part.len());
    push_encoded(&mut encoded, &decoded);
    encoded
}

/// RFC 3986: all but the unreserved characters as `%XX` in capitals.
fn push_encoded(encoded: &mut String, bytes: &[u8]) {
    for &byte in bytes {
        if byte.is_ascii_alphanumeric() || b"-_.~".contains(&byte) {
            encoded.push(char::from(byte));
        } else {
            write!(encoded, "%{byte:02X}").expect("writing to a String cannot fail");
        }
    }
}

fn hmac_sha256(key: &[u8], message: &str) -> Zeroizing<[u8; 32]> {
    let mut mac = Hmac::<Sha256>::new_from_slice(key).expect("HMAC takes a key of any length");
    mac.update(message.as_bytes());
    Zeroizing::new(mac.finalize().into_bytes().into())
}

fn hex(bytes: &[u8]) -> String {
    let mut hex = String::with_capacity(bytes.len() * 2);
    for byte in bytes {
        write!(hex, "{byte:02x}").expect("writing to a String cannot fail");
    }
    hex
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn date_of_the_scope_is_the_head_of_amz_date() {
        let at: Timestamp = "2015-08-30T23:59:59.999Z".parse().unwrap();
        assert_eq!(amz_date(at), "20150830T235959Z");
    }

    /// The worked example of "Create a signed AWS API request" in the IAM user guide.
    #[test]
    fn signing_key_is_the_published_one() {
        let scope = Scope {
            date: "20150830",
            region: "us-east-1",
            service: "iam",
        };
        let key = signing_key(&"wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY".into(), &scope);
        assert_eq!(
            hex(&*key),
            "c4afb1cc5771d871763a393e44b703571b55cc28424d1a5e86da6ed3c154a4b9"
        );
    }

    #[test]
    fn dot_segments_are_resolved_and_escapes_are_encoded_again() {
        assert_eq!(canonical_path("/"), "/");
        assert_eq!(canonical_path("//proxy//./a%20b/../c%20d"), "/proxy/c%2520d");
        assert_eq!(canonical_path("/a/"), "/a/");
        assert_eq!(canonical_path("/a/.."), "/");
    }

    #[test]
    fn query_is_sorted_by_its_encoded_names() {
        assert_eq!(canonical_query("b=2&a=%7E&a=1&c"), "a=1&a=~&b=2&c=");
    }
}
