//! What the agent says about its settings on the page.

use std::sync::{Arc, Mutex, PoisonError};

use jiff::Timestamp;
use prometheus::{Gauge, IntGauge, Registry};

use crate::metric::Family;

/// The settings' families.
pub static FAMILIES: [&Family; 2] = [&SUCCESSFUL, &SUCCESS_TIMESTAMP];

static SUCCESSFUL: Family = Family::gauge(
    "vigie_config_last_reload_successful",
    &[],
    "Whether the settings read last are in force, and the web configuration file can be taken as it is now.",
);

static SUCCESS_TIMESTAMP: Family = Family::gauge(
    "vigie_config_last_reload_success_timestamp_seconds",
    &[],
    "When the settings in force were read.",
);

/// Whether and when the settings were read.
#[derive(Debug, Clone)]
pub struct Metrics {
    taken: Arc<Mutex<Taken>>,
    successful: IntGauge,
    success_timestamp: Gauge,
}

/// What of the files on the disk is in force.
#[derive(Debug)]
struct Taken {
    settings: bool,
    web: bool,
}

impl Metrics {
    /// Registers the families.
    pub fn register(registry: &Registry) -> Result<Self, prometheus::Error> {
        Ok(Self {
            taken: Arc::new(Mutex::new(Taken {
                settings: false,
                web: true,
            })),
            successful: SUCCESSFUL.int_gauge(registry)?,
            success_timestamp: SUCCESS_TIMESTAMP.float_gauge(registry)?,
        })
    }

    /// Says that the settings read last are not in force: those before them are.
    pub fn refused(&self) {
        self.set(|taken| taken.settings = false);
    }

    /// Says that settings were read just now and are in force.
    pub fn loaded(&self) {
        self.set(|taken| taken.settings = true);
        self.success_timestamp
            .set(Timestamp::now().as_duration().as_secs_f64());
    }

    /// Says whether the web configuration file can be taken as it is now.
    pub fn web(&self, is_taken: bool) {
        self.set(|taken| taken.web = is_taken);
    }

    fn set(&self, change: impl FnOnce(&mut Taken)) {
        let mut taken = self.taken.lock().unwrap_or_else(PoisonError::into_inner);
        change(&mut taken);
        // Under the lock, so that of two changes at once the later one is shown.
        self.successful.set((taken.settings && taken.web).into());
    }
}
