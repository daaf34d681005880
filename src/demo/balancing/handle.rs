//! The hand that changes target groups and the load balancers before them, and the truth to compare with.

use super::{LoadBalancerV2, Target, TargetGroup, TargetHealth, registered};
use crate::demo::fleet::Fleet;

/// What stands behind load balancers that are not classic. At OUTSCALE there is nothing of it.
impl Fleet {
    /// All such load balancers in the order they are listed.
    pub fn load_balancers_v2(&self) -> Vec<LoadBalancerV2> {
        self.lock().balancing.load_balancers.clone()
    }

    /// All target groups in the order they are listed.
    pub fn target_groups(&self) -> Vec<TargetGroup> {
        self.lock().balancing.target_groups.clone()
    }

    /// Every target of a group that the cloud still lists, with its health.
    pub fn target_health(&self, group: &str) -> Vec<(Target, TargetHealth)> {
        let region = self.lock();
        let groups = region.balancing.target_groups.iter();
        let found = groups.filter(|found| found.name == group);
        found.flat_map(|group| region.healths(group)).collect()
    }

    /// Adds a load balancer; its ARN.
    pub fn add_load_balancer_v2(&self, name: &str, sort: &str) -> String {
        self.lock().add_load_balancer_v2(name, sort)
    }

    /// Adds a target group that load balancers with these ARNs route to, with these targets on port 80; its ARN.
    pub fn add_target_group(
        &self,
        name: &str,
        target_type: &str,
        load_balancers: &[&str],
        targets: &[&str],
    ) -> String {
        let load_balancers = load_balancers.iter().map(|&arn| arn.to_owned()).collect();
        let targets: Vec<String> = targets.iter().map(|&id| id.to_owned()).collect();
        self.lock()
            .add_target_group(name, target_type, load_balancers, &targets)
    }

    /// Changes anything about such a load balancer but its place in listings.
    pub fn change_load_balancer_v2(&self, name: &str, change: impl FnOnce(&mut LoadBalancerV2)) -> bool {
        let mut region = self.lock();
        let mut found = region.balancing.load_balancers.iter_mut();
        let found = found.find(|balancer| balancer.name == name);
        found.map(change).is_some()
    }

    /// Changes anything about a target group but its place in listings.
    pub fn change_target_group(&self, name: &str, change: impl FnOnce(&mut TargetGroup)) -> bool {
        self.lock().balancing.group_mut(name).map(change).is_some()
    }

    /// Registers a target, whatever it is.
    pub fn register_target(&self, group: &str, id: &str, port: Option<u16>) -> bool {
        self.change_target_group(group, |group| group.targets.push(registered(id, port)))
    }

    /// Forces the health of a target, on whatever ports, until forced otherwise.
    pub fn set_target_health(&self, group: &str, id: &str, health: &TargetHealth) -> bool {
        let mut region = self.lock();
        let group = region.balancing.group_mut(group);
        let targets = group.into_iter().flat_map(|group| &mut group.targets);
        let forced = targets
            .filter(|target| target.id == id)
            .map(|target| target.forced = Some((health.clone(), None)));
        forced.count() > 0
    }

    /// Makes such a load balancer vanish; groups no longer know it.
    pub fn remove_load_balancer_v2(&self, name: &str) -> bool {
        let mut region = self.lock();
        let balancing = &mut region.balancing;
        let all = &mut balancing.load_balancers;
        let Some(index) = all.iter().position(|balancer| balancer.name == name) else {
            return false;
        };
        let gone = all.remove(index);
        for group in &mut balancing.target_groups {
            group.load_balancers.retain(|arn| *arn != gone.arn);
        }
        true
    }

    /// Makes a target group vanish.
    pub fn remove_target_group(&self, name: &str) -> bool {
        let mut region = self.lock();
        let groups = &mut region.balancing.target_groups;
        let before = groups.len();
        groups.retain(|group| group.name != name);
        groups.len() < before
    }
}
