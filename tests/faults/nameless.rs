//! The cells of an endpoint whose name nobody knows, which an agent can only be born with: there is no reading to keep.

use crate::bench::pass;
use crate::fault::{Fault, Outcome, Seat};
use crate::matrix::Cell;
use crate::scene::{HIT, Scene, Subject};
use crate::shown::Place;

pub(crate) async fn cell(subject: Subject) -> Cell {
    let fault = Fault::NoName;
    let told = format!("{} {}: {}", subject.kind.name, subject.action.name, fault.name());
    let expected = fault.expected(subject);
    let Outcome::Fails(reason) = expected.outcome else {
        panic!("{told}: nobody there can answer");
    };
    let mut scene = Scene::new(subject, Seat::Name).await;
    scene.nameless();
    scene.bench.start();
    pass(SOME_SECONDS).await;
    let seen = scene.seen();
    let is_touched = |place: &Place| subject.is_touched(expected.touched, place);
    for (place, poll) in &seen.polls {
        if is_touched(place) {
            assert_eq!((poll.success, poll.dated), (Some(0.0), None), "{told}: {place:?}");
            for (own, count) in &poll.failures {
                let expected = f64::from(u8::from(own == reason));
                assert!((count - expected).abs() < 0.1, "{told}: {place:?}: {own} {count}");
            }
        } else {
            assert_eq!(poll.success, Some(1.0), "{told}: {place:?}");
        }
    }
    assert!(seen.reading.is_empty(), "{told}");
    let calls = scene.counted(&seen);
    assert!(expected.calls.contains(&calls), "{told}: {calls} calls");

    scene.named().await;
    pass(SOME_SECONDS).await;
    let seen = scene.seen();
    for place in subject
        .regions()
        .iter()
        .take(if subject.is_finding() { 1 } else { 2 })
    {
        let place = [HIT, place, subject.kind.name].map(str::to_owned);
        assert_eq!(seen.polls[&place].success, Some(1.0), "{told}: {place:?}");
    }
    assert!(subject.is_finding() || !seen.reading.is_empty(), "{told}");
    Cell::of(subject, fault, "none yet")
}

/// Before the second poll of anything.
const SOME_SECONDS: u64 = 30;
