//! Where settings come from: files, the environment and flags, and what wins.

use super::*;

#[test]
fn path_that_only_a_shell_understands_is_refused() {
    assert_eq!(
        account("credentials_file = \"~/.osc/config.json\""),
        "`account[0].credentials_file` starts with `~`, which only a shell understands: write the whole path"
    );
    assert!(account("ca_bundle = \"\"").starts_with("`account[0].ca_bundle` is empty: write a path"));
}

#[test]
fn environment_overrides_the_file() {
    let fixture = Fixture::new()
        .set("VIGIE__INTERVAL", "30s")
        .set("VIGIE__KINDS__LOAD_BALANCERS__INTERVAL", "2m")
        .set("VIGIE__LOG_FORMAT", "json");
    let text = format!("interval = \"10s\"\n[kinds.load_balancers]\ninterval = \"1m\"\n{ACCOUNT}");
    let settings = fixture.load("vigie.toml", &text).unwrap();
    assert_eq!(settings.interval, Duration::from_secs(30));
    assert_eq!(settings.interval_of("load_balancers"), Duration::from_secs(120));
    assert_eq!(settings.log_format, LogFormat::Json);
}

#[test]
fn fault_of_the_environment_names_the_variable() {
    let sentence = |name: &str, value: &str| Fixture::new().set(name, value).sentence("vigie.toml", ACCOUNT);
    assert_eq!(
        sentence("VIGIE__INTERVAL", "60"),
        "environment variable VIGIE__INTERVAL: `interval` is the number 60, without a unit: write \"60s\""
    );
    assert_eq!(
        sentence("VIGIE__INTRVAL", "60s"),
        "environment variable VIGIE__INTRVAL: unknown key `intrval`: did you mean `interval`?"
    );
    assert_eq!(
        sentence("VIGIE__KINDS__INSTANCE__INTERVAL", "60s"),
        "environment variable VIGIE__KINDS__INSTANCE__INTERVAL: unknown key `kinds.instance`: did you mean \
         `instances`?"
    );
    assert_eq!(
        sentence("VIGIE__ACCOUNT__0__NAME", "x"),
        "environment variable VIGIE__ACCOUNT__0__NAME: `account` is set by the environment: write accounts in the \
         settings file"
    );
    assert!(sentence("VIGIE__ACCOUNT[99999999999]", "x").starts_with("environment variable VIGIE__ACCOUNT["));
    assert!(sentence("VIGIE__", "x").starts_with("environment variable VIGIE__: unknown key ``"));
    assert!(sentence("VIGIE___INTERVAL", "60s").ends_with("did you mean `interval`?"));
}

/// They were taken for places in lists, which were made that long, whatever the memory.
#[test]
fn brackets_and_dots_are_part_of_a_name() {
    for index in ["99999999999", "-9223372036854775808"] {
        let name = format!("VIGIE__INTERVAL[{index}]");
        let sentence = Fixture::new().set(&name, "x").sentence("vigie.toml", ACCOUNT);
        let expected = format!("environment variable {name}: unknown key `interval[{index}]`");
        assert!(sentence.starts_with(&expected), "{sentence}");
        let sentence = top(&format!("\"interval[{index}]\" = 1"));
        assert!(
            sentence.starts_with(&format!("unknown key `interval[{index}]`")),
            "{sentence}"
        );
    }
    let sentence = top("\"kinds.instances\" = { interval = \"1m\" }");
    assert!(
        sentence.starts_with("unknown key `kinds.instances`"),
        "{sentence}"
    );
}

#[test]
fn yaml_that_would_take_all_stack_or_memory_is_refused() {
    let sentence = Fixture::new().sentence("vigie.yaml", &format!("account:\n{}x", "- ".repeat(100_000)));
    assert!(sentence.contains("vigie.yaml is nested too deep"), "{sentence}");
}

