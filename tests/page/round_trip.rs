//! Whatever people call things comes back from the page, by the reference reader of OpenMetrics and by promtool.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use ::vigie::exposition::{Format, Page, Part};
use ::vigie::poller::{Status, Watched};
use ::vigie::provider::Provider;
use ::vigie::reading::Reading;
use ::vigie::resource::{Observation, Show, Tags};
use ::vigie::resources::instances;
use jiff::Timestamp;
use prometheus::Registry;
use proptest::prelude::*;
use proptest::strategy::ValueTree as _;
use proptest::test_runner::TestRunner;
use serde::Deserialize;
use tokio::sync::watch;
use tokio::time::Instant;

use crate::parts::{command, part};
use crate::promtool::promtool_check_metrics;

#[derive(Debug, Clone)]
struct Fleet {
    account: String,
    region: String,
    /// By id: image, and tags by their keys.
    instances: BTreeMap<String, (String, BTreeMap<String, String>)>,
}

/// A sample, as a reader finds it.
#[derive(Debug, Deserialize)]
struct Sample {
    name: String,
    labels: BTreeMap<String, String>,
    value: f64,
}

/// Any text, and often one that is syntax somewhere on the way.
fn text() -> impl Strategy<Value = String> {
    prop_oneof![
        any::<String>(),
        "[\"\\\\\n\r\t{}=, #\0\u{7f}\u{85}\u{2028}\u{1F980}a]{0,8}",
        "\\PC{0,12}"
    ]
}

fn fleet() -> impl Strategy<Value = Fleet> {
    // Keys that collide, that look like numbered ones, and any others.
    let key = prop_oneof![2 => "[ab_.é-]{0,3}", 1 => "a_(conflict[12])?", 2 => text()];
    let tags = prop::collection::btree_map(key, text(), 0..8);
    // What the cloud's white space around an id is, is not to be told from the id's own.
    let id = text().prop_map(|text| format!("i{text}x"));
    let instances = prop::collection::btree_map(id, (text(), tags), 1..40);
    (text(), text(), instances).prop_map(|(account, region, instances)| Fleet {
        account,
        region,
        instances,
    })
}

/// The fleet as the cloud describes it.
fn described(fleet: &Fleet) -> String {
    let escaped = |text: &str| {
        let text = text.replace('&', "&amp;");
        text.replace('<', "&lt;").replace('>', "&gt;")
    };
    let mut items = String::new();
    for (id, (image, tags)) in &fleet.instances {
        let (id, image) = (escaped(id), escaped(image));
        items.extend(["<item><instanceId>", &id, "</instanceId><imageId>", &image]);
        items.push_str("</imageId><instanceState><name>running</name></instanceState><tagSet>");
        for (key, value) in tags {
            let (key, value) = (escaped(key), escaped(value));
            items.extend(["<item><key>", &key, "</key><value>", &value, "</value></item>"]);
        }
        items.push_str("</tagSet></item>");
    }
    format!(
        "<DescribeInstancesResponse><reservationSet><item><instancesSet>{items}</instancesSet></item>\
         </reservationSet></DescribeInstancesResponse>"
    )
}

fn page(fleet: &Fleet, format: Format) -> String {
    let show = Show {
        tags: Tags::All,
        ..Show::default()
    };
    let mut observation = Observation::new(
        &instances::KIND,
        &fleet.account,
        Provider::Aws,
        &fleet.region,
        show,
    );
    instances::read(&described(fleet), &mut observation).expect("it is an answer");
    let status = Status {
        reading: Some(Arc::new(Reading::new(
            observation,
            Timestamp::now(),
            Instant::now(),
        ))),
        tried: true,
        ..Status::default()
    };
    let (_sender, status) = watch::channel(status);
    let page = Page::new(Registry::new(), Duration::from_secs(3600)).expect("it is empty");
    let watched = Watched::new(&fleet.account, &fleet.region, &instances::KIND, status);
    page.add([watched], None);
    let chunks = page.assemble(format, false, &Part::default()).chunks();
    String::from_utf8(chunks.collect::<Vec<_>>().concat()).expect("the page is UTF-8")
}

