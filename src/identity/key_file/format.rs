//! The formats that a key can be written in, each told by its text and read back by the agent's own reader.

use std::fmt;

use clap::ValueEnum;
use secrecy::zeroize::Zeroizing;

use super::{
    edit::{apply, without_bom},
    env,
    error::{Error, Refusal},
    ini, k8s_secret, osc,
};
use crate::{
    credentials::{
        Credentials, Fault,
        chain::DEFAULT_PROFILE,
        format::{self as reader, ACCOUNT_KEY, Headers, ID, INI, Profile, SECRET},
    },
    provider::Provider,
};

/// How a key is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, ValueEnum)]
pub enum Format {
    /// Profiles, as in `~/.aws/credentials`.
    Ini,
    /// Variables, one on each line, as systemd's `EnvironmentFile` takes them.
    Env,
    /// OUTSCALE's `config.json`.
    Osc,
    /// The account-key file of 2011: `AWSAccessKeyId=` and `AWSSecretKey=`.
    Legacy,
    /// A Kubernetes Secret that holds an INI file.
    K8sSecret,
}

/// The text of a file that holds nothing but this key, which is a lasting one: a session token is left out.
///
/// Whether the format can hold the profile is for [`Format::accepts`] to say, before there is a key.
pub fn render(
    format: Format,
    provider: Provider,
    profile: &str,
    credentials: &Credentials,
) -> Zeroizing<String> {
    match format {
        Format::Ini => ini::fresh(profile, credentials),
        Format::Env => env::fresh(provider, credentials),
        Format::Osc => osc::fresh(profile, credentials),
        Format::Legacy => ini::fresh_account_key(credentials),
        Format::K8sSecret => k8s_secret::fresh(profile, credentials),
    }
}

impl Format {
    /// The name used in flags.
    pub fn name(self) -> &'static str {
        match self {
            Self::Ini => "ini",
            Self::Env => "env",
            Self::Osc => "osc",
            Self::Legacy => "legacy",
            Self::K8sSecret => "k8s-secret",
        }
    }

    /// Fails if a file in this format cannot hold a profile of this name.
    pub fn accepts(self, profile: &str) -> Result<(), Error> {
        let that = match self {
            Self::Env | Self::Legacy if profile == DEFAULT_PROFILE => return Ok(()),
            Self::Env | Self::Legacy => {
                return Err(Error::NoProfiles {
                    format: self,
                    profile: profile.to_owned(),
                });
            }
            _ if profile.trim() != profile || profile.is_empty() => {
                "that is not empty, with no space at either end"
            }
            _ if profile.contains(|character: char| character.is_control() || character == ']') => {
                "without `]` and control characters"
            }
            // The reader takes such a name for JSON or TOML.
            Self::Ini | Self::K8sSecret if profile.contains(['{', '"', '\'', '[', ',']) => {
                "without brackets, quotes and commas"
            }
            _ => return Ok(()),
        };
        Err(Error::ProfileName {
            profile: profile.to_owned(),
            that,
        })
    }

    /// The format to write into a file of this text.
    pub(super) fn of(text: &str, asked: Option<Self>) -> Result<Self, Refusal> {
        let any = [Self::Ini, Self::Env, Self::Osc, Self::Legacy, Self::K8sSecret];
        let fits: &[Self] = match Looks::of(text) {
            Looks::Empty => &any,
            Looks::Commented => &[Self::Ini, Self::Env, Self::Legacy],
            Looks::Like(format) => &[format],
            Looks::Unknown { line } => return Err(Fault::UnknownFormat { line }.into()),
        };
        match asked {
            Some(asked) if !fits.contains(&asked) => Err(Refusal::OtherFormat {
                there: fits[0],
                asked,
            }),
            Some(asked) => Ok(asked),
            None => Ok(fits[0]),
        }
    }

    /// The key that a text of this format holds for the profile, if any.
    pub(super) fn read(
        self,
        text: &str,
        profile: &str,
        provider: Provider,
    ) -> Result<Option<Credentials>, Refusal> {
        if text.contains('\0') {
            return Err(Fault::Binary.into());
        }
        if without_bom(text).trim().is_empty() {
            return Ok(None);
        }
        let elsewhere = |setting: Option<_>| match setting {
            Some(setting) => Err(Refusal::Elsewhere {
                profile: profile.to_owned(),
                setting,
            }),
            None => Ok(None),
        };
        match self {
            Self::Env => env::read(text, provider),
            Self::Legacy => as_the_agent_does(text, profile, false),
            Self::Ini => match as_the_agent_does(text, profile, true)? {
                None => elsewhere(ini::elsewhere(text, profile)),
                found => Ok(found),
            },
            Self::K8sSecret => Self::Ini.read(&k8s_secret::Block::of(text)?.text, profile, provider),
            Self::Osc => {
                let found = as_the_agent_does(text, profile, true)?;
                let setting = osc::elsewhere(text, profile)?;
                if found.is_some() {
                    Ok(found)
                } else {
                    elsewhere(setting)
                }
            }
        }
    }

    /// A text of this format with the key in it. Everything else stays as it is, to the byte.
    pub(super) fn edited(
        self,
        text: &str,
        profile: &str,
        provider: Provider,
        credentials: &Credentials,
    ) -> Result<Zeroizing<String>, Refusal> {
        if without_bom(text).trim().is_empty() {
            return Ok(render(self, provider, profile, credentials));
        }
        let edits = match self {
            Self::Ini => ini::edits(text, profile, credentials),
            Self::Env => env::edits(text, provider, credentials)?,
            Self::Osc => osc::edits(text, profile, credentials)?,
            Self::Legacy => ini::account_key_edits(text, credentials),
            Self::K8sSecret => k8s_secret::edits(text, profile, credentials)?,
        };
        Ok(apply(text, edits))
    }
}

