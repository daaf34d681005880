//! What the agent promises, and the tests that would fail if it broke its word.

use std::fmt::Write as _;
use std::fs;
use std::path::Path;
use std::time::Duration;

use futures_util::future;
use tokio::net::TcpListener;
use tokio::time::sleep;
use vigie::api::Effect;
use vigie::demo;
use vigie::resources::{self, KINDS};
use vigie::server;

use crate::bench::{Account, Bench, asked, cloud, still, watcher};
use crate::report;
use crate::shown::polls;

/// A promise, and the tests of it: file and name.
type Promise = (&'static str, &'static [(&'static str, &'static str)]);

const PROMISES: [Promise; 7] = [
    (
        "A scrape never waits for the cloud, and scrape load never reaches the cloud.",
        &[
            (
                "tests/faults/promises.rs",
                "scrapes_wait_for_no_cloud_and_ask_nothing_of_it",
            ),
            ("tests/server.rs", "polls_that_hang_do_not_hold_up_the_end"),
        ],
    ),
    (
        "Never a wrong or undated value: a reading is whole or absent, its age is on the page, and past `stale_after` it is \
         dropped.",
        &[
            (
                "tests/faults/matrix.rs",
                "every_action_meets_every_fault_as_it_has_to",
            ),
            (
                "tests/agent/paging.rs",
                "failing_page_fails_the_reading_and_the_last_whole_one_stays_for_a_while",
            ),
            (
                "tests/agent/answers.rs",
                "answer_without_its_list_is_malformed_and_no_empty_fleet",
            ),
            (
                "tests/balancers/failing.rs",
                "a_failure_in_any_of_the_calls_leaves_the_last_whole_reading",
            ),
            (
                "tests/prometheus.rs",
                "outage_keeps_the_last_reading_until_it_is_stale_and_then_heals",
            ),
        ],
    ),
    (
        "One odd object, tag, load balancer, region or account never takes the others down.",
        &[
            (
                "tests/faults/matrix.rs",
                "every_action_meets_every_fault_as_it_has_to",
            ),
            (
                "tests/faults/lending.rs",
                "every_action_that_lends_a_key_meets_every_fault_as_it_has_to",
            ),
            (
                "tests/agent/hostile.rs",
                "odd_instances_are_counted_and_the_others_shown",
            ),
            ("tests/agent/hostile.rs", "any_tags_come_back_from_the_page"),
            (
                "tests/agent/listings.rs",
                "odd_items_are_counted_and_the_others_shown_once",
            ),
            (
                "tests/balancers/failing.rs",
                "load_balancer_that_vanished_is_dropped_without_failing_the_poll",
            ),
            (
                "tests/agent/fleet.rs",
                "failing_region_or_account_leaves_the_others_samples_untouched",
            ),
        ],
    ),
    (
        "Outside `bootstrap`, `rotate` and `teardown`, the program contains no path to a call that could change anything; \
         the audit's probes, off by default, are the one exception, harmless by construction.",
        &[
            (
                "tests/faults/reach.rs",
                "only_the_room_of_identities_can_change_anything",
            ),
            ("tests/faults/reach.rs", "whatever_polls_has_no_way_there"),
            ("tests/faults/reach.rs", "audit_only_probes"),
            ("tests/faults/promises.rs", "whatever_is_polled_only_describes"),
            ("src/resources/tests.rs", "every_action_only_describes"),
            (
                "tests/killed/polling.rs",
                "agent_killed_at_any_moment_of_its_polls_leaves_nothing_behind",
            ),
            (
                "tests/audit/moto.rs",
                "key_that_moto_lets_do_everything_is_told_of_and_changes_nothing",
            ),
        ],
    ),
    (
        "A secret never appears in a log, an error, a metric, an argument list, the status page, a core dump or a file others \
         can read.",
        &[
            (
                "src/credentials/source/tests.rs",
                "secret_is_in_no_debug_error_or_log",
            ),
            (
                "tests/agent/answers.rs",
                "secrets_that_the_other_side_repeats_are_told_to_nobody",
            ),
            (
                "tests/agent/answers.rs",
                "secrets_that_are_repeated_in_escapes_are_told_to_nobody",
            ),
            (
                "tests/identity/proof.rs",
                "secret_in_an_answer_that_is_not_understood_is_told_to_nobody",
            ),
            ("tests/faults/promises.rs", "no_argument_takes_a_secret"),
            (
                "tests/sources/canary.rs",
                "secret_of_the_environment_and_of_files_is_nowhere_else",
            ),
            ("tests/sources/canary.rs", "secret_on_loan_is_nowhere_else"),
            (
                "tests/sources/canary.rs",
                "secret_in_what_cannot_be_used_is_in_no_error",
            ),
            (
                "tests/sources/canary.rs",
                "memory_is_in_no_dump_and_closed_to_the_same_user",
            ),
            ("tests/faults/promises.rs", "service_leaves_no_core_dump"),
            (
                "tests/killed/calls.rs",
                "bootstrap_killed_after_any_call_converges",
            ),
        ],
    ),
    (
        "A bad key is never hammered: OUTSCALE locks an account's authentication after four failures in a row.",
        &[
            (
                "tests/faults/matrix.rs",
                "every_action_meets_every_fault_as_it_has_to",
            ),
            (
                "tests/agent/lockout.rs",
                "key_that_was_never_good_is_tried_ever_more_seldom",
            ),
            (
                "tests/agent/lockout.rs",
                "key_deactivated_under_many_calls_locks_nothing",
            ),
            (
                "tests/agent/lockout.rs",
                "right_key_is_tried_at_once_but_never_as_the_fourth_in_a_row",
            ),
            (
                "tests/agent/row.rs",
                "accounts_with_one_key_file_are_refused_as_one",
            ),
            (
                "src/agent/running/tests.rs",
                "shard_lowers_how_often_this_process_may_be_refused",
            ),
            (
                "src/api/credential/tests.rs",
                "processes_that_share_a_key_have_no_more_under_way_together_than_may_be_refused",
            ),
        ],
    ),
    (
        "Bounded cost: API calls per poll are the fewest the API allows, rate-limited per account and region, and counted on \
         the page.",
        &[
            (
                "tests/faults/matrix.rs",
                "every_action_meets_every_fault_as_it_has_to",
            ),
            (
                "tests/balancers/calls.rs",
                "a_poll_of_a_large_fleet_makes_the_fewest_calls_there_are",
            ),
            ("tests/agent/paging.rs", "every_page_is_asked_for_with_its_size"),
            (
                "tests/agent/fleet.rs",
                "requests_stay_within_the_budget_and_the_waiting_is_shown",
            ),
        ],
    ),
];

