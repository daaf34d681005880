//! The checks of instances, and what the cloud means to do to them.
//!
//! OUTSCALE has the action; whether it fills in the checks is not documented. What it does not say has no series.
//!
//! <https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_DescribeInstanceStatus.html>,
//! <https://docs.outscale.com/api_fcu/#describeinstancestatus>

use std::borrow::Cow;
use std::collections::HashSet;

use crate::api::xml::{self, Reader};
use crate::api::{Action, Client, Error, Paging, Service};
use crate::metric::Family;
use crate::provider::Provider;
use crate::resource::{Column, Kind, Observation, Table};

/// `instance_status`.
pub static KIND: Kind = Kind {
    name: "instance_status",
    providers: &Provider::ALL,
    by_default: true,
    actions: &[&DESCRIBE_INSTANCE_STATUS],
    one_call_for_each: &[],
    families: &[&CHECK_FAILED, &IMPAIRED, &NOT_BEFORE, &NOT_AFTER, &DEADLINE],
    states: &[],
    tables: &[
        Table {
            key: &["instance_id", "check"],
            columns: &[Column::Value("failed", &CHECK_FAILED)],
        },
        Table {
            key: &["instance_id", "code"],
            columns: &[
                Column::Label("event_id"),
                Column::Value("not_before", &NOT_BEFORE),
                Column::Value("not_after", &NOT_AFTER),
            ],
        },
    ],
    observe: |client, observation| Box::pin(observe(client, observation)),
};

static DESCRIBE_INSTANCE_STATUS: Action = Action::describing(Service::Ec2, "DescribeInstanceStatus")
    // Always sent on AWS: unpaginated calls draw from a bucket half as large.
    .paged(Paging {
        size_parameter: "MaxResults",
        size: 1000,
        cursor_parameter: "NextToken",
        cursor_element: "nextToken",
    })
    .proven_with(&[("MaxResults", "5")]);

// cloud_instance_status_check_failed{account="prod",region="eu-west-1",instance_id="i-0a1b2c3d",check="system"} 0
pub(crate) static CHECK_FAILED: Family = Family::gauge(
    "cloud_instance_status_check_failed",
    &["account", "region", "instance_id", "check"],
    "1 while the check fails, 0 while it passes; absent while it does neither.",
);

// cloud_instance_status_check_impaired_timestamp_seconds{account="prod",region="eu-west-1",instance_id="i-0a1b2c3d",check="system"} 1732290000
pub(crate) static IMPAIRED: Family = Family::gauge(
    "cloud_instance_status_check_impaired_timestamp_seconds",
    &["account", "region", "instance_id", "check"],
    "When the check began to fail; there while it does.",
);

// cloud_instance_scheduled_event_not_before_timestamp_seconds{account="prod",region="eu-west-2",instance_id="i-0a1b2c3d",event_id="instance-event-0d59937288b749b32",code="system-reboot"} 1732290000
pub(crate) static NOT_BEFORE: Family = Family::gauge(
    "cloud_instance_scheduled_event_not_before_timestamp_seconds",
    &["account", "region", "instance_id", "event_id", "code"],
    "When what the cloud has scheduled for the instance begins, at the earliest.",
);

// cloud_instance_scheduled_event_not_after_timestamp_seconds{account="prod",region="eu-west-2",instance_id="i-0a1b2c3d",event_id="instance-event-0d59937288b749b32",code="system-reboot"} 1732300000
pub(crate) static NOT_AFTER: Family = Family::gauge(
    "cloud_instance_scheduled_event_not_after_timestamp_seconds",
    &["account", "region", "instance_id", "event_id", "code"],
    "When what the cloud has scheduled for the instance ends, at the latest.",
);

// cloud_instance_scheduled_event_deadline_timestamp_seconds{account="prod",region="eu-west-1",instance_id="i-0a1b2c3d",event_id="instance-event-0d59937288b749b32",code="system-reboot"} 1732400000
static DEADLINE: Family = Family::gauge(
    "cloud_instance_scheduled_event_deadline_timestamp_seconds",
    &["account", "region", "instance_id", "event_id", "code"],
    "Until when the start of what is scheduled can be put off.",
);

async fn observe(client: &Client, observation: &mut Observation) -> Result<(), Error> {
    // Otherwise the running ones alone are listed, and what is scheduled for the others is not told.
    let all = [("IncludeAllInstances", "true")];
    client
        .list(&DESCRIBE_INSTANCE_STATUS, &all, |page| {
            read_page(page, observation)
        })
        .await
}

/// Reads one answer of `DescribeInstanceStatus`, whole, into an observation of this kind: what a poll does with each page.
pub fn read(answer: &str, observation: &mut Observation) -> Result<Option<String>, xml::Error> {
    DESCRIBE_INSTANCE_STATUS.read(answer, |page| read_page(page, observation))
}

/// Reads a `DescribeInstanceStatusResponse` and gives its `nextToken`.
fn read_page(xml: &mut Reader<'_>, observation: &mut Observation) -> Result<Option<String>, xml::Error> {
    xml.items("instanceStatusSet", |item| {
        show(read_status(item)?, observation);
        Ok(())
    })
}

