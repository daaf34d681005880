//! The agent against the demo cloud: real sockets, the clock of the runtime in the test's hand.

#![expect(clippy::unwrap_used, reason = "a test ends where it is surprised")]

mod answers;
mod bench;
mod faults;
mod fleet;
mod hostile;
mod lockout;
mod paging;
#[path = "../support/page.rs"]
mod page;
mod parts;
mod regions;
mod row;
mod scripted;
mod selection;
