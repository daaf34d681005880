//! `shard`: several processes with the same settings, each with its part.

use std::collections::BTreeMap;
use std::sync::Arc;

use vigie::demo::Options;

use crate::bench::{ACTIONS, Account, Bench, cloud, pass, regions, still, still_aws, watcher};
use crate::page::{Page, Series};
use crate::scripted::{Answer, Scripted};

const KINDS: &str = "kinds = [\"instances\", \"load_balancers\"]";

fn resources(page: &Page) -> BTreeMap<Series, f64> {
    let cloud = page
        .samples()
        .filter(|(series, _)| series.name.starts_with("cloud_"));
    cloud.map(|(series, value)| (series.clone(), value)).collect()
}

#[tokio::test]
async fn shards_together_are_the_whole_page_and_no_resource_is_on_two() {
    let outscale = cloud(Options {
        regions: regions(&["eu-west-2", "us-east-2"]),
        instances: 4,
        ..still()
    })
    .await;
    let aws = cloud(Options {
        regions: regions(&["us-east-1", "eu-west-1", "eu-west-3", "ap-south-1", "sa-east-1"]),
        instances: 4,
        ..still_aws()
    })
    .await;
    let finder = aws.create_describe_only_user("finder", &[&ACTIONS[..], &["ec2:DescribeRegions"]].concat());
    let keys = [watcher(&outscale), watcher(&aws)];
    let polled = async |head: &str| {
        let accounts = [
            Account {
                name: "listed",
                regions: &["eu-west-2", "us-east-2"],
                lines: KINDS,
                ..Account::new(&outscale, &keys[0])
            },
            Account {
                name: "one",
                regions: &["eu-west-3"],
                lines: KINDS,
                ..Account::aws(&aws, &keys[1])
            },
            Account {
                name: "found",
                regions: &["*"],
                lines: KINDS,
                ..Account::aws(&aws, &finder)
            },
        ];
        let mut bench = Bench::new(head, &accounts);
        assert!(bench.poll_once().await.is_empty());
        assert!(bench.page.is_ready());
        resources(&bench.shown())
    };

    let whole = polled("").await;
    assert!(whole.len() > 8 * 4 * 6, "{}", whole.len());
    for total in 1..=7 {
        let mut together = BTreeMap::new();
        let mut count = 0;
        for index in 0..total {
            let part = polled(&format!("shard = \"{index}/{total}\"")).await;
            count += part.len();
            together.extend(part);
        }
        assert_eq!(together, whole, "{total} shards");
        assert_eq!(count, whole.len(), "a sample is on two of {total} shards");
    }
}

/// With more shards than there is to poll, some have nothing to do, and say so by being there.
#[tokio::test]
async fn shard_without_a_part_serves_its_own_metrics() {
    let cloud = cloud(still()).await;
    let mut bench = Bench::new("shard = \"1/2\"", &[Account::new(&cloud, &watcher(&cloud))]);
    assert!(bench.poll_once().await.is_empty());
    assert_eq!(cloud.requests().len(), 0);
    assert!(bench.page.is_ready());
    assert_eq!(resources(&bench.shown()).len(), 0);
    let page = Arc::clone(&bench.page);
    bench.start();
    assert!(page.watched().is_empty());
}

/// Each process tries a wrong key by itself; the cloud counts the refusals of all.
#[tokio::test(start_paused = true)]
async fn shards_with_one_wrong_key_do_not_lock_the_account_together() {
    let cloud = Scripted::start(|_| Answer::refusal()).await;
    let account = || Account {
        regions: &["eu-west-2", "us-east-2"],
        lines: "kinds = [\"instances\"]\nrequests_per_second = 100",
        ..cloud.account()
    };
    let mut shards = ["0/2", "1/2"].map(|shard| {
        let head = format!("shard = {shard:?}\ninterval = \"10s\"\nstale_after = \"60s\"");
        Bench::new(&head, &[account()])
    });
    for shard in &mut shards {
        shard.start();
    }
    pass(3600).await;
    assert!(cloud.refusals() > 4, "they try again");
    assert!(
        cloud.longest_row() < 4,
        "{} refusals in a row",
        cloud.longest_row()
    );
}
