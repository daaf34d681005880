//! A secret with a mark on it in every place that a key can come from: the mark is nowhere else.

use std::fmt::Write as _;
use std::fs;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use tempfile::TempDir;
use tokio::process::{Child, Command};

use crate::cloud::{Mint, error, one_instance};
use crate::endpoints::{Asked, Scripted, metadata};
use crate::parts::{HTTP, command, wait_for};
use crate::scene::Home;
use crate::vigie::run;

/// In every secret, and in nothing else.
const MARK: &str = "canary";
const ROLE: &str = "arn:aws:iam::123456789012:role/watcher";
const SETTINGS: &str = "vigie.toml";

/// A cloud that repeats to whoever asks what should be nobody's to read.
async fn indiscreet(mint: &Mint) -> Scripted {
    let mint = mint.clone();
    Scripted::start(move |asked| {
        let token = asked.headers.get("x-amz-security-token");
        let token = token.and_then(|token| token.to_str().ok()).unwrap_or_default();
        let words = format!("canary-secret &#99;anary-secret {token}");
        Some(if !mint.takes(asked) {
            (403, error("SignatureDoesNotMatch", &words))
        } else if asked.body.contains("Action=DescribeInstances&") {
            (200, one_instance())
        } else {
            (403, error("UnauthorizedOperation", &words))
        })
    })
    .await
}

/// Settings whose services are all at this cloud.
#[derive(Default)]
struct Settings(String);

impl Settings {
    fn new() -> Self {
        Self("log_format = \"json\"\nlisten = \"127.0.0.1:0\"\n".to_owned())
    }

    fn account(mut self, name: &str, provider: &str, url: &str, lines: &str) -> Self {
        let region = if provider == "aws" {
            "eu-west-1"
        } else {
            "eu-west-2"
        };
        writeln!(
            self.0,
            "[[account]]\nname = {name:?}\nprovider = {provider:?}\nregions = [{region:?}]\n\
             kinds = [\"instances\"]\nendpoints = {{ ec2 = {url:?}, elb = {url:?}, iam = {url:?}, sts = {url:?} }}\n{lines}"
        )
        .unwrap();
        self
    }
}

/// A key that the cloud takes, as the lines of a profile.
fn profile(mint: &Mint, header: &str, with_token: bool) -> String {
    let [id, secret, token] = key(mint);
    let mut lines = format!("[{header}]\naws_access_key_id = {id}\naws_secret_access_key = {secret}\n");
    if with_token {
        writeln!(lines, "aws_session_token = {token}").unwrap();
    }
    lines
}

fn key(mint: &Mint) -> [String; 3] {
    let lent = mint.lend();
    ["AccessKeyId", "SecretAccessKey", "Token"].map(|name| lent[name].as_str().unwrap().to_owned())
}

/// Every command with this home says nothing of the secret; `ends` is how `once` does.
async fn says_nothing(home: &Home, ends: i32, is_run: bool) {
    let marked = marked(home);
    for (arguments, ends) in [
        (&["once"][..], Some(ends)),
        (&["once", "--format", "json"], Some(ends)),
        (&["check"], None),
        (&["audit", "--json"], None),
    ] {
        let run = run(home.vigie(arguments).env("VIGIE_LOG", "trace")).await;
        assert_discreet(arguments[0], &[&run.stdout, &run.stderr]);
        assert!(
            ends.is_none_or(|ends| run.code == Some(ends)),
            "{arguments:?}: {}",
            run.stderr
        );
    }
    if is_run {
        runs_and_says_nothing(home).await;
    }
    assert_eq!(
        self::marked(home),
        marked,
        "a file that nobody wrote holds the secret"
    );
}

fn assert_discreet(what: &str, texts: &[&str]) {
    for text in texts {
        let line = text.lines().find(|line| line.contains(MARK));
        assert_eq!(line, None, "a secret is in what `{what}` says");
    }
}

