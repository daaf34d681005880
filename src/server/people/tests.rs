use std::sync::Arc;

use jiff::SignedDuration;
use tokio::time::Instant;

use super::html::{message, name, push_table, span};
use super::*;
use crate::provider::Provider;
use crate::reading::Reading;
use crate::resource::{Kind, Observation, Show};
use crate::resources::{balancers, instance_status, instances, load_balancers};

#[test]
fn foreign_text_cannot_become_markup() {
    assert_eq!(
        name("<a href=\"x\" y='z'>&").to_string(),
        "<bdi>&lt;a href=&quot;x&quot; y=&#39;z&#39;&gt;&amp;</bdi>"
    );
}

#[test]
fn what_is_to_be_copied_from_a_message_is_code() {
    assert_eq!(
        message("run `a <b>`, or `c").to_string(),
        "<bdi>run <code>a &lt;b&gt;</code>, or <code>c</code></bdi>"
    );
    assert_eq!(name("a`b").to_string(), "<bdi>a`b</bdi>");
}

#[test]
fn foreign_text_cannot_turn_or_hide_what_is_around_it() {
    let turning = "a\u{202e}b\u{2066}c\u{200f}d\u{61c}e\nf\0g\u{9b}h";
    assert_eq!(name(turning).to_string(), "<bdi>a·b·c·d·e·f·g·h</bdi>");
    assert_eq!(name("שלום 🦀").to_string(), "<bdi>שלום 🦀</bdi>");
    let long = name(&"é".repeat(300)).to_string();
    assert!(long.ends_with("é…</bdi>") && long.chars().count() < 100, "{long}");
}

#[test]
fn times_are_told_in_two_units() {
    for (seconds, told) in [
        (-5, "0 s"),
        (59, "59 s"),
        (60, "1 min 0 s"),
        (3_599, "59 min 59 s"),
        (7_260, "2 h 1 min"),
        (90_000, "1 d 1 h"),
    ] {
        assert_eq!(span(seconds), told);
    }
    let now = Now("2026-11-22T15:40:12Z".parse().unwrap());
    let hour = SignedDuration::from_hours(1);
    assert_eq!(
        now.ago(now.0 - hour),
        "<time datetime=\"2026-11-22T14:40:12Z\">1 h 0 min ago <span class=\"clock\">14:40:12</span></time>"
    );
    // Of another day, with the day.
    assert!(
        now.until(now.0 + hour * 24)
            .contains("in 1 d 0 h <span class=\"clock\">2026-11-23 15:40")
    );
    assert!(now.until(now.0 - hour).contains("1 h 0 min ago"));
}

#[test]
fn the_worst_load_balancers_come_first_and_say_why() {
    let mut observation = empty(&load_balancers::KIND);
    for (name, healths) in [
        ("a-good", &["InService"; 2][..]),
        ("b-partly", &["InService", "OutOfService", "OutOfService"]),
        ("c-down", &["OutOfService"]),
        ("d-empty", &[]),
    ] {
        let own = [("load_balancer", name), ("type", "classic")];
        let ids: Vec<[(&str, &str); 1]> = ["i-1", "i-2", "i-3"].map(|id| [("instance_id", id)]).to_vec();
        let backends = healths.iter().zip(&ids).map(|(state, id)| balancers::Backend {
            labels: id,
            state,
            reason: "ELB",
            is_healthy: *state == "InService",
        });
        balancers::write_backends(&mut observation, &own, &backends.collect::<Vec<_>>());
        let is_down = f64::from(u8::from(name == "c-down"));
        let sample = observation.sample(&balancers::WITHOUT_HEALTHY_BACKEND);
        sample.labels(&own).value(is_down);
    }
    let readings = [read(observation)];
    let fleet = Fleet::of(&readings);
    let rows = fleet.balancers.rows.iter();
    let shown: Vec<_> = rows
        .map(|row| (&*row.labels[2], row.mark(), row.healthy, row.backends))
        .collect();
    assert_eq!(
        shown,
        [
            ("c-down", Mark::Bad, 0, 1),
            ("b-partly", Mark::Warning, 1, 3),
            ("d-empty", Mark::Neutral, 0, 0),
            ("a-good", Mark::Good, 2, 2),
        ]
    );
    let causes: Vec<_> = fleet.balancers.rows[1].causes.iter().collect();
    assert_eq!(causes, [(&("OutOfService".into(), "ELB".into()), &2)]);
    assert_eq!(fleet.balancers_marked[&Mark::Warning], 1);
}

#[test]
fn instances_are_counted_and_named_and_lists_are_cut() {
    let mut listed = empty(&instances::KIND);
    let mut checked = empty(&instance_status::KIND);
    for number in 0..120 {
        let id = format!("i-{number:03}");
        let state = if number % 3 == 0 { "stopped" } else { "running" };
        listed.state(
            &instances::STATE,
            &[("instance_id", &id)],
            &["running", "stopped"],
            state,
        );
        let sample = listed.sample(&instances::INFO);
        let called = format!("a \"{number}\"");
        sample.label("instance_id", &id).label("name", &called).value(1.0);
        let sample = checked.sample(&instance_status::CHECK_FAILED);
        sample
            .label("instance_id", &id)
            .label("check", "system")
            .value(1.0);
        let sample = checked.sample(&instance_status::NOT_BEFORE);
        let event = [
            ("instance_id", id.as_str()),
            ("event_id", "e"),
            ("code", "system-reboot"),
        ];
        sample.labels(&event).value(f64::from(2_000_000_000 - number));
    }
    let readings = [read(listed), read(checked)];
    let fleet = Fleet::of(&readings);
    let states = &fleet.states[&["prod".into(), "eu-west-2".into()]];
    assert_eq!((states["running"], states["stopped"]), (80, 40));
    assert_eq!(
        (fleet.impaired.rows.len(), fleet.impaired.total),
        (html::LIMIT, 120)
    );
    // The next first.
    let next = &fleet.events.rows[0].instance;
    assert_eq!((&*next[2], fleet.name(next)), ("i-119", Some("a \"119\"")));
}

#[test]
fn a_table_has_a_caption_and_tells_what_its_headings_are_of() {
    let columns = [("Kind", false), ("Objects", true)];
    let mut body = String::new();
    html::push_row(&mut body, &columns, &["instances".to_owned(), "5".to_owned()]);
    let mut page = String::new();
    push_table(&mut page, "x", "As of now", &columns, &body);
    for part in [
        "aria-labelledby=\"x-caption\"",
        "<caption id=\"x-caption\">As of now</caption>",
        "<th scope=\"col\">Kind</th><th scope=\"col\" class=\"figure\">Objects</th>",
        "<th scope=\"row\">instances</th><td class=\"figure\">5</td>",
    ] {
        assert!(page.contains(part), "{part} is not in {page}");
    }
}

#[test]
fn policy_names_the_style_that_is_sent() {
    let headers = headers();
    let policy = headers[0].1.to_str().unwrap();
    let hash = STANDARD.encode(Sha256::digest(STYLE));
    assert!(
        policy.contains(&format!("style-src 'sha256-{hash}';")),
        "{policy}"
    );
    // It stands between its tags untouched, so it may not end there.
    assert!(!STYLE.contains('<') && !STYLE.contains('\r'));
}

fn empty(kind: &Kind) -> Observation {
    Observation::new(kind, "prod", Provider::Outscale, "eu-west-2", Show::default())
}

fn read(observation: Observation) -> Arc<Reading> {
    Arc::new(Reading::new(observation, Timestamp::now(), Instant::now()))
}
