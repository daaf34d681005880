//! moto, an independent cloud on loopback, and the boto3 scripts that fill, read and change it.

use std::collections::BTreeMap;
use std::fs::File;
use std::path::Path;
use std::time::Duration;

use serde::Deserialize;
use serde::de::DeserializeOwned;
use tempfile::TempDir;
use tokio::process::Child;

use crate::parts::{DEADLINE, HTTP, command, free_port, get, part, wait_for};

/// A running moto; it dies with the value, and forgets everything.
pub(crate) struct Moto {
    pub(crate) port: u16,
    log: TempDir,
    _process: Child,
}

/// What `seed.py` made.
#[derive(Deserialize)]
pub(crate) struct Seed {
    /// By user: `watcher` may describe what the kinds do and nothing else, once signatures are checked;
    /// `half_sighted` may not even ask for the health of backends.
    pub(crate) keys: BTreeMap<String, Key>,
    pub(crate) instances: Vec<String>,
}

#[derive(Clone, Deserialize)]
pub(crate) struct Key {
    pub(crate) access_key: String,
    pub(crate) secret_key: String,
}

impl Moto {
    pub(crate) async fn start() -> Self {
        Self::start_at(free_port()).await
    }

    /// Start on a port that a moto which has just been killed may still hold.
    pub(crate) async fn start_at(port: u16) -> Self {
        let log = tempfile::tempdir().expect("a temporary folder can be made");
        let mut process = spawn(port, log.path());
        wait_for("moto to answer", async || {
            if process.try_wait().expect("the child can be waited for").is_some() {
                process = spawn(port, log.path());
            }
            let answer = get(&format!("http://127.0.0.1:{port}/moto-api/data.json")).await;
            answer.map_err(|error| format!("{error}\n{}", read_log(log.path())))
        })
        .await;
        Self {
            port,
            log,
            _process: process,
        }
    }

    pub(crate) fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    /// Everything moto said of itself, with a line for each request it answered.
    pub(crate) fn log(&self) -> String {
        read_log(self.log.path())
    }

    pub(crate) async fn seed(&self, instances: usize, load_balancers: usize) -> Seed {
        let (instances, load_balancers) = (instances.to_string(), load_balancers.to_string());
        let arguments = ["--instances", &instances, "--load-balancers", &load_balancers];
        self.script("seed.py", &arguments, None).await
    }

    /// Speak to moto itself: `reset` forgets everything, `reset-auth` says after how many more
    /// requests signatures and policies count.
    pub(crate) async fn order(&self, order: &str, body: &'static str) {
        let url = format!("{}/moto-api/{order}", self.url());
        let answer = HTTP.post(url).body(body).send().await.expect("moto answers");
        assert!(
            answer.status().is_success(),
            "{order}: {}\n{}",
            answer.status(),
            self.log()
        );
    }

    /// What a script of `tests/boto3` prints when run against this moto.
    pub(crate) async fn script<T: DeserializeOwned>(
        &self,
        name: &str,
        arguments: &[&str],
        key: Option<&Key>,
    ) -> T {
        let script = Path::new(env!("CARGO_MANIFEST_DIR"))
            .join("tests/boto3")
            .join(name);
        let mut python = command(python());
        python.arg("-B").arg(script).arg(self.url()).args(arguments);
        if let Some(key) = key {
            python.env("AWS_ACCESS_KEY_ID", &key.access_key);
            python.env("AWS_SECRET_ACCESS_KEY", &key.secret_key);
        }
        let output = tokio::time::timeout(LONGEST_SCRIPT, python.output()).await;
        let output = output.expect("the script ends").expect("Python starts");
        let complaint = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{name}: {complaint}\n{}", self.log());
        serde_json::from_slice(&output.stdout).expect("the script prints what is asked for")
    }
}

fn spawn(port: u16, folder: &Path) -> Child {
    let log = File::options()
        .create(true)
        .append(true)
        .open(folder.join(LOG))
        .expect("the log can be opened");
    command(python())
        .args(["-m", "moto.server", "-H", "127.0.0.1", "-p", &port.to_string()])
        .env("MOTO_EC2_LOAD_DEFAULT_AMIS", "false")
        .stdout(log.try_clone().expect("the log can be shared"))
        .stderr(log)
        .spawn()
        .expect("Python starts")
}

pub(crate) fn python() -> std::path::PathBuf {
    part("TEST_PYTHON", "target/python/bin/python")
}

fn read_log(folder: &Path) -> String {
    std::fs::read_to_string(folder.join(LOG)).expect("the log can be read")
}

/// A thousand instances, each in a request of its own, take moto half a minute on a machine that nobody else uses.
const LONGEST_SCRIPT: Duration = DEADLINE.saturating_mul(5);

const LOG: &str = "moto.log";
