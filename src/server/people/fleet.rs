//! What the readings say that a person looks for first: read back from their lines, so that nothing is kept twice.

use std::borrow::Cow;
use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Arc;

use jiff::Timestamp;

use super::html::{LIMIT, Mark};
use crate::joined;
use crate::metric::Family;
use crate::reading::{Line, Reading};
use crate::resources::{balancers, instance_status, instances};

/// A label's value.
type Value<'a> = Cow<'a, str>;

/// Account and region.
pub(super) type Place<'a> = [Value<'a>; 2];

/// Account, region and id.
pub(super) type Id<'a> = [Value<'a>; 3];

/// A list that is cut, and how long it is.
pub(super) struct Listed<T> {
    pub(super) rows: Vec<T>,
    pub(super) total: usize,
}

/// What is known of all instances and load balancers.
pub(super) struct Fleet<'a> {
    /// How many instances of each place are in each state.
    pub(super) states: BTreeMap<Place<'a>, BTreeMap<Value<'a>, usize>>,
    pub(super) impaired: Listed<Impaired<'a>>,
    pub(super) events: Listed<Event<'a>>,
    /// Places behind load balancers, the worst first.
    pub(super) balancers: Listed<Balancer<'a>>,
    /// How many of all of them are marked so.
    pub(super) balancers_marked: BTreeMap<Mark, usize>,
    pub(super) dead: Listed<Dead<'a>>,
    /// The names of the instances above that have one.
    names: HashMap<Id<'a>, Value<'a>>,
}

/// A check that an instance fails.
pub(super) struct Impaired<'a> {
    pub(super) instance: Id<'a>,
    pub(super) check: Value<'a>,
    pub(super) since: Option<Timestamp>,
}

/// What the cloud has scheduled for an instance.
pub(super) struct Event<'a> {
    pub(super) instance: Id<'a>,
    pub(super) code: Value<'a>,
    pub(super) not_before: Timestamp,
}

/// A place behind a load balancer, or a target group behind none.
#[derive(Default)]
pub(super) struct Balancer<'a> {
    /// Account, region, load balancer, type and target group; the last three may be empty.
    pub(super) labels: [Value<'a>; 5],
    pub(super) backends: usize,
    pub(super) healthy: usize,
    /// Whether no backend of the whole load balancer is in service.
    pub(super) is_down: bool,
    /// The states that keep backends out of service, in the cloud's words, and how many are in each.
    pub(super) causes: BTreeMap<(Value<'a>, Value<'a>), usize>,
}

/// A backend whose instance cannot serve.
pub(super) struct Dead<'a> {
    pub(super) load_balancer: Value<'a>,
    pub(super) target_group: Value<'a>,
    pub(super) instance: Id<'a>,
    pub(super) state: Value<'a>,
}

impl<'a> Fleet<'a> {
    /// What these readings say.
    pub(super) fn of(readings: &'a [Arc<Reading>]) -> Self {
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
        let named: HashSet<Id<'a>> = named
            .chain(fleet.dead.rows.iter().map(|row| &row.instance))
            .cloned()
            .collect();
        fleet.names = names_of(readings, &named);
        fleet
    }

    /// What an instance is called, if it is.
    pub(super) fn name(&self, id: &Id<'a>) -> Option<&str> {
        self.names.get(id).map(Cow::as_ref)
    }
}

impl Balancer<'_> {
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

fn states_of(readings: &[Arc<Reading>]) -> BTreeMap<Place<'_>, BTreeMap<Value<'_>, usize>> {
    let mut states: BTreeMap<Place<'_>, BTreeMap<Value<'_>, usize>> = BTreeMap::new();
    for line in current(readings, &instances::STATE) {
        let [account, region, state] = values(&line, ["account", "region", "state"]);
        *states
            .entry([account, region])
            .or_default()
            .entry(state)
            .or_default() += 1;
    }
    states
}

