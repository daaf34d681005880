//! Files that change while vigie runs.

use vigie::server::Limits;

use crate::certificates;
use crate::requests::{Ask, trusting, trusting_and_keeping};
use crate::scene::{Folder, Scene, hash};

async fn status(folder: &Folder, scene: &Scene, password: &'static str) -> Option<u16> {
    let ask = Ask::PLAIN.by("prometheus", password);
    ask.send(folder.path(), scene.address, "/metrics").await.status()
}

#[tokio::test]
async fn other_password_holds_at_once_and_on_connections_that_are_there() {
    let folder = Folder::new();
    let users = |password: &str| folder.web(&format!("basic_auth_users: {{prometheus: {}}}", hash(password)));
    let file = users("OldEXAMPLE");
    let scene = Scene::serve(Some(&file), Limits::default()).await;
    // Keeps its connection.
    let client = reqwest::Client::builder().no_proxy().build().unwrap();
    let old = async || {
        let request = client
            .get(format!("http://{}/metrics", scene.address))
            .basic_auth("prometheus", Some("OldEXAMPLE"));
        request.send().await.unwrap().status().as_u16()
    };
    assert_eq!(old().await, 200);
    assert_eq!(status(&folder, &scene, "NewEXAMPLE").await, Some(401));

    users("NewEXAMPLE");
    assert_eq!(old().await, 401);
    assert_eq!(status(&folder, &scene, "NewEXAMPLE").await, Some(200));

    // What cannot be read changes nothing: nobody comes in who did not, and nobody is kept out.
    folder.web("basic_auth_users: {prometheus: broken}");
    assert_eq!(old().await, 401);
    assert_eq!(status(&folder, &scene, "NewEXAMPLE").await, Some(200));
    std::fs::remove_file(&file).unwrap();
    assert_eq!(old().await, 401);
    assert_eq!(status(&folder, &scene, "NewEXAMPLE").await, Some(200));

    users("OldEXAMPLE");
    assert_eq!(old().await, 200);
}

#[tokio::test]
async fn renamed_user_is_kept_out_by_the_old_name_and_let_in_by_the_new() {
    let folder = Folder::new();
    let hash = hash("PasswordEXAMPLE");
    let user = |name: &str| folder.web(&format!("basic_auth_users: {{{name}: {hash}}}"));
    let scene = Scene::serve(Some(&user("old")), Limits::default()).await;
    let status = async |name: &'static str| {
        let ask = Ask::PLAIN.by(name, "PasswordEXAMPLE");
        ask.send(folder.path(), scene.address, "/metrics").await.status()
    };
    for _ in 0..2 {
        assert_eq!((status("old").await, status("new").await), (Some(200), Some(401)));
        user("new");
        assert_eq!((status("old").await, status("new").await), (Some(401), Some(200)));
        user("old");
    }
}

#[tokio::test]
async fn change_of_the_same_length_in_place_is_seen() {
    let folder = Folder::new();
    let (old, new) = (hash("OldEXAMPLE"), hash("NewEXAMPLE"));
    let file = folder.web(&format!("basic_auth_users: {{prometheus: {old}}}"));
    let scene = Scene::serve(Some(&file), Limits::default()).await;
    for (hash, password) in [(&new, "NewEXAMPLE"), (&old, "OldEXAMPLE")]
        .into_iter()
        .cycle()
        .take(20)
    {
        std::fs::write(&file, format!("basic_auth_users: {{prometheus: {hash}}}")).unwrap();
        assert_eq!(status(&folder, &scene, password).await, Some(200));
    }
}

