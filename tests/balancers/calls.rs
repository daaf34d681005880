//! A poll makes no call that it could do without.

use std::collections::BTreeMap;

use vigie::demo::{Cloud, Options};
use vigie::provider::Provider;

use crate::bench::{Bench, cloud, counted, still_aws};
use crate::{ALL, ONLY_GROUPS, account, groups};

/// The calls so far, by version and action.
fn calls(cloud: &Cloud) -> BTreeMap<(String, String), usize> {
    let mut calls = BTreeMap::new();
    for request in cloud.requests() {
        let version = request.parameter("Version").unwrap_or_default().to_owned();
        *calls.entry((version, request.action)).or_default() += 1;
    }
    calls
}

fn expected(calls: &[(&str, &str, usize)]) -> BTreeMap<(String, String), usize> {
    let calls = calls.iter();
    calls
        .map(|(version, action, count)| (((*version).to_owned(), (*action).to_owned()), *count))
        .collect()
}

const EC2: &str = "2016-11-15";
const ELB: &str = "2012-06-01";
const ELB_V2: &str = "2015-12-01";

#[tokio::test(start_paused = true)]
async fn a_poll_of_a_large_fleet_makes_the_fewest_calls_there_are() {
    let cloud = cloud(Options {
        instances: 2500,
        load_balancers: 440,
        target_groups: 30,
        ..still_aws()
    })
    .await;
    let fleet = cloud.fleet();
    for number in 0..10 {
        fleet.add_load_balancer(&format!("idle-{number}"), &[]);
    }
    // In four rounds of seven groups and two more: six load balancers to a round, one of them a gateway, and one.
    let sorts = fleet.load_balancers_v2();
    let gateways = sorts.iter().filter(|one| one.sort == "gateway").count();
    assert_eq!((sorts.len(), gateways), (25, 4));
    let bench = Bench::one(account(&cloud, Provider::Aws, ALL));

    let page = bench.succeeds().await;

    let expected = expected(&[
        // Pages of 1000.
        (EC2, "DescribeInstances", 3),
        // Pages of 400; one call for each that has backends.
        (ELB, "DescribeLoadBalancers", 2),
        (ELB, "DescribeInstanceHealth", 440),
        // One page each; one call for each that is no gateway, and one for each group.
        (ELB_V2, "DescribeTargetGroups", 1),
        (ELB_V2, "DescribeLoadBalancers", 1),
        (ELB_V2, "DescribeListeners", 21),
        (ELB_V2, "DescribeTargetHealth", 30),
    ]);
    assert_eq!(calls(&cloud), expected);
    assert_eq!(counted(&bench), expected.values().sum::<usize>());
    let ok = |action: &str, service: &str| {
        let labels = [("action", action), ("service", service), ("outcome", "ok")];
        page.value("vigie_api_requests_total", &labels)
    };
    assert_eq!(ok("DescribeLoadBalancers", "elb"), Some(2.0));
    assert_eq!(ok("DescribeLoadBalancers", "elbv2"), Some(1.0));
}

#[tokio::test(start_paused = true)]
async fn listings_are_asked_for_in_the_largest_pages() {
    let cloud = cloud(Options {
        target_groups: 500,
        ..groups()
    })
    .await;
    let sorts = cloud.fleet().load_balancers_v2();
    let gateways = sorts.iter().filter(|one| one.sort == "gateway").count();
    assert_eq!((sorts.len(), gateways), (428, 71));
    let bench = Bench::one(account(&cloud, Provider::Aws, ONLY_GROUPS));

    bench.succeeds().await;

    let expected = expected(&[
        (ELB_V2, "DescribeTargetGroups", 2),
        (ELB_V2, "DescribeLoadBalancers", 2),
        (ELB_V2, "DescribeListeners", 357),
        (ELB_V2, "DescribeTargetHealth", 500),
    ]);
    assert_eq!(calls(&cloud), expected);
    let requests = cloud.requests();
    let mut listings = requests
        .iter()
        .filter(|request| request.action != "DescribeTargetHealth");
    assert!(listings.all(|request| request.parameter("PageSize") == Some("400")));
}

#[tokio::test(start_paused = true)]
async fn a_cloud_without_target_groups_is_asked_twice() {
    let cloud = cloud(Options {
        target_groups: 0,
        ..groups()
    })
    .await;
    let page = Bench::one(account(&cloud, Provider::Aws, ONLY_GROUPS))
        .succeeds()
        .await;
    let expected = expected(&[
        (ELB_V2, "DescribeTargetGroups", 1),
        (ELB_V2, "DescribeLoadBalancers", 1),
    ]);
    assert_eq!(calls(&cloud), expected);
    // In this order: a load balancer that a group names and that is not listed after it is gone.
    assert_eq!(cloud.requests()[0].action, "DescribeTargetGroups");
    let kind = [("kind", "target_groups")];
    assert_eq!(page.value("vigie_poll_objects", &kind), Some(0.0));
}
