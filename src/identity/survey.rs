//! What there is at the cloud under the names that bootstrap uses, before anything is done.

use super::Names;
use super::iam::{Group, Iam, Key, LastUse, User};
use super::iam_policies::{Holder, Managed};
use crate::api::{Error, Reason};

/// What was found, by reading calls alone.
#[derive(Debug, Clone, Default)]
pub struct Survey {
    /// The ARN of whoever the admin's key belongs to, if the cloud tells.
    pub caller: Option<String>,
    /// The group and what it grants.
    pub group: Option<GroupThere>,
    /// The policy and its document in force.
    pub policy: Option<PolicyThere>,
    /// The user and what it holds.
    pub user: Option<UserThere>,
}

/// A group that is there.
#[derive(Debug, Clone)]
pub struct GroupThere {
    /// The group and its members.
    pub group: Group,
    /// Names and ARNs of its managed policies.
    pub attached: Vec<[String; 2]>,
    /// Names of the policies written into it.
    pub inline: Vec<String>,
}

/// A policy that is there.
#[derive(Debug, Clone)]
pub struct PolicyThere {
    /// The policy.
    pub managed: Managed,
    /// Its document in force, decoded.
    pub document: String,
}

/// A user that is there.
#[derive(Debug, Clone)]
pub struct UserThere {
    /// The user.
    pub user: User,
    /// The groups it is in.
    pub groups: Vec<String>,
    /// Names and ARNs of the managed policies it holds itself.
    pub attached: Vec<[String; 2]>,
    /// Names of the policies written into it.
    pub inline: Vec<String>,
    /// Its keys, each with when it was used last.
    pub keys: Vec<(Key, LastUse)>,
}

impl Survey {
    /// Looks at everything that has one of these names.
    pub async fn take(iam: &Iam, names: &Names) -> Result<Self, Error> {
        let caller = match iam.caller().await {
            Ok(arn) => Some(arn).filter(|arn| !arn.is_empty()),
            // An admin of identities need not be allowed to look at itself, and a root may be no user.
            Err(error) if matches!(error.reason(), Reason::Denied | Reason::Other | Reason::Malformed) => {
                None
            }
            Err(error) => return Err(error),
        };
        let group = match iam.group(&names.group).await? {
            Some(group) => Some(GroupThere {
                group,
                attached: iam.attached(Holder::Group(&names.group)).await?,
                inline: iam.inline(Holder::Group(&names.group)).await?,
            }),
            None => None,
        };
        let policy = match iam.policy(&names.policy).await? {
            Some(managed) => Some(PolicyThere {
                document: iam.document(&managed.arn, &managed.default_version).await?,
                managed,
            }),
            None => None,
        };
        let user = match iam.user(&names.user).await? {
            Some(user) => Some(UserThere {
                groups: iam.groups_of(&names.user).await?,
                attached: iam.attached(Holder::User(&names.user)).await?,
                inline: iam.inline(Holder::User(&names.user)).await?,
                keys: keys(iam, &names.user).await?,
                user,
            }),
            None => None,
        };
        Ok(Self {
            caller,
            group,
            policy,
            user,
        })
    }

    /// The user's keys, none if there is no user.
    pub fn keys(&self) -> &[(Key, LastUse)] {
        self.user.as_ref().map_or(&[], |user| &user.keys)
    }

    /// Whether the group holds the policy.
    pub fn is_attached(&self) -> bool {
        let attached = self.group.iter().flat_map(|there| &there.attached);
        attached
            .map(|[_, arn]| arn.as_str())
            .any(|arn| self.policy_arn() == Some(arn))
    }

    /// What the group holds beside the policy: `policy Wide (arn:…)`, `inline policy More`.
    pub fn held_beside_by_group(&self) -> Vec<String> {
        let Some(there) = &self.group else {
            return Vec::new();
        };
        let attached = there
            .attached
            .iter()
            .filter(|[_, arn]| self.policy_arn() != Some(arn));
        let attached = attached.map(|[name, arn]| format!("policy {name} ({arn})"));
        let inline = there.inline.iter().map(|name| format!("inline policy {name}"));
        attached.chain(inline).collect()
    }

    /// What the user holds beside its membership in one group.
    pub fn held_beside_by_user(&self, group: &str) -> Vec<String> {
        let Some(there) = &self.user else {
            return Vec::new();
        };
        let inline = there.inline.iter().map(|name| format!("inline policy {name}"));
        let attached = there
            .attached
            .iter()
            .map(|[name, arn]| format!("policy {name} ({arn})"));
        let groups = there.groups.iter().filter(|other| *other != group);
        let groups = groups.map(|other| format!("membership in group {other}"));
        inline.chain(attached).chain(groups).collect()
    }

    /// The policy's ARN, if it is there.
    pub fn policy_arn(&self) -> Option<&str> {
        self.policy.as_ref().map(|policy| policy.managed.arn.as_str())
    }
}

/// The keys of a user, each with when it was used last.
pub(super) async fn keys(iam: &Iam, user: &str) -> Result<Vec<(Key, LastUse)>, Error> {
    let mut keys = Vec::new();
    for key in iam.keys_of(user).await? {
        let last_used = iam.last_used(&key.id).await;
        keys.push((key, last_used));
    }
    Ok(keys)
}
