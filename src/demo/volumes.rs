//! `DescribeVolumes`, and `DescribeVolumeStatus` on AWS, after the examples in its reference.

use super::call::Call;
use super::holdings::{ROOT_DEVICE, Volume};
use super::instance_status::time;
use super::listing::{Listed, Listing, write_tags};
use super::wire::Refusal;
use super::xml::Xml;

impl Listed for Volume {
    fn id(&self) -> &str {
        &self.id
    }

    fn tags(&self) -> &[(String, String)] {
        &self.tags
    }

    fn fact(&self, filter: &str) -> Option<&str> {
        match filter {
            "volume-id" => Some(&self.id),
            "status" => Some(&self.state),
            "volume-type" => Some(&self.volume_type),
            "availability-zone" => Some(&self.availability_zone),
            "volume-status.status" => Some(&self.status),
            "attachment.instance-id" => self
                .attachments
                .first()
                .map(|attachment| attachment.instance_id.as_str()),
            _ => None,
        }
    }
}

pub(super) fn describe(call: &Call<'_>, xml: &mut Xml) -> Result<(), Refusal> {
    let listing = Listing {
        set: "volumeSet",
        ids: "VolumeId",
        unknown: "InvalidVolume.NotFound",
        page_size: Some(500),
    };
    let region = call.fleet.lock();
    let all = region.holdings.volumes.iter();
    let all = all.map(|(&serial, volume)| (serial, volume));
    listing.write(call, xml, &region, all, |xml, volume| {
        write_volume(call, xml, volume);
    })
}

pub(super) fn describe_status(call: &Call<'_>, xml: &mut Xml) -> Result<(), Refusal> {
    if call.is_outscale() {
        let message = "Could not find operation DescribeVolumeStatus";
        return Err(Refusal::new(400, "InvalidAction", message));
    }
    let listing = Listing {
        set: "volumeStatusSet",
        ids: "VolumeId",
        unknown: "InvalidVolume.NotFound",
        page_size: Some(1000),
    };
    let region = call.fleet.lock();
    let all = region.holdings.volumes.iter();
    let all = all.map(|(&serial, volume)| (serial, volume));
    listing.write(call, xml, &region, all, write_status)
}

fn write_volume(call: &Call<'_>, xml: &mut Xml, volume: &Volume) {
    xml.text("volumeId", &volume.id);
    xml.plain("size", volume.gibibytes);
    xml.text("snapshotId", "");
    xml.text("availabilityZone", &volume.availability_zone);
    xml.text("status", &volume.state);
    xml.text("createTime", &time(volume.created));
    xml.list("attachmentSet", "item", &volume.attachments, |xml, attachment| {
        xml.text("volumeId", &volume.id);
        xml.text("instanceId", &attachment.instance_id);
        xml.text("device", &attachment.device);
        xml.text("status", &attachment.state);
        xml.text("attachTime", &time(volume.created));
        xml.plain("deleteOnTermination", attachment.device == ROOT_DEVICE);
    });
    write_tags(xml, &volume.tags);
    xml.text("volumeType", &volume.volume_type);
    if let Some(iops) = volume.iops {
        xml.plain("iops", iops);
    }
    if !call.is_outscale() {
        xml.plain("encrypted", volume.is_encrypted);
        xml.plain("multiAttachEnabled", false);
    }
}

fn write_status(xml: &mut Xml, volume: &Volume) {
    let (enabled, performance) = match volume.status.as_str() {
        "ok" => ("passed", "normal"),
        "impaired" => ("failed", "stalled"),
        "warning" => ("passed", "degraded"),
        _ => ("insufficient-data", "not-available"),
    };
    // Only such volumes are promised a performance.
    let performance = if volume.volume_type == "io1" {
        performance
    } else {
        "not-applicable"
    };
    xml.text("volumeId", &volume.id);
    xml.text("availabilityZone", &volume.availability_zone);
    xml.within("volumeStatus", |xml| {
        xml.text("status", &volume.status);
        let details = [("io-enabled", enabled), ("io-performance", performance)];
        xml.list("details", "item", details, |xml, (name, status)| {
            xml.text("name", name);
            xml.text("status", status);
        });
    });
    xml.list("eventsSet", "item", &volume.events, |xml, event| {
        xml.text("eventId", &event.id);
        xml.text("eventType", &event.code);
        xml.text("description", &event.description);
        xml.text("notBefore", &time(event.not_before));
        if let Some(not_after) = event.not_after {
            xml.text("notAfter", &time(not_after));
        }
    });
    xml.empty("actionsSet");
}
