use std::fs;

use tempfile::TempDir;

use super::*;

const BOTH: &[Provider] = &[Provider::Outscale, Provider::Aws];
const REGISTRY: Registry<'_> = &[
    ("instances", BOTH, true),
    ("load_balancers", BOTH, true),
    ("target_groups", &[Provider::Aws], true),
    ("volume_status", &[Provider::Aws], false),
];
const ACCOUNT: &str = "[[account]]\nname = \"prod\"\nprovider = \"outscale\"\nregions = [\"eu-west-2\"]\n";

struct Fixture {
    folder: TempDir,
    variables: Environment,
}

impl Fixture {
    fn new() -> Self {
        Self {
            folder: tempfile::tempdir().unwrap(),
            variables: Environment::new(),
        }
    }

    fn set(mut self, name: &str, value: &str) -> Self {
        self.variables.insert(name.to_owned(), value.to_owned());
        self
    }

    fn load(&self, name: &str, text: &str) -> Result<Settings, Error> {
        let path = self.folder.path().join(name);
        fs::write(&path, text).unwrap();
        load(Some(&path), REGISTRY, &self.variables)
    }

    /// The error's sentence, without the folder the test runs in.
    fn sentence(&self, name: &str, text: &str) -> String {
        let folder = format!("{}/", self.folder.path().display());
        self.load(name, text)
            .unwrap_err()
            .to_string()
            .replace(&folder, "")
    }
}

fn loaded(text: &str) -> Settings {
    Fixture::new().load("vigie.toml", text).unwrap()
}

/// The fault of settings with these lines above a sound account, without the name of the file.
fn top(lines: &str) -> String {
    fault(&format!("{lines}\n{ACCOUNT}"))
}

/// The fault of settings with these lines in an otherwise sound account.
fn account(lines: &str) -> String {
    fault(&format!("{ACCOUNT}{lines}\n"))
}

fn fault(text: &str) -> String {
    let sentence = Fixture::new().sentence("vigie.toml", text);
    sentence
        .strip_prefix("settings file vigie.toml: ")
        .unwrap_or(&sentence)
        .to_owned()
}

fn one_account() -> OneAccount {
    OneAccount {
        provider: Provider::Aws,
        regions: vec!["us-east-1".to_owned(), "eu-west-1".to_owned()],
        credentials_file: Some("key".into()),
        profile: None,
        endpoint_url: Some("http://127.0.0.1:5000".to_owned()),
    }
}

#[test]
fn defaults_are_those_of_the_contract() {
    let settings = loaded(ACCOUNT);
    assert_eq!(settings.listen.as_str(), "127.0.0.1:9980");
    assert_eq!(settings.interval_of("instances"), Duration::from_secs(60));
    assert_eq!(settings.stale_after, Duration::from_secs(300));
    assert_eq!(settings.log_format, LogFormat::Text);
    assert_eq!(settings.audit_interval, None);
    let account = &settings.accounts[0];
    assert_eq!(account.kinds, ["instances", "load_balancers"]);
    assert_eq!(
        (&account.tags, account.state_series),
        (&Tags::None, StateSeries::All)
    );
    assert!((account.requests_per_second - 5.0).abs() < f64::EPSILON);
    assert!(account.endpoints.is_empty() && account.signing_names.is_empty());
    assert_eq!(account.credentials_file, None);
}

