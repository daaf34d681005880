//! The newer load balancing API of AWS: application, network and gateway load balancers, and target groups.

use super::balancing::{LoadBalancerV2, TargetGroup};
use super::call::{Action, Call, Handler};
use super::ec2::write_next;
use super::paging;
use super::region::Region;
use super::wire::Refusal;
use super::xml::Xml;

pub(super) const ACTIONS: &[Action] = &[
    action("DescribeLoadBalancers", describe_load_balancers),
    action("DescribeTargetGroups", describe_target_groups),
    action("DescribeListeners", describe_listeners),
    action("DescribeTargetHealth", describe_target_health),
];

const fn action(name: &'static str, handler: Handler) -> Action {
    Action {
        name,
        handler,
        has_result: true,
    }
}

fn describe_load_balancers(call: &Call<'_>, xml: &mut Xml) -> Result<(), Refusal> {
    let region = call.fleet.lock();
    let all = &region.balancing.load_balancers;
    let asked = Asked::of(call, "LoadBalancerArns.member");
    asked.are_there(
        |asked| all.iter().any(|one| asked == one.arn || asked == one.name),
        no_load_balancer,
    )?;
    let found = all.iter().filter(|one| asked.has(&one.arn, &one.name));
    write_page(
        call,
        xml,
        "LoadBalancers",
        found.map(|one| (one.serial, one)),
        |xml, one| {
            write_load_balancer(xml, &region, one);
        },
    )
}

fn describe_target_groups(call: &Call<'_>, xml: &mut Xml) -> Result<(), Refusal> {
    let region = call.fleet.lock();
    let all = &region.balancing.target_groups;
    let asked = Asked::of(call, "TargetGroupArns.member");
    asked.are_there(
        |asked| all.iter().any(|one| asked == one.arn || asked == one.name),
        no_target_group,
    )?;
    let load_balancer = call.parameters.value("LoadBalancerArn");
    if let Some(arn) = load_balancer {
        find(&region, arn)?;
    }
    let is_behind =
        |one: &TargetGroup| load_balancer.is_none_or(|arn| one.load_balancers.iter().any(|own| own == arn));
    let found = all
        .iter()
        .filter(|one| is_behind(one) && asked.has(&one.arn, &one.name));
    write_page(
        call,
        xml,
        "TargetGroups",
        found.map(|one| (one.serial, one)),
        |xml, one| {
            write_target_group(xml, one);
        },
    )
}

fn describe_listeners(call: &Call<'_>, xml: &mut Xml) -> Result<(), Refusal> {
    let arn = call.parameters.required("LoadBalancerArn")?;
    let region = call.fleet.lock();
    let balancer = find(&region, arn)?;
    // Even a gateway has a listener; it tells neither protocol nor port.
    let mut listeners: Vec<Option<&(String, u16)>> = balancer.listeners.iter().map(Some).collect();
    if listeners.is_empty() {
        listeners.push(None);
    }
    let numbered = (0..).zip(&listeners);
    write_page(
        call,
        xml,
        "Listeners",
        numbered.map(|(serial, one)| (serial, (serial, one))),
        |xml, one| {
            let (serial, listens) = one;
            let listener = arn.replace(":loadbalancer/", ":listener/");
            xml.text("ListenerArn", &format!("{listener}/{serial:016x}"));
            xml.text("LoadBalancerArn", arn);
            if let Some((protocol, port)) = listens {
                xml.plain("Port", port);
                xml.text("Protocol", protocol);
            }
            xml.empty("DefaultActions");
        },
    )
}

fn describe_target_health(call: &Call<'_>, xml: &mut Xml) -> Result<(), Refusal> {
    let arn = call.parameters.required("TargetGroupArn")?;
    let region = call.fleet.lock();
    let groups = &region.balancing.target_groups;
    let group = groups.iter().find(|group| group.arn == arn);
    let group = group.ok_or_else(no_target_group)?;
    let healths = region.healths(group);
    xml.list(
        "TargetHealthDescriptions",
        "member",
        healths,
        |xml, (target, health)| {
            xml.within("Target", |xml| {
                xml.text("Id", &target.id);
                if let Some(port) = target.port {
                    xml.plain("Port", port);
                }
                if let Some(zone) = &target.availability_zone {
                    xml.text("AvailabilityZone", zone);
                }
            });
            if let Some(port) = target.port {
                xml.plain("HealthCheckPort", port);
            }
            xml.within("TargetHealth", |xml| {
                xml.text("State", &health.state);
                for (name, value) in [("Reason", &health.reason), ("Description", &health.description)] {
                    if let Some(value) = value {
                        xml.text(name, value);
                    }
                }
            });
        },
    );
    Ok(())
}

