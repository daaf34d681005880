//! What the cloud has, as tests see it: instances, load balancers, and the handle they are changed by.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use jiff::Timestamp;

use super::region::Region;

/// An instance, as the cloud knows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Instance {
    /// `i-` and 8 hexadecimal digits on OUTSCALE, 17 on AWS.
    pub id: String,
    /// `running`, `stopped`, … or any text a test has put there.
    pub state: String,
    /// Code and message, when there is a reason to tell.
    pub state_reason: Option<(String, String)>,
    /// When the state was entered.
    pub state_changed: Timestamp,
    /// When it was last started.
    pub launched: Timestamp,
    /// The type, `tinavW.cXrYpZ` on OUTSCALE.
    pub instance_type: String,
    /// The image it was made from.
    pub image_id: String,
    /// The zone it runs in.
    pub availability_zone: String,
    /// The name of its key pair; empty when it has none.
    pub key_name: String,
    /// Its address in the cloud.
    pub private_ip: String,
    /// Its address in the world.
    pub public_ip: Option<String>,
    /// The network it is in; absent in the public cloud of OUTSCALE.
    pub vpc_id: Option<String>,
    /// The part of the network it is in.
    pub subnet_id: Option<String>,
    /// Whether it may be taken away at any time.
    pub is_spot: bool,
    /// Keys and values, in the order they are listed.
    pub tags: Vec<(String, String)>,
    /// The checks it fails, each with the moment it began to; told on AWS only.
    pub impaired: Vec<(Check, Timestamp)>,
    /// What is scheduled for it.
    pub events: Vec<Event>,
    /// Its place in listings, and what its other ids are derived from.
    pub(super) serial: u64,
    /// The reservation it was launched in.
    pub(super) reservation: u64,
    /// The states it will enter, each with the tick it will do so at; an empty state is its end.
    pub(super) plan: VecDeque<(u64, &'static str)>,
}

/// A check of an instance.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Check {
    /// Of what it runs on.
    System,
    /// Of its own software and network.
    Instance,
    /// Of the volumes attached to it.
    AttachedEbs,
    /// Of what runs on it, as that tells.
    Application,
    /// Of how well it runs.
    Performance,
}

/// Something the cloud means to do to an instance, or that happens to a volume.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Event {
    /// `instance-event-` or `evol-`, and hexadecimal digits.
    pub id: String,
    /// `system-reboot`, `instance-retirement`, …
    pub code: String,
    /// Free text, with `[Completed]` before it once it is past.
    pub description: String,
    /// When it begins, at the earliest.
    pub not_before: Timestamp,
    /// When it ends, at the latest.
    pub not_after: Option<Timestamp>,
    /// Until when its begin can be put off.
    pub deadline: Option<Timestamp>,
}

/// A load balancer, as the cloud knows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LoadBalancer {
    /// Its name, which is also its id.
    pub name: String,
    /// Where it answers.
    pub dns_name: String,
    /// `internet-facing` or `internal`.
    pub scheme: String,
    /// The network it is in; absent for the public ones of OUTSCALE.
    pub vpc_id: Option<String>,
    /// The zones it stands in.
    pub availability_zones: Vec<String>,
    /// When it was made.
    pub created: Timestamp,
    /// The ids of the instances behind it.
    pub backends: Vec<String>,
    /// Keys and values.
    pub tags: Vec<(String, String)>,
    pub(super) serial: u64,
    /// Health that is not the consequence of the instance's state, and the tick it ends at.
    pub(super) forced: BTreeMap<String, (Health, Option<u64>)>,
}

/// The health of one backend.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Health {
    /// `InService`, `OutOfService`, `Unknown`, or any text a test has put there.
    pub state: String,
    /// `N/A`, `ELB` or `Instance`.
    pub reason: String,
    /// Free text.
    pub description: String,
}

impl Health {
    pub(super) fn new(state: &str, reason: &str, description: &str) -> Self {
        Self {
            state: state.to_owned(),
            reason: reason.to_owned(),
            description: description.to_owned(),
        }
    }
}

/// A handle on the fleet of one region: the truth to compare with, and the hand that changes it.
///
/// Methods that change something tell whether there was such a thing.
#[derive(Debug, Clone)]
pub struct Fleet(Arc<Mutex<Region>>);

impl Fleet {
    /// All instances in the order they are listed; not the raw ones.
    pub fn instances(&self) -> Vec<Instance> {
        self.lock().instances().cloned().collect()
    }

    /// One instance.
    pub fn instance(&self, id: &str) -> Option<Instance> {
        self.lock().instance(id).cloned()
    }

    /// All load balancers in the order they are listed.
    pub fn load_balancers(&self) -> Vec<LoadBalancer> {
        let mut balancers: Vec<LoadBalancer> = self.lock().load_balancers.values().cloned().collect();
        balancers.sort_unstable_by_key(|balancer| balancer.serial);
        balancers
    }

