//! Every way in which a key is written is one that the agent reads.

use serde_json::Value;

use crate::moto::python;
use crate::parts::command;
use crate::scene::{Scene, ini, names};
use crate::vigie::run;

#[tokio::test]
async fn key_works_in_every_format() {
    let scene = Scene::start().await;
    let written = ["ini", "env", "osc", "legacy", "k8s-secret"].map(|format| {
        let scene = &scene;
        async move {
            let names = names(format);
            let further = ["--out", format, "--format", format];
            let arguments: Vec<_> = names.iter().map(String::as_str).chain(further).collect();
            scene.succeed("bootstrap", &arguments).await;
        }
    });
    futures_util::future::join_all(written).await;

    for file in ["ini", "osc", "legacy"] {
        scene.once_with(file).await;
    }
    let variables = scene.read("env");
    let names: Vec<_> = variables
        .lines()
        .filter_map(|line| Some(line.split_once('=')?.0))
        .collect();
    assert_eq!(names, ["AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"]);
    let script = "set -a; . ./env; set +a; exec \"$@\"";
    let mut shell = command("sh");
    let once = scene.once("");
    shell
        .args(["-c", script, "sh"])
        .arg(once.as_std().get_program())
        .args(once.as_std().get_args())
        .current_dir(scene.path(""));
    let once = run(&mut shell).await;
    assert_eq!((once.code, once.stderr.as_str()), (Some(0), ""));

    let script = "import json, sys, yaml; print(json.dumps(yaml.safe_load(sys.stdin)))";
    let mut python = command(python());
    python
        .args(["-c", script])
        .stdin(std::fs::File::open(scene.path("k8s-secret")).expect("the file is there"));
    let output = python.output().await.expect("Python starts");
    let secret: Value = serde_json::from_slice(&output.stdout).expect("the manifest is YAML");
    assert_eq!(
        (secret["apiVersion"].as_str(), secret["kind"].as_str()),
        (Some("v1"), Some("Secret"))
    );
    let credentials = secret["stringData"]["credentials"]
        .as_str()
        .expect("there are credentials");
    scene.write("mounted", credentials);
    scene.once_with("mounted").await;
}

#[tokio::test]
async fn key_on_stdout_is_there_alone_and_works() {
    let scene = Scene::start().await;
    let both = scene.run("bootstrap", &["--out", "-", "--json"]).await;
    assert_eq!(
        (both.code, both.stdout.as_str()),
        (Some(64), ""),
        "{}",
        both.stderr
    );
    assert!(scene.identities().await.are_but_the_admin());

    let run = scene.run("bootstrap", &["--out", "-"]).await;

    assert_eq!(run.code, Some(0), "{}", run.stderr);
    scene.write("creds", &run.stdout);
    let key = scene.key_in("creds");
    assert_eq!(run.stdout, ini(&key));
    assert!(
        !run.stderr.contains(&key.secret_key),
        "the secret is told: {}",
        run.stderr
    );
    assert!(run.stderr.contains(&key.access_key));
    assert_eq!(scene.identities().await.keys_of("watcher_1"), [key.access_key]);
    scene.once_with("creds").await;
}

#[tokio::test]
async fn key_that_stdout_would_lose_is_never_made() {
    let scene = Scene::start().await;
    let bootstrap = scene.as_admin("bootstrap", &["--out", "-"]);
    let bootstrap = bootstrap.as_std();
    for lost in ["exec \"$@\" >&-", "exec \"$@\" >/dev/null"] {
        let mut shell = command("sh");
        shell
            .args(["-c", lost, "sh"])
            .arg(bootstrap.get_program())
            .args(bootstrap.get_args())
            .envs(
                bootstrap
                    .get_envs()
                    .filter_map(|(name, value)| Some((name, value?))),
            )
            .current_dir(scene.path(""));
        let run = run(&mut shell).await;
        assert_eq!(run.code, Some(64), "{lost}: {}", run.stderr);
        assert!(run.stderr.contains("would lose the key"), "{}", run.stderr);
        assert!(scene.identities().await.are_but_the_admin(), "{lost}");
    }
}
