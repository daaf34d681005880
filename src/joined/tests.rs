use std::borrow::Cow;
use std::time::Duration;

use jiff::Timestamp;
use tokio::time::advance;

use super::*;
use crate::resource::{BackendInstance, Instances};
use crate::text::Text;

const KIND: &str = "load_balancers";

fn observation() -> Observation {
    Observation::of(&FAMILIES, "a", Provider::Aws, "r", Show::default())
}

/// Instances listed now, begun so long ago.
fn listed(states: &[(&str, &'static str)], is_whole: bool, took: Duration) -> Arc<Reading> {
    let mut observation = observation();
    let states = states
        .iter()
        .map(|(id, state)| ((*id).to_owned(), Cow::Borrowed(*state)));
    observation.facts.instances = Some(Instances {
        states: states.collect(),
        is_whole,
    });
    Arc::new(Reading::new(observation, Timestamp::now(), Instant::now() - took))
}

fn behind(ids: &[&str]) -> Arc<Reading> {
    let mut observation = observation();
    let backend = |id: &&str| BackendInstance {
        instance_id: (*id).to_owned(),
        port: None,
    };
    observation.facts.backends.push(BackendGroup {
        labels: vec![
            ("load_balancer", "web".to_owned()),
            ("type", "classic".to_owned()),
        ],
        backends: ids.iter().map(backend).collect(),
    });
    Arc::new(Reading::new(observation, Timestamp::now(), Instant::now()))
}

fn joined() -> Joined {
    Joined::new("a".to_owned(), Provider::Aws, "r".to_owned())
}

/// The states shown by id, and the number of dead ones.
fn shown(joined: &Joined) -> (Vec<String>, Option<String>) {
    let readings = joined.readings();
    let text = |index: usize| {
        let texts = readings.iter().map(|(_, reading)| &reading.texts[index]);
        texts.flat_map(Text::chunks).collect::<String>()
    };
    let of = |line: &str, label: &str| {
        let (_, rest) = line.split_once(&format!("{label}=\"")).unwrap();
        rest.split('"').next().unwrap().to_owned()
    };
    let states = text(0);
    let states = states
        .lines()
        .map(|line| format!("{} {}", of(line, "instance_id"), of(line, "instance_state")));
    let dead = text(1)
        .lines()
        .next()
        .map(|line| line.rsplit(' ').next().unwrap().to_owned());
    (states.collect(), dead)
}

#[tokio::test(start_paused = true)]
async fn backend_shows_the_state_of_its_instance_whichever_was_read_last() {
    let instances = || {
        listed(
            &[("i-1", "running"), ("i-2", "stopped"), ("i-3", "stopping")],
            true,
            Duration::ZERO,
        )
    };
    let expected = (
        ["i-1 running", "i-2 stopped", "i-3 stopping"]
            .map(str::to_owned)
            .to_vec(),
        Some("1".to_owned()),
    );
    let one = joined();
    one.take(KIND, &behind(&["i-1", "i-2", "i-3", "i-2"]));
    assert_eq!(shown(&one), (vec![], None), "nothing is known of instances");
    one.take("instances", &instances());
    assert_eq!(shown(&one), expected);
    let other = joined();
    other.take("instances", &instances());
    other.take(KIND, &behind(&["i-1", "i-2", "i-3"]));
    assert_eq!(shown(&other), expected);
}

#[tokio::test(start_paused = true)]
async fn instance_is_unknown_only_to_a_list_that_began_after_it_was_seen_behind_a_load_balancer() {
    let joined = joined();
    joined.take("instances", &listed(&[], true, Duration::ZERO));
    advance(Duration::from_secs(1)).await;
    joined.take(KIND, &behind(&["i-new"]));
    assert_eq!(shown(&joined).0, [""; 0], "it may have been launched in between");
    // This one began before, and ended after.
    joined.take("instances", &listed(&[], true, Duration::from_secs(1)));
    assert_eq!(shown(&joined).0, [""; 0]);
    advance(Duration::from_secs(1)).await;
    joined.take("instances", &listed(&[], true, Duration::ZERO));
    assert_eq!(
        shown(&joined),
        (vec!["i-new unknown".to_owned()], Some("1".to_owned()))
    );
    // It does not come and go with every reading of the load balancers.
    advance(Duration::from_secs(1)).await;
    joined.take(KIND, &behind(&["i-new", "i-newer"]));
    assert_eq!(shown(&joined).0, ["i-new unknown"]);
}

#[tokio::test(start_paused = true)]
async fn instance_whose_state_the_cloud_does_not_say_or_know_is_neither_missing_nor_dead() {
    for state in ["", "unknown"] {
        let joined = joined();
        joined.take(KIND, &behind(&["i-odd", "i-1"]));
        advance(Duration::from_secs(1)).await;
        let states = [("i-odd", state), ("i-1", "stopped")];
        joined.take("instances", &listed(&states, true, Duration::ZERO));
        assert_eq!(
            shown(&joined),
            (vec!["i-1 stopped".to_owned()], None),
            "nobody knows how many are dead: {state:?}"
        );
        assert!(!joined.is_in_doubt());
    }
}

#[tokio::test(start_paused = true)]
async fn list_that_leaves_instances_out_makes_none_unknown() {
    let joined = joined();
    joined.take(KIND, &behind(&["i-1", "i-2"]));
    advance(Duration::from_secs(1)).await;
    joined.take(
        "instances",
        &listed(&[("i-1", "terminated")], false, Duration::ZERO),
    );
    assert_eq!(
        shown(&joined),
        (vec!["i-1 terminated".to_owned()], None),
        "nobody knows how many are dead"
    );
}

#[tokio::test(start_paused = true)]
async fn what_is_joined_is_as_old_as_the_older_reading() {
    let joined = joined();
    joined.take("instances", &listed(&[("i-1", "running")], true, Duration::ZERO));
    advance(Duration::from_secs(50)).await;
    joined.take(KIND, &behind(&["i-1"]));
    let (_, reading) = joined.readings().remove(0);
    advance(Duration::from_secs(11)).await;
    assert!(reading.is_older_than(Duration::from_secs(60)));
    assert!(!reading.is_older_than(Duration::from_secs(62)));
}

#[tokio::test(start_paused = true)]
async fn load_balancers_that_are_gone_leave_nothing_behind() {
    let joined = joined();
    joined.take("instances", &listed(&[("i-1", "stopped")], true, Duration::ZERO));
    joined.take(KIND, &behind(&["i-1"]));
    assert_eq!(shown(&joined).1.as_deref(), Some("1"));
    let none = Arc::new(Reading::new(observation(), Timestamp::now(), Instant::now()));
    joined.take(KIND, &none);
    assert_eq!(shown(&joined), (vec![], None));
}
