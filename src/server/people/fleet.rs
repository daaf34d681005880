//! What the readings say that a person looks for first: read back from their lines, so that nothing is kept twice.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Arc;

use jiff::Timestamp;

use super::html::{LIMIT, Mark};
use crate::joined;
use crate::metric::Family;
use crate::reading::{Line, Reading};
use crate::resources::{balancers, instance_status, instances};

/// Account and region.
pub(super) type Place = [String; 2];

/// Account, region and id.
pub(super) type Id = [String; 3];

/// A list that is cut, and how long it is.
pub(super) struct Listed<T> {
    pub(super) rows: Vec<T>,
    pub(super) total: usize,
}

/// What is known of all instances and load balancers.
pub(super) struct Fleet {
    /// How many instances of each place are in each state.
    pub(super) states: BTreeMap<Place, BTreeMap<String, usize>>,
    pub(super) impaired: Listed<Impaired>,
    pub(super) events: Listed<Event>,
    /// Places behind load balancers, the worst first.
    pub(super) balancers: Listed<Balancer>,
    /// How many of all of them are marked so.
    pub(super) balancers_marked: BTreeMap<Mark, usize>,
    pub(super) dead: Listed<Dead>,
    /// The names of the instances above that have one.
    names: HashMap<Id, String>,
}

/// A check that an instance fails.
pub(super) struct Impaired {
    pub(super) instance: Id,
    pub(super) check: String,
    pub(super) since: Option<Timestamp>,
}

/// What the cloud has scheduled for an instance.
pub(super) struct Event {
    pub(super) instance: Id,
    pub(super) code: String,
    pub(super) not_before: Timestamp,
}

/// A place behind a load balancer, or a target group behind none.
#[derive(Default)]
pub(super) struct Balancer {
    /// Account, region, load balancer, type and target group; the last three may be empty.
    pub(super) labels: [String; 5],
    pub(super) backends: usize,
    pub(super) healthy: usize,
    /// Whether no backend of the whole load balancer is in service.
    pub(super) is_down: bool,
    /// The states that keep backends out of service, in the cloud's words, and how many are in each.
    pub(super) causes: BTreeMap<(String, String), usize>,
}

/// A backend whose instance cannot serve.
pub(super) struct Dead {
    pub(super) load_balancer: String,
    pub(super) target_group: String,
    pub(super) instance: Id,
    pub(super) state: String,
}

impl Fleet {
    /// What these readings say.
    pub(super) fn of(readings: &[Arc<Reading>]) -> Self {
        let (balancers, balancers_marked) = balancers_of(readings);
        let mut fleet = Self {
            states: states_of(readings),
            impaired: impaired_of(readings),
            events: events_of(readings),
            balancers,
            balancers_marked,
            dead: dead_of(readings),
            names: HashMap::new(),
        };
        let named = fleet.impaired.rows.iter().map(|row| &row.instance);
        let named = named.chain(fleet.events.rows.iter().map(|row| &row.instance));
        let named: HashSet<Id> = named
            .chain(fleet.dead.rows.iter().map(|row| &row.instance))
            .cloned()
            .collect();
        fleet.names = names_of(readings, &named);
        fleet
    }

    /// What an instance is called, if it is.
    pub(super) fn name(&self, id: &Id) -> Option<&str> {
        self.names.get(id).map(String::as_str)
    }
}

impl Balancer {
    /// How it does.
    pub(super) fn mark(&self) -> Mark {
        if self.is_down {
            Mark::Bad
        } else if self.healthy + self.unchecked() < self.backends {
            Mark::Warning
        } else if self.healthy == 0 {
            Mark::Neutral
        } else {
            Mark::Good
        }
    }

    /// Backends of which nobody knows, since health checks are off.
    pub(super) fn unchecked(&self) -> usize {
        let states = self
            .causes
            .iter()
            .filter(|((state, _), _)| state == "unavailable");
        states.map(|(_, count)| count).sum()
    }
}

fn states_of(readings: &[Arc<Reading>]) -> BTreeMap<Place, BTreeMap<String, usize>> {
    let mut states: BTreeMap<Place, BTreeMap<String, usize>> = BTreeMap::new();
    let labels = ["account", "region", "state"];
    for [account, region, state] in current(readings, &instances::STATE, |line| values(line, labels)) {
        *states
            .entry([account, region])
            .or_default()
            .entry(state)
            .or_default() += 1;
    }
    states
}

fn impaired_of(readings: &[Arc<Reading>]) -> Listed<Impaired> {
    let labels = ["account", "region", "instance_id", "check"];
    let since: HashMap<_, _> = samples(readings, &instance_status::IMPAIRED, |line| {
        (values(line, labels), time(line.value))
    })
    .collect();
    let failed = current(readings, &instance_status::CHECK_FAILED, |line| {
        values(line, labels)
    });
    let failed = failed.map(|key| {
        let since = since.get(&key).copied().flatten();
        let [account, region, id, check] = key;
        Impaired {
            instance: [account, region, id],
            check,
            since,
        }
    });
    // Those that just began to fail are news.
    cut(failed, |row| (std::cmp::Reverse(row.since), row.instance.clone()))
}

fn events_of(readings: &[Arc<Reading>]) -> Listed<Event> {
    let events = samples(readings, &instance_status::NOT_BEFORE, |line| {
        let [account, region, id, code] = values(line, ["account", "region", "instance_id", "code"]);
        Some(Event {
            instance: [account, region, id],
            code,
            not_before: time(line.value)?,
        })
    });
    cut(events.flatten(), |row| (row.not_before, row.instance.clone()))
}

