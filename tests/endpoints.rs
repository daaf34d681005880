//! The table of AWS' endpoints, beside botocore's rules.

#[expect(dead_code, reason = "other tests need more of it")]
#[path = "support/parts.rs"]
mod parts;

use std::path::Path;

use ::vigie::api::{Endpoint, Override, Service, Variant};
use ::vigie::provider::Provider;
use parts::{command, part};
use serde::Deserialize;

/// What `endpoints.py` prints.
#[derive(Debug, Deserialize)]
struct Expected {
    service: String,
    region: String,
    fips: bool,
    dual_stack: bool,
    url: String,
    signing_name: String,
    signing_region: String,
    version: String,
}

#[tokio::test]
async fn every_endpoint_of_aws_is_where_botocore_says() {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/boto3/endpoints.py");
    let mut python = command(part("TEST_PYTHON", "target/python/bin/python"));
    let output = python
        .arg("-B")
        .arg(script)
        .output()
        .await
        .expect("Python starts");
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    let expected: Vec<Expected> = serde_json::from_slice(&output.stdout).expect("a list");
    assert_eq!(expected.len(), 5 * 10 * 4);

    for expected in expected {
        let service = match expected.service.as_str() {
            "ec2" => Service::Ec2,
            "elb" => Service::Elb,
            "elbv2" => Service::ElbV2,
            "iam" => Service::Iam,
            "sts" => Service::Sts,
            other => panic!("no service {other}"),
        };
        let as_settings_say = Override {
            variant: Variant {
                fips: expected.fips,
                dual_stack: expected.dual_stack,
            },
            ..Override::default()
        };
        let found = Endpoint::resolve(Provider::Aws, service, &expected.region, &as_settings_say);
        let found = found.expect("the region is one");
        let url = found.url.as_str().trim_end_matches('/');
        assert_eq!(
            (url, &*found.signing_name, &*found.region, found.version),
            (
                &*expected.url,
                &*expected.signing_name,
                &*expected.signing_region,
                &*expected.version
            ),
            "{expected:?}"
        );
    }
}
