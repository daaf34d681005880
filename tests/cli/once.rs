//! `vigie once` against the demo cloud: three formats, what failed beside what did not, and quiet pipes.

use std::collections::BTreeSet;
use std::process::Stdio;

use ::vigie::demo::{Fault, Options};
use ::vigie::resources::kinds_of;
use secrecy::ExposeSecret as _;
use serde_json::Value;

use crate::bad_input::CANARY;
use crate::demo::Demo;
use crate::page::Page;
use crate::parts::{DEADLINE, command, free_port};
use crate::vigie::{Run, run, vigie};

#[tokio::test]
async fn every_format_shows_every_instance_and_backend() {
    let demo = still().await;
    let ids = ids(&demo);

    let page = once(&demo, "prometheus").await;
    let page = Page::parse(&page.stdout);
    let shown = page.family("cloud_instance_state");
    assert_eq!(
        shown
            .map(|(series, _)| series.labels["instance_id"].clone())
            .collect::<BTreeSet<_>>(),
        ids
    );

    let json = once(&demo, "json").await;
    let json: Value = serde_json::from_str(&json.stdout).expect("it is JSON");
    let polls = json["polls"].as_array().expect("a list of polls");
    let polled: Vec<_> = polls
        .iter()
        .map(|poll| (poll["kind"].as_str(), poll["objects"].as_u64()))
        .collect();
    let kinds = kinds_of(Options::default().provider);
    let kinds: BTreeSet<_> = kinds.iter().map(|kind| Some(kind.name)).collect();
    assert_eq!(
        polled.iter().map(|(kind, _)| *kind).collect::<BTreeSet<_>>(),
        kinds
    );
    assert_eq!(polled.len(), kinds.len());
    for there in [("instances", 24), ("instance_status", 24), ("load_balancers", 5)] {
        assert!(polled.contains(&(Some(there.0), Some(there.1))), "{polled:?}");
    }
    assert!(
        polls
            .iter()
            .all(|poll| poll["success"] == true && poll["error"].is_null())
    );
    let samples = json["samples"].as_array().expect("a list of samples");
    for sample in samples {
        let name = sample["name"].as_str().expect("a name");
        let labels = sample["labels"].as_object().expect("labels");
        let labels: Vec<_> = labels
            .iter()
            .map(|(label, value)| (label.as_str(), value.as_str().expect("a text")))
            .collect();
        assert_eq!(page.value(name, &labels), sample["value"].as_f64(), "{sample}");
    }
    let on_the_page = page
        .samples()
        .filter(|(series, _)| series.name.starts_with("cloud_"));
    assert_eq!(samples.len(), on_the_page.count());

    let table = once(&demo, "table").await.stdout;
    for id in &ids {
        assert!(table.contains(id.as_str()), "{id} is not shown:\n{table}");
    }
    assert!(table.contains("instances of demo in eu-west-2: 24\n"), "{table}");
    assert!(table.contains("OutOfService"), "{table}");
    for volume in demo.cloud.fleet().volumes() {
        // Not the state of its attachment.
        let row = format!("\n{}  {} ", volume.id, volume.state);
        assert!(table.contains(&row), "{row} is not shown:\n{table}");
    }
    let foreign = |character: char| character.is_control() && character != '\n';
    assert!(!table.contains(foreign), "{table:?}");
}

