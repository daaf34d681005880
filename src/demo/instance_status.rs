//! `DescribeInstanceStatus`: the checks of instances, and what is scheduled for them.

use jiff::Timestamp;

use super::call::Call;
use super::ec2::{page_of_instances, write_next};
use super::fleet::{Check, Instance};
use super::instance_xml;
use super::listing::write_items;
use super::region::Entry;
use super::wire::Refusal;
use super::xml::Xml;

pub(super) fn describe(call: &Call<'_>, xml: &mut Xml) -> Result<(), Refusal> {
    let all = call.parameters.is_true("IncludeAllInstances");
    // Raw items are made for the other listing; here they would be of the wrong shape.
    let page = page_of_instances(call, |entry| match entry {
        Entry::Instance(instance) => all || instance.state == "running",
        Entry::Raw(_) => false,
    })?;
    let region = call.fleet.lock();
    let set = "instanceStatusSet";
    write_items(call, xml, &region, set, &page.items, &page.next, |xml, entry| {
        if let Entry::Instance(instance) = &**entry {
            write_status(call, xml, instance);
        }
    });
    write_next(xml, "nextToken", page.next);
    Ok(())
}

fn write_status(call: &Call<'_>, xml: &mut Xml, instance: &Instance) {
    xml.text("instanceId", &instance.id);
    xml.text("availabilityZone", &instance.availability_zone);
    xml.within("instanceState", |xml| instance_xml::state(xml, &instance.state));
    // Whether OUTSCALE fills in the checks is not documented; the harder case for a reader is that it does not.
    if !call.is_outscale() {
        for (element, check) in [
            ("systemStatus", Check::System),
            ("instanceStatus", Check::Instance),
            ("attachedEbsStatus", Check::AttachedEbs),
        ] {
            write_check(xml, element, instance, check);
        }
        for (element, check) in [
            ("applicationStatus", Check::Application),
            ("performanceStatus", Check::Performance),
        ] {
            write_newer_check(xml, element, instance, check);
        }
    }
    if instance.events.is_empty() {
        return;
    }
    xml.list("eventsSet", "item", &instance.events, |xml, event| {
        xml.text("instanceEventId", &event.id);
        xml.text("code", &event.code);
        xml.text("description", &event.description);
        xml.text("notBefore", &time(event.not_before));
        if let Some(not_after) = event.not_after {
            xml.text("notAfter", &time(not_after));
        }
        if let Some(deadline) = event.deadline {
            xml.text("notBeforeDeadline", &time(deadline));
        }
    });
}

fn write_check(xml: &mut Xml, element: &str, instance: &Instance, check: Check) {
    let (status, since) = found(instance, check);
    let reachability = match status {
        "impaired" => "failed",
        "ok" => "passed",
        "initializing" => status,
        _ => return xml.within(element, |xml| xml.text("status", status)),
    };
    xml.within(element, |xml| {
        xml.text("status", status);
        xml.list("details", "item", [since], |xml, since| {
            xml.text("name", "reachability");
            xml.text("status", reachability);
            if let Some(since) = since {
                xml.text("impairedSince", &time(since));
            }
        });
    });
}

/// These have no details, and say since when beside their status.
fn write_newer_check(xml: &mut Xml, element: &str, instance: &Instance, check: Check) {
    let (status, since) = found(instance, check);
    xml.within(element, |xml| {
        xml.text("status", status);
        if let Some(since) = since {
            xml.text("impairedSince", &time(since));
        }
    });
}

/// What a check finds, and since when it fails.
fn found(instance: &Instance, check: Check) -> (&'static str, Option<Timestamp>) {
    let mut impaired = instance.impaired.iter();
    let since = impaired
        .find(|(found, _)| *found == check)
        .map(|(_, since)| *since);
    match instance.state.as_str() {
        "running" if since.is_some() => ("impaired", since),
        // Few applications tell the cloud how they are.
        "running" if check == Check::Application => ("insufficient-data", None),
        "running" => ("ok", None),
        "pending" => ("initializing", None),
        _ => ("not-applicable", None),
    }
}

pub(super) fn time(at: Timestamp) -> String {
    at.strftime("%Y-%m-%dT%H:%M:%S.000Z").to_string()
}
