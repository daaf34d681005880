//! `vigie demo`: a fleet that lives, a cloud that other clients list, and an end when told to.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use serde::Deserialize;

use crate::page::{Page, Series};
use crate::parts::{command, free_port, get, part, wait_for};
use crate::prometheus::Prometheus;
use crate::vigie::{Run, Running, run, vigie};

#[tokio::test]
async fn demo_shows_a_fleet_that_lives_and_backends_that_fail() {
    for (provider, signal) in [("outscale", "TERM"), ("aws", "INT")] {
        let demo = Running::start(&mut vigie(&[
            "demo",
            "--provider",
            provider,
            "--listen",
            "127.0.0.1:0",
        ]));
        let url = demo.wait_to_say("the URL", |said| url(said, "/metrics ")).await + "/metrics";
        let first = wait_for("an unhealthy backend", async || {
            let page = Page::parse(&get(&url).await?);
            let unhealthy = page
                .family("cloud_load_balancer_backend_healthy")
                .any(|(_, healthy)| healthy == 0.0);
            if unhealthy && !states(&page).is_empty() {
                Ok(page)
            } else {
                Err(format!("{page:?}"))
            }
        })
        .await;
        wait_for("a change of state", async || {
            let page = Page::parse(&get(&url).await?);
            if states(&page) == states(&first) {
                Err(format!("{page:?}"))
            } else {
                Ok(())
            }
        })
        .await;
        assert_eq!(
            first.value(
                "vigie_account_info",
                &[("account", "demo"), ("provider", provider)]
            ),
            Some(1.0)
        );

        let (code, took, said) = demo.end(signal).await;

        assert_eq!(code, Some(0), "{said}");
        assert!(took < LIMIT, "it took {took:?}: {said}");
        assert!(!said.contains("WARN") && !said.contains("ERROR"), "{said}");
    }
}

#[tokio::test]
async fn demo_cloud_is_listed_by_boto3_and_refuses_changes() {
    for (provider, region, signal) in [("outscale", "eu-west-2", "INT"), ("aws", "eu-west-1", "TERM")] {
        let cloud = Cloud::start(&["--provider", provider, "--still", "--instances", "130"]).await;
        let watched = cloud.boto3(provider, region).await;
        let page = Page::parse(&cloud.once(provider, region).await.stdout);

        let states: BTreeMap<_, _> = page
            .family("cloud_instance_state")
            .filter(|&(_, value)| value > 0.0)
            .map(|(Series { labels, .. }, _)| (labels["instance_id"].clone(), labels["state"].clone()))
            .collect();
        assert_eq!(watched.states, states);
        assert_eq!(states.len(), 130);
        let mut healths = BTreeMap::<String, BTreeMap<String, String>>::new();
        let mut targets = healths.clone();
        for (Series { labels, .. }, _) in page.family("cloud_load_balancer_backend_state_info") {
            let of = match labels.get("target_group") {
                Some(group) => targets.entry(group.clone()).or_default(),
                None => healths.entry(labels["load_balancer"].clone()).or_default(),
            };
            let id = labels.get("instance_id").unwrap_or_else(|| &labels["target"]);
            of.insert(id.clone(), labels["state"].clone());
        }
        assert_eq!((watched.healths, watched.targets), (healths, targets));
        let groups = page.family("cloud_target_group_info").count();
        assert_eq!(groups, if provider == "aws" { 4 } else { 0 });
        assert_eq!(
            watched.refusal.as_deref(),
            Some("UnauthorizedOperation"),
            "{provider}"
        );

        let (code, took, said) = cloud.process.end(signal).await;
        assert_eq!(code, Some(0), "{said}");
        assert!(took < LIMIT, "it took {took:?}: {said}");
    }
}

