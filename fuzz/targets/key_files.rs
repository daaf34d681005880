//! Key files that a new key is written into, with the note that an interrupted run left beside.
#![no_main]

use std::fs;

use libfuzzer_sys::fuzz_target;
use secrecy::{ExposeSecret as _, SecretString};
use vigie::credentials::Credentials;
use vigie::identity::key_file::{Format, Journal, KeyFile};
use vigie::provider::Provider;
use vigie_fuzz::{Folder, parts, texts};

std::thread_local! {
    static FOLDER: Folder = Folder::new();
}

fuzz_target!(|input: &[u8]| {
    let [picked, input @ ..] = input else { return };
    let [_, text, note] = parts(input);
    let Some([profile, _]) = texts(parts::<2>(input)[0]) else {
        return;
    };
    let profile = if profile.is_empty() { "default" } else { profile };
    let provider = if picked & 1 == 0 {
        Provider::Aws
    } else {
        Provider::Outscale
    };
    let format = match picked >> 1 & 7 {
        0 => Some(Format::Ini),
        1 => Some(Format::Env),
        2 => Some(Format::Osc),
        3 => Some(Format::Legacy),
        4 => Some(Format::K8sSecret),
        _ => None,
    };
    FOLDER.with(|folder| {
        let path = folder.write("key", text);
        // Beside the file, by the name that the program gives it.
        let journal = folder.path(".key.vigie");
        if !note.is_empty() {
            fs::write(&journal, note).expect("a file can be written");
        }
        renewed(&path, format, profile, provider, text);
        fs::remove_file(&journal).ok();
    });
});

fn renewed(path: &std::path::Path, format: Option<Format>, profile: &str, provider: Provider, text: &[u8]) {
    let Ok(file) = KeyFile::open(path, format, profile, provider) else {
        return;
    };
    let format = file.format();
    let credentials = Credentials {
        access_key_id: "AKIAFUZZEXAMPLE".to_owned(),
        secret_access_key: SecretString::from("fuzz/EXAMPLE+key"),
        session_token: None,
    };
    let Ok(mut begun) = file.begin(Journal::new("watcher_1")) else {
        return;
    };
    let written = begun.write_beside(&credentials).and_then(|beside| beside.swap());
    if written.is_err() {
        assert_eq!(
            fs::read(path).expect("it is there"),
            text,
            "a refused file was changed"
        );
        begun.abandon().expect("the note can be removed");
        return;
    }
    begun.finish().expect("the note can be removed");
    let again = KeyFile::open(path, Some(format), profile, provider);
    let again = again.unwrap_or_else(|error| panic!("what was written cannot be read: {error}"));
    let key = again.key().expect("the key that was written is there");
    assert_eq!(key.access_key_id, credentials.access_key_id);
    assert_eq!(
        key.secret_access_key.expose_secret(),
        credentials.secret_access_key.expose_secret()
    );
    // Written once more, it is the same to the byte.
    let once = fs::read(path).expect("it is there");
    let mut begun = again
        .begin(Journal::new("watcher_1"))
        .expect("it was possible before");
    begun
        .write_beside(&credentials)
        .and_then(|beside| beside.swap())
        .expect("it was possible before");
    begun.finish().expect("the note can be removed");
    assert_eq!(
        fs::read(path).expect("it is there"),
        once,
        "a second writing changes more"
    );
}
