//! Application, network and gateway load balancers of AWS: facts, state, listeners, and the health of every target of
//! every target group.
//!
//! <https://docs.aws.amazon.com/elasticloadbalancing/latest/APIReference/API_DescribeLoadBalancers.html>,
//! <https://docs.aws.amazon.com/elasticloadbalancing/latest/APIReference/API_DescribeTargetGroups.html>,
//! <https://docs.aws.amazon.com/elasticloadbalancing/latest/APIReference/API_DescribeListeners.html>,
//! <https://docs.aws.amazon.com/elasticloadbalancing/latest/APIReference/API_DescribeTargetHealth.html>

mod wire;

use std::collections::HashSet;

use crate::api::xml;
use crate::api::{Action, Client, Error, Paging, Service, code};
use crate::metric::Family;
use crate::provider::Provider;
use crate::resource::{BackendGroup, BackendInstance, Column, Kind, Observation, States, Table};

use super::balancers::{
    self, BACKEND_HEALTHY, BACKEND_STATE, BACKENDS, CREATED, HEALTHY_BACKENDS, INFO, LISTENER,
    WITHOUT_HEALTHY_BACKEND,
};
use wire::{Health, Listener, LoadBalancer, TargetGroup};

/// `target_groups`. Its objects are the target groups and the load balancers.
pub static KIND: Kind = Kind {
    name: "target_groups",
    providers: &[Provider::Aws],
    by_default: true,
    actions: &[
        &DESCRIBE_TARGET_GROUPS,
        &DESCRIBE_LOAD_BALANCERS,
        &DESCRIBE_LISTENERS,
        &DESCRIBE_TARGET_HEALTH,
    ],
    one_call_for_each: &["application or network load balancer", "target group"],
    families: &[
        &INFO,
        &STATE,
        &CREATED,
        &LISTENER,
        &TARGET_GROUP,
        &BACKENDS,
        &HEALTHY_BACKENDS,
        &WITHOUT_HEALTHY_BACKEND,
        &BACKEND_HEALTHY,
        &BACKEND_STATE,
    ],
    states: &[
        States {
            family: &STATE,
            reason: None,
        },
        States {
            family: &BACKEND_STATE,
            reason: None,
        },
    ],
    tables: &[
        Table {
            key: &["load_balancer", "type"],
            columns: &[
                Column::Label("state"),
                Column::Label("scheme"),
                Column::Label("dns_name"),
            ],
        },
        Table {
            key: &["target_group"],
            columns: &[
                Column::Label("load_balancer"),
                Column::Label("target_type"),
                Column::Label("protocol"),
                Column::Value("targets", &BACKENDS),
                Column::Value("healthy", &HEALTHY_BACKENDS),
            ],
        },
        Table {
            key: &["target_group", "instance_id", "port"],
            columns: &[Column::Label("state"), Column::Label("reason")],
        },
        Table {
            key: &["target_group", "target", "port"],
            columns: &[Column::Label("state"), Column::Label("reason")],
        },
    ],
    observe: |client, observation| Box::pin(observe(client, observation)),
};

static DESCRIBE_TARGET_GROUPS: Action = Action::describing(Service::ElbV2, "DescribeTargetGroups")
    .paged(PAGING)
    .proven_with(&[("PageSize", "1")]);

static DESCRIBE_LOAD_BALANCERS: Action = Action::describing(Service::ElbV2, "DescribeLoadBalancers")
    .paged(PAGING)
    .proven_with(&[("PageSize", "1")]);

static DESCRIBE_LISTENERS: Action = Action::describing(Service::ElbV2, "DescribeListeners")
    .paged(PAGING)
    .proven_with(&[(
        "LoadBalancerArn",
        "arn:aws:elasticloadbalancing:us-east-1:123456789012:loadbalancer/app/vigie-proof-of-permission/0123456789abcdef",
    )]);

static DESCRIBE_TARGET_HEALTH: Action = Action::describing(Service::ElbV2, "DescribeTargetHealth")
    .proven_with(&[(
        "TargetGroupArn",
        "arn:aws:elasticloadbalancing:us-east-1:123456789012:targetgroup/vigie-proof-of-permission/0123456789abcdef",
    )]);

const PAGING: Paging = Paging {
    size_parameter: "PageSize",
    size: 400,
    cursor_parameter: "Marker",
    cursor_element: "NextMarker",
};

