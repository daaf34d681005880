//! The values that settings hold, each checked as it is read.

use std::{fmt, marker::PhantomData, path::PathBuf, str::FromStr, time::Duration};

use jiff::fmt::friendly::{SpanParser, SpanPrinter};
use reqwest::Url;
use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error, de::Visitor};

use super::written::EVERY;

/// Where the page is served: a host and a port.
///
/// The host may be a name; it is resolved when the listener is bound, so that `localhost` means what it means then.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(transparent)]
pub struct Address(String);

impl Address {
    /// The address as `host:port`, which tokio's listeners take.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl Default for Address {
    fn default() -> Self {
        Self("127.0.0.1:9980".to_owned())
    }
}

impl fmt::Display for Address {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

/// Text that is no address; the sentence goes on after the name of what held it.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct NoAddress(String);

impl FromStr for Address {
    type Err = NoAddress;

    fn from_str(text: &str) -> Result<Self, NoAddress> {
        Self::parse(text).map_err(NoAddress)
    }
}

/// A value written as text.
pub(super) trait Text: Sized {
    /// What to write, for somebody who wrote another type.
    const EXPECTED: &str;

    /// The value, or the rest of a sentence that starts with the key.
    fn parse(text: &str) -> Result<Self, String>;

    /// The same for a number, where that deserves its own words.
    fn refuse_number(_number: &dyn fmt::Display) -> Option<String> {
        None
    }
}

/// A value written as text, and nothing else.
#[derive(Debug, Clone)]
pub(super) struct Written<T>(pub(super) T);

impl<'de, T: Text> Deserialize<'de> for Written<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_str(TextVisitor(PhantomData))
    }
}

struct TextVisitor<T>(PhantomData<T>);

impl<T: Text> Visitor<'_> for TextVisitor<T> {
    type Value = Written<T>;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(T::EXPECTED)
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Written<T>, E> {
        T::parse(text).map(Written).map_err(E::custom)
    }

    fn visit_i64<E: Error>(self, number: i64) -> Result<Written<T>, E> {
        Err(match T::refuse_number(&number) {
            Some(sentence) => E::custom(sentence),
            None => E::invalid_type(serde::de::Unexpected::Signed(number), &self),
        })
    }

    fn visit_f64<E: Error>(self, number: f64) -> Result<Written<T>, E> {
        Err(match T::refuse_number(&number) {
            Some(sentence) => E::custom(sentence),
            None => E::invalid_type(serde::de::Unexpected::Float(number), &self),
        })
    }
}

impl Text for Address {
    const EXPECTED: &str = "a host and a port, such as \"127.0.0.1:9980\"";

    fn parse(text: &str) -> Result<Self, String> {
        let refused = |why: &str| {
            Err(format!(
                "is {:?}, {why}: write {}",
                shortened(text),
                Self::EXPECTED
            ))
        };
        let Some((host, port)) = text.rsplit_once(':') else {
            return refused("without a port");
        };
        if host.is_empty() {
            return refused("without a host (\"0.0.0.0\" is every address of the machine)");
        }
        if port.parse::<u16>().is_err() || port.starts_with('+') {
            return refused("whose port is no number up to 65535");
        }
        let bracketed = host.strip_prefix('[').and_then(|host| host.strip_suffix(']'));
        let good = match bracketed {
            Some(address) => address.parse::<std::net::Ipv6Addr>().is_ok(),
            None => host
                .bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || b".-_".contains(&byte)),
        };
        if !good {
            return refused("whose host is none (an IPv6 address goes in brackets)");
        }
        Ok(Self(text.to_owned()))
    }
}

impl Text for Duration {
    const EXPECTED: &str = "a duration such as \"60s\" or \"5m\"";

    fn parse(text: &str) -> Result<Self, String> {
        if text.trim().parse::<f64>().is_ok() {
            return Err(without_unit(&text.trim()));
        }
        SpanParser::new().parse_unsigned_duration(text).map_err(|_| {
            format!(
                "is {:?}, which is no duration: write it in h, m, s and ms, such as \"60s\" or \"1m30s\"",
                shortened(text)
            )
        })
    }

