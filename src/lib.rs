//! vigie: a Describe-only key in, Prometheus metrics out.
//!
//! The rooms, lowest first; a room uses only those above it in this list.

pub mod provider;
pub mod sigv4;

pub mod credentials;
