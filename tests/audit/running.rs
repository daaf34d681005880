//! An agent that audits: what its page and its log say of a key that may too much, and that polls go on.

use std::collections::BTreeMap;
use std::io::Write;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use ::vigie::agent::{self, Agent};
use ::vigie::config;
use ::vigie::demo::{Fault, Key};
use ::vigie::exposition::{self, Format, Part};
use ::vigie::provider::Provider;
use ::vigie::resources;
use tracing::subscriber::DefaultGuard;

use crate::bad_input::CANARY;
use crate::demo::Demo;
use crate::page::Page;
use crate::parts::{free_port, get, wait_for};
use crate::scene::{key_that_may, now_may, still};
use crate::vigie::{Running, vigie};

const EXCESS: &str = "vigie_excess_permission";
const LAST_SUCCESS: &str = "vigie_audit_last_success_timestamp_seconds";
const FOUND: &str = "the key may do more than describe";
const GONE: &str = "the key may not do this any more";

#[tokio::test]
async fn excess_comes_and_goes_with_the_policy_and_each_is_told_once() {
    let mut demo = still(Provider::Outscale).await;
    demo.key = key_that_may(&demo.cloud, "wide", &["ec2:StopInstances"]);
    let agent = Auditing::start(&demo);

    let shown = agent
        .wait_for_page("the excess", |page| excess(page) == ["ec2:StopInstances"])
        .await;
    assert!(last_success(&shown) > Some(0.0));
    agent.wait_for_audits(2).await;

    now_may(&demo.cloud, "wide", &["iam:ListUsers", "ec2:CreateTags"]).await;
    let wanted = ["ec2:CreateTags", "iam:ListUsers"];
    agent
        .wait_for_page("another excess", |page| excess(page) == wanted)
        .await;

    now_may(&demo.cloud, "wide", &[]).await;
    agent
        .wait_for_page("no excess", |page| excess(page).is_empty())
        .await;
    let polled = agent.polled();
    agent.wait_for_audits(2).await;
    assert!(agent.polled() > polled, "polls do not go on");
    let log = agent.log();
    // By action: an audit that was under way when the policy changed tells a part of it.
    for action in ["ec2:StopInstances", "ec2:CreateTags", "iam:ListUsers"] {
        for words in [FOUND, GONE] {
            let told = log
                .lines()
                .filter(|line| line.contains(words) && line.contains(action));
            assert_eq!(told.count(), 1, "{action}: {log}");
        }
    }
}

#[tokio::test]
async fn describe_only_key_is_told_apart_from_one_that_was_never_audited() {
    let demo = still(Provider::Aws).await;
    let audited = Auditing::start(&demo);
    let page = audited
        .wait_for_page("an audit", |page| last_success(page).is_some())
        .await;
    assert_eq!(excess(&page), [""; 0]);
    drop(audited);

    // On a cloud of its own: what the other agent had under way may still arrive there.
    let demo = still(Provider::Aws).await;
    let never = Auditing::every(None, &demo);
    never.wait_for_page("two polls", |page| polls(page) > 1.0).await;
    assert_eq!(last_success(&never.page()), None);
    let requests = demo.cloud.requests();
    let describes = |action: &str| action.starts_with("Describe");
    assert!(
        requests.iter().all(|request| describes(&request.action)),
        "{requests:?}"
    );
}

#[tokio::test]
async fn audit_that_could_not_tell_keeps_what_was_known() {
    let mut demo = still(Provider::Aws).await;
    demo.key = key_that_may(&demo.cloud, "wide", &["ec2:StopInstances", "ec2:CreateTags"]);
    let agent = Auditing::start(&demo);
    let known = ["ec2:CreateTags", "ec2:StopInstances"];
    let page = agent
        .wait_for_page("the excess", |page| excess(page) == known)
        .await;

    demo.cloud.inject("StopInstances", Fault::Html200, None);
    demo.cloud.inject("CreateTags", Fault::Html200, None);
    let open = "the audit could not tell everything";
    agent.wait_to_log(open).await;
    agent.wait_for_requests(&demo, "CreateTags", 3).await;
    assert_eq!(excess(&agent.page()), known);
    let before = last_success(&agent.page());
    assert!(before >= last_success(&page));
    agent.wait_for_requests(&demo, "CreateTags", 3).await;
    assert_eq!(last_success(&agent.page()), before);
    assert_eq!(agent.log().matches(open).count(), 1, "{}", agent.log());

    demo.cloud.clear_faults();
    agent.wait_to_log("the audit tells everything again").await;
    assert_eq!(agent.log().matches(FOUND).count(), 1, "{}", agent.log());
}

#[tokio::test]
async fn polls_go_on_while_an_audit_hangs() {
    let mut demo = still(Provider::Outscale).await;
    demo.key = key_that_may(&demo.cloud, "wide", &["iam:ListUsers"]);
    demo.cloud.inject("ListUsers", Fault::Hang, None);
    let agent = Auditing::start(&demo);
    agent.wait_for_requests(&demo, "ListUsers", 1).await;

    let (polled, failed) = (agent.polled(), failures(&agent.page()));
    agent
        .wait_for_page("five more polls", |page| polls(page) >= polled + 5.0)
        .await;

    assert!(failures(&agent.page()) <= failed, "a poll failed");
    assert_eq!(last_success(&agent.page()), None);
}

