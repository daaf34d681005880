//! What a process is told by signals: to end, by SIGTERM and SIGINT, and to look again, by SIGHUP.
//!
//! By itself the kernel ends a process that does not listen, except the first of a process namespace, as vigie is in
//! its image: to that one a signal that it does not listen for is not delivered.

use std::process::exit;

use anyhow::Context as _;
use tokio::runtime::Runtime;
use tokio::signal::unix::{Signal, SignalKind, signal};

/// The signals that a command which goes on listens for, from when this is made: one that comes before anybody waits
/// for it is not lost.
pub(super) struct Signals {
    ends: Ends,
    hang_up: Signal,
}

impl Signals {
    pub(super) fn listen() -> anyhow::Result<Self> {
        Ok(Self {
            hang_up: signal(SignalKind::hangup()).context("listening for SIGHUP")?,
            ends: Ends::listen()?,
        })
    }

    /// The name of the signal that ends the process, once it comes. A SIGHUP stays to be answered.
    pub(super) async fn told_to_end(&mut self) -> &'static str {
        self.ends.next().await.0
    }

    /// Likewise, and `answer` is called on SIGHUP.
    pub(super) async fn answering(mut self, answer: impl Fn() + Send + 'static) -> &'static str {
        loop {
            tokio::select! {
                (name, _) = self.ends.next() => return name,
                _ = self.hang_up.recv() => answer(),
            }
        }
    }
}

struct Ends {
    terminate: Signal,
    interrupt: Signal,
}

impl Ends {
    fn listen() -> anyhow::Result<Self> {
        Ok(Self {
            terminate: signal(SignalKind::terminate()).context("listening for SIGTERM")?,
            interrupt: signal(SignalKind::interrupt()).context("listening for SIGINT")?,
        })
    }

    /// The next one's name and number.
    async fn next(&mut self) -> (&'static str, i32) {
        tokio::select! {
            _ = self.terminate.recv() => ("SIGTERM", SignalKind::terminate().as_raw_value()),
            _ = self.interrupt.recv() => ("SIGINT", SignalKind::interrupt().as_raw_value()),
        }
    }
}

/// Lets SIGTERM and SIGINT end the first process of a namespace as they end any other: wherever its command is.
#[expect(
    clippy::exit,
    reason = "the command may be in the midst of a call to the system, which main would have to wait for"
)]
pub(super) fn end_even_the_first_process(runtime: &Runtime) -> anyhow::Result<()> {
    if std::process::id() != FIRST {
        return Ok(());
    }
    let _listening = runtime.enter();
    let mut ends = Ends::listen()?;
    runtime.spawn(async move {
        let (_, number) = ends.next().await;
        exit(ENDED_BY_SIGNAL + number)
    });
    Ok(())
}

const FIRST: u32 = 1;

/// What shells add to the number of the signal that ended a process.
const ENDED_BY_SIGNAL: i32 = 128;
