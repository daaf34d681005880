//! The routes over real sockets, and how `vigie run` ends.

#[path = "support/demo.rs"]
mod demo;
#[path = "support/page.rs"]
mod page;
#[expect(dead_code, reason = "other tests need more of it")]
#[path = "support/parts.rs"]
mod parts;
#[expect(dead_code, reason = "other tests need more of it")]
#[path = "support/vigie.rs"]
mod vigie;
#[path = "support/watching.rs"]
mod watching;

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use ::vigie::agent::Agent;
use ::vigie::demo::{Fault, Options};
use ::vigie::provider::Provider;
use ::vigie::resources::kinds_of;
use ::vigie::server;
use demo::Demo;
use flate2::bufread::MultiGzDecoder;
use page::Page;
use parts::{DEADLINE, HTTP, get, wait_for};
use reqwest::{Method, Response};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::sync::oneshot;
use tokio::task::JoinHandle;
use vigie::{Running, vigie};
use watching::watching;

#[tokio::test]
async fn methods_and_paths_get_their_status() {
    let scene = polled().await;
    let cases = [
        ("GET", "/metrics", 200),
        ("GET", "/metrics?x=1", 200),
        ("GET", "/metrics?&", 200),
        ("HEAD", "/metrics", 200),
        ("GET", "/", 200),
        ("GET", "/-/healthy", 200),
        ("GET", "/-/ready", 200),
        ("POST", "/metrics", 405),
        ("PUT", "/-/healthy", 405),
        ("DELETE", "/", 405),
        ("OPTIONS", "/-/ready", 405),
        ("GET", "/metrics/", 404),
        ("GET", "/nothing", 404),
        ("POST", "/nothing", 404),
        ("GET", "/-/reload", 404),
        ("GET", "//metrics", 404),
    ];
    for (method, path, status) in cases {
        let answer = scene.ask(method, path, &[]).await;
        assert_eq!(answer.status().as_u16(), status, "{method} {path}");
        let allow = answer
            .headers()
            .get("allow")
            .map(|allow| allow.to_str().expect("it is text"));
        assert_eq!(allow, (status == 405).then_some("GET,HEAD"), "{method} {path}");
    }
    let off = scene.ask("POST", "/-/reload", &[]).await;
    assert_eq!(off.status().as_u16(), 404);
    let says = off.text().await.expect("it says something");
    assert!(says.contains("--enable-lifecycle"), "{says}");
}

#[tokio::test]
async fn targets_are_no_shorter_list_while_the_regions_of_an_account_are_not_found() {
    let demo = Demo::start(Options {
        provider: Provider::Aws,
        regions: vec!["eu-west-1".to_owned()],
        lock_out: false,
        alive: false,
        ..Options::default()
    })
    .await;
    let url = demo.cloud.url();
    // Its key may not ask for regions.
    let every = format!(
        "[[account]]\nname = \"every\"\nprovider = \"aws\"\nregions = [\"*\"]\nkinds = [\"instances\"]\n\
         credentials_file = \"credentials\"\nendpoints = {{ ec2 = {url:?}, elb = {url:?}, iam = {url:?} }}"
    );
    let agent = watching(&demo, &every);
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port is free");
    let address = listener.local_addr().expect("it has an address");
    let server = server::run(listener, Arc::clone(&agent.page), std::future::pending());
    let _served = tokio::spawn(server);
    let _polls = agent.start();
    let url = |query: &str| format!("http://{address}/sd/instances{query}");

    wait_for("the targets of the account whose region is named", async || {
        get(&url("?account=demo")).await
    })
    .await;
    for query in ["", "?account=every", "?region=eu-west-1"] {
        let answer = HTTP.get(url(query)).send().await.expect("it answers");
        assert_eq!(answer.status().as_u16(), 503, "{query}");
        let text = answer.text().await.expect("it is text");
        assert!(
            text.contains("the regions of account `every` are not found yet"),
            "{text}"
        );
    }
}

