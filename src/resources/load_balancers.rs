//! Classic load balancers (LBU at OUTSCALE): facts, listeners, health check, and the health of every backend.
//!
//! <https://docs.aws.amazon.com/elasticloadbalancing/2012-06-01/APIReference/API_DescribeLoadBalancers.html>,
//! <https://docs.aws.amazon.com/elasticloadbalancing/2012-06-01/APIReference/API_DescribeInstanceHealth.html>,
//! <https://docs.outscale.com/lbu>

mod wire;

use std::collections::HashSet;

use crate::api::xml::{self, Reader};
use crate::api::{Action, Client, Error, Paging, Service, code};
use crate::metric::Family;
use crate::provider::Provider;
use crate::resource::{BackendGroup, BackendInstance, Column, Kind, Observation, States, Table};

use super::balancers::{
    self, BACKEND_HEALTHY, BACKEND_STATE, BACKENDS, CREATED, HEALTHY_BACKENDS, INFO, LISTENER,
    WITHOUT_HEALTHY_BACKEND,
};
use wire::{Health, Listener, LoadBalancer, read_health, read_page};

/// `load_balancers`.
pub static KIND: Kind = Kind {
    name: "load_balancers",
    providers: &Provider::ALL,
    by_default: true,
    actions: &[&DESCRIBE_LOAD_BALANCERS, &DESCRIBE_INSTANCE_HEALTH],
    one_call_for_each: &["load balancer with backends"],
    families: &[
        &INFO,
        &CREATED,
        &LISTENER,
        &HEALTH_CHECK,
        &HEALTH_CHECK_INTERVAL,
        &HEALTH_CHECK_TIMEOUT,
        &HEALTHY_THRESHOLD,
        &UNHEALTHY_THRESHOLD,
        &BACKENDS,
        &HEALTHY_BACKENDS,
        &WITHOUT_HEALTHY_BACKEND,
        &BACKEND_HEALTHY,
        &BACKEND_STATE,
    ],
    states: &[States {
        family: &BACKEND_STATE,
        reason: None,
    }],
    tables: &[
        Table {
            key: &["load_balancer"],
            columns: &[
                Column::Label("scheme"),
                Column::Value("backends", &BACKENDS),
                Column::Value("healthy", &HEALTHY_BACKENDS),
                Column::Label("dns_name"),
            ],
        },
        Table {
            key: &["load_balancer", "instance_id"],
            columns: &[Column::Label("state"), Column::Label("reason")],
        },
    ],
    observe: |client, observation| Box::pin(observe(client, observation)),
};

static DESCRIBE_LOAD_BALANCERS: Action = Action::describing(Service::Elb, "DescribeLoadBalancers")
    .paged(Paging {
        size_parameter: "PageSize",
        size: 400,
        cursor_parameter: "Marker",
        cursor_element: "NextMarker",
    })
    .proven_with(&[("PageSize", "1")]);

static DESCRIBE_INSTANCE_HEALTH: Action = Action::describing(Service::Elb, "DescribeInstanceHealth")
    .proven_with(&[("LoadBalancerName", "vigie-proof-of-permission")]);

// cloud_load_balancer_health_check_info{account="prod",region="eu-west-2",load_balancer="web",type="classic",target="HTTP:8080/ping"} 1
static HEALTH_CHECK: Family = Family::gauge(
    "cloud_load_balancer_health_check_info",
    &["account", "region", "load_balancer", "type", "target"],
    "What the load balancer asks its backends.",
);

// cloud_load_balancer_health_check_interval_seconds{account="prod",region="eu-west-2",load_balancer="web",type="classic"} 30
static HEALTH_CHECK_INTERVAL: Family = Family::gauge(
    "cloud_load_balancer_health_check_interval_seconds",
    &["account", "region", "load_balancer", "type"],
    "Time between two health checks of one backend.",
);

// cloud_load_balancer_health_check_timeout_seconds{account="prod",region="eu-west-2",load_balancer="web",type="classic"} 5
static HEALTH_CHECK_TIMEOUT: Family = Family::gauge(
    "cloud_load_balancer_health_check_timeout_seconds",
    &["account", "region", "load_balancer", "type"],
    "Time after which a health check without an answer has failed.",
);

// cloud_load_balancer_health_check_healthy_threshold{account="prod",region="eu-west-2",load_balancer="web",type="classic"} 10
static HEALTHY_THRESHOLD: Family = Family::gauge(
    "cloud_load_balancer_health_check_healthy_threshold",
    &["account", "region", "load_balancer", "type"],
    "Successful checks in a row that put a backend into service.",
);

// cloud_load_balancer_health_check_unhealthy_threshold{account="prod",region="eu-west-2",load_balancer="web",type="classic"} 2
static UNHEALTHY_THRESHOLD: Family = Family::gauge(
    "cloud_load_balancer_health_check_unhealthy_threshold",
    &["account", "region", "load_balancer", "type"],
    "Failed checks in a row that put a backend out of service.",
);

async fn observe(client: &Client, observation: &mut Observation) -> Result<(), Error> {
    let mut listed = Listed::default();
    client
        .list(&DESCRIBE_LOAD_BALANCERS, &[], |page| {
            listed.read_page(page, observation)
        })
        .await?;

    balancers::ask_each(
        listed.load_balancers,
        |load_balancer| async {
            let health = health(client, &load_balancer).await?;
            Ok(health.map(|health| (load_balancer, health)))
        },
        |(load_balancer, health)| show(&load_balancer, &health, observation),
    )
    .await
}

