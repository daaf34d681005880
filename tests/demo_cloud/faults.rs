//! What goes wrong, and how the cloud ends.

use std::time::Duration;

use reqwest::header::RETRY_AFTER;
use tokio::net::TcpListener;
use tokio::time::Instant;
use vigie::demo::{Cloud, Fault, Options};

use crate::client::{Client, cloud, still};

#[tokio::test]
async fn throttling_speaks_the_language_of_each_service() {
    let cloud = cloud(still()).await;
    let throttle = Fault::Throttle { retry_after: Some(3) };
    cloud.inject("DescribeInstances", throttle.clone(), Some(1));
    cloud.inject("DescribeLoadBalancers", throttle, Some(1));
    let ec2 = Client::admin(&cloud, "ec2");
    let reply = ec2.call("DescribeInstances", &[]).await;
    assert_eq!(reply.refusal(), (503, "RequestLimitExceeded"));
    assert_eq!(reply.headers[RETRY_AFTER], "3");
    assert_eq!(ec2.call("DescribeInstances", &[]).await.status, 200);
    let reply = Client::admin(&cloud, "lbu")
        .call("DescribeLoadBalancers", &[])
        .await;
    assert_eq!(reply.refusal(), (400, "Throttling"));
    let codes: Vec<Option<String>> = cloud
        .requests()
        .into_iter()
        .map(|request| request.error_code)
        .collect();
    assert_eq!(
        codes,
        [
            Some("RequestLimitExceeded".to_owned()),
            None,
            Some("Throttling".to_owned())
        ]
    );
}

#[tokio::test]
async fn wrong_answers_are_wrong_in_their_own_way() {
    let cloud = cloud(still()).await;
    let ec2 = Client::admin(&cloud, "ec2");
    let mut bodies = Vec::new();
    for (fault, status) in [
        (Fault::Status(503), 503),
        (Fault::Empty(500), 500),
        (Fault::Empty(200), 200),
        (Fault::Html200, 200),
        (Fault::Json200, 200),
        (Fault::Truncated, 200),
        (Fault::WrongRoot, 200),
        (Fault::DeepNesting(10_000), 200),
        (Fault::Enormous(1_000_000), 200),
    ] {
        cloud.inject("*", fault, Some(1));
        let reply = ec2.call("DescribeInstances", &[]).await;
        assert_eq!(reply.status, status);
        bodies.push(reply.body);
    }
    assert!(bodies[0].starts_with("<!DOCTYPE html>"));
    assert!(bodies[1].is_empty());
    assert!(bodies[5].starts_with("<?xml") && !bodies[5].contains("</DescribeInstancesResponse>"));
    assert!(bodies[6].contains("<DescribeSomethingElseResponse"));
    assert!(bodies[7].contains(&"<item>".repeat(10_000)));
    assert!(bodies[8].len() >= 1_000_000);
    cloud.inject("*", Fault::Html200, None);
    cloud.clear_faults();
    assert_eq!(
        ec2.call("DescribeInstances", &[]).await.all("instanceId").len(),
        24
    );
}

#[tokio::test]
async fn moto_envelope_is_of_neither_dialect() {
    let cloud = cloud(still()).await;
    let fault = Fault::MotoEnvelope {
        status: 403,
        code: "AccessDenied".to_owned(),
        message: "no".to_owned(),
    };
    cloud.inject("DescribeInstances", fault, None);
    let reply = Client::admin(&cloud, "ec2").call("DescribeInstances", &[]).await;
    assert_eq!(reply.refusal(), (403, "AccessDenied"));
    assert!(reply.body.contains("<ErrorResponse><Errors><Error>"));
}

#[tokio::test]
async fn connection_is_cut_in_the_middle_of_the_body() {
    let cloud = cloud(still()).await;
    cloud.inject("DescribeInstances", Fault::CutAfter(100), Some(1));
    let ec2 = Client::admin(&cloud, "ec2");
    let mut response = ec2.send("DescribeInstances", &[]).await.unwrap();
    assert!(response.content_length().unwrap() > 1000);
    assert_eq!(response.chunk().await.unwrap().unwrap().len(), 100);
    assert!(response.chunk().await.is_err());
}

