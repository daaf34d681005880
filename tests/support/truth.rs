//! What boto3 reads of a cloud, as the samples it ought to become.

mod groups;

use std::collections::{BTreeMap, BTreeSet};

use serde::Deserialize;

use crate::page::{Page, Series};

/// What `truth.py` prints.
#[derive(Deserialize)]
pub(crate) struct Truth {
    pub(crate) instances: Vec<Instance>,
    load_balancers: Vec<LoadBalancer>,
    balancers: Vec<groups::Balancer>,
    target_groups: Vec<groups::TargetGroup>,
    /// The status of each check, by instance.
    statuses: BTreeMap<String, BTreeMap<String, String>>,
    zones: Vec<Zone>,
    volumes: Vec<Volume>,
    addresses: Vec<Address>,
    subnets: Vec<Subnet>,
    quotas: BTreeMap<String, f64>,
}

#[derive(Deserialize)]
pub(crate) struct Instance {
    pub(crate) id: String,
    state: String,
    state_reason: Option<String>,
    launched: f64,
    tags: BTreeMap<String, String>,
    info: BTreeMap<String, Option<String>>,
}

#[derive(Deserialize)]
struct LoadBalancer {
    name: String,
    created: f64,
    info: BTreeMap<String, Option<String>>,
    listeners: Vec<BTreeMap<String, Option<String>>>,
    health_check: HealthCheck,
    backends: Vec<Backend>,
}

#[derive(Deserialize)]
struct HealthCheck {
    target: String,
    #[serde(flatten)]
    numbers: BTreeMap<String, f64>,
}

#[derive(Deserialize)]
struct Backend {
    id: String,
    state: String,
    reason: String,
}

#[derive(Deserialize)]
struct Zone {
    state: String,
    info: BTreeMap<String, Option<String>>,
}

#[derive(Deserialize)]
struct Volume {
    state: String,
    gibibytes: f64,
    iops: Option<f64>,
    created: f64,
    info: BTreeMap<String, Option<String>>,
    attachments: Vec<BTreeMap<String, Option<String>>>,
}

#[derive(Deserialize)]
struct Address {
    attached: bool,
    info: BTreeMap<String, Option<String>>,
}

#[derive(Deserialize)]
struct Subnet {
    state: String,
    available: f64,
    info: BTreeMap<String, Option<String>>,
}

impl Truth {
    /// Each family holds, for this account, the samples that boto3's answers make, and no others.
    pub(crate) fn assert_on(&self, page: &Page, account: &str) {
        let mut expected = Expected {
            account,
            samples: BTreeMap::new(),
        };
        for instance in &self.instances {
            instance.expect(&mut expected);
        }
        for balancer in &self.load_balancers {
            balancer.expect(&mut expected);
        }
        groups::expect(&self.balancers, &self.target_groups, &mut expected);
        self.expect_holdings(&mut expected);
        let differences: Vec<_> = FAMILIES
            .iter()
            .flat_map(|family| expected.differences(family, page))
            .collect();
        let first = differences
            .iter()
            .take(20)
            .fold(String::new(), |all, one| all + "\n" + one);
        assert!(
            differences.is_empty(),
            "{} differences from what boto3 reads:{first}",
            differences.len()
        );
    }
}

impl Truth {
    fn expect_holdings(&self, expected: &mut Expected<'_>) {
        for (id, checks) in &self.statuses {
            for (check, status) in checks {
                let value = match status.as_str() {
                    "ok" => 0.0,
                    "impaired" => 1.0,
                    _ => continue,
                };
                let own = [("instance_id", &**id), ("check", check)];
                expected.add("cloud_instance_status_check_failed", &own, [], value);
            }
        }
        for zone in &self.zones {
            let own = own(&zone.info, "availability_zone");
            expected.states("cloud_availability_zone_state", own, &ZONE_STATES, &zone.state);
            expected.add("cloud_availability_zone_info", &[], present(&zone.info), 1.0);
        }
        for volume in &self.volumes {
            volume.expect(expected);
        }
        for address in &self.addresses {
            expected.add("cloud_address_info", &[], present(&address.info), 1.0);
            let value = f64::from(u8::from(address.attached));
            expected.add(
                "cloud_address_attached",
                &[own(&address.info, "public_ip")],
                [],
                value,
            );
        }
        for subnet in &self.subnets {
            let own = own(&subnet.info, "subnet_id");
            expected.states("cloud_subnet_state", own, &SUBNET_STATES, &subnet.state);
            expected.add("cloud_subnet_info", &[], present(&subnet.info), 1.0);
            expected.add("cloud_subnet_available_addresses", &[own], [], subnet.available);
        }
        for (quota, &limit) in &self.quotas {
            expected.add("cloud_quota_limit", &[("quota", quota)], [], limit);
        }
    }
}