#[tokio::test]
async fn head_says_how_long_the_page_is_and_sends_none() {
    let scene = polled().await;
    let answer = scene
        .raw(b"HEAD /metrics HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n")
        .await;
    let (head, body) = answer.split_once("\r\n\r\n").expect("the head has an end");
    let length = head
        .lines()
        .find_map(|line| line.strip_prefix("content-length: "));
    let length: usize = length
        .expect("the length is told")
        .parse()
        .expect("it is a number");
    assert!(length > 1000, "{head}");
    assert_eq!(body, "");
}

#[tokio::test]
async fn page_comes_in_the_format_and_coding_asked_for() {
    let scene = polled().await;
    let text = "text/plain; version=0.0.4; charset=utf-8";
    let openmetrics = "application/openmetrics-text; version=1.0.0; charset=utf-8";
    let scrape = "application/openmetrics-text;version=1.0.0;q=0.5,text/plain;version=0.0.4;q=0.2,*/*;q=0.1";
    for (accept, content_type) in [
        ("*/*", text),
        ("text/html", text),
        ("", text),
        (scrape, openmetrics),
    ] {
        for coding in ["gzip, deflate", "identity"] {
            let headers = [("accept", accept), ("accept-encoding", coding)];
            let answer = scene.ask("GET", "/metrics", &headers).await;
            let header = |name: &str| {
                answer
                    .headers()
                    .get(name)
                    .map(|value| value.to_str().expect("it is text").to_owned())
            };
            assert_eq!(header("content-type").as_deref(), Some(content_type), "{accept}");
            assert_eq!(header("vary").as_deref(), Some("accept, accept-encoding"));
            let length = header("content-length");
            let compressed = header("content-encoding").as_deref() == Some("gzip");
            assert_eq!(compressed, coding.starts_with("gzip"), "{coding}");
            let body = answer.bytes().await.expect("the page is whole");
            assert_eq!(length, Some(body.len().to_string()));

            let page = if compressed {
                inflated(&body)
            } else {
                body.to_vec()
            };
            let page = String::from_utf8(page).expect("the page is UTF-8");
            assert_eq!(page.ends_with("\n# EOF\n"), content_type == openmetrics);
            if content_type == text {
                let page = Page::parse(&page);
                assert_eq!(
                    page.value("vigie_poll_success", &[("kind", "instances")]),
                    Some(1.0)
                );
                assert!(page.family("cloud_instance_state").count() > 24);
                assert!(page.samples().count() > 200);
            }
        }
    }
}

#[tokio::test]
async fn readiness_comes_with_the_first_polls_even_if_they_fail() {
    let demo = still(24).await;
    demo.cloud.inject("*", Fault::Html200, None);
    let agent = watching(&demo, "");
    let scene = Scene::serve(agent, demo).await;
    for (path, status, says) in [
        ("/-/ready", 503, "not every kind has been tried"),
        ("/-/healthy", 200, "healthy"),
    ] {
        let answer = scene.ask("GET", path, &[]).await;
        assert_eq!(answer.status().as_u16(), status);
        let body = answer.text().await.expect("it says something");
        assert!(body.contains(says), "{body}");
    }
    let page = get(&scene.url("/metrics"))
        .await
        .expect("the page is there before any poll");
    assert!(Page::parse(&page).family("cloud_instance_state").next().is_none());
    let landing = get(&scene.url("/")).await.expect("so is the page for people");
    assert!(landing.contains("not polled yet"), "{landing}");

    assert_eq!(
        scene.agent.once().await.len(),
        kinds_of(Options::default().provider).len()
    );

    let ready = get(&scene.url("/-/ready")).await.expect("all have been tried");
    assert_eq!(ready, "every kind has been tried\n");
    let landing = get(&scene.url("/")).await.expect("it is still there");
    assert!(landing.contains("failing, nothing shown"), "{landing}");
    assert!(
        landing.contains("&lt;html&gt;") && !landing.contains("<h1>We will"),
        "{landing}"
    );
}

