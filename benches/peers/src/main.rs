//! Lists every instance with the SDK's own pagination, and touches what a page of metrics would show of each.

use std::error::Error;

use aws_sdk_ec2::Client;
use aws_sdk_ec2::config::{Config, Credentials, Region};

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let endpoint = std::env::args().nth(1).ok_or("the endpoint is missing")?;
    let config = Config::builder()
        .behavior_version_latest()
        .endpoint_url(endpoint)
        .region(Region::new("eu-west-1"))
        .credentials_provider(Credentials::new("BENCHEXAMPLE", "bench/good/nowhere/EXAMPLEKEY", None, None, "bench"))
        .build();
    let mut pages = Client::from_conf(config).describe_instances().max_results(1000).into_paginator().send();
    let (mut instances, mut running) = (0_u32, 0_u32);
    while let Some(page) = pages.next().await {
        for instance in page?.reservations().iter().flat_map(|reservation| reservation.instances()) {
            instances += 1;
            let state = instance.state().and_then(|state| state.name());
            running += u32::from(state.is_some_and(|name| name.as_str() == "running"));
        }
    }
    println!("{instances} instances, {running} running");
    Ok(())
}
