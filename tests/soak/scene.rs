//! The clouds, the accounts at them, and the agent that watches them.

use std::fs::{self, File};
use std::path::PathBuf;
use std::process::Stdio;
use std::sync::{Arc, Mutex, PoisonError};

use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;
use tokio::process::Child;
use tokio::time::timeout;
use vigie::demo::Options;
use vigie::provider::Provider;

use crate::account::Account;
use crate::check::Checker;
use crate::parts::{DEADLINE, command, free_port, get, wait_for};
use crate::report::Report;
use crate::resources::Samples;
use crate::settings::Form;
use crate::weather::Trouble;

pub(crate) struct Scene {
    pub(crate) accounts: Vec<Arc<Account>>,
    pub(crate) report: Arc<Report>,
    pub(crate) checker: Checker,
    pub(crate) samples: Samples,
    /// Of the agent.
    pub(crate) id: u32,
    pub(crate) address: String,
    pub(crate) url: String,
    seed: u64,
    agent: Mutex<Option<Child>>,
    folder: TempDir,
}

impl Scene {
    pub(crate) async fn start(seed: u64) -> Arc<Self> {
        let large = |provider, seed| Options {
            provider,
            seed,
            instances: 40,
            load_balancers: 10,
            target_groups: 6,
            ..Options::default()
        };
        let accounts = vec![
            Account::new("osc", &["eu-west-2"], large(Provider::Outscale, seed)).await,
            Account::new(
                "aws",
                &["eu-west-1", "us-east-1"],
                Options {
                    lock_out: false,
                    ..large(Provider::Aws, seed + 1)
                },
            )
            .await,
            Account::new(
                KEYS,
                &["eu-west-2"],
                Options {
                    instances: 6,
                    load_balancers: 0,
                    seed: seed + 2,
                    ..Options::default()
                },
            )
            .await,
            Account::new(
                VISITOR,
                // The first is the one that an account is asked in where its regions are to be found.
                &["us-east-1", "eu-west-3"],
                Options {
                    instances: 6,
                    load_balancers: 2,
                    target_groups: 2,
                    lock_out: false,
                    ..large(Provider::Aws, seed + 3)
                },
            )
            .await,
        ];
        let folder = tempfile::tempdir().expect("a temporary folder can be made");
        let address = format!("127.0.0.1:{}", free_port());
        for account in &accounts {
            account.write_key(folder.path());
            if account.name == VISITOR {
                account.changes.comes(Trouble::absence());
                account.changes.is_in_force();
            }
        }
        let log = File::create(folder.path().join(LOG)).expect("the log can be made");
        let settings = Form::default().settings(&address, &accounts);
        fs::write(folder.path().join(SETTINGS), settings).expect("the settings can be written");
        let agent = command(program())
            .args(["run", "--config"])
            .arg(folder.path().join(SETTINGS))
            .env("VIGIE_LOG", "info")
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(log)
            .spawn()
            .expect("vigie starts");
        let report = Arc::new(Report::new());
        let scene = Arc::new(Self {
            checker: Checker::new(report.clone()),
            samples: Samples::default(),
            id: agent.id().expect("vigie is running"),
            url: format!("http://{address}"),
            agent: Mutex::new(Some(agent)),
            address,
            accounts,
            report,
            seed,
            folder,
        });
        wait_for("the agent to be ready", async || {
            let ready = get(&format!("{}/-/ready", scene.url)).await;
            ready.map_err(|error| format!("{error}\n{}", scene.log()))
        })
        .await;
        scene
    }

    pub(crate) fn account(&self, name: &str) -> &Account {
        let mut accounts = self.accounts.iter();
        accounts
            .find(|account| account.name == name)
            .expect("there is this account")
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub(crate) fn signal(&self, signal: Signal) {
        let id = i32::try_from(self.id).ok().and_then(Pid::from_raw);
        kill_process(id.expect("it is a process"), signal).expect("vigie is running");
    }

    fn log(&self) -> String {
        fs::read_to_string(self.path(LOG)).expect("the log can be read")
    }

    /// Ends the agent and tells all figures; how many violations there were.
    pub(crate) async fn finish(&self) -> u64 {
        for told in self.samples.growth() {
            self.report.violation("growth", &told);
        }
        for account in &self.accounts {
            if account.cloud.times_locked_out() > 0 {
                self.report
                    .violation("lock-out", &format!("{} was locked", account.name));
            }
        }
        self.signal(Signal::TERM);
        let agent = self.agent.lock().unwrap_or_else(PoisonError::into_inner).take();
        let mut agent = agent.expect("it is ended once");
        let ended = timeout(DEADLINE, agent.wait()).await;
        if !matches!(&ended, Ok(Ok(status)) if status.success()) {
            let log = self.log();
            let last: Vec<&str> = log.lines().rev().take(5).collect();
            self.report.violation(
                "end",
                &format!("vigie ended so: {ended:?}, and last said {last:#?}"),
            );
        }
        let log = self.log();
        for line in log.lines().filter(|line| {
            ["fault of vigie", "broke down", "panicked"]
                .iter()
                .any(|word| line.contains(word))
        }) {
            self.report.violation("log", line);
        }
        self.report.tell(&self.samples, &log, self.seed)
    }
}

/// The program that is tried.
pub(crate) fn program() -> String {
    let given = std::env::var("SOAK_VIGIE").ok().filter(|path| !path.is_empty());
    given.unwrap_or_else(|| env!("CARGO_BIN_EXE_vigie").to_owned())
}

/// The account whose key is refused now and then; the others are never held back for that.
pub(crate) const KEYS: &str = "keys";

/// The account that reloads change something of.
pub(crate) const CHANGING: &str = "aws";

/// The account that comes and goes by reloads. Nothing ever goes wrong at its cloud.
pub(crate) const VISITOR: &str = "visitor";

/// In seconds.
pub(crate) const STALE_AFTER: f64 = 2.0;

pub(crate) const SETTINGS: &str = "vigie.toml";
const LOG: &str = "log";