#[tokio::test]
async fn page_for_people_may_load_nothing_and_shows_what_is_watched() {
    let scene = polled().await;
    let answer = scene.ask("GET", "/", &[]).await;
    let header = |name: &str| {
        let value = answer.headers().get(name);
        value
            .map_or("", |value| value.to_str().expect("it is text"))
            .to_owned()
    };
    assert_eq!(header("content-type"), "text/html; charset=utf-8");
    let policy = header("content-security-policy");
    assert!(
        policy.starts_with("default-src 'none'; style-src 'sha256-"),
        "{policy}"
    );
    assert!(
        !policy.contains("unsafe") && !policy.contains("script"),
        "{policy}"
    );
    assert_eq!(header("x-content-type-options"), "nosniff");
    assert_eq!(header("referrer-policy"), "no-referrer");
    assert_eq!(header("cache-control"), "no-store");

    let page = answer.text().await.expect("it is whole");
    assert!(page.starts_with("<!DOCTYPE html>") && page.ends_with("</html>\n"));
    assert!(
        !page.contains("<script") && !page.contains("http-equiv"),
        "{page}"
    );
    for shown in [
        env!("CARGO_PKG_VERSION"),
        "href=\"metrics\"",
        "href=\"sd/instances\"",
        "href=\"-/healthy\"",
        "href=\"-/ready\"",
        "Load balancers",
        "Instances by state",
        "1 out of service",
    ] {
        assert!(page.contains(shown), "{shown} is not in {page}");
    }
    assert!(!page.contains("id=\"failures\""), "{page}");
    for kind in kinds_of(Options::default().provider) {
        let named = format!("<th scope=\"row\">{}</th>", kind.name);
        assert!(page.contains(&named), "{named} is not in {page}");
    }
}

#[tokio::test]
async fn page_for_people_can_be_a_part_and_reload_itself_if_asked() {
    let scene = polled().await;
    let part = get(&scene.url("/?kind=instances&reload")).await;
    let part = part.expect("the part is there");
    assert!(part.contains("<meta http-equiv=\"refresh\""), "{part}");
    assert!(
        part.contains("href=\"./?kind=instances\">Stop reloading"),
        "{part}"
    );
    assert!(part.contains("<th scope=\"row\">instances</th>"), "{part}");
    assert!(!part.contains("<th scope=\"row\">volumes</th>"), "{part}");
    // What is not asked for is not said to be well.
    assert!(part.contains("Not watched"), "{part}");
    let refused = scene.ask("GET", "/?account=%3Cb%3E", &[]).await;
    assert_eq!(refused.status().as_u16(), 400);
    let said = refused.headers().get("content-type").cloned();
    assert!(said.is_some_and(|said| said.as_bytes().starts_with(b"text/plain")));
}

#[tokio::test]
async fn garbage_and_huge_requests_do_not_end_the_server() {
    let scene = polled().await;
    let huge = format!(
        "GET /metrics HTTP/1.1\r\nhost: x\r\nx: {}\r\n\r\n",
        "x".repeat(1 << 20)
    );
    let many = format!("GET / HTTP/1.1\r\nhost: x\r\n{}\r\n", "x: y\r\n".repeat(10_000));
    let long = format!("GET /{} HTTP/1.1\r\nhost: x\r\n\r\n", "x".repeat(1 << 17));
    let cases: [&[u8]; 8] = [
        huge.as_bytes(),
        many.as_bytes(),
        long.as_bytes(),
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
        b"\0\0\0\0\r\n\r\n",
        b"GET /metrics\r\n\r\n",
        b"GET /metrics HTTP/1.1\r\ncontent-length: -1\r\n\r\n",
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    ];
    for request in cases {
        let answer = scene.raw(request).await;
        let refused = answer.is_empty() || answer.starts_with("HTTP/1.1 4");
        assert!(
            refused,
            "{:.40?}: {answer:.200}",
            String::from_utf8_lossy(request)
        );
        assert_eq!(scene.ask("GET", "/-/healthy", &[]).await.status().as_u16(), 200);
    }
}