fn impaired_of(readings: &[Arc<Reading>]) -> Listed<Impaired<'_>> {
    let labels = ["account", "region", "instance_id", "check"];
    let since: HashMap<_, _> = lines(readings, &instance_status::IMPAIRED)
        .map(|line| (values(&line, labels), time(line.value)))
        .collect();
    let failed = current(readings, &instance_status::CHECK_FAILED).map(|line| {
        let key = values(&line, labels);
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

fn events_of(readings: &[Arc<Reading>]) -> Listed<Event<'_>> {
    let events = lines(readings, &instance_status::NOT_BEFORE).filter_map(|line| {
        let [account, region, id, code] = values(&line, ["account", "region", "instance_id", "code"]);
        Some(Event {
            instance: [account, region, id],
            code,
            not_before: time(line.value)?,
        })
    });
    cut(events, |row| (row.not_before, row.instance.clone()))
}

fn balancers_of(readings: &[Arc<Reading>]) -> (Listed<Balancer<'_>>, BTreeMap<Mark, usize>) {
    let mut found: BTreeMap<[Value<'_>; 5], Balancer<'_>> = BTreeMap::new();
    let labels = ["account", "region", "load_balancer", "type", "target_group"];
    for line in lines(readings, &balancers::BACKENDS) {
        let labels = values(&line, labels);
        let balancer = found.entry(labels.clone()).or_default();
        (balancer.labels, balancer.backends) = (labels, count(line.value));
    }
    for line in lines(readings, &balancers::HEALTHY_BACKENDS) {
        if let Some(balancer) = found.get_mut(&values(&line, labels)) {
            balancer.healthy = count(line.value);
        }
    }
    // Down is a load balancer, whatever stands in its target groups.
    let down: HashSet<[Value<'_>; 4]> = current(readings, &balancers::WITHOUT_HEALTHY_BACKEND)
        .map(|line| values(&line, ["account", "region", "load_balancer", "type"]))
        .collect();
    for (key, balancer) in &mut found {
        let [account, region, load_balancer, sort, _] = key.clone();
        balancer.is_down = down.contains(&[account, region, load_balancer, sort]);
    }
    // The lines of a backend's health and state begin alike: what names it.
    let unhealthy: HashSet<&str> = lines(readings, &balancers::BACKEND_HEALTHY)
        .filter(|line| line.value == 0.0)
        .map(|line| line.labels)
        .collect();
    for line in current(readings, &balancers::BACKEND_STATE) {
        let named = line.labels.rsplit_once(",state=\"").map(|(named, _)| named);
        if named.is_some_and(|named| unhealthy.contains(named))
            && let Some(balancer) = found.get_mut(&values(&line, labels))
        {
            let [state, reason] = values(&line, ["state", "reason"]);
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

fn dead_of(readings: &[Arc<Reading>]) -> Listed<Dead<'_>> {
    let names = [
        "account",
        "region",
        "instance_id",
        "instance_state",
        "load_balancer",
        "target_group",
    ];
    let dead = current(readings, &joined::BACKEND_INSTANCE_STATE).filter_map(|line| {
        let [account, region, id, state, load_balancer, target_group] = values(&line, names);
        joined::DEAD.contains(&&*state).then_some(Dead {
            load_balancer,
            target_group,
            instance: [account, region, id],
            state,
        })
    });
    cut(dead, |row| (row.load_balancer.clone(), row.instance.clone()))
}

fn names_of<'a>(readings: &'a [Arc<Reading>], named: &HashSet<Id<'a>>) -> HashMap<Id<'a>, Value<'a>> {
    if named.is_empty() {
        return HashMap::new();
    }
    lines(readings, &instances::INFO)
        .filter_map(|line| {
            let [account, region, id, name] = values(&line, ["account", "region", "instance_id", "name"]);
            let id = [account, region, id];
            (!name.is_empty() && named.contains(&id)).then_some((id, name))
        })
        .collect()
}

/// The first rows in an order.
fn cut<T, K: Ord>(rows: impl Iterator<Item = T>, key: impl Fn(&T) -> K) -> Listed<T> {
    let mut rows: Vec<T> = rows.collect();
    rows.sort_by_cached_key(|row| key(row));
    let total = rows.len();
    rows.truncate(LIMIT);
    Listed { rows, total }
}

fn lines<'a>(readings: &'a [Arc<Reading>], family: &'static Family) -> impl Iterator<Item = Line<'a>> {
    readings.iter().flat_map(move |reading| reading.lines(family))
}

/// Of states, the one that holds.
fn current<'a>(readings: &'a [Arc<Reading>], family: &'static Family) -> impl Iterator<Item = Line<'a>> {
    lines(readings, family).filter(|line| line.value != 0.0)
}

/// The values of these labels; empty is absent.
fn values<'a, const N: usize>(line: &Line<'a>, names: [&str; N]) -> [Value<'a>; N] {
    let mut values = [const { Cow::Borrowed("") }; N];
    for (label, value) in line.labels() {
        if let Some(slot) = names.iter().position(|name| *name == label) {
            values[slot] = value;
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
