//! Public addresses that belong to the account (elastic IPs, external IPs at OUTSCALE), and whether they are used.
//!
//! <https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_DescribeAddresses.html>,
//! <https://docs.outscale.com/api_fcu/#describeaddresses>

use std::borrow::Cow;

use crate::api::xml::{self, Reader};
use crate::api::{Action, Client, Error, Service};
use crate::metric::Family;
use crate::provider::Provider;
use crate::resource::{Column, Kind, Observation, Table, name_of, read_tags};

/// `addresses`.
pub static KIND: Kind = Kind {
    name: "addresses",
    providers: &Provider::ALL,
    by_default: true,
    actions: &[&DESCRIBE_ADDRESSES],
    one_call_for_each: &[],
    families: &[&INFO, &ATTACHED],
    states: &[],
    tables: &[Table {
        key: &["public_ip"],
        columns: &[
            Column::Value("attached", &ATTACHED),
            Column::Label("name"),
            Column::Label("instance_id"),
            Column::Label("private_ip"),
        ],
    }],
    observe: |client, observation| Box::pin(observe(client, observation)),
};

// It has no pages.
static DESCRIBE_ADDRESSES: Action = Action::describing(Service::Ec2, "DescribeAddresses");

// cloud_address_info{account="prod",region="eu-west-1",public_ip="192.0.2.1",allocation_id="eipalloc-0a1b2c3d",domain="vpc",instance_id="i-0a1b2c3d",private_ip="10.0.0.1"} 1
static INFO: Family = Family::gauge(
    "cloud_address_info",
    &[
        "account",
        "region",
        "public_ip",
        "allocation_id",
        "domain",
        "instance_id",
        "network_interface_id",
        "private_ip",
        "name",
    ],
    "Facts about the public address; what the cloud does not say is left out.",
);

// cloud_address_attached{account="prod",region="eu-west-1",public_ip="192.0.2.1"} 1
static ATTACHED: Family = Family::gauge(
    "cloud_address_attached",
    &["account", "region", "public_ip"],
    "1 while the public address leads to something, 0 while it is held for nothing.",
);

async fn observe(client: &Client, observation: &mut Observation) -> Result<(), Error> {
    client
        .list(&DESCRIBE_ADDRESSES, &[], |page| read_page(page, observation))
        .await
}

/// Reads one answer of `DescribeAddresses`, whole, into an observation of this kind: what a poll does with each page.
pub fn read(answer: &str, observation: &mut Observation) -> Result<Option<String>, xml::Error> {
    DESCRIBE_ADDRESSES.read(answer, |page| read_page(page, observation))
}

/// Reads a `DescribeAddressesResponse`.
fn read_page(xml: &mut Reader<'_>, observation: &mut Observation) -> Result<Option<String>, xml::Error> {
    xml.items("addressesSet", |item| {
        show(&read_address(item)?, observation);
        Ok(())
    })
}

/// An address as both clouds describe it; empty is unsaid.
#[derive(Debug, Default)]
struct Address<'a> {
    public_ip: Cow<'a, str>,
    allocation_id: Cow<'a, str>,
    association_id: Cow<'a, str>,
    domain: Cow<'a, str>,
    instance_id: Cow<'a, str>,
    network_interface_id: Cow<'a, str>,
    private_ip: Cow<'a, str>,
    tags: Vec<(String, String)>,
}

impl Address<'_> {
    /// An address of a NAT gateway has an interface and no instance, one in OUTSCALE's public cloud the reverse.
    fn is_attached(&self) -> bool {
        [
            &self.instance_id,
            &self.network_interface_id,
            &self.association_id,
        ]
        .into_iter()
        .any(|id| !id.trim().is_empty())
    }
}

fn read_address<'a>(xml: &mut Reader<'a>) -> Result<Address<'a>, xml::Error> {
    let mut address = Address::default();
    while let Some(name) = xml.child()? {
        let slot = match name {
            "publicIp" => &mut address.public_ip,
            "allocationId" => &mut address.allocation_id,
            "associationId" => &mut address.association_id,
            "domain" => &mut address.domain,
            "instanceId" => &mut address.instance_id,
            "networkInterfaceId" => &mut address.network_interface_id,
            "privateIpAddress" => &mut address.private_ip,
            "tagSet" => {
                address.tags.extend(read_tags(xml)?);
                continue;
            }
            _ => {
                xml.skip()?;
                continue;
            }
        };
        xml.fill(slot)?;
    }
    Ok(address)
}

/// The address itself is its key: OUTSCALE's public cloud knows no allocations.
fn show(address: &Address<'_>, observation: &mut Observation) {
    let Some([public_ip]) = observation.admit("an address", [("publicIp", &address.public_ip)]) else {
        return;
    };
    observation
        .sample(&INFO)
        .label("public_ip", public_ip)
        .label("allocation_id", &address.allocation_id)
        .label("domain", &address.domain)
        .label("instance_id", &address.instance_id)
        .label("network_interface_id", &address.network_interface_id)
        .label("private_ip", &address.private_ip)
        .label("name", name_of(&address.tags))
        .value(1.0);
    let attached = if address.is_attached() { 1.0 } else { 0.0 };
    observation
        .sample(&ATTACHED)
        .label("public_ip", public_ip)
        .value(attached);
}

#[cfg(test)]
mod tests;