fn balancers_of(readings: &[Arc<Reading>]) -> (Listed<Balancer>, BTreeMap<Mark, usize>) {
    let mut found: BTreeMap<[String; 5], Balancer> = BTreeMap::new();
    let labels = ["account", "region", "load_balancer", "type", "target_group"];
    let counted = |line: &Line<'_>| (values(line, labels), count(line.value));
    for (labels, backends) in samples(readings, &balancers::BACKENDS, counted) {
        let balancer = found.entry(labels.clone()).or_default();
        (balancer.labels, balancer.backends) = (labels, backends);
    }
    for (labels, healthy) in samples(readings, &balancers::HEALTHY_BACKENDS, counted) {
        if let Some(balancer) = found.get_mut(&labels) {
            balancer.healthy = healthy;
        }
    }
    // Down is a load balancer, whatever stands in its target groups.
    let down: HashSet<[String; 4]> = current(readings, &balancers::WITHOUT_HEALTHY_BACKEND, |line| {
        values(line, ["account", "region", "load_balancer", "type"])
    })
    .collect();
    for (key, balancer) in &mut found {
        let [account, region, load_balancer, sort, _] = key.clone();
        balancer.is_down = down.contains(&[account, region, load_balancer, sort]);
    }
    // The lines of a backend's health and state begin alike: what names it.
    let unhealthy: HashSet<String> = samples(readings, &balancers::BACKEND_HEALTHY, |line| {
        (line.value == 0.0).then(|| line.labels.to_owned())
    })
    .flatten()
    .collect();
    let causes = current(readings, &balancers::BACKEND_STATE, |line| {
        let (named, _) = line.labels.rsplit_once(",state=\"")?;
        let cause = || (values(line, labels), values(line, ["state", "reason"]));
        unhealthy.contains(named).then(cause)
    });
    for (labels, [state, reason]) in causes.flatten() {
        if let Some(balancer) = found.get_mut(&labels) {
            *balancer.causes.entry((state, reason)).or_default() += 1;
        }
    }
    let mut marked: BTreeMap<Mark, usize> = BTreeMap::new();
    for balancer in found.values() {
        *marked.entry(balancer.mark()).or_default() += 1;
    }
    (
        cut(found.into_values(), |row| (row.mark(), row.labels.clone())),
        marked,
    )
}

fn dead_of(readings: &[Arc<Reading>]) -> Listed<Dead> {
    let names = [
        "account",
        "region",
        "instance_id",
        "instance_state",
        "load_balancer",
        "target_group",
    ];
    let dead = current(readings, &joined::BACKEND_INSTANCE_STATE, |line| {
        let [account, region, id, state, load_balancer, target_group] = values(line, names);
        joined::DEAD.contains(&&*state).then_some(Dead {
            load_balancer,
            target_group,
            instance: [account, region, id],
            state,
        })
    });
    cut(dead.flatten(), |row| {
        (row.load_balancer.clone(), row.instance.clone())
    })
}

fn names_of(readings: &[Arc<Reading>], named: &HashSet<Id>) -> HashMap<Id, String> {
    if named.is_empty() {
        return HashMap::new();
    }
    let found = samples(readings, &instances::INFO, |line| {
        let [account, region, id, name] = values(line, ["account", "region", "instance_id", "name"]);
        let id = [account, region, id];
        (!name.is_empty() && named.contains(&id)).then_some((id, name))
    });
    found.flatten().collect()
}

/// The first rows in an order.
fn cut<T, K: Ord>(rows: impl Iterator<Item = T>, key: impl Fn(&T) -> K) -> Listed<T> {
    let mut rows: Vec<T> = rows.collect();
    rows.sort_by_cached_key(|row| key(row));
    let total = rows.len();
    rows.truncate(LIMIT);
    Listed { rows, total }
}

fn samples<T>(
    readings: &[Arc<Reading>],
    family: &'static Family,
    read: impl Fn(&Line<'_>) -> T,
) -> impl Iterator<Item = T> {
    let readings = readings.iter();
    readings.flat_map(move |reading| reading.samples(family, &read).collect::<Vec<T>>())
}

/// Of states, the one that holds.
fn current<T>(
    readings: &[Arc<Reading>],
    family: &'static Family,
    read: impl Fn(&Line<'_>) -> T,
) -> impl Iterator<Item = T> {
    samples(readings, family, move |line| {
        (line.value != 0.0).then(|| read(line))
    })
    .flatten()
}

/// The values of these labels; empty is absent.
fn values<const N: usize>(line: &Line<'_>, names: [&str; N]) -> [String; N] {
    let mut values = [const { String::new() }; N];
    for (label, value) in line.labels() {
        if let Some(slot) = names.iter().position(|name| *name == label) {
            values[slot] = value.into_owned();
        }
    }
    values
}

/// A figure of our own writing, which is small and whole.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a conversion of floats saturates, and these count backends"
)]
fn count(value: f64) -> usize {
    value as usize
}

/// A time of our own writing.
pub(super) fn time(seconds: f64) -> Option<Timestamp> {
    let duration = jiff::SignedDuration::try_from_secs_f64(seconds).ok()?;
    Timestamp::from_duration(duration).ok()
}