/// The files of a home in which the mark is.
fn marked(home: &Home) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut folders = vec![home.path("")];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if String::from_utf8_lossy(&fs::read(&path).unwrap()).contains(MARK) {
                found.push(path);
            }
        }
    }
    found.sort();
    found
}

async fn runs_and_says_nothing(home: &Home) {
    let mut command = home.vigie(&["run"]);
    let (agent, log) = background(command.env("VIGIE_LOG", "trace"), &home.path("log"));
    let url = listening(&log).await;
    let page = async |path: &str, accept: &str| {
        let answer = HTTP.get(format!("{url}{path}")).header("accept", accept);
        answer.send().await.unwrap().text().await.unwrap()
    };
    wait_for("the first polls", async || {
        let ready = HTTP.get(format!("{url}/-/ready")).send().await.unwrap();
        let status = ready.status();
        status
            .is_success()
            .then_some(())
            .ok_or_else(|| status.to_string())
    })
    .await;
    for path in ["/metrics", "/", "/sd/instances"] {
        for accept in ["*/*", "application/openmetrics-text"] {
            let text = page(path, accept).await;
            assert!(!text.is_empty(), "{path}");
            assert_discreet(path, &[&text]);
        }
    }
    let arguments = fs::read(format!("/proc/{}/cmdline", agent.id().unwrap())).unwrap();
    assert_discreet("cmdline", &[&String::from_utf8_lossy(&arguments)]);
    let said = end(agent, &log).await;
    for line in said.lines() {
        let parsed: Result<serde_json::Map<String, serde_json::Value>, _> = serde_json::from_str(line);
        assert!(parsed.is_ok_and(|line| line.contains_key("message")), "{line}");
    }
    assert_discreet("run", &[&said]);
}

/// `vigie` in the background, which ends with the value, and where both of its streams go.
fn background(command: &mut Command, log: &Path) -> (Child, PathBuf) {
    let file = fs::File::create(log).unwrap();
    command
        .stdin(Stdio::null())
        .stdout(file.try_clone().unwrap())
        .stderr(file);
    (command.spawn().unwrap(), log.to_owned())
}

async fn listening(log: &Path) -> String {
    wait_for("that it listens", async || {
        let said = fs::read_to_string(log).unwrap();
        let url = said
            .split_once("listening on ")
            .and_then(|(_, rest)| rest.split(['"', ' ']).next());
        url.map(str::to_owned).ok_or(said)
    })
    .await
}

/// Tells it to end; all that it said.
async fn end(mut agent: Child, log: &Path) -> String {
    let id = agent.id().unwrap().to_string();
    let sent = command("sh")
        .args(["-c", "kill \"$1\"", "kill", &id])
        .status()
        .await
        .unwrap();
    assert!(sent.success());
    tokio::time::timeout(Duration::from_secs(20), agent.wait())
        .await
        .unwrap()
        .unwrap();
    fs::read_to_string(log).unwrap()
}

