//! A cloud and a folder as they are before a command, the command, and what is there after it.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;
use std::time::Duration;

use ::vigie::demo::{Cloud, Key, Options};
use ::vigie::identity::policy::Policy;
use ::vigie::provider::Provider;
use ::vigie::resources::default_kinds_of;
use secrecy::ExposeSecret as _;
use tempfile::TempDir;
use tokio::process::Command;

use crate::account::{REGION, USER, admin, works};
use crate::client::cloud;
use crate::vigie::vigie;

/// What is run, on what is there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Task {
    /// `bootstrap`, on nothing.
    Bootstrap,
    /// `bootstrap`, into a file that holds another profile.
    BootstrapBeside,
    /// `bootstrap --update-policy`, on five versions of another document.
    UpdatePolicy,
    /// `bootstrap --replace-key`, of a key whose file is lost.
    ReplaceKey,
    /// `rotate`, of what bootstrap made.
    Rotate,
    /// `teardown`, of the same.
    Teardown,
}

pub(crate) struct Scene {
    pub(crate) task: Task,
    pub(crate) cloud: Cloud,
    pub(crate) folder: TempDir,
    /// What the file holds before.
    pub(crate) before: Option<String>,
    /// The id of the key that the user has before.
    pub(crate) old: Option<String>,
}

impl Scene {
    /// Fresh, with what the task begins on.
    pub(crate) async fn of(task: Task) -> Self {
        let cloud = cloud(Options {
            provider: Provider::Aws,
            regions: vec![REGION.to_owned()],
            instances: 2,
            load_balancers: 1,
            alive: false,
            keys_per_user: 2,
            propagation_delay: Duration::ZERO,
            lock_out: false,
            ..Options::default()
        })
        .await;
        let mut scene = Self {
            task,
            cloud,
            folder: tempfile::tempdir().expect("a temporary folder can be made"),
            before: None,
            old: None,
        };
        match task {
            Task::Bootstrap => {}
            Task::BootstrapBeside => scene.write(BESIDE),
            Task::UpdatePolicy => scene.make_five_versions().await,
            Task::ReplaceKey => drop(scene.make_identity().await),
            Task::Rotate | Task::Teardown => {
                let key = scene.make_identity().await;
                scene.write(&ini(&key));
            }
        }
        scene.before = scene.text();
        scene.cloud.forget_requests();
        scene
    }

    /// The task's command.
    pub(crate) fn command(&self) -> Command {
        match self.task {
            Task::Bootstrap | Task::BootstrapBeside => self.bootstrap(&[]),
            Task::UpdatePolicy => self.bootstrap(&["--update-policy"]),
            Task::ReplaceKey => {
                let old = self.old.as_deref().unwrap_or_default();
                self.bootstrap(&["--grace", "0s", "--replace-key", old])
            }
            Task::Rotate => self.command_with_a_file(&["rotate", "--grace", "0s"]),
            Task::Teardown => self.admins(&["teardown", "--yes"]),
        }
    }

    /// A command that has nothing left to do once the task is done.
    pub(crate) fn command_afterwards(&self) -> Command {
        match self.task {
            Task::Rotate => self.bootstrap(&[]),
            _ => self.command(),
        }
    }

    /// Where the key goes.
    pub(crate) fn file(&self) -> PathBuf {
        self.folder.path().join(FILE)
    }

    /// The names of all files in the folder.
    pub(crate) fn names(&self) -> Vec<String> {
        let entries = fs::read_dir(self.folder.path()).expect("the folder can be listed");
        let name = |entry: fs::DirEntry| entry.file_name().to_string_lossy().into_owned();
        let mut names: Vec<_> = entries
            .map(|entry| name(entry.expect("the folder can be listed")))
            .collect();
        names.sort();
        names
    }

    /// Fails if anybody else may read a file of the folder.
    pub(crate) fn assert_private(&self, when: &str) {
        for name in self.names() {
            let file = self.folder.path().join(&name);
            let mode = fs::metadata(file)
                .expect("the file is there")
                .permissions()
                .mode();
            assert_eq!(mode & 0o7777, 0o600, "{when}: the mode of {name} is {mode:o}");
        }
    }

    /// What the file holds, if it is there.
    pub(crate) fn text(&self) -> Option<String> {
        fs::read_to_string(self.file()).ok()
    }

