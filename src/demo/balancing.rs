//! The load balancers of AWS that are not classic, their target groups, and how the health of targets comes about.

use jiff::{SignedDuration, Timestamp};

use super::fleet::Fleet;
use super::region::{ORIGIN, Region, mix};
use super::{ACCOUNT, Options};
use crate::provider::Provider;

/// An application, network or gateway load balancer, as the cloud knows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LoadBalancerV2 {
    /// Its name.
    pub name: String,
    /// Its ARN, which is what it is asked about by.
    pub arn: String,
    /// `application`, `network`, `gateway`, or any text a test has put there.
    pub sort: String,
    /// `internet-facing` or `internal`; of a gateway there is none.
    pub scheme: Option<String>,
    /// Where it answers.
    pub dns_name: String,
    /// The network it is in.
    pub vpc_id: String,
    /// The zones it stands in.
    pub availability_zones: Vec<String>,
    /// `active`, `provisioning`, …
    pub state: String,
    /// When it was made.
    pub created: Timestamp,
    /// Protocol and port of each listener; those of a gateway have neither.
    pub listeners: Vec<(String, u16)>,
    pub(super) serial: u64,
}

/// A target group, as the cloud knows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TargetGroup {
    /// Its name.
    pub name: String,
    /// Its ARN.
    pub arn: String,
    /// `instance`, `ip`, `lambda` or `alb`.
    pub target_type: String,
    /// Protocol and port; of a group of functions there are none.
    pub listens: Option<(String, u16)>,
    /// The network it is in; of a group of functions there is none.
    pub vpc_id: Option<String>,
    /// The ARNs of the load balancers that route to it.
    pub load_balancers: Vec<String>,
    /// What is registered.
    pub targets: Vec<Target>,
    pub(super) serial: u64,
}

/// One registration in a target group.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Target {
    /// An instance, an address, the ARN of a function or of a load balancer.
    pub id: String,
    /// Its port; a function has none.
    pub port: Option<u16>,
    /// The zone, where it was given with an address.
    pub availability_zone: Option<String>,
    /// Health that is not the consequence of what the target is, and the tick it ends at.
    pub(super) forced: Option<(TargetHealth, Option<u64>)>,
}

/// The health of one target.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TargetHealth {
    /// `healthy`, `unhealthy`, `draining`, … or any text a test has put there.
    pub state: String,
    /// A code; none while it is healthy.
    pub reason: Option<String>,
    /// Free text; none while it is healthy.
    pub description: Option<String>,
}

impl TargetHealth {
    /// Health with a reason.
    pub fn new(state: &str, reason: &str) -> Self {
        let description = match reason {
            "Elb.RegistrationInProgress" => "Target registration is in progress",
            "Target.DeregistrationInProgress" => "Target deregistration is in progress",
            "Target.HealthCheckDisabled" => "Health checks are disabled for this target",
            "Target.InvalidState" => "Target is in the stopped state",
            "Target.NotInUse" => "Target group is not configured to receive traffic from the load balancer",
            "Target.ResponseCodeMismatch" => "Health checks failed with these codes: [502]",
            "Target.Timeout" => "Request timed out",
            _ => "",
        };
        let given = |text: &str| Some(text.to_owned()).filter(|text| !text.is_empty());
        Self {
            state: state.to_owned(),
            reason: given(reason),
            description: given(description),
        }
    }

    fn healthy() -> Self {
        Self::new("healthy", "")
    }
}

/// All of this in one region, in the order it is listed.
#[derive(Debug, Default)]
pub(super) struct Balancing {
    pub(super) load_balancers: Vec<LoadBalancerV2>,
    pub(super) target_groups: Vec<TargetGroup>,
    /// Apart from that of instances, whose ids follow from theirs.
    next_serial: u64,
}

impl Balancing {
    /// Takes an instance out of every group.
    pub(super) fn deregister(&mut self, id: &str) {
        for group in &mut self.target_groups {
            group.targets.retain(|target| target.id != id);
        }
    }

    fn serial(&mut self) -> u64 {
        self.next_serial += 1;
        self.next_serial
    }

    fn group_mut(&mut self, name: &str) -> Option<&mut TargetGroup> {
        self.target_groups.iter_mut().find(|group| group.name == name)
    }
}

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

impl Region {
    /// So many groups, each behind a load balancer, in front of these instances in turn.
    pub(super) fn balance(&mut self, options: &Options, ids: &[String]) {
        if options.provider != Provider::Aws {
            return;
        }
        let size = options.backends_per_load_balancer.min(ids.len());
        for number in 0..options.target_groups {
            let begin = (options.load_balancers + number) * options.backends_per_load_balancer;
            let instances: Vec<String> = ids.iter().cycle().skip(begin).take(size).cloned().collect();
            self.add_shape(number, &instances);
        }
    }

