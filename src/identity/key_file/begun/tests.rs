use std::{
    fs::{self, File},
    path::{Path, PathBuf},
};

use super::*;
use crate::{
    identity::key_file::{
        ErrorKind, Format, render, same,
        tests::{NEW_SECRET, new_key, old_key},
    },
    provider::Provider,
};

fn journal(user: &str) -> Journal {
    Journal {
        user: user.to_owned(),
        at: "2026-01-02T03:04:05Z".parse().unwrap(),
        keys_before: vec!["AKIAIOSFODNN7EXAMPLE".to_owned()],
        replaces: Vec::new(),
        made: None,
    }
}

fn open(path: &Path) -> Result<KeyFile, Error> {
    KeyFile::open(path, None, "default", Provider::Outscale)
}

/// A directory with a key file in it.
struct Bench {
    directory: tempfile::TempDir,
    path: PathBuf,
}

impl Bench {
    fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("credentials");
        let text = render(Format::Ini, Provider::Outscale, "default", &old_key());
        fs::write(&path, &*text).unwrap();
        Self { directory, path }
    }

    fn begin(&self) -> Begun {
        open(&self.path).unwrap().begin(journal("watcher_1")).unwrap()
    }

    fn at(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    fn names(&self) -> Vec<String> {
        let entries = fs::read_dir(self.directory.path()).unwrap();
        let mut names: Vec<_> = entries
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        names.sort();
        names
    }

    fn holds(&self, key: &Credentials) -> bool {
        same(open(&self.path).unwrap().key().unwrap(), key)
    }
}

const NOTE: &str = ".credentials.vigie";
const TEMPORARY: &str = ".credentials.vigie-new";

#[test]
fn what_was_begun_and_dropped_is_seen_by_the_next() {
    let bench = Bench::new();
    drop(bench.begin());
    assert_eq!(bench.names(), [NOTE, "credentials"]);
    let key_file = open(&bench.path).unwrap();
    assert_eq!(key_file.journal(), Some(&journal("watcher_1")));

    let begun = key_file.begin(journal("x")).unwrap();
    assert_eq!(begun.journal(), &journal("x"));
    drop(begun);
    let key_file = open(&bench.path).unwrap();
    assert_eq!(key_file.journal(), Some(&journal("x")));
    key_file
        .begin(journal("a user with a far longer name"))
        .unwrap()
        .finish()
        .unwrap();
    assert_eq!(bench.names(), ["credentials"]);
    assert_eq!(open(&bench.path).unwrap().journal(), None);
}

#[test]
fn two_cannot_be_at_work_on_one_file() {
    let bench = Bench::new();
    let [first, second] = [open(&bench.path).unwrap(), open(&bench.path).unwrap()];
    let begun = first.begin(journal("first")).unwrap();
    for error in [
        second.begin(journal("second")).unwrap_err(),
        open(&bench.path).unwrap_err(),
    ] {
        assert!(matches!(error, Error::Busy { .. }), "{error}");
        assert!(
            error.to_string().starts_with("another vigie is at work on "),
            "{error}"
        );
    }
    begun.abandon().unwrap();
    second.begin(journal("second")).unwrap().abandon().unwrap();
    assert_eq!(bench.names(), ["credentials"]);
}

#[test]
fn of_many_at_once_one_wins() {
    let bench = Bench::new();
    let opened: Vec<_> = (0..8).map(|_| open(&bench.path).unwrap()).collect();
    let barrier = std::sync::Barrier::new(opened.len());
    let wins = std::thread::scope(|scope| {
        let runs: Vec<_> = (opened.iter())
            .map(|key_file| {
                scope.spawn(|| {
                    barrier.wait();
                    let begun = key_file.begin(journal("watcher_1"));
                    barrier.wait();
                    begun.is_ok()
                })
            })
            .collect();
        runs.into_iter()
            .map(|run| run.join().unwrap())
            .filter(|won| *won)
            .count()
    });
    assert_eq!(wins, 1);
}

