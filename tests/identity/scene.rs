//! A moto that checks every signature, its admin, and a folder in which keys are kept.

use std::collections::BTreeMap;
use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;

use serde::Deserialize;
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::process::Command;

use crate::moto::{Key, Moto};
use crate::vigie::{Run, run, vigie};

pub(crate) struct Scene {
    pub(crate) moto: Moto,
    pub(crate) admin: Key,
    home: TempDir,
    /// Beside the folder, so that what stands there is vigie's alone.
    settings: TempDir,
}

/// Everything of IAM, as boto3 reads it; each thing under its name.
#[derive(Debug, Deserialize, PartialEq)]
pub(crate) struct Identities {
    pub(crate) users: BTreeMap<String, User>,
    pub(crate) groups: BTreeMap<String, Group>,
    pub(crate) policies: BTreeMap<String, Policy>,
}

#[derive(Debug, Deserialize, PartialEq)]
pub(crate) struct User {
    pub(crate) groups: Vec<String>,
    pub(crate) attached: Vec<String>,
    pub(crate) inline: Vec<String>,
    /// `Active` or `Inactive`, by id.
    pub(crate) keys: BTreeMap<String, String>,
}

#[derive(Debug, Deserialize, PartialEq)]
pub(crate) struct Group {
    pub(crate) members: Vec<String>,
    pub(crate) attached: Vec<String>,
    pub(crate) inline: Vec<String>,
}

#[derive(Debug, Deserialize, PartialEq)]
pub(crate) struct Policy {
    pub(crate) in_force: String,
    /// By version.
    pub(crate) documents: BTreeMap<String, String>,
}

impl Scene {
    pub(crate) async fn start() -> Self {
        let moto = Moto::start().await;
        let admin = moto.script("admin.py", &[], None).await;
        moto.order("reset-auth", "0").await;
        let folder = || tempfile::tempdir().expect("a temporary folder can be made");
        Self {
            moto,
            admin,
            home: folder(),
            settings: folder(),
        }
    }

    /// A file of the folder.
    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.home.path().join(name)
    }

    /// `vigie` at work in the folder on this cloud, with nobody's key.
    pub(crate) fn vigie(&self, command: &str, arguments: &[&str]) -> Command {
        let mut vigie = vigie(&[command, "--provider", "aws", "--region", "eu-west-1"]);
        vigie
            .args(["--endpoint-url", &self.moto.url()])
            .args(arguments)
            .env("HOME", self.home.path())
            .current_dir(self.home.path());
        vigie
    }

    /// The same with the admin's key in its environment.
    pub(crate) fn as_admin(&self, command: &str, arguments: &[&str]) -> Command {
        with_key(self.vigie(command, arguments), &self.admin)
    }

    /// Runs to its end as the admin, and neither output holds the admin's secret.
    pub(crate) async fn run(&self, command: &str, arguments: &[&str]) -> Run {
        let run = run(&mut self.as_admin(command, arguments)).await;
        assert_untold(&run, &self.admin.secret_key);
        run
    }

    /// The same, and it succeeds.
    pub(crate) async fn succeed(&self, command: &str, arguments: &[&str]) -> Run {
        let run = self.run(command, arguments).await;
        assert_eq!(run.code, Some(0), "{command} {arguments:?}:\n{}", run.stderr);
        run
    }

    /// The same, but a person must decide; all of `told` is said.
    pub(crate) async fn is_refused(&self, command: &str, arguments: &[&str], told: &[&str]) {
        let run = self.run(command, arguments).await;
        assert_eq!(run.code, Some(3), "{command} {arguments:?}:\n{}", run.stderr);
        assert_told(&run, told);
    }

    /// `vigie once` in the folder for the default kinds; a line of its settings may say with which key.
    pub(crate) fn once(&self, line: &str) -> Command {
        let url = self.moto.url();
        let settings = format!(
            "[[account]]\nname = \"default\"\nprovider = \"aws\"\nregions = [\"eu-west-1\"]\n\
             endpoints = {{ ec2 = {url:?}, elb = {url:?} }}\n{line}\n"
        );
        let file = self.settings.path().join("vigie.toml");
        fs::write(&file, settings).expect("the settings can be written");
        let mut vigie = vigie(&["once", "--config"]);
        vigie
            .arg(file)
            .env("HOME", self.home.path())
            .current_dir(self.home.path());
        vigie
    }

    /// Polls once with the key of a file.
    pub(crate) async fn once_with(&self, file: &str) {
        let line = format!("credentials_file = \"{}\"", self.path(file).display());
        let run = run(&mut self.once(&line)).await;
        assert_eq!((run.code, run.stderr.as_str()), (Some(0), ""), "{file}");
        assert!(
            run.stdout.contains("vigie_poll_success{"),
            "nothing was polled: {}",
            run.stdout
        );
    }

    /// The identities, as the admin reads them.
    pub(crate) async fn identities(&self) -> Identities {
        self.moto.script("identities.py", &[], Some(&self.admin)).await
    }

    /// Has the admin do something to the identities by other means than vigie.
    pub(crate) async fn arrange(&self, orders: &[(&str, Value)]) {
        let orders: Vec<_> = orders
            .iter()
            .map(|(action, parameters)| json!(["iam", action, parameters]))
            .collect();
        let refusals = self.order(&Value::Array(orders), &self.admin).await;
        assert!(refusals.iter().all(String::is_empty), "{refusals:?}");
    }

    /// What boto3 is told by the cloud to each call: nothing, or the code of a refusal.
    pub(crate) async fn order(&self, orders: &Value, key: &Key) -> Vec<String> {
        let orders = orders.to_string();
        self.moto.script("order.py", &[&orders], Some(key)).await
    }

    /// How many calls the cloud has answered. moto writes those that it refused in colour.
    pub(crate) fn calls(&self) -> usize {
        self.moto.log().matches("POST / HTTP").count()
    }

    /// The key of the only profile of an INI file.
    pub(crate) fn key_in(&self, file: &str) -> Key {
        let text = self.read(file);
        let value = |name: &str| {
            let mut values = text
                .lines()
                .filter_map(|line| line.strip_prefix(name)?.strip_prefix(" = "));
            let value = values
                .next()
                .unwrap_or_else(|| panic!("there is no {name} in {file}"));
            assert_eq!(values.next(), None, "{name} is twice in {file}");
            value.to_owned()
        };
        Key {
            access_key: value("aws_access_key_id"),
            secret_key: value("aws_secret_access_key"),
        }
    }

    pub(crate) fn read(&self, file: &str) -> String {
        let path = self.path(file);
        fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
    }

    pub(crate) fn write(&self, file: &str, text: &str) {
        let path = self.path(file);
        fs::write(&path, text).expect("a file can be written");
        fs::set_permissions(&path, Permissions::from_mode(0o600)).expect("its mode can be set");
    }

    /// The folder's files, hidden ones too.
    pub(crate) fn files(&self) -> Vec<String> {
        let entries = fs::read_dir(self.home.path()).expect("the folder can be listed");
        let mut names: Vec<_> = entries
            .map(|entry| entry.expect("the folder can be listed").file_name())
            .map(|name| name.to_string_lossy().into_owned())
            .collect();
        names.sort();
        names
    }
}

