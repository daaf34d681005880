//! Instances: state, facts, tags, since when; and as targets for Prometheus.
//!
//! <https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_DescribeInstances.html>,
//! <https://docs.outscale.com/api_fcu/#describeinstances>

mod target;

use std::borrow::Cow;

use jiff::Timestamp;

use crate::api::xml::{self, Reader};
use crate::api::{Action, Client, Error, Paging, Service};
use crate::metric::Family;
use crate::provider::Provider;
use crate::resource::{
    Column, Instances, Kind, Observation, States, Table, Tags, name_of, read_tags, tag_labels,
};

/// `instances`.
pub static KIND: Kind = Kind {
    name: "instances",
    providers: &Provider::ALL,
    by_default: true,
    actions: &[&DESCRIBE_INSTANCES],
    one_call_for_each: &[],
    families: &[&STATE, &INFO, &TAGS, &LAUNCHED, &STATE_CHANGED, &STATE_REASON],
    states: &[States {
        family: &STATE,
        reason: Some((&STATE_REASON, "code")),
    }],
    tables: &[Table {
        key: &["instance_id"],
        columns: &[
            Column::Label("state"),
            Column::Label("name"),
            Column::Label("instance_type"),
            Column::Label("availability_zone"),
            Column::Label("private_ip"),
            Column::Label("public_ip"),
        ],
    }],
    observe: |client, observation| Box::pin(observe(client, observation)),
};

static DESCRIBE_INSTANCES: Action = Action::describing(Service::Ec2, "DescribeInstances")
    // Always sent on AWS: unpaginated calls draw from a bucket half as large.
    .paged(Paging {
        size_parameter: "MaxResults",
        size: 1000,
        cursor_parameter: "NextToken",
        cursor_element: "nextToken",
    })
    .proven_with(&[("MaxResults", "5")]);

// cloud_instance_state{account="prod",region="eu-west-2",instance_id="i-0a1b2c3d",state="running"} 1
pub(crate) static STATE: Family = Family::gauge(
    "cloud_instance_state",
    &["account", "region", "instance_id", "state"],
    "1 for the state the instance was in when last listed, 0 for the others.",
);

// cloud_instance_info{account="prod",region="eu-west-2",instance_id="i-0a1b2c3d",name="web",instance_type="m5.large"} 1
pub(crate) static INFO: Family = Family::gauge(
    "cloud_instance_info",
    &[
        "account",
        "region",
        "instance_id",
        "name",
        "instance_type",
        "availability_zone",
        "image_id",
        "architecture",
        "platform",
        "lifecycle",
        "tenancy",
        "vpc_id",
        "subnet_id",
        "private_ip",
        "public_ip",
    ],
    "Facts about the instance; what the cloud does not say is left out.",
);

// cloud_instance_tags{account="prod",region="eu-west-2",instance_id="i-0a1b2c3d",tag_env="prod"} 1
static TAGS: Family = Family::gauge(
    "cloud_instance_tags",
    &["account", "region", "instance_id", "tag_<name>"],
    "The instance's tags that the settings ask for.",
);

// cloud_instance_launch_timestamp_seconds{account="prod",region="eu-west-2",instance_id="i-0a1b2c3d"} 1732290000
static LAUNCHED: Family = Family::gauge(
    "cloud_instance_launch_timestamp_seconds",
    &["account", "region", "instance_id"],
    "When the instance was last launched.",
);

// cloud_instance_state_changed_timestamp_seconds{account="prod",region="eu-west-2",instance_id="i-0a1b2c3d"} 1732290000
static STATE_CHANGED: Family = Family::gauge(
    "cloud_instance_state_changed_timestamp_seconds",
    &["account", "region", "instance_id"],
    "When the instance came into its state, where the cloud says so.",
);

// cloud_instance_state_reason_info{account="prod",region="eu-west-2",instance_id="i-0a1b2c3d",code="Server.SpotInstanceTermination"} 1
static STATE_REASON: Family = Family::gauge(
    "cloud_instance_state_reason_info",
    &["account", "region", "instance_id", "code"],
    "The cloud's code for why the instance came into its state.",
);

/// The states both clouds list, in the order of an instance's life.
const STATES: [&str; 6] = [
    "pending",
    "running",
    "shutting-down",
    "terminated",
    "stopping",
    "stopped",
];

/// OUTSCALE has one more, with code -1.
const OUTSCALE_STATES: [&str; 7] = [
    "pending",
    "running",
    "shutting-down",
    "terminated",
    "stopping",
    "stopped",
    "quarantine",
];

