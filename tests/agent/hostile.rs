//! One odd object, name or tag never takes the others down, and never spoils the page.

use std::collections::BTreeMap;

use proptest::prelude::*;
use vigie::demo::{Cloud, Options, Times};
use vigie::provider::Provider;
use vigie::resource::{Tags, tag_labels};

use crate::bench::{Account, Bench, cloud, still, watcher};
use crate::page::Page;

const INSTANCES: &[(&str, &str)] = &[("kind", "instances")];
const ALL_TAGS: &str = "tags = [\"*\"]\nkinds = [\"instances\"]";

fn with_all_tags(cloud: &Cloud) -> Bench {
    Bench::one(Account {
        lines: ALL_TAGS,
        ..Account::new(cloud, &watcher(cloud))
    })
}

/// The labels of an instance's one sample of a family, without those of every sample.
fn labels(page: &Page, family: &str, id: &str) -> Option<BTreeMap<String, String>> {
    let mut found = page
        .family(family)
        .filter(|(series, _)| series.labels["instance_id"] == id);
    let (series, _) = found.next()?;
    assert!(found.next().is_none());
    let mut labels = series.labels.clone();
    for own in ["account", "region", "instance_id"] {
        labels.remove(own);
    }
    Some(labels)
}

fn states(page: &Page, id: &str) -> Vec<(String, f64)> {
    let all = page.family("cloud_instance_state");
    all.filter(|(series, _)| series.labels["instance_id"] == id)
        .map(|(series, value)| (series.labels["state"].clone(), value))
        .collect()
}

#[tokio::test(start_paused = true)]
async fn odd_instances_are_counted_and_the_others_shown() {
    let running = "<instanceState><code>16</code><name>running</name></instanceState>";
    let deep = format!(
        "<item><instanceId>i-deep</instanceId>{running}<x>{}{}</x></item>",
        "<y>".repeat(40),
        "</y>".repeat(40)
    );
    // What stands in the listing, the id it is shown under if it is, and its state.
    let cases: &[(String, Option<&str>, &str)] = &[
        (format!("<item>{running}</item>"), None, ""),
        (format!("<item><instanceId/>{running}</item>"), None, ""),
        (format!("<item><instanceId>  \n </instanceId>{running}</item>"), None, ""),
        ("<item><instanceId>i-stateless</instanceId></item>".into(), None, ""),
        ("<item><instanceId>i-nameless</instanceId><instanceState><code>16</code></instanceState></item>".into(), None, ""),
        ("<item><instanceId>i-empty</instanceId><instanceState><name></name></instanceState></item>".into(), None, ""),
        ("<item/>".into(), None, ""),
        (format!("<item a='1'><instanceId>i-unknown</instanceId><later><item><instanceId>i-no</instanceId></item></later>{running}</item>"), Some("i-unknown"), "running"),
        (format!("<x:item xmlns:x='urn:x'><x:instanceId>i-prefixed</x:instanceId>{running}</x:item>"), Some("i-prefixed"), "running"),
        (format!("<item><instanceId>i-twice</instanceId><instanceId>i-other</instanceId>{running}{running}</item>"), Some("i-twice"), "running"),
        (format!("<item><instanceId>i-<b>no<c/></b>sted</instanceId>{running}</item>"), Some("i-sted"), "running"),
        (format!("<item><instanceId><![CDATA[i-<&\">]]></instanceId>{running}</item>"), Some("i-<&\">"), "running"),
        (format!("<item><instanceId>i-number</instanceId>{running}<launchTime>12e400</launchTime><amiLaunchIndex/><reason>(99 GMT)</reason></item>"), Some("i-number"), "running"),
        ("<item><instanceId>i-novel</instanceId><instanceState><code>x</code><name>hiber\"nating</name></instanceState></item>".into(), Some("i-novel"), "hiber\"nating"),
        ("<item><instanceId>i-loud</instanceId><instanceState><name>RUNNING</name></instanceState></item>".into(), Some("i-loud"), "RUNNING"),
        (deep, Some("i-deep"), "running"),
    ];
    for provider in Provider::ALL {
        let cloud = cloud(Options { provider, ..still() }).await;
        for (item, _, _) in cases {
            cloud.fleet().add_raw_instance(item);
        }
        let bench = Bench::one(Account {
            provider,
            lines: ALL_TAGS,
            ..Account::new(&cloud, &watcher(&cloud))
        });
        let page = bench.succeeds().await;
        let understood = cases.iter().filter(|(_, id, _)| id.is_some()).count();
        let there = cloud.fleet().instances();
        assert_eq!(
            page.family("cloud_instance_info").count(),
            there.len() + understood
        );
        assert_eq!(
            page.value("vigie_poll_objects", INSTANCES),
            Some((there.len() + understood) as f64)
        );
        assert_eq!(
            page.value("vigie_poll_skipped_objects", INSTANCES),
            Some((cases.len() - understood) as f64)
        );
        for (item, id, state) in cases {
            let Some(id) = id else { continue };
            let current: Vec<_> = states(&page, id)
                .into_iter()
                .filter(|(_, value)| *value > 0.0)
                .collect();
            assert_eq!(current, [((*state).to_owned(), 1.0)], "{item}");
        }
        for instance in &there {
            assert!(labels(&page, "cloud_instance_info", &instance.id).is_some());
        }
    }
}

