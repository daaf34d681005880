//! A key on loan, as processes, containers and instances hand it out: one JSON object. Pure: bytes in, a key out.

use jiff::Timestamp;
use secrecy::{SecretString, zeroize::Zeroizing};
use serde::Deserialize;

use super::{
    Credentials,
    format::{may_be_in_a_key, wiped},
};

/// A key, and until when it is good.
#[derive(Debug, Clone)]
pub struct Lease {
    /// The key.
    pub credentials: Credentials,
    /// When it runs out, if it does.
    pub expires: Option<Timestamp>,
}

/// Who handed the object out, which tells how it is spelled.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// A `credential_process`: version 1, `SessionToken`, and perhaps no end.
    Process,
    /// A container's endpoint or an instance's metadata: `Token`, and always an end.
    Service,
}

/// Why the bytes hold no key. No variant has room for a value that could be secret.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NoLease {
    /// Not a JSON object, or one that holds something else than text for a key.
    #[error("is no JSON object with a key in it (line {line}, column {column})")]
    Malformed {
        /// Where the parser stopped.
        line: usize,
        /// Where the parser stopped.
        column: usize,
    },
    /// Another version of the contract.
    #[error("has no `\"Version\": 1`")]
    Version,
    /// An error in place of a key.
    #[error("says {}", .code.as_deref().unwrap_or("an error, by a code that is no word"))]
    Refused {
        /// The code, if it is a word. Who wrote the message may have written a secret into it.
        code: Option<String>,
    },
    /// A part of the key is not there.
    #[error("has no `{key}`")]
    Missing {
        /// The part.
        key: &'static str,
    },
    /// A part of the key holds what no key does.
    #[error("has a `{key}` with a space, a control character or a letter that no key has")]
    Characters {
        /// The part.
        key: &'static str,
    },
    /// The end is no time.
    #[error("has an `Expiration` that is no time such as 2030-01-01T00:00:00Z")]
    Expiration,
}

impl Lease {
    /// The key in one JSON object. Whether it is still good is for a clock to say.
    pub fn parse(bytes: &[u8], form: Form) -> Result<Self, NoLease> {
        // The parser's own words may repeat a value it did not expect: only the place is kept.
        let document: Document = serde_json::from_slice(bytes).map_err(|error| NoLease::Malformed {
            line: error.line(),
            column: error.column(),
        })?;
        if form == Form::Process && document.version != Some(Version::Number(1)) {
            return Err(NoLease::Version);
        }
        let code = document.code.filter(|code| code != "Success");
        if let (Some(code), None) = (code, &document.id) {
            return Err(NoLease::Refused {
                code: is_a_word(&code).then_some(code),
            });
        }
        let token_name = match form {
            Form::Process => "SessionToken",
            Form::Service => "Token",
        };
        let token = match form {
            Form::Process => document.session_token,
            Form::Service => document.token,
        };
        let expires = document
            .expiration
            .map(|text| text.parse::<Timestamp>().map_err(|_| NoLease::Expiration))
            .transpose()?;
        if form == Form::Service && expires.is_none() {
            return Err(NoLease::Missing { key: "Expiration" });
        }
        let token = match (token, form) {
            (None, Form::Process) => None,
            (token, _) => Some(part(token, token_name)?),
        };
        Ok(Self {
            credentials: Credentials {
                access_key_id: part(document.id, "AccessKeyId")?.to_string(),
                secret_access_key: SecretString::from(part(document.secret, "SecretAccessKey")?.as_str()),
                session_token: token.map(|token| SecretString::from(token.as_str())),
            },
            expires,
        })
    }
}

fn part(value: Option<Zeroizing<String>>, key: &'static str) -> Result<Zeroizing<String>, NoLease> {
    let value = value
        .filter(|value| !value.is_empty())
        .ok_or(NoLease::Missing { key })?;
    if !may_be_in_a_key(&value) {
        return Err(NoLease::Characters { key });
    }
    Ok(value)
}

/// Whether it may be the code of an error, such as `AssumeRoleUnauthorizedAccess`: keys and tokens have digits.
fn is_a_word(code: &str) -> bool {
    code.len() <= LONGEST_CODE
        && code
            .bytes()
            .all(|byte| byte.is_ascii_alphabetic() || byte == b'.')
}

