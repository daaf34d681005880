//! A listing is read to its end, whole or not at all.

use std::collections::BTreeSet;

use vigie::demo::{Cloud, Fault, Options};
use vigie::exposition::Format;

use crate::bench::{Account, Bench, asked, cloud, pass, still, still_aws, watcher};
use crate::page::Page;

const LIST: &str = "DescribeInstances";
const INSTANCES: &[(&str, &str)] = &[("kind", "instances")];

async fn with_instances(instances: usize) -> Cloud {
    cloud(Options { instances, ..still() }).await
}

fn only_instances(cloud: &Cloud) -> Account {
    Account {
        lines: "kinds = [\"instances\"]\nstate_series = \"current\"",
        ..Account::new(cloud, &watcher(cloud))
    }
}

/// The instances on the page, each of which is there once.
fn shown(page: &Page) -> BTreeSet<String> {
    let info = page.family("cloud_instance_info");
    info.map(|(series, _)| series.labels["instance_id"].clone())
        .collect()
}

fn there(cloud: &Cloud) -> BTreeSet<String> {
    let instances = cloud.fleet().instances();
    instances.into_iter().map(|instance| instance.id).collect()
}

#[tokio::test(start_paused = true)]
async fn every_page_is_asked_for_with_its_size() {
    let cloud = cloud(Options {
        instances: 2500,
        load_balancers: 450,
        ..still_aws()
    })
    .await;
    let bench = Bench::one(Account {
        lines: "requests_per_second = 1000",
        ..Account::aws(&cloud, &watcher(&cloud))
    });
    let page = bench.succeeds().await;
    assert_eq!(shown(&page), there(&cloud));
    assert_eq!(page.family("cloud_load_balancer_info").count(), 450);
    for (action, pages, size, cursor) in [
        (LIST, 3, ("MaxResults", "1000"), "NextToken"),
        ("DescribeLoadBalancers", 2, ("PageSize", "400"), "Marker"),
    ] {
        let asked = asked(&cloud, action);
        assert_eq!(asked.len(), pages);
        assert!(
            asked
                .iter()
                .all(|request| request.parameter(size.0) == Some(size.1))
        );
        let cursors: BTreeSet<_> = asked.iter().map(|request| request.parameter(cursor)).collect();
        assert_eq!(
            cursors.len(),
            pages,
            "each page has a cursor of its own, and the first has none"
        );
        assert!(cursors.contains(&None));
    }
}

#[tokio::test(start_paused = true)]
async fn token_that_repeats_ends_the_listing_with_a_failure() {
    for instances in [24, 1500] {
        let cloud = with_instances(instances).await;
        let bench = Bench::one(only_instances(&cloud));
        cloud.inject(LIST, Fault::RepeatToken, None);
        let (poll, error) = bench.fails().await;
        assert_eq!(poll, "prod eu-west-2 instances: malformed");
        assert!(
            error.starts_with("DescribeInstances") && error.contains("does not end"),
            "{error}"
        );
        assert!(asked(&cloud, LIST).len() <= 3);
        assert!(shown(&bench.shown()).is_empty());
    }
}

#[tokio::test(start_paused = true)]
async fn odd_pages_lose_nothing_and_show_nothing_twice() {
    for (fault, pages) in [
        (Fault::EmptyToken, 2),
        (Fault::EmptyPage, 3),
        (Fault::DuplicateItems, 2),
    ] {
        let cloud = with_instances(1500).await;
        let bench = Bench::one(only_instances(&cloud));
        cloud.inject("*", fault.clone(), None);
        let page = bench.succeeds().await;
        assert_eq!(shown(&page), there(&cloud), "{fault:?}");
        assert_eq!(page.value("vigie_poll_objects", INSTANCES), Some(1500.0));
        assert_eq!(asked(&cloud, LIST).len(), pages, "{fault:?}");
    }
    let cloud = cloud(still()).await;
    cloud.inject("*", Fault::DuplicateItems, None);
    let page = Bench::one(Account::new(&cloud, &watcher(&cloud)))
        .succeeds()
        .await;
    assert_eq!(page.family("cloud_load_balancer_info").count(), 5);
}

