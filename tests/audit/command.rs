//! `vigie audit` on the demo cloud: what it finds, that it changes nothing, and how it ends.

use std::collections::BTreeSet;

use ::vigie::demo::{Fault, Key, Options, Request};
use ::vigie::provider::Provider;
use secrecy::ExposeSecret as _;
use serde_json::Value;

use crate::bad_input::{CANARY, refused, refused_as_usage};
use crate::demo::Demo;
use crate::parts::free_port;
use crate::scene::{PROVIDERS, key_that_may, listed, still};
use crate::vigie::{Run, run, vigie};

const PROBES: [&str; 19] = [
    "ec2:StopInstances",
    "ec2:StartInstances",
    "ec2:RebootInstances",
    "ec2:TerminateInstances",
    "ec2:RunInstances",
    "ec2:ModifyInstanceAttribute",
    "ec2:CreateTags",
    "ec2:CreateImage",
    "ec2:CreateSnapshot",
    "ec2:DeleteVolume",
    "ec2:DeleteSnapshot",
    "ec2:AuthorizeSecurityGroupIngress",
    "elasticloadbalancing:RegisterInstancesWithLoadBalancer",
    "elasticloadbalancing:DeregisterInstancesFromLoadBalancer",
    "elasticloadbalancing:DeleteLoadBalancer",
    "iam:ListUsers",
    "iam:ListGroups",
    "iam:ListPolicies",
    "iam:ListAccessKeys",
];

#[tokio::test]
async fn describe_only_key_may_do_nothing_that_is_tried() {
    for provider in PROVIDERS {
        let demo = still(provider).await;

        let (run, audit) = audit(&demo).await;

        assert_eq!((run.code, run.stderr.as_str()), (Some(0), ""), "{}", run.stdout);
        assert_eq!(audit["outcome"], "nothing");
        assert_eq!(actions(&audit["denied"]), PROBES);
        assert_eq!(actions(&audit["excess"]), [""; 0]);
        let requests = demo.cloud.requests();
        assert_eq!(requests.len(), PROBES.len());
        assert!(
            requests.iter().all(|request| request.status == 403),
            "{requests:?}"
        );
    }
}

#[tokio::test]
async fn admin_key_may_do_everything_and_nothing_changes() {
    for provider in PROVIDERS {
        for ignores_dry_run in [false, true] {
            let demo = with_key(still(provider).await, |demo| demo.cloud.admin_key());
            if ignores_dry_run {
                demo.cloud.inject("*", Fault::NoDryRun, None);
            }
            let before = listed(&demo.cloud, provider).await;
            demo.cloud.forget_requests();

            let (run, audit) = audit(&demo).await;

            assert_eq!(run.code, Some(1), "{}", run.stderr);
            assert_eq!(audit["outcome"], "excess");
            assert_eq!(actions(&audit["excess"]), PROBES);
            for request in demo.cloud.requests() {
                assert_harmless(&request, ignores_dry_run);
            }
            assert_eq!(listed(&demo.cloud, provider).await, before);
        }
    }
}

/// It did nothing, since it only lists, or since the cloud said that it did nothing.
fn assert_harmless(request: &Request, ignores_dry_run: bool) {
    let code = request.error_code.as_deref();
    let harmless = match request.action.as_str() {
        action if action.starts_with("List") => true,
        "DeleteLoadBalancer" => request
            .parameter("LoadBalancerName")
            .is_some_and(|name| name.starts_with("vigie-audit-")),
        action if action.ends_with("LoadBalancer") => code == Some("LoadBalancerNotFound"),
        _ if ignores_dry_run => code.is_some_and(|code| code.ends_with(".NotFound")),
        _ => code == Some("DryRunOperation"),
    };
    assert!(harmless, "{request:?}");
}

#[tokio::test]
async fn one_right_too_many_is_the_one_that_is_found() {
    for provider in PROVIDERS {
        for right in [
            "ec2:StopInstances",
            "elasticloadbalancing:DeleteLoadBalancer",
            "iam:ListUsers",
        ] {
            let demo = with_key(still(provider).await, |demo| {
                key_that_may(&demo.cloud, "wide", &[right])
            });

            let (run, audit) = audit(&demo).await;

            assert_eq!(run.code, Some(1), "{}", run.stderr);
            assert_eq!(actions(&audit["excess"]), [right]);
            assert_eq!(actions(&audit["denied"]).len(), PROBES.len() - 1);
        }
    }
}

#[tokio::test]
async fn answer_that_cannot_be_written_is_none() {
    for (key, expected) in [("limited", 2), ("wide", 1)] {
        let demo = still(Provider::Outscale).await;
        let demo = match key {
            "wide" => with_key(demo, |demo| demo.cloud.admin_key()),
            _ => demo,
        };
        let full = std::fs::File::options()
            .write(true)
            .open("/dev/full")
            .expect("it is there");
        let mut vigie = vigie(&["audit", "--config"]);
        let ended = vigie.arg(demo.settings("", "")).stdout(full).status();
        let ended = ended.await.expect("it starts");
        assert_eq!(ended.code(), Some(expected), "{key}");
    }
}

