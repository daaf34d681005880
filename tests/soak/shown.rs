//! What a page says, sorted to be compared.

use std::collections::{BTreeMap, BTreeSet};

use vigie::resource::Kind;
use vigie::resources::KINDS;

use crate::page::{Page, Series};
use crate::truth::{Facts, Target};

/// What a page says of one region of an account.
#[derive(Debug, Default)]
pub(crate) struct Shown {
    pub(crate) facts: Facts,
    /// Behind each load balancer that is not classic: the targets of each group.
    pub(crate) routed: BTreeMap<(String, String), BTreeSet<Target>>,
    /// The state that each backend's instance is said to have.
    pub(crate) joined: BTreeSet<(String, String)>,
    /// The kinds without a truth of which there is anything.
    pub(crate) others: BTreeSet<&'static str>,
    pub(crate) polls: BTreeMap<String, Poll>,
}

/// What it says of one kind there.
#[derive(Debug, Default, Clone, Copy)]
pub(crate) struct Poll {
    pub(crate) success: Option<f64>,
    pub(crate) last_success: Option<f64>,
    pub(crate) failures: f64,
    /// Those of them that ran out of time.
    pub(crate) timeouts: f64,
}

/// By account and region.
pub(crate) type Everything = BTreeMap<(String, String), Shown>;

pub(crate) fn sort(page: &Page) -> Everything {
    let mut everything = Everything::new();
    for (series, value) in page.samples() {
        let (Some(account), Some(region)) = (series.labels.get("account"), series.labels.get("region"))
        else {
            continue;
        };
        let place = (account.clone(), region.clone());
        everything.entry(place).or_default().take(series, value);
    }
    everything
}

impl Shown {
    fn take(&mut self, series: &Series, value: f64) {
        let label = |name: &str| series.labels.get(name).cloned().unwrap_or_default();
        let is_so = value > 0.0;
        let facts = &mut self.facts;
        match series.name.as_str() {
            "cloud_instance_state" if is_so => {
                facts.instances.insert(label("instance_id"), label("state"));
            }
            "cloud_instance_status_check_failed" => {
                facts.checks.insert((label("instance_id"), label("check")), is_so);
            }
            "cloud_volume_state" if is_so => {
                facts.volumes.insert(label("volume_id"), label("state"));
            }
            "cloud_address_attached" => {
                facts.addresses.insert(label("public_ip"), is_so);
            }
            "cloud_load_balancer_backend_state_info" if label("type") == "classic" => {
                let backends = facts.backends.entry(label("load_balancer")).or_default();
                backends.insert(label("instance_id"), label("state"));
            }
            "cloud_load_balancer_backend_state_info" => {
                let id = label("instance_id") + &label("target");
                let group = (label("load_balancer"), label("target_group"));
                let targets = self.routed.entry(group).or_default();
                targets.insert((id, label("port"), label("state")));
            }
            "cloud_load_balancer_info" if label("type") != "classic" => {
                facts.balancers.insert(label("load_balancer"));
            }
            "cloud_target_group_info" => {
                facts
                    .routes
                    .insert((label("load_balancer"), label("target_group")));
            }
            "cloud_load_balancer_backend_instance_state_info" => {
                self.joined
                    .insert((label("instance_id"), label("instance_state")));
            }
            "vigie_poll_success" => self.poll(series).success = Some(value),
            "vigie_poll_last_success_timestamp_seconds" => self.poll(series).last_success = Some(value),
            "vigie_poll_failures_total" => {
                let poll = self.poll(series);
                poll.failures += value;
                if label("reason") == "timeout" {
                    poll.timeouts = value;
                }
            }
            name => {
                let has_it = |kind: &&&Kind| kind.families.iter().any(|family| family.name == name);
                self.others
                    .extend(KINDS.iter().find(has_it).map(|kind| kind.name));
            }
        }
    }

    fn poll(&mut self, series: &Series) -> &mut Poll {
        let kind = series.labels.get("kind").cloned().unwrap_or_default();
        self.polls.entry(kind).or_default()
    }
}

/// The same page in the words of the text format: there the family of a counter has its suffix, and nothing is the end.
pub(crate) fn as_text_format(open: &str) -> String {
    let body = open.strip_suffix("# EOF\n").expect("OpenMetrics ends with # EOF");
    assert!(!body.contains("# EOF"), "there is something behind the end");
    let mut text = String::with_capacity(open.len());
    for line in body.lines() {
        assert!(!line.is_empty(), "OpenMetrics knows no empty line");
        let declared = line.strip_prefix("# TYPE ");
        match declared.and_then(|rest| rest.strip_suffix(" counter")) {
            Some(name) => text.extend(["# TYPE ", name, "_total counter"]),
            None => text.push_str(line),
        }
        text.push('\n');
    }
    text
}
