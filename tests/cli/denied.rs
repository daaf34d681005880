//! A key that lacks one action: what the log of a running agent says of it.

use vigie::demo::Options;

use crate::demo::Demo;
use crate::vigie::{Running, vigie};

#[tokio::test]
async fn missing_action_and_the_command_that_grants_it_are_logged() {
    let mut demo = Demo::start(Options::default()).await;
    let allowed = [
        "ec2:DescribeInstances",
        "elasticloadbalancing:DescribeLoadBalancers",
    ];
    demo.key = demo.cloud.create_describe_only_user("half", &allowed);
    let settings = demo.settings(
        "listen = \"127.0.0.1:0\"",
        "kinds = [\"instances\", \"load_balancers\"]",
    );
    let agent = Running::start(vigie(&["run", "--config"]).arg(settings));

    let line = agent
        .wait_to_say("that a poll is denied", |said| {
            said.lines()
                .find(|line| line.contains("polling fails"))
                .map(str::to_owned)
        })
        .await;

    for told in [
        "reason=\"denied\"",
        "kind=\"load_balancers\"",
        "`elasticloadbalancing:DescribeInstanceHealth`",
        "vigie bootstrap --provider outscale --region eu-west-2",
        "--update-policy",
    ] {
        assert!(line.contains(told), "{told} is not told: {line}");
    }
    let (code, _, said) = agent.end("TERM").await;
    assert_eq!(code, Some(0), "{said}");
    assert!(!said.contains("refuses the key"), "{said}");
}
