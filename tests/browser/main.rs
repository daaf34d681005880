//! The page for people in a real Chromium, against a cloud that is hostile, and partly down. Run by `make test-browser`,
//! since a browser is more than the other tests need.

#[path = "../support/demo.rs"]
mod demo;
#[expect(dead_code, reason = "other tests need more of it")]
#[path = "../support/parts.rs"]
mod parts;
#[path = "../support/watching.rs"]
mod watching;

use std::path::Path;
use std::sync::Arc;

use demo::Demo;
use jiff::{SignedDuration, Timestamp};
use parts::{command, get, part};
use tokio::net::TcpListener;
use vigie::demo::{Check, Event, Fault, Options};
use vigie::provider::Provider;
use vigie::server;
use watching::watching;

#[tokio::test]
async fn page_for_people_is_safe_and_usable_in_a_browser() {
    let url = hostile_scene().await;
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let looked = command("python3")
        .arg(root.join("tests/browser/look.py"))
        .arg(part("TEST_CHROMIUM", "target/chromium/chromium"))
        .arg(&url)
        .arg(root.join("target/screenshots"))
        .arg(SHOWN)
        .output()
        .await
        .expect("Python starts");
    let said = String::from_utf8_lossy(&[looked.stdout, looked.stderr].concat()).into_owned();
    assert!(looked.status.success(), "{said}");
    assert_eq!(said.matches(" px, ").count(), 4, "{said}");
}

/// Where the page is served until the test ends.
async fn hostile_scene() -> String {
    let demo = Demo::start(Options {
        provider: Provider::Aws,
        alive: false,
        lock_out: false,
        regions: vec!["eu-west-1".to_owned(), "us-east-1".to_owned()],
        ..Options::default()
    })
    .await;
    let fleet = demo.cloud.fleet();
    let (impaired, gone) = (fleet.add_instance(), fleet.add_instance());
    let name: String = HOSTILE.chars().cycle().take(LONGEST_TAG).collect();
    for hostile in [&impaired, &gone] {
        assert!(fleet.set_tag(hostile, "Name", &name));
    }
    assert!(fleet.impair(&impaired, Check::System));
    assert!(fleet.set_state(&gone, "stopped"));
    let event = Event {
        id: "instance-event-1".to_owned(),
        code: "system-maintenance".to_owned(),
        description: "scheduled maintenance".to_owned(),
        not_before: Timestamp::now() + SignedDuration::from_hours(30),
        not_after: None,
        deadline: None,
    };
    assert!(fleet.schedule(&impaired, event));
    fleet.add_load_balancer("<b onmouseover=alert(1)>shop", &[&gone]);
    fleet.add_load_balancer("intranet", &[&gone, &impaired]);

    // What is behind a key that may not, and an answer that is none.
    let denied = Fault::Error {
        status: 403,
        code: "UnauthorizedOperation".to_owned(),
        message: format!("You are not authorized: {HOSTILE}"),
    };
    demo.cloud.inject("DescribeSubnets", denied, None);
    let url = demo.cloud.url();
    let other = format!(
        "[[account]]\nname = \"staging\"\nprovider = \"aws\"\nregions = [\"us-east-1\"]\n\
         credentials_file = \"credentials\"\nrequests_per_second = 100\nendpoints = {{ ec2 = {url:?}, elb = {url:?} }}"
    );
    let agent = watching(&demo, &other);
    agent.once().await;
    demo.cloud.inject("DescribeAddresses", Fault::Html200, None);
    agent.once().await;

    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port is free");
    let address = listener.local_addr().expect("it has an address");
    tokio::spawn(server::run(
        listener,
        Arc::clone(&agent.page),
        std::future::pending::<()>(),
    ));
    let url = format!("http://{address}/");
    let page = get(&url).await.expect("the page is there");
    for told in [
        "no healthy backend",
        "failing, nothing shown",
        "system-maintenance",
    ] {
        assert!(
            page.contains(told),
            "`{told}` is not there to be looked at: {page}"
        );
    }
    url
}

/// A name that would run, break out, turn the text and be wide.
const HOSTILE: &str =
    "<script>alert(1)</script>\"'><img src=x onerror=alert(1)>\u{202e}gnp.exe\u{2066}🦀 &lt;שלום ";

/// What is to be seen of it, as text.
const SHOWN: &str = "<script>alert(1)</script>\"'><img src=x onerror=alert(1)>·gnp.exe·🦀 &lt;";

/// As long as a cloud lets a tag be.
const LONGEST_TAG: usize = 256;
