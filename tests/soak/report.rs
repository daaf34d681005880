//! What is counted, what was wrong, and how it is told.

use std::collections::BTreeMap;
use std::io::{self, Write as _};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::{Instant, sleep};

use crate::now;
use crate::resources::Samples;
use crate::scene::Scene;
use crate::stalls::Stalls;

#[derive(Debug, Default, Clone)]
pub(crate) struct Figures {
    /// Polls that succeeded, and whose date was seen on a page.
    pub(crate) polls: u64,
    pub(crate) failed_polls: f64,
    pub(crate) requests: u64,
    pub(crate) pages: u64,
    /// Listings that were compared with the truth.
    pub(crate) compared: u64,
    /// Kinds on pages that had to be fresh and well, as nothing had been wrong lately.
    pub(crate) calm: u64,
    /// Those of them that were not, since polls ran out of time.
    pub(crate) late: u64,
    pub(crate) faults: u64,
    pub(crate) keys_refused: u64,
    pub(crate) reloads: u64,
    pub(crate) refused_reloads: u64,
    /// By how much a date was newer than what it dated, in seconds.
    pub(crate) age_error: f64,
    /// From a date to the first call of its poll, in seconds.
    pub(crate) ahead: f64,
    /// The age at which a page with it had come, in seconds.
    pub(crate) oldest_shown: f64,
    /// Readings on pages that were put together between their publication and their date.
    pub(crate) dated_late: u64,
    /// Accounts that came, went, and began anew, by a reload.
    pub(crate) changes: [u64; 3],
    /// What a machine that stood still left undecided.
    left_open: u64,
    violations: BTreeMap<String, u64>,
}

pub(crate) struct Report {
    began: Instant,
    figures: Mutex<Figures>,
    stalls: Stalls,
}

impl Report {
    pub(crate) fn new() -> Self {
        Self {
            began: Instant::now(),
            figures: Mutex::default(),
            stalls: Stalls::default(),
        }
    }

    pub(crate) fn count(&self, count: impl FnOnce(&mut Figures)) {
        count(&mut self.figures());
    }

    /// Something was wrong. The first few of each sort are told.
    pub(crate) fn violation(&self, sort: &str, told: &str) {
        let mut figures = self.figures();
        let count = figures.violations.entry(sort.to_owned()).or_default();
        *count += 1;
        let count = *count;
        drop(figures);
        if count <= TOLD_OF_EACH {
            say(&format!("VIOLATION ({sort} {count}) at {:.3}: {told}", now()));
        }
    }

    /// When a page was asked for and when it had come. It waits for nothing but the machine.
    pub(crate) fn took(&self, times: (f64, f64)) {
        self.stalls.took(times);
    }

    /// The machine was looked at from one moment to another, and stood still for so many seconds of it.
    pub(crate) fn looked(&self, (from, to): (f64, f64), late: f64) {
        for told in self.stalls.looked((from, to), late) {
            self.violation("slow", &told);
        }
    }

    /// Whether something is not decided since the machine had no time for somebody since then. It is counted.
    pub(crate) fn leaves_open(&self, then: f64) -> bool {
        let leaves = self.stalls.are_since(then);
        self.count(|figures| figures.left_open += u64::from(leaves));
        leaves
    }

    /// What was excused is an exception, or else nothing is proven.
    fn judge_excuses(&self, lasted: f64) {
        let Figures {
            late,
            calm,
            left_open,
            ..
        } = self.figures().clone();
        if late > calm / EXCUSED {
            let told = format!("{late} of {calm} kinds on pages in calm weather ran out of time");
            self.violation("late", &told);
        }
        if left_open > calm / EXCUSED {
            let told =
                format!("{left_open} questions were left open, beside {calm} kinds on pages in calm weather");
            self.violation("open", &told);
        }
        let silent = self.stalls.silent();
        if silent > lasted / 2.0 {
            let told = format!(
                "this run proves nothing: stalls of the machine excused all for {silent:.0} s of {lasted:.0} s"
            );
            self.violation("unproven", &told);
        }
        // What came since the machine was looked at last.
        self.looked((f64::INFINITY, f64::INFINITY), 0.0);
    }

