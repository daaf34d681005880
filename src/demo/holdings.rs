//! What a region holds besides instances and load balancers: volumes, addresses, subnets and zones.

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};

use super::fleet::{Event, Fleet, Instance};
use super::region::{ORIGIN, Region};
use crate::provider::Provider;

/// A volume, as the cloud knows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Volume {
    /// `vol-` and as many hexadecimal digits as an instance has.
    pub id: String,
    /// `available`, `in-use`, … or any text a test has put there.
    pub state: String,
    /// How much it holds.
    pub gibibytes: u64,
    /// `standard`, `gp2`, `gp3`, `io1`, …
    pub volume_type: String,
    /// Operations per second, where the cloud says so.
    pub iops: Option<u64>,
    /// The zone it is in.
    pub availability_zone: String,
    /// Whether it is encrypted; told on AWS only.
    pub is_encrypted: bool,
    /// When it was made.
    pub created: Timestamp,
    /// What it is attached to.
    pub attachments: Vec<Attachment>,
    /// Keys and values.
    pub tags: Vec<(String, String)>,
    /// `ok`, `impaired`, … as its checks find; told on AWS only.
    pub status: String,
    /// What happens to it.
    pub events: Vec<Event>,
}

/// A volume on an instance.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Attachment {
    /// The instance.
    pub instance_id: String,
    /// What it is there.
    pub device: String,
    /// `attached`, `attaching`, …
    pub state: String,
}

/// A public address that the account holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Address {
    /// The address itself.
    pub public_ip: String,
    /// The id it was allocated under; absent in the public cloud of OUTSCALE.
    pub allocation_id: Option<String>,
    /// `vpc` or `standard`.
    pub domain: String,
    /// The instance it leads to.
    pub instance_id: Option<String>,
    /// The interface it leads to.
    pub network_interface_id: Option<String>,
    /// The address it leads to.
    pub private_ip: Option<String>,
    /// Keys and values.
    pub tags: Vec<(String, String)>,
}

/// A part of a network.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Subnet {
    /// `subnet-` and hexadecimal digits.
    pub id: String,
    /// `available`, `pending`, … or any text a test has put there.
    pub state: String,
    /// The network it is part of.
    pub vpc_id: String,
    /// The zone it is in.
    pub availability_zone: String,
    /// Its range.
    pub cidr_block: String,
    /// How many addresses of the range can be used.
    pub usable: u64,
    /// Keys and values.
    pub tags: Vec<(String, String)>,
}

/// All of these in one region, in the order of their serials.
#[derive(Debug, Default)]
pub(super) struct Holdings {
    pub(super) volumes: BTreeMap<u64, Volume>,
    pub(super) addresses: BTreeMap<u64, Address>,
    pub(super) subnets: BTreeMap<u64, Subnet>,
    /// States, by zone.
    pub(super) zones: BTreeMap<String, String>,
    /// Items put in verbatim, by action.
    pub(super) raw: BTreeMap<String, Vec<String>>,
    spares: u64,
}

impl Holdings {
    /// An instance is terminated: its root volume goes with it, everything else is left behind.
    pub(super) fn terminate(&mut self, instance_id: &str) {
        let is_its = |volume: &Volume| {
            let mut attachments = volume.attachments.iter();
            attachments.any(|attachment| attachment.instance_id == instance_id)
        };
        let is_root = |volume: &Volume| {
            let mut attachments = volume.attachments.iter();
            attachments.any(|attachment| attachment.device == ROOT_DEVICE)
        };
        self.volumes
            .retain(|_, volume| !(is_its(volume) && is_root(volume)));
        for volume in self.volumes.values_mut().filter(|volume| is_its(volume)) {
            volume
                .attachments
                .retain(|attachment| attachment.instance_id != instance_id);
            if volume.attachments.is_empty() {
                "available".clone_into(&mut volume.state);
            }
        }
        let is_its = |address: &&mut Address| address.instance_id.as_deref() == Some(instance_id);
        for address in self.addresses.values_mut().filter(is_its) {
            address.instance_id = None;
            address.network_interface_id = None;
            address.private_ip = None;
        }
    }
}