    /// Every sort of group and of load balancer in turn; with the first of them, two share a load balancer.
    fn add_shape(&mut self, number: usize, instances: &[String]) {
        let (shape, round) = (number % SHAPES, number / SHAPES);
        let name = |stem: &str| match round {
            0 => stem.to_owned(),
            _ => format!("{stem}-{round}"),
        };
        let latest = |region: &Self, sort: &str| {
            let all = &region.balancing.load_balancers;
            let found = all.iter().rev().find(|balancer| balancer.sort == sort);
            found.map(|balancer| balancer.arn.clone()).unwrap_or_default()
        };
        match shape {
            0 => {
                let shop = self.add_load_balancer_v2(&name("shop"), "application");
                self.add_target_group(&name("shop-pages"), "instance", vec![shop], instances);
            }
            1 => {
                let shop = latest(self, "application");
                self.add_target_group(&name("shop-images"), "instance", vec![shop], instances);
            }
            2 => {
                let queue = self.add_load_balancer_v2(&name("queue"), "network");
                let addresses = instances.iter().filter_map(|id| self.instance(id));
                let addresses: Vec<String> = addresses.map(|instance| instance.private_ip.clone()).collect();
                self.add_target_group(&name("queue-nodes"), "ip", vec![queue], &addresses);
            }
            3 => {
                let hooks = self.add_load_balancer_v2(&name("hooks"), "application");
                let region = &self.name;
                let function = format!("arn:aws:lambda:{region}:{ACCOUNT}:function:{}", name("hook"));
                self.add_target_group(&name("hooks"), "lambda", vec![hooks], &[function]);
            }
            4 => {
                let queue = latest(self, "network");
                let metrics = self.add_load_balancer_v2(&name("metrics"), "network");
                let both = vec![queue, metrics];
                self.add_target_group(&name("metrics"), "instance", both, instances);
            }
            5 => {
                let hooks = latest(self, "application");
                let front = self.add_load_balancer_v2(&name("front"), "network");
                self.add_target_group(&name("front"), "alb", vec![front], &[hooks]);
            }
            _ => {
                let wall = self.add_load_balancer_v2(&name("wall"), "gateway");
                self.add_target_group(&name("wall"), "instance", vec![wall], instances);
            }
        }
    }

    fn add_load_balancer_v2(&mut self, name: &str, sort: &str) -> String {
        let serial = self.balancing.serial();
        let region = &self.name;
        let id = format!("{:016x}", self.ids.number("loadbalancer", serial));
        let (path, listeners): (&str, &[(&str, u16)]) = match sort {
            "network" => ("net", &[("TCP", 443)]),
            "gateway" => ("gwy", &[]),
            _ => ("app", &[("HTTPS", 443), ("HTTP", 80)]),
        };
        let arn = format!("arn:aws:elasticloadbalancing:{region}:{ACCOUNT}:loadbalancer/{path}/{name}/{id}");
        let listeners = listeners.iter();
        self.balancing.load_balancers.push(LoadBalancerV2 {
            name: name.to_owned(),
            arn: arn.clone(),
            sort: sort.to_owned(),
            scheme: (sort != "gateway").then(|| "internet-facing".to_owned()),
            dns_name: format!("{name}-{id}.elb.{region}.amazonaws.com"),
            vpc_id: self.ids.of("vpc", 0),
            availability_zones: ["a", "b"].map(|zone| format!("{region}{zone}")).to_vec(),
            state: "active".to_owned(),
            created: ORIGIN - SignedDuration::from_hours(24 * 20),
            listeners: listeners
                .map(|&(protocol, port)| (protocol.to_owned(), port))
                .collect(),
            serial,
        });
        arn
    }

    fn add_target_group(
        &mut self,
        name: &str,
        target_type: &str,
        load_balancers: Vec<String>,
        targets: &[String],
    ) -> String {
        let serial = self.balancing.serial();
        let id = format!("{:016x}", self.ids.number("targetgroup", serial));
        let arn = format!(
            "arn:aws:elasticloadbalancing:{}:{ACCOUNT}:targetgroup/{name}/{id}",
            self.name
        );
        let is_of = |sort: &str| {
            let all = &self.balancing.load_balancers;
            all.iter()
                .any(|balancer| balancer.sort == sort && load_balancers.contains(&balancer.arn))
        };
        let listens = match target_type {
            "lambda" => None,
            _ if is_of("gateway") => Some(("GENEVE", 6081)),
            _ if is_of("network") => Some(("TCP", 80)),
            _ => Some(("HTTP", 80)),
        };
        let port = listens.map(|(_, port)| port);
        let group = TargetGroup {
            name: name.to_owned(),
            arn: arn.clone(),
            target_type: target_type.to_owned(),
            listens: listens.map(|(protocol, port)| (protocol.to_owned(), port)),
            vpc_id: listens.map(|_| self.ids.of("vpc", 0)),
            load_balancers,
            targets: targets.iter().map(|id| registered(id, port)).collect(),
            serial,
        };
        self.balancing.target_groups.push(group);
        arn
    }

