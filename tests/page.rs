//! The page as a whole: what it says of a fleet that holds still, and what strict readers say of it.

#[path = "support/demo.rs"]
mod demo;
#[expect(dead_code, reason = "other tests need more of it")]
#[path = "support/page.rs"]
mod page;
#[expect(dead_code, reason = "other tests need more of it")]
#[path = "support/parts.rs"]
mod parts;
#[path = "support/promtool.rs"]
mod promtool;
#[path = "page/round_trip.rs"]
mod round_trip;
#[path = "support/watching.rs"]
mod watching;

use std::collections::{BTreeMap, BTreeSet};
use std::io::Read as _;

use ::vigie::agent::Agent;
use ::vigie::demo::{Fault, Instance, Options};
use ::vigie::exposition::{Format, Part};
use ::vigie::provider::Provider;
use ::vigie::resources::kinds_of;
use demo::Demo;
use flate2::bufread::GzDecoder;
use jiff::Timestamp;
use page::Page;
use parts::{command, part};
use promtool::promtool_check_metrics;
use watching::watching;

#[tokio::test]
async fn page_of_a_still_fleet_of_outscale_is_as_it_was() {
    insta::assert_snapshot!("outscale", golden(Provider::Outscale, "eu-west-2").await);
}

#[tokio::test]
async fn page_of_a_still_fleet_of_aws_is_as_it_was() {
    insta::assert_snapshot!("aws", golden(Provider::Aws, "eu-west-1").await);
}

#[tokio::test]
async fn promtool_and_a_strict_reader_of_openmetrics_have_nothing_to_say() {
    for (_demo, agent) in [odd_fleet().await, failing().await, untried().await] {
        let text = assembled(&agent, Format::Text);
        assert_eq!(promtool_check_metrics(&text).await, (Some(0), String::new()));
        Page::parse(&text);

        let openmetrics = assembled(&agent, Format::OpenMetrics);
        assert!(openmetrics.ends_with("\n# EOF\n"), "{openmetrics}");
        let read = samples_by_second_opinion(&openmetrics).await;
        let (own, _): (Vec<_>, Vec<_>) = text.lines().partition(|line| !line.starts_with('#'));
        assert_eq!(read, own.len(), "one reader sees more than the other");
    }
}

#[tokio::test]
async fn each_family_stands_together_under_one_head() {
    let (_demo, agent) = odd_fleet().await;
    for format in [Format::Text, Format::OpenMetrics] {
        let text = assembled(&agent, format);
        let mut seen = BTreeSet::new();
        let mut lines = text.lines().filter(|line| *line != "# EOF").peekable();
        while let Some(line) = lines.next() {
            let help = line
                .strip_prefix("# HELP ")
                .unwrap_or_else(|| panic!("no head before: {line}"));
            let (family, help) = help.split_once(' ').expect("a family has a help");
            assert!(
                !help.is_empty() && seen.insert(family.to_owned()),
                "again: {line}"
            );
            let kind = lines
                .next()
                .and_then(|line| line.strip_prefix(&format!("# TYPE {family} ")));
            let kind = kind.unwrap_or_else(|| panic!("{family} has no type"));
            let mut samples = 0;
            while let Some(sample) = lines.next_if(|line| !line.starts_with('#')) {
                let name = sample.split(['{', ' ']).next().expect("a split has a first part");
                let suffixes: &[&str] = match (kind, format) {
                    ("histogram", _) => &["_bucket", "_sum", "_count"],
                    ("counter", Format::OpenMetrics) => &["_total"],
                    _ => &[""],
                };
                let suffix = name.strip_prefix(family);
                assert!(
                    suffix.is_some_and(|suffix| suffixes.contains(&suffix)),
                    "{family}: {sample}"
                );
                samples += 1;
            }
            assert!(samples > 0, "{family} has a head and nothing under it");
        }
    }
}

#[tokio::test]
async fn compressed_page_is_one_gzip_member_with_the_same_readings() {
    let (_demo, agent) = odd_fleet().await;
    for format in [Format::Text, Format::OpenMetrics] {
        let compressed = agent.page.assemble(format, true, &Part::default());
        let length = compressed.length;
        let bytes = compressed.chunks().collect::<Vec<_>>().concat();
        assert_eq!(bytes.len(), length);
        let mut decoder = GzDecoder::new(bytes.as_slice());
        let mut text = String::new();
        decoder
            .read_to_string(&mut text)
            .expect("it is gzip, with a good checksum");
        assert_eq!(
            decoder.into_inner(),
            b"",
            "something stands behind the first member"
        );

        assert_eq!(readings(&text), readings(&assembled(&agent, format)));
        let names = |text: &str| {
            text.lines()
                .filter(|line| line.starts_with('#'))
                .map(str::to_owned)
                .collect::<Vec<_>>()
        };
        assert_eq!(names(&text), names(&assembled(&agent, format)));
    }
}

