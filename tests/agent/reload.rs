//! Other settings for a running agent: what is unchanged goes on, what is gone leaves no trace.

use std::time::Duration;

use vigie::demo::{Cloud, Options, Request};
use vigie::exposition::Format;

use crate::bench::{ACTIONS, Account, Bench, asked, certificate, cloud, pass, regions, still, watcher};
use crate::page::Page;

const LIST: &str = "DescribeInstances";
const HEAD: &str = "interval = \"60s\"";

fn account(cloud: &Cloud, name: &'static str) -> Account {
    Account {
        name,
        ..Account::new(cloud, &cloud.create_describe_only_user(name, &ACTIONS))
    }
}

fn value(page: &Page, name: &str, account: &'static str) -> Option<f64> {
    page.value(name, &[("account", account), ("kind", "instances")])
}

#[tokio::test(start_paused = true)]
async fn unchanged_account_keeps_its_reading_and_its_turn() {
    let cloud = cloud(still()).await;
    let (kept, changed, gone) = (
        account(&cloud, "kept"),
        account(&cloud, "changed"),
        account(&cloud, "gone"),
    );
    let mut bench = Bench::new(HEAD, &[kept.clone(), changed.clone(), gone]);
    bench.start();
    pass(20).await;
    let before = bench.shown();
    let polled = value(&before, "vigie_poll_last_success_timestamp_seconds", "kept");
    assert!(polled.is_some());
    cloud.forget_requests();

    let new = account(&cloud, "new");
    let changed = Account {
        lines: "tags = [\"env\"]\nkinds = [\"instances\"]",
        ..changed
    };
    bench.reload(HEAD, &[new, kept.clone(), changed]).await.unwrap();

    let at_once = bench.shown();
    assert_eq!(
        value(&at_once, "vigie_poll_last_success_timestamp_seconds", "kept"),
        polled
    );
    assert!(
        at_once
            .value("cloud_instance_state", &[("account", "gone")])
            .is_none()
    );
    pass(5).await;
    let page = bench.shown();
    let shown = |account: &str, family: &str| {
        page.family(family)
            .filter(|(series, _)| series.labels["account"] == account)
            .count()
    };
    for name in ["kept", "changed", "new"] {
        assert_eq!(
            shown(name, "cloud_instance_info"),
            cloud.fleet().instances().len(),
            "{name}"
        );
    }
    assert_eq!(
        (
            shown("changed", "cloud_load_balancer_info"),
            shown("kept", "cloud_load_balancer_info")
        ),
        (0, 5)
    );
    assert!(shown("changed", "cloud_instance_tags") > 0);
    let text = bench.text(Format::Text);
    assert!(!text.contains("account=\"gone\""), "{text}");
    let of_kept = |request: &&Request| request.access_key_id == kept.key.access_key_id;
    let asked = asked(&cloud, LIST);
    assert_eq!(
        (asked.iter().filter(of_kept).count(), asked.len()),
        (0, 2),
        "the kept one was polled anew"
    );
    assert_eq!(page.value("vigie_config_last_reload_successful", &[]), Some(1.0));

    pass(60).await;
    let again = value(
        &bench.shown(),
        "vigie_poll_last_success_timestamp_seconds",
        "kept",
    );
    assert!(again > polled, "it is polled on");
}

#[tokio::test(start_paused = true)]
async fn settings_that_cannot_be_taken_change_nothing() {
    let cloud = cloud(still()).await;
    let kept = account(&cloud, "kept");
    let mut bench = Bench::new(HEAD, std::slice::from_ref(&kept));
    bench.start();
    pass(20).await;

    let without_a_bundle = Account {
        lines: "ca_bundle = \"nowhere.pem\"",
        ..account(&cloud, "other")
    };
    let told = bench.reload(HEAD, &[kept, without_a_bundle]).await.unwrap_err();

    assert!(
        told.contains("account `other`") && told.contains("nowhere.pem"),
        "{told}"
    );
    let page = bench.shown();
    assert_eq!(page.value("vigie_config_last_reload_successful", &[]), Some(0.0));
    assert_eq!(value(&page, "vigie_poll_success", "kept"), Some(1.0));
    assert!(!bench.text(Format::Text).contains("account=\"other\""));
    cloud.forget_requests();
    pass(61).await;
    assert_eq!(asked(&cloud, LIST).len(), 1, "it is polled on");
}

#[tokio::test(start_paused = true)]
async fn regions_and_limits_follow_the_settings() {
    let cloud = cloud(Options {
        regions: regions(&["eu-west-2", "us-east-2"]),
        ..still()
    })
    .await;
    let key = watcher(&cloud);
    let of = |regions| Account {
        regions,
        lines: "kinds = [\"instances\"]",
        ..Account::new(&cloud, &key)
    };
    let mut bench = Bench::new(HEAD, &[of(&["eu-west-2"])]);
    bench.start();
    pass(20).await;

    bench.reload(HEAD, &[of(&["us-east-2"])]).await.unwrap();
    pass(20).await;
    let page = bench.shown();
    let shown: Vec<&str> = page
        .family("cloud_instance_info")
        .map(|(series, _)| series.labels["region"].as_str())
        .collect();
    assert!(
        !shown.is_empty() && shown.iter().all(|region| *region == "us-east-2"),
        "{shown:?}"
    );

    // A shorter life takes effect on what is there.
    bench
        .reload("interval = \"60s\"\nstale_after = \"61s\"", &[of(&["us-east-2"])])
        .await
        .unwrap();
    tokio::time::sleep(Duration::from_secs(5)).await;
    assert_eq!(
        bench
            .shown()
            .value("vigie_poll_success", &[("kind", "instances")]),
        Some(1.0)
    );
}

#[tokio::test(start_paused = true)]
async fn what_is_new_in_a_certificates_file_is_taken_and_other_accounts_go_on() {
    let cloud = cloud(still()).await;
    let with = |name, lines| Account {
        lines,
        ..account(&cloud, name)
    };
    let accounts = [
        with("trusts", "kinds = [\"instances\"]\nca_bundle = \"ca.pem\""),
        with(
            "shows",
            "kinds = [\"instances\"]\nclient_certificate = \"client.pem\"",
        ),
        with(
            "neither",
            "kinds = [\"instances\"]\nca_bundle = \"same.pem\"\nclient_certificate = \"same.pem\"",
        ),
    ];
    let mut bench = Bench::one(account(&cloud, "first"));
    bench.start();
    for file in ["ca.pem", "client.pem", "same.pem"] {
        bench.write(file, &certificate());
    }
    bench.reload(HEAD, &accounts).await.unwrap();
    pass(20).await;
    for (file, account) in [("nothing", None), ("ca.pem", Some(0)), ("client.pem", Some(1))] {
        cloud.forget_requests();
        bench.write(file, &certificate());
        bench.reload(HEAD, &accounts).await.unwrap();
        pass(5).await;
        let polled: Vec<String> = asked(&cloud, LIST)
            .into_iter()
            .map(|request| request.access_key_id)
            .collect();
        let changed: Option<&Account> = account.map(|index: usize| &accounts[index]);
        let changed: Vec<String> = changed
            .iter()
            .map(|account| account.key.access_key_id.clone())
            .collect();
        assert_eq!(polled, changed, "{file}");
    }

    bench.write("ca.pem", "half a certificate");
    let told = bench.reload(HEAD, &accounts).await.unwrap_err();
    assert!(told.contains("holds no certificate"), "{told}");
    let page = bench.shown();
    assert_eq!(
        value(&page, "vigie_poll_success", "trusts"),
        Some(1.0),
        "it goes on"
    );
}
