use std::{
    collections::HashMap,
    fs::{self, Permissions},
    io,
    os::unix::fs::PermissionsExt as _,
    path::Path,
};

use tempfile::TempDir;
use tracing_subscriber::fmt::MakeWriter;

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

    fn set(mut self, name: &str, value: &str) -> Self {
        self.variables.insert(name.to_owned(), value.to_owned());
        self
    }

    fn path(&self, below: &str) -> PathBuf {
        self.home.path().join(below)
    }

    fn write(&self, below: &str, text: &str) -> PathBuf {
        let path = self.path(below);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        write(&path, text);
        path
    }

    fn source(&self, provider: Provider, file: Option<PathBuf>, profile: Option<&str>) -> Source {
        let variables = self.variables.clone();
        Source::new(
            provider,
            file,
            profile.map(str::to_owned),
            Arc::new(move |name| variables.get(name).cloned()),
        )
    }

    fn found(&self, provider: Provider, profile: Option<&str>) -> String {
        id(&current(&self.source(provider, None, profile)))
    }
}

fn write(path: &Path, text: &str) {
    fs::write(path, text).unwrap();
    fs::set_permissions(path, Permissions::from_mode(0o600)).unwrap();
}

fn ini(profile: &str, id: &str) -> String {
    format!("[{profile}]\naws_access_key_id = {id}\naws_secret_access_key = canary-of-{id}\n")
}

fn osc(profile: &str, id: &str) -> String {
    format!(r#"{{"{profile}": {{"access_key": "{id}", "secret_key": "canary"}}}}"#)
}

/// Where the key came from and its id, or the error without the folder the test runs in.
fn id(current: &Result<Current, Error>) -> String {
    match current {
        Ok(current) => format!("{} {}", current.source, current.credentials.access_key_id),
        Err(error) => error.to_string(),
    }
}

fn current(source: &Source) -> Result<Current, Error> {
    source.look().map(key)
}

fn reread(source: &Source) -> Result<Current, Error> {
    source.reread().map(key)
}

fn key(found: Found) -> Current {
    match found {
        Found::Key(current) => current,
        Found::Remote(remote) => panic!("there is no key but {remote}"),
    }
}

#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl io::Write for Log {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl<'a> MakeWriter<'a> for Log {
    type Writer = Self;

    fn make_writer(&'a self) -> Self {
        self.clone()
    }
}

/// The lines logged meanwhile.
fn logged(run: impl FnOnce()) -> Vec<String> {
    let log = Log::default();
    let subscriber = tracing_subscriber::fmt()
        .with_writer(log.clone())
        .with_ansi(false)
        .finish();
    tracing::subscriber::with_default(subscriber, run);
    let bytes = log.0.lock().unwrap().clone();
    let text = String::from_utf8(bytes).unwrap();
    text.lines().map(str::to_owned).collect()
}

#[test]
fn explicit_file_wins_over_everything() {
    let fixture = Fixture::new()
        .set("AWS_ACCESS_KEY_ID", "ENV")
        .set("AWS_SECRET_ACCESS_KEY", "canary")
        .set("AWS_PROFILE", "elsewhere");
    let path = fixture.write("key", &ini("default", "FILE"));
    let source = fixture.source(Provider::Aws, Some(path), None);
    assert_eq!(id(&current(&source)), "file FILE");
}

#[test]
fn environment_wins_over_files_unless_a_profile_is_named() {
    let fixture = Fixture::new()
        .set("AWS_ACCESS_KEY_ID", "ENV")
        .set("AWS_SECRET_ACCESS_KEY", "canary\r")
        .set("AWS_SECURITY_TOKEN", "token")
        .set("AWS_PROFILE", "prod");
    fixture.write(
        ".aws/credentials",
        &(ini("default", "DEFAULT") + &ini("prod", "PROD")),
    );
    let source = fixture.source(Provider::Aws, None, None);
    let current = current(&source).unwrap();
    assert_eq!((current.source, current.generation), ("environment", 1));
    assert_eq!(current.credentials.secret_access_key.expose_secret(), "canary");
    assert!(current.credentials.session_token.is_some());
    assert_eq!(reread(&source).unwrap().generation, 1);
    assert_eq!(fixture.found(Provider::Aws, Some("default")), "file DEFAULT");
}

