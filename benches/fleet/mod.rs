//! The fleet that is measured: instances in the shape of the documented example, as the load stub serves them.

use vigie::provider::Provider;
use vigie::resource::{Observation, Show};
use vigie::resources::instances;

/// One page of `DescribeInstances`.
pub(crate) fn page(first: usize, instances: usize) -> String {
    let items = (first..first + instances).map(|serial| {
        let (middle, low) = (serial >> 8 & 0xff, serial & 0xff);
        INSTANCE
            .replace("{id}", &format!("{serial:017x}"))
            .replace("{serial}", &serial.to_string())
            .replace("{dashed}", &format!("10-0-{middle}-{low}"))
            .replace("{ip}", &format!("10.0.{middle}.{low}"))
            .replace("{public}", &format!("203.0.113.{low}"))
    });
    let items: String = items.collect();
    format!(
        "<DescribeInstancesResponse xmlns=\"http://ec2.amazonaws.com/doc/2016-11-15/\"><reservationSet>{items}\
         </reservationSet><nextToken>more</nextToken></DescribeInstancesResponse>"
    )
}

/// An observation that nothing was written to.
pub(crate) fn observation() -> Observation {
    let (kind, show) = (&instances::KIND, Show::default());
    Observation::new(kind, "bench", Provider::Aws, "eu-west-1", show)
}

const INSTANCE: &str = include_str!("../load/instance.xml");
