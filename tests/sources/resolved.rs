//! What botocore finds, vigie finds: the same files, variables and endpoints for both, and moto takes either's key.
//!
//! A key that STS lends is another one at each asking. The STS between is asked by both and answers the same question
//! with the same key: where the keys are the same, so were the questions, down to who signed them.

use crate::endpoints::{Scripted, Sts, lent, metadata};
use crate::page::Page;
use crate::scene::{Home, Made, guarded, ini};
use crate::vigie::run;

/// Both look in this home: botocore with the profile if there is one, vigie with the lines of its account.
async fn found_by_both(home: Home, cloud: &str, made: &Made, profile: Option<&str>, expected: [&str; 2]) {
    let lines = profile.map_or_else(String::new, |profile| format!("profile = {profile:?}\n"));
    let home = home.account("prod", cloud, &lines);
    let [method, source] = expected;

    let resolved = home.resolve(cloud, profile).await;
    let run = home.once().await;

    assert_eq!(run.code, Some(0), "{}", run.stderr);
    assert_eq!(resolved.method, method);
    assert_eq!(resolved.instances, made.instances);
    assert_shown(&run.stdout, source, &resolved.id, made);
}

fn assert_shown(page: &str, source: &str, id: &str, made: &Made) {
    let page = Page::parse(page);
    let suffix: String = id.chars().skip(id.len() - 4).collect();
    let labels = [("source", source), ("access_key_suffix", suffix.as_str())];
    assert_eq!(
        page.value("vigie_credentials_info", &labels),
        Some(1.0),
        "{page:?}"
    );
    for instance in &made.instances {
        let info = page.value("cloud_instance_info", &[("instance_id", instance)]);
        assert_eq!(info, Some(1.0), "{page:?}");
    }
}

#[tokio::test]
async fn key_as_such_is_found_where_botocore_finds_it() {
    let (moto, made) = guarded().await;
    let cloud = moto.url();
    let key = &made.keys["watcher"];
    let base = &made.keys["base"];

    let home = Home::new()
        .file(".aws/credentials", &ini("default", base))
        .set("AWS_ACCESS_KEY_ID", &made.session.access_key)
        .set("AWS_SECRET_ACCESS_KEY", &made.session.secret_key)
        .set("AWS_SESSION_TOKEN", &made.session.token)
        .set("AWS_PROFILE", "default");
    found_by_both(home, &cloud, &made, None, ["env", "environment"]).await;

    let home = Home::new()
        .file(".aws/config", &ini("profile prod", base))
        .file(".aws/credentials", &ini("prod", key))
        .set("AWS_ACCESS_KEY_ID", &base.access_key)
        .set("AWS_SECRET_ACCESS_KEY", &base.secret_key);
    found_by_both(
        home,
        &cloud,
        &made,
        Some("prod"),
        ["shared-credentials-file", "file"],
    )
    .await;

    let home = Home::new()
        .file("elsewhere", &ini("profile prod", key))
        .file(".aws/credentials", &ini("default", base))
        .set("AWS_CONFIG_FILE", "~/elsewhere")
        .set("AWS_PROFILE", "prod");
    found_by_both(home, &cloud, &made, None, ["config-file", "file"]).await;

    let old = format!(
        "AWSAccessKeyId={}\nAWSSecretKey={}\n",
        key.access_key, key.secret_key
    );
    let home = Home::new().file("old", &old).set("AWS_CREDENTIAL_FILE", "~/old");
    found_by_both(home, &cloud, &made, None, ["ec2-credentials-file", "file"]).await;
}

#[tokio::test]
async fn key_of_a_process_is_found_where_botocore_finds_it() {
    let (moto, made) = guarded().await;
    let printed = serde_json::json!({
        "Version": 1,
        "AccessKeyId": made.session.access_key,
        "SecretAccessKey": made.session.secret_key,
        "SessionToken": made.session.token,
        "Expiration": made.session.expiration,
    });
    let home = Home::new().file("a key", &printed.to_string());
    let path = home.path("a key");
    let config = format!(
        "[profile tool]\ncredential_process = cat \"{}\"\n{}",
        path.display(),
        ini("x", &made.keys["base"])
            .lines()
            .skip(1)
            .collect::<Vec<_>>()
            .join("\n")
    );
    let home = home.file(".aws/config", &config);
    found_by_both(
        home,
        &moto.url(),
        &made,
        Some("tool"),
        ["custom-process", "process"],
    )
    .await;
}

