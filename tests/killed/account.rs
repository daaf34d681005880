//! What an account has at the cloud, as its admin sees it.

use ::vigie::demo::{Cloud, Key};
use jiff::SignedDuration;

use crate::client::{Client, Reply};
use crate::parts::HTTP;

/// Everything but the ids of keys, one line each.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct State(Vec<String>);

impl State {
    /// Lists it with raw calls, which the program has no part in.
    pub(crate) async fn of(cloud: &Cloud) -> Self {
        let mut lines = Vec::new();
        for policy in all(cloud, "ListPolicies", &[], "Arn").await {
            let holding = [("PolicyArn", policy.as_str())];
            let versions = admin(cloud, "ListPolicyVersions", &holding).await;
            lines.push(format!(
                "policy {policy}: {}",
                versions.all("VersionId").join(" ")
            ));
            let defaults = versions
                .all("VersionId")
                .into_iter()
                .zip(versions.all("IsDefaultVersion"));
            for (version, _) in defaults.filter(|(_, is_default)| *is_default == "true") {
                let asked = [("PolicyArn", policy.as_str()), ("VersionId", version)];
                let reply = admin(cloud, "GetPolicyVersion", &asked).await;
                lines.push(format!("policy {policy}: {version} {}", reply.one("Document")));
            }
        }
        for group in all(cloud, "ListGroups", &[], "GroupName").await {
            let named = [("GroupName", group.as_str())];
            lines.push(format!("group {group}"));
            for (action, element) in [
                ("GetGroup", "UserName"),
                ("ListAttachedGroupPolicies", "PolicyArn"),
                ("ListGroupPolicies", "member"),
            ] {
                let has = all(cloud, action, &named, element).await;
                lines.extend(has.iter().map(|has| format!("group {group}: {element} {has}")));
            }
        }
        for user in all(cloud, "ListUsers", &[], "UserName").await {
            let named = [("UserName", user.as_str())];
            lines.push(format!("user {user}"));
            for (action, element) in [
                ("ListAttachedUserPolicies", "PolicyArn"),
                ("ListUserPolicies", "member"),
                ("ListAccessKeys", "Status"),
            ] {
                let has = all(cloud, action, &named, element).await;
                lines.extend(has.iter().map(|has| format!("user {user}: {element} {has}")));
            }
        }
        Self(lines)
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

/// The ids of the keys of the user that vigie makes.
pub(crate) async fn keys(cloud: &Cloud) -> Vec<String> {
    let reply = call(
        cloud,
        cloud.admin_key(),
        "iam",
        "ListAccessKeys",
        &[("UserName", USER)],
    )
    .await;
    reply.all("AccessKeyId").into_iter().map(str::to_owned).collect()
}

/// Whether a key may do what it is for.
pub(crate) async fn works(cloud: &Cloud, key: Key) -> bool {
    let reply = call(cloud, key, "ec2", "DescribeInstances", &[]).await;
    reply.status == 200
}

/// A call of the admin's, which has to succeed.
pub(crate) async fn admin(cloud: &Cloud, action: &str, parameters: &[(&str, &str)]) -> Reply {
    let reply = call(cloud, cloud.admin_key(), "iam", action, parameters).await;
    assert_eq!(reply.status, 200, "{action} {parameters:?}: {}", reply.body);
    reply
}

async fn all(cloud: &Cloud, action: &str, parameters: &[(&str, &str)], element: &str) -> Vec<String> {
    let reply = admin(cloud, action, parameters).await;
    reply.all(element).into_iter().map(str::to_owned).collect()
}

async fn call(
    cloud: &Cloud,
    key: Key,
    service: &'static str,
    action: &str,
    parameters: &[(&str, &str)],
) -> Reply {
    let client = Client {
        http: HTTP.clone(),
        url: cloud.url(),
        key,
        service,
        region: REGION,
        ahead: SignedDuration::ZERO,
        is_get: false,
        tampered: None,
    };
    client.call(action, parameters).await
}

pub(crate) const USER: &str = "watcher_1";
pub(crate) const REGION: &str = "eu-west-2";