#[tokio::test]
async fn what_failed_is_told_and_what_did_not_is_printed() {
    let demo = still().await;
    demo.cloud.inject("DescribeLoadBalancers", Fault::Html200, None);
    let nowhere = free_port();
    let lost = format!(
        "[[account]]\nname = \"lost\"\nprovider = \"aws\"\nregions = [\"eu-west-1\"]\n\
         credentials_file = \"credentials\"\nkinds = [\"instances\"]\n\
         endpoints = {{ ec2 = \"http://127.0.0.1:{nowhere}\" }}\n"
    );
    let settings = demo.settings("", &lost);
    for format in ["prometheus", "json", "table"] {
        let run = run(vigie(&["once", "--format", format, "--config"]).arg(&settings)).await;

        assert_eq!(run.code, Some(1), "{format}: {}", run.stderr);
        for id in ids(&demo) {
            assert!(run.stdout.contains(&id), "{format}: {id} is not shown");
        }
        let lines: Vec<_> = run.stderr.lines().collect();
        assert_eq!(lines.len(), 2, "{format}: {}", run.stderr);
        assert!(
            lines[0].contains("load_balancers of account demo in eu-west-2 (malformed)"),
            "{}",
            lines[0]
        );
        assert!(
            lines[1].contains("instances of account lost in eu-west-1 (unreachable)"),
            "{}",
            lines[1]
        );
    }
    let json = run(vigie(&["once", "--format", "json", "--config"]).arg(&settings)).await;
    let json: Value = serde_json::from_str(&json.stdout).expect("it is JSON");
    let polls = json["polls"].as_array().expect("a list of polls");
    assert_eq!(polls.len(), kinds_of(Options::default().provider).len() + 1);
    let failed = polls.iter().filter(|poll| poll["success"] != true);
    let failed: Vec<_> = failed
        .map(|poll| (poll["kind"].as_str(), poll["reason"].as_str()))
        .collect();
    assert_eq!(
        failed,
        [
            (Some("load_balancers"), Some("malformed")),
            (Some("instances"), Some("unreachable"))
        ]
    );
    let told = polls.iter().filter(|poll| !poll["reason"].is_null());
    assert_eq!(told.count(), failed.len());
}

#[tokio::test]
async fn account_without_a_key_does_not_take_the_other_down() {
    let demo = still().await;
    let lost = "[[account]]\nname = \"lost\"\nprovider = \"aws\"\nregions = [\"eu-west-1\"]\n\
         credentials_file = \"nowhere\"\nkinds = [\"instances\"]\n";

    let run = run(vigie(&["once", "--config"]).arg(demo.settings("", lost))).await;

    assert_eq!(run.code, Some(1), "{}", run.stderr);
    assert!(run.stderr.contains("nowhere does not exist"), "{}", run.stderr);
    assert!(run.stdout.contains("cloud_instance_state{account=\"demo\""));
}

#[tokio::test]
async fn wrong_key_is_told_with_what_to_check() {
    let demo = still().await;
    let mut vigie = vigie(&["once", "--provider", "outscale", "--region", "eu-west-2"]);
    vigie
        .args(["--endpoint-url", &demo.cloud.url()])
        .env("OSC_ACCESS_KEY", &demo.key.access_key_id)
        .env("OSC_SECRET_KEY", CANARY);

    let run = crate::bad_input::refused(&mut vigie, 1, &["(auth)", "check that the key is whole"]).await;

    assert!(
        run.stderr.contains("AuthFailure") || run.stderr.contains("SignatureDoesNotMatch"),
        "{}",
        run.stderr
    );
}

#[tokio::test]
async fn reader_that_leaves_early_is_no_failure() {
    let demo = Demo::start(Options {
        instances: 1000,
        alive: false,
        ..Options::default()
    })
    .await;
    let settings = demo.settings("", "");
    for arguments in [
        ["once", "--format", "prometheus"],
        ["once", "--format", "json"],
        ["once", "--format", "table"],
    ] {
        let script = "\"$@\" | head -n 1; exit \"${PIPESTATUS[0]}\"";
        let mut bash = command("bash");
        bash.args(["-c", script, "bash", env!("CARGO_BIN_EXE_vigie")]);
        let run = run(bash.args(arguments).arg("--config").arg(&settings)).await;

        assert_eq!((run.code, run.stderr.as_str()), (Some(0), ""), "{arguments:?}");
        assert_eq!(run.stdout.lines().count(), 1);
    }
}

#[tokio::test]
async fn nothing_is_coloured_where_no_terminal_is() {
    let demo = still().await;
    let settings = demo.settings("", "");
    for variables in [
        &[][..],
        &[("NO_COLOR", "1")],
        &[("TERM", "xterm-256color"), ("CLICOLOR", "1")],
    ] {
        let mut vigie = vigie(&["once", "--format", "table", "--config"]);
        vigie
            .arg(&settings)
            .env("VIGIE_LOG", "trace")
            .envs(variables.iter().copied());
        let run = run(&mut vigie).await;
        assert!(!run.stdout.contains('\x1b') && !run.stderr.contains('\x1b'));
        assert!(run.stderr.contains("TRACE"), "{}", run.stderr);
    }
}

