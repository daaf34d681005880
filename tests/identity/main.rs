//! The agent's identity made, renewed and removed by the built binary: on moto, which checks signatures and applies
//! policies, with boto3 for a second look; and on the demo cloud, for what moto cannot be.

#[expect(dead_code, reason = "other tests need more of it")]
#[expect(clippy::unwrap_used, reason = "this is a test, helpers and all")]
#[path = "../demo_cloud/client.rs"]
mod client;
#[path = "../support/demo.rs"]
mod demo;
#[expect(dead_code, reason = "other tests need more of it")]
#[path = "../support/moto.rs"]
mod moto;
#[path = "../support/page.rs"]
mod page;
#[path = "../support/parts.rs"]
mod parts;
#[path = "../support/vigie.rs"]
mod vigie;

mod admins;
mod cut;
mod demo_cloud;
mod demo_scene;
mod formats;
mod making;
mod proof;
mod refusals;
mod removal;
mod renewal;
mod scene;