#[tokio::test]
async fn demo_cloud_is_discovered_by_prometheus() {
    for (provider, region) in [("outscale", "eu-west-2"), ("aws", "eu-west-1")] {
        let cloud = Cloud::start(&["--provider", provider, "--still", "--instances", "8"]).await;
        let (url, [id, secret]) = (&cloud.url, &cloud.key);
        let nobody = free_port();
        let prometheus = Prometheus::start(&format!(
            "- job_name: discovered\n\
             \x20 ec2_sd_configs:\n\
             \x20 - {{ endpoint: {url:?}, region: {region:?}, access_key: {id:?}, secret_key: {secret:?} }}\n\
             \x20 relabel_configs:\n\
             \x20 - {{ source_labels: [__meta_ec2_instance_id], target_label: instance_id }}\n\
             \x20 - {{ source_labels: [__meta_ec2_instance_state], target_label: state }}\n\
             \x20 - {{ target_label: __address__, replacement: '127.0.0.1:{nobody}' }}\n"
        ))
        .await;

        let found = prometheus.wait_until("count(up{job=\"discovered\"}) == 8").await;
        assert_eq!(found[0].value().to_string(), "8");
        let found = prometheus
            .query("up{job=\"discovered\"}")
            .await
            .expect("Prometheus answers");
        let found: BTreeMap<_, _> = found
            .into_iter()
            .map(|element| {
                (
                    element.metric["instance_id"].clone(),
                    element.metric["state"].clone(),
                )
            })
            .collect();
        assert_eq!(found, cloud.boto3(provider, region).await.states, "{provider}");
    }
}

/// `vigie demo --cloud-only`, and the key it gives out for describing.
struct Cloud {
    process: Running,
    url: String,
    key: [String; 2],
}

/// What `watch.py` prints.
#[derive(Deserialize)]
struct Watched {
    states: BTreeMap<String, String>,
    healths: BTreeMap<String, BTreeMap<String, String>>,
    targets: BTreeMap<String, BTreeMap<String, String>>,
    refusal: Option<String>,
}

impl Cloud {
    async fn start(arguments: &[&str]) -> Self {
        let process = Running::start(&mut vigie(&[&["demo", "--cloud-only"], arguments].concat()));
        process
            .wait_to_say("how to end it", |said| said.contains("Ctrl-C").then_some(()))
            .await;
        let said = process.said();
        let exported = said.lines().find_map(|line| line.strip_prefix("    export "));
        let values: Vec<String> = exported
            .expect("a key is given out")
            .split(' ')
            .filter_map(|pair| pair.split_once('='))
            .map(|(_, value)| value.to_owned())
            .collect();
        Self {
            url: url(&said, " (region").expect("the URL is told"),
            key: values.try_into().expect("a key has two halves"),
            process,
        }
    }

    async fn boto3(&self, provider: &str, region: &str) -> Watched {
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/boto3/watch.py");
        let mut python = command(part("TEST_PYTHON", "target/python/bin/python"));
        python
            .arg("-B")
            .arg(script)
            .args([&self.url, provider])
            .env("AWS_REGION", region)
            .env("AWS_ACCESS_KEY_ID", &self.key[0])
            .env("AWS_SECRET_ACCESS_KEY", &self.key[1]);
        let run = run(&mut python).await;
        assert_eq!(run.code, Some(0), "{}\n{}", run.stderr, self.process.said());
        serde_json::from_str(&run.stdout).expect("the script prints what is asked for")
    }

    /// As the cloud itself says to ask it.
    async fn once(&self, provider: &str, region: &str) -> Run {
        let [id, secret] = match provider {
            "aws" => ["AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"],
            _ => ["OSC_ACCESS_KEY", "OSC_SECRET_KEY"],
        };
        let advice = format!(
            "vigie once --provider {provider} --region {region} --endpoint-url {}",
            self.url
        );
        assert!(self.process.said().contains(&advice), "{}", self.process.said());
        let mut vigie = vigie(&advice.split(' ').skip(1).collect::<Vec<_>>());
        let run = run(vigie.env(id, &self.key[0]).env(secret, &self.key[1])).await;
        assert_eq!((run.code, run.stderr.as_str()), (Some(0), ""));
        run
    }
}

/// The first URL that stands before `mark`.
fn url(said: &str, mark: &str) -> Option<String> {
    let (before, _) = said.split_once(mark)?;
    let start = before.rfind("http://")?;
    before.get(start..).map(str::to_owned)
}

fn states(page: &Page) -> Vec<(&Series, u64)> {
    let states = page.family("cloud_instance_state");
    states.map(|(series, value)| (series, value.to_bits())).collect()
}

/// What the contract gives an end; a service manager waits longer.
const LIMIT: Duration = Duration::from_secs(5);
