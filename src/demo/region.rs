//! What one region has: its instances and load balancers, made from a seed.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};

use super::balancing::Balancing;
use super::fleet::{Health, Instance, LoadBalancer};
use super::holdings::Holdings;
use super::{Options, Times};
use crate::provider::Provider;

/// One place in the listing of instances.
#[derive(Debug, Clone)]
#[expect(clippy::large_enum_variant, reason = "nearly all of them are the large one")]
pub(super) enum Entry {
    Instance(Instance),
    /// An `<item>` put in verbatim, however odd.
    Raw(String),
}

/// All there is in one region.
#[derive(Debug)]
pub(super) struct Region {
    pub(super) name: String,
    pub(super) provider: Provider,
    pub(super) times: Times,
    pub(super) seed: u64,
    pub(super) ids: Ids,
    pub(super) alive: bool,
    pub(super) ticks: u64,
    /// How many instances the life of the fleet keeps up.
    pub(super) wanted: usize,
    pub(super) next_serial: u64,
    pub(super) entries: BTreeMap<u64, Arc<Entry>>,
    serials: HashMap<String, u64>,
    pub(super) balancing: Balancing,
    pub(super) load_balancers: BTreeMap<String, LoadBalancer>,
    pub(super) holdings: Holdings,
}

impl Region {
    pub(super) fn new(name: &str, options: &Options) -> Self {
        let salt = name
            .bytes()
            .fold(options.seed, |hash, byte| mix(hash ^ u64::from(byte)));
        let mut region = Self {
            name: name.to_owned(),
            provider: options.provider,
            times: options.times,
            seed: salt,
            ids: Ids {
                provider: options.provider,
                seed: salt,
            },
            alive: options.alive,
            ticks: 0,
            wanted: options.instances,
            next_serial: 0,
            entries: BTreeMap::new(),
            serials: HashMap::new(),
            balancing: Balancing::default(),
            load_balancers: BTreeMap::new(),
            holdings: Holdings::default(),
        };
        region.furnish();
        for _ in 0..options.instances {
            region.launch(None);
        }
        region.vary_states();
        let ids: Vec<String> = region.instances().map(|instance| instance.id.clone()).collect();
        region.balance(options, &ids);
        for number in 0..options.load_balancers {
            let backends = ids
                .iter()
                .cycle()
                .skip(number * options.backends_per_load_balancer)
                .take(options.backends_per_load_balancer.min(ids.len()))
                .cloned()
                .collect();
            let (name, round) = (ROLES[number % ROLES.len()], number / ROLES.len());
            let name = if round == 0 {
                name.to_owned()
            } else {
                format!("{name}-{round}")
            };
            region.add_load_balancer(&name, backends);
        }
        region
    }

    pub(super) fn instances(&self) -> impl Iterator<Item = &Instance> {
        self.entries.values().filter_map(|entry| match &**entry {
            Entry::Instance(instance) => Some(instance),
            Entry::Raw(_) => None,
        })
    }

    pub(super) fn instance(&self, id: &str) -> Option<&Instance> {
        match &**self.entries.get(self.serials.get(id)?)? {
            Entry::Instance(instance) => Some(instance),
            Entry::Raw(_) => None,
        }
    }

    pub(super) fn instance_mut(&mut self, id: &str) -> Option<&mut Instance> {
        match Arc::make_mut(self.entries.get_mut(self.serials.get(id)?)?) {
            Entry::Instance(instance) => Some(instance),
            Entry::Raw(_) => None,
        }
    }

    /// Puts one more instance at the end; `at` is when, absent for those that were always there.
    pub(super) fn launch(&mut self, at: Option<Timestamp>) -> String {
        let serial = self.next_serial;
        self.next_serial += 1;
        let instance = self.make(serial, at);
        let id = instance.id.clone();
        self.equip(&instance);
        self.serials.insert(id.clone(), serial);
        self.entries.insert(serial, Arc::new(Entry::Instance(instance)));
        id
    }

    pub(super) fn remove(&mut self, id: &str) -> bool {
        let Some(serial) = self.serials.remove(id) else {
            return false;
        };
        self.balancing.deregister(id);
        for balancer in self.load_balancers.values_mut() {
            balancer.backends.retain(|backend| backend != id);
            balancer.forced.remove(id);
        }
        self.holdings.terminate(id);
        self.entries.remove(&serial).is_some()
    }

    pub(super) fn add_raw(&mut self, item: String) {
        self.entries.insert(self.next_serial, Arc::new(Entry::Raw(item)));
        self.next_serial += 1;
    }

