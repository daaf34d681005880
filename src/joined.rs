//! What two readings say together: which backends of load balancers are instances that cannot serve.
//!
//! Computed when one of the two is published. What comes of it is as old as the older of them, so that it leaves the
//! page when the first of them would. An instance is unknown only if it is missing from a listing that began after
//! it was already seen behind a load balancer: one that was launched in between is not taken for dead.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::{Arc, Mutex, PoisonError};

use tokio::time::Instant;

use crate::metric::Family;
use crate::provider::Provider;
use crate::reading::Reading;
use crate::resource::{BackendGroup, BackendInstance, Observation, Show};

/// The joined families.
pub static FAMILIES: [&Family; 2] = [&BACKEND_INSTANCE_STATE, &DEAD_BACKENDS];

// cloud_load_balancer_backend_instance_state_info{account="prod",region="eu-west-2",load_balancer="web",type="classic",instance_id="i-0a1b2c3d",instance_state="stopped"} 1
pub(crate) static BACKEND_INSTANCE_STATE: Family = Family::gauge(
    "cloud_load_balancer_backend_instance_state_info",
    &[
        "account",
        "region",
        "load_balancer",
        "type",
        "target_group",
        "port",
        "instance_id",
        "instance_state",
    ],
    "The state of the instance that is a backend; `unknown` if there is no such instance. There only while both the \
     instances and the load balancers were read lately.",
);

// cloud_load_balancer_dead_backends{account="prod",region="eu-west-2",load_balancer="web",type="classic"} 1
static DEAD_BACKENDS: Family = Family::gauge(
    "cloud_load_balancer_dead_backends",
    &["account", "region", "load_balancer", "type", "target_group"],
    "Registered backends whose instance is stopped, terminated, in quarantine or unknown. There only while both the \
     instances and the load balancers were read lately, and the state of every backend is known.",
);

/// What is joined in one account and region.
#[derive(Debug)]
pub struct Joined {
    /// The `account` label.
    pub account: String,
    /// The `region` label.
    pub region: String,
    provider: Provider,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    instances: Option<Arc<Reading>>,
    /// By kind, in an order that is the same on every page.
    balancers: BTreeMap<&'static str, Balancers>,
}

#[derive(Debug)]
struct Balancers {
    reading: Arc<Reading>,
    /// When each instance that is a backend was first seen to be one, without a break since.
    seen_since: HashMap<String, Instant>,
    joined: Option<Arc<Reading>>,
}

impl Joined {
    /// Nothing yet.
    pub fn new(account: String, provider: Provider, region: String) -> Self {
        Self {
            account,
            region,
            provider,
            state: Mutex::default(),
        }
    }

    /// Takes a new reading of a kind, and joins it to what it says more with.
    pub fn take(&self, kind: &'static str, reading: &Arc<Reading>) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let State { instances, balancers } = &mut *state;
        if reading.facts.instances.is_some() {
            *instances = Some(Arc::clone(reading));
        } else if !reading.facts.backends.is_empty() || balancers.contains_key(kind) {
            let before = balancers.remove(kind).map(|before| before.seen_since);
            let seen_since = seen_since(reading, &before.unwrap_or_default());
            balancers.insert(
                kind,
                Balancers {
                    reading: Arc::clone(reading),
                    seen_since,
                    joined: None,
                },
            );
        } else {
            return;
        }
        let Some(listed) = instances.as_deref() else {
            return;
        };
        for (of, balancers) in balancers {
            if reading.facts.instances.is_some() || *of == kind {
                balancers.joined = Some(Arc::new(self.join(listed, balancers)));
            }
        }
    }

    /// What is joined now, with the kind of load balancers it is about.
    pub fn readings(&self) -> Vec<(&'static str, Arc<Reading>)> {
        let state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let joined = state.balancers.iter();
        joined
            .filter_map(|(kind, balancers)| Some((*kind, Arc::clone(balancers.joined.as_ref()?))))
            .collect()
    }