#[test]
fn single_underscore_is_not_ignored_in_silence() {
    let sentence = |name: &str| Fixture::new().set(name, "30s").sentence("vigie.toml", ACCOUNT);
    assert_eq!(
        sentence("VIGIE_INTERVAL"),
        "environment variable VIGIE_INTERVAL is not read: write VIGIE__INTERVAL, with two underscores"
    );
    assert!(sentence("VIGIE_STALE_AFTER").contains("write VIGIE__STALE_AFTER"));
    assert!(
        sentence("VIGIE_KINDS_LOAD_BALANCERS_INTERVAL")
            .contains("write VIGIE__KINDS__LOAD_BALANCERS__INTERVAL")
    );
    assert!(sentence("VIGIE_KINDS__INSTANCES__INTERVAL").contains("write VIGIE__KINDS__INSTANCES__INTERVAL"));
}

#[test]
fn variables_of_flags_and_of_kubernetes_are_no_settings() {
    let mut fixture = Fixture::new().set("PATH", "/bin").set("VIGIEX", "x");
    for name in [
        "VIGIE_PROVIDER",
        "VIGIE_REGIONS",
        "VIGIE_CREDENTIALS_FILE",
        "VIGIE_ENDPOINT_URL",
        "VIGIE_LISTEN",
        "VIGIE_CONFIG",
        "VIGIE_LOG",
        "VIGIE_SERVICE_HOST",
        "VIGIE_SERVICE_PORT",
        "VIGIE_PORT",
        "VIGIE_PORT_9980_TCP",
        "VIGIE_PORT_9980_TCP_ADDR",
    ] {
        fixture = fixture.set(name, "tcp://10.0.0.1:9980");
    }
    assert_eq!(fixture.load("vigie.toml", ACCOUNT).unwrap(), loaded(ACCOUNT));
}

#[test]
fn file_that_cannot_be_read_says_why() {
    let fixture = Fixture::new();
    let sentence = |path: &Path| {
        load(Some(path), REGISTRY, &Environment::new())
            .unwrap_err()
            .to_string()
    };
    assert_eq!(
        sentence(Path::new("/nowhere/vigie.toml")),
        "settings file /nowhere/vigie.toml does not exist: write it, or correct its name in --config"
    );
    let folder = fixture.folder.path().join("folder.toml");
    fs::create_dir(&folder).unwrap();
    assert!(sentence(&folder).ends_with("is a directory: name the file in it"));
    assert_eq!(
        fixture.sentence("vigie.conf", ACCOUNT),
        "settings file vigie.conf is of unknown format: give it a name that ends in .toml, .yaml, .yml or .json"
    );
    assert!(
        fixture
            .sentence("vigie", ACCOUNT)
            .contains("is of unknown format")
    );
    assert!(
        fixture
            .sentence("large.toml", &"#".repeat(1_048_577))
            .contains("is larger than 1 MiB")
    );
    assert!(
        load(None, REGISTRY, &Environment::new())
            .unwrap_err()
            .to_string()
            .starts_with("no account to watch")
    );
}

#[test]
fn syntax_error_never_shows_the_line() {
    let fixture = Fixture::new();
    let credentials = "[default]\naws_access_key_id = canary\naws_secret_access_key = canary/canary\n";
    for (name, text, expected) in [
        (
            "a.toml",
            credentials,
            "settings file a.toml is not valid TOML (line 2): ",
        ),
        (
            "b.toml",
            "a = \"x\"\nb = \"canary\n",
            "settings file b.toml is not valid TOML (line 2): ",
        ),
        (
            "a.json",
            credentials,
            "settings file a.json is not valid JSON (line 1, column 2)",
        ),
        (
            "b.json",
            "[\"canary\"]",
            "settings file b.json holds no settings at its top level",
        ),
        (
            "a.yaml",
            credentials,
            "settings file a.yaml is not valid YAML (line 2, column 1)",
        ),
        (
            "b.yaml",
            "canary canary\n",
            "settings file b.yaml holds no settings at its top level",
        ),
        (
            "c.yaml",
            "? [canary]\n: 1\n",
            "settings file c.yaml is not valid YAML",
        ),
        (
            "d.yaml",
            "a: *canary\n",
            "settings file d.yaml is not valid YAML (line",
        ),
        (
            "e.yaml",
            "a: 1\n---\nb: 2\n",
            "settings file e.yaml is not valid YAML",
        ),
    ] {
        let sentence = fixture.sentence(name, text);
        assert!(sentence.starts_with(expected), "{name}: {sentence}");
        assert!(!sentence.contains("canary"), "{name}: {sentence}");
    }
}

