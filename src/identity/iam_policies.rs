//! IAM of AWS, EIM of OUTSCALE: the calls on policies, managed and inline, and on who holds them.

use jiff::Timestamp;

use super::answers::within;
use super::iam::{Iam, listing, time};
use super::policy;
use crate::api::xml::Reader;
use crate::api::{Action, Error, Service};

/// Who holds rights: the parameter that names it tells.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Holder<'a> {
    /// A user, by its name.
    User(&'a str),
    /// A group, by its name.
    Group(&'a str),
}

/// A managed policy.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Managed {
    /// Its name.
    pub name: String,
    /// Its ARN.
    pub arn: String,
    /// The version in force.
    pub default_version: String,
    /// How many users, groups and roles hold it, if the cloud says so.
    pub attachments: Option<u32>,
    /// How many users and roles it bounds.
    pub boundaries: u32,
}

/// One version of a managed policy.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Version {
    /// Its id: `v1`.
    pub id: String,
    /// Whether it is in force.
    pub is_default: bool,
    /// When it was made, if the cloud says so.
    pub created: Option<Timestamp>,
}

impl Iam {
    /// The account's own policy of this name. Names are unique, but only ARNs can be asked for.
    pub async fn policy(&self, name: &str) -> Result<Option<Managed>, Error> {
        let names = [
            "PolicyName",
            "Arn",
            "DefaultVersionId",
            "AttachmentCount",
            "PermissionsBoundaryUsageCount",
        ];
        let policies = self
            .all(&LIST_POLICIES, &[("Scope", "Local")], "Policies", names)
            .await?;
        let found = policies.into_iter().find(|[found, ..]| found == name);
        Ok(
            found.map(|[name, arn, default_version, attachments, boundaries]| Managed {
                name,
                arn,
                default_version,
                attachments: attachments.parse().ok(),
                boundaries: boundaries.parse().unwrap_or_default(),
            }),
        )
    }

    /// The document of one version, decoded.
    pub async fn document(&self, arn: &str, version: &str) -> Result<String, Error> {
        let parameters = [("PolicyArn", arn), ("VersionId", version)];
        let read = |reader: &mut Reader<'_>| within(reader, "PolicyVersion", ["Document"]);
        let [document] = self.ask(&GET_POLICY_VERSION, &parameters, read).await?;
        Ok(policy::decoded(&document))
    }

    /// Every version of a policy.
    pub async fn versions(&self, arn: &str) -> Result<Vec<Version>, Error> {
        let names = ["VersionId", "IsDefaultVersion", "CreateDate"];
        let versions = self
            .all(&LIST_POLICY_VERSIONS, &[("PolicyArn", arn)], "Versions", names)
            .await?;
        let version = |[id, is_default, created]: [String; 3]| Version {
            id,
            is_default: is_default == "true",
            created: time(&created),
        };
        Ok(versions.into_iter().map(version).collect())
    }

    /// Names and ARNs of the managed policies that a user or a group holds itself.
    pub async fn attached(&self, holder: Holder<'_>) -> Result<Vec<[String; 2]>, Error> {
        let (action, parameter) = match holder {
            Holder::User(name) => (&LIST_ATTACHED_USER_POLICIES, ("UserName", name)),
            Holder::Group(name) => (&LIST_ATTACHED_GROUP_POLICIES, ("GroupName", name)),
        };
        self.all(
            action,
            &[parameter],
            "AttachedPolicies",
            ["PolicyName", "PolicyArn"],
        )
        .await
    }

    /// The names of the policies written into a user or a group.
    pub async fn inline(&self, holder: Holder<'_>) -> Result<Vec<String>, Error> {
        let (action, parameter) = match holder {
            Holder::User(name) => (&LIST_USER_POLICIES, ("UserName", name)),
            Holder::Group(name) => (&LIST_GROUP_POLICIES, ("GroupName", name)),
        };
        self.texts(action, &[parameter], "PolicyNames").await
    }

    /// Makes a policy; its ARN.
    pub async fn create_policy(&self, name: &str, path: &str, document: &str) -> Result<String, Error> {
        let parameters = [("PolicyName", name), ("Path", path), ("PolicyDocument", document)];
        let read = |reader: &mut Reader<'_>| within(reader, "Policy", ["Arn"]);
        let [arn] = self.ask(&CREATE_POLICY, &parameters, read).await?;
        Ok(arn)
    }

    /// Makes a version of a policy and puts it in force.
    pub async fn create_version(&self, arn: &str, document: &str) -> Result<(), Error> {
        let parameters = [
            ("PolicyArn", arn),
            ("PolicyDocument", document),
            ("SetAsDefault", "true"),
        ];
        self.order(&CREATE_POLICY_VERSION, &parameters).await
    }

    /// Deletes a version that is not in force.
    pub async fn delete_version(&self, arn: &str, version: &str) -> Result<(), Error> {
        let parameters = [("PolicyArn", arn), ("VersionId", version)];
        self.order(&DELETE_POLICY_VERSION, &parameters).await
    }

    /// Gives a managed policy to a group.
    pub async fn attach(&self, arn: &str, group: &str) -> Result<(), Error> {
        self.order(&ATTACH_GROUP_POLICY, &[("GroupName", group), ("PolicyArn", arn)])
            .await
    }

    /// Takes a managed policy from a group.
    pub async fn detach(&self, arn: &str, group: &str) -> Result<(), Error> {
        self.order(&DETACH_GROUP_POLICY, &[("GroupName", group), ("PolicyArn", arn)])
            .await
    }

    /// Deletes a policy that nobody holds and that has one version.
    pub async fn delete_policy(&self, arn: &str) -> Result<(), Error> {
        self.order(&DELETE_POLICY, &[("PolicyArn", arn)]).await
    }
}

static LIST_POLICIES: Action = listing("ListPolicies");
static GET_POLICY_VERSION: Action = Action::describing(Service::Iam, "GetPolicyVersion");
static LIST_POLICY_VERSIONS: Action = listing("ListPolicyVersions");
static LIST_ATTACHED_GROUP_POLICIES: Action = listing("ListAttachedGroupPolicies");
static LIST_ATTACHED_USER_POLICIES: Action = listing("ListAttachedUserPolicies");
static LIST_GROUP_POLICIES: Action = listing("ListGroupPolicies");
static LIST_USER_POLICIES: Action = listing("ListUserPolicies");
static CREATE_POLICY: Action = Action::changing(Service::Iam, "CreatePolicy");
static CREATE_POLICY_VERSION: Action = Action::changing(Service::Iam, "CreatePolicyVersion");
static DELETE_POLICY_VERSION: Action = Action::changing(Service::Iam, "DeletePolicyVersion");
static ATTACH_GROUP_POLICY: Action = Action::changing(Service::Iam, "AttachGroupPolicy");
static DETACH_GROUP_POLICY: Action = Action::changing(Service::Iam, "DetachGroupPolicy");
static DELETE_POLICY: Action = Action::changing(Service::Iam, "DeletePolicy");
