//! What fails or vanishes takes nothing else with it.

use std::collections::BTreeMap;
use std::time::Duration;

use vigie::demo::{Cloud, Fault, Options};
use vigie::exposition::Format;
use vigie::provider::Provider;

use crate::bench::{Account, Bench, asked, cloud, pass, regions};
use crate::page::Series;
use crate::truth::{assert_shown, shown, truth};
use crate::{ALL, ONLY_GROUPS, account, groups};

const REGION: &str = "eu-west-2";

fn refusal(code: &str) -> Fault {
    Fault::Error {
        status: 400,
        code: code.to_owned(),
        message: "no".to_owned(),
    }
}

/// The truth without what a test takes away.
fn truth_but(cloud: &Cloud, label: &str, gone: &str) -> BTreeMap<Series, f64> {
    let mut truth = truth(&cloud.fleet(), REGION);
    truth.retain(|series, _| series.labels.get(label).is_none_or(|value| value != gone));
    truth
}

#[tokio::test(start_paused = true)]
async fn load_balancer_that_vanished_is_dropped_without_failing_the_poll() {
    for code in ["LoadBalancerNotFound", "LoadBalancerNotFoundException"] {
        let cloud = cloud(groups()).await;
        let bench = Bench::one(account(&cloud, Provider::Aws, ONLY_GROUPS));
        cloud.inject("DescribeListeners", refusal(code), Some(1));
        let page = bench.succeeds().await;
        let asked = asked(&cloud, "DescribeListeners");
        let arn = asked[0].parameter("LoadBalancerArn").unwrap().to_owned();
        let all = cloud.fleet().load_balancers_v2();
        let gone = &all.iter().find(|one| one.arn == arn).unwrap().name;
        // Nothing is said of it, and what stands behind it is shown without it.
        let named = |mut samples: BTreeMap<Series, f64>| {
            samples.retain(|series, _| series.labels.contains_key("load_balancer"));
            samples
        };
        let shown = shown(&page, REGION);
        assert_eq!(
            named(shown.clone()),
            named(truth_but(&cloud, "load_balancer", gone))
        );
        let alone = |series: &&Series| {
            series.name == "cloud_target_group_info" && !series.labels.contains_key("load_balancer")
        };
        let alone: Vec<_> = shown
            .keys()
            .filter(alone)
            .map(|series| &*series.labels["target_group"])
            .collect();
        assert_eq!(alone, ["shop-images", "shop-pages"]);
        let skipped = page.value("vigie_poll_skipped_objects", &[("kind", "target_groups")]);
        assert_eq!(skipped, Some(0.0));
    }
}

#[tokio::test(start_paused = true)]
async fn target_group_that_vanished_is_dropped_without_failing_the_poll() {
    for code in ["TargetGroupNotFound", "TargetGroupNotFoundException"] {
        let cloud = cloud(groups()).await;
        let bench = Bench::one(account(&cloud, Provider::Aws, ONLY_GROUPS));
        cloud.inject("DescribeTargetHealth", refusal(code), Some(1));
        let page = bench.succeeds().await;
        let asked = asked(&cloud, "DescribeTargetHealth");
        let arn = asked[0].parameter("TargetGroupArn").unwrap().to_owned();
        let all = cloud.fleet().target_groups();
        let gone = all.iter().find(|one| one.arn == arn).unwrap();
        assert_shown(&page, REGION, &truth_but(&cloud, "target_group", &gone.name));
        assert!(cloud.fleet().remove_target_group(&gone.name));
        assert_shown(&page, REGION, &truth(&cloud.fleet(), REGION));
    }
}

#[tokio::test(start_paused = true)]
async fn health_that_is_unavailable_for_a_moment_is_asked_for_again() {
    let cloud = cloud(groups()).await;
    let bench = Bench::one(account(&cloud, Provider::Aws, ONLY_GROUPS));
    let fault = Fault::Error {
        status: 500,
        code: "HealthUnavailable".to_owned(),
        message: "The health of the specified targets could not be retrieved due to an internal error."
            .to_owned(),
    };
    cloud.inject("DescribeTargetHealth", fault, Some(1));
    let page = bench.succeeds().await;
    assert_shown(&page, REGION, &truth(&cloud.fleet(), REGION));
    assert_eq!(asked(&cloud, "DescribeTargetHealth").len(), 8);
}

