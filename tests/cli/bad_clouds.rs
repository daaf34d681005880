//! Endpoints that are not a cloud: each is told by reason, host and what to check, with exit code 1.

use std::net::Ipv4Addr;

use ::vigie::provider::Provider;
use ::vigie::resources::default_kinds_of;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

use crate::bad_input::{CANARY, refused};
use crate::parts::free_port;
use crate::vigie::vigie;

/// How a server that is no cloud answers.
#[derive(Clone, Copy)]
enum Answer {
    /// With these bytes, once a request has begun.
    Bytes(&'static [u8]),
    /// With an end of the connection.
    End,
}

const HTML: &[u8] = b"HTTP/1.1 200 OK\r\ncontent-type: text/html\r\ncontent-length: 30\r\n\r\n\
    <html><body>Hello</body></html";
const JSON: &[u8] =
    b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 10\r\n\r\n{\"vms\":[]}";
const TEXT: &[u8] = b"HTTP/1.1 200 OK\r\ncontent-type: text/plain\r\ncontent-length: 5\r\n\r\nhello";
const EMPTY: &[u8] = b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n";
const FORBIDDEN: &[u8] = b"HTTP/1.1 403 Forbidden\r\ncontent-length: 13\r\n\r\n<html>no</h1>";
const MOVED: &[u8] = b"HTTP/1.1 301 Moved\r\nlocation: http://127.0.0.1:1/\r\ncontent-length: 0\r\n\r\n";
/// A fatal alert, as a TLS server sends to who speaks no TLS.
const TLS_ALERT: &[u8] = b"\x15\x03\x01\x00\x02\x02\x16";
const CHECK: &str = "check the region's name, the endpoint (http or https?)";

#[tokio::test]
async fn server_that_is_no_cloud_is_told_by_reason_and_host() {
    let cases: [(&str, Answer, &[&str]); 9] = [
        (
            "http",
            Answer::Bytes(HTML),
            &["(malformed)", "html", "is this the right endpoint?"],
        ),
        (
            "http",
            Answer::Bytes(JSON),
            &[
                "(malformed)",
                "JSON, 10 bytes long",
                "is this the right endpoint?",
            ],
        ),
        (
            "http",
            Answer::Bytes(TEXT),
            &["(malformed)", "text, 5 bytes long", "is this the right endpoint?"],
        ),
        (
            "http",
            Answer::Bytes(EMPTY),
            &["(malformed)", "is this the right endpoint?"],
        ),
        (
            "http",
            Answer::Bytes(FORBIDDEN),
            &["(denied)", "HTTP 403", "HTML, 13 bytes long"],
        ),
        ("http", Answer::Bytes(MOVED), &["(malformed)", "HTTP 301"]),
        ("http", Answer::Bytes(TLS_ALERT), &["(unreachable)", CHECK]),
        ("https", Answer::Bytes(HTML), &["(unreachable)", CHECK]),
        ("http", Answer::End, &["(unreachable)", CHECK]),
    ];
    for (scheme, answer, told) in cases {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))
            .await
            .expect("a port is free");
        let host = listener.local_addr().expect("it has an address").to_string();
        let server = tokio::spawn(serve(listener, answer));
        let named = ["(denied)", "HTTP 301"].iter().any(|word| told.contains(word));
        // An answer that is one, though no cloud's, is told in place of the host.
        let told = if named {
            told.to_vec()
        } else {
            [told, &[host.as_str()]].concat()
        };
        fails_for_every_kind(&format!("{scheme}://{host}"), &told).await;
        server.abort();
    }
}

#[tokio::test]
async fn nobody_there_is_told_by_host() {
    let port = free_port().to_string();
    fails_for_every_kind(
        &format!("http://127.0.0.1:{port}"),
        &["(unreachable)", &port, CHECK],
    )
    .await;
    let nowhere = "http://does-not-exist.invalid";
    fails_for_every_kind(nowhere, &["(unreachable)", "does-not-exist.invalid", CHECK]).await;
}

/// Each poll has its own line, and everything that is to be told is on it.
async fn fails_for_every_kind(url: &str, told: &[&str]) {
    let arguments = [
        "once",
        "--provider",
        "aws",
        "--region",
        "eu-west-1",
        "--endpoint-url",
        url,
    ];
    let mut vigie = vigie(&[&arguments[..], &["--format", "table"]].concat());
    vigie
        .env("AWS_ACCESS_KEY_ID", "AKWATCHER")
        .env("AWS_SECRET_ACCESS_KEY", CANARY);

    let run = refused(&mut vigie, 1, told).await;

    let lines: Vec<&str> = run.stderr.lines().collect();
    let kinds = default_kinds_of(Provider::Aws);
    assert_eq!(lines.len(), kinds.len(), "{url}: {}", run.stderr);
    for (line, kind) in lines.into_iter().zip(kinds) {
        let told = [told, &["vigie: ", kind.name, "account default", "eu-west-1"]].concat();
        for words in told {
            assert!(line.contains(words), "{url}: not told: {words}\n{line}");
        }
    }
}

async fn serve(listener: TcpListener, answer: Answer) {
    while let Ok((stream, _)) = listener.accept().await {
        tokio::spawn(answered(stream, answer));
    }
}

/// A client that hangs up first is no matter.
async fn answered(mut stream: TcpStream, answer: Answer) {
    if let Answer::Bytes(bytes) = answer {
        let mut request = [0; 4096];
        if stream.read(&mut request).await.is_ok() {
            stream.write_all(bytes).await.ok();
            stream.shutdown().await.ok();
        }
        // Closing with something unread would reset the connection before the answer is read.
        while stream.read(&mut request).await.is_ok_and(|read| read > 0) {}
    }
}
