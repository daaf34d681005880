//! promtool's opinion of a page.

use std::process::{Output, Stdio};

use tokio::io::AsyncWriteExt as _;

use crate::parts::{command, part};

/// What `promtool check metrics` has to say of a page: its exit code, and everything it printed.
pub(crate) async fn promtool_check_metrics(page: &str) -> (Option<i32>, String) {
    let mut promtool = command(part("TEST_PROMTOOL", "target/prometheus/promtool"))
        .args(["check", "metrics"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("promtool starts");
    let mut input = promtool.stdin.take().expect("its input is a pipe");
    input
        .write_all(page.as_bytes())
        .await
        .expect("promtool reads its input");
    drop(input);
    let Output {
        status,
        stdout,
        stderr,
    } = promtool.wait_with_output().await.expect("promtool ends");
    (
        status.code(),
        String::from_utf8_lossy(&[stdout, stderr].concat()).into_owned(),
    )
}