/// Reads an answer of `DescribeLoadBalancers` and one of `DescribeInstanceHealth` for each that it lists, whole, into
/// an observation of this kind: what a poll does. Gives the marker of the next page.
pub fn read(list: &str, health: &str, observation: &mut Observation) -> Result<Option<String>, xml::Error> {
    let mut listed = Listed::default();
    let next = DESCRIBE_LOAD_BALANCERS.read(list, |page| listed.read_page(page, observation))?;
    for load_balancer in listed.load_balancers {
        let health = DESCRIBE_INSTANCE_HEALTH.read(health, read_health)?;
        show(&load_balancer, &health, observation);
    }
    Ok(next)
}

/// What was listed so far: one load balancer may be on two pages.
#[derive(Debug, Default)]
struct Listed {
    load_balancers: Vec<LoadBalancer>,
    names: HashSet<String>,
}

impl Listed {
    fn read_page(
        &mut self,
        page: &mut Reader<'_>,
        observation: &mut Observation,
    ) -> Result<Option<String>, xml::Error> {
        read_page(page, &mut |load_balancer| {
            if load_balancer.name.is_empty() {
                observation.skip("a load balancer without LoadBalancerName");
            } else if observation.is_too_long("a load balancer", &load_balancer.name) {
                // It would be a label of each of its backends.
            } else if self.names.insert(load_balancer.name.clone()) {
                self.load_balancers.push(load_balancer);
            }
        })
    }
}

fn show(load_balancer: &LoadBalancer, health: &Health, observation: &mut Observation) {
    write(load_balancer, health, observation);
    observation.objects += 1;
    for _ in 0..health.not_understood {
        observation.skip(&format!(
            "a backend of `{}` without id or state",
            load_balancer.name
        ));
    }
}

/// The health of a load balancer's backends; `None` if it is not there any more.
async fn health(client: &Client, load_balancer: &LoadBalancer) -> Result<Option<Health>, Error> {
    if load_balancer.instances.is_empty() {
        return Ok(Some(Health::default()));
    }
    let name = load_balancer.name.as_str();
    let parameters = [("LoadBalancerName", name)];
    let answer = client
        .ask(&DESCRIBE_INSTANCE_HEALTH, &parameters, read_health)
        .await;
    balancers::unless_gone(answer, code::NO_SUCH_CLASSIC_LOAD_BALANCER, client, name)
}

fn write(load_balancer: &LoadBalancer, health: &Health, observation: &mut Observation) {
    let own: &[(&'static str, &str)] = &[("load_balancer", &load_balancer.name), ("type", "classic")];
    observation
        .sample(&INFO)
        .labels(own)
        .label("scheme", &load_balancer.scheme)
        .label("dns_name", &load_balancer.dns_name)
        .label("vpc_id", &load_balancer.vpc_id)
        .value(1.0);
    if let Some(created) = xml::timestamp(&load_balancer.created) {
        observation.sample(&CREATED).labels(own).value(created);
    }
    let mut shown: HashSet<&Listener> = HashSet::new();
    for listener in load_balancer
        .listeners
        .iter()
        .filter(|listener| shown.insert(listener))
    {
        let [protocol, port, instance_protocol, instance_port] = listener;
        observation
            .sample(&LISTENER)
            .labels(own)
            .label("protocol", protocol)
            .label("port", port)
            .label("instance_protocol", instance_protocol)
            .label("instance_port", instance_port)
            .value(1.0);
    }
    let check = &load_balancer.health_check;
    if !check.target.is_empty() {
        observation
            .sample(&HEALTH_CHECK)
            .labels(own)
            .label("target", &check.target)
            .value(1.0);
    }
    let figures = [
        (&HEALTH_CHECK_INTERVAL, &check.interval),
        (&HEALTH_CHECK_TIMEOUT, &check.timeout),
        (&HEALTHY_THRESHOLD, &check.healthy_threshold),
        (&UNHEALTHY_THRESHOLD, &check.unhealthy_threshold),
    ];
    for (family, figure) in figures {
        if let Some(figure) = xml::number(figure) {
            observation.sample(family).labels(own).value(figure);
        }
    }
    write_backends(load_balancer, health, own, observation);
}

fn write_backends(
    load_balancer: &LoadBalancer,
    health: &Health,
    own: &[(&'static str, &str)],
    observation: &mut Observation,
) {
    let backends = &health.backends;
    let ids: Vec<[(&str, &str); 1]> = backends
        .iter()
        .map(|backend| [("instance_id", backend.instance_id.as_str())])
        .collect();
    let shown: Vec<balancers::Backend<'_>> = backends
        .iter()
        .zip(&ids)
        .map(|(backend, id)| balancers::Backend {
            labels: id,
            state: &backend.state,
            reason: &backend.reason,
            is_healthy: backend.is_healthy(),
        })
        .collect();
    balancers::write_backends(observation, own, &shown);
    let has_none = !shown.iter().any(|backend| backend.is_healthy);
    // One that was not understood may be in service.
    if !has_none || health.not_understood == 0 {
        observation
            .sample(&WITHOUT_HEALTHY_BACKEND)
            .labels(own)
            .value(f64::from(u8::from(has_none)));
    }

    let registered = load_balancer.instances.iter().filter(|id| !id.is_empty());
    let reported = backends.iter().map(|backend| &backend.instance_id);
    let mut known: HashSet<&str> = HashSet::new();
    let registered = registered.chain(reported).filter(|id| known.insert(id.as_str()));
    let backends = registered.map(|id| BackendInstance {
        instance_id: id.clone(),
        port: None,
    });
    observation.facts.backends.push(BackendGroup {
        labels: own
            .iter()
            .map(|(name, value)| (*name, (*value).to_owned()))
            .collect(),
        backends: backends.collect(),
    });
}

#[cfg(test)]
mod tests;
