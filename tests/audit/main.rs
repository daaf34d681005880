//! What a key may do beyond describing: told by the command, and by a running agent.

#[path = "../support/bad_input.rs"]
mod bad_input;
#[expect(dead_code, reason = "other tests need more of it")]
#[expect(clippy::unwrap_used, reason = "this is a test, helpers and all")]
#[path = "../demo_cloud/client.rs"]
mod client;
#[path = "../support/demo.rs"]
mod demo;
#[expect(dead_code, reason = "other tests need more of it")]
#[path = "../support/moto.rs"]
mod moto_cloud;
#[path = "../support/page.rs"]
mod page;
#[path = "../support/parts.rs"]
mod parts;
#[expect(dead_code, reason = "other tests need more of it")]
#[path = "../support/vigie.rs"]
mod vigie;

mod command;
mod moto;
mod running;
mod scene;
