//! `vigie teardown`: what bootstrap made goes, what others share stays.

use serde_json::json;

use crate::scene::{Scene, allowing, assert_told};

/// Side by side, as each of them waits most of the time.
#[tokio::test]
async fn teardown_removes_what_bootstrap_made_and_nothing_else() {
    tokio::join!(
        teardown_leaves_nothing_of_what_bootstrap_made(),
        teardown_leaves_a_group_that_others_are_in(),
        user_that_was_given_more_is_not_removed(),
    );
}

async fn teardown_leaves_nothing_of_what_bootstrap_made() {
    let scene = Scene::start().await;
    scene.succeed("bootstrap", &["--out", "creds"]).await;
    scene
        .succeed("rotate", &["--out", "creds", "--grace", "0s"])
        .await;
    let before = scene.identities().await;

    let refused = scene.run("teardown", &[]).await;
    assert_eq!(refused.code, Some(3), "{}", refused.stderr);
    let id = scene.key_in("creds").access_key;
    assert_told(&refused, &["nothing was removed", "`--yes`", &id]);
    assert_eq!(scene.identities().await, before);

    scene.succeed("teardown", &["--yes"]).await;
    assert!(scene.identities().await.are_but_the_admin());
    let again = scene.succeed("teardown", &["--yes"]).await;
    assert_told(&again, &["there is nothing to remove"]);
}

async fn teardown_leaves_a_group_that_others_are_in() {
    let scene = Scene::start().await;
    scene.succeed("bootstrap", &["--out", "creds"]).await;
    let member = |user: &str| json!({"GroupName": "monitoring", "UserName": user});
    scene
        .arrange(&[
            ("create_user", json!({"UserName": "colleague"})),
            ("add_user_to_group", member("colleague")),
        ])
        .await;
    let before = scene.identities().await;

    let run = scene.succeed("teardown", &["--yes"]).await;

    assert_told(
        &run,
        &[
            "monitoring stays: colleague is in it too",
            "monitoring stays: group monitoring stays",
        ],
    );
    let after = scene.identities().await;
    assert_eq!(after.users.keys().collect::<Vec<_>>(), ["admin", "colleague"]);
    assert_eq!(after.groups["monitoring"].members, ["colleague"]);
    assert_eq!(after.groups["monitoring"].attached, ["monitoring"]);
    assert_eq!(after.policies, before.policies);

    scene
        .arrange(&[("remove_user_from_group", member("colleague"))])
        .await;
    scene.succeed("teardown", &["--yes"]).await;
    let left = scene.identities().await;
    assert_eq!((left.groups.len(), left.policies.len()), (0, 0));
    assert_eq!(left.users.keys().collect::<Vec<_>>(), ["admin", "colleague"]);
}

async fn user_that_was_given_more_is_not_removed() {
    let scene = Scene::start().await;
    scene.succeed("bootstrap", &["--out", "creds"]).await;
    let document = allowing(&["ec2:StopInstances"]);
    let more = json!({"UserName": "watcher_1", "PolicyName": "spare", "PolicyDocument": document});
    scene.arrange(&[("put_user_policy", more)]).await;
    let before = scene.identities().await;

    scene
        .is_refused(
            "teardown",
            &["--yes"],
            &[
                "watcher_1 has more than bootstrap gave it",
                "inline policy spare",
                "take that away first",
            ],
        )
        .await;
    assert_eq!(scene.identities().await, before);
}
