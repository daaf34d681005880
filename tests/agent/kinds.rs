//! Every kind against the truth of the demo cloud, in both providers' manner.

use std::collections::{BTreeMap, BTreeSet};

use vigie::demo::{Address, Check, Cloud, Event, Fault, Instance, Key, Options, Volume};
use vigie::exposition::Format;
use vigie::provider::Provider;
use vigie::resources::{KINDS, kinds_of};

use crate::bench::{Account, Bench, cloud, still, still_aws, with_wrong_secret};
use crate::page::Page;

/// What something says of itself.
type Fact<T> = fn(&T) -> Option<String>;

fn key(cloud: &Cloud) -> Key {
    let actions = KINDS.iter().flat_map(|kind| kind.actions);
    let actions: Vec<String> = actions.map(|action| action.policy_name()).collect();
    let actions: Vec<&str> = actions.iter().map(String::as_str).collect();
    cloud.create_describe_only_user("watcher", &actions)
}

/// Watches everything that the provider has.
pub(crate) fn watching(provider: Provider, cloud: &Cloud) -> Bench {
    Bench::one(Account {
        provider,
        every_kind: true,
        lines: "requests_per_second = 1000",
        ..Account::new(cloud, &key(cloud))
    })
}

pub(crate) fn of(provider: Provider) -> Options {
    match provider {
        Provider::Outscale => still(),
        Provider::Aws => still_aws(),
    }
}

/// The values of a family by one label, each of which is there once.
pub(crate) fn by(page: &Page, family: &str, label: &str) -> BTreeMap<String, f64> {
    let mut values = BTreeMap::new();
    for (series, value) in page.family(family) {
        let before = values.insert(series.labels[label].clone(), value);
        assert_eq!(before, None, "{series:?} is there twice");
    }
    values
}

/// The state, or the status, of each thing: of all the series of one, exactly one is 1.
pub(crate) fn current(page: &Page, family: &str, id: &str, word: &str) -> BTreeMap<String, String> {
    let mut current = BTreeMap::new();
    for (series, _) in page.family(family).filter(|(_, value)| *value > 0.0) {
        let before = current.insert(series.labels[id].clone(), series.labels[word].clone());
        assert_eq!(before, None, "{series:?} is in two states");
    }
    current
}

/// What `label` says of each thing, where it says something.
pub(crate) fn told(page: &Page, family: &str, id: &str, label: &str) -> BTreeMap<String, String> {
    let samples = page.family(family);
    samples
        .filter_map(|(series, _)| Some((series.labels[id].clone(), series.labels.get(label)?.clone())))
        .collect()
}

fn name_in(tags: &[(String, String)]) -> Option<String> {
    let name = tags.iter().find(|(key, _)| key == "Name");
    name.map(|(_, name)| name.clone()).filter(|name| !name.is_empty())
}

#[tokio::test(start_paused = true)]
async fn every_kind_is_the_truth_in_both_manners() {
    for provider in Provider::ALL {
        let cloud = cloud(of(provider)).await;
        let fleet = cloud.fleet();
        let zone = fleet.zones().into_keys().next().unwrap();
        assert!(fleet.set_zone_state(&zone, "impaired"));
        let volumes = fleet.volumes();
        assert!(fleet.change_volume(&volumes[0].id, |volume| {
            "warning".clone_into(&mut volume.status);
            "updating".clone_into(&mut volume.state);
        }));
        let page = watching(provider, &cloud).succeeds().await;

        for kind in kinds_of(provider) {
            let success = page.value("vigie_poll_success", &[("kind", kind.name)]);
            assert_eq!(success, Some(1.0), "{provider} {}", kind.name);
        }
        assert_eq!(
            current(
                &page,
                "cloud_availability_zone_state",
                "availability_zone",
                "state"
            ),
            fleet.zones()
        );
        assert_volumes(&page, provider, &cloud);
        assert_network(&page, &cloud);
        let quotas = by(&page, "cloud_quota_limit", "quota");
        assert_eq!((quotas["max-instances"], quotas.len()), (40.0, 4));
        assert!(!quotas.contains_key("default-vpc"));
        let ids = fleet.instances().len();
        let objects = |kind| page.value("vigie_poll_objects", &[("kind", kind)]);
        assert_eq!(objects("instance_status"), Some(ids as f64));
    }
}