    /// The key in the file, which is whole whenever it is there.
    pub(crate) fn key(&self) -> Option<Key> {
        let text = self.text()?;
        let (_, profile) = text.split_once("[default]\n")?;
        let value = |name: &str| {
            let line = profile.lines().find_map(|line| line.strip_prefix(name));
            line.and_then(|rest| rest.trim_start().strip_prefix('='))
                .unwrap_or_else(|| panic!("there is no {name} in {text:?}"))
                .trim()
        };
        Some(Key {
            access_key_id: value("aws_access_key_id").to_owned(),
            secret_access_key: value("aws_secret_access_key").into(),
        })
    }

    fn bootstrap(&self, further: &[&str]) -> Command {
        let mut command = self.command_with_a_file(&["bootstrap"]);
        command.args(further);
        command
    }

    fn command_with_a_file(&self, arguments: &[&str]) -> Command {
        let mut command = self.admins(arguments);
        command.arg("--out").arg(self.file());
        command
    }

    fn admins(&self, arguments: &[&str]) -> Command {
        let admin = self.cloud.admin_key();
        let mut command = vigie(arguments);
        command
            .args(["--provider", "aws", "--region", REGION, "--endpoint-url"])
            .arg(self.cloud.url())
            .env("AWS_ACCESS_KEY_ID", &admin.access_key_id)
            .env("AWS_SECRET_ACCESS_KEY", admin.secret_access_key.expose_secret());
        command
    }

    /// What bootstrap makes, but for the file; the key.
    async fn make_identity(&mut self) -> Key {
        let arn = self.make_policy(&the_policy().text()).await;
        let (user, group) = (("UserName", USER), ("GroupName", "monitoring"));
        admin(&self.cloud, "CreateGroup", &[group]).await;
        admin(&self.cloud, "AttachGroupPolicy", &[group, ("PolicyArn", &arn)]).await;
        admin(&self.cloud, "CreateUser", &[user]).await;
        admin(&self.cloud, "AddUserToGroup", &[group, user]).await;
        let made = admin(&self.cloud, "CreateAccessKey", &[user]).await;
        let key = Key {
            access_key_id: made.one("AccessKeyId").to_owned(),
            secret_access_key: made.one("SecretAccessKey").into(),
        };
        // Nobody can take it for one that was never held.
        assert!(works(&self.cloud, key.clone()).await, "the key works");
        self.old = Some(key.access_key_id.clone());
        key
    }

    async fn make_five_versions(&self) {
        let arn = self.make_policy(OTHER_POLICY).await;
        for _ in 1..5 {
            let version = [
                ("PolicyArn", arn.as_str()),
                ("PolicyDocument", OTHER_POLICY),
                ("SetAsDefault", "true"),
            ];
            admin(&self.cloud, "CreatePolicyVersion", &version).await;
        }
    }

    async fn make_policy(&self, document: &str) -> String {
        let policy = [("PolicyName", "monitoring"), ("PolicyDocument", document)];
        let made = admin(&self.cloud, "CreatePolicy", &policy).await;
        made.one("Arn").to_owned()
    }

    fn write(&self, text: &str) {
        fs::write(self.file(), text).expect("the file can be written");
        fs::set_permissions(self.file(), Permissions::from_mode(0o600)).expect("its mode can be set");
    }
}

fn the_policy() -> Policy {
    Policy::of_kinds(Provider::Aws, &default_kinds_of(Provider::Aws))
}

fn ini(key: &Key) -> String {
    let (id, secret) = (&key.access_key_id, key.secret_access_key.expose_secret());
    format!("[default]\naws_access_key_id = {id}\naws_secret_access_key = {secret}\n")
}

/// Another profile, comments, and a last line without an end.
pub(crate) const BESIDE: &str = "# Of the backup job; ask ops before you touch it.\n[backup]\n\
    aws_access_key_id=AKIAI44QH8DHBEXAMPLE\n\taws_secret_access_key = je7MtGbClwBF/2Zp9Utk/h3yCo8nvbEXAMPLEKEY\n\
    ; the end";

const FILE: &str = "credentials";

const OTHER_POLICY: &str = r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":["ec2:DescribeImages"],"Resource":["*"]}]}"#;
