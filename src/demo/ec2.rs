//! EC2 as AWS speaks it, FCU as OUTSCALE does.

use std::sync::Arc;

use jiff::Timestamp;

use super::call::{Action, Call};
use super::faults::Twist;
use super::fleet::Instance;
use super::paging::{Next, Page};
use super::region::{Entry, Region};
use super::wire::{Parameters, Refusal};
use super::xml::Xml;
use super::{instance_status, instance_xml, network, paging, policy, volumes};

pub(super) const ACTIONS: &[Action] = &[
    action("DescribeInstances", describe_instances),
    action("DescribeInstanceStatus", instance_status::describe),
    action("DescribeRegions", describe_regions),
    action("DescribeAvailabilityZones", network::describe_availability_zones),
    action("DescribeVolumes", volumes::describe),
    action("DescribeVolumeStatus", volumes::describe_status),
    action("DescribeAddresses", network::describe_addresses),
    action("DescribeSubnets", network::describe_subnets),
    action("DescribeAccountAttributes", network::describe_account_attributes),
    action("StartInstances", |call, xml| {
        change_states(call, xml, Change::Start)
    }),
    action("StopInstances", |call, xml| {
        change_states(call, xml, Change::Stop)
    }),
    action("TerminateInstances", |call, xml| {
        change_states(call, xml, Change::Terminate)
    }),
];

const fn action(name: &'static str, handler: super::call::Handler) -> Action {
    Action {
        name,
        handler,
        has_result: false,
    }
}

fn describe_instances(call: &Call<'_>, xml: &mut Xml) -> Result<(), Refusal> {
    let page = page_of_instances(call, |_| true)?;
    let writer = instance_xml::Writer::new(&call.fleet.lock());
    let reservations = page
        .items
        .chunk_by(|one, other| reservation(one).is_some() && reservation(one) == reservation(other));
    xml.list("reservationSet", "item", reservations, |xml, entries| {
        writer.reservation(xml, reservation(&entries[0]), |xml| {
            for entry in entries {
                match &**entry {
                    Entry::Instance(instance) => xml.within("item", |xml| writer.instance(xml, instance)),
                    Entry::Raw(item) => xml.verbatim(item),
                }
            }
        });
    });
    write_next(xml, "nextToken", page.next);
    Ok(())
}

/// The page of instances a request asks for, out of those `is_wanted`.
pub(super) fn page_of_instances(
    call: &Call<'_>,
    is_wanted: impl Fn(&Entry) -> bool,
) -> Result<Page<Arc<Entry>>, Refusal> {
    dry_run(call)?;
    let ids = call.parameters.list("InstanceId", "");
    let size = call.page_size("MaxResults", 5, 1000)?;
    if size.is_some() && !ids.is_empty() {
        return Err(Refusal::new(
            400,
            "InvalidParameterCombination",
            "The parameter instancesSet cannot be used with the parameter maxResults",
        ));
    }
    let cursor = call.cursor("NextToken")?;
    let filters = filters(call.parameters);
    let region = call.fleet.lock();
    exist(&region, &ids)?;
    let entries = region.entries.iter();
    let found = entries
        .filter(|(_, entry)| is_wanted(entry) && is_asked_for(entry, &ids, &filters))
        .map(|(&serial, entry)| (serial, Arc::clone(entry)));
    Ok(paging::page(found, cursor, size, call.twist))
}

fn describe_regions(call: &Call<'_>, xml: &mut Xml) -> Result<(), Refusal> {
    dry_run(call)?;
    xml.list("regionInfo", "item", &call.options.regions, |xml, region| {
        xml.text("regionName", region);
        if call.is_outscale() {
            xml.text("regionEndpoint", &format!("fcu.{region}.outscale.com"));
        } else {
            xml.text("regionEndpoint", &format!("ec2.{region}.amazonaws.com"));
            xml.text("optInStatus", "opt-in-not-required");
        }
    });
    Ok(())
}

#[derive(Clone, Copy)]
enum Change {
    Start,
    Stop,
    Terminate,
}

fn change_states(call: &Call<'_>, xml: &mut Xml, change: Change) -> Result<(), Refusal> {
    dry_run(call)?;
    let ids = call.parameters.list("InstanceId", "");
    if ids.is_empty() {
        return Err(Refusal::new(
            400,
            "MissingParameter",
            "The request must contain the parameter InstanceId",
        ));
    }
    let mut region = call.fleet.lock();
    exist(&region, &ids)?;
    let mut changes = Vec::new();
    for id in ids {
        let state = |region: &Region| region.instance(id).map(|instance| instance.state.clone());
        let previous = state(&region).unwrap_or_default();
        region.change_state(id, change_to(change, &previous), call.now);
        changes.push((id, previous, state(&region).unwrap_or_default()));
    }
    xml.list("instancesSet", "item", changes, |xml, (id, previous, current)| {
        xml.text("instanceId", id);
        xml.within("currentState", |xml| instance_xml::state(xml, &current));
        xml.within("previousState", |xml| instance_xml::state(xml, &previous));
    });
    Ok(())
}

