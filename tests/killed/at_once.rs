//! Two at once on the same file.

use std::time::Duration;

use ::vigie::demo::Fault;

use crate::disk::{counted, steps_of};
use crate::runs::{Undisturbed, assert_settled, assert_state, each};
use crate::scene::{Scene, Task};
use crate::vigie::run;

#[tokio::test]
async fn one_of_two_bootstraps_wins_and_the_other_says_why_it_does_not() {
    let counting = Scene::of(Task::Bootstrap).await;
    let (undisturbed, steps) = tokio::join!(Undisturbed::run(Task::Bootstrap), steps_of(&counting));
    let made = undisturbed.changes().into_iter().max().expect("a key is made");
    let pauses = [Pause::None; 5].into_iter();
    let pauses = pauses.chain((1..=made).map(Pause::BehindRequest));
    let pauses = pauses.chain((1..=steps.len()).map(Pause::BeforeStep));
    each(pauses.collect(), async |pause| {
        let scene = Scene::of(Task::Bootstrap).await;
        let mut commands = [scene.command(), scene.command()];
        let [first, second] = &mut commands;
        match pause {
            Pause::None => {}
            Pause::BehindRequest(place) => {
                scene.cloud.inject_at(place, Fault::Delay(Duration::from_secs(1)));
            }
            Pause::BeforeStep(step) => {
                counted(first, &scene).await.env("STEPS_REST", step.to_string());
            }
        }
        let runs: [_; 2] = tokio::join!(run(first), run(second)).into();
        let said = format!("{pause:?} of {steps:#?}:\n{}\n{}", runs[0].stderr, runs[1].stderr);
        let (won, lost): (Vec<_>, Vec<_>) = runs.iter().partition(|run| run.code == Some(0));
        assert_eq!(won.len(), 1, "{said}");
        for lost in lost {
            assert!([Some(1), Some(3)].contains(&lost.code), "{:?}, {said}", lost.code);
            let why = REASONS.iter().any(|reason| lost.stderr.contains(reason));
            assert!(why, "{said}");
        }
        assert_state(&scene, &undisturbed, &said).await;
        assert_settled(&scene, &said).await;
    })
    .await;
}

/// Where one of the two pauses, while the other goes on.
#[derive(Debug, Clone, Copy)]
enum Pause {
    None,
    /// Whoever sends the nth request.
    BehindRequest(u32),
    /// The first, before its nth step on the disk.
    BeforeStep(usize),
}

const REASONS: [&str; 3] = [
    "another vigie is at work on",
    "was changed by somebody else meanwhile",
    "has a key already, and it is not in",
];
