//! What of a web configuration file is unwise or wrong, and who is told of it.

use std::os::unix::fs::PermissionsExt as _;

use reqwest::StatusCode;

use crate::certificates;
use crate::command::{TLS, command, running, settings};
use crate::requests::trusting;
use crate::scene::{Folder, hash};
use crate::vigie::{Run, run};

/// What is unwise is in what `check` prints, and in the log of `run`.
#[tokio::test]
async fn what_one_may_not_expect_is_told_by_check_and_by_run() {
    let folder = Folder::new();
    certificates::write_server_until(folder.path(), "server", 2020);
    certificates::write_authorities(folder.path());
    let private = std::fs::Permissions::from_mode(0o600);
    std::fs::set_permissions(folder.path().join("server.key"), private).unwrap();
    let clients = |name: &str| {
        format!("{TLS}  client_auth_type: RequireAndVerifyClientCert\n  client_ca_file: {name}.crt\n")
    };
    let users = format!("basic_auth_users: {{prometheus: {}}}\n", hash("PasswordEXAMPLE"));
    for (text, told) in [
        (String::new(), "neither TLS nor users: everybody may ask"),
        ("basic_auth_users:\n".to_owned(), "neither TLS nor users"),
        (
            TLS.to_owned(),
            "the certificate of the page expired at 2020-01-01",
        ),
        (clients("expired"), "of clients has expired: it lets nobody in"),
        (clients("to-come"), "of clients is not valid yet"),
        (clients("for-servers"), "is not for certificates of clients"),
        (clients("no-authority"), "lets in its own holder alone"),
        (
            format!("{users}rate_limit: {{interval: 1, burst: 1}}\n"),
            "has no unit and is in nanoseconds",
        ),
        (users, "web.yml: run `chmod 600` on it"),
    ] {
        folder.web(&text);
        let Run { stdout, .. } = run(&mut command("check", &settings(&folder, ""))).await;
        let but = stdout.lines().filter(|line| line.contains("but: "));
        assert!(
            but.into_iter().any(|line| line.contains(told)),
            "{told}: {stdout}"
        );
        let (agent, _) = running(&folder).await;
        let (_, _, said) = agent.end("TERM").await;
        let mut warned = said.lines().filter(|line| line.contains("WARN"));
        let told = told.trim_start_matches("web.yml: ");
        assert!(warned.any(|line| line.contains(told)), "{told}: {said}");
    }
}

#[tokio::test]
async fn users_are_not_all_that_is_asked() {
    let folder = Folder::new();
    folder.web(&format!(
        "{TLS}  client_auth_type: RequireAndVerifyClientCert\n  client_ca_file: clients.crt\n"
    ));
    let Run { stdout, .. } = run(&mut command("check", &settings(&folder, ""))).await;
    assert!(
        stdout.contains("users: none, whoever shows such a certificate may ask"),
        "{stdout}"
    );
}

#[tokio::test]
async fn page_says_whether_the_web_file_can_be_taken_as_it_is_now() {
    let folder = Folder::new();
    folder.web(TLS);
    let (agent, url) = running(&folder).await;
    let client = trusting(&folder.path().join("server.crt"));
    let successful = async || {
        let page = client.get(format!("{url}/metrics")).send().await.unwrap();
        let page = page.text().await.unwrap();
        page.contains("\nvigie_config_last_reload_successful 1\n")
    };
    let reload = async || {
        let answer = client.post(format!("{url}/-/reload")).send().await.unwrap();
        (answer.status(), answer.text().await.unwrap())
    };
    let path = folder.path().join("vigie.toml");
    let good = std::fs::read_to_string(&path).unwrap();
    let write = |text: &str| std::fs::write(&path, text).unwrap();
    assert!(successful().await);
    folder.web("basic_auth_users: {a: b}");
    assert!(!successful().await, "nobody asked for a reload");
    folder.web(TLS);
    assert!(successful().await);

    // Settings that are wrong stay so, whatever becomes of the file.
    write("interval = 5");
    assert_eq!(reload().await.0, StatusCode::INTERNAL_SERVER_ERROR);
    folder.web("basic_auth_users: {a: b}");
    assert!(!successful().await);
    folder.web(TLS);
    assert!(!successful().await);
    // What is wrong with the file stays so, whatever becomes of the settings.
    folder.web("basic_auth_users: {a: b}");
    write(&good);
    let (_, told) = reload().await;
    assert!(told.starts_with("the settings are in force"), "{told}");
    assert!(!successful().await);
    folder.web(TLS);
    assert!(successful().await);

    // Another file would be taken at the next start.
    write(&good.replace("web.yml", "nowhere.yml"));
    let (status, told) = reload().await;
    assert_eq!(status, StatusCode::INTERNAL_SERVER_ERROR);
    assert!(
        told.starts_with("the settings in force stay") && told.contains("does not exist"),
        "{told}"
    );
    assert!(!successful().await);
    std::fs::write(folder.path().join("nowhere.yml"), TLS).unwrap();
    assert_eq!(reload().await.0, StatusCode::OK);
    assert!(successful().await);

    // No account would have a key.
    write(&good.replace("\"credentials\"", "\"nowhere\""));
    let (status, told) = reload().await;
    assert_eq!(status, StatusCode::INTERNAL_SERVER_ERROR);
    assert!(
        told.starts_with("the settings in force stay") && told.contains("credentials file"),
        "{told}"
    );
    write(&good);
    assert_eq!(reload().await.0, StatusCode::OK);
    agent.end("TERM").await;
}

#[tokio::test]
async fn reload_tells_of_a_web_file_that_is_broken_and_of_its_repair() {
    let folder = Folder::new();
    folder.web(TLS);
    let (agent, url) = running(&folder).await;
    let client = trusting(&folder.path().join("server.crt"));
    let reload = async || {
        let answer = client.post(format!("{url}/-/reload")).send().await.unwrap();
        let status = answer.status();
        let answer = answer.text().await.unwrap();
        let page = client.get(format!("{url}/metrics")).send().await.unwrap();
        let page = page.text().await.unwrap();
        let successful = page.contains("\nvigie_config_last_reload_successful 1\n");
        assert!(
            page.contains("\nvigie_web_certificate_expiry_timestamp_seconds 67"),
            "{page}"
        );
        (status, successful, answer)
    };
    assert_eq!(reload().await.0, StatusCode::OK);
    folder.web("tls_server_config: {cert_file: server.crt, key_file: gone.key}");
    for _ in 0..2 {
        let (status, successful, answer) = reload().await;
        assert_eq!(
            (status, successful),
            (StatusCode::INTERNAL_SERVER_ERROR, false),
            "{answer}"
        );
        assert!(
            answer.contains("`tls_server_config.key_file` … does not exist"),
            "{answer}"
        );
    }
    folder.web(TLS);
    let (status, successful, answer) = reload().await;
    assert_eq!((status, successful), (StatusCode::OK, true), "{answer}");
    let (_, _, said) = agent.end("TERM").await;
    for (line, fields) in [
        (
            "ERROR the web configuration file cannot be taken;",
            ["count=1", "gone.key"],
        ),
        (
            "INFO the web configuration file can be taken again",
            ["failures=", "seconds="],
        ),
    ] {
        let mut lines = said.lines().filter(|said| said.contains(line));
        let told = lines.next().unwrap_or_else(|| panic!("{line}: {said}"));
        assert!(fields.iter().all(|field| told.contains(field)), "{told}");
        assert!(told.contains("web.yml") && lines.next().is_none(), "{said}");
    }
}
