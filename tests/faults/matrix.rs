//! The cells of all kinds but the finding of regions, one after the other on one agent: a good poll, the fault, a
//! good poll again.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Mutex;
use std::time::Duration;

use vigie::exposition::Format;

use crate::bench::pass;
use crate::fault::{Expected, Fault, Outcome, Seat, Touched};
use crate::front::Front;
use crate::scene::{Scene, Seen, Subject};
use crate::{nameless, regions, report};

/// One cell of the table, asserted.
#[derive(Debug, Clone)]
pub(crate) struct Cell {
    pub(crate) provider: &'static str,
    pub(crate) kind: &'static str,
    pub(crate) action: String,
    pub(crate) fault: Fault,
    pub(crate) expected: Expected,
    /// What became of the last reading.
    pub(crate) reading: &'static str,
}

impl Cell {
    pub(crate) fn of(subject: Subject, fault: Fault, reading: &'static str) -> Self {
        let Subject {
            provider,
            kind,
            action,
        } = subject;
        Self {
            provider: provider.name(),
            kind: kind.name,
            action: format!("{} {}", action.service.name(), action.name),
            fault,
            expected: fault.expected(subject),
            reading,
        }
    }
}

#[test]
fn every_action_meets_every_fault_as_it_has_to() {
    let seats = [Seat::Answer, Seat::Certificate, Seat::Name];
    let jobs = Subject::all()
        .into_iter()
        .flat_map(|subject| seats.map(|seat| (subject, seat)));
    let jobs: Mutex<Vec<(Subject, Seat)>> = Mutex::new(jobs.collect());
    let cells: Mutex<Vec<Cell>> = Mutex::default();
    let broken: Mutex<usize> = Mutex::default();
    let work = || {
        loop {
            let Some((subject, seat)) = jobs.lock().unwrap().pop() else {
                return;
            };
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .start_paused(true)
                .build()
                .unwrap();
            // What is asserted has been printed; the others say more of what is wrong.
            match catch_unwind(AssertUnwindSafe(|| runtime.block_on(run(subject, seat)))) {
                Ok(mut done) => cells.lock().unwrap().append(&mut done),
                Err(_) => *broken.lock().unwrap() += 1,
            }
        }
    };
    std::thread::scope(|scope| {
        for _ in 0..THREADS {
            scope.spawn(work);
        }
    });
    let broken = broken.into_inner().unwrap();
    assert_eq!(broken, 0, "some actions met a fault as they must not: see above");
    let cells = cells.into_inner().unwrap();
    assert_eq!(cells.len(), Subject::all().len() * Fault::ALL.len());
    assert!(cells.len() >= 150);
    report::is_fresh("matrix", &report::matrix(&cells));
}

/// The cells of one action.
async fn run(subject: Subject, seat: Seat) -> Vec<Cell> {
    let faults = Fault::ALL.into_iter().filter(|fault| fault.seat() == seat);
    if seat == Seat::Name {
        return vec![nameless::cell(subject).await];
    }
    let mut scene = Scene::new(subject, seat).await;
    let mut cells = Vec::new();
    if subject.is_finding() {
        regions::begin(&mut scene).await;
        for fault in faults {
            cells.push(regions::cell(&mut scene, fault).await);
        }
        return cells;
    }
    let failed = scene.bench.once().await;
    assert!(failed.is_empty(), "{failed:?}");
    let mut before = scene.seen();
    let usual = scene.counted(&before);
    assert!(usual > 0, "{} is never asked for", subject.action.name);
    for fault in faults {
        let (cell, healed) = cell(&mut scene, fault, usual, before).await;
        cells.push(cell);
        before = healed;
    }
    cells
}

