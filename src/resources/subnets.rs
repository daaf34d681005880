//! Subnets: state, facts, and how many addresses are left in them.
//!
//! How many there are in all is not said: it would take the range less what the cloud keeps to itself, which each
//! cloud decides.
//!
//! <https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_DescribeSubnets.html>,
//! <https://docs.outscale.com/api_fcu/#describesubnets>

use std::borrow::Cow;

use crate::api::xml::{self, Reader};
use crate::api::{Action, Client, Error, Paging, Service};
use crate::metric::Family;
use crate::provider::Provider;
use crate::resource::{Column, Kind, Observation, Table, name_of, read_tags};

/// `subnets`.
pub static KIND: Kind = Kind {
    name: "subnets",
    providers: &Provider::ALL,
    by_default: true,
    actions: &[&DESCRIBE_SUBNETS],
    one_call_for_each: &[],
    families: &[&STATE, &INFO, &AVAILABLE],
    states: &[],
    tables: &[Table {
        key: &["subnet_id"],
        columns: &[
            Column::Label("state"),
            Column::Label("name"),
            Column::Label("cidr_block"),
            Column::Value("available", &AVAILABLE),
            Column::Label("availability_zone"),
            Column::Label("vpc_id"),
        ],
    }],
    observe: |client, observation| Box::pin(observe(client, observation)),
};

static DESCRIBE_SUBNETS: Action = Action::describing(Service::Ec2, "DescribeSubnets")
    .paged(Paging {
        size_parameter: "MaxResults",
        size: 1000,
        cursor_parameter: "NextToken",
        cursor_element: "nextToken",
    })
    .proven_with(&[("MaxResults", "5")]);

// cloud_subnet_state{account="prod",region="eu-west-2",subnet_id="subnet-0a1b2c3d",state="available"} 1
static STATE: Family = Family::gauge(
    "cloud_subnet_state",
    &["account", "region", "subnet_id", "state"],
    "1 for the state the subnet was in when last listed, 0 for the others.",
);

// cloud_subnet_info{account="prod",region="eu-west-2",subnet_id="subnet-0a1b2c3d",vpc_id="vpc-0a1b2c3d",availability_zone="eu-west-2a",cidr_block="10.0.0.0/24"} 1
static INFO: Family = Family::gauge(
    "cloud_subnet_info",
    &[
        "account",
        "region",
        "subnet_id",
        "vpc_id",
        "availability_zone",
        "cidr_block",
        "name",
        "default",
    ],
    "Facts about the subnet; what the cloud does not say is left out.",
);

// cloud_subnet_available_addresses{account="prod",region="eu-west-2",subnet_id="subnet-0a1b2c3d"} 251
static AVAILABLE: Family = Family::gauge(
    "cloud_subnet_available_addresses",
    &["account", "region", "subnet_id"],
    "Private addresses of the subnet that nothing uses.",
);

/// The states in the order of a subnet's life.
const STATES: [&str; 3] = ["pending", "available", "unavailable"];

async fn observe(client: &Client, observation: &mut Observation) -> Result<(), Error> {
    client
        .list(&DESCRIBE_SUBNETS, &[], |page| read_page(page, observation))
        .await
}

/// Reads one answer of `DescribeSubnets`, whole, into an observation of this kind: what a poll does with each page.
pub fn read(answer: &str, observation: &mut Observation) -> Result<Option<String>, xml::Error> {
    DESCRIBE_SUBNETS.read(answer, |page| read_page(page, observation))
}

/// Reads a `DescribeSubnetsResponse` and gives its `nextToken`.
fn read_page(xml: &mut Reader<'_>, observation: &mut Observation) -> Result<Option<String>, xml::Error> {
    xml.items("subnetSet", |item| {
        show(&read_subnet(item)?, observation);
        Ok(())
    })
}

/// A subnet as both clouds describe it; empty is unsaid.
#[derive(Debug, Default)]
struct Subnet<'a> {
    id: Cow<'a, str>,
    state: Cow<'a, str>,
    vpc_id: Cow<'a, str>,
    availability_zone: Cow<'a, str>,
    cidr_block: Cow<'a, str>,
    is_default: Cow<'a, str>,
    available: Cow<'a, str>,
    tags: Vec<(String, String)>,
}

fn read_subnet<'a>(xml: &mut Reader<'a>) -> Result<Subnet<'a>, xml::Error> {
    let mut subnet = Subnet::default();
    while let Some(name) = xml.child()? {
        let slot = match name {
            "subnetId" => &mut subnet.id,
            "state" => &mut subnet.state,
            "vpcId" => &mut subnet.vpc_id,
            "availabilityZone" => &mut subnet.availability_zone,
            "cidrBlock" => &mut subnet.cidr_block,
            "defaultForAz" => &mut subnet.is_default,
            "availableIpAddressCount" => &mut subnet.available,
            "tagSet" => {
                subnet.tags.extend(read_tags(xml)?);
                continue;
            }
            _ => {
                xml.skip()?;
                continue;
            }
        };
        xml.fill(slot)?;
    }
    Ok(subnet)
}

fn show(subnet: &Subnet<'_>, observation: &mut Observation) {
    let required = [("subnetId", &*subnet.id), ("state", &*subnet.state)];
    let Some([id, state]) = observation.admit("a subnet", required) else {
        return;
    };
    observation.state(&STATE, &[("subnet_id", id)], &STATES, state);
    observation
        .sample(&INFO)
        .label("subnet_id", id)
        .label("vpc_id", &subnet.vpc_id)
        .label("availability_zone", &subnet.availability_zone)
        .label("cidr_block", &subnet.cidr_block)
        .label("name", name_of(&subnet.tags))
        .label("default", &subnet.is_default)
        .value(1.0);
    if let Some(available) = xml::number(&subnet.available) {
        observation
            .sample(&AVAILABLE)
            .label("subnet_id", id)
            .value(available);
    }
}

#[cfg(test)]
mod tests;