#[tokio::test]
async fn secret_of_the_environment_and_of_files_is_nowhere_else() {
    let mint = Mint::lending_for(Duration::from_secs(3600));
    let cloud = indiscreet(&mint).await;
    let lender = mint.clone();
    let sts = Scripted::start(move |_| Some((200, lender.assumed("AssumeRole")))).await;
    let url = &cloud.url;
    let [id, secret, token] = key(&mint);
    let [osc_id, osc_secret, _] = key(&mint);
    let [legacy_id, legacy_secret, _] = key(&mint);
    let [json_id, json_secret, _] = key(&mint);
    let [printed_id, printed_secret, printed_token] = key(&mint);
    let printed = serde_json::json!({
        "Version": 1, "AccessKeyId": printed_id, "SecretAccessKey": printed_secret, "SessionToken": printed_token,
    });
    let home = Home::new()
        .set("AWS_ACCESS_KEY_ID", &id)
        .set("AWS_SECRET_ACCESS_KEY", &secret)
        .set("AWS_SESSION_TOKEN", &token)
        .set("OSC_ACCESS_KEY", &osc_id)
        .set("OSC_SECRET_KEY", &osc_secret)
        .set("OSC_X509_CLIENT_KEY_B64", "")
        .set("AWS_ENDPOINT_URL_STS", &sts.url)
        .file(".aws/credentials", &profile(&mint, "named", true))
        .file("shared", &profile(&mint, "default", false))
        .file(
            "legacy",
            &format!("AWSAccessKeyId={legacy_id}\nAWSSecretKey={legacy_secret}\n"),
        )
        .file(
            "osc.json",
            &serde_json::json!({"default": {"access_key": json_id, "secret_key": json_secret}}).to_string(),
        )
        .file("printed", &printed.to_string());
    let script = format!(
        "tr '\\0' '\\n' < /proc/$$/environ | grep -v ^AWS_ > {0}; tr '\\0' ' ' < /proc/$$/cmdline >> {0}; \
         echo canary-on-stderr >&2; cat {1}\n",
        home.path("of-the-child").display(),
        home.path("printed").display()
    );
    let home = home.file("lend.sh", &script);
    let config = format!(
        "[profile process]\ncredential_process = /bin/sh {}\n",
        home.path("lend.sh").display()
    );
    let home = home.file(".aws/config", &config);
    let file = |name: &str| format!("credentials_file = {:?}", home.path(name).display().to_string());
    let role = format!("profile = \"named\"\nassume_role = {{ arn = {ROLE:?} }}");
    let settings = Settings::new()
        .account("environment", "aws", url, "")
        .account("environment-osc", "outscale", url, "")
        .account("named", "aws", url, "profile = \"named\"")
        .account("shared", "aws", url, &file("shared"))
        .account("legacy", "aws", url, &file("legacy"))
        .account("json", "outscale", url, &file("osc.json"))
        .account("process", "aws", url, "profile = \"process\"")
        .account("role", "aws", &sts.url, &role);
    // The role's STS answers for its cloud, too: that account alone fails.
    home.write(
        SETTINGS,
        &settings
            .0
            .replace(&format!("ec2 = {:?}", sts.url), &format!("ec2 = {url:?}")),
    );

    says_nothing(&home, 0, true).await;

    let of_the_child = fs::read_to_string(home.path("of-the-child")).unwrap();
    assert!(
        of_the_child.contains("HOME=") && of_the_child.contains("lend.sh"),
        "{of_the_child}"
    );
    assert_discreet("the child's environment", &[&of_the_child]);
}

#[tokio::test]
async fn secret_on_loan_is_nowhere_else() {
    let mint = Mint::lending_for(Duration::from_secs(3600));
    let cloud = indiscreet(&mint).await;
    let home = || {
        let home = Home::new();
        home.write(
            SETTINGS,
            &Settings::new().account("lent", "aws", &cloud.url, "").0,
        );
        home
    };
    let lender = mint.clone();
    let service = Scripted::start(metadata(move || lender.lend())).await;
    let instance = home()
        .set("AWS_EC2_METADATA_DISABLED", "false")
        .set("AWS_EC2_METADATA_SERVICE_ENDPOINT", &service.url);
    says_nothing(&instance, 0, true).await;

    let lender = mint.clone();
    let service = Scripted::start(move |_| Some((200, lender.lend().to_string()))).await;
    let container = home()
        .set(
            "AWS_CONTAINER_CREDENTIALS_FULL_URI",
            &format!("{}/canary-path", service.url),
        )
        .set("AWS_CONTAINER_AUTHORIZATION_TOKEN", "canary-pod-token");
    says_nothing(&container, 0, true).await;

    let lender = mint.clone();
    let sts = Scripted::start(move |_| Some((200, lender.assumed("AssumeRoleWithWebIdentity")))).await;
    let web = home()
        .file("token", "canary.web.identity")
        .set("AWS_ROLE_ARN", ROLE);
    web.write(
        SETTINGS,
        &(Settings::new().account("lent", "aws", &sts.url, "").0)
            .replace(&format!("ec2 = {:?}", sts.url), &format!("ec2 = {:?}", cloud.url)),
    );
    let token = web.path("token");
    let web = web.set("AWS_WEB_IDENTITY_TOKEN_FILE", token.to_str().unwrap());
    says_nothing(&web, 0, true).await;
}

