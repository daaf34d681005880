//! The clouds, the accounts at them, and the agent that watches them.

use std::collections::VecDeque;
use std::fmt::Write as _;
use std::fs::{self, File, Permissions};
use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;
use std::process::Stdio;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};
use secrecy::ExposeSecret as _;
use tempfile::TempDir;
use tokio::net::TcpListener;
use tokio::process::Child;
use tokio::time::{sleep, timeout};
use vigie::demo::{Cloud, Key, Options};
use vigie::provider::Provider;
use vigie::resource::Kind;
use vigie::resources::{KINDS, kind, kinds_of};

use crate::check::Checker;
use crate::now;
use crate::parts::{DEADLINE, command, free_port, get, wait_for};
use crate::report::Report;
use crate::resources::Samples;
use crate::truth::History;
use crate::weather::Weather;

/// An account, alone in its cloud.
pub(crate) struct Account {
    pub(crate) name: &'static str,
    pub(crate) cloud: Cloud,
    pub(crate) key: Key,
    pub(crate) kinds: Vec<&'static Kind>,
    pub(crate) regions: Vec<Region>,
    pub(crate) weather: Weather,
    pub(crate) provider: Provider,
    requests: Mutex<VecDeque<Asked>>,
}

pub(crate) struct Region {
    pub(crate) name: &'static str,
    pub(crate) history: Arc<History>,
}

/// A request that a cloud answered.
#[derive(Debug, Clone)]
pub(crate) struct Asked {
    pub(crate) time: f64,
    pub(crate) region: String,
    /// What the second version of a service calls by the same name as the first has a 2 behind it.
    pub(crate) action: String,
    pub(crate) status: u16,
}

pub(crate) struct Scene {
    pub(crate) accounts: Vec<Arc<Account>>,
    pub(crate) report: Arc<Report>,
    pub(crate) checker: Checker,
    pub(crate) samples: Samples,
    /// Of the agent.
    pub(crate) id: u32,
    pub(crate) settings: String,
    pub(crate) url: String,
    seed: u64,
    agent: Mutex<Option<Child>>,
    folder: TempDir,
}

impl Account {
    async fn new(name: &'static str, regions: &[&'static str], options: Options) -> Arc<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port is free");
        let options = Options {
            regions: regions.iter().map(|&region| region.to_owned()).collect(),
            backends_per_load_balancer: 4,
            // It lives by the hand that writes down what was when.
            alive: false,
            ..options
        };
        let provider = options.provider;
        let cloud = Cloud::start(options, listener).await.expect("the cloud starts");
        let actions = KINDS.iter().flat_map(|kind| kind.actions);
        let actions: Vec<String> = actions.map(|action| action.policy_name()).collect();
        let actions: Vec<&str> = actions.iter().map(String::as_str).collect();
        let key = cloud.create_describe_only_user("watcher", &actions);
        let regions = regions.iter().map(|&name| Region {
            name,
            history: Arc::new(History::new(cloud.fleet_of(name).expect("the cloud has it"))),
        });
        Arc::new(Self {
            name,
            key,
            kinds: if name == KEYS {
                vec![kind("instances").expect("there is this kind")]
            } else {
                kinds_of(provider)
            },
            regions: regions.collect(),
            weather: Weather::default(),
            provider,
            requests: Mutex::default(),
            cloud,
        })
    }

    /// What was asked for lately, up to this moment.
    pub(crate) fn asked(&self, mut find: impl FnMut(&Asked) -> bool) -> Option<Asked> {
        let mut requests = self.requests.lock().unwrap_or_else(PoisonError::into_inner);
        let new = self.cloud.take_requests().into_iter().map(|request| Asked {
            time: request.time.as_duration().as_secs_f64(),
            action: match request.parameter("Version") {
                Some("2015-12-01") => format!("{}2", request.action),
                _ => request.action,
            },
            region: request.region,
            status: request.status,
        });
        requests.extend(new);
        let oldest = now() - 30.0;
        while requests.front().is_some_and(|request| request.time < oldest) {
            requests.pop_front();
        }
        requests.iter().find(|request| find(request)).cloned()
    }

    /// The actions that something can be done to.
    pub(crate) fn actions(&self) -> Vec<&'static str> {
        let actions = self.kinds.iter().flat_map(|kind| kind.actions);
        actions.map(|action| action.name).collect()
    }
}

/// Keeps the record of the cloud from running over.
pub(crate) async fn keep_requests(account: Arc<Account>) {
    loop {
        sleep(Duration::from_secs(1)).await;
        account.asked(|_| false);
    }
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
        ];
        let folder = tempfile::tempdir().expect("a temporary folder can be made");
        let address = format!("127.0.0.1:{}", free_port());
        let mut settings =
            format!("listen = {address:?}\ninterval = \"200ms\"\nstale_after = \"{STALE_AFTER}s\"\n");
        for account in &accounts {
            write_account(account, &folder, &mut settings);
        }
        let log = File::create(folder.path().join(LOG)).expect("the log can be made");
        fs::write(folder.path().join(SETTINGS), &settings).expect("the settings can be written");
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
            accounts,
            report,
            settings,
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

/// What Rust prints of a text or a list of them is how TOML writes it.
fn write_account(account: &Account, folder: &TempDir, settings: &mut String) {
    let credentials = format!("{}.credentials", account.name);
    let (id, secret) = (
        &account.key.access_key_id,
        account.key.secret_access_key.expose_secret(),
    );
    let text = format!("[default]\naws_access_key_id = {id}\naws_secret_access_key = {secret}\n");
    let file = folder.path().join(&credentials);
    fs::write(&file, text).expect("the key can be written");
    fs::set_permissions(&file, Permissions::from_mode(0o600)).expect("its mode can be set");
    let regions: Vec<&str> = account.regions.iter().map(|region| region.name).collect();
    let kinds: Vec<&str> = account.kinds.iter().map(|kind| kind.name).collect();
    let (name, provider, url) = (account.name, account.provider, account.cloud.url());
    writeln!(
        settings,
        "[[account]]\nname = {name:?}\nprovider = \"{provider}\"\nregions = {regions:?}\nkinds = {kinds:?}\n\
         credentials_file = {credentials:?}\nrequests_per_second = 1000\nendpoints = {{ ec2 = {url:?}, elb = {url:?} }}"
    )
    .expect("a string takes any text");
}

/// The program that is tried.
pub(crate) fn program() -> String {
    let given = std::env::var("SOAK_VIGIE").ok().filter(|path| !path.is_empty());
    given.unwrap_or_else(|| env!("CARGO_BIN_EXE_vigie").to_owned())
}

/// The account whose key is refused now and then; the others are never held back for that.
pub(crate) const KEYS: &str = "keys";

/// In seconds.
pub(crate) const STALE_AFTER: f64 = 2.0;

pub(crate) const SETTINGS: &str = "vigie.toml";
const LOG: &str = "log";
