//! The checks of volumes, and what AWS says has happened to them.
//!
//! OUTSCALE has no such action, and other clouds that speak EC2 may lack it too. It is a kind of its own, and polled only
//! where it is named, so that those still show their volumes whole.
//!
//! The status has four words, of which neither `warning` nor `insufficient-data` is a failed or a passed check: it is
//! shown as a set of them, where the checks of instances are shown as 0 or 1.
//!
//! <https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_DescribeVolumeStatus.html>

use std::borrow::Cow;
use std::collections::HashSet;

use crate::api::xml::{self, Reader};
use crate::api::{Action, Client, Error, Paging, Service};
use crate::metric::Family;
use crate::provider::Provider;
use crate::resource::{Column, Kind, Observation, Table};

/// `volume_status`.
pub static KIND: Kind = Kind {
    name: "volume_status",
    providers: &[Provider::Aws],
    by_default: false,
    actions: &[&DESCRIBE_VOLUME_STATUS],
    one_call_for_each: &[],
    families: &[&STATUS, &CHECK, &NOT_BEFORE, &NOT_AFTER],
    states: &[],
    tables: &[
        Table {
            key: &["volume_id"],
            columns: &[Column::Label("status")],
        },
        Table {
            key: &["volume_id", "code"],
            columns: &[
                Column::Label("event_id"),
                Column::Value("not_before", &NOT_BEFORE),
                Column::Value("not_after", &NOT_AFTER),
            ],
        },
    ],
    observe: |client, observation| Box::pin(observe(client, observation)),
};

static DESCRIBE_VOLUME_STATUS: Action = Action::describing(Service::Ec2, "DescribeVolumeStatus")
    .paged(Paging {
        size_parameter: "MaxResults",
        size: 1000,
        cursor_parameter: "NextToken",
        cursor_element: "nextToken",
    })
    .proven_with(&[("MaxResults", "5")]);

// cloud_volume_status{account="prod",region="eu-west-1",volume_id="vol-0a1b2c3d",status="ok"} 1
static STATUS: Family = Family::gauge(
    "cloud_volume_status",
    &["account", "region", "volume_id", "status"],
    "1 for what the volume's checks found when last listed, 0 for what else they could.",
);

// cloud_volume_status_check_info{account="prod",region="eu-west-1",volume_id="vol-0a1b2c3d",check="io-enabled",status="passed"} 1
static CHECK: Family = Family::gauge(
    "cloud_volume_status_check_info",
    &["account", "region", "volume_id", "check", "status"],
    "One check of the volume and what it found, in the cloud's words.",
);

// cloud_volume_event_not_before_timestamp_seconds{account="prod",region="eu-west-1",volume_id="vol-0a1b2c3d",event_id="evol-61a54008",code="potential-data-inconsistency"} 1732290000
static NOT_BEFORE: Family = Family::gauge(
    "cloud_volume_event_not_before_timestamp_seconds",
    &["account", "region", "volume_id", "event_id", "code"],
    "When what happens to the volume began, at the earliest.",
);

// cloud_volume_event_not_after_timestamp_seconds{account="prod",region="eu-west-1",volume_id="vol-0a1b2c3d",event_id="evol-61a54008",code="potential-data-inconsistency"} 1732300000
static NOT_AFTER: Family = Family::gauge(
    "cloud_volume_event_not_after_timestamp_seconds",
    &["account", "region", "volume_id", "event_id", "code"],
    "When what happens to the volume ends, at the latest.",
);

/// What the checks together can find, the best first.
const STATUSES: [&str; 4] = ["ok", "warning", "impaired", "insufficient-data"];

async fn observe(client: &Client, observation: &mut Observation) -> Result<(), Error> {
    client
        .list(&DESCRIBE_VOLUME_STATUS, &[], |page| read_page(page, observation))
        .await
}

/// Reads one answer of `DescribeVolumeStatus`, whole, into an observation of this kind: what a poll does with each page.
pub fn read(answer: &str, observation: &mut Observation) -> Result<Option<String>, xml::Error> {
    DESCRIBE_VOLUME_STATUS.read(answer, |page| read_page(page, observation))
}

