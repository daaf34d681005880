//! `vigie rotate`: another key in the file, and what becomes of the old one.

use std::collections::BTreeMap;

use serde_json::json;

use crate::scene::{Scene, assert_told, assert_untold, ini};
use crate::vigie::{Running, run};

/// Side by side, as each of them waits most of the time.
#[tokio::test]
async fn key_is_renewed_without_a_gap_or_not_at_all() {
    tokio::join!(
        rotation_puts_a_new_key_in_and_leaves_the_rest_of_the_file(),
        user_with_all_the_keys_it_may_have_is_told_which_has_to_go(),
        old_key_is_kept_inactive_as_long_as_asked_for(),
    );
}

async fn rotation_puts_a_new_key_in_and_leaves_the_rest_of_the_file() {
    let scene = Scene::start().await;
    let other = "# the backups' key\r\n[backup]\naws_access_key_id=TESTBACKUPKEY0000000\n\
                 aws_secret_access_key = backup/secret/good/nowhere/EXAMPLEKEY000\n  region = eu-west-1 ; no comma\n\n";
    scene.write("creds", other);
    scene.succeed("bootstrap", &["--out", "creds"]).await;
    let before = scene.read("creds");
    let ours = before.strip_prefix(other).expect("what was there stays");
    scene.write("old", ours);
    let old = scene.key_in("old");
    let tail = "\n# the end\n[last]\nregion=eu-west-3\n";
    scene.write("creds", &format!("{before}{tail}"));

    let run = run(scene
        .as_admin("rotate", &["--out", "creds", "--grace", "0s"])
        .env("VIGIE_LOG", "trace"))
    .await;

    assert_eq!(run.code, Some(0), "{}", run.stderr);
    let after = scene.read("creds");
    let ours = after.strip_prefix(other).and_then(|rest| rest.strip_suffix(tail));
    scene.write("new", ours.expect("what stands around it stays"));
    let new = scene.key_in("new");
    assert_ne!(new.access_key, old.access_key);
    for secret in [&scene.admin.secret_key, &old.secret_key, &new.secret_key] {
        assert_untold(&run, secret);
    }
    assert_eq!(scene.identities().await.keys_of("watcher_1"), [new.access_key]);
    assert_eq!(scene.files(), ["creds", "new", "old"]);
    scene.once_with("creds").await;
}

async fn user_with_all_the_keys_it_may_have_is_told_which_has_to_go() {
    let scene = Scene::start().await;
    scene.succeed("bootstrap", &["--out", "creds"]).await;
    scene
        .arrange(&[("create_access_key", json!({"UserName": "watcher_1"}))])
        .await;
    let (before, creds) = (scene.identities().await, scene.read("creds"));
    let held = scene.key_in("creds").access_key;
    let spare = before.keys_of("watcher_1").into_iter().find(|&id| id != held);
    let spare = spare.expect("there are two keys");
    let rotate = ["--out", "creds", "--grace", "0s"];

    let advice = format!("{spare} has to go first");
    let flag = format!("--delete-key {spare}");
    let in_file = format!("{held} (active");
    scene
        .is_refused(
            "rotate",
            &rotate,
            &[&advice, &flag, &in_file, "AccessKeysPerUser: 2"],
        )
        .await;
    let own = [&rotate[..], &["--delete-key", &held]].concat();
    scene
        .is_refused("rotate", &own, &["works until the new one is proven"])
        .await;
    assert_eq!(scene.identities().await, before);
    assert_eq!(scene.read("creds"), creds);
    assert_eq!(scene.files(), ["creds"]);

    scene
        .succeed("rotate", &[&rotate[..], &["--delete-key", spare]].concat())
        .await;
    let new = scene.key_in("creds").access_key;
    assert_eq!(scene.identities().await.keys_of("watcher_1"), [new.as_str()]);
    assert!(new != held && new != spare);
}

async fn old_key_is_kept_inactive_as_long_as_asked_for() {
    let scene = Scene::start().await;
    scene.succeed("bootstrap", &["--out", "creds"]).await;
    let old = scene.key_in("creds").access_key;

    let keeping = Running::start(
        &mut scene.as_admin("rotate", &["--out", "creds", "--grace", "0s", "--keep-old", "1h"]),
    );
    keeping
        .wait_to_say("the old key to be inactive", |said| {
            said.contains("is inactive").then_some(())
        })
        .await;
    let new = scene.key_in("creds").access_key;
    let states = BTreeMap::from([
        (old.clone(), "Inactive".to_owned()),
        (new.clone(), "Active".to_owned()),
    ]);
    assert_eq!(scene.identities().await.user("watcher_1").keys, states);

    // Whoever does not want to wait for that hour ends it, and the next run deletes the key.
    keeping.end("KILL").await;
    scene
        .succeed("rotate", &["--out", "creds", "--grace", "0s", "--keep-old", "1s"])
        .await;
    assert_eq!(scene.key_in("creds").access_key, new);
    assert_eq!(scene.identities().await.keys_of("watcher_1"), [new]);
    assert_eq!(scene.files(), ["creds"]);
}

#[tokio::test]
async fn file_that_holds_no_key_of_the_user_is_not_rotated() {
    let scene = Scene::start().await;
    let none = scene.run("rotate", &["--out", "creds"]).await;
    assert_eq!(none.code, Some(3), "{}", none.stderr);
    assert_told(&none, &["no user watcher_1", "`--user`", "`vigie bootstrap`"]);
    let user = json!({"UserName": "watcher_1"});
    let made = [("create_user", user.clone()), ("create_access_key", user)];
    scene.arrange(&made).await;
    let before = scene.identities().await;
    let id = before.keys_of("watcher_1")[0];
    scene.write("creds", &ini(&scene.admin));

    for out in ["creds", "nothing"] {
        let told = ["holds no key of user watcher_1", "`vigie bootstrap`", id];
        scene.is_refused("rotate", &["--out", out], &told).await;
        let delete = ["--out", out, "--delete-key", id];
        scene.is_refused("rotate", &delete, &told[..2]).await;
    }
    assert_eq!(scene.identities().await, before);
    assert_eq!(scene.read("creds"), ini(&scene.admin));
}
