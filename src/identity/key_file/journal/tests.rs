use std::os::unix::fs::symlink;

use super::*;
use crate::identity::key_file::ErrorKind;

fn journal() -> Journal {
    Journal {
        user: "watcher_1".to_owned(),
        at: "2026-01-02T03:04:05.678Z".parse().unwrap(),
        keys_before: vec!["AKIAIOSFODNN7EXAMPLE".to_owned()],
        replaces: vec!["AKIAIOSFODNN7EXAMPLE".to_owned()],
        made: None,
    }
}

fn left(bytes: &[u8]) -> Result<Option<Journal>, Error> {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("note");
    fs::write(&path, bytes).unwrap();
    left_at(&path, Path::new("/etc/vigie/credentials"))
}

#[test]
fn a_note_comes_back_as_it_was_written() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("note");
    let lock = Lock::take(&path, &path).unwrap();
    assert_eq!(lock.noted().unwrap(), None);
    let mut long = journal();
    long.keys_before = vec!["AKIAIOSFODNN7EXAMPLE".to_owned(); 20];
    for noted in [journal(), long, journal()] {
        lock.note(&noted).unwrap();
        assert_eq!(Journal::parse(&fs::read(&path).unwrap()).unwrap(), Some(noted));
    }
    drop(lock);
    assert_eq!(left_at(&path, &path).unwrap(), Some(journal()));
}

#[test]
fn a_note_is_json_that_a_person_can_read() {
    let text = serde_json::to_string(&journal()).unwrap();
    assert_eq!(
        text,
        r#"{"user":"watcher_1","at":"2026-01-02T03:04:05.678Z","keys_before":["AKIAIOSFODNN7EXAMPLE"],"replaces":["AKIAIOSFODNN7EXAMPLE"]}"#
    );
}

#[test]
fn a_note_that_was_never_written_is_none() {
    for bytes in [&b""[..], b"  \n", b"\0\0\0\0"] {
        assert_eq!(left(bytes).unwrap(), None);
    }
}

#[test]
fn garbage_is_named_and_never_a_panic() {
    let endless = vec![b'['; 70_000];
    let deep = vec![b'['; 10_000];
    for bytes in [
        &b"{"[..],
        b"null",
        b"{}",
        b"\xff\xfe",
        br#"{"user": 1}"#,
        &endless,
        &deep,
    ] {
        let error = left(bytes).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Refused);
        let error = error.to_string();
        assert!(error.starts_with("cannot make out the note /"), "{error}");
        assert!(error.ends_with("then remove the note"), "{error}");
    }
}

#[test]
fn no_link_is_followed_to_a_note() {
    let directory = tempfile::tempdir().unwrap();
    let [path, elsewhere] = ["note", "elsewhere"].map(|name| directory.path().join(name));
    symlink(&elsewhere, &path).unwrap();
    assert!(matches!(left_at(&path, &path), Err(Error::Journal { .. })));
    assert!(matches!(Lock::take(&path, &path), Err(Error::Journal { .. })));
    assert!(!elsewhere.exists());
    fs::write(&elsewhere, "theirs").unwrap();
    assert!(matches!(Lock::take(&path, &path), Err(Error::Journal { .. })));
    assert_eq!(fs::read_to_string(&elsewhere).unwrap(), "theirs");
}

#[test]
fn a_note_of_a_later_version_is_understood() {
    let text = serde_json::to_string(&journal())
        .unwrap()
        .replace('{', r#"{"more": [1], "#);
    assert_eq!(left(text.as_bytes()).unwrap(), Some(journal()));
}