/// The fault, between the good poll before it and the good poll behind it, which is given with the cell.
async fn cell(scene: &mut Scene, fault: Fault, usual: usize, before: Seen) -> (Cell, Seen) {
    let Subject {
        provider,
        kind,
        action,
    } = scene.subject;
    let told = format!("{provider} {} {}: {}", kind.name, action.name, fault.name());
    let expected = fault.expected(scene.subject);
    assert!(!before.reading.is_empty(), "{told}: there is nothing to keep");

    scene.meet(fault).await;
    let failed = scene.bench.once().await;
    if expected.outcome == Outcome::Survives {
        // Whatever came in, the page is valid in both formats.
        scene.bench.shown();
    }
    let after = scene.seen();
    let told = format!("{told}: {failed:?}");
    assert_polls(scene, &expected, &before, &after, &told);
    assert_calls(scene, fault, &expected, usual, (&before, &after), &told);
    assert_eq!(after.reading, before.reading, "{told}: not what is there");
    scene.assert_nothing_locked(&told);
    for (_, error) in &failed {
        scene.assert_no_secret(error);
    }
    scene.assert_no_secret(&scene.bench.text(Format::Text));

    let mut reading = "fresh";
    if expected.outcome != Outcome::Survives {
        reading = "kept, dropped when stale";
        pass(STALE_AFTER + 1).await;
        let later = scene.seen();
        assert!(later.reading.is_empty(), "{told}: it is shown though it is stale");
        let place = scene.subject.place();
        assert_eq!(
            later.polls[&place], after.polls[&place],
            "{told}: its age is told"
        );
    }
    scene.heal();
    let failed = scene.bench.once().await;
    assert!(failed.is_empty(), "{told}: it does not recover: {failed:?}");
    let healed = scene.seen();
    assert_eq!(healed.reading, before.reading, "{told}: recovered");
    assert!(healed.polls[&scene.subject.place()].dated > before.polls[&scene.subject.place()].dated);
    scene.assert_nothing_locked(&told);
    (Cell::of(scene.subject, fault, reading), healed)
}

/// What the page says of every poll: of those that the fault touches, and of those that it must not.
fn assert_polls(scene: &Scene, expected: &Expected, before: &Seen, after: &Seen, told: &str) {
    let subject = scene.subject;
    for (place, then) in &before.polls {
        let now = &after.polls[place];
        let is_subject = *place == subject.place();
        let (reason, may_fail) = match expected.outcome {
            Outcome::Survives => ("", false),
            Outcome::Fails(reason) => (reason, subject.is_touched(expected.touched, place)),
        };
        // A key that is refused holds back what has not been asked by then.
        let must_fail = may_fail && (is_subject || expected.touched != Touched::Key);
        if now.success == Some(1.0) {
            assert!(!must_fail, "{told}: {place:?} succeeds");
            assert_eq!(now.failures, then.failures, "{told}: {place:?}");
            assert!(now.dated > then.dated, "{told}: {place:?} is not fresh");
        } else {
            assert!(may_fail, "{told}: {place:?} fails too");
            let mut failures = then.failures.clone();
            *failures.get_mut(reason).unwrap() += 1.0;
            assert_eq!(now.failures, failures, "{told}: {place:?}");
            assert_eq!(now.dated, then.dated, "{told}: {place:?} has another date");
        }
    }
}

/// How often the action was asked for: as often as it has to be, as the page says, and when it may.
pub(crate) fn assert_calls(
    scene: &mut Scene,
    fault: Fault,
    expected: &Expected,
    usual: usize,
    (before, after): (&Seen, &Seen),
    told: &str,
) {
    let counted = scene.counted(after) - scene.counted(before);
    let front = scene.front();
    let met = front.met();
    let is_heard = fault.seat() == Seat::Answer && fault != Fault::Refused;
    if is_heard {
        assert_eq!(counted, front.asked(), "{told}: counted and come");
        let others = front.asked() - met.len();
        assert!(others < usual, "{told}: {others} calls about other things");
    }
    let calls = if is_heard { met.len() } else { counted };
    assert!(expected.calls.contains(&calls), "{told}: {calls} calls");
    assert_bounded(front, fault, told);
}

/// Whoever says when to come again is heard, and of what has no end no more is read than may be.
pub(crate) fn assert_bounded(front: &Front, fault: Fault, told: &str) {
    if matches!(fault, Fault::RetryAfterOnce | Fault::RetryAfterAlways) {
        let met = front.met();
        let waits = met.windows(2).map(|pair| pair[1].at - pair[0].at);
        assert!(waits.min() >= Some(Duration::from_secs(7)), "{told}: {met:?}");
    }
    if fault == Fault::Gigabyte {
        // 64 MiB, and what is on the way.
        let read = front.longest();
        assert!(
            (64 << 20..80 << 20).contains(&read),
            "{told}: {read} bytes were read"
        );
    }
}

/// The default, in seconds.
const STALE_AFTER: u64 = 300;

/// Each has a clock of its own.
const THREADS: usize = 2;
