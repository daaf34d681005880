//! Whatever a key is read from: key files of three formats, the two files of AWS's tools, and objects that lend one.
#![no_main]

use std::sync::Arc;

use libfuzzer_sys::fuzz_target;
use secrecy::ExposeSecret as _;
use vigie::credentials::{Credentials, Form, Found, Lease, Source, parse};
use vigie::provider::Provider;
use vigie_fuzz::{Folder, parts};

std::thread_local! {
    static FOLDER: Folder = Folder::new();
}

fuzz_target!(|input: &[u8]| {
    let [picked, input @ ..] = input else { return };
    match picked % 6 {
        0 => {
            for profile in [None, Some("default"), Some("prod")] {
                if let Ok(credentials) = parse(input, profile) {
                    check(&credentials);
                }
            }
        }
        1 | 2 => {
            let form = if picked % 6 == 1 {
                Form::Process
            } else {
                Form::Service
            };
            if let Ok(lease) = Lease::parse(input, form) {
                check(&lease.credentials);
            }
        }
        picked => FOLDER.with(|folder| {
            let [shared, config] = parts(input);
            let (shared, config) = (
                folder.write("credentials", shared),
                folder.write("config", config),
            );
            let home = folder.path("");
            let variables = move |name: &str| match name {
                "AWS_SHARED_CREDENTIALS_FILE" => Some(shared.display().to_string()),
                "AWS_CONFIG_FILE" => Some(config.display().to_string()),
                "HOME" => Some(home.display().to_string()),
                "AWS_EC2_METADATA_DISABLED" => Some("true".to_owned()),
                _ => None,
            };
            let (provider, profile) = match picked {
                3 => (Provider::Aws, None),
                4 => (Provider::Aws, Some("prod".to_owned())),
                _ => (Provider::Outscale, Some("prod".to_owned())),
            };
            match Source::new(provider, None, profile, Arc::new(variables)).look() {
                Ok(Found::Key(_) | Found::Remote(_)) => {}
                Err(error) => assert!(!error.to_string().is_empty()),
            }
        }),
    }
});

/// What may be sent: in a header there is room for nothing else.
fn check(credentials: &Credentials) {
    let is_sendable = |value: &str| !value.is_empty() && value.bytes().all(|byte| byte.is_ascii_graphic());
    assert!(is_sendable(&credentials.access_key_id));
    assert!(is_sendable(credentials.secret_access_key.expose_secret()));
    if let Some(token) = &credentials.session_token {
        assert!(is_sendable(token.expose_secret()));
    }
    let shown = format!("{credentials:?}");
    let secret = credentials.secret_access_key.expose_secret();
    assert!(secret.len() < 12 || !shown.contains(secret));
}