#[test]
fn every_setting_is_read() {
    let fixture = Fixture::new();
    let text = r#"
        listen = "localhost:9980"
        interval = "1m30s"
        stale_after = "24h"
        web_config_file = "web/config.yml"
        log_format = "json"
        audit_interval = "24h"
        [kinds.load_balancers]
        interval = "200ms"
        [[account]]
        name = "prod"
        provider = "aws"
        regions = ["eu-west-2", "cn-north-1"]
        credentials_file = "keys/prod"
        profile = "watcher 1"
        kinds = ["target_groups", "instances"]
        tags = ["*"]
        state_series = "current"
        requests_per_second = 2.5
        endpoints = { ec2 = "http://127.0.0.1:5000/ec2", sts = "https://sts.example.org" }
        signing_names = { elb = "lbu" }
        ca_bundle = "/etc/ssl/ca.pem"
    "#;
    let settings = fixture.load("vigie.toml", text).unwrap();
    assert_eq!(settings.interval_of("instances"), Duration::from_secs(90));
    assert_eq!(settings.interval_of("load_balancers"), Duration::from_millis(200));
    let web = settings.web_config_file.as_deref();
    assert_eq!(web, Some(fixture.folder.path().join("web/config.yml").as_path()));
    assert_eq!(settings.audit_interval, Some(Duration::from_secs(24 * 60 * 60)));
    let account = &settings.accounts[0];
    assert_eq!(account.kinds, ["instances", "target_groups"]);
    assert_eq!(account.tags, Tags::All);
    assert_eq!(account.profile.as_deref(), Some("watcher 1"));
    assert_eq!(
        account.credentials_file,
        Some(fixture.folder.path().join("keys/prod"))
    );
    assert_eq!(account.ca_bundle, Some("/etc/ssl/ca.pem".into()));
    assert_eq!(
        account.endpoints.ec2.as_ref().unwrap().as_str(),
        "http://127.0.0.1:5000/ec2"
    );
    assert_eq!(account.signing_names.elb.as_deref(), Some("lbu"));

    let printed = settings.to_toml();
    assert!(printed.contains("interval = \"1m 30s\""), "{printed}");
    assert_eq!(
        fixture.load("printed.toml", &printed).unwrap(),
        settings,
        "{printed}"
    );
}

#[test]
fn yaml_and_json_say_the_same_as_toml() {
    let toml = loaded(&format!(
        "interval = \"30s\"\n[kinds.instances]\ninterval = \"10s\"\n{ACCOUNT}requests_per_second = 3\n"
    ));
    let yaml = "interval: 30s\nkinds:\n  instances:\n    interval: 10s\naccount:\n- name: prod\n  \
        provider: outscale\n  regions: [eu-west-2]\n  requests_per_second: 3\n";
    let json = "\u{feff}{\"interval\": \"30s\", \"kinds\": {\"instances\": {\"interval\": \"10s\"}}, \"account\": \
        [{\"name\": \"prod\", \"provider\": \"outscale\", \"regions\": [\"eu-west-2\"], \"requests_per_second\": 3}]}";
    let fixture = Fixture::new();
    assert_eq!(fixture.load("vigie.yaml", yaml).unwrap(), toml);
    assert_eq!(fixture.load("vigie.yml", yaml).unwrap(), toml);
    assert_eq!(fixture.load("vigie.json", json).unwrap(), toml);
}

#[test]
fn typo_names_the_nearest_key() {
    assert_eq!(
        Fixture::new().sentence("vigie.toml", &format!("{ACCOUNT}regoins = []\n")),
        "settings file vigie.toml: unknown key `account[0].regoins`: did you mean `regions`?"
    );
    assert_eq!(top("lisen = \"\""), "unknown key `lisen`: did you mean `listen`?");
    assert_eq!(
        top("[[accounts]]"),
        "unknown key `accounts`: did you mean `account`?"
    );
    assert_eq!(
        account("endpoints = { ec3 = \"\" }"),
        "unknown key `account[0].endpoints.ec3`: did you mean `ec2`?"
    );
    assert_eq!(
        top("[kinds.instance]\ninterval = \"1m\""),
        "unknown key `kinds.instance`: did you mean `instances`?"
    );
    assert_eq!(
        top("[kinds.instances]\nevery = \"1m\""),
        "unknown key `kinds.instances.every`: the keys known there are `interval`"
    );
}

#[test]
fn key_that_is_not_known_yet_lists_those_that_are() {
    assert_eq!(
        top("retention_time = \"1h\""),
        "unknown key `retention_time`: the keys known there are `listen`, `interval`, `stale_after`, `web_config_file`, \
         `log_format`, `audit_interval`, `shard`, `account`, `kinds`"
    );
}

