//! Volumes (BSU at OUTSCALE): state, size, facts, and what they are attached to.
//!
//! <https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_DescribeVolumes.html>,
//! <https://docs.outscale.com/api_fcu/#describevolumes>

use std::borrow::Cow;
use std::collections::HashSet;

use crate::api::xml::{self, Reader};
use crate::api::{Action, Client, Error, Paging, Service};
use crate::metric::Family;
use crate::provider::Provider;
use crate::resource::{Column, Kind, Observation, Table, name_of, read_tags};

/// `volumes`.
pub static KIND: Kind = Kind {
    name: "volumes",
    providers: &Provider::ALL,
    by_default: true,
    actions: &[&DESCRIBE_VOLUMES],
    one_call_for_each: &[],
    families: &[&STATE, &INFO, &SIZE, &IOPS, &ATTACHMENT, &CREATED],
    states: &[],
    tables: &[
        Table {
            key: &["volume_id"],
            columns: &[
                Column::Label("state"),
                Column::Label("name"),
                Column::Label("volume_type"),
                Column::Value("size_bytes", &SIZE),
                Column::Label("availability_zone"),
            ],
        },
        Table {
            key: &["volume_id", "instance_id"],
            columns: &[Column::Label("device"), Column::Label("state")],
        },
    ],
    observe: |client, observation| Box::pin(observe(client, observation)),
};

static DESCRIBE_VOLUMES: Action = Action::describing(Service::Ec2, "DescribeVolumes")
    // Always sent on AWS: unpaginated calls draw from a bucket half as large.
    .paged(Paging {
        size_parameter: "MaxResults",
        size: 500,
        cursor_parameter: "NextToken",
        cursor_element: "nextToken",
    })
    .proven_with(&[("MaxResults", "5")]);

// cloud_volume_state{account="prod",region="eu-west-2",volume_id="vol-0a1b2c3d",state="in-use"} 1
static STATE: Family = Family::gauge(
    "cloud_volume_state",
    &["account", "region", "volume_id", "state"],
    "1 for the state the volume was in when last listed, 0 for the others.",
);

// cloud_volume_info{account="prod",region="eu-west-2",volume_id="vol-0a1b2c3d",name="data",volume_type="gp2",availability_zone="eu-west-2a",encrypted="false"} 1
static INFO: Family = Family::gauge(
    "cloud_volume_info",
    &[
        "account",
        "region",
        "volume_id",
        "name",
        "volume_type",
        "availability_zone",
        "encrypted",
    ],
    "Facts about the volume; what the cloud does not say is left out.",
);

// cloud_volume_size_bytes{account="prod",region="eu-west-2",volume_id="vol-0a1b2c3d"} 10737418240
static SIZE: Family = Family::gauge(
    "cloud_volume_size_bytes",
    &["account", "region", "volume_id"],
    "How much the volume holds.",
);

// cloud_volume_iops{account="prod",region="eu-west-2",volume_id="vol-0a1b2c3d"} 3000
static IOPS: Family = Family::gauge(
    "cloud_volume_iops",
    &["account", "region", "volume_id"],
    "Operations per second that the volume is made for, where the cloud says so.",
);

// cloud_volume_attachment_info{account="prod",region="eu-west-2",volume_id="vol-0a1b2c3d",instance_id="i-0a1b2c3d",device="/dev/sda1",state="attached"} 1
static ATTACHMENT: Family = Family::gauge(
    "cloud_volume_attachment_info",
    &["account", "region", "volume_id", "instance_id", "device", "state"],
    "An instance that the volume is attached to, one sample for each.",
);

// cloud_volume_created_timestamp_seconds{account="prod",region="eu-west-2",volume_id="vol-0a1b2c3d"} 1732290000
static CREATED: Family = Family::gauge(
    "cloud_volume_created_timestamp_seconds",
    &["account", "region", "volume_id"],
    "When the volume was created.",
);

/// The states both clouds list, in the order of a volume's life.
const STATES: [&str; 6] = ["creating", "available", "in-use", "deleting", "deleted", "error"];

async fn observe(client: &Client, observation: &mut Observation) -> Result<(), Error> {
    client
        .list(&DESCRIBE_VOLUMES, &[], |page| read_page(page, observation))
        .await
}

/// Reads one answer of `DescribeVolumes`, whole, into an observation of this kind: what a poll does with each page.
pub fn read(answer: &str, observation: &mut Observation) -> Result<Option<String>, xml::Error> {
    DESCRIBE_VOLUMES.read(answer, |page| read_page(page, observation))
}

