//! Credentials files that are of no use: each gets one error that says what to write, and none of its content.

use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::Path;

use tempfile::TempDir;
use tokio::process::Command;

use crate::bad_input::{CANARY, refused_as_usage};
use crate::vigie::{run, vigie};

#[tokio::test]
async fn file_of_no_use_is_refused_with_what_to_write() {
    let cases: [(String, &[&str]); 14] = [
        (String::new(), &["is empty", "`aws_access_key_id = …`"]),
        ("\n \n".to_owned(), &["is empty", "`[default]`"]),
        (
            "[default]\naws_access_key_id = AKIAWATCHER\n".to_owned(),
            &[
                "`aws_access_key_id` but no `aws_secret_access_key`",
                "perhaps half-written",
            ],
        ),
        (
            format!("[default]\naws_secret_access_key = {CANARY}\n"),
            &["`aws_secret_access_key` but no `aws_access_key_id`"],
        ),
        (
            format!("[default]\naws_access_key_id = \naws_secret_access_key = {CANARY}\n"),
            &["`aws_access_key_id`", "with no value"],
        ),
        (
            format!("aws_access_key_id = AKIA\naws_secret_access_key = {CANARY}\n"),
            &["outside any profile", "write `[default]`"],
        ),
        (
            format!("[prod]\naws_access_key_id = AKIA\naws_secret_access_key = {CANARY}\n"),
            &["has no profile `default`", "`prod`"],
        ),
        (
            format!("[default]\naws_access_key_id = AKIA\naws_secret_access_key = {CANARY} x\n"),
            &["`aws_secret_access_key`", "holds a space"],
        ),
        (
            format!("<!DOCTYPE html>\n<html><body>{CANARY}</body></html>\n"),
            &["is in no known format", "`[default]`"],
        ),
        (
            format!("{{\"default\": {{\"access_key\": \"AK\", \"secret_key\": \"{CANARY}"),
            &["ends in the middle of its JSON", "write it whole"],
        ),
        (
            format!("{{\"default\": {{\"access_key\": \"AK\", \"secret_key\": [\"{CANARY}\"]}}}}"),
            &["does not read as OUTSCALE's config.json", "line 1"],
        ),
        (
            format!("{{]{CANARY}"),
            &["does not read as OUTSCALE's config.json", "\"secret_key\": \"…\""],
        ),
        (CANARY.to_owned(), &["is in no known format (see line 1)"]),
        (
            format!("AWSAccessKeyId=AKIA\nAWSSecretKey={CANARY}\nAWSSecretKey={CANARY}\n"),
            &["twice: keep one"],
        ),
    ];
    for (text, told) in cases {
        let home = home(text.as_bytes());
        for command in ["check", "run", "once"] {
            refused_as_usage(
                &mut watch(command, home.path()),
                &[&["credentials file"], told].concat(),
            )
            .await;
        }
    }
}

#[tokio::test]
async fn file_that_cannot_be_read_as_text_is_refused() {
    let home = home(b"");
    let path = home.path().join("credentials");
    let told = |what: &'static str| async move { ["credentials file", what] };

    let binary = [b"\xff\xfe\0\x01".as_slice(), CANARY.as_bytes()].concat();
    std::fs::write(&path, binary).expect("the file can be written");
    refused_as_usage(&mut watch("check", home.path()), &told("is not UTF-8 text").await).await;

    std::fs::write(&path, "#".repeat(2 << 20)).expect("the file can be written");
    refused_as_usage(&mut watch("check", home.path()), &told("larger than 1 MiB").await).await;

    std::fs::remove_file(&path).expect("the file can be removed");
    refused_as_usage(&mut watch("check", home.path()), &told("does not exist").await).await;

    symlink("nowhere", &path).expect("a link can be made");
    refused_as_usage(&mut watch("check", home.path()), &told("does not exist").await).await;
    std::fs::remove_file(&path).expect("the link can be removed");

    std::fs::create_dir(&path).expect("a folder can be made");
    refused_as_usage(&mut watch("check", home.path()), &told("is a directory").await).await;
    std::fs::remove_dir(&path).expect("the folder can be removed");

    let made = std::process::Command::new("mkfifo").arg(&path).status();
    assert!(made.expect("mkfifo starts").success());
    refused_as_usage(
        &mut watch("check", home.path()),
        &told("is not a regular file").await,
    )
    .await;
}

