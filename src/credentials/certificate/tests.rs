use std::{collections::HashMap, os::unix::fs::PermissionsExt as _, sync::Arc};

use secrecy::ExposeSecret as _;
use tempfile::TempDir;

use super::*;

const CERTIFICATE: &str = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
const KEY_TEXT: &str = "-----BEGIN PRIVATE KEY-----\ncanary\n-----END PRIVATE KEY-----\n";

struct Fixture {
    home: TempDir,
    variables: HashMap<String, String>,
}

impl Fixture {
    fn new() -> Self {
        let home = tempfile::tempdir().unwrap();
        let variables = HashMap::from([("HOME".to_owned(), home.path().display().to_string())]);
        Self { home, variables }
    }

    fn set(mut self, name: &str, value: &str) -> Self {
        self.variables.insert(name.to_owned(), value.to_owned());
        self
    }

    fn file(self, below: &str, text: &str) -> Self {
        let path = self.home.path().join(below);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, text).unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600)).unwrap();
        self
    }

    /// Where it is from, or why there is none, without the folder the test runs in.
    fn found(&self, named: [Option<&str>; 2]) -> String {
        let paths = named.map(|below| below.map(|below| self.home.path().join(below)));
        let [certificate, key] = &paths;
        let named = Named {
            certificate: certificate.as_deref(),
            key: key.as_deref(),
        };
        let variables = self.variables.clone();
        let variables: Variables = Arc::new(move |name| variables.get(name).cloned());
        let told = match ClientCertificate::find(Provider::Outscale, named, None, None, &variables) {
            Ok(None) => "none".to_owned(),
            Ok(Some(found)) => {
                let pem = found.pem.expose_secret();
                assert!(
                    pem.contains("BEGIN CERTIFICATE") && pem.contains("canary"),
                    "{pem}"
                );
                assert!(!format!("{found:?}").contains("canary"));
                found.from
            }
            Err(error) => {
                assert!(!format!("{error} {error:?}").contains("canary"), "{error:?}");
                error.to_string()
            }
        };
        told.replace(&format!("{}/", self.home.path().display()), "")
    }
}

#[test]
fn settings_win_over_the_profile_and_that_over_the_environment() {
    let both = format!("{CERTIFICATE}{KEY_TEXT}");
    let fixture = Fixture::new()
        .file("cert.pem", CERTIFICATE)
        .file("key.pem", KEY_TEXT)
        .file("both.pem", &both);
    assert_eq!(fixture.found([None, None]), "none");
    let fixture = fixture
        .set("OSC_X509_CLIENT_CERT_B64", &STANDARD.encode(CERTIFICATE))
        .set("OSC_X509_CLIENT_KEY_B64", &STANDARD.encode(KEY_TEXT));
    assert_eq!(
        fixture.found([None, None]),
        "OSC_X509_CLIENT_CERT_B64 and OSC_X509_CLIENT_KEY_B64"
    );
    let fixture = fixture
        .set("OSC_X509_CLIENT_CERT", "~/cert.pem")
        .set("OSC_X509_CLIENT_KEY", "~/key.pem");
    assert_eq!(fixture.found([None, None]), "cert.pem and key.pem");
    let fixture = fixture.file(
        ".osc/config.json",
        r#"{"default": {"client_certificate": "~/both.pem"}}"#,
    );
    assert_eq!(fixture.found([None, None]), "both.pem");
    let text = format!(
        r#"{{"default": {{"access_key": "A"}}, "prod": {{"x509_client_cert_b64": "{}", "x509_client_key": "~/key.pem"}}}}"#,
        STANDARD.encode(CERTIFICATE)
    );
    let fixture = fixture.file(".osc/config.json", &text).set("OSC_PROFILE", "prod");
    assert_eq!(
        fixture.found([None, None]),
        "`x509_client_cert_b64` of profile `prod` and key.pem"
    );
    assert_eq!(fixture.found([Some("both.pem"), None]), "both.pem");
    assert_eq!(
        fixture.found([Some("cert.pem"), Some("key.pem")]),
        "cert.pem and key.pem"
    );
}

#[test]
fn what_is_no_certificate_is_told_by_its_file() {
    let fixture = Fixture::new()
        .file("cert.pem", CERTIFICATE)
        .file("key.pem", KEY_TEXT)
        .file("junk", "canary");
    let cases = [
        (
            [Some("cert.pem"), None],
            "cert.pem holds no PRIVATE KEY in PEM form (-----BEGIN PRIVATE KEY-----)",
        ),
        (
            [Some("junk"), None],
            "junk holds no CERTIFICATE in PEM form (-----BEGIN CERTIFICATE-----)",
        ),
        (
            [Some("key.pem"), None],
            "key.pem holds no CERTIFICATE in PEM form (-----BEGIN CERTIFICATE-----)",
        ),
        (
            [Some("cert.pem"), Some("junk")],
            "junk holds no PRIVATE KEY in PEM form (-----BEGIN PRIVATE KEY-----)",
        ),
        (
            [None, Some("key.pem")],
            "`client_key` is there without `client_certificate`: name both, or one file with both in \
             `client_certificate`",
        ),
        (
            [Some("absent"), None],
            "the file absent of `client_certificate` does not exist: write it, or correct its name",
        ),
    ];
    for (named, told) in cases {
        assert_eq!(fixture.found(named), told);
    }
    let fixture = fixture.set("OSC_X509_CLIENT_CERT_B64", "canary!");
    assert_eq!(
        fixture.found([None, None]),
        "OSC_X509_CLIENT_CERT_B64 is not base64 of a file in PEM form"
    );
}

#[test]
fn key_in_place_of_its_path_is_told_to_nobody() {
    let one_line = "-----BEGIN PRIVATE KEY----- canary -----END PRIVATE KEY-----";
    let bare = "canary".repeat(60);
    for pasted in [KEY_TEXT, one_line, &bare] {
        let fixture = Fixture::new().file("client.pem", CERTIFICATE);
        let certificate = fixture.home.path().join("client.pem").display().to_string();
        let of_the_environment = fixture
            .set("OSC_X509_CLIENT_CERT", &certificate)
            .set("OSC_X509_CLIENT_KEY", pasted)
            .found([None, None]);
        let of_the_settings = Fixture::new()
            .file("client.pem", CERTIFICATE)
            .found([Some("client.pem"), Some(pasted)]);
        for told in [of_the_environment, of_the_settings] {
            assert!(
                told.contains("holds what is no path") && !told.contains("canary"),
                "{told}"
            );
        }
    }
}
