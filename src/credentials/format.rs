//! The key in the text of a credentials file, in whichever of three formats. Pure: bytes in, a key or a fault out.

use std::{fmt, marker::PhantomData, str};

use secrecy::{SecretString, zeroize::Zeroizing};
use serde::{
    Deserialize,
    de::{DeserializeOwned, DeserializeSeed, Deserializer, IgnoredAny, MapAccess, Visitor},
};

use super::{Credentials, Fault, chain::DEFAULT_PROFILE};

/// The profile to read.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Profile<'a> {
    pub(crate) name: &'a str,
    /// Asked for by the account's settings, not a default.
    pub(crate) named: bool,
    /// How the file names it.
    pub(crate) headers: Headers,
}

/// How the headers of a file's sections name profiles.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Headers {
    /// `[prod]`, as in `~/.aws/credentials`.
    Bare,
    /// `[default]` and `[profile prod]`, as in `~/.aws/config`; other sections are something else.
    Prefixed,
}

impl Headers {
    /// The profile of a section.
    pub(crate) fn profile(self, header: &str) -> Option<&str> {
        if self == Self::Bare || header == DEFAULT_PROFILE {
            return Some(header);
        }
        let (prefix, name) = header.split_once(char::is_whitespace)?;
        let name = name.trim();
        let unquoted = ['"', '\'']
            .into_iter()
            .find_map(|quote| name.strip_prefix(quote)?.strip_suffix(quote));
        (prefix == "profile").then(|| unquoted.unwrap_or(name))
    }
}

/// The key that a file of these bytes holds for a profile.
pub(crate) fn parse(bytes: &[u8], profile: Profile<'_>) -> Result<Credentials, Fault> {
    let text = str::from_utf8(bytes).map_err(|_| Fault::Binary)?;
    if text.contains('\0') {
        return Err(Fault::Binary);
    }
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    if text.trim().is_empty() {
        return Err(Fault::Empty);
    }
    if text.trim_start().starts_with('{') {
        parse_json(text, profile)
    } else {
        parse_lines(text, profile)
    }
}

/// Whether a key can hold this: a header has room for nothing else.
pub(crate) fn may_be_in_a_key(value: &str) -> bool {
    // Quotes are what other formats have around a value.
    value
        .bytes()
        .all(|byte| byte.is_ascii_graphic() && !matches!(byte, b'"' | b'\''))
}

/// INI as the AWS tools read it, and the account-key file of 2011, which is `name=value` without sections.
fn parse_lines(text: &str, profile: Profile<'_>) -> Result<Credentials, Fault> {
    let mut profiles = Vec::new();
    let mut wanted = Found::new(&INI, format!("in profile `{}`", profile.name));
    let mut account_key = Found::new(&ACCOUNT_KEY, "in it".to_owned());
    let mut section = None;
    // What the line above set, if it matters here.
    let mut above = None;

    for (number, line) in lines(text) {
        match line.ok_or(Fault::UnknownFormat { line: number })? {
            Line::Section(header) => {
                above = None;
                let Some(name) = profile.headers.profile(header) else {
                    section = Some("");
                    continue;
                };
                if name == profile.name && profiles.contains(&name) {
                    let what = format!("profile `{name}`");
                    return Err(Fault::Twice { what });
                }
                profiles.push(name);
                section = Some(name);
            }
            Line::Entry(key, value) => {
                above = match section {
                    None => {
                        let slot = account_key
                            .slot(&key)
                            .ok_or_else(|| outside_profile(&key, number))?;
                        Some(slot)
                    }
                    Some(name) if name == profile.name => wanted.slot(&key),
                    Some(_) => None,
                };
                if let Some(slot) = above {
                    let found = if section.is_some() {
                        &mut wanted
                    } else {
                        &mut account_key
                    };
                    found.set(slot, value)?;
                }
            }
            Line::More => {
                // A value that goes on in a line below is no key.
                if let Some(slot) = above {
                    let found = if section.is_some() { wanted } else { account_key };
                    return Err(Fault::Characters {
                        key: found.spelling[slot],
                        place: found.place,
                    });
                }
            }
        }
    }

    if account_key.values.iter().any(Option::is_some) {
        if profile.named {
            return Err(Fault::NoProfiles {
                profile: profile.name.to_owned(),
            });
        }
        return account_key.into_credentials();
    }
    if !profiles.contains(&profile.name) {
        return Err(Fault::UnknownProfile {
            profile: profile.name.to_owned(),
            there: profiles.into_iter().map(str::to_owned).collect(),
        });
    }
    wanted.into_credentials()
}

