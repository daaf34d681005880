//! What moto cannot be: OUTSCALE, which is slow to know a new key and locks who tries it too early; and a cloud with
//! an agent at work while its key is renewed.

use std::path::Path;
use std::time::Duration;

use ::vigie::demo::Options;
use ::vigie::provider::Provider;
use ::vigie::resources::default_kinds_of;
use serde_json::{Value, json};

use crate::client::Client;
use crate::demo::Demo;
use crate::demo_scene::{actions, as_root, aws, id_in, on, outscale, with_key};
use crate::page::Page;
use crate::parts::{free_port, get, wait_for};
use crate::scene::{assert_told, assert_untold};
use crate::vigie::{Running, run, vigie};

/// Side by side, as each of them waits most of the time.
#[tokio::test]
async fn cloud_that_is_slow_to_know_is_waited_for() {
    tokio::join!(
        identity_is_made_at_outscale_and_nothing_is_locked(),
        agent_notices_nothing_of_a_rotation(outscale()),
        agent_notices_nothing_of_a_rotation(aws()),
    );
}

async fn identity_is_made_at_outscale_and_nothing_is_locked() {
    let demo = Demo::start(outscale()).await;
    let home = tempfile::tempdir().expect("a temporary folder can be made");
    let out = home.path().join("creds");
    let out = out.to_str().expect("the path is text");

    let made = run(&mut as_root(
        &demo,
        Provider::Outscale,
        "bootstrap",
        &["--out", out],
    ))
    .await;

    assert_eq!(made.code, Some(0), "{}", made.stderr);
    assert_told(&made, &["you are arn:aws:iam::123456789012:root"]);
    let requests = demo.cloud.requests();
    for request in &requests {
        assert!(
            ["fcu", "lbu", "eim"].contains(&request.service.as_str()),
            "{request:?}"
        );
        assert_ne!(
            request.status, 401,
            "a key is tried that is not known: {request:?}"
        );
        assert!(
            !request.parameters.values().any(|value| value.contains("orn:")),
            "{request:?}"
        );
    }
    assert_eq!(demo.cloud.times_locked_out(), 0);
    let first = &requests[0];
    assert_eq!(
        (first.action.as_str(), first.parameter("UserName")),
        ("GetUser", None)
    );
    let created = requests.iter().find(|request| request.action == "CreatePolicy");
    let document = created.and_then(|request| request.parameter("PolicyDocument"));
    let document: Value = serde_json::from_str(document.expect("a policy was made")).expect("it is JSON");
    let kinds = default_kinds_of(Provider::Outscale);
    let actions = kinds.iter().flat_map(|kind| kind.actions);
    let mut allowed: Vec<_> = actions.map(|action| action.policy_name()).collect();
    allowed.sort();
    let statement = json!({"Effect": "Allow", "Action": allowed, "Resource": ["*"]});
    assert_eq!(document, json!({"Statement": [statement]}));

    let once = run(&mut on(
        &demo,
        Provider::Outscale,
        "once",
        &["--credentials-file", out],
    ))
    .await;
    assert_eq!((once.code, once.stderr.as_str()), (Some(0), ""));
    let id = id_in(Path::new(out));
    demo.cloud.forget_requests();
    let again = run(&mut as_root(
        &demo,
        Provider::Outscale,
        "bootstrap",
        &["--out", out],
    ))
    .await;
    assert_eq!(again.code, Some(0), "{}", again.stderr);
    assert_eq!(id_in(Path::new(out)), id);
    // Of what changes something, only what is sent to be denied was sent.
    let sent = demo.cloud.requests();
    let changing = |action: &str| {
        let verbs = [
            "Create", "Delete", "Attach", "Detach", "Add", "Remove", "Update", "Put", "Set",
        ];
        verbs.iter().any(|verb| action.starts_with(verb))
    };
    let done = sent
        .iter()
        .filter(|request| changing(&request.action) && request.status == 200);
    assert_eq!(done.count(), 0, "{sent:?}");
    assert_eq!(demo.cloud.times_locked_out(), 0);
}

