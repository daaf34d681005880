//! The demo cloud over real sockets, spoken to as any client would: a form, signed by hand.

#![expect(clippy::unwrap_used, reason = "a test ends where it is surprised")]

mod authentication;
mod client;
mod faults;
mod identity;
mod listing;
mod target_groups;
