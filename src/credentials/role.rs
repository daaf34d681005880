//! A role to put on, and what AWS lets its parts be.

use std::time::Duration;

use serde::{Serialize, Serializer};

/// A role of AWS, put on with a key that may.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize)]
pub struct Role {
    /// `arn:aws:iam::123456789012:role/name`
    pub arn: String,
    /// What the role's trust policy may ask for of those from other accounts.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub external_id: Option<String>,
    /// How the calls are named in the cloud's records.
    pub session_name: String,
    /// For how long, if not for as long as AWS does by default.
    #[serde(serialize_with = "spelled", skip_serializing_if = "Option::is_none")]
    pub duration: Option<Duration>,
}

/// The ARN of a role, in any partition; the error is the rest of a sentence.
pub fn checked_arn(text: &str) -> Result<String, String> {
    let parts: Vec<&str> = text.splitn(6, ':').collect();
    let good = match parts.as_slice() {
        ["arn", partition, "iam", "", account, resource] => {
            let name = resource.strip_prefix("role/").unwrap_or_default();
            partition.starts_with("aws")
                && partition
                    .bytes()
                    .all(|byte| byte.is_ascii_lowercase() || byte == b'-')
                && account.len() == 12
                && account.bytes().all(|byte| byte.is_ascii_digit())
                && !name.is_empty()
                && !name.ends_with('/')
                && name.bytes().all(|byte| is_word(byte) || byte == b'/')
        }
        _ => false,
    };
    // AWS's own limit of an ARN.
    if !good || text.len() > 2048 {
        return Err("is no ARN of a role: write \"arn:aws:iam::123456789012:role/name\"".to_owned());
    }
    Ok(text.to_owned())
}

/// An external id; the error is the rest of a sentence.
pub fn checked_external_id(text: &str) -> Result<String, String> {
    checked(text, 1224, |byte| is_word(byte) || b":/".contains(&byte))
        .ok_or_else(|| "is no external id: write 2 to 1224 letters, digits and any of _+=,.@:/-".to_owned())
}

/// A session's name; the error is the rest of a sentence.
pub fn checked_session_name(text: &str) -> Result<String, String> {
    checked(text, 64, is_word)
        .ok_or_else(|| "is no session name: write 2 to 64 letters, digits and any of _+=,.@-".to_owned())
}

/// How long a role is worn; the error is the rest of a sentence.
pub fn checked_duration(duration: Duration) -> Result<Duration, String> {
    if !(SHORTEST..=LONGEST).contains(&duration) || duration.subsec_nanos() != 0 {
        return Err("is not from 15 minutes to 12 hours, which is what AWS takes: write \"1h\"".to_owned());
    }
    Ok(duration)
}

fn checked(text: &str, longest: usize, is_good: impl Fn(u8) -> bool) -> Option<String> {
    let good = (2..=longest).contains(&text.len()) && text.bytes().all(is_good);
    good.then(|| text.to_owned())
}

/// What the names of IAM are made of.
fn is_word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"_+=,.@-".contains(&byte)
}

#[expect(clippy::ref_option, reason = "serde hands the field as it is")]
fn spelled<S: Serializer>(duration: &Option<Duration>, serializer: S) -> Result<S::Ok, S::Error> {
    let seconds = duration.unwrap_or_default().as_secs();
    serializer.serialize_str(&format!("{seconds}s"))
}

/// The name of a session when nobody gives it one.
pub const SESSION_NAME: &str = "vigie";

/// The API's own limits of `DurationSeconds`.
const SHORTEST: Duration = Duration::from_secs(900);
const LONGEST: Duration = Duration::from_secs(43_200);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn role_of_any_partition_is_one_and_nothing_else_is() {
        for good in [
            "arn:aws:iam::123456789012:role/watcher",
            "arn:aws-cn:iam::123456789012:role/path/to/watcher",
            "arn:aws-us-gov:iam::123456789012:role/a.b@c-d_e+f=g,h",
            "arn:aws-eusc:iam::123456789012:role/w",
        ] {
            assert_eq!(checked_arn(good).as_deref(), Ok(good));
        }
        for bad in [
            "",
            "watcher",
            "arn:aws:iam::123456789012:user/watcher",
            "arn:aws:iam::123456789012:role/",
            "arn:aws:iam::12345678901:role/watcher",
            "arn:aws:iam:eu-west-1:123456789012:role/watcher",
            "arn:aws:sts::123456789012:assumed-role/watcher/x",
            "arn:evil:iam::123456789012:role/watcher",
            "arn:aws:iam::123456789012:role/wat cher",
            " arn:aws:iam::123456789012:role/watcher",
        ] {
            assert!(checked_arn(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn external_id_and_session_name_are_as_long_as_the_api_takes_them() {
        assert!(checked_external_id("a:/b").is_ok());
        assert!(checked_external_id("a").is_err());
        assert!(checked_external_id(&"x".repeat(1224)).is_ok());
        assert!(checked_external_id(&"x".repeat(1225)).is_err());
        assert!(checked_session_name("vigie@host-1").is_ok());
        assert!(checked_session_name("a/b").is_err());
        assert!(checked_session_name(&"x".repeat(65)).is_err());
        assert!(checked_duration(Duration::from_secs(900)).is_ok());
        assert!(checked_duration(Duration::from_secs(899)).is_err());
        assert!(checked_duration(Duration::from_secs(43_201)).is_err());
    }
}
