//! The headers of every answer: what keeps a browser from mischief, and what the web configuration puts over it.

use axum::http::{HeaderMap, HeaderName, HeaderValue, header};

use super::yaml::{Read, told};

/// Headers that a web configuration file sets.
pub(in super::super) type Headers = Vec<(HeaderName, HeaderValue)>;

/// The headers as written: exporter-toolkit's five and no other.
pub(super) fn read(written: Vec<(String, String)>) -> Read<Headers> {
    let read = written.into_iter().map(|(name, value)| {
        let Some((header, allowed)) = known(&name) else {
            return Err(format!(
                "`http_server_config.headers` may not set {:?}: there are {}",
                told(&name),
                NAMES.join(", ")
            ));
        };
        if !allowed.is_empty() && !allowed.contains(&value.as_str()) {
            return Err(format!(
                "`http_server_config.headers.{name}` is none of {}",
                allowed.join(", ")
            ));
        }
        // As Go sends it: a block of YAML ends in a line end.
        let value = value.replace(['\r', '\n'], " ");
        let value = HeaderValue::try_from(value.trim_matches([' ', '\t']))
            .map_err(|_| format!("`http_server_config.headers.{name}` is not of plain characters"))?;
        Ok((header, value))
    });
    read.collect()
}

/// Puts what was configured over what the answer has, and what is usual where there is nothing.
pub(in super::super) fn complete(headers: &mut HeaderMap, configured: &[(HeaderName, HeaderValue)]) {
    for (name, value) in configured {
        headers.insert(name, value.clone());
    }
    for (name, value) in USUAL {
        headers
            .entry(name)
            .or_insert_with(|| HeaderValue::from_static(value));
    }
}

/// A header by the name that exporter-toolkit takes, and the values that it takes; any, where none are listed.
fn known(name: &str) -> Option<(HeaderName, &'static [&'static str])> {
    Some(match name {
        "Strict-Transport-Security" => (header::STRICT_TRANSPORT_SECURITY, &[]),
        "X-Content-Type-Options" => (header::X_CONTENT_TYPE_OPTIONS, &["nosniff"]),
        "X-Frame-Options" => (header::X_FRAME_OPTIONS, &["deny", "sameorigin"]),
        "X-XSS-Protection" => (header::X_XSS_PROTECTION, &[]),
        "Content-Security-Policy" => (header::CONTENT_SECURITY_POLICY, &[]),
        _ => return None,
    })
}

const NAMES: [&str; 5] = [
    "Strict-Transport-Security",
    "X-Content-Type-Options",
    "X-Frame-Options",
    "X-XSS-Protection",
    "Content-Security-Policy",
];

const USUAL: [(HeaderName, &str); 5] = [
    // Text that somebody's tag is in stays text.
    (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
    (header::X_FRAME_OPTIONS, "DENY"),
    // The page for people has a policy of its own; all else is no document.
    (
        header::CONTENT_SECURITY_POLICY,
        "default-src 'none'; frame-ancestors 'none'",
    ),
    (header::REFERRER_POLICY, "no-referrer"),
    // What is told is of now, and not for a disk.
    (header::CACHE_CONTROL, "no-store"),
];
