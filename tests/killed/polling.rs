//! `vigie run`, killed at any moment of its polls: it writes nothing, so nothing is left, and the next run is whole at once.

use std::collections::BTreeMap;
use std::fs::{self, Permissions};
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use ::vigie::demo::{Cloud, Options};
use ::vigie::provider::Provider;
use ::vigie::resources::{KINDS, default_kinds_of};
use secrecy::ExposeSecret as _;
use tempfile::TempDir;
use tokio::process::Child;
use tokio::time::{Instant, sleep};

use crate::client::cloud;
use crate::page::Page;
use crate::parts::{DEADLINE, free_port, get};
use crate::vigie::vigie;

/// A cloud, and every folder that the agent knows of.
struct Home {
    cloud: Cloud,
    folder: TempDir,
    port: u16,
}

/// What a file is: its text, its mode, and when it was written.
type Content = (String, u32, i64, i64);

impl Home {
    async fn new() -> Self {
        let cloud = cloud(Options {
            provider: Provider::Aws,
            regions: vec!["eu-west-1".to_owned()],
            instances: INSTANCES,
            load_balancers: 2,
            target_groups: 2,
            alive: false,
            lock_out: false,
            ..Options::default()
        })
        .await;
        let actions = KINDS.iter().flat_map(|kind| kind.actions);
        let actions: Vec<String> = actions.map(|action| action.policy_name()).collect();
        let actions: Vec<&str> = actions.iter().map(String::as_str).collect();
        let key = cloud.create_describe_only_user("watcher", &actions);
        let folder = tempfile::tempdir().expect("a temporary folder can be made");
        let home = Self {
            cloud,
            folder,
            port: free_port(),
        };
        for name in ["home", "tmp", "here"] {
            fs::create_dir(home.path(name)).expect("a folder can be made");
        }
        let (id, secret) = (&key.access_key_id, key.secret_access_key.expose_secret());
        home.write(
            "credentials",
            &format!("[default]\naws_access_key_id = {id}\naws_secret_access_key = {secret}\n"),
        );
        let (url, port) = (home.cloud.url(), home.port);
        home.write(
            "vigie.toml",
            &format!(
                "listen = \"127.0.0.1:{port}\"\ninterval = \"100ms\"\nstale_after = \"10s\"\n[[account]]\n\
                 name = \"demo\"\nprovider = \"aws\"\nregions = [\"eu-west-1\"]\ncredentials_file = \"credentials\"\n\
                 requests_per_second = 1000\nendpoints = {{ ec2 = {url:?}, elb = {url:?} }}\n"
            ),
        );
        home
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn write(&self, name: &str, text: &str) {
        fs::write(self.path(name), text).expect("the file can be written");
        let mode = Permissions::from_mode(0o600);
        fs::set_permissions(self.path(name), mode).expect("its mode can be set");
    }

    fn start(&self) -> Child {
        vigie(&["run", "--config"])
            .arg(self.path("vigie.toml"))
            .current_dir(self.path("here"))
            .env("HOME", self.path("home"))
            .env("TMPDIR", self.path("tmp"))
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("vigie starts")
    }

    /// Every file and folder there is.
    fn files(&self) -> BTreeMap<PathBuf, Content> {
        let mut files = BTreeMap::new();
        list(self.folder.path(), &mut files);
        files
    }

    /// Waits for a page that shows all there is; every page until then is valid.
    async fn shows_all(&self, when: &str) {
        let deadline = Instant::now() + DEADLINE;
        loop {
            if let Ok(text) = get(&format!("http://127.0.0.1:{}/metrics", self.port)).await {
                let page = Page::parse(&text);
                let polls = page.family("vigie_poll_success");
                let well = polls.filter(|(_, value)| *value > 0.0).count();
                if well == default_kinds_of(Provider::Aws).len() {
                    assert_eq!(page.family("cloud_instance_info").count(), INSTANCES, "{when}");
                    assert_eq!(
                        page.family("cloud_load_balancer_healthy_backends").count(),
                        2 + 2,
                        "{when}"
                    );
                    return;
                }
            }
            assert!(Instant::now() < deadline, "{when}: the page is never whole");
            sleep(Duration::from_millis(10)).await;
        }
    }

    /// The cloud was asked for descriptions and nothing else, with a key that it took.
    fn assert_untouched(&self, when: &str) {
        for request in self.cloud.requests() {
            assert!(
                request.action.starts_with("Describe"),
                "{when}: {}",
                request.action
            );
            assert_eq!(request.status, 200, "{when}: {}", request.action);
        }
        self.cloud.forget_requests();
    }
}

fn list(folder: &Path, files: &mut BTreeMap<PathBuf, Content>) {
    for entry in fs::read_dir(folder).expect("the folder can be listed") {
        let path = entry.expect("the folder can be listed").path();
        let facts = fs::symlink_metadata(&path).expect("it is there");
        let text = if facts.is_dir() {
            list(&path, files);
            String::new()
        } else {
            fs::read_to_string(&path).expect("the file can be read")
        };
        files.insert(path, (text, facts.mode(), facts.mtime(), facts.mtime_nsec()));
    }
}

#[tokio::test]
async fn agent_killed_at_any_moment_of_its_polls_leaves_nothing_behind() {
    let home = Home::new().await;
    let (files, fleet) = (home.files(), home.cloud.fleet().instances());
    let kills = std::env::var("TEST_KILLS").map_or(KILLS, |kills| kills.parse().expect("it is a number"));
    let mut moments = fastrand::Rng::with_seed(7);
    for kill in 0..kills {
        let when = format!("kill {kill}");
        let mut agent = home.start();
        // Every other one while it starts, the others anywhere in its polls.
        if kill % 2 == 1 {
            home.shows_all(&when).await;
        }
        sleep(Duration::from_millis(moments.u64(..150))).await;
        agent.kill().await.expect("it had not ended before");
        assert_eq!(home.files(), files, "{when}");
        home.assert_untouched(&when);
    }
    let mut agent = home.start();
    home.shows_all("after all").await;
    agent.kill().await.expect("it had not ended before");
    assert_eq!(home.files(), files);
    home.assert_untouched("after all");
    assert_eq!(home.cloud.fleet().instances(), fleet);
}

/// `TEST_KILLS=200` is for those who have the time.
const KILLS: u32 = 20;

const INSTANCES: usize = 6;