    /// Tells all figures; how many violations there were.
    pub(crate) fn tell(&self, samples: &Samples, log: &str, seed: u64) -> u64 {
        let lasted = self.began.elapsed().as_secs_f64();
        self.judge_excuses(lasted);
        let Figures { late, calm, .. } = self.figures().clone();
        let figures = self.figures().clone();
        let ((begin, end), most) = (samples.begin_and_end(), samples.most());
        let hours = lasted / 3600.0;
        let warnings = log.lines().filter(|line| line.contains(" WARN ")).count();
        let violations = figures.violations.values().sum();
        let polls = figures.polls as f64 + figures.failed_polls;
        let each = |of: fn(&crate::resources::Sample) -> u64| {
            format!(
                "{} at the begin, {} at the end, {} at most",
                of(&begin),
                of(&end),
                of(&most)
            )
        };
        for (name, figure) in [
            ("seed", seed.to_string()),
            ("hours", format!("{hours:.3}")),
            (
                "polls",
                format!("{polls}, of which {} failed", figures.failed_polls),
            ),
            (
                "requests to the agent",
                format!("{}, of which {} for metrics", figures.requests, figures.pages),
            ),
            ("comparisons with the truth", figures.compared.to_string()),
            (
                "kinds on pages in calm weather",
                format!("{calm}, of which {late} were late as polls ran out of time"),
            ),
            ("faults injected", figures.faults.to_string()),
            ("keys refused", figures.keys_refused.to_string()),
            (
                "settings taken and refused",
                format!("{} and {}", figures.reloads, figures.refused_reloads),
            ),
            (
                "accounts added, dropped and changed",
                format!("{:?}", figures.changes),
            ),
            ("worst age error", format!("{:.3} s", figures.age_error)),
            (
                "longest from a date to its first call",
                format!("{:.3} s", figures.ahead),
            ),
            ("oldest shown", format!("{:.3} s", figures.oldest_shown)),
            (
                "pages between publication and date",
                figures.dated_late.to_string(),
            ),
            ("memory in KiB", each(|sample| sample.memory)),
            ("descriptors", each(|sample| sample.descriptors)),
            ("sockets", each(|sample| sample.sockets)),
            ("threads", each(|sample| sample.threads)),
            (
                "lines of the log",
                format!("{}, of which {warnings} are warnings", log.lines().count()),
            ),
            (
                "pages and stalls of the machine",
                format!("{}; {} questions were left open", self.stalls, figures.left_open),
            ),
            ("violations", format!("{violations} {:?}", figures.violations)),
        ] {
            say(&format!("{name}: {figure}"));
        }
        violations
    }

    fn figures(&self) -> MutexGuard<'_, Figures> {
        self.figures.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Tells how it goes, until the future is dropped.
pub(crate) async fn tell_each_minute(scene: Arc<Scene>) {
    for minute in 1.. {
        sleep(Duration::from_secs(60)).await;
        let (figures, sample) = (scene.report.figures().clone(), scene.samples.last());
        say(&format!(
            "minute {minute}: {} polls and {} failed ones, {} requests, {} comparisons, {} faults, age error {:.3} s, {} \
             KiB, {} descriptors, {} threads, {} stalls, violations {:?}",
            figures.polls,
            figures.failed_polls,
            figures.requests,
            figures.compared,
            figures.faults,
            figures.age_error,
            sample.memory,
            sample.descriptors,
            sample.threads,
            scene.report.stalls.count(),
            figures.violations
        ));
    }
}

/// Tells at once what a test harness would keep until the end.
pub(crate) fn say(line: &str) {
    // Whoever does not listen hears nothing.
    writeln!(io::stderr(), "{line}").ok();
}

const TOLD_OF_EACH: u64 = 5;

/// One in so many of what is asked in calm weather may be excused: more than a machine with little time left open in any
/// run, and less than any fault of vigie that does not come and go.
const EXCUSED: u64 = 50;