#[tokio::test]
async fn words_for_a_ticket_say_whose_key_was_examined_when_how_and_what_came_of_it() {
    let demo = with_key(still(Provider::Outscale).await, |demo| {
        key_that_may(&demo.cloud, "wide", &["ec2:StopInstances"])
    });
    let id = &demo.key.access_key_id;
    let suffix: String = id.chars().skip(id.len() - 4).collect();

    let run = run(vigie(&["audit", "--config"]).arg(demo.settings("", ""))).await;

    assert_eq!((run.code, run.stderr.as_str()), (Some(1), ""));
    for words in [
        "account:  demo (outscale: eu-west-2)\n",
        &format!("key:      …{suffix} (file "),
        " UTC, by vigie ",
        "The key may do this:\n  ec2:StopInstances in eu-west-2: DryRunOperation\n",
        "The cloud denied this:\n  ec2:StartInstances in eu-west-2\n",
        "the key may do 1 of the 19 things tried",
        "`vigie bootstrap --provider outscale --region eu-west-2 --out FILE`",
    ] {
        assert!(run.stdout.contains(words), "{words}\n{}", run.stdout);
    }
    assert!(!run.stdout.contains(demo.key.secret_access_key.expose_secret()));
}

#[tokio::test]
async fn bad_key_is_tried_once() {
    for provider in PROVIDERS {
        let demo = with_key(still(provider).await, |demo| Key {
            secret_access_key: CANARY.into(),
            ..demo.key.clone()
        });
        let regions = ["eu-west-2", "us-east-2"]
            .map(|region| format!("{region:?}"))
            .join(", ");
        let settings = demo.settings("", "");
        let text = std::fs::read_to_string(&settings).expect("the settings can be read");
        let text = text.replace("[\"eu-west-2\"]", &format!("[{regions}]"));
        std::fs::write(&settings, text).expect("the settings can be written");

        let once = run(vigie(&["audit", "--config"]).arg(&settings)).await;

        assert_eq!(once.code, Some(2), "{}", once.stderr);
        assert_eq!(demo.cloud.requests().len(), 1);
        assert!(
            once.stdout
                .contains("This could not be told:\n  anything in eu-west-2: ")
        );
        refused(
            vigie(&["audit", "--config"]).arg(&settings),
            2,
            &[
                "vigie: audit of account demo in eu-west-2 (auth): ",
                "check that the key is whole",
            ],
        )
        .await;
    }
}

#[tokio::test]
async fn cloud_that_cannot_be_reached_tells_nothing() {
    let nowhere = format!("http://127.0.0.1:{}", free_port());
    let mut vigie = vigie(&["audit", "--json", "--provider", "aws", "--region", "eu-west-1"]);
    vigie
        .args(["--endpoint-url", &nowhere])
        .env("AWS_ACCESS_KEY_ID", "AKIAIOSFODNN7EXAMPLE")
        .env("AWS_SECRET_ACCESS_KEY", CANARY);

    let run = refused(&mut vigie, 2, &[]).await;

    let audit = audit_in(&run);
    assert_eq!(audit["outcome"], "unknown");
    assert_eq!(actions(&audit["unknown"]), PROBES);
    let why = audit["unknown"][0]["why"].as_str().expect("a reason");
    assert!(why.starts_with("no answer from 127.0.0.1:"), "{why}");
    let next = &audit["unknown"][1]["why"];
    assert_eq!(next, "not sent: the probe of `ec2` before it had no answer");
}

#[tokio::test]
async fn what_the_cloud_does_not_tell_is_unknown_and_what_it_does_not_have_is_absent() {
    let demo = with_key(still(Provider::Aws).await, |demo| {
        key_that_may(&demo.cloud, "wide", &["ec2:StopInstances", "ec2:CreateImage"])
    });
    let absent = Fault::Error {
        status: 400,
        code: "InvalidAction".to_owned(),
        message: "The action is not valid for this endpoint.".to_owned(),
    };
    demo.cloud.inject("CreateImage", absent, None);
    demo.cloud.inject("StopInstances", Fault::Status(500), None);

    let (told_in_part, audited) = audit(&demo).await;

    assert_eq!(told_in_part.code, Some(2), "{}", told_in_part.stdout);
    assert_eq!(actions(&audited["unknown"]), ["ec2:StopInstances"]);
    assert_eq!(actions(&audited["absent"]), ["ec2:CreateImage"]);
    assert_eq!(actions(&audited["excess"]), [""; 0]);

    demo.cloud.clear_faults();
    demo.cloud.inject("CreateImage", Fault::Status(500), None);
    let (found_in_part, audited) = audit(&demo).await;
    assert_eq!(found_in_part.code, Some(1));
    assert_eq!(actions(&audited["excess"]), ["ec2:StopInstances"]);
    assert_eq!(actions(&audited["unknown"]), ["ec2:CreateImage"]);
}