#[test]
fn every_promise_has_tests_that_are_there() {
    let mut text = String::from("\n\n| promise | tests |\n| --- | --- |\n");
    for (number, (promise, tests)) in (1..).zip(PROMISES) {
        for (file, name) in tests {
            let source = fs::read_to_string(root().join(file)).unwrap();
            let is_there = source.contains(&format!("fn {name}("));
            assert!(is_there, "promise {number}: there is no test {name} in {file}");
        }
        let tests: Vec<String> = tests
            .iter()
            .map(|(file, name)| format!("`{name}` ({file})"))
            .collect();
        writeln!(text, "| {number}. {promise} | {} |", tests.join("<br>")).unwrap();
    }
    text.push('\n');
    report::is_fresh("promises", &text);
}

#[tokio::test]
async fn scrapes_wait_for_no_cloud_and_ask_nothing_of_it() {
    let cloud = cloud(still()).await;
    let mut bench = Bench::new("interval = \"1s\"", &[Account::new(&cloud, &watcher(&cloud))]);
    bench.start();
    let is_well = |kind| {
        polls(&bench.shown())
            .get(&place(kind))
            .is_some_and(|poll| poll.success == Some(1.0))
    };
    while !(is_well("instances") && is_well("load_balancers")) {
        sleep(A_MOMENT).await;
    }
    // The next poll of either kind hangs from now on, in its first call.
    cloud.forget_requests();
    cloud.inject("*", demo::Fault::Hang, None);
    while asked(&cloud, "DescribeInstances").is_empty() || asked(&cloud, "DescribeLoadBalancers").is_empty() {
        sleep(A_MOMENT).await;
    }
    let (before, asked) = (bench.shown(), cloud.requests().len());
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let served = tokio::spawn(server::run(listener, bench.page.clone(), future::pending()));
    let http = reqwest::Client::builder().no_proxy().build().unwrap();
    for path in ["metrics", "", "sd/instances", "-/ready", "-/healthy"].repeat(10) {
        let answer = http.get(format!("http://{address}/{path}")).send().await.unwrap();
        assert_eq!(answer.status(), 200, "{path}");
        let text = answer.text().await.unwrap();
        assert!(
            path != "metrics" || text.contains("\ncloud_instance_info{"),
            "{text}"
        );
    }
    served.abort();
    assert_eq!(cloud.requests().len(), asked, "a scrape reached the cloud");
    // What hung then still does: nobody waited for the end of it.
    assert_eq!(polls(&bench.shown()), polls(&before));
}

fn place(kind: &str) -> [String; 3] {
    ["prod", "eu-west-2", kind].map(str::to_owned)
}

#[test]
fn whatever_is_polled_only_describes() {
    for kind in KINDS.into_iter().chain([&resources::regions::KIND]) {
        for action in kind.actions {
            assert_eq!(action.effect, Effect::Describes, "{}: {}", kind.name, action.name);
            assert!(
                action.name.starts_with("Describe"),
                "{}: {}",
                kind.name,
                action.name
            );
        }
    }
}

/// Whatever a command takes that could be one is a file, a profile or a key's public half.
#[tokio::test]
async fn no_argument_takes_a_secret() {
    for command in [
        "run",
        "once",
        "check",
        "audit",
        "demo",
        "bootstrap",
        "rotate",
        "teardown",
        "health",
    ] {
        let output = tokio::process::Command::new(env!("CARGO_BIN_EXE_vigie"))
            .args([command, "--help"])
            .output()
            .await
            .unwrap();
        let help = String::from_utf8(output.stdout).unwrap();
        assert!(help.contains("Usage:"), "{command}: {help}");
        let options = help.split_whitespace().filter(|word| word.starts_with("--"));
        for option in options {
            let words = ["secret", "password", "token", "access-key"];
            assert!(
                !words.iter().any(|word| option.contains(word)),
                "{command} takes {option}"
            );
        }
    }
}

#[test]
fn service_leaves_no_core_dump() {
    let unit = fs::read_to_string(root().join("deploy/systemd/vigie.service")).unwrap();
    assert!(unit.lines().any(|line| line == "LimitCORE=0"));
}

pub(crate) fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

const A_MOMENT: Duration = Duration::from_millis(10);
