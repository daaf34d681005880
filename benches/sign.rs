//! One request signed.

use std::hint::black_box;

use criterion::{Criterion, criterion_group, criterion_main};
use secrecy::SecretString;
use vigie::sigv4::{self, Request, Scope};

fn sign(criterion: &mut Criterion) {
    let request = Request {
        method: "POST",
        path: "/",
        query: "",
        headers: &[
            ("content-type", "application/x-www-form-urlencoded; charset=utf-8"),
            ("host", "ec2.eu-west-1.amazonaws.com"),
            ("x-amz-date", "20261127T120000Z"),
        ],
        body: b"Action=DescribeInstances&Version=2016-11-15&MaxResults=1000",
    };
    let secret = SecretString::from("bench/good/nowhere/EXAMPLEKEY");
    let scope = Scope {
        date: "20261127",
        region: "eu-west-1",
        service: "ec2",
    };
    criterion.bench_function("sign one request", |bencher| {
        bencher.iter(|| {
            sigv4::sign(
                black_box(&request),
                "BENCHEXAMPLE",
                &secret,
                &scope,
                "20261127T120000Z",
            )
        });
    });
}

criterion_group!(benches, sign);
criterion_main!(benches);
