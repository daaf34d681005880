//! Two at once on the same file.

use std::time::Duration;

use ::vigie::demo::Fault;

use crate::runs::{Undisturbed, assert_settled, assert_state, each};
use crate::scene::{Scene, Task};
use crate::vigie::run;

#[tokio::test]
async fn one_of_two_bootstraps_wins_and_the_other_says_why_it_does_not() {
    let undisturbed = Undisturbed::run(Task::Bootstrap).await;
    let made = undisturbed.changes().into_iter().max();
    // Whoever sends this request pauses behind it, and the other goes on; nobody pauses behind none.
    let pauses = (0..=made.expect("a key is made")).chain([0; 5]);
    each(pauses.collect(), async |place| {
        let scene = Scene::of(Task::Bootstrap).await;
        if place > 0 {
            scene.cloud.inject_at(place, Fault::Delay(Duration::from_secs(1)));
        }
        let mut commands = [scene.command(), scene.command()];
        let [first, second] = &mut commands;
        let runs: [_; 2] = tokio::join!(run(first), run(second)).into();
        let said = format!(
            "pause behind request {place}:\n{}\n{}",
            runs[0].stderr, runs[1].stderr
        );
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

const REASONS: [&str; 3] = [
    "another vigie is at work on",
    "was changed by somebody else meanwhile",
    "has a key already, and it is not in",
];