    /// Whether a backend is on no list of instances, and none of them began late enough to tell.
    pub fn is_in_doubt(&self) -> bool {
        let state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(listed) = &state.instances else {
            return false;
        };
        let Some(instances) = listed
            .facts
            .instances
            .as_ref()
            .filter(|instances| instances.is_whole)
        else {
            return false;
        };
        let seen = state
            .balancers
            .values()
            .flat_map(|balancers| &balancers.seen_since);
        seen.into_iter()
            .any(|(id, since)| !instances.states.contains_key(id) && *since > listed.begun)
    }

    fn join(&self, listed: &Reading, balancers: &Balancers) -> Reading {
        let mut observation = Observation::of(
            &FAMILIES,
            &self.account,
            self.provider,
            &self.region,
            Show::default(),
        );
        if let Some(instances) = &listed.facts.instances {
            for group in &balancers.reading.facts.backends {
                let state_of = |id: &str| {
                    let was_there = || {
                        let since = balancers.seen_since.get(id);
                        instances.is_whole && since.is_some_and(|since| *since <= listed.begun)
                    };
                    match instances.states.get(id) {
                        Some(state) => InstanceState::told(state),
                        None => was_there().then_some(InstanceState::Missing),
                    }
                };
                // Without a whole list nobody knows how many are dead; 0 would say that none is.
                let is_told = |backend: &BackendInstance| match instances.states.get(&backend.instance_id) {
                    Some(state) => InstanceState::told(state).is_some(),
                    None => instances.is_whole,
                };
                let dead = write(group, state_of, &mut observation);
                if group.backends.iter().all(is_told) {
                    let count = observation.sample(&DEAD_BACKENDS);
                    count.labels(&labels(group)).value(f64::from(dead));
                }
            }
        }
        let older = if listed.at < balancers.reading.at {
            listed
        } else {
            &balancers.reading
        };
        Reading::new(observation, older.at, listed.begun.min(balancers.reading.begun))
    }
}

fn seen_since(reading: &Reading, before: &HashMap<String, Instant>) -> HashMap<String, Instant> {
    let groups = reading.facts.backends.iter();
    groups
        .flat_map(|group| &group.backends)
        .map(|backend| {
            let since = before.get(&backend.instance_id).copied();
            (backend.instance_id.clone(), since.unwrap_or(reading.ended))
        })
        .collect()
}

fn labels(group: &BackendGroup) -> Vec<(&str, &str)> {
    let labels = group.labels.iter();
    labels.map(|(name, value)| (*name, value.as_str())).collect()
}

/// Shows the state of each backend where it is known, and gives how many are dead.
fn write<'a>(
    group: &BackendGroup,
    state_of: impl Fn(&str) -> Option<InstanceState<'a>>,
    observation: &mut Observation,
) -> u32 {
    let labels = labels(group);
    let mut shown = HashSet::new();
    let mut dead = 0_u32;
    for backend in group.backends.iter().filter(|backend| shown.insert(*backend)) {
        let Some(state) = state_of(&backend.instance_id) else {
            continue;
        };
        let state = state.shown();
        dead += u32::from(DEAD.contains(&state));
        observation
            .sample(&BACKEND_INSTANCE_STATE)
            .labels(&labels)
            .label("port", backend.port.as_deref().unwrap_or_default())
            .label("instance_id", &backend.instance_id)
            .label("instance_state", state)
            .value(1.0);
    }
    dead
}

/// What is known of the instance that is a backend.
#[derive(Debug, Clone, Copy)]
enum InstanceState<'a> {
    /// In the cloud's words.
    Told(&'a str),
    /// There is no such instance.
    Missing,
}

impl<'a> InstanceState<'a> {
    /// What the cloud says; `None` where it says nothing. That it does not know is nothing too: shown, it would say that
    /// there is no such instance.
    fn told(state: &'a str) -> Option<Self> {
        (!state.is_empty() && state != UNKNOWN).then_some(Self::Told(state))
    }

    fn shown(self) -> &'a str {
        match self {
            Self::Told(state) => state,
            Self::Missing => UNKNOWN,
        }
    }
}

/// How a missing instance is shown.
const UNKNOWN: &str = "unknown";

/// States, as shown, in which an instance does not serve and is not about to. One that is stopping or shutting down shows its
/// state, and is counted once it got there.
pub(crate) const DEAD: [&str; 4] = ["stopped", "terminated", "quarantine", UNKNOWN];

#[cfg(test)]
mod tests;
