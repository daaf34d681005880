//! When the machine had no time for anybody, as seen by one who asks vigie for nothing; and pages that were slow without
//! that.

use std::collections::VecDeque;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::{Instant, sleep};

use crate::now;
use crate::reading::CALM;
use crate::scene::Scene;

#[derive(Debug, Default)]
pub(crate) struct Stalls(Mutex<Seen>);

#[derive(Debug, Default)]
struct Seen {
    /// From when to when each look was, lately, and how much of that the machine had no time for.
    looks: VecDeque<(f64, f64, f64)>,
    count: u64,
    worst: f64,
    /// When the last was over.
    last: f64,
    /// For how many seconds in all something was excused, and until when it is.
    silent: f64,
    silent_until: f64,
    /// Pages that are not judged yet: a stall is seen when it is over.
    slow: Vec<(f64, f64)>,
    excused: u64,
    slowest: f64,
}

impl Stalls {
    /// When a page was asked for and when it had come.
    pub(crate) fn took(&self, (sent, came): (f64, f64)) {
        let mut seen = self.seen();
        seen.slowest = seen.slowest.max(came - sent);
        if came - sent > SLOW {
            seen.slow.push((sent, came));
        }
    }

    /// The machine was looked at, and that took so many seconds longer than it should. What is to be said of the pages
    /// that had come before and were slower than that explains.
    pub(crate) fn looked(&self, (from, to): (f64, f64), late: f64) -> Vec<String> {
        let mut seen = self.seen();
        if late > STALL {
            seen.count += 1;
            seen.worst = seen.worst.max(late);
            seen.silent += to + CALM - from.max(seen.silent_until);
            seen.silent_until = to + CALM;
            seen.last = to;
        }
        seen.looks.push_back((from, to, late));
        while seen.looks.len() > LOOKS {
            seen.looks.pop_front();
        }
        let (judged, left) = seen.slow.drain(..).partition(|(_, came)| *came < from);
        seen.slow = left;
        let judged: Vec<(f64, f64)> = judged;
        let all = judged.len() as u64;
        let is_slow = |(sent, came): &(f64, f64)| {
            let meet = |(begin, end, late): &&(f64, f64, f64)| {
                *late > USUAL && *begin <= *came && *end >= sent - AROUND
            };
            let lost: f64 = seen.looks.iter().filter(meet).map(|(_, _, late)| late).sum();
            came - sent - EACH_WAY * lost > SLOW
        };
        let slow: Vec<(f64, f64)> = judged.into_iter().filter(is_slow).collect();
        seen.excused += all - slow.len() as u64;
        let told = slow.into_iter().map(|(sent, came)| {
            let seconds = came - sent;
            format!("a page asked for at {sent:.3} took {seconds:.3} s, and the machine had time for it")
        });
        told.collect()
    }

    pub(crate) fn are_since(&self, then: f64) -> bool {
        self.seen().last >= then
    }

    /// For how many seconds something was excused.
    pub(crate) fn silent(&self) -> f64 {
        self.seen().silent
    }

    pub(crate) fn count(&self) -> u64 {
        self.seen().count
    }

    fn seen(&self) -> MutexGuard<'_, Seen> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Display for Stalls {
    fn fmt(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        let seen = self.seen();
        let Seen {
            slowest,
            excused,
            count,
            worst,
            silent,
            ..
        } = &*seen;
        write!(
            to,
            "slowest page {slowest:.3} s, {excused} slow ones excused; {count} stalls, {worst:.3} s at worst, which \
             excused for {silent:.1} s"
        )
    }
}

/// Asks a cloud for as little as can be, and notes when that takes long: then polls may take too long. Until the future
/// is dropped.
pub(crate) async fn watch(scene: Arc<Scene>) {
    let http = reqwest::Client::builder().no_proxy().build();
    let http = http.expect("a client of fixed settings can be built");
    let url = scene.accounts[1].cloud.url();
    loop {
        let (from, before) = (now(), Instant::now());
        // Nothing but POST and GET is looked at any further.
        http.put(&url).send().await.ok();
        sleep(PAUSE).await;
        let late = before.elapsed().saturating_sub(PAUSE).as_secs_f64();
        scene.report.looked((from, now()), late);
    }
}

const PAUSE: Duration = Duration::from_millis(50);

/// In seconds: a page is put together from what is there.
const SLOW: f64 = 0.4;

/// In seconds. A poll may take 1.8 s, and asks for a dozen things one after the other.
const STALL: f64 = 0.1;

/// In seconds: what a look takes where nothing stalls, in a debug build, is no excuse.
const USUAL: f64 = 0.02;

/// Both to vigie and back a page may have to wait as long as the one look at the machine.
const EACH_WAY: f64 = 2.0;

/// Ten seconds at least.
const LOOKS: usize = 200;

/// In seconds: so long after a stall there is still a queue.
const AROUND: f64 = 0.5;

#[test]
fn slow_page_is_told_unless_the_machine_stood_still() {
    let stalls = Stalls::default();
    stalls.took((10.0, 10.1));
    stalls.took((10.0, 11.0));
    assert!(
        stalls.looked((10.9, 11.1), 0.0).is_empty(),
        "it may be a stall yet"
    );
    assert_eq!(stalls.looked((11.1, 11.2), 0.0).len(), 1);
    assert!(!stalls.are_since(1.0), "a slow page is no stall");
    stalls.took((20.0, 21.0));
    stalls.took((20.0, 23.0));
    assert!(stalls.looked((20.5, 21.5), 0.9).is_empty());
    assert!(stalls.looked((21.5, 21.6), 0.0).is_empty());
    assert!(stalls.are_since(21.4) && !stalls.are_since(21.6));
    // Two of them excuse no moment twice.
    stalls.looked((22.0, 22.5), 0.2);
    assert_eq!(
        stalls.looked((23.1, 23.2), 0.0).len(),
        1,
        "longer than the stalls account for"
    );
    assert!((stalls.silent() - (22.5 + CALM - 20.5)).abs() < 1e-9);
}
