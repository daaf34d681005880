//! What goes wrong between the agent and the cloud: tried again where that may help, told in full, never a storm.

use std::time::Duration;

use jiff::SignedDuration;
use secrecy::ExposeSecret as _;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;
use tokio::time::Instant;
use vigie::demo::{Cloud, Fault, Options};
use vigie::provider::Provider;

use crate::bench::{Account, Bench, asked, cloud, pass, still, still_aws, watcher};

const LIST: &str = "DescribeInstances";

fn only_instances(cloud: &Cloud) -> Account {
    Account {
        lines: "kinds = [\"instances\"]",
        ..Account::new(cloud, &watcher(cloud))
    }
}

fn refusal(status: u16, code: &str) -> Fault {
    Fault::Error {
        status,
        code: code.to_owned(),
        message: "in the words of the cloud".to_owned(),
    }
}

#[tokio::test(start_paused = true)]
async fn what_may_pass_is_tried_again() {
    for (fault, reason) in [
        (Fault::Throttle { retry_after: None }, "throttled"),
        (Fault::Throttle { retry_after: Some(2) }, "throttled"),
        (refusal(503, "Unavailable"), "other"),
        (refusal(500, "InternalError"), "other"),
        (Fault::Status(500), "other"),
        (Fault::Status(502), "unreachable"),
        (Fault::Status(503), "unreachable"),
        (Fault::Status(504), "unreachable"),
        (Fault::Status(429), "throttled"),
        (Fault::Empty(503), "unreachable"),
        (Fault::CutAfter(100), "unreachable"),
        (Fault::CutAfter(0), "unreachable"),
        (Fault::Hang, "timeout"),
    ] {
        let cloud = cloud(still()).await;
        let bench = Bench::one(only_instances(&cloud));
        bench.succeeds().await;
        cloud.forget_requests();
        cloud.inject(LIST, fault.clone(), Some(1));
        let page = bench.succeeds().await;
        assert_eq!(asked(&cloud, LIST).len(), 2, "{fault:?}");
        assert_eq!(page.family("cloud_instance_info").count(), 24);

        cloud.forget_requests();
        cloud.inject(LIST, fault.clone(), None);
        let begun = Instant::now();
        let (poll, error) = bench.fails().await;
        assert_eq!(
            poll,
            format!("prod eu-west-2 instances: {reason}"),
            "{fault:?}: {error}"
        );
        assert_eq!(asked(&cloud, LIST).len(), 3, "{fault:?}");
        assert!(begun.elapsed() < Duration::from_secs(300), "{fault:?}");
        assert!(error.starts_with(LIST) && error.contains("3 attempts"), "{error}");
        let page = bench.shown();
        let counted = [("action", LIST), ("outcome", reason)];
        assert_eq!(
            page.value("vigie_api_requests_total", &counted),
            Some(4.0),
            "{fault:?}"
        );
        let counted = [("kind", "instances"), ("reason", reason)];
        assert_eq!(page.value("vigie_poll_failures_total", &counted), Some(1.0));
    }
}

#[tokio::test(start_paused = true)]
async fn silence_upon_an_untried_key_is_not_answered_with_another_try_where_refusals_lock() {
    let cloud = cloud(still()).await;
    let bench = Bench::one(only_instances(&cloud));
    cloud.inject(LIST, Fault::Hang, Some(1));
    let (poll, _) = bench.fails().await;
    assert_eq!(poll, "prod eu-west-2 instances: timeout");
    assert_eq!(asked(&cloud, LIST).len(), 1);
    let (poll, error) = bench.fails().await;
    assert_eq!(poll, "prod eu-west-2 instances: unreachable", "{error}");
    assert!(
        error.contains("no answer came to a request with an untried key"),
        "{error}"
    );
    tokio::time::advance(Duration::from_secs(60)).await;
    bench.succeeds().await;
}

#[tokio::test(start_paused = true)]
async fn what_will_not_pass_is_not_tried_again() {
    for (fault, reason) in [
        (Fault::Html200, "malformed"),
        (Fault::Json200, "malformed"),
        (Fault::WrongRoot, "malformed"),
        (Fault::Truncated, "malformed"),
        (Fault::Empty(200), "malformed"),
        (Fault::Enormous(100 << 20), "malformed"),
        (Fault::DeepNesting(200_000), "malformed"),
        (Fault::Status(302), "malformed"),
        (Fault::Status(403), "denied"),
        (Fault::Status(404), "other"),
        (refusal(403, "UnauthorizedOperation"), "denied"),
        (refusal(400, "InvalidParameterValue"), "other"),
        (refusal(409, "LimitExceeded"), "other"),
    ] {
        let cloud = cloud(still_aws()).await;
        let bench = Bench::one(Account {
            provider: Provider::Aws,
            ..only_instances(&cloud)
        });
        cloud.inject(LIST, fault.clone(), None);
        let (poll, error) = bench.fails().await;
        assert_eq!(
            poll,
            format!("prod eu-west-2 instances: {reason}"),
            "{fault:?}: {error}"
        );
        assert_eq!(asked(&cloud, LIST).len(), 1, "{fault:?}");
        assert!(error.chars().count() < 700, "{fault:?}: {error}");
        assert_eq!(bench.shown().family("cloud_instance_info").count(), 0);
        cloud.clear_faults();
        bench.succeeds().await;
    }
}

