//! Answers that are odd, too long or too talkative: understood or refused as a whole, and never
//! repeated with a secret in them.

use std::sync::Arc;

use vigie::exposition::Format;
use vigie::server;

use crate::bench::{Account, Bench, CANARY};
use crate::scripted::{Answer, Asked, Scripted};

const SESSION_TOKEN: &str = "canary/of/a/session/that/nobody/may/read==";
const SKIPPED: &str = "vigie_poll_skipped_objects";

/// The page for people, as a browser gets it.
async fn landing_page(bench: &Bench) -> String {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/", listener.local_addr().unwrap());
    let served = server::run(listener, Arc::clone(&bench.page), std::future::pending());
    let client = reqwest::Client::builder().no_proxy().build().unwrap();
    let got = async { client.get(url).send().await.unwrap().text().await.unwrap() };
    tokio::select! {
        page = got => page,
        () = served => panic!("the server ended"),
    }
}

/// Answers both polls with this, and looks for a secret in everything that is said of it. The bench
/// looks for its own.
async fn assert_discreet(status: u16, body: &str) {
    let answered = body.to_owned();
    let cloud = Scripted::start(move |_| Answer::of(status, answered.clone())).await;
    let bench = Bench::one(Account {
        session_token: Some(SESSION_TOKEN),
        ..cloud.account_of_aws()
    });
    let failed = bench.once().await;
    assert_eq!(failed.len(), 2);
    let told = [
        failed.into_iter().map(|(_, error)| error).collect(),
        bench.text(Format::Text),
        bench.text(Format::OpenMetrics),
        landing_page(&bench).await,
    ];
    for told in told {
        assert!(
            !told.contains(CANARY) && !told.contains(SESSION_TOKEN),
            "{body}: {told}"
        );
    }
}

fn error_with(message: &str) -> String {
    format!("<ErrorResponse><Error><Code>Odd</Code><Message>{message}</Message></Error></ErrorResponse>")
}

#[tokio::test(start_paused = true)]
async fn secrets_that_the_other_side_repeats_are_told_to_nobody() {
    for secret in [CANARY, SESSION_TOKEN] {
        let id = format!(
            "<Response><Errors><Error><Code>Odd</Code></Error></Errors><RequestID>{secret}</RequestID></Response>"
        );
        for (status, body) in [
            (403, error_with(&format!("x-amz-security-token:{secret} is odd"))),
            (400, error_with(&format!("twice {secret}{secret}"))),
            (400, error_with(&format!("<![CDATA[{secret}]]>"))),
            (400, error_with("no").replace("Odd", secret)),
            (400, id),
            (401, format!("<html>you sent {secret}</html>")),
            (500, format!("you sent {secret}")),
            (200, format!("<html>you sent {secret}</html>")),
            (200, format!("you sent {secret}")),
        ] {
            assert_discreet(status, &body).await;
        }
    }
}

#[tokio::test(start_paused = true)]
async fn secrets_that_are_repeated_in_escapes_are_told_to_nobody() {
    for secret in [CANARY, SESSION_TOKEN] {
        for escape in ["&#x2F;", "&#47;", "<![CDATA[/]]>", "<b/>/"] {
            assert_discreet(400, &error_with(&secret.replace('/', escape))).await;
        }
    }
}

