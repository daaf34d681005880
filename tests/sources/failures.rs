//! What goes wrong where a key is lent: told with its reason and a remedy, not asked for again and again, and nothing
//! to the other accounts.

use std::time::Duration;

use crate::cloud::{Mint, error};
use crate::endpoints::{Answer, Asked, Scripted, metadata};
use crate::page::Page;
use crate::renewal::{Agent, failed_polls, shows_key};
use crate::scene::Home;
use crate::vigie::Run;

const ROLE: &str = "arn:aws:iam::123456789012:role/watcher";
const KEY: &str = "[base]\naws_access_key_id = TESTBASEEXAMPLE\naws_secret_access_key = canary-base\n";

/// A home with two accounts: `lent`, whose lines and environment are the test's, and `own`, whose key is in a file.
fn beside_another(home: Home, lender: &Mint, cloud: &Scripted, lines: &str) -> Home {
    let own = lender.lend();
    let text = |name: &str| own[name].as_str().unwrap().to_owned();
    let file = format!(
        "[default]\naws_access_key_id = {}\naws_secret_access_key = {}\naws_session_token = {}\n",
        text("AccessKeyId"),
        text("SecretAccessKey"),
        text("Token")
    );
    let home = home.file("own", &file);
    let path = home.path("own");
    let home = home.account("lent", &cloud.url, lines);
    home.account(
        "own",
        &cloud.url,
        &format!("credentials_file = \"{}\"", path.display()),
    )
}

/// `once` in such a home: `lent` fails with words, `own` does not.
async fn fails_alone(home: Home, lines: &str, reason: &str, told: &[&str]) -> Run {
    let lender = Mint::lending_for(Duration::from_secs(3600));
    let cloud = lender.cloud().await;
    let home = beside_another(home, &lender, &cloud, lines);

    let run = home.once().await;

    let said = &run.stderr;
    assert_eq!(run.code, Some(1), "{said}");
    let failed = format!("vigie: instances of account lent in eu-west-1 ({reason}): ");
    assert!(said.contains(&failed), "{reason} is not told: {said}");
    for told in told {
        assert!(said.contains(told), "{told} is not told: {said}");
    }
    assert!(!said.contains("canary"), "{said}");
    assert!(!said.contains("account own in"), "{said}");
    let page = Page::parse(&run.stdout);
    assert_eq!(
        page.value("cloud_instance_info", &[("account", "own")]),
        Some(1.0),
        "{page:?}"
    );
    run
}

fn on_an_instance(service: &Scripted) -> Home {
    Home::new()
        .set("AWS_EC2_METADATA_DISABLED", "false")
        .set("AWS_EC2_METADATA_SERVICE_ENDPOINT", &service.url)
}

fn in_a_container(service: &Scripted) -> Home {
    Home::new()
        .set(
            "AWS_CONTAINER_CREDENTIALS_FULL_URI",
            &format!("{}/canary-path", service.url),
        )
        .set("AWS_CONTAINER_AUTHORIZATION_TOKEN", "canary-pod-token")
}

fn with_a_role(sts: &Scripted) -> Home {
    Home::new()
        .file(".aws/credentials", KEY)
        .set("AWS_ENDPOINT_URL_STS", &sts.url)
}

fn role_lines() -> String {
    format!("profile = \"base\"\nassume_role = {{ arn = {ROLE:?}, external_id = \"ext\" }}")
}

