use std::io::{Read as _, Write as _};
use std::net::TcpListener;

use jiff::{SignedDuration, Timestamp};
use prometheus::Registry;

use super::super::{Credential, Metrics, Users};
use super::*;
use crate::credentials::{Credentials, Source, Variables};
use crate::provider::Provider;

/// How far the cloud's clock is from this machine's, in the tests in which it is.
const BEHIND: i64 = -2 * 60 * 60;

/// So many seconds from now by the cloud's clock.
fn end(skew: i64, seconds: i64) -> Timestamp {
    Timestamp::now() + SignedDuration::from_secs(skew + seconds)
}

/// A credential whose clock is corrected by so much, and whose key is at the end of the chain of these variables.
fn credential(skew: i64, variables: Vec<(&'static str, String)>) -> Arc<Credential> {
    let look_up = move |name: &str| {
        let mut named = variables.iter().filter(|(known, _)| *known == name);
        named.next().map(|(_, value)| value.clone())
    };
    let variables: Variables = Arc::new(look_up);
    let users = Users {
        regions: 1,
        processes: 1,
    };
    let teller = Teller {
        endpoint: None,
        ca_bundle: None,
        metrics: Arc::new(Metrics::register(&Registry::new()).unwrap()),
    };
    let source = Source::new(Provider::Aws, None, None, variables);
    Arc::new(Credential::new(Provider::Aws, users, source, teller).with_skew(skew))
}

async fn asked(credential: &Arc<Credential>) -> Result<String, String> {
    let key = credential.key(Instant::now() + TIMEOUT).await;
    key.map(|current| current.credentials.access_key_id.clone())
        .map_err(|cause| cause.to_string())
}

/// What a program prints, by the end of its key; perhaps it is under a role.
async fn of_a_process(skew: i64, end: Timestamp, under_a_role: bool) -> Result<String, String> {
    let folder = tempfile::tempdir().unwrap();
    let key = format!(
        r#"{{"Version": 1, "AccessKeyId": "TESTKEYEXAMPLE", "SecretAccessKey": "canary", "Expiration": "{end}"}}"#
    );
    let printed = folder.path().join("key");
    std::fs::write(&printed, key).unwrap();
    let [shared, config] = ["shared", "config"].map(|name| folder.path().join(name));
    std::fs::write(&shared, "").unwrap();
    let process = format!("credential_process = cat {}", printed.display());
    let text = if under_a_role {
        "[default]\nrole_arn = arn:aws:iam::123456789012:role/watcher\nsource_profile = base\n[profile base]\n"
    } else {
        "[default]\n"
    };
    std::fs::write(&config, format!("{text}{process}\n")).unwrap();
    let path = |path: &std::path::Path| path.display().to_string();
    let variables = vec![
        ("AWS_CONFIG_FILE", path(&config)),
        ("AWS_SHARED_CREDENTIALS_FILE", path(&shared)),
    ];
    asked(&credential(skew, variables)).await
}

/// What a container's endpoint answers, by the end of its key.
async fn of_a_container(skew: i64, end: Timestamp) -> Result<String, String> {
    let endpoint = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/", endpoint.local_addr().unwrap());
    let key = format!(
        r#"{{"AccessKeyId": "TESTKEYEXAMPLE", "SecretAccessKey": "canary", "Token": "canary", "Expiration": "{end}"}}"#
    );
    let answered = tokio::task::spawn_blocking(move || {
        let (mut stream, _) = endpoint.accept().unwrap();
        let _head = stream.read(&mut [0; 4096]).unwrap();
        let length = key.len();
        write!(
            stream,
            "HTTP/1.1 200 OK\r\ncontent-length: {length}\r\nconnection: close\r\n\r\n{key}"
        )
        .unwrap();
    });
    let variables = vec![("AWS_CONTAINER_CREDENTIALS_FULL_URI", url)];
    let asked = asked(&credential(skew, variables)).await;
    answered.await.unwrap();
    asked
}

#[tokio::test]
async fn lent_key_is_judged_by_the_corrected_clock() {
    let good = end(BEHIND, 3600);
    let taken = Ok("TESTKEYEXAMPLE".to_owned());
    assert_eq!(of_a_process(BEHIND, good, false).await, taken);
    assert_eq!(of_a_container(BEHIND, good).await, taken);
    // That of a machine that is behind.
    let over = end(-BEHIND, -60);
    for told in [
        of_a_process(-BEHIND, over, false).await,
        of_a_container(-BEHIND, over).await,
    ] {
        let told = told.unwrap_err();
        let expected = format!("holds a key that ran out at {over}, by the cloud's clock; it must give one");
        assert!(told.contains(&expected) && !told.contains("canary"), "{told}");
    }
}

#[tokio::test]
async fn key_that_may_be_good_by_the_right_clock_is_told_with_whose_clock_it_is_over_by() {
    let over = end(0, -60);
    let told = of_a_process(0, over, false).await.unwrap_err();
    assert!(told.contains("by this machine's clock"), "{told}");
    assert!(told.ends_with("if this machine's clock is right"), "{told}");
}

/// STS, which is nowhere here, would say no more than that the key is no good.
#[tokio::test]
async fn key_under_a_role_that_ran_out_is_told_as_that() {
    let told = of_a_process(0, end(0, -60), true).await.unwrap_err();
    assert!(
        told.contains("the program `cat`") && told.contains("holds a key that ran out"),
        "{told}"
    );
    let told = of_a_process(0, end(0, 60), true).await.unwrap_err();
    assert!(told.contains("no endpoint of `sts`"), "{told}");
}

#[test]
fn role_whose_new_key_is_over_points_to_the_clock() {
    let remote = Remote::Role {
        role: crate::credentials::Role {
            arn: "arn:aws:iam::123456789012:role/watcher".to_owned(),
            external_id: None,
            session_name: "vigie".to_owned(),
            duration: None,
        },
        base: Base::Key(key()),
    };
    let lent = |expires| {
        let lease = Lease {
            credentials: key(),
            expires: Some(expires),
        };
        in_time(lease, &remote, &Clock::default())
    };
    assert!(lent(end(0, 60)).is_ok());
    let no_key = lent(end(0, 0)).unwrap_err();
    assert!(no_key.is_a_refusal(), "{no_key:?}");
    assert_eq!(no_key.reason(), Reason::Clock);
    assert!(
        no_key.to_string().ends_with("; set this machine's clock"),
        "{no_key}"
    );
}

fn key() -> Credentials {
    Credentials {
        access_key_id: "TESTKEYEXAMPLE".to_owned(),
        secret_access_key: "canary".into(),
        session_token: None,
    }
}
