//! vigie: a Describe-only key in, Prometheus metrics out.
//!
//! The rooms, lowest first; a room uses only those above it in this list. The path of one instance's state goes
//! through five of them, in one direction:
//!
//! ```text
//! cloud ─XML→ api ─Instance→ resources ─text→ poller ─Reading→ exposition ─bytes→ server
//! ```

// What goes on failing, told once and then now and then.
pub mod repeated;
// Paths in what is told.
mod paths;
// Files that a person names, read within a limit.
mod files;
// Secrets in what others say.
mod redaction;
// What a YAML file may be before it is read.
mod yaml;
// Which cloud is spoken to.
pub mod provider;
// What a metric is: name, type, labels, help.
pub mod metric;
// Lines of the page, compressed as they are written.
pub mod text;
// Where keys come from.
pub mod credentials;
// AWS Signature Version 4.
pub mod sigv4;
// The only room that opens a connection to a cloud.
pub mod api;
// The contract between a kind and the rooms around it.
pub mod resource;
// One file for each kind, and their list.
pub mod resources;
// The latest whole observation of one kind.
pub mod reading;
// What two readings say together.
pub mod joined;
// One task for each account, region and kind.
pub mod poller;
// Readings and own metrics, as a page.
pub mod exposition;
// The HTTP routes.
pub mod server;
// The agent's identity at the cloud: made, renewed, removed, examined.
pub mod identity;
// Settings, valid once loaded.
pub mod config;
// Everything put together from settings.
pub mod agent;
// A small cloud on loopback: for tests, and for `vigie demo`.
pub mod demo;
// The commands.
pub mod cli;