#[tokio::test(start_paused = true)]
async fn failing_page_fails_the_reading_and_the_last_whole_one_stays_for_a_while() {
    let cloud = with_instances(4100).await;
    let mut bench = Bench::one(only_instances(&cloud));
    bench.start();
    pass(30).await;
    let before = bench.shown();
    assert_eq!(shown(&before).len(), 4100);
    let since = before.value("vigie_poll_last_success_timestamp_seconds", INSTANCES);
    assert!(since.is_some());

    let removed = there(&cloud).pop_first().unwrap();
    assert!(cloud.fleet().remove(&removed));
    cloud.inject(LIST, Fault::OnPage(3, Box::new(Fault::Status(500))), None);
    pass(240).await;
    let page = bench.shown();
    assert_eq!(page.value("vigie_poll_success", INSTANCES), Some(0.0));
    assert_eq!(shown(&page), shown(&before), "the last whole reading");
    assert_eq!(
        page.value("vigie_poll_last_success_timestamp_seconds", INSTANCES),
        since
    );

    pass(60).await;
    let page = bench.shown();
    assert!(!bench.text(Format::Text).contains("cloud_instance_"));
    assert_eq!(
        page.value("vigie_poll_last_success_timestamp_seconds", INSTANCES),
        since
    );
    assert_eq!(page.value("vigie_poll_success", INSTANCES), Some(0.0));

    cloud.clear_faults();
    pass(60).await;
    let page = bench.shown();
    assert_eq!(shown(&page), there(&cloud));
    assert_eq!(page.value("vigie_poll_success", INSTANCES), Some(1.0));
}

#[tokio::test(start_paused = true)]
async fn size_that_outscale_refuses_is_left_out_from_then_on() {
    let cloud = cloud(Options {
        instances: 1500,
        load_balancers: 450,
        refuses_paging: true,
        ..still()
    })
    .await;
    let bench = Bench::one(Account {
        lines: "requests_per_second = 1000",
        ..Account::new(&cloud, &watcher(&cloud))
    });
    // The demo cloud pages load balancers without being asked to.
    for (instances_asked, load_balancers_asked) in [
        (&[true, false][..], &[true, false, false][..]),
        (&[false], &[false, false]),
    ] {
        let page = bench.succeeds().await;
        assert_eq!(shown(&page), there(&cloud));
        assert_eq!(page.family("cloud_load_balancer_info").count(), 450);
        let sized = |action, size| {
            let asked = asked(&cloud, action).into_iter();
            asked
                .map(|request| request.parameter(size).is_some())
                .collect::<Vec<_>>()
        };
        assert_eq!(sized(LIST, "MaxResults"), instances_asked);
        assert_eq!(sized("DescribeLoadBalancers", "PageSize"), load_balancers_asked);
        cloud.forget_requests();
    }
}

/// There, a listing without a size draws from a smaller budget, and no size has ever been refused.
#[tokio::test(start_paused = true)]
async fn size_is_never_left_out_on_aws() {
    let cloud = cloud(Options {
        refuses_paging: true,
        ..still_aws()
    })
    .await;
    let bench = Bench::one(Account {
        lines: "kinds = [\"instances\"]",
        ..Account::aws(&cloud, &watcher(&cloud))
    });
    for _ in 0..2 {
        let (poll, error) = bench.fails().await;
        assert_eq!(poll, "prod eu-west-2 instances: other");
        assert!(error.contains("MaxResults"), "{error}");
    }
    assert_eq!(asked(&cloud, LIST).len(), 2);
    assert!(
        cloud
            .requests()
            .iter()
            .all(|request| request.parameter("MaxResults").is_some())
    );
}
