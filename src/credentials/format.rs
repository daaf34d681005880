//! The key in the text of a credentials file, in whichever of three formats. Pure: bytes in, a key or a fault out.

use std::{fmt, str};

use secrecy::{SecretString, zeroize::Zeroizing};
use serde::{
    Deserialize,
    de::{DeserializeSeed, Deserializer, IgnoredAny, MapAccess, Visitor},
};

use super::{Credentials, Fault};

/// The profile to read.
#[derive(Debug, Clone, Copy)]
pub(super) struct Profile<'a> {
    pub(super) name: &'a str,
    /// Asked for by the account's settings, not a default.
    pub(super) named: bool,
}

/// The key that a file of these bytes holds for a profile.
pub(super) fn parse(bytes: &[u8], profile: Profile<'_>) -> Result<Credentials, Fault> {
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
pub(super) fn may_be_in_a_key(value: &str) -> bool {
    value.bytes().all(|byte| byte.is_ascii_graphic())
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
            Line::Section(name) => {
                if name == profile.name && profiles.contains(&name) {
                    let what = format!("profile `{name}`");
                    return Err(Fault::Twice { what });
                }
                profiles.push(name);
                section = Some(name);
                above = None;
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

enum Line<'a> {
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
fn lines(text: &str) -> impl Iterator<Item = (usize, Option<Line<'_>>)> {
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
                .filter(|name| !name.is_empty() && !name.contains(['{', '"', '\'', '[', ',']))
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
    let mut json = serde_json::Deserializer::from_str(text);
    let (there, wanted) = Profiles { wanted: profile.name }
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
    let Some(wanted) = wanted else {
        return Err(Fault::UnknownProfile {
            profile: profile.name.to_owned(),
            there,
        });
    };
    let mut found = Found::new(&OSC, format!("in profile `{}`", profile.name));
    found.values[ID] = wanted.access_key.as_deref().map(String::as_str);
    found.values[SECRET] = wanted.secret_key.as_deref().map(String::as_str);
    found.into_credentials()
}

#[derive(Deserialize)]
struct OscProfile {
    #[serde(default, deserialize_with = "wiped")]
    access_key: Option<Zeroizing<String>>,
    #[serde(default, deserialize_with = "wiped")]
    secret_key: Option<Zeroizing<String>>,
}

fn wiped<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Zeroizing<String>>, D::Error> {
    Ok(Option::<String>::deserialize(deserializer)?.map(Zeroizing::new))
}

/// Reads the names of all profiles and the content of one; whatever is odd about the others does not matter.
struct Profiles<'a> {
    wanted: &'a str,
}

impl<'de> DeserializeSeed<'de> for Profiles<'_> {
    type Value = (Vec<String>, Option<OscProfile>);

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for Profiles<'_> {
    type Value = (Vec<String>, Option<OscProfile>);

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
type Spelling = [&'static str; 3];

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

const ID: usize = 0;
const SECRET: usize = 1;
const TOKEN: usize = 2;

const INI: Spelling = ["aws_access_key_id", "aws_secret_access_key", "aws_session_token"];
/// The older name of the session token, which botocore still reads.
const TOKEN_ALIAS: &str = "aws_security_token";
/// Has no session token: the name here is none that a line could have.
const ACCOUNT_KEY: Spelling = ["AWSAccessKeyId", "AWSSecretKey", ""];
const OSC: Spelling = ["access_key", "secret_key", ""];

#[cfg(test)]
mod tests {
    use secrecy::ExposeSecret as _;

    use super::*;

    fn parse_default(text: &str) -> Result<Credentials, Fault> {
        parse(
            text.as_bytes(),
            Profile {
                name: "default",
                named: false,
            },
        )
    }

    fn parse_named(text: &str, name: &str) -> Result<Credentials, Fault> {
        parse(text.as_bytes(), Profile { name, named: true })
    }

    /// Access key id, secret, session token; `-` for none.
    fn shown(credentials: Result<Credentials, Fault>) -> String {
        match credentials {
            Ok(credentials) => format!(
                "{} {} {}",
                credentials.access_key_id,
                credentials.secret_access_key.expose_secret(),
                (credentials.session_token.as_ref()).map_or("-", |token| token.expose_secret())
            ),
            Err(fault) => fault.to_string(),
        }
    }

    /// Texts, and what each draws.
    const FAULTS: &[(&str, &str)] = &[
        ("", "is empty: write `[default]`"),
        ("  \n\n", "is empty"),
        ("\0\0", "is not UTF-8 text"),
        (
            "<!DOCTYPE html>\n<html>",
            "is in no known format (see line 1): write `[default]`",
        ),
        ("the quick brown fox", "is in no known format (see line 1)"),
        (
            "Access key ID,Secret access key\nA,canary",
            "is in no known format (see line 1)",
        ),
        ("[{\"canary\": 1}]", "is in no known format (see line 1)"),
        ("= canary", "is in no known format (see line 1)"),
        (
            "[default]\naws_access_key_id = A\ncanary\n",
            "is in no known format (see line 3)",
        ),
        (
            "aws_access_key_id = A\naws_secret_access_key = canary",
            "has `aws_access_key_id` outside any profile: write `[default]` on a line of its own above it",
        ),
        (
            "[default]\naws_access_key_id = A",
            "has `aws_access_key_id` but no `aws_secret_access_key` in profile `default`, perhaps half-written: \
             write both",
        ),
        (
            "[default]\naws_secret_access_key = canary",
            "has `aws_secret_access_key` but no `aws_access_key_id` in profile `default`",
        ),
        (
            "AWSAccessKeyId=A",
            "has `AWSAccessKeyId` but no `AWSSecretKey` in it, perhaps half-written",
        ),
        (
            "[default]\nregion = eu-west-2",
            "has no key in profile `default`: write `aws_access_key_id` and `aws_secret_access_key` there",
        ),
        (
            "[default]\naws_access_key_id = A\naws_secret_access_key =\n",
            "has `aws_secret_access_key` in profile `default` with no value: write the value after it",
        ),
        (
            "[default]\naws_access_key_id = A\naws_secret_access_key = canary canary",
            "has `aws_secret_access_key` in profile `default` with a value that holds a space, a control character",
        ),
        (
            "[default]\naws_access_key_id = A\naws_secret_access_key = canary\n    canary",
            "has `aws_secret_access_key` in profile `default` with a value that holds a space",
        ),
        (
            "[default]\naws_access_key_id = A\u{200b}\naws_secret_access_key = canary",
            "has `aws_access_key_id` in profile `default` with a value that holds",
        ),
        (
            "[default]\naws_secret_access_key = canary\naws_secret_access_key = canary",
            "has `aws_secret_access_key` in profile `default` twice: keep one",
        ),
        (
            "[default]\nregion=a\n[default]\n",
            "has profile `default` twice: keep one",
        ),
        (
            "[prod]\n[staging]\n[canary-that-is-longer-than-any-name]",
            "has no profile `default`: write in `profile` one of those it has, `prod`, `staging`, 1 more",
        ),
        (
            r#"{"prod": {"access_key": "A", "secret_key": "canary"}}"#,
            "has no profile `default`: write in `profile` one of those it has, `prod`",
        ),
        ("{}", "has no profile `default`: write `[default]`"),
        (
            r#"{"default": {"access_key": "A", "secret_key": "cana"#,
            "ends in the middle of its JSON, perhaps half-written",
        ),
        (
            r#"{"default": {"access_key": "A"}}"#,
            "has `access_key` but no `secret_key` in profile `default`",
        ),
        (
            r#"{"default": {"access_key": "A", "secret_key": ["canary"]}}"#,
            "does not read as OUTSCALE's config.json at line 1, column",
        ),
        (
            r#"{"default": "canary"}"#,
            r#"write `{"default": {"access_key": "…", "secret_key": "…"}}`"#,
        ),
        (
            r#"{"default": {"access_key": "A", "secret_key": "canary\n"}, } "#,
            "does not read as",
        ),
    ];

    #[test]
    fn ini_is_read_as_the_aws_tools_read_it() {
        let text = "\u{feff}# a comment\r\n; another\r\n[other]\r\naws_access_key_id=OTHER\r\n\
            [ default ]\r\nAWS_Access_Key_Id =  AKIA1  \r\naws_secret_access_key: a+b/c=d\r\n\
            region = eu-west-2\r\ns3 =\r\n  max_queue_size = 1\r\n  aws_access_key_id = NESTED\r\n\
            aws_security_token=token\r\n";
        assert_eq!(shown(parse_default(text)), "AKIA1 a+b/c=d token");
    }

    #[test]
    fn quotes_and_backslashes_are_part_of_a_value() {
        let text = "[default]\n  aws_access_key_id = \"A\"\n  aws_secret_access_key = a\\nb#c;d\n";
        assert_eq!(shown(parse_default(text)), r#""A" a\nb#c;d -"#);
    }

    #[test]
    fn account_key_file_of_2011_is_read() {
        let text = "# made in 2011\nAWSAccessKeyId = AKIA1\nAWSSecretKey=a=b";
        assert_eq!(shown(parse_default(text)), "AKIA1 a=b -");
        assert_eq!(
            parse_named(text, "prod").unwrap_err(),
            Fault::NoProfiles {
                profile: "prod".to_owned()
            }
        );
    }

    #[test]
    fn osc_config_is_read_whatever_else_it_holds() {
        let text = r#"{
            "default": {"access_key": "AK1", "secret_key": "S1", "region": "eu-west-2", "https": true},
            "escaped": {"access_key": "AK2", "secret_key": "S\/2", "endpoints": {"fcu": "x"}},
            "odd": 7
        }"#;
        assert_eq!(shown(parse_default(text)), "AK1 S1 -");
        assert_eq!(shown(parse_named(text, "escaped")), "AK2 S/2 -");
    }

    #[test]
    fn each_fault_says_what_to_write() {
        for (text, expected) in FAULTS {
            let fault = parse_default(text).map(|_| text).unwrap_err();
            let sentence = fault.to_string();
            assert!(sentence.contains(expected), "{text:?} gave: {sentence}");
            assert!(!sentence.contains("canary"), "{text:?} gave: {sentence}");
            assert!(!format!("{fault:?}").contains("cana\""), "{text:?}");
        }
        assert_eq!(
            parse_default("\u{fffd}").unwrap_err(),
            Fault::UnknownFormat { line: 1 }
        );
        let profile = Profile {
            name: "default",
            named: false,
        };
        assert_eq!(parse(b"\xff\xfe[\0", profile).unwrap_err(), Fault::Binary);
    }
}