#[test]
fn one_after_the_other_never_holds_a_note_that_was_removed() {
    let bench = Bench::new();
    let holding = std::sync::atomic::AtomicUsize::new(0);
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                for _ in 0..50 {
                    if let Ok(begun) = open(&bench.path).and_then(|file| file.begin(journal("watcher_1"))) {
                        assert_eq!(holding.fetch_add(1, std::sync::atomic::Ordering::SeqCst), 0);
                        assert!(bench.at(NOTE).exists());
                        holding.fetch_sub(1, std::sync::atomic::Ordering::SeqCst);
                        begun.finish().unwrap();
                    }
                }
            });
        }
    });
}

#[test]
fn the_old_file_stands_until_the_swap() {
    let bench = Bench::new();
    let mut begun = bench.begin();
    let before = fs::read(&bench.path).unwrap();
    begun.write_beside(&new_key()).unwrap().discard();
    assert_eq!(bench.names(), [NOTE, "credentials"]);
    drop(begun.write_beside(&new_key()).unwrap());
    assert_eq!(bench.names(), [NOTE, "credentials"]);
    let beside = begun.write_beside(&new_key()).unwrap();
    assert_eq!(fs::read(&bench.path).unwrap(), before);
    beside.swap().unwrap();
    assert_ne!(fs::read(&bench.path).unwrap(), before);
    begun.finish().unwrap();
    assert!(bench.holds(&new_key()));
    assert_eq!(bench.names(), ["credentials"]);
}

#[test]
fn room_for_the_new_content_is_taken_before_a_key_is_made() {
    let bench = Bench::new();
    let mut begun = bench.begin();
    let taken = fs::metadata(bench.at(TEMPORARY)).unwrap().len();
    begun.write_beside(&new_key()).unwrap().swap().unwrap();
    assert!(taken > fs::metadata(&bench.path).unwrap().len());
}

#[test]
fn the_new_key_is_noted_before_it_is_written() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("credentials");
    let mut begun = open(&path).unwrap().begin(journal("watcher_1")).unwrap();
    drop(begun.write_beside(&new_key()).unwrap());
    drop(begun);
    let left = open(&path).unwrap().journal().cloned().unwrap();
    assert_eq!(left.made, Some(new_key().access_key_id));
}

#[test]
fn what_a_killed_run_wrote_beside_is_removed() {
    let bench = Bench::new();
    fs::write(bench.at(TEMPORARY), "[default]\n").unwrap();
    bench.begin().finish().unwrap();
    assert_eq!(bench.names(), ["credentials"]);
}

#[test]
fn a_write_that_fails_leaves_the_old_file_and_nothing_beside_it() {
    let bench = Bench::new();
    let mut begun = bench.begin();
    fs::remove_file(bench.at(TEMPORARY)).unwrap();
    fs::create_dir(bench.at(TEMPORARY)).unwrap();
    let error = begun.write_beside(&new_key()).unwrap_err();
    assert!(matches!(error, Error::Io { doing: "write", .. }), "{error}");
    assert_eq!(error.kind(), ErrorKind::Failed);
    fs::remove_dir(bench.at(TEMPORARY)).unwrap();
    begun.abandon().unwrap();
    assert!(bench.holds(&old_key()));
    assert_eq!(bench.names(), ["credentials"]);
}

#[test]
fn a_beginning_that_fails_leaves_all_as_it_was() {
    let bench = Bench::new();
    fs::create_dir(bench.at(TEMPORARY)).unwrap();
    let error = open(&bench.path)
        .unwrap()
        .begin(journal("watcher_1"))
        .unwrap_err();
    assert!(matches!(error, Error::Io { doing: "write", .. }), "{error}");
    assert_eq!(bench.names(), [TEMPORARY, "credentials"]);

    fs::remove_dir(bench.at(TEMPORARY)).unwrap();
    drop(bench.begin());
    fs::create_dir(bench.at(TEMPORARY)).unwrap();
    open(&bench.path).unwrap().begin(journal("another")).unwrap_err();
    assert_eq!(open(&bench.path).unwrap().journal(), Some(&journal("watcher_1")));
}