    fn refuse_number(number: &dyn fmt::Display) -> Option<String> {
        Some(without_unit(number))
    }
}

/// A duration as settings have it: `60s`, `1h 30m`. The error is the rest of a sentence.
pub fn parse_duration(text: &str) -> Result<Duration, String> {
    Duration::parse(text)
}

fn without_unit(number: &dyn fmt::Display) -> String {
    format!("is the number {number}, without a unit: write \"{number}s\"")
}

/// A duration as settings spell it: `1m 30s`.
pub(super) fn spelled(duration: Duration) -> String {
    SpanPrinter::new().unsigned_duration_to_string(&duration)
}

pub(super) fn serialize_duration<S: Serializer>(
    duration: &Duration,
    serializer: S,
) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(&spelled(*duration))
}

#[expect(clippy::ref_option, reason = "serde hands the field as it is")]
pub(super) fn serialize_optional_duration<S: Serializer>(
    duration: &Option<Duration>,
    serializer: S,
) -> Result<S::Ok, S::Error> {
    duration.map(spelled).serialize(serializer)
}

/// An account's name: a label value that people type in queries.
#[derive(Debug, Clone)]
pub(super) struct Name(pub(super) String);

impl Text for Name {
    const EXPECTED: &str = "a name in quotes, such as \"prod\"";

    fn parse(text: &str) -> Result<Self, String> {
        line(text, Self::EXPECTED).map(Self)
    }
}

/// A region. Never checked against a list, which would be out of date; but it goes into host names.
#[derive(Debug, Clone)]
struct Region(String);

impl Text for Region {
    const EXPECTED: &str = "a region, such as \"eu-west-2\"";

    fn parse(text: &str) -> Result<Self, String> {
        let good = !text.is_empty()
            && text.len() <= 63
            && !text.starts_with('-')
            && !text.ends_with('-')
            && (text.bytes()).all(|byte| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'-'));
        if !good {
            return Err(format!(
                "is {:?}, which is no region: write small letters, digits and hyphens, as in \"eu-west-2\"",
                shortened(text)
            ));
        }
        Ok(Self(text.to_owned()))
    }
}

/// A region, or `*` for every one.
#[derive(Debug, Clone)]
pub(super) struct RegionOrEvery(pub(super) String);

impl Text for RegionOrEvery {
    const EXPECTED: &str = Region::EXPECTED;

    fn parse(text: &str) -> Result<Self, String> {
        if text == EVERY {
            return Ok(Self(text.to_owned()));
        }
        Region::parse(text).map(|Region(name)| Self(name))
    }
}

/// The name of a profile in a credentials file.
#[derive(Debug, Clone)]
pub(super) struct ProfileName(pub(super) String);

impl Text for ProfileName {
    const EXPECTED: &str = "the name of a profile in the credentials file, such as \"default\"";

    fn parse(text: &str) -> Result<Self, String> {
        line(text, Self::EXPECTED).map(Self)
    }
}

/// The name of a kind; whether there is such a kind is for the registry to say.
#[derive(Debug, Clone)]
pub(super) struct KindName(pub(super) String);

impl Text for KindName {
    const EXPECTED: &str = "the name of a kind, such as \"instances\"";

    fn parse(text: &str) -> Result<Self, String> {
        Ok(Self(text.to_owned()))
    }
}

/// The name of an instance tag.
#[derive(Debug, Clone)]
pub(super) struct TagName(pub(super) String);

impl Text for TagName {
    const EXPECTED: &str = "the name of a tag, such as \"env\"";

    fn parse(text: &str) -> Result<Self, String> {
        if text.is_empty() {
            return Err(format!("is empty: write {}", Self::EXPECTED));
        }
        Ok(Self(text.to_owned()))
    }
}

/// A path; what it is relative to is for the loader to say.
#[derive(Debug, Clone)]
pub(super) struct FilePath(pub(super) PathBuf);

