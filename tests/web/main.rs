//! Who may ask for the page, and how it is spoken with: over real sockets, and beside a real exporter.

#[path = "../support/bad_input.rs"]
mod bad_input;
#[path = "../support/parts.rs"]
mod parts;
#[expect(dead_code, reason = "other tests need more of it")]
#[path = "../support/prometheus.rs"]
mod prometheus;
#[path = "../support/vigie.rs"]
mod vigie;

mod certificates;
mod changes;
mod command;
mod exporter;
mod limits;
mod refused;
mod requests;
mod scene;
mod sessions;
mod statuses;
mod told;
