//! Who may do what.

use std::time::Duration;

use vigie::demo::{Key, Options};

use crate::client::{Client, cloud, ids, still, still_aws};

#[tokio::test]
async fn what_no_policy_allows_is_denied_in_the_words_of_the_service() {
    let cloud = cloud(still()).await;
    let key = cloud.create_describe_only_user("watcher", &["ec2:DescribeInstances"]);
    let ec2 = Client::new(&cloud, key.clone(), "ec2");
    assert_eq!(ec2.call("DescribeInstances", &[]).await.status, 200);
    let id = &ids(&cloud)[0];
    for action in ["StopInstances", "TerminateInstances"] {
        let reply = ec2
            .call(action, &[("InstanceId.1", id), ("DryRun", "true")])
            .await;
        assert_eq!(reply.refusal(), (403, "UnauthorizedOperation"));
        assert!(
            reply
                .one("Message")
                .contains(&format!("is not authorized to perform: ec2:{action}"))
        );
    }
    for (service, action) in [("lbu", "DescribeLoadBalancers"), ("eim", "ListUsers")] {
        let reply = Client::new(&cloud, key.clone(), service).call(action, &[]).await;
        assert_eq!(reply.refusal(), (403, "AccessDenied"));
    }
    assert_eq!(cloud.fleet().instance(id).unwrap().state, "running");
}

#[tokio::test]
async fn dry_run_changes_nothing_and_the_real_one_does() {
    let cloud = cloud(still()).await;
    let client = Client::admin(&cloud, "ec2");
    let id = ids(&cloud)[0].clone();
    let dry = [("InstanceId.1", id.as_str()), ("DryRun", "true")];
    assert_eq!(
        client.call("StopInstances", &dry).await.refusal(),
        (412, "DryRunOperation")
    );
    assert_eq!(cloud.fleet().instance(&id).unwrap().state, "running");
    let reply = client.call("StopInstances", &dry[..1]).await;
    assert_eq!(reply.all("name"), ["stopped", "running"]);
    assert_eq!(cloud.fleet().instance(&id).unwrap().state, "stopped");
}

#[tokio::test(start_paused = true)]
async fn watcher_is_made_through_the_api_and_works_once_it_is_known_everywhere() {
    let cloud = cloud(Options {
        propagation_delay: Duration::from_secs(15),
        ..still()
    })
    .await;
    let eim = Client::admin(&cloud, "eim");
    let document = r#"{"Statement":[{"Effect":"Allow","Action":["ec2:Describe*"],"Resource":["*"]}]}"#;
    let group = eim.call("CreateGroup", &[("GroupName", "monitoring")]).await;
    assert_eq!(group.one("Arn"), "arn:aws:iam::123456789012:group/monitoring");
    let policy = [("PolicyName", "monitoring"), ("PolicyDocument", document)];
    let policy = eim.call("CreatePolicy", &policy).await;
    let attachment = [("GroupName", "monitoring"), ("PolicyArn", policy.one("Arn"))];
    assert_eq!(eim.call("AttachGroupPolicy", &attachment).await.status, 200);
    eim.call("CreateUser", &[("UserName", "watcher_1")]).await;
    let again = eim.call("CreateUser", &[("UserName", "watcher_1")]).await;
    assert_eq!(again.refusal(), (409, "EntityAlreadyExists"));
    let membership = [("GroupName", "monitoring"), ("UserName", "watcher_1")];
    eim.call("AddUserToGroup", &membership).await;
    let made = eim.call("CreateAccessKey", &[("UserName", "watcher_1")]).await;
    assert_eq!(
        made.one("UserName"),
        "orn:ows:idauth::123456789012:user/watcher_1"
    );
    let key = Key {
        access_key_id: made.one("AccessKeyId").to_owned(),
        secret_access_key: made.one("SecretAccessKey").into(),
    };
    let watcher = Client::new(&cloud, key, "fcu");
    let early = watcher.call("DescribeInstances", &[]).await;
    assert_eq!(early.refusal(), (401, "AuthFailure"));
    tokio::time::advance(Duration::from_secs(15)).await;
    assert_eq!(watcher.call("DescribeInstances", &[]).await.status, 200);
    let id = &ids(&cloud)[0];
    let denied = watcher.call("StopInstances", &[("InstanceId.1", id)]).await;
    assert_eq!(denied.refusal(), (403, "UnauthorizedOperation"));
}

#[tokio::test]
async fn policy_without_version_is_malformed_on_aws() {
    let cloud = cloud(still_aws()).await;
    let document = r#"{"Statement":[{"Effect":"Allow","Action":["ec2:Describe*"],"Resource":["*"]}]}"#;
    let parameters = [("PolicyName", "monitoring"), ("PolicyDocument", document)];
    let client = Client {
        region: "us-east-1",
        ..Client::admin(&cloud, "iam")
    };
    let reply = client.call("CreatePolicy", &parameters).await;
    assert_eq!(reply.refusal(), (400, "MalformedPolicyDocument"));
}
