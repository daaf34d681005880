//! What `vigie bootstrap` leaves to a person to decide, and where it cannot write.

use std::fs;

use ::vigie::identity::policy::Policy;
use ::vigie::provider::Provider;
use ::vigie::resources::default_kinds_of;
use serde_json::{Value, json};

use crate::scene::{Scene, allowing, arn, assert_told, assert_untold, ini, names};
use crate::vigie::run;

/// What the key is to be allowed, in the order of a policy.
fn describing() -> Vec<String> {
    let policy = Policy::of_kinds(Provider::Aws, &default_kinds_of(Provider::Aws));
    policy.actions().map(str::to_owned).collect()
}

#[tokio::test]
async fn what_bootstrap_did_not_make_so_is_left_to_a_person() {
    let scene = Scene::start().await;
    let mut wider = describing();
    wider.push("ec2:StopInstances".to_owned());
    let wider: Vec<&str> = wider.iter().map(String::as_str).collect();
    let wider = allowing(&wider);
    let on_user = |suffix: &str| json!({"UserName": format!("user-{suffix}")});
    let on_group = |suffix: &str| json!({"GroupName": format!("group-{suffix}")});
    let and = |mut parameters: Value, name: &str, value: &str| {
        parameters[name] = json!(value);
        parameters
    };
    let other = arn("other");
    let inline = |parameters| and(and(parameters, "PolicyName", "spare"), "PolicyDocument", &wider);
    scene
        .arrange(&[
            (
                "create_policy",
                and(json!({"PolicyName": "other"}), "PolicyDocument", &wider),
            ),
            (
                "create_policy",
                and(json!({"PolicyName": "policy-differs"}), "PolicyDocument", &wider),
            ),
            ("create_user", on_user("inline")),
            ("put_user_policy", inline(on_user("inline"))),
            ("create_user", on_user("attached")),
            (
                "attach_user_policy",
                and(on_user("attached"), "PolicyArn", &other),
            ),
            ("create_user", on_user("elsewhere")),
            ("create_group", on_group("admins")),
            (
                "add_user_to_group",
                and(on_user("elsewhere"), "GroupName", "group-admins"),
            ),
            ("create_group", on_group("wider")),
            ("attach_group_policy", and(on_group("wider"), "PolicyArn", &other)),
            ("create_group", on_group("written")),
            ("put_group_policy", inline(on_group("written"))),
            ("create_user", on_user("keyed")),
            ("create_access_key", on_user("keyed")),
        ])
        .await;
    let before = scene.identities().await;
    let key = before.keys_of("user-keyed")[0].to_owned();

    let cases: [(&str, &[&str]); 7] = [
        (
            "differs",
            &[
                "policy: policy-differs",
                "-        \"ec2:StopInstances\"",
                "`--update-policy`",
                "`--policy`",
            ],
        ),
        (
            "inline",
            &[
                "user user-inline: inline policy spare",
                "take that away",
                "`--user`",
            ],
        ),
        (
            "attached",
            &["user user-attached: policy other", "take that away"],
        ),
        (
            "elsewhere",
            &[
                "user user-elsewhere: membership in group group-admins",
                "take that away",
            ],
        ),
        ("wider", &["group group-wider: policy other", "`--group`"]),
        (
            "written",
            &["group group-written: inline policy spare", "`--group`"],
        ),
        ("keyed", &[&key, "`--replace-key ID`", "name it with `--out`"]),
    ];
    for (suffix, told) in cases {
        let names = names(suffix);
        let arguments: Vec<_> = names
            .iter()
            .map(String::as_str)
            .chain(["--out", "creds"])
            .collect();
        scene.is_refused("bootstrap", &arguments, told).await;
        // A plan says so as well.
        let plan = scene
            .run("bootstrap", &[&arguments[..], &["--plan"]].concat())
            .await;
        assert_eq!(plan.code, Some(3), "{suffix}: {}", plan.stderr);
        assert!(plan.stdout.contains("  refuse "), "{suffix}: {}", plan.stdout);
    }

    assert_eq!(scene.identities().await, before);
    assert_eq!(scene.files(), [""; 0]);
}

#[tokio::test]
async fn policy_is_changed_when_told_so_and_its_oldest_spare_version_goes() {
    let scene = Scene::start().await;
    let of_policy = |action: &str| {
        let document = allowing(&[action]);
        json!({"PolicyArn": arn("monitoring"), "PolicyDocument": document, "SetAsDefault": false})
    };
    let first = json!({"PolicyName": "monitoring", "PolicyDocument": allowing(&["ec2:*"])});
    scene
        .arrange(&[
            ("create_policy", first),
            ("create_policy_version", of_policy("ec2:Describe*")),
            ("create_policy_version", of_policy("ec2:DescribeImages")),
            ("create_policy_version", of_policy("ec2:DescribeVpcs")),
            ("create_policy_version", of_policy("ec2:DescribeTags")),
        ])
        .await;

    scene
        .succeed("bootstrap", &["--out", "creds", "--update-policy"])
        .await;

    let identities = scene.identities().await;
    let policy = &identities.policies["monitoring"];
    assert_eq!(
        policy.documents.keys().collect::<Vec<_>>(),
        ["v1", "v3", "v4", "v5", "v6"]
    );
    assert_eq!(policy.in_force, "v6");
    let document: Value = serde_json::from_str(&policy.documents["v6"]).expect("it is JSON");
    assert_eq!(document["Statement"][0]["Action"], json!(describing()));
    scene.once_with("creds").await;
}

#[tokio::test]
async fn file_with_the_admins_own_key_stays_as_it_is() {
    let scene = Scene::start().await;
    fs::create_dir(scene.path(".aws")).expect("a folder can be made");
    let own = format!("# mine\n{}", ini(&scene.admin));
    scene.write(".aws/credentials", &own);

    let run = run(&mut scene.vigie("bootstrap", &["--out", ".aws/credentials"])).await;

    assert_eq!(run.code, Some(3), "{}", run.stderr);
    assert_untold(&run, &scene.admin.secret_key);
    assert_told(
        &run,
        &[
            &scene.admin.access_key,
            "none of user watcher_1",
            "`--out`",
            "`--profile`",
        ],
    );
    assert_eq!(scene.read(".aws/credentials"), own);
    assert!(scene.identities().await.are_but_the_admin());
}

#[tokio::test]
async fn nothing_is_made_for_a_file_that_cannot_be_written() {
    let scene = Scene::start().await;
    scene.write("file", "");
    for (out, code, told) in [
        (
            "nowhere/creds",
            1,
            "the directory nowhere does not exist; create it first",
        ),
        ("file/creds", 1, "name a file in a directory"),
        (".", 3, "is a directory"),
        ("/proc/creds", 3, "is not a regular file"),
        // Nobody may make a file there, not even root.
        ("/sys/creds", 1, "cannot create the note /sys/"),
    ] {
        let run = scene.run("bootstrap", &["--out", out]).await;
        assert_eq!(run.code, Some(code), "{out}: {}", run.stderr);
        assert_told(&run, &[told]);
    }
    assert!(scene.identities().await.are_but_the_admin());
    assert_eq!(scene.files(), ["file"]);
}
