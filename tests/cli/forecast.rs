//! `vigie check`: what the settings will cost, before and after one poll.

use ::vigie::demo::{Fault, Options};

use crate::demo::Demo;
use crate::page::Page;
use crate::vigie::{run, vigie};

#[tokio::test]
async fn forecast_is_told_for_each_account_and_region_without_asking_the_cloud() {
    let demo = Demo::start(Options::default()).await;
    let tail = "kinds = [\"instances\", \"load_balancers\"]\n[kinds.load_balancers]\ninterval = \"2m\"";
    let check = run(vigie(&["check", "--config"]).arg(demo.settings("audit_interval = \"24h\"", tail))).await;
    assert_eq!(check.code, Some(0), "{}", check.stderr);
    for line in [
        "#   demo eu-west-2 instances: 1 a poll, 60 an hour; 1 more a poll for every further 1000 that DescribeInstances lists\n",
        "#   demo eu-west-2 load_balancers: 1 a poll, 30 an hour; 1 more a poll for every further 400 that \
         DescribeLoadBalancers lists; 1 more a poll for each load balancer with backends\n",
        "#   demo eu-west-2: 2 a poll and 90 an hour, at least\n",
        "#   demo eu-west-2 audit: 19 at the start, then 0.8 an hour\n",
        "#   demo eu-west-2: never more than 360000 an hour (100 a second)\n",
    ] {
        assert!(
            check.stdout.contains(line),
            "{line}is not told:\n{}",
            check.stdout
        );
    }
    assert_eq!(demo.cloud.requests().len(), 0);
    assert!(!check.stdout.contains("Measured"), "{}", check.stdout);
}

#[tokio::test]
async fn budget_that_does_not_suffice_and_region_that_nobody_publishes_are_told() {
    let demo = Demo::start(Options::default()).await;
    let settings = demo.settings("interval = \"1s\"", "kinds = [\"instances\", \"load_balancers\"]");
    let written = std::fs::read_to_string(&settings).expect("they are there");
    let slower = written.replace("requests_per_second = 100", "requests_per_second = 1");
    std::fs::write(&settings, slower).expect("they can be written");
    let check = run(vigie(&["check", "--live", "--config"]).arg(settings)).await;
    assert_eq!(check.code, Some(0), "{}", check.stderr);
    let told = check.stdout.matches("THAT IS TOO FEW").count();
    assert_eq!(
        told, 2,
        "by the forecast and by what was measured:\n{}",
        check.stdout
    );

    let place = ["check", "--provider", "outscale", "--region", "eu-west-9"];
    let mut vigie = vigie(&place);
    vigie
        .env("OSC_ACCESS_KEY", "AKIAWATCHER")
        .env("OSC_SECRET_KEY", "EXAMPLEKEY");
    let check = run(&mut vigie).await;
    assert_eq!(check.code, Some(0), "{}", check.stderr);
    assert!(
        check
            .stdout
            .contains("default names eu-west-9; of outscale there are eu-west-2, "),
        "{}",
        check.stdout
    );
}

#[tokio::test]
async fn forecast_of_one_of_several_processes_says_that_it_is_of_all() {
    let demo = Demo::start(Options::default()).await;
    let settings = demo.settings("shard = \"1/4\"", "kinds = [\"instances\"]");
    let check = run(vigie(&["check", "--config"]).arg(settings)).await;
    assert_eq!(check.code, Some(0), "{}", check.stderr);
    let told = "# Forecast of API calls of all 4 processes together, without retries";
    assert!(check.stdout.contains(told), "{}", check.stdout);
}

#[tokio::test]
async fn live_check_tells_what_one_poll_took_and_what_the_page_comes_to() {
    let demo = Demo::start(Options {
        alive: false,
        ..Options::default()
    })
    .await;
    let settings = demo.settings("", "kinds = [\"instances\", \"load_balancers\"]");
    let check = run(vigie(&["check", "--live", "--config"]).arg(&settings)).await;
    assert_eq!((check.code, check.stderr.as_str()), (Some(0), ""));

    assert_eq!(demo.cloud.requests().len(), 2 + 5);
    let once = run(vigie(&["once", "--config"]).arg(&settings)).await;
    let page = Page::parse(&once.stdout);
    let series = |families: &str| {
        page.samples()
            .filter(|(one, _)| one.name.starts_with(families))
            .count()
    };
    // Those of a kind are told without what two kinds say together.
    let joined = [
        "cloud_load_balancer_dead_backends",
        "cloud_load_balancer_backend_instance_state_info",
    ];
    let joined: usize = joined.into_iter().map(series).sum();
    for line in [
        format!(
            "#   demo eu-west-2 instances: 1 a poll, 60 an hour; 24 objects, {} series, ",
            series("cloud_instance_")
        ),
        format!(
            "#   demo eu-west-2 load_balancers: 6 a poll, 360 an hour; 5 objects, {} series, ",
            series("cloud_load_balancer_") - joined
        ),
        "#   demo eu-west-2: 7 a poll, 420 an hour; ".to_owned(),
        format!("#   the whole page: {} series, ", page.samples().count()),
    ] {
        assert!(
            check.stdout.contains(&line),
            "{line} is not told:\n{}",
            check.stdout
        );
    }
    let (settings_in_force, _) = check.stdout.split_once("\n# Forecast").expect("a forecast");
    assert!(settings_in_force.contains("[[account]]"));
}

#[tokio::test]
async fn live_check_that_fails_says_so_and_ends_with_1() {
    let demo = Demo::start(Options::default()).await;
    demo.cloud.inject(
        "DescribeInstances",
        Fault::Error {
            status: 403,
            code: "UnauthorizedOperation".to_owned(),
            message: "no".to_owned(),
        },
        None,
    );
    let settings = demo.settings("", "kinds = [\"instances\", \"load_balancers\"]");
    let check = run(vigie(&["check", "--live", "--config"]).arg(&settings)).await;
    assert_eq!(check.code, Some(1));
    assert!(
        check
            .stderr
            .contains("vigie: instances of account demo in eu-west-2 (denied)"),
        "{}",
        check.stderr
    );
    assert!(
        check
            .stdout
            .contains("#   demo eu-west-2 instances: 1 a poll, 60 an hour; failed\n"),
        "{}",
        check.stdout
    );
}
