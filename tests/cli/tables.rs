//! `vigie once` for people: tables of more than instances and classic load balancers, and what a terminal is shown.

use ::vigie::demo::Options;
use ::vigie::provider::Provider;

use crate::demo::Demo;
use crate::parts::{command, part};
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

#[tokio::test]
async fn name_gives_a_terminal_no_orders_and_a_program_gets_it_as_it_is() {
    let demo = Demo::start(Options::default()).await;
    let fleet = demo.cloud.fleet();
    let hostile = "web\u{1b}[2J\u{9b}31m\u{202e}\u{7f}";
    fleet.set_tag(&fleet.instances()[0].id, "Name", hostile);
    let settings = demo.settings("", "kinds = [\"instances\"]");
    let settings = settings.to_str().expect("the path is text");
    // Runs what it is given on a terminal, of which it reads what is shown.
    let terminal = "import os, pty, sys; sys.exit(os.waitstatus_to_exitcode(pty.spawn(sys.argv[1:])))";
    for (format, escaped) in [
        ("prometheus", r"web\u{1b}[2J\u{9b}31m\u{202e}\u{7f}"),
        ("json", r"web\u001b[2J\u009b31m\u202e\u007f"),
        ("table", "web·[2J·31m··"),
    ] {
        let arguments = ["once", "--format", format, "--config", settings];
        let mut python = command(part("TEST_PYTHON", "target/python/bin/python"));
        python.args(["-c", terminal, env!("CARGO_BIN_EXE_vigie")]);
        let shown = run(python.args(arguments)).await;
        assert_eq!(shown.code, Some(0), "{}", shown.stdout);
        assert!(shown.stdout.contains(escaped), "{}", shown.stdout);
        let odd = ['\u{1b}', '\u{9b}', '\u{202e}', '\u{7f}'];
        assert!(!shown.stdout.contains(odd), "{format}");
        if format == "prometheus" {
            let piped = run(&mut vigie(&arguments)).await;
            assert!(piped.stdout.contains(hostile), "{}", piped.stdout);
        }
    }
}
