//! Keys on loan are renewed before they run out, while polls go on.

use std::time::Duration;

use serde_json::json;
use tokio::process::Command;

use crate::cloud::Mint;
use crate::endpoints::{Scripted, metadata};
use crate::page::Page;
use crate::parts::{free_port, get, wait_for};
use crate::scene::Home;
use crate::vigie::Running;

/// `vigie run` in a home, polling five times a second.
pub(crate) struct Agent {
    pub(crate) running: Running,
    port: u16,
}

impl Agent {
    /// `home` has no settings yet; what it gets of accounts is for `accounts` to say.
    pub(crate) fn start(home: Home, accounts: impl FnOnce(Home) -> Home) -> (Self, Home) {
        let port = free_port();
        let head = format!("listen = \"127.0.0.1:{port}\"\ninterval = \"200ms\"\nstale_after = \"1m\"");
        let home = accounts(home.head(&head));
        let mut command: Command = home.vigie(&["run"]);
        let running = Running::start(command.env("VIGIE_LOG", "trace"));
        (Self { running, port }, home)
    }

    pub(crate) async fn wait_for_page(&self, what: &str, mut shows: impl FnMut(&Page) -> bool) -> Page {
        wait_for(what, async || {
            let text = get(&format!("http://127.0.0.1:{}/metrics", self.port)).await?;
            let page = Page::parse(&text);
            if shows(&page) {
                return Ok(page);
            }
            Err(format!("{text}\n{}", self.running.said()))
        })
        .await
    }

    /// Everything it said, in which no secret may be.
    pub(crate) async fn end(self) -> String {
        let (code, _, said) = self.running.end("TERM").await;
        assert_eq!(code, Some(0), "{said}");
        assert!(!said.contains("canary"), "{said}");
        said
    }
}

pub(crate) fn failed_polls(page: &Page) -> f64 {
    page.family("vigie_poll_failures_total")
        .map(|(_, value)| value)
        .sum()
}

/// Whether this is the key in force of any account.
pub(crate) fn shows_key(page: &Page, suffix: &str) -> bool {
    page.family("vigie_credentials_info")
        .any(|(series, _)| series.labels["access_key_suffix"] == suffix)
}

fn on_an_instance(service: &Scripted) -> Home {
    Home::new()
        .set("AWS_EC2_METADATA_DISABLED", "false")
        .set("AWS_EC2_METADATA_SERVICE_ENDPOINT", &service.url)
}

#[tokio::test]
async fn key_is_renewed_again_and_again_without_a_failed_poll() {
    let mint = Mint::lending_for(Duration::from_secs(8));
    let (cloud, lender) = (mint.cloud().await, mint.clone());
    let service = Scripted::start(metadata(move || lender.lend())).await;
    let (agent, _home) = Agent::start(on_an_instance(&service), |home| {
        let home = home.account("one", &cloud.url, "");
        home.account("other", &cloud.url, "requests_per_second = 100")
    });

    let page = agent
        .wait_for_page("the fourth key", |page| shows_key(page, "0004"))
        .await;

    assert_eq!((failed_polls(&page), mint.refused()), (0.0, 0), "{page:?}");
    for account in ["one", "other"] {
        let of = [("account", account)];
        let source = [("account", account), ("source", "imds")];
        assert_eq!(page.value("vigie_credentials_info", &source), Some(1.0));
        let expiry = page.value("vigie_credentials_expiry_timestamp_seconds", &of);
        assert!(
            expiry.unwrap()
                > page
                    .value("vigie_poll_last_success_timestamp_seconds", &of)
                    .unwrap()
        );
    }
    let said = agent.end().await;
    assert!(
        !said.contains("another key is in force"),
        "a key each hour is no news"
    );
    // Both accounts, all at once: whoever needs a key first asks for all.
    assert_eq!(service.asked().len(), 3 * mint.lent());
}

#[tokio::test]
async fn renewal_that_fails_leaves_the_old_key_in_force_and_is_told_once() {
    let mint = Mint::lending_for(Duration::from_secs(12));
    let (cloud, lender) = (mint.cloud().await, mint.clone());
    let mut lends = metadata(move || lender.lend());
    let (first, mut broken) = (mint.clone(), 0);
    let service = Scripted::start(move |asked| {
        // Ahead of the end of the first key, its next is not to be had, twice.
        if first.lent() == 1 && broken < 2 && asked.method == "PUT" {
            broken += 1;
            return Some((500, "canary".to_owned()));
        }
        lends(asked)
    })
    .await;
    let (agent, _home) = Agent::start(on_an_instance(&service), |home| {
        home.account("prod", &cloud.url, "")
    });

    let page = agent
        .wait_for_page("the second key", |page| shows_key(page, "0002"))
        .await;

    assert_eq!((failed_polls(&page), mint.refused()), (0.0, 0), "{page:?}");
    let said = agent.end().await;
    let told = said
        .lines()
        .filter(|line| line.contains("going on with the old one"));
    let told: Vec<_> = told.collect();
    assert_eq!(told.len(), 1, "{told:?}");
    assert!(
        told[0].contains("WARN") && told[0].contains("HTTP 500"),
        "{told:?}"
    );
}

#[tokio::test]
async fn key_that_the_cloud_takes_back_is_replaced_by_one_refresh_and_one_retry() {
    let mint = Mint::lending_for(Duration::from_secs(3600));
    let (cloud, lender) = (mint.cloud().await, mint.clone());
    let service = Scripted::start(metadata(move || lender.lend())).await;
    let (agent, _home) = Agent::start(on_an_instance(&service), |home| {
        home.account("prod", &cloud.url, "")
    });
    agent
        .wait_for_page("the first key", |page| shows_key(page, "0001"))
        .await;

    mint.revoke();

    let page = agent
        .wait_for_page("the second key", |page| shows_key(page, "0002"))
        .await;
    assert_eq!(
        (failed_polls(&page), mint.refused(), mint.lent()),
        (0.0, 1, 2),
        "{page:?}"
    );
    agent.end().await;
}

/// A role on the key of the instance: both are asked for anew each time, and neither ends.
#[tokio::test]
async fn role_on_a_key_on_loan_is_renewed_with_it() {
    let (base, roles) = (
        Mint::lending_for(Duration::from_secs(3600)),
        Mint::lending_for(Duration::from_secs(8)),
    );
    let cloud = roles.cloud().await;
    let service = Scripted::start(metadata({
        let base = base.clone();
        move || base.lend()
    }))
    .await;
    let sts = Scripted::start({
        let roles = roles.clone();
        move |asked| {
            let signed = asked.signed_by().is_some() && asked.headers.contains_key("x-amz-security-token");
            assert!(
                signed && asked.body.contains("Action=AssumeRole&"),
                "{}",
                asked.body
            );
            Some((200, roles.assumed("AssumeRole")))
        }
    })
    .await;
    let lines = format!(
        "assume_role = {{ arn = \"arn:aws:iam::123456789012:role/watcher\" }}\nsigning_names = {{ sts = {} }}",
        json!("sts")
    );
    let home = on_an_instance(&service).set("AWS_ENDPOINT_URL", &sts.url);
    let (agent, _home) = Agent::start(home, |home| home.account("prod", &cloud.url, &lines));

    let page = agent
        .wait_for_page("the third role", |page| shows_key(page, "0003"))
        .await;

    assert_eq!((failed_polls(&page), roles.refused()), (0.0, 0), "{page:?}");
    assert!(
        page.value("vigie_credentials_info", &[("source", "assume_role")])
            .is_some()
    );
    agent.end().await;
}
