//! Availability zones, which OUTSCALE calls subregions: state and facts.
//!
//! <https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_DescribeAvailabilityZones.html>,
//! <https://docs.outscale.com/api_fcu/#describeavailabilityzones>

use std::borrow::Cow;

use crate::api::xml::{self, Reader};
use crate::api::{Action, Client, Error, Service};
use crate::metric::Family;
use crate::provider::Provider;
use crate::resource::{Column, Kind, Observation, Table};

/// `availability_zones`.
pub static KIND: Kind = Kind {
    name: "availability_zones",
    providers: &Provider::ALL,
    by_default: true,
    actions: &[&DESCRIBE_AVAILABILITY_ZONES],
    one_call_for_each: &[],
    families: &[&STATE, &INFO],
    states: &[],
    tables: &[Table {
        key: &["availability_zone"],
        columns: &[
            Column::Label("state"),
            Column::Label("zone_id"),
            Column::Label("zone_type"),
        ],
    }],
    observe: |client, observation| Box::pin(observe(client, observation)),
};

// It has no pages. Without parameters it lists the zones that the account can use.
static DESCRIBE_AVAILABILITY_ZONES: Action = Action::describing(Service::Ec2, "DescribeAvailabilityZones");

// cloud_availability_zone_state{account="prod",region="eu-west-2",availability_zone="eu-west-2a",state="available"} 1
static STATE: Family = Family::gauge(
    "cloud_availability_zone_state",
    &["account", "region", "availability_zone", "state"],
    "1 for the state the zone was in when last listed, 0 for the others.",
);

// cloud_availability_zone_info{account="prod",region="eu-west-1",availability_zone="eu-west-1a",zone_id="euw1-az3",zone_type="availability-zone"} 1
static INFO: Family = Family::gauge(
    "cloud_availability_zone_info",
    &[
        "account",
        "region",
        "availability_zone",
        "zone_id",
        "zone_type",
        "group_name",
        "opt_in_status",
    ],
    "Facts about the zone; what the cloud does not say is left out.",
);

/// The states both clouds list.
const STATES: [&str; 5] = [
    "available",
    "information",
    "impaired",
    "unavailable",
    "constrained",
];

async fn observe(client: &Client, observation: &mut Observation) -> Result<(), Error> {
    client
        .list(&DESCRIBE_AVAILABILITY_ZONES, &[], |page| {
            read_page(page, observation)
        })
        .await
}

/// Reads one answer of `DescribeAvailabilityZones`, whole, into an observation of this kind: what a poll does with each page.
pub fn read(answer: &str, observation: &mut Observation) -> Result<Option<String>, xml::Error> {
    DESCRIBE_AVAILABILITY_ZONES.read(answer, |page| read_page(page, observation))
}

/// Reads a `DescribeAvailabilityZonesResponse`.
fn read_page(xml: &mut Reader<'_>, observation: &mut Observation) -> Result<Option<String>, xml::Error> {
    xml.items("availabilityZoneInfo", |item| {
        show(&read_zone(item)?, observation);
        Ok(())
    })
}

/// A zone; empty is unsaid.
#[derive(Debug, Default)]
struct Zone<'a> {
    name: Cow<'a, str>,
    state: Cow<'a, str>,
    id: Cow<'a, str>,
    sort: Cow<'a, str>,
    group: Cow<'a, str>,
    opt_in: Cow<'a, str>,
}

fn read_zone<'a>(xml: &mut Reader<'a>) -> Result<Zone<'a>, xml::Error> {
    let mut zone = Zone::default();
    while let Some(name) = xml.child()? {
        let slot = match name {
            "zoneName" => &mut zone.name,
            "zoneState" => &mut zone.state,
            "zoneId" => &mut zone.id,
            "zoneType" => &mut zone.sort,
            "groupName" => &mut zone.group,
            "optInStatus" => &mut zone.opt_in,
            _ => {
                xml.skip()?;
                continue;
            }
        };
        xml.fill(slot)?;
    }
    Ok(zone)
}

fn show(zone: &Zone<'_>, observation: &mut Observation) {
    let required = [("zoneName", &*zone.name), ("zoneState", &*zone.state)];
    let Some([name, state]) = observation.admit("a zone", required) else {
        return;
    };
    observation.state(&STATE, &[("availability_zone", name)], &STATES, state);
    observation
        .sample(&INFO)
        .label("availability_zone", name)
        .label("zone_id", &zone.id)
        .label("zone_type", &zone.sort)
        .label("group_name", &zone.group)
        .label("opt_in_status", &zone.opt_in)
        .value(1.0);
}

#[cfg(test)]
mod tests;
