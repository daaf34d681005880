//! Cut off between any two calls.

use std::process::Stdio;
use std::time::Duration;

use ::vigie::demo::Fault;
use tokio::time::{Instant, sleep};

use crate::parts::DEADLINE;
use crate::runs::{Undisturbed, assert_converges, assert_makes_one_key, assert_nothing_is_left_to_do, each};
use crate::scene::{Scene, Task};
use crate::vigie::run;

#[tokio::test]
async fn bootstrap_killed_after_any_call_converges() {
    tokio::join!(
        killed_after_any_call_converges(Task::Bootstrap),
        killed_after_any_change_converges(Task::ReplaceKey),
        killed_after_any_change_converges(Task::UpdatePolicy),
    );
}

#[tokio::test]
async fn rotation_or_teardown_killed_after_any_call_converges() {
    tokio::join!(
        killed_after_any_call_converges(Task::Rotate),
        killed_after_any_call_converges(Task::Teardown),
    );
}

#[tokio::test]
async fn lost_answer_is_made_up_for_by_the_next_run() {
    let tasks = [
        Task::Bootstrap,
        Task::UpdatePolicy,
        Task::ReplaceKey,
        Task::Rotate,
        Task::Teardown,
    ];
    let all = tasks.map(async |task| {
        let undisturbed = Undisturbed::run(task).await;
        let faults = [Fault::CutAfter(0), Fault::Close];
        let faults = faults.iter().flat_map(|fault| {
            let places = undisturbed.changes().into_iter();
            places.map(move |place| (place, fault.clone()))
        });
        each(faults.collect(), async |(place, fault)| {
            let when = format!(
                "{task:?} with {fault:?} for the answer to {}",
                undisturbed.at(place)
            );
            let scene = Scene::of(task).await;
            scene.cloud.inject_at(place, fault);
            let cut = run(&mut scene.command()).await;
            assert_eq!(cut.code, Some(1), "{when}:\n{}", cut.stderr);
            let advice = "run the same command again";
            assert!(cut.stderr.contains(advice), "{when}:\n{}", cut.stderr);
            assert_makes_one_key(&scene, &when);
            assert_converges(&scene, &undisturbed, &when).await;
        })
        .await;
    });
    futures_util::future::join_all(all).await;
}

/// What stands before the cloud may answer in its place, once it was done.
#[tokio::test]
async fn answer_that_is_not_the_clouds_own_is_no_reason_to_make_a_second_key() {
    let undisturbed = Undisturbed::run(Task::Rotate).await;
    let places = undisturbed.changes().into_iter();
    let made = places
        .filter(|place| undisturbed.at(*place).contains("CreateAccessKey"))
        .collect::<Vec<_>>();
    let [made] = made[..] else {
        panic!("an undisturbed run makes one key: {made:?}");
    };
    each(vec![401, 408, 429, 503], async |status| {
        let when = format!("a page of HTML with status {status} for the new key");
        let scene = Scene::of(Task::Rotate).await;
        scene.cloud.inject_at(made, Fault::Status(status));
        let replaced = run(&mut scene.command()).await;
        assert_eq!(replaced.code, Some(1), "{when}:\n{}", replaced.stderr);
        assert_makes_one_key(&scene, &when);
        assert_converges(&scene, &undisturbed, &when).await;
    })
    .await;
}

async fn killed_after_any_call_converges(task: Task) {
    let undisturbed = Undisturbed::run(task).await;
    let places = (1..=undisturbed.places()).collect();
    killed_after(task, &undisturbed, places).await;
}

async fn killed_after_any_change_converges(task: Task) {
    let undisturbed = Undisturbed::run(task).await;
    killed_after(task, &undisturbed, undisturbed.changes()).await;
}

async fn killed_after(task: Task, undisturbed: &Undisturbed, places: Vec<u32>) {
    each(places, async |place| {
        let when = format!("{task:?} killed after {}", undisturbed.at(place));
        let scene = Scene::of(task).await;
        kill_after(&scene, place, &when).await;
        assert_converges(&scene, undisturbed, &when).await;
        assert_nothing_is_left_to_do(&scene, &when).await;
    })
    .await;
}

/// Runs the command until the cloud has done what the nth request asks for, and lets it end there.
pub(crate) async fn kill_after(scene: &Scene, place: u32, when: &str) {
    scene.cloud.forget_requests();
    scene.cloud.inject_at(place, Fault::Hang);
    let mut command = scene.command();
    command
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::piped());
    let mut vigie = command.spawn().expect("vigie starts");
    let deadline = Instant::now() + DEADLINE;
    let place = usize::try_from(place).expect("a place is small");
    while scene.cloud.requests().len() < place {
        let ended = vigie.try_wait().expect("the child can be looked at");
        assert_eq!(ended, None, "{when}: it ended before");
        assert!(Instant::now() < deadline, "{when}: the request does not come");
        sleep(Duration::from_millis(5)).await;
    }
    vigie.kill().await.expect("it can be killed");
    assert_eq!(scene.cloud.requests().len(), place, "{when}");
}
