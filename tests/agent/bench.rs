//! A demo cloud, the agent's settings for it, and what comes out.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::sync::Arc;
use std::time::Duration;

use secrecy::ExposeSecret as _;
use tempfile::TempDir;
use tokio::net::TcpListener;
use vigie::agent::{Agent, Failed, Running};
use vigie::config::{self, Settings};
use vigie::demo::{Cloud, Key, Options, Request};
use vigie::exposition::{self, Format, Part};
use vigie::provider::Provider;
use vigie::resources::{self, kinds_of};

use crate::page::Page;

/// What the agent asks about instances and load balancers, so all that its key may do.
pub(crate) const ACTIONS: [&str; 3] = [
    "ec2:DescribeInstances",
    "elasticloadbalancing:DescribeLoadBalancers",
    "elasticloadbalancing:DescribeInstanceHealth",
];

/// A word in every secret: where it shows up, a secret does.
pub(crate) const CANARY: &str = "canary/that/nobody/may/ever/read/anywhere";

/// A fleet that holds still, in OUTSCALE's manner.
pub(crate) fn still() -> Options {
    Options {
        alive: false,
        ..Options::default()
    }
}

/// The same in AWS's.
pub(crate) fn still_aws() -> Options {
    Options {
        provider: Provider::Aws,
        lock_out: false,
        ..still()
    }
}

pub(crate) fn regions(names: &[&str]) -> Vec<String> {
    names.iter().map(|&name| name.to_owned()).collect()
}

pub(crate) async fn cloud(options: Options) -> Cloud {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    Cloud::start(options, listener).await.unwrap()
}

/// The key of a user who may do what the agent does, and nothing else.
pub(crate) fn watcher(cloud: &Cloud) -> Key {
    cloud.create_describe_only_user("watcher", &ACTIONS)
}

/// The same id with a secret that the cloud does not know.
pub(crate) fn with_wrong_secret(key: &Key) -> Key {
    Key {
        secret_access_key: CANARY.into(),
        ..key.clone()
    }
}

pub(crate) fn unknown_key() -> Key {
    Key {
        access_key_id: "NOBODYKNOWSTHISONE00".to_owned(),
        secret_access_key: CANARY.into(),
    }
}

/// One account in the settings.
#[derive(Clone)]
pub(crate) struct Account {
    pub(crate) name: &'static str,
    pub(crate) provider: Provider,
    pub(crate) regions: &'static [&'static str],
    pub(crate) url: String,
    /// Where load balancers are asked about, if not there.
    pub(crate) elb_url: Option<String>,
    pub(crate) key: Key,
    /// Whether all that the provider has is polled. Otherwise it is instances and load balancers, which most tests
    /// are about, unless the lines name others.
    pub(crate) every_kind: bool,
    /// Further lines.
    pub(crate) lines: &'static str,
    /// The file of its key, if that is not named as the account.
    pub(crate) key_file: Option<&'static str>,
    /// What goes with the key, if it is a temporary one.
    pub(crate) session_token: Option<&'static str>,
}

impl Account {
    pub(crate) fn new(cloud: &Cloud, key: &Key) -> Self {
        Self {
            name: "prod",
            provider: Provider::Outscale,
            regions: &["eu-west-2"],
            url: cloud.url(),
            elb_url: None,
            key: key.clone(),
            every_kind: false,
            lines: "",
            key_file: None,
            session_token: None,
        }
    }

    pub(crate) fn aws(cloud: &Cloud, key: &Key) -> Self {
        Self {
            provider: Provider::Aws,
            ..Self::new(cloud, key)
        }
    }
}

/// An agent and the folder of its files.
pub(crate) struct Bench {
    pub(crate) page: Arc<exposition::Page>,
    agent: Option<Agent>,
    pub(crate) running: Option<Running>,
    folder: TempDir,
}

impl Bench {
    /// An agent with the defaults, for one account.
    pub(crate) fn one(account: Account) -> Self {
        Self::new("", &[account])
    }

    /// An agent with these lines at the head of its settings.
    pub(crate) fn new(head: &str, accounts: &[Account]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let settings = written(&folder, head, accounts);
        let settings = loaded(&folder, &settings);
        let agent = Agent::new(&settings, &(Arc::new(|_: &str| None) as _)).unwrap();
        Self {
            page: Arc::clone(&agent.page),
            agent: Some(agent),
            running: None,
            folder,
        }
    }

    /// Gives the running agent other settings.
    pub(crate) async fn reload(&mut self, head: &str, accounts: &[Account]) -> Result<(), String> {
        let settings = written(&self.folder, head, accounts);
        let settings = loaded(&self.folder, &settings);
        let reloaded = self.running.as_mut().unwrap().reload(settings).await;
        reloaded.map_err(|error| format!("{error:#}"))
    }

    /// Puts another key into an account's file.
    pub(crate) fn change_key(&self, account: &str, key: &Key) {
        write_key(&self.folder, account, key, None);
    }

