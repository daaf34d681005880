//! A web configuration file as written, in exporter-toolkit's format.

use std::time::Duration;

use secrecy::SecretString;

use super::yaml::{self, Read, Table};

/// The whole file.
pub(super) struct Written {
    /// `tls_server_config`, where anything is written in it.
    pub(super) tls: Option<WrittenTls>,
    /// `http_server_config.headers`
    pub(super) headers: Vec<(String, String)>,
    /// `basic_auth_users`: names and hashes.
    pub(super) users: Vec<(String, SecretString)>,
    /// `rate_limit`
    pub(super) rate: Option<Rate>,
    /// What may be meant otherwise than it is written.
    pub(super) doubtful: Vec<String>,
}

/// `tls_server_config`
#[derive(Default)]
pub(super) struct WrittenTls {
    pub(super) cert: Option<String>,
    pub(super) key: Option<SecretString>,
    pub(super) client_ca: Option<String>,
    pub(super) cert_file: Option<String>,
    pub(super) key_file: Option<String>,
    pub(super) client_auth_type: Option<String>,
    pub(super) client_ca_file: Option<String>,
    pub(super) client_allowed_sans: Option<Vec<String>>,
    pub(super) cipher_suites: Vec<String>,
    pub(super) curve_preferences: Vec<String>,
    pub(super) min_version: Option<String>,
    pub(super) max_version: Option<String>,
}

/// At most `burst` requests at once, and from then on one an `interval`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Rate {
    pub(super) interval: Duration,
    pub(super) burst: u32,
}

/// The file's text as what it says.
pub(super) fn read(text: &str) -> Read<Written> {
    let mut file = yaml::document(text)?;
    // Whoever writes anything there means TLS, and exporter-toolkit speaks none without some of the keys.
    let tls = file.table("tls_server_config")?;
    let tls = (!tls.is_empty()).then(|| self::tls(tls)).transpose()?;
    let mut http = file.table("http_server_config")?;
    // There is HTTP/1.1 alone, whatever is said here.
    http.boolean("http2")?;
    let headers = http.table("headers")?.every_text()?;
    http.end(&["http2", "headers"])?;
    let users = file.table("basic_auth_users")?.every_text::<SecretString>()?;
    let mut doubtful = Vec::new();
    let rate = rate(file.table("rate_limit")?, &mut doubtful)?;
    file.end(&[
        "tls_server_config",
        "http_server_config",
        "basic_auth_users",
        "rate_limit",
    ])?;
    Ok(Written {
        tls,
        headers,
        users,
        rate,
        doubtful,
    })
}

fn tls(mut table: Table) -> Read<WrittenTls> {
    let written = WrittenTls {
        cert: table.text("cert")?,
        key: table.text("key")?.map(SecretString::from),
        client_ca: table.text("client_ca")?,
        cert_file: table.text("cert_file")?,
        key_file: table.text("key_file")?,
        client_auth_type: table.text("client_auth_type")?,
        client_ca_file: table.text("client_ca_file")?,
        client_allowed_sans: table.texts("client_allowed_sans")?,
        cipher_suites: table.texts("cipher_suites")?.unwrap_or_default(),
        curve_preferences: table.texts("curve_preferences")?.unwrap_or_default(),
        min_version: table.text("min_version")?,
        max_version: table.text("max_version")?,
    };
    // Of no effect in exporter-toolkit either.
    table.boolean("prefer_server_cipher_suites")?;
    table.end(&[
        "cert",
        "key",
        "client_ca",
        "cert_file",
        "key_file",
        "client_auth_type",
        "client_ca_file",
        "client_allowed_sans",
        "cipher_suites",
        "prefer_server_cipher_suites",
        "curve_preferences",
        "min_version",
        "max_version",
    ])?;
    Ok(written)
}

fn rate(mut table: Table, doubtful: &mut Vec<String>) -> Read<Option<Rate>> {
    let written = table.text("interval")?;
    let is_bare = written.as_ref().is_some_and(|text| text.parse::<u64>().is_ok());
    let interval = match written {
        Some(text) => duration(&text).ok_or_else(|| {
            format!(
                "`{}` is no duration: write it as in \"100ms\"",
                table.path("interval")
            )
        })?,
        None => Duration::ZERO,
    };
    let burst = match table.text("burst")? {
        Some(text) => whole_number(&text).ok_or_else(|| {
            format!(
                "`{}` is no whole number: write it in digits, as in 20",
                table.path("burst")
            )
        })?,
        None => 0,
    };
    table.end(&["interval", "burst"])?;
    if interval.is_zero() {
        return Ok(None);
    }
    // exporter-toolkit would answer no request at all.
    if burst == 0 {
        return Err(
            "`rate_limit.burst` is missing or 0, so that no request would be answered: write 1 or more"
                .to_owned(),
        );
    }
    if is_bare {
        doubtful.push(format!(
            "`rate_limit.interval` has no unit and is in nanoseconds, as with Go ({interval:?}): write one, as in `100ms`"
        ));
    }
    Ok(Some(Rate { interval, burst }))
}

/// What is written in digits; YAML would take some with a 0 ahead for octal.
fn whole_number(text: &str) -> Option<u32> {
    let is_plain = text == "0" || text.starts_with(|first: char| ('1'..='9').contains(&first));
    text.parse().ok().filter(|_| is_plain)
}

