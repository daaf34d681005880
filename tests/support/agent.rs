//! `vigie run` as a process: started, scraped and ended from outside.

use std::fs::File;
use std::path::PathBuf;
use std::process::Stdio;

use tempfile::TempDir;
use tokio::process::Child;

use crate::home::{Account, Home};
use crate::page::Page;
use crate::parts::{DEADLINE, HTTP, command, free_port, get, wait_for};

/// A running agent; it dies with the value, if it was not ended before.
pub(crate) struct Agent {
    pub(crate) port: u16,
    log: PathBuf,
    process: Child,
    _folder: TempDir,
    _home: Home,
}

impl Agent {
    /// Run with `head` before the first account, until every kind has been tried once.
    pub(crate) async fn run(head: &str, accounts: &[Account<'_>]) -> Self {
        let port = free_port();
        let home = Home::new(&format!("listen = \"127.0.0.1:{port}\"\n{head}"), accounts);
        let folder = tempfile::tempdir().expect("a temporary folder can be made");
        let log = folder.path().join("log");
        let file = File::create(&log).expect("the log can be made");
        let process = home
            .vigie(&["run"])
            .stdout(Stdio::null())
            .stderr(file)
            .spawn()
            .expect("vigie starts");
        let agent = Self {
            port,
            log,
            process,
            _folder: folder,
            _home: home,
        };
        wait_for("the agent to be ready", async || {
            let ready = get(&agent.url("/-/ready")).await;
            ready.map_err(|error| format!("{error}\n{}", agent.log()))
        })
        .await;
        agent
    }

    pub(crate) async fn page(&self) -> Page {
        Page::parse(&self.text("text/plain;version=0.0.4").await)
    }

    /// The page in the first format of `accept` that the agent speaks.
    pub(crate) async fn text(&self, accept: &str) -> String {
        let answer = async {
            let request = HTTP.get(self.url("/metrics")).header("accept", accept);
            request.send().await?.error_for_status()?.text().await
        };
        answer
            .await
            .unwrap_or_else(|error| panic!("the page cannot be had: {error:?}\n{}", self.log()))
    }

    /// Wait for a page that shows something.
    pub(crate) async fn wait_for_page(&self, what: &str, mut shows: impl FnMut(&Page) -> bool) -> Page {
        wait_for(what, async || {
            let page = self.page().await;
            if shows(&page) {
                Ok(page)
            } else {
                Err(format!("{page:?}\n{}", self.log()))
            }
        })
        .await
    }

    /// Ask it to end, as an init system would, and see how it did.
    pub(crate) async fn end(mut self) {
        let id = self.process.id().expect("the agent is running").to_string();
        let killed = command("sh")
            .args(["-c", "kill -TERM \"$1\"", "kill", &id])
            .status()
            .await;
        assert!(
            killed.expect("a shell starts").success(),
            "the agent had ended before:\n{}",
            self.log()
        );
        let ended = tokio::time::timeout(DEADLINE, self.process.wait()).await;
        let status = ended
            .expect("the agent ends when asked to")
            .expect("the child can be waited for");
        assert!(status.success(), "{status}:\n{}", self.log());
    }

    pub(crate) fn url(&self, path: &str) -> String {
        format!("http://127.0.0.1:{}{path}", self.port)
    }

    fn log(&self) -> String {
        std::fs::read_to_string(&self.log).expect("the log can be read")
    }
}
