//! An account, the cloud that it is alone in, and what went wrong for it.

use std::collections::VecDeque;
use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use secrecy::ExposeSecret as _;
use tokio::net::TcpListener;
use tokio::time::sleep;
use vigie::demo::{Cloud, Key, Options};
use vigie::provider::Provider;
use vigie::resource::Kind;
use vigie::resources::{KINDS, kind, kinds_of, regions};

use crate::now;
use crate::scene::KEYS;
use crate::truth::History;
use crate::weather::{Trouble, Weather};

/// An account, alone in its cloud.
pub(crate) struct Account {
    pub(crate) name: &'static str,
    pub(crate) cloud: Cloud,
    pub(crate) key: Key,
    pub(crate) kinds: Vec<&'static Kind>,
    pub(crate) regions: Vec<Region>,
    pub(crate) weather: Weather,
    /// When the settings said something else of it, or nothing at all.
    pub(crate) changes: Weather,
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

impl Account {
    pub(crate) async fn new(name: &'static str, regions: &[&'static str], options: Options) -> Arc<Self> {
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
        let kinds = KINDS.iter().copied().chain([&regions::KIND]);
        let actions = kinds.flat_map(|kind| kind.actions);
        let actions: Vec<String> = actions.map(|action| action.policy_name()).collect();
        let actions: Vec<&str> = actions.iter().map(String::as_str).collect();
        let key = cloud.create_describe_only_user("watcher", &actions);
        let regions = regions.iter().map(|&name| Region {
            name,
            history: Arc::new(History::new(
                cloud.fleet_of(name).expect("the cloud has it"),
                provider,
            )),
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
            changes: Weather::default(),
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

    /// What one kind met at some moment between two. Settings that change may end a poll, and so meet all.
    pub(crate) fn troubles(&self, from: f64, to: f64, region: &str, kind: &Kind) -> Vec<Trouble> {
        let mut met = self.weather.between(from, to, region, kind);
        met.extend(self.changes.between(from, to, region, kind));
        met
    }

    /// Whether nothing at all was wrong from one moment to another.
    pub(crate) fn is_calm(&self, from: f64, to: f64) -> bool {
        self.weather.is_calm(from, to) && self.changes.is_calm(from, to)
    }

    /// What the settings say of it. What Rust prints of a text or a list of them is how TOML writes it.
    pub(crate) fn settings(&self, regions: &str, tags: &[&str]) -> String {
        let kinds: Vec<&str> = self.kinds.iter().map(|kind| kind.name).collect();
        let (name, provider, url) = (self.name, self.provider, self.cloud.url());
        let credentials = self.credentials();
        format!(
            "[[account]]\nname = {name:?}\nprovider = \"{provider}\"\nregions = {regions}\nkinds = {kinds:?}\n\
             credentials_file = {credentials:?}\nrequests_per_second = 1000\ntags = {tags:?}\n\
             endpoints = {{ ec2 = {url:?}, elb = {url:?} }}\n"
        )
    }

    /// All its regions, as settings list them.
    pub(crate) fn listed(&self) -> String {
        let regions: Vec<&str> = self.regions.iter().map(|region| region.name).collect();
        format!("{regions:?}")
    }

    /// Puts its key where the settings say.
    pub(crate) fn write_key(&self, folder: &Path) {
        let (id, secret) = (
            &self.key.access_key_id,
            self.key.secret_access_key.expose_secret(),
        );
        let text = format!("[default]\naws_access_key_id = {id}\naws_secret_access_key = {secret}\n");
        let file = folder.join(self.credentials());
        fs::write(&file, text).expect("the key can be written");
        fs::set_permissions(&file, Permissions::from_mode(0o600)).expect("its mode can be set");
    }

    fn credentials(&self) -> String {
        format!("{}.credentials", self.name)
    }
}

/// Keeps the record of the cloud from running over.
pub(crate) async fn keep_requests(account: Arc<Account>) {
    loop {
        sleep(Duration::from_secs(1)).await;
        account.asked(|_| false);
    }
}