#[test]
fn one_account_comes_from_flags() {
    let variables = Environment::from([("VIGIE__INTERVAL".to_owned(), "30s".to_owned())]);
    let settings = load_one(&one_account(), REGISTRY, &variables).unwrap();
    let account = &settings.accounts[0];
    assert_eq!(
        (account.name.as_str(), account.provider),
        ("default", Provider::Aws)
    );
    assert_eq!(account.regions.listed(), ["us-east-1", "eu-west-1"]);
    assert_eq!(account.credentials_file.as_deref(), Some(Path::new("key")));
    assert_eq!(account.kinds, ["instances", "load_balancers", "target_groups"]);
    assert_eq!(settings.interval, Duration::from_secs(30));
    let endpoints = &account.endpoints;
    for url in [&endpoints.ec2, &endpoints.elb, &endpoints.iam, &endpoints.sts] {
        assert_eq!(url.as_ref().unwrap().as_str(), "http://127.0.0.1:5000/");
    }
}

#[test]
fn fault_of_a_flag_names_the_flag() {
    let sentence = |one: OneAccount| {
        let refused = load_one(&one, REGISTRY, &Environment::new());
        refused.unwrap_err().to_string()
    };
    assert_eq!(
        sentence(OneAccount {
            regions: Vec::new(),
            ..one_account()
        }),
        "command line: `--region` is missing: write `--region eu-west-2`"
    );
    assert_eq!(
        sentence(OneAccount {
            regions: vec!["a".to_owned(), "a".to_owned()],
            ..one_account()
        }),
        "command line: `--region` is \"a\", which is there already: name it once"
    );
    assert!(
        sentence(OneAccount {
            endpoint_url: Some("localhost:5000".to_owned()),
            ..one_account()
        })
        .starts_with("command line: `--endpoint-url` does not start with http://")
    );
}

#[test]
fn relative_credentials_and_web_file_are_where_a_service_manager_puts_them() {
    let text = format!(
        "web_config_file = \"web.yml\"\n{ACCOUNT}credentials_file = \"key\"\nca_bundle = \"ca.pem\"\n"
    );
    let of = |fixture: Fixture| {
        let settings = fixture.load("vigie.toml", &text).unwrap();
        let account = &settings.accounts[0];
        let bundle = account.ca_bundle.clone().unwrap();
        assert_eq!(bundle, fixture.folder.path().join("ca.pem"));
        let key = account.credentials_file.clone().unwrap();
        assert_eq!(settings.web_config_file, Some(key.with_file_name("web.yml")));
        (key, fixture.folder.path().join("key"))
    };
    let variable = "CREDENTIALS_DIRECTORY";
    let (key, _) = of(Fixture::new().set(variable, "/run/credentials/vigie.service"));
    assert_eq!(key, Path::new("/run/credentials/vigie.service/key"));
    for of_no_use in ["", "credentials"] {
        let (key, beside_the_settings) = of(Fixture::new().set(variable, of_no_use));
        assert_eq!(key, beside_the_settings);
    }
    let text = text
        .replace("\"key\"", "\"/etc/key\"")
        .replace("\"web.yml\"", "\"/etc/web.yml\"");
    let settings = Fixture::new()
        .set(variable, "/run")
        .load("vigie.toml", &text)
        .unwrap();
    assert_eq!(
        settings.accounts[0].credentials_file.as_deref(),
        Some(Path::new("/etc/key"))
    );
    assert_eq!(
        settings.web_config_file.as_deref(),
        Some(Path::new("/etc/web.yml"))
    );
}