impl Volume {
    fn expect(&self, expected: &mut Expected<'_>) {
        let own = own(&self.info, "volume_id");
        expected.states("cloud_volume_state", own, &VOLUME_STATES, &self.state);
        expected.add("cloud_volume_info", &[], present(&self.info), 1.0);
        let bytes = self.gibibytes * 1_073_741_824.0;
        expected.add("cloud_volume_size_bytes", &[own], [], bytes);
        if let Some(iops) = self.iops {
            expected.add("cloud_volume_iops", &[own], [], iops);
        }
        expected.add("cloud_volume_created_timestamp_seconds", &[own], [], self.created);
        for attachment in &self.attachments {
            expected.add("cloud_volume_attachment_info", &[own], present(attachment), 1.0);
        }
    }
}

impl Instance {
    fn expect(&self, expected: &mut Expected<'_>) {
        let id = [("instance_id", &*self.id)];
        expected.states("cloud_instance_state", id[0], &STATES, &self.state);
        expected.add("cloud_instance_info", &id, present(&self.info), 1.0);
        expected.add("cloud_instance_launch_timestamp_seconds", &id, [], self.launched);
        if let Some(code) = self.state_reason.as_deref().filter(|code| !code.is_empty()) {
            expected.add("cloud_instance_state_reason_info", &id, [("code", code)], 1.0);
        }
        let chosen = [("env", "tag_env"), ("team", "tag_team")];
        let tags: Vec<_> = chosen
            .iter()
            .filter_map(|&(tag, label)| Some((label, &**self.tags.get(tag)?)))
            .collect();
        expected.add("cloud_instance_tags", &id, tags, 1.0);
    }
}

impl LoadBalancer {
    fn expect(&self, expected: &mut Expected<'_>) {
        let own = [("load_balancer", &*self.name), ("type", "classic")];
        expected.add("cloud_load_balancer_info", &own, present(&self.info), 1.0);
        expected.add(
            "cloud_load_balancer_created_timestamp_seconds",
            &own,
            [],
            self.created,
        );
        for listener in &self.listeners {
            expected.add("cloud_load_balancer_listener_info", &own, present(listener), 1.0);
        }

        let check = &self.health_check;
        expected.add(
            "cloud_load_balancer_health_check_info",
            &own,
            [("target", &*check.target)],
            1.0,
        );
        for (name, &number) in &check.numbers {
            expected.add(
                &format!("cloud_load_balancer_health_check_{name}"),
                &own,
                [],
                number,
            );
        }

        let healthy = self
            .backends
            .iter()
            .filter(|backend| backend.state == "InService")
            .count();
        expected.add(
            "cloud_load_balancer_backends",
            &own,
            [],
            self.backends.len() as f64,
        );
        expected.add("cloud_load_balancer_healthy_backends", &own, [], healthy as f64);
        let without = f64::from(u8::from(healthy == 0));
        expected.add("cloud_load_balancer_without_healthy_backend", &own, [], without);
        for Backend { id, state, reason } in &self.backends {
            let value = f64::from(u8::from(state == "InService"));
            expected.add(
                "cloud_load_balancer_backend_healthy",
                &own,
                [("instance_id", &**id)],
                value,
            );
            let state = [("instance_id", &**id), ("state", state), ("reason", reason)];
            expected.add("cloud_load_balancer_backend_state_info", &own, state, 1.0);
        }
    }
}

struct Expected<'a> {
    account: &'a str,
    /// By family.
    samples: BTreeMap<String, Vec<Sample>>,
}

struct Sample {
    labels: BTreeMap<String, String>,
    value: f64,
}

