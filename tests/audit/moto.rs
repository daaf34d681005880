//! `vigie audit` against moto, which checks signatures and policies, with boto3 to see that nothing changes.

use serde_json::Value;

use crate::moto_cloud::{Key, Moto, Seed};
use crate::vigie::{Run, run, vigie};

#[tokio::test]
async fn key_that_moto_lets_only_describe_may_do_nothing_that_is_tried() {
    let (moto, seed) = guarded().await;

    let run = audit(&moto, &seed.keys["watcher"]).await;

    assert_eq!((run.code, run.stderr.as_str()), (Some(0), ""), "{}", run.stdout);
    let audit = audit_in(&run);
    assert_eq!(audit["denied"].as_array().map(Vec::len), Some(19), "{audit}");
}

#[tokio::test]
async fn key_that_moto_lets_do_everything_is_told_of_and_changes_nothing() {
    let (moto, seed) = guarded().await;
    let admin = &seed.keys["admin"];
    let before: Value = moto.script("everything.py", &[], Some(admin)).await;
    for what in [
        "instances",
        "volumes",
        "groups",
        "load_balancers",
        "users",
        "policies",
    ] {
        let count = before[what].as_array().map(Vec::len);
        assert!(count > Some(0), "there is none of {what}: {before}");
    }

    let run = audit(&moto, admin).await;

    assert_eq!(run.code, Some(1), "{}\n{}", run.stdout, run.stderr);
    let audit = audit_in(&run);
    let list = |name: &str| audit[name].as_array().expect("a list").clone();
    let excess: Vec<_> = list("excess")
        .iter()
        .map(|excess| (excess["action"].clone(), excess["evidence"][0].clone()))
        .collect();
    for (action, evidence) in [
        ("ec2:StopInstances", "DryRunOperation"),
        ("ec2:RunInstances", "DryRunOperation"),
        ("elasticloadbalancing:DeleteLoadBalancer", "the call succeeded"),
        ("iam:ListUsers", "the call succeeded"),
    ] {
        assert!(
            excess.contains(&(action.into(), evidence.into())),
            "{action}: {audit}"
        );
    }
    // moto breaks down over a load balancer that is not there, and so does not tell.
    let unknown: Vec<_> = list("unknown")
        .iter()
        .map(|unknown| unknown["action"].clone())
        .collect();
    assert_eq!(
        unknown,
        [
            "elasticloadbalancing:RegisterInstancesWithLoadBalancer",
            "elasticloadbalancing:DeregisterInstancesFromLoadBalancer"
        ]
    );
    assert_eq!((excess.len(), list("denied").len()), (17, 0), "{audit}");
    let after: Value = moto.script("everything.py", &[], Some(admin)).await;
    assert_eq!(after, before);
}

/// A cloud with a fleet in it, which from here on checks every signature and applies every policy.
async fn guarded() -> (Moto, Seed) {
    let moto = Moto::start().await;
    let seed = moto.seed(4, 2).await;
    moto.order("reset-auth", "0").await;
    (moto, seed)
}

async fn audit(moto: &Moto, key: &Key) -> Run {
    let mut vigie = vigie(&["audit", "--json", "--provider", "aws", "--region", "eu-west-1"]);
    vigie
        .args(["--endpoint-url", &moto.url()])
        .env("AWS_ACCESS_KEY_ID", &key.access_key)
        .env("AWS_SECRET_ACCESS_KEY", &key.secret_key);
    run(&mut vigie).await
}

fn audit_in(run: &Run) -> Value {
    let audits: Value = serde_json::from_str(&run.stdout).expect("it is JSON");
    audits["audits"][0].clone()
}
