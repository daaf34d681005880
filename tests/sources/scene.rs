//! A moto that checks signatures and policies, and a home in which botocore and vigie look for a key.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use serde::Deserialize;
use tempfile::TempDir;
use tokio::process::Command;

use crate::moto::{Key, Moto, python};
use crate::parts::{DEADLINE, command};
use crate::vigie::{Run, run, vigie};

/// What `roles.py` made.
#[derive(Deserialize)]
pub(crate) struct Made {
    pub(crate) role: String,
    /// A role that may do everything.
    pub(crate) admin: String,
    /// `watcher` may only describe, `base` only put on a role.
    pub(crate) keys: BTreeMap<String, Key>,
    /// Of the role.
    pub(crate) session: Session,
    pub(crate) instances: Vec<String>,
}

#[derive(Clone, Deserialize)]
pub(crate) struct Session {
    #[serde(rename = "AccessKeyId")]
    pub(crate) access_key: String,
    #[serde(rename = "SecretAccessKey")]
    pub(crate) secret_key: String,
    #[serde(rename = "SessionToken")]
    pub(crate) token: String,
    #[serde(rename = "Expiration")]
    pub(crate) expiration: String,
}

/// What `resolve.py` found.
#[derive(Deserialize)]
pub(crate) struct Resolved {
    pub(crate) id: String,
    pub(crate) method: String,
    pub(crate) instances: Vec<String>,
}

/// A home directory and an environment.
pub(crate) struct Home {
    folder: TempDir,
    variables: BTreeMap<String, String>,
}

pub(crate) async fn guarded() -> (Moto, Made) {
    let moto = Moto::start().await;
    let made = moto.script("roles.py", &[], None).await;
    moto.order("reset-auth", "0").await;
    (moto, made)
}

impl Home {
    pub(crate) fn new() -> Self {
        Self {
            folder: tempfile::tempdir().unwrap(),
            variables: BTreeMap::new(),
        }
    }

    pub(crate) fn set(mut self, name: &str, value: &str) -> Self {
        self.variables.insert(name.to_owned(), value.to_owned());
        self
    }

    pub(crate) fn path(&self, below: &str) -> PathBuf {
        self.folder.path().join(below)
    }

    /// A file that nobody else can read.
    pub(crate) fn file(self, below: &str, text: &str) -> Self {
        self.write(below, text);
        self
    }

    pub(crate) fn write(&self, below: &str, text: &str) {
        let path = self.path(below);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, text).unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600)).unwrap();
    }

    /// An account at a cloud of loopback, with these lines more.
    pub(crate) fn account(self, name: &str, cloud: &str, lines: &str) -> Self {
        let path = self.path(SETTINGS);
        let mut settings = std::fs::read_to_string(&path).unwrap_or_default();
        writeln!(
            settings,
            "[[account]]\nname = {name:?}\nprovider = \"aws\"\nregions = [\"eu-west-1\"]\nkinds = [\"instances\"]\n\
             endpoints = {{ ec2 = {cloud:?} }}\n{lines}"
        )
        .unwrap();
        self.file(SETTINGS, &settings)
    }

    /// Lines before the first account.
    pub(crate) fn head(self, lines: &str) -> Self {
        self.file(SETTINGS, &format!("{lines}\n"))
    }

    pub(crate) fn vigie(&self, arguments: &[&str]) -> Command {
        let mut vigie = vigie(arguments);
        vigie.arg("--config").arg(self.path(SETTINGS));
        self.furnish(&mut vigie);
        vigie
    }

    /// A command that is told everything by flags.
    pub(crate) fn vigie_alone(&self, arguments: &[&str]) -> Command {
        let mut vigie = vigie(arguments);
        self.furnish(&mut vigie);
        vigie
    }

    pub(crate) async fn once(&self) -> Run {
        run(&mut self.vigie(&["once"])).await
    }

    /// The key that botocore finds here.
    pub(crate) async fn resolve(&self, cloud: &str, profile: Option<&str>) -> Resolved {
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/boto3/resolve.py");
        let mut python = command(python());
        python.arg("-B").arg(script).arg(cloud).args(profile);
        self.furnish(&mut python);
        let output = tokio::time::timeout(DEADLINE, python.output()).await;
        let output = output.expect("the script ends").expect("Python starts");
        let complaint = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{complaint}");
        serde_json::from_slice(&output.stdout).unwrap()
    }

    fn furnish(&self, command: &mut Command) {
        command
            .env("HOME", self.folder.path())
            .env("AWS_DEFAULT_REGION", "eu-west-1")
            .envs(&self.variables);
    }
}

pub(crate) fn ini(header: &str, key: &Key) -> String {
    format!(
        "[{header}]\naws_access_key_id = {}\naws_secret_access_key = {}\n",
        key.access_key, key.secret_key
    )
}

const SETTINGS: &str = "vigie.toml";
