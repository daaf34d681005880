//! The demo cloud within the test, and settings with a key that may only describe it.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;

use secrecy::ExposeSecret as _;
use tempfile::TempDir;
use tokio::net::TcpListener;
use vigie::demo::{Cloud, Key, Options};
use vigie::resources::KINDS;

/// A running cloud; it ends with the value.
pub(crate) struct Demo {
    pub(crate) cloud: Cloud,
    pub(crate) key: Key,
    options: Options,
    home: TempDir,
}

impl Demo {
    pub(crate) async fn start(options: Options) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port is free");
        let cloud = Cloud::start(options.clone(), listener)
            .await
            .expect("the cloud starts");
        let actions: Vec<String> = KINDS
            .iter()
            .flat_map(|kind| kind.actions)
            .map(|action| action.policy_name())
            .collect();
        let actions: Vec<&str> = actions.iter().map(String::as_str).collect();
        let key = cloud.create_describe_only_user("watcher", &actions);
        Self {
            cloud,
            key,
            options,
            home: tempfile::tempdir().expect("a temporary folder can be made"),
        }
    }

    /// Settings with one account, `demo`; `head` stands before it, `tail` in it.
    pub(crate) fn settings(&self, head: &str, tail: &str) -> PathBuf {
        let (id, secret) = (
            &self.key.access_key_id,
            self.key.secret_access_key.expose_secret(),
        );
        let credentials = self.home.path().join("credentials");
        let text = format!("[default]\naws_access_key_id = {id}\naws_secret_access_key = {secret}\n");
        fs::write(&credentials, text).expect("the key can be written");
        fs::set_permissions(&credentials, Permissions::from_mode(0o600)).expect("its mode can be set");

        let (provider, region) = (self.options.provider, &self.options.regions[0]);
        let url = self.cloud.url();
        let settings = self.home.path().join("vigie.toml");
        // What Rust prints of a text is how TOML writes it.
        let text = format!(
            "{head}\n[[account]]\nname = \"demo\"\nprovider = \"{provider}\"\nregions = [{region:?}]\n\
             credentials_file = \"credentials\"\nrequests_per_second = 100\n\
             endpoints = {{ ec2 = {url:?}, elb = {url:?}, iam = {url:?} }}\n{tail}\n"
        );
        fs::write(&settings, text).expect("the settings can be written");
        settings
    }
}