#[tokio::test]
async fn secret_in_what_cannot_be_used_is_in_no_error() {
    let mint = Mint::lending_for(Duration::from_secs(3600));
    let cloud = indiscreet(&mint).await;
    let url = &cloud.url;
    let home = Home::new()
        .set("AWS_ENDPOINT_URL_STS", url)
        .file("good", &profile(&mint, "default", true))
        .file(
            "no-sign",
            "[default]\naws_access_key_id = A\naws_secret_access_key canary-secret\n",
        )
        .file(
            "space",
            "[default]\naws_access_key_id = A\naws_secret_access_key = canary secret\n",
        )
        .file(
            "more",
            "[default]\naws_access_key_id = A\naws_secret_access_key =\n  canary-secret\n",
        )
        .file("outside", "aws_secret_access_key = canary-secret\n")
        .file("half", "AWSSecretKey=canary-secret\n")
        .file(
            "cut.json",
            "{\"default\": {\"access_key\": \"A\", \"secret_key\": \"canary-secret\"",
        )
        .file(
            "list.json",
            "{\"default\": {\"access_key\": \"A\", \"secret_key\": [\"canary-secret\"]}}",
        )
        .file(
            "number.json",
            "{\"default\": {\"access_key\": 1, \"secret_key\": \"canary-secret\"}}",
        )
        .file(
            "printed",
            "{\"Version\": 1, \"SecretAccessKey\": \"canary-secret\", \"AccessKeyId\": canary}",
        )
        .file(
            "refused",
            &profile(&mint, "default", true).replace("TESTKEY", "NOTTHIS"),
        );
    let printed = home.path("printed");
    let config = format!(
        "[profile process]\ncredential_process = cat {0}\n[profile fails]\ncredential_process = /bin/sh -c \"cat {0} >&2; \
         exit 1\"\n[profile open]\ncredential_process = 'canary-secret\n",
        printed.display()
    );
    let home = home.file(".aws/config", &config);
    let mut settings = Settings::new().account("process", "aws", url, "profile = \"process\"");
    for profile in ["fails", "open"] {
        settings = settings.account(profile, "aws", url, &format!("profile = {profile:?}"));
    }
    let files = [
        "good",
        "no-sign",
        "space",
        "more",
        "outside",
        "half",
        "cut.json",
        "list.json",
        "number.json",
        "refused",
    ];
    for file in files {
        let provider = if file.ends_with("json") { "outscale" } else { "aws" };
        let path = home.path(file).display().to_string();
        settings = settings.account(file, provider, url, &format!("credentials_file = {path:?}"));
    }
    let role = format!(
        "credentials_file = {:?}\nassume_role = {{ arn = {ROLE:?} }}",
        home.path("good")
    );
    home.write(SETTINGS, &settings.account("role", "aws", url, &role).0);
    says_nothing(&home, 1, true).await;
}