#[tokio::test]
async fn role_is_put_on_as_botocore_puts_it_on() {
    let (moto, made) = guarded().await;
    let (cloud, role) = (moto.url(), &made.role);
    let sts = Sts::before(moto.url()).await;
    let base = &made.keys["base"];
    let worn = "external_id = ext/1\nrole_session_name = me@here\nduration_seconds = 1800\n";

    let home = || Home::new().set("AWS_ENDPOINT_URL_STS", &sts.url);
    let profile = format!("[profile worn]\nrole_arn = {role}\nsource_profile = base\n{worn}");
    let files = home()
        .file(".aws/config", &profile)
        .file(".aws/credentials", &ini("base", base));
    found_by_both(files, &cloud, &made, Some("worn"), ["assume-role", "assume_role"]).await;
    let asked = sts.asked();
    assert_eq!(asked.len(), 2, "{asked:?}");
    assert_eq!(asked[0], asked[1], "botocore and vigie ask the same");
    assert_eq!(asked[1].signed_by.as_ref(), Some(&base.access_key));
    for (name, value) in [
        ("Action", "AssumeRole"),
        ("RoleArn", role.as_str()),
        ("ExternalId", "ext/1"),
        ("RoleSessionName", "me@here"),
        ("DurationSeconds", "1800"),
    ] {
        assert_eq!(asked[1].parameters[name], value);
    }

    // A role on a role on the environment's key.
    let profiles = format!(
        "[profile top]\nrole_arn = {role}\nsource_profile = below\nrole_session_name = top\n\
         [profile below]\nrole_arn = {role}\ncredential_source = Environment\nrole_session_name = below\n"
    );
    let files = home()
        .file(".aws/config", &profiles)
        .set("AWS_ACCESS_KEY_ID", &base.access_key)
        .set("AWS_SECRET_ACCESS_KEY", &base.secret_key);
    found_by_both(files, &cloud, &made, Some("top"), ["assume-role", "assume_role"]).await;
    assert_eq!(sts.asked().len(), 6);
    assert_eq!(sts.asked()[2..4], sts.asked()[4..6]);
}

/// botocore has no such setting: a profile that says the same is what its answer is compared with.
#[tokio::test]
async fn role_of_the_settings_goes_on_top_of_any_key() {
    let (moto, made) = guarded().await;
    let sts = Sts::before(moto.url()).await;
    let role = &made.role;
    let profile = format!(
        "[profile worn]\nrole_arn = {role}\nsource_profile = base\nexternal_id = ext\nrole_session_name = vigie\nduration_seconds = 3600\n"
    );
    let home = Home::new()
        .set("AWS_ENDPOINT_URL", "http://127.0.0.1:1")
        .set("AWS_ENDPOINT_URL_STS", &sts.url)
        .file(".aws/config", &profile)
        .file(".aws/credentials", &ini("base", &made.keys["base"]));
    let resolved = home.resolve(&moto.url(), Some("worn")).await;
    let home = home.account(
        "prod",
        &moto.url(),
        &format!("profile = \"base\"\nassume_role = {{ arn = {role:?}, external_id = \"ext\", duration = \"1h\" }}\n"),
    );

    let run = home.once().await;

    assert_eq!(run.code, Some(0), "{}", run.stderr);
    assert_shown(&run.stdout, "assume_role", &resolved.id, &made);
    let asked = sts.asked();
    assert_eq!((asked.len(), &asked[0]), (2, &asked[1]));
    let page = Page::parse(&run.stdout);
    assert!(
        page.value(
            "vigie_credentials_expiry_timestamp_seconds",
            &[("account", "prod")]
        )
        .is_some()
    );
    let counted = [("service", "sts"), ("action", "AssumeRole"), ("outcome", "ok")];
    assert_eq!(page.value("vigie_api_requests_total", &counted), Some(1.0));
}

#[tokio::test]
async fn web_identity_is_exchanged_as_botocore_exchanges_it() {
    let (moto, made) = guarded().await;
    let sts = Sts::before(moto.url()).await;
    let home = || {
        Home::new()
            .file("token", "canary.web.token")
            .set("AWS_ENDPOINT_URL", &sts.url)
    };
    let by_environment = home()
        .set("AWS_ROLE_ARN", &made.role)
        .set("AWS_ROLE_SESSION_NAME", "pod");
    let token = by_environment.path("token");
    let by_environment = by_environment.set("AWS_WEB_IDENTITY_TOKEN_FILE", token.to_str().unwrap());
    let web = ["assume-role-with-web-identity", "web_identity"];
    found_by_both(by_environment, &moto.url(), &made, None, web).await;

    let by_profile = home();
    let config = format!(
        "[profile pod]\nrole_arn = {}\nweb_identity_token_file = {}\nrole_session_name = pod\n",
        made.role,
        by_profile.path("token").display()
    );
    let by_profile = by_profile.file(".aws/config", &config);
    found_by_both(by_profile, &moto.url(), &made, Some("pod"), web).await;

    let asked = sts.asked();
    assert_eq!(asked.len(), 4);
    assert!(
        asked
            .iter()
            .all(|form| *form == asked[0] && form.signed_by.is_none()),
        "{asked:?}"
    );
    assert_eq!(asked[0].parameters["Action"], "AssumeRoleWithWebIdentity");
    assert_eq!(asked[0].parameters["WebIdentityToken"], "canary.web.token");
}