#[derive(Deserialize)]
struct Document {
    #[serde(rename = "Version")]
    version: Option<Version>,
    #[serde(rename = "AccessKeyId", default, deserialize_with = "wiped")]
    id: Option<Zeroizing<String>>,
    #[serde(rename = "SecretAccessKey", default, deserialize_with = "wiped")]
    secret: Option<Zeroizing<String>>,
    #[serde(rename = "SessionToken", default, deserialize_with = "wiped")]
    session_token: Option<Zeroizing<String>>,
    #[serde(rename = "Token", default, deserialize_with = "wiped")]
    token: Option<Zeroizing<String>>,
    #[serde(rename = "Expiration")]
    expiration: Option<String>,
    #[serde(rename = "Code", alias = "code")]
    code: Option<String>,
}

#[derive(PartialEq, Deserialize)]
#[serde(untagged)]
enum Version {
    Number(u64),
    Other(serde::de::IgnoredAny),
}

/// AWS' longest codes have about fifty letters.
const LONGEST_CODE: usize = 64;

#[cfg(test)]
mod tests {
    use secrecy::ExposeSecret as _;

    use super::*;

    fn parse(text: &str, form: Form) -> String {
        match Lease::parse(text.as_bytes(), form) {
            Ok(Lease { credentials, expires }) => format!(
                "{} {} {} {}",
                credentials.access_key_id,
                credentials.secret_access_key.expose_secret(),
                credentials
                    .session_token
                    .map_or_else(|| "-".to_owned(), |token| token.expose_secret().to_owned()),
                expires.map_or_else(|| "-".to_owned(), |expires| expires.to_string()),
            ),
            Err(fault) => {
                assert!(!format!("{fault} {fault:?}").contains("canary"), "{fault:?}");
                fault.to_string()
            }
        }
    }

    #[test]
    fn process_may_lend_for_ever_and_a_service_may_not() {
        let id = r#""AccessKeyId": "A", "SecretAccessKey": "canary""#;
        let cases = [
            (format!(r#"{{"Version": 1, {id}}}"#), "A canary - -"),
            (
                format!(
                    r#"{{"Version": 1, {id}, "SessionToken": "t", "Expiration": "2030-01-01T02:00:00+01:00"}}"#
                ),
                "A canary t 2030-01-01T01:00:00Z",
            ),
            (format!(r#"{{"Version": 2, {id}}}"#), "has no `\"Version\": 1`"),
            (format!(r#"{{"Version": "1", {id}}}"#), "has no `\"Version\": 1`"),
            (format!("{{{id}}}"), "has no `\"Version\": 1`"),
            (
                format!(r#"{{"Version": 1, {id}, "Expiration": "soon"}}"#),
                "has an `Expiration` that is no time such as 2030-01-01T00:00:00Z",
            ),
            (
                r#"{"Version": 1, "AccessKeyId": "A"}"#.to_owned(),
                "has no `SecretAccessKey`",
            ),
            (
                r#"{"Version": 1, "AccessKeyId": "A", "SecretAccessKey": "canary x"}"#.to_owned(),
                "has a `SecretAccessKey` with a space, a control character or a letter that no key has",
            ),
        ];
        for (text, expected) in cases {
            assert_eq!(parse(&text, Form::Process), expected, "{text}");
        }
        let service =
            format!(r#"{{"Code": "Success", {id}, "Token": "t", "Expiration": "2031-01-01T00:00:00Z"}}"#);
        assert_eq!(parse(&service, Form::Service), "A canary t 2031-01-01T00:00:00Z");
        assert_eq!(parse(&format!("{{{id}}}"), Form::Service), "has no `Expiration`");
    }

    #[test]
    fn success_that_holds_an_error_is_none() {
        for (told, expected) in [
            (
                r#"{"Code": "AssumeRoleUnauthorizedAccess", "Message": "canary"}"#,
                "says AssumeRoleUnauthorizedAccess",
            ),
            (
                r#"{"code": "UnauthorizedException", "message": "canary"}"#,
                "says UnauthorizedException",
            ),
            (
                r#"{"Code": "canary1", "SecretAccessKey": "canary1"}"#,
                "says an error, by a code that is no word",
            ),
        ] {
            assert_eq!(parse(told, Form::Service), expected);
            let by_a_process = told.replace('{', r#"{"Version": 1, "#);
            assert_eq!(parse(&by_a_process, Form::Process), expected);
        }
    }

    #[test]
    fn garbage_is_told_by_its_place_alone() {
        for text in [
            "",
            "canary",
            "[\"canary\"]",
            "{\"AccessKeyId\": [\"canary\"]}",
            "{\"AccessKeyId\": \"canary",
        ] {
            let told = parse(text, Form::Process);
            assert!(told.starts_with("is no JSON object"), "{told}");
        }
    }
}