fn write_load_balancer(xml: &mut Xml, region: &Region, balancer: &LoadBalancerV2) {
    xml.text("LoadBalancerArn", &balancer.arn);
    xml.text("DNSName", &balancer.dns_name);
    if balancer.sort != "gateway" {
        xml.text("CanonicalHostedZoneId", "Z3EXAMPLEZONE");
    }
    let created = balancer.created.strftime("%Y-%m-%dT%H:%M:%S.%3fZ");
    xml.text("CreatedTime", &created.to_string());
    xml.text("LoadBalancerName", &balancer.name);
    if let Some(scheme) = &balancer.scheme {
        xml.text("Scheme", scheme);
    }
    xml.text("VpcId", &balancer.vpc_id);
    xml.within("State", |xml| xml.text("Code", &balancer.state));
    xml.text("Type", &balancer.sort);
    let zones = (0..).zip(&balancer.availability_zones);
    xml.list("AvailabilityZones", "member", zones, |xml, (number, zone)| {
        xml.text("ZoneName", zone);
        xml.text("SubnetId", &region.ids.of("subnet", number));
    });
    xml.text("IpAddressType", "ipv4");
}

fn write_target_group(xml: &mut Xml, group: &TargetGroup) {
    xml.text("TargetGroupArn", &group.arn);
    xml.text("TargetGroupName", &group.name);
    if let Some((protocol, port)) = &group.listens {
        xml.text("Protocol", protocol);
        xml.plain("Port", port);
    }
    if let Some(vpc) = &group.vpc_id {
        xml.text("VpcId", vpc);
    }
    xml.text("TargetType", &group.target_type);
    xml.plain("HealthCheckEnabled", group.target_type != "lambda");
    xml.plain("HealthCheckIntervalSeconds", 30);
    xml.within("LoadBalancerArns", |xml| {
        for arn in &group.load_balancers {
            xml.text("member", arn);
        }
    });
}

/// One page of a listing, and how to ask for the next.
fn write_page<T: Clone>(
    call: &Call<'_>,
    xml: &mut Xml,
    list: &str,
    found: impl Iterator<Item = (u64, T)>,
    each: impl FnMut(&mut Xml, T),
) -> Result<(), Refusal> {
    let size = call
        .page_size("PageSize", 1, LARGEST_PAGE)?
        .unwrap_or(LARGEST_PAGE);
    let page = paging::page(found, call.cursor("Marker")?, Some(size), call.twist);
    xml.list(list, "member", page.items, each);
    write_next(xml, "NextMarker", page.next);
    Ok(())
}

/// What a listing was asked for, by ARN or by name; nothing means everything.
struct Asked<'a>(Vec<&'a str>);

impl<'a> Asked<'a> {
    fn of(call: &'a Call<'_>, arns: &str) -> Self {
        let names = call.parameters.list("Names.member", "");
        Self([call.parameters.list(arns, ""), names].concat())
    }

    fn are_there(&self, is_there: impl Fn(&str) -> bool, refusal: fn() -> Refusal) -> Result<(), Refusal> {
        let is_whole = self.0.iter().all(|asked| is_there(asked));
        is_whole.then_some(()).ok_or_else(refusal)
    }

    fn has(&self, arn: &str, name: &str) -> bool {
        self.0.is_empty() || self.0.contains(&arn) || self.0.contains(&name)
    }
}

fn find<'a>(region: &'a Region, arn: &str) -> Result<&'a LoadBalancerV2, Refusal> {
    let mut all = region.balancing.load_balancers.iter();
    all.find(|balancer| balancer.arn == arn)
        .ok_or_else(no_load_balancer)
}

fn no_load_balancer() -> Refusal {
    Refusal::new(
        400,
        "LoadBalancerNotFound",
        "One or more load balancers not found",
    )
}

fn no_target_group() -> Refusal {
    Refusal::new(400, "TargetGroupNotFound", "One or more target groups not found")
}

/// As the API reference has it for every listing of this service.
const LARGEST_PAGE: usize = 400;
