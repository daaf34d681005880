//! What every refusal owes the person: one error, no panic, and never the secret.

use tokio::process::Command;

use crate::vigie::{Run, run};

/// A secret that looks like one, and stands out.
pub(crate) const CANARY: &str = "CanaryThatNobodyMayEverReadAgainEXAMPLE0";

/// Runs twice, as anybody would and with everything logged; what was said without the log.
pub(crate) async fn refused(command: &mut Command, code: i32, told: &[&str]) -> Run {
    let plain = run(command).await;
    let logged = run(command.env("VIGIE_LOG", "trace")).await;
    command.env_remove("VIGIE_LOG");
    for (run, how) in [(&plain, "plain"), (&logged, "logged")] {
        let Run { stdout, stderr, .. } = run;
        assert_eq!(run.code, Some(code), "{how}: {stderr}");
        for text in [stdout, stderr] {
            assert!(!text.contains(CANARY), "the secret is told, {how}: {text}");
            assert!(!text.contains("panicked"), "a panic, {how}: {text}");
        }
        for words in told {
            assert!(stderr.contains(words), "not told, {how}: {words}\n{stderr}");
        }
    }
    plain
}

/// The same for what is no fault of a cloud: one error, with exit code 64 and nothing on stdout.
pub(crate) async fn refused_as_usage(command: &mut Command, told: &[&str]) {
    let run = refused(command, 64, told).await;
    let errors = run
        .stderr
        .lines()
        .filter(|line| line.starts_with("vigie: ") || line.starts_with("error: "));
    assert_eq!(errors.count(), 1, "not one error: {}", run.stderr);
    assert_eq!(run.stdout, "");
}
