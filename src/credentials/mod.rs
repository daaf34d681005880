//! Where keys come from: the environment, files and programs, read again when they change, and who else hands them
//! out. Nothing here speaks to a cloud.

mod aws;
pub mod certificate;
pub(crate) mod chain;
mod error;
mod fault;
mod file;
pub(crate) mod format;
mod lease;
mod process;
mod profiles;
mod remote;
pub mod role;
mod source;

use std::{env, ffi::OsString, fmt, path::Path, sync::Arc};

use secrecy::SecretString;

pub use certificate::{BadCertificate, ClientCertificate};
pub use error::{Error, Fault};
pub use fault::{EndpointFault, ProcessFault, ProfileFault, TokenFault};
pub use file::{Readable, Stamp};
pub use lease::{Form, Lease, NoLease};
pub use process::Process;
pub use remote::{Base, Container, Metadata, Remote, WebIdentity};
pub use role::Role;
pub use source::{Current, Found, Marks, Source};

/// The environment, as a function so that tests need not change the process's own.
pub type Variables = Arc<dyn Fn(&str) -> Option<String> + Send + Sync>;

/// A file with a secret in it, when others can read or change it, as far as that can be told: whoever reads it says what is wrong
/// with it.
pub(crate) fn readable(what: &'static str, path: &Path) -> Option<Readable> {
    Stamp::of(path, what).ok()?.readable(path)
}

/// The environment of this process.
///
/// Bytes that are not UTF-8 become U+FFFD, which no key may hold: refused by name later, not overlooked here.
pub fn process_variables() -> Variables {
    // Without another copy, which nobody would wipe.
    let text = |value: OsString| {
        value
            .into_string()
            .unwrap_or_else(|odd| odd.to_string_lossy().into_owned())
    };
    Arc::new(move |name| env::var_os(name).map(text))
}

/// The key in the bytes of a credentials file, whichever of the formats it has.
pub fn parse(bytes: &[u8], profile: Option<&str>) -> Result<Credentials, Fault> {
    let profile = format::Profile {
        name: profile.unwrap_or(chain::DEFAULT_PROFILE),
        named: profile.is_some(),
        headers: format::Headers::Bare,
    };
    format::parse(bytes, profile)
}

/// One access key.
#[derive(Clone)]
pub struct Credentials {
    /// The public half: it names the key in requests and in the cloud's own logs.
    pub access_key_id: String,
    /// The half that signs.
    pub secret_access_key: SecretString,
    /// Sent along with a temporary key.
    pub session_token: Option<SecretString>,
}

impl Credentials {
    /// The last four characters of the access key id: enough to tell two keys apart.
    pub fn suffix(&self) -> &str {
        self.access_key_id
            .char_indices()
            .rev()
            .nth(SUFFIX - 1)
            .and_then(|(start, _)| self.access_key_id.get(start..))
            .unwrap_or(&self.access_key_id)
    }

    /// What of it nobody may read.
    pub fn secrets(&self) -> Vec<&SecretString> {
        let token = self.session_token.as_ref();
        [Some(&self.secret_access_key), token]
            .into_iter()
            .flatten()
            .collect()
    }
}

impl fmt::Debug for Credentials {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Credentials")
            .field("suffix", &self.suffix())
            .field("temporary", &self.session_token.is_some())
            .finish_non_exhaustive()
    }
}

const SUFFIX: usize = 4;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::provider::Provider;
    use crate::sigv4;

    fn credentials(access_key_id: &str) -> Credentials {
        Credentials {
            access_key_id: access_key_id.to_owned(),
            secret_access_key: "canary-secret".into(),
            session_token: Some("canary-token".into()),
        }
    }

    #[test]
    fn suffix_is_the_last_four_characters() {
        assert_eq!(credentials("AKIAIOSFODNN7EXAMPLE").suffix(), "MPLE");
        assert_eq!(credentials("abc").suffix(), "abc");
        assert_eq!(credentials("").suffix(), "");
        assert_eq!(credentials("xéèêë").suffix(), "éèêë");
    }

    #[test]
    fn debug_shows_only_the_suffix() {
        assert_eq!(
            format!("{:?}", credentials("AKIAIOSFODNN7EXAMPLE")),
            r#"Credentials { suffix: "MPLE", temporary: true, .. }"#
        );
    }

    /// Everything here that holds a secret, or may.
    fn holders() -> Vec<Box<dyn fmt::Debug>> {
        let none: Variables = Arc::new(|_| None);
        let process = Process::parse("p", "/bin/lend --password canary").unwrap();
        let container: Variables = Arc::new(|name| {
            let value = match name {
                "AWS_CONTAINER_CREDENTIALS_FULL_URI" => "http://127.0.0.1:1/canary",
                "AWS_CONTAINER_AUTHORIZATION_TOKEN" => "canary",
                _ => return None,
            };
            Some(value.to_owned())
        });
        let container = Container::find(&container).unwrap().unwrap();
        let key = credentials("AKIDEXAMPLE");
        let role = Role {
            arn: "arn:aws:iam::123456789012:role/watcher".to_owned(),
            external_id: None,
            session_name: "vigie".to_owned(),
            duration: None,
        };
        let lease = Lease {
            credentials: key.clone(),
            expires: None,
        };
        let current = Current::new(key.clone(), "file", None);
        vec![
            Box::new(Source::fixed(Provider::Aws, key.clone(), "made")),
            Box::new(Source::new(Provider::Aws, None, None, none)),
            Box::new(Found::Key(current.clone())),
            Box::new(Remote::Role {
                role,
                base: Base::Key(key.clone()),
            }),
            Box::new(Found::Remote(Arc::new(Remote::Process(process.clone())))),
            Box::new(Remote::Container(container)),
            Box::new(sigv4::Request {
                method: "POST",
                path: "/",
                query: "",
                headers: &[("x-amz-security-token", "canary")],
                body: b"WebIdentityToken=canary",
            }),
            Box::new((key, lease, current, process)),
        ]
    }

    #[test]
    fn nothing_that_holds_a_secret_shows_it_in_debug_or_a_panic() {
        for holder in holders() {
            for shown in [format!("{holder:?}"), format!("{holder:#?}")] {
                assert!(
                    !shown.contains("canary") && !shown.contains("99, 97, 110"),
                    "{shown}"
                );
            }
            let panic = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
                panic!("no {holder:?}");
            }));
            let payload = panic.unwrap_err();
            let words = payload.downcast_ref::<String>().unwrap();
            assert!(words.starts_with("no ") && !words.contains("canary"), "{words}");
        }
    }
}
