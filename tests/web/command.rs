//! `vigie` with a web configuration file in its settings.

use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use reqwest::StatusCode;
use tokio::process::Command;

use crate::bad_input::{CANARY, refused_as_usage};
use crate::parts::wait_for;
use crate::prometheus::Prometheus;
use crate::requests::{Ask, trusting};
use crate::scene::{Folder, hash};
use crate::vigie::{Run, Running, run, vigie};

pub(crate) const TLS: &str = "tls_server_config:\n  cert_file: server.crt\n  key_file: server.key\n";

/// Settings that name the web configuration file, and a cloud that is not there.
pub(crate) fn settings(folder: &Folder, head: &str) -> PathBuf {
    let credentials = folder.path().join("credentials");
    let key = format!("[default]\naws_access_key_id = AKIAWATCHER\naws_secret_access_key = {CANARY}\n");
    std::fs::write(credentials, key).expect("the folder takes it");
    let path = folder.path().join("vigie.toml");
    let account = |name: &str, key: &str| {
        format!(
            "[[account]]\nname = {name:?}\nprovider = \"aws\"\nregions = [\"x\"]\nkinds = [\"instances\"]\n\
             credentials_file = {key:?}\nendpoints = {{ ec2 = \"http://127.0.0.1:9\" }}\n"
        )
    };
    let text = format!(
        "web_config_file = \"web.yml\"\n{head}\n{}{}",
        account("without-a-key", "keys/gone"),
        account("a", "credentials")
    );
    std::fs::write(&path, text).expect("the folder takes it");
    path
}

pub(crate) fn command(name: &str, settings: &Path) -> Command {
    let mut command = vigie(&[name, "--config"]);
    command.arg(settings);
    command
}

/// `vigie run`, and its address with the scheme.
pub(crate) async fn running(folder: &Folder) -> (Running, String) {
    let settings = settings(folder, "listen = \"127.0.0.1:0\"");
    // As a person starts it who stands beside the file.
    let settings = Path::new(settings.file_name().expect("a file"));
    let agent = Running::start(
        command("run", settings)
            .current_dir(folder.path())
            .arg("--enable-lifecycle"),
    );
    let url = agent
        .wait_to_say("its address", |said| {
            let (_, url) = said.split_once("listening on ")?;
            Some(url.split_whitespace().next()?.to_owned())
        })
        .await;
    (agent, url)
}

#[tokio::test]
async fn bad_file_is_refused_before_anything_begins() {
    let folder = Folder::new();
    for (text, told) in [
        (format!("basic_auth_users: {{john: {CANARY}}}"), "\"john\""),
        (format!("tls_server_config: {{key: {CANARY}}}"), "`cert_file`"),
        (CANARY.to_owned(), "is no table"),
        (
            "tls_server_config: {cert_file: nowhere, key_file: server.key}".to_owned(),
            "nowhere",
        ),
    ] {
        folder.web(&text);
        for name in ["run", "check"] {
            refused_as_usage(&mut command(name, &settings(&folder, "")), &["web.yml", told]).await;
        }
    }
    std::fs::remove_file(folder.path().join("web.yml")).unwrap();
    refused_as_usage(
        &mut command("run", &settings(&folder, "")),
        &["web.yml: does not exist"],
    )
    .await;
}

#[tokio::test]
async fn check_says_what_the_file_does_and_no_hash() {
    let folder = Folder::new();
    let hash = hash("PasswordEXAMPLE");
    folder.web(&format!(
        "{TLS}  client_auth_type: RequestClientCert\nbasic_auth_users: {{one: {hash}, two: {hash}}}\n"
    ));
    let Run { code, stdout, stderr } = run(&mut command("check", &settings(&folder, ""))).await;
    assert_eq!(code, Some(0), "{stderr}");
    for shown in [
        "web_config_file = ",
        "TLS: yes; certificates of clients: RequestClientCert",
        "users: 2",
    ] {
        assert!(stdout.contains(shown), "{shown} is not in {stdout}");
    }
    assert!(
        !stdout.contains("$2b$") && !stdout.contains("PRIVATE"),
        "{stdout}"
    );
}

