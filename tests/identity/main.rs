//! The agent's identity made, renewed and removed by the built binary: on moto, which checks signatures and applies
//! policies, with boto3 for a second look.

#[expect(dead_code, reason = "other tests need more of it")]
#[path = "../support/moto.rs"]
mod moto;
#[path = "../support/parts.rs"]
mod parts;
#[path = "../support/vigie.rs"]
mod vigie;

mod admins;
mod formats;
mod making;
mod refusals;
mod removal;
mod renewal;
mod scene;