#[tokio::test]
async fn identities_are_asked_for_once_where_all_regions_share_them() {
    for (provider, times) in [(Provider::Aws, 1), (Provider::Outscale, 2)] {
        let demo = Demo::start(Options {
            provider,
            alive: false,
            regions: vec!["eu-west-2".to_owned(), "us-east-2".to_owned()],
            ..Options::default()
        })
        .await;
        let both = ["--region", "eu-west-2", "--region", "us-east-2"];
        let [id, secret] = match provider {
            Provider::Aws => ["AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"],
            Provider::Outscale => ["OSC_ACCESS_KEY", "OSC_SECRET_KEY"],
        };
        let mut vigie = vigie(&["audit", "--provider", provider.name()]);
        vigie
            .args(both)
            .args(["--endpoint-url", &demo.cloud.url()])
            .env(id, &demo.key.access_key_id)
            .env(secret, demo.key.secret_access_key.expose_secret());

        let run = run(&mut vigie).await;

        assert_eq!(run.code, Some(0), "{}\n{}", run.stdout, run.stderr);
        let requests = demo.cloud.requests();
        let of = |action: &str| requests.iter().filter(|request| request.action == action).count();
        assert_eq!((of("StopInstances"), of("ListUsers")), (2, times));
        assert_eq!(
            run.stdout.contains("iam:ListUsers in global\n"),
            provider == Provider::Aws
        );
    }
}

#[tokio::test]
async fn every_account_is_examined_and_the_worst_decides() {
    let demo = still(Provider::Aws).await;
    let nowhere = format!("http://127.0.0.1:{}", free_port());
    let lost = format!(
        "[[account]]\nname = \"lost\"\nprovider = \"aws\"\nregions = [\"eu-west-1\"]\n\
         credentials_file = \"credentials\"\n\
         endpoints = {{ ec2 = {nowhere:?}, elb = {nowhere:?}, iam = {nowhere:?} }}\n"
    );

    let run = run(vigie(&["audit", "--json", "--config"]).arg(demo.settings("", &lost))).await;

    assert_eq!(run.code, Some(2), "{}", run.stderr);
    let audits: Value = serde_json::from_str(&run.stdout).expect("it is JSON");
    let outcome = |index: usize| &audits["audits"][index]["outcome"];
    assert_eq!(
        (outcome(0), outcome(1)),
        (&Value::from("nothing"), &Value::from("unknown"))
    );
}

#[tokio::test]
async fn key_of_a_cloud_of_ones_own_is_not_sent_to_the_providers_iam() {
    let demo = still(Provider::Aws).await;
    let settings = demo.settings("", "");
    let text = std::fs::read_to_string(&settings).expect("the settings can be read");
    let (head, tail) = text.split_once(", iam = ").expect("there is such an endpoint");
    let (_, tail) = tail.split_once(" }").expect("it is the last");
    std::fs::write(&settings, format!("{head} }}{tail}")).expect("the settings can be written");

    refused_as_usage(
        vigie(&["audit", "--config"]).arg(&settings),
        &["account `demo`", "where `iam` does", "add it"],
    )
    .await;
    let audited = vec![("VIGIE__AUDIT_INTERVAL", "24h")];
    refused_as_usage(
        vigie(&["check", "--config"]).arg(&settings).envs(audited),
        &["where `iam` does"],
    )
    .await;
    let unaudited = run(vigie(&["check", "--config"]).arg(&settings)).await;
    assert_eq!(unaudited.code, Some(0), "{}", unaudited.stderr);
}

#[tokio::test]
async fn forecast_counts_the_audits() {
    let demo = still(Provider::Aws).await;

    let run = run(vigie(&["check", "--config"]).arg(demo.settings("audit_interval = \"12h\"", ""))).await;

    assert_eq!((run.code, run.stderr.as_str()), (Some(0), ""));
    for line in [
        "audit_interval = \"12h\"\n",
        "#   demo eu-west-2 audit: 19 at the start, then 1.6 an hour\n",
    ] {
        assert!(run.stdout.contains(line), "{}", run.stdout);
    }
}

fn with_key(mut demo: Demo, key: impl Fn(&Demo) -> Key) -> Demo {
    demo.key = key(&demo);
    demo
}

async fn audit(demo: &Demo) -> (Run, Value) {
    let run = run(vigie(&["audit", "--json", "--config"]).arg(demo.settings("", ""))).await;
    let audit = audit_in(&run);
    (run, audit)
}

fn audit_in(run: &Run) -> Value {
    let audits: Value = serde_json::from_str(&run.stdout).expect("it is JSON");
    let audit = audits["audits"][0].clone();
    let tried: Vec<_> = audit["tried"].as_array().expect("a list").iter().collect();
    assert_eq!(tried, PROBES);
    let settled = ["excess", "denied", "absent", "unknown"].map(|list| actions(&audit[list]));
    let settled: BTreeSet<&str> = settled.iter().flatten().map(String::as_str).collect();
    assert_eq!(settled, PROBES.into(), "each probe is told of");
    audit
}

fn actions(list: &Value) -> Vec<String> {
    let list = list.as_array().expect("a list");
    let action = |entry: &Value| entry["action"].as_str().expect("an action").to_owned();
    list.iter().map(action).collect()
}
