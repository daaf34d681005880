//! What the agent asks for, how much of it at once, and that one failure stays alone.

use std::time::Duration;

use tokio::time::Instant;
use vigie::demo::{Fault, Options};
use vigie::exposition::Format;
use vigie::provider::Provider;

use crate::bench::{Account, Bench, asked, cloud, counted, pass, regions, still, still_aws, watcher};

const HEALTH: &str = "DescribeInstanceHealth";

fn refusal(status: u16, code: &str) -> Fault {
    Fault::Error {
        status,
        code: code.to_owned(),
        message: "no".to_owned(),
    }
}

#[tokio::test(start_paused = true)]
async fn load_balancer_that_vanished_is_dropped_without_failing_the_poll() {
    for code in ["LoadBalancerNotFound", "AccessPointNotFoundException"] {
        let cloud = cloud(still()).await;
        let bench = Bench::one(Account::new(&cloud, &watcher(&cloud)));
        cloud.inject(HEALTH, refusal(400, code), Some(1));
        let page = bench.succeeds().await;
        let gone = asked(&cloud, HEALTH)[0]
            .parameter("LoadBalancerName")
            .unwrap()
            .to_owned();
        let shown: Vec<_> = page
            .family("cloud_load_balancer_info")
            .map(|(series, _)| series.labels["load_balancer"].clone())
            .collect();
        assert_eq!(shown.len(), cloud.fleet().load_balancers().len() - 1);
        assert!(!shown.contains(&gone));
        assert_eq!(
            page.value("vigie_poll_objects", &[("kind", "load_balancers")]),
            Some(4.0)
        );
        assert_eq!(
            page.value("vigie_poll_skipped_objects", &[("kind", "load_balancers")]),
            Some(0.0)
        );
    }
}

/// Every answer takes a second: as many requests as begin within it are under way at once.
#[tokio::test(start_paused = true)]
async fn few_health_calls_are_under_way_at_once() {
    for (provider, at_once) in [(Provider::Aws, 5), (Provider::Outscale, 2)] {
        let cloud = cloud(Options {
            provider,
            load_balancers: 40,
            ..still()
        })
        .await;
        let bench = Bench::one(Account {
            provider,
            lines: "requests_per_second = 1000\nkinds = [\"load_balancers\"]",
            ..Account::new(&cloud, &watcher(&cloud))
        });
        cloud.inject(HEALTH, Fault::Delay(Duration::from_secs(1)), None);
        bench.succeeds().await;
        let begun: Vec<Instant> = asked(&cloud, HEALTH).iter().map(|request| request.at).collect();
        assert_eq!(begun.len(), 40);
        let most = begun.iter().map(|first| {
            let under_way = begun
                .iter()
                .filter(|at| **at >= *first && **at - *first < Duration::from_millis(990));
            under_way.count()
        });
        assert_eq!(most.max(), Some(at_once), "{provider}");
    }
}

#[tokio::test(start_paused = true)]
async fn calls_under_way_at_a_failure_are_counted_and_no_more_begin() {
    let cloud = cloud(Options {
        load_balancers: 40,
        ..still_aws()
    })
    .await;
    let bench = Bench::one(Account {
        lines: "requests_per_second = 1000",
        ..Account::aws(&cloud, &watcher(&cloud))
    });
    cloud.inject(HEALTH, refusal(403, "AccessDenied"), Some(1));
    cloud.inject(HEALTH, Fault::Delay(Duration::from_secs(1)), None);
    let (poll, _) = bench.fails().await;
    assert_eq!(poll, "prod eu-west-2 load_balancers: denied");
    assert_eq!(asked(&cloud, HEALTH).len(), 5);
    assert_eq!(counted(&bench), cloud.requests().len());
}

