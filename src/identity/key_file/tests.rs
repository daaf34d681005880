//! The whole of it, on a disk; and what the tests of its parts share.

use std::{
    fs,
    os::unix::fs::{MetadataExt as _, PermissionsExt as _, chown, symlink},
    path::PathBuf,
};

use rustix::fs::{IFlags, inotify, ioctl_setflags};

use super::*;
use crate::credentials::Credentials;

pub(super) const OLD_ID: &str = "AKIAIOSFODNN7EXAMPLE";
pub(super) const OLD_SECRET: &str = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY";
pub(super) const NEW_ID: &str = "DEMO0123456789EXAMPLE";
pub(super) const NEW_SECRET: &str = "DEMOdemo+demo/demo0123456789EXAMPLEKEY==";

pub(super) const FORMATS: [Format; 5] = [
    Format::Ini,
    Format::Env,
    Format::Osc,
    Format::Legacy,
    Format::K8sSecret,
];

pub(super) fn key(id: &str, secret: &str) -> Credentials {
    Credentials {
        access_key_id: id.to_owned(),
        secret_access_key: secret.into(),
        session_token: None,
    }
}

pub(super) fn old_key() -> Credentials {
    key(OLD_ID, OLD_SECRET)
}

pub(super) fn new_key() -> Credentials {
    key(NEW_ID, NEW_SECRET)
}

/// The text with the new key in it, as it would be written; or the refusal.
pub(super) fn edited(
    format: Format,
    text: &str,
    profile: &str,
    provider: Provider,
) -> Result<String, String> {
    let shown = |refusal: Refusal| refusal.to_string();
    Format::of(text, Some(format)).map_err(shown)?;
    format.accepts(profile).map_err(|error| error.to_string())?;
    format.read(text, profile, provider).map_err(shown)?;
    let edited = format
        .edited(text, profile, provider, &new_key())
        .map_err(shown)?;
    let read = format
        .read(&edited, profile, provider)
        .map_err(|refusal| format!("after: {refusal}"))?;
    assert!(
        read.is_some_and(|read| same(&read, &new_key())),
        "does not read back: {}",
        *edited
    );
    Ok(edited.to_string())
}

/// A template filled in: `{id}` and `{secret}` with a key, and lines with `{token}` kept or not.
pub(super) fn filled(template: &str, key: &Credentials, token: Option<&str>) -> String {
    (template.split_inclusive('\n'))
        .filter(|line| token.is_some() || !line.contains("{token}"))
        .collect::<String>()
        .replace("{id}", &key.access_key_id)
        .replace("{secret}", key.secret_access_key.expose_secret())
        .replace("{token}", token.unwrap_or_default())
}

fn journal() -> Journal {
    Journal {
        user: "watcher_1".to_owned(),
        at: "2026-01-02T03:04:05Z".parse().unwrap(),
        keys_before: vec![OLD_ID.to_owned()],
        replaces: vec![OLD_ID.to_owned()],
        made: None,
    }
}

fn open(path: &Path) -> Result<KeyFile, Error> {
    KeyFile::open(path, None, "default", Provider::Outscale)
}

/// A directory with a key file in it.
fn with_old_key() -> (tempfile::TempDir, PathBuf) {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("credentials");
    fs::write(
        &path,
        &*render(Format::Ini, Provider::Outscale, "default", &old_key()),
    )
    .unwrap();
    (directory, path)
}

fn names(directory: &Path) -> Vec<String> {
    let entries = fs::read_dir(directory).unwrap();
    let mut names: Vec<_> = entries
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    names
}

fn mode(path: &Path) -> u32 {
    fs::symlink_metadata(path).unwrap().permissions().mode() & 0o7777
}

/// Writes the new key all the way.
fn replace(key_file: &KeyFile) {
    let mut begun = key_file.begin(journal()).unwrap();
    begun.write_beside(&new_key()).unwrap().swap().unwrap();
    begun.finish().unwrap();
}