impl Expected<'_> {
    fn add<'b>(
        &mut self,
        family: &str,
        own: &[(&'b str, &'b str)],
        further: impl IntoIterator<Item = (&'b str, &'b str)>,
        value: f64,
    ) {
        let labels = own
            .iter()
            .copied()
            .chain(further)
            .chain([("region", "eu-west-1")]);
        let labels = labels.filter(|&(_, value)| !absent(value));
        let labels = labels
            .map(|(label, value)| (label.to_owned(), value.to_owned()))
            .collect();
        self.samples
            .entry(family.to_owned())
            .or_default()
            .push(Sample { labels, value });
    }

    fn states(&mut self, family: &str, own: (&str, &str), known: &[&str], current: &str) {
        for &state in known {
            let value = f64::from(u8::from(state == current));
            self.add(family, &[own, ("state", state)], [], value);
        }
    }

    /// Samples are compared by the labels that boto3 has something to say on.
    fn differences(&self, family: &str, page: &Page) -> Vec<String> {
        let samples = self.samples.get(family).map_or(&[][..], Vec::as_slice);
        let known: BTreeSet<_> = samples.iter().flat_map(|sample| sample.labels.keys()).collect();
        let expected: BTreeSet<_> = samples
            .iter()
            .map(|sample| told(&sample.labels, sample.value))
            .collect();

        let shown = page
            .family(family)
            .map(|(Series { labels, .. }, value)| (labels.clone(), value));
        let shown =
            shown.filter(|(labels, _)| labels.get("account").is_some_and(|name| name == self.account));
        let shown = shown.map(|(mut labels, value)| {
            labels.retain(|label, value| known.contains(label) && !absent(value));
            told(&labels, value)
        });
        let shown: BTreeSet<_> = shown.collect();

        let missing = expected
            .difference(&shown)
            .map(|sample| format!("missing: {family}{sample}"));
        let wrong = shown
            .difference(&expected)
            .map(|sample| format!("not so: {family}{sample}"));
        missing.chain(wrong).collect()
    }
}

/// A sample in words; times to the millisecond, beyond which clouds and number formats differ.
fn told(labels: &BTreeMap<String, String>, value: f64) -> String {
    format!("{labels:?} {value:.3}")
}

fn present(facts: &BTreeMap<String, Option<String>>) -> impl Iterator<Item = (&str, &str)> {
    facts
        .iter()
        .filter_map(|(label, value)| Some((&**label, value.as_deref()?)))
}

/// The label that tells it from others of its sort.
fn own<'a>(facts: &'a BTreeMap<String, Option<String>>, label: &'a str) -> (&'a str, &'a str) {
    (label, facts[label].as_deref().expect("everything has a name"))
}

/// No label and an empty one are the same to Prometheus; `N/A` is how ELB says that there is no reason.
fn absent(value: &str) -> bool {
    value.is_empty() || value == "N/A"
}

const STATES: [&str; 6] = [
    "pending",
    "running",
    "shutting-down",
    "terminated",
    "stopping",
    "stopped",
];

const ZONE_STATES: [&str; 5] = [
    "available",
    "information",
    "impaired",
    "unavailable",
    "constrained",
];

const VOLUME_STATES: [&str; 6] = ["creating", "available", "in-use", "deleting", "deleted", "error"];

const SUBNET_STATES: [&str; 3] = ["pending", "available", "unavailable"];

const FAMILIES: [&str; 37] = [
    "cloud_instance_state",
    "cloud_instance_info",
    "cloud_instance_tags",
    "cloud_instance_launch_timestamp_seconds",
    "cloud_instance_state_reason_info",
    "cloud_load_balancer_info",
    "cloud_load_balancer_created_timestamp_seconds",
    "cloud_load_balancer_listener_info",
    "cloud_load_balancer_health_check_info",
    "cloud_load_balancer_health_check_interval_seconds",
    "cloud_load_balancer_health_check_timeout_seconds",
    "cloud_load_balancer_health_check_healthy_threshold",
    "cloud_load_balancer_health_check_unhealthy_threshold",
    "cloud_load_balancer_backends",
    "cloud_load_balancer_healthy_backends",
    "cloud_load_balancer_backend_healthy",
    "cloud_load_balancer_backend_state_info",
    "cloud_load_balancer_without_healthy_backend",
    "cloud_load_balancer_state",
    "cloud_target_group_info",
    "cloud_instance_status_check_failed",
    "cloud_instance_status_check_impaired_timestamp_seconds",
    "cloud_instance_scheduled_event_not_before_timestamp_seconds",
    "cloud_availability_zone_state",
    "cloud_availability_zone_info",
    "cloud_volume_state",
    "cloud_volume_info",
    "cloud_volume_size_bytes",
    "cloud_volume_iops",
    "cloud_volume_attachment_info",
    "cloud_volume_created_timestamp_seconds",
    "cloud_address_info",
    "cloud_address_attached",
    "cloud_subnet_state",
    "cloud_subnet_info",
    "cloud_subnet_available_addresses",
    "cloud_quota_limit",
];