#[tokio::test(start_paused = true)]
async fn requests_stay_within_the_budget_and_the_waiting_is_shown() {
    let cloud = cloud(Options {
        load_balancers: 40,
        regions: regions(&["eu-west-2", "us-east-2"]),
        ..still()
    })
    .await;
    let bench = Bench::one(Account {
        regions: &["eu-west-2", "us-east-2"],
        lines: "requests_per_second = 4",
        ..Account::new(&cloud, &watcher(&cloud))
    });
    let page = bench.succeeds().await;
    for region in ["eu-west-2", "us-east-2"] {
        let requests = cloud.requests();
        let times: Vec<Instant> = requests
            .iter()
            .filter(|request| request.region == region)
            .map(|request| request.at)
            .collect();
        assert_eq!(times.len(), 42);
        for first in &times {
            let within = times
                .iter()
                .filter(|at| **at >= *first && **at - *first < Duration::from_secs(1));
            // A second's worth may go at once, and a second's worth follows.
            assert!(within.count() <= 8);
        }
        let later: Vec<Instant> = times
            .iter()
            .copied()
            .filter(|at| *at - times[0] >= Duration::from_millis(1100))
            .collect();
        for pair in later.windows(5) {
            assert!(
                pair[4] - pair[0] >= Duration::from_millis(990),
                "faster than 4 a second"
            );
        }
        let labels = [("region", region)];
        assert_eq!(
            page.value("vigie_api_budget_requests_per_second", &labels),
            Some(4.0)
        );
        assert!(
            page.value("vigie_api_budget_wait_seconds_total", &labels)
                .unwrap()
                > 9.0
        );
    }
}

/// The samples of one region, as they stand on the page.
fn samples(bench: &Bench, stamp: &str) -> Vec<String> {
    let text = bench.text(Format::Text);
    let lines = text
        .lines()
        .filter(|line| line.starts_with("cloud_") && line.contains(stamp));
    lines.map(str::to_owned).collect()
}

#[tokio::test(start_paused = true)]
async fn failing_region_or_account_leaves_the_others_samples_untouched() {
    let good = cloud(Options {
        regions: regions(&["eu-west-2", "us-east-2"]),
        ..still()
    })
    .await;
    let bad = cloud(Options { seed: 7, ..still() }).await;
    let key = watcher(&good);
    let account = || Account {
        regions: &["eu-west-2", "us-east-2"],
        ..Account::new(&good, &key)
    };
    let lost = Account {
        name: "lost",
        ..Account::new(&bad, &watcher(&bad))
    };
    let alone = Bench::one(account());
    alone.succeeds().await;
    let expected = samples(&alone, "account=\"prod\"");
    assert!(expected.len() > 300);

    let bench = Bench::new("", &[lost, account()]);
    bench.succeeds().await;
    assert_eq!(samples(&bench, "account=\"prod\""), expected);
    let before = samples(&bench, "account=\"lost\"");
    bad.inject("*", Fault::Html200, None);
    let failed = bench.once().await;
    assert_eq!(failed.len(), 2, "{failed:?}");
    assert_eq!(samples(&bench, "account=\"prod\""), expected);
    // The last whole reading stays for a while.
    assert_eq!(samples(&bench, "account=\"lost\""), before);
    pass(301).await;
    bench.once().await;
    assert_eq!(samples(&bench, "account=\"prod\""), expected);
    assert!(samples(&bench, "account=\"lost\"").is_empty());
}

#[tokio::test(start_paused = true)]
async fn state_series_current_shows_the_current_state_alone() {
    let cloud = cloud(still()).await;
    let key = watcher(&cloud);
    let all = Bench::one(Account::new(&cloud, &key)).succeeds().await;
    let bench = Bench::one(Account {
        lines: "state_series = \"current\"",
        ..Account::new(&cloud, &key)
    });
    let page = bench.succeeds().await;
    let fleet = cloud.fleet().instances();
    assert_eq!(page.family("cloud_instance_state").count(), fleet.len());
    for instance in &fleet {
        let labels = [
            ("instance_id", instance.id.as_str()),
            ("state", instance.state.as_str()),
        ];
        assert_eq!(
            page.value("cloud_instance_state", &labels),
            Some(1.0),
            "{labels:?}"
        );
        assert_eq!(
            all.value("cloud_instance_state", &labels),
            Some(1.0),
            "{labels:?}"
        );
    }
    let current = all
        .family("cloud_instance_state")
        .filter(|(_, value)| *value > 0.0);
    assert_eq!(current.count(), fleet.len());
    assert_eq!(all.family("cloud_instance_state").count(), 7 * fleet.len());
}