#[test]
fn a_key_is_written_where_there_was_none_and_read_back_in_every_format() {
    for provider in Provider::ALL {
        for format in FORMATS {
            let directory = tempfile::tempdir().unwrap();
            let path = directory.path().join("credentials");
            let key_file = KeyFile::open(&path, Some(format), "default", provider).unwrap();
            assert!(key_file.key().is_none());
            replace(&key_file);

            assert_eq!(names(directory.path()), ["credentials"], "{format}");
            assert_eq!(mode(&path), 0o600, "{format}");
            let again = KeyFile::open(&path, None, "default", provider).unwrap();
            assert_eq!(again.format(), format);
            assert!(same(again.key().unwrap(), &new_key()), "{format}");
            let text = fs::read_to_string(&path).unwrap();
            assert_eq!(text, *render(format, provider, "default", &new_key()));
        }
    }
}

#[test]
fn a_key_is_replaced_in_every_format() {
    for provider in Provider::ALL {
        for format in FORMATS {
            let directory = tempfile::tempdir().unwrap();
            let path = directory.path().join("credentials");
            fs::write(&path, &*render(format, provider, "default", &old_key())).unwrap();
            let key_file = KeyFile::open(&path, None, "default", provider).unwrap();
            assert!(same(key_file.key().unwrap(), &old_key()), "{format}");
            replace(&key_file);
            let text = fs::read_to_string(&path).unwrap();
            assert_eq!(text, *render(format, provider, "default", &new_key()));
        }
    }
}

#[test]
fn an_empty_file_takes_any_format() {
    for format in FORMATS {
        for text in ["", "\n \n", "\u{feff}"] {
            let text = edited(format, text, "default", Provider::Aws).unwrap();
            assert_eq!(text, *render(format, Provider::Aws, "default", &new_key()));
        }
    }
}

#[test]
fn nobody_else_may_read_the_file_at_any_moment() {
    let (directory, path) = with_old_key();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).unwrap();
    let mut begun = open(&path).unwrap().begin(journal()).unwrap();
    let [note, temporary] =
        [".credentials.vigie", ".credentials.vigie-new"].map(|name| directory.path().join(name));
    assert_eq!([mode(&note), mode(&temporary)], [0o600, 0o600]);
    let beside = begun.write_beside(&new_key()).unwrap();
    assert_eq!(mode(&temporary), 0o600);
    assert!(fs::read_to_string(&temporary).unwrap().contains(NEW_SECRET));
    beside.swap().unwrap();
    assert_eq!(mode(&path), 0o600);
}

#[test]
fn looking_changes_nothing() {
    let (directory, path) = with_old_key();
    let before = fs::metadata(&path).unwrap();
    open(&path).unwrap();
    open(&directory.path().join("another")).unwrap();
    let after = fs::metadata(&path).unwrap();
    assert_eq!(
        (before.ino(), before.ctime(), before.ctime_nsec()),
        (after.ino(), after.ctime(), after.ctime_nsec())
    );
    assert_eq!(names(directory.path()), ["credentials"]);
}

#[test]
fn who_watches_the_file_sees_one_change() {
    let (directory, path) = with_old_key();
    let watch = inotify::init(inotify::CreateFlags::NONBLOCK).unwrap();
    inotify::add_watch(&watch, directory.path(), inotify::WatchFlags::ALL_EVENTS).unwrap();
    replace(&open(&path).unwrap());

    let mut room = [std::mem::MaybeUninit::uninit(); 4096];
    let mut events = inotify::Reader::new(&watch, &mut room);
    let mut seen = Vec::new();
    while let Ok(event) = events.next() {
        let looks = inotify::ReadFlags::ACCESS | inotify::ReadFlags::OPEN | inotify::ReadFlags::CLOSE_NOWRITE;
        if event.file_name() == Some(c"credentials") && !looks.intersects(event.events()) {
            seen.push(event.events());
        }
    }
    assert_eq!(seen, [inotify::ReadFlags::MOVED_TO]);
}

#[test]
fn a_locked_file_is_told_before_a_key_is_made() {
    let (directory, path) = with_old_key();
    for lock in [IFlags::IMMUTABLE, IFlags::APPEND] {
        let file = fs::File::open(&path).unwrap();
        // Only root may lock a file, and not every file system knows of it.
        let is_locked = ioctl_setflags(&file, lock).is_ok();
        let begun = open(&path).unwrap().begin(journal());
        if is_locked {
            ioctl_setflags(&file, IFlags::empty()).unwrap();
        }
        assert_eq!(matches!(begun, Err(Error::Locked { .. })), is_locked, "{begun:?}");
        drop(begun.map(Begun::abandon));
        assert_eq!(names(directory.path()), ["credentials"]);
    }
}

