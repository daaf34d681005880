use super::*;
use crate::demo::Options;

fn region(provider: Provider) -> Region {
    let options = Options {
        provider,
        ..Options::default()
    };
    Region::new("eu-west-2", &options)
}

fn at() -> Timestamp {
    Timestamp::constant(1_750_000_000, 0)
}

#[test]
fn every_instance_has_its_volumes_and_its_address_until_it_is_terminated() {
    for provider in Provider::ALL {
        let fleet = Fleet::new(region(provider));
        let instances = fleet.instances();
        let of = |id: &str| {
            let volumes = fleet.volumes().into_iter();
            let mut attachments = volumes.flat_map(|volume| volume.attachments);
            attachments.any(|attachment| attachment.instance_id == id)
        };
        for instance in &instances {
            assert_eq!(of(&instance.id), instance.state != "terminated");
        }
        let addressed = instances
            .iter()
            .find(|instance| instance.public_ip.is_some() && instance.state == "running")
            .unwrap();
        let volumes = fleet.volumes().len();
        assert!(fleet.set_state(&addressed.id, "terminated"));
        assert!(!of(&addressed.id));
        assert_eq!(fleet.volumes().len(), volumes - 1);
        let left = fleet.addresses().into_iter();
        let mut left = left.filter(|address| Some(&address.public_ip) == addressed.public_ip.as_ref());
        assert_eq!(left.next().unwrap().instance_id, None);
    }
}

#[test]
fn room_in_a_subnet_follows_its_instances() {
    let fleet = Fleet::new(region(Provider::Aws));
    let (subnet, before) = fleet.subnets()[0].clone();
    let instances = fleet.instances();
    let inside = instances
        .iter()
        .find(|instance| instance.subnet_id.as_ref() == Some(&subnet.id) && instance.state != "terminated");
    fleet.set_state(&inside.unwrap().id, "terminated");
    assert_eq!(fleet.subnets()[0].1, before + 1);
}

#[test]
fn life_shows_impaired_volumes_and_leaves_no_heap_behind() {
    let mut region = region(Provider::Aws);
    let mut states = std::collections::BTreeSet::new();
    let mut impaired = 0;
    for _ in 0..500 {
        region.tick(at());
        let volumes = region.holdings.volumes.values();
        states.extend(volumes.clone().map(|volume| volume.state.clone()));
        impaired += volumes.filter(|volume| volume.status == "impaired").count();
        assert!(region.holdings.volumes.len() < 70);
        assert!(region.holdings.addresses.len() < 40);
    }
    assert_eq!(
        Vec::from_iter(states),
        ["available", "creating", "deleting", "in-use"]
    );
    assert!(impaired > 250);
}
