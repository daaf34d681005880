//! Every place a key can come from: found as botocore finds it, taken by moto, renewed in time, and its failures.

#![expect(clippy::unwrap_used, reason = "a test ends where it is surprised")]

mod canary;
mod certificates;
mod cloud;
mod endpoints;
mod failures;
#[expect(dead_code, reason = "other tests need more of it")]
#[path = "../support/moto.rs"]
mod moto;
#[path = "../support/page.rs"]
mod page;
#[path = "../support/parts.rs"]
mod parts;
mod renewal;
mod resolved;
mod scene;
#[expect(dead_code, reason = "other tests need more of it")]
#[path = "../support/vigie.rs"]
mod vigie;