    /// The targets of a group that are still listed, with their health.
    pub(super) fn healths(&self, group: &TargetGroup) -> Vec<(Target, TargetHealth)> {
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
    pub(super) fn let_targets_live(&mut self) {
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

fn registered(id: &str, port: Option<u16>) -> Target {
    Target {
        id: id.to_owned(),
        port,
        availability_zone: None,
        forced: None,
    }
}

/// How many different groups there are before the first comes again.
const SHAPES: usize = 7;

/// So often that one of a dozen targets fails at most times.
const TARGET_FAILS_EVERY: u64 = 4;

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    fn region(target_groups: usize) -> Region {
        let options = Options {
            provider: Provider::Aws,
            target_groups,
            ..Options::default()
        };
        Region::new("eu-west-1", &options)
    }

    fn states(region: &Region) -> BTreeSet<String> {
        let groups = region.balancing.target_groups.iter();
        let healths = groups.flat_map(|group| region.healths(group));
        healths.map(|(_, health)| health.state).collect()
    }

    #[test]
    fn groups_are_of_every_sort_and_some_share_a_load_balancer_or_have_two() {
        let region = region(SHAPES);
        let balancing = &region.balancing;
        let sorts: BTreeSet<_> = balancing.load_balancers.iter().map(|one| &*one.sort).collect();
        assert_eq!(
            sorts.into_iter().collect::<Vec<_>>(),
            ["application", "gateway", "network"]
        );
        let types: BTreeSet<_> = balancing
            .target_groups
            .iter()
            .map(|one| &*one.target_type)
            .collect();
        assert_eq!(
            types.into_iter().collect::<Vec<_>>(),
            ["alb", "instance", "ip", "lambda"]
        );
        let of = |index: usize| &balancing.target_groups[index].load_balancers;
        assert_eq!(of(0), of(1));
        assert_eq!(of(4).len(), 2);
        let known: Vec<_> = balancing.load_balancers.iter().map(|one| &one.arn).collect();
        let mut named = balancing.target_groups.iter().flat_map(|one| &one.load_balancers);
        assert!(named.all(|arn| known.contains(&arn)));
        let outscale = Region::new("eu-west-2", &Options::default());
        assert!(outscale.balancing.target_groups.is_empty());
    }

    #[test]
    fn health_follows_the_instance_unless_forced() {
        let fleet = Fleet::new(region(1));
        let id = fleet.target_groups()[0].targets[0].id.clone();
        let health = || {
            let all = fleet.target_health("shop-pages").into_iter();
            let mut found = all.filter(|(target, _)| target.id == id);
            found.next().map(|(_, health)| health.state)
        };
        for (state, expected) in [
            ("pending", Some("initial")),
            ("running", Some("healthy")),
            ("stopped", Some("unused")),
            ("shutting-down", Some("draining")),
            ("terminated", None),
        ] {
            fleet.set_state(&id, state);
            assert_eq!(health().as_deref(), expected, "{state}");
        }
        let forced = TargetHealth::new("draining", "Target.DeregistrationInProgress");
        assert!(fleet.set_target_health("shop-pages", &id, &forced));
        assert_eq!(health().as_deref(), Some("draining"));
        fleet.remove(&id);
        assert_eq!(health(), None);
    }

    #[test]
    fn groups_live_and_keep_their_size() {
        let mut region = region(SHAPES);
        let sizes = |region: &Region| -> Vec<usize> {
            let groups = region.balancing.target_groups.iter();
            groups.map(|group| group.targets.len()).collect()
        };
        let (before, mut seen) = (sizes(&region), BTreeSet::new());
        for _ in 0..200 {
            region.tick(ORIGIN);
            seen.extend(states(&region));
            let terminated = |id: &str| {
                let instance = region.instance(id);
                instance.is_some_and(|instance| instance.state == "terminated")
            };
            let groups = region.balancing.target_groups.iter();
            let mut targets = groups.flat_map(|group| &group.targets);
            assert!(targets.all(|target| !terminated(&target.id)));
        }
        assert_eq!(sizes(&region), before);
        let expected = [
            "draining",
            "healthy",
            "initial",
            "unavailable",
            "unhealthy",
            "unused",
        ];
        assert_eq!(seen.into_iter().collect::<Vec<_>>(), expected);
    }
}