pub(crate) fn assert_volumes(page: &Page, provider: Provider, cloud: &Cloud) {
    let volumes = cloud.fleet().volumes();
    let truth = |fact: Fact<Volume>| -> BTreeMap<String, String> {
        let told = volumes
            .iter()
            .filter_map(|volume| Some((volume.id.clone(), fact(volume)?)));
        told.collect()
    };
    let info = |label| told(page, "cloud_volume_info", "volume_id", label);
    assert_eq!(
        current(page, "cloud_volume_state", "volume_id", "state"),
        truth(|volume| Some(volume.state.clone()))
    );
    assert_eq!(info("name"), truth(|volume| name_in(&volume.tags)));
    assert_eq!(
        info("volume_type"),
        truth(|volume| Some(volume.volume_type.clone()))
    );
    assert_eq!(
        info("availability_zone"),
        truth(|volume| Some(volume.availability_zone.clone()))
    );
    let figures = |family, fact: fn(&Volume) -> Option<f64>| {
        let told = volumes
            .iter()
            .filter_map(|volume| Some((volume.id.clone(), fact(volume)?)));
        assert_eq!(by(page, family, "volume_id"), told.collect(), "{family}");
    };
    figures("cloud_volume_size_bytes", |volume| {
        Some((volume.gibibytes << 30) as f64)
    });
    figures("cloud_volume_iops", |volume| volume.iops.map(|iops| iops as f64));
    figures("cloud_volume_created_timestamp_seconds", |volume| {
        Some(volume.created.as_second() as f64)
    });
    let attached: BTreeSet<_> = page
        .family("cloud_volume_attachment_info")
        .map(|(series, _)| {
            ["volume_id", "instance_id", "device", "state"].map(|label| series.labels[label].clone())
        })
        .collect();
    let mut expected = BTreeSet::new();
    for volume in &volumes {
        for attachment in &volume.attachments {
            let of = [
                &volume.id,
                &attachment.instance_id,
                &attachment.device,
                &attachment.state,
            ];
            expected.insert(of.map(String::clone));
        }
    }
    assert_eq!(attached, expected);
    assert!(expected.len() > 24 && expected.len() < volumes.len());

    let statuses = current(page, "cloud_volume_status", "volume_id", "status");
    match provider {
        Provider::Aws => assert_eq!(statuses, truth(|volume| Some(volume.status.clone()))),
        Provider::Outscale => assert!(statuses.is_empty()),
    }
}

fn assert_network(page: &Page, cloud: &Cloud) {
    let addresses = cloud.fleet().addresses();
    let attached = by(page, "cloud_address_attached", "public_ip");
    let expected = addresses.iter().map(|address| {
        let attached = address.instance_id.is_some();
        (address.public_ip.clone(), f64::from(u8::from(attached)))
    });
    assert_eq!(attached, expected.collect());
    assert!(attached.values().any(|attached| *attached > 0.0));
    assert_eq!(attached.get("198.51.100.7"), Some(&0.0));
    let facts: [(&str, Fact<Address>); 6] = [
        ("allocation_id", |address| address.allocation_id.clone()),
        ("domain", |address| Some(address.domain.clone())),
        ("instance_id", |address| address.instance_id.clone()),
        ("network_interface_id", |address| {
            address.network_interface_id.clone()
        }),
        ("private_ip", |address| address.private_ip.clone()),
        ("name", |address| name_in(&address.tags)),
    ];
    for (label, fact) in facts {
        let truth = addresses
            .iter()
            .filter_map(|address| Some((address.public_ip.clone(), fact(address)?)));
        let told = told(page, "cloud_address_info", "public_ip", label);
        assert_eq!(told, truth.collect(), "{label}");
    }

    let subnets = cloud.fleet().subnets();
    let left = subnets
        .iter()
        .map(|(subnet, left)| (subnet.id.clone(), *left as f64));
    assert_eq!(
        by(page, "cloud_subnet_available_addresses", "subnet_id"),
        left.collect()
    );
    assert_eq!(
        current(page, "cloud_subnet_state", "subnet_id", "state").len(),
        subnets.len()
    );
    let ranges = told(page, "cloud_subnet_info", "subnet_id", "cidr_block");
    let truth = subnets
        .iter()
        .map(|(subnet, _)| (subnet.id.clone(), subnet.cidr_block.clone()));
    assert_eq!(ranges, truth.collect());
}