impl Text for FilePath {
    const EXPECTED: &str = "a path in quotes";

    fn parse(text: &str) -> Result<Self, String> {
        let text = line(text, Self::EXPECTED)?;
        if text.starts_with('~') {
            return Err("starts with `~`, which only a shell understands: write the whole path".to_owned());
        }
        Ok(Self(text.into()))
    }
}

impl Text for Url {
    const EXPECTED: &str = "a URL such as \"https://fcu.eu-west-2.outscale.com\"";

    // Never repeats the URL: it may hold a password.
    fn parse(text: &str) -> Result<Self, String> {
        let refused = |why: &str| Err(format!("{why}: write {}", Self::EXPECTED));
        let lower = text.to_ascii_lowercase();
        if !lower.starts_with("http://") && !lower.starts_with("https://") {
            return refused("does not start with http:// or https://");
        }
        // The parser would quietly drop or turn these.
        if text.contains(|character: char| {
            character.is_whitespace() || character.is_control() || character == '\\'
        }) {
            return refused("is a URL with a space, a control character or a backslash in it");
        }
        let url = match text.parse::<Self>() {
            Ok(url) => url,
            Err(error) => return refused(&format!("is no valid URL ({error})")),
        };
        if !url.username().is_empty() || url.password().is_some() || text.contains('@') {
            return refused("is a URL with a user or a password in it; keys come from `credentials_file`");
        }
        if url.query().is_some() || url.fragment().is_some() {
            return refused("is a URL with a query or a fragment, where only a host and a path belong");
        }
        Ok(url)
    }
}

/// A service's name in the scope of a signature.
#[derive(Debug, Clone)]
pub(super) struct SigningName(pub(super) String);

impl Text for SigningName {
    const EXPECTED: &str = "a signing name, such as \"ec2\"";

    fn parse(text: &str) -> Result<Self, String> {
        let good = (text.bytes()).all(|byte| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte));
        if text.is_empty() || !good {
            return Err(format!("is {:?}: write {}", shortened(text), Self::EXPECTED));
        }
        Ok(Self(text.to_owned()))
    }
}

/// Requests a second.
#[derive(Debug, Clone, Copy)]
pub(super) struct Rate(pub(super) f64);

impl<'de> Deserialize<'de> for Rate {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_f64(RateVisitor)
    }
}

struct RateVisitor;

impl Visitor<'_> for RateVisitor {
    type Value = Rate;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("a number such as 5")
    }

    fn visit_i64<E: Error>(self, number: i64) -> Result<Rate, E> {
        self.visit_f64(number as f64)
    }

    fn visit_u64<E: Error>(self, number: u64) -> Result<Rate, E> {
        self.visit_f64(number as f64)
    }

    fn visit_f64<E: Error>(self, number: f64) -> Result<Rate, E> {
        // A NaN is in no range.
        if !(FEWEST_REQUESTS..=MOST_REQUESTS).contains(&number) {
            return Err(E::custom(format!(
                "is {number}: write a number from {FEWEST_REQUESTS} to {MOST_REQUESTS}, such as 5"
            )));
        }
        Ok(Rate(number))
    }
}

/// A value for an error: not all of it, if somebody put a file in there.
pub(super) fn shortened(text: &str) -> String {
    match text.char_indices().nth(40) {
        Some((end, _)) => format!("{}…", text.get(..end).unwrap_or_default()),
        None => text.to_owned(),
    }
}

/// One line of text with something on it and no space around it.
pub(super) fn line(text: &str, expected: &str) -> Result<String, String> {
    if text.trim().is_empty() {
        return Err(format!("is empty: write {expected}"));
    }
    if text != text.trim() || text.contains(char::is_control) {
        return Err(format!(
            "is {:?}, with a space around it or a control character in it: write {expected}",
            shortened(text)
        ));
    }
    Ok(text.to_owned())
}

const MOST_REQUESTS: f64 = 1000.0;

/// One in a hundred seconds: with fewer, no listing ends before it is too old.
const FEWEST_REQUESTS: f64 = 0.01;