    /// A file that everybody may read.
    pub(crate) fn write(&self, name: &str, text: &str) {
        let path = self.folder.path().join(name);
        fs::write(&path, text).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).unwrap();
    }

    /// Polls everything once, and gives what failed as `account region kind: reason`, with the whole error.
    pub(crate) async fn once(&self) -> Vec<(String, String)> {
        let failed = self.agent.as_ref().unwrap().once().await;
        failed.iter().map(told).collect()
    }

    /// Finds the regions first, where they are to be found.
    pub(crate) async fn poll_once(&mut self) -> Vec<(String, String)> {
        let failed = self.agent.as_mut().unwrap().poll_once().await;
        failed.iter().map(told).collect()
    }

    /// Polls everything once, all of which has to succeed.
    pub(crate) async fn succeeds(&self) -> Page {
        let failed = self.once().await;
        assert!(failed.is_empty(), "{failed:?}");
        self.shown()
    }

    /// Polls everything once, exactly one of which has to fail; its reason and the whole error.
    pub(crate) async fn fails(&self) -> (String, String) {
        let mut failed = self.once().await;
        assert_eq!(failed.len(), 1, "{failed:?}");
        failed.remove(0)
    }

    /// Lets the agent run in the background, for as long as the bench stands.
    pub(crate) fn start(&mut self) {
        self.running = Some(self.agent.take().unwrap().start());
    }

    /// The page as Prometheus reads it; both formats have to be valid.
    pub(crate) fn shown(&self) -> Page {
        let open = self.text(Format::OpenMetrics);
        let open = open.strip_suffix("# EOF\n").expect("OpenMetrics ends with # EOF");
        assert!(!open.contains("# EOF"), "there is something behind the end");
        assert_open_metrics(open);
        Page::parse(&self.text(Format::Text))
    }

    pub(crate) fn text(&self, format: Format) -> String {
        let assembled = self.page.assemble(format, false, &Part::default());
        let length = assembled.length;
        let text = String::from_utf8(assembled.chunks().collect::<Vec<_>>().concat()).unwrap();
        assert_eq!(text.len(), length);
        assert!(!text.contains(CANARY), "a secret is on the page");
        text
    }
}

/// Samples of a page in OpenMetrics are those of the text format, under counters that lack their suffix.
fn assert_open_metrics(text: &str) {
    let mut counters = Vec::new();
    let mut lines = String::new();
    for line in text.lines() {
        assert!(!line.is_empty(), "OpenMetrics knows no empty line");
        if let Some(name) = line
            .strip_prefix("# TYPE ")
            .and_then(|rest| rest.strip_suffix(" counter"))
        {
            counters.push(name);
            writeln!(lines, "# TYPE {name}_total counter").unwrap();
        } else {
            writeln!(lines, "{line}").unwrap();
        }
    }
    assert!(!counters.is_empty());
    Page::parse(&lines);
}

fn told(failed: &Failed) -> (String, String) {
    let poll = format!(
        "{} {} {}: {}",
        failed.account,
        failed.region,
        failed.kind,
        failed.error.reason().name()
    );
    let error = failed.error.explained();
    assert!(!error.contains(CANARY), "a secret is in the error: {error}");
    (poll, error)
}

/// The settings with these accounts, whose keys are put into their files.
fn written(folder: &TempDir, head: &str, accounts: &[Account]) -> String {
    let mut settings = format!("{head}\n");
    for account in accounts {
        let file = account.key_file.unwrap_or(account.name);
        let kinds = if account.every_kind {
            let every: Vec<_> = kinds_of(account.provider).iter().map(|kind| kind.name).collect();
            format!("kinds = {every:?}")
        } else if account.lines.contains("kinds = ") {
            String::new()
        } else {
            "kinds = [\"instances\", \"load_balancers\"]".to_owned()
        };
        write_key(folder, file, &account.key, account.session_token);
        writeln!(
            settings,
            "[[account]]\nname = {0:?}\nprovider = {1:?}\nregions = {2:?}\ncredentials_file = {file:?}\n\
             endpoints = {{ ec2 = {3:?}, elb = {4:?} }}\n{kinds}\n{5}",
            account.name,
            account.provider.name(),
            account.regions,
            account.url,
            account.elb_url.as_ref().unwrap_or(&account.url),
            account.lines
        )
        .unwrap();
    }
    settings
}

fn loaded(folder: &TempDir, settings: &str) -> Settings {
    let file = folder.path().join("vigie.toml");
    fs::write(&file, settings).unwrap();
    config::load(Some(&file), &resources::registry(), &BTreeMap::new()).unwrap()
}

fn write_key(folder: &TempDir, file: &str, key: &Key, session_token: Option<&str>) {
    let mut text = format!(
        "[default]\naws_access_key_id = {}\naws_secret_access_key = {}\n",
        key.access_key_id,
        key.secret_access_key.expose_secret()
    );
    if let Some(token) = session_token {
        writeln!(text, "aws_session_token = {token}").unwrap();
    }
    // As everybody should: a new file in the place of the old one, readable by nobody else.
    let fresh = tempfile::NamedTempFile::new_in(folder.path()).unwrap();
    fs::write(fresh.path(), text).unwrap();
    fresh.persist(folder.path().join(file)).unwrap();
}

/// A certificate and its key, of which no two are the same, in PEM.
pub(crate) fn certificate() -> String {
    let key = rcgen::KeyPair::generate().unwrap();
    let certificate = rcgen::CertificateParams::default().self_signed(&key).unwrap();
    [certificate.pem(), key.serialize_pem()].concat()
}

/// Lets so much time pass.
pub(crate) async fn pass(seconds: u64) {
    tokio::time::sleep(Duration::from_secs(seconds)).await;
}

/// The requests for an action.
pub(crate) fn asked(cloud: &Cloud, action: &str) -> Vec<Request> {
    let all = cloud.requests();
    all.into_iter()
        .filter(|request| request.action == action)
        .collect()
}

/// The requests that the agent says it has sent.
pub(crate) fn counted(bench: &Bench) -> usize {
    let page = bench.shown();
    let counts = page.family("vigie_api_requests_total").map(|(_, count)| count);
    format!("{}", counts.sum::<f64>()).parse().unwrap()
}