#[tokio::test]
async fn prometheus_scrapes_over_tls_with_a_password_and_health_needs_none() {
    let folder = Folder::new();
    let users = format!("basic_auth_users: {{prometheus: {}}}\n", hash("PasswordEXAMPLE"));
    folder.web(&format!("{TLS}{users}"));
    let (agent, url) = running(&folder).await;
    let address = url.strip_prefix("https://").expect("it says that it speaks TLS");
    let ca = folder.path().join("server.crt");
    let ca = ca.display();
    let prometheus = Prometheus::start(&format!(
        "- job_name: vigie\n\
         \x20 scheme: https\n\
         \x20 tls_config: {{ ca_file: {ca} }}\n\
         \x20 basic_auth: {{ username: prometheus, password: PasswordEXAMPLE }}\n\
         \x20 static_configs: [{{ targets: ['{address}'] }}]\n\
         - job_name: stranger\n\
         \x20 scheme: https\n\
         \x20 tls_config: {{ ca_file: {ca} }}\n\
         \x20 static_configs: [{{ targets: ['{address}'] }}]\n"
    ))
    .await;
    prometheus.wait_until("up{job=\"vigie\"} == 1").await;
    prometheus.wait_until("vigie_build_info{job=\"vigie\"}").await;
    prometheus.wait_until("up{job=\"stranger\"} == 0").await;

    healthy(address).await;
    // Whatever it asks for: a certificate of the client's too, in either version.
    for version in ["TLS12", "TLS13"] {
        folder.web(&format!(
            "{TLS}  client_auth_type: RequireAndVerifyClientCert\n  client_ca_file: clients.crt\n  max_version: {version}\n{users}"
        ));
        let stranger = Ask::TLS
            .send(folder.path(), address.parse().unwrap(), "/metrics")
            .await;
        assert_eq!(stranger.status(), None);
        healthy(address).await;
    }
    let (code, _, said) = agent.end("TERM").await;
    assert_eq!(code, Some(0), "{said}");
}

async fn healthy(address: &str) {
    let asked = run(vigie(&["health"]).env("VIGIE_LISTEN", address)).await;
    assert_eq!((asked.code, asked.stderr.as_str()), (Some(0), ""));
    let url = format!("https://{address}/-/healthy");
    let asked = run(&mut vigie(&["health", "--url", &url])).await;
    assert_eq!((asked.code, asked.stderr.as_str()), (Some(0), ""));
}

#[tokio::test]
async fn secrets_that_others_can_read_are_told() {
    let folder = Folder::new();
    folder.web(&format!(
        "{TLS}basic_auth_users: {{prometheus: {}}}\n",
        hash("PasswordEXAMPLE")
    ));
    for (mode, times) in [(0o644, 1), (0o640, 1), (0o600, 0)] {
        for file in ["web.yml", "server.key"] {
            let mode = std::fs::Permissions::from_mode(mode);
            std::fs::set_permissions(folder.path().join(file), mode).unwrap();
        }
        let (agent, _) = running(&folder).await;
        let (_, _, said) = agent.end("TERM").await;
        for file in ["web.yml", "server.key"] {
            let lines = said.lines();
            let told = lines.filter(|line| line.contains("others can read this file") && line.contains(file));
            assert_eq!(told.count(), times, "{file} {mode:o} {said}");
        }
    }
}

#[tokio::test]
async fn client_with_a_wrong_password_is_told_by_its_address_alone() {
    let folder = Folder::new();
    folder.web(&format!(
        "basic_auth_users: {{prometheus: {}}}\n",
        hash("PasswordEXAMPLE")
    ));
    let (agent, url) = running(&folder).await;
    let (_, address) = url.split_once("://").unwrap();
    let ask = async |ask: Ask| {
        let answer = ask
            .send(folder.path(), address.parse().unwrap(), "/metrics")
            .await;
        answer.status()
    };
    // A browser asks like that at first, and `vigie health` always.
    assert_eq!(ask(Ask::PLAIN).await, Some(401));
    assert!(!agent.said().contains("kept out"), "{}", agent.said());
    for (user, password) in [
        ("prometheus", CANARY),
        ("prometheus", "OtherEXAMPLE"),
        (CANARY, "PasswordEXAMPLE"),
    ] {
        assert_eq!(ask(Ask::PLAIN.by(user, password)).await, Some(401));
    }
    assert_eq!(
        ask(Ask::PLAIN.by("prometheus", "PasswordEXAMPLE")).await,
        Some(200)
    );
    let (_, _, said) = agent.end("TERM").await;
    let told: Vec<_> = said.lines().filter(|line| line.contains("kept out")).collect();
    assert!(
        matches!(told[..], [told] if told.contains("WARN") && told.contains("client=127.0.0.1 count=1")),
        "{said}"
    );
    assert!(!said.contains(CANARY) && !said.contains("OtherEXAMPLE"), "{said}");
}