#[test]
fn role_is_checked_as_aws_would() {
    let aws = |role: &str| {
        let text = format!("{}assume_role = {role}\n", ACCOUNT.replace("outscale", "aws"));
        let fault = fault(&text);
        fault.trim_start_matches("`account[0].assume_role").to_owned()
    };
    let arn = "arn = \"arn:aws:iam::123456789012:role/watcher\"";
    assert!(aws("{}").starts_with(".arn` is missing"));
    assert!(aws("{ arn = \"watcher\" }").starts_with(".arn` is no ARN of a role: write \"arn:aws:iam::"));
    assert!(aws(&format!("{{ {arn}, external_id = \"a\" }}")).starts_with(".external_id` is no external id"));
    assert!(aws(&format!("{{ {arn}, session_name = \"a b\" }}")).starts_with(".session_name` is no session"));
    assert!(aws(&format!("{{ {arn}, duration = \"5m\" }}")).starts_with(".duration` is not from 15 minutes"));
    assert!(aws(&format!("{{ {arn}, duration = 900 }}")).contains("without a unit"));
    assert!(aws(&format!("{{ {arn}, role = \"x\" }}")).contains("unknown key"));
    assert_eq!(
        account(&format!("assume_role = {{ {arn} }}")),
        "`account[0].assume_role` is of AWS alone, and outscale has no roles to assume: remove it"
    );
}

#[test]
fn client_certificate_is_of_outscale() {
    let certificate = "client_certificate = \"client.pem\"\nclient_key = \"client.key\"\n";
    let settings = loaded(&format!("{ACCOUNT}{certificate}"));
    let path = settings.accounts[0].client_certificate.as_ref().unwrap();
    assert!(path.is_absolute() && path.ends_with("client.pem"), "{path:?}");
    assert_eq!(
        fault(&format!("{}{certificate}", ACCOUNT.replace("outscale", "aws"))),
        "`account[0].client_certificate` is of OUTSCALE alone, and aws asks for none: remove it"
    );
    let key_alone = "client_key = \"client.key\"\n";
    assert_eq!(
        fault(&format!("{}{key_alone}", ACCOUNT.replace("outscale", "aws"))),
        "`account[0].client_key` is of OUTSCALE alone, and aws asks for none: remove it"
    );
}

#[test]
fn missing_key_comes_with_an_example() {
    assert_eq!(
        fault(""),
        "`account` is missing: write at least one, under `[[account]]`"
    );
    assert_eq!(
        fault("account = []"),
        "`account` is missing: write at least one, under `[[account]]`"
    );
    assert_eq!(
        fault("[[account]]\nname = \"a\"\nregions = [\"r\"]"),
        "`account[0].provider` is missing: write `provider = \"outscale\"` or `provider = \"aws\"`"
    );
    assert_eq!(
        fault("[[account]]\nname = \"a\"\nprovider = \"aws\""),
        "`account[0].regions` is missing: write `regions = [\"eu-west-2\"]`"
    );
}

#[test]
fn number_for_a_duration_gets_its_unit() {
    assert_eq!(
        top("interval = 60"),
        "`interval` is the number 60, without a unit: write \"60s\""
    );
    assert_eq!(
        top("stale_after = \"300\""),
        "`stale_after` is the number 300, without a unit: write \"300s\""
    );
    assert_eq!(
        top("[kinds.instances]\ninterval = 1.5"),
        "`kinds.instances.interval` is the number 1.5, without a unit: write \"1.5s\""
    );
}