/// Of no listing is a part shown, and what was whole before stays until it is stale.
#[tokio::test(start_paused = true)]
async fn a_failure_in_any_of_the_calls_leaves_the_last_whole_reading() {
    for action in [
        "DescribeTargetGroups",
        "DescribeLoadBalancers",
        "DescribeListeners",
        "DescribeTargetHealth",
    ] {
        let cloud = cloud(groups()).await;
        let bench = Bench::one(account(&cloud, Provider::Aws, ONLY_GROUPS));
        let before = shown(&bench.succeeds().await, REGION);
        cloud.fleet().remove_target_group("shop-pages");
        cloud.inject(action, Fault::WrongRoot, None);
        let (poll, error) = bench.fails().await;
        assert_eq!(poll, "prod eu-west-2 target_groups: malformed");
        assert!(error.starts_with(action), "{error}");
        assert_eq!(shown(&bench.shown(), REGION), before);
        pass(301).await;
        assert_eq!(shown(&bench.shown(), REGION), BTreeMap::new());
    }
}

#[tokio::test(start_paused = true)]
async fn few_calls_are_under_way_at_once() {
    let cloud = cloud(Options {
        target_groups: 40,
        ..groups()
    })
    .await;
    let bench = Bench::one(account(&cloud, Provider::Aws, ONLY_GROUPS));
    cloud.inject("*", Fault::Delay(Duration::from_secs(1)), None);
    bench.succeeds().await;
    let requests = cloud.requests();
    let most = requests.iter().map(|first| {
        let under_way = requests
            .iter()
            .filter(|request| request.at >= first.at && request.at - first.at < Duration::from_millis(990));
        under_way.count()
    });
    assert_eq!(most.max(), Some(5));
}

#[tokio::test(start_paused = true)]
async fn a_region_that_is_throttled_leaves_the_other_whole() {
    let cloud = cloud(Options {
        load_balancers: 5,
        regions: regions(&["eu-west-2", "us-east-2"]),
        ..groups()
    })
    .await;
    let bench = Bench::one(Account {
        regions: &["eu-west-2", "us-east-2"],
        ..account(&cloud, Provider::Aws, ALL)
    });
    let other = |text: &str| -> Vec<String> {
        let lines = text
            .lines()
            .filter(|line| line.starts_with("cloud_") && line.contains("region=\"eu-west-2\""));
        lines.map(str::to_owned).collect()
    };
    bench.succeeds().await;
    let before = other(&bench.text(Format::Text));
    assert!(before.len() > 300, "{}", before.len());
    let throttle = Fault::Throttle { retry_after: None };
    cloud.inject(
        "*",
        Fault::InRegion("us-east-2".to_owned(), Box::new(throttle)),
        None,
    );
    pass(301).await;

    let failed = bench.once().await;

    let polls: Vec<&str> = failed.iter().map(|(poll, _)| poll.as_str()).collect();
    let expected = ["instances", "load_balancers", "target_groups"]
        .map(|kind| format!("prod us-east-2 {kind}: throttled"));
    assert_eq!(polls, expected);
    assert_eq!(other(&bench.text(Format::Text)), before);
    let page = bench.shown();
    for kind in ["instances", "load_balancers", "target_groups"] {
        let success = |region| page.value("vigie_poll_success", &[("region", region), ("kind", kind)]);
        assert_eq!(
            (success("eu-west-2"), success("us-east-2")),
            (Some(1.0), Some(0.0))
        );
    }
    assert!(
        !bench
            .text(Format::Text)
            .lines()
            .any(|line| { line.starts_with("cloud_") && line.contains("region=\"us-east-2\"") })
    );
}