#[tokio::test(start_paused = true)]
async fn quarantine_and_both_shapes_of_time_are_understood() {
    let cloud = cloud(Options {
        times: Times::Mixed,
        ..still()
    })
    .await;
    let page = with_all_tags(&cloud).succeeds().await;
    let fleet = cloud.fleet().instances();
    assert!(fleet.iter().any(|instance| instance.state == "quarantine"));
    for instance in &fleet {
        let id = [("instance_id", instance.id.as_str())];
        let launched = page
            .value("cloud_instance_launch_timestamp_seconds", &id)
            .unwrap();
        assert!((launched - instance.launched.as_duration().as_secs_f64()).abs() < 0.01);
        let states = states(&page, &instance.id);
        assert_eq!(states.len(), 7);
        assert!(states.contains(&(instance.state.clone(), 1.0)));
    }
}

#[tokio::test(start_paused = true)]
async fn names_and_tags_of_any_kind_are_shown_as_they_are() {
    let cloud = cloud(still()).await;
    let fleet = cloud.fleet();
    let ids: Vec<String> = fleet
        .instances()
        .into_iter()
        .map(|instance| instance.id)
        .collect();
    let tags = [
        ("Name", "a\"b\\c\nd {e=\"f\"} \u{1F980} \r é <&>"),
        ("name", "n"),
        ("instance_id", "i-forged"),
        ("account", "forged"),
        ("__name__", "up"),
        ("le", "+Inf"),
        ("a-b", "1"),
        ("a.b", "2"),
        ("a_b", "3"),
        ("a_b_conflict1", "4"),
        ("", "no key"),
        ("empty", ""),
        ("\u{1F980}", "crab"),
        ("9", "digit"),
        ("a\nb", "line"),
    ];
    fleet.change(&ids[0], |instance| {
        instance.tags = tags
            .iter()
            .map(|(key, value)| ((*key).to_owned(), (*value).to_owned()))
            .collect();
    });
    let page = with_all_tags(&cloud).succeeds().await;
    let shown = labels(&page, "cloud_instance_tags", &ids[0]).unwrap();
    assert_eq!(shown["tag_Name"], tags[0].1);
    assert_eq!(shown["tag_instance_id"], "i-forged");
    assert_eq!(
        labels(&page, "cloud_instance_info", &ids[0]).unwrap()["name"],
        tags[0].1
    );
    // All but the one that says nothing.
    assert_eq!(shown.len(), tags.len() - 1, "{shown:?}");
}

#[tokio::test(start_paused = true)]
async fn thousand_instances_of_one_name_are_a_thousand() {
    let cloud = cloud(Options {
        instances: 1000,
        ..still()
    })
    .await;
    for instance in cloud.fleet().instances() {
        cloud.fleet().set_tag(&instance.id, "Name", "web \"1\"");
    }
    let page = with_all_tags(&cloud).succeeds().await;
    let info: Vec<_> = page.family("cloud_instance_info").collect();
    assert_eq!(info.len(), 1000);
    assert!(
        info.iter()
            .all(|(series, _)| series.labels["name"] == "web \"1\"")
    );
}

fn tags() -> impl Strategy<Value = Vec<(String, String)>> {
    // Keys that collide, that look like numbered ones, and any others; what XML can hold.
    let text = || {
        any::<String>().prop_map(|text| text.replace(|c: char| c.is_control() && c != '\n' && c != '\r', "?"))
    };
    let key = prop_oneof![2 => "[ab_.-]{0,3}", 1 => "a_(conflict[12])?", 2 => text()];
    prop::collection::vec((key, prop_oneof![text(), Just(String::new())]), 0..8)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_tags_come_back_from_the_page(fleet_tags in prop::collection::vec(tags(), 24)) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let cloud = cloud(still()).await;
            let ids: Vec<String> = cloud.fleet().instances().into_iter().map(|instance| instance.id).collect();
            for (id, tags) in ids.iter().zip(&fleet_tags) {
                cloud.fleet().change(id, |instance| instance.tags.clone_from(tags));
            }
            let page = with_all_tags(&cloud).succeeds().await;
            for (id, tags) in ids.iter().zip(&fleet_tags) {
                let expected: BTreeMap<_, _> =
                    tag_labels(tags, &Tags::All).into_iter().filter(|(_, value)| !value.is_empty()).collect();
                let shown = labels(&page, "cloud_instance_tags", id).unwrap_or_default();
                assert_eq!(shown, expected);
            }
        });
    }
}