#[tokio::test]
async fn end_waits_for_no_idle_connection_and_takes_no_new_one() {
    let scene = polled().await;
    let mut idle = TcpStream::connect(scene.address)
        .await
        .expect("it takes connections");
    idle.write_all(b"GET /-/healthy HTTP/1.1\r\nhost: x\r\n\r\n")
        .await
        .expect("it reads");
    let mut answer = [0; 4096];
    assert!(idle.read(&mut answer).await.expect("it answers") > 0);

    scene.end.send(()).expect("the server runs");

    let ended = tokio::time::timeout(DEADLINE, scene.server).await;
    ended.expect("the server ends").expect("it does not panic");
    assert!(TcpStream::connect(scene.address).await.is_err());
}

#[tokio::test]
async fn scrape_under_way_is_sent_whole_after_sigterm() {
    let (_demo, agent, address) = running(LARGE).await;
    let mut scrape = slow_scrape(address).await;

    let end = tokio::spawn(agent.end("TERM"));
    tokio::time::sleep(Duration::from_millis(300)).await;
    let mut page = Vec::new();
    scrape
        .read_to_end(&mut page)
        .await
        .expect("the connection is not broken");

    let page = String::from_utf8(page).expect("the page is UTF-8");
    assert!(
        page.len() > LARGE * 500 && page.ends_with("\n# EOF\n"),
        "{}",
        page.len()
    );
    let (code, took, said) = end.await.expect("the end can be waited for");
    assert_eq!(code, Some(0), "{said}");
    assert!(took < LIMIT, "it took {took:?}: {said}");
}

#[tokio::test]
async fn scrape_that_never_ends_is_cut_off_after_sigterm() {
    let (_demo, agent, address) = running(LARGE).await;
    let scrape = slow_scrape(address).await;

    let (code, took, said) = agent.end("TERM").await;

    assert_eq!(code, Some(0), "{said}");
    assert!(took < LIMIT, "it took {took:?}: {said}");
    assert!(said.contains("cut off"), "{said}");
    drop(scrape);
}

#[tokio::test]
async fn hang_up_takes_the_settings_anew_and_ends_nothing() {
    let (_demo, agent, address) = running(3).await;

    agent.signal("HUP").await;

    agent
        .wait_to_say("what came of the hang-up", |said| {
            said.contains("settings are in force unchanged=1").then_some(())
        })
        .await;
    get(&format!("http://{address}/-/ready"))
        .await
        .expect("the agent still answers");
    let (code, _, said) = agent.end("TERM").await;
    assert_eq!(code, Some(0), "{said}");
}

#[tokio::test]
async fn polls_that_hang_do_not_hold_up_the_end() {
    for signal in ["TERM", "INT"] {
        let silent = TcpListener::bind("127.0.0.1:0").await.expect("a port is free");
        let url = format!("http://{}", silent.local_addr().expect("it has an address"));
        let mut vigie = vigie(&[
            "run",
            "--provider",
            "aws",
            "--region",
            "x",
            "--endpoint-url",
            &url,
        ]);
        vigie
            .args(["--listen", "127.0.0.1:0"])
            .env("AWS_ACCESS_KEY_ID", "AKIAWATCHER")
            .env("AWS_SECRET_ACCESS_KEY", "unchecked");
        let agent = Running::start(&mut vigie);
        let polled = async {
            let (mut poll, _) = silent.accept().await.expect("it is asked");
            let mut request = [0; 4];
            poll.read_exact(&mut request).await.expect("a request comes");
            assert_eq!(&request, b"POST");
            poll
        };
        let poll = tokio::time::timeout(DEADLINE, polled)
            .await
            .expect("a poll comes");

        let (code, took, said) = agent.end(signal).await;

        assert_eq!(code, Some(0), "{said}");
        assert!(took < PROMPT, "it took {took:?}: {said}");
        assert!(said.contains(&format!("SIG{signal}")), "{said}");
        drop(poll);
    }
}

