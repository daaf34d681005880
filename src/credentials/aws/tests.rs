use std::{collections::HashMap, fs, os::unix::fs::PermissionsExt as _};

use tempfile::TempDir;

use super::*;

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

    fn with(config: &str, credentials: &str) -> Self {
        Self::new().config(config).credentials(credentials)
    }

    fn config(self, text: &str) -> Self {
        self.write(".aws/config", text)
    }

    fn credentials(self, text: &str) -> Self {
        self.write(".aws/credentials", text)
    }

    fn write(self, below: &str, text: &str) -> Self {
        let path = self.home.path().join(below);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, text).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
        self
    }

    fn set(mut self, name: &str, value: &str) -> Self {
        self.variables.insert(name.to_owned(), value.to_owned());
        self
    }

    fn variables(&self) -> Variables {
        let variables = self.variables.clone();
        Arc::new(move |name| variables.get(name).cloned())
    }

    /// The place in words, without the folder the test runs in.
    fn located(&self, profile: Option<&str>) -> String {
        let told = match locate(None, profile, &self.variables()) {
            Ok(Place::Environment(key, _)) => format!("environment {}", key.access_key_id),
            Ok(Place::File { path, profile, .. }) => format!("file {} {profile}", path.display()),
            Ok(Place::Remote(remote)) => format!("{}: {remote}", remote.name()),
            Err(error) => format!("error: {error}"),
        };
        told.replace(&format!("{}/", self.home.path().display()), "")
    }
}

const ROLE: &str = "arn:aws:iam::123456789012:role/watcher";

fn key(id: &str) -> String {
    format!("aws_access_key_id = {id}\naws_secret_access_key = canary\n")
}

/// Each source is put under the ones before it: the order of botocore's `create_credential_resolver`.
#[test]
fn sources_are_looked_at_in_botocores_order() {
    let mut fixture = Fixture::new();
    assert_eq!(
        fixture.located(None),
        "imds: the role of the instance, from its metadata on 169.254.169.254"
    );
    fixture = fixture.set("AWS_CONTAINER_CREDENTIALS_FULL_URI", "http://127.0.0.1:1/canary");
    assert_eq!(
        fixture.located(None),
        "container: the container's endpoint on 127.0.0.1 (AWS_CONTAINER_CREDENTIALS_FULL_URI)"
    );
    fixture = fixture.set("AWS_CREDENTIAL_FILE", "/old");
    assert_eq!(fixture.located(None), "file /old default");
    let mut config = format!("[default]\n{}", key("CONFIG"));
    fixture = fixture.config(&config);
    assert_eq!(fixture.located(None), "file .aws/config default");
    config.push_str("credential_process = /bin/tool canary\n");
    fixture = fixture.config(&config);
    assert_eq!(
        fixture.located(None),
        "process: the program `/bin/tool` (`credential_process` of profile `default`)"
    );
    fixture = fixture.credentials(&format!("[default]\n{}", key("SHARED")));
    assert_eq!(fixture.located(None), "file .aws/credentials default");
    fixture = fixture
        .set("AWS_WEB_IDENTITY_TOKEN_FILE", "/token")
        .set("AWS_ROLE_ARN", ROLE);
    assert_eq!(
        fixture.located(None),
        format!(
            "web_identity: the role {ROLE}, with the web identity in /token (AWS_WEB_IDENTITY_TOKEN_FILE)"
        )
    );
    assert_eq!(
        fixture.located(Some("default")),
        "file .aws/credentials default",
        "whoever names a profile does not mean the environment"
    );
    fixture = fixture.config(&format!("{config}role_arn = {ROLE}\nsource_profile = default\n"));
    assert_eq!(
        fixture.located(None),
        format!("assume_role: the role {ROLE}, with the key …ARED")
    );
    fixture = fixture
        .set("AWS_ACCESS_KEY_ID", "ENVIRONMENT")
        .set("AWS_SECRET_ACCESS_KEY", "canary");
    assert_eq!(fixture.located(None), "environment ENVIRONMENT");
    assert!(fixture.located(Some("default")).starts_with("assume_role"));
}