#[test]
fn a_directory_that_went_away_is_told() {
    let bench = Bench::new();
    let key_file = open(&bench.path).unwrap();
    fs::remove_dir_all(bench.directory.path()).unwrap();
    let error = key_file.begin(journal("watcher_1")).unwrap_err();
    assert!(
        matches!(
            error,
            Error::Io {
                doing: "create the note",
                ..
            }
        ),
        "{error}"
    );
}

#[test]
fn a_directory_where_nobody_can_write_is_told() {
    // Not even root can create a file there.
    let Ok(key_file) = open(Path::new("/sys/credentials")) else {
        return;
    };
    let error = key_file.begin(journal("watcher_1")).unwrap_err();
    assert!(
        matches!(
            error,
            Error::Io {
                doing: "create the note",
                ..
            }
        ),
        "{error}"
    );
}

#[test]
fn what_somebody_else_wrote_meanwhile_is_not_overwritten() {
    let bench = Bench::new();
    let theirs = "[default]\naws_access_key_id = DEMOTHEIRS\naws_secret_access_key = DEMO/EXAMPLE\n";
    let opened = open(&bench.path).unwrap();
    let mut begun = bench.begin();
    let beside = begun.write_beside(&new_key()).unwrap();
    fs::write(&bench.path, theirs).unwrap();
    for error in [
        beside.swap().unwrap_err(),
        begun.write_beside(&new_key()).unwrap_err(),
    ] {
        assert!(matches!(error, Error::Changed { .. }), "{error}");
    }
    begun.abandon().unwrap();
    let error = opened.begin(journal("watcher_1")).unwrap_err();
    assert!(matches!(error, Error::Changed { .. }), "{error}");
    assert_eq!(bench.names(), ["credentials"]);
    assert_eq!(fs::read_to_string(&bench.path).unwrap(), theirs);
}

#[test]
fn a_file_that_appeared_or_went_away_meanwhile_is_a_change() {
    let bench = Bench::new();
    let there = open(&bench.path).unwrap();
    fs::remove_file(&bench.path).unwrap();
    let gone = open(&bench.path).unwrap();
    assert!(matches!(there.begin(journal("x")), Err(Error::Changed { .. })));
    File::create(&bench.path).unwrap();
    assert!(matches!(gone.begin(journal("x")), Err(Error::Changed { .. })));
}

#[test]
fn a_run_that_came_and_was_killed_meanwhile_is_not_overlooked() {
    let bench = Bench::new();
    let key_file = open(&bench.path).unwrap();
    drop(bench.begin());
    let error = key_file.begin(journal("another")).unwrap_err();
    assert!(matches!(error, Error::Changed { .. }), "{error}");
    assert_eq!(open(&bench.path).unwrap().journal(), Some(&journal("watcher_1")));
}

#[test]
fn nobody_elses_file_beside_is_moved_into_place() {
    let bench = Bench::new();
    let mut begun = bench.begin();
    let beside = begun.write_beside(&new_key()).unwrap();
    assert!(
        fs::read_to_string(bench.at(TEMPORARY))
            .unwrap()
            .contains(NEW_SECRET)
    );
    fs::remove_file(bench.at(TEMPORARY)).unwrap();
    fs::write(bench.at(TEMPORARY), "theirs").unwrap();
    let error = beside.swap().unwrap_err();
    assert!(matches!(error, Error::Io { doing: "replace", .. }), "{error}");
    assert_eq!(fs::read_to_string(bench.at(TEMPORARY)).unwrap(), "theirs");
    drop(begun);
    assert!(bench.holds(&old_key()));
}

#[test]
fn a_task_can_hold_it_while_it_waits_for_the_cloud() {
    fn is_held<T: Send + Sync>() {}
    is_held::<KeyFile>();
    is_held::<Begun>();
    is_held::<Beside<'static>>();
    is_held::<Error>();
}
