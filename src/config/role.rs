//! `assume_role` of an account.

use std::time::Duration;

use serde::Deserialize;

use super::{
    error::Fault,
    values::{Text, Written, line},
};
use crate::credentials::role::{self, Role};
use crate::provider::Provider;

/// `assume_role = { … }`
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct WrittenRole {
    arn: Written<Arn>,
    external_id: Option<Written<ExternalId>>,
    session_name: Option<Written<SessionName>>,
    duration: Option<Written<Duration>>,
}

impl WrittenRole {
    pub(super) fn into_role(self, provider: Provider) -> Result<Role, Fault> {
        if provider != Provider::Aws {
            let sentence = format!("is of AWS alone, and {provider} has no roles to assume: remove it");
            return Err(Fault::value("assume_role", sentence));
        }
        let checked = |Written(duration)| role::checked_duration(duration);
        let duration = self.duration.map(checked).transpose();
        let Written(Arn(arn)) = self.arn;
        Ok(Role {
            arn,
            external_id: self.external_id.map(|Written(ExternalId(id))| id),
            session_name: (self.session_name).map_or_else(
                || role::SESSION_NAME.to_owned(),
                |Written(SessionName(name))| name,
            ),
            duration: duration.map_err(|sentence| Fault::value("assume_role.duration", sentence))?,
        })
    }
}

#[derive(Debug, Clone)]
struct Arn(String);

impl Text for Arn {
    const EXPECTED: &str = "the ARN of a role, such as \"arn:aws:iam::123456789012:role/name\"";

    fn parse(text: &str) -> Result<Self, String> {
        role::checked_arn(&line(text, Self::EXPECTED)?).map(Self)
    }
}

#[derive(Debug, Clone)]
struct ExternalId(String);

impl Text for ExternalId {
    const EXPECTED: &str = "the external id that the role's trust policy asks for, in quotes";

    fn parse(text: &str) -> Result<Self, String> {
        role::checked_external_id(&line(text, Self::EXPECTED)?).map(Self)
    }
}

#[derive(Debug, Clone)]
struct SessionName(String);

impl Text for SessionName {
    const EXPECTED: &str = "a name for the session, such as \"vigie\"";

    fn parse(text: &str) -> Result<Self, String> {
        role::checked_session_name(&line(text, Self::EXPECTED)?).map(Self)
    }
}
