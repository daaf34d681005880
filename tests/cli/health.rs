//! `vigie health`: asks the agent of this machine, and says what is wrong where it is not well.

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;

use crate::bad_input::{refused, refused_as_usage};
use crate::parts::free_port;
use crate::vigie::{Running, run, vigie};

#[tokio::test]
async fn agent_is_asked_where_it_was_told_to_listen() {
    for address in ["0.0.0.0", "127.0.0.1", "[::]"] {
        let listen = format!("{address}:{}", free_port());
        let demo = Running::start(vigie(&["demo", "--still"]).env("VIGIE_LISTEN", &listen));
        demo.wait_to_say("that it listens", |said| {
            said.contains("listening on").then_some(())
        })
        .await;

        let healthy = run(vigie(&["health"]).env("VIGIE_LISTEN", &listen)).await;
        assert_eq!(
            (healthy.code, healthy.stdout.as_str(), healthy.stderr.as_str()),
            (Some(0), "", ""),
            "{listen}"
        );

        let (code, _, said) = demo.end("TERM").await;
        assert_eq!(code, Some(0), "{said}");
        refused(
            vigie(&["health"]).env("VIGIE_LISTEN", &listen),
            1,
            &["asking http://", "/-/healthy", "refused"],
        )
        .await;
    }
}

#[tokio::test]
async fn what_answers_otherwise_is_not_healthy() {
    for (answer, told) in [
        ("HTTP/1.1 503 Service Unavailable\r\n\r\n", "status 503"),
        ("HTTP/1.1 404 Not Found\r\n\r\n", "status 404"),
        ("SSH-2.0-OpenSSH_9.2\r\n", "does not speak HTTP"),
        ("HTTP/1", "does not speak HTTP"),
        ("", "does not speak HTTP"),
    ] {
        let url = answering(Some(answer)).await;
        refused(
            &mut vigie(&["health", "--url", &url]),
            1,
            &["asking http://", told],
        )
        .await;
    }
}

#[tokio::test]
async fn silence_is_not_healthy() {
    let url = answering(None).await;
    refused(
        &mut vigie(&["health", "--url", &url]),
        1,
        &["no answer within 3 s"],
    )
    .await;
}

#[tokio::test]
async fn odd_urls_are_refused_without_their_password() {
    for (url, told) in [
        ("ftp://127.0.0.1/", "HTTP on this machine"),
        ("127.0.0.1:9980", "--url"),
        ("", "--url"),
    ] {
        refused_as_usage(&mut vigie(&["health", "--url", url]), &[told]).await;
    }
    let with_password = format!("http://user:PasswordEXAMPLE@127.0.0.1:{}/", free_port());
    let run = refused(
        &mut vigie(&["health", "--url", &with_password]),
        1,
        &["asking http://127"],
    )
    .await;
    assert!(!run.stderr.contains("PasswordEXAMPLE"), "{}", run.stderr);
}

/// The URL of a server that gives this answer to whatever it is asked, or none.
async fn answering(answer: Option<&'static str>) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port is free");
    let address = listener.local_addr().expect("the listener has an address");
    tokio::spawn(async move {
        while let Ok((mut asked, _)) = listener.accept().await {
            let mut request = [0; 1024];
            let length = asked.read(&mut request).await.expect("there is a request");
            assert!(request[..length].starts_with(b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\n"));
            match answer {
                Some(answer) => asked.write_all(answer.as_bytes()).await.expect("it is taken"),
                None => std::future::pending().await,
            }
        }
    });
    format!("http://{address}/")
}
