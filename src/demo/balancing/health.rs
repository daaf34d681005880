//! How the health of targets comes about, and how it changes by itself.

use super::{Target, TargetGroup, TargetHealth, registered};
use crate::demo::region::{Region, mix};

impl Region {
    /// The targets of a group that are still listed, with their health.
    pub(in crate::demo) fn healths(&self, group: &TargetGroup) -> Vec<(Target, TargetHealth)> {
        let targets = group.targets.iter();
        targets
            .filter_map(|target| Some((target.clone(), self.target_health(group, target)?)))
            .collect()
    }

    /// The health of a target: as forced, or else as its instance's state makes it; absent when that is gone.
    fn target_health(&self, group: &TargetGroup, target: &Target) -> Option<TargetHealth> {
        if let Some((health, _)) = &target.forced {
            return Some(health.clone());
        }
        let state = match group.target_type.as_str() {
            "instance" => self.instance(&target.id)?.state.as_str(),
            "ip" => {
                let mut all = self.instances();
                let found = all.find(|instance| instance.private_ip == target.id);
                found.map_or("", |instance| &instance.state)
            }
            _ => "running",
        };
        let is_instance = group.target_type == "instance";
        if is_instance && state == "terminated" {
            return None;
        }
        if group.load_balancers.is_empty() {
            return Some(TargetHealth::new("unused", "Target.NotInUse"));
        }
        Some(match (group.target_type.as_str(), state) {
            ("lambda", _) => TargetHealth::new("unavailable", "Target.HealthCheckDisabled"),
            (_, "running") => TargetHealth::healthy(),
            ("ip", _) => TargetHealth::new("unhealthy", "Target.Timeout"),
            (_, "pending") => TargetHealth::new("initial", "Elb.RegistrationInProgress"),
            (_, "shutting-down") => TargetHealth::new("draining", "Target.DeregistrationInProgress"),
            _ => TargetHealth::new("unused", "Target.InvalidState"),
        })
    }

    /// One tick: what is terminated is registered no longer, another takes its place, and now and then one fails.
    pub(in crate::demo) fn let_targets_live(&mut self) {
        if self.balancing.target_groups.is_empty() {
            return;
        }
        let ticks = self.ticks;
        // Its own chance, so that whatever else lives in the region lives as it would without groups.
        let mut rng = fastrand::Rng::with_seed(mix(self.seed ^ mix(!ticks)));
        let state = |state: &str| -> Vec<String> {
            let found = self.instances().filter(|instance| instance.state == state);
            found.map(|instance| instance.id.clone()).collect()
        };
        let (lost, running) = (state("terminated"), state("running"));
        for group in &mut self.balancing.target_groups {
            for target in &mut group.targets {
                let is_over = |until: &Option<u64>| until.is_some_and(|until| until <= ticks);
                target.forced.take_if(|(_, until)| is_over(until));
            }
            let is_lost =
                |target: &Target| lost.contains(&target.id) && !matches!(target.forced, Some((_, None)));
            let port = group.listens.as_ref().map(|(_, port)| *port);
            while let Some(index) = group.targets.iter().position(is_lost) {
                group.targets.remove(index);
                let is_free = |id: &&String| !group.targets.iter().any(|target| target.id == **id);
                if let Some(id) = running.iter().find(is_free) {
                    group.targets.push(registered(id, port));
                }
            }
        }
        if ticks.is_multiple_of(TARGET_FAILS_EVERY) {
            self.let_a_target_fail(&mut rng);
        }
    }

    fn let_a_target_fail(&mut self, rng: &mut fastrand::Rng) {
        let groups = self.balancing.target_groups.iter().enumerate();
        let candidates: Vec<(usize, usize)> = groups
            .flat_map(|(group_index, group)| {
                let targets = group.targets.iter().enumerate();
                let healthy = targets.filter(|(_, target)| {
                    let health = self.target_health(group, target);
                    target.forced.is_none() && health == Some(TargetHealth::healthy())
                });
                healthy.map(move |(index, _)| (group_index, index))
            })
            .collect();
        let until = self.ticks + rng.u64(3..9);
        let (state, reason) = match rng.u8(0..3) {
            0 => ("unhealthy", "Target.ResponseCodeMismatch"),
            1 => ("unhealthy", "Target.Timeout"),
            _ => ("draining", "Target.DeregistrationInProgress"),
        };
        if let Some((group, target)) = rng.choice(candidates) {
            let forced = (TargetHealth::new(state, reason), Some(until));
            self.balancing.target_groups[group].targets[target].forced = Some(forced);
        }
    }
}

/// So often that one of a dozen targets fails at most times.
const TARGET_FAILS_EVERY: u64 = 4;