/// The states a change leads through; none when it changes nothing.
fn change_to(change: Change, from: &str) -> &'static [&'static str] {
    match (change, from) {
        (Change::Start, "stopped") => &["pending", "running"],
        (Change::Stop, "running" | "pending") => &["stopping", "stopped"],
        (Change::Terminate, from) if from != "terminated" => &["shutting-down", "terminated"],
        _ => &[],
    }
}

impl Region {
    /// Leads an instance through states, a tick each; a fleet that holds still goes to the last at once.
    fn change_state(&mut self, id: &str, through: &'static [&'static str], now: Timestamp) {
        let (Some(first), Some(last)) = (through.first(), through.last()) else {
            return;
        };
        if self.alive {
            self.plan(id, first, now, &[(2, last)]);
        } else {
            self.set_state(id, last, Some(now));
        }
    }
}

/// Permission has been checked before: all that is left to say is that it would have been done.
pub(super) fn dry_run(call: &Call<'_>) -> Result<(), Refusal> {
    if call.parameters.is_true("DryRun") && call.twist != Some(Twist::NoDryRun) {
        return Err(Refusal::new(
            412,
            "DryRunOperation",
            "Request would have succeeded, but DryRun flag is set.",
        ));
    }
    Ok(())
}

fn exist(region: &Region, ids: &[&str]) -> Result<(), Refusal> {
    for id in ids {
        let is_id = id.strip_prefix("i-").is_some_and(|digits| {
            !digits.is_empty() && digits.bytes().all(|digit| digit.is_ascii_hexdigit())
        });
        if !is_id {
            return Err(Refusal::new(
                400,
                "InvalidInstanceID.Malformed",
                format!("Invalid id: \"{id}\""),
            ));
        }
        if region.instance(id).is_none() {
            return Err(Refusal::new(
                400,
                "InvalidInstanceID.NotFound",
                format!("The instance ID '{id}' does not exist"),
            ));
        }
    }
    Ok(())
}

/// Names of filters, each with the values of which one has to fit.
pub(super) type Filters<'a> = Vec<(&'a str, Vec<&'a str>)>;

pub(super) fn filters(parameters: &Parameters) -> Filters<'_> {
    (1..)
        .map_while(|number| {
            let name = parameters.value(&format!("Filter.{number}.Name"))?;
            Some((name, parameters.list(&format!("Filter.{number}.Value"), "")))
        })
        .collect()
}

fn is_asked_for(entry: &Entry, ids: &[&str], filters: &Filters<'_>) -> bool {
    let Entry::Instance(instance) = entry else {
        return ids.is_empty() && filters.is_empty();
    };
    (ids.is_empty() || ids.contains(&instance.id.as_str()))
        && filters.iter().all(|(name, wanted)| {
            let fits = |value: &str| wanted.iter().any(|wanted| policy::matches(wanted, value, false));
            facts(instance, name).into_iter().any(fits)
        })
}

/// What an instance has to say on the subject of a filter; a filter not known here lets nothing through.
fn facts<'a>(instance: &'a Instance, filter: &str) -> Vec<&'a str> {
    if let Some(key) = filter.strip_prefix("tag:") {
        let of_key = instance.tags.iter().filter(|(found, _)| found == key);
        return of_key.map(|(_, value)| value.as_str()).collect();
    }
    match filter {
        "instance-id" => vec![&instance.id],
        "instance-state-name" => vec![&instance.state],
        "instance-type" => vec![&instance.instance_type],
        "availability-zone" => vec![&instance.availability_zone],
        "vpc-id" => instance.vpc_id.as_deref().into_iter().collect(),
        "tag-key" => instance.tags.iter().map(|(key, _)| key.as_str()).collect(),
        _ => Vec::new(),
    }
}

fn reservation(entry: &Entry) -> Option<u64> {
    match entry {
        Entry::Instance(instance) => Some(instance.reservation),
        Entry::Raw(_) => None,
    }
}

pub(super) fn write_next(xml: &mut Xml, name: &str, next: Next) {
    match next {
        Next::Absent => {}
        Next::Empty => xml.empty(name),
        Next::Token(token) => xml.text(name, &token),
    }
}
