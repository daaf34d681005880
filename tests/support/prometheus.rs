//! A real Prometheus that scrapes one address every second, and promtool's opinion of a page.

use std::collections::BTreeMap;
use std::fs::File;
use std::process::{Output, Stdio};

use form_urlencoded::Serializer;
use serde::Deserialize;
use tempfile::TempDir;
use tokio::io::AsyncWriteExt as _;
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
    pub(crate) async fn scraping(target: u16) -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder can be made");
        let settings = folder.path().join("prometheus.yml");
        std::fs::write(&settings, scrape_config(target)).expect("the settings can be written");
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

/// What `promtool check metrics` has to say of a page: its exit code, and everything it printed.
pub(crate) async fn promtool_check_metrics(page: &str) -> (Option<i32>, String) {
    let mut promtool = command(part("TEST_PROMTOOL", "target/prometheus/promtool"))
        .args(["check", "metrics"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("promtool starts");
    let mut input = promtool.stdin.take().expect("its input is a pipe");
    input
        .write_all(page.as_bytes())
        .await
        .expect("promtool reads its input");
    drop(input);
    let Output {
        status,
        stdout,
        stderr,
    } = promtool.wait_with_output().await.expect("promtool ends");
    (
        status.code(),
        String::from_utf8_lossy(&[stdout, stderr].concat()).into_owned(),
    )
}

fn scrape_config(target: u16) -> String {
    format!(
        "global: {{ scrape_interval: 1s, scrape_timeout: 1s }}\n\
         scrape_configs:\n\
         - job_name: vigie\n\
         \x20 static_configs: [{{ targets: ['127.0.0.1:{target}'] }}]\n"
    )
}
