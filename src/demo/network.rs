//! `DescribeAddresses`, `DescribeSubnets`, `DescribeAvailabilityZones` and `DescribeAccountAttributes`, after the
//! examples in AWS's reference.

use super::call::Call;
use super::ec2::dry_run;
use super::holdings::{Address, Subnet};
use super::listing::{Listed, Listing, write_items, write_tags};
use super::paging::Next;
use super::wire::Refusal;
use super::xml::Xml;

impl Listed for Address {
    fn id(&self) -> &str {
        &self.public_ip
    }

    fn tags(&self) -> &[(String, String)] {
        &self.tags
    }

    fn fact(&self, filter: &str) -> Option<&str> {
        match filter {
            "public-ip" => Some(&self.public_ip),
            "domain" => Some(&self.domain),
            "allocation-id" => self.allocation_id.as_deref(),
            "instance-id" => self.instance_id.as_deref(),
            _ => None,
        }
    }
}

impl Listed for Subnet {
    fn id(&self) -> &str {
        &self.id
    }

    fn tags(&self) -> &[(String, String)] {
        &self.tags
    }

    fn fact(&self, filter: &str) -> Option<&str> {
        match filter {
            "subnet-id" => Some(&self.id),
            "state" => Some(&self.state),
            "vpc-id" => Some(&self.vpc_id),
            "availability-zone" => Some(&self.availability_zone),
            _ => None,
        }
    }
}

pub(super) fn describe_addresses(call: &Call<'_>, xml: &mut Xml) -> Result<(), Refusal> {
    let listing = Listing {
        set: "addressesSet",
        ids: "PublicIp",
        unknown: "InvalidAddress.NotFound",
        page_size: None,
    };
    let region = call.fleet.lock();
    let all = region.holdings.addresses.iter();
    let all = all.map(|(&serial, address)| (serial, address));
    listing.write(call, xml, &region, all, write_address)
}

fn write_address(xml: &mut Xml, address: &Address) {
    xml.text("publicIp", &address.public_ip);
    if let Some(id) = &address.allocation_id {
        xml.text("allocationId", id);
    }
    xml.text("domain", &address.domain);
    // One that leads nowhere has the element too, with nothing in it.
    xml.text("instanceId", address.instance_id.as_deref().unwrap_or_default());
    if let Some(id) = &address.network_interface_id {
        xml.text("associationId", &id.replace("eni", "eipassoc"));
        xml.text("networkInterfaceId", id);
        xml.text("networkInterfaceOwnerId", super::ACCOUNT);
    }
    if let Some(ip) = &address.private_ip {
        xml.text("privateIpAddress", ip);
    }
    write_tags(xml, &address.tags);
}

pub(super) fn describe_subnets(call: &Call<'_>, xml: &mut Xml) -> Result<(), Refusal> {
    let listing = Listing {
        set: "subnetSet",
        ids: "SubnetId",
        unknown: "InvalidSubnetID.NotFound",
        page_size: Some(1000),
    };
    let region = call.fleet.lock();
    let all = region.holdings.subnets.iter();
    let all = all.map(|(&serial, subnet)| (serial, subnet));
    listing.write(call, xml, &region, all, |xml, subnet| {
        xml.text("subnetId", &subnet.id);
        xml.text("state", &subnet.state);
        xml.text("vpcId", &subnet.vpc_id);
        xml.text("cidrBlock", &subnet.cidr_block);
        xml.plain("availableIpAddressCount", region.available_addresses(subnet));
        xml.text("availabilityZone", &subnet.availability_zone);
        if !call.is_outscale() {
            xml.plain("defaultForAz", false);
        }
        xml.plain("mapPublicIpOnLaunch", false);
        write_tags(xml, &subnet.tags);
    })
}

pub(super) fn describe_availability_zones(call: &Call<'_>, xml: &mut Xml) -> Result<(), Refusal> {
    dry_run(call)?;
    let region = call.fleet.lock();
    let zones = region.holdings.zones.iter().zip(1..);
    let set = "availabilityZoneInfo";
    write_items(call, xml, &region, set, zones, &Next::Absent, |xml, zone| {
        let ((name, state), number) = zone;
        xml.text("zoneName", name);
        xml.text("zoneState", state);
        xml.text("regionName", &region.name);
        // On OUTSCALE too: Prometheus' discovery ends its process where a zone has no id.
        xml.text("zoneId", &format!("{}-az{number}", region.name.replace('-', "")));
        if !call.is_outscale() {
            xml.text("optInStatus", "opt-in-not-required");
            xml.text("groupName", &region.name);
            xml.text("networkBorderGroup", &region.name);
            xml.text("zoneType", "availability-zone");
        }
        xml.empty("messageSet");
    });
    Ok(())
}

pub(super) fn describe_account_attributes(call: &Call<'_>, xml: &mut Xml) -> Result<(), Refusal> {
    dry_run(call)?;
    let wanted = call.parameters.list("AttributeName", "");
    let attributes = ATTRIBUTES
        .iter()
        .filter(|(name, _)| wanted.is_empty() || wanted.contains(name));
    let region = call.fleet.lock();
    let set = "accountAttributeSet";
    write_items(
        call,
        xml,
        &region,
        set,
        attributes,
        &Next::Absent,
        |xml, (name, values)| {
            xml.text("attributeName", name);
            xml.list("attributeValueSet", "item", *values, |xml, value| {
                xml.text("attributeValue", value);
            });
        },
    );
    Ok(())
}

const ATTRIBUTES: &[(&str, &[&str])] = &[
    ("supported-platforms", &["VPC"]),
    ("default-vpc", &["none"]),
    ("max-instances", &["40"]),
    ("max-elastic-ips", &["20"]),
    ("vpc-max-elastic-ips", &["20"]),
    ("vpc-max-security-groups-per-interface", &["5"]),
];
