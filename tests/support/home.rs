//! A folder with the settings and the keys of one `vigie`, and the built binary run on them.

use std::fmt::Write as _;
use std::fs::File;
use std::io::Write as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;

use tempfile::TempDir;
use tokio::process::Command;

use crate::moto::Key;
use crate::parts::command;

/// An account of the settings, all of whose services answer at one port.
pub(crate) struct Account<'a> {
    pub(crate) name: &'a str,
    /// Of loopback.
    pub(crate) port: u16,
    pub(crate) key: &'a Key,
    pub(crate) kinds: &'a [&'a str],
}

pub(crate) struct Home {
    folder: TempDir,
}

impl Home {
    /// `head` is what the settings say before the first account.
    pub(crate) fn new(head: &str, accounts: &[Account<'_>]) -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder can be made");
        let mut settings = format!("{head}\n");
        for account in accounts {
            let credentials = account.write_credentials(folder.path());
            account.write_settings(&credentials, &mut settings);
        }
        std::fs::write(folder.path().join(SETTINGS), settings).expect("the settings can be written");
        Self { folder }
    }

    pub(crate) fn vigie(&self, arguments: &[&str]) -> Command {
        let mut vigie = command(env!("CARGO_BIN_EXE_vigie"));
        vigie
            .args(arguments)
            .arg("--config")
            .arg(self.folder.path().join(SETTINGS));
        vigie
    }
}

impl Account<'_> {
    fn write_credentials(&self, folder: &Path) -> String {
        let path = folder.join(format!("{}.credentials", self.name));
        let Key {
            access_key,
            secret_key,
        } = self.key;
        let text =
            format!("[default]\naws_access_key_id = {access_key}\naws_secret_access_key = {secret_key}\n");
        let mut file = File::options()
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(&path);
        let written = file.as_mut().map(|file| file.write_all(text.as_bytes()));
        assert!(
            matches!(written, Ok(Ok(()))),
            "the credentials can be written: {written:?}"
        );
        path.display().to_string()
    }

    /// What Rust prints of a text or a list of them is how TOML writes it.
    fn write_settings(&self, credentials: &str, settings: &mut String) {
        let Account {
            name, port, kinds, ..
        } = self;
        let endpoint = format!("http://127.0.0.1:{port}");
        writeln!(
            settings,
            "[[account]]\n\
             name = {name:?}\n\
             provider = \"aws\"\n\
             regions = [\"eu-west-1\"]\n\
             credentials_file = {credentials:?}\n\
             kinds = {kinds:?}\n\
             tags = [\"env\", \"team\"]\n\
             endpoints = {{ ec2 = {endpoint:?}, elb = {endpoint:?} }}"
        )
        .expect("a string takes any text");
    }
}

const SETTINGS: &str = "vigie.toml";
