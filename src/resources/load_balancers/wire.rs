//! What the classic load balancing API answers, read into what the kind shows. Texts are as the cloud writes them.

use std::collections::HashSet;

use crate::api::xml::{self, Reader};
use crate::resources::balancers::{self, fill};

#[derive(Debug, Default)]
pub(super) struct LoadBalancer {
    pub(super) name: String,
    pub(super) dns_name: String,
    pub(super) scheme: String,
    pub(super) vpc_id: String,
    pub(super) created: String,
    pub(super) listeners: Vec<Listener>,
    pub(super) health_check: HealthCheck,
    /// The registered ones: the question for their health leaves out those that are terminated.
    pub(super) instances: Vec<String>,
}

/// Protocol, port, instance protocol, instance port: as the cloud writes them, for labels.
pub(super) type Listener = [String; 4];

#[derive(Debug, Default)]
pub(super) struct HealthCheck {
    pub(super) target: String,
    pub(super) interval: String,
    pub(super) timeout: String,
    pub(super) healthy_threshold: String,
    pub(super) unhealthy_threshold: String,
}

/// What a load balancer says of its backends.
#[derive(Debug, Default)]
pub(super) struct Health {
    pub(super) backends: Vec<Backend>,
    /// Backends without an id or a state.
    pub(super) not_understood: usize,
}

#[derive(Debug, Default)]
pub(super) struct Backend {
    pub(super) instance_id: String,
    pub(super) state: String,
    pub(super) reason: String,
}

impl Backend {
    /// LBU's JSON twin has begun to say `UP`; nothing else is healthy.
    pub(super) fn is_healthy(&self) -> bool {
        self.state.eq_ignore_ascii_case("InService") || self.state.eq_ignore_ascii_case("UP")
    }
}

/// Reads a `DescribeLoadBalancersResult` and gives its `NextMarker`.
pub(super) fn read_page(
    xml: &mut Reader<'_>,
    found: &mut impl FnMut(LoadBalancer),
) -> Result<Option<String>, xml::Error> {
    balancers::read_page(xml, "LoadBalancerDescriptions", |member| {
        found(read_load_balancer(member)?);
        Ok(())
    })
}

fn read_load_balancer(xml: &mut Reader<'_>) -> Result<LoadBalancer, xml::Error> {
    let mut load_balancer = LoadBalancer::default();
    while let Some(name) = xml.child()? {
        match name {
            "LoadBalancerName" => fill(&mut load_balancer.name, xml)?,
            "DNSName" => fill(&mut load_balancer.dns_name, xml)?,
            "Scheme" => fill(&mut load_balancer.scheme, xml)?,
            // `VPCId` on the wire; the newer API spells it `VpcId`.
            "VPCId" | "VpcId" => fill(&mut load_balancer.vpc_id, xml)?,
            "CreatedTime" => fill(&mut load_balancer.created, xml)?,
            "ListenerDescriptions" => xml.each("member", |member| {
                member.each("Listener", |listener| {
                    load_balancer.listeners.push(read_listener(listener)?);
                    Ok(())
                })
            })?,
            "HealthCheck" => read_health_check(xml, &mut load_balancer.health_check)?,
            "Instances" => xml.each("member", |member| {
                let mut id = String::new();
                member.each("InstanceId", |element| fill(&mut id, element))?;
                load_balancer.instances.push(id);
                Ok(())
            })?,
            _ => xml.skip()?,
        }
    }
    Ok(load_balancer)
}

fn read_listener(xml: &mut Reader<'_>) -> Result<Listener, xml::Error> {
    let mut listener = Listener::default();
    while let Some(name) = xml.child()? {
        let index = match name {
            "Protocol" => 0,
            "LoadBalancerPort" => 1,
            "InstanceProtocol" => 2,
            "InstancePort" => 3,
            _ => {
                xml.skip()?;
                continue;
            }
        };
        fill(&mut listener[index], xml)?;
    }
    Ok(listener)
}

fn read_health_check(xml: &mut Reader<'_>, check: &mut HealthCheck) -> Result<(), xml::Error> {
    while let Some(name) = xml.child()? {
        match name {
            "Target" => fill(&mut check.target, xml)?,
            "Interval" => fill(&mut check.interval, xml)?,
            "Timeout" => fill(&mut check.timeout, xml)?,
            "HealthyThreshold" => fill(&mut check.healthy_threshold, xml)?,
            "UnhealthyThreshold" => fill(&mut check.unhealthy_threshold, xml)?,
            _ => xml.skip()?,
        }
    }
    Ok(())
}

/// Reads a `DescribeInstanceHealthResult`. The free text of `Description` is not for labels.
pub(super) fn read_health(xml: &mut Reader<'_>) -> Result<Health, xml::Error> {
    let mut health = Health::default();
    let mut seen: HashSet<String> = HashSet::new();
    let mut has_set = false;
    xml.each("InstanceStates", |states| {
        has_set = true;
        states.each("member", |member| {
            let mut backend = Backend::default();
            while let Some(name) = member.child()? {
                match name {
                    "InstanceId" => fill(&mut backend.instance_id, member)?,
                    "State" => fill(&mut backend.state, member)?,
                    "ReasonCode" => fill(&mut backend.reason, member)?,
                    _ => member.skip()?,
                }
            }
            if backend.instance_id.is_empty() || backend.state.is_empty() {
                health.not_understood += 1;
            } else if seen.insert(backend.instance_id.clone()) {
                health.backends.push(backend);
            }
            Ok(())
        })
    })?;
    xml::require(has_set, "InstanceStates")?;
    Ok(health)
}
