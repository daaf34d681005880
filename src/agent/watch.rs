//! The tasks of a running agent: one for each poll, begun one after the other, and one for each account's audits.

use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;

use futures_util::{FutureExt as _, future};
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio_util::task::TaskTracker;
use tracing::error;

use super::plan::Region;
use super::{Watch, regions};
use crate::exposition::Page;
use crate::identity::Auditor;
use crate::poller::{Poll, Status, Watched};
use crate::repeated::Repeated;

/// What runs for one account. It ends when it is dropped.
#[derive(Default)]
pub(super) struct Tasks {
    own: JoinSet<()>,
    /// These, and what they began themselves.
    all: TaskTracker,
}

impl Tasks {
    /// Ends them. Afterwards nothing of the account runs any more, and nothing that is forgotten of it comes back.
    pub(super) async fn end(mut self) {
        self.own.shutdown().await;
        self.all.close();
        self.all.wait().await;
    }

    fn spawn(&mut self, task: impl Future<Output = ()> + Send + 'static) {
        self.own.spawn(self.all.track_future(task));
    }
}

/// Starts the polls of an account, each region's after these delays, and its audits.
pub(super) fn start(account: Watch, page: &Arc<Page>, delays: Vec<Vec<Duration>>, audits: Audits) -> Tasks {
    let mut tasks = Tasks::default();
    if account.finding.is_none() {
        audits.spawn(account.auditor(), page, &mut tasks.own, &tasks.all);
    }
    for (region, delays) in account.regions.into_iter().zip(delays) {
        for (prepared, delay) in region.polls.into_iter().zip(delays) {
            tasks.spawn(keep_polling(prepared.poll, prepared.status, delay));
        }
    }
    if let Some(finding) = account.finding {
        tasks.spawn(regions::keep_finding(
            account.plan,
            finding,
            Arc::clone(page),
            audits,
            tasks.all.clone(),
        ));
    }
    tasks
}

/// How long each poll of each region waits before its first, so that calls do not burst: one after the other, the
/// first kind of every region before the second of any.
pub(super) fn splay<'a>(regions: impl Iterator<Item = &'a Region>, interval: Duration) -> Vec<Vec<Duration>> {
    let counts: Vec<usize> = regions.map(|region| region.polls.len()).collect();
    let all: usize = counts.iter().sum();
    let step = STEP.min(interval / 2 / u32::try_from(all.max(1)).unwrap_or(u32::MAX));
    let mut delays: Vec<Vec<Duration>> = counts.iter().map(|_| Vec::new()).collect();
    let mut begun = 0;
    for round in 0..counts.iter().copied().max().unwrap_or_default() {
        for (delays, _) in delays
            .iter_mut()
            .zip(&counts)
            .filter(|(_, count)| **count > round)
        {
            delays.push(step * begun);
            begun += 1;
        }
    }
    delays
}

/// A fault of ours in one kind does not take the others down, and does not end it for good.
pub(super) async fn keep_polling(poll: Arc<Poll>, status: watch::Sender<Status>, delay: Duration) {
    let mut delay = delay;
    let mut broken = Repeated::default();
    loop {
        // In this task and not in one of its own: whoever ends this one knows then that nothing is polled any more.
        let running = AssertUnwindSafe(poll.run(&status, delay)).catch_unwind();
        if running.await.is_err() {
            if let Some(count) = broken.again(()) {
                error!(
                    account = poll.client.account().name,
                    region = poll.client.region(),
                    kind = poll.kind.name,
                    count,
                    "polling broke down and begins again"
                );
            }
            poll.broke_down(&status);
        }
        delay = poll.interval;
    }
}

/// Whether and how often accounts are audited.
#[derive(Debug, Clone, Copy)]
pub(super) struct Audits {
    pub(super) interval: Option<Duration>,
}

impl Audits {
    /// Starts the audits of an account, if there are to be any.
    pub(super) fn spawn(self, auditor: Auditor, page: &Page, tasks: &mut JoinSet<()>, all: &TaskTracker) {
        if let Some(interval) = self.interval {
            let of_account = |watched: &Watched| watched.account == auditor.account.name;
            let polls = page.watched().into_iter().filter(of_account).collect();
            tasks.spawn(all.track_future(keep_auditing(auditor, polls, interval)));
        }
    }
}

/// Audits once the polls had the first word: they tell whether the key is any good, and are what people wait for.
async fn keep_auditing(auditor: Auditor, polls: Vec<Watched>, interval: Duration) {
    let first_polls = future::join_all(polls.iter().map(Watched::tried));
    // What they did not tell by then, the audit finds out itself.
    tokio::time::timeout(FIRST_POLLS, first_polls).await.ok();
    auditor.run(interval).await;
}

/// A first listing of ten thousand instances takes some seconds.
const FIRST_POLLS: Duration = Duration::from_secs(30);

/// Between two first polls: ten a second, all accounts together, unless there are so many that this would take more
/// than half an interval.
const STEP: Duration = Duration::from_millis(100);

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicBool, Ordering};

    use super::*;

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn nothing_that_a_task_began_runs_on_once_it_is_ended() {
        let mut tasks = Tasks::default();
        let all = tasks.all.clone();
        let (begun, begins) = tokio::sync::oneshot::channel();
        let (_keeps_it_busy, busy) = std::sync::mpsc::channel::<()>();
        let done = Arc::new(AtomicBool::new(false));
        let told = Arc::clone(&done);
        tasks.spawn(async move {
            let mut polls = JoinSet::new();
            polls.spawn(all.track_future(async move {
                begun.send(()).unwrap();
                // A poll that is not at a point where it can be ended.
                let _never: Result<(), _> = busy.recv_timeout(Duration::from_millis(100));
                told.store(true, Ordering::SeqCst);
                future::pending::<()>().await;
            }));
            future::pending::<()>().await;
        });
        begins.await.unwrap();
        tasks.end().await;
        assert!(done.load(Ordering::SeqCst));
        assert_eq!(Arc::strong_count(&done), 1, "the poll is gone");
    }
}