#[test]
fn absurd_durations_get_a_sentence_each() {
    assert_eq!(
        top("interval = \"soon\""),
        "`interval` is \"soon\", which is no duration: write it in h, m, s and ms, such as \"60s\" or \"1m30s\""
    );
    assert_eq!(
        top("interval = \"0s\""),
        "`interval` is zero: write the time from one poll to the next, such as \"60s\""
    );
    assert!(top("interval = \"-5s\"").starts_with("`interval` is \"-5s\", which is no duration"));
    assert_eq!(
        top("interval = \"99ms\""),
        "`interval` is 99ms: write \"100ms\" or more"
    );
    assert_eq!(
        top("stale_after = \"72h\"\ninterval = \"25h\""),
        "`interval` is 25h: write \"24h\" or less"
    );
    assert_eq!(
        top("[kinds.instances]\ninterval = \"1ms\""),
        "`kinds.instances.interval` is 1ms: write \"100ms\" or more"
    );
    assert_eq!(
        top("audit_interval = \"0s\""),
        "`audit_interval` is zero: write the time from one audit to the next, such as \"24h\", or remove it to have none"
    );
    assert_eq!(
        top("audit_interval = \"59s\""),
        "`audit_interval` is 59s, so that audits would use up calls that others need: write \"1m\" or more"
    );
    assert_eq!(
        top("audit_interval = \"9999h\""),
        "`audit_interval` is 9999h: write \"8760h\" (a year) or less"
    );
    assert_eq!(
        top("audit_interval = 24"),
        "`audit_interval` is the number 24, without a unit: write \"24s\""
    );
    assert!(
        top("stale_after = \"0s\"")
            .starts_with("`stale_after` is zero, so that no reading would ever be shown")
    );
    assert_eq!(
        top("stale_after = \"169h\""),
        "`stale_after` is 169h: write \"168h\" (7 days) or less"
    );
    assert!(top("interval = \"\"").starts_with("`interval` is \"\", which is no duration"));
    assert!(top("interval = \"99999999999999999999h\"").contains("is no duration"));
}

#[test]
fn readings_outlive_the_interval() {
    assert_eq!(
        top("interval = \"10m\""),
        "`stale_after` is 5m, shorter than the interval of `load_balancers` (10m), so that its readings would come \
         and go: write \"20m\" or more"
    );
    assert!(top("[kinds.instances]\ninterval = \"6m\"").contains("interval of `instances` (6m)"));
    // A kind that nobody polls does not count.
    loaded(&format!("[kinds.target_groups]\ninterval = \"6m\"\n{ACCOUNT}"));
    loaded(&format!("interval = \"5m\"\n{ACCOUNT}"));
}

#[test]
fn wrong_types_say_what_was_found_and_what_to_write() {
    assert_eq!(
        top("listen = 9980"),
        "`listen` is the number 9980: write a host and a port, such as \"127.0.0.1:9980\""
    );
    assert_eq!(
        top("log_format = true"),
        "`log_format` is true: write \"text\" or \"json\""
    );
    assert_eq!(
        top("log_format = \"jsn\""),
        "`log_format` is \"jsn\": did you mean \"json\"?"
    );
    assert_eq!(fault("account = 5"), "`account` is the number 5: write a list");
    assert_eq!(
        fault("account = [5]"),
        "`account[0]` is the number 5: write a table"
    );
    assert_eq!(
        fault("account = [[\"prod\", \"aws\", [\"eu-west-1\"]]]"),
        "`account[0]` is a list: write a table"
    );
    assert_eq!(
        account("profile = [\"a\"]"),
        "`account[0].profile` is a list: write the name of a profile in the credentials file, such as \"default\""
    );
    assert_eq!(
        account("kinds = \"instances\""),
        "`account[0].kinds` is the text \"instances\": write a list"
    );
    assert_eq!(
        account("tags = [1]"),
        "`account[0].tags[0]` is the number 1: write the name of a tag, such as \"env\""
    );
    assert_eq!(
        account("requests_per_second = \"5\""),
        "`account[0].requests_per_second` is the text \"5\": write a number such as 5"
    );
    assert_eq!(
        fault("[[account]]\nname = 7"),
        "`account[0].name` is the number 7: write a name in quotes, such as \"prod\""
    );
    assert_eq!(
        fault("[[account]]\nprovider = \"azure\""),
        "`account[0].provider` is \"azure\": write \"outscale\" or \"aws\""
    );
    assert_eq!(
        Fixture::new().sentence("vigie.yaml", "account:\n- name:\n"),
        "settings file vigie.yaml: `account[0].name` is empty: write a name in quotes, such as \"prod\""
    );
}