#[tokio::test]
async fn container_is_asked_as_botocore_asks_it() {
    let (moto, made) = guarded().await;
    let lent = lent(&made.session).to_string();
    let container = Scripted::start(move |asked| {
        let token = asked.headers.get("authorization");
        Some(match token.and_then(|token| token.to_str().ok()) {
            Some("canary-pod-token") if asked.path == "/v1/credentials" => (200, lent.clone()),
            _ => (401, "no".to_owned()),
        })
    })
    .await;
    let home = Home::new().file("token", "canary-pod-token");
    let token = home.path("token");
    let home = home
        .set(
            "AWS_CONTAINER_CREDENTIALS_FULL_URI",
            &format!("{}/v1/credentials", container.url),
        )
        .set("AWS_CONTAINER_AUTHORIZATION_TOKEN", "wrong")
        .set("AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE", token.to_str().unwrap());
    found_by_both(home, &moto.url(), &made, None, ["container-role", "container"]).await;
    let asked = container.asked();
    assert_eq!(asked[0], "GET /v1/credentials");
    assert_eq!(asked.last(), asked.first());
}

#[tokio::test]
async fn instance_metadata_are_asked_as_botocore_asks_them() {
    let (moto, made) = guarded().await;
    let session = made.session.clone();
    let service = Scripted::start(metadata(move || lent(&session))).await;
    let home = Home::new()
        .set("AWS_EC2_METADATA_DISABLED", "false")
        .set("AWS_EC2_METADATA_SERVICE_ENDPOINT", &service.url);
    found_by_both(home, &moto.url(), &made, None, ["iam-role", "imds"]).await;
    let asked = service.asked();
    assert_eq!(asked.len(), 6);
    assert_eq!(asked[..3], asked[3..], "botocore and vigie ask the same");
}

/// Where the service has no tokens, it is asked without: both do, unless it is forbidden.
#[tokio::test]
async fn metadata_without_tokens_are_asked_without() {
    let (moto, made) = guarded().await;
    let lent = lent(&made.session).to_string();
    let service = Scripted::start(move |asked| {
        Some(match (asked.method.as_str(), asked.path.ends_with('/')) {
            ("PUT", _) => (405, String::new()),
            (_, true) => (200, "watcher-role".to_owned()),
            (_, false) => (200, lent.clone()),
        })
    })
    .await;
    let home = || {
        Home::new()
            .set("AWS_EC2_METADATA_DISABLED", "false")
            .set("AWS_EC2_METADATA_SERVICE_ENDPOINT", &service.url)
    };
    found_by_both(home(), &moto.url(), &made, None, ["iam-role", "imds"]).await;

    let forbidden = home()
        .set("AWS_EC2_METADATA_V1_DISABLED", "true")
        .account("prod", &moto.url(), "");
    let run = forbidden.once().await;
    assert_eq!(run.code, Some(64), "{}", run.stderr);
    assert!(
        run.stderr.contains("AWS_EC2_METADATA_V1_DISABLED"),
        "{}",
        run.stderr
    );
}

/// The commands that make keys find the admin's in the same places.
#[tokio::test]
async fn admin_may_wear_a_role_of_a_profile() {
    let (moto, made) = guarded().await;
    let profile = format!(
        "[profile worn]\nrole_arn = {}\nsource_profile = base\n",
        made.admin
    );
    let home = Home::new()
        .file(".aws/config", &profile)
        .file(".aws/credentials", &ini("base", &made.keys["base"]));
    let out = home.path("key");
    let (url, out) = (moto.url(), out.display().to_string());
    let place = [
        "--provider",
        "aws",
        "--region",
        "eu-west-1",
        "--endpoint-url",
        &url,
    ];
    let arguments = [
        &["bootstrap"],
        &place[..],
        &["--admin-profile", "worn", "--out", &out],
    ]
    .concat();

    let run = run(&mut home.vigie_alone(&arguments)).await;

    assert_eq!(run.code, Some(0), "{}", run.stderr);
    let key = std::fs::read_to_string(out).unwrap();
    assert!(key.contains("aws_access_key_id"));
    assert!(
        !run.stderr.contains(&made.keys["base"].secret_key),
        "{}",
        run.stderr
    );
}
