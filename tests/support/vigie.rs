//! The built binary: run to its end with everything it says kept, or started and told to end.

use std::fs::File;
use std::process::Stdio;
use std::time::Duration;

use tempfile::{NamedTempFile, TempPath};
use tokio::process::{Child, Command};
use tokio::time::Instant;

use crate::parts::{DEADLINE, command, wait_for};

/// What `vigie` said and how it ended.
pub(crate) struct Run {
    pub(crate) code: Option<i32>,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

/// `vigie` in the background; it dies with the value, if it was not ended before.
pub(crate) struct Running {
    process: Child,
    log: TempPath,
}

pub(crate) fn vigie(arguments: &[&str]) -> Command {
    let mut vigie = command(env!("CARGO_BIN_EXE_vigie"));
    vigie.args(arguments);
    vigie
}

pub(crate) async fn run(command: &mut Command) -> Run {
    let output = tokio::time::timeout(DEADLINE, command.stdin(Stdio::null()).output()).await;
    let output = output.expect("vigie ends").expect("vigie starts");
    Run {
        code: output.status.code(),
        stdout: String::from_utf8(output.stdout).expect("what is printed is UTF-8"),
        stderr: String::from_utf8(output.stderr).expect("what is said is UTF-8"),
    }
}

impl Running {
    pub(crate) fn start(command: &mut Command) -> Self {
        let (file, log) = NamedTempFile::new()
            .expect("a temporary file can be made")
            .into_parts();
        Self {
            process: spawn(command, file),
            log,
        }
    }

    /// Everything it said so far.
    pub(crate) fn said(&self) -> String {
        std::fs::read_to_string(&self.log).expect("what is said is UTF-8")
    }

    /// Wait until it has said something.
    pub(crate) async fn wait_to_say<T>(&self, what: &str, mut find: impl FnMut(&str) -> Option<T>) -> T {
        wait_for(what, async || {
            let said = self.said();
            find(&said).ok_or(said)
        })
        .await
    }

    /// Send it a signal: how it ended, and how long that took.
    pub(crate) async fn end(mut self, signal: &str) -> (Option<i32>, Duration, String) {
        let sent_at = Instant::now();
        self.signal(signal).await;
        let ended = tokio::time::timeout(DEADLINE, self.process.wait()).await;
        let status = ended
            .expect("vigie ends when told to")
            .expect("the child can be waited for");
        (status.code(), sent_at.elapsed(), self.said())
    }

    /// Send it a signal, which it has to be there for.
    pub(crate) async fn signal(&self, signal: &str) {
        let id = self.process.id().expect("vigie is running").to_string();
        let sent = command("sh")
            .args(["-c", "kill -s \"$1\" \"$2\"", "kill", signal, &id])
            .status()
            .await
            .expect("a shell starts");
        assert!(sent.success(), "vigie had ended before:\n{}", self.said());
    }
}

fn spawn(command: &mut Command, said: File) -> Child {
    command
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(said)
        .spawn()
        .expect("vigie starts")
}
