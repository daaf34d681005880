//! `regions = ["*"]`, and many accounts and regions at once.

use std::collections::BTreeSet;
use std::time::Duration;

use tokio::time::Instant;
use vigie::demo::{Fault, Options};
use vigie::exposition::Format;

use crate::bench::{ACTIONS, Account, Bench, asked, cloud, pass, regions, still, still_aws, watcher};
use crate::page::Page;
use crate::scripted::{Answer, Scripted};

const FIND: &str = "DescribeRegions";
const LISTS: &str = "kinds = [\"instances\"]";

fn regions_of(page: &Page, family: &str) -> BTreeSet<String> {
    let samples = page.family(family);
    samples
        .map(|(series, _)| series.labels["region"].clone())
        .collect()
}

fn names(names: &[&str]) -> BTreeSet<String> {
    names.iter().map(|&name| name.to_owned()).collect()
}

/// An answer that names regions, with how each came to be enabled.
fn regions_named(regions: &[(&str, &str)]) -> Answer {
    let item = |(name, status): &(&str, &str)| {
        format!("<item><regionName>{name}</regionName><optInStatus>{status}</optInStatus></item>")
    };
    let items: String = regions.iter().map(item).collect();
    Answer::of(
        200,
        format!("<DescribeRegionsResponse><regionInfo>{items}</regionInfo></DescribeRegionsResponse>"),
    )
}

#[tokio::test(start_paused = true)]
async fn every_enabled_region_of_aws_is_found_and_polled() {
    let cloud = cloud(Options {
        regions: regions(&["us-east-1", "eu-west-1", "eu-west-3"]),
        ..still_aws()
    })
    .await;
    let actions = [&ACTIONS[..], &["ec2:DescribeRegions"]].concat();
    let key = cloud.create_describe_only_user("finder", &actions);
    let mut bench = Bench::new(
        "",
        &[Account {
            regions: &["*"],
            ..Account::aws(&cloud, &key)
        }],
    );
    bench.start();
    pass(30).await;

    let page = bench.shown();
    let all = names(&["us-east-1", "eu-west-1", "eu-west-3"]);
    assert_eq!(regions_of(&page, "cloud_instance_state"), all);
    assert_eq!(regions_of(&page, "cloud_load_balancer_info"), all);
    assert_eq!(asked(&cloud, FIND).len(), 1);
    assert_eq!(
        page.value("vigie_poll_success", &[("kind", "regions")]),
        Some(1.0)
    );
    assert!(bench.page.is_ready());
}

#[tokio::test(start_paused = true)]
async fn regions_come_and_go_and_what_no_host_can_be_called_is_left_out() {
    let cloud = Scripted::start(|asked| match asked.action.as_str() {
        FIND => regions_named(&[
            ("us-east-1", "opt-in-not-required"),
            ("eu-west-1", "opted-in"),
            ("af-south-1", "not-opted-in"),
            ("evil.example/x", "opted-in"),
        ]),
        _ => Answer::one_instance(asked),
    })
    .await;
    let mut bench = Bench::one(Account {
        regions: &["*"],
        lines: LISTS,
        ..cloud.account_of_aws()
    });
    bench.start();
    pass(30).await;
    assert_eq!(
        regions_of(&bench.shown(), "cloud_instance_state"),
        names(&["us-east-1", "eu-west-1"])
    );

    // An answer without regions is taken for a fault of the other side.
    cloud.goes_on(|asked| match asked.action.as_str() {
        FIND => regions_named(&[]),
        _ => Answer::one_instance(asked),
    });
    pass(11 * 60).await;
    assert_eq!(regions_of(&bench.shown(), "cloud_instance_state").len(), 2);

    cloud.goes_on(|asked| match asked.action.as_str() {
        FIND => regions_named(&[("us-east-1", ""), ("me-south-1", "opted-in")]),
        _ => Answer::one_instance(asked),
    });
    pass(11 * 60).await;
    let page = bench.shown();
    assert_eq!(
        regions_of(&page, "cloud_instance_state"),
        names(&["us-east-1", "me-south-1"])
    );
    // Whatever told of the one that is gone would be told of for ever.
    let told = page.samples().find(|(series, _)| {
        series
            .labels
            .get("region")
            .is_some_and(|region| region == "eu-west-1")
    });
    assert!(told.is_none(), "{told:?}");
    assert!(
        bench.page.is_ready(),
        "a region that is new does not make it less so"
    );
}