    pub(super) fn add_load_balancer(&mut self, name: &str, backends: Vec<String>) {
        let number = self.next_serial;
        self.next_serial += 1;
        let is_internal = number % 4 == 3;
        let outscale = self.provider == Provider::Outscale;
        let host = if is_internal {
            format!(
                "internal-{name}-{}",
                self.ids.number("elb", number) % 1_000_000_000
            )
        } else {
            format!("{name}-{}", self.ids.number("elb", number) % 1_000_000_000)
        };
        let dns_name = if outscale {
            format!("{host}.{}.lbu.outscale.com", self.name)
        } else {
            format!("{host}.{}.elb.amazonaws.com", self.name)
        };
        let zones: &[&str] = if outscale { &["a"] } else { &["a", "b"] };
        let scheme = if is_internal {
            "internal"
        } else {
            "internet-facing"
        };
        let env = ENVIRONMENTS[name.len() % ENVIRONMENTS.len()].to_owned();
        let balancer = LoadBalancer {
            name: name.to_owned(),
            dns_name,
            scheme: scheme.to_owned(),
            vpc_id: (is_internal || !outscale).then(|| self.ids.of("vpc", 0)),
            availability_zones: zones.iter().map(|zone| format!("{}{zone}", self.name)).collect(),
            created: ORIGIN - SignedDuration::from_hours(24 * 30) + SignedDuration::from_millis(1234 * 97),
            backends,
            tags: vec![("env".to_owned(), env), ("role".to_owned(), name.to_owned())],
            serial: number,
            forced: BTreeMap::new(),
        };
        self.load_balancers.insert(name.to_owned(), balancer);
    }

    /// The health of a backend: as forced, or else as its instance's state makes it; absent when that is gone.
    pub(super) fn health(&self, balancer: &LoadBalancer, id: &str) -> Option<Health> {
        let instance = self.instance(id)?;
        if instance.state == "terminated" {
            return None;
        }
        if let Some((health, _)) = balancer.forced.get(id) {
            return Some(health.clone());
        }
        Some(match instance.state.as_str() {
            "running" => Health::new("InService", "N/A", "N/A"),
            "pending" => Health::new(
                "OutOfService",
                "ELB",
                "Instance registration is still in progress.",
            ),
            "stopping" | "stopped" => {
                Health::new("OutOfService", "Instance", "Instance is in stopped state.")
            }
            "shutting-down" => Health::new("OutOfService", "Instance", "Instance is in terminated state."),
            _ => Health::new(
                "Unknown",
                "ELB",
                "A transient error occurred. Please try again later.",
            ),
        })
    }

    fn make(&self, serial: u64, at: Option<Timestamp>) -> Instance {
        let mut rng = fastrand::Rng::with_seed(self.ids.number("instance", serial));
        let outscale = self.provider == Provider::Outscale;
        let hours = rng.i64(1..24 * 400);
        let launched = at.unwrap_or_else(|| {
            ORIGIN - SignedDuration::from_hours(hours) - SignedDuration::from_secs(rng.i64(0..3600))
        });
        let types = if outscale { OUTSCALE_TYPES } else { AWS_TYPES };
        let in_vpc = !outscale || rng.u8(0..3) == 0;
        let [_, _, high, low] = u32::try_from(serial & 0xffff).unwrap_or_default().to_be_bytes();
        let public_ip = (rng.u8(0..3) > 0).then(|| format!("203.0.{}.{low}", 113_u8.wrapping_add(high)));
        Instance {
            id: self.ids.of("i", serial),
            state: "running".to_owned(),
            state_reason: None,
            state_changed: launched,
            launched,
            instance_type: types[rng.usize(..types.len())].to_owned(),
            image_id: self.ids.of("ami", rng.u64(0..4)),
            availability_zone: format!("{}{}", self.name, if rng.bool() { 'a' } else { 'b' }),
            key_name: if rng.u8(0..4) == 0 { "" } else { "operations" }.to_owned(),
            private_ip: format!("10.0.{high}.{low}"),
            public_ip,
            vpc_id: in_vpc.then(|| self.ids.of("vpc", 0)),
            subnet_id: in_vpc.then(|| self.ids.of("subnet", rng.u64(0..2))),
            is_spot: !outscale && rng.u8(0..6) == 0,
            tags: tags(serial, &mut rng),
            impaired: Vec::new(),
            events: Vec::new(),
            serial,
            // One launch in four makes two instances at once.
            reservation: if serial % 4 == 3 { serial - 1 } else { serial },
            plan: VecDeque::new(),
        }
    }

    /// Not everything runs, from the first listing on.
    fn vary_states(&mut self) {
        let ids: Vec<String> = self.instances().map(|instance| instance.id.clone()).collect();
        for (number, id) in ids.iter().enumerate() {
            match number % 24 {
                5 | 13 => self.set_state(id, "stopped", None),
                9 if self.provider == Provider::Outscale => self.set_state(id, "quarantine", None),
                23 => self.set_state(id, "terminated", None),
                _ => continue,
            };
        }
    }