// cloud_load_balancer_state{account="prod",region="eu-west-1",load_balancer="web",type="application",state="active"} 1
static STATE: Family = Family::gauge(
    "cloud_load_balancer_state",
    &["account", "region", "load_balancer", "type", "state"],
    "1 for the state the load balancer was in when last listed, 0 for the others. Of classic ones there is none.",
);

// cloud_target_group_info{account="prod",region="eu-west-1",target_group="web",load_balancer="web",protocol="HTTP",port="8080",target_type="instance",vpc_id="vpc-0a1b2c3d"} 1
static TARGET_GROUP: Family = Family::gauge(
    "cloud_target_group_info",
    &[
        "account",
        "region",
        "target_group",
        "load_balancer",
        "protocol",
        "port",
        "target_type",
        "vpc_id",
    ],
    "Facts about the target group: one series for each load balancer that routes to it, or one that names none.",
);

async fn observe(client: &Client, observation: &mut Observation) -> Result<(), Error> {
    // The groups first: a load balancer that one of them names and that is not listed after it is gone.
    let groups = target_groups(client, observation).await?;
    let load_balancers = load_balancers(client, observation).await?;

    let mut listening: Vec<(LoadBalancer, Vec<Listener>)> = Vec::new();
    let ask = |load_balancer: LoadBalancer| async {
        let listeners = listeners(client, &load_balancer).await?;
        Ok(listeners.map(|listeners| (load_balancer, listeners)))
    };
    balancers::ask_each(load_balancers, ask, |answer| listening.push(answer)).await?;

    let mut reporting: Vec<(TargetGroup, Health)> = Vec::new();
    let ask = |group: TargetGroup| async {
        let health = health(client, &group).await?;
        Ok(health.map(|health| (group, health)))
    };
    balancers::ask_each(groups, ask, |answer| reporting.push(answer)).await?;

    write(&listening, &reporting, observation);
    Ok(())
}

async fn target_groups(client: &Client, observation: &mut Observation) -> Result<Vec<TargetGroup>, Error> {
    let (mut groups, mut seen) = (Vec::new(), Seen::default());
    let read = |page: &mut xml::Reader<'_>| read_target_groups(page, &mut groups, &mut seen, observation);
    client.list(&DESCRIBE_TARGET_GROUPS, &[], read).await?;
    Ok(groups)
}

async fn load_balancers(client: &Client, observation: &mut Observation) -> Result<Vec<LoadBalancer>, Error> {
    let (mut load_balancers, mut seen) = (Vec::new(), Seen::default());
    let read =
        |page: &mut xml::Reader<'_>| read_load_balancers(page, &mut load_balancers, &mut seen, observation);
    client.list(&DESCRIBE_LOAD_BALANCERS, &[], read).await?;
    Ok(load_balancers)
}

/// The answers of a cloud about its newer load balancers, one page each.
#[derive(Debug, Clone, Copy)]
pub struct Answers<'a> {
    /// Of `DescribeTargetGroups`.
    pub target_groups: &'a str,
    /// Of `DescribeLoadBalancers`.
    pub load_balancers: &'a str,
    /// Of `DescribeListeners`, for each load balancer.
    pub listeners: &'a str,
    /// Of `DescribeTargetHealth`, for each target group.
    pub health: &'a str,
}

/// Reads these answers, whole, into an observation of this kind: what a poll does.
pub fn read(answers: &Answers<'_>, observation: &mut Observation) -> Result<(), xml::Error> {
    let (mut groups, mut seen) = (Vec::new(), Seen::default());
    DESCRIBE_TARGET_GROUPS.read(answers.target_groups, |page| {
        read_target_groups(page, &mut groups, &mut seen, observation)
    })?;
    let (mut load_balancers, mut seen) = (Vec::new(), Seen::default());
    DESCRIBE_LOAD_BALANCERS.read(answers.load_balancers, |page| {
        read_load_balancers(page, &mut load_balancers, &mut seen, observation)
    })?;
    let listening = load_balancers.into_iter().map(|load_balancer| {
        let mut listeners = Vec::new();
        DESCRIBE_LISTENERS.read(answers.listeners, |page| {
            wire::read_listeners(page, &mut listeners)
        })?;
        Ok((load_balancer, listeners))
    });
    let listening: Vec<_> = listening.collect::<Result<_, _>>()?;
    let reporting = groups.into_iter().map(|group| {
        Ok((
            group,
            DESCRIBE_TARGET_HEALTH.read(answers.health, wire::read_health)?,
        ))
    });
    let reporting: Vec<_> = reporting.collect::<Result<_, _>>()?;
    write(&listening, &reporting, observation);
    Ok(())
}