#[tokio::test(start_paused = true)]
async fn error_names_action_key_code_message_and_request_and_never_the_secret() {
    for fault in [
        refusal(403, "UnauthorizedOperation"),
        Fault::MotoEnvelope {
            status: 403,
            code: "UnauthorizedOperation".to_owned(),
            message: "in the words of the cloud".to_owned(),
        },
    ] {
        let cloud = cloud(still()).await;
        let key = watcher(&cloud);
        let bench = Bench::one(Account::new(&cloud, &key));
        cloud.inject("*", fault, None);
        let failed = bench.once().await;
        assert_eq!(failed.len(), 2);
        for (action, (poll, error)) in [LIST, "DescribeLoadBalancers"].iter().zip(&failed) {
            assert!(poll.ends_with(": denied"), "{poll}");
            let id = &key.access_key_id;
            let suffix = format!("…{}", id.get(id.len() - 4..).unwrap());
            let told = [
                action,
                suffix.as_str(),
                "UnauthorizedOperation",
                "HTTP 403",
                "in the words of the cloud",
                "request ",
            ];
            for told in told {
                assert!(error.contains(told), "`{told}` is not told: {error}");
            }
            assert!(!error.contains(key.secret_access_key.expose_secret()));
            assert!(!error.contains(id), "the whole id is not needed: {error}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn server_that_asks_to_wait_is_waited_for() {
    let cloud = cloud(still()).await;
    let bench = Bench::one(only_instances(&cloud));
    cloud.inject(
        LIST,
        Fault::Throttle {
            retry_after: Some(45),
        },
        Some(1),
    );
    bench.succeeds().await;
    let asked = asked(&cloud, LIST);
    assert_eq!(asked.len(), 2);
    assert!(asked[1].at - asked[0].at >= Duration::from_secs(45));
}

#[tokio::test(start_paused = true)]
async fn wait_beyond_the_deadline_is_not_begun() {
    let cloud = cloud(still()).await;
    let bench = Bench::one(only_instances(&cloud));
    let throttle = Fault::Throttle {
        retry_after: Some(u32::MAX),
    };
    cloud.inject(LIST, throttle, None);
    let begun = Instant::now();
    assert!(bench.fails().await.0.ends_with(": throttled"));
    assert!(begun.elapsed() < Duration::from_secs(5));
    assert_eq!(asked(&cloud, LIST).len(), 1);
}

/// Whatever a server writes into its headers, the agent stands.
#[tokio::test(start_paused = true)]
async fn absurd_headers_are_withstood() {
    for headers in [
        "Retry-After: 18446744073709551615",
        "x-amz-retry-after: 18446744073709551615",
        "Retry-After: Fri, 31 Dec 9999 23:59:59 GMT",
        "Retry-After: -1",
        "Date: Fri, 31 Dec 9999 23:59:59 GMT",
        "Date: Mon, 01 Jan 0001 00:00:00 GMT",
        "Date: soon",
        "x-amzn-requestid: \u{1b}[31mred",
    ] {
        for status in ["503 No", "401 No", "200 OK"] {
            let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
            let url = format!("http://{}", listener.local_addr().unwrap());
            let answer =
                format!("HTTP/1.1 {status}\r\n{headers}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
            let server = tokio::spawn(async move {
                loop {
                    let (mut stream, _) = listener.accept().await.unwrap();
                    let mut request = [0; 4096];
                    while stream
                        .read(&mut request)
                        .await
                        .is_ok_and(|read| read == request.len())
                    {}
                    // The client may have gone already.
                    drop(stream.write_all(answer.as_bytes()).await);
                }
            });
            let any = cloud(still()).await;
            let bench = Bench::one(Account {
                url,
                ..only_instances(&any)
            });
            let (_, error) = bench.fails().await;
            assert!(!error.contains('\u{1b}'), "{error}");
            bench.shown();
            server.abort();
        }
    }
}

#[tokio::test(start_paused = true)]
async fn nobody_there_is_told_without_delay() {
    let any = cloud(still()).await;
    let key = watcher(&any);
    for url in ["http://127.0.0.1:1", "http://name.invalid"] {
        let bench = Bench::one(Account {
            url: url.to_owned(),
            lines: "kinds = [\"instances\"]",
            ..Account::new(&any, &key)
        });
        let begun = Instant::now();
        let (poll, error) = bench.fails().await;
        assert!(
            poll.ends_with(": unreachable") || poll.ends_with(": timeout"),
            "{poll} {error}"
        );
        assert!(begun.elapsed() < Duration::from_secs(60));
        assert!(error.contains(url.trim_start_matches("http://")), "{error}");
    }
}

#[tokio::test(start_paused = true)]
async fn clock_that_is_off_is_corrected_once() {
    for (provider, minutes) in [
        (Provider::Outscale, 10),
        (Provider::Outscale, -10),
        (Provider::Aws, 20),
        (Provider::Aws, -20),
    ] {
        let cloud = cloud(Options {
            provider,
            clock_offset: SignedDuration::from_mins(minutes),
            ..still()
        })
        .await;
        let mut bench = Bench::one(Account {
            provider,
            ..Account::new(&cloud, &watcher(&cloud))
        });
        bench.start();
        pass(30).await;
        let refused = cloud
            .requests()
            .iter()
            .filter(|request| request.status != 200)
            .count();
        assert_eq!(refused, 1, "{provider} {minutes}");
        pass(300).await;
        let refused = cloud
            .requests()
            .iter()
            .filter(|request| request.status != 200)
            .count();
        assert_eq!(refused, 1, "later polls need no correction");
        let page = bench.shown();
        for kind in ["instances", "load_balancers"] {
            assert_eq!(page.value("vigie_poll_success", &[("kind", kind)]), Some(1.0));
        }
        let skew = page.value("vigie_api_clock_skew_seconds", &[]).unwrap();
        assert!((skew - 60.0 * minutes as f64).abs() <= 2.0, "{skew}");
        assert_eq!(
            page.family("vigie_auth_locked_until_timestamp_seconds").count(),
            0
        );
        assert_eq!(cloud.times_locked_out(), 0);
    }
}
