//! Other settings for `vigie run`, by SIGHUP and by `POST /-/reload`.

use std::fs;
use std::path::PathBuf;

use ::vigie::demo::Options;
use reqwest::StatusCode;

use crate::demo::Demo;
use crate::page::Page;
use crate::parts::{HTTP, free_port, get, wait_for};
use crate::vigie::{Running, vigie};

const KINDS: &str = "kinds = [\"instances\"]";

struct Scene {
    demo: Demo,
    settings: PathBuf,
    agent: Running,
    url: String,
}

impl Scene {
    async fn start(arguments: &[&str]) -> Self {
        let demo = Demo::start(Options::default()).await;
        let url = format!("http://127.0.0.1:{}", free_port());
        let head = format!("listen = {:?}", url.trim_start_matches("http://"));
        let settings = demo.settings(&head, KINDS);
        let agent = Running::start(vigie(&["run", "--config"]).arg(&settings).args(arguments));
        wait_for("the agent to be ready", async || {
            get(&format!("{url}/-/ready")).await
        })
        .await;
        Self {
            demo,
            settings,
            agent,
            url,
        }
    }

    /// Writes the settings anew, with these lines in the account.
    fn write(&self, lines: &str) {
        let head = format!("listen = {:?}", self.url.trim_start_matches("http://"));
        let settings = self.demo.settings(&head, &format!("{KINDS}\n{lines}"));
        assert_eq!(settings, self.settings);
    }

    async fn page(&self) -> Page {
        Page::parse(&get(&format!("{}/metrics", self.url)).await.expect("a page"))
    }

    async fn wait_for_page(&self, what: &str, shows: impl Fn(&Page) -> bool) -> Page {
        wait_for(what, async || {
            let page = self.page().await;
            if shows(&page) {
                Ok(page)
            } else {
                Err(self.agent.said())
            }
        })
        .await
    }

    async fn post(&self) -> (StatusCode, String) {
        let answer = HTTP
            .post(format!("{}/-/reload", self.url))
            .send()
            .await
            .expect("an answer");
        (answer.status(), answer.text().await.expect("a text"))
    }
}

fn successful(page: &Page) -> Option<f64> {
    page.value("vigie_config_last_reload_successful", &[])
}

fn shows_tags(page: &Page) -> bool {
    page.family("cloud_instance_tags").count() > 0
}

#[tokio::test]
async fn sighup_takes_good_settings_and_leaves_bad_ones() {
    let scene = Scene::start(&[]).await;
    assert!(!shows_tags(&scene.page().await));

    scene.write("tags = [\"env\"]");
    scene.agent.signal("HUP").await;
    scene.wait_for_page("the tags", shows_tags).await;

    fs::write(&scene.settings, "interval = 5\n").expect("the settings can be written");
    scene.agent.signal("HUP").await;
    let page = scene
        .wait_for_page("the refusal", |page| successful(page) == Some(0.0))
        .await;
    assert!(shows_tags(&page), "the settings in force stay");
    let said = scene.agent.said();
    assert!(
        said.contains("the settings in force stay") && said.contains("write \"5s\""),
        "{said}"
    );

    scene.write("");
    scene.agent.signal("HUP").await;
    scene
        .wait_for_page("settings without tags", |page| {
            successful(page) == Some(1.0) && !shows_tags(page)
        })
        .await;
    let (code, _, said) = scene.agent.end("TERM").await;
    assert_eq!(code, Some(0), "{said}");
}

#[tokio::test]
async fn post_reloads_only_where_it_is_allowed_and_says_what_came_of_it() {
    let scene = Scene::start(&["--enable-lifecycle"]).await;
    scene.write("tags = [\"*\"]");
    let (status, text) = scene.post().await;
    assert_eq!(
        (status, text.as_str()),
        (StatusCode::OK, "the settings are in force\n")
    );
    scene.wait_for_page("the tags", shows_tags).await;

    // As a browser asks for a page of somewhere else.
    scene.write("");
    let forged = HTTP
        .post(format!("{}/-/reload", scene.url))
        .header("Origin", "http://evil.example")
        .send()
        .await
        .expect("an answer");
    assert_eq!(forged.status(), StatusCode::FORBIDDEN);
    assert!(shows_tags(&scene.page().await), "nothing is read");

    scene.write("ca_bundle = \"nowhere.pem\"");
    let (status, text) = scene.post().await;
    assert_eq!(status, StatusCode::INTERNAL_SERVER_ERROR);
    assert!(
        text.starts_with("the settings in force stay: account `demo`: cannot read the CA bundle"),
        "{text}"
    );
    assert_eq!(successful(&scene.page().await), Some(0.0));
    let asked = HTTP
        .get(format!("{}/-/reload", scene.url))
        .send()
        .await
        .expect("an answer");
    assert_eq!(asked.status(), StatusCode::METHOD_NOT_ALLOWED);

    let closed = Scene::start(&[]).await;
    assert_eq!(closed.post().await.0, StatusCode::NOT_FOUND);
}
