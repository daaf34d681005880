//! `vigie bootstrap`, `rotate` and `teardown`, cut off at every instant and run again: they end as if nothing had been.
//! So does `vigie run`.

#[expect(dead_code, reason = "other tests need more of it")]
#[expect(clippy::unwrap_used, reason = "this is a test, helpers and all")]
#[path = "../demo_cloud/client.rs"]
mod client;
#[expect(dead_code, reason = "other tests need more of it")]
#[path = "../support/page.rs"]
mod page;
#[expect(dead_code, reason = "other tests need more of it")]
#[path = "../support/parts.rs"]
mod parts;
#[expect(dead_code, reason = "other tests need more of it")]
#[path = "../support/vigie.rs"]
mod vigie;

mod account;
#[cfg(all(target_os = "linux", target_env = "gnu"))]
mod again;
mod at_once;
mod calls;
#[cfg(all(target_os = "linux", target_env = "gnu"))]
mod disk;
#[cfg(all(target_os = "linux", target_env = "gnu"))]
mod failing;
mod polling;
mod runs;
mod scene;
