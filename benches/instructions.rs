//! Runs what `make instructions` counts: a page of a thousand instances read, and its lines rendered and compressed.
//!
//! Under valgrind only what the two functions below do is counted; without it this takes a blink and says nothing, which
//! is what `cargo test` sees of it.

mod fleet;

use std::hint::black_box;

use vigie::resource::Observation;
use vigie::resources::instances;

fn main() {
    let page = fleet::page(0, 1000);
    // A first page makes the tables that last for the whole listing.
    let mut observation = fleet::observation();
    instances::read(&fleet::page(5000, 1), &mut observation).expect("the fleet is in order");
    counted_page(black_box(&page), &mut observation);
    counted_skip(black_box(&page));
    assert_eq!(observation.objects, 1001);
}

/// Read and rendered, and compressed as far as lines are full.
#[inline(never)]
fn counted_page(page: &str, observation: &mut Observation) {
    instances::read(page, observation).expect("the fleet is in order");
}

/// Only passed over: what of it is reading XML.
#[inline(never)]
fn counted_skip(page: &str) {
    let reader =
        vigie::api::xml::Reader::open(page, "DescribeInstancesResponse").expect("the fleet is in order");
    reader.whole(None, |_| Ok(())).expect("the fleet is in order");
}
