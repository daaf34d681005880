//! Where the admin's key comes from, and that it goes nowhere.

use std::fs;
use std::process::Stdio;

use tokio::io::AsyncWriteExt as _;

use crate::moto::Key;
use crate::scene::{Scene, assert_told, assert_untold, ini, with_key};
use crate::vigie::{Run, run};

#[tokio::test]
async fn admin_comes_from_a_file_from_stdin_or_from_a_profile() {
    let scene = Scene::start().await;
    scene.write("admin", &ini(&scene.admin));
    fs::create_dir(scene.path(".aws")).expect("a folder can be made");
    let profiles = format!(
        "[default]\nregion = eu-west-3\n{}",
        ini(&scene.admin).replace("default", "boss")
    );
    scene.write(".aws/credentials", &profiles);

    let sources = [
        ["--admin-credentials", "admin"],
        ["--admin-credentials", "-"],
        ["--admin-profile", "boss"],
    ];
    for source in sources {
        let arguments = [&["--plan", "--out", "creds"][..], &source].concat();
        let run = with_input(&scene, "bootstrap", &arguments).await;
        assert_eq!(run.code, Some(0), "{source:?}: {}", run.stderr);
        assert!(
            run.stdout
                .contains("you are arn:aws:iam::123456789012:user/admin"),
            "{}",
            run.stdout
        );
    }
    for (command, further) in [("bootstrap", &["--out", "creds"][..]), ("teardown", &["--yes"])] {
        let run = with_input(
            &scene,
            command,
            &[further, &["--admin-credentials", "-"]].concat(),
        )
        .await;
        assert_eq!(run.code, Some(0), "{command}: {}", run.stderr);
    }
    assert!(scene.identities().await.are_but_the_admin());
}

#[tokio::test]
async fn wrong_secret_of_the_admin_is_tried_once() {
    let scene = Scene::start().await;
    let wrong = Key {
        secret_key: "aWrongSecretThatNobodyMayEverReadAgain00".to_owned(),
        ..scene.admin.clone()
    };
    for (command, further) in [
        ("bootstrap", &["--out", "creds"][..]),
        ("bootstrap", &["--out", "creds", "--plan"]),
        ("rotate", &["--out", "creds"]),
        ("teardown", &["--yes"]),
    ] {
        let before = scene.calls();
        let mut vigie = with_key(scene.vigie(command, further), &wrong);

        let run = run(vigie.env("VIGIE_LOG", "trace")).await;

        assert_eq!(run.code, Some(1), "{command} {further:?}: {}", run.stderr);
        assert_untold(&run, &wrong.secret_key);
        assert_told(&run, &["SignatureDoesNotMatch", "check that the key is whole"]);
        assert_eq!(scene.calls() - before, 1, "{}", scene.moto.log());
    }
    assert!(scene.identities().await.are_but_the_admin());
    assert_eq!(scene.files(), [""; 0]);
}

#[tokio::test]
async fn without_an_admin_nothing_is_sent() {
    let scene = Scene::start().await;
    let before = scene.calls();
    for (command, further) in [
        ("bootstrap", &["--out", "creds"][..]),
        ("rotate", &["--out", "creds"]),
        ("teardown", &["--yes"]),
        ("bootstrap", &["--out", "creds", "--admin-credentials", "nowhere"]),
        ("bootstrap", &["--out", "creds", "--admin-profile", "boss"]),
        // Stdin is empty.
        ("bootstrap", &["--out", "creds", "--admin-credentials", "-"]),
    ] {
        let run = run(&mut scene.vigie(command, further)).await;
        assert_eq!(
            (run.code, run.stdout.as_str()),
            (Some(64), ""),
            "{command} {further:?}: {}",
            run.stderr
        );
        assert_told(&run, &["admin's key"]);
    }
    assert_eq!(scene.calls(), before);
    assert_eq!(scene.files(), [""; 0]);
}

/// Runs with everything logged and the admin's key on stdin. Neither its secret nor that of the key made is told.
async fn with_input(scene: &Scene, command: &str, arguments: &[&str]) -> Run {
    let mut vigie = scene.vigie(command, arguments);
    vigie
        .env("VIGIE_LOG", "trace")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    let mut process = vigie.spawn().expect("vigie starts");
    let mut input = process.stdin.take().expect("its input is a pipe");
    // Who has no use for it may have ended before.
    input.write_all(ini(&scene.admin).as_bytes()).await.ok();
    drop(input);
    let output = process.wait_with_output().await.expect("vigie ends");
    let run = Run {
        code: output.status.code(),
        stdout: String::from_utf8(output.stdout).expect("what is printed is UTF-8"),
        stderr: String::from_utf8(output.stderr).expect("what is said is UTF-8"),
    };
    assert_untold(&run, &scene.admin.secret_key);
    if scene.files().contains(&"creds".to_owned()) {
        assert_untold(&run, &scene.key_in("creds").secret_key);
    }
    run
}
