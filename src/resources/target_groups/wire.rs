//! What the newer load balancing API answers, read into what the kind shows. Texts are as the cloud writes them.

use crate::api::xml::{self, Reader};
use crate::resources::balancers::{fill, read_page};

/// An application, network or gateway load balancer.
#[derive(Debug, Default)]
pub(super) struct LoadBalancer {
    pub(super) arn: String,
    pub(super) name: String,
    pub(super) sort: String,
    pub(super) state: String,
    pub(super) scheme: String,
    pub(super) dns_name: String,
    pub(super) vpc_id: String,
    pub(super) created: String,
}

/// Protocol and port.
pub(super) type Listener = [String; 2];

#[derive(Debug, Default)]
pub(super) struct TargetGroup {
    pub(super) arn: String,
    pub(super) name: String,
    pub(super) protocol: String,
    /// None of a group of functions.
    pub(super) port: String,
    pub(super) target_type: String,
    pub(super) vpc_id: String,
    /// The ARNs of those that route to it.
    pub(super) load_balancers: Vec<String>,
}

/// What a target group says of its targets.
#[derive(Debug, Default)]
pub(super) struct Health {
    pub(super) targets: Vec<Target>,
    /// Targets without an id or a state.
    pub(super) not_understood: usize,
}

#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Target {
    /// An instance, an address, the ARN of a function or of a load balancer.
    pub(super) id: String,
    /// None of a function.
    pub(super) port: String,
    pub(super) state: String,
    pub(super) reason: String,
}

impl Target {
    pub(super) fn is_healthy(&self) -> bool {
        self.state == "healthy"
    }
}

/// Reads a `DescribeLoadBalancersResult` and gives its `NextMarker`.
pub(super) fn read_load_balancers(
    xml: &mut Reader<'_>,
    found: &mut impl FnMut(LoadBalancer),
) -> Result<Option<String>, xml::Error> {
    read_page(xml, "LoadBalancers", |member| {
        let mut one = LoadBalancer::default();
        while let Some(name) = member.child()? {
            match name {
                "LoadBalancerArn" => fill(&mut one.arn, member)?,
                "LoadBalancerName" => fill(&mut one.name, member)?,
                "Type" => fill(&mut one.sort, member)?,
                "State" => member.each("Code", |code| fill(&mut one.state, code))?,
                "Scheme" => fill(&mut one.scheme, member)?,
                "DNSName" => fill(&mut one.dns_name, member)?,
                "VpcId" => fill(&mut one.vpc_id, member)?,
                "CreatedTime" => fill(&mut one.created, member)?,
                _ => member.skip()?,
            }
        }
        found(one);
        Ok(())
    })
}

/// Reads a `DescribeTargetGroupsResult` and gives its `NextMarker`.
pub(super) fn read_target_groups(
    xml: &mut Reader<'_>,
    found: &mut impl FnMut(TargetGroup),
) -> Result<Option<String>, xml::Error> {
    read_page(xml, "TargetGroups", |member| {
        let mut one = TargetGroup::default();
        while let Some(name) = member.child()? {
            match name {
                "TargetGroupArn" => fill(&mut one.arn, member)?,
                "TargetGroupName" => fill(&mut one.name, member)?,
                "Protocol" => fill(&mut one.protocol, member)?,
                "Port" => fill(&mut one.port, member)?,
                "TargetType" => fill(&mut one.target_type, member)?,
                "VpcId" => fill(&mut one.vpc_id, member)?,
                "LoadBalancerArns" => member.each("member", |member| {
                    let mut arn = String::new();
                    fill(&mut arn, member)?;
                    one.load_balancers.push(arn);
                    Ok(())
                })?,
                _ => member.skip()?,
            }
        }
        found(one);
        Ok(())
    })
}

/// Reads a `DescribeListenersResult` and gives its `NextMarker`.
pub(super) fn read_listeners(
    xml: &mut Reader<'_>,
    found: &mut Vec<Listener>,
) -> Result<Option<String>, xml::Error> {
    read_page(xml, "Listeners", |member| {
        let [mut protocol, mut port] = Listener::default();
        while let Some(name) = member.child()? {
            match name {
                "Protocol" => fill(&mut protocol, member)?,
                "Port" => fill(&mut port, member)?,
                _ => member.skip()?,
            }
        }
        found.push([protocol, port]);
        Ok(())
    })
}

/// Reads a `DescribeTargetHealthResult`. The free text of `Description` is not for labels.
///
/// Of a target that is registered twice with one port, such as an address in two zones, one is kept: the one out of
/// service. In what order the cloud lists them makes no difference.
pub(super) fn read_health(xml: &mut Reader<'_>) -> Result<Health, xml::Error> {
    let mut health = Health::default();
    let mut has_list = false;
    xml.each("TargetHealthDescriptions", |descriptions| {
        has_list = true;
        descriptions.each("member", |member| {
            let target = read_target(member)?;
            if target.id.is_empty() || target.state.is_empty() {
                health.not_understood += 1;
            } else {
                health.targets.push(target);
            }
            Ok(())
        })
    })?;
    xml::require(has_list, "TargetHealthDescriptions")?;
    health.targets.sort_unstable_by(|one, other| {
        let rank = |target: &Target| target.is_healthy();
        let (one_place, other_place) = ((&one.id, &one.port), (&other.id, &other.port));
        one_place
            .cmp(&other_place)
            .then_with(|| rank(one).cmp(&rank(other)))
            .then_with(|| (&one.state, &one.reason).cmp(&(&other.state, &other.reason)))
    });
    health
        .targets
        .dedup_by(|later, kept| (&later.id, &later.port) == (&kept.id, &kept.port));
    Ok(health)
}

fn read_target(xml: &mut Reader<'_>) -> Result<Target, xml::Error> {
    let mut target = Target::default();
    while let Some(name) = xml.child()? {
        match name {
            "Target" => {
                while let Some(name) = xml.child()? {
                    match name {
                        "Id" => fill(&mut target.id, xml)?,
                        "Port" => fill(&mut target.port, xml)?,
                        _ => xml.skip()?,
                    }
                }
            }
            "TargetHealth" => {
                while let Some(name) = xml.child()? {
                    match name {
                        "State" => fill(&mut target.state, xml)?,
                        "Reason" => fill(&mut target.reason, xml)?,
                        _ => xml.skip()?,
                    }
                }
            }
            _ => xml.skip()?,
        }
    }
    Ok(target)
}
