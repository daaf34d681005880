//! The page in parts, for several scrape jobs: together they are the whole, and no sample is in two.

use std::collections::BTreeMap;
use std::sync::Arc;

use reqwest::StatusCode;
use vigie::demo::Options;
use vigie::server;

use crate::bench::{Account, Bench, cloud, regions, still, still_aws, watcher};
use crate::page::{Page, Series};

/// What a page answers to a query.
async fn ask(bench: &Bench, query: &str) -> (StatusCode, String) {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/metrics{query}", listener.local_addr().unwrap());
    let served = server::run(listener, Arc::clone(&bench.page), std::future::pending());
    let client = reqwest::Client::builder().no_proxy().build().unwrap();
    let got = async {
        let answer = client.get(url).send().await.unwrap();
        (answer.status(), answer.text().await.unwrap())
    };
    tokio::select! {
        answer = got => answer,
        () = served => panic!("the server ended"),
    }
}

async fn samples(bench: &Bench, query: &str) -> BTreeMap<Series, f64> {
    let (status, text) = ask(bench, query).await;
    assert_eq!(status, StatusCode::OK, "{query}: {text}");
    let page = Page::parse(&text);
    page.samples()
        .map(|(series, value)| (series.clone(), value))
        .collect()
}

async fn estate() -> Bench {
    let outscale = cloud(Options {
        regions: regions(&["eu-west-2", "us-east-2"]),
        ..still()
    })
    .await;
    let aws = cloud(Options {
        regions: regions(&["eu-west-1"]),
        ..still_aws()
    })
    .await;
    let accounts = [
        Account {
            name: "one",
            regions: &["eu-west-2", "us-east-2"],
            ..Account::new(&outscale, &watcher(&outscale))
        },
        Account {
            name: "two",
            regions: &["eu-west-1"],
            ..Account::aws(&aws, &watcher(&aws))
        },
    ];
    let bench = Bench::new(
        "",
        &accounts.map(|account| Account {
            lines: "kinds = [\"instances\", \"load_balancers\"]",
            ..account
        }),
    );
    bench.succeeds().await;
    bench
}

#[tokio::test]
async fn parts_of_the_page_are_the_whole_together_and_share_nothing() {
    let bench = estate().await;
    let whole: BTreeMap<Series, f64> = samples(&bench, "").await;
    let of_the_cloud = |samples: &BTreeMap<Series, f64>| -> BTreeMap<Series, f64> {
        let resources = samples
            .iter()
            .filter(|(series, _)| series.name.starts_with("cloud_"));
        resources
            .map(|(series, value)| (series.clone(), *value))
            .collect()
    };
    for split in [
        &["?account=one", "?account=two"][..],
        &["?region=eu-west-1&region=eu-west-2", "?region=us-east-2"],
        &["?kind=instances", "?kind=load_balancers"],
        &[
            "?account=one&kind=instances",
            "?account=one&kind=load_balancers",
            "?account=two",
        ],
    ] {
        let mut together = BTreeMap::new();
        let mut count = 0;
        for query in split {
            let part = of_the_cloud(&samples(&bench, query).await);
            assert!(!part.is_empty(), "{query}");
            count += part.len();
            together.extend(part);
        }
        assert_eq!(together, of_the_cloud(&whole), "{split:?}");
        assert_eq!(count, together.len(), "a sample is in two parts of {split:?}");
    }
}

#[tokio::test]
async fn part_tells_of_the_agent_what_concerns_it() {
    let bench = estate().await;
    let part = samples(&bench, "?account=one&region=us-east-2&kind=instances").await;
    for series in part.keys() {
        for (label, value) in [("account", "one"), ("region", "us-east-2"), ("kind", "instances")] {
            let shown = series.labels.get(label);
            assert!(shown.is_none_or(|shown| shown == value), "{series:?}");
        }
    }
    let has = |name: &str| part.keys().any(|series| series.name == name);
    for name in [
        "vigie_build_info",
        "process_cpu_seconds_total",
        "vigie_poll_success",
        "vigie_api_requests_total",
    ] {
        assert!(has(name), "{name}");
    }
}

#[tokio::test]
async fn part_that_is_not_there_is_refused_and_what_names_no_part_changes_nothing() {
    let bench = estate().await;
    for (query, told) in [
        (
            "?account=three",
            "no account `three` is watched: there are one, two",
        ),
        (
            "?account=one&region=eu-west-9",
            "no region `eu-west-9` is watched",
        ),
        (
            "?kind=instance",
            "no kind `instance` is watched: there are instances, load_balancers\n",
        ),
        ("?kind=volumes", "no kind `volumes` is watched"),
        ("?kind=regions", "no kind `regions` is watched"),
        ("?account=", "no account `` is watched"),
        ("?kind=%ff%1b%5b2J", "no kind `\u{fffd}·[2J` is watched"),
    ] {
        let (status, text) = ask(&bench, query).await;
        assert_eq!(status, StatusCode::BAD_REQUEST, "{query}");
        assert!(text.contains(told), "{query}: {text}");
    }
    let all = samples(&bench, "").await.len();
    for query in ["?&&", "?other=1", "?="] {
        assert_eq!(samples(&bench, query).await.len(), all, "{query}");
    }
}
