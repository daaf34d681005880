//! A bad key is never hammered: OUTSCALE locks an account after four failures in a row.

use std::time::Duration;

use jiff::SignedDuration;
use vigie::demo::{Cloud, Fault, Key, Options};

use crate::bench::{
    Account, Bench, cloud, counted, pass, regions, still, still_aws, unknown_key, watcher, with_wrong_secret,
};

const HOUR: u64 = 3600;
const REGIONS: &[&str] = &["eu-west-2", "us-east-2"];
const AUTH: [(&str, &str); 2] = [("account", "prod"), ("region", "eu-west-2")];

fn two_regions() -> Options {
    Options {
        regions: regions(REGIONS),
        ..still()
    }
}

/// Seconds from the first request to each of them.
fn times(cloud: &Cloud) -> Vec<f64> {
    let requests = cloud.requests();
    let first = requests.first().map(|request| request.at);
    requests
        .iter()
        .map(|request| (request.at - first.unwrap()).as_secs_f64())
        .collect()
}

/// The tries of a key that was never good: three a minute apart, then longer waits, never four close together.
fn assert_patient(cloud: &Cloud) {
    let times = times(cloud);
    let waits: Vec<f64> = times.windows(2).map(|pair| pair[1] - pair[0]).collect();
    assert!(times.len() >= 20, "it gave up: {times:?}");
    assert!(times.len() <= 30, "the key is hammered: {times:?}");
    assert!(waits.iter().all(|wait| *wait >= 60.0), "{waits:?}");
    assert!(waits[2..].iter().all(|wait| *wait >= 900.0), "{waits:?}");
    assert!(waits[5..].iter().all(|wait| *wait >= 3600.0), "{waits:?}");
    assert_eq!(cloud.times_locked_out(), 0);
}

#[tokio::test(start_paused = true)]
async fn key_that_was_never_good_is_tried_ever_more_seldom() {
    let options = || [still(), two_regions()];
    for (options, is_unknown) in options()
        .into_iter()
        .zip([false, true])
        .chain(options().into_iter().zip([true, false]))
    {
        let names = if options.regions.len() == 1 {
            &REGIONS[..1]
        } else {
            REGIONS
        };
        let cloud = cloud(options).await;
        let good = watcher(&cloud);
        let key = if is_unknown {
            unknown_key()
        } else {
            with_wrong_secret(&good)
        };
        let account = Account {
            regions: names,
            ..Account::new(&cloud, &key)
        };
        // Polled often, so that nothing but the agent's patience spaces the tries.
        let mut bench = Bench::new("interval = \"15s\"", &[account]);
        bench.start();
        pass(24 * HOUR).await;
        assert_patient(&cloud);
        let page = bench.shown();
        assert_eq!(page.family("cloud_instance_state").count(), 0);
        assert_eq!(
            page.family("vigie_auth_locked_until_timestamp_seconds").count(),
            1
        );

        // The right key in the file is seen by the next poll, unless the last refusal is too fresh to risk another.
        let last = cloud.requests().last().unwrap().at;
        tokio::time::sleep_until(last + Duration::from_secs(900)).await;
        let before = cloud.requests().len();
        bench.change_key("prod", &good);
        pass(61).await;
        let page = bench.shown();
        for region in names {
            for kind in ["instances", "load_balancers"] {
                let labels = [("region", *region), ("kind", kind)];
                assert_eq!(page.value("vigie_poll_success", &labels), Some(1.0), "{labels:?}");
            }
        }
        assert_eq!(
            page.family("vigie_auth_locked_until_timestamp_seconds").count(),
            0
        );
        assert!(
            cloud.requests()[before..]
                .iter()
                .all(|request| request.status == 200)
        );
    }
}

/// Runs an agent with many health calls under way until its key is made inactive in their middle.
async fn deactivated_in_the_middle(options: Options, names: &'static [&'static str]) -> (Cloud, Key, Bench) {
    let cloud = cloud(options).await;
    let key = watcher(&cloud);
    let mut bench = Bench::one(Account {
        regions: names,
        lines: "requests_per_second = 50",
        ..Account::new(&cloud, &key)
    });
    // Late answers: as many calls as may be are under way at any time.
    cloud.inject(
        "DescribeInstanceHealth",
        Fault::Delay(Duration::from_millis(300)),
        None,
    );
    bench.start();
    pass(2).await;
    assert!(cloud.requests().len() > 5);
    assert!(cloud.requests().iter().all(|request| request.status == 200));
    assert!(cloud.deactivate_key(&key.access_key_id));
    (cloud, key, bench)
}

#[tokio::test(start_paused = true)]
async fn key_deactivated_under_many_calls_locks_nothing() {
    for (options, names) in [(still(), &REGIONS[..1]), (two_regions(), REGIONS)] {
        let options = Options {
            load_balancers: 60,
            ..options
        };
        let (cloud, key, bench) = deactivated_in_the_middle(options, names).await;
        let before = cloud.requests().len();
        pass(24 * HOUR).await;
        let refused = &cloud.requests()[before..];
        assert!(refused.iter().all(|request| request.status != 200));
        assert_eq!(cloud.times_locked_out(), 0, "{:?}", times(&cloud));
        assert_eq!(
            counted(&bench),
            cloud.requests().len(),
            "a request was not counted"
        );
        let first = refused[0].at;
        let soon = refused
            .iter()
            .filter(|request| request.at - first < Duration::from_secs(600))
            .count();
        assert!(soon <= 3, "{soon} refusals within ten minutes");

        // It heals by itself once the key is active again.
        assert!(cloud.activate_key(&key.access_key_id));
        pass(HOUR + 120).await;
        let page = bench.shown();
        for region in names {
            let labels = [("region", *region), ("kind", "load_balancers")];
            assert_eq!(page.value("vigie_poll_success", &labels), Some(1.0));
        }
        assert_eq!(cloud.times_locked_out(), 0);
    }
}