fn read_target_groups(
    page: &mut xml::Reader<'_>,
    groups: &mut Vec<TargetGroup>,
    seen: &mut Seen,
    observation: &mut Observation,
) -> Result<Option<String>, xml::Error> {
    wire::read_target_groups(page, &mut |group: TargetGroup| {
        if seen.is_new("a target group", &group.arn, &group.name, "", observation) {
            groups.push(group);
        }
    })
}

fn read_load_balancers(
    page: &mut xml::Reader<'_>,
    load_balancers: &mut Vec<LoadBalancer>,
    seen: &mut Seen,
    observation: &mut Observation,
) -> Result<Option<String>, xml::Error> {
    wire::read_load_balancers(page, &mut |one: LoadBalancer| {
        // Its series would be those that `load_balancers` shows of a classic one.
        if one.sort == "classic" {
            observation.skip(&format!("a load balancer of the type `{}`", one.sort));
        } else if seen.is_new("a load balancer", &one.arn, &one.name, &one.sort, observation) {
            load_balancers.push(one);
        }
    })
}

/// What was listed so far: one thing may be on two pages, and no two may share the labels that name them.
#[derive(Default)]
struct Seen {
    arns: HashSet<String>,
    names: HashSet<(String, String)>,
}

impl Seen {
    fn is_new(
        &mut self,
        what: &str,
        arn: &str,
        name: &str,
        sort: &str,
        observation: &mut Observation,
    ) -> bool {
        if arn.is_empty() || name.is_empty() {
            observation.skip(&format!("{what} without ARN or name"));
            return false;
        }
        // They would be labels of each of its targets.
        if observation.is_too_long(what, arn) || observation.is_too_long(what, name) {
            return false;
        }
        if !self.arns.insert(arn.to_owned()) {
            return false;
        }
        let is_new = self.names.insert((name.to_owned(), sort.to_owned()));
        if !is_new {
            observation.skip(&format!("{what} named `{name}`, as another is"));
        }
        is_new
    }
}

/// What a load balancer listens on; `None` if it is not there any more.
async fn listeners(client: &Client, load_balancer: &LoadBalancer) -> Result<Option<Vec<Listener>>, Error> {
    let mut listeners = Vec::new();
    // A gateway listens to every packet: its listener has neither protocol nor port.
    if load_balancer.sort == "gateway" {
        return Ok(Some(listeners));
    }
    let parameters = [("LoadBalancerArn", load_balancer.arn.as_str())];
    let read = |page: &mut xml::Reader<'_>| wire::read_listeners(page, &mut listeners);
    let answer = client.list(&DESCRIBE_LISTENERS, &parameters, read).await;
    let answer = balancers::unless_gone(answer, code::NO_SUCH_LOAD_BALANCER, client, &load_balancer.name)?;
    Ok(answer.map(|()| listeners))
}

/// The health of a group's targets; `None` if it is not there any more.
async fn health(client: &Client, group: &TargetGroup) -> Result<Option<Health>, Error> {
    let parameters = [("TargetGroupArn", group.arn.as_str())];
    let answer = client
        .ask(&DESCRIBE_TARGET_HEALTH, &parameters, wire::read_health)
        .await;
    balancers::unless_gone(answer, code::NO_SUCH_TARGET_GROUP, client, &group.name)
}

fn write(
    load_balancers: &[(LoadBalancer, Vec<Listener>)],
    groups: &[(TargetGroup, Health)],
    observation: &mut Observation,
) {
    for (load_balancer, listeners) in load_balancers {
        write_load_balancer(load_balancer, listeners, observation);
        let behind = |(group, _): &&(TargetGroup, Health)| group.load_balancers.contains(&load_balancer.arn);
        let behind = groups.iter().filter(behind).map(|(_, health)| health);
        if let Some(has_none) = is_without_healthy_backend(behind) {
            observation
                .sample(&WITHOUT_HEALTHY_BACKEND)
                .labels(&names(load_balancer))
                .value(f64::from(u8::from(has_none)));
        }
    }
    for (group, health) in groups {
        let routing = load_balancers.iter().map(|(load_balancer, _)| load_balancer);
        let routing = routing.filter(|load_balancer| group.load_balancers.contains(&load_balancer.arn));
        write_target_group(group, health, &routing.collect::<Vec<_>>(), observation);
    }
    observation.objects += load_balancers.len() + groups.len();
}