#[test]
fn profile_is_named_differently_in_both_files() {
    let config = format!(
        "[prod]\n{}[profile 'a b']\n{}[profile dev]\nregion = r\ns3 =\n  aws_access_key_id = NESTED\n",
        key("NOT"),
        key("CONFIG")
    );
    let fixture = Fixture::with(&config, &format!("[profile x]\n{}", key("ODD")));
    assert_eq!(fixture.located(Some("a b")), "file .aws/config a b");
    assert_eq!(
        fixture.located(Some("profile x")),
        "file .aws/credentials profile x"
    );
    // There, without a key: whatever knows nothing of profiles comes next.
    assert!(fixture.located(Some("dev")).starts_with("imds"));
    for absent in ["prod", "x"] {
        let told = fixture.located(Some(absent));
        assert_eq!(
            told,
            format!(
                "error: no key for aws: looked at .aws/credentials (no profile `{absent}`), .aws/config (no profile \
                 `{absent}`); write the profile `{absent}` into one of them, or name a file with `credentials_file`"
            )
        );
    }
    let fixture = fixture.set("AWS_PROFILE", "a b");
    assert_eq!(fixture.located(None), "file .aws/config a b");
    let fixture = fixture.set("AWS_DEFAULT_PROFILE", "profile x");
    assert_eq!(
        fixture.located(None),
        "file .aws/credentials profile x",
        "botocore's order"
    );
}

#[test]
fn roles_on_roles_lead_to_a_key() {
    let other = ROLE.replace("watcher", "other");
    let config = format!(
        "[profile top]\nrole_arn = {ROLE}\nsource_profile = middle\nexternal_id = ext\nduration_seconds = 900\n\
         [profile middle]\nrole_arn = {other}\nsource_profile = base\n\
         [profile own]\nrole_arn = {ROLE}\nsource_profile = own\nrole_session_name = me\n{}\
         [profile instance]\nrole_arn = {ROLE}\ncredential_source = Ec2InstanceMetadata\n\
         [profile environment]\nrole_arn = {ROLE}\ncredential_source = environment\n\
         [profile tool]\nrole_arn = {ROLE}\nsource_profile = process\n\
         [profile process]\ncredential_process = tool\n\
         [profile web]\nrole_arn = {ROLE}\nweb_identity_token_file = ~/token\n",
        key("OWNKEY"),
    );
    let fixture = Fixture::with(&config, &format!("[base]\n{}", key("BASE")));
    assert_eq!(
        fixture.located(Some("top")),
        format!("assume_role: the role {ROLE}, with the role {other}, with the key …BASE")
    );
    let Ok(Place::Remote(Remote::Role { role, .. })) = locate(None, Some("top"), &fixture.variables()) else {
        panic!("a role");
    };
    assert_eq!(
        (
            role.external_id.as_deref(),
            role.duration.map(|time| time.as_secs()),
            role.session_name.as_str()
        ),
        (Some("ext"), Some(900), "vigie")
    );
    assert_eq!(
        fixture.located(Some("own")),
        format!("assume_role: the role {ROLE}, with the key …NKEY")
    );
    assert!(
        fixture
            .located(Some("instance"))
            .ends_with("with the role of the instance, from its metadata on 169.254.169.254")
    );
    assert!(fixture.located(Some("tool")).contains("with the program `tool`"));
    assert_eq!(
        fixture.located(Some("web")),
        format!(
            "web_identity: the role {ROLE}, with the web identity in token (`web_identity_token_file` of profile `web`)"
        )
    );
    assert!(
        fixture
            .located(Some("environment"))
            .contains("and there is no key: set its variables")
    );
    let fixture = fixture
        .set("AWS_ACCESS_KEY_ID", "ENVIRONMENT")
        .set("AWS_SECRET_ACCESS_KEY", "canary");
    assert_eq!(
        fixture.located(Some("environment")),
        format!("assume_role: the role {ROLE}, with the key …MENT")
    );
}

