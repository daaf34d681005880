//! Which instances an account is about: filters for the cloud, and rules for tags.

use std::collections::BTreeSet;

use vigie::demo::{Cloud, Instance};

use crate::bench::{Account, Bench, asked, cloud, still, still_aws, watcher};
use crate::page::Page;

const LIST: &str = "DescribeInstances";

fn shown(page: &Page, family: &str) -> BTreeSet<String> {
    let samples = page.family(family);
    samples
        .map(|(series, _)| series.labels["instance_id"].clone())
        .collect()
}

fn ids(cloud: &Cloud, wanted: impl Fn(&Instance) -> bool) -> BTreeSet<String> {
    let instances = cloud.fleet().instances().into_iter();
    instances.filter(|one| wanted(one)).map(|one| one.id).collect()
}

fn tag<'a>(instance: &'a Instance, key: &str) -> Option<&'a str> {
    let found = instance.tags.iter().find(|(known, _)| known == key);
    found.map(|(_, value)| value.as_str())
}

fn account(cloud: &Cloud, lines: &'static str) -> Account {
    Account {
        lines,
        ..Account::new(cloud, &watcher(cloud))
    }
}

#[tokio::test(start_paused = true)]
async fn filters_are_sent_with_every_page_and_the_cloud_applies_them() {
    let cloud = cloud(still()).await;
    let bench = Bench::one(account(
        &cloud,
        "filters = { \"tag:env\" = [\"prod\", \"dev\"], instance-state-name = [\"running\"] }",
    ));

    let page = bench.succeeds().await;

    let wanted = ids(&cloud, |one| {
        one.state == "running" && matches!(tag(one, "env"), Some("prod" | "dev"))
    });
    assert!(!wanted.is_empty() && wanted.len() < cloud.fleet().instances().len());
    assert_eq!(shown(&page, "cloud_instance_info"), wanted);
    let request = &asked(&cloud, LIST)[0];
    let sent = [
        "Filter.1.Name",
        "Filter.1.Value.1",
        "Filter.2.Name",
        "Filter.2.Value.1",
        "Filter.2.Value.2",
    ];
    let sent = sent.map(|name| request.parameter(name).unwrap_or_default().to_owned());
    assert_eq!(sent, ["instance-state-name", "running", "tag:env", "prod", "dev"]);
}

#[tokio::test(start_paused = true)]
async fn kept_and_dropped_instances_are_told_by_their_tags_after_the_listing() {
    let cloud = cloud(still()).await;
    let bench = Bench::one(account(
        &cloud,
        "keep = { env = [\"prod\", \"staging\"], team = [\"*\"] }\ndrop = { team = [\"beacon\"] }",
    ));

    let page = bench.succeeds().await;

    let wanted = ids(&cloud, |one| {
        matches!(tag(one, "env"), Some("prod" | "staging"))
            && !matches!(tag(one, "team"), None | Some("beacon"))
    });
    assert!(!wanted.is_empty());
    for family in ["cloud_instance_info", "cloud_instance_state"] {
        assert_eq!(shown(&page, family), wanted, "{family}");
    }
    assert!(asked(&cloud, LIST)[0].parameter("Filter.1.Name").is_none());
    let kind = [("kind", "instances")];
    assert_eq!(page.value("vigie_poll_objects", &kind), Some(wanted.len() as f64));
    assert_eq!(page.value("vigie_poll_skipped_objects", &kind), Some(0.0));
}

/// The settings say which instances somebody is interested in, not which there are.
#[tokio::test(start_paused = true)]
async fn instance_that_is_not_selected_is_not_taken_for_a_dead_backend() {
    let dead = |page: &Page| -> f64 {
        page.family("cloud_load_balancer_dead_backends")
            .map(|(_, count)| count)
            .sum()
    };
    for options in [still(), still_aws()] {
        let cloud = cloud(options.clone()).await;
        let key = watcher(&cloud);
        let account = |lines| Account {
            provider: options.provider,
            regions: &["eu-west-2"],
            lines,
            ..Account::new(&cloud, &key)
        };
        // One that there never was is told by all but those who filter.
        cloud.fleet().add_load_balancer("lost", &["i-0000000000000gone"]);
        let all = Bench::one(account("")).succeeds().await;
        let lost = [("load_balancer", "lost"), ("instance_state", "unknown")];
        let state = "cloud_load_balancer_backend_instance_state_info";
        assert_eq!(all.value(state, &lost), Some(1.0));
        assert!(dead(&all) > 1.0, "some backends are stopped, too");

        let kept = Bench::one(account("keep = { env = [\"nothing has this\"] }"))
            .succeeds()
            .await;
        assert_eq!(shown(&kept, "cloud_instance_state").len(), 0);
        assert_eq!(dead(&kept).to_string(), dead(&all).to_string());

        let filtered = Bench::one(account("filters = { \"tag:env\" = [\"prod\"] }"))
            .succeeds()
            .await;
        assert_eq!(filtered.value(state, &lost), None);
        let unknown = filtered
            .family(state)
            .filter(|(series, _)| series.labels["instance_state"] == "unknown");
        assert_eq!(unknown.count(), 0);
    }
}
