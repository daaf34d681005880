//! What a fleet's target groups and their load balancers ought to become, from what the demo cloud holds.

use std::collections::{BTreeMap, BTreeSet};

use vigie::demo::{Fleet, LoadBalancerV2, TargetGroup};

use crate::page::{Page, Series};

/// Every sample, for the account `prod` in this region.
pub(crate) fn truth(fleet: &Fleet, region: &str) -> BTreeMap<Series, f64> {
    let mut samples = BTreeMap::new();
    let mut add = |name: &str, labels: &[&[(&str, &str)]], value: f64| {
        let own = [("account", "prod"), ("region", region)];
        let labels = own.iter().chain(labels.iter().copied().flatten());
        let labels = labels.filter(|(_, value)| !value.is_empty());
        let labels = labels.map(|(label, value)| ((*label).to_owned(), (*value).to_owned()));
        let series = Series {
            name: name.to_owned(),
            labels: labels.collect(),
        };
        let before = samples.insert(series.clone(), value);
        assert!(before.is_none(), "{series:?} is there twice");
    };
    let (balancers, groups) = (fleet.load_balancers_v2(), fleet.target_groups());
    for balancer in &balancers {
        let own = names(balancer);
        let scheme = balancer.scheme.as_deref().unwrap_or_default();
        let facts = [
            ("scheme", scheme),
            ("dns_name", &balancer.dns_name),
            ("vpc_id", &balancer.vpc_id),
        ];
        add("cloud_load_balancer_info", &[&own, &facts], 1.0);
        let known = ["active", "provisioning", "active_impaired", "failed"];
        let unknown = (!known.contains(&&*balancer.state)).then_some(&*balancer.state);
        for state in known.into_iter().chain(unknown) {
            let value = f64::from(u8::from(state == balancer.state));
            add("cloud_load_balancer_state", &[&own, &[("state", state)]], value);
        }
        let created = balancer.created.as_duration().as_secs_f64();
        add("cloud_load_balancer_created_timestamp_seconds", &[&own], created);
        for (protocol, port) in &balancer.listeners {
            let port = port.to_string();
            let listens = [("protocol", &**protocol), ("port", &port)];
            add("cloud_load_balancer_listener_info", &[&own, &listens], 1.0);
        }
        let behind = groups
            .iter()
            .filter(|group| group.load_balancers.contains(&balancer.arn));
        let mut states: Option<Vec<String>> = None;
        for group in behind {
            let healths = fleet.target_health(&group.name).into_iter();
            let of_group = healths.map(|(_, health)| health.state);
            states.get_or_insert_default().extend(of_group);
        }
        let is = |state: &str| states.iter().flatten().any(|one| one == state);
        if states.is_some() && (is("healthy") || !is("unavailable")) {
            let value = if is("healthy") { 0.0 } else { 1.0 };
            add("cloud_load_balancer_without_healthy_backend", &[&own], value);
        }
    }
    for group in &groups {
        let routing = balancers
            .iter()
            .filter(|one| group.load_balancers.contains(&one.arn));
        let mut places: Vec<Vec<(&str, &str)>> = routing.map(|one| names(one).to_vec()).collect();
        if places.is_empty() {
            places.push(Vec::new());
        }
        for place in places {
            add_group(fleet, group, &place, &mut add);
        }
    }
    samples
}

fn add_group(
    fleet: &Fleet,
    group: &TargetGroup,
    place: &[(&str, &str)],
    add: &mut impl FnMut(&str, &[&[(&str, &str)]], f64),
) {
    let named = [("target_group", &*group.name)];
    let (protocol, port) = group
        .listens
        .as_ref()
        .map_or(("", String::new()), |(protocol, port)| {
            (protocol.as_str(), port.to_string())
        });
    let facts = [
        ("load_balancer", place.first().map_or("", |(_, name)| name)),
        ("protocol", protocol),
        ("port", &port),
        ("target_type", &group.target_type),
        ("vpc_id", group.vpc_id.as_deref().unwrap_or_default()),
    ];
    add("cloud_target_group_info", &[&named, &facts], 1.0);
    let targets = fleet.target_health(&group.name);
    let healthy = targets.iter().filter(|(_, health)| health.state == "healthy");
    add(
        "cloud_load_balancer_backends",
        &[place, &named],
        targets.len() as f64,
    );
    add(
        "cloud_load_balancer_healthy_backends",
        &[place, &named],
        healthy.count() as f64,
    );
    for (target, health) in &targets {
        let id = if group.target_type == "instance" {
            "instance_id"
        } else {
            "target"
        };
        let port = target.port.map(|port| port.to_string()).unwrap_or_default();
        let own = [(id, &*target.id), ("port", &port)];
        let value = f64::from(u8::from(health.state == "healthy"));
        add(
            "cloud_load_balancer_backend_healthy",
            &[place, &named, &own],
            value,
        );
        let reason = health.reason.as_deref().unwrap_or_default();
        let said = [("state", &*health.state), ("reason", reason)];
        add(
            "cloud_load_balancer_backend_state_info",
            &[place, &named, &own, &said],
            1.0,
        );
    }
}

fn names(balancer: &LoadBalancerV2) -> [(&'static str, &str); 2] {
    [("load_balancer", &balancer.name), ("type", &balancer.sort)]
}

/// The page shows these samples of one region, and no others.
pub(crate) fn assert_shown(page: &Page, region: &str, expected: &BTreeMap<Series, f64>) {
    let shown: BTreeSet<String> = told(&shown(page, region));
    let expected = told(expected);
    let missing: Vec<_> = expected.difference(&shown).take(20).collect();
    let wrong: Vec<_> = shown.difference(&expected).take(20).collect();
    assert!(
        missing.is_empty() && wrong.is_empty(),
        "missing: {missing:#?}\nnot so: {wrong:#?}"
    );
}

fn told(samples: &BTreeMap<Series, f64>) -> BTreeSet<String> {
    let samples = samples.iter();
    samples
        .map(|(Series { name, labels }, value)| format!("{name} {labels:?} {value}"))
        .collect()
}

/// What the page shows of one region that is not about instances, classic load balancers or both.
pub(crate) fn shown(page: &Page, region: &str) -> BTreeMap<Series, f64> {
    let samples = page.samples().filter(|(series, _)| {
        let label = |name: &str| series.labels.get(name).map(String::as_str);
        let is_joined = series.name.ends_with("_dead_backends") || label("instance_state").is_some();
        let is_of_groups =
            series.name.starts_with("cloud_load_balancer_") || series.name.starts_with("cloud_target_group_");
        is_of_groups && !is_joined && label("region") == Some(region) && label("type") != Some("classic")
    });
    samples.map(|(series, value)| (series.clone(), value)).collect()
}
