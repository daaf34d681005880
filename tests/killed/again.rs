//! Cut off, and the run that completes it cut off too.

use crate::calls::kill_after;
use crate::disk::{kill_before, steps_of};
use crate::runs::{Undisturbed, assert_converges, changes, each};
use crate::scene::{Scene, Task};

#[tokio::test]
async fn bootstrap_or_rotation_killed_again_converges() {
    let (bootstrap, rotation) =
        tokio::join!(Undisturbed::run(Task::Bootstrap), Undisturbed::run(Task::Rotate));
    let makes_a_key = |place: &u32| bootstrap.at(*place).ends_with("CreateAccessKey");
    let made = (1..=bootstrap.places()).find(makes_a_key).expect("a key is made");
    tokio::join!(
        // Behind the making of the key, which is in no file yet.
        killed_again_converges(Task::Bootstrap, &bootstrap, made),
        // Behind the proof, before the swap: the key was tried.
        killed_again_converges(Task::Rotate, &rotation, rotation.places() - 1),
        // Behind the removal of the old key, with the note still there.
        killed_again_converges(Task::Rotate, &rotation, rotation.places()),
    );
}

/// First behind a call, then behind each change and before each step on the disk of the run that comes after.
async fn killed_again_converges(task: Task, undisturbed: &Undisturbed, place: u32) {
    let first = format!("{task:?} killed after {}", undisturbed.at(place));
    let cut_off = async || {
        let scene = Scene::of(task).await;
        kill_after(&scene, place, &first).await;
        scene.cloud.forget_requests();
        scene
    };
    let scene = cut_off().await;
    let steps = steps_of(&scene).await;
    let changes = changes(&scene.cloud.requests());

    let calls = async |nth: u32| {
        let when = format!("{first}, and then after request {nth}");
        let scene = cut_off().await;
        kill_after(&scene, nth, &when).await;
        assert_converges(&scene, undisturbed, &when).await;
    };
    let disk = async |nth: usize| {
        let when = format!("{first}, and then before step {nth} of {steps:#?}");
        let scene = cut_off().await;
        // How many steps a note takes depends on the length of the one before, and that on the time of day.
        kill_before(&scene, nth, &when).await;
        assert_converges(&scene, undisturbed, &when).await;
    };
    tokio::join!(each(changes, calls), each((1..=steps.len()).collect(), disk));
}
