//! Settings, flags and variables that are wrong: each gets one error that says what to write.

use std::net::TcpListener;
use std::path::Path;

use tempfile::TempDir;

use crate::bad_input::{CANARY, refused_as_usage};
use crate::vigie::{run, vigie};

const ACCOUNT: &str = "[[account]]\nname = \"prod\"\nprovider = \"aws\"\nregions = [\"eu-west-1\"]\n";

#[tokio::test]
async fn settings_that_are_wrong_are_refused_with_what_to_write() {
    let account = |line: &str| format!("{ACCOUNT}{line}\n");
    let above = |line: &str| format!("{line}\n{ACCOUNT}");
    let cases: [(String, &[&str]); 21] = [
        (
            above("intervall = \"60s\""),
            &["`intervall`", "did you mean `interval`?"],
        ),
        (
            account("region = [\"x\"]"),
            &["`account[0].region`", "did you mean `regions`?"],
        ),
        (
            account("zzz = 1"),
            &["unknown key `account[0].zzz`", "`credentials_file`"],
        ),
        (
            format!("{ACCOUNT}{ACCOUNT}"),
            &["`account[1].name`", "give each account its own"],
        ),
        (above("interval = \"0s\""), &["`interval` is zero", "\"60s\""]),
        (above("interval = \"1ms\""), &["`interval` is 1ms", "or more"]),
        (
            above("interval = \"9999h\""),
            &["`interval` is 9999h", "\"24h\" or less"],
        ),
        (
            above("interval = 60"),
            &["`interval` is the number 60", "write \"60s\""],
        ),
        (
            above("interval = \"60\""),
            &["`interval` is the number 60", "write \"60s\""],
        ),
        (
            above("interval = \"-5s\""),
            &["`interval` is \"-5s\"", "\"1m30s\""],
        ),
        (
            above("stale_after = \"0s\""),
            &["`stale_after` is zero", "\"5m\""],
        ),
        (
            above("stale_after = \"1s\""),
            &["`stale_after` is 1s", "\"2m\" or more"],
        ),
        (
            above("listen = \"9980\""),
            &["`listen`", "without a port", "\"127.0.0.1:9980\""],
        ),
        (
            account("kinds = [\"instance\"]"),
            &["`account[0].kinds[0]`", "did you mean \"instances\"?"],
        ),
        (
            account("kinds = [\"balloons\"]"),
            &[
                "`account[0].kinds[0]` is \"balloons\"",
                "\"instances\" or \"instance_status\"",
            ],
        ),
        (
            account("[kinds.balloons]"),
            &["`kinds.balloons`", "`instances`, `instance_status`"],
        ),
        (
            account("kinds = [\"volume_status\"]").replace("aws", "outscale"),
            &[
                "`account[0].kinds[0]` is \"volume_status\", which outscale does not have",
                "it has `instances`, `instance_status`",
            ],
        ),
        (
            ACCOUNT.replace("aws", "gcp"),
            &["`account[0].provider` is \"gcp\"", "\"outscale\" or \"aws\""],
        ),
        (
            ACCOUNT.replace("[\"eu-west-1\"]", "[]"),
            &["`account[0].regions` is an empty list"],
        ),
        (
            account("requests_per_second = 0"),
            &["`account[0].requests_per_second` is 0", "from 0.01 to 1000"],
        ),
        (String::new(), &["`account` is missing", "`[[account]]`"]),
    ];
    for (text, told) in cases {
        let home = home(&text);
        for command in ["check", "run", "once"] {
            let mut vigie = vigie(&[command, "--config", "vigie.toml"]);
            let told = [&["settings file vigie.toml: "], told].concat();
            refused_as_usage(vigie.current_dir(home.path()), &told).await;
        }
    }
}

