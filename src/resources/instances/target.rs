//! An instance as a target, with the labels that Prometheus' own `ec2_sd_configs` gives it.
//!
//! <https://prometheus.io/docs/prometheus/latest/configuration/configuration/#ec2_sd_config>

use std::borrow::Cow;

use super::Instance;
use crate::api::xml::{self, Reader};
use crate::resource::{Observation, label_characters};

/// What a network interface says of its instance.
#[derive(Debug, Default)]
pub(super) struct Interface<'a> {
    subnet_id: Cow<'a, str>,
    device_index: Cow<'a, str>,
    ipv6_addresses: Vec<Ipv6Address<'a>>,
}

#[derive(Debug, Default)]
struct Ipv6Address<'a> {
    address: Cow<'a, str>,
    is_primary: Cow<'a, str>,
}

pub(super) fn read_interface<'a>(xml: &mut Reader<'a>) -> Result<Interface<'a>, xml::Error> {
    let mut interface = Interface::default();
    while let Some(name) = xml.child()? {
        match name {
            "subnetId" => xml.fill(&mut interface.subnet_id)?,
            "attachment" => xml.field("deviceIndex", &mut interface.device_index)?,
            "ipv6AddressesSet" => xml.each("item", |item| {
                let mut address = Ipv6Address::default();
                while let Some(name) = item.child()? {
                    match name {
                        "ipv6Address" => item.fill(&mut address.address)?,
                        "isPrimaryIpv6" => item.fill(&mut address.is_primary)?,
                        _ => item.skip()?,
                    }
                }
                interface.ipv6_addresses.push(address);
                Ok(())
            })?,
            _ => xml.skip()?,
        }
    }
    Ok(interface)
}

/// Writes the instance as a target, if targets are written.
pub(super) fn write(instance: &Instance<'_>, id: &str, state: &str, observation: &mut Observation) {
    let Some(targets) = &mut observation.targets else {
        return;
    };
    let in_vpc = |text: String| {
        if instance.vpc_id.is_empty() {
            String::new()
        } else {
            text
        }
    };
    let subnet_ids = in_vpc(listed(&subnet_ids(instance)));
    let addresses = instance
        .interfaces
        .iter()
        .flat_map(|interface| &interface.ipv6_addresses);
    let ipv6_addresses = in_vpc(listed(
        &addresses.map(|address| &*address.address).collect::<Vec<_>>(),
    ));
    let primary_ipv6_addresses = in_vpc(listed(&primary_ipv6_addresses(instance)));
    let public_dns_name = if instance.public_ip.is_empty() {
        ""
    } else {
        &instance.public_dns_name
    };
    let own = [
        ("account", observation.account.as_str()),
        ("ami", &instance.image_id),
        ("architecture", &instance.architecture),
        ("availability_zone", &instance.availability_zone),
        ("availability_zone_id", &instance.availability_zone_id),
        ("instance_id", id),
        ("instance_lifecycle", &instance.lifecycle),
        ("instance_state", state),
        ("instance_type", &instance.machine_type),
        ("ipv6_addresses", &ipv6_addresses),
        ("owner_id", &instance.owner_id),
        ("platform", &instance.platform),
        ("primary_ipv6_addresses", &primary_ipv6_addresses),
        ("primary_subnet_id", &instance.subnet_id),
        ("private_dns_name", &instance.private_dns_name),
        ("private_ip", &instance.private_ip),
        ("public_dns_name", public_dns_name),
        ("public_ip", &instance.public_ip),
        ("region", &observation.region),
        ("subnet_id", &subnet_ids),
        ("vpc_id", &instance.vpc_id),
    ];
    let own = own.into_iter().map(|(name, value)| {
        let name = if name == "account" {
            ACCOUNT.to_owned()
        } else {
            format!("{PREFIX}{name}")
        };
        (name, value)
    });
    let wanted = &observation.show.discovery_tags;
    let tags = instance
        .tags
        .iter()
        .filter(|(key, _)| !key.is_empty() && wanted.want(key));
    let tags = tags.map(|(key, value)| {
        let name = PREFIX.chars().chain("tag_".chars()).chain(label_characters(key));
        (name.collect(), value.as_str())
    });
    let labels: Vec<(String, &str)> = own.chain(tags).filter(|(_, value)| !value.is_empty()).collect();
    let labels: Vec<(&str, &str)> = labels
        .iter()
        .map(|(name, value)| (name.as_str(), *value))
        .collect();
    let more = targets.push(&instance.private_ip, &instance.public_ip, &labels);
    observation.kept.add(more);
}

/// The subnets of the interfaces, each once, in the cloud's order.
fn subnet_ids<'a>(instance: &'a Instance<'_>) -> Vec<&'a str> {
    let mut ids: Vec<&str> = Vec::new();
    for interface in &instance.interfaces {
        if !ids.contains(&&*interface.subnet_id) {
            ids.push(&interface.subnet_id);
        }
    }
    ids
}

/// The primary IPv6 addresses, each at the place of its interface, nothing in the places of those without one.
fn primary_ipv6_addresses<'a>(instance: &'a Instance<'_>) -> Vec<&'a str> {
    let mut addresses: Vec<&str> = Vec::new();
    for interface in &instance.interfaces {
        let index: Option<usize> = interface.device_index.trim().parse().ok();
        let Some(index) = index.filter(|index| *index < MOST_INTERFACES) else {
            continue;
        };
        let is_primary = |address: &&Ipv6Address<'_>| &*address.is_primary == "true";
        for primary in interface.ipv6_addresses.iter().filter(is_primary) {
            if addresses.len() <= index {
                addresses.resize(index + 1, "");
            }
            addresses[index] = &primary.address;
        }
    }
    addresses
}

/// `,a,b,`: so that `.*,a,.*` finds each of them alike. Nothing for none.
fn listed(values: &[&str]) -> String {
    if values.iter().all(|value| value.is_empty()) {
        return String::new();
    }
    format!(",{},", values.join(","))
}

const PREFIX: &str = "__meta_ec2_";

/// What `ec2_sd_configs` cannot say: which of the accounts it is.
const ACCOUNT: &str = "__meta_vigie_account";

/// No machine of either cloud takes more than a few dozen interfaces.
const MOST_INTERFACES: usize = 128;