/// Nothing that waits for the budget is sent after the refusal.
#[tokio::test(start_paused = true)]
async fn refusal_stops_the_calls_that_wait_for_their_turn() {
    let cloud = cloud(Options {
        load_balancers: 60,
        ..still()
    })
    .await;
    let key = watcher(&cloud);
    let mut bench = Bench::one(Account {
        lines: "requests_per_second = 1",
        ..Account::new(&cloud, &key)
    });
    bench.start();
    pass(10).await;
    assert!(cloud.deactivate_key(&key.access_key_id));
    cloud.forget_requests();
    pass(59).await;
    let times = times(&cloud);
    assert_eq!(times.len(), 1, "the key was refused at 0: {times:?}");
}

#[tokio::test(start_paused = true)]
async fn right_key_is_tried_at_once_but_never_as_the_fourth_in_a_row() {
    // Refusals before the file changes, and how long it then takes at most.
    for (refusals, wait) in [(1, 61), (2, 61), (3, 15 * 60 + 61)] {
        let cloud = cloud(still()).await;
        let good = watcher(&cloud);
        let mut bench = Bench::one(Account::new(&cloud, &with_wrong_secret(&good)));
        bench.start();
        while cloud.requests().len() < refusals {
            pass(1).await;
        }
        bench.change_key("prod", &good);
        pass(wait).await;
        let requests = cloud.requests();
        assert!(requests[refusals..].iter().all(|request| request.status == 200));
        assert!(
            bench.shown().family("cloud_instance_state").count() > 0,
            "after {refusals}"
        );
        if refusals == 3 {
            assert!(requests[3].at - requests[2].at >= Duration::from_secs(900));
        }
    }
}

#[tokio::test(start_paused = true)]
async fn new_key_that_takes_a_while_to_be_known_is_waited_for() {
    let cloud = cloud(still()).await;
    let key = watcher(&cloud);
    assert!(cloud.deactivate_key(&key.access_key_id));
    let mut bench = Bench::one(Account::new(&cloud, &key));
    bench.start();
    pass(90).await;
    assert!(cloud.activate_key(&key.access_key_id));
    pass(120).await;
    let page = bench.shown();
    assert!(page.family("cloud_instance_state").count() > 0);
    assert_eq!(cloud.times_locked_out(), 0);
}

#[tokio::test(start_paused = true)]
async fn region_of_aws_that_refuses_does_not_stop_the_other() {
    for names in [&["eu-west-1", "eu-west-3"], &["eu-west-3", "eu-west-1"]] {
        let cloud = cloud(Options {
            regions: regions(&["eu-west-1"]),
            ..still_aws()
        })
        .await;
        let key = watcher(&cloud);
        let mut bench = Bench::one(Account {
            regions: names,
            ..Account::aws(&cloud, &key)
        });
        bench.start();
        pass(HOUR).await;
        let page = bench.shown();
        for (region, success) in [("eu-west-1", 1.0), ("eu-west-3", 0.0)] {
            let labels = [("region", region), ("kind", "instances")];
            assert_eq!(page.value("vigie_poll_success", &labels), Some(success));
        }
        let labels = [("region", "eu-west-1"), ("kind", "instances"), ("reason", "auth")];
        let failures = page.value("vigie_poll_failures_total", &labels).unwrap();
        assert!(failures <= 2.0, "the other region failed {failures} times");
        let refused = cloud
            .requests()
            .iter()
            .filter(|request| request.status != 200)
            .count();
        assert!(refused < 12, "the region that refuses is hammered: {refused}");
    }
}

#[tokio::test(start_paused = true)]
async fn wrong_clock_locks_nothing_however_many_regions_there_are() {
    const MANY: &[&str] = &[
        "eu-west-2",
        "us-east-2",
        "us-west-1",
        "ap-northeast-1",
        "cloudgouv-eu-west-1",
    ];
    let cloud = cloud(Options {
        regions: regions(MANY),
        clock_offset: SignedDuration::from_mins(10),
        ..still()
    })
    .await;
    let key = watcher(&cloud);
    let bench = Bench::one(Account {
        regions: MANY,
        ..Account::new(&cloud, &key)
    });
    bench.succeeds().await;
    assert_eq!(cloud.times_locked_out(), 0);
    let refused = cloud
        .requests()
        .iter()
        .filter(|request| request.status != 200)
        .count();
    assert_eq!(refused, 1, "one refusal tells the clock for all");
}

#[tokio::test(start_paused = true)]
async fn denied_action_is_no_refusal_of_the_key() {
    let cloud = cloud(still()).await;
    let key = cloud.create_describe_only_user(
        "half",
        &[
            "ec2:DescribeInstances",
            "elasticloadbalancing:DescribeLoadBalancers",
        ],
    );
    let mut bench = Bench::one(Account::new(&cloud, &key));
    bench.start();
    pass(HOUR).await;
    let page = bench.shown();
    let of = |kind| [AUTH[0], AUTH[1], ("kind", kind)];
    assert_eq!(page.value("vigie_poll_success", &of("instances")), Some(1.0));
    assert_eq!(page.value("vigie_poll_success", &of("load_balancers")), Some(0.0));
    let failures = |reason| {
        page.value(
            "vigie_poll_failures_total",
            &[("kind", "load_balancers"), ("reason", reason)],
        )
    };
    assert!(failures("denied").unwrap() >= 60.0);
    assert_eq!(failures("auth"), Some(0.0));
    assert_eq!(
        page.family("vigie_auth_locked_until_timestamp_seconds").count(),
        0
    );
    assert!(page.family("cloud_instance_state").count() > 0);
}
