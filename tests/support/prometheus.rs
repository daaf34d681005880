//! A real Prometheus that scrapes every second.

use std::collections::BTreeMap;
use std::fs::File;
use std::process::Stdio;

use form_urlencoded::Serializer;
use serde::Deserialize;
use tempfile::TempDir;
use tokio::process::Child;

use crate::parts::{command, free_port, get, part, wait_for};

/// A running Prometheus; it dies with the value.
pub(crate) struct Prometheus {
    port: u16,
    _folder: TempDir,
    _process: Child,
}

/// One element of an instant vector.
#[derive(Debug, Deserialize)]
pub(crate) struct Element {
    pub(crate) metric: BTreeMap<String, String>,
    value: (f64, String),
}

#[derive(Deserialize)]
struct Answer {
    data: Data,
}

#[derive(Deserialize)]
struct Data {
    result: Vec<Element>,
}

impl Prometheus {
    /// With these scrape configurations, as a list of YAML.
    pub(crate) async fn start(scrapes: &str) -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder can be made");
        let settings = folder.path().join("prometheus.yml");
        std::fs::write(&settings, format!("{GLOBAL}scrape_configs:\n{scrapes}"))
            .expect("the settings can be written");
        let log = folder.path().join("log");
        let file = File::create(&log).expect("the log can be made");
        let port = free_port();
        let process = command(part("TEST_PROMETHEUS", "target/prometheus/prometheus"))
            .arg(format!("--config.file={}", settings.display()))
            .arg(format!(
                "--storage.tsdb.path={}",
                folder.path().join("data").display()
            ))
            .arg(format!("--web.listen-address=127.0.0.1:{port}"))
            .stdout(Stdio::null())
            .stderr(file)
            .spawn()
            .expect("Prometheus starts");
        wait_for("Prometheus to be ready", async || {
            let ready = get(&format!("http://127.0.0.1:{port}/-/ready")).await;
            let log = std::fs::read_to_string(&log).expect("the log can be read");
            ready.map_err(|error| format!("{error}\n{log}"))
        })
        .await;
        Self {
            port,
            _folder: folder,
            _process: process,
        }
    }

    /// The instant vector of an expression.
    pub(crate) async fn query(&self, expression: &str) -> Result<Vec<Element>, String> {
        let query = Serializer::new(String::new())
            .append_pair("query", expression)
            .finish();
        let answer = get(&format!("http://127.0.0.1:{}/api/v1/query?{query}", self.port)).await?;
        let answer: Answer = serde_json::from_str(&answer).map_err(|error| format!("{error}: {answer}"))?;
        Ok(answer.data.result)
    }

    /// Wait until an expression has a result.
    pub(crate) async fn wait_until(&self, expression: &str) -> Vec<Element> {
        wait_for(expression, async || match self.query(expression).await? {
            empty if empty.is_empty() => Err("no result".to_owned()),
            result => Ok(result),
        })
        .await
    }
}

impl Element {
    pub(crate) fn value(&self) -> f64 {
        self.value.1.parse().expect("Prometheus answers with numbers")
    }
}

const GLOBAL: &str = "global: { scrape_interval: 1s, scrape_timeout: 1s }\n";