/// Whether none of the targets in all groups of a load balancer is in service; `None` if the cloud does not say, for
/// lack of a group, or of health checks.
fn is_without_healthy_backend<'a>(groups: impl Iterator<Item = &'a Health>) -> Option<bool> {
    let (mut has_group, mut is_unknown) = (false, false);
    for health in groups {
        has_group = true;
        if health.targets.iter().any(wire::Target::is_healthy) {
            return Some(false);
        }
        let is_unchecked = |target: &wire::Target| target.state == "unavailable";
        is_unknown |= health.not_understood > 0 || health.targets.iter().any(is_unchecked);
    }
    (has_group && !is_unknown).then_some(true)
}

fn names(load_balancer: &LoadBalancer) -> [(&'static str, &str); 2] {
    [
        ("load_balancer", &load_balancer.name),
        ("type", &load_balancer.sort),
    ]
}

fn write_load_balancer(load_balancer: &LoadBalancer, listeners: &[Listener], observation: &mut Observation) {
    let own = names(load_balancer);
    observation
        .sample(&INFO)
        .labels(&own)
        .label("scheme", &load_balancer.scheme)
        .label("dns_name", &load_balancer.dns_name)
        .label("vpc_id", &load_balancer.vpc_id)
        .value(1.0);
    if !load_balancer.state.is_empty() {
        observation.state(&STATE, &own, &STATES, &load_balancer.state);
    }
    if let Some(created) = xml::timestamp(&load_balancer.created) {
        observation.sample(&CREATED).labels(&own).value(created);
    }
    let mut shown: HashSet<&Listener> = HashSet::new();
    for listener in listeners.iter().filter(|listener| shown.insert(listener)) {
        let [protocol, port] = listener;
        observation
            .sample(&LISTENER)
            .labels(&own)
            .label("protocol", protocol)
            .label("port", port)
            .value(1.0);
    }
}

/// Shows a group once behind each load balancer that routes to it; behind none, once without the labels of one.
fn write_target_group(
    group: &TargetGroup,
    health: &Health,
    routing: &[&LoadBalancer],
    observation: &mut Observation,
) {
    for _ in 0..health.not_understood {
        observation.skip(&format!("a target of `{}` without id or state", group.name));
    }
    // The labels of a group do not have the type, and two load balancers of two types may share a name.
    let mut named: HashSet<&str> = HashSet::new();
    let places = routing.iter().map(|load_balancer| names(load_balancer).to_vec());
    let nowhere = routing.is_empty().then(Vec::new);
    for mut place in places.chain(nowhere) {
        let load_balancer = place.first().map_or("", |(_, name)| name);
        if named.insert(load_balancer) {
            observation
                .sample(&TARGET_GROUP)
                .label("target_group", &group.name)
                .label("load_balancer", load_balancer)
                .label("protocol", &group.protocol)
                .label("port", &group.port)
                .label("target_type", &group.target_type)
                .label("vpc_id", &group.vpc_id)
                .value(1.0);
        }
        place.push(("target_group", &group.name));
        write_targets(group, health, &place, observation);
    }
}

fn write_targets(
    group: &TargetGroup,
    health: &Health,
    place: &[(&'static str, &str)],
    observation: &mut Observation,
) {
    let are_instances = group.target_type == "instance";
    let id = if are_instances { "instance_id" } else { "target" };
    let targets = &health.targets;
    let labels: Vec<[(&str, &str); 2]> = targets
        .iter()
        .map(|target| [("port", target.port.as_str()), (id, target.id.as_str())])
        .collect();
    let shown: Vec<balancers::Backend<'_>> = targets
        .iter()
        .zip(&labels)
        .map(|(target, labels)| balancers::Backend {
            labels,
            state: &target.state,
            reason: &target.reason,
            is_healthy: target.is_healthy(),
        })
        .collect();
    balancers::write_backends(observation, place, &shown);
    if are_instances {
        let backends = targets.iter().map(|target| BackendInstance {
            instance_id: target.id.clone(),
            port: Some(target.port.clone()),
        });
        observation.facts.backends.push(BackendGroup {
            labels: place
                .iter()
                .map(|(name, value)| (*name, (*value).to_owned()))
                .collect(),
            backends: backends.collect(),
        });
    }
}

const STATES: [&str; 4] = ["active", "provisioning", "active_impaired", "failed"];

#[cfg(test)]
mod tests;