#[tokio::test]
async fn settings_file_that_is_none_is_refused() {
    let home = home("");
    let file = |name: &str, text: &str| {
        std::fs::write(home.path().join(name), text).expect("the file can be written");
    };
    file("vigie.conf", ACCOUNT);
    file("broken.toml", &format!("{ACCOUNT}credentials = \"{CANARY}\n"));
    file(
        "keys.toml",
        &format!("[default]\naws_secret_access_key = {CANARY}\n"),
    );
    file(
        "keys.json",
        &format!("{{\"default\": {{\"secret_key\": \"{CANARY}\""),
    );
    file("keys.yaml", &format!("\"{CANARY}\": [\n"));
    std::fs::create_dir(home.path().join("folder.toml")).expect("a folder can be made");
    std::fs::create_dir(home.path().join("folder")).expect("a folder can be made");
    pipe(&home.path().join("pipe.toml"));
    let cases: [(&str, &[&str]); 9] = [
        ("nowhere.toml", &["does not exist", "--config"]),
        ("folder.toml", &["is a directory: name the file in it"]),
        ("folder", &["is a directory: name the file in it"]),
        (
            "vigie.conf",
            &["is of unknown format", ".toml, .yaml, .yml or .json"],
        ),
        ("broken.toml", &["is not valid TOML (line 5)"]),
        ("keys.toml", &["is not valid TOML (line 2)"]),
        ("keys.json", &["is not valid JSON (line 1, column"]),
        ("keys.yaml", &["is not valid YAML (line"]),
        ("pipe.toml", &["is not a regular file"]),
    ];
    for (name, told) in cases {
        let mut vigie = vigie(&["check", "--config", name]);
        let told = [&["settings file", name], told].concat();
        refused_as_usage(vigie.current_dir(home.path()), &told).await;
    }
}

#[tokio::test]
async fn flags_that_are_wrong_are_refused_with_what_to_write() {
    let cases: [(&[&str], &[&str]); 13] = [
        (&[], &["Usage: vigie <COMMAND>", "vigie demo"]),
        (
            &["frobnicate"],
            &["unrecognized subcommand 'frobnicate'", "--help"],
        ),
        (
            &["run"],
            &[
                "no account to poll",
                "--config FILE",
                "--provider outscale --region eu-west-2",
            ],
        ),
        (
            &["once", "--provider", "gcp", "--region", "x"],
            &["`gcp`", "write `outscale` or `aws`"],
        ),
        (
            &["once", "--provider", "aws"],
            &["`--region` is missing", "--region eu-west-2"],
        ),
        (
            &["once", "--provider", "aws", "--region", "EU West"],
            &["`--region`", "\"EU West\"", "small letters"],
        ),
        (
            &[
                "once",
                "--provider",
                "aws",
                "--region",
                "eu-west-1",
                "--region",
                "eu-west-1",
            ],
            &["`--region` is \"eu-west-1\"", "name it once"],
        ),
        (
            &["check", "--config", "vigie.toml", "--region", "x"],
            &["`--region`", "leave it out", "[[account]]"],
        ),
        (
            &["check", "--config", "vigie.toml", "--provider", "aws"],
            &["`--provider`", "leave it out"],
        ),
        (
            &["once", "--format", "xml"],
            &["'xml'", "prometheus, json, table"],
        ),
        (
            &["run", "--listen", "here"],
            &["'here'", "without a port", "127.0.0.1:9980"],
        ),
        (
            &["demo", "--cloud-listen", "0.0.0.0:1"],
            &["loopback only", "write 127.0.0.1:1"],
        ),
        (&["demo", "--cloud-listen", "here"], &["'here'", "--cloud-listen"]),
    ];
    for (arguments, told) in cases {
        let run = crate::bad_input::refused(&mut vigie(arguments), 64, told).await;
        assert_eq!(run.stdout, "", "{arguments:?}");
    }
}

#[tokio::test]
async fn endpoint_url_that_is_none_is_refused() {
    let with_secret = format!("http://user:{CANARY}@127.0.0.1/");
    for (url, told) in [
        ("ftp://127.0.0.1", "http:// or https://"),
        ("127.0.0.1:5000", "http:// or https://"),
        ("http://", "`--endpoint-url`"),
        (with_secret.as_str(), "with a user or a password in it"),
    ] {
        let mut vigie = vigie(&[
            "once",
            "--provider",
            "aws",
            "--region",
            "x",
            "--endpoint-url",
            url,
        ]);
        refused_as_usage(&mut vigie, &["`--endpoint-url`", told, "write"]).await;
    }
}

#[tokio::test]
async fn single_underscore_is_not_ignored_in_silence() {
    let home = home(ACCOUNT);
    for (name, told) in [
        ("VIGIE_INTERVAL", "VIGIE__INTERVAL"),
        ("VIGIE_STALE_AFTER", "VIGIE__STALE_AFTER"),
        ("VIGIE_LOG_FORMAT", "VIGIE__LOG_FORMAT"),
        (
            "VIGIE_KINDS_INSTANCES_INTERVAL",
            "VIGIE__KINDS__INSTANCES__INTERVAL",
        ),
    ] {
        let mut vigie = vigie(&["check", "--config", "vigie.toml"]);
        vigie.env(name, "5s").current_dir(home.path());
        refused_as_usage(&mut vigie, &[name, told, "two underscores"]).await;
    }
}

