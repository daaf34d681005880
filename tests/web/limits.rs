//! What clients may not do: ask for too much, too slowly, or too many of them.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpSocket, TcpStream};
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep, timeout};
use vigie::server::Limits;

use crate::command::running;
use crate::parts::{DEADLINE, wait_for};
use crate::requests::Ask;
use crate::scene::{Folder, Scene, hash};

const TLS: &str = "tls_server_config: {cert_file: server.crt, key_file: server.key}";

async fn connect(address: SocketAddr) -> TcpStream {
    TcpStream::connect(address).await.expect("it takes connections")
}

/// All that comes until the other side closes, which it has to.
async fn rest(stream: &mut TcpStream) -> String {
    let mut answer = Vec::new();
    let read = timeout(DEADLINE, stream.read_to_end(&mut answer)).await;
    // Closed with something unread, it is reset.
    drop(read.expect("the server closes"));
    String::from_utf8_lossy(&answer).into_owned()
}

async fn said(address: SocketAddr, request: &[u8]) -> String {
    let mut stream = connect(address).await;
    stream.write_all(request).await.ok();
    rest(&mut stream).await
}

/// Asks on a connection that stays, and is answered.
async fn ask(stream: &mut TcpStream) {
    let request = b"GET /-/healthy HTTP/1.1\r\nhost: x\r\n\r\n";
    stream.write_all(request).await.ok();
    let mut answer = [0; 4096];
    let read = timeout(DEADLINE, stream.read(&mut answer))
        .await
        .expect("it answers");
    assert!(matches!(read, Ok(1..)), "{read:?}");
}

#[tokio::test]
async fn body_is_refused_and_the_connection_closed() {
    let scene = Scene::serve(None, Limits::default()).await;
    for request in [
        "GET /metrics HTTP/1.1\r\nhost: x\r\ncontent-length: 9\r\n\r\n",
        "POST /metrics HTTP/1.1\r\nhost: x\r\ncontent-length: 1000000000000\r\n\r\n",
        "POST /metrics HTTP/1.1\r\nhost: x\r\ncontent-length: 9\r\nexpect: 100-continue\r\n\r\n",
        "GET /metrics HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\n",
        "PUT /nothing HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n",
        // The second is a body, whatever it looks like.
        "GET /metrics HTTP/1.1\r\nhost: x\r\ncontent-length: 40\r\n\r\nGET /-/healthy HTTP/1.1\r\nhost: x\r\n\r\n",
    ] {
        let answer = said(scene.address, request.as_bytes()).await;
        assert!(answer.starts_with("HTTP/1.1 413 "), "{request}: {answer}");
        assert!(answer.contains("\r\nconnection: close\r\n"), "{answer}");
        assert!(
            answer.contains("\r\nx-content-type-options: nosniff\r\n"),
            "{answer}"
        );
        assert_eq!(answer.matches("HTTP/1.1").count(), 1, "{answer}");
    }
    let none = "GET /-/healthy HTTP/1.1\r\nhost: x\r\ncontent-length: 0\r\nconnection: close\r\n\r\n";
    let answer = said(scene.address, none.as_bytes()).await;
    assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}");
}

#[tokio::test]
async fn request_that_does_not_say_once_whom_it_asks_is_refused() {
    let folder = Folder::new();
    let configured = folder.web("http_server_config: {headers: {X-Frame-Options: sameorigin}}");
    let scene = Scene::serve(Some(&configured), Limits::default()).await;
    let of = |version: &str, hosts: &str| {
        format!("GET /-/healthy HTTP/{version}\r\n{hosts}connection: close\r\n\r\n")
    };
    for (version, hosts, status) in [
        ("1.1", "host: vigie.example.org:9980\r\n", 200),
        ("1.1", "host: [fd00::1]:9980\r\n", 200),
        ("1.1", "host:\r\n", 200),
        ("1.0", "", 200),
        ("1.0", "host: x\r\n", 200),
        ("1.1", "", 400),
        ("1.1", "host: a\r\nhost: b\r\n", 400),
        ("1.1", "host: a\r\nhost: a\r\n", 400),
        ("1.0", "host: a\r\nhost: b\r\n", 400),
        ("1.1", "host: a b\r\n", 400),
        ("1.1", "host: a/b\r\n", 400),
        ("1.1", "host: user@a\r\n", 400),
        ("1.1", "host: \u{e9}\r\n", 400),
    ] {
        let answer = said(scene.address, of(version, hosts).as_bytes()).await;
        let expected = format!("HTTP/{version} {status} ");
        assert!(answer.starts_with(&expected), "{version} {hosts:?}: {answer}");
        assert!(answer.contains("\r\nx-frame-options: sameorigin\r\n"), "{answer}");
        assert!(
            answer.contains("\r\nreferrer-policy: no-referrer\r\n"),
            "{answer}"
        );
    }
}