#[test]
fn aws_files_are_looked_at_in_botocores_order() {
    let fixture = Fixture::new();
    let old = fixture.write("old", "AWSAccessKeyId=OLD\nAWSSecretKey=canary\n");
    let fixture = fixture.set("AWS_CREDENTIAL_FILE", old.to_str().unwrap());
    assert_eq!(fixture.found(Provider::Aws, None), "file OLD");

    fixture.write(
        ".aws/credentials",
        &(ini("default", "HOME") + &ini("prod", "PROD")),
    );
    assert_eq!(fixture.found(Provider::Aws, None), "file HOME");

    fixture.write("shared", &ini("default", "SHARED"));
    let fixture = fixture.set("AWS_SHARED_CREDENTIALS_FILE", "~/shared");
    assert_eq!(fixture.found(Provider::Aws, None), "file SHARED");

    let fixture = fixture
        .set("AWS_SHARED_CREDENTIALS_FILE", "")
        .set("AWS_PROFILE", "prod");
    assert_eq!(fixture.found(Provider::Aws, None), "file PROD");
}

#[test]
fn outscale_files_are_looked_at_new_before_legacy() {
    let fixture = Fixture::new();
    fixture.write(".osc_sdk/config.json", &osc("default", "LEGACY"));
    assert_eq!(fixture.found(Provider::Outscale, None), "file LEGACY");
    fixture.write(".osc/config.json", &osc("prod", "NEW"));
    let fixture = fixture.set("OSC_PROFILE", "prod");
    assert_eq!(fixture.found(Provider::Outscale, None), "file NEW");
    let fixture = fixture
        .set("OSC_ACCESS_KEY", "ENV")
        .set("OSC_SECRET_KEY", "canary");
    assert_eq!(fixture.found(Provider::Outscale, None), "environment ENV");
    assert_eq!(fixture.found(Provider::Outscale, Some("prod")), "file NEW");
}

#[test]
fn half_a_pair_says_which_half_is_missing() {
    let fixture = Fixture::new().set("AWS_ACCESS_KEY_ID", "AKIA1");
    assert_eq!(
        fixture.found(Provider::Aws, None),
        "AWS_ACCESS_KEY_ID is set but AWS_SECRET_ACCESS_KEY is not: set both, or neither"
    );
    let fixture = Fixture::new()
        .set("OSC_SECRET_KEY", "canary")
        .set("OSC_ACCESS_KEY", " ");
    assert_eq!(
        fixture.found(Provider::Outscale, None),
        "OSC_SECRET_KEY is set but OSC_ACCESS_KEY is not: set both, or neither"
    );
}

#[test]
fn odd_characters_in_a_variable_name_the_variable() {
    let fixture = Fixture::new()
        .set("AWS_ACCESS_KEY_ID", "AKIA1")
        .set("AWS_SECRET_ACCESS_KEY", "cana ry");
    let sentence = fixture.found(Provider::Aws, None);
    assert!(
        sentence.starts_with("the value of AWS_SECRET_ACCESS_KEY holds a space"),
        "{sentence}"
    );
    assert!(!sentence.contains("cana"), "{sentence}");
}

#[test]
fn nothing_found_lists_what_was_looked_at() {
    let fixture = Fixture::new();
    let home = fixture.home.path().display();
    assert_eq!(
        fixture.found(Provider::Outscale, None),
        format!(
            "no key for outscale: looked at OSC_ACCESS_KEY (not set), {home}/.osc/config.json (not there), \
             {home}/.osc_sdk/config.json (not there); set OSC_ACCESS_KEY and OSC_SECRET_KEY, or name a file \
             with `credentials_file`"
        )
    );
    let off = |name: &str| (name == "AWS_EC2_METADATA_DISABLED").then(|| "True".to_owned());
    let homeless = Source::new(Provider::Aws, None, None, Arc::new(off));
    assert_eq!(
        id(&current(&homeless)),
        "no key for aws: looked at AWS_ACCESS_KEY_ID (not set), ~/.aws/credentials (HOME is not set), ~/.aws/config \
         (HOME is not set), AWS_CREDENTIAL_FILE (not set), AWS_CONTAINER_CREDENTIALS_RELATIVE_URI and \
         AWS_CONTAINER_CREDENTIALS_FULL_URI (not set), the instance's metadata (turned off by \
         AWS_EC2_METADATA_DISABLED); set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or name a file with \
         `credentials_file`"
    );
}