/// Reads a `DescribeVolumesResponse` and gives its `nextToken`.
fn read_page(xml: &mut Reader<'_>, observation: &mut Observation) -> Result<Option<String>, xml::Error> {
    xml.items("volumeSet", |item| {
        show(&read_volume(item)?, observation);
        Ok(())
    })
}

/// A volume as both clouds describe it; empty is unsaid.
#[derive(Debug, Default)]
struct Volume<'a> {
    id: Cow<'a, str>,
    state: Cow<'a, str>,
    size: Cow<'a, str>,
    iops: Cow<'a, str>,
    sort: Cow<'a, str>,
    availability_zone: Cow<'a, str>,
    encrypted: Cow<'a, str>,
    created: Cow<'a, str>,
    attachments: Vec<Attachment<'a>>,
    tags: Vec<(String, String)>,
}

#[derive(Debug, Default, PartialEq, Eq, Hash)]
struct Attachment<'a> {
    instance_id: Cow<'a, str>,
    device: Cow<'a, str>,
    state: Cow<'a, str>,
}

fn read_volume<'a>(xml: &mut Reader<'a>) -> Result<Volume<'a>, xml::Error> {
    let mut volume = Volume::default();
    while let Some(name) = xml.child()? {
        let slot = match name {
            "volumeId" => &mut volume.id,
            "status" => &mut volume.state,
            "size" => &mut volume.size,
            "iops" => &mut volume.iops,
            "volumeType" => &mut volume.sort,
            "availabilityZone" => &mut volume.availability_zone,
            "encrypted" => &mut volume.encrypted,
            "createTime" => &mut volume.created,
            "attachmentSet" => {
                xml.each("item", |item| {
                    volume.attachments.push(read_attachment(item)?);
                    Ok(())
                })?;
                continue;
            }
            "tagSet" => {
                volume.tags.extend(read_tags(xml)?);
                continue;
            }
            _ => {
                xml.skip()?;
                continue;
            }
        };
        xml.fill(slot)?;
    }
    Ok(volume)
}

fn read_attachment<'a>(xml: &mut Reader<'a>) -> Result<Attachment<'a>, xml::Error> {
    let mut attachment = Attachment::default();
    while let Some(name) = xml.child()? {
        match name {
            "instanceId" => xml.fill(&mut attachment.instance_id)?,
            "device" => xml.fill(&mut attachment.device)?,
            "status" => xml.fill(&mut attachment.state)?,
            _ => xml.skip()?,
        }
    }
    Ok(attachment)
}

fn show(volume: &Volume<'_>, observation: &mut Observation) {
    let required = [("volumeId", &*volume.id), ("status", &*volume.state)];
    let Some([id, state]) = observation.admit("a volume", required) else {
        return;
    };
    observation.state(&STATE, &[("volume_id", id)], &STATES, state);
    observation
        .sample(&INFO)
        .label("volume_id", id)
        .label("name", name_of(&volume.tags))
        .label("volume_type", &volume.sort)
        .label("availability_zone", &volume.availability_zone)
        .label("encrypted", &volume.encrypted)
        .value(1.0);
    let figures = [
        (
            &SIZE,
            xml::number(&volume.size).map(|gibibytes| gibibytes * GIBIBYTE),
        ),
        (&IOPS, xml::number(&volume.iops)),
        (&CREATED, xml::timestamp(&volume.created)),
    ];
    for (family, figure) in figures {
        if let Some(figure) = figure {
            observation.sample(family).label("volume_id", id).value(figure);
        }
    }
    // One that says nothing is none; one that stands twice is one.
    let mut shown = HashSet::from([&NO_ATTACHMENT]);
    for attachment in &volume.attachments {
        if shown.insert(attachment) {
            observation
                .sample(&ATTACHMENT)
                .label("volume_id", id)
                .label("instance_id", &attachment.instance_id)
                .label("device", &attachment.device)
                .label("state", &attachment.state)
                .value(1.0);
        }
    }
}

static NO_ATTACHMENT: Attachment<'static> = Attachment {
    instance_id: Cow::Borrowed(""),
    device: Cow::Borrowed(""),
    state: Cow::Borrowed(""),
};

/// Both clouds count in GiB; Prometheus counts in bytes.
const GIBIBYTE: f64 = (1_u32 << 30) as f64;

#[cfg(test)]
mod tests;
