//! The load balancers of AWS that are not classic and their target groups, and what of them a region has at first.

mod handle;
mod health;

use jiff::{SignedDuration, Timestamp};

use super::region::{ORIGIN, Region};
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

#[cfg(test)]
mod tests;