async fn observe(client: &Client, observation: &mut Observation) -> Result<(), Error> {
    let filters = observation.show.selection.filter_parameters();
    let filters: Vec<(&str, &str)> = (filters.iter())
        .map(|(name, value)| (name.as_str(), value.as_str()))
        .collect();
    observation.facts.instances = Some(Instances {
        is_whole: filters.is_empty(),
        ..Instances::default()
    });
    client
        .list(&DESCRIBE_INSTANCES, &filters, |page| read_page(page, observation))
        .await
}

/// Reads one answer of `DescribeInstances`, whole, writes what it says into an observation of this kind, and gives its
/// cursor, which is empty behind the last page: what a poll does with each page.
pub fn read(answer: &str, observation: &mut Observation) -> Result<Option<String>, xml::Error> {
    DESCRIBE_INSTANCES.read(answer, |page| read_page(page, observation))
}

/// Shows an instance, unless it was shown before, cannot be understood, or is none that the settings are about.
/// Between two pages an instance may move from one to the other.
fn show(instance: &Instance<'_>, observation: &mut Observation) {
    if observation.kept.is_too_much() || observation.is_too_long("an instance", instance.id.trim()) {
        return;
    }
    let listed = observation.facts.instances.get_or_insert_default();
    match instance.understood() {
        Ok((id, state)) => {
            if listed.states.get(id).is_some_and(|before| !before.is_empty()) {
                return;
            }
            let known = OUTSCALE_STATES.into_iter().find(|known| *known == state);
            let state_kept = known.map_or_else(|| Cow::Owned(state.to_owned()), Cow::Borrowed);
            observation.kept.add(state_kept.len());
            listed.states.insert(id.to_owned(), state_kept);
            observation.keep_id(id);
            if observation.show.selection.keeps(&instance.tags) {
                write(instance, id, state, observation);
                target::write(instance, id, state, observation);
                observation.objects += 1;
            }
        }
        Err(missing) => {
            // It is there all the same: a load balancer that it is behind has no dead backend for it.
            let id = instance.id.trim();
            if id.is_empty() {
                listed.is_whole = false;
            } else {
                listed.states.entry(id.to_owned()).or_default();
                observation.keep_id(id);
            }
            let id: String = id.chars().take(64).collect();
            observation.skip(&format!("an instance without {missing} (id `{id}`)"));
        }
    }
}

/// An instance as both clouds describe it; empty is unsaid.
#[derive(Debug, Default)]
struct Instance<'a> {
    id: Cow<'a, str>,
    state: Cow<'a, str>,
    reason: Cow<'a, str>,
    reason_code: Cow<'a, str>,
    machine_type: Cow<'a, str>,
    availability_zone: Cow<'a, str>,
    tenancy: Cow<'a, str>,
    image_id: Cow<'a, str>,
    architecture: Cow<'a, str>,
    platform: Cow<'a, str>,
    lifecycle: Cow<'a, str>,
    vpc_id: Cow<'a, str>,
    subnet_id: Cow<'a, str>,
    private_ip: Cow<'a, str>,
    public_ip: Cow<'a, str>,
    launch_time: Cow<'a, str>,
    owner_id: Cow<'a, str>,
    availability_zone_id: Cow<'a, str>,
    private_dns_name: Cow<'a, str>,
    public_dns_name: Cow<'a, str>,
    interfaces: Vec<target::Interface<'a>>,
    tags: Vec<(String, String)>,
}

impl Instance<'_> {
    /// Id and state, without which there is nothing to show; or what is missing.
    fn understood(&self) -> Result<(&str, &str), &'static str> {
        match (self.id.trim(), self.state.trim()) {
            ("", _) => Err("instanceId"),
            (_, "") => Err("instanceState/name"),
            found => Ok(found),
        }
    }
}

/// Reads a `DescribeInstancesResponse` and gives its `nextToken`.
fn read_page(xml: &mut Reader<'_>, observation: &mut Observation) -> Result<Option<String>, xml::Error> {
    let mut next = Cow::default();
    let mut has_set = false;
    while let Some(name) = xml.child()? {
        match name {
            "reservationSet" => {
                has_set = true;
                xml.each("item", |reservation| {
                    for instance in read_reservation(reservation)? {
                        show(&instance, observation);
                    }
                    Ok(())
                })?;
            }
            "nextToken" => xml.fill(&mut next)?,
            _ => xml.skip()?,
        }
    }
    xml::require(has_set, "reservationSet")?;
    Ok(Some(next.into_owned()))
}

/// The instances of a reservation. Its owner may be named behind them.
fn read_reservation<'a>(xml: &mut Reader<'a>) -> Result<Vec<Instance<'a>>, xml::Error> {
    let mut instances = Vec::new();
    let mut owner_id = Cow::default();
    while let Some(name) = xml.child()? {
        match name {
            "ownerId" => xml.fill(&mut owner_id)?,
            "instancesSet" => xml.each("item", |item| {
                instances.push(read_instance(item)?);
                Ok(())
            })?,
            _ => xml.skip()?,
        }
    }
    // It is twelve digits, and is copied for each instance.
    if owner_id.len() > LONGEST_OWNER {
        owner_id = Cow::default();
    }
    for instance in &mut instances {
        instance.owner_id.clone_from(&owner_id);
    }
    Ok(instances)
}

