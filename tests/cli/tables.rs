//! `vigie once --format table` where there is more than instances and classic load balancers.

use ::vigie::demo::Options;
use ::vigie::provider::Provider;

use crate::demo::Demo;
use crate::vigie::{run, vigie};

#[tokio::test]
async fn load_balancers_groups_and_targets_stand_in_tables_of_their_own() {
    let demo = Demo::start(Options {
        provider: Provider::Aws,
        instances: 6,
        load_balancers: 0,
        target_groups: 4,
        alive: false,
        regions: vec!["eu-west-1".to_owned()],
        ..Options::default()
    })
    .await;
    let fleet = demo.cloud.fleet();
    fleet.change_load_balancer_v2("shop", |one| one.state = "active_impaired".to_owned());
    let target = fleet.target_groups()[0].targets[0].id.clone();
    fleet.set_state(&target, "stopped");

    let settings = demo.settings("", "kinds = [\"target_groups\"]");
    let told = run(vigie(&["once", "--format", "table", "--config"]).arg(settings)).await;

    assert_eq!((told.code, told.stderr.as_str()), (Some(0), ""));
    let rows: Vec<Vec<&str>> = told
        .stdout
        .lines()
        .map(|line| line.split_whitespace().collect())
        .collect();
    let balancer = &fleet.load_balancers_v2()[0];
    let expected: [&[&str]; 7] = [
        &["target_groups", "of", "demo", "in", "eu-west-1:", "7"],
        // Not the state of a target behind it.
        &[
            "shop",
            "application",
            "active_impaired",
            "internet-facing",
            &balancer.dns_name,
        ],
        &["shop-pages", "shop", "instance", "HTTP", "3", "2"],
        &["hooks", "hooks", "lambda", "1", "0"],
        &["shop-pages", &target, "80", "unused", "Target.InvalidState"],
        &["queue-nodes", "10.0.0.0", "80", "unhealthy", "Target.Timeout"],
        &["queue-nodes", "10.0.0.1", "80", "healthy"],
    ];
    for row in expected {
        assert!(
            rows.iter().any(|found| found == row),
            "{row:?} is missing:\n{}",
            told.stdout
        );
    }
}