/// Reads a `DescribeVolumeStatusResponse` and gives its `nextToken`.
fn read_page(xml: &mut Reader<'_>, observation: &mut Observation) -> Result<Option<String>, xml::Error> {
    xml.items("volumeStatusSet", |item| {
        show(&read_status(item)?, observation);
        Ok(())
    })
}

/// What is said of one volume; empty is unsaid.
#[derive(Debug, Default)]
struct Status<'a> {
    id: Cow<'a, str>,
    found: Cow<'a, str>,
    checks: Vec<Check<'a>>,
    events: Vec<Event<'a>>,
}

#[derive(Debug, Default)]
struct Check<'a> {
    name: Cow<'a, str>,
    status: Cow<'a, str>,
}

#[derive(Debug, Default)]
struct Event<'a> {
    id: Cow<'a, str>,
    code: Cow<'a, str>,
    not_before: Cow<'a, str>,
    not_after: Cow<'a, str>,
}

fn read_status<'a>(xml: &mut Reader<'a>) -> Result<Status<'a>, xml::Error> {
    let mut status = Status::default();
    while let Some(name) = xml.child()? {
        match name {
            "volumeId" => xml.fill(&mut status.id)?,
            "volumeStatus" => {
                while let Some(name) = xml.child()? {
                    match name {
                        "status" => xml.fill(&mut status.found)?,
                        "details" => xml.each("item", |item| {
                            status.checks.push(read_check(item)?);
                            Ok(())
                        })?,
                        _ => xml.skip()?,
                    }
                }
            }
            "eventsSet" => xml.each("item", |item| {
                status.events.push(read_event(item)?);
                Ok(())
            })?,
            _ => xml.skip()?,
        }
    }
    Ok(status)
}

fn read_check<'a>(xml: &mut Reader<'a>) -> Result<Check<'a>, xml::Error> {
    let mut check = Check::default();
    while let Some(name) = xml.child()? {
        match name {
            "name" => xml.fill(&mut check.name)?,
            "status" => xml.fill(&mut check.status)?,
            _ => xml.skip()?,
        }
    }
    Ok(check)
}

fn read_event<'a>(xml: &mut Reader<'a>) -> Result<Event<'a>, xml::Error> {
    let mut event = Event::default();
    while let Some(name) = xml.child()? {
        let slot = match name {
            "eventId" => &mut event.id,
            "eventType" => &mut event.code,
            "notBefore" => &mut event.not_before,
            "notAfter" => &mut event.not_after,
            _ => {
                xml.skip()?;
                continue;
            }
        };
        xml.fill(slot)?;
    }
    Ok(event)
}

fn show(volume: &Status<'_>, observation: &mut Observation) {
    let required = [("volumeId", &*volume.id), ("volumeStatus/status", &*volume.found)];
    let Some([id, status]) = observation.admit("a status", required) else {
        return;
    };
    observation.status(&STATUS, &[("volume_id", id)], &STATUSES, status);
    let mut shown: HashSet<&str> = HashSet::new();
    for check in &volume.checks {
        let (name, found) = (check.name.trim(), check.status.trim());
        if !name.is_empty() && !found.is_empty() && shown.insert(name) {
            observation
                .sample(&CHECK)
                .label("volume_id", id)
                .label("check", name)
                .label("status", found)
                .value(1.0);
        }
    }
    let mut shown: HashSet<(&str, &str)> = HashSet::new();
    for event in &volume.events {
        let times = [
            (&NOT_BEFORE, xml::timestamp(&event.not_before)),
            (&NOT_AFTER, xml::timestamp(&event.not_after)),
        ];
        if times.iter().all(|(_, time)| time.is_none()) {
            observation.skip(&format!("an event of `{id}` without a time"));
            continue;
        }
        let (event_id, code) = (event.id.trim(), event.code.trim());
        if !shown.insert((event_id, code)) {
            continue;
        }
        for (family, time) in times {
            if let Some(time) = time {
                observation
                    .sample(family)
                    .label("volume_id", id)
                    .label("event_id", event_id)
                    .label("code", code)
                    .value(time);
            }
        }
    }
}

#[cfg(test)]
mod tests;