#[tokio::test]
async fn odd_tags_and_names_come_back_as_they_were() {
    let (demo, agent) = odd_fleet().await;
    let page = Page::parse(&assembled(&agent, Format::Text));
    let first = &demo.cloud.fleet().instances()[0];
    let (tags, _) = page
        .family("cloud_instance_tags")
        .find(|(series, _)| series.labels["instance_id"] == first.id)
        .expect("its tags are shown");

    let values: BTreeMap<&str, &str> = tags
        .labels
        .iter()
        .filter(|(label, _)| label.starts_with("tag_"))
        .map(|(label, value)| (label.as_str(), value.as_str()))
        .collect();

    assert_eq!(values.len(), first.tags.len(), "{values:?}");
    for (_, value) in &first.tags {
        assert!(
            values.values().any(|shown| shown == value),
            "{value:?} is lost: {values:?}"
        );
    }
    let names: BTreeSet<_> = page
        .family("cloud_instance_info")
        .filter_map(|(series, _)| series.labels.get("name"))
        .collect();
    assert_eq!(names.into_iter().collect::<Vec<_>>(), [ODD_NAME]);
    assert_eq!(tags.labels["account"], "demo");
}

/// The part of the page that is about the fleet, of three instances and two load balancers that hold still.
async fn golden(provider: Provider, region: &str) -> String {
    let demo = Demo::start(Options {
        provider,
        instances: 3,
        load_balancers: 2,
        alive: false,
        regions: vec![region.to_owned()],
        ..Options::default()
    })
    .await;
    let fleet = demo.cloud.fleet();
    let instances = fleet.instances();
    fleet.set_state(&instances[1].id, "stopped");
    let stopped = |instance: &mut Instance| instance.state_changed = STOPPED;
    fleet.change(&instances[1].id, stopped);
    fleet.set_tag(&instances[0].id, "Cost centre", "42");
    let agent = watching(&demo, "tags = [\"*\"]");
    all_succeed(&agent).await;
    readings(&assembled(&agent, Format::Text))
}

/// 2025-02-03T04:05:06Z.
const STOPPED: Timestamp = Timestamp::constant(1_738_555_506, 0);

const ODD_NAME: &str = "say \"hello\"\nC:\\temp\\n {a=\"b\"} # EOF\r\u{2028}\u{1f980}";

/// A fleet all of whose instances have one name, and tags that are hard to show.
async fn odd_fleet() -> (Demo, Agent) {
    let demo = still().await;
    let fleet = demo.cloud.fleet();
    for instance in fleet.instances() {
        for (key, value) in [
            ("Name", ODD_NAME),
            ("cost-centre", "a"),
            ("cost_centre", "b"),
            ("cost centre", "c"),
            ("account", "mine"),
            ("instance_id", "i-0"),
            ("été 🦀", "d\\"),
            ("1", "\\n"),
        ] {
            assert!(fleet.set_tag(&instance.id, key, value));
        }
    }
    fleet.set_state(&fleet.instances()[1].id, "a \"new\"\nstate");
    let agent = watching(&demo, "tags = [\"*\"]");
    all_succeed(&agent).await;
    (demo, agent)
}

async fn failing() -> (Demo, Agent) {
    let demo = still().await;
    demo.cloud.inject("*", Fault::Html200, None);
    let agent = watching(&demo, "");
    assert_eq!(
        agent.once().await.len(),
        kinds_of(Options::default().provider).len()
    );
    (demo, agent)
}

async fn untried() -> (Demo, Agent) {
    let demo = still().await;
    let agent = watching(&demo, "");
    (demo, agent)
}

async fn still() -> Demo {
    Demo::start(Options {
        alive: false,
        ..Options::default()
    })
    .await
}

async fn all_succeed(agent: &Agent) {
    let failed = agent.once().await;
    let failed: Vec<_> = failed.iter().map(|failed| failed.error.to_string()).collect();
    assert_eq!(failed, [""; 0]);
}

fn assembled(agent: &Agent, format: Format) -> String {
    let assembled = agent.page.assemble(format, false, &Part::default());
    let length = assembled.length;
    let bytes = assembled.chunks().collect::<Vec<_>>().concat();
    assert_eq!(bytes.len(), length);
    String::from_utf8(bytes).expect("the page is UTF-8")
}

/// The lines on what is watched, heads included.
fn readings(text: &str) -> String {
    let families = text.lines().filter(|line| {
        let line = line.trim_start_matches("# HELP ").trim_start_matches("# TYPE ");
        line.starts_with("cloud_")
    });
    families.flat_map(|line| [line, "\n"]).collect()
}

/// How many samples the reference reader of OpenMetrics finds.
async fn samples_by_second_opinion(page: &str) -> usize {
    let file = tempfile::NamedTempFile::new().expect("a temporary file can be made");
    std::fs::write(&file, page).expect("the page can be written");
    let script = "import sys\n\
        from prometheus_client.openmetrics.parser import text_string_to_metric_families as parse\n\
        print(sum(len(family.samples) for family in parse(open(sys.argv[1], newline='').read())))";
    let mut python = command(part("TEST_PYTHON", "target/python/bin/python"));
    let output = python
        .args(["-c", script])
        .arg(file.path())
        .output()
        .await
        .expect("Python starts");
    let complaint = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{complaint}");
    let count = String::from_utf8(output.stdout).expect("it prints a number");
    count.trim().parse().expect("it prints a number")
}
