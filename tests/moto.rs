//! `vigie once` against moto, which checks signatures and policies, with boto3 for a second opinion.

#[path = "support/home.rs"]
mod home;
#[path = "support/moto.rs"]
mod moto;
#[path = "support/page.rs"]
mod page;
#[path = "support/parts.rs"]
mod parts;
#[path = "support/truth.rs"]
mod truth;

use std::collections::BTreeSet;

use home::{Account, Home};
use moto::{Key, Moto, Seed};
use page::Page;
use parts::{DEADLINE, free_port};
use truth::Truth;

/// More reservations than the largest page of `DescribeInstances` holds, and more load balancers, of
/// the classic sort and of the others, than a page of moto's.
const INSTANCES: usize = 1030;
const LOAD_BALANCERS: usize = 60;

/// What moto has: all but the status of volumes.
const KINDS: [&str; 9] = [
    "instances",
    "instance_status",
    "load_balancers",
    "target_groups",
    "availability_zones",
    "volumes",
    "addresses",
    "subnets",
    "quotas",
];

#[tokio::test]
async fn describe_only_key_reads_all_that_boto3_reads() {
    let (moto, seed) = guarded(INSTANCES, LOAD_BALANCERS).await;
    let truth: Truth = moto.script("truth.py", &[], Some(&seed.keys["watcher"])).await;
    let read: BTreeSet<_> = truth.instances.iter().map(|instance| &instance.id).collect();
    assert_eq!(read, seed.instances.iter().collect(), "boto3 reads what was made");

    let run = once(&[account("prod", moto.port, &seed.keys["watcher"])]).await;

    assert_eq!(run.code, Some(0), "{}", run.stderr);
    truth.assert_on(&Page::parse(&run.stdout), "prod");
}

#[tokio::test]
async fn wrong_secret_is_told_by_the_call_to_ec2() {
    wrong_secret_is_told("instances", "DescribeInstances", "AuthFailure").await;
}

#[tokio::test]
async fn wrong_secret_is_told_by_the_call_to_elb() {
    wrong_secret_is_told("load_balancers", "DescribeLoadBalancers", "SignatureDoesNotMatch").await;
}

async fn wrong_secret_is_told(kind: &str, action: &str, code: &str) {
    let (moto, seed) = guarded(1, 1).await;
    let before = calls(&moto);
    let wrong = Key {
        secret_key: "aWrongSecretThatNobodyMayEverReadAgain00".to_owned(),
        ..seed.keys["watcher"].clone()
    };

    let run = once(&[Account {
        kinds: &[kind],
        ..account("prod", moto.port, &wrong)
    }])
    .await;

    assert_eq!(run.code, Some(1), "{}", run.stderr);
    let suffix = wrong
        .access_key
        .chars()
        .skip(wrong.access_key.len() - 4)
        .collect::<String>();
    for told in [&suffix, action, code] {
        assert!(run.stderr.contains(told), "{told} is not told: {}", run.stderr);
    }
    assert!(
        !run.stderr.contains(&wrong.secret_key) && !run.stdout.contains(&wrong.secret_key),
        "the secret is told"
    );
    assert!(
        calls(&moto) - before <= 2,
        "a bad key is hammered:\n{}",
        moto.log()
    );
}

#[tokio::test]
async fn unreachable_account_leaves_the_other_untouched() {
    let (moto, seed) = guarded(4, 3).await;
    let truth: Truth = moto.script("truth.py", &[], Some(&seed.keys["watcher"])).await;
    let nowhere = free_port();

    let accounts = [
        account("lost", nowhere, &seed.keys["watcher"]),
        account("prod", moto.port, &seed.keys["watcher"]),
    ];
    let run = once(&accounts).await;

    assert_eq!(run.code, Some(1), "{}", run.stderr);
    assert!(
        run.stderr.contains("lost"),
        "the failed account is not told: {}",
        run.stderr
    );
    let page = Page::parse(&run.stdout);
    truth.assert_on(&page, "prod");
    assert_eq!(page.value("cloud_instance_state", &[("account", "lost")]), None);
}

#[tokio::test]
async fn kind_that_the_policy_denies_leaves_the_others_untouched() {
    let (moto, seed) = guarded(4, 3).await;
    let truth: Truth = moto.script("truth.py", &[], Some(&seed.keys["watcher"])).await;

    let accounts = [
        account("denied", moto.port, &seed.keys["half_sighted"]),
        account("prod", moto.port, &seed.keys["watcher"]),
    ];
    let run = once(&accounts).await;

    assert_eq!(run.code, Some(1), "{}", run.stderr);
    let missing = "`elasticloadbalancing:DescribeInstanceHealth`";
    let remedy = "vigie bootstrap --provider aws --region eu-west-1 --out FILE --update-policy";
    for told in [missing, remedy, "AccessDenied", "(denied)"] {
        assert!(run.stderr.contains(told), "{told} is not told: {}", run.stderr);
    }
    let page = Page::parse(&run.stdout);
    truth.assert_on(&page, "prod");
    let poll = |kind| page.value("vigie_poll_success", &[("account", "denied"), ("kind", kind)]);
    assert_eq!(
        (poll("instances"), poll("load_balancers")),
        (Some(1.0), Some(0.0))
    );
    assert_eq!(page.value("vigie_auth_locked_until_timestamp_seconds", &[]), None);
}

#[tokio::test]
async fn cloud_without_the_status_of_volumes_shows_its_volumes_whole() {
    let (moto, seed) = guarded(4, 3).await;
    let truth: Truth = moto.script("truth.py", &[], Some(&seed.keys["watcher"])).await;
    let mut kinds = KINDS.to_vec();
    kinds.push("volume_status");

    let account = Account {
        kinds: &kinds,
        ..account("prod", moto.port, &seed.keys["admin"])
    };
    let run = once(&[account]).await;

    assert_eq!(run.code, Some(1), "{}", run.stderr);
    assert!(run.stderr.contains("DescribeVolumeStatus"), "{}", run.stderr);
    assert_eq!(run.stderr.lines().count(), 1, "{}", run.stderr);
    truth.assert_on(&Page::parse(&run.stdout), "prod");
}

/// A cloud with a fleet in it, which from here on checks every signature and applies every policy.
async fn guarded(instances: usize, load_balancers: usize) -> (Moto, Seed) {
    let moto = Moto::start().await;
    let seed = moto.seed(instances, load_balancers).await;
    moto.order("reset-auth", "0").await;
    (moto, seed)
}

fn account<'a>(name: &'a str, port: u16, key: &'a Key) -> Account<'a> {
    Account {
        name,
        port,
        key,
        kinds: &KINDS,
    }
}

struct Run {
    code: Option<i32>,
    stdout: String,
    stderr: String,
}

async fn once(accounts: &[Account<'_>]) -> Run {
    let home = Home::new("", accounts);
    let run = home.vigie(&["once", "--format", "prometheus"]).output();
    let output = tokio::time::timeout(DEADLINE, run)
        .await
        .expect("`once` ends")
        .expect("vigie starts");
    Run {
        code: output.status.code(),
        stdout: String::from_utf8(output.stdout).expect("the page is UTF-8"),
        stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
    }
}

/// How many calls to the cloud moto has answered. It writes those that it refused in colour.
fn calls(moto: &Moto) -> usize {
    moto.log().matches("POST / HTTP").count()
}
