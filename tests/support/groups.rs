//! Load balancers that are not classic, and target groups.

use std::collections::BTreeMap;

use serde::Deserialize;

use super::{Expected, present};

#[derive(Deserialize)]
pub(super) struct Balancer {
    /// Name and type.
    own: BTreeMap<String, String>,
    state: String,
    created: f64,
    info: BTreeMap<String, Option<String>>,
    listeners: Vec<BTreeMap<String, Option<String>>>,
}

#[derive(Deserialize)]
pub(super) struct TargetGroup {
    name: String,
    target_type: String,
    info: BTreeMap<String, Option<String>>,
    /// Name and type of each load balancer that routes to it.
    balancers: Vec<BTreeMap<String, String>>,
    targets: Vec<Target>,
}

#[derive(Deserialize)]
struct Target {
    id: String,
    port: Option<String>,
    state: String,
    reason: Option<String>,
}

pub(super) fn expect(balancers: &[Balancer], groups: &[TargetGroup], expected: &mut Expected<'_>) {
    for balancer in balancers {
        let own = labels(&balancer.own);
        expected.add("cloud_load_balancer_info", &own, present(&balancer.info), 1.0);
        for state in ["active", "provisioning", "active_impaired", "failed"] {
            let value = f64::from(u8::from(state == balancer.state));
            expected.add("cloud_load_balancer_state", &own, [("state", state)], value);
        }
        let created = balancer.created;
        expected.add("cloud_load_balancer_created_timestamp_seconds", &own, [], created);
        for listener in &balancer.listeners {
            expected.add("cloud_load_balancer_listener_info", &own, present(listener), 1.0);
        }
        let behind = groups
            .iter()
            .filter(|group| group.balancers.contains(&balancer.own));
        let behind: Vec<&TargetGroup> = behind.collect();
        if !behind.is_empty() {
            // moto checks the health of all it lists.
            let healthy: usize = behind.iter().map(|group| group.healthy()).sum();
            let value = f64::from(u8::from(healthy == 0));
            expected.add("cloud_load_balancer_without_healthy_backend", &own, [], value);
        }
    }
    for group in groups {
        group.expect(expected);
    }
}

impl TargetGroup {
    fn healthy(&self) -> usize {
        let healthy = self.targets.iter().filter(|target| target.state == "healthy");
        healthy.count()
    }

    fn expect(&self, expected: &mut Expected<'_>) {
        let mut places: Vec<Vec<(&str, &str)>> = self.balancers.iter().map(labels).collect();
        if places.is_empty() {
            places.push(Vec::new());
        }
        for mut place in places {
            let balancer = place.iter().find(|(label, _)| *label == "load_balancer").copied();
            let named = [("target_group", &*self.name), ("target_type", &self.target_type)];
            let facts = present(&self.info).chain(balancer);
            expected.add("cloud_target_group_info", &named, facts, 1.0);

            place.push(("target_group", &self.name));
            let (all, healthy) = (self.targets.len() as f64, self.healthy() as f64);
            expected.add("cloud_load_balancer_backends", &place, [], all);
            expected.add("cloud_load_balancer_healthy_backends", &place, [], healthy);
            for target in &self.targets {
                let id = if self.target_type == "instance" {
                    "instance_id"
                } else {
                    "target"
                };
                let own = [
                    (id, &*target.id),
                    ("port", target.port.as_deref().unwrap_or_default()),
                ];
                let value = f64::from(u8::from(target.state == "healthy"));
                expected.add("cloud_load_balancer_backend_healthy", &place, own, value);
                let reason = target.reason.as_deref().unwrap_or_default();
                let said = [("state", &*target.state), ("reason", reason)];
                let facts = own.into_iter().chain(said);
                expected.add("cloud_load_balancer_backend_state_info", &place, facts, 1.0);
            }
        }
    }
}

fn labels(own: &BTreeMap<String, String>) -> Vec<(&str, &str)> {
    own.iter().map(|(label, value)| (&**label, &**value)).collect()
}
