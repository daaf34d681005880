use std::{collections::HashMap, sync::Arc};

use secrecy::ExposeSecret as _;

use super::*;

fn variables(set: &[(&str, &str)]) -> Variables {
    let set: HashMap<String, String> = set
        .iter()
        .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
        .collect();
    Arc::new(move |name| set.get(name).cloned())
}

fn url(set: &[(&str, &str)]) -> String {
    match Container::find(&variables(set)) {
        Ok(Some(container)) => container.url.to_string(),
        Ok(None) => "none".to_owned(),
        Err(error) => error.to_string(),
    }
}

#[test]
fn key_comes_in_the_clear_from_this_machine_alone() {
    for good in [
        "https://keys.example/x",
        "http://169.254.170.2/x",
        "http://169.254.170.23/v1/credentials",
        "http://[fd00:ec2::23]/v1/credentials",
        "http://127.0.0.1:8080/x",
        "http://127.9.9.9/x",
        "http://[::1]:8080/x",
        "http://localhost:8080/x",
    ] {
        assert_eq!(url(&[(FULL_URI, good)]), good);
    }
    for bad in [
        "http://keys.example/canary",
        "http://169.254.169.254/canary",
        "http://127.0.0.1.example/canary",
        "http://10.0.0.1/canary",
        "http://localhost.example/canary",
    ] {
        let told = url(&[(FULL_URI, bad)]);
        assert!(
            told.contains("without TLS") && told.contains("write https"),
            "{told}"
        );
        assert!(!told.contains("canary"), "{told}");
    }
    for bad in ["ftp://127.0.0.1/x", "nonsense", "unix:/x"] {
        assert!(url(&[(FULL_URI, bad)]).contains("makes no URL"), "{bad}");
    }
}

#[test]
fn relative_uri_stays_on_its_host() {
    let relative = |path| url(&[(RELATIVE_URI, path), (FULL_URI, "http://127.0.0.1/never")]);
    assert_eq!(
        relative("/v2/credentials/x?y=1"),
        "http://169.254.170.2/v2/credentials/x?y=1"
    );
    for bad in [".evil.example/x", "@evil.example/x", ":80@evil.example/x"] {
        assert!(relative(bad).contains("makes no URL"), "{bad}");
    }
    assert_eq!(url(&[]), "none");
}

#[test]
fn token_of_a_container_is_read_from_its_file_each_time() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("token");
    let set = [
        (FULL_URI, "http://127.0.0.1/canary-path"),
        (TOKEN_VALUE, "canary-value"),
        (TOKEN_FILE, path.to_str().unwrap()),
    ];
    let container = Container::find(&variables(&set)).unwrap().unwrap();
    assert!(
        container
            .authorization()
            .unwrap_err()
            .to_string()
            .contains("does not exist")
    );
    for token in ["canary-one", "canary-two"] {
        std::fs::write(&path, format!("{token}\n")).unwrap();
        assert_eq!(container.authorization().unwrap().unwrap().expose_secret(), token);
    }
    for (bad, told) in [
        ("a\r\nX-Evil: canary", "inside its token"),
        ("", "is empty"),
        ("é", "inside its token"),
    ] {
        std::fs::write(&path, bad).unwrap();
        let error = container.authorization().unwrap_err();
        assert!(error.to_string().contains(told), "{error}");
        assert!(!format!("{error} {error:?}").contains("canary"), "{error:?}");
    }
    let value = Container::find(&variables(&set[..2])).unwrap().unwrap();
    assert_eq!(
        value.authorization().unwrap().unwrap().expose_secret(),
        "canary-value"
    );
    assert!(!format!("{value} {value:?}").contains("canary"), "{value:?}");
}

#[test]
fn metadata_are_where_the_environment_says() {
    let found = |set: &[(&str, &str)]| match Metadata::find(&variables(set)) {
        Ok(Some(metadata)) => format!(
            "{} {} {:?} {}",
            metadata.endpoint, metadata.allows_v1, metadata.timeout, metadata.attempts
        ),
        Ok(None) => "off".to_owned(),
        Err(error) => error.to_string(),
    };
    assert_eq!(found(&[]), "http://169.254.169.254/ true 1s 1");
    assert_eq!(
        found(&[(ENDPOINT_MODE, "IPv6"), (V1_DISABLED, "true")]),
        "http://[fd00:ec2::254]/ false 1s 1"
    );
    assert_eq!(
        found(&[
            (ENDPOINT, "http://127.0.0.1:1338/x/"),
            (ENDPOINT_MODE, "IPv6"),
            (TIMEOUT, "5"),
            (ATTEMPTS, "3")
        ]),
        "http://127.0.0.1:1338/x/ true 5s 3"
    );
    assert_eq!(found(&[(DISABLED, "TRUE")]), "off");
    assert_eq!(found(&[(DISABLED, "1")]), "http://169.254.169.254/ true 1s 1");
    assert!(found(&[(ENDPOINT, "nowhere")]).contains("makes no URL"));
    for bad in ["0", "61", "-1", "x", "1.5"] {
        assert!(
            found(&[(TIMEOUT, bad)]).contains("no number from 1 to 60"),
            "{bad}"
        );
    }
}
