//! `/sd/instances`: what a real Prometheus makes of it, beside its own discovery on the same cloud.

#[path = "support/agent.rs"]
mod agent;
#[path = "support/home.rs"]
mod home;
#[expect(dead_code, reason = "other tests need more of it")]
#[path = "support/moto.rs"]
mod moto;
#[path = "support/page.rs"]
mod page;
#[path = "support/parts.rs"]
mod parts;
#[expect(dead_code, reason = "other tests need more of it")]
#[path = "support/prometheus.rs"]
mod prometheus;

use std::collections::{BTreeMap, BTreeSet};

use agent::Agent;
use home::Account;
use moto::{Moto, Seed};
use parts::{HTTP, free_port, get};
use prometheus::Prometheus;
use reqwest::StatusCode;
use serde::Deserialize;

const HEAD: &str = "interval = \"1s\"\nstale_after = \"4s\"";
const INSTANCES: usize = 12;

/// One entry of the list.
#[derive(Debug, Deserialize)]
struct Group {
    targets: Vec<String>,
    labels: BTreeMap<String, String>,
}

#[tokio::test]
async fn prometheus_finds_the_same_through_vigie_as_by_itself() {
    let (moto, agent, seed) = scene().await;
    let (endpoint, nobody, sd) = (moto.url(), free_port(), agent.url("/sd/instances?port=9100"));
    let moto::Key {
        access_key,
        secret_key,
    } = &seed.keys["watcher"];
    // Every label of the discovery becomes one of `up`; what is scraped is nobody.
    let relabelling = format!(
        "\x20 relabel_configs:\n\
         \x20 - {{ source_labels: [__address__], target_label: found_at }}\n\
         \x20 - {{ action: labelmap, regex: '__meta_(ec2_.+)' }}\n\
         \x20 - {{ target_label: __address__, replacement: '127.0.0.1:{nobody}' }}\n"
    );
    let prometheus = Prometheus::start(&format!(
        "- job_name: theirs\n\
         \x20 ec2_sd_configs:\n\
         \x20 - {{ endpoint: {endpoint:?}, region: eu-west-1, access_key: {access_key:?}, secret_key: {secret_key:?}, \
         port: 9100 }}\n{relabelling}\
         - job_name: ours\n\
         \x20 http_sd_configs:\n\
         \x20 - {{ url: {sd:?}, refresh_interval: 1s }}\n{relabelling}"
    ))
    .await;

    let theirs = found(&prometheus, "theirs").await;
    let ours = found(&prometheus, "ours").await;

    let ids: BTreeSet<&String> = ours.keys().collect();
    assert_eq!(ids, seed.instances.iter().collect(), "all that has an address");
    assert_eq!(ids, theirs.keys().collect());
    let mut compared = BTreeSet::new();
    for (id, ours) in &ours {
        let theirs = &theirs[id];
        for (label, value) in ours.iter().filter(|(label, _)| *label != "job") {
            assert_eq!(theirs.get(label), Some(value), "{label} of {id}");
            compared.insert(label.as_str());
        }
        // It takes a call more to learn this one, where the cloud does not say it with the instance.
        let missing: Vec<&String> = theirs.keys().filter(|label| !ours.contains_key(*label)).collect();
        assert!(
            missing.iter().all(|label| *label == "ec2_availability_zone_id"),
            "{id} has no {missing:?}"
        );
    }
    for label in [
        "found_at",
        "ec2_ami",
        "ec2_availability_zone",
        "ec2_instance_state",
        "ec2_instance_type",
        "ec2_owner_id",
        "ec2_primary_subnet_id",
        "ec2_private_dns_name",
        "ec2_private_ip",
        "ec2_region",
        "ec2_subnet_id",
        "ec2_tag_Name",
        "ec2_tag_not_asked_for",
        "ec2_tag_team",
        "ec2_vpc_id",
    ] {
        assert!(compared.contains(label), "{label} was not compared: {compared:?}");
    }
    agent.end().await;
}