#[test]
fn file_that_is_no_file_is_refused_by_name() {
    let fixture = Fixture::new();
    let missing = fixture.source(Provider::Aws, Some(fixture.path("missing")), None);
    assert_eq!(
        id(&current(&missing)),
        format!(
            "credentials file {} does not exist: write it, or correct its name in `credentials_file` \
             (`--credentials-file`); `vigie bootstrap` makes such a file",
            fixture.path("missing").display()
        )
    );
    let directory = fixture.source(Provider::Aws, Some(fixture.path("")), None);
    assert!(id(&current(&directory)).ends_with("is a directory: name the file in it"));
    let device = fixture.source(Provider::Aws, Some("/dev/null".into()), None);
    assert!(id(&current(&device)).contains("/dev/null is not a regular file"));
    let large = fixture.write("large", &"#".repeat(1024 * 1024 + 1));
    let large = fixture.source(Provider::Aws, Some(large), None);
    assert!(id(&current(&large)).contains("is larger than 1 MiB"));
    let named = Fixture::new().set("AWS_SHARED_CREDENTIALS_FILE", "/nowhere/at/all");
    assert_eq!(
        named.found(Provider::Aws, None),
        "credentials file /nowhere/at/all does not exist: write it, or correct its name in \
         AWS_SHARED_CREDENTIALS_FILE"
    );
}

#[test]
fn unreadable_file_says_why() {
    // Nobody can read the first page of a process's memory, not even the superuser.
    let path = PathBuf::from("/proc/self/mem");
    let source = Fixture::new().source(Provider::Aws, Some(path), None);
    assert!(
        id(&current(&source)).contains("/proc/self/mem cannot be read ("),
        "{}",
        id(&current(&source))
    );
}

#[test]
fn changed_file_is_read_again() {
    let fixture = Fixture::new();
    let path = fixture.write("key", &ini("default", "FIRST"));
    let source = fixture.source(Provider::Aws, Some(path.clone()), None);
    assert_eq!(current(&source).unwrap().generation, 1);
    let next = fixture.write("next", &ini("default", "OTHER"));
    fs::rename(next, &path).unwrap();
    let current = current(&source).unwrap();
    assert_eq!(
        (current.credentials.access_key_id.as_str(), current.generation),
        ("OTHER", 2)
    );
}

#[test]
fn touched_file_with_the_same_key_keeps_the_generation() {
    let fixture = Fixture::new();
    let path = fixture.write("key", &ini("default", "SAME"));
    let source = fixture.source(Provider::Aws, Some(path.clone()), None);
    current(&source).unwrap();
    write(&path, &format!("# rotated? no\n{}", ini("default", "SAME")));
    assert_eq!(current(&source).unwrap().generation, 1);
    assert_eq!(reread(&source).unwrap().generation, 1);
}

#[test]
fn half_written_file_keeps_the_last_key() {
    let fixture = Fixture::new();
    let path = fixture.write("key", &ini("default", "FIRST"));
    let source = fixture.source(Provider::Aws, Some(path.clone()), None);
    let lines = logged(|| {
        current(&source).unwrap();
        write(&path, "[default]\naws_access_key_id = SECOND\n");
        for _ in 0..3 {
            assert_eq!(id(&current(&source)), "file FIRST");
        }
        assert_eq!(id(&reread(&source)), "file FIRST");
    });
    let [line] = lines.as_slice() else {
        panic!("{lines:#?}");
    };
    assert!(
        line.contains("keeping the key in force") && line.contains("error=credentials file "),
        "{line}"
    );
    assert!(
        line.contains("has `aws_access_key_id` but no `aws_secret_access_key`"),
        "{line}"
    );
    let lines = logged(|| {
        fs::remove_file(&path).unwrap();
        assert_eq!(id(&current(&source)), "file FIRST");
        assert_eq!(id(&current(&source)), "file FIRST");
    });
    assert!(
        lines.len() == 1 && lines[0].contains("does not exist"),
        "{lines:#?}"
    );
    write(&path, &ini("default", "SECOND"));
    assert_eq!(id(&current(&source)), "file SECOND");
    assert_eq!(current(&source).unwrap().generation, 2);
}

#[test]
fn file_that_comes_late_is_found() {
    let fixture = Fixture::new();
    let source = fixture.source(Provider::Outscale, None, None);
    current(&source).unwrap_err();
    fixture.write(".osc/config.json", &osc("default", "LATE"));
    assert_eq!(id(&current(&source)), "file LATE");
}

#[test]
fn file_that_others_can_read_is_warned_of_once_for_each_change() {
    let fixture = Fixture::new();
    let path = fixture.write("key", &ini("default", "A"));
    let source = fixture.source(Provider::Aws, Some(path.clone()), None);
    let lines = logged(|| {
        fs::set_permissions(&path, Permissions::from_mode(0o640)).unwrap();
        current(&source).unwrap();
        current(&source).unwrap();
        reread(&source).unwrap();
        fs::set_permissions(&path, Permissions::from_mode(0o644)).unwrap();
        current(&source).unwrap();
        fs::set_permissions(&path, Permissions::from_mode(0o600)).unwrap();
        current(&source).unwrap();
    });
    let path = path.display();
    assert_eq!(lines.len(), 2, "{lines:#?}");
    assert!(lines[0].contains("mode=\"0640\""), "{lines:#?}");
    assert!(lines[1].contains(&format!(
        "others can read this file, which holds a secret: run `chmod 600` on it what=\"credentials file\" path={path} \
         mode=\"0644\""
    )));
}

