//! The binary on a demo cloud, with the key of its root.

use std::collections::BTreeSet;
use std::path::Path;

use ::vigie::demo::Options;
use ::vigie::provider::Provider;
use secrecy::ExposeSecret as _;
use tokio::process::Command;

use crate::demo::Demo;
use crate::vigie::vigie;

/// `vigie` at work on this cloud, as the account's root.
pub(crate) fn as_root(demo: &Demo, provider: Provider, command: &str, arguments: &[&str]) -> Command {
    let key = demo.cloud.admin_key();
    let secret = key.secret_access_key.expose_secret();
    with_key(
        on(demo, provider, command, arguments),
        provider,
        &key.access_key_id,
        secret,
    )
}

/// The same with nobody's key.
pub(crate) fn on(demo: &Demo, provider: Provider, command: &str, arguments: &[&str]) -> Command {
    let mut vigie = vigie(&[command, "--provider", provider.name(), "--region", "eu-west-2"]);
    vigie.args(["--endpoint-url", &demo.cloud.url()]).args(arguments);
    vigie
}

pub(crate) fn with_key(mut command: Command, provider: Provider, id: &str, secret: &str) -> Command {
    let [name_of_id, name_of_secret] = match provider {
        Provider::Outscale => ["OSC_ACCESS_KEY", "OSC_SECRET_KEY"],
        Provider::Aws => ["AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"],
    };
    command.env(name_of_id, id).env(name_of_secret, secret);
    command
}

/// OUTSCALE at its slowest to know what it was told, with a fleet that holds still.
pub(crate) fn outscale() -> Options {
    Options {
        propagation_delay: std::time::Duration::from_secs(15),
        alive: false,
        ..Options::default()
    }
}

/// AWS, slow to know as well, with its few keys.
pub(crate) fn aws() -> Options {
    Options {
        provider: Provider::Aws,
        lock_out: false,
        keys_per_user: 2,
        propagation_delay: std::time::Duration::from_secs(4),
        alive: false,
        ..Options::default()
    }
}

/// The actions that the cloud was asked for.
pub(crate) fn actions(demo: &Demo) -> BTreeSet<String> {
    demo.cloud
        .requests()
        .into_iter()
        .map(|request| request.action)
        .collect()
}

/// The id of the key in an INI file.
pub(crate) fn id_in(file: &Path) -> String {
    let text = std::fs::read_to_string(file).expect("the file can be read");
    let id = text
        .lines()
        .find_map(|line| line.strip_prefix("aws_access_key_id = "));
    id.expect("there is a key").to_owned()
}
