//! What was true of one region, and when.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::sleep;
use vigie::demo::{Check, Fleet};
use vigie::provider::Provider;

use crate::now;

/// A target of a group: its id, port and state.
pub(crate) type Target = (String, String, String);

/// Everything that is compared. A page has to show each listing as it was at one moment.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Facts {
    /// States, by id.
    pub(crate) instances: BTreeMap<String, String>,
    /// Whether each check fails.
    pub(crate) checks: BTreeMap<(String, String), bool>,
    /// States, by id.
    pub(crate) volumes: BTreeMap<String, String>,
    /// Whether each address is attached.
    pub(crate) addresses: BTreeMap<String, bool>,
    /// The state of each backend, by classic load balancer.
    pub(crate) backends: BTreeMap<String, BTreeMap<String, String>>,
    /// Those that are not classic.
    pub(crate) balancers: BTreeSet<String>,
    /// The load balancers that route to each group, and the group; an empty name if there is none.
    pub(crate) routes: BTreeSet<(String, String)>,
    /// The targets of each group.
    pub(crate) groups: BTreeMap<String, BTreeSet<Target>>,
}

/// What was so from one moment to another.
#[derive(Debug)]
pub(crate) struct Version {
    /// Not before this.
    pub(crate) since: f64,
    /// When it certainly was.
    sure: f64,
    pub(crate) facts: Facts,
}

/// A fleet that changes by nobody else's hand, and what it was like lately.
#[derive(Debug)]
pub(crate) struct History {
    fleet: Fleet,
    provider: Provider,
    versions: Mutex<VecDeque<Arc<Version>>>,
}

/// A version, and the moment from which on it was not true any more.
pub(crate) type Lasted = (Arc<Version>, f64);

impl History {
    pub(crate) fn new(fleet: Fleet, provider: Provider) -> Self {
        let history = Self {
            fleet,
            provider,
            versions: Mutex::default(),
        };
        let facts = history.facts();
        history.versions().push_back(Arc::new(Version {
            since: 0.0,
            sure: 0.0,
            facts,
        }));
        history
    }

    /// One step of its life. Whoever looks meanwhile waits until it is written down.
    fn tick(&self) {
        let mut versions = self.versions();
        let since = now();
        self.fleet.tick();
        let sure = now();
        versions.push_back(Arc::new(Version {
            since,
            sure,
            facts: self.facts(),
        }));
        while versions.get(1).is_some_and(|next| next.sure < sure - REMEMBERED) {
            versions.pop_front();
        }
    }

    /// All that was true at some moment between two.
    pub(crate) fn between(&self, from: f64, to: f64) -> Vec<Lasted> {
        let mut all = self.all();
        all.retain(|(version, until)| version.since <= to && *until >= from);
        all
    }

    /// All that is remembered, oldest first.
    pub(crate) fn all(&self) -> Vec<Lasted> {
        let versions = self.versions();
        let ends = versions.iter().skip(1).map(|next| next.sure);
        let ends = ends.chain([f64::INFINITY]);
        versions.iter().cloned().zip(ends).collect()
    }

    fn versions(&self) -> MutexGuard<'_, VecDeque<Arc<Version>>> {
        self.versions.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn facts(&self) -> Facts {
        let mut facts = Facts::default();
        for instance in self.fleet.instances() {
            let is_checked = self.provider == Provider::Aws && instance.state == "running";
            for (check, name) in CHECKS.into_iter().filter(|_| is_checked) {
                let fails = instance.impaired.iter().any(|(impaired, _)| *impaired == check);
                facts.checks.insert((instance.id.clone(), name.to_owned()), fails);
            }
            facts.instances.insert(instance.id, instance.state);
        }
        for volume in self.fleet.volumes() {
            facts.volumes.insert(volume.id, volume.state);
        }
        for address in self.fleet.addresses() {
            let is_attached = address.instance_id.is_some() || address.network_interface_id.is_some();
            facts.addresses.insert(address.public_ip, is_attached);
        }
        for balancer in self.fleet.load_balancers() {
            let health = self.fleet.backend_health(&balancer.name).into_iter();
            let states = health.map(|(id, health)| (id, health.state)).collect();
            facts.backends.insert(balancer.name, states);
        }
        let balancers = self.fleet.load_balancers_v2();
        for group in self.fleet.target_groups() {
            let routing = balancers
                .iter()
                .filter(|balancer| group.load_balancers.contains(&balancer.arn));
            let routing = routing.map(|balancer| balancer.name.clone());
            let nowhere = group.load_balancers.is_empty().then(String::new);
            let routes = routing.chain(nowhere).map(|name| (name, group.name.clone()));
            facts.routes.extend(routes);
            let targets = self.fleet.target_health(&group.name).into_iter();
            let targets = targets.map(|(target, health)| {
                let port = target.port.map_or_else(String::new, |port| port.to_string());
                (target.id, port, health.state)
            });
            facts.groups.insert(group.name, targets.collect());
        }
        let names = balancers.into_iter().map(|balancer| balancer.name);
        facts.balancers = names.collect();
        facts
    }
}

/// Lets a region live until the future is dropped.
pub(crate) async fn live(history: Arc<History>, seed: u64) {
    let mut rng = fastrand::Rng::with_seed(seed);
    loop {
        sleep(Duration::from_millis(rng.u64(100..400))).await;
        history.tick();
    }
}

/// Those of an instance that runs. OUTSCALE tells of none; few applications tell how they are.
const CHECKS: [(Check, &str); 4] = [
    (Check::System, "system"),
    (Check::Instance, "instance"),
    (Check::AttachedEbs, "attached_ebs"),
    (Check::Performance, "performance"),
];

/// In seconds: longer than any reading is shown.
const REMEMBERED: f64 = 60.0;