#[tokio::test]
async fn body_is_not_told_of_to_whoever_may_not_ask_and_counts_like_any_request() {
    let folder = Folder::new();
    let users = format!("basic_auth_users: {{prometheus: {}}}\n", hash("PasswordEXAMPLE"));
    let file = folder.web(&format!("{users}rate_limit: {{interval: 1h, burst: 2}}\n"));
    let scene = Scene::serve(Some(&file), Limits::default()).await;
    let request = |authorization| {
        format!("POST /metrics HTTP/1.1\r\nhost: x\r\n{authorization}content-length: 9\r\n\r\n")
    };
    for (authorization, status) in [
        ("", "401"),
        (
            "authorization: Basic cHJvbWV0aGV1czpQYXNzd29yZEVYQU1QTEU=\r\n",
            "413",
        ),
        ("", "429"),
    ] {
        let answer = said(scene.address, request(authorization).as_bytes()).await;
        assert!(answer.starts_with(&format!("HTTP/1.1 {status} ")), "{answer}");
        assert!(answer.contains("\r\nconnection: close\r\n"), "{answer}");
    }
}

#[tokio::test]
async fn head_that_is_too_large_is_refused() {
    let scene = Scene::serve(None, Limits::default()).await;
    let of = |size: usize| {
        format!(
            "GET /-/healthy HTTP/1.1\r\nhost: x\r\nconnection: close\r\nx: {}\r\n\r\n",
            "x".repeat(size)
        )
    };
    let answer = said(scene.address, of(16 * 1024).as_bytes()).await;
    assert!(answer.starts_with("HTTP/1.1 200 "), "{answer:.100}");
    for size in [33 * 1024, 1024 * 1024] {
        let answer = said(scene.address, of(size).as_bytes()).await;
        assert!(
            answer.is_empty() || answer.starts_with("HTTP/1.1 431 "),
            "{answer:.100}"
        );
    }
}

#[tokio::test]
async fn slow_clients_are_cut_off() {
    let folder = Folder::new();
    let limits = Limits {
        head: Duration::from_millis(300),
        idle: Duration::from_millis(300),
        answer: Duration::from_millis(300),
        ..Limits::default()
    };
    let plain = Scene::serve(None, limits).await;
    let tls = Scene::serve(Some(&folder.web(TLS)), limits).await;
    // Nothing; the beginning of a head; one of a handshake.
    for (address, begun) in [
        (plain.address, &b""[..]),
        (plain.address, b"GET /metrics HTTP/1.1\r\nhost: x\r\n"),
        (tls.address, b""),
        (tls.address, b"\x16\x03\x01"),
    ] {
        let mut stream = connect(address).await;
        stream.write_all(begun).await.unwrap();
        assert_eq!(rest(&mut stream).await, "");
    }
    // A head that never ends, a byte at a time: it gains no time by that.
    let mut stream = connect(plain.address).await;
    stream.write_all(b"GET /metrics HTTP/1.1\r\nx: ").await.unwrap();
    let dribbled = async {
        while stream.write_all(b"x").await.is_ok() {
            sleep(Duration::from_millis(20)).await;
        }
    };
    timeout(DEADLINE, dribbled).await.expect("it is cut off");

    // Between two requests.
    let mut stream = connect(plain.address).await;
    stream
        .write_all(b"GET /-/healthy HTTP/1.1\r\nhost: x\r\n\r\n")
        .await
        .unwrap();
    let answer = rest(&mut stream).await;
    assert!(
        answer.starts_with("HTTP/1.1 200 ") && answer.ends_with("healthy\n"),
        "{answer}"
    );
}

#[tokio::test]
async fn answer_that_nobody_takes_is_cut_off() {
    let limits = Limits {
        answer: Duration::from_millis(500),
        idle: DEADLINE * 10,
        ..Limits::default()
    };
    let scene = Scene::serve(None, limits).await;
    let mut stream = connect(scene.address).await;
    let request = b"GET / HTTP/1.1\r\nhost: x\r\n\r\n";
    // Asks and asks, and reads nothing, until no more fits between the two.
    let asked = async { while stream.write_all(request).await.is_ok() {} };
    timeout(DEADLINE, asked).await.expect("it is cut off");
}