fn outside_profile(key: &str, line: usize) -> Fault {
    match Found::new(&INI, String::new()).slot(key) {
        Some(slot) => Fault::OutsideProfile { key: INI[slot] },
        None => Fault::UnknownFormat { line },
    }
}

/// A line that says something.
pub(crate) enum Line<'a> {
    /// `[name]`
    Section(&'a str),
    /// `key = value`, the key in lower case.
    Entry(String, &'a str),
    /// Goes on with the value above, as nested settings do.
    More,
}

/// The lines that say something, with their numbers; `None` for one that is not understood.
///
/// A reader of our own because the INI crates copy every value into maps that nobody wipes, take quotes and
/// backslashes for syntax (to the AWS tools they are part of a value), and repeat lines in their errors. The rules
/// are those of Python's `configparser`, which the AWS tools use: `=` or `:`, comments on lines of their own, keys
/// in any case, and a line indented deeper than a key goes on with its value.
pub(crate) fn lines(text: &str) -> impl Iterator<Item = (usize, Option<Line<'_>>)> {
    let mut key_depth = None;
    text.lines().enumerate().filter_map(move |(index, line)| {
        let depth = line.len() - line.trim_start().len();
        let line = line.trim();
        if line.is_empty() || line.starts_with(['#', ';']) {
            return None;
        }
        let understood = if key_depth.is_some_and(|key_depth| depth > key_depth) {
            Some(Line::More)
        } else if let Some(header) = line.strip_prefix('[') {
            key_depth = None;
            // The second test keeps JSON and TOML from passing for a profile.
            (header.split_once(']'))
                .map(|(name, _)| name.trim())
                .filter(|name| !name.is_empty() && !name.contains(['{', '[', ',']))
                .filter(|name| Headers::Prefixed.profile(name).is_some() || !name.contains(['"', '\'']))
                .map(Line::Section)
        } else {
            key_depth = Some(depth);
            line.split_once(['=', ':'])
                .filter(|(key, _)| !key.trim().is_empty())
                .map(|(key, value)| Line::Entry(key.trim().to_lowercase(), value))
        };
        Some((index + 1, understood))
    })
}

/// `~/.osc/config.json`: profiles by name, each with far more than a key.
fn parse_json(text: &str, profile: Profile<'_>) -> Result<Credentials, Fault> {
    let wanted: OscProfile = osc_profile(text, profile.name)?;
    let mut found = Found::new(&OSC, format!("in profile `{}`", profile.name));
    found.values[ID] = wanted.access_key.as_deref().map(String::as_str);
    found.values[SECRET] = wanted.secret_key.as_deref().map(String::as_str);
    found.into_credentials()
}

/// What a profile of `~/.osc/config.json` says of `T`.
pub(super) fn osc_profile<T: DeserializeOwned>(text: &str, name: &str) -> Result<T, Fault> {
    let mut json = serde_json::Deserializer::from_str(text);
    let wanted = Profiles {
        wanted: name,
        profile: PhantomData::<T>,
    };
    let (there, wanted) = wanted
        .deserialize(&mut json)
        .and_then(|profiles| json.end().map(|()| profiles))
        .map_err(|error| {
            // The parser's own words may repeat a value it did not expect: only the place is kept.
            if error.is_eof() {
                Fault::Cut
            } else {
                Fault::InvalidJson {
                    line: error.line(),
                    column: error.column(),
                }
            }
        })?;
    wanted.ok_or_else(|| Fault::UnknownProfile {
        profile: name.to_owned(),
        there,
    })
}

#[derive(Deserialize)]
struct OscProfile {
    #[serde(default, deserialize_with = "wiped")]
    access_key: Option<Zeroizing<String>>,
    #[serde(default, deserialize_with = "wiped")]
    secret_key: Option<Zeroizing<String>>,
}

pub(super) fn wiped<'de, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<Option<Zeroizing<String>>, D::Error> {
    Ok(Option::<String>::deserialize(deserializer)?.map(Zeroizing::new))
}

