//! The agent within the test, on the demo cloud.

use std::collections::BTreeMap;
use std::sync::Arc;

use vigie::agent::Agent;
use vigie::config;
use vigie::resources;

use crate::demo::Demo;

/// An agent with the settings of a demo cloud that has polled nothing yet.
pub(crate) fn watching(demo: &Demo, tail: &str) -> Agent {
    let settings = config::load(
        Some(&demo.settings("", tail)),
        &resources::registry(),
        &BTreeMap::new(),
    );
    let settings = settings.expect("the settings are good");
    Agent::new(&settings, &(Arc::new(|_: &str| None) as _)).expect("the agent can be made")
}
