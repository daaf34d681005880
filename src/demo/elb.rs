//! The classic ELB of AWS, the LBU of OUTSCALE.

use super::ACCOUNT;
use super::call::{Action, Call, Handler};
use super::ec2::write_next;
use super::fleet::{Health, LoadBalancer};
use super::paging;
use super::region::Region;
use super::wire::Refusal;
use super::xml::Xml;

pub(super) const ACTIONS: &[Action] = &[
    action("DescribeLoadBalancers", describe_load_balancers),
    action("DescribeInstanceHealth", describe_instance_health),
    action("DescribeTags", describe_tags),
    action("RegisterInstancesWithLoadBalancer", register),
    action("DeregisterInstancesFromLoadBalancer", deregister),
    action("DeleteLoadBalancer", delete_load_balancer),
];

const fn action(name: &'static str, handler: Handler) -> Action {
    Action {
        name,
        handler,
        has_result: true,
    }
}

fn describe_load_balancers(call: &Call<'_>, xml: &mut Xml) -> Result<(), Refusal> {
    let names = call.parameters.list("LoadBalancerNames.member", "");
    let size = call.page_size("PageSize", 1, 400)?.unwrap_or(400);
    let cursor = call.cursor("Marker")?;
    let region = call.fleet.lock();
    let mut found: Vec<(u64, &LoadBalancer)> = if names.is_empty() {
        region
            .load_balancers
            .values()
            .map(|balancer| (balancer.serial, balancer))
            .collect()
    } else {
        let one = |name| find(&region, name).map(|balancer| (balancer.serial, balancer));
        names.into_iter().map(one).collect::<Result<_, _>>()?
    };
    found.sort_unstable_by_key(|(serial, _)| *serial);
    let page = paging::page(found.into_iter(), cursor, Some(size), call.twist);
    xml.list(
        "LoadBalancerDescriptions",
        "member",
        page.items,
        |xml, balancer| {
            write_load_balancer(call, xml, &region, balancer);
        },
    );
    write_next(xml, "NextMarker", page.next);
    Ok(())
}

fn write_load_balancer(call: &Call<'_>, xml: &mut Xml, region: &Region, balancer: &LoadBalancer) {
    let subnet = |serial| region.ids.of("subnet", serial);
    xml.text("LoadBalancerName", &balancer.name);
    xml.text("DNSName", &balancer.dns_name);
    if !call.is_outscale() {
        xml.text("CanonicalHostedZoneName", &balancer.dns_name);
        xml.text("CanonicalHostedZoneNameID", "Z3EXAMPLEZONE");
    }
    let offered = [("HTTP", 80, "HTTP", 8080), ("TCP", 443, "TCP", 8443)];
    let listeners = offered
        .into_iter()
        .take(1 + usize::from(balancer.serial.is_multiple_of(2)));
    xml.list("ListenerDescriptions", "member", listeners, |xml, listener| {
        let (protocol, port, instance_protocol, instance_port) = listener;
        xml.within("Listener", |xml| {
            xml.text("Protocol", protocol);
            xml.plain("LoadBalancerPort", port);
            xml.text("InstanceProtocol", instance_protocol);
            xml.plain("InstancePort", instance_port);
        });
        xml.empty("PolicyNames");
    });
    xml.within("Policies", |xml| {
        xml.empty("AppCookieStickinessPolicies");
        xml.empty("OtherPolicies");
        xml.empty("LBCookieStickinessPolicies");
    });
    xml.empty("BackendServerDescriptions");
    let texts = |xml: &mut Xml, name: &str, values: &[String]| {
        xml.within(name, |xml| {
            for value in values {
                xml.text("member", value);
            }
        });
    };
    texts(xml, "AvailabilityZones", &balancer.availability_zones);
    if let Some(vpc) = &balancer.vpc_id {
        let subnets: Vec<String> = (0..balancer.availability_zones.len() as u64)
            .map(subnet)
            .collect();
        texts(xml, "Subnets", &subnets);
        xml.text("VPCId", vpc);
        texts(xml, "SecurityGroups", &[region.ids.of("sg", 0)]);
    }
    xml.list("Instances", "member", &balancer.backends, |xml, id| {
        xml.text("InstanceId", id);
    });
    xml.within("HealthCheck", |xml| {
        xml.text("Target", "HTTP:8080/health");
        xml.plain("Interval", 30);
        xml.plain("Timeout", 5);
        xml.plain("UnhealthyThreshold", 2);
        xml.plain("HealthyThreshold", 10);
    });
    xml.within("SourceSecurityGroup", |xml| {
        let owner = if call.is_outscale() {
            "outscale-elb"
        } else {
            ACCOUNT
        };
        xml.text("OwnerAlias", owner);
        xml.text("GroupName", "default");
    });
    xml.text(
        "CreatedTime",
        &balancer.created.strftime("%Y-%m-%dT%H:%M:%S.%3fZ").to_string(),
    );
    xml.text("Scheme", &balancer.scheme);
}