/// Reads the names of all profiles and the content of one; whatever is odd about the others does not matter.
struct Profiles<'a, T> {
    wanted: &'a str,
    profile: PhantomData<T>,
}

impl<'de, T: Deserialize<'de>> DeserializeSeed<'de> for Profiles<'_, T> {
    type Value = (Vec<String>, Option<T>);

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_map(self)
    }
}

impl<'de, T: Deserialize<'de>> Visitor<'de> for Profiles<'_, T> {
    type Value = (Vec<String>, Option<T>);

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("an object of profiles")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut names = Vec::new();
        let mut wanted = None;
        while let Some(name) = map.next_key::<String>()? {
            if name == self.wanted {
                wanted = Some(map.next_value()?);
            } else {
                map.next_value::<IgnoredAny>()?;
            }
            names.push(name);
        }
        Ok((names, wanted))
    }
}

/// How a format spells the access key id, the secret and the session token.
pub(crate) type Spelling = [&'static str; 3];

/// The values of one profile, as they stand in the text.
struct Found<'a> {
    spelling: &'static Spelling,
    place: String,
    values: [Option<&'a str>; 3],
}

impl<'a> Found<'a> {
    fn new(spelling: &'static Spelling, place: String) -> Self {
        Self {
            spelling,
            place,
            values: [None; 3],
        }
    }

    /// Where the value of a key goes, if the key matters.
    fn slot(&self, key: &str) -> Option<usize> {
        let key = if key == TOKEN_ALIAS { INI[TOKEN] } else { key };
        (self.spelling.iter()).position(|spelled| spelled.eq_ignore_ascii_case(key))
    }

    fn set(&mut self, slot: usize, value: &'a str) -> Result<(), Fault> {
        if self.values[slot].replace(value).is_some() {
            let what = format!("`{}` {}", self.spelling[slot], self.place);
            return Err(Fault::Twice { what });
        }
        Ok(())
    }

    fn into_credentials(self) -> Result<Credentials, Fault> {
        let half = |present: usize, missing: usize| {
            Err(Fault::Half {
                present: self.spelling[present],
                missing: self.spelling[missing],
                place: self.place.clone(),
            })
        };
        let [id, secret, token] = [self.value(ID)?, self.value(SECRET)?, self.value(TOKEN)?];
        match (id, secret) {
            (Some(id), Some(secret)) => Ok(Credentials {
                access_key_id: id.to_owned(),
                secret_access_key: SecretString::from(secret),
                session_token: token.map(SecretString::from),
            }),
            (Some(_), None) => half(ID, SECRET),
            (None, Some(_)) => half(SECRET, ID),
            (None, None) => Err(Fault::NoKey {
                place: self.place,
                id: self.spelling[ID],
                secret: self.spelling[SECRET],
            }),
        }
    }

    fn value(&self, slot: usize) -> Result<Option<&'a str>, Fault> {
        let Some(value) = self.values[slot].map(str::trim) else {
            return Ok(None);
        };
        let key = self.spelling[slot];
        let place = || self.place.clone();
        if value.is_empty() {
            return Err(Fault::EmptyValue { key, place: place() });
        }
        if !may_be_in_a_key(value) {
            return Err(Fault::Characters { key, place: place() });
        }
        Ok(Some(value))
    }
}

pub(crate) const ID: usize = 0;
pub(crate) const SECRET: usize = 1;
pub(crate) const TOKEN: usize = 2;

pub(crate) const INI: Spelling = ["aws_access_key_id", "aws_secret_access_key", "aws_session_token"];
/// The older name of the session token, which botocore still reads.
pub(crate) const TOKEN_ALIAS: &str = "aws_security_token";
/// Has no session token: the name here is none that a line could have.
pub(crate) const ACCOUNT_KEY: Spelling = ["AWSAccessKeyId", "AWSSecretKey", ""];
pub(crate) const OSC: Spelling = ["access_key", "secret_key", ""];

#[cfg(test)]
mod tests;
