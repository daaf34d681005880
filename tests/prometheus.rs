//! `vigie run` between moto, which it polls, and a Prometheus that scrapes it.

#[path = "support/agent.rs"]
mod agent;
#[path = "support/home.rs"]
mod home;
#[path = "support/moto.rs"]
mod moto;
#[path = "support/page.rs"]
mod page;
#[path = "support/parts.rs"]
mod parts;
#[path = "support/prometheus.rs"]
mod prometheus;
#[path = "support/promtool.rs"]
mod promtool;

use std::collections::BTreeSet;

use agent::Agent;
use home::Account;
use moto::{Moto, Seed};
use page::Page;
use prometheus::Prometheus;
use promtool::promtool_check_metrics;

/// Long enough for a failed poll to be seen before the reading is dropped.
const HEAD: &str = "interval = \"1s\"\nstale_after = \"10s\"";
const KINDS: [&str; 2] = ["instances", "load_balancers"];
const INSTANCES: usize = 6;
const LOAD_BALANCERS: usize = 3;

#[tokio::test]
async fn prometheus_takes_every_sample_of_the_page() {
    let Scene {
        moto: _moto,
        agent,
        seed,
    } = scene().await;
    let prometheus = Prometheus::scraping(agent.port).await;

    prometheus.wait_until("up == 1").await;
    let states = prometheus
        .wait_until("count by (instance_id) (cloud_instance_state)")
        .await;
    let seen: BTreeSet<_> = states.iter().map(|state| &state.metric["instance_id"]).collect();
    assert_eq!(seen, seed.instances.iter().collect());
    prometheus
        .wait_until("scrape_samples_scraped == on() count({job=\"vigie\",__name__!~\"up|scrape_.*\"})")
        .await;
    agent.end().await;
}

#[tokio::test]
async fn page_is_openmetrics_for_who_asks() {
    let Scene {
        moto: _moto, agent, ..
    } = scene().await;

    let page = agent
        .text("application/openmetrics-text;version=1.0.0,text/plain;q=0.5")
        .await;

    assert!(
        page.ends_with("\n# EOF\n"),
        "not the end of an OpenMetrics page: {page}"
    );
    agent.end().await;
}

#[tokio::test]
async fn promtool_has_nothing_to_say_of_the_page() {
    let Scene {
        moto: _moto, agent, ..
    } = scene().await;

    let page = agent.text("text/plain").await;

    assert_eq!(promtool_check_metrics(&page).await, (Some(0), String::new()));
    agent.end().await;
}

#[tokio::test]
async fn stopped_instance_is_seen_to_stop() {
    let Scene { moto, agent, seed } = scene().await;
    let prometheus = Prometheus::scraping(agent.port).await;
    let id = &*seed.instances[0];
    prometheus.wait_until(&state(id, "running")).await;

    let () = moto.script("change.py", &["stop", id], None).await;

    prometheus.wait_until(&state(id, "stopped")).await;
    let running = prometheus.query(&state(id, "running")).await;
    assert!(
        running.as_ref().is_ok_and(Vec::is_empty),
        "still running too: {running:?}"
    );
    agent.end().await;
}

#[tokio::test]
async fn terminated_instance_leaves_the_page() {
    let Scene { moto, agent, seed } = scene().await;
    let prometheus = Prometheus::scraping(agent.port).await;
    let id = &*seed.instances[0];
    let () = moto.script("change.py", &["terminate", id], None).await;
    prometheus.wait_until(&state(id, "terminated")).await;

    // moto forgets a terminated instance only along with everything else.
    moto.order("reset", "").await;
    let seed = moto.seed(INSTANCES - 1, LOAD_BALANCERS).await;

    let shown = |page: &Page| page.family("cloud_instance_state").count() == 6 * seed.instances.len();
    let page = agent
        .wait_for_page("the new fleet", |page| {
            shown(page) && page.shows(&seed.instances[0])
        })
        .await;
    assert!(!page.shows(id), "the instance that is gone is still on the page");
    prometheus
        .wait_until(&format!("absent(cloud_instance_state{{instance_id={id:?}}})"))
        .await;
    agent.end().await;
}

#[tokio::test]
async fn outage_keeps_the_last_reading_until_it_is_stale_and_then_heals() {
    let Scene { moto, agent, seed } = scene().await;
    let prometheus = Prometheus::scraping(agent.port).await;
    let id = &*seed.instances[0];
    let kind = [("kind", "instances")];
    let port = moto.port;

    drop(moto);
    let failed = |page: &Page| page.value("vigie_poll_success", &kind) == Some(0.0);
    let page = agent.wait_for_page("a failed poll", failed).await;
    assert!(page.shows(id), "the reading left the page before it was stale");
    let last_success = page.value(LAST_SUCCESS, &kind);
    assert!(last_success.is_some(), "the reading has no date");

    let page = agent
        .wait_for_page("the stale reading to leave", |page| !page.shows(id))
        .await;
    assert_eq!(
        page.value(LAST_SUCCESS, &kind),
        last_success,
        "the date of the last success stays"
    );
    assert_eq!(page.value("vigie_poll_success", &kind), Some(0.0));
    assert!(page.value("vigie_poll_failures_total", &[kind[0], ("reason", "unreachable")]) > Some(0.0));
    prometheus
        .wait_until("absent(cloud_instance_state) and on() up == 1")
        .await;
    let dated = prometheus
        .wait_until(&format!("{LAST_SUCCESS}{{kind=\"instances\"}}"))
        .await;
    assert_eq!(Some(dated[0].value()), last_success);

    let moto = Moto::start_at(port).await;
    let seed = moto.seed(INSTANCES, LOAD_BALANCERS).await;
    prometheus.wait_until(&state(&seed.instances[0], "running")).await;
    prometheus
        .wait_until("vigie_poll_success{kind=\"instances\"} == 1")
        .await;
    agent.end().await;
}

/// A small fleet, and an agent that polls it every second.
struct Scene {
    moto: Moto,
    agent: Agent,
    seed: Seed,
}

async fn scene() -> Scene {
    let moto = Moto::start().await;
    let seed = moto.seed(INSTANCES, LOAD_BALANCERS).await;
    let account = Account {
        name: "prod",
        port: moto.port,
        key: &seed.keys["watcher"],
        kinds: &KINDS,
    };
    let agent = Agent::run(HEAD, &[account]).await;
    Scene { moto, agent, seed }
}

impl Prometheus {
    async fn scraping(target: u16) -> Self {
        Self::start(&format!(
            "- job_name: vigie\n\
             \x20 static_configs: [{{ targets: ['127.0.0.1:{target}'] }}]\n"
        ))
        .await
    }
}

impl Page {
    /// Whether an instance is on the page in any state.
    fn shows(&self, id: &str) -> bool {
        self.family("cloud_instance_state")
            .any(|(series, _)| series.labels["instance_id"] == id)
    }
}

fn state(id: &str, state: &str) -> String {
    format!("cloud_instance_state{{instance_id={id:?},state={state:?}}} == 1")
}

const LAST_SUCCESS: &str = "vigie_poll_last_success_timestamp_seconds";