impl Identities {
    pub(crate) fn user(&self, name: &str) -> &User {
        self.users
            .get(name)
            .unwrap_or_else(|| panic!("there is no user {name}: {self:?}"))
    }

    /// The ids of a user's keys.
    pub(crate) fn keys_of(&self, user: &str) -> Vec<&str> {
        self.user(user).keys.keys().map(String::as_str).collect()
    }

    /// There is the admin, and nothing else.
    pub(crate) fn are_but_the_admin(&self) -> bool {
        self.users.keys().eq(["admin"]) && self.groups.is_empty() && self.policies.is_empty()
    }
}

/// The usual names of a user, a group and a policy, all with this suffix.
pub(crate) fn names(suffix: &str) -> [String; 6] {
    [
        "--user",
        &format!("user-{suffix}"),
        "--group",
        &format!("group-{suffix}"),
        "--policy",
        &format!("policy-{suffix}"),
    ]
    .map(str::to_owned)
}

pub(crate) fn with_key(mut command: Command, key: &Key) -> Command {
    command
        .env("AWS_ACCESS_KEY_ID", &key.access_key)
        .env("AWS_SECRET_ACCESS_KEY", &key.secret_key);
    command
}

/// Where moto keeps a policy.
pub(crate) fn arn(policy: &str) -> String {
    format!("arn:aws:iam::123456789012:policy/{policy}")
}

/// A policy document of these actions, as text.
pub(crate) fn allowing(actions: &[&str]) -> String {
    let statement = json!({"Effect": "Allow", "Action": actions, "Resource": ["*"]});
    json!({"Version": "2012-10-17", "Statement": [statement]}).to_string()
}

pub(crate) fn ini(key: &Key) -> String {
    let Key {
        access_key,
        secret_key,
    } = key;
    format!("[default]\naws_access_key_id = {access_key}\naws_secret_access_key = {secret_key}\n")
}

pub(crate) fn assert_told(run: &Run, told: &[&str]) {
    for words in told {
        assert!(run.stderr.contains(words), "not told: {words}\n{}", run.stderr);
    }
}

/// A secret is on neither output, and nothing panicked.
pub(crate) fn assert_untold(run: &Run, secret: &str) {
    assert!(!secret.is_empty());
    for text in [&run.stdout, &run.stderr] {
        assert!(!text.contains(secret), "a secret is told: {text}");
        assert!(!text.contains("panicked"), "a panic: {text}");
    }
}
