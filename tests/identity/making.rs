//! `vigie bootstrap`: one command, run once or again.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::os::unix::fs::PermissionsExt as _;

use ::vigie::provider::Provider;
use ::vigie::resources::default_kinds_of;
use serde_json::{Value, json};

use crate::page::Page;
use crate::scene::{Identities, Scene, assert_told, assert_untold, names};
use crate::vigie::{run, vigie};

#[tokio::test]
async fn one_command_makes_an_identity_that_may_only_describe() {
    let scene = Scene::start().await;

    let mut bootstrap = scene.as_admin("bootstrap", &["--out", "creds"]);
    let run = run(bootstrap.env("VIGIE_LOG", "trace")).await;

    assert_eq!(run.code, Some(0), "{}", run.stderr);
    let key = scene.key_in("creds");
    assert_untold(&run, &scene.admin.secret_key);
    assert_untold(&run, &key.secret_key);
    assert_eq!(scene.files(), ["creds"]);
    let mode = fs::metadata(scene.path("creds"))
        .expect("the file is there")
        .permissions()
        .mode();
    assert_eq!(mode & 0o7777, 0o600);

    let identities = scene.identities().await;
    assert_eq!(
        identities.users.keys().collect::<Vec<_>>(),
        ["admin", "watcher_1"]
    );
    let user = identities.user("watcher_1");
    assert_eq!(
        user.keys,
        BTreeMap::from([(key.access_key.clone(), "Active".to_owned())])
    );
    assert_eq!(user.groups, ["monitoring"]);
    assert_eq!((user.attached.len(), user.inline.len()), (0, 0));
    assert_eq!(identities.groups.keys().collect::<Vec<_>>(), ["monitoring"]);
    let group = &identities.groups["monitoring"];
    assert_eq!(
        (&*group.members, &*group.attached),
        (&["watcher_1".to_owned()][..], &["monitoring".to_owned()][..])
    );
    assert_eq!(group.inline.len(), 0);
    assert_eq!(identities.policies.keys().collect::<Vec<_>>(), ["monitoring"]);
    let policy = &identities.policies["monitoring"];
    assert_eq!((policy.in_force.as_str(), policy.documents.len()), ("v1", 1));
    assert!(policy.documents["v1"].starts_with("{\"Version\": "), "{policy:?}");
    let kinds = default_kinds_of(Provider::Aws);
    let actions = kinds.iter().flat_map(|kind| kind.actions);
    assert_eq!(
        granted(&identities, "monitoring"),
        actions.map(|action| action.policy_name()).collect()
    );

    scene.once_with("creds").await;
    let orders = json!([
        ["ec2", "stop_instances", {"InstanceIds": ["i-00000000"]}],
        ["elb", "deregister_instances_from_load_balancer", {
            "LoadBalancerName": "web",
            "Instances": [{"InstanceId": "i-00000000"}],
        }],
        ["iam", "list_users", {}],
        ["ec2", "describe_instances", {}],
    ]);
    let denied = "AccessDenied";
    assert_eq!(scene.order(&orders, &key).await, [denied, denied, denied, ""]);
}

#[tokio::test]
async fn key_that_was_asked_for_it_finds_the_regions_and_another_is_told_how_to() {
    let scene = Scene::start().await;
    let kinds = ["--kinds", "instances"];
    let made = run(&mut scene.as_admin("bootstrap", &[&["--out", "less"], &kinds[..]].concat())).await;
    assert_eq!(made.code, Some(0), "{}", made.stderr);
    let url = scene.moto.url();
    let settings = format!(
        "[[account]]\nname = \"a\"\nprovider = \"aws\"\nregions = [\"*\"]\ncredentials_file = \"less\"\n\
         kinds = [\"instances\"]\nendpoints = {{ ec2 = {url:?} }}\n"
    );
    fs::write(scene.path("vigie.toml"), settings).expect("the settings can be written");
    let once = || {
        let mut once = vigie(&["once", "--config"]);
        once.arg(scene.path("vigie.toml"));
        once
    };

    let denied = run(&mut once()).await;

    assert_eq!(denied.code, Some(1), "{}", denied.stderr);
    for told in [
        "regions of account a",
        "`ec2:DescribeRegions`",
        "--update-policy --all-regions",
    ] {
        assert!(
            denied.stderr.contains(told),
            "{told} is not told: {}",
            denied.stderr
        );
    }

    let more = [&["--out", "less", "--update-policy", "--all-regions"], &kinds[..]].concat();
    let made = run(&mut scene.as_admin("bootstrap", &more)).await;
    assert_eq!(made.code, Some(0), "{}", made.stderr);
    let allowed: BTreeSet<String> = ["ec2:DescribeInstances", "ec2:DescribeRegions"]
        .map(str::to_owned)
        .into();
    assert_eq!(granted(&scene.identities().await, "monitoring"), allowed);
    let found = run(&mut once()).await;
    assert_eq!(found.code, Some(0), "{}", found.stderr);
    let page = Page::parse(&found.stdout);
    let polled = page
        .family("vigie_poll_success")
        .filter(|(series, _)| series.labels["kind"] == "instances");
    let polled: BTreeSet<String> = polled
        .map(|(series, _)| series.labels["region"].clone())
        .collect();
    for region in ["us-east-1", "eu-west-3", "ap-southeast-2"] {
        assert!(polled.contains(region), "{region} is not polled: {polled:?}");
    }

    let mut outscale = vigie(&[
        "bootstrap",
        "--provider",
        "outscale",
        "--print-policy",
        "--all-regions",
    ]);
    let refused = run(&mut outscale).await;
    assert_eq!(refused.code, Some(64));
    assert!(
        refused.stderr.contains("`--all-regions` is for AWS"),
        "{}",
        refused.stderr
    );
}