/// The agent polls and is scraped every 200 ms; in none of that does the rotation show.
async fn agent_notices_nothing_of_a_rotation(options: Options) {
    let provider = options.provider;
    let demo = Demo::start(Options {
        load_balancers: 2,
        ..options
    })
    .await;
    let port = free_port();
    let settings = demo.settings(
        &format!("listen = \"127.0.0.1:{port}\"\ninterval = \"200ms\"\n"),
        "",
    );
    let out = settings.with_file_name("credentials");
    let agent = Running::start(vigie(&["run", "--config"]).arg(&settings));
    wait_for("the agent to be ready", async || {
        let ready = get(&format!("http://127.0.0.1:{port}/-/ready")).await;
        ready.map_err(|error| format!("{error}\n{}", agent.said()))
    })
    .await;
    let old = id_in(&out);
    assert_eq!(old, demo.key.access_key_id);

    let path = out.to_str().expect("the path is text");
    let mut rotate = as_root(
        &demo,
        provider,
        "rotate",
        &["--user", "watcher", "--grace", "3s", "--out", path],
    );
    let scraping = async {
        loop {
            assert_unharmed(&scrape(port).await, provider, &agent);
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
    };
    let rotated = tokio::select! {
        rotated = run(&mut rotate) => rotated,
        () = scraping => unreachable!("it goes on until the rotation has ended"),
    };

    assert_eq!(rotated.code, Some(0), "{provider}: {}", rotated.stderr);
    let new = id_in(&out);
    assert_ne!(new, old);
    let polls_with = |id: &str| {
        let requests = demo.cloud.requests();
        let polls = requests
            .iter()
            .filter(|request| request.access_key_id == id && request.status == 200);
        polls
            .filter(|request| request.action == "DescribeInstances")
            .count()
    };
    assert!(polls_with(&old) > 0, "the agent has not polled");
    let refused: Vec<_> = demo.cloud.requests();
    let refused = refused
        .iter()
        .filter(|request| request.access_key_id == old && request.status != 200);
    assert_eq!(refused.count(), 0);
    demo.cloud.forget_requests();
    wait_for("polls with the new key", async || {
        if polls_with(&new) >= 3 {
            Ok(())
        } else {
            Err(agent.said())
        }
    })
    .await;
    let page = scrape(port).await;
    assert_unharmed(&page, provider, &agent);
    let suffix: String = new.chars().skip(new.len() - 4).collect();
    assert!(!old.ends_with(&suffix), "the keys cannot be told apart");
    let shown = [
        ("account", "demo"),
        ("source", "file"),
        ("access_key_suffix", suffix.as_str()),
    ];
    assert_eq!(
        page.value("vigie_credentials_info", &shown),
        Some(1.0),
        "{page:?}"
    );
    assert_eq!(page.family("vigie_credentials_info").count(), 1);
    let users = demo.cloud.requests();
    assert!(
        users.iter().all(|request| request.access_key_id == new),
        "{users:?}"
    );
    assert_eq!(demo.cloud.times_locked_out(), 0);
}

async fn scrape(port: u16) -> Page {
    let page = get(&format!("http://127.0.0.1:{port}/metrics")).await;
    Page::parse(&page.expect("the page can be had"))
}

/// Every poll so far has succeeded.
fn assert_unharmed(page: &Page, provider: Provider, agent: &Running) {
    let failed = page
        .family("vigie_poll_failures_total")
        .find(|(_, value)| *value != 0.0);
    assert!(failed.is_none(), "{failed:?}\n{}", agent.said());
    let polls: Vec<_> = page.family("vigie_poll_success").collect();
    assert_eq!(polls.len(), default_kinds_of(provider).len(), "{polls:?}");
    assert!(
        polls.iter().all(|(_, value)| *value > 0.0),
        "{polls:?}\n{}",
        agent.said()
    );
}

#[tokio::test]
async fn wrong_secret_of_the_admin_is_tried_once_at_outscale() {
    let demo = Demo::start(outscale()).await;
    let wrong = "aWrongSecretThatNobodyMayEverReadAgain00";
    let id = demo.cloud.admin_key().access_key_id;
    for (command, further) in [
        ("bootstrap", &["--out", "creds"][..]),
        ("rotate", &["--out", "creds"]),
        ("teardown", &["--yes"]),
    ] {
        let home = tempfile::tempdir().expect("a temporary folder can be made");
        demo.cloud.forget_requests();
        let mut vigie = with_key(
            on(&demo, Provider::Outscale, command, further),
            Provider::Outscale,
            &id,
            wrong,
        );
        let run = run(vigie.current_dir(home.path()).env("VIGIE_LOG", "trace")).await;

        assert_eq!(run.code, Some(1), "{command}: {}", run.stderr);
        assert_untold(&run, wrong);
        assert_told(&run, &["GetUser", "check that the key is whole"]);
        assert_eq!(demo.cloud.requests().len(), 1, "{command}");
    }
    assert_eq!(demo.cloud.times_locked_out(), 0);
}

#[tokio::test]
async fn rotation_at_the_limit_of_keys_names_which_goes_first() {
    let demo = Demo::start(aws()).await;
    let out = demo.settings("", "").with_file_name("credentials");
    let path = out.to_str().expect("the path is text");
    let before = std::fs::read(&out).expect("the file can be read");
    let made = Client::admin(&demo.cloud, "iam")
        .call("CreateAccessKey", &[("UserName", "watcher")])
        .await;
    let spare = made.one("AccessKeyId");
    demo.cloud.forget_requests();

    let run = run(&mut as_root(
        &demo,
        Provider::Aws,
        "rotate",
        &["--user", "watcher", "--out", path],
    ))
    .await;

    assert_eq!(run.code, Some(3), "{}", run.stderr);
    assert_told(
        &run,
        &[
            &format!("{spare} has to go first"),
            &format!("--delete-key {spare}"),
        ],
    );
    assert_eq!(std::fs::read(&out).expect("the file can be read"), before);
    assert!(!actions(&demo).contains("DeleteAccessKey"));
    assert_eq!(
        std::fs::read_dir(out.parent().expect("it is in a folder"))
            .expect("it can be listed")
            .count(),
        2
    );
}
