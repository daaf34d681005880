//! The cells of the finding of regions, on a running agent: whatever it meets, the regions that are known are polled on.

use crate::bench::pass;
use crate::fault::{Fault, Outcome, Touched};
use crate::matrix::{Cell, assert_calls};
use crate::scene::{HIT, Scene, Seen, Subject};
use crate::shown::Place;

/// Starts the agent and waits until it has found the regions and what is there.
pub(crate) async fn begin(scene: &mut Scene) {
    scene.bench.start();
    let subject = scene.subject;
    let all_polled = |seen: &Seen| {
        let found = polled(subject).iter().all(|place| seen.polls.contains_key(place));
        found && seen.polls.values().all(|poll| poll.success == Some(1.0))
    };
    wait_for(scene, "the regions are found", all_polled).await;
}

/// What is polled in the regions that were found.
fn polled(subject: Subject) -> Vec<Place> {
    let regions = subject.regions().iter();
    regions
        .flat_map(|region| ["instances", "load_balancers"].map(|kind| [HIT, region, kind].map(str::to_owned)))
        .collect()
}

pub(crate) async fn cell(scene: &mut Scene, fault: Fault) -> Cell {
    let subject = scene.subject;
    let told = format!("{}: {}", subject.action.name, fault.name());
    let expected = fault.expected(subject);
    let place = subject.place();
    let before = scene.seen();
    let then = before.polls[&place].clone();

    scene.meet(fault).await;
    let after = wait_for(scene, "the regions are asked for", |seen| {
        seen.polls[&place] != then
    })
    .await;
    let now = &after.polls[&place];
    assert_calls(scene, fault, &expected, 1, (&before, &after), &told);
    match expected.outcome {
        Outcome::Survives => {
            assert_eq!(
                (now.success, &now.failures),
                (Some(1.0), &then.failures),
                "{told}"
            );
            assert!(now.dated > then.dated, "{told}");
        }
        Outcome::Fails(reason) => {
            let mut failures = then.failures.clone();
            *failures.get_mut(reason).unwrap() += 1.0;
            assert_eq!((now.success, &now.failures), (Some(0.0), &failures), "{told}");
            assert_eq!(now.dated, then.dated, "{told}");
        }
    }
    let untouched = |place: &Place| !subject.is_touched(expected.touched, place);
    let goes_on: Vec<Place> = before
        .polls
        .keys()
        .filter(|place| untouched(place))
        .cloned()
        .collect();
    assert!(
        expected.touched == Touched::Endpoint || goes_on.len() >= 3,
        "{told}: {goes_on:?}"
    );
    wait_for(scene, "the regions that are known are polled on", |seen| {
        goes_on.iter().all(|place| {
            let (now, then) = (&seen.polls[place], &before.polls[place]);
            assert_eq!(
                (now.success, &now.failures),
                (Some(1.0), &then.failures),
                "{told}: {place:?}"
            );
            now.dated > then.dated
        })
    })
    .await;

    scene.heal();
    let healed = |seen: &Seen| {
        let fresh = |place: &Place| {
            seen.polls[place].success == Some(1.0) && seen.polls[place].dated > after.polls[place].dated
        };
        fresh(&place) && polled(subject).iter().all(fresh)
    };
    wait_for(scene, "all is well again", healed).await;
    scene.assert_nothing_locked(&told);
    Cell::of(subject, fault, "the regions that are known are polled on")
}

/// Looks now and then, for longer than anything here takes.
async fn wait_for(scene: &Scene, what: &str, is_so: impl Fn(&Seen) -> bool) -> Seen {
    for _ in 0..LOOKS {
        let seen = scene.seen();
        if is_so(&seen) {
            return seen;
        }
        pass(BETWEEN_LOOKS).await;
    }
    panic!("in vain: {what}; {:?}", scene.seen().polls);
}

/// In seconds.
const BETWEEN_LOOKS: u64 = 10;

/// An hour and a half.
const LOOKS: usize = 540;
