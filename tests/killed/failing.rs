//! A disk that refuses a step: the key that was made is deleted again, and what was there stays.

use crate::account::keys;
use crate::disk::{counted, steps_of};
use crate::runs::{Undisturbed, assert_converges, each};
use crate::scene::{Scene, Task};
use crate::vigie::{Run, run};

#[tokio::test]
async fn step_on_the_disk_that_fails_before_the_swap_leaves_all_as_it_was() {
    tokio::join!(
        any_step_that_fails_is_made_up_for(Task::Bootstrap),
        any_step_that_fails_is_made_up_for(Task::Rotate),
    );
}

async fn any_step_that_fails_is_made_up_for(task: Task) {
    let scene = Scene::of(task).await;
    let (undisturbed, steps) = tokio::join!(Undisturbed::run(task), steps_of(&scene));
    let swap = steps.iter().position(|step| step.starts_with("rename"));
    let swap = swap.expect("a file is put in place") + 1;
    let any = each((1..=steps.len()).collect(), async |place| {
        let step = &steps[place - 1];
        let when = format!("{task:?} with step {place} failing of {steps:#?}");
        let scene = Scene::of(task).await;
        let failed = fail(&scene, place, error_of(step), false).await;
        // What cannot be removed stays for the next run, and a removal need not last.
        let removes = |step: &String| step.starts_with("unlink /.credentials.vigie");
        let is_removal = removes(step) || place > 1 && removes(&steps[place - 2]) && step == "fsync ";
        if place <= swap && !is_removal {
            let there: Vec<_> = scene.before.iter().map(|_| "credentials").collect();
            assert_eq!(scene.names(), there, "{when}");
            assert_undone(&scene, &failed, &when).await;
        }
        if place == swap + 1 {
            assert_old_key_is_kept(&scene, &failed, &when).await;
        }
        assert_converges(&scene, &undisturbed, &when).await;
    });
    let read_only = each(vec![swap], async |place| {
        let when = format!("{task:?} on a disk that turns read-only before the swap");
        let scene = Scene::of(task).await;
        let failed = fail(&scene, place, READ_ONLY, true).await;
        assert_undone(&scene, &failed, &when).await;
        assert_converges(&scene, &undisturbed, &when).await;
    });
    tokio::join!(any, read_only);
}

/// The file is what it was, and so are the keys; if one was made, it is named.
async fn assert_undone(scene: &Scene, failed: &Run, when: &str) {
    assert_eq!(failed.code, Some(1), "{when}:\n{}", failed.stderr);
    assert_eq!(scene.text(), scene.before, "{when}: the file");
    let old: Vec<_> = scene.old.iter().cloned().collect();
    let requests = scene.cloud.requests();
    assert_eq!(keys(&scene.cloud).await, old, "{when}: the keys");
    let deleted = requests
        .iter()
        .find(|request| request.action == "DeleteAccessKey");
    if let Some(id) = deleted.and_then(|request| request.parameter("AccessKeyId")) {
        let said = format!("the new key {id} was deleted again");
        assert!(failed.stderr.contains(&said), "{when}:\n{}", failed.stderr);
    }
}

/// What was swapped in may be gone after a power failure: what was there before has to work then.
async fn assert_old_key_is_kept(scene: &Scene, failed: &Run, when: &str) {
    assert_eq!(failed.code, Some(1), "{when}:\n{}", failed.stderr);
    assert!(
        failed.stderr.contains("run the same command again"),
        "{when}:\n{}",
        failed.stderr
    );
    assert_ne!(scene.text(), scene.before, "{when}: the file");
    let keys = keys(&scene.cloud).await;
    assert!(scene.old.iter().all(|old| keys.contains(old)), "{when}: {keys:?}");
}

/// Runs the command with a step that fails, and all after it too if the disk does not recover.
async fn fail(scene: &Scene, step: usize, error: i32, on: bool) -> Run {
    let mut command = scene.command();
    let counted = counted(&mut command, scene).await;
    counted
        .env("STEPS_FAIL", step.to_string())
        .env("STEPS_ERROR", error.to_string());
    if on {
        counted.env("STEPS_ON", "1");
    }
    run(counted).await
}

/// What the system would say.
fn error_of(step: &str) -> i32 {
    match step.split(' ').next() {
        Some("pwrite64") => NO_SPACE,
        Some("open64" | "rename" | "unlink") => READ_ONLY,
        _ => INPUT_OUTPUT,
    }
}

const INPUT_OUTPUT: i32 = 5;
const NO_SPACE: i32 = 28;
const READ_ONLY: i32 = 30;