#[test]
fn profile_that_cannot_be_meant_is_told_with_what_to_write() {
    let role = format!("role_arn = {ROLE}\n");
    let cases = [
        (role.clone(), "neither `source_profile` nor `credential_source`"),
        (
            format!("{role}source_profile = p\ncredential_source = Environment\n"),
            "keep one",
        ),
        (
            format!("{role}credential_source = Magic\n"),
            "write Environment, Ec2InstanceMetadata or EcsContainer",
        ),
        (
            format!("{role}credential_source = EcsContainer\n"),
            "there is no key: set its variables",
        ),
        (
            format!("{role}source_profile = absent\n"),
            "there is no such profile",
        ),
        (
            format!("{role}source_profile = empty\n"),
            "that profile has no key",
        ),
        (format!("{role}source_profile = p\n"), "in a circle (p → p)"),
        (format!("{role}source_profile = q\n"), "in a circle (p → q → p)"),
        (
            format!("{role}source_profile = key\nmfa_serial = arn:x\n"),
            "nobody is there to type",
        ),
        (
            "role_arn = watcher\nsource_profile = key\n".to_owned(),
            "is no ARN of a role",
        ),
        (
            format!("{role}source_profile = key\nduration_seconds = 5\n"),
            "15 minutes to 12 hours",
        ),
        (
            format!("{role}source_profile = key\nexternal_id = a b\n"),
            "is no external id",
        ),
        ("web_identity_token_file = /t\n".to_owned(), "names no role"),
        (
            "credential_process = 'a\n".to_owned(),
            "a quote that is not closed",
        ),
        ("sso_session = x\n".to_owned(), "vigie bootstrap"),
        (
            "login_session = x\n".to_owned(),
            "aws configure export-credentials",
        ),
    ];
    for (text, expected) in cases {
        let config = format!(
            "[profile p]\n{text}[profile q]\n{role}source_profile = p\n[profile empty]\nregion = r\n[profile key]\n{}",
            key("KEY")
        );
        let told = Fixture::with(&config, "").located(Some("p"));
        assert!(
            told.starts_with("error: profile `") && told.contains(expected),
            "{text}: {told}"
        );
        assert!(!told.contains("canary"), "{told}");
    }
}

#[test]
fn profile_that_is_signed_in_for_does_not_hide_a_key() {
    let fixture = Fixture::with(&format!("[default]\nsso_session = x\n{}", key("CONFIG")), "");
    assert_eq!(fixture.located(None), "file .aws/config default");
}

#[test]
fn file_of_the_settings_may_hold_roles_too() {
    let fixture = Fixture::with("[default]\nregion = r\n", "");
    let text = format!(
        "[default]\nrole_arn = {ROLE}\nsource_profile = base\n[base]\n{}",
        key("BASE")
    );
    let fixture = fixture
        .write("own", &text)
        .set("AWS_ACCESS_KEY_ID", "E")
        .set("AWS_SECRET_ACCESS_KEY", "canary");
    let path = fixture.home.path().join("own");
    let Ok(Place::Remote(remote)) = locate(Some(&path), None, &fixture.variables()) else {
        panic!("a role");
    };
    assert_eq!(remote.to_string(), format!("the role {ROLE}, with the key …BASE"));
}

#[test]
fn broken_file_of_profiles_is_an_error_and_not_passed_over() {
    let fixture = Fixture::with(
        "[default]\nwhat is this\n",
        &format!("[default]\n{}", key("SHARED")),
    );
    assert!(
        fixture
            .located(None)
            .contains(".aws/config is in no known format (see line 2)")
    );
    let fixture = Fixture::with("", "AWSAccessKeyId=OLD\nAWSSecretKey=canary\n");
    assert_eq!(
        fixture.located(None),
        "file .aws/credentials default",
        "told by its content"
    );
}
