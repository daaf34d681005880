use std::collections::BTreeSet;

use super::*;
use crate::demo::fleet::Fleet;

fn region(target_groups: usize) -> Region {
    let options = Options {
        provider: Provider::Aws,
        target_groups,
        ..Options::default()
    };
    Region::new("eu-west-1", &options)
}

fn states(region: &Region) -> BTreeSet<String> {
    let groups = region.balancing.target_groups.iter();
    let healths = groups.flat_map(|group| region.healths(group));
    healths.map(|(_, health)| health.state).collect()
}

#[test]
fn groups_are_of_every_sort_and_some_share_a_load_balancer_or_have_two() {
    let region = region(SHAPES);
    let balancing = &region.balancing;
    let sorts: BTreeSet<_> = balancing.load_balancers.iter().map(|one| &*one.sort).collect();
    assert_eq!(
        sorts.into_iter().collect::<Vec<_>>(),
        ["application", "gateway", "network"]
    );
    let types: BTreeSet<_> = balancing
        .target_groups
        .iter()
        .map(|one| &*one.target_type)
        .collect();
    assert_eq!(
        types.into_iter().collect::<Vec<_>>(),
        ["alb", "instance", "ip", "lambda"]
    );
    let of = |index: usize| &balancing.target_groups[index].load_balancers;
    assert_eq!(of(0), of(1));
    assert_eq!(of(4).len(), 2);
    let known: Vec<_> = balancing.load_balancers.iter().map(|one| &one.arn).collect();
    let mut named = balancing.target_groups.iter().flat_map(|one| &one.load_balancers);
    assert!(named.all(|arn| known.contains(&arn)));
    let outscale = Region::new("eu-west-2", &Options::default());
    assert!(outscale.balancing.target_groups.is_empty());
}

#[test]
fn health_follows_the_instance_unless_forced() {
    let fleet = Fleet::new(region(1));
    let id = fleet.target_groups()[0].targets[0].id.clone();
    let health = || {
        let all = fleet.target_health("shop-pages").into_iter();
        let mut found = all.filter(|(target, _)| target.id == id);
        found.next().map(|(_, health)| health.state)
    };
    for (state, expected) in [
        ("pending", Some("initial")),
        ("running", Some("healthy")),
        ("stopped", Some("unused")),
        ("shutting-down", Some("draining")),
        ("terminated", None),
    ] {
        fleet.set_state(&id, state);
        assert_eq!(health().as_deref(), expected, "{state}");
    }
    let forced = TargetHealth::new("draining", "Target.DeregistrationInProgress");
    assert!(fleet.set_target_health("shop-pages", &id, &forced));
    assert_eq!(health().as_deref(), Some("draining"));
    fleet.remove(&id);
    assert_eq!(health(), None);
}

#[test]
fn groups_live_and_keep_their_size() {
    let mut region = region(SHAPES);
    let sizes = |region: &Region| -> Vec<usize> {
        let groups = region.balancing.target_groups.iter();
        groups.map(|group| group.targets.len()).collect()
    };
    let (before, mut seen) = (sizes(&region), BTreeSet::new());
    for _ in 0..200 {
        region.tick(ORIGIN);
        seen.extend(states(&region));
        let terminated = |id: &str| {
            let instance = region.instance(id);
            instance.is_some_and(|instance| instance.state == "terminated")
        };
        let groups = region.balancing.target_groups.iter();
        let mut targets = groups.flat_map(|group| &group.targets);
        assert!(targets.all(|target| !terminated(&target.id)));
    }
    assert_eq!(sizes(&region), before);
    let expected = [
        "draining",
        "healthy",
        "initial",
        "unavailable",
        "unhealthy",
        "unused",
    ];
    assert_eq!(seen.into_iter().collect::<Vec<_>>(), expected);
}
