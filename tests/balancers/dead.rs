//! Backends whose instance cannot serve are told apart from those that fail for reasons of their own.

use std::collections::BTreeMap;

use vigie::demo::{Cloud, Fault, Options, TargetHealth};
use vigie::provider::Provider;

use crate::bench::{Bench, cloud, pass, still, still_aws};
use crate::page::Page;
use crate::{ALL, ONLY_GROUPS, account};

const STATE: &str = "cloud_load_balancer_backend_instance_state_info";
const DEAD: &str = "cloud_load_balancer_dead_backends";
const NOWHERE: &str = "i-00000000";
const BOTH: &str = "requests_per_second = 1000\nkinds = [\"instances\", \"load_balancers\"]";

/// A cloud and the ids of four of its instances: running, stopped, terminated, and one that is not there.
async fn scene(provider: Provider) -> (Cloud, [String; 4]) {
    let options = match provider {
        Provider::Outscale => still(),
        Provider::Aws => still_aws(),
    };
    let cloud = cloud(Options {
        load_balancers: 0,
        target_groups: 0,
        ..options
    })
    .await;
    let fleet = cloud.fleet();
    let mut ids = fleet.instances().into_iter().map(|one| one.id);
    let [running, stopped, terminated] = [(); 3].map(|()| ids.next().unwrap());
    fleet.set_state(&running, "running");
    fleet.set_state(&stopped, "stopped");
    fleet.set_state(&terminated, "terminated");
    (cloud, [running, stopped, terminated, NOWHERE.to_owned()])
}

/// All four behind a classic load balancer `web`.
fn put_behind_classic(cloud: &Cloud, ids: &[String; 4]) {
    cloud
        .fleet()
        .add_load_balancer("web", &ids.each_ref().map(String::as_str));
}

/// All four in a target group `web` on two load balancers, and in one that is on none.
fn put_into_groups(cloud: &Cloud, ids: &[String; 4]) {
    let fleet = cloud.fleet();
    let ids = ids.each_ref().map(String::as_str);
    let arns = ["application", "network"].map(|sort| fleet.add_load_balancer_v2(sort, sort));
    fleet.add_target_group("web", "instance", &arns.each_ref().map(String::as_str), &ids);
    fleet.add_target_group("alone", "instance", &[], &ids);
    // An address is no instance, whatever is behind it.
    fleet.add_target_group("addresses", "ip", &[&arns[0]], &["10.0.0.1"]);
    for group in ["web", "alone"] {
        // The cloud lists these for as long as they drain.
        let draining = TargetHealth::new("draining", "Target.DeregistrationInProgress");
        for id in ["", NOWHERE, ids[2]] {
            fleet.set_target_health(group, id, &draining);
        }
    }
}

/// The state of the instance of each backend that has these labels, by id.
fn states<'a>(page: &'a Page, labels: &[(&str, &str)]) -> BTreeMap<&'a str, &'a str> {
    let samples = page
        .family(STATE)
        .filter(|(series, _)| has(&series.labels, labels));
    samples
        .map(|(series, value)| {
            assert!(value > 0.0);
            (&*series.labels["instance_id"], &*series.labels["instance_state"])
        })
        .collect()
}

/// Whether these are among the labels; one without a value is not.
fn has(own: &BTreeMap<String, String>, labels: &[(&str, &str)]) -> bool {
    labels
        .iter()
        .all(|(label, value)| own.get(*label).map_or("", String::as_str) == *value)
}

fn dead(page: &Page, labels: &[(&str, &str)]) -> Option<f64> {
    let mut found = page
        .family(DEAD)
        .filter(|(series, _)| has(&series.labels, labels));
    let value = found.next().map(|(_, value)| value);
    assert!(found.next().is_none(), "{labels:?} are the labels of several");
    value
}

/// Whoever polls once is told of all four: that the last is nowhere may take a second listing of the instances.
async fn assert_told(bench: &Bench, ids: &[String; 4], places: &[&[(&str, &str)]]) {
    let page = bench.succeeds().await;
    let expected: BTreeMap<&str, &str> = ids
        .iter()
        .map(String::as_str)
        .zip(["running", "stopped", "terminated", "unknown"])
        .collect();
    for place in places {
        assert_eq!(states(&page, place), expected, "{place:?}");
        assert_eq!(dead(&page, place), Some(3.0), "{place:?}");
    }
    let all = page.family(DEAD).count();
    assert_eq!(all, places.len(), "a place of its own for each");
}