/// Side by side, as each of them waits most of the time.
#[tokio::test]
async fn what_is_there_stays_unless_told_otherwise() {
    tokio::join!(
        second_run_changes_nothing(),
        key_without_its_file_is_replaced_when_told_so(),
    );
}

async fn second_run_changes_nothing() {
    let scene = Scene::start().await;
    scene.succeed("bootstrap", &["--out", "creds"]).await;
    let (identities, creds) = (scene.identities().await, scene.read("creds"));

    scene.succeed("bootstrap", &["--out", "creds"]).await;
    assert_eq!(scene.identities().await, identities);

    // Without its file, the key is nobody's to replace.
    fs::rename(scene.path("creds"), scene.path("moved")).expect("the file can be moved");
    let id = scene.key_in("moved").access_key;
    let told = [
        id.as_str(),
        "`--replace-key ID`",
        "A second key is never made in silence",
    ];
    scene.is_refused("bootstrap", &["--out", "creds"], &told).await;
    assert_eq!(scene.files(), ["moved"]);
    assert_eq!(scene.identities().await, identities);

    let planned = scene.run("bootstrap", &["--out", "moved", "--plan"]).await;
    assert_eq!(planned.code, Some(0), "{}", planned.stderr);
    assert_eq!(steps(&planned.stdout, "create"), [""; 0]);
    scene.succeed("bootstrap", &["--out", "moved"]).await;
    assert_eq!(scene.identities().await, identities);
    assert_eq!(scene.read("moved"), creds);
}

async fn key_without_its_file_is_replaced_when_told_so() {
    let scene = Scene::start().await;
    scene.succeed("bootstrap", &["--out", "creds"]).await;
    let lost = scene.key_in("creds").access_key;
    fs::remove_file(scene.path("creds")).expect("the file can be removed");

    scene
        .succeed("bootstrap", &["--out", "creds", "--replace-key", &lost])
        .await;

    let held = scene.key_in("creds").access_key;
    assert_ne!(held, lost);
    assert_eq!(scene.identities().await.keys_of("watcher_1"), [held]);
    scene.once_with("creds").await;
}

#[tokio::test]
async fn plan_creates_nothing() {
    let scene = Scene::start().await;

    let run = scene.succeed("bootstrap", &["--out", "creds", "--plan"]).await;

    let parts = ["group", "policy", "attachment", "user", "membership", "key"];
    assert_eq!(steps(&run.stdout, "create"), parts);
    let json = scene
        .succeed("bootstrap", &["--out", "creds", "--plan", "--json"])
        .await;
    let json: Value = serde_json::from_str(&json.stdout).expect("it is JSON");
    assert_eq!(
        (&json["command"], &json["outcome"]),
        (&json!("bootstrap"), &json!("planned"))
    );
    let steps = json["steps"].as_array().expect("a list of steps");
    let created = steps.iter().filter(|step| step["action"] == "create");
    assert_eq!(
        created.map(|step| step["part"].as_str()).collect::<Vec<_>>(),
        parts.map(Some)
    );
    assert!(scene.identities().await.are_but_the_admin());
    assert_eq!(scene.files(), [""; 0]);
}

#[tokio::test]
async fn policy_grants_what_was_asked_for() {
    let scene = Scene::start().await;
    let run = |suffix: &'static str, further: &'static [&str]| {
        let mut arguments = names(suffix).to_vec();
        arguments.extend(["--out", suffix].map(str::to_owned));
        arguments.extend(further.iter().map(|&argument| argument.to_owned()));
        let scene = &scene;
        async move {
            let arguments: Vec<_> = arguments.iter().map(String::as_str).collect();
            scene.run("bootstrap", &arguments).await
        }
    };

    let (all, one, none) = tokio::join!(
        run("all", &["--describe-all"]),
        run("one", &["--kinds", "instances"]),
        run("none", &["--kinds", "instances,balloons"]),
    );

    assert_eq!(
        (all.code, one.code),
        (Some(0), Some(0)),
        "{}\n{}",
        all.stderr,
        one.stderr
    );
    assert_eq!((none.code, none.stdout.as_str()), (Some(64), ""));
    assert_told(&none, &["balloons", "instances, instance_status, load_balancers"]);
    let identities = scene.identities().await;
    let described = ["ec2:Describe*", "elasticloadbalancing:Describe*"].map(str::to_owned);
    assert_eq!(granted(&identities, "policy-all"), described.into());
    assert_eq!(
        granted(&identities, "policy-one"),
        ["ec2:DescribeInstances".to_owned()].into()
    );
    assert_eq!(identities.policies.len(), 2);
    scene.once_with("all").await;
}

/// The parts of the lines of a plan with this word.
fn steps<'a>(plan: &'a str, action: &str) -> Vec<&'a str> {
    let words = plan
        .lines()
        .map(|line| line.split_whitespace().collect::<Vec<_>>());
    let steps = words.filter(|words| words.first() == Some(&action));
    steps.map(|words| words[1]).collect()
}

/// The actions that the version in force allows on everything, if that is all that it says.
fn granted(identities: &Identities, policy: &str) -> BTreeSet<String> {
    let policy = &identities.policies[policy];
    let document: Value = serde_json::from_str(&policy.documents[&policy.in_force]).expect("it is JSON");
    let statement = &document["Statement"][0];
    let actions: BTreeSet<String> =
        serde_json::from_value(statement["Action"].clone()).expect("a list of texts");
    assert_eq!(
        document,
        json!({
            "Version": "2012-10-17",
            "Statement": [{"Effect": "Allow", "Action": actions, "Resource": ["*"]}],
        })
    );
    actions
}