#[tokio::test]
async fn first_polls_have_the_first_word() {
    let demo = still(Provider::Aws).await;
    let late = Duration::from_secs(1);
    // A call that is sent once the key is proven: before, it would be the breaker that holds the audit back.
    demo.cloud
        .inject("DescribeInstanceHealth", Fault::Delay(late), Some(1));
    let agent = Auditing::start(&demo);

    agent
        .wait_for_page("an audit", |page| last_success(page).is_some())
        .await;

    let requests = demo.cloud.requests();
    let first = |action: &str| requests.iter().find(|request| request.action == action);
    let polled = first("DescribeInstanceHealth").expect("a poll").at;
    let audited = first("StopInstances").expect("a probe").at;
    assert!(audited >= polled + late, "{:?}", audited - polled);
}

#[tokio::test]
async fn bad_key_is_not_tried_again_by_the_audit() {
    let mut demo = still(Provider::Outscale).await;
    demo.key = Key {
        secret_access_key: CANARY.into(),
        ..demo.key.clone()
    };
    let agent = Auditing::start(&demo);

    agent.wait_to_log("the audit could not tell everything").await;

    assert_eq!(demo.cloud.requests().len(), 1, "{:?}", demo.cloud.requests());
    assert!(!agent.log().contains(CANARY));
}

#[tokio::test]
async fn binary_audits_soon_after_its_start() {
    let mut demo = still(Provider::Outscale).await;
    demo.key = demo.cloud.admin_key();
    let port = free_port();
    let head = format!("listen = \"127.0.0.1:{port}\"\naudit_interval = \"1m\"\ninterval = \"200ms\"");
    let running = Running::start(vigie(&["run", "--config"]).arg(demo.settings(&head, "")));

    let page = wait_for("the excess on the page", async || {
        let text = get(&format!("http://127.0.0.1:{port}/metrics")).await?;
        let page = Page::parse(&text);
        if excess(&page).is_empty() {
            Err(running.said())
        } else {
            Ok(page)
        }
    })
    .await;

    assert_eq!(excess(&page).len(), 19);
    assert_eq!(running.said().matches(FOUND).count(), 1, "{}", running.said());
}

/// An agent that audits several times a second, and what it logs.
struct Auditing {
    page: Arc<exposition::Page>,
    log: Log,
    _running: agent::Running,
    _logging: DefaultGuard,
}

impl Auditing {
    fn start(demo: &Demo) -> Self {
        Self::every(Some(Duration::from_millis(300)), demo)
    }

    fn every(interval: Option<Duration>, demo: &Demo) -> Self {
        let file = demo.settings("interval = \"100ms\"", "");
        let settings = config::load(Some(&file), &resources::registry(), &BTreeMap::new());
        let mut settings = settings.expect("the settings are good");
        // A settings file may not ask for so many.
        settings.audit_interval = interval;
        settings.accounts[0].requests_per_second = 1000.0;
        let log = Log::default();
        let writer = log.clone();
        let subscriber = tracing_subscriber::fmt()
            .with_ansi(false)
            .with_writer(move || writer.clone())
            .finish();
        let logging = tracing::subscriber::set_default(subscriber);
        let agent = Agent::new(&settings, &(Arc::new(|_: &str| None) as _));
        let agent = agent.expect("the agent can be made");
        Self {
            page: Arc::clone(&agent.page),
            log,
            _running: agent.start(),
            _logging: logging,
        }
    }

    fn page(&self) -> Page {
        let assembled = self.page.assemble(Format::Text, false, &Part::default());
        let bytes = assembled.chunks().collect::<Vec<_>>().concat();
        Page::parse(&String::from_utf8(bytes).expect("the page is UTF-8"))
    }

    fn polled(&self) -> f64 {
        polls(&self.page())
    }

    fn log(&self) -> String {
        let log = self.log.0.lock().expect("nobody panics with it");
        String::from_utf8(log.clone()).expect("the log is UTF-8")
    }

    async fn wait_for_page(&self, what: &str, mut shows: impl FnMut(&Page) -> bool) -> Page {
        wait_for(what, async || {
            let page = self.page();
            if shows(&page) { Ok(page) } else { Err(self.log()) }
        })
        .await
    }

    async fn wait_to_log(&self, words: &str) {
        self.wait_for_page(words, |_| self.log().contains(words)).await;
    }

    /// Waits for so many more audits that tell everything.
    async fn wait_for_audits(&self, count: usize) {
        for _ in 0..count {
            let last = last_success(&self.page());
            self.wait_for_page("another audit", |page| last_success(page) > last)
                .await;
        }
    }

    async fn wait_for_requests(&self, demo: &Demo, action: &str, count: usize) {
        demo.cloud.forget_requests();
        self.wait_for_page("requests", |_| {
            let requests = demo.cloud.requests();
            requests.iter().filter(|request| request.action == action).count() >= count
        })
        .await;
    }
}

#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl Write for Log {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().expect("nobody panics with it").write(bytes)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

fn excess(page: &Page) -> Vec<String> {
    let shown = page.family(EXCESS);
    shown
        .map(|(series, value)| {
            assert!((value - 1.0).abs() < f64::EPSILON && series.labels["account"] == "demo");
            series.labels["action"].clone()
        })
        .collect()
}

fn last_success(page: &Page) -> Option<f64> {
    page.value(LAST_SUCCESS, &[("account", "demo")])
}

/// Polls of instances that succeeded so far.
fn polls(page: &Page) -> f64 {
    let labels = [("action", "DescribeInstances"), ("outcome", "ok")];
    page.value("vigie_api_requests_total", &labels)
        .unwrap_or_default()
}

fn failures(page: &Page) -> f64 {
    page.family("vigie_poll_failures_total")
        .map(|(_, value)| value)
        .sum()
}
