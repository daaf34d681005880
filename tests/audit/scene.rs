//! A demo cloud in either manner, keys for it, and what it lists to its admin.

use ::vigie::demo::{Cloud, Key, Options};
use ::vigie::provider::Provider;
use ::vigie::resources::KINDS;

use crate::client::Client;
use crate::demo::Demo;

pub(crate) const PROVIDERS: [Provider; 2] = [Provider::Outscale, Provider::Aws];

/// A fleet that holds still.
pub(crate) async fn still(provider: Provider) -> Demo {
    Demo::start(Options {
        provider,
        alive: false,
        lock_out: provider.lock_out_after().is_some(),
        ..Options::default()
    })
    .await
}

/// What the agent's kinds need, and these.
pub(crate) fn describing_and(further: &[&str]) -> Vec<String> {
    let actions = KINDS.iter().flat_map(|kind| kind.actions);
    let describing = actions.map(|action| action.policy_name());
    describing
        .chain(further.iter().map(|&action| action.to_owned()))
        .collect()
}

/// The key of a user who may describe and do these.
pub(crate) fn key_that_may(cloud: &Cloud, name: &str, further: &[&str]) -> Key {
    let actions = describing_and(further);
    let actions: Vec<&str> = actions.iter().map(String::as_str).collect();
    cloud.create_describe_only_user(name, &actions)
}

/// Everything that a change could show in, as the cloud lists it.
pub(crate) async fn listed(cloud: &Cloud, provider: Provider) -> Vec<String> {
    let [ec2, elb, iam] = match provider {
        Provider::Outscale => ["fcu", "lbu", "eim"],
        Provider::Aws => ["ec2", "elasticloadbalancing", "iam"],
    };
    let mut listed = Vec::new();
    for (service, action) in [
        (ec2, "DescribeInstances"),
        (ec2, "DescribeInstanceStatus"),
        (elb, "DescribeLoadBalancers"),
        (iam, "ListUsers"),
        (iam, "ListGroups"),
        (iam, "ListPolicies"),
        (iam, "ListAccessKeys"),
    ] {
        let reply = Client::admin(cloud, service).call(action, &[]).await;
        assert_eq!(reply.status, 200, "{action}: {}", reply.body);
        let id = ["requestId", "RequestId"]
            .map(|name| reply.one(name).to_owned())
            .concat();
        assert!(!id.is_empty(), "{}", reply.body);
        listed.push(reply.body.replace(&id, ""));
    }
    listed
}

/// Puts another document in place of that of a user of [`key_that_may`].
pub(crate) async fn now_may(cloud: &Cloud, name: &str, further: &[&str]) {
    let statement =
        serde_json::json!({"Effect": "Allow", "Action": describing_and(further), "Resource": ["*"]});
    let document = serde_json::json!({"Version": "2012-10-17", "Statement": [statement]}).to_string();
    let arn = format!("arn:aws:iam::123456789012:policy/{name}");
    let parameters = [
        ("PolicyArn", arn.as_str()),
        ("PolicyDocument", &document),
        ("SetAsDefault", "true"),
    ];
    let reply = Client::admin(cloud, "eim")
        .call("CreatePolicyVersion", &parameters)
        .await;
    assert_eq!(reply.status, 200, "{}", reply.body);
}