#[test]
fn requests_per_second_are_a_sensible_number() {
    for number in ["0", "-1", "0.0", "1e-20", "0.009", "nan", "inf", "1000.5"] {
        let sentence = account(&format!("requests_per_second = {number}"));
        assert!(
            sentence.ends_with("write a number from 0.01 to 1000, such as 5"),
            "{sentence}"
        );
    }
}

#[test]
fn listen_address_has_a_host_and_a_port() {
    for good in ["[::]:9980", "0.0.0.0:0", "vigie_1.example.org:65535"] {
        assert_eq!(good.parse::<Address>().unwrap().as_str(), good);
    }
    for bad in [
        "",
        ":9980",
        "9980",
        "localhost",
        "localhost:",
        "a:65536",
        "a:+1",
        "::1:9980",
        "a b:1",
        "[x]:1",
    ] {
        let sentence = bad.parse::<Address>().unwrap_err().to_string();
        assert!(
            sentence.ends_with("write a host and a port, such as \"127.0.0.1:9980\""),
            "{bad}: {sentence}"
        );
    }
    assert!(
        top("listen = \":9980\"").starts_with("`listen` is \":9980\", without a host (\"0.0.0.0\" is every")
    );
}

#[test]
fn account_names_are_unique() {
    assert_eq!(
        fault(&format!("{ACCOUNT}{ACCOUNT}")),
        "`account[1].name` is \"prod\", like that of account[0]: give each account its own"
    );
    assert!(fault(&ACCOUNT.replace("prod", " ")).starts_with("`account[0].name` is empty"));
    assert!(fault(&ACCOUNT.replace("prod", "a\\n")).contains("a control character in it"));
}

#[test]
fn regions_are_names_that_a_host_can_hold() {
    let with = |regions: &str| fault(&ACCOUNT.replace("[\"eu-west-2\"]", regions));
    assert_eq!(
        with("[]"),
        "`account[0].regions` is an empty list: name at least one, such as [\"eu-west-2\"]"
    );
    assert_eq!(
        with("[\"a\", \"b\", \"a\"]"),
        "`account[0].regions[2]` is \"a\", which is there already: name it once"
    );
    for bad in [
        "",
        "EU-West-2",
        "eu west",
        "eu.west",
        "-eu",
        "evil.example.org/",
        "é",
    ] {
        let sentence = with(&format!("[\"{bad}\"]"));
        assert!(
            sentence.contains("which is no region: write small letters"),
            "{sentence}"
        );
    }
    assert!(with("\"eu-west-2\"").ends_with("is the text \"eu-west-2\": write a list"));
}

#[test]
fn kinds_are_those_that_the_provider_has() {
    assert_eq!(
        account("kinds = [\"instances\", \"load_balancer\"]"),
        "`account[0].kinds[1]` is \"load_balancer\": did you mean \"load_balancers\"?"
    );
    assert_eq!(
        account("kinds = [\"volumes\"]"),
        "`account[0].kinds[0]` is \"volumes\": write \"instances\" or \"load_balancers\" or \"target_groups\" or \"volume_status\""
    );
    assert_eq!(
        account("kinds = [\"target_groups\"]"),
        "`account[0].kinds[0]` is \"target_groups\", which outscale does not have: it has `instances`, `load_balancers`"
    );
    assert!(
        account("kinds = []")
            .starts_with("`account[0].kinds` is an empty list: name at least one, or remove")
    );
    assert!(
        account("kinds = [\"instances\", \"instances\"]")
            .contains("kinds[1]` is \"instances\", which is there")
    );
}

#[test]
fn tags_are_names_or_a_star_alone() {
    assert_eq!(
        loaded(&format!("{ACCOUNT}tags = [\"env\", \"cost center\"]")).accounts[0].tags,
        Tags::Listed(vec!["env".to_owned(), "cost center".to_owned()])
    );
    assert_eq!(
        loaded(&format!("{ACCOUNT}tags = []")).accounts[0].tags,
        Tags::None
    );
    assert!(account("tags = [\"*\", \"env\"]").contains("write [\"*\"] alone for all tags"));
    assert!(account("tags = [\"env\", \"env\"]").contains("is there already"));
    assert!(account("tags = [\"\"]").starts_with("`account[0].tags[0]` is empty"));
}

