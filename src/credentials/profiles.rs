//! What the profiles of AWS's two files say beside keys as such: roles, processes, and what is not for us.

use std::{collections::BTreeMap, str, time::Duration};

use secrecy::zeroize::Zeroizing;

use super::{
    Fault,
    fault::ProfileFault,
    format::{Headers, INI, Line, lines},
    role::{self, Role},
};

/// The profiles of both files: what the credentials file says wins.
#[derive(Default)]
pub(super) struct Profiles {
    by_name: BTreeMap<String, Entries>,
    /// Whether the credentials file has a format without sections.
    pub(super) is_flat: bool,
}

/// One profile.
#[derive(Default)]
pub(super) struct Entries {
    values: BTreeMap<&'static str, Zeroizing<String>>,
    /// By file: whether either half of a key is there.
    keys: [bool; 2],
}

impl Profiles {
    /// Takes in one file.
    pub(super) fn add(&mut self, bytes: &[u8], headers: Headers) -> Result<(), Fault> {
        let text = str::from_utf8(bytes).map_err(|_| Fault::Binary)?;
        let text = text.strip_prefix('\u{feff}').unwrap_or(text);
        if text.trim_start().starts_with('{') {
            self.is_flat = true;
            return Ok(());
        }
        let (mut section, mut profile) = (false, None);
        for (number, line) in lines(text) {
            match line.ok_or(Fault::UnknownFormat { line: number })? {
                Line::Section(header) => {
                    section = true;
                    profile = headers.profile(header).map(str::to_owned);
                }
                Line::Entry(key, value) => {
                    let Some(profile) = &profile else {
                        self.is_flat |= !section && headers == Headers::Bare;
                        continue;
                    };
                    let entries = self.by_name.entry(profile.clone()).or_default();
                    if key == INI[0] || key == INI[1] {
                        entries.keys[index(headers)] = true;
                    } else if let Some(known) = KNOWN.into_iter().find(|known| *known == key) {
                        let value = Zeroizing::new(value.trim().to_owned());
                        entries.values.insert(known, value);
                    }
                }
                Line::More => {}
            }
            if let Some(profile) = &profile
                && !self.by_name.contains_key(profile)
            {
                self.by_name.insert(profile.clone(), Entries::default());
            }
        }
        Ok(())
    }

    pub(super) fn of(&self, name: &str) -> Option<&Entries> {
        self.by_name.get(name)
    }
}

impl Entries {
    /// A value that is there and not empty.
    pub(super) fn value(&self, key: &'static str) -> Option<&str> {
        let value = self.values.get(key)?.as_str();
        (!value.is_empty()).then_some(value)
    }

    /// Whether a file has a key for it, or half of one.
    pub(super) fn has_key_in(&self, headers: Headers) -> bool {
        self.keys[index(headers)]
    }

    pub(super) fn has_key(&self) -> bool {
        self.keys.contains(&true)
    }

    /// Whether it is a role to put on with another key.
    pub(super) fn wears_a_role(&self) -> bool {
        self.value(ROLE_ARN).is_some() && self.value(TOKEN_FILE).is_none()
    }

    /// Whether a person signs in for it, in a browser.
    pub(super) fn signs_in(&self) -> bool {
        ["sso_start_url", "sso_session", "login_session"]
            .into_iter()
            .any(|key| self.value(key).is_some())
    }

    /// The role to put on with another key.
    pub(super) fn role(&self) -> Result<Role, ProfileFault> {
        if self.value("mfa_serial").is_some() {
            return Err(ProfileFault::Mfa);
        }
        let wrong = |key| move |sentence| ProfileFault::Value { key, sentence };
        let duration = self.value("duration_seconds").map(|text| {
            let seconds = text.parse().unwrap_or_default();
            role::checked_duration(Duration::from_secs(seconds))
        });
        let external_id = self.value("external_id").map(role::checked_external_id);
        Ok(Role {
            external_id: external_id.transpose().map_err(wrong("external_id"))?,
            duration: duration.transpose().map_err(wrong("duration_seconds"))?,
            ..plain_role(
                self.value(ROLE_ARN),
                self.value(SESSION_NAME),
                [ROLE_ARN, SESSION_NAME],
            )?
        })
    }
}

/// A role by its ARN and perhaps its session's name, for which `names` stand in errors.
pub(super) fn plain_role(
    arn: Option<&str>,
    session_name: Option<&str>,
    names: [&'static str; 2],
) -> Result<Role, ProfileFault> {
    let wrong = |key| move |sentence| ProfileFault::Value { key, sentence };
    let arn = arn.ok_or(ProfileFault::NoRole)?;
    let session_name = session_name.unwrap_or(role::SESSION_NAME);
    Ok(Role {
        arn: role::checked_arn(arn).map_err(wrong(names[0]))?,
        external_id: None,
        session_name: role::checked_session_name(session_name).map_err(wrong(names[1]))?,
        duration: None,
    })
}

fn index(headers: Headers) -> usize {
    usize::from(headers == Headers::Prefixed)
}

pub(super) const ROLE_ARN: &str = "role_arn";
pub(super) const SESSION_NAME: &str = "role_session_name";
pub(super) const TOKEN_FILE: &str = "web_identity_token_file";
pub(super) const SOURCE_PROFILE: &str = "source_profile";
pub(super) const CREDENTIAL_SOURCE: &str = "credential_source";
pub(super) const PROCESS: &str = "credential_process";

const KNOWN: [&str; 12] = [
    ROLE_ARN,
    SESSION_NAME,
    TOKEN_FILE,
    SOURCE_PROFILE,
    CREDENTIAL_SOURCE,
    PROCESS,
    "external_id",
    "duration_seconds",
    "mfa_serial",
    "sso_start_url",
    "sso_session",
    "login_session",
];
