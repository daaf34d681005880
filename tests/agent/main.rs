//! The agent against the demo cloud: real sockets, the clock of the runtime in the test's hand.

#![expect(clippy::unwrap_used, reason = "a test ends where it is surprised")]

mod answers;
mod bench;
mod faults;
mod fleet;
mod hostile;
mod kinds;
mod listings;
mod lockout;
mod logs;
mod one_key;
mod paging;
#[path = "../support/page.rs"]
mod page;
#[expect(dead_code, reason = "other tests need more of it")]
#[path = "../support/parts.rs"]
mod parts;
mod page_parts;
#[path = "../support/promtool.rs"]
mod promtool;
mod regions;
mod reload;
mod row;
mod scripted;
mod selection;
mod shards;