    /// The health of every backend of a load balancer, by instance id.
    pub fn backend_health(&self, load_balancer: &str) -> Vec<(String, Health)> {
        let region = self.lock();
        let Some(balancer) = region.load_balancers.get(load_balancer) else {
            return Vec::new();
        };
        let health = |id: &String| Some((id.clone(), region.health(balancer, id)?));
        balancer.backends.iter().filter_map(health).collect()
    }

    /// Puts an instance in a state, which it stays in.
    pub fn set_state(&self, id: &str, state: &str) -> bool {
        self.lock().set_state(id, state, Some(Timestamp::now()))
    }

    /// Changes anything about an instance but its id.
    pub fn change(&self, id: &str, change: impl FnOnce(&mut Instance)) -> bool {
        self.lock().instance_mut(id).map(change).is_some()
    }

    /// Makes a check of an instance fail from now on.
    pub fn impair(&self, id: &str, check: Check) -> bool {
        self.change(id, |instance| instance.impaired.push((check, Timestamp::now())))
    }

    /// Makes all checks of an instance pass again.
    pub fn heal(&self, id: &str) -> bool {
        self.change(id, |instance| instance.impaired.clear())
    }

    /// Schedules something for an instance.
    pub fn schedule(&self, id: &str, event: Event) -> bool {
        self.change(id, |instance| instance.events.push(event))
    }

    /// Sets a tag, in its old place if there is one.
    pub fn set_tag(&self, id: &str, key: &str, value: &str) -> bool {
        self.change(id, |instance| {
            if let Some(tag) = instance.tags.iter_mut().find(|tag| tag.0 == key) {
                value.clone_into(&mut tag.1);
            } else {
                instance.tags.push((key.to_owned(), value.to_owned()));
            }
        })
    }

    /// Adds a running instance; its id.
    pub fn add_instance(&self) -> String {
        self.lock().launch(Some(Timestamp::now()))
    }

    /// Adds an `<item>` to the listing of instances, verbatim.
    pub fn add_raw_instance(&self, item: &str) {
        self.lock().add_raw(item.to_owned());
    }

    /// Makes an instance vanish, from behind the load balancers too.
    pub fn remove(&self, id: &str) -> bool {
        self.lock().remove(id)
    }

    /// Adds a load balancer in front of instances.
    pub fn add_load_balancer(&self, name: &str, backends: &[&str]) {
        let backends = backends.iter().map(|&id| id.to_owned()).collect();
        self.lock().add_load_balancer(name, backends);
    }

    /// Forces the health of a backend, until forced otherwise.
    pub fn set_backend_state(&self, load_balancer: &str, id: &str, state: &str, reason: &str) -> bool {
        let description = match reason {
            "ELB" => {
                "Instance has failed at least the UnhealthyThreshold number of health checks consecutively."
            }
            "Instance" => "Instance is in stopped state.",
            _ => "N/A",
        };
        self.set_backend_health(load_balancer, id, Health::new(state, reason, description))
    }

    /// Forces the health of a backend with a description of its own.
    pub fn set_backend_health(&self, load_balancer: &str, id: &str, health: Health) -> bool {
        let mut region = self.lock();
        let Some(balancer) = region.load_balancers.get_mut(load_balancer) else {
            return false;
        };
        balancer.forced.insert(id.to_owned(), (health, None));
        balancer.backends.iter().any(|backend| backend == id)
    }

    /// Lets the fleet live one tick, also one that holds still by itself.
    pub fn tick(&self) {
        self.lock().tick(Timestamp::now());
    }

    pub(super) fn new(region: Region) -> Self {
        Self(Arc::new(Mutex::new(region)))
    }

    pub(super) fn lock(&self) -> MutexGuard<'_, Region> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::demo::Options;

    #[test]
    fn health_follows_the_instance_unless_forced() {
        let fleet = Fleet::new(Region::new("eu-west-2", &Options::default()));
        let balancer = fleet.load_balancers()[0].clone();
        let id = &balancer.backends[0];
        let health = |fleet: &Fleet| {
            let all = fleet.backend_health(&balancer.name);
            all.into_iter()
                .find(|(found, _)| found == id)
                .map(|(_, health)| health.state)
        };
        fleet.set_state(id, "running");
        assert_eq!(health(&fleet).as_deref(), Some("InService"));
        fleet.set_state(id, "stopped");
        assert_eq!(health(&fleet).as_deref(), Some("OutOfService"));
        fleet.set_backend_state(&balancer.name, id, "Unknown", "ELB");
        assert_eq!(health(&fleet).as_deref(), Some("Unknown"));
        fleet.set_state(id, "terminated");
        assert_eq!(health(&fleet), None);
    }
}
