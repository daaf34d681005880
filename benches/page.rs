//! The page of ten thousand instances, as a scrape is sent it.

mod fleet;

use std::sync::Arc;
use std::time::Duration;

use criterion::{Criterion, criterion_group, criterion_main};
use jiff::Timestamp;
use prometheus::Registry;
use tokio::sync::watch;
use tokio::time::Instant;
use vigie::exposition::{Format, Page, Part};
use vigie::poller::{Status, Watched};
use vigie::reading::Reading;
use vigie::resources::instances;

fn page(criterion: &mut Criterion) {
    let mut observation = fleet::observation();
    for number in 0..10 {
        instances::read(&fleet::page(number * 1000, 1000), &mut observation).expect("the fleet is in order");
    }
    let reading = Reading::new(observation, Timestamp::now(), Instant::now());
    let (_sender, status) = watch::channel(Status {
        reading: Some(Arc::new(reading)),
        tried: true,
        ..Status::default()
    });
    // The reading stays fresh for as long as this may take.
    let page = Page::new(Registry::new(), Duration::from_secs(24 * 3600)).expect("the fleet is in order");
    page.add(
        [Watched::new("bench", "eu-west-1", &instances::KIND, status)],
        None,
    );

    let mut group = criterion.benchmark_group("the page of 10,000 instances");
    group.sample_size(50);
    group.bench_function("compressed, put together anew", |bencher| {
        bencher.iter(|| {
            page.assemble(Format::Text, true, &Part::default())
                .chunks()
                .count()
        });
    });
    group.bench_function("compressed, one scrape upon the other", |bencher| {
        bencher.iter(|| page.compressed(Format::Text, &Part::default()));
    });
    group.bench_function("plain, inflated", |bencher| {
        bencher.iter(|| {
            page.assemble(Format::Text, false, &Part::default())
                .chunks()
                .count()
        });
    });
    group.finish();
}

criterion_group!(benches, page);
criterion_main!(benches);