#[tokio::test(start_paused = true)]
async fn dead_backends_of_a_classic_load_balancer_are_told_in_both_clouds() {
    for provider in Provider::ALL {
        let (cloud, ids) = scene(provider).await;
        put_behind_classic(&cloud, &ids);
        let bench = Bench::one(account(&cloud, provider, BOTH));
        assert_told(&bench, &ids, &[&[("load_balancer", "web"), ("type", "classic")]]).await;
    }
}

#[tokio::test(start_paused = true)]
async fn dead_targets_of_a_group_are_told_for_each_load_balancer_and_for_none() {
    let (cloud, ids) = scene(Provider::Aws).await;
    put_behind_classic(&cloud, &ids);
    put_into_groups(&cloud, &ids);
    let bench = Bench::one(account(&cloud, Provider::Aws, ALL));
    let places: [&[(&str, &str)]; 4] = [
        &[
            ("load_balancer", "web"),
            ("type", "classic"),
            ("target_group", ""),
        ],
        &[
            ("load_balancer", "application"),
            ("type", "application"),
            ("target_group", "web"),
        ],
        &[
            ("load_balancer", "network"),
            ("type", "network"),
            ("target_group", "web"),
        ],
        &[("load_balancer", ""), ("type", ""), ("target_group", "alone")],
    ];
    assert_told(&bench, &ids, &places).await;
    let page = bench.shown();
    let ports: Vec<_> = page
        .family(STATE)
        .filter(|(series, _)| series.labels.contains_key("target_group"))
        .map(|(series, _)| series.labels["port"].as_str())
        .collect();
    assert_eq!(ports, ["80"; 12]);
}

#[tokio::test(start_paused = true)]
async fn without_the_instances_nothing_is_joined() {
    let (cloud, ids) = scene(Provider::Aws).await;
    put_into_groups(&cloud, &ids);
    let page = Bench::one(account(&cloud, Provider::Aws, ONLY_GROUPS))
        .succeeds()
        .await;
    assert_eq!((page.family(STATE).count(), page.family(DEAD).count()), (0, 0));
}

/// A running agent, one of whose two readings goes stale.
#[tokio::test(start_paused = true)]
async fn what_is_joined_leaves_with_the_older_of_its_two_readings() {
    for provider in Provider::ALL {
        let kinds: &[(&str, &str)] = match provider {
            Provider::Outscale => &[("DescribeInstanceHealth", "classic")],
            Provider::Aws => &[
                ("DescribeInstanceHealth", "classic"),
                ("DescribeTargetHealth", "network"),
            ],
        };
        for &(action, sort) in kinds {
            for failing in ["DescribeInstances", action] {
                let (cloud, ids) = scene(provider).await;
                put_behind_classic(&cloud, &ids);
                if provider == Provider::Aws {
                    put_into_groups(&cloud, &ids);
                }
                let lines = if provider == Provider::Aws { ALL } else { BOTH };
                let mut bench = Bench::one(account(&cloud, provider, lines));
                bench.start();
                pass(130).await;
                let place = [("type", sort)];
                assert_eq!(dead(&bench.shown(), &place), Some(3.0), "{provider} {sort}");
                cloud.inject(failing, Fault::Html200, None);
                pass(180).await;
                assert_eq!(
                    dead(&bench.shown(), &place),
                    Some(3.0),
                    "{provider} {sort} {failing}"
                );
                pass(180).await;
                let page = bench.shown();
                assert_eq!(dead(&page, &place), None, "{provider} {sort} {failing}");
                assert_eq!(states(&page, &place), BTreeMap::new());
                cloud.clear_faults();
                pass(130).await;
                assert_eq!(dead(&bench.shown(), &place), Some(3.0), "{provider} {sort}");
            }
        }
    }
}

#[tokio::test(start_paused = true)]
async fn instance_that_starts_again_is_dead_no_longer() {
    let (cloud, ids) = scene(Provider::Aws).await;
    put_into_groups(&cloud, &ids);
    let mut bench = Bench::one(account(&cloud, Provider::Aws, ALL));
    bench.start();
    pass(130).await;
    let place = [("type", "network")];
    assert_eq!(dead(&bench.shown(), &place), Some(3.0));
    cloud.fleet().set_state(&ids[1], "running");
    pass(65).await;
    let page = bench.shown();
    assert_eq!(dead(&page, &place), Some(2.0));
    assert_eq!(states(&page, &place)[ids[1].as_str()], "running");
}