#[tokio::test]
async fn key_that_is_nowhere_is_told_with_every_place_looked_at() {
    for (provider, told) in [
        (
            "outscale",
            [
                "OSC_ACCESS_KEY (not set)",
                ".osc/config.json",
                "`credentials_file`",
            ],
        ),
        (
            "aws",
            [
                "AWS_ACCESS_KEY_ID (not set)",
                ".aws/credentials",
                "`credentials_file`",
            ],
        ),
    ] {
        let home = home(b"");
        let mut vigie = vigie(&["once", "--provider", provider, "--region", "x"]);
        refused_as_usage(vigie.env("HOME", home.path()), &told).await;
    }
}

#[tokio::test]
async fn profile_that_the_settings_name_is_not_looked_for_in_the_environment() {
    let home = home(b"");
    let settings =
        "[[account]]\nname = \"prod\"\nprovider = \"aws\"\nregions = [\"x\"]\nprofile = \"watcher\"\n";
    std::fs::write(home.path().join("vigie.toml"), settings).expect("the settings can be written");
    let mut vigie = vigie(&["check", "--config", "vigie.toml"]);
    vigie
        .current_dir(home.path())
        .env("HOME", home.path())
        .env("AWS_ACCESS_KEY_ID", "AKIAWATCHER")
        .env("AWS_SECRET_ACCESS_KEY", CANARY);

    refused_as_usage(
        &mut vigie,
        &[
            "write the profile `watcher` into one of them",
            "`credentials_file`",
        ],
    )
    .await;

    let run = run(&mut vigie).await;
    assert!(!run.stderr.contains("set AWS_ACCESS_KEY_ID"), "{}", run.stderr);
}

#[tokio::test]
async fn half_a_key_in_the_environment_is_refused() {
    let mut half = vigie(&["once", "--provider", "outscale", "--region", "x"]);
    half.env("OSC_SECRET_KEY", CANARY);
    refused_as_usage(
        &mut half,
        &["OSC_SECRET_KEY is set but OSC_ACCESS_KEY is not", "set both"],
    )
    .await;

    let mut broken = vigie(&["once", "--provider", "outscale", "--region", "x"]);
    broken
        .env("OSC_ACCESS_KEY", "AKWATCHER")
        .env("OSC_SECRET_KEY", format!("{CANARY}\nmore"));
    refused_as_usage(&mut broken, &["OSC_SECRET_KEY", "copy it again"]).await;
}

#[tokio::test]
async fn file_that_others_can_read_draws_a_warning_and_works() {
    let text = format!("[default]\naws_access_key_id = AKIAWATCHER\naws_secret_access_key = {CANARY}\n");
    let home = home(text.as_bytes());
    let path = home.path().join("credentials");
    for (mode, warned) in [(0o644, Some("0644")), (0o640, Some("0640")), (0o600, None)] {
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(mode)).expect("the mode can be set");

        let run = run(&mut watch("check", home.path())).await;

        assert_eq!(run.code, Some(0), "{}", run.stderr);
        assert!(!run.stderr.contains(CANARY) && !run.stdout.contains(CANARY));
        match warned {
            Some(mode) => {
                assert_eq!(run.stderr.lines().count(), 1, "{}", run.stderr);
                for told in ["WARN", mode, "chmod 600", "credentials"] {
                    assert!(run.stderr.contains(told), "{told}: {}", run.stderr);
                }
            }
            None => assert_eq!(run.stderr, ""),
        }
    }
}

/// A command on the file `credentials` of a folder.
fn watch(command: &str, home: &Path) -> Command {
    let flags = [
        "--provider",
        "aws",
        "--region",
        "x",
        "--credentials-file",
        "credentials",
    ];
    let mut vigie = vigie(&[&[command], &flags[..]].concat());
    vigie.current_dir(home);
    vigie
}

fn home(credentials: &[u8]) -> TempDir {
    let home = tempfile::tempdir().expect("a temporary folder can be made");
    let path = home.path().join("credentials");
    std::fs::write(&path, credentials).expect("the file can be written");
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o600)).expect("the mode can be set");
    home
}