#[tokio::test]
async fn sts_that_lends_nothing_is_told_with_its_reason_and_what_to_do() {
    let denied = "User: arn:aws:iam::1:user/base is not authorized to perform: sts:AssumeRole canary-base";
    let signature = "Signature expired: 20250101T000000Z is now earlier than 20250101T001000Z";
    let cases: [(u16, String, &str, &[&str]); 7] = [
        (
            403,
            error("AccessDenied", denied),
            "auth",
            &[ROLE, "the trust policy of", "`sts:AssumeRole` to the user of key …MPLE", "with this external id"],
        ),
        (
            403,
            error("InvalidClientTokenId", "The security token included in the request is invalid."),
            "auth",
            &["InvalidClientTokenId", "check that the key under the role is whole, active"],
        ),
        (403, error("SignatureDoesNotMatch", signature), "clock", &["set this machine's clock"]),
        (400, error("Throttling", "Rate exceeded"), "throttled", &["Rate exceeded"]),
        (500, error("InternalFailure", "oops"), "other", &["InternalFailure"]),
        (200, "{\"SecretAccessKey\": \"canary\"}".to_owned(), "malformed", &["is not a AssumeRoleResponse"]),
        (
            200,
            "<AssumeRoleResponse><AssumeRoleResult><Credentials><AccessKeyId>A</AccessKeyId><SecretAccessKey>canary\
             </SecretAccessKey></Credentials></AssumeRoleResult></AssumeRoleResponse>"
                .to_owned(),
            "malformed",
            &["it has no <SessionToken>"],
        ),
    ];
    for (status, body, reason, told) in cases {
        let sts = Scripted::start(move |_| Some((status, body.clone()))).await;
        fails_alone(with_a_role(&sts), &role_lines(), reason, told).await;
    }
    let nowhere =
        with_a_role(&Scripted::start(|_| None).await).set("AWS_ENDPOINT_URL_STS", "http://127.0.0.1:9");
    fails_alone(
        nowhere,
        &role_lines(),
        "unreachable",
        &["127.0.0.1:9", "check the region's name, `endpoints.sts`"],
    )
    .await;
}

#[tokio::test]
async fn role_that_may_not_be_put_on_is_not_asked_for_by_every_poll() {
    let lender = Mint::lending_for(Duration::from_secs(3600));
    let cloud = lender.cloud().await;
    let sts = Scripted::start(|_| Some((403, error("AccessDenied", "no")))).await;
    let home = with_a_role(&sts);
    let (agent, home) = Agent::start(home, |home| beside_another(home, &lender, &cloud, &role_lines()));

    agent
        .wait_for_page("many polls in vain", |page| failed_polls(page) >= 20.0)
        .await;

    assert_eq!(sts.asked().len(), 1);
    // The key under the role is another: nobody waits any longer, as the polls of a minute would show.
    let assumed = lender.clone();
    sts.goes_on(move |_| Some((200, assumed.assumed("AssumeRole"))));
    home.write(".aws/credentials", &KEY.replace("TESTBASE", "TESTOTHER"));
    let page = agent
        .wait_for_page("the key of the role", |page| shows_key(page, "0002"))
        .await;
    assert_eq!(sts.asked().len(), 2);
    assert!(failed_polls(&page) < 150.0, "{page:?}");
    let other = [("account", "own"), ("reason", "auth")];
    assert_eq!(page.value("vigie_poll_failures_total", &other), Some(0.0));
    agent.end().await;
}

#[tokio::test]
async fn web_identity_that_ran_out_waits_for_a_fresh_token() {
    let lender = Mint::lending_for(Duration::from_secs(3600));
    let cloud = lender.cloud().await;
    let assumed = lender.clone();
    let sts = Scripted::start(move |asked: &Asked| {
        assert!(
            !asked.headers.contains_key("authorization"),
            "there is no key to sign with"
        );
        Some(if asked.body.contains("canary.fresh") {
            (200, assumed.assumed("AssumeRoleWithWebIdentity"))
        } else {
            (
                400,
                error(
                    "ExpiredTokenException",
                    "Token expired: canary.stale must be within 24 hours",
                ),
            )
        })
    })
    .await;
    let home = Home::new()
        .file("token", "canary.stale\n")
        .set("AWS_ROLE_ARN", ROLE);
    let token = home.path("token");
    let home = home
        .set("AWS_WEB_IDENTITY_TOKEN_FILE", token.to_str().unwrap())
        .set("AWS_ENDPOINT_URL", &sts.url);
    let (agent, home) = Agent::start(home, |home| beside_another(home, &lender, &cloud, ""));
    agent
        .wait_for_page("many polls in vain", |page| failed_polls(page) >= 20.0)
        .await;
    assert_eq!(sts.asked().len(), 1);

    home.write("token", "canary.fresh\n");

    let page = agent
        .wait_for_page("the key of the role", |page| shows_key(page, "0002"))
        .await;
    assert!(failed_polls(&page) < 150.0, "{page:?}");
    let said = agent.end().await;
    assert!(
        said.contains("ExpiredTokenException") && said.contains("must write a fresh one"),
        "{said}"
    );
}

