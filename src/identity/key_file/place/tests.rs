use std::os::unix::fs::symlink;

use super::*;
use crate::{
    identity::key_file::{ErrorKind, KeyFile},
    provider::Provider,
};

fn open(path: impl AsRef<Path>) -> String {
    let error = KeyFile::open(path.as_ref(), None, "default", Provider::Aws).unwrap_err();
    format!("{:?}: {error}", error.kind())
}

#[test]
fn what_is_no_file_is_refused_with_advice() {
    let directory = tempfile::tempdir().unwrap();
    let socket = directory.path().join("socket");
    let _socket = std::os::unix::net::UnixListener::bind(&socket).unwrap();
    for special in [
        Path::new("/dev/stdout"),
        "/dev/fd/1".as_ref(),
        "/proc/self/fd/1".as_ref(),
        "/dev/null".as_ref(),
        &socket,
    ] {
        assert_eq!(
            open(special),
            format!(
                "Refused: will not write a key to {}, which is not a regular file: name one, or print the key with \
                 `--out -`",
                special.display()
            )
        );
    }
    let directory = directory.path();
    for path in [directory, Path::new("/"), "..".as_ref(), &directory.join("new/")] {
        let error = open(path);
        assert!(
            error.ends_with("which is a directory: name the file in it"),
            "{error}"
        );
    }
}

#[test]
fn a_missing_directory_is_to_be_created_first() {
    let directory = tempfile::tempdir().unwrap();
    let missing = directory.path().join("missing");
    let path = missing.join("credentials");
    assert_eq!(
        open(&path),
        format!(
            "Failed: cannot write {}: the directory {} does not exist; create it first, with mode 0700",
            path.display(),
            missing.display()
        )
    );
    assert!(!missing.exists());
}

#[test]
fn a_file_is_no_directory() {
    let file = tempfile::NamedTempFile::new().unwrap();
    let error = open(file.path().join("credentials"));
    assert!(error.starts_with("Failed: cannot look at "), "{error}");
    assert!(error.ends_with(": name a file in a directory"), "{error}");
}

#[test]
fn links_in_a_circle_are_told() {
    let directory = tempfile::tempdir().unwrap();
    let [one, two] = ["one", "two"].map(|name| directory.path().join(name));
    symlink(&one, &two).unwrap();
    symlink(&two, &one).unwrap();
    let error = open(&one);
    assert!(error.starts_with("Failed: cannot look at "), "{error}");
}

#[test]
fn a_bare_name_is_a_file_in_the_working_directory() {
    let place = Place::of(Path::new("credentials"), Path::new("credentials")).unwrap();
    assert_eq!(
        place.directory,
        std::env::current_dir().unwrap().canonicalize().unwrap()
    );
    assert_eq!(place.journal.file_name(), Some(OsStr::new(".credentials.vigie")));
    assert_eq!(
        place.temporary.file_name(),
        Some(OsStr::new(".credentials.vigie-new"))
    );
}

#[test]
fn more_than_a_mebibyte_is_refused() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("credentials");
    let mut content = vec![b'#'; 1024 * 1024];
    fs::write(&path, &content).unwrap();
    KeyFile::open(&path, None, "default", Provider::Aws).unwrap();
    content.push(b'#');
    fs::write(&path, &content).unwrap();
    let error = KeyFile::open(&path, None, "default", Provider::Aws).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Refused);
    assert!(error.to_string().contains("is larger than 1 MiB"), "{error}");
}

#[test]
fn what_is_no_text_is_refused() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("credentials");
    for content in [&b"\xff\xfe"[..], b"[default]\n\0"] {
        fs::write(&path, content).unwrap();
        let error = open(&path);
        assert!(error.starts_with("Refused: "), "{error}");
        assert!(error.contains("which is not UTF-8 text"), "{error}");
    }
}

#[test]
fn mount_points_are_recognised() {
    let mounts = b"36 35 98:0 /a /run/key rw - ext4 /dev/x rw\n37 35 98:0 /b /with\\040space\\134 rw - ext4 /dev/x rw\n";
    assert!(is_mount_point(mounts, OsStr::new("/run/key")));
    assert!(is_mount_point(mounts, OsStr::new("/with space\\")));
    assert!(!is_mount_point(mounts, OsStr::new("/a")));
    assert!(!is_mount_point(mounts, OsStr::new("/run")));
    assert!(!is_mount_point(b"", OsStr::new("/run")));
}
