//! What the agent says about its settings on the page.

use jiff::Timestamp;
use prometheus::{Gauge, IntGauge, Registry};

use crate::metric::Family;

/// The settings' families.
pub static FAMILIES: [&Family; 2] = [&SUCCESSFUL, &SUCCESS_TIMESTAMP];

static SUCCESSFUL: Family = Family::gauge(
    "vigie_config_last_reload_successful",
    &[],
    "Whether the settings and the web configuration file read last are in force.",
);

static SUCCESS_TIMESTAMP: Family = Family::gauge(
    "vigie_config_last_reload_success_timestamp_seconds",
    &[],
    "When the settings in force were read.",
);

/// Whether and when the settings were read.
#[derive(Debug)]
pub struct Metrics {
    successful: IntGauge,
    success_timestamp: Gauge,
}

impl Metrics {
    /// Registers the families.
    pub fn register(registry: &Registry) -> Result<Self, prometheus::Error> {
        Ok(Self {
            successful: SUCCESSFUL.int_gauge(registry)?,
            success_timestamp: SUCCESS_TIMESTAMP.float_gauge(registry)?,
        })
    }

    /// Says that the settings read last are not in force: those before them are.
    pub fn refused(&self) {
        self.successful.set(0);
    }

    /// Says that settings were read just now and are in force.
    pub fn loaded(&self) {
        self.successful.set(1);
        self.success_timestamp
            .set(Timestamp::now().as_duration().as_secs_f64());
    }
}