fn read_instance<'a>(xml: &mut Reader<'a>) -> Result<Instance<'a>, xml::Error> {
    let mut instance = Instance::default();
    while let Some(name) = xml.child()? {
        let slot = match name {
            "instanceId" => &mut instance.id,
            "imageId" => &mut instance.image_id,
            "reason" => &mut instance.reason,
            "instanceType" => &mut instance.machine_type,
            "launchTime" => &mut instance.launch_time,
            "subnetId" => &mut instance.subnet_id,
            "vpcId" => &mut instance.vpc_id,
            "privateIpAddress" => &mut instance.private_ip,
            "ipAddress" => &mut instance.public_ip,
            "privateDnsName" => &mut instance.private_dns_name,
            "dnsName" => &mut instance.public_dns_name,
            "architecture" => &mut instance.architecture,
            "platform" => &mut instance.platform,
            "instanceLifecycle" => &mut instance.lifecycle,
            "instanceState" => {
                xml.field("name", &mut instance.state)?;
                continue;
            }
            "stateReason" => {
                xml.field("code", &mut instance.reason_code)?;
                continue;
            }
            "placement" => {
                while let Some(name) = xml.child()? {
                    match name {
                        "availabilityZone" => xml.fill(&mut instance.availability_zone)?,
                        "availabilityZoneId" => xml.fill(&mut instance.availability_zone_id)?,
                        "tenancy" => xml.fill(&mut instance.tenancy)?,
                        _ => xml.skip()?,
                    }
                }
                continue;
            }
            "networkInterfaceSet" => {
                xml.each("item", |item| {
                    instance.interfaces.push(target::read_interface(item)?);
                    Ok(())
                })?;
                continue;
            }
            "tagSet" => {
                instance.tags.extend(read_tags(xml)?);
                continue;
            }
            _ => {
                xml.skip()?;
                continue;
            }
        };
        xml.fill(slot)?;
    }
    Ok(instance)
}

fn write(instance: &Instance<'_>, id: &str, state: &str, observation: &mut Observation) {
    let states: &[&str] = match observation.provider {
        Provider::Outscale => &OUTSCALE_STATES,
        Provider::Aws => &STATES,
    };
    observation.state(&STATE, &[("instance_id", id)], states, state);
    observation
        .sample(&INFO)
        .label("instance_id", id)
        .label("name", name_of(&instance.tags))
        .label("instance_type", &instance.machine_type)
        .label("availability_zone", &instance.availability_zone)
        .label("image_id", &instance.image_id)
        .label("architecture", &instance.architecture)
        .label("platform", &instance.platform)
        .label("lifecycle", &instance.lifecycle)
        .label("tenancy", &instance.tenancy)
        .label("vpc_id", &instance.vpc_id)
        .label("subnet_id", &instance.subnet_id)
        .label("private_ip", &instance.private_ip)
        .label("public_ip", &instance.public_ip)
        .value(1.0);
    if observation.show.tags != Tags::None {
        let labels = tag_labels(&instance.tags, &observation.show.tags);
        if labels.iter().any(|(_, value)| !value.is_empty()) {
            let sample = observation.sample(&TAGS).label("instance_id", id);
            labels
                .iter()
                .fold(sample, |sample, (name, value)| sample.label(name, value))
                .value(1.0);
        }
    }
    if let Some(launched) = xml::timestamp(&instance.launch_time) {
        observation
            .sample(&LAUNCHED)
            .label("instance_id", id)
            .value(launched);
    }
    if let Some(changed) = state_changed(&instance.reason) {
        observation
            .sample(&STATE_CHANGED)
            .label("instance_id", id)
            .value(changed);
    }
    if !instance.reason_code.is_empty() {
        observation
            .sample(&STATE_REASON)
            .label("instance_id", id)
            .label("code", &instance.reason_code)
            .value(1.0);
    }
}

/// Far more than the number of an account.
const LONGEST_OWNER: usize = 256;

/// The time at the end of `User initiated (2024-11-22 15:40:00 GMT)`, in seconds.
fn state_changed(reason: &str) -> Option<f64> {
    let (_, time) = reason.trim().strip_suffix(" GMT)")?.rsplit_once('(')?;
    let time: Timestamp = format!("{}Z", time.replacen(' ', "T", 1)).parse().ok()?;
    Some(time.as_duration().as_secs_f64())
}

#[cfg(test)]
mod tests;