impl Region {
    /// What is there before any instance.
    pub(super) fn furnish(&mut self) {
        for zone in ["a", "b"] {
            let name = format!("{}{zone}", self.name);
            self.holdings.zones.insert(name, "available".to_owned());
        }
        for (serial, cidr_block) in (0..).zip(["10.0.0.0/17", "10.0.128.0/17"]) {
            let subnet = Subnet {
                id: self.ids.of("subnet", serial),
                state: "available".to_owned(),
                vpc_id: self.ids.of("vpc", 0),
                availability_zone: format!("{}{}", self.name, if serial == 0 { "a" } else { "b" }),
                cidr_block: cidr_block.to_owned(),
                // Five of a range are the cloud's own.
                usable: (1 << 15) - 5,
                tags: vec![("Name".to_owned(), format!("private-{serial}"))],
            };
            self.holdings.subnets.insert(serial, subnet);
        }
        for _ in 0..2 {
            self.add_spare_volume(ORIGIN, "available");
        }
        let outscale = self.provider == Provider::Outscale;
        let unused = Address {
            public_ip: "198.51.100.7".to_owned(),
            allocation_id: (!outscale).then(|| self.ids.of("eipalloc", SPARE)),
            domain: if outscale { "standard" } else { "vpc" }.to_owned(),
            instance_id: None,
            network_interface_id: None,
            private_ip: None,
            tags: vec![("Name".to_owned(), "forgotten".to_owned())],
        };
        self.holdings.addresses.insert(SPARE, unused);
    }

    /// What comes with an instance: one volume or two, as its listing says, and its public address.
    pub(super) fn equip(&mut self, instance: &Instance) {
        for (nth, device) in (0..).zip(devices(instance)) {
            let serial = instance.serial * 2 + nth;
            let mut volume = self.make_volume(serial, instance.launched);
            instance
                .availability_zone
                .clone_into(&mut volume.availability_zone);
            "in-use".clone_into(&mut volume.state);
            volume.attachments.push(Attachment {
                instance_id: instance.id.clone(),
                device: (*device).to_owned(),
                state: "attached".to_owned(),
            });
            self.holdings.volumes.insert(serial, volume);
        }
        if let Some(public_ip) = &instance.public_ip {
            let in_vpc = instance.vpc_id.is_some();
            let address = Address {
                public_ip: public_ip.clone(),
                allocation_id: in_vpc.then(|| self.ids.of("eipalloc", instance.serial)),
                domain: if in_vpc { "vpc" } else { "standard" }.to_owned(),
                instance_id: Some(instance.id.clone()),
                network_interface_id: in_vpc.then(|| self.ids.of("eni", instance.serial)),
                private_ip: in_vpc.then(|| instance.private_ip.clone()),
                tags: instance.tags.iter().take(1).cloned().collect(),
            };
            self.holdings.addresses.insert(instance.serial, address);
        }
    }

    /// How many addresses of a subnet no instance has.
    pub(super) fn available_addresses(&self, subnet: &Subnet) -> u64 {
        let of_subnet = self.instances().filter(|instance| {
            instance.subnet_id.as_deref() == Some(&subnet.id) && instance.state != "terminated"
        });
        of_subnet.fold(subnet.usable, |left, _| left.saturating_sub(1))
    }

    /// One tick: volumes come and go, one of them fails now and then, and not everything is left behind for ever.
    pub(super) fn let_holdings_live(&mut self, now: Timestamp, rng: &mut fastrand::Rng) {
        self.holdings
            .volumes
            .retain(|_, volume| volume.state != "deleting");
        for volume in self.holdings.volumes.values_mut() {
            if volume.state == "creating" {
                "available".clone_into(&mut volume.state);
            }
        }
        if self.ticks % 13 == 8 {
            self.add_spare_volume(now, "creating");
        }
        let free = |volume: &&mut Volume| volume.state == "available";
        let mut unused: Vec<&mut Volume> = self.holdings.volumes.values_mut().filter(free).collect();
        if unused.len() > UNUSED_AT_MOST
            && let Some(volume) = unused.first_mut()
        {
            "deleting".clone_into(&mut volume.state);
        }
        let addresses = &mut self.holdings.addresses;
        let unused: Vec<u64> = addresses
            .iter()
            .filter(|(_, address)| address.instance_id.is_none())
            .map(|(&serial, _)| serial)
            .collect();
        if let Some(oldest) = unused.first().filter(|_| unused.len() > UNUSED_AT_MOST) {
            addresses.remove(oldest);
        }
        if self.ticks % 9 == 3 {
            self.let_volumes_fail(now, rng);
        }
    }

    /// The volumes that failed are well again, and another fails.
    fn let_volumes_fail(&mut self, now: Timestamp, rng: &mut fastrand::Rng) {
        for volume in self.holdings.volumes.values_mut() {
            "ok".clone_into(&mut volume.status);
            volume.events.clear();
        }
        let used = |volume: &&mut Volume| volume.state == "in-use";
        let used: Vec<&mut Volume> = self.holdings.volumes.values_mut().filter(used).collect();
        if let Some(volume) = rng.choice(used) {
            "impaired".clone_into(&mut volume.status);
            volume.events.push(Event {
                id: format!("evol-{:08x}", rng.u32(..)),
                code: "potential-data-inconsistency".to_owned(),
                description: "The volume may hold inconsistent data".to_owned(),
                not_before: now,
                not_after: Some(now + SignedDuration::from_hours(1)),
                deadline: None,
            });
        }
    }