#[tokio::test]
async fn renewed_certificate_is_shown_at_once_and_half_of_one_is_not() {
    let folder = Folder::new();
    let file = folder.web("tls_server_config: {cert_file: server.crt, key_file: server.key}");
    certificates::write_server(folder.path(), "renewed");
    let [old, new] = ["server.crt", "renewed.crt"].map(|name| trusting(&folder.path().join(name)));
    let scene = Scene::serve(Some(&file), Limits::default()).await;
    let url = format!("https://{}/-/healthy", scene.address);
    let shown = async || {
        let [old, new] = [&old, &new].map(|client| client.get(&url).header("connection", "close").send());
        [old.await.is_ok(), new.await.is_ok()]
    };
    assert_eq!(shown().await, [true, false]);

    let copy = |end: &str| {
        let [from, to] = ["renewed", "server"].map(|name| folder.path().join(format!("{name}.{end}")));
        std::fs::copy(from, to).unwrap();
    };
    copy("crt");
    assert_eq!(shown().await, [true, false], "a certificate without its key");
    copy("key");
    assert_eq!(shown().await, [false, true]);

    // The clients that are taken are renewed too.
    folder.web(
        "tls_server_config: {cert_file: server.crt, key_file: server.key, client_ca_file: clients.crt, \
         client_auth_type: RequireAndVerifyClientCert}",
    );
    let ask = async |ask: Ask| ask.send(folder.path(), scene.address, "/metrics").await.status();
    assert_eq!(ask(Ask::TLS).await, None);
    assert_eq!(ask(Ask::TLS.with("right")).await, Some(200));
    assert_eq!(ask(Ask::TLS.with("foreign")).await, None);
    std::fs::copy(
        folder.path().join("foreign.crt"),
        folder.path().join("clients.crt"),
    )
    .unwrap();
    assert_eq!(ask(Ask::TLS.with("right")).await, None);
    assert_eq!(ask(Ask::TLS.with("foreign")).await, Some(200));
}

#[tokio::test]
async fn file_that_asks_less_of_clients_is_not_taken_while_it_runs() {
    const SERVER: &str = "cert_file: server.crt, key_file: server.key";
    let folder = Folder::new();
    let tls =
        |clients: &str| format!("tls_server_config: {{{SERVER}, client_ca_file: clients.crt, {clients}}}");
    let users = format!("basic_auth_users: {{prometheus: {}}}", hash("PasswordEXAMPLE"));
    let strict = tls("client_auth_type: RequireAndVerifyClientCert");
    let named = tls("client_auth_type: RequireAndVerifyClientCert, client_allowed_sans: [nobody]");
    let none = format!("tls_server_config: {{{SERVER}}}");
    let of_all = Ask::TLS.with("right");
    for (before, after, stranger, status) in [
        // Empty, as a file is that is being written in place; or on a full disk.
        (&users, String::new(), Ask::PLAIN, Some(401)),
        (&users, "basic_auth_users:\n".to_owned(), Ask::PLAIN, Some(401)),
        (&strict, none, Ask::TLS, None),
        (
            &strict,
            tls("client_auth_type: VerifyClientCertIfGiven"),
            Ask::TLS,
            None,
        ),
        (
            &strict,
            tls("client_auth_type: RequireAnyClientCert"),
            Ask::TLS.with("foreign"),
            None,
        ),
        (&named, strict.clone(), of_all, None),
    ] {
        let file = folder.web(before);
        let scene = Scene::serve(Some(&file), Limits::default()).await;
        let ask = async || {
            stranger
                .send(folder.path(), scene.address, "/metrics")
                .await
                .status()
        };
        assert_eq!(ask().await, status, "{before}");
        std::fs::write(&file, &after).unwrap();
        assert_eq!(ask().await, status, "{after}");
    }
}

#[tokio::test]
async fn connection_of_before_is_closed_once_tls_is_another() {
    let folder = Folder::new();
    let tls = "tls_server_config: {cert_file: server.crt, key_file: server.key}";
    let file = folder.web(tls);
    let scene = Scene::serve(Some(&file), Limits::default()).await;
    let client = trusting_and_keeping(&folder.path().join("server.crt"));
    let closes = async || {
        let url = format!("https://{}/-/healthy", scene.address);
        let answer = client.get(url).send().await.unwrap();
        assert_eq!(answer.status().as_u16(), 200);
        let closes = answer
            .headers()
            .get("connection")
            .is_some_and(|value| value == "close");
        answer.bytes().await.unwrap();
        closes
    };
    assert!(!closes().await);
    assert!(!closes().await);
    folder.web(&format!("{tls}\n# another\n"));
    assert!(closes().await, "the connection of before");
    assert!(!closes().await, "a new one");
}

#[tokio::test]
async fn tls_is_not_taken_away_while_it_runs() {
    let folder = Folder::new();
    let tls = "tls_server_config: {cert_file: server.crt, key_file: server.key}";
    for (before, after, same) in [(tls, "", Ask::TLS), ("", tls, Ask::PLAIN)] {
        let scene = Scene::serve(Some(&folder.web(before)), Limits::default()).await;
        folder.web(after);
        let answer = same.send(folder.path(), scene.address, "/metrics").await;
        assert_eq!(answer.status(), Some(200), "{answer}");
    }
}