#[test]
fn secret_is_in_no_debug_error_or_log() {
    let fixture = Fixture::new();
    let path = fixture.write("key", &ini("default", "AKIAIOSFODNN7EXAMPLE"));
    let source = fixture.source(Provider::Aws, Some(path.clone()), None);
    let mut shown = Vec::new();
    let lines = logged(|| {
        shown.push(format!("{source:?} {:?}", current(&source).unwrap()));
        for text in [
            "canary",
            "[default]\naws_secret_access_key = canary",
            "{\"canary\"",
        ] {
            write(&path, text);
            current(&source).unwrap();
            let error = current(&fixture.source(Provider::Aws, Some(path.clone()), None)).unwrap_err();
            shown.push(format!(
                "{error} {error:?} {:#}",
                anyhow::Error::new(error.clone())
            ));
        }
    });
    assert_eq!(lines.len(), 3, "{lines:#?}");
    assert!(!lines.concat().contains("canary"), "{lines:#?}");
    let shown = shown.concat();
    assert!(!shown.contains("canary"), "{shown}");
    assert!(!shown.contains("AKIAIOSFODNN7EXAMPLE"), "{shown}");
}

const ROLE: &str = "arn:aws:iam::123456789012:role/watcher";

fn remote(source: &Source) -> String {
    match source.look() {
        Ok(Found::Remote(remote)) => remote.to_string(),
        found => panic!("nobody lends a key but {found:?}"),
    }
}

#[test]
fn role_of_a_changed_profile_is_the_next_to_be_put_on_and_a_profile_that_is_gone_is_kept() {
    let fixture = Fixture::new();
    let profile = |role: &str| format!("[default]\nrole_arn = {role}\nsource_profile = base\n");
    let config = fixture.write(".aws/config", &profile(ROLE));
    fixture.write(".aws/credentials", &ini("base", "BASE"));
    let source = fixture.source(Provider::Aws, None, None);
    assert_eq!(remote(&source), format!("the role {ROLE}, with the key …BASE"));
    let marks = source.marks();
    assert_eq!(source.marks(), marks);

    let other = ROLE.replace("watcher", "other");
    write(&config, &profile(&other));
    assert_ne!(source.marks(), marks);
    let kept = format!("the role {other}, with the key …BASE");
    assert_eq!(remote(&source), kept);

    let lines = logged(|| {
        write(&config, "[default]\nrole_a");
        assert_eq!(remote(&source), kept, "half-written");
    });
    assert!(
        lines.len() == 1 && lines[0].contains("going on with the one before"),
        "{lines:#?}"
    );
    fs::remove_file(&config).unwrap();
    assert_eq!(remote(&source), kept, "the instance's role is not meant");
}

#[test]
fn role_of_the_settings_is_put_on_with_the_key_in_force() {
    let fixture = Fixture::new();
    let path = fixture.write("key", &ini("default", "FIRST"));
    let role = Role {
        arn: ROLE.to_owned(),
        external_id: None,
        session_name: "vigie".to_owned(),
        duration: None,
    };
    let source = fixture
        .source(Provider::Aws, Some(path.clone()), None)
        .assuming(Some(role));
    assert_eq!(remote(&source), format!("the role {ROLE}, with the key …IRST"));
    let marks = source.marks();
    write(&path, &ini("default", "SECOND"));
    assert_ne!(source.marks(), marks);
    assert_eq!(remote(&source), format!("the role {ROLE}, with the key …COND"));
    assert!(!format!("{source:?} {:?}", source.look().unwrap()).contains("canary"));
}

#[test]
fn end_of_a_key_in_the_environment_is_known() {
    let fixture = Fixture::new()
        .set("AWS_ACCESS_KEY_ID", "ENV")
        .set("AWS_SECRET_ACCESS_KEY", "canary")
        .set("AWS_CREDENTIAL_EXPIRATION", "2030-01-01T00:00:00Z");
    let expires = current(&fixture.source(Provider::Aws, None, None))
        .unwrap()
        .expires;
    assert_eq!(expires, Some("2030-01-01T00:00:00Z".parse().unwrap()));
    let odd = fixture.set("AWS_CREDENTIAL_EXPIRATION", "canary");
    let error = odd
        .source(Provider::Aws, None, None)
        .look()
        .unwrap_err()
        .to_string();
    assert_eq!(
        error,
        "AWS_CREDENTIAL_EXPIRATION is no time such as 2030-01-01T00:00:00Z: correct it, or do not set it"
    );
}