#[tokio::test]
async fn log_lines_are_json_where_the_settings_ask_for_it() {
    let demo = still().await;
    let mut vigie = vigie(&["once", "--config"]);
    vigie.arg(demo.settings("log_format = \"json\"", ""));

    let run = run(vigie.env("VIGIE_LOG", "trace").stdout(Stdio::piped())).await;

    assert_eq!(run.code, Some(0));
    let mut lines = 0;
    for line in run.stderr.lines() {
        let line: Value = serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}"));
        assert!(
            line["timestamp"].is_string() && line["level"].is_string(),
            "{line}"
        );
        lines += 1;
    }
    assert!(lines > 0, "nothing was logged");
}

async fn still() -> Demo {
    Demo::start(Options {
        alive: false,
        ..Options::default()
    })
    .await
}

fn ids(demo: &Demo) -> BTreeSet<String> {
    demo.cloud
        .fleet()
        .instances()
        .into_iter()
        .map(|instance| instance.id)
        .collect()
}

async fn once(demo: &Demo, format: &str) -> Run {
    let run = run(vigie(&["once", "--format", format, "--config"]).arg(demo.settings("", ""))).await;
    assert_eq!((run.code, run.stderr.as_str()), (Some(0), ""), "{format}");
    run
}

/// A pipe whose other end is closed takes nothing: that is no reason to call a failure a success.
#[tokio::test]
async fn failed_poll_is_a_failure_whether_anybody_reads_or_not() {
    let port = free_port();
    let url = format!("http://127.0.0.1:{port}");
    let place = [
        "--provider",
        "aws",
        "--region",
        "eu-west-1",
        "--endpoint-url",
        &url,
    ];
    for (command, code) in [("once", 1), ("audit", 2)] {
        let (reader, writer) = std::io::pipe().expect("a pipe can be made");
        drop(reader);
        let mut vigie = vigie(&[command]);
        vigie
            .args(place)
            .env("AWS_ACCESS_KEY_ID", "AKWATCHER")
            .env("AWS_SECRET_ACCESS_KEY", "secret")
            .stdin(Stdio::null())
            .stdout(writer)
            .stderr(Stdio::null());
        let status = tokio::time::timeout(DEADLINE, vigie.status()).await;
        let status = status.expect("vigie ends").expect("vigie starts");
        assert_eq!(status.code(), Some(code), "{command}");
    }
}

#[tokio::test]
async fn profile_of_the_credentials_file_is_the_one_that_is_named() {
    let demo = Demo::start(Options::default()).await;
    let folder = tempfile::tempdir().expect("a temporary folder can be made");
    let file = folder.path().join("credentials");
    let (id, secret) = (
        &demo.key.access_key_id,
        demo.key.secret_access_key.expose_secret(),
    );
    let text = format!(
        "[default]\naws_access_key_id = AKOTHER\naws_secret_access_key = {CANARY}\n\
         [vigie]\naws_access_key_id = {id}\naws_secret_access_key = {secret}\n"
    );
    std::fs::write(&file, text).expect("the file can be written");
    let url = demo.cloud.url();
    let place = [
        "--provider",
        "outscale",
        "--region",
        "eu-west-2",
        "--endpoint-url",
        &url,
    ];
    let mut named = vigie(&["once", "--profile", "vigie", "--credentials-file"]);
    let told = run(named.arg(&file).args(place)).await;
    assert_eq!(told.code, Some(0), "{}", told.stderr);
    let mut unknown = vigie(&["once", "--profile", "nobody", "--credentials-file"]);
    let told = run(unknown.arg(&file).args(place)).await;
    assert_eq!(told.code, Some(64), "{}", told.stderr);
    assert!(told.stderr.contains("no profile `nobody`"), "{}", told.stderr);
}
