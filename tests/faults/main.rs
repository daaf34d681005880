//! The fault matrix: each action that the agent calls meets each fault there may be between it and its cloud. What the
//! page then says, and what it cost, is in `tests/FAULTS.md`, which this writes and holds fresh:
//! `UPDATE_FAULTS=1 cargo test --test faults`.

#![expect(clippy::unwrap_used, reason = "a test ends where it is surprised")]

#[expect(dead_code, reason = "other tests need more of it")]
#[path = "../agent/bench.rs"]
mod bench;
mod certificates;
mod fault;
mod front;
mod lending;
mod matrix;
mod nameless;
#[expect(dead_code, reason = "other tests need more of it")]
#[path = "../support/page.rs"]
mod page;
mod promises;
mod reach;
mod regions;
mod report;
mod scene;
mod shown;
mod spoilt;