#[test]
fn a_link_stays_and_what_it_leads_to_is_replaced() {
    let (directory, path) = with_old_key();
    let inner = directory.path().join("inner");
    fs::create_dir(&inner).unwrap();
    symlink("../credentials", inner.join("second")).unwrap();
    let link = directory.path().join("link");
    symlink("inner/second", &link).unwrap();

    let key_file = open(&link).unwrap();
    assert_eq!(key_file.path(), link);
    replace(&key_file);
    assert!(fs::symlink_metadata(&link).unwrap().is_symlink());
    assert!(fs::symlink_metadata(inner.join("second")).unwrap().is_symlink());
    assert!(fs::symlink_metadata(&path).unwrap().is_file());
    assert!(same(open(&link).unwrap().key().unwrap(), &new_key()));
    assert_eq!(names(&inner), ["second"]);
    assert_eq!(names(directory.path()), ["credentials", "inner", "link"]);
}

#[test]
fn a_link_to_nothing_gets_what_it_leads_to() {
    let directory = tempfile::tempdir().unwrap();
    let link = directory.path().join("link");
    symlink("new", &link).unwrap();
    replace(&open(&link).unwrap());
    assert!(fs::symlink_metadata(&link).unwrap().is_symlink());
    assert_eq!(names(directory.path()), ["link", "new"]);
}

#[test]
fn the_owner_is_kept_by_root() {
    let (_directory, path) = with_old_key();
    let owner = |path: &Path| {
        let metadata = fs::metadata(path).unwrap();
        (metadata.uid(), metadata.gid())
    };
    // Only root may give a file away.
    let given = chown(&path, Some(12_345), Some(23_456)).is_ok();
    let before = owner(&path);
    replace(&open(&path).unwrap());
    assert_eq!(owner(&path), before);
    assert_eq!(given, before == (12_345, 23_456));
}

#[test]
fn debug_shows_no_secret() {
    let (_directory, path) = with_old_key();
    let key_file = open(&path).unwrap();
    let mut begun = key_file.begin(journal()).unwrap();
    let prepared = format!("{begun:?}");
    let beside = begun.write_beside(&new_key()).unwrap();
    let shown = format!("{key_file:?} {prepared} {beside:?}");
    assert!(shown.contains("suffix: \"MPLE\""), "{shown}");
    for secret in [OLD_SECRET, NEW_SECRET, OLD_ID] {
        assert!(
            !shown.replace(&format!("{:?}", journal()), "").contains(secret),
            "{shown}"
        );
    }
}

#[test]
fn a_key_that_would_not_read_back_is_not_written() {
    let (directory, path) = with_old_key();
    let mut begun = open(&path).unwrap().begin(journal()).unwrap();
    let mut temporary_key = new_key();
    temporary_key.session_token = Some("DEMO-token".into());
    for unfit in [
        key("DEMO EXAMPLE", NEW_SECRET),
        key(NEW_ID, "DEMO\nEXAMPLE"),
        key(NEW_ID, ""),
        temporary_key,
    ] {
        let error = begun.write_beside(&unfit).unwrap_err();
        assert!(matches!(error, Error::Unproven { .. }), "{error}");
        assert_eq!(error.kind(), ErrorKind::Failed);
    }
    drop(begun);
    assert_eq!(names(directory.path()), [".credentials.vigie", "credentials"]);
    assert!(same(open(&path).unwrap().key().unwrap(), &old_key()));
}

#[test]
fn usage_is_told_from_refusal_and_failure() {
    let (directory, path) = with_old_key();
    let kind = |path: &Path, format, profile| {
        KeyFile::open(path, format, profile, Provider::Aws)
            .unwrap_err()
            .kind()
    };
    assert_eq!(kind(&path, Some(Format::Env), "other"), ErrorKind::Usage);
    assert_eq!(kind(&path, None, "two\nlines"), ErrorKind::Usage);
    assert_eq!(kind(&path, Some(Format::Env), "default"), ErrorKind::Refused);
    assert_eq!(kind(directory.path(), None, "default"), ErrorKind::Refused);
    let nowhere = directory.path().join("nowhere/credentials");
    assert_eq!(kind(&nowhere, None, "default"), ErrorKind::Failed);
}