#[tokio::test]
async fn connections_that_get_nowhere_make_room() {
    let limits = Limits {
        connections: 8,
        head: DEADLINE * 10,
        idle: DEADLINE * 10,
        ..Limits::default()
    };
    let scene = Scene::serve(None, limits).await;
    let request = b"GET /-/healthy HTTP/1.1\r\nhost: x\r\n\r\n";
    let mut known = connect(scene.address).await;
    let ask = async |stream: &mut TcpStream| {
        stream.write_all(request).await.expect("it is open");
        let mut answer = [0; 4096];
        let length = timeout(DEADLINE, stream.read(&mut answer))
            .await
            .expect("it answers")
            .unwrap();
        assert!(answer[..length].starts_with(b"HTTP/1.1 200 "), "{length}");
    };
    ask(&mut known).await;
    let mut strangers = Vec::new();
    for _ in 0..20 {
        let mut stream = connect(scene.address).await;
        stream.write_all(b"G").await.unwrap();
        strangers.push(stream);
        // Whoever has asked before stays, and whoever asks now is answered.
        ask(&mut known).await;
    }
    for stream in &mut strangers[..12] {
        assert_eq!(rest(stream).await, "", "the oldest make room");
    }
    ask(&mut known).await;
    // Where there are none but those that wait between requests, one of them makes room.
    drop(strangers);
    let mut all_known = Vec::new();
    for _ in 0..20 {
        let mut stream = connect(scene.address).await;
        ask(&mut stream).await;
        all_known.push(stream);
    }
    for stream in &mut all_known[7..19] {
        assert_eq!(rest(stream).await, "", "the youngest make room");
    }
    ask(&mut known).await;
    ask(&mut all_known[19]).await;
}

#[tokio::test]
async fn newcomer_is_heard_though_others_keep_all_connections_and_dribble() {
    let limits = Limits {
        connections: 16,
        head: DEADLINE * 10,
        grace: DEADLINE * 10,
        idle: DEADLINE * 10,
        ..Limits::default()
    };
    let scene = Scene::serve(None, limits).await;
    let by = async |host: u8| {
        let socket = TcpSocket::new_v4().unwrap();
        socket.bind(([127, 0, 1, host], 0).into()).unwrap();
        socket.connect(scene.address).await.unwrap()
    };
    let mut established = by(100).await;
    ask(&mut established).await;
    // As many as there may be, of few addresses, each answered once: nobody has more than is fair.
    let mut kept = Vec::new();
    for number in 0..16 {
        let mut stream = by(number / 4).await;
        ask(&mut stream).await;
        kept.push(stream);
    }
    for round in 0..5 {
        let mut scraper = by(101).await;
        let mut dribbling = Vec::new();
        for number in 0..8 {
            let mut stream = by(10 * (round + 1) + number).await;
            stream.write_all(b"G").await.unwrap();
            dribbling.push(stream);
        }
        // The server has seen them all.
        ask(&mut by(102).await).await;
        ask(&mut scraper).await;
        ask(&mut established).await;
    }
}

#[tokio::test]
async fn answers_that_nobody_takes_make_room() {
    let limits = Limits {
        connections: 4,
        answer: DEADLINE * 10,
        patience: DEADLINE * 10,
        ..Limits::default()
    };
    let scene = Scene::serve(None, limits).await;
    let mut greedy = Vec::new();
    for _ in 0..4 {
        let mut stream = connect(scene.address).await;
        // Until no more fits: for as long, nothing is heard of the other side.
        let request = b"GET / HTTP/1.1\r\nhost: x\r\n\r\n".repeat(100);
        while timeout(Duration::from_millis(300), stream.write_all(&request))
            .await
            .is_ok()
        {}
        greedy.push(stream);
    }
    let healthy = b"GET /-/healthy HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n";
    for _ in 0..4 {
        // One whose answer is still being made makes no room yet.
        wait_for("room", async || match said(scene.address, healthy).await {
            answer if answer.starts_with("HTTP/1.1 200 ") => Ok(()),
            other => Err(other),
        })
        .await;
    }
}

