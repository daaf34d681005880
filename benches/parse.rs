//! One page of a thousand instances read, beside the least that any reader does with its bytes.

mod fleet;

use std::hint::black_box;

use criterion::{BatchSize, Criterion, Throughput, criterion_group, criterion_main};
use quick_xml::events::Event;
use vigie::api::xml::Reader;
use vigie::resources::instances;

fn parse(criterion: &mut Criterion) {
    let page = fleet::page(0, 1000);
    let mut group = criterion.benchmark_group("a page of 1,000 instances");
    group.throughput(Throughput::Bytes(page.len() as u64));
    group.bench_function("bare events", |bencher| bencher.iter(|| events(black_box(&page))));
    group.bench_function("passed over by our reader", |bencher| {
        bencher.iter(|| {
            let reader = Reader::open(black_box(&page), "DescribeInstancesResponse");
            reader
                .and_then(|reader| reader.whole(None, |_| Ok(())))
                .expect("the fleet is in order");
        });
    });
    group.bench_function("read and rendered", |bencher| {
        bencher.iter_batched_ref(
            fleet::observation,
            |observation| instances::read(black_box(&page), observation).expect("the fleet is in order"),
            BatchSize::LargeInput,
        );
    });
    group.finish();
}

/// The floor for a reader on quick-xml.
fn events(page: &str) -> usize {
    let mut reader = quick_xml::Reader::from_str(page);
    let mut count = 0;
    while reader.read_event().expect("it is XML") != Event::Eof {
        count += 1;
    }
    count
}

criterion_group!(benches, parse);
criterion_main!(benches);
