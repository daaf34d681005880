//! The clients: they keep their connections, and look at every page there is.

use std::io::Read as _;
use std::sync::Arc;
use std::time::Duration;

use fastrand::Rng;
use flate2::read::GzDecoder;
use reqwest::header::{ACCEPT, ACCEPT_ENCODING, CONTENT_ENCODING};
use tokio::time::sleep;

use crate::account::Account;
use crate::now;
use crate::page::Page;
use crate::reading::CALM;
use crate::scene::{Scene, VISITOR};
use crate::shown::as_text_format;

/// What comes of one request.
struct Answer {
    status: u16,
    text: String,
    /// When it was asked for and when it had come.
    times: (f64, f64),
}

struct Client {
    scene: Arc<Scene>,
    http: reqwest::Client,
}

/// Scrapes until the future is dropped.
pub(crate) async fn scrape(scene: Arc<Scene>, client: u64, seed: u64) {
    let mut rng = Rng::with_seed(seed);
    let http = reqwest::Client::builder()
        .no_proxy()
        .timeout(Duration::from_secs(30))
        .build()
        .expect("a client of fixed settings can be built");
    let of = Client { scene, http };
    let mut turn = 0;
    loop {
        turn += 1;
        match (client, turn % 8) {
            (0, _) => of.metrics(false, false).await,
            (1, _) => of.metrics(true, false).await,
            (2, _) => of.metrics(false, true).await,
            (_, 0) => of.page_for_people().await,
            (_, 1 | 5) => of.readiness().await,
            (_, 2 | 6) => of.targets(&of.scene.accounts[0]).await,
            (_, 3 | 7) => of.targets(&of.scene.accounts[1]).await,
            (_, _) => of.metrics(true, true).await,
        }
        sleep(Duration::from_millis(rng.u64(50..550))).await;
    }
}

impl Client {
    async fn metrics(&self, open: bool, gzip: bool) {
        let accept = if open {
            "application/openmetrics-text;version=1.0.0"
        } else {
            "text/plain;version=0.0.4"
        };
        let Some(Answer { status, text, times }) = self.get("/metrics", accept, gzip).await else {
            return;
        };
        let scene = self.scene.clone();
        let checked = tokio::task::spawn_blocking(move || {
            assert_eq!(status, 200);
            let page = if open {
                Page::parse(&as_text_format(&text))
            } else {
                Page::parse(&text)
            };
            scene.checker.check(&scene, &page, times);
        });
        if let Err(broken) = checked.await {
            let told = format!("a page of {accept} could not be read: {broken}");
            self.scene.report.violation("format", &told);
        }
        self.scene.report.count(|figures| figures.pages += 1);
    }

    async fn page_for_people(&self) {
        let Some(Answer { status, text, times }) = self.get("/", "text/html", true).await else {
            return;
        };
        if status != 200 || !text.trim_end().ends_with("</html>") {
            let told = format!("the page for people: {status} {text}");
            self.scene.report.violation("people", &told);
        }
        let changes = &self.scene.account(VISITOR).changes;
        if changes.is_hopeless(times.0, times.1) && text.contains(VISITOR) {
            let told = "the page for people names an account that is not in the settings";
            self.scene.report.violation("kept", told);
        }
    }

    async fn readiness(&self) {
        if let Some(Answer { status, text, .. }) = self.get("/-/ready", "*/*", false).await
            && status != 200
        {
            self.scene.report.violation("ready", &format!("{status} {text}"));
        }
    }

    async fn targets(&self, account: &Account) {
        let path = format!("/sd/instances?account={}", account.name);
        let Some(Answer { status, text, times }) = self.get(&path, "application/json", true).await else {
            return;
        };
        let report = &self.scene.report;
        if status != 200 {
            // As where it cannot be told.
            let is_calm = account.is_calm(times.0 - CALM, times.1);
            // An account that begins anew is watched by nobody for a moment.
            let is_kept = account.changes.is_calm(times.0, times.1);
            if (status != 503 && is_kept) || (is_calm && !report.leaves_open(times.0 - CALM)) {
                report.violation("targets", &format!("{status} {text}"));
            }
            return;
        }
        let list: Result<Vec<serde_json::Value>, _> = serde_json::from_str(&text);
        let Ok(list) = list else {
            return report.violation("targets", &format!("not a list: {text}"));
        };
        let targets: Vec<[String; 3]> = list
            .iter()
            .map(|target| {
                ["instance_id", "instance_state", "region"].map(|name| {
                    let label = &target["labels"][format!("__meta_ec2_{name}")];
                    label.as_str().unwrap_or_default().to_owned()
                })
            })
            .collect();
        self.scene.checker.check_targets(account, &targets, times);
    }

    async fn get(&self, path: &str, accept: &str, gzip: bool) -> Option<Answer> {
        let sent = now();
        let encoding = if gzip { "gzip" } else { "identity" };
        let request = self.http.get(format!("{}{path}", self.scene.url));
        let request = request.header(ACCEPT, accept).header(ACCEPT_ENCODING, encoding);
        let answer = async {
            let answer = request.send().await?;
            let status = answer.status().as_u16();
            let is_gzip = answer
                .headers()
                .get(CONTENT_ENCODING)
                .is_some_and(|value| value == "gzip");
            Ok::<_, reqwest::Error>((status, is_gzip, answer.bytes().await?))
        };
        let answer = answer.await;
        let times = (sent, now());
        self.scene.report.count(|figures| figures.requests += 1);
        self.scene.report.took(times);
        let text = match &answer {
            Ok((_, true, body)) => {
                let mut text = String::new();
                let inflated = GzDecoder::new(&body[..]).read_to_string(&mut text);
                inflated.map(|_| text).map_err(|error| error.to_string())
            }
            Ok((_, false, body)) => String::from_utf8(body.to_vec()).map_err(|error| error.to_string()),
            Err(error) => Err(format!("{error:?}")),
        };
        match (answer, text) {
            (Ok((status, ..)), Ok(text)) => Some(Answer { status, text, times }),
            (_, text) => {
                let told = format!("{path} cannot be had: {}", text.err().unwrap_or_default());
                self.scene.report.violation("request", &told);
                None
            }
        }
    }
}