    fn add_spare_volume(&mut self, created: Timestamp, state: &str) {
        let serial = SPARE + self.holdings.spares;
        self.holdings.spares += 1;
        let mut volume = self.make_volume(serial, created);
        state.clone_into(&mut volume.state);
        let name = format!("spare-{:02}", self.holdings.spares);
        volume.tags.push(("Name".to_owned(), name));
        self.holdings.volumes.insert(serial, volume);
    }

    fn make_volume(&self, serial: u64, created: Timestamp) -> Volume {
        let mut rng = fastrand::Rng::with_seed(self.ids.number("volume", serial));
        let outscale = self.provider == Provider::Outscale;
        let types = if outscale { OUTSCALE_TYPES } else { AWS_TYPES };
        let volume_type = types[rng.usize(..types.len())];
        let gibibytes = [10, 50, 200][rng.usize(..3)];
        Volume {
            id: self.ids.of("vol", serial),
            state: "available".to_owned(),
            gibibytes,
            volume_type: volume_type.to_owned(),
            iops: match volume_type {
                "standard" => None,
                "io1" => Some(gibibytes * 50),
                "gp3" => Some(3000),
                _ => Some((gibibytes * 3).max(100)),
            },
            availability_zone: format!("{}a", self.name),
            is_encrypted: rng.bool(),
            created,
            attachments: Vec::new(),
            tags: Vec::new(),
            status: "ok".to_owned(),
            events: Vec::new(),
        }
    }
}

impl Fleet {
    /// All volumes in the order they are listed.
    pub fn volumes(&self) -> Vec<Volume> {
        self.lock().holdings.volumes.values().cloned().collect()
    }

    /// Changes anything about a volume but its id.
    pub fn change_volume(&self, id: &str, change: impl FnOnce(&mut Volume)) -> bool {
        let mut region = self.lock();
        let mut volumes = region.holdings.volumes.values_mut();
        volumes.find(|volume| volume.id == id).map(change).is_some()
    }

    /// All public addresses in the order they are listed.
    pub fn addresses(&self) -> Vec<Address> {
        self.lock().holdings.addresses.values().cloned().collect()
    }

    /// Changes anything about a public address but itself.
    pub fn change_address(&self, public_ip: &str, change: impl FnOnce(&mut Address)) -> bool {
        let mut region = self.lock();
        let mut addresses = region.holdings.addresses.values_mut();
        let found = addresses.find(|address| address.public_ip == public_ip);
        found.map(change).is_some()
    }

    /// All subnets in the order they are listed, each with how many of its addresses are left.
    pub fn subnets(&self) -> Vec<(Subnet, u64)> {
        let region = self.lock();
        let subnets = region.holdings.subnets.values();
        subnets
            .map(|subnet| (subnet.clone(), region.available_addresses(subnet)))
            .collect()
    }

    /// Changes anything about a subnet but its id.
    pub fn change_subnet(&self, id: &str, change: impl FnOnce(&mut Subnet)) -> bool {
        let mut region = self.lock();
        let mut subnets = region.holdings.subnets.values_mut();
        subnets.find(|subnet| subnet.id == id).map(change).is_some()
    }

    /// All zones and their states.
    pub fn zones(&self) -> BTreeMap<String, String> {
        self.lock().holdings.zones.clone()
    }

    /// Puts a zone in a state.
    pub fn set_zone_state(&self, zone: &str, state: &str) -> bool {
        let mut region = self.lock();
        let found = region.holdings.zones.get_mut(zone);
        found.map(|found| state.clone_into(found)).is_some()
    }

    /// Adds an `<item>` behind the last of what an action lists, verbatim. Instances have
    /// [`Fleet::add_raw_instance`], load balancers nothing.
    pub fn add_raw(&self, action: &str, item: &str) {
        let mut region = self.lock();
        let raw = region.holdings.raw.entry(action.to_owned()).or_default();
        raw.push(item.to_owned());
    }
}

/// What the volumes of an instance are on it; of every other instance there are two.
pub(super) fn devices(instance: &Instance) -> &'static [&'static str] {
    if instance.serial.is_multiple_of(2) {
        &[ROOT_DEVICE, "/dev/sdb"]
    } else {
        &[ROOT_DEVICE]
    }
}

pub(super) const ROOT_DEVICE: &str = "/dev/sda1";

/// Where the serials of what belongs to no instance begin: ids are made of the lower 32 bits of a serial.
const SPARE: u64 = 1 << 31;

/// A cloud that lives for days shall not fill up with what its instances leave behind.
const UNUSED_AT_MOST: usize = 6;

const OUTSCALE_TYPES: &[&str] = &["standard", "gp2", "io1"];
const AWS_TYPES: &[&str] = &["gp2", "gp3", "io1"];

#[cfg(test)]
mod tests;
