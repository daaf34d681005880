//! Who is believed, and when.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use reqwest::header::DATE;
use vigie::demo::{Cloud, Options};

use crate::client::{Client, cloud, still, still_aws};

#[tokio::test]
async fn query_may_be_signed_in_place_of_a_form() {
    let cloud = cloud(still()).await;
    let client = Client {
        is_get: true,
        ..Client::admin(&cloud, "ec2")
    };
    let parameters = [("Filter.1.Name", "tag:env"), ("Filter.1.Value.1", "a b~c")];
    assert_eq!(client.call("DescribeInstances", &parameters).await.status, 200);
}

#[tokio::test]
async fn what_was_not_signed_is_not_believed() {
    let cloud = cloud(Options {
        lock_out: false,
        ..still()
    })
    .await;
    for (service, refusal) in [
        ("ec2", (401, "AuthFailure")),
        ("lbu", (403, "SignatureDoesNotMatch")),
    ] {
        for is_get in [false, true] {
            let client = Client {
                tampered: Some("Action=TerminateInstances"),
                is_get,
                ..Client::admin(&cloud, service)
            };
            assert_eq!(client.call("DescribeInstances", &[]).await.refusal(), refusal);
        }
        let mut key = cloud.admin_key();
        key.secret_access_key = "another secret".into();
        let client = Client::new(&cloud, key, service);
        assert_eq!(client.call("DescribeInstances", &[]).await.refusal(), refusal);
    }
}

#[tokio::test]
async fn unknown_inactive_and_revoked_keys_are_one() {
    let cloud = cloud(Options {
        lock_out: false,
        ..still()
    })
    .await;
    let key = cloud.create_describe_only_user("watcher", &["elasticloadbalancing:Describe*"]);
    let client = Client::new(&cloud, key.clone(), "lbu");
    assert_eq!(client.call("DescribeLoadBalancers", &[]).await.status, 200);
    assert!(cloud.deactivate_key(&key.access_key_id));
    let refusal = (403, "InvalidClientTokenId");
    assert_eq!(client.call("DescribeLoadBalancers", &[]).await.refusal(), refusal);
    assert!(cloud.activate_key(&key.access_key_id));
    assert_eq!(client.call("DescribeLoadBalancers", &[]).await.status, 200);
    assert!(cloud.revoke_key(&key.access_key_id));
    assert_eq!(client.call("DescribeLoadBalancers", &[]).await.refusal(), refusal);
    assert!(!cloud.activate_key(&key.access_key_id));
}

#[tokio::test]
async fn skewed_clock_is_refused_and_the_date_header_tells_why() {
    let offset = SignedDuration::from_mins(10);
    let cloud = cloud(Options {
        clock_offset: offset,
        lock_out: false,
        ..still()
    })
    .await;
    let reply = Client::admin(&cloud, "ec2").call("DescribeInstances", &[]).await;
    assert_eq!(reply.refusal(), (401, "AuthFailure"));
    let date = reply.headers[DATE].to_str().unwrap();
    let date = jiff::fmt::rfc2822::parse(date).unwrap().timestamp();
    let ahead = date.duration_since(Timestamp::now());
    assert!((ahead - offset).abs() < SignedDuration::from_secs(5));
    let reply = Client::admin(&cloud, "lbu")
        .call("DescribeLoadBalancers", &[])
        .await;
    assert_eq!(reply.refusal(), (403, "SignatureDoesNotMatch"));
    assert!(reply.one("Message").starts_with("Signature expired: "));
    let corrected = Client {
        ahead: offset,
        ..Client::admin(&cloud, "ec2")
    };
    assert_eq!(corrected.call("DescribeInstances", &[]).await.status, 200);
}

#[tokio::test]
async fn window_is_wider_on_aws() {
    let behind = SignedDuration::from_mins(-10);
    let cloud = cloud(still_aws()).await;
    let client = Client {
        ahead: behind,
        ..Client::admin(&cloud, "ec2")
    };
    assert_eq!(client.call("DescribeInstances", &[]).await.status, 200);
    let client = Client {
        ahead: behind * 2,
        ..Client::admin(&cloud, "ec2")
    };
    assert_eq!(
        client.call("DescribeInstances", &[]).await.refusal(),
        (400, "RequestExpired")
    );
}

#[tokio::test(start_paused = true)]
async fn four_failures_lock_even_the_good_key_out_for_a_minute() {
    let cloud = cloud(still()).await;
    let good = Client::admin(&cloud, "ec2");
    let mut key = cloud.admin_key();
    key.access_key_id = "NOSUCHKEY000EXAMPLE0".to_owned();
    let bad = Client::new(&cloud, key, "ec2");
    for _ in 0..4 {
        assert_eq!(
            bad.call("DescribeInstances", &[]).await.refusal(),
            (401, "AuthFailure")
        );
    }
    assert_eq!(cloud.times_locked_out(), 1);
    assert_eq!(
        good.call("DescribeInstances", &[]).await.refusal(),
        (401, "AuthFailure")
    );
    tokio::time::advance(Duration::from_secs(60)).await;
    assert_eq!(good.call("DescribeInstances", &[]).await.status, 200);
    assert_eq!(cloud.times_locked_out(), 1);
}

#[tokio::test]
async fn unknown_actions_and_services_are_told_apart() {
    let cloud = cloud(still()).await;
    let reply = Client::admin(&cloud, "ec2").call("DescribeUnicorns", &[]).await;
    assert_eq!(reply.refusal(), (400, "InvalidAction"));
    let reply = Client::admin(&cloud, "s3").call("ListBuckets", &[]).await;
    assert_eq!(reply.status, 403);
    let reply = Client::admin(&cloud, "lbu")
        .call("DescribeLoadBalancers", &[("Version", "2015-12-01")])
        .await;
    assert_eq!(reply.refusal(), (400, "InvalidAction"));
    let elsewhere = Client {
        region: "us-east-2",
        ..Client::admin(&cloud, "ec2")
    };
    assert_eq!(
        elsewhere.call("DescribeInstances", &[]).await.refusal(),
        (401, "AuthFailure")
    );
}

#[tokio::test]
async fn regions_are_told_to_anyone_on_outscale_only() {
    let anyone = |cloud: &Cloud| {
        let request = Client::admin(cloud, "ec2").http.post(cloud.url());
        request.body("Action=DescribeRegions&Version=2016-09-15").send()
    };
    let outscale = cloud(still()).await;
    assert_eq!(anyone(&outscale).await.unwrap().status(), 200);
    let aws = cloud(still_aws()).await;
    assert_eq!(anyone(&aws).await.unwrap().status(), 401);
}