#[tokio::test]
async fn address_with_more_than_its_share_drives_out_no_other() {
    let folder = Folder::new();
    let limits = Limits {
        connections: 12,
        head: DEADLINE * 10,
        answer: DEADLINE * 10,
        idle: DEADLINE * 10,
        patience: Duration::ZERO,
        ..Limits::default()
    };
    let scene = Scene::serve(Some(&folder.web("")), limits).await;
    let mut scraper = connect(scene.address).await;
    ask(&mut scraper).await;
    // Connections that do not take their answers, of another address: each is worth more than one between two requests.
    let mut greedy = Vec::new();
    for _ in 0..30 {
        let socket = TcpSocket::new_v4().unwrap();
        socket.bind(([127, 0, 0, 2], 0).into()).unwrap();
        socket.set_recv_buffer_size(4096).unwrap();
        let mut stream = socket.connect(scene.address).await.unwrap();
        let request = b"GET / HTTP/1.1\r\nhost: x\r\n\r\n".repeat(100);
        while timeout(Duration::from_millis(100), stream.write_all(&request))
            .await
            .is_ok_and(|written| written.is_ok())
        {}
        greedy.push(stream);
    }
    // Nothing was heard of it all the while; and one that is new is answered too.
    ask(&mut scraper).await;
    ask(&mut connect(scene.address).await).await;
}

#[tokio::test]
async fn end_waits_for_nobody_who_asks_for_nothing() {
    let folder = Folder::new();
    for web in ["", TLS] {
        let scene = Scene::serve(Some(&folder.web(web)), Limits::default()).await;
        let mut silent = connect(scene.address).await;
        let mut begun = connect(scene.address).await;
        let head: &[u8] = if web.is_empty() {
            b"GET / HTTP/1.1\r\nx: "
        } else {
            b"\x16\x03\x01"
        };
        begun.write_all(head).await.unwrap();
        let answer = Ask {
            tls: !web.is_empty(),
            ..Ask::PLAIN
        };
        let answer = answer.send(folder.path(), scene.address, "/-/healthy").await;
        assert_eq!(answer.status(), Some(200), "{answer}");
        scene.end.send(()).unwrap();
        timeout(DEADLINE, scene.server).await.expect("it ends").unwrap();
        assert_eq!(rest(&mut silent).await, "");
    }
}

#[tokio::test]
async fn thousand_dribbling_connections_hold_up_no_scrape() {
    let folder = Folder::new();
    let users = format!("\nbasic_auth_users: {{prometheus: {}}}", hash("PasswordEXAMPLE"));
    for (web, ask) in [
        ("", Ask::PLAIN),
        (TLS, Ask::TLS.by("prometheus", "PasswordEXAMPLE")),
    ] {
        let web = if web.is_empty() {
            String::new()
        } else {
            format!("{web}{users}")
        };
        folder.web(&web);
        // A process of its own has descriptors of its own.
        let (_agent, url) = running(&folder).await;
        let (_, address) = url.split_once("://").expect("it is a URL");
        let address = address.parse().expect("it is an address");
        let mut dribbling = JoinSet::new();
        let connected = Arc::new(AtomicUsize::new(0));
        for count in 1..=1000 {
            dribbling.spawn(dribble(address, ask.tls, Arc::clone(&connected)));
            // Those that were thrown out give their descriptors back meanwhile.
            if count % 100 == 0 {
                wait_for("all to dribble", async || {
                    match connected.load(Ordering::Relaxed) {
                        enough if enough >= count => Ok(()),
                        fewer => Err(format!("{fewer} of {count} do")),
                    }
                })
                .await;
            }
        }
        let mut took = Vec::new();
        for _ in 0..5 {
            sleep(Duration::from_millis(100)).await;
            let asked = Instant::now();
            let answer = ask.send(folder.path(), address, "/metrics").await;
            assert_eq!(answer.status(), Some(200), "{answer}");
            took.push(asked.elapsed());
        }
        println!("scrapes took {took:?}");
        assert_eq!(dribbling.len(), 1000);
    }
}

/// Sends a byte now and then, and comes back when it is thrown out. It holds no descriptor meanwhile.
async fn dribble(address: SocketAddr, tls: bool, connected: Arc<AtomicUsize>) {
    let begun: &[u8] = if tls {
        b"\x16\x03\x01\x02\x00"
    } else {
        b"GET / HTTP/1.1\r\nx: "
    };
    loop {
        let mut stream = connect(address).await;
        connected.fetch_add(1, Ordering::Relaxed);
        stream.write_all(begun).await.ok();
        let mut answer = [0; 16];
        // Readable means thrown out.
        while timeout(Duration::from_millis(200), stream.read(&mut answer))
            .await
            .is_err()
        {
            stream.write_all(b"x").await.ok();
        }
        drop(stream);
        sleep(Duration::from_millis(500)).await;
    }
}