#[tokio::test]
async fn connection_is_closed_without_a_byte() {
    let cloud = cloud(still()).await;
    cloud.inject("DescribeInstances", Fault::Close, Some(1));
    let ec2 = Client::admin(&cloud, "ec2");
    assert!(ec2.send("DescribeInstances", &[]).await.is_err());
    assert_eq!(ec2.call("DescribeInstances", &[]).await.status, 200);
}

#[tokio::test]
async fn answer_to_the_nth_request_is_spoilt_whatever_it_asks_for() {
    let cloud = cloud(still()).await;
    let key = cloud.create_describe_only_user("watcher", &["ec2:DescribeInstances"]);
    let ec2 = Client::new(&cloud, key, "ec2");
    cloud.inject_at(2, Fault::Empty(502));
    assert_eq!(ec2.call("DescribeInstances", &[]).await.status, 200);
    assert_eq!(ec2.call("StopInstances", &[]).await.status, 502);
    assert_eq!(ec2.call("StopInstances", &[]).await.status, 403);
}

#[tokio::test(start_paused = true)]
async fn late_answer_comes_and_hanging_one_never_does() {
    let cloud = cloud(still()).await;
    let ec2 = Client::admin(&cloud, "ec2");
    cloud.inject("*", Fault::Delay(Duration::from_secs(7)), Some(1));
    let begun = Instant::now();
    assert_eq!(ec2.call("DescribeRegions", &[]).await.status, 200);
    assert!(begun.elapsed() >= Duration::from_secs(7));
    cloud.inject("*", Fault::Hang, Some(1));
    assert!(ec2.send("DescribeRegions", &[]).await.unwrap_err().is_timeout());
}

/// In real time: a paused clock runs ahead of bytes on their way between two drips.
#[tokio::test]
async fn dripping_answer_is_the_right_one() {
    let cloud = cloud(still()).await;
    let ec2 = Client::admin(&cloud, "ec2");
    cloud.inject("*", Fault::DripBytes(Duration::from_millis(1)), Some(1));
    let begun = Instant::now();
    let reply = ec2.call("DescribeRegions", &[]).await;
    assert_eq!(reply.one("regionName"), "eu-west-2");
    assert!(begun.elapsed() >= Duration::from_millis(1) * u32::try_from(reply.body.len()).unwrap());
}

#[tokio::test]
async fn listings_can_be_made_to_mislead() {
    let cloud = cloud(still()).await;
    let ec2 = Client::admin(&cloud, "ec2");
    let size = ("MaxResults", "20");
    cloud.inject("DescribeInstances", Fault::RepeatToken, None);
    let first = ec2.call("DescribeInstances", &[size]).await;
    let token = first.one("nextToken");
    let second = ec2.call("DescribeInstances", &[size, ("NextToken", token)]).await;
    assert_eq!(second.one("nextToken"), token);
    cloud.clear_faults();
    cloud.inject("DescribeInstances", Fault::EmptyToken, None);
    assert!(
        ec2.call("DescribeInstances", &[])
            .await
            .body
            .contains("<nextToken/>")
    );
    cloud.clear_faults();
    cloud.inject("DescribeInstances", Fault::DuplicateItems, None);
    assert_eq!(
        ec2.call("DescribeInstances", &[]).await.all("instanceId").len(),
        48
    );
    cloud.clear_faults();
    cloud.inject(
        "DescribeInstances",
        Fault::OnPage(2, Box::new(Fault::Status(502))),
        None,
    );
    assert_eq!(ec2.call("DescribeInstances", &[size]).await.status, 200);
    let second = ec2.call("DescribeInstances", &[size, ("NextToken", token)]).await;
    assert_eq!(second.status, 502);
}

#[tokio::test]
async fn cloud_stays_on_loopback_and_ends_when_told() {
    let listener = TcpListener::bind("0.0.0.0:0").await.unwrap();
    let refused = Cloud::start(Options::default(), listener).await.unwrap_err();
    assert!(refused.to_string().contains("loopback"));
    let cloud = cloud(still()).await;
    let client = Client::admin(&cloud, "ec2");
    cloud.inject("*", Fault::Hang, Some(1));
    let (hanging, ()) = tokio::join!(client.send("DescribeRegions", &[]), async {
        tokio::time::sleep(Duration::from_millis(200)).await;
        cloud.shut_down().await;
    });
    assert_eq!(hanging.unwrap().status(), 503);
    assert!(
        client
            .send("DescribeRegions", &[])
            .await
            .unwrap_err()
            .is_connect()
    );
}