#[tokio::test(start_paused = true)]
async fn regions_that_cannot_be_found_are_looked_for_again_and_told() {
    let cloud = Scripted::start(|asked| match asked.action.as_str() {
        FIND => Answer::of(
            403,
            "<Response><Errors><Error><Code>UnauthorizedOperation</Code><Message>no</Message></Error></Errors></Response>",
        ),
        _ => Answer::one_instance(asked),
    })
    .await;
    let mut bench = Bench::one(Account {
        regions: &["*"],
        lines: LISTS,
        ..cloud.account_of_aws()
    });
    bench.start();
    pass(90).await;
    let page = bench.shown();
    let finding = [("kind", "regions"), ("region", "us-east-1")];
    assert_eq!(page.value("vigie_poll_success", &finding), Some(0.0));
    let denied = [finding[0], finding[1], ("reason", "denied")];
    assert_eq!(page.value("vigie_poll_failures_total", &denied), Some(2.0));
    assert_eq!(regions_of(&page, "cloud_instance_state").len(), 0);

    cloud.goes_on(|asked| match asked.action.as_str() {
        FIND => regions_named(&[("eu-west-1", "")]),
        _ => Answer::one_instance(asked),
    });
    pass(90).await;
    assert_eq!(
        regions_of(&bench.shown(), "cloud_instance_state"),
        names(&["eu-west-1"])
    );
}

#[tokio::test(start_paused = true)]
async fn first_polls_of_many_regions_do_not_burst() {
    let many = [
        "r-0", "r-1", "r-2", "r-3", "r-4", "r-5", "r-6", "r-7", "r-8", "r-9", "r-10", "r-11", "r-12", "r-13",
        "r-14",
    ];
    let cloud = cloud(Options {
        regions: regions(&many),
        instances: 1,
        load_balancers: 0,
        ..still_aws()
    })
    .await;
    let accounts = ["one", "two"].map(|name| Account {
        name,
        regions: &[
            "r-0", "r-1", "r-2", "r-3", "r-4", "r-5", "r-6", "r-7", "r-8", "r-9", "r-10", "r-11", "r-12",
            "r-13", "r-14",
        ],
        lines: "kinds = [\"instances\", \"load_balancers\"]",
        key_file: Some("key"),
        ..Account::aws(&cloud, &cloud.create_describe_only_user(name, &ACTIONS))
    });
    let mut bench = Bench::new("", &accounts);
    bench.start();
    pass(29).await;

    let begun: Vec<Instant> = cloud.requests().iter().map(|request| request.at).collect();
    assert_eq!(begun.len(), 2 * 15 * 2);
    let within = |span: Duration| {
        let busiest = begun.iter().map(|first| {
            let then = begun.iter().filter(|at| **at >= *first && **at - *first < span);
            then.count()
        });
        busiest.max().unwrap()
    };
    assert!(
        within(Duration::from_secs(1)) <= 11,
        "{} in a second",
        within(Duration::from_secs(1))
    );
    assert!(bench.page.is_ready());
}

#[tokio::test(start_paused = true)]
async fn account_that_hangs_or_is_throttled_delays_no_other() {
    for (fault, reason) in [
        (Fault::Delay(Duration::from_secs(600)), "timeout"),
        (
            Fault::Error {
                status: 503,
                code: "RequestLimitExceeded".to_owned(),
                message: "no".to_owned(),
            },
            "throttled",
        ),
    ] {
        let (ill, well) = (cloud(still()).await, cloud(still()).await);
        ill.inject("*", fault, None);
        // A cloud's first key has the same id in both, and would be one key.
        well.create_describe_only_user("another", &[]);
        let accounts = [
            Account {
                name: "ill",
                ..Account::new(&ill, &watcher(&ill))
            },
            Account {
                name: "well",
                ..Account::new(&well, &watcher(&well))
            },
        ];
        let mut bench = Bench::new("interval = \"10s\"\nstale_after = \"60s\"", &accounts);
        bench.start();
        pass(55).await;
        assert_eq!(asked(&well, "DescribeInstances").len(), 6, "{reason}");
        let page = bench.shown();
        assert_eq!(
            page.value(
                "vigie_poll_success",
                &[("account", "well"), ("kind", "instances")]
            ),
            Some(1.0)
        );
        let told = [("account", "ill"), ("kind", "instances"), ("reason", reason)];
        assert!(
            page.value("vigie_poll_failures_total", &told) > Some(0.0),
            "{reason}: {}",
            bench.text(Format::Text)
        );
        assert_eq!(page.value("cloud_instance_state", &[("account", "ill")]), None);
    }
}

#[tokio::test(start_paused = true)]
async fn endpoint_with_a_path_in_front_is_signed_with_it() {
    let cloud = cloud(still()).await;
    let bench = Bench::one(Account {
        url: format!("{}/clouds/eu%20west", cloud.url()),
        ..Account::new(&cloud, &watcher(&cloud))
    });
    bench.succeeds().await;
}