    /// Enters a state now and forgets what was planned; false when there is no such instance.
    pub(super) fn set_state(&mut self, id: &str, state: &str, at: Option<Timestamp>) -> bool {
        let Some(instance) = self.instance_mut(id) else {
            return false;
        };
        state.clone_into(&mut instance.state);
        instance.plan.clear();
        if let Some(at) = at {
            instance.state_changed = at;
            if state == "pending" {
                instance.launched = at;
            }
        }
        let reason = match state {
            "pending" | "running" => None,
            "quarantine" => Some(("Server.InternalError", "Internal error on launch")),
            _ => Some(("Client.UserInitiatedShutdown", "User initiated shutdown")),
        };
        instance.state_reason = reason.map(|(code, message)| (code.to_owned(), format!("{code}: {message}")));
        if state == "terminated" {
            self.holdings.terminate(id);
        }
        true
    }
}

/// Makes ids, the same for the same seed: `vol-…`, `eni-…`.
#[derive(Debug, Clone, Copy)]
pub(super) struct Ids {
    provider: Provider,
    seed: u64,
}

impl Ids {
    /// The id of a sort.
    pub(super) fn of(self, sort: &str, serial: u64) -> String {
        match self.provider {
            // Multiplying by an odd number loses nothing: no two serials share an id, however many there are.
            Provider::Outscale => {
                let number = serial.wrapping_mul(0x9e37_79b1) ^ self.number(sort, 0);
                format!("{sort}-{:08x}", number & 0xffff_ffff)
            }
            Provider::Aws => format!("{sort}-0{:016x}", self.number(sort, serial)),
        }
    }

    pub(super) fn number(self, sort: &str, serial: u64) -> u64 {
        let sort = sort
            .bytes()
            .fold(self.seed, |hash, byte| mix(hash ^ u64::from(byte)));
        mix(sort ^ mix(serial))
    }
}

fn tags(serial: u64, rng: &mut fastrand::Rng) -> Vec<(String, String)> {
    let role = ROLES[rng.usize(..ROLES.len())];
    let env = ENVIRONMENTS[rng.usize(..ENVIRONMENTS.len())];
    let team = TEAMS[rng.usize(..TEAMS.len())];
    let name = match serial {
        // Everything a label value has to survive.
        3 => "say \"hello\"\nC:\\temp\\new {a=\"b\"} <&> 🦀 é".to_owned(),
        _ if serial % 11 == 7 => return Vec::new(),
        _ => format!("{role}-{env}-{serial:02}"),
    };
    let pairs = [("Name", name.as_str()), ("env", env), ("team", team)];
    pairs
        .map(|(key, value)| (key.to_owned(), value.to_owned()))
        .to_vec()
}

/// One step of `SplitMix64`: well-mixed numbers from counted ones.
pub(super) fn mix(number: u64) -> u64 {
    let mut mixed = number.wrapping_add(0x9e37_79b9_7f4a_7c15);
    mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    mixed ^ (mixed >> 31)
}

/// The moment the first fleet is dated back from, fixed so that a seed always makes the same one:
/// 2025-01-01T00:00:00Z.
pub(super) const ORIGIN: Timestamp = Timestamp::constant(1_735_689_600, 0);
const ROLES: &[&str] = &["web", "api", "worker", "db", "cache", "search", "mail"];
const ENVIRONMENTS: &[&str] = &["prod", "staging", "dev"];
const TEAMS: &[&str] = &["harbour", "beacon", "rigging"];
const OUTSCALE_TYPES: &[&str] = &["tinav5.c2r4p1", "tinav6.c4r8p2", "tinav4.c1r1p3", "m4.large"];
const AWS_TYPES: &[&str] = &["t3.micro", "m5.large", "c6g.xlarge", "r5.2xlarge"];

#[cfg(test)]
mod tests {
    use super::*;

    fn region(options: &Options) -> Region {
        Region::new("eu-west-2", options)
    }

    #[test]
    fn same_seed_makes_the_same_fleet() {
        let options = Options::default();
        let (one, two) = (region(&options), region(&options));
        assert!(one.instances().eq(two.instances()));
        assert_eq!(one.load_balancers, two.load_balancers);
        let other = region(&Options { seed: 2, ..options });
        assert!(!one.instances().eq(other.instances()));
    }

    #[test]
    fn ids_have_the_length_of_their_cloud() {
        for (provider, length) in [(Provider::Outscale, 10), (Provider::Aws, 19)] {
            let region = region(&Options {
                provider,
                ..Options::default()
            });
            assert!(region.instances().all(|instance| instance.id.len() == length));
        }
    }

    #[test]
    fn ten_thousand_instances_have_ids_of_their_own() {
        let options = Options {
            instances: 10_000,
            ..Options::default()
        };
        let region = region(&options);
        assert_eq!(region.serials.len(), 10_000);
    }
}
