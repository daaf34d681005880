//! The page is what the cloud holds.

use vigie::demo::{Fault, Options, TargetHealth};
use vigie::provider::Provider;

use crate::bench::{Bench, cloud};
use crate::truth::{assert_shown, truth};
use crate::{ALL, ONLY_GROUPS, account, groups};

const REGION: &str = "eu-west-2";
const OBJECTS: &[(&str, &str)] = &[("kind", "target_groups")];

#[tokio::test(start_paused = true)]
async fn every_family_holds_what_the_cloud_holds() {
    let cloud = cloud(groups()).await;
    let fleet = cloud.fleet();
    let running: Vec<String> = fleet.instances().iter().map(|one| one.id.clone()).collect();
    // On their own, on nothing, in odd words, and with two ports.
    fleet.add_target_group("alone", "instance", &[], &[&running[0], &running[1]]);
    fleet.add_load_balancer_v2("redirecting", "application");
    let odd = fleet.add_load_balancer_v2("say \"hello\"\n<&>", "carrier pigeon");
    fleet.add_target_group("füllen \\ {}", "instance", &[&odd], &[&running[2]]);
    fleet.register_target("füllen \\ {}", &running[2], Some(81));
    fleet.change_load_balancer_v2("shop", |one| one.state = "dozing".to_owned());
    let empty = fleet.add_load_balancer_v2("empty", "network");
    fleet.add_target_group("empty", "ip", &[&empty], &[]);
    let states = ["unhealthy", "unhealthy.draining", "unavailable", "asleep"];
    for (id, state) in running.iter().zip(states) {
        fleet.set_target_health("shop-pages", id, &TargetHealth::new(state, "Target.Timeout"));
    }
    let bench = Bench::one(account(&cloud, Provider::Aws, ONLY_GROUPS));

    let page = bench.succeeds().await;

    let truth = truth(&fleet, REGION);
    assert!(truth.len() > 150, "{}", truth.len());
    assert_shown(&page, REGION, &truth);
    let objects = fleet.load_balancers_v2().len() + fleet.target_groups().len();
    assert_eq!(page.value("vigie_poll_objects", OBJECTS), Some(objects as f64));
    assert_eq!(page.value("vigie_poll_skipped_objects", OBJECTS), Some(0.0));
}

#[tokio::test(start_paused = true)]
async fn what_lives_is_shown_as_it_is_now() {
    let cloud = cloud(groups()).await;
    let fleet = cloud.fleet();
    let bench = Bench::one(account(&cloud, Provider::Aws, ONLY_GROUPS));
    for _ in 0..40 {
        fleet.tick();
        let page = bench.succeeds().await;
        assert_shown(&page, REGION, &truth(&fleet, REGION));
    }
}

#[tokio::test(start_paused = true)]
async fn sorts_share_a_family_and_a_name_without_being_mistaken_for_each_other() {
    let cloud = cloud(Options {
        load_balancers: 3,
        ..groups()
    })
    .await;
    let fleet = cloud.fleet();
    let classic = fleet.load_balancers()[0].name.clone();
    for sort in ["application", "gateway"] {
        let arn = fleet.add_load_balancer_v2(&classic, sort);
        let target = fleet.instances()[0].id.clone();
        fleet.add_target_group(&format!("behind-{sort}"), "instance", &[&arn], &[&target]);
    }

    let page = Bench::one(account(&cloud, Provider::Aws, ALL)).succeeds().await;

    assert_shown(&page, REGION, &truth(&fleet, REGION));
    for sort in ["classic", "application", "gateway"] {
        let labels = [("load_balancer", classic.as_str()), ("type", sort)];
        assert_eq!(
            page.value("cloud_load_balancer_info", &labels),
            Some(1.0),
            "{sort}"
        );
    }
    let group = [("target_group", "behind-gateway")];
    assert_eq!(page.value("cloud_load_balancer_dead_backends", &group), Some(0.0));
}

#[tokio::test(start_paused = true)]
async fn listings_of_several_pages_are_whole_and_show_nothing_twice() {
    for fault in [None, Some(Fault::DuplicateItems), Some(Fault::EmptyPage)] {
        let cloud = cloud(Options {
            target_groups: 500,
            ..groups()
        })
        .await;
        let bench = Bench::one(account(&cloud, Provider::Aws, ONLY_GROUPS));
        if let Some(fault) = fault.clone() {
            cloud.inject("*", fault, None);
        }
        let page = bench.succeeds().await;
        assert_shown(&page, REGION, &truth(&cloud.fleet(), REGION));
        let skipped = page.value("vigie_poll_skipped_objects", OBJECTS);
        assert_eq!(skipped, Some(0.0), "{fault:?}");
    }
}