/// A server within the test, and the agent whose page it serves.
struct Scene {
    agent: Agent,
    address: SocketAddr,
    end: oneshot::Sender<()>,
    server: JoinHandle<()>,
    _demo: Demo,
}

impl Scene {
    async fn serve(agent: Agent, demo: Demo) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port is free");
        let address = listener.local_addr().expect("it has an address");
        let (end, ended) = oneshot::channel::<()>();
        let ended = async move { ended.await.unwrap_or_default() };
        let server = tokio::spawn(server::run(listener, Arc::clone(&agent.page), ended));
        Self {
            agent,
            address,
            end,
            server,
            _demo: demo,
        }
    }

    fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    async fn ask(&self, method: &str, path: &str, headers: &[(&'static str, &str)]) -> Response {
        let method = Method::from_bytes(method.as_bytes()).expect("it is a method");
        let mut request = HTTP.request(method, self.url(path));
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        request.send().await.expect("the server answers")
    }

    /// Everything that comes back until the server closes; nothing if it closes at once.
    async fn raw(&self, request: &[u8]) -> String {
        let mut stream = TcpStream::connect(self.address)
            .await
            .expect("it takes connections");
        let mut answer = Vec::new();
        let exchange = async {
            // A server that has heard enough closes before everything is said.
            stream.write_all(request).await.ok();
            stream.shutdown().await.ok();
            stream.read_to_end(&mut answer).await.ok();
        };
        tokio::time::timeout(DEADLINE, exchange)
            .await
            .expect("the server closes");
        String::from_utf8_lossy(&answer).into_owned()
    }
}

fn inflated(bytes: &[u8]) -> Vec<u8> {
    let mut plain = Vec::new();
    let read = std::io::Read::read_to_end(&mut MultiGzDecoder::new(bytes), &mut plain);
    read.expect("it is compressed as it says");
    plain
}

async fn still(instances: usize) -> Demo {
    Demo::start(Options {
        instances,
        alive: false,
        ..Options::default()
    })
    .await
}

/// A server of a page that has been filled once.
async fn polled() -> Scene {
    let demo = still(24).await;
    let agent = watching(&demo, "");
    assert!(agent.once().await.is_empty());
    Scene::serve(agent, demo).await
}

/// `vigie run` on a fleet, with its page filled.
async fn running(instances: usize) -> (Demo, Running, SocketAddr) {
    let demo = still(instances).await;
    let settings = demo.settings("listen = \"127.0.0.1:0\"", "");
    let agent = Running::start(vigie(&["run", "--config"]).arg(settings));
    let address = agent
        .wait_to_say("its address", |said| {
            let (_, address) = said.split_once("listening on http://")?;
            address.split_whitespace().next()?.parse().ok()
        })
        .await;
    wait_for("the agent to be ready", async || {
        get(&format!("http://{address}/-/ready")).await
    })
    .await;
    (demo, agent, address)
}

/// A scrape that has begun, by a client that takes little at a time.
async fn slow_scrape(address: SocketAddr) -> TcpStream {
    let socket = TcpSocket::new_v4().expect("a socket can be made");
    socket
        .set_recv_buffer_size(4096)
        .expect("its buffer can be small");
    let mut stream = socket.connect(address).await.expect("it takes connections");
    let request = b"GET /metrics HTTP/1.1\r\nhost: x\r\naccept: application/openmetrics-text\r\nconnection: close\r\n\r\n";
    stream.write_all(request).await.expect("it reads");
    let mut first = [0; 16];
    stream.read_exact(&mut first).await.expect("it answers");
    assert!(first.starts_with(b"HTTP/1.1 200 OK"));
    stream
}

/// More than the buffers between two sockets hold.
const LARGE: usize = 8000;
/// What the contract gives an end.
const LIMIT: Duration = Duration::from_secs(5);
/// Well before scrapes under way would be cut off.
const PROMPT: Duration = Duration::from_secs(3);