/// A duration as Go writes it: `1h30m`, `1.5s`; a bare number is in nanoseconds.
fn duration(text: &str) -> Option<Duration> {
    if let Ok(nanoseconds) = text.parse::<u64>() {
        return Some(Duration::from_nanos(nanoseconds));
    }
    let mut rest = text;
    let mut total = Duration::ZERO;
    while !rest.is_empty() {
        let number = rest.find(|character: char| !character.is_ascii_digit() && character != '.')?;
        let (number, after) = rest.split_at_checked(number)?;
        let unit = after
            .find(|character: char| character.is_ascii_digit() || character == '.')
            .unwrap_or(after.len());
        let (unit, after) = after.split_at_checked(unit)?;
        let seconds = match unit {
            "ns" => 1e-9,
            "us" | "µs" | "μs" => 1e-6,
            "ms" => 1e-3,
            "s" => 1.0,
            "m" => 60.0,
            "h" => 3600.0,
            _ => return None,
        };
        let part = Duration::try_from_secs_f64(number.parse::<f64>().ok()? * seconds).ok()?;
        total = total.checked_add(part)?;
        rest = after;
    }
    Some(total)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_those_of_go() {
        for (text, expected) in [
            ("1s", Some(Duration::from_secs(1))),
            ("1h30m", Some(Duration::from_secs(5400))),
            ("1.5s", Some(Duration::from_millis(1500))),
            ("100ms", Some(Duration::from_millis(100))),
            ("1000000", Some(Duration::from_millis(1))),
            ("1", Some(Duration::from_nanos(1))),
            ("1x", None),
            ("s", None),
            ("-1s", None),
            ("99999999999999999999h", None),
        ] {
            assert_eq!(duration(text), expected, "{text}");
        }
    }

    #[test]
    fn what_exporter_toolkit_refuses_is_refused_without_its_value() {
        for (text, told) in [
            ("unknown: SecretEXAMPLE", "unknown key `unknown`"),
            ("SecretEXAMPLE", "is no table"),
            ("a: b: SecretEXAMPLE", "is not valid YAML (line 1"),
            (
                "basic_auth_users: SecretEXAMPLE",
                "`basic_auth_users` is no table",
            ),
            ("basic_auth_users: {a: [SecretEXAMPLE]}", "no text"),
            (
                "basic_auth_users: {}\nbasic_auth_users: {}",
                "names `basic_auth_users` twice",
            ),
            ("basic_auth_users: {~: SecretEXAMPLE}", "no text"),
            ("basic_auth_users: {a: !!binary SecretEXAMPLE}", "no text"),
            ("a: &a {b: c}\nbasic_auth_users: {<<: *a}", "no text"),
            (
                "tls_server_config: {certfile: SecretEXAMPLE}",
                "`tls_server_config.certfile`",
            ),
            (
                "tls_server_config: {cert_file: [SecretEXAMPLE]}",
                "`tls_server_config.cert_file`",
            ),
            (
                "http_server_config: {http2: SecretEXAMPLE}",
                "neither true nor false",
            ),
            (
                "http_server_config: {http3: SecretEXAMPLE}",
                "`http_server_config.http3`",
            ),
            ("rate_limit: {interval: SecretEXAMPLE, burst: 1}", "no duration"),
            ("rate_limit: {interval: 1s}", "burst"),
            ("rate_limit: {interval: 1s, burst: 010}", "no whole number"),
            ("rate_limit: {interval: 1s, burst: 0x2}", "no whole number"),
            ("rate_limit: {interval: 1s, burst: +2}", "no whole number"),
            ("rate_limit: {interval: 1s, burst: 0}", "missing or 0"),
            ("basic_auth_users: {[a]: SecretEXAMPLE}", "no text"),
            ("a: 1\n---\nb: 1", "more than one document"),
            (
                "basic_auth_users:\n  prometheus:SecretEXAMPLE\n",
                "write `prometheus: …`, with a space after the colon",
            ),
            (
                "basic_auth_users:\n  $2y$10$SecretEXAMPLE:prometheus\n",
                "write keys",
            ),
            ("rate_limit:interval", "write keys such as"),
            (
                "tls_server_config: {client_allowed_sans: SecretEXAMPLE}",
                "no list of texts",
            ),
            ("# \u{0}SecretEXAMPLE", "a control character"),
        ] {
            let refused = read(text).err().unwrap_or_default();
            assert!(refused.contains(told), "{text}: {refused}");
            assert!(!refused.contains("SecretEXAMPLE"), "{refused}");
        }
    }

    #[test]
    fn bare_number_of_an_interval_is_doubtful_and_one_with_a_unit_is_not() {
        for (interval, expected) in [("1", 1), ("1ns", 0), ("100ms", 0), ("0", 0)] {
            let written = read(&format!("rate_limit: {{interval: {interval}, burst: 1}}")).unwrap();
            assert_eq!(written.doubtful.len(), expected, "{interval}");
        }
    }

    #[test]
    fn what_yaml_would_read_as_a_number_or_a_truth_value_is_as_it_is_written() {
        let written = read(
            "basic_auth_users: {007: a, 'True': b, yes: c, False: d}\n\
             http_server_config: {headers: {X-XSS-Protection: 010}, http2: True}\n\
             tls_server_config: {cert_file: 0x10, key_file: 1.50}",
        )
        .unwrap();
        let names: Vec<_> = written.users.iter().map(|(name, _)| name.as_str()).collect();
        assert_eq!(names, ["007", "True", "yes", "False"]);
        assert_eq!(written.headers[0].1, "010");
        let tls = written.tls.unwrap();
        assert_eq!(
            (tls.cert_file.as_deref(), tls.key_file.as_deref()),
            (Some("0x10"), Some("1.50"))
        );
    }

    #[test]
    fn empty_file_asks_for_nothing() {
        for text in [
            "",
            "# nothing\n",
            "---\n",
            "tls_server_config:\nbasic_auth_users:\n",
            "{}",
            "\u{feff}",
        ] {
            let written = read(text).unwrap();
            assert!(written.tls.is_none() && written.users.is_empty() && written.rate.is_none());
        }
    }
}