#[test]
fn endpoints_are_urls_without_secrets_or_queries() {
    for (bad, expected) in [
        ("localhost:5000", "does not start with http:// or https://"),
        ("ftp://a", "does not start with http:// or https://"),
        ("http://", "is no valid URL (empty host)"),
        (
            "https://user:canary@host",
            "is a URL with a user or a password in it",
        ),
        ("https://@host", "is a URL with a user or a password in it"),
        ("https://host/?canary", "is a URL with a query or a fragment"),
        ("https://host/#canary", "is a URL with a query or a fragment"),
        ("https://ho st", "is a URL with a space"),
        ("https:\\\\\\\\host", "does not start with"),
        ("https://host:99999", "is no valid URL (invalid port number)"),
    ] {
        let sentence = account(&format!("endpoints = {{ elb = \"{bad}\" }}"));
        assert!(
            sentence.starts_with(&format!("`account[0].endpoints.elb` {expected}")),
            "{sentence}"
        );
        assert!(!sentence.contains("canary"), "{sentence}");
    }
    assert!(
        account("signing_names = { ec2 = \"a/b\" }").starts_with("`account[0].signing_names.ec2` is \"a/b\"")
    );
    assert!(account("signing_names = { ec2 = \"\" }").contains("write a signing name, such as \"ec2\""));
}

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
fn settings_in_force_are_printed_whole() {
    insta::assert_snapshot!(loaded(&format!("{ACCOUNT}tags = [\"env\"]")).to_toml(), @r#"
    listen = "127.0.0.1:9980"
    interval = "1m"
    stale_after = "5m"
    log_format = "text"

    [[account]]
    name = "prod"
    provider = "outscale"
    regions = ["eu-west-2"]
    kinds = ["instances", "load_balancers"]
    tags = ["env"]
    discovery_tags = ["*"]
    state_series = "all"
    requests_per_second = 5.0
    "#);
}

#[test]
fn selection_is_a_table_of_names_and_values() {
    let settings = loaded(&format!(
        "{ACCOUNT}filters = {{ \"tag:env\" = [\"prod\", \"staging\"] }}\nkeep = {{ team = [\"*\"] }}\ndrop = {{ env = [\"\"] }}"
    ));
    let selection = &settings.accounts[0].selection;
    assert_eq!(
        selection.filters,
        [(
            "tag:env".to_owned(),
            vec!["prod".to_owned(), "staging".to_owned()]
        )]
    );
    assert_eq!(
        (
            selection.keep[0].key.as_str(),
            selection.drop[0].values[0].as_str()
        ),
        ("team", "")
    );
    // What is printed says the same again.
    let again = loaded(&settings.to_toml());
    assert_eq!(again.accounts[0].selection, *selection);
}

#[test]
fn selection_that_shows_nothing_is_refused() {
    assert_eq!(
        account("keep = { env = [] }"),
        "`account[0].keep.env` is an empty list, so that nothing would ever be shown: write the values that do"
    );
    assert_eq!(
        account("drop = { env = \"prod\" }"),
        "`account[0].drop.env` is the text \"prod\": write a list"
    );
    assert_eq!(
        account("filters = { \"\" = [\"x\"] }"),
        "`account[0].filters` has an entry without a name: write one, such as env"
    );
    assert!(account("filters = { a = [1] }").starts_with("`account[0].filters.a[0]` is the number 1: write"));
}

#[test]
fn every_region_is_a_list_on_outscale_and_asked_for_on_aws() {
    let with = |provider: &str, regions: &str| {
        format!("[[account]]\nname = \"a\"\nprovider = \"{provider}\"\nregions = {regions}\n")
    };
    let outscale = loaded(&with("outscale", "[\"*\"]"));
    assert_eq!(outscale.accounts[0].regions.listed().len(), 5);
    let aws = loaded(&with("aws", "[\"*\"]"));
    assert!(aws.accounts[0].regions.is_every() && aws.accounts[0].regions.listed().is_empty());
    assert!(aws.to_toml().contains("regions = [\"*\"]"));
    assert_eq!(
        fault(&with("aws", "[\"eu-west-1\", \"*\"]")),
        "`account[0].regions` has \"*\" among other names: write [\"*\"] alone for every region"
    );
}

#[test]
fn endpoints_of_aws_are_refused_elsewhere() {
    assert_eq!(
        account("fips = true"),
        "`account[0].fips` is of AWS alone: remove it, since outscale has one endpoint"
    );
    assert_eq!(
        account("dual_stack = \"yes\""),
        "`account[0].dual_stack` is the text \"yes\": write a boolean"
    );
}

#[test]
fn shard_is_a_place_among_so_many() {
    let shard = |text: &str| loaded(&format!("shard = {text:?}\n{ACCOUNT}")).shard;
    assert_eq!(shard("0/1"), Some(Shard { index: 0, total: 1 }));
    assert_eq!(shard("3/7"), Some(Shard { index: 3, total: 7 }));
    assert_eq!(loaded(ACCOUNT).shard, None);
    assert!(
        loaded(&format!("shard = \"3/7\"\n{ACCOUNT}"))
            .to_toml()
            .contains("shard = \"3/7\"\n")
    );
    for wrong in [
        "4/4", "1", "-1/4", "0/0", "a/b", "1/2/3", "0/1001", " 0/4", "+0/4", "",
    ] {
        let told = top(&format!("shard = {wrong:?}"));
        assert!(
            told.starts_with(&format!("`shard` is {wrong:?}")) && told.contains("such as \"0/4\""),
            "{told}"
        );
    }
    assert_eq!(
        top("shard = 0"),
        "`shard` is the number 0: write an ordinal and a total, such as \"0/4\""
    );
}

#[test]
fn kind_that_is_not_polled_by_default_is_polled_where_it_is_named() {
    let aws = ACCOUNT.replace("outscale", "aws");
    assert_eq!(
        loaded(&aws).accounts[0].kinds,
        ["instances", "load_balancers", "target_groups"]
    );
    let named = loaded(&format!("{aws}kinds = [\"volume_status\"]"));
    assert_eq!(named.accounts[0].kinds, ["volume_status"]);
}

#[test]
fn relative_credentials_are_where_a_service_manager_puts_them() {
    let text = format!("{ACCOUNT}credentials_file = \"key\"\nca_bundle = \"ca.pem\"\n");
    let of = |fixture: Fixture| {
        let settings = fixture.load("vigie.toml", &text).unwrap();
        let account = &settings.accounts[0];
        let bundle = account.ca_bundle.clone().unwrap();
        assert_eq!(bundle, fixture.folder.path().join("ca.pem"));
        let key = account.credentials_file.clone().unwrap();
        (key, fixture.folder.path().join("key"))
    };
    let variable = "CREDENTIALS_DIRECTORY";
    let (key, _) = of(Fixture::new().set(variable, "/run/credentials/vigie.service"));
    assert_eq!(key, Path::new("/run/credentials/vigie.service/key"));
    for of_no_use in ["", "credentials"] {
        let (key, beside_the_settings) = of(Fixture::new().set(variable, of_no_use));
        assert_eq!(key, beside_the_settings);
    }
    let text = text.replace("\"key\"", "\"/etc/key\"");
    let settings = Fixture::new()
        .set(variable, "/run")
        .load("vigie.toml", &text)
        .unwrap();
    assert_eq!(
        settings.accounts[0].credentials_file.as_deref(),
        Some(Path::new("/etc/key"))
    );
}

#[test]
fn selection_of_instances_that_are_not_polled_is_refused() {
    assert_eq!(
        account("kinds = [\"load_balancers\"]\nkeep = { env = [\"prod\"] }"),
        "`account[0].keep` is about the kind `instances`, which `kinds` leaves out: add it there, or remove this"
    );
}