/// The samples of instances that the strict reader finds.
async fn read_back(page: &str) -> Vec<Sample> {
    let file = tempfile::NamedTempFile::new().expect("a temporary file can be made");
    std::fs::write(&file, page).expect("the page can be written");
    let script = "import json, sys\n\
        from prometheus_client.openmetrics.parser import text_string_to_metric_families as parse\n\
        families = parse(open(sys.argv[1], newline='', encoding='utf-8').read())\n\
        samples = [sample for family in families for sample in family.samples]\n\
        print(json.dumps([{'name': s.name, 'labels': s.labels, 'value': s.value} for s in samples \
        if s.name.startswith('cloud_instance_')]))";
    let mut python = command(part("TEST_PYTHON", "target/python/bin/python"));
    let output = python.args(["-c", script]).arg(file.path()).output().await;
    let output = output.expect("Python starts");
    let complaint = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{complaint}\n{page}");
    serde_json::from_slice(&output.stdout).expect("it prints what it found")
}

/// What is read must be what was described, whatever labels the tags became.
fn check(fleet: &Fleet, samples: &[Sample]) {
    let of = |name: &str| -> BTreeMap<String, &Sample> {
        let samples = samples.iter().filter(|sample| sample.name == name);
        samples
            .map(|sample| (sample.labels["instance_id"].clone(), sample))
            .collect()
    };
    let label = |sample: &Sample, name: &str| sample.labels.get(name).cloned().unwrap_or_default();
    let (info, tagged) = (of("cloud_instance_info"), of("cloud_instance_tags"));
    assert!(info.keys().eq(fleet.instances.keys()));
    assert!(
        samples
            .iter()
            .all(|sample| label(sample, "account") == fleet.account)
    );
    assert!(
        samples
            .iter()
            .all(|sample| label(sample, "region") == fleet.region)
    );
    for (id, (image, tags)) in &fleet.instances {
        assert_eq!(&label(info[id], "image_id"), image);
        assert!((info[id].value - 1.0).abs() < f64::EPSILON);
        let mut expected: Vec<&String> = tags.values().filter(|value| !value.is_empty()).collect();
        let mut shown: Vec<&String> = tagged.get(id).map_or_else(Vec::new, |sample| {
            let tags = sample.labels.iter().filter(|(name, _)| name.starts_with("tag_"));
            tags.map(|(_, value)| value).collect()
        });
        expected.sort();
        shown.sort();
        assert_eq!(shown, expected, "of {id:?}");
    }
    let states = samples
        .iter()
        .filter(|sample| sample.name == "cloud_instance_state");
    let running: BTreeSet<_> = states
        .filter(|sample| sample.value > 0.0)
        .map(|sample| (label(sample, "state"), label(sample, "instance_id")))
        .collect();
    assert_eq!(running.len(), fleet.instances.len());
    assert!(running.iter().all(|(state, _)| state == "running"));
}

proptest! {
    // Each starts a Python, which takes longer than a fleet of forty.
    #![proptest_config(ProptestConfig { cases: 6, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_names_and_tags_come_back_through_the_reference_reader(fleet in fleet()) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async { check(&fleet, &read_back(&page(&fleet, Format::OpenMetrics)).await) });
    }
}

#[tokio::test]
async fn promtool_reads_any_names_and_tags() {
    let mut runner = TestRunner::deterministic();
    let fleet = fleet().new_tree(&mut runner).expect("a fleet can be made");
    let text = page(&fleet.current(), Format::Text);
    let (code, told) = promtool_check_metrics(&text).await;
    // 1 is what cannot be read; 3 is what it would have named otherwise, and tags are named by people.
    assert!(matches!(code, Some(0 | 3)), "{told}\n{text}");
    for line in told.lines() {
        assert!(
            line.contains("label names should be written in 'snake_case'"),
            "{line}"
        );
    }
}