#[tokio::test]
async fn port_and_address_are_chosen_by_the_query() {
    let (_moto, agent, seed) = scene().await;

    let private = list(&agent, "").await;
    assert_eq!(private.len(), seed.instances.len());
    for group in &private {
        let address = &group.labels["__meta_ec2_private_ip"];
        assert_eq!(group.targets, [format!("{address}:80")]);
        assert_eq!(group.labels["__meta_vigie_account"], "prod");
    }
    let public = list(&agent, "?port=9100&address=public&account=prod&region=eu-west-1").await;
    assert!(!public.is_empty(), "none has a public address");
    for group in &public {
        let address = &group.labels["__meta_ec2_public_ip"];
        assert_eq!(group.targets, [format!("{address}:9100")]);
    }
    agent.end().await;
}

#[tokio::test]
async fn what_cannot_be_meant_is_refused_and_says_why() {
    let (_moto, agent, _) = scene().await;
    let long = format!("?port={}", "9".repeat(500));
    for (query, told) in [
        ("?port=0", "`port` is `0`: write a number from 1 to 65535"),
        ("?port=http", "`port` is `http`"),
        (&long, "`port` is `9999"),
        ("?address=ipv4", "write `private` or `public`"),
        (
            "?prot=9100",
            "unknown parameter `prot`: there are account, region, port and address",
        ),
        ("?account=prdo", "no account `prdo` is watched: there are prod"),
        (
            "?region=eu-west-9%0a",
            "no region `eu-west-9·` is watched: there are eu-west-1",
        ),
        ("?kind=instances", "`kind` means nothing here"),
    ] {
        let (status, text) = ask(&agent, query).await;
        assert_eq!(status, StatusCode::BAD_REQUEST, "{query}");
        assert!(text.contains(told) && text.len() < 200, "{query}: {text}");
    }
    agent.end().await;
}

#[tokio::test]
async fn list_is_refused_rather_than_empty_while_there_is_no_fresh_reading() {
    let (moto, agent, seed) = scene().await;
    assert_eq!(list(&agent, "").await.len(), seed.instances.len());
    let port = moto.port;

    drop(moto);
    agent
        .wait_for_page("the stale reading to leave", |page| {
            page.family("cloud_instance_state").count() == 0
        })
        .await;
    let (status, text) = ask(&agent, "").await;
    assert_eq!(status, StatusCode::SERVICE_UNAVAILABLE, "{text}");
    assert!(
        text.contains("no fresh reading of the instances of account `prod` in eu-west-1"),
        "{text}"
    );

    // An empty cloud is an empty list.
    let _moto = Moto::start_at(port).await;
    agent
        .wait_for_page("a reading of the empty cloud", |page| {
            page.value("vigie_poll_success", &[("kind", "instances")]) == Some(1.0)
        })
        .await;
    assert_eq!(list(&agent, "").await.len(), 0);
    agent.end().await;
}

/// The targets of a job, by instance, with the labels that its discovery gave them.
async fn found(prometheus: &Prometheus, job: &str) -> BTreeMap<String, BTreeMap<String, String>> {
    let all = format!("count(up{{job={job:?}}}) == {INSTANCES}");
    prometheus.wait_until(&all).await;
    let found = prometheus.query(&format!("up{{job={job:?}}}")).await;
    let targets = found.expect("Prometheus answers").into_iter().map(|element| {
        let mut labels = element.metric;
        for own in ["__name__", "job", "instance"] {
            labels.remove(own);
        }
        (labels["ec2_instance_id"].clone(), labels)
    });
    targets.collect()
}

async fn list(agent: &Agent, query: &str) -> Vec<Group> {
    let list = get(&agent.url(&format!("/sd/instances{query}"))).await;
    serde_json::from_str(&list.expect("a list")).expect("JSON as http_sd_configs takes it")
}

async fn ask(agent: &Agent, query: &str) -> (StatusCode, String) {
    let url = agent.url(&format!("/sd/instances{query}"));
    let answer = HTTP.get(url).send().await.expect("the agent answers");
    (answer.status(), answer.text().await.expect("a text"))
}

async fn scene() -> (Moto, Agent, Seed) {
    let moto = Moto::start().await;
    let seed = moto.seed(INSTANCES, 1).await;
    let account = Account {
        name: "prod",
        port: moto.port,
        key: &seed.keys["watcher"],
        kinds: &["instances"],
    };
    let agent = Agent::run(HEAD, &[account]).await;
    (moto, agent, seed)
}