#[tokio::test]
async fn token_that_sts_does_not_know_is_told_with_what_the_role_must_trust() {
    let sts = Scripted::start(|_| {
        Some((
            400,
            error("InvalidIdentityToken", "No OpenIDConnect provider found"),
        ))
    })
    .await;
    let home = Home::new()
        .file("token", "canary.token")
        .set("AWS_ROLE_ARN", ROLE);
    let token = home.path("token");
    let home = home
        .set("AWS_WEB_IDENTITY_TOKEN_FILE", token.to_str().unwrap())
        .set("AWS_ENDPOINT_URL", &sts.url);
    let told = [
        "InvalidIdentityToken",
        ROLE,
        "`sts:AssumeRoleWithWebIdentity` to the issuer",
    ];
    fails_alone(home, "", "auth", &told).await;

    let absent = Home::new()
        .set("AWS_WEB_IDENTITY_TOKEN_FILE", "/nowhere/token")
        .set("AWS_ROLE_ARN", ROLE);
    fails_alone(
        absent,
        "",
        "auth",
        &["no usable key: the token file /nowhere/token (AWS_WEB_IDENTITY_TOKEN_FILE) does not exist: write it, or \
           correct its name\n"],
    )
    .await;
}

#[tokio::test]
async fn metadata_that_hang_cost_their_own_short_time_alone() {
    let lender = Mint::lending_for(Duration::from_secs(3600));
    let cloud = lender.cloud().await;
    let service = Scripted::start(|_| None).await;
    let (agent, _home) = Agent::start(on_an_instance(&service), |home| {
        beside_another(home, &lender, &cloud, "")
    });

    let page = agent
        .wait_for_page("polls of one account, and failed ones of the other", |page| {
            let failed = [("account", "lent"), ("reason", "timeout")];
            let polled = page.value("vigie_poll_success", &[("account", "own")]);
            polled == Some(1.0)
                && page
                    .value("vigie_poll_failures_total", &failed)
                    .is_some_and(|failed| failed >= 5.0)
        })
        .await;

    let failures = page.family("vigie_poll_failures_total");
    let other: Vec<_> = failures
        .filter(|(series, _)| series.labels["account"] == "own")
        .collect();
    assert!(!other.is_empty(), "the other account's failures are not counted");
    assert!(other.iter().all(|(_, failures)| *failures < 1.0), "{other:?}");
    agent.end().await;
}

#[tokio::test]
async fn endpoints_that_lend_nothing_are_told_with_their_reason() {
    type Lends = fn(&Asked) -> Answer;
    let cases: [(Lends, &str, &[&str]); 7] = [
        (|_| Some((500, "canary".to_owned())), "unreachable", &["HTTP 500"]),
        (
            |_| Some((401, "canary".to_owned())),
            "auth",
            &["HTTP 401", "does not take the authorization token"],
        ),
        (
            |_| Some((404, "canary".to_owned())),
            "auth",
            &["is one assigned to the task or the pod?"],
        ),
        (|_| Some((429, "canary".to_owned())), "throttled", &["HTTP 429"]),
        (
            |_| Some((200, "canary".to_owned())),
            "malformed",
            &["is no JSON object with a key in it"],
        ),
        (
            |_| Some((200, "canary".repeat(20_000))),
            "malformed",
            &["larger than 64 KiB"],
        ),
        (
            |_| {
                Some((
                    200,
                    "{\"Code\": \"Forbidden\", \"Message\": \"no such token: canary-pod-token\"}".to_owned(),
                ))
            },
            "auth",
            &["the answer says Forbidden"],
        ),
    ];
    for (lends, reason, told) in cases {
        let service = Scripted::start(lends).await;
        let told = [told, &["AWS_CONTAINER_CREDENTIALS_FULL_URI"]].concat();
        fails_alone(in_a_container(&service), "", reason, &told).await;
    }
    let nowhere = "http://127.0.0.1:9/canary-path";
    let away = Home::new().set("AWS_CONTAINER_CREDENTIALS_FULL_URI", nowhere);
    fails_alone(away, "", "unreachable", &["no answer from 127.0.0.1:9"]).await;
    let ran_out = r#"{"AccessKeyId": "A", "SecretAccessKey": "canary", "Token": "canary", "Expiration": "2020-01-01T00:00:00Z"}"#;
    let service = Scripted::start(metadata(move || serde_json::from_str(ran_out).unwrap())).await;
    let told = ["holds a key that ran out at 2020-01-01T00:00:00Z"];
    fails_alone(on_an_instance(&service), "", "auth", &told).await;
}