#[tokio::test]
async fn what_becomes_of_a_changed_file_is_told_in_fields() {
    let folder = Folder::new();
    let users = format!("basic_auth_users: {{prometheus: {}}}\n", hash("PasswordEXAMPLE"));
    folder.web(&users);
    let (agent, url) = running(&folder).await;
    let (_, address) = url.split_once("://").unwrap();
    for text in [
        format!("{users}rate_limit: {{interval: 1s, burst: 9}}\n"),
        String::new(),
        CANARY.to_owned(),
    ] {
        folder.web(&text);
        let answer = Ask::PLAIN
            .send(folder.path(), address.parse().unwrap(), "/metrics")
            .await;
        assert_eq!(answer.status(), Some(401));
    }
    let (_, _, said) = agent.end("TERM").await;
    let path = folder.path().join("web.yml");
    let line = |message: &str, fields: &[&str]| {
        let mut lines = said.lines().filter(|line| line.contains(message));
        let all = |line: &&str| fields.iter().all(|field| line.contains(field));
        assert!(lines.any(|line| all(&line)), "{message} {fields:?}: {said}");
    };
    let path = format!("path={}", path.display());
    line("INFO the web configuration file is taken anew", &[&path]);
    line(
        "WARN this setting is taken at the next start",
        &["setting=", "rate_limit"],
    );
    let refused = "ERROR the web configuration file cannot be taken; what was in force before stays";
    line(
        refused,
        &[&path, "error=", "takes away all users", "takes a restart"],
    );
    line(refused, &[&path, "error=", "is no table"]);
    let risk = "WARN not all of the web configuration file is as one may expect";
    line(risk, &[&path, "error=", "for want of TLS"]);
}

#[tokio::test]
async fn want_of_descriptors_ends_nothing_and_delays_no_scrape() {
    let folder = Folder::new();
    folder.web("");
    let settings = settings(&folder, "listen = \"127.0.0.1:0\"");
    let mut few = crate::parts::command("sh");
    few.args([
        "-c",
        "ulimit -n 48; exec \"$0\" run --config \"$1\"",
        env!("CARGO_BIN_EXE_vigie"),
    ]);
    let agent = Running::start(few.arg(&settings));
    let address = agent
        .wait_to_say("its address", |said| {
            let (_, address) = said.split_once("listening on http://")?;
            address.split_whitespace().next()?.parse().ok()
        })
        .await;
    let mut dribbling = Vec::new();
    for _ in 0..200 {
        let stream = tokio::net::TcpStream::connect(address).await.unwrap();
        dribbling.push(stream);
    }
    for _ in 0..5 {
        let answer = Ask::PLAIN.send(folder.path(), address, "/metrics").await;
        assert_eq!(answer.status(), Some(200), "{answer}\n{}", agent.said());
    }
    let (code, _, said) = agent.end("TERM").await;
    assert_eq!(code, Some(0), "{said}");
    assert_eq!(said.matches("connections cannot be taken").count(), 1, "{said}");
}

#[tokio::test]
async fn no_route_names_the_file_of_a_key() {
    let folder = Folder::new();
    folder.web(TLS);
    let (agent, url) = running(&folder).await;
    let client = trusting(&folder.path().join("server.crt"));
    let text = async |path: &str| {
        let answer = client.get(format!("{url}{path}")).send().await.unwrap();
        answer.text().await.unwrap()
    };
    wait_for("the first poll", async || match text("/-/ready").await {
        ready if ready.starts_with("every kind") => Ok(()),
        other => Err(other),
    })
    .await;
    // One key is not there; now another file is not either, and the web's is broken.
    let written = std::fs::read_to_string(folder.path().join("vigie.toml")).unwrap();
    let written = format!("{written}ca_bundle = \"bundles of mine/gone.pem\"\n");
    std::fs::write(folder.path().join("vigie.toml"), written).unwrap();
    folder.web("basic_auth_users: {a: b}");
    let reload = client.post(format!("{url}/-/reload")).send().await.unwrap();
    assert_eq!(reload.status(), StatusCode::INTERNAL_SERVER_ERROR);
    let mut answers = vec![reload.text().await.unwrap()];
    for path in [
        "/",
        "/metrics",
        "/sd/instances",
        "/-/healthy",
        "/-/ready",
        "/nothing",
        "/?account=x",
    ] {
        answers.push(text(path).await);
    }
    assert!(
        answers[1].contains("the credentials file, which the log names, does not exist"),
        "{}",
        answers[1]
    );
    let place = folder.path().display().to_string();
    for answer in answers {
        for told in [
            place.as_str(),
            "keys/gone",
            "of mine",
            "gone.pem",
            "server.key",
            "server.crt",
            "web.yml",
            CANARY,
        ] {
            assert!(!answer.contains(told), "{told} is in {answer}");
        }
    }
    let (code, _, said) = agent.end("TERM").await;
    assert_eq!(code, Some(0), "{said}");
    assert!(
        said.contains("gone.pem")
            && said.contains("keys/gone")
            && said.contains("what was in force before stays"),
        "{said}"
    );
    assert_eq!(
        said.matches("what was in force before stays").count(),
        1,
        "{said}"
    );
}