#[tokio::test(start_paused = true)]
async fn impaired_check_shows_with_its_time_and_goes_when_it_is_well() {
    const FAILED: &str = "cloud_instance_status_check_failed";
    const SINCE: &str = "cloud_instance_status_check_impaired_timestamp_seconds";
    let cloud = cloud(still_aws()).await;
    let fleet = cloud.fleet();
    let running = |state: &str| {
        let instances = fleet.instances();
        instances
            .into_iter()
            .find(|instance| instance.state == state)
            .unwrap()
            .id
    };
    let (id, stopped) = (running("running"), running("stopped"));
    let checks = [
        (Check::System, "system"),
        (Check::Instance, "instance"),
        (Check::AttachedEbs, "attached_ebs"),
        (Check::Application, "application"),
        (Check::Performance, "performance"),
    ];
    let bench = watching(Provider::Aws, &cloud);
    for (check, name) in checks {
        assert!(fleet.impair(&id, check));
        let since = fleet.instance(&id).unwrap().impaired[0].1.as_second() as f64;
        let page = bench.succeeds().await;
        let own = [("instance_id", id.as_str()), ("check", name)];
        assert_eq!(page.value(FAILED, &own), Some(1.0), "{name}");
        assert_eq!(page.value(SINCE, &own), Some(since), "{name}");
        assert_eq!(page.family(SINCE).count(), 1);
        assert_eq!(page.family(FAILED).filter(|(_, value)| *value > 0.0).count(), 1);

        assert!(fleet.heal(&id));
        let page = bench.succeeds().await;
        // Applications tell nothing until they fail.
        let well = (check != Check::Application).then_some(0.0);
        assert_eq!(page.value(FAILED, &own), well, "{name}");
        assert_eq!(page.family(SINCE).count(), 0);
        let shown: Vec<_> = page.family(FAILED).map(|(series, _)| series).collect();
        assert!(shown.iter().any(|series| series.labels["instance_id"] == id));
        assert!(shown.iter().all(|series| series.labels["instance_id"] != stopped));
    }
}

#[tokio::test(start_paused = true)]
async fn completed_event_leaves_the_page() {
    const NOT_BEFORE: &str = "cloud_instance_scheduled_event_not_before_timestamp_seconds";
    for provider in Provider::ALL {
        let cloud = cloud(of(provider)).await;
        let fleet = cloud.fleet();
        // Of an instance that does not run, too.
        let stopped = fleet.instances().into_iter().find(|one| one.state == "stopped");
        let id = stopped.unwrap().id;
        let event = Event {
            id: "instance-event-0d59937288b749b32".to_owned(),
            code: "system-maintenance".to_owned(),
            description: "scheduled maintenance".to_owned(),
            not_before: "2030-01-02T03:04:05Z".parse().unwrap(),
            not_after: Some("2030-01-02T04:04:05Z".parse().unwrap()),
            deadline: Some("2030-02-02T03:04:05Z".parse().unwrap()),
        };
        assert!(fleet.schedule(&id, event));
        let bench = watching(provider, &cloud);
        let page = bench.succeeds().await;
        let own = [
            ("instance_id", id.as_str()),
            ("event_id", "instance-event-0d59937288b749b32"),
            ("code", "system-maintenance"),
        ];
        assert_eq!(page.value(NOT_BEFORE, &own), Some(1_893_553_445.0));
        for (family, time) in [("not_after", 1_893_557_045.0), ("deadline", 1_896_231_845.0)] {
            let family = NOT_BEFORE.replace("not_before", family);
            assert_eq!(page.value(&family, &own), Some(time));
        }

        for mark in ["[Completed] ", "[Canceled] ", " [COMPLETED]"] {
            let over = |instance: &mut Instance| {
                instance.events[0].description = format!("{mark}scheduled maintenance");
            };
            assert!(fleet.change(&id, over));
            let page = bench.succeeds().await;
            assert_eq!(page.family(NOT_BEFORE).count(), 0, "{mark}");
            assert!(!bench.text(Format::Text).contains("scheduled_event"), "{mark}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn kind_that_the_cloud_does_not_answer_leaves_the_others_untouched() {
    let cloud = cloud(still_aws()).await;
    cloud.inject("DescribeVolumeStatus", Fault::Status(500), None);
    let bench = watching(Provider::Aws, &cloud);
    let (poll, _) = bench.fails().await;
    assert!(poll.starts_with("prod eu-west-2 volume_status: "), "{poll}");
    let page = bench.shown();
    assert_eq!(page.family("cloud_volume_status").count(), 0);
    let sizes = by(&page, "cloud_volume_size_bytes", "volume_id");
    assert_eq!(sizes.len(), cloud.fleet().volumes().len());
}

/// OUTSCALE locks the account at the fourth refusal in a row, and there are more kinds than that.
#[tokio::test(start_paused = true)]
async fn wrong_key_is_tried_once_however_many_kinds_there_are() {
    let cloud = cloud(still()).await;
    let bench = Bench::one(Account {
        every_kind: true,
        ..Account::new(&cloud, &with_wrong_secret(&key(&cloud)))
    });
    let failed = bench.once().await;
    assert_eq!(failed.len(), kinds_of(Provider::Outscale).len());
    assert!(
        failed.iter().all(|(poll, _)| poll.ends_with(": auth")),
        "{failed:?}"
    );
    assert_eq!(cloud.requests().len(), 1);
    assert_eq!(cloud.times_locked_out(), 0);
}