/// The token that an instance's metadata gave may be forgotten by them: one more is asked for, once.
#[tokio::test]
async fn metadata_that_forget_their_token_give_another() {
    let mint = Mint::lending_for(Duration::from_secs(3600));
    let cloud = mint.cloud().await;
    let mut lends = metadata({
        let mint = mint.clone();
        move || mint.lend()
    });
    let mut forgotten = false;
    let service = Scripted::start(move |asked| {
        if !forgotten && asked.path.ends_with("/watcher-role") {
            forgotten = true;
            return Some((401, String::new()));
        }
        lends(asked)
    })
    .await;
    let run = on_an_instance(&service)
        .account("prod", &cloud.url, "")
        .once()
        .await;
    assert_eq!(run.code, Some(0), "{}", run.stderr);
    let puts = service
        .asked()
        .iter()
        .filter(|asked| asked.starts_with("PUT"))
        .count();
    assert_eq!(puts, 2);
}

#[tokio::test]
async fn process_that_prints_no_key_is_run_once_and_told() {
    let lender = Mint::lending_for(Duration::from_secs(3600));
    let cloud = lender.cloud().await;
    let home = Home::new();
    let (runs, tool) = (home.path("runs"), home.path("tool"));
    let script = format!(
        "echo run >> {}\necho canary\necho canary >&2\nexit 7\n",
        runs.display()
    );
    let config = format!(
        "[profile tool]\ncredential_process = sh {} canary\n",
        tool.display()
    );
    let home = home.file("tool", &script).file(".aws/config", &config);
    let (agent, _home) = Agent::start(home, |home| {
        beside_another(home, &lender, &cloud, "profile = \"tool\"")
    });

    agent
        .wait_for_page("many polls in vain", |page| failed_polls(page) >= 20.0)
        .await;

    assert_eq!(std::fs::read_to_string(runs).unwrap(), "run\n");
    let said = agent.end().await;
    assert!(
        said.contains("the program `sh` (`credential_process` of profile `tool`)"),
        "{said}"
    );
    assert!(said.contains("failed (exit status: 7)"), "{said}");
}

#[tokio::test]
async fn instance_without_a_role_has_no_key_and_every_place_looked_at_is_told() {
    let mut lends = metadata(|| serde_json::json!({}));
    let service = Scripted::start(move |asked| {
        let is_list = asked.path.ends_with("security-credentials/");
        if is_list {
            Some((404, String::new()))
        } else {
            lends(asked)
        }
    })
    .await;
    let nobody = Home::new()
        .set("AWS_EC2_METADATA_DISABLED", "false")
        .set("AWS_EC2_METADATA_SERVICE_ENDPOINT", "http://127.0.0.1:9");
    for (home, why) in [
        (on_an_instance(&service), "the instance has no role"),
        (nobody, "no answer from 127.0.0.1:9"),
    ] {
        let home = home.account("prod", "http://127.0.0.1:9", "");
        for command in ["once", "run"] {
            let run = crate::vigie::run(&mut home.vigie(&[command])).await;
            assert_eq!(run.code, Some(64), "{}", run.stderr);
            for told in [
                "AWS_ACCESS_KEY_ID (not set)",
                ".aws/config",
                "the role of the instance",
                why,
            ] {
                assert!(run.stderr.contains(told), "{told} is not told: {}", run.stderr);
            }
        }
    }
}

/// Nor does `run` end because whoever lends is away when it starts.
#[tokio::test]
async fn check_names_the_place_and_asks_nobody() {
    let service = Scripted::start(|_| None).await;
    let home = in_a_container(&service).account(
        "prod",
        "http://127.0.0.1:9",
        &format!("assume_role = {{ arn = {ROLE:?} }}"),
    );
    let run = crate::vigie::run(&mut home.vigie(&["check"])).await;
    assert_eq!((run.code, run.stderr.as_str()), (Some(0), ""));
    let told = format!(
        "#   prod: the role {ROLE}, with the container's endpoint on 127.0.0.1 (AWS_CONTAINER_CREDENTIALS_FULL_URI)"
    );
    assert!(run.stdout.contains(&told), "{}", run.stdout);
    assert!(!run.stdout.contains("canary"), "{}", run.stdout);
    assert_eq!(service.asked(), [""; 0]);
}
