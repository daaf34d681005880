//! Ten thousand instances written as lines, and compressed.

use std::hint::black_box;

use criterion::{Criterion, criterion_group, criterion_main};
use vigie::metric::Family;
use vigie::provider::Provider;
use vigie::resource::{Observation, Show};

static STATE: Family = Family::gauge("cloud_bench_state", &["instance_id", "state"], "A state set.");
static INFO: Family = Family::gauge("cloud_bench_info", &["instance_id"], "Facts.");
static LAUNCHED: Family = Family::gauge(
    "cloud_bench_launch_timestamp_seconds",
    &["instance_id"],
    "A time.",
);

static FAMILIES: [&Family; 3] = [&STATE, &INFO, &LAUNCHED];

const STATES: [&str; 6] = [
    "pending",
    "running",
    "shutting-down",
    "terminated",
    "stopping",
    "stopped",
];

fn render(criterion: &mut Criterion) {
    let ids: Vec<String> = (0..10_000).map(|serial| format!("i-{serial:017x}")).collect();
    let mut group = criterion.benchmark_group("10,000 instances");
    group.sample_size(50);
    // Every label of these needs nothing escaped; the tags of a fleet sometimes do.
    for (what, name) in [
        ("rendered", "web"),
        ("rendered, each with something to escape", "a \"web\""),
    ] {
        group.bench_function(what, |bencher| {
            bencher.iter(|| observed(black_box(&ids), name).into_texts());
        });
    }
    group.finish();
}

fn observed(ids: &[String], name: &str) -> Observation {
    let mut observation = Observation::of(&FAMILIES, "bench", Provider::Aws, "eu-west-1", Show::default());
    for id in ids {
        observation.state(&STATE, &[("instance_id", id)], &STATES, "running");
        observation
            .sample(&INFO)
            .labels(&[("instance_id", id), ("name", name), ("instance_type", "m5.large")])
            .labels(&[
                ("availability_zone", "eu-west-1a"),
                ("image_id", "ami-0abcdef1234567890"),
            ])
            .labels(&[
                ("architecture", "x86_64"),
                ("tenancy", "default"),
                ("vpc_id", "vpc-1234567890abcdef0"),
            ])
            .labels(&[("subnet_id", "subnet-be9b61d7"), ("private_ip", "10.0.0.157")])
            .value(1.0);
        observation
            .sample(&LAUNCHED)
            .label("instance_id", id)
            .value(1_732_290_000.0);
    }
    observation
}

criterion_group!(benches, render);
criterion_main!(benches);