fn describe_instance_health(call: &Call<'_>, xml: &mut Xml) -> Result<(), Refusal> {
    let name = call.parameters.required("LoadBalancerName")?;
    let asked = call.parameters.list("Instances.member", "InstanceId");
    let region = call.fleet.lock();
    let balancer = find(&region, name)?;
    let mut states: Vec<(&str, Health)> = Vec::new();
    for id in &balancer.backends {
        if (asked.is_empty() || asked.contains(&id.as_str()))
            && let Some(health) = region.health(balancer, id)
        {
            states.push((id, health));
        }
    }
    for id in asked {
        if balancer.backends.iter().any(|backend| backend == id) {
            continue;
        }
        if !call.is_outscale() {
            return Err(invalid_instance(id));
        }
        let description = "Instance is not currently registered with the LoadBalancer.";
        states.push((id, Health::new("Unknown", "Instance", description)));
    }
    xml.list("InstanceStates", "member", states, |xml, (id, health)| {
        xml.text("InstanceId", id);
        xml.text("State", &health.state);
        xml.text("ReasonCode", &health.reason);
        xml.text("Description", &health.description);
    });
    Ok(())
}

fn describe_tags(call: &Call<'_>, xml: &mut Xml) -> Result<(), Refusal> {
    let names = call.parameters.list("LoadBalancerNames.member", "");
    if names.is_empty() || names.len() > MAX_NAMES {
        return Err(Refusal::new(
            400,
            "ValidationError",
            format!("The number of load balancer names must be between 1 and {MAX_NAMES}"),
        ));
    }
    let region = call.fleet.lock();
    let balancers = names
        .into_iter()
        .map(|name| find(&region, name))
        .collect::<Result<Vec<_>, _>>()?;
    xml.list("TagDescriptions", "member", balancers, |xml, balancer| {
        xml.text("LoadBalancerName", &balancer.name);
        xml.list("Tags", "member", &balancer.tags, |xml, (key, value)| {
            xml.text("Key", key);
            xml.text("Value", value);
        });
    });
    Ok(())
}

fn register(call: &Call<'_>, xml: &mut Xml) -> Result<(), Refusal> {
    change_backends(call, xml, |region, backends, asked| {
        for id in asked {
            if region.instance(id).is_none() {
                return Err(invalid_instance(id));
            }
            if !backends.iter().any(|backend| backend == id) {
                backends.push(id.to_owned());
            }
        }
        Ok(())
    })
}

fn deregister(call: &Call<'_>, xml: &mut Xml) -> Result<(), Refusal> {
    change_backends(call, xml, |_, backends, asked| {
        backends.retain(|backend| !asked.contains(&backend.as_str()));
        Ok(())
    })
}

fn change_backends(
    call: &Call<'_>,
    xml: &mut Xml,
    change: impl Fn(&Region, &mut Vec<String>, Vec<&str>) -> Result<(), Refusal>,
) -> Result<(), Refusal> {
    let name = call.parameters.required("LoadBalancerName")?;
    let asked = call.parameters.list("Instances.member", "InstanceId");
    let mut region = call.fleet.lock();
    let mut backends = find(&region, name)?.backends.clone();
    change(&region, &mut backends, asked)?;
    xml.list("Instances", "member", &backends, |xml, id| {
        xml.text("InstanceId", id);
    });
    if let Some(balancer) = region.load_balancers.get_mut(name) {
        balancer.backends = backends;
    }
    Ok(())
}

/// One that is not there counts as deleted.
fn delete_load_balancer(call: &Call<'_>, _: &mut Xml) -> Result<(), Refusal> {
    let name = call.parameters.required("LoadBalancerName")?;
    call.fleet.lock().load_balancers.remove(name);
    Ok(())
}

fn invalid_instance(id: &str) -> Refusal {
    Refusal::new(
        400,
        "InvalidInstance",
        format!("Could not find EC2 instance {id}."),
    )
}

fn find<'a>(region: &'a Region, name: &str) -> Result<&'a LoadBalancer, Refusal> {
    region.load_balancers.get(name).ok_or_else(|| {
        Refusal::new(
            400,
            "LoadBalancerNotFound",
            format!("There is no ACTIVE Load Balancer named '{name}'"),
        )
    })
}

const MAX_NAMES: usize = 20;