#[tokio::test]
async fn variable_that_is_wrong_is_named() {
    let home = home(ACCOUNT);
    for (name, value, told) in [
        ("VIGIE__INTERVAL", "60", "write \"60s\""),
        ("VIGIE__INTERVALL", "60s", "did you mean `interval`?"),
        ("VIGIE__LOG_FORMAT", "xml", "\"text\" or \"json\""),
    ] {
        let mut vigie = vigie(&["check", "--config", "vigie.toml"]);
        vigie.env(name, value).current_dir(home.path());
        refused_as_usage(&mut vigie, &[name, told]).await;
    }
}

#[tokio::test]
async fn variables_that_kubernetes_injects_and_regions_nobody_knows_are_fine() {
    let mut vigie = vigie(&["check", "--provider", "aws", "--region", "mars-north-1"]);
    vigie
        .env("AWS_ACCESS_KEY_ID", "AKIAWATCHER")
        .env("AWS_SECRET_ACCESS_KEY", CANARY)
        .env("VIGIE_SERVICE_HOST", "10.0.0.1")
        .env("VIGIE_SERVICE_PORT", "9980")
        .env("VIGIE_SERVICE_PORT_METRICS", "9980")
        .env("VIGIE_PORT", "tcp://10.0.0.1:9980")
        .env("VIGIE_PORT_9980_TCP", "tcp://10.0.0.1:9980")
        .env("VIGIE_PORT_9980_TCP_ADDR", "10.0.0.1");

    let run = run(&mut vigie).await;

    assert_eq!((run.code, run.stderr.as_str()), (Some(0), ""));
    assert!(
        run.stdout.contains("regions = [\"mars-north-1\"]"),
        "{}",
        run.stdout
    );
    assert!(!run.stdout.contains(CANARY), "the secret is told");
}

#[tokio::test]
async fn log_filter_that_is_none_is_told_and_does_not_stop_the_command() {
    for (filter, warned) in [
        ("vigie=loud", true),
        ("???=!", true),
        ("", false),
        ("vigie::api=debug,info", false),
    ] {
        let mut vigie = vigie(&["check", "--provider", "aws", "--region", "x"]);
        vigie
            .env("VIGIE_LOG", filter)
            .env("AWS_ACCESS_KEY_ID", "AKIAWATCHER")
            .env("AWS_SECRET_ACCESS_KEY", CANARY);

        let run = run(&mut vigie).await;

        assert_eq!(run.code, Some(0), "{}", run.stderr);
        let told = run.stderr.contains("VIGIE_LOG is ignored: write `debug`");
        assert_eq!(told, warned, "{filter}: {}", run.stderr);
    }
}

#[tokio::test]
async fn port_in_use_is_refused_with_the_address() {
    let taken = TcpListener::bind("127.0.0.1:0").expect("a port is free");
    let address = taken.local_addr().expect("it has an address").to_string();
    let agent = ["run", "--provider", "aws", "--region", "x", "--listen", &address];
    let mut agent = vigie(&agent);
    agent
        .env("AWS_ACCESS_KEY_ID", "AKIAWATCHER")
        .env("AWS_SECRET_ACCESS_KEY", CANARY);
    refused_as_usage(&mut agent, &[&address, "in use", "--listen"]).await;

    for (flag, told) in [("--cloud-listen", "--cloud-listen"), ("--listen", "--listen")] {
        let run =
            crate::bad_input::refused(&mut vigie(&["demo", flag, &address]), 64, &[&address, told]).await;
        assert!(run.stderr.contains("in use"), "{}", run.stderr);
    }
}

fn home(settings: &str) -> TempDir {
    let home = tempfile::tempdir().expect("a temporary folder can be made");
    std::fs::write(home.path().join("vigie.toml"), settings).expect("the settings can be written");
    home
}

fn pipe(path: &Path) {
    let made = std::process::Command::new("mkfifo").arg(path).status();
    assert!(made.expect("mkfifo starts").success());
}
