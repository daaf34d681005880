//! The built binary: what it prints, what it refuses and how it ends.

#[path = "../support/bad_input.rs"]
mod bad_input;
#[path = "../support/demo.rs"]
mod demo;
#[path = "../support/page.rs"]
mod page;
#[path = "../support/parts.rs"]
mod parts;
#[path = "../support/prometheus.rs"]
mod prometheus;
#[path = "../support/vigie.rs"]
mod vigie;

mod bad_clouds;
mod bad_credentials;
mod bad_settings;
mod commands;
mod demo_command;
mod forecast;
mod health;
mod denied;
mod once;
mod proxy;
mod reload;
mod service;
mod signals;
mod tables;