#[tokio::test]
async fn secret_in_a_broken_answer_of_whoever_lends_is_in_no_error() {
    let url = "http://127.0.0.1:9";
    let broken = "{\"AccessKeyId\": \"A\", \"SecretAccessKey\": \"canary-secret\", \"Token\": canary-token";
    let cases = [
        (200, broken),
        (200, "canary-secret"),
        (401, broken),
        (500, broken),
    ];
    for (status, body) in cases {
        let service = Scripted::start(move |asked: &Asked| {
            Some(if asked.method == "PUT" || asked.path.ends_with('/') {
                (200, "canary-metadata-token".to_owned())
            } else {
                (status, body.to_owned())
            })
        })
        .await;
        let settings = Settings::new().account("lent", "aws", url, "").0;
        let home = Home::new()
            .set("AWS_EC2_METADATA_DISABLED", "false")
            .set("AWS_EC2_METADATA_SERVICE_ENDPOINT", &service.url)
            .file(SETTINGS, &settings);
        let once = run(home.vigie(&["once"]).env("VIGIE_LOG", "trace")).await;
        let told = once.stderr.replace("canary-metadata-token", "");
        assert_discreet("once on an instance", &[&once.stdout, &told]);
        assert_ne!(once.code, Some(0), "{}", once.stderr);
        let home = Home::new()
            .set(
                "AWS_CONTAINER_CREDENTIALS_FULL_URI",
                &format!("{}/canary-path", service.url),
            )
            .set("AWS_CONTAINER_AUTHORIZATION_TOKEN", "canary-pod-token")
            .file(SETTINGS, &settings);
        let once = run(home.vigie(&["once"]).env("VIGIE_LOG", "trace")).await;
        assert_discreet("once in a container", &[&once.stdout, &once.stderr]);
        assert_eq!(once.code, Some(1), "{}", once.stderr);
    }
}

/// As a user who is not root, whom nothing would stop from reading his own processes.
#[tokio::test]
async fn memory_is_in_no_dump_and_closed_to_the_same_user() {
    let folder = TempDir::new().unwrap();
    fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o755)).unwrap();
    let program = folder.path().join("vigie");
    let built = env!("CARGO_BIN_EXE_vigie");
    fs::hard_link(built, &program)
        .or_else(|_| fs::copy(built, &program).map(drop))
        .unwrap();
    let mut vigie = command(program.to_str().unwrap());
    vigie.args([
        "run",
        "--provider",
        "outscale",
        "--region",
        "eu-west-2",
        "--listen",
        "127.0.0.1:0",
    ]);
    vigie.args(["--endpoint-url", "http://127.0.0.1:9"]);
    vigie
        .env("OSC_ACCESS_KEY", "TESTKEYEXAMPLE")
        .env("OSC_SECRET_KEY", "canary-secret");
    let us = fs::metadata("/proc/self").unwrap().uid();
    let user = if us == 0 { 65534 } else { us };
    if us == 0 {
        vigie.uid(user).gid(user);
    }
    let (agent, log) = background(&mut vigie, &folder.path().join("log"));
    let url = listening(&log).await;
    let id = agent.id().unwrap();

    let uids = fs::read_to_string(format!("/proc/{id}/status")).unwrap();
    let uid = uids.lines().find_map(|line| line.strip_prefix("Uid:\t")).unwrap();
    assert!(uid.starts_with(&user.to_string()), "{uid}");
    for file in ["environ", "mem", "maps", "fd"] {
        let owner = fs::metadata(format!("/proc/{id}/{file}")).unwrap().uid();
        assert_eq!(owner, 0, "{file} is open to the user");
    }
    let limits = fs::read_to_string(format!("/proc/{id}/limits")).unwrap();
    let core = limits
        .lines()
        .find(|line| line.starts_with("Max core file size"))
        .unwrap();
    let numbers: Vec<_> = core.split_whitespace().skip(4).take(2).collect();
    assert_eq!(numbers, ["0", "0"], "{core}");
    // What it tells of itself it reads there, too.
    let page = HTTP
        .get(format!("{url}/metrics"))
        .send()
        .await
        .unwrap()
        .text()
        .await
        .unwrap();
    for family in [
        "process_open_fds ",
        "process_resident_memory_bytes ",
        "process_max_fds ",
    ] {
        assert!(page.lines().any(|line| line.starts_with(family)), "{family}");
    }
    end(agent, &log).await;
}