impl fmt::Display for Format {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.name())
    }
}

/// What is written must be what the agent reads.
fn as_the_agent_does(text: &str, profile: &str, named: bool) -> Result<Option<Credentials>, Refusal> {
    match reader::parse(
        text.as_bytes(),
        Profile {
            name: profile,
            named,
            headers: Headers::Bare,
        },
    ) {
        Ok(credentials) => Ok(Some(credentials)),
        Err(Fault::NoKey { .. } | Fault::UnknownProfile { .. } | Fault::Empty) => Ok(None),
        Err(fault) => Err(fault.into()),
    }
}

/// What the first line of a text that says something makes it.
enum Looks {
    Empty,
    /// Nothing but comments.
    Commented,
    Like(Format),
    Unknown {
        line: usize,
    },
}

impl Looks {
    fn of(text: &str) -> Self {
        let text = without_bom(text);
        let lines = text.lines().map(str::trim).enumerate();
        let mut said = lines.filter(|(_, line)| !line.is_empty() && !line.starts_with(['#', ';']));
        let Some((index, line)) = said.next() else {
            return if text.trim().is_empty() {
                Self::Empty
            } else {
                Self::Commented
            };
        };
        if line.starts_with('{') {
            return Self::Like(Format::Osc);
        }
        if line.starts_with('[') {
            return Self::Like(Format::Ini);
        }
        let member = line.split_once(':').map_or("", |(key, _)| key);
        if line == "---" || MANIFEST.contains(&member) {
            return Self::Like(Format::K8sSecret);
        }
        let key = line.split([':', '=']).next().unwrap_or_default().trim();
        if [ACCOUNT_KEY[ID], ACCOUNT_KEY[SECRET]]
            .iter()
            .any(|name| name.eq_ignore_ascii_case(key))
        {
            return Self::Like(Format::Legacy);
        }
        // Its profile is missing: the reader says so.
        if INI.contains(&key) {
            return Self::Like(Format::Ini);
        }
        let assignment = line.strip_prefix("export ").unwrap_or(line).split_once('=');
        match assignment {
            Some((name, _)) if env::is_name(name.trim()) => Self::Like(Format::Env),
            _ => Self::Unknown { line: index + 1 },
        }
    }
}

const MANIFEST: [&str; 5] = ["apiVersion", "kind", "metadata", "type", "stringData"];

#[cfg(test)]
mod tests;
