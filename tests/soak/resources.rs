//! What the agent takes of the machine, from second to second.

use std::fs;
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::sleep;

use crate::now;
use crate::scene::{Scene, VISITOR};

/// Everything that could grow.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Sample {
    /// In KiB.
    pub(crate) memory: u64,
    pub(crate) descriptors: u64,
    /// Those of them that are sockets.
    pub(crate) sockets: u64,
    pub(crate) threads: u64,
    /// Whether there was an account more than there always is, or had just been.
    is_visited: bool,
}

#[derive(Debug, Default)]
pub(crate) struct Samples(Mutex<Vec<Sample>>);

/// Looks until the future is dropped.
pub(crate) async fn sample(scene: Arc<Scene>) {
    loop {
        let mut sample = Sample::of(scene.id).expect("vigie is running");
        let changes = &scene.account(VISITOR).changes;
        sample.is_visited = !changes.is_hopeless(now() - CLOSED_BY, now());
        scene.samples.all().push(sample);
        sleep(Duration::from_secs(1)).await;
    }
}

impl Sample {
    fn of(id: u32) -> Option<Self> {
        let folder = Path::new("/proc").join(id.to_string());
        let status = fs::read_to_string(folder.join("status")).ok()?;
        let line = |name: &str| -> Option<u64> {
            let line = status.lines().find_map(|line| line.strip_prefix(name))?;
            line.split_whitespace().next()?.parse().ok()
        };
        let (mut descriptors, mut sockets) = (0, 0);
        for entry in fs::read_dir(folder.join("fd")).ok()?.flatten() {
            descriptors += 1;
            let target = fs::read_link(entry.path());
            if target.is_ok_and(|target| target.to_string_lossy().starts_with("socket:")) {
                sockets += 1;
            }
        }
        Some(Self {
            memory: line("VmRSS:")?,
            descriptors,
            sockets,
            threads: line("Threads:")?,
            is_visited: false,
        })
    }

    /// Of each figure the median by itself; of descriptors the fewest, since connections that nobody needs any more stay
    /// open for a while, now more and now less.
    fn typical(samples: &[Self]) -> Self {
        let of = |figure: fn(&Self) -> u64| {
            let mut figures: Vec<u64> = samples.iter().map(figure).collect();
            figures.sort_unstable();
            figures.get(figures.len() / 2).copied().unwrap_or_default()
        };
        let least = |figure: fn(&Self) -> u64| samples.iter().map(figure).min().unwrap_or_default();
        Self {
            memory: of(|sample| sample.memory),
            descriptors: least(|sample| sample.descriptors),
            sockets: least(|sample| sample.sockets),
            threads: of(|sample| sample.threads),
            is_visited: false,
        }
    }
}

impl Samples {
    pub(crate) fn last(&self) -> Sample {
        self.all().last().copied().unwrap_or_default()
    }

    /// What the second tenth, when everything is warm, and the last are like. A visit is left out: what it takes has to
    /// be given back after it.
    pub(crate) fn begin_and_end(&self) -> (Sample, Sample) {
        let mut all = self.all().clone();
        all.retain(|sample| !sample.is_visited);
        let tenth = (all.len() / 10).max(1);
        let second = &all[tenth.min(all.len())..(2 * tenth).min(all.len())];
        let last = &all[all.len().saturating_sub(tenth)..];
        (Sample::typical(second), Sample::typical(last))
    }

    /// The largest there ever was of each.
    pub(crate) fn most(&self) -> Sample {
        self.all().iter().fold(Sample::default(), |most, sample| Sample {
            memory: most.memory.max(sample.memory),
            descriptors: most.descriptors.max(sample.descriptors),
            sockets: most.sockets.max(sample.sockets),
            threads: most.threads.max(sample.threads),
            is_visited: false,
        })
    }

    /// What has grown from the second tenth to the last.
    pub(crate) fn growth(&self) -> Vec<String> {
        if self.all().len() < LONG_ENOUGH {
            return Vec::new();
        }
        let (begin, end) = self.begin_and_end();
        let grew = [
            (
                "memory",
                end.memory > begin.memory + (begin.memory / 10).max(2048),
            ),
            // An account that begins anew leaves connections that stay open for a minute and a half.
            (
                "descriptors",
                end.descriptors > begin.descriptors + (begin.descriptors / 5).max(3),
            ),
            // Two turns of long work and the reading of settings may come together late, and whoever works for one goes on
            // to the next.
            ("threads", end.threads > begin.threads + 2),
        ];
        let grew = grew.into_iter().filter(|(_, grew)| *grew);
        grew.map(|(what, _)| format!("{what} grew: {begin:?}, then {end:?}"))
            .collect()
    }

    fn all(&self) -> MutexGuard<'_, Vec<Sample>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// In seconds: so long after an account went its connections may still be open.
const CLOSED_BY: f64 = 3.0;

/// In seconds: before that connections that nobody needs any more are still kept, and the allocator still learns.
const LONG_ENOUGH: usize = 600;

#[test]
fn what_grows_slowly_is_told_and_what_comes_and_goes_is_not() {
    let of = |figures: fn(u64) -> Sample| {
        let seconds = u64::try_from(2 * LONG_ENOUGH).expect("it is a small number");
        Samples(Mutex::new((0..seconds).map(figures).collect())).growth()
    };
    let coming_and_going = |second: u64| Sample {
        memory: 30_000 + 9000 * u64::from(second.is_multiple_of(7)),
        descriptors: 40 + second % 5,
        sockets: 30 + second % 5,
        threads: 4 + u64::from(second.is_multiple_of(9)),
        is_visited: false,
    };
    assert!(of(coming_and_going).is_empty());
    // Ten KiB and a hundredth of a descriptor a second.
    let grown = of(|second| Sample {
        memory: 30_000 + 10 * second,
        descriptors: 40 + second / 100,
        sockets: 30,
        threads: 4,
        is_visited: false,
    });
    let told: Vec<&str> = grown.iter().filter_map(|told| told.split(' ').next()).collect();
    assert_eq!(told, ["memory", "descriptors"]);
    let threads = of(|second| Sample {
        threads: 4 + second / 300,
        ..Sample::default()
    });
    assert_eq!(threads.len(), 1, "{threads:?}");
    let visited = of(|second| Sample {
        descriptors: 40 + 20 * (second / 1000),
        is_visited: second >= 1000,
        ..Sample::default()
    });
    assert!(visited.is_empty(), "{visited:?}");
}