#[tokio::test(start_paused = true)]
async fn of_two_cursors_the_one_that_says_something_holds() {
    for cursors in [["more", ""], ["", "more"], ["more", "other"]] {
        let element = |name| {
            cursors
                .map(|cursor| format!("<{name}>{cursor}</{name}>"))
                .concat()
        };
        let (token, marker) = (element("nextToken"), element("NextMarker"));
        let cloud = Scripted::start(move |asked| {
            let parameter = |name| asked.parameters.get(name).map(String::as_str);
            match (
                asked.action.as_str(),
                parameter("NextToken").or_else(|| parameter("Marker")),
            ) {
                ("DescribeInstances", None) => Answer::instances("i-1", &token),
                ("DescribeInstances", Some("more")) => Answer::instances("i-2", ""),
                ("DescribeLoadBalancers", None) => Answer::load_balancers("web", &marker),
                ("DescribeLoadBalancers", Some("more")) => Answer::load_balancers("db", ""),
                ("DescribeInstanceHealth", None) => Answer::health("<InstanceStates/>"),
                other => panic!("{other:?} is not to be asked for"),
            }
        })
        .await;
        let page = Bench::one(cloud.account_of_aws()).succeeds().await;
        assert_eq!(page.family("cloud_instance_info").count(), 2, "{cursors:?}");
        assert_eq!(page.family("cloud_load_balancer_info").count(), 2, "{cursors:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn answer_without_its_list_is_malformed_and_no_empty_fleet() {
    let cases = [
        (
            "DescribeInstances",
            "instances",
            "reservationSet",
            "<DescribeInstancesResponse><requestId>r</requestId></DescribeInstancesResponse>",
        ),
        (
            "DescribeLoadBalancers",
            "load_balancers",
            "LoadBalancerDescriptions",
            "<DescribeLoadBalancersResponse><DescribeLoadBalancersResult/></DescribeLoadBalancersResponse>",
        ),
        (
            "DescribeInstanceHealth",
            "load_balancers",
            "InstanceStates",
            "<DescribeInstanceHealthResponse><DescribeInstanceHealthResult/></DescribeInstanceHealthResponse>",
        ),
    ];
    for (action, kind, missing, answer) in cases {
        let cloud = Scripted::start(one_of_each).await;
        let bench = Bench::one(cloud.account_of_aws());
        let before = bench.succeeds().await;
        cloud.goes_on(move |asked| {
            if asked.action == action {
                Answer::of(200, answer)
            } else {
                one_of_each(asked)
            }
        });

        let (poll, error) = bench.fails().await;

        assert_eq!(poll, format!("prod eu-west-2 {kind}: malformed"), "{error}");
        assert!(error.contains(missing), "it is not told what is missing: {error}");
        let after = bench.shown();
        for family in ["cloud_instance_state", "cloud_load_balancer_backend_healthy"] {
            let shown = after.family(family).count();
            assert!(shown > 0 && shown == before.family(family).count(), "{family}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn backend_without_id_or_state_is_counted_and_not_taken_for_unhealthy() {
    let cloud = Scripted::start(|asked| match asked.action.as_str() {
        "DescribeInstanceHealth" => Answer::health(
            "<InstanceStates><member><InstanceId>i-1</InstanceId><State>InService</State></member>\
             <member><InstanceId>i-2</InstanceId></member><member><InstanceId>i-3</InstanceId><State/></member>\
             <member><State>OutOfService</State></member><member/></InstanceStates>",
        ),
        _ => one_of_each(asked),
    })
    .await;

    let page = Bench::one(cloud.account_of_aws()).succeeds().await;

    let healthy: Vec<_> = page
        .family("cloud_load_balancer_backend_healthy")
        .map(|(series, value)| (series.labels["instance_id"].as_str(), value))
        .collect();
    assert_eq!(healthy, [("i-1", 1.0)]);
    assert_eq!(page.family("cloud_load_balancer_backend_state_info").count(), 1);
    assert_eq!(page.value("cloud_load_balancer_backends", &[]), Some(1.0));
    assert_eq!(page.value("cloud_load_balancer_healthy_backends", &[]), Some(1.0));
    assert_eq!(page.value(SKIPPED, &[("kind", "load_balancers")]), Some(4.0));
    assert_eq!(page.value(SKIPPED, &[("kind", "instances")]), Some(0.0));
}

#[tokio::test(start_paused = true)]
async fn durations_are_counted_from_zero() {
    let cloud = Scripted::start(one_of_each).await;
    let bench = Bench::one(cloud.account_of_aws());
    let counts = |page: &crate::page::Page| {
        [
            "DescribeInstances",
            "DescribeLoadBalancers",
            "DescribeInstanceHealth",
        ]
        .map(|action| page.value("vigie_api_request_duration_seconds_count", &[("action", action)]))
    };
    assert_eq!(counts(&bench.shown()), [Some(0.0); 3]);
    assert_eq!(counts(&bench.succeeds().await), [Some(1.0); 3]);
}

#[tokio::test(start_paused = true)]
async fn error_of_any_length_keeps_its_code() {
    for length in [100, 100_000, 10_000_000] {
        let body = format!(
            "<ErrorResponse><Error><Code>AccessDenied</Code><Message>{}</Message></Error></ErrorResponse>",
            "x".repeat(length)
        );
        let cloud = Scripted::start(move |_| Answer::of(403, body.clone())).await;
        let bench = Bench::one(cloud.account_of_aws());
        let failed = bench.once().await;
        assert_eq!(failed.len(), 2);
        for (poll, error) in failed {
            assert!(poll.ends_with(": denied"), "{poll}: {error}");
            assert!(error.contains("AccessDenied") && error.len() < 700, "{error}");
        }
    }
}

/// One instance, and one load balancer that has it in service.
fn one_of_each(asked: &Asked) -> Answer {
    match asked.action.as_str() {
        "DescribeLoadBalancers" => Answer::load_balancers("web", ""),
        "DescribeInstanceHealth" => Answer::health(
            "<InstanceStates><member><InstanceId>i-1</InstanceId><State>InService</State></member></InstanceStates>",
        ),
        _ => Answer::one_instance(asked),
    }
}
