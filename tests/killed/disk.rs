//! Cut off between any two steps on the disk, which a library that is loaded into the program counts.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Stdio;

use tempfile::TempDir;
use tokio::process::Command;
use tokio::sync::OnceCell;

use crate::parts::{DEADLINE, command};
use crate::runs::{Undisturbed, assert_converges, done, each};
use crate::scene::{Scene, Task};
use crate::vigie::{Run, run};

#[tokio::test]
async fn bootstrap_or_rotation_killed_before_any_step_on_the_disk_converges() {
    tokio::join!(
        killed_before_any_step_converges(Task::Bootstrap),
        killed_before_any_step_converges(Task::BootstrapBeside),
        killed_before_any_step_converges(Task::ReplaceKey),
        killed_before_any_step_converges(Task::Rotate),
    );
}

async fn killed_before_any_step_converges(task: Task) {
    let scene = Scene::of(task).await;
    let (undisturbed, steps) = tokio::join!(Undisturbed::run(task), steps_of(&scene));
    let places = (1..=steps.len()).collect();
    each(places, async |place| {
        let scene = Scene::of(task).await;
        let when = format!("{task:?} killed before step {place} of {steps:#?}");
        let killed = kill_before(&scene, place, &when).await;
        assert_eq!(killed.code, None, "{when}: it ended by itself\n{}", killed.stderr);
        assert_converges(&scene, &undisturbed, &when).await;
    })
    .await;
}

/// Runs the command until it is about to take a step, or to its end if that comes before.
pub(crate) async fn kill_before(scene: &Scene, step: usize, when: &str) -> Run {
    let mut command = scene.command();
    let counted = counted(&mut command, scene).await;
    let run = run(counted.env("STEPS_KILL", step.to_string())).await;
    assert!([None, Some(0)].contains(&run.code), "{when}:\n{}", run.stderr);
    run
}

/// What the command does in the folder when nobody disturbs it.
pub(crate) async fn steps_of(scene: &Scene) -> Vec<String> {
    let folder = tempfile::tempdir().expect("a temporary folder can be made");
    let log = folder.path().join("steps");
    let mut command = scene.command();
    done(
        counted(&mut command, scene).await.env("STEPS_LOG", &log),
        "counted",
    )
    .await;
    let steps = fs::read_to_string(log).expect("the library is loaded, and there are steps");
    steps.lines().map(str::to_owned).collect()
}

/// Lets a command's steps in the folder be counted.
pub(crate) async fn counted<'a>(command: &'a mut Command, scene: &Scene) -> &'a mut Command {
    let under = fs::canonicalize(scene.folder.path()).expect("the folder is there");
    command.env("LD_PRELOAD", shim().await).env("STEPS_UNDER", under)
}

/// The library, made once.
async fn shim() -> &'static Path {
    static SHIM: OnceCell<(TempDir, PathBuf)> = OnceCell::const_new();
    let make = async || {
        let folder = tempfile::tempdir().expect("a temporary folder can be made");
        let made = folder.path().join("kill.so");
        let source = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/support/kill.c");
        let mut cc = command("cc");
        cc.args(["-shared", "-fPIC", "-o"])
            .arg(&made)
            .arg(source)
            .stdin(Stdio::null());
        let compiled = tokio::time::timeout(DEADLINE, cc.output()).await;
        let compiled = compiled
            .expect("cc ends")
            .expect("there is the C compiler that Rust links with");
        assert!(
            compiled.status.success(),
            "{}",
            String::from_utf8_lossy(&compiled.stderr)
        );
        (folder, made)
    };
    &SHIM.get_or_init(make).await.1
}