/// What is said of one instance; empty is unsaid.
#[derive(Debug, Default)]
struct Status<'a> {
    id: Cow<'a, str>,
    checks: Vec<Check<'a>>,
    events: Vec<Event<'a>>,
}

#[derive(Debug, Default)]
struct Check<'a> {
    name: &'static str,
    status: Cow<'a, str>,
    impaired_since: Cow<'a, str>,
}

#[derive(Debug, Default)]
struct Event<'a> {
    id: Cow<'a, str>,
    code: Cow<'a, str>,
    description: Cow<'a, str>,
    not_before: Cow<'a, str>,
    not_after: Cow<'a, str>,
    deadline: Cow<'a, str>,
}

impl Event<'_> {
    /// Both clouds go on listing what is over for some time.
    fn is_over(&self) -> bool {
        let description = self.description.trim_start().to_ascii_lowercase();
        OVER.iter().any(|mark| description.starts_with(mark))
    }

    fn times(&self) -> [(&'static Family, Option<f64>); 3] {
        [
            (&NOT_BEFORE, xml::timestamp(&self.not_before)),
            (&NOT_AFTER, xml::timestamp(&self.not_after)),
            (&DEADLINE, xml::timestamp(&self.deadline)),
        ]
    }
}

fn read_status<'a>(xml: &mut Reader<'a>) -> Result<Status<'a>, xml::Error> {
    let mut status = Status::default();
    while let Some(name) = xml.child()? {
        let check = match name {
            "systemStatus" => "system",
            "instanceStatus" => "instance",
            "attachedEbsStatus" => "attached_ebs",
            "applicationStatus" => "application",
            "performanceStatus" => "performance",
            "instanceId" => {
                xml.fill(&mut status.id)?;
                continue;
            }
            "eventsSet" => {
                xml.each("item", |item| {
                    status.events.push(read_event(item)?);
                    Ok(())
                })?;
                continue;
            }
            _ => {
                xml.skip()?;
                continue;
            }
        };
        let check = read_check(xml, check)?;
        // Of an element that stands twice, the first that says something holds.
        if !check.status.trim().is_empty() && status.checks.iter().all(|other| other.name != check.name) {
            status.checks.push(check);
        }
    }
    Ok(status)
}

/// The older checks say since when in their details, the newer ones beside their status.
fn read_check<'a>(xml: &mut Reader<'a>, name: &'static str) -> Result<Check<'a>, xml::Error> {
    let mut check = Check {
        name,
        ..Check::default()
    };
    while let Some(name) = xml.child()? {
        match name {
            "status" => xml.fill(&mut check.status)?,
            "impairedSince" => xml.fill(&mut check.impaired_since)?,
            "details" => xml.each("item", |item| {
                item.field("impairedSince", &mut check.impaired_since)
            })?,
            _ => xml.skip()?,
        }
    }
    Ok(check)
}

fn read_event<'a>(xml: &mut Reader<'a>) -> Result<Event<'a>, xml::Error> {
    let mut event = Event::default();
    while let Some(name) = xml.child()? {
        let slot = match name {
            "instanceEventId" => &mut event.id,
            "code" => &mut event.code,
            "description" => &mut event.description,
            "notBefore" => &mut event.not_before,
            "notAfter" => &mut event.not_after,
            "notBeforeDeadline" => &mut event.deadline,
            _ => {
                xml.skip()?;
                continue;
            }
        };
        xml.fill(slot)?;
    }
    Ok(event)
}

fn show(status: Status<'_>, observation: &mut Observation) {
    let Some([id]) = observation.admit("a status", [("instanceId", &status.id)]) else {
        return;
    };
    for check in &status.checks {
        let value = match check.status.trim() {
            "ok" => 0.0,
            "impaired" => 1.0,
            // Neither passed nor failed: initializing, insufficient-data, not-applicable, or a word of later.
            _ => continue,
        };
        let own: &[(&str, &str)] = &[("instance_id", id), ("check", check.name)];
        observation.sample(&CHECK_FAILED).labels(own).value(value);
        if let (true, Some(since)) = (value > 0.0, xml::timestamp(&check.impaired_since)) {
            observation.sample(&IMPAIRED).labels(own).value(since);
        }
    }
    show_events(id, status.events, observation);
}

/// Shows each event by its times. Of those that the cloud does not tell apart, the next to come is shown.
fn show_events(instance_id: &str, mut events: Vec<Event<'_>>, observation: &mut Observation) {
    events.retain(|event| !event.is_over());
    let begins = |event: &Event<'_>| xml::timestamp(&event.not_before).unwrap_or(f64::INFINITY);
    events.sort_by(|one, other| begins(one).total_cmp(&begins(other)));
    let mut shown: HashSet<(&str, &str)> = HashSet::new();
    for event in &events {
        let times = event.times();
        if times.iter().all(|(_, time)| time.is_none()) {
            observation.skip(&format!("an event of `{instance_id}` without a time"));
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
                    .label("instance_id", instance_id)
                    .label("event_id", event_id)
                    .label("code", code)
                    .value(time);
            }
        }
    }
}

/// What AWS puts before the description of an event that will not happen any more.
const OVER: [&str; 2] = ["[completed]", "[canceled]"];

#[cfg(test)]
mod tests;
