//! Requests to every route: method, path with query, `Accept`, `Accept-Encoding`.
#![no_main]

use std::sync::{Arc, LazyLock};
use std::time::Duration;

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::http::{HeaderValue, Request, StatusCode, header};
use jiff::Timestamp;
use libfuzzer_sys::fuzz_target;
use tokio::runtime::Runtime;
use tokio::sync::watch;
use tokio::time::Instant;
use tower::ServiceExt as _;
use vigie::api::Reason;
use vigie::exposition::Page;
use vigie::poller::{Failure, Status, Watched};
use vigie::provider::Provider;
use vigie::reading::Reading;
use vigie::resource::{Observation, Show, Tags, TargetsWriter};
use vigie::resources::{instances, volumes};
use vigie::server::router;
use vigie_fuzz::parts;

static SERVED: LazyLock<(Runtime, Router)> = LazyLock::new(|| {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .build()
        .expect("a runtime can be made");
    let show = Show {
        tags: Tags::All,
        discovery_tags: Tags::All,
        ..Show::default()
    };
    let mut observation = Observation::new(&instances::KIND, "prod", Provider::Aws, "eu-west-1", show);
    observation.targets = Some(TargetsWriter::default());
    instances::read(INSTANCES, &mut observation).expect("it is an answer");
    let reading = Reading::new(observation, Timestamp::now(), Instant::now());
    let read = Status {
        reading: Some(Arc::new(reading)),
        tried: true,
        ..Status::default()
    };
    let failed = Status {
        tried: true,
        failure: Some(Failure {
            since: Timestamp::now(),
            reason: Reason::Denied,
            explained: "<b>&\"no\"".into(),
        }),
        ..Status::default()
    };
    let page = Page::new(prometheus::Registry::new(), Duration::from_secs(1_000_000)).expect("it is empty");
    page.add(
        [
            Watched::new("prod", "eu-west-1", &instances::KIND, watch::channel(read).1),
            Watched::new("dev", "eu-west-2", &volumes::KIND, watch::channel(failed).1),
        ],
        None,
    );
    (runtime, router(Arc::new(page), None))
});

fuzz_target!(|input: &[u8]| {
    let [method, target, accept, coding] = parts(input);
    let Ok(mut request) = Request::builder().method(method).uri(target).body(Body::empty()) else {
        return;
    };
    for (name, value) in [(header::ACCEPT, accept), (header::ACCEPT_ENCODING, coding)] {
        // Several lines are several headers of one name.
        for value in value.split(|byte| *byte == b'\n') {
            let Ok(value) = HeaderValue::from_bytes(value) else {
                return;
            };
            request.headers_mut().append(name.clone(), value);
        }
    }
    let (runtime, router) = &*SERVED;
    runtime.block_on(async {
        let response = router.clone().oneshot(request).await.expect("it always answers");
        assert_ne!(response.status(), StatusCode::INTERNAL_SERVER_ERROR);
        let length = response.headers().get(header::CONTENT_LENGTH).cloned();
        let is_html = response
            .headers()
            .get(header::CONTENT_TYPE)
            .is_some_and(|of| of.as_bytes().starts_with(b"text/html"));
        let body = to_bytes(response.into_body(), 1 << 20).await.expect("it ends");
        if let (Some(length), b"GET") = (length, method) {
            assert_eq!(length.as_bytes(), body.len().to_string().as_bytes());
        }
        if is_html {
            let html = String::from_utf8(body.to_vec()).expect("it is text");
            assert!(!html.to_lowercase().contains("<script"), "{html}");
        }
    });
});

const INSTANCES: &str = "<DescribeInstancesResponse><reservationSet><item><instancesSet><item>\
    <instanceId>i-1</instanceId><instanceState><name>running</name></instanceState>\
    <privateIpAddress>10.0.0.1</privateIpAddress><ipAddress>192.0.2.1</ipAddress>\
    <tagSet><item><key>Name</key><value>web &quot;1&quot;</value></item></tagSet></item><item>\
    <instanceId>i-2</instanceId><instanceState><name>stopped</name></instanceState>\
    <privateIpAddress>2001:db8::1</privateIpAddress></item></instancesSet></item></reservationSet>\
    </DescribeInstancesResponse>";
